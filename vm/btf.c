/* SPDX-License-Identifier: MIT */
/*
 * BTF, checked once. The blob is copied, then walked three times: sizes of the records (which gives
 * the table of offsets), what each record refers to, and loops. Two graphs must be free of loops:
 * what a type contains by value (else its size is infinite), and what it is built from without a
 * name in between (else printing it would not end). After that every reader may follow references
 * blindly.
 */
#include "vm/btf.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/vec.h"

#define BTF_MAGIC	  0xeb9f
#define BTF_MAGIC_SWAPPED 0x9feb

/* A type of more bytes than this is refused: no object of a plugin is that large, and sums of such
 * sizes cannot overflow 64 bits. */
#define BTF_MAX_TYPE_BYTES UINT32_MAX

/* Typedefs, qualifiers and array dimensions in a row. C code has a handful; a file that has
 * thousands only wants to waste time. */
#define BTF_MAX_CHAIN 64

struct btf_header {
	uint16_t magic;
	uint8_t version;
	uint8_t flags;
	uint32_t hdr_len;
	uint32_t type_off, type_len;
	uint32_t str_off, str_len;
};

static const char *const kind_names[TN_BTF_NR_KINDS] = {
	"void", "int",	   "ptr",      "array",	   "struct",   "union",	 "enum",
	"fwd",	"typedef", "volatile", "const",	   "restrict", "func",	 "func_proto",
	"var",	"datasec", "float",    "decl_tag", "type_tag", "enum64",
};

const char *tn_btf_kind_name(enum tn_btf_kind kind)
{
	return (uint32_t)kind < TN_BTF_NR_KINDS ? kind_names[kind] : "unknown";
}

const struct tn_btf_type *tn_btf_type(const struct tn_btf *btf, uint32_t id)
{
	static const struct tn_btf_type void_type;

	if (id == 0)
		return &void_type;
	if (id >= btf->nr_types)
		return NULL;
	/* The copy is aligned to 16 and the offset to 4: both were checked by parse. */
	return (const void *)(btf->types.data + btf->offsets[id]);
}

const char *tn_btf_str(const struct tn_btf *btf, uint32_t off)
{
	return off < btf->strs.size ? (const char *)btf->strs.data + off : "";
}

/* Where the record of each kind goes on after its 12 bytes; UINT64_MAX: unknown kind. */
static uint64_t extra_bytes(const struct tn_btf_type *t)
{
	uint64_t vlen = tn_btf_vlen(t);

	switch (tn_btf_kind(t)) {
	case TN_BTF_INT:
	case TN_BTF_VAR:
	case TN_BTF_DECL_TAG:
		return 4;
	case TN_BTF_ARRAY:
		return sizeof(struct tn_btf_array);
	case TN_BTF_STRUCT:
	case TN_BTF_UNION:
		return vlen * sizeof(struct tn_btf_member);
	case TN_BTF_ENUM:
		return vlen * sizeof(struct tn_btf_enum);
	case TN_BTF_ENUM64:
		return vlen * 12;
	case TN_BTF_FUNC_PROTO:
		return vlen * sizeof(struct tn_btf_param);
	case TN_BTF_DATASEC:
		return vlen * sizeof(struct tn_btf_var_secinfo);
	case TN_BTF_PTR:
	case TN_BTF_FWD:
	case TN_BTF_TYPEDEF:
	case TN_BTF_VOLATILE:
	case TN_BTF_CONST:
	case TN_BTF_RESTRICT:
	case TN_BTF_FUNC:
	case TN_BTF_FLOAT:
	case TN_BTF_TYPE_TAG:
		return 0;
	case TN_BTF_VOID:
	case TN_BTF_NR_KINDS:
		break;
	}
	return UINT64_MAX;
}

