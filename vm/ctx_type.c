/* SPDX-License-Identifier: MIT */
/* The builtin contexts, raw ones, and the search for a field. */
#include "vm/ctx_type.h"

#include <errno.h>
#include <string.h>

#include "base/compiler.h"
#include "base/mem.h"

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
	SCALAR(tn_skb_host, gso_size, 176, 4, TN_ACC_R),
	SCALAR64(tn_skb_host, hwtstamp, 184, TN_ACC_R),
};

static const struct tn_ctx_type builtins[] = {
	{ .name = (char *)"xdp_md",
	  .size = 24,
	  .host_size = sizeof(struct tn_xdp_host),
	  .fields = xdp_fields,
	  .nr_fields = TN_ARRAY_SIZE(xdp_fields),
	  .is_packet = true,
	  .builtin = true,
	  .id = 1 },
	{ .name = (char *)"__sk_buff",
	  .size = 192,
	  .host_size = sizeof(struct tn_skb_host),
	  .fields = skb_fields,
	  .nr_fields = TN_ARRAY_SIZE(skb_fields),
	  .is_packet = true,
	  .builtin = true,
	  .id = 2 },
};

/* Kernel section names, up to the first '/' or '.', and their context. */
static const struct {
	const char *section;
	uint32_t builtin;
} section_ctx[] = {
	{ "xdp", 0 },	 { "tc", 1 },	   { "tcx", 1 },      { "classifier", 1 },
	{ "action", 1 }, { "socket", 1 },  { "netkit", 1 },   { "cgroup_skb", 1 },
	{ "lwt_in", 1 }, { "lwt_out", 1 }, { "lwt_xmit", 1 }, { "lwt_seg6local", 1 },
};

const struct tn_ctx_type *tn_ctx_builtin(const char *name)
{
	size_t len = strcspn(name, "/.");

	for (size_t i = 0; i < TN_ARRAY_SIZE(builtins); i++) {
		if (!strcmp(builtins[i].name, name))
			return &builtins[i];
	}
	for (size_t i = 0; i < TN_ARRAY_SIZE(section_ctx); i++) {
		if (strlen(section_ctx[i].section) == len &&
		    !strncmp(section_ctx[i].section, name, len))
			return &builtins[section_ctx[i].builtin];
	}
	return NULL;
}

const struct tn_field *tn_ctx_field_at(const struct tn_ctx_type *type, uint32_t off, uint32_t size)
{
	uint32_t low = 0, high = type->nr_fields;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;
		const struct tn_field *field = &type->fields[mid];

		if (off < field->offset)
			high = mid;
		else if (off - field->offset >= field->size)
			low = mid + 1;
		else
			return size <= field->size - (off - field->offset) ? field : NULL;
	}
	return NULL;
}

const struct tn_field *tn_ctx_field_by_name(const struct tn_ctx_type *type, const char *name)
{
	for (uint32_t i = 0; i < type->nr_fields; i++) {
		if (!strcmp(type->fields[i].name, name))
			return &type->fields[i];
	}
	return NULL;
}

/* One field that covers everything. */
static int add_raw_field(struct tn_rt *rt, struct tn_ctx_type *type)
{
	struct tn_field *field = tn_new(rt, struct tn_field);

	if (!field)
		return -ENOMEM;
	type->fields = field;
	type->nr_fields = 1;
	field->name = tn_strdup(rt, "bytes");
	field->size = field->host_size = type->size;
	field->kind = TN_FIELD_SCALAR;
	field->access = TN_ACC_RW;
	field->peer = -1;
	field->elem_size = 1;
	return field->name ? 0 : -ENOMEM;
}

struct tn_ctx_type *tn_ctx_type_raw(struct tn_rt *rt, uint32_t size)
{
	struct tn_ctx_type *type = tn_new(rt, struct tn_ctx_type);

	if (!type)
		return NULL;
	type->size = type->host_size = size;
	type->name = tn_strdup(rt, "raw");
	if (!type->name || (size && add_raw_field(rt, type))) {
		tn_ctx_type_free(rt, type);
		return NULL;
	}
	return type;
}

void tn_ctx_type_free(struct tn_rt *rt, struct tn_ctx_type *type)
{
	if (!type)
		return;
	tn_assert(!type->builtin);
	for (uint32_t i = 0; i < type->nr_fields; i++) {
		tn_free(rt, type->fields[i].name);
		tn_free(rt, type->fields[i].handle);
	}
	tn_free(rt, type->fields);
	tn_free(rt, type->name);
	tn_free(rt, type->base);
	tn_free(rt, type);
}
