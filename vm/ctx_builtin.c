/* SPDX-License-Identifier: MIT */
/* The builtin contexts: what the kernel's programs see of the structs that they are given. */
#include "vm/ctx_type.h"

#include <string.h>

#include "base/compiler.h"

/* A number of the kernel's struct that stands under the same name in the host's. */
#define SCALAR(host, field, off, bytes, acc)                                       \
	{                                                                          \
		.name = (char *)#field, .offset = (off), .size = (bytes),          \
		.host_offset = offsetof(struct host, field), .host_size = (bytes), \
		.kind = TN_FIELD_SCALAR, .access = (acc), .peer = -1,              \
		.elem_size = TN_MIN(4u, (uint32_t)(bytes))                         \
	}
#define SCALAR64(host, field, off, acc)                                              \
	{                                                                            \
		.name = (char *)#field, .offset = (off), .size = 8,                  \
		.host_offset = offsetof(struct host, field), .host_size = 8,         \
		.kind = TN_FIELD_SCALAR, .access = (acc), .peer = -1, .elem_size = 8 \
	}
/* A u32 that stands for a pointer; `other` is the index of the field it is paired with. */
#define PACKET(host, field, off, kind_, other)                                                \
	{                                                                                     \
		.name = (char *)#field, .offset = (off), .size = 4,                           \
		.host_offset = offsetof(struct host, field), .host_size = 8, .kind = (kind_), \
		.access = TN_ACC_RW, .peer = (other), .elem_size = 4                          \
	}

static struct tn_field xdp_fields[] = {
	PACKET(tn_xdp_host, data, 0, TN_FIELD_REGION, 1),
	PACKET(tn_xdp_host, data_end, 4, TN_FIELD_REGION_END, 0),
	PACKET(tn_xdp_host, data_meta, 8, TN_FIELD_REGION, 0),
	SCALAR(tn_xdp_host, ingress_ifindex, 12, 4, TN_ACC_R),
	SCALAR(tn_xdp_host, rx_queue_index, 16, 4, TN_ACC_R),
	SCALAR(tn_xdp_host, egress_ifindex, 20, 4, TN_ACC_R),
};

enum { SKB_DATA = 15, SKB_DATA_END = 16 };

static struct tn_field skb_fields[] = {
	SCALAR(tn_skb_host, len, 0, 4, TN_ACC_R),
	SCALAR(tn_skb_host, pkt_type, 4, 4, TN_ACC_R),
	SCALAR(tn_skb_host, mark, 8, 4, TN_ACC_RW),
	SCALAR(tn_skb_host, queue_mapping, 12, 4, TN_ACC_RW),
	SCALAR(tn_skb_host, protocol, 16, 4, TN_ACC_R),
	SCALAR(tn_skb_host, vlan_present, 20, 4, TN_ACC_R),
	SCALAR(tn_skb_host, vlan_tci, 24, 4, TN_ACC_R),
	SCALAR(tn_skb_host, vlan_proto, 28, 4, TN_ACC_R),
	SCALAR(tn_skb_host, priority, 32, 4, TN_ACC_RW),
	SCALAR(tn_skb_host, ingress_ifindex, 36, 4, TN_ACC_R),
	SCALAR(tn_skb_host, ifindex, 40, 4, TN_ACC_R),
	SCALAR(tn_skb_host, tc_index, 44, 4, TN_ACC_RW),
	SCALAR(tn_skb_host, cb, 48, 20, TN_ACC_RW),
	SCALAR(tn_skb_host, hash, 68, 4, TN_ACC_R),
	SCALAR(tn_skb_host, tc_classid, 72, 4, TN_ACC_RW),
	[SKB_DATA] = PACKET(tn_skb_host, data, 76, TN_FIELD_REGION, SKB_DATA_END),
	[SKB_DATA_END] = PACKET(tn_skb_host, data_end, 80, TN_FIELD_REGION_END, SKB_DATA),
	SCALAR(tn_skb_host, napi_id, 84, 4, TN_ACC_R),
	SCALAR(tn_skb_host, family, 88, 4, TN_ACC_R),
	SCALAR(tn_skb_host, remote_ip4, 92, 4, TN_ACC_R),
	SCALAR(tn_skb_host, local_ip4, 96, 4, TN_ACC_R),
	SCALAR(tn_skb_host, remote_ip6, 100, 16, TN_ACC_R),
	SCALAR(tn_skb_host, local_ip6, 116, 16, TN_ACC_R),
	SCALAR(tn_skb_host, remote_port, 132, 4, TN_ACC_R),
	SCALAR(tn_skb_host, local_port, 136, 4, TN_ACC_R),
	PACKET(tn_skb_host, data_meta, 140, TN_FIELD_REGION, SKB_DATA),
	SCALAR64(tn_skb_host, tstamp, 152, TN_ACC_RW),
	SCALAR(tn_skb_host, wire_len, 160, 4, TN_ACC_R),
	SCALAR(tn_skb_host, gso_segs, 164, 4, TN_ACC_R),
	{ .name = (char *)"sk",
	  .offset = 168,
	  .size = 8,
	  .host_offset = offsetof(struct tn_skb_host, sk),
	  .host_size = 8,
	  .kind = TN_FIELD_HANDLE,
	  .access = TN_ACC_R | TN_ACC_NULLABLE,
	  .peer = -1,
	  .elem_size = 8,
	  .handle = (char *)"bpf_sock_common" },
	SCALAR(tn_skb_host, gso_size, 176, 4, TN_ACC_R),
	SCALAR64(tn_skb_host, hwtstamp, 184, TN_ACC_R),
};