static int parse_header(struct tn_btf *btf, struct tn_span blob)
{
	struct btf_header h;

	if (!tn_span_read(blob, 0, &h, sizeof(h)))
		return tn_err(-EINVAL, "BTF: %zu bytes are too few for its header", blob.size);
	if (h.magic == BTF_MAGIC_SWAPPED)
		return tn_err(-EINVAL, "BTF: it is of the other byte order");
	if (h.magic != BTF_MAGIC)
		return tn_err(-EINVAL, "BTF: magic is 0x%x, expected 0xeb9f", h.magic);
	if (h.version != 1)
		return tn_err(-EINVAL, "BTF: version is %u, expected 1", h.version);
	if (h.hdr_len < sizeof(h) || h.hdr_len > blob.size)
		return tn_err(-EINVAL, "BTF: header length is %u of %zu bytes", h.hdr_len,
			      blob.size);
	if (!tn_span_sub(blob, (uint64_t)h.hdr_len + h.type_off, h.type_len, &btf->types))
		return tn_err(-EINVAL, "BTF: types at byte %u, %u long, leave the blob", h.type_off,
			      h.type_len);
	if (!tn_span_sub(blob, (uint64_t)h.hdr_len + h.str_off, h.str_len, &btf->strs))
		return tn_err(-EINVAL, "BTF: strings at byte %u, %u long, leave the blob",
			      h.str_off, h.str_len);
	if (((uint64_t)h.hdr_len + h.type_off) % 4)
		return tn_err(-EINVAL, "BTF: types at byte %u are not aligned to 4", h.type_off);
	if (btf->strs.size == 0 || btf->strs.data[0] != 0 ||
	    btf->strs.data[btf->strs.size - 1] != 0)
		return tn_err(-EINVAL, "BTF: strings neither begin nor end with a zero byte");
	/* Types and strings must not share bytes: the loader completes sections in place. */
	if (btf->types.data < btf->strs.data + btf->strs.size &&
	    btf->strs.data < btf->types.data + btf->types.size)
		return tn_err(-EINVAL, "BTF: types and strings overlap");
	return 0;
}

/* Fill btf->offsets. */
static int index_types(struct tn_btf *btf)
{
	TN_VEC(uint32_t) offsets = { 0 };
	uint64_t off = 0;
	uint32_t *slot;

	slot = tn_vec_push(btf->rt, &offsets); /* void */
	while (slot && off < btf->types.size) {
		struct tn_btf_type t;
		uint64_t extra;
		struct tn_span whole;

		if (!tn_span_read(btf->types, off, &t, sizeof(t))) {
			tn_vec_free(btf->rt, &offsets);
			return tn_err(-EINVAL, "BTF: type %u at byte %llu is cut off", offsets.nr,
				      (unsigned long long)off);
		}
		extra = extra_bytes(&t);
		if (extra == UINT64_MAX) {
			uint32_t id = offsets.nr;

			tn_vec_free(btf->rt, &offsets);
			return tn_err(-EINVAL, "BTF: type %u at byte %llu has unknown kind %u", id,
				      (unsigned long long)off, (unsigned)tn_btf_kind(&t));
		}
		if (!tn_span_sub(btf->types, off, sizeof(t) + extra, &whole)) {
			uint32_t id = offsets.nr;

			tn_vec_free(btf->rt, &offsets);
			return tn_err(-EINVAL, "BTF: type %u (%s) at byte %llu is cut off", id,
				      kind_names[tn_btf_kind(&t)], (unsigned long long)off);
		}
		slot = tn_vec_push(btf->rt, &offsets);
		if (slot)
			*slot = (uint32_t)off;
		off += sizeof(t) + extra;
	}
	if (!slot) {
		tn_vec_free(btf->rt, &offsets);
		return tn_err_nomem("BTF");
	}
	btf->offsets = offsets.v;
	btf->nr_types = offsets.nr;
	return 0;
}

/* ---- What a record refers to ---- */

static int bad_type(uint32_t id, const struct tn_btf_type *t, const char *what, uint64_t found)
{
	return tn_err(-EINVAL, "BTF: type %u (%s): %s %llu", id, tn_btf_kind_name(tn_btf_kind(t)),
		      what, (unsigned long long)found);
}

static int check_name(const struct tn_btf *btf, uint32_t id, uint32_t off)
{
	if (off >= btf->strs.size)
		return bad_type(id, tn_btf_type(btf, id), "name outside of the strings:", off);
	return 0;
}

