/* SPDX-License-Identifier: MIT */
/* The builtin contexts: what the kernel's programs see of the structs that they are given. */
#include "vm/ctx_type.h"

#include <string.h>

#include "base/compiler.h"
#include "vm/ctx_socket.h"

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

/* ---- Sockets: what linux/bpf.h has, with its 64-bit pointers; the kernel's rules of access ----
 */

#define PART(host, field, off, bytes, elem, acc, parts_)                                   \
	{                                                                                  \
		.name = (char *)#field, .offset = (off), .size = (bytes),                  \
		.host_offset = offsetof(struct host, field), .host_size = (bytes),         \
		.kind = TN_FIELD_SCALAR, .access = (acc), .peer = -1, .elem_size = (elem), \
		.parts = (parts_)                                                          \
	}
/* One layout on both sides. */
#define SAME(host, field, elem, acc, parts_)                                                     \
	PART(host, field, offsetof(struct host, field), sizeof(((struct host *)0)->field), elem, \
	     acc, parts_)
#define POINTER(host, field, off, bytes, kind_, acc, other)                                   \
	{                                                                                     \
		.name = (char *)#field, .offset = (off), .size = (bytes),                     \
		.host_offset = offsetof(struct host, field), .host_size = 8, .kind = (kind_), \
		.access = (acc), .peer = (other), .elem_size = (bytes)                        \
	}
#define SOCK(host, field, off, acc, type_)                                            \
	{                                                                             \
		.name = (char *)#field, .offset = (off), .size = 8,                   \
		.host_offset = offsetof(struct host, field), .host_size = 8,          \
		.kind = TN_FIELD_HANDLE, .access = (acc), .peer = -1, .elem_size = 8, \
		.handle = (char *)(type_)                                             \
	}

#define OPS(field)    SAME(tn_sock_ops_host, field, 4, TN_ACC_R, TN_PARTS_NONE)
#define OPS64(field)  SAME(tn_sock_ops_host, field, 8, TN_ACC_R, TN_PARTS_NONE)
#define OPS_AT(field) offsetof(struct tn_sock_ops_host, field)

enum { OPS_DATA = 37, OPS_DATA_END };

/* Of the reply the kernel takes the first word alone. */
static struct tn_field sock_ops_fields[] = {
	OPS(op),
	SAME(tn_sock_ops_host, reply, 4, TN_ACC_RW, TN_PARTS_NONE),
	PART(tn_sock_ops_host, args[1], 8, 12, 4, TN_ACC_R, TN_PARTS_NONE),
	OPS(family),
	OPS(remote_ip4),
	OPS(local_ip4),
	OPS(remote_ip6),
	OPS(local_ip6),
	OPS(remote_port),
	OPS(local_port),
	OPS(is_fullsock),
	OPS(snd_cwnd),
	OPS(srtt_us),
	OPS(bpf_sock_ops_cb_flags),
	OPS(state),
	OPS(rtt_min),
	OPS(snd_ssthresh),
	OPS(rcv_nxt),
	OPS(snd_nxt),
	OPS(snd_una),
	OPS(mss_cache),
	OPS(ecn_flags),
	OPS(rate_delivered),
	OPS(rate_interval_us),
	OPS(packets_out),
	OPS(retrans_out),
	OPS(total_retrans),
	OPS(segs_in),
	OPS(data_segs_in),
	OPS(segs_out),
	OPS(data_segs_out),
	OPS(lost_out),
	OPS(sacked_out),
	SAME(tn_sock_ops_host, sk_txhash, 4, TN_ACC_RW, TN_PARTS_NONE),
	OPS64(bytes_received),
	OPS64(bytes_acked),
	SOCK(tn_sock_ops_host, sk, OPS_AT(sk), TN_ACC_R | TN_ACC_NULLABLE, "tenon_sock"),
	[OPS_DATA] = POINTER(tn_sock_ops_host, skb_data, OPS_AT(skb_data), 8, TN_FIELD_REGION,
			     TN_ACC_R, OPS_DATA_END),
	[OPS_DATA_END] = POINTER(tn_sock_ops_host, skb_data_end, OPS_AT(skb_data_end), 8,
				 TN_FIELD_REGION_END, TN_ACC_R, OPS_DATA),
	OPS(skb_len),
	SAME(tn_sock_ops_host, skb_tcp_flags, 4, TN_ACC_R, TN_PARTS_FIRST),
	OPS64(skb_hwtstamp),
};

