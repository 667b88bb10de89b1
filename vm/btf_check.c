/* SPDX-License-Identifier: MIT */
/*
 * BTF, checked once, as strictly as the kernel checks that of programs, but for what compilers
 * leave to a loader: sizes of data sections, order of their variables, names of parameters of
 * functions that are only declared. Three walks: each record for itself, loops, layouts. Two graphs
 * must be free of loops: what a type contains by value (else its size is infinite), and what it is
 * built from without a name in between (else printing it would not end). After that every reader
 * may follow references blindly.
 */
#include "vm/btf_check.h"

#include <errno.h>

#include "base/err.h"
#include "base/mem.h"

/* Typedefs, qualifiers and array dimensions in a row. C code has a handful; a file that has
 * thousands only wants to waste time. */
#define BTF_MAX_CHAIN 64

#define INFO_MASK 0x9f00ffffu
#define INT_MASK  0x0fffffffu

static int bad_type(const struct tn_btf *btf, uint32_t id, const char *what, uint64_t found)
{
	const struct tn_btf_type *t = tn_btf_type(btf, id);
	const char *name = tn_btf_str(btf, t->name_off), *kind = tn_btf_kind_name(tn_btf_kind(t));

	if (*name)
		return tn_err(-EINVAL, "BTF: type %u (%s '%.128s'): %s %llu", id, kind, name, what,
			      (unsigned long long)found);
	return tn_err(-EINVAL, "BTF: type %u (%s): %s %llu", id, kind, what,
		      (unsigned long long)found);
}

/* ---- Names ---- */

/* The kernel wants identifiers. Compilers of other languages write more than that ("Vec<u8>"), so
 * only what cannot be printed is refused here, and who writes C (vm/btf_dump.c) looks again. Tags
 * are any text, as in the kernel. */