static int check_ref(const struct tn_btf *btf, uint32_t id, uint32_t ref)
{
	if (ref >= btf->nr_types)
		return bad_type(id, tn_btf_type(btf, id), "refers to unknown type", ref);
	return 0;
}

static int check_ref_kind(const struct tn_btf *btf, uint32_t id, uint32_t ref,
			  enum tn_btf_kind kind)
{
	int err = check_ref(btf, id, ref);

	if (!err && tn_btf_kind(tn_btf_type(btf, ref)) != kind)
		err = bad_type(id, tn_btf_type(btf, id), "has the wrong kind below it: type", ref);
	return err;
}

static int check_members(const struct tn_btf *btf, uint32_t id, const struct tn_btf_type *t)
{
	const struct tn_btf_member *m = tn_btf_extra(t);
	int err = 0;

	for (uint32_t i = 0; i < tn_btf_vlen(t) && !err; i++) {
		err = check_name(btf, id, m[i].name_off);
		if (!err)
			err = check_ref(btf, id, m[i].type);
		if (!err && m[i].type == 0)
			err = bad_type(id, t, "is void: member", i);
	}
	return err;
}

static int check_params(const struct tn_btf *btf, uint32_t id, const struct tn_btf_type *t)
{
	const struct tn_btf_param *p = tn_btf_extra(t);
	int err = check_ref(btf, id, t->size_or_type);

	for (uint32_t i = 0; i < tn_btf_vlen(t) && !err; i++) {
		err = check_name(btf, id, p[i].name_off);
		if (!err)
			err = check_ref(btf, id, p[i].type);
		/* The last may be 0 0: variadic. */
		if (!err && p[i].type == 0 && i + 1 < tn_btf_vlen(t))
			err = bad_type(id, t, "is void: parameter", i);
	}
	return err;
}