/* A socket filter only looks: at no address, and not at what comes later on the way. */
static struct tn_field socket_fields[] = {
	SCALAR(tn_skb_host, len, 0, 4, TN_ACC_R),
	SCALAR(tn_skb_host, pkt_type, 4, 4, TN_ACC_R),
	SCALAR(tn_skb_host, mark, 8, 4, TN_ACC_R),
	SCALAR(tn_skb_host, queue_mapping, 12, 4, TN_ACC_R),
	SCALAR(tn_skb_host, protocol, 16, 4, TN_ACC_R),
	SCALAR(tn_skb_host, vlan_present, 20, 4, TN_ACC_R),
	SCALAR(tn_skb_host, vlan_tci, 24, 4, TN_ACC_R),
	SCALAR(tn_skb_host, vlan_proto, 28, 4, TN_ACC_R),
	SCALAR(tn_skb_host, priority, 32, 4, TN_ACC_R),
	SCALAR(tn_skb_host, ingress_ifindex, 36, 4, TN_ACC_R),
	SCALAR(tn_skb_host, ifindex, 40, 4, TN_ACC_R),
	SCALAR(tn_skb_host, tc_index, 44, 4, TN_ACC_R),
	SCALAR(tn_skb_host, cb, 48, 20, TN_ACC_RW),
	SCALAR(tn_skb_host, hash, 68, 4, TN_ACC_R),
	SCALAR(tn_skb_host, napi_id, 84, 4, TN_ACC_R),
	SCALAR(tn_skb_host, gso_segs, 164, 4, TN_ACC_R),
	SCALAR(tn_skb_host, gso_size, 176, 4, TN_ACC_R),
};

/* ---- Flat ones: the plugin sees what the host has ---- */

#define TRACE_BYTES   8192u /* PERF_MAX_TRACE_SIZE */
#define SYSCALL_BYTES 65535u
#ifdef __aarch64__
#define REGS_BYTES 272u /* struct user_pt_regs */
#else
#define REGS_BYTES 168u /* struct pt_regs */
#endif
/* What a tracepoint that hands out a buffer gives at least. */
#define TRACE_BUFFER_BYTES 8u

