/* SPDX-License-Identifier: MIT */
/*
 * The layout of a context: what a plugin may touch, and where it stands in the host. For host
 * contexts both are the same struct. For the kernel's xdp_md and __sk_buff the plugin sees the
 * kernel's layout with u32 fields that stand for pointers; loads are rewritten to the host layout
 * (vm/rewrite.c), marked by TN_FACT_CTX_REWRITE.
 */
#ifndef TN_VM_CTX_TYPE_H
#define TN_VM_CTX_TYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tn_rt;

/* The first five as enum tenon_field_kind. */
enum tn_field_kind {
	TN_FIELD_SCALAR = 0,
	TN_FIELD_SIZED,	     /* pointer; length in elements of mem_size (0: 1) in field `end` */
	TN_FIELD_REGION,     /* pointer; ends where the pointer at `end` points */
	TN_FIELD_MEM,	     /* pointer to mem_size bytes */
	TN_FIELD_HANDLE,     /* opaque */
	TN_FIELD_REGION_END, /* the `end` member of a REGION: made by registration */
	TN_FIELD_SIZED_LEN,  /* the length member of a SIZED: made by registration */
};

enum {
	TN_ACC_R = 1,
	TN_ACC_W = 2,
	TN_ACC_RW = 3,
	TN_ACC_NULLABLE = 4,
	TN_ACC_ALIGNED = 8,
	/* HANDLE: nobody vouches for what the pointer points to. It may be NULL or stale; reads
	 * through it give 0 where no memory is. */
	TN_ACC_UNTRUSTED = 16,
	/* HANDLE: the host has a pointer to const there. */
	TN_ACC_CONST = 32,
};

/* The type name of handles that are C strings: nothing but bpf_probe_read_..._str() reads them. */
#define TN_HANDLE_STRING "char"

/* Which accesses to parts of a scalar are let through: those of builtin contexts are the kernel's.
 * But for the first two they are aligned and within one element of an array. */
enum tn_field_parts {
	TN_PARTS_ANY = 0,
	TN_PARTS_ALIGNED, /* any aligned one, of several elements too */
	TN_PARTS_READ,	  /* any part is read, whole elements are written */
	TN_PARTS_NONE,	  /* whole elements */
	TN_PARTS_FIRST,	  /* those that begin where the field does are read */
	TN_PARTS_HALF,	  /* those of half an element are read */
	TN_PARTS_LOW,	  /* those within the element's first half are read */
};

struct tn_field {
	char *name;
	uint32_t offset, size;		 /* as the plugin sees it */
	uint32_t host_offset, host_size; /* in the host's struct; host_size 8 where u32 stands for a
					  * pointer */
	uint8_t kind;			 /* enum tn_field_kind */
	uint8_t access; /* SCALAR: of the field. Pointers: of the pointee; the field
			 * itself is read-only */
	uint32_t mem_size;
	int32_t peer;	    /* SIZED, REGION: index of the length or end field. The other
			     * way: index of the pointer. REGIONs that share an end
			     * (data_meta, data, data_end): see `order` */
	uint32_t elem_size; /* SCALAR arrays (cb[5]): bytes per element; else = size */
	char *handle;
	uint8_t parts; /* SCALAR: enum tn_field_parts */
};

struct tn_ctx_type {
	char *name;    /* struct tag */
	uint32_t size; /* bytes as the plugin sees it; accesses stay below */
	uint32_t host_size;
	struct tn_field *fields; /* sorted by offset, not overlapping */
	uint32_t nr_fields;
	bool is_packet; /* has data/data_end as packet region: LD_ABS/LD_IND, skb helpers */
	bool has_frame; /* no packet context, but its struct begins with data and data_end: to be
			 * read by bpf_skb_load_bytes() */
	bool builtin;	/* of this file, static */
	bool from_btf;	/* made of the host's BTF */
	char *base;	/* structures behind handles: the type that they serve as too; NULL */
	uint32_t id;	/* 1.. for builtins; 0 else: identity is the address */
	/* Made of a function's arguments: nr_args slots of 8 bytes, its result behind them. */
	bool is_args, has_ret;
	uint8_t nr_args;
};

