/* SPDX-License-Identifier: MIT */
/*
 * BTF type information: a checked, indexed view. Parsing validates every offset, reference and
 * string once; afterwards lookups cannot leave the blob, and type loops are bounded. Split BTF goes
 * on where its base ends: ids and string offsets from 1 and 0 mean the base's, those behind its
 * own.
 */
#ifndef TN_VM_BTF_H
#define TN_VM_BTF_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

struct tn_rt;

enum tn_btf_kind {
	TN_BTF_VOID,
	TN_BTF_INT,
	TN_BTF_PTR,
	TN_BTF_ARRAY,
	TN_BTF_STRUCT,
	TN_BTF_UNION,
	TN_BTF_ENUM,
	TN_BTF_FWD,
	TN_BTF_TYPEDEF,
	TN_BTF_VOLATILE,
	TN_BTF_CONST,
	TN_BTF_RESTRICT,
	TN_BTF_FUNC,
	TN_BTF_FUNC_PROTO,
	TN_BTF_VAR,
	TN_BTF_DATASEC,
	TN_BTF_FLOAT,
	TN_BTF_DECL_TAG,
	TN_BTF_TYPE_TAG,
	TN_BTF_ENUM64,
	TN_BTF_NR_KINDS,
};

struct tn_btf_type { /* as in the blob */
	uint32_t name_off;
	uint32_t info; /* vlen 0-15, kind 24-28, kflag 31 */
	uint32_t size_or_type;
};

struct tn_btf_member {
	uint32_t name_off, type, offset;
};
struct tn_btf_param {
	uint32_t name_off, type;
};
struct tn_btf_array {
	uint32_t type, index_type, nelems;
};
struct tn_btf_var_secinfo {
	uint32_t type, offset, size;
};
struct tn_btf_enum {
	uint32_t name_off;
	int32_t val;
};

struct tn_btf_enum64 {
	uint32_t name_off;
	uint32_t lo, hi;
};

/* The word behind an INT. */
enum { TN_BTF_INT_SIGNED = 1, TN_BTF_INT_CHAR = 2, TN_BTF_INT_BOOL = 4 };
static inline uint32_t tn_btf_int_encoding(uint32_t word)
{
	return word >> 24 & 0xf;
}
static inline uint32_t tn_btf_int_offset(uint32_t word)
{
	return word >> 16 & 0xff;
}
static inline uint32_t tn_btf_int_bits(uint32_t word)
{
	return word & 0xff;
}

enum tn_btf_linkage { TN_BTF_STATIC, TN_BTF_GLOBAL, TN_BTF_EXTERN }; /* of FUNC and VAR */

/* Immutable once parsed: any thread may read. */
struct tn_btf {
	struct tn_rt *rt;
	const struct tn_btf *base; /* borrowed; NULL: this one is whole in itself */
	unsigned char *data;	   /* own copy */
	size_t size;
	struct tn_span types, strs; /* own ones, without the base's */
	uint32_t *offsets;	    /* of type first_type + i in `types`; 0 of a whole one unused */
	uint32_t first_type;	    /* the base's nr_types; 0 */
	uint32_t nr_types;	    /* including void (0) and the base's: ids are below */
	uint32_t first_str, end_str; /* own string offsets */
	/* Own types by name without flavour: heads of chains, which go on in ascending order. */
	uint32_t *buckets, *chain;
	uint32_t bucket_mask;
	uint8_t *aligns; /* of own types */
};

/* NULL, errno EINVAL or ENOMEM; words name the malformed type and byte. */
struct tn_btf *tn_btf_parse(struct tn_rt *rt, struct tn_span blob);
/* `base` may be NULL; it must outlive the result. */
struct tn_btf *tn_btf_parse_split(struct tn_rt *rt, const struct tn_btf *base, struct tn_span blob);
void tn_btf_free(struct tn_btf *btf);

const struct tn_btf_type *tn_btf_type(const struct tn_btf *btf,
				      uint32_t id);		/* NULL: out of range */
const char *tn_btf_str(const struct tn_btf *btf, uint32_t off); /* never NULL; "" */
/* Is this an offset of a string, of the base's or its own? */
static inline bool tn_btf_has_str(const struct tn_btf *btf, uint32_t off)
{
	return off < btf->end_str;
}
static inline enum tn_btf_kind tn_btf_kind(const struct tn_btf_type *t)
{
	return (enum tn_btf_kind)(t->info >> 24 & 0x1f);
}
static inline uint32_t tn_btf_vlen(const struct tn_btf_type *t)
{
	return t->info & 0xffff;
}
/* Members have bit sizes; an enum is signed; a forward declaration is of a union. */
static inline bool tn_btf_kflag(const struct tn_btf_type *t)
{
	return t->info >> 31;
}
static inline const void *tn_btf_extra(const struct tn_btf_type *t)
{
	return t + 1;
}
static inline bool tn_btf_is_composite(const struct tn_btf_type *t)
{
	return tn_btf_kind(t) == TN_BTF_STRUCT || tn_btf_kind(t) == TN_BTF_UNION;
}
/* Where a member begins, in bits; its size as a bit field, 0: it is none (or one of the old form,
 * by an INT of fewer bits than its size). */
static inline uint32_t tn_btf_member_bit_off(const struct tn_btf_type *t,
					     const struct tn_btf_member *m)
{
	return tn_btf_kflag(t) ? m->offset & 0xffffff : m->offset;
}
static inline uint32_t tn_btf_member_bit_size(const struct tn_btf_type *t,
					      const struct tn_btf_member *m)
{
	return tn_btf_kflag(t) ? m->offset >> 24 : 0;
}
/* "struct", "func_proto"; static. */
const char *tn_btf_kind_name(enum tn_btf_kind kind);
/* Name of a type; "" where it has none. */
static inline const char *tn_btf_name(const struct tn_btf *btf, uint32_t id)
{
	const struct tn_btf_type *t = tn_btf_type(btf, id);

	return t ? tn_btf_str(btf, t->name_off) : "";
}
/* Through typedef, const, volatile, restrict, type tags. */
uint32_t tn_btf_skip_mods(const struct tn_btf *btf, uint32_t id);
/* Size in bytes of a complete type, -EINVAL otherwise. */
int64_t tn_btf_size_of(const struct tn_btf *btf, uint32_t id);
/* Bits of an INT that has fewer than its size holds (the old form of a bit field), else 0; where
 * they begin into *off, which may be NULL. */
uint32_t tn_btf_old_bit_field(const struct tn_btf *btf, uint32_t id, uint32_t *off);
/* What C aligns a complete type to on a 64-bit machine, packed structs found out by their members'
 * places; 1 for what has no size. */
uint32_t tn_btf_align_of(const struct tn_btf *btf, uint32_t id);
/* Lowest id of the type of that kind and name, 0: none. */
uint32_t tn_btf_find(const struct tn_btf *btf, const char *name, enum tn_btf_kind kind);
/* Bytes of a name up to its flavour: 6 of "xdp_md___v2". */
size_t tn_btf_essential_len(const char *name);
/* Lowest id above `after` of a type, of any kind, whose name without flavour is the `len` bytes of
 * `name`; 0: none. One lookup takes as long as there are types of that name. */
uint32_t tn_btf_next_named(const struct tn_btf *btf, const char *name, size_t len, uint32_t after);

#endif
