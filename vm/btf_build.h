/* SPDX-License-Identifier: MIT */
/*
 * Writing BTF: types are added one by one, each call returns the id that the type will have, and
 * tn_btf_build_finish() gives a checked struct tn_btf, whose `data` and `size` are the blob.
 *
 * A call that fails (memory, limits) returns 0 or does nothing, and finish reports it: callers need
 * not look at each id. Ids may be named before their type is added (tn_btf_build_next_id() tells
 * which one comes next); what is wrong with the whole is found by the parser at the end.
 */
#ifndef TN_VM_BTF_BUILD_H
#define TN_VM_BTF_BUILD_H

#include "vm/btf.h"

struct tn_btf_builder;

/* `base` may be NULL, else the result is split BTF on top of it. NULL: out of memory. */
struct tn_btf_builder *tn_btf_build_new(struct tn_rt *rt, const struct tn_btf *base);
void tn_btf_build_free(struct tn_btf_builder *b); /* NULL is fine */
/* The finished BTF; NULL with words and errno (EINVAL, ENOMEM). Frees the builder in any case. */
struct tn_btf *tn_btf_build_finish(struct tn_btf_builder *b);
uint32_t tn_btf_build_next_id(const struct tn_btf_builder *b);

/* encoding: 0 or one of TN_BTF_INT_... */
uint32_t tn_btf_add_int(struct tn_btf_builder *b, const char *name, uint32_t size,
			uint32_t encoding);
/* With the word behind it as it is in BTF. */
uint32_t tn_btf_add_int_word(struct tn_btf_builder *b, const char *name, uint32_t size,
			     uint32_t word);
uint32_t tn_btf_add_float(struct tn_btf_builder *b, const char *name, uint32_t size);
uint32_t tn_btf_add_ptr(struct tn_btf_builder *b, uint32_t to);
/* TN_BTF_CONST, TN_BTF_VOLATILE, TN_BTF_RESTRICT */
uint32_t tn_btf_add_mod(struct tn_btf_builder *b, enum tn_btf_kind kind, uint32_t to);
uint32_t tn_btf_add_typedef(struct tn_btf_builder *b, const char *name, uint32_t to);
uint32_t tn_btf_add_type_tag(struct tn_btf_builder *b, const char *tag, uint32_t to);
uint32_t tn_btf_add_fwd(struct tn_btf_builder *b, const char *name, bool is_union);
uint32_t tn_btf_add_array(struct tn_btf_builder *b, uint32_t elem, uint32_t index, uint32_t nelems);

/* TN_BTF_STRUCT or TN_BTF_UNION, name NULL: anonymous. Members follow at once. */
uint32_t tn_btf_add_struct(struct tn_btf_builder *b, enum tn_btf_kind kind, const char *name,
			   uint32_t size);
/* Of the struct added last. bit_size 0: no bit field. */
void tn_btf_add_member(struct tn_btf_builder *b, const char *name, uint32_t type, uint32_t bit_off,
		       uint32_t bit_size);
/* The struct added last holds bit sizes beside offsets, even if no member has one. */
void tn_btf_build_set_kflag(struct tn_btf_builder *b);
/* For structs whose size is known only behind their members. */
void tn_btf_build_set_size(struct tn_btf_builder *b, uint32_t id, uint32_t size);

/* TN_BTF_ENUM or TN_BTF_ENUM64; values follow at once. A value of ENUM keeps its low 32 bits. */
uint32_t tn_btf_add_enum(struct tn_btf_builder *b, enum tn_btf_kind kind, const char *name,
			 uint32_t size, bool is_signed);
void tn_btf_add_enum_value(struct tn_btf_builder *b, const char *name, uint64_t value);

/* Parameters follow at once; name NULL and type 0: variadic. */
uint32_t tn_btf_add_func_proto(struct tn_btf_builder *b, uint32_t ret);
void tn_btf_add_param(struct tn_btf_builder *b, const char *name, uint32_t type);
uint32_t tn_btf_add_func(struct tn_btf_builder *b, const char *name, uint32_t proto,
			 enum tn_btf_linkage linkage);

uint32_t tn_btf_add_var(struct tn_btf_builder *b, const char *name, uint32_t type,
			enum tn_btf_linkage linkage);
/* Variables follow at once. */
uint32_t tn_btf_add_datasec(struct tn_btf_builder *b, const char *name, uint32_t size);
void tn_btf_add_section_var(struct tn_btf_builder *b, uint32_t var, uint32_t off, uint32_t size);
/* component: of a member or parameter, -1: the whole. */
uint32_t tn_btf_add_decl_tag(struct tn_btf_builder *b, const char *tag, uint32_t target,
			     int32_t component);

#endif