/* Field that contains [off, off + size), or NULL. */
const struct tn_field *tn_ctx_field_at(const struct tn_ctx_type *type, uint32_t off, uint32_t size);
/* Are all of these bytes, of several fields, of numbers that may be read? For types from BTF:
 * compilers read bit fields by the unit that they stand in, and copy structures by words. What a
 * host lists field by field is read field by field. */
bool tn_ctx_numbers_at(const struct tn_ctx_type *type, uint32_t off, uint32_t size);
/* Is an access of `size` bytes at `off`, inside of `field`, one that its parts allow? */
bool tn_field_takes(const struct tn_field *field, uint32_t off, uint32_t size, bool write);
const struct tn_field *tn_ctx_field_by_name(const struct tn_ctx_type *type, const char *name);

/* Is an object that the host calls a `have` what it means by `want`, of which all members are
 * known? It has that name, and what both say of a member agrees. */
bool tn_ctx_type_serves(const struct tn_ctx_type *have, const struct tn_ctx_type *want);

/* The field `retval`, a number of 4 or 8 bytes: what bpf_get_retval() gives. NULL: none. */
const struct tn_field *tn_ctx_retval(const struct tn_ctx_type *type);

/* By the key in ctx_types.def, such as "xdp_md"; and the type of a kernel section name such as
 * "xdp", "tc", "socket". NULL: none. Static. */
const struct tn_ctx_type *tn_ctx_builtin(const char *name);

/* The fields behind handles of a builtin type: tenon_sock, tenon_sock_common. NULL: none. Static.
 */
const struct tn_ctx_type *tn_ctx_builtin_struct(const char *name);

/* Contexts that are only known by their size: raw bytecode and `--ctx-size N`. All bytes readable
 * and writable. NULL: out of memory. */
struct tn_ctx_type *tn_ctx_type_raw(struct tn_rt *rt, uint32_t size);
void tn_ctx_type_free(struct tn_rt *rt, struct tn_ctx_type *type); /* not for builtins */

/* The host side of the builtin contexts; public in tenon.h as struct tenon_xdp_md, tenon_sk_buff
 * (host-api asserts equality). */
struct tn_xdp_host {
	void *data, *data_end, *data_meta;
	uint32_t ingress_ifindex, rx_queue_index, egress_ifindex, redirect_ifindex;
	void *room, *room_end;
	uint32_t redirect_map_id, redirect_key, redirect_flags, reserved;
};

/* Metadata ends where the packet begins: a host that knows of none has nothing to say. To be called
 * on the host's side of a packet context before a program that reads data_meta. */
static inline void tn_packet_settle_meta(void *ctx)
{
	struct tn_xdp_host *p = ctx;

	if ((uintptr_t)p->data_meta - 1 >= (uintptr_t)p->data)
		p->data_meta = p->data;
}

/* Scalars in host order but protocol, vlan_proto, addresses and remote_port, which are as on the
 * wire, as in the kernel. */
struct tn_skb_host {
	void *data, *data_end, *data_meta;
	uint64_t tstamp, hwtstamp;
	uint32_t len, pkt_type, mark, queue_mapping;
	uint32_t protocol, vlan_present, vlan_tci, vlan_proto;
	uint32_t priority, ingress_ifindex, ifindex, tc_index;
	uint32_t cb[5];
	uint32_t hash, tc_classid, napi_id, family;
	uint32_t remote_ip4, local_ip4, remote_ip6[4], local_ip6[4];
	uint32_t remote_port, local_port;
	uint32_t wire_len, gso_segs, gso_size;
	void *room, *room_end;
	void *sk;
	uint32_t redirect_ifindex, redirect_flags;
	void *flow_keys;
};

/* The host's side of handles of type "tenon_seq_file"; public as the struct of that name. */
struct tn_seq_host {
	int (*write)(void *user, const void *data, size_t size);
	void *user;
};

#endif