static int check_datasec(const struct tn_btf *btf, uint32_t id, const struct tn_btf_type *t)
{
	const struct tn_btf_var_secinfo *s = tn_btf_extra(t);
	int err = 0;

	for (uint32_t i = 0; i < tn_btf_vlen(t) && !err; i++) {
		err = check_ref(btf, id, s[i].type);
		if (!err) {
			enum tn_btf_kind kind = tn_btf_kind(tn_btf_type(btf, s[i].type));

			if (kind != TN_BTF_VAR && kind != TN_BTF_FUNC)
				err = bad_type(id, t, "holds neither variable nor function: type",
					       s[i].type);
		}
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
		return bad_type(id, t, "has size", size);
	for (uint32_t i = 0; i < tn_btf_vlen(t) && !err; i++)
		err = check_name(btf, id, e[i * words]);
	return err;
}

static int check_int(uint32_t id, const struct tn_btf_type *t)
{
	uint32_t data = *(const uint32_t *)tn_btf_extra(t);
	uint32_t bits = data & 0xff, off = data >> 16 & 0xff, size = t->size_or_type;

	if (size == 0 || size > 16 || (size & (size - 1)))
		return bad_type(id, t, "has size", size);
	if (bits + off > size * 8)
		return bad_type(id, t, "does not fit into its size: bits", bits);
	return 0;
}

static int check_type(const struct tn_btf *btf, uint32_t id)
{
	const struct tn_btf_type *t = tn_btf_type(btf, id);
	const struct tn_btf_array *array;
	int err = check_name(btf, id, t->name_off);

	if (err)
		return err;
	switch (tn_btf_kind(t)) {
	case TN_BTF_INT:
		return check_int(id, t);
	case TN_BTF_PTR:
	case TN_BTF_TYPEDEF:
	case TN_BTF_VOLATILE:
	case TN_BTF_CONST:
	case TN_BTF_RESTRICT:
	case TN_BTF_TYPE_TAG:
	case TN_BTF_DECL_TAG:
	case TN_BTF_VAR:
		return check_ref(btf, id, t->size_or_type);
	case TN_BTF_ARRAY:
		array = tn_btf_extra(t);
		err = check_ref(btf, id, array->type);
		return err ? err : check_ref(btf, id, array->index_type);
	case TN_BTF_STRUCT:
	case TN_BTF_UNION:
		return check_members(btf, id, t);
	case TN_BTF_ENUM:
	case TN_BTF_ENUM64:
		return check_enum(btf, id, t);
	case TN_BTF_FUNC:
		return check_ref_kind(btf, id, t->size_or_type, TN_BTF_FUNC_PROTO);
	case TN_BTF_FUNC_PROTO:
		return check_params(btf, id, t);
	case TN_BTF_DATASEC:
		return check_datasec(btf, id, t);
	case TN_BTF_FLOAT:
		if (t->size_or_type == 0 || t->size_or_type > 16)
			return bad_type(id, t, "has size", t->size_or_type);
		return 0;
	case TN_BTF_VOID:
	case TN_BTF_FWD:
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

/* Depth first with a stack of its own: nesting is as deep as the file likes. */
static int check_loops(const struct tn_btf *btf, enum graph graph)
{
	enum { NEW, OPEN, DONE };
	struct frame {
		uint32_t id, next;
	} * stack;
	unsigned char *colour;
	int err = 0;

	stack = tn_alloc_array(btf->rt, btf->nr_types, sizeof(*stack));
	colour = tn_alloc_array(btf->rt, btf->nr_types, 1);
	if (!stack || !colour)
		err = tn_err_nomem("BTF");
	for (uint32_t root = 1; root < btf->nr_types && !err; root++) {
		uint32_t depth = 0;

		if (colour[root] != NEW)
			continue;
		stack[depth++] = (struct frame){ root, 0 };
		colour[root] = OPEN;
		while (depth) {
			struct frame *top = &stack[depth - 1];
			uint32_t to;

			if (!edge(tn_btf_type(btf, top->id), graph, top->next++, &to)) {
				colour[top->id] = DONE;
				depth--;
			} else if (colour[to] == OPEN) {
				err = bad_type(to, tn_btf_type(btf, to),
					       "contains itself through type", top->id);
				break;
			} else if (to != 0 && colour[to] == NEW) {
				colour[to] = OPEN;
				stack[depth++] = (struct frame){ to, 0 };
			}
		}
	}
	tn_free(btf->rt, stack);
	tn_free(btf->rt, colour);
	return err;
}

/* ---- Sizes ---- */

uint32_t tn_btf_skip_mods(const struct tn_btf *btf, uint32_t id)
{
	for (;;) {
		const struct tn_btf_type *t = tn_btf_type(btf, id);

		if (!t)
			return 0;
		switch ((int)tn_btf_kind(t)) {
		case TN_BTF_TYPEDEF:
		case TN_BTF_VOLATILE:
		case TN_BTF_CONST:
		case TN_BTF_RESTRICT:
		case TN_BTF_TYPE_TAG:
			id = t->size_or_type;
			break;
		default:
			return id;
		}
	}
}

int64_t tn_btf_size_of(const struct tn_btf *btf, uint32_t id)
{
	uint64_t elems = 1;

	for (;;) {
		const struct tn_btf_type *t = tn_btf_type(btf, tn_btf_skip_mods(btf, id));
		uint64_t size;

		if (!t)
			return -EINVAL;
		switch ((int)tn_btf_kind(t)) {
		case TN_BTF_ARRAY: {
			const struct tn_btf_array *array = tn_btf_extra(t);

			elems *= array->nelems;
			if (elems > BTF_MAX_TYPE_BYTES)
				return -EINVAL;
			id = array->type;
			continue;
		}
		case TN_BTF_VAR:
			id = t->size_or_type;
			continue;
		case TN_BTF_PTR:
			size = 8;
			break;
		case TN_BTF_INT:
		case TN_BTF_STRUCT:
		case TN_BTF_UNION:
		case TN_BTF_ENUM:
		case TN_BTF_ENUM64:
		case TN_BTF_FLOAT:
		case TN_BTF_DATASEC:
			size = t->size_or_type;
			break;
		default:
			return -EINVAL;
		}
		/* Both factors are below 2^32. */
		size *= elems;
		return size > BTF_MAX_TYPE_BYTES ? -EINVAL : (int64_t)size;
	}
}

/* Members lie inside their struct. Needs the graphs to be free of loops. */
static int check_layout(const struct tn_btf *btf, uint32_t id)
{
	const struct tn_btf_type *t = tn_btf_type(btf, id);
	const struct tn_btf_member *m = tn_btf_extra(t);
	bool kflag = t->info >> 31;

	for (uint32_t i = 0; i < tn_btf_vlen(t); i++) {
		uint64_t bits_off = kflag ? m[i].offset & 0xffffff : m[i].offset;
		uint64_t bits = kflag ? m[i].offset >> 24 : 0;
		int64_t size = tn_btf_size_of(btf, m[i].type);

		if (size < 0)
			return bad_type(id, t, "has no size: member", i);
		if (!bits)
			bits = (uint64_t)size * 8;
		if (bits_off + bits > (uint64_t)t->size_or_type * 8)
			return bad_type(id, t, "ends outside: member", i);
	}
	return 0;
}

static int check_chain(const struct tn_btf *btf, uint32_t id)
{
	const struct tn_btf_type *t = tn_btf_type(btf, id);
	uint32_t to;

	for (uint32_t n = 0; edge(t, BY_VALUE, 0, &to); n++) {
		if (tn_btf_kind(t) == TN_BTF_STRUCT || tn_btf_kind(t) == TN_BTF_UNION)
			break;
		if (n == BTF_MAX_CHAIN)
			return bad_type(id, tn_btf_type(btf, id), "nests deeper than", n);
		t = tn_btf_type(btf, to);
	}
	return 0;
}

static int check_all(const struct tn_btf *btf)
{
	int err = 0;

	for (uint32_t id = 1; id < btf->nr_types && !err; id++)
		err = check_type(btf, id);
	if (!err)
		err = check_loops(btf, BY_VALUE);
	if (!err)
		err = check_loops(btf, UNNAMED);
	for (uint32_t id = 1; id < btf->nr_types && !err; id++)
		err = check_chain(btf, id);
	for (uint32_t id = 1; id < btf->nr_types && !err; id++) {
		enum tn_btf_kind kind = tn_btf_kind(tn_btf_type(btf, id));

		if (kind == TN_BTF_STRUCT || kind == TN_BTF_UNION)
			err = check_layout(btf, id);
	}
	return err;
}

/* ---- Exported ---- */

struct tn_btf *tn_btf_parse(struct tn_rt *rt, struct tn_span blob)
{
	struct tn_btf *btf = tn_new(rt, struct tn_btf);
	int err;

	if (!btf)
		return tn_err_null(-ENOMEM, "out of memory: BTF");
	btf->rt = rt;
	btf->size = blob.size;
	btf->data = tn_alloc(rt, blob.size ? blob.size : 1);
	if (!btf->data) {
		err = tn_err_nomem("BTF");
		goto fail;
	}
	if (blob.size)
		memcpy(btf->data, blob.data, blob.size);
	err = parse_header(btf, tn_span_make(btf->data, btf->size));
	if (!err)
		err = index_types(btf);
	if (!err)
		err = check_all(btf);
	if (!err)
		return btf;
fail:
	tn_btf_free(btf);
	errno = -err;
	return NULL;
}

void tn_btf_free(struct tn_btf *btf)
{
	if (!btf)
		return;
	tn_free(btf->rt, btf->offsets);
	tn_free(btf->rt, btf->data);
	tn_free(btf->rt, btf);
}

uint32_t tn_btf_find(const struct tn_btf *btf, const char *name, enum tn_btf_kind kind)
{
	for (uint32_t id = 1; id < btf->nr_types; id++) {
		const struct tn_btf_type *t = tn_btf_type(btf, id);

		if (tn_btf_kind(t) == kind && !strcmp(tn_btf_str(btf, t->name_off), name))
			return id;
	}
	return 0;
}