#define MSG(field)    SAME(tn_sk_msg_host, field, 4, TN_ACC_R, TN_PARTS_NONE)
#define MSG_AT(field) offsetof(struct tn_sk_msg_host, field)

static struct tn_field sk_msg_fields[] = {
	POINTER(tn_sk_msg_host, data, 0, 8, TN_FIELD_REGION, TN_ACC_RW, 1),
	POINTER(tn_sk_msg_host, data_end, 8, 8, TN_FIELD_REGION_END, TN_ACC_RW, 0),
	MSG(family),
	MSG(remote_ip4),
	MSG(local_ip4),
	MSG(remote_ip6),
	MSG(local_ip6),
	MSG(remote_port),
	MSG(local_port),
	MSG(size),
	SOCK(tn_sk_msg_host, sk, MSG_AT(sk), TN_ACC_R, "tenon_sock"),
};

#define REUSE(field, parts) SAME(tn_sk_reuseport_host, field, 4, TN_ACC_R, parts)
#define REUSE_AT(field)	    offsetof(struct tn_sk_reuseport_host, field)

static struct tn_field sk_reuseport_fields[] = {
	POINTER(tn_sk_reuseport_host, data, 0, 8, TN_FIELD_REGION, TN_ACC_R, 1),
	POINTER(tn_sk_reuseport_host, data_end, 8, 8, TN_FIELD_REGION_END, TN_ACC_R, 0),
	REUSE(len, TN_PARTS_READ),
	REUSE(eth_protocol, TN_PARTS_HALF),
	REUSE(ip_protocol, TN_PARTS_READ),
	REUSE(bind_inany, TN_PARTS_READ),
	REUSE(hash, TN_PARTS_NONE),
	SOCK(tn_sk_reuseport_host, sk, REUSE_AT(sk), TN_ACC_R, "tenon_sock"),
	SOCK(tn_sk_reuseport_host, migrating_sk, REUSE_AT(migrating_sk), TN_ACC_R | TN_ACC_NULLABLE,
	     "tenon_sock_common"),
};

/* The packet is read; the keys are all that is written. */
static struct tn_field flow_dissector_fields[] = {
	POINTER(tn_skb_host, data, 76, 4, TN_FIELD_REGION, TN_ACC_R, 1),
	POINTER(tn_skb_host, data_end, 80, 4, TN_FIELD_REGION_END, TN_ACC_R, 0),
	{ .name = (char *)"flow_keys",
	  .offset = 144,
	  .size = 8,
	  .host_offset = offsetof(struct tn_skb_host, flow_keys),
	  .host_size = 8,
	  .kind = TN_FIELD_MEM,
	  .access = TN_ACC_RW,
	  .mem_size = sizeof(struct tn_flow_keys_host),
	  .peer = -1,
	  .elem_size = 8 },
};

#define SKB(field, off)	      PART(tn_skb_host, field, off, 4, 4, TN_ACC_R, TN_PARTS_READ)
#define SKB_RW(field, off)    PART(tn_skb_host, field, off, 4, 4, TN_ACC_RW, TN_PARTS_READ)
#define SKB_WHOLE(field, off) PART(tn_skb_host, field, off, 4, 4, TN_ACC_R, TN_PARTS_NONE)

enum { SK_SKB_DATA = 13, SK_SKB_DATA_END };

