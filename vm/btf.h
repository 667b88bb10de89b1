/* SPDX-License-Identifier: MIT */
/*
 * BTF type information: a checked, indexed view. Parsing validates every offset, reference and
 * string once; afterwards lookups cannot leave the blob, and type loops are bounded.
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

struct tn_btf {
	struct tn_rt *rt;
	unsigned char *data; /* own copy */
	size_t size;
	struct tn_span types, strs;
	uint32_t *offsets; /* of type i in `types`; 0 unused */
	uint32_t nr_types; /* including void (0) */
};

/* NULL, errno EINVAL or ENOMEM; words name the malformed type and byte. */
struct tn_btf *tn_btf_parse(struct tn_rt *rt, struct tn_span blob);
void tn_btf_free(struct tn_btf *btf);

const struct tn_btf_type *tn_btf_type(const struct tn_btf *btf,
				      uint32_t id);		/* NULL: out of range */
const char *tn_btf_str(const struct tn_btf *btf, uint32_t off); /* never NULL; "" */
static inline enum tn_btf_kind tn_btf_kind(const struct tn_btf_type *t)
{
	return (enum tn_btf_kind)(t->info >> 24 & 0x1f);
}
static inline uint32_t tn_btf_vlen(const struct tn_btf_type *t)
{
	return t->info & 0xffff;
}
static inline const void *tn_btf_extra(const struct tn_btf_type *t)
{
	return t + 1;
}
/* "struct", "func_proto"; static. */
const char *tn_btf_kind_name(enum tn_btf_kind kind);
/* Through typedef, const, volatile, restrict, type tags. */
uint32_t tn_btf_skip_mods(const struct tn_btf *btf, uint32_t id);
/* Size in bytes of a complete type, -EINVAL otherwise. */
int64_t tn_btf_size_of(const struct tn_btf *btf, uint32_t id);
/* Id of the type of that kind and name, 0: none. */
uint32_t tn_btf_find(const struct tn_btf *btf, const char *name, enum tn_btf_kind kind);

#endif