static int check_name(const struct tn_btf *btf, uint32_t id, uint32_t off, const char *whose)
{
	enum tn_btf_kind kind = tn_btf_kind(tn_btf_type(btf, id));

	if (!tn_btf_has_str(btf, off))
		return tn_err(-EINVAL, "BTF: type %u (%s): %s outside of the strings: %u", id,
			      tn_btf_kind_name(kind), whose, off);
	if (kind == TN_BTF_DECL_TAG || kind == TN_BTF_TYPE_TAG)
		return 0;
	for (const char *c = tn_btf_str(btf, off); *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			return tn_err(-EINVAL, "BTF: type %u (%s): %s has byte 0x%x", id,
				      tn_btf_kind_name(kind), whose, (unsigned char)*c);
	return 0;
}

enum naming { NAME_FREE, NAME_NEEDED, NAME_NONE };

static enum naming naming_of(enum tn_btf_kind kind)
{
	switch (kind) {
	case TN_BTF_PTR:
	case TN_BTF_ARRAY:
	case TN_BTF_VOLATILE:
	case TN_BTF_CONST:
	case TN_BTF_RESTRICT:
	case TN_BTF_FUNC_PROTO:
		return NAME_NONE;
	case TN_BTF_FWD:
	case TN_BTF_TYPEDEF:
	case TN_BTF_FUNC:
	case TN_BTF_VAR:
	case TN_BTF_DATASEC:
	case TN_BTF_FLOAT:
	case TN_BTF_DECL_TAG:
	case TN_BTF_TYPE_TAG:
		return NAME_NEEDED;
	case TN_BTF_VOID:
	case TN_BTF_INT:
	case TN_BTF_STRUCT:
	case TN_BTF_UNION:
	case TN_BTF_ENUM:
	case TN_BTF_ENUM64:
	case TN_BTF_NR_KINDS:
		break;
	}
	return NAME_FREE;
}

/* ---- The first word: kind, count of records behind, flag ---- */

static bool has_vlen(enum tn_btf_kind kind)
{
	/* FUNC: its linkage. */
	return kind == TN_BTF_STRUCT || kind == TN_BTF_UNION || kind == TN_BTF_ENUM ||
	       kind == TN_BTF_ENUM64 || kind == TN_BTF_FUNC || kind == TN_BTF_FUNC_PROTO ||
	       kind == TN_BTF_DATASEC;
}

/* With the flag the two tags are attributes of other names; they are read as tags. */
static bool has_kflag(enum tn_btf_kind kind)
{
	return kind == TN_BTF_STRUCT || kind == TN_BTF_UNION || kind == TN_BTF_ENUM ||
	       kind == TN_BTF_ENUM64 || kind == TN_BTF_FWD || kind == TN_BTF_DECL_TAG ||
	       kind == TN_BTF_TYPE_TAG;
}

static int check_head(const struct tn_btf *btf, uint32_t id, const struct tn_btf_type *t)
{
	enum tn_btf_kind kind = tn_btf_kind(t);
	enum naming naming = naming_of(kind);
	bool is_named;
	int err = check_name(btf, id, t->name_off, "name");

	if (err)
		return err;
	is_named = *tn_btf_str(btf, t->name_off);
	if (t->info & ~INFO_MASK)
		return bad_type(btf, id, "has unknown bits in its info word:", t->info);
	if (tn_btf_vlen(t) && !has_vlen(kind))
		return bad_type(btf, id, "takes no records, but its vlen is", tn_btf_vlen(t));
	if (tn_btf_kflag(t) && !has_kflag(kind))
		return bad_type(btf, id, "has no kind flag, but it is", 1);
	if (naming == NAME_NEEDED && !is_named)
		return bad_type(btf, id, "has no name: string", t->name_off);
	if (naming == NAME_NONE && is_named)
		return bad_type(btf, id, "cannot have a name: string", t->name_off);
	return 0;
}

/* ---- What a record refers to ---- */

static int check_ref(const struct tn_btf *btf, uint32_t id, uint32_t ref)
{
	if (ref >= btf->nr_types)
		return bad_type(btf, id, "refers to unknown type", ref);
	return 0;
}

/* A type that something can be of, or void. */
static int check_type_ref(const struct tn_btf *btf, uint32_t id, uint32_t ref)
{
	enum tn_btf_kind kind;
	int err = check_ref(btf, id, ref);

	if (err)
		return err;
	kind = tn_btf_kind(tn_btf_type(btf, ref));
	if (kind == TN_BTF_VAR || kind == TN_BTF_DATASEC || kind == TN_BTF_DECL_TAG ||
	    kind == TN_BTF_FUNC)
		return bad_type(btf, id, "refers to what is no type of data:", ref);
	return 0;
}

static int check_member_list(const struct tn_btf *btf, uint32_t id, const struct tn_btf_type *t)
{
	const struct tn_btf_member *m = tn_btf_extra(t);
	int err = 0;

	for (uint32_t i = 0; i < tn_btf_vlen(t) && !err; i++) {
		err = check_name(btf, id, m[i].name_off, "member name");
		if (!err)
			err = check_type_ref(btf, id, m[i].type);
		if (!err && m[i].type == 0)
			err = bad_type(btf, id, "is void: member", i);
	}
	return err;
}

static int check_params(const struct tn_btf *btf, uint32_t id, const struct tn_btf_type *t)
{
	const struct tn_btf_param *p = tn_btf_extra(t);
	int err = check_type_ref(btf, id, t->size_or_type);

	for (uint32_t i = 0; i < tn_btf_vlen(t) && !err; i++) {
		err = check_name(btf, id, p[i].name_off, "parameter name");
		if (!err)
			err = check_type_ref(btf, id, p[i].type);
		/* The last may be 0 0: variadic. */
		if (!err && p[i].type == 0 && i + 1 < tn_btf_vlen(t))
			err = bad_type(btf, id, "is void: parameter", i);
		if (!err && p[i].type == 0 && *tn_btf_str(btf, p[i].name_off))
			err = bad_type(btf, id, "is void and has a name: parameter", i);
	}
	return err;
}

/* Variables may lie in any order and, before the loader has completed the section, at 0. */
static int check_datasec(const struct tn_btf *btf, uint32_t id, const struct tn_btf_type *t)
{
	const struct tn_btf_var_secinfo *s = tn_btf_extra(t);
	int err = 0;

	for (uint32_t i = 0; i < tn_btf_vlen(t) && !err; i++) {
		enum tn_btf_kind kind;

		err = check_ref(btf, id, s[i].type);
		if (err)
			break;
		kind = tn_btf_kind(tn_btf_type(btf, s[i].type));
		if (kind != TN_BTF_VAR && kind != TN_BTF_FUNC)
			err = bad_type(btf, id, "holds neither variable nor function: type",
				       s[i].type);
		else if (t->size_or_type && (uint64_t)s[i].offset + s[i].size > t->size_or_type)
			err = bad_type(btf, id, "ends outside: variable", i);
	}
	return err;
}

static int check_enum(const struct tn_btf *btf, uint32_t id, const struct tn_btf_type *t)
{
	uint32_t words = tn_btf_kind(t) == TN_BTF_ENUM64 ? 3 : 2;
	const uint32_t *e = tn_btf_extra(t);
	uint32_t size = t->size_or_type;
	int err = 0;

	if (size != 1 && size != 2 && size != 4 && size != 8)
		return bad_type(btf, id, "has size", size);
	for (uint32_t i = 0; i < tn_btf_vlen(t) && !err; i++) {
		err = check_name(btf, id, e[i * words], "name of a value");
		if (!err && !*tn_btf_str(btf, e[i * words]))
			err = bad_type(btf, id, "has no name: value", i);
	}
	return err;
}

static int check_int(const struct tn_btf *btf, uint32_t id, const struct tn_btf_type *t)
{
	uint32_t word = *(const uint32_t *)tn_btf_extra(t), size = t->size_or_type;
	uint32_t encoding = tn_btf_int_encoding(word), bits = tn_btf_int_bits(word);

	if (size == 0 || size > 16 || (size & (size - 1)))
		return bad_type(btf, id, "has size", size);
	if (word & ~INT_MASK)
		return bad_type(btf, id, "has unknown bits in its encoding:", word);
	if (encoding & (encoding - 1) || encoding > TN_BTF_INT_BOOL)
		return bad_type(btf, id, "has unknown encoding", encoding);
	if (bits == 0)
		return bad_type(btf, id, "has no bits, size", size);
	if (bits + tn_btf_int_offset(word) > size * 8)
		return bad_type(btf, id, "does not fit into its size: bits", bits);
	return 0;
}

static int check_func(const struct tn_btf *btf, uint32_t id, const struct tn_btf_type *t)
{
	int err = check_ref(btf, id, t->size_or_type);

	if (!err && tn_btf_kind(tn_btf_type(btf, t->size_or_type)) != TN_BTF_FUNC_PROTO)
		err = bad_type(btf, id, "has the wrong kind below it: type", t->size_or_type);
	if (!err && tn_btf_vlen(t) > TN_BTF_EXTERN)
		err = bad_type(btf, id, "has unknown linkage", tn_btf_vlen(t));
	return err;
}

static int check_var(const struct tn_btf *btf, uint32_t id, const struct tn_btf_type *t)
{
	uint32_t linkage = *(const uint32_t *)tn_btf_extra(t);
	int err = check_type_ref(btf, id, t->size_or_type);

	if (!err && t->size_or_type == 0)
		err = bad_type(btf, id, "is void: type", 0);
	if (!err && linkage > TN_BTF_EXTERN)
		err = bad_type(btf, id, "has unknown linkage", linkage);
	return err;
}

static int check_array(const struct tn_btf *btf, uint32_t id, const struct tn_btf_type *t)
{
	const struct tn_btf_array *array = tn_btf_extra(t);
	int err = check_type_ref(btf, id, array->type);

	if (!err)
		err = check_type_ref(btf, id, array->index_type);
	if (!err && t->size_or_type)
		err = bad_type(btf, id, "has a size word, which is", t->size_or_type);
	if (!err && array->type == 0)
		err = bad_type(btf, id, "has elements of type", 0);
	if (!err && array->index_type == 0)
		err = bad_type(btf, id, "has an index of type", 0);
	return err;
}

static int check_decl_tag(const struct tn_btf *btf, uint32_t id, const struct tn_btf_type *t)
{
	uint32_t idx = *(const uint32_t *)tn_btf_extra(t), limit = 0;
	const struct tn_btf_type *of;
	int err = check_ref(btf, id, t->size_or_type);

	if (err)
		return err;
	of = tn_btf_type(btf, t->size_or_type);
	switch ((int)tn_btf_kind(of)) {
	case TN_BTF_STRUCT:
	case TN_BTF_UNION:
		limit = tn_btf_vlen(of);
		break;
	case TN_BTF_FUNC:
		of = tn_btf_type(btf, of->size_or_type);
		/* The FUNC may stand behind this tag and not be checked yet. */
		limit = of && tn_btf_kind(of) == TN_BTF_FUNC_PROTO ? tn_btf_vlen(of) : 0;
		break;
	case TN_BTF_VAR:
	case TN_BTF_TYPEDEF:
		break;
	default:
		return bad_type(btf, id, "tags what cannot be tagged: type", t->size_or_type);
	}
	if (idx != UINT32_MAX && idx >= limit)
		return bad_type(btf, id, "tags an unknown component:", idx);
	return 0;
}

static int check_type(const struct tn_btf *btf, uint32_t id)
{
	const struct tn_btf_type *t = tn_btf_type(btf, id);
	uint32_t size = t->size_or_type;
	int err = check_head(btf, id, t);

	if (err)
		return err;
	switch (tn_btf_kind(t)) {
	case TN_BTF_INT:
		return check_int(btf, id, t);
	case TN_BTF_PTR:
	case TN_BTF_TYPEDEF:
	case TN_BTF_VOLATILE:
	case TN_BTF_CONST:
	case TN_BTF_RESTRICT:
	case TN_BTF_TYPE_TAG:
		return check_type_ref(btf, id, t->size_or_type);
	case TN_BTF_DECL_TAG:
		return check_decl_tag(btf, id, t);
	case TN_BTF_VAR:
		return check_var(btf, id, t);
	case TN_BTF_ARRAY:
		return check_array(btf, id, t);
	case TN_BTF_STRUCT:
	case TN_BTF_UNION:
		return check_member_list(btf, id, t);
	case TN_BTF_ENUM:
	case TN_BTF_ENUM64:
		return check_enum(btf, id, t);
	case TN_BTF_FUNC:
		return check_func(btf, id, t);
	case TN_BTF_FUNC_PROTO:
		return check_params(btf, id, t);
	case TN_BTF_DATASEC:
		return check_datasec(btf, id, t);
	case TN_BTF_FLOAT:
		if (size != 2 && size != 4 && size != 8 && size != 12 && size != 16)
			return bad_type(btf, id, "has size", size);
		return 0;
	case TN_BTF_FWD:
		return size ? bad_type(btf, id, "has a type word, which is", size) : 0;
	case TN_BTF_VOID:
	case TN_BTF_NR_KINDS:
		break;
	}
	return 0;
}

/* ---- Loops ---- */

enum graph {
	BY_VALUE, /* what is inside: members, elements */
	UNNAMED,  /* what is written out when the type is: pointees, parameters, elements */
};

/* The n-th type that `t` leads to in this graph; false: there are no more. */
static bool edge(const struct tn_btf_type *t, enum graph graph, uint32_t n, uint32_t *to)
{
	const struct tn_btf_array *array;

	switch (tn_btf_kind(t)) {
	case TN_BTF_TYPEDEF:
	case TN_BTF_VOLATILE:
	case TN_BTF_CONST:
	case TN_BTF_RESTRICT:
	case TN_BTF_TYPE_TAG:
	case TN_BTF_VAR:
		*to = t->size_or_type;
		return n == 0;
	case TN_BTF_PTR:
		*to = t->size_or_type;
		return graph == UNNAMED && n == 0;
	case TN_BTF_ARRAY:
		array = tn_btf_extra(t);
		*to = n == 0 ? array->type : array->index_type;
		return n < 2;
	case TN_BTF_STRUCT:
	case TN_BTF_UNION:
		if (graph != BY_VALUE || n >= tn_btf_vlen(t))
			return false;
		*to = ((const struct tn_btf_member *)tn_btf_extra(t))[n].type;
		return true;
	case TN_BTF_FUNC_PROTO:
		if (graph != UNNAMED || n > tn_btf_vlen(t))
			return false;
		*to = n == 0 ? t->size_or_type
			     : ((const struct tn_btf_param *)tn_btf_extra(t))[n - 1].type;
		return true;
	case TN_BTF_VOID:
	case TN_BTF_INT:
	case TN_BTF_ENUM:
	case TN_BTF_ENUM64:
	case TN_BTF_FWD:
	case TN_BTF_FUNC:
	case TN_BTF_DATASEC:
	case TN_BTF_FLOAT:
	case TN_BTF_DECL_TAG:
	case TN_BTF_NR_KINDS:
		break;
	}
	return false;
}

/* Depth first with a stack of its own: nesting is as deep as the file likes. Types are entered into
 * `order` (may be NULL) behind all that they lead to. Those of the base are known to be fine and
 * lead to no own ones. */
static int check_loops(const struct tn_btf *btf, enum graph graph, uint32_t *order)
{
	enum { NEW, OPEN, DONE };
	struct frame {
		uint32_t id, next;
	} * stack;
	uint32_t first = btf->first_type, nr = btf->nr_types - first, nr_ordered = 0;
	unsigned char *colour;
	int err = 0;

	stack = tn_alloc_array(btf->rt, nr ? nr : 1, sizeof(*stack));
	colour = tn_alloc_array(btf->rt, nr ? nr : 1, 1);
	if (!stack || !colour)
		err = tn_err_nomem("BTF");
	for (uint32_t root = first ? first : 1; root < btf->nr_types && !err; root++) {
		uint32_t depth = 0;

		if (colour[root - first] != NEW)
			continue;
		stack[depth++] = (struct frame){ root, 0 };
		colour[root - first] = OPEN;
		while (depth) {
			struct frame *top = &stack[depth - 1];
			uint32_t to;

			if (!edge(tn_btf_type(btf, top->id), graph, top->next++, &to)) {
				colour[top->id - first] = DONE;
				if (order)
					order[nr_ordered++] = top->id;
				depth--;
			} else if (to < first || to == 0) {
				continue;
			} else if (colour[to - first] == OPEN) {
				err = bad_type(btf, to, "contains itself through type", top->id);
				break;
			} else if (colour[to - first] == NEW) {
				colour[to - first] = OPEN;
				stack[depth++] = (struct frame){ to, 0 };
			}
		}
	}
	tn_free(btf->rt, stack);
	tn_free(btf->rt, colour);
	return err;
}

static int check_chain(const struct tn_btf *btf, uint32_t id)
{
	const struct tn_btf_type *t = tn_btf_type(btf, id);
	uint32_t to;

	for (uint32_t n = 0; edge(t, BY_VALUE, 0, &to); n++) {
		if (tn_btf_is_composite(t))
			break;
		if (n == BTF_MAX_CHAIN)
			return bad_type(btf, id, "nests deeper than", n);
		t = tn_btf_type(btf, to);
	}
	return 0;
}

/* ---- Layouts: of types whose parts are done ---- */

/* Bits that a member takes; 0 with *err where it cannot. */
static uint64_t member_bits(const struct tn_btf *btf, uint32_t id, uint32_t i, int *err)
{
	const struct tn_btf_type *t = tn_btf_type(btf, id), *of;
	const struct tn_btf_member *m = (const struct tn_btf_member *)tn_btf_extra(t) + i;
	uint64_t bit_off = tn_btf_member_bit_off(t, m), bits = tn_btf_member_bit_size(t, m);
	int64_t size = tn_btf_size_of(btf, m->type);
	enum tn_btf_kind kind;
	uint32_t word = 0;

	if (size < 0) {
		*err = bad_type(btf, id, "has no size: member", i);
		return 0;
	}
	of = tn_btf_type(btf, tn_btf_skip_mods(btf, m->type));
	kind = tn_btf_kind(of);
	if (kind == TN_BTF_INT)
		word = *(const uint32_t *)tn_btf_extra(of);
	if (bits) {
		/* An integer that begins within its bytes would have its bits elsewhere than the
		 * member says. */
		if ((kind != TN_BTF_INT && kind != TN_BTF_ENUM && kind != TN_BTF_ENUM64) ||
		    tn_btf_int_offset(word) || bits > (uint64_t)size * 8)
			*err = bad_type(btf, id, "cannot be a bit field: member", i);
		return bits;
	}
	/* The old form of a bit field. */
	if (kind == TN_BTF_INT && tn_btf_int_bits(word) < (uint64_t)size * 8)
		return tn_btf_int_offset(word) + tn_btf_int_bits(word);
	if (bit_off % 8 && (kind != TN_BTF_INT || tn_btf_kflag(t)))
		*err = bad_type(btf, id, "begins within a byte: member", i);
	return (uint64_t)size * 8;
}

/* Members lie inside their struct, one behind the other. */
static int check_layout(const struct tn_btf *btf, uint32_t id)
{
	const struct tn_btf_type *t = tn_btf_type(btf, id);
	const struct tn_btf_member *m = tn_btf_extra(t);
	uint64_t last = 0;
	int err = 0;

	for (uint32_t i = 0; i < tn_btf_vlen(t) && !err; i++) {
		uint64_t off = tn_btf_member_bit_off(t, &m[i]);
		uint64_t bits = member_bits(btf, id, i, &err);

		if (err)
			break;
		if (tn_btf_kind(t) == TN_BTF_UNION && off)
			err = bad_type(btf, id, "does not begin at 0: member", i);
		else if (off < last)
			err = bad_type(btf, id, "goes back: member", i);
		else if (off + bits > (uint64_t)t->size_or_type * 8)
			err = bad_type(btf, id, "ends outside: member", i);
		last = off;
	}
	return err;
}

/* Would C put a member there? Else the struct is packed. */
static bool is_natural(const struct tn_btf *btf, const struct tn_btf_type *t,
		       const struct tn_btf_member *m, uint32_t align)
{
	uint32_t off = tn_btf_member_bit_off(t, m), bits = tn_btf_member_bit_size(t, m);
	uint64_t unit;

	if (!bits)
		return off % (align * 8) == 0 || tn_btf_old_bit_field(btf, m->type, NULL);
	unit = (uint64_t)tn_btf_size_of(btf, m->type) * 8;
	/* An empty struct cannot be a bit field, which is found later. */
	return unit && off / unit == (off + bits - 1) / unit;
}

static uint32_t composite_align(const struct tn_btf *btf, const struct tn_btf_type *t)
{
	const struct tn_btf_member *m = tn_btf_extra(t);
	uint32_t max = 1;

	for (uint32_t i = 0; i < tn_btf_vlen(t); i++) {
		uint32_t align = tn_btf_align_of(btf, m[i].type);

		if (!is_natural(btf, t, &m[i], align))
			return 1;
		max = align > max ? align : max;
	}
	return t->size_or_type % max ? 1 : max;
}

static uint32_t align_of(const struct tn_btf *btf, const struct tn_btf_type *t)
{
	uint32_t size = t->size_or_type, to;

	switch (tn_btf_kind(t)) {
	case TN_BTF_PTR:
		return 8;
	case TN_BTF_INT:
	case TN_BTF_ENUM:
	case TN_BTF_ENUM64:
		return size;
	case TN_BTF_FLOAT:
		return size == 12 ? 4 : size;
	case TN_BTF_STRUCT:
	case TN_BTF_UNION:
		return composite_align(btf, t);
	case TN_BTF_ARRAY:
	case TN_BTF_TYPEDEF:
	case TN_BTF_VOLATILE:
	case TN_BTF_CONST:
	case TN_BTF_RESTRICT:
	case TN_BTF_TYPE_TAG:
	case TN_BTF_VAR:
		return edge(t, BY_VALUE, 0, &to) ? tn_btf_align_of(btf, to) : 1;
	case TN_BTF_VOID:
	case TN_BTF_FWD:
	case TN_BTF_FUNC:
	case TN_BTF_FUNC_PROTO:
	case TN_BTF_DATASEC:
	case TN_BTF_DECL_TAG:
	case TN_BTF_NR_KINDS:
		break;
	}
	return 1;
}

static int check_array_layout(const struct tn_btf *btf, uint32_t id)
{
	const struct tn_btf_array *array = tn_btf_extra(tn_btf_type(btf, id));
	uint32_t index = tn_btf_skip_mods(btf, array->index_type);

	if (tn_btf_kind(tn_btf_type(btf, index)) != TN_BTF_INT)
		return bad_type(btf, id, "has an index that is no integer: type", index);
	if (tn_btf_size_of(btf, array->type) < 0)
		return bad_type(btf, id, "has elements without a size: type", array->type);
	if (tn_btf_size_of(btf, id) < 0)
		return bad_type(btf, id, "has too many elements:", array->nelems);
	return 0;
}

static int check_layouts(struct tn_btf *btf, const uint32_t *order, uint32_t nr)
{
	int err = 0;

	for (uint32_t i = 0; i < nr && !err; i++) {
		const struct tn_btf_type *t = tn_btf_type(btf, order[i]);

		if (tn_btf_is_composite(t))
			err = check_layout(btf, order[i]);
		else if (tn_btf_kind(t) == TN_BTF_ARRAY)
			err = check_array_layout(btf, order[i]);
		btf->aligns[order[i] - btf->first_type] = (uint8_t)align_of(btf, t);
	}
	return err;
}

int tn_btf_check(struct tn_btf *btf)
{
	uint32_t first = btf->first_type ? btf->first_type : 1, nr = btf->nr_types - first;
	uint32_t *order = tn_alloc_array(btf->rt, nr ? nr : 1, sizeof(*order));
	int err = 0;

	btf->aligns = tn_alloc_array(btf->rt, (size_t)nr + 1, 1);
	if (!order || !btf->aligns)
		err = tn_err_nomem("BTF");
	for (uint32_t id = first; id < btf->nr_types && !err; id++)
		err = check_type(btf, id);
	if (!err)
		err = check_loops(btf, BY_VALUE, order);
	if (!err)
		err = check_loops(btf, UNNAMED, NULL);
	for (uint32_t id = first; id < btf->nr_types && !err; id++)
		err = check_chain(btf, id);
	if (!err)
		err = check_layouts(btf, order, nr);
	tn_free(btf->rt, order);
	return err;
}