static struct tn_field sk_skb_fields[] = {
	SKB(len, 0),
	SKB(pkt_type, 4),
	SKB(queue_mapping, 12),
	SKB(protocol, 16),
	SKB(vlan_present, 20),
	SKB(vlan_tci, 24),
	SKB(vlan_proto, 28),
	SKB_RW(priority, 32),
	SKB(ingress_ifindex, 36),
	SKB(ifindex, 40),
	SKB_RW(tc_index, 44),
	PART(tn_skb_host, cb, 48, 20, 4, TN_ACC_R, TN_PARTS_ALIGNED),
	SKB(hash, 68),
	[SK_SKB_DATA] = PACKET(tn_skb_host, data, 76, TN_FIELD_REGION, SK_SKB_DATA_END),
	[SK_SKB_DATA_END] = PACKET(tn_skb_host, data_end, 80, TN_FIELD_REGION_END, SK_SKB_DATA),
	SKB(napi_id, 84),
	SKB(family, 88),
	SKB_WHOLE(remote_ip4, 92),
	SKB_WHOLE(local_ip4, 96),
	PART(tn_skb_host, remote_ip6, 100, 16, 4, TN_ACC_R, TN_PARTS_NONE),
	PART(tn_skb_host, local_ip6, 116, 16, 4, TN_ACC_R, TN_PARTS_NONE),
	SKB(remote_port, 132),
	SKB(local_port, 136),
	SKB(gso_segs, 164),
	SOCK(tn_skb_host, sk, 168, TN_ACC_R | TN_ACC_NULLABLE, "tenon_sock_common"),
	SKB(gso_size, 176),
};

#define SK(field, parts) SAME(tn_sock_host, field, 4, TN_ACC_R, parts)
#define SK_COMMON                                                                                  \
	SK(src_ip4, TN_PARTS_READ), SK(src_ip6, TN_PARTS_READ), SK(src_port, TN_PARTS_FIRST),      \
		PART(tn_sock_host, dst_port, 48, 4, 4, TN_ACC_R, TN_PARTS_LOW),                    \
		SK(dst_ip4, TN_PARTS_READ), SK(dst_ip6, TN_PARTS_READ), SK(state, TN_PARTS_FIRST), \
		SK(rx_queue_mapping, TN_PARTS_FIRST)

static struct tn_field sock_fields[] = {
	SK(bound_dev_if, TN_PARTS_NONE),
	SK(family, TN_PARTS_FIRST),
	SK(type, TN_PARTS_FIRST),
	SK(protocol, TN_PARTS_FIRST),
	SK(mark, TN_PARTS_NONE),
	SK(priority, TN_PARTS_NONE),
	SK_COMMON,
};

/* Of sockets that may be no more than a request for one. */
static struct tn_field sock_common_fields[] = {
	SK(bound_dev_if, TN_PARTS_NONE),
	SK(family, TN_PARTS_FIRST),
	SK_COMMON,
};

/* Names of the library's own: a host may have a bpf_sock of its own. */
static const struct tn_ctx_type structs[] = {
	{ .name = (char *)"tenon_sock",
	  .size = sizeof(struct tn_sock_host),
	  .host_size = sizeof(struct tn_sock_host),
	  .fields = sock_fields,
	  .nr_fields = TN_ARRAY_SIZE(sock_fields),
	  .base = (char *)"tenon_sock_common",
	  .builtin = true },
	{ .name = (char *)"tenon_sock_common",
	  .size = sizeof(struct tn_sock_host),
	  .host_size = sizeof(struct tn_sock_host),
	  .fields = sock_common_fields,
	  .nr_fields = TN_ARRAY_SIZE(sock_common_fields),
	  .builtin = true },
};

const struct tn_ctx_type *tn_ctx_builtin_struct(const char *name)
{
	for (size_t i = 0; i < TN_ARRAY_SIZE(structs); i++)
		if (!strcmp(structs[i].name, name))
			return &structs[i];
	return NULL;
}

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

enum { NO_PACKET, PACKET_CTX, FRAME_CTX };

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
	    .is_packet = (packet_) == PACKET_CTX,                \
	    .has_frame = (packet_) == FRAME_CTX,                 \
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