#define FLAT(name_, off, bytes, elem, acc)                                                       \
	{                                                                                        \
		.name = (char *)(name_), .offset = (off), .size = (bytes), .host_offset = (off), \
		.host_size = (bytes), .kind = TN_FIELD_SCALAR, .access = (acc), .peer = -1,      \
		.elem_size = (elem)                                                              \
	}

/* The record's first 8 bytes are the kernel's own. */
static struct tn_field trace_fields[] = { FLAT("record", 8, TRACE_BYTES - 8, 1, TN_ACC_R) };
static struct tn_field raw_tp_fields[] = { FLAT("args", 0, 96, 8, TN_ACC_R) };
static struct tn_field writable_tp_fields[] = {
	{ .name = (char *)"buffer",
	  .offset = 0,
	  .size = 8,
	  .host_offset = 0,
	  .host_size = 8,
	  .kind = TN_FIELD_MEM,
	  .access = TN_ACC_RW,
	  .mem_size = TRACE_BUFFER_BYTES,
	  .peer = -1,
	  .elem_size = 8 },
	FLAT("args", 8, 88, 8, TN_ACC_R),
};
static struct tn_field syscall_fields[] = { FLAT("args", 0, SYSCALL_BYTES, 1, TN_ACC_RW) };
static struct tn_field regs_fields[] = { FLAT("regs", 0, REGS_BYTES, 8, TN_ACC_R) };
static struct tn_field event_fields[] = {
	FLAT("regs", 0, REGS_BYTES, 8, TN_ACC_R),
	FLAT("sample_period", REGS_BYTES, 8, 8, TN_ACC_R),
	FLAT("addr", REGS_BYTES + 8, 8, 8, TN_ACC_R),
};
static struct tn_field sysctl_fields[] = {
	FLAT("write", 0, 4, 4, TN_ACC_R),
	FLAT("file_pos", 4, 4, 4, TN_ACC_RW),
};

/* ---- The table ---- */

static const struct {
	const char *key;
	struct tn_ctx_type type;
} builtins[] = {
#define TN_CTX(key_, name_, size_, host_size_, fields_, packet_) \
	{ (key_),                                                \
	  { .name = (char *)(name_),                             \
	    .size = (size_),                                     \
	    .host_size = (uint32_t)(host_size_),                 \
	    .fields = (fields_),                                 \
	    .nr_fields = TN_ARRAY_SIZE(fields_),                 \
	    .is_packet = (packet_),                              \
	    .builtin = true,                                     \
	    .id = __LINE__ } },
#include "vm/ctx_types.def"
#undef TN_CTX
};

/* Kernel section names, up to the first '/' or '.', and their context. */
static const struct {
	const char *section, *key;
} section_ctx[] = {
	{ "xdp", "xdp_md" },
	{ "tc", "__sk_buff" },
	{ "tcx", "__sk_buff" },
	{ "classifier", "__sk_buff" },
	{ "action", "__sk_buff" },
	{ "netkit", "__sk_buff" },
	{ "cgroup_skb", "__sk_buff" },
	{ "lwt_in", "__sk_buff" },
	{ "lwt_out", "__sk_buff" },
	{ "lwt_xmit", "__sk_buff" },
	{ "lwt_seg6local", "__sk_buff" },
	{ "socket", "__sk_buff/socket" },
};

static const struct tn_ctx_type *by_key(const char *key)
{
	for (size_t i = 0; i < TN_ARRAY_SIZE(builtins); i++) {
		if (!strcmp(builtins[i].key, key))
			return &builtins[i].type;
	}
	return NULL;
}

const struct tn_ctx_type *tn_ctx_builtin(const char *name)
{
	const struct tn_ctx_type *type = by_key(name);
	size_t len = strcspn(name, "/.");

	for (size_t i = 0; !type && i < TN_ARRAY_SIZE(section_ctx); i++) {
		if (strlen(section_ctx[i].section) == len &&
		    !strncmp(section_ctx[i].section, name, len))
			type = by_key(section_ctx[i].key);
	}
	return type;
}
