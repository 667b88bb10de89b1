/* SPDX-License-Identifier: MIT */
/*
 * Structures of the host's BTF as layouts: members become fields as tenon_runtime_add_struct() and
 * tenon_hook_register() take them, so that what is checked there is checked of these too.
 */
#include "host-api/btf_types.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "host-api/host_btf.h"
#include "host-api/host_type.h"

#define MAX_PATH  128 /* bytes of "a.b.c" */
#define MAX_DEPTH 16  /* of structures in structures */
/* Elements of an array of structures or pointers that become fields of their own. */
#define MAX_ELEMENTS 64
#define MAX_VISITS   (1u << 18)
#define MAX_WALKS    4096

/* A row of bit fields. */
struct bits {
	bool open;
	uint64_t first, end; /* bits */
	uint32_t unit;	     /* bytes of the widest declared type */
	uint32_t nr;
	bool hidden; /* one of them: a byte is shown whole or not at all */
	const char *first_name, *last_name;
};

/* Types with members that are TENON_HIDDEN. */
struct hiding {
	TN_VEC(uint32_t) ids;
};

struct walk {
	struct tenon_runtime *rt;
	const struct tn_btf *btf;
	const char *root;
	bool is_ctx;
	const struct hiding *hiding;
	uint32_t depth;
	char path[MAX_PATH];
	uint32_t path_len;
	bool writable; /* said of what the path leads through */
	bool constant; /* it leads through a const one: nobody writes what stands there */
	uint32_t left; /* visits, see struct marks */
	TN_VEC(struct tenon_field) fields;
	TN_VEC(char *) names; /* owned */
};

uint32_t tn_btf_pointee(const struct tn_btf *btf, const struct tn_btf_type *ptr, bool *is_const)
{
	uint32_t id = ptr->size_or_type;
	const struct tn_btf_type *t = tn_btf_type(btf, id);

	*is_const = false;
	while (tn_btf_skip_mods(btf, id) != id) {
		*is_const |= tn_btf_kind(t) == TN_BTF_CONST;
		id = t->size_or_type;
		t = tn_btf_type(btf, id);
	}
	return id;
}

bool tn_btf_is_unsigned(const struct tn_btf *btf, uint32_t id)
{
	const struct tn_btf_type *t = tn_btf_type(btf, tn_btf_skip_mods(btf, id));
	uint32_t word;

	if (tn_btf_kind(t) != TN_BTF_INT)
		return false;
	memcpy(&word, tn_btf_extra(t), sizeof(word));
	return !(tn_btf_int_encoding(word) & (TN_BTF_INT_SIGNED | TN_BTF_INT_BOOL));
}

/* ---- Names ---- */

static bool path_push(struct walk *w, const char *name)
{
	size_t len = strlen(name);

	/* Anonymous members are no step of the path. */
	if (!len)
		return true;
	if (w->path_len + len + 2 > MAX_PATH)
		return false;
	if (w->path_len && name[0] != '[')
		w->path[w->path_len++] = '.';
	memcpy(w->path + w->path_len, name, len + 1);
	w->path_len += (uint32_t)len;
	return true;
}

static void path_pop(struct walk *w, uint32_t len)
{
	w->path_len = len;
	w->path[len] = 0;
}

static int keep_name(struct walk *w, const char *text, const char **out)
{
	char **kept = tn_vec_push(&w->rt->rt, &w->names);

	if (kept)
		*kept = tn_strdup(&w->rt->rt, text);
	if (!kept || !*kept)
		return tn_err_nomem("structure");
	*out = *kept;
	return 0;
}

static int refuse(const struct walk *w, const char *what)
{
	return tn_err(-EINVAL, "context '%s': field '%s': %s", w->root, w->path, what);
}

/* ---- Fields ---- */

/* NULL: out of memory, with words. */
static struct tenon_field *new_field(struct walk *w, uint64_t off, uint64_t size)
{
	struct tenon_field *f = tn_vec_push(&w->rt->rt, &w->fields);
	const char *name;

	if (!f) {
		tn_err_nomem("structure");
		return NULL;
	}
	/* Something without a name of its own: a union in a structure. */
	if (keep_name(w, w->path_len ? w->path : "(unnamed)", &name))
		return NULL;
	f->name = name;
	f->offset = (uint32_t)off;
	f->size = (uint32_t)size;
	return f;
}

static int add_scalar(struct walk *w, uint64_t off, uint64_t size)
{
	struct tenon_field *f;

	if (!size)
		return 0;
	f = new_field(w, off, size);
	if (!f)
		return -ENOMEM;
	f->access = w->writable && !w->constant ? TENON_RW : TENON_R;
	return 0;
}

static int flush_bits(struct walk *w, struct bits *row, uint64_t next)
{
	uint64_t off = row->first / 8, end = (row->end + 7) / 8;
	uint32_t len = w->path_len;
	char name[MAX_PATH];
	int rc;

	if (!row->open)
		return 0;
	row->open = false;
	if (row->hidden)
		return 0;
	/* Compilers read the whole unit where nothing else stands in it. */
	end = TN_MAX(end, TN_MIN(TN_ROUND_UP(end, row->unit), next));
	/* No plugin's member is called so: its place is not compared with a member's. */
	if (row->nr > 1)
		snprintf(name, sizeof(name), "%.50s..%.50s", row->first_name, row->last_name);
	else
		snprintf(name, sizeof(name), "%.50s:%u", row->first_name,
			 (uint32_t)(row->end - row->first));
	if (!path_push(w, name))
		return 0;
	rc = add_scalar(w, off, end - off);
	path_pop(w, len);
	return rc;
}

/* ---- Unions, and arrays of what has no pointers ---- */

struct marks {
	const struct tn_btf *btf;
	const struct hiding *hiding; /* NULL: no matter */
	unsigned char *map;	     /* NULL: only look */
	uint64_t size;
	uint32_t left; /* visits: types may be shared so that there are no end of paths */
};

static int find_hiding(struct tn_rt *rt, const struct tn_btf *btf, struct hiding *out)
{
	for (uint32_t id = 1; id < btf->nr_types; id++) {
		const struct tn_btf_type *t = tn_btf_type(btf, id);
		uint32_t *slot;

		if (tn_btf_kind(t) != TN_BTF_DECL_TAG ||
		    strcmp(tn_btf_str(btf, t->name_off), "tenon:hidden") != 0)
			continue;
		slot = tn_vec_push(rt, &out->ids);
		if (!slot)
			return tn_err_nomem("structure");
		*slot = t->size_or_type;
	}
	return 0;
}

static bool hides(const struct hiding *hiding, uint32_t id)
{
	for (uint32_t i = 0; hiding && i < hiding->ids.nr; i++) {
		if (hiding->ids.v[i] == id)
			return true;
	}
	return false;
}

static bool mark(struct marks *m, uint32_t id, uint64_t off, uint32_t depth);

static bool mark_array(struct marks *m, const struct tn_btf_array *array, uint64_t off,
		       uint32_t depth)
{
	int64_t bytes = tn_btf_size_of(m->btf, array->type);

	if (bytes < 0)
		return false;
	for (uint64_t i = 0; i < array->nelems; i++) {
		if (!mark(m, array->type, off + i * (uint64_t)bytes, depth))
			return false;
		if (!m->map || !bytes)
			break;
	}
	return true;
}

/* Marks the bytes of numbers in `id`; false: it has something else too. Bit fields mark the unit
 * that they are declared with, of which the rest is padding or other numbers. */
static bool mark(struct marks *m, uint32_t id, uint64_t off, uint32_t depth)
{
	uint32_t bare = tn_btf_skip_mods(m->btf, id);
	const struct tn_btf_type *t = tn_btf_type(m->btf, bare);
	const struct tn_btf_member *member;

	if (depth > MAX_DEPTH || !m->left || hides(m->hiding, bare))
		return false;
	m->left--;
	switch ((int)tn_btf_kind(t)) {
	case TN_BTF_INT:
	case TN_BTF_ENUM:
	case TN_BTF_ENUM64:
	case TN_BTF_FLOAT:
		for (uint64_t i = off; m->map && i < off + t->size_or_type && i < m->size; i++)
			m->map[i] = 1;
		return true;
	case TN_BTF_ARRAY:
		return mark_array(m, tn_btf_extra(t), off, depth + 1);
	case TN_BTF_STRUCT:
	case TN_BTF_UNION:
		member = tn_btf_extra(t);
		for (uint32_t i = 0; i < tn_btf_vlen(t); i++, member++) {
			if (!mark(m, member->type, off + tn_btf_member_bit_off(t, member) / 8,
				  depth + 1))
				return false;
		}
		return true;
	default:
		return false;
	}
}

bool tn_btf_all_scalars(const struct tn_btf *btf, uint32_t id)
{
	struct marks m = { .btf = btf, .left = MAX_VISITS };

	return mark(&m, id, 0, 0);
}

int tn_btf_all_shown(struct tenon_runtime *rt, const struct tn_btf *btf, uint32_t id)
{
	struct hiding hiding = { 0 };
	struct marks m = { .btf = btf, .hiding = &hiding, .left = MAX_VISITS };
	int rc = find_hiding(&rt->rt, btf, &hiding);

	if (!rc)
		rc = mark(&m, id, 0, 0);
	tn_vec_free(&rt->rt, &hiding.ids);
	return rc;
}

static bool all_scalars(const struct walk *w, uint32_t id)
{
	struct marks m = { .btf = w->btf, .hiding = w->hiding, .left = MAX_VISITS };

	return mark(&m, id, 0, 0);
}

/* The bytes of numbers in it, as fields of their own. Nothing where it has more than numbers. */
static int add_marked(struct walk *w, uint32_t id, uint64_t off)
{
	struct marks m = { .btf = w->btf, .hiding = w->hiding, .left = MAX_VISITS };
	int64_t size = tn_btf_size_of(w->btf, id);
	int rc = 0;

	if (size <= 0 || !mark(&m, id, 0, 0))
		return 0;
	m.size = (uint64_t)size;
	m.left = MAX_VISITS;
	m.map = tn_zalloc(&w->rt->rt, m.size);
	if (!m.map)
		return tn_err_nomem("structure");
	if (!mark(&m, id, 0, 0))
		m.size = 0;
	for (uint64_t at = 0, end; at < m.size && !rc; at = end + 1) {
		for (end = at; end < m.size && m.map[end]; end++)
			;
		rc = add_scalar(w, off + at, end - at);
	}
	tn_free(&w->rt->rt, m.map);
	return rc;
}

/* ---- Pointers ---- */

static const struct tn_btf_member *member_named(const struct tn_btf *btf,
						const struct tn_btf_type *t, const char *name)
{
	const struct tn_btf_member *m = tn_btf_extra(t);

	for (uint32_t i = 0; i < tn_btf_vlen(t); i++, m++) {
		if (!strcmp(tn_btf_str(btf, m->name_off), name))
			return m;
	}
	return NULL;
}

/* `end` is the member that the tag names, of the structure that the pointer stands in. */
static int add_memory(struct walk *w, uint64_t off, const struct tn_btf_type *owner,
		      uint64_t owner_off, const char *end, bool is_region, bool is_const,
		      uint32_t elem, bool nonnull)
{
	const struct tn_btf_member *m = member_named(w->btf, owner, end);
	int64_t bytes = elem ? tn_btf_size_of(w->btf, elem) : 1;
	int64_t end_size = m ? tn_btf_size_of(w->btf, m->type) : -1;
	struct tenon_field *f;

	if (!m)
		return refuse(w, is_region ? "TENON_END_IS names no member of the same structure"
					   : "TENON_SIZE_IS names no member of the same structure");
	if (tn_btf_member_bit_size(owner, m) || end_size < 2 || end_size > 8)
		return refuse(w, "what bounds it is no member of 2, 4 or 8 bytes");
	/* A length of -1 would be a very large one. */
	if (!is_region && !tn_btf_is_unsigned(w->btf, m->type))
		return refuse(w, "its length is no unsigned integer");
	if (bytes <= 0 || (elem && !tn_btf_all_scalars(w->btf, elem)))
		return refuse(w, "what it points to is not memory of plain numbers");
	/* Its bytes are shown, and can be written, whatever member they belong to. */
	if (elem && !all_scalars(w, elem))
		return refuse(w, "what it points to has members that are TENON_HIDDEN");
	if (is_const && w->writable)
		return refuse(w, "TENON_WRITABLE, but it points to const");
	f = new_field(w, off, sizeof(void *));
	if (!f)
		return -ENOMEM;
	f->kind = is_region ? TENON_FIELD_REGION : TENON_FIELD_SIZED;
	f->access = (w->writable ? TENON_RW : TENON_R) | (nonnull ? 0 : TENON_NULLABLE);
	f->mem_size = is_region ? 0 : (uint32_t)bytes;
	f->end = (uint32_t)(owner_off + tn_btf_member_bit_off(owner, m) / 8);
	f->end_size = (uint32_t)end_size;
	return keep_name(w, end, &f->end_name);
}

/* What a handle of a pointer to `id` is called; NULL: nothing that can be followed. */
static const char *handle_name(const struct tn_btf *btf, uint32_t id)
{
	const struct tn_btf_type *t = tn_btf_type(btf, id);
	const char *name = tn_btf_str(btf, t->name_off);
	enum tn_btf_kind kind = tn_btf_kind(t);

	if ((kind == TN_BTF_STRUCT || (kind == TN_BTF_FWD && !tn_btf_kflag(t))) && name[0] &&
	    strlen(name) < TN_SIG_HANDLE_BYTES)
		return name;
	return NULL;
}

static bool is_char(const struct tn_btf *btf, uint32_t id)
{
	const struct tn_btf_type *t = tn_btf_type(btf, id);

	return tn_btf_kind(t) == TN_BTF_INT && t->size_or_type == 1 &&
	       !strcmp(tn_btf_str(btf, t->name_off), "char");
}

/* `access` where it is trusted: NULLABLE, CONST. */
static int add_handle(struct walk *w, uint64_t off, uint32_t pointee, bool trusted, uint32_t access)
{
	const char *name = handle_name(w->btf, pointee);
	struct tenon_field *f = new_field(w, off, sizeof(void *));

	if (!f)
		return -ENOMEM;
	f->kind = TENON_FIELD_HANDLE;
	f->handle = name ? name : is_char(w->btf, pointee) ? TN_HANDLE_STRING : "void";
	f->access = trusted && name ? access : TN_ACC_UNTRUSTED;
	return 0;
}

/* Does another member end at it? */
static bool is_end(const struct tn_tags *tags, int32_t member, const char *name)
{
	for (uint32_t i = 0; i < tags->all.nr; i++) {
		int32_t of = tags->all.v[i].component;
		const char *end = of != member ? tn_tag_value(tags, of, "end_is") : NULL;

		if (end && name[0] && !strcmp(end, name))
			return true;
	}
	return false;
}

static int add_pointer(struct walk *w, const struct tn_btf_type *ptr, uint64_t off,
		       const struct tn_btf_type *owner, uint64_t owner_off,
		       const struct tn_tags *tags, int32_t member)
{
	bool is_const, nonnull = tn_tag_has(tags, member, "nonnull"), trusted;
	uint32_t pointee = tn_btf_pointee(w->btf, ptr, &is_const);
	const char *len = tn_tag_value(tags, member, "size_is");
	const char *end = tn_tag_value(tags, member, "end_is");
	const struct tn_btf_member *m = tn_btf_extra(owner);
	const char *name = tn_btf_str(w->btf, m[member].name_off);

	/* Packed: the verifier has nothing for these. */
	if (off % sizeof(void *))
		return 0;
	if (w->is_ctx && (len || end))
		return add_memory(w, off, owner, owner_off, len ? len : end, !len, is_const,
				  pointee, nonnull);
	/* The end of memory is a field that comes with the memory's, and leads nowhere. */
	if (w->is_ctx && is_end(tags, member, name))
		return w->writable ? refuse(w, "TENON_WRITABLE, but it bounds another member") : 0;
	trusted = w->is_ctx ? !tn_tag_has(tags, member, "untrusted")
			    : tn_tag_has(tags, member, "trusted");
	return add_handle(w, off, pointee, trusted,
			  (nonnull ? 0 : TENON_NULLABLE) | (is_const ? TENON_CONST : 0));
}

/* ---- Members ---- */

static int walk_struct(struct walk *w, uint32_t id, uint64_t off);

/* Elements that have pointers, one by one. */
static int walk_array(struct walk *w, const struct tn_btf_array *array, uint64_t off)
{
	uint32_t elem = tn_btf_skip_mods(w->btf, array->type), len = w->path_len;
	const struct tn_btf_type *t = tn_btf_type(w->btf, elem);
	int64_t size = tn_btf_size_of(w->btf, elem);
	char index[16];
	bool is_const;
	int rc = 0;

	if (size <= 0)
		return 0;
	for (uint32_t i = 0; i < array->nelems && i < MAX_ELEMENTS && !rc; i++) {
		uint64_t at = off + i * (uint64_t)size;

		snprintf(index, sizeof(index), "[%u]", i);
		if (!path_push(w, index))
			break;
		if (tn_btf_kind(t) == TN_BTF_STRUCT)
			rc = walk_struct(w, elem, at);
		else if (tn_btf_kind(t) == TN_BTF_PTR && at % sizeof(void *) == 0)
			rc = add_handle(w, at, tn_btf_pointee(w->btf, t, &is_const), false, 0);
		path_pop(w, len);
	}
	return rc;
}

struct owner {
	const struct tn_btf_type *type;
	uint64_t off;
	const struct tn_tags *tags;
};

static int add_member(struct walk *w, const struct owner *owner, uint32_t idx, uint64_t off)
{
	const struct tn_btf_member *m = (const struct tn_btf_member *)tn_btf_extra(owner->type) +
					idx;
	uint32_t id = tn_btf_skip_mods(w->btf, m->type);
	const struct tn_btf_type *t = tn_btf_type(w->btf, id);

	switch ((int)tn_btf_kind(t)) {
	case TN_BTF_INT:
	case TN_BTF_ENUM:
	case TN_BTF_ENUM64:
	case TN_BTF_FLOAT:
		return add_scalar(w, off, t->size_or_type);
	case TN_BTF_PTR:
		return add_pointer(w, t, off, owner->type, owner->off, owner->tags, (int32_t)idx);
	case TN_BTF_STRUCT:
		return walk_struct(w, id, off);
	case TN_BTF_ARRAY:
		return all_scalars(w, id) ? add_marked(w, id, off)
					  : walk_array(w, tn_btf_extra(t), off);
	case TN_BTF_UNION:
		return add_marked(w, id, off);
	default:
		return 0;
	}
}

/* The bits of a member that is a bit field, of either form; 0: it is none. */
static uint32_t bit_size(const struct tn_btf *btf, const struct tn_btf_type *t,
			 const struct tn_btf_member *m)
{
	const struct tn_btf_type *mt = tn_btf_type(btf, tn_btf_skip_mods(btf, m->type));
	uint32_t bits = tn_btf_member_bit_size(t, m), word;

	if (bits || tn_btf_kind(mt) != TN_BTF_INT)
		return bits;
	memcpy(&word, tn_btf_extra(mt), sizeof(word));
	if (tn_btf_int_offset(word) || tn_btf_int_bits(word) != mt->size_or_type * 8)
		return tn_btf_int_bits(word);
	return 0;
}

static void add_bits(struct walk *w, struct bits *row, const struct tn_btf_type *t,
		     const struct tn_btf_member *m, uint64_t off, uint32_t bits, bool hidden)
{
	uint64_t first = off * 8 + tn_btf_member_bit_off(t, m);
	const struct tn_btf_type *mt = tn_btf_type(w->btf, tn_btf_skip_mods(w->btf, m->type));

	if (!row->open)
		*row = (struct bits){ .open = true,
				      .first = first,
				      .unit = 1,
				      .first_name = tn_btf_str(w->btf, m->name_off) };
	row->first = TN_MIN(row->first, first);
	row->end = TN_MAX(row->end, first + bits);
	row->unit = TN_MAX(row->unit, TN_MIN(mt->size_or_type, 8u));
	row->last_name = tn_btf_str(w->btf, m->name_off);
	row->nr++;
	row->hidden |= hidden;
}

/* Is it declared const, or an array of what is? */
static bool is_constant(const struct tn_btf *btf, uint32_t id)
{
	const struct tn_btf_type *t = tn_btf_type(btf, id);

	for (uint32_t i = 0; i < MAX_DEPTH; i++) {
		if (tn_btf_kind(t) == TN_BTF_CONST)
			return true;
		if (tn_btf_kind(t) == TN_BTF_ARRAY)
			id = ((const struct tn_btf_array *)tn_btf_extra(t))->type;
		else if (tn_btf_skip_mods(btf, id) != id)
			id = t->size_or_type;
		else
			return false;
		t = tn_btf_type(btf, id);
	}
	/* Deeper than is followed: not for writing. */
	return true;
}

static int walk_members(struct walk *w, const struct owner *owner)
{
	const struct tn_btf_member *m = tn_btf_extra(owner->type);
	bool writable = w->writable, constant = w->constant;
	uint32_t len = w->path_len;
	struct bits row = { 0 };
	int rc = 0;

	for (uint32_t i = 0; i < tn_btf_vlen(owner->type) && !rc; i++, m++) {
		uint32_t bits = bit_size(w->btf, owner->type, m);
		uint64_t off = owner->off + tn_btf_member_bit_off(owner->type, m) / 8;
		bool hidden = tn_tag_has(owner->tags, (int32_t)i, "hidden");

		if (bits && tn_btf_str(w->btf, m->name_off)[0]) {
			add_bits(w, &row, owner->type, m, owner->off, bits, hidden);
			continue;
		}
		rc = flush_bits(w, &row, off);
		if (rc || bits || hidden || !path_push(w, tn_btf_str(w->btf, m->name_off)))
			continue;
		w->writable |= tn_tag_has(owner->tags, (int32_t)i, "writable");
		w->constant |= is_constant(w->btf, m->type);
		rc = add_member(w, owner, i, off);
		w->writable = writable;
		w->constant = constant;
		path_pop(w, len);
	}
	return rc ? rc : flush_bits(w, &row, owner->off + owner->type->size_or_type);
}

static int walk_struct(struct walk *w, uint32_t id, uint64_t off)
{
	struct tn_tags tags;
	struct owner owner = { .type = tn_btf_type(w->btf, id), .off = off, .tags = &tags };
	int rc;

	if (w->depth == MAX_DEPTH || !w->left || w->fields.nr > TN_MAX_CTX_FIELDS)
		return 0;
	w->left--;
	rc = tn_tags_read(&w->rt->rt, w->btf, id, &tags);
	if (rc)
		return rc;
	w->depth++;
	rc = walk_members(w, &owner);
	w->depth--;
	tn_tags_free(&w->rt->rt, &tags);
	return rc;
}

static void walk_free(struct walk *w)
{
	for (uint32_t i = 0; i < w->names.nr; i++)
		tn_free(&w->rt->rt, w->names.v[i]);
	tn_vec_free(&w->rt->rt, &w->names);
	tn_vec_free(&w->rt->rt, &w->fields);
}

/* Structure `id` as a layout. -EINVAL, with words, where it cannot be one. */
static int make(struct tenon_runtime *rt, const struct tn_btf *btf, uint32_t id, bool is_ctx,
		struct tn_ctx_type **out)
{
	const struct tn_btf_type *t = tn_btf_type(btf, id);
	struct hiding hiding = { 0 };
	struct walk w = { .rt = rt,
			  .btf = btf,
			  .root = tn_btf_str(btf, t->name_off),
			  .is_ctx = is_ctx,
			  .hiding = &hiding,
			  .left = MAX_WALKS };
	struct tenon_ctx_type layout;
	int rc;

	if (!t->size_or_type || t->size_or_type > TN_MAX_CTX_BYTES)
		return tn_err(-EINVAL, "structure '%s': %u bytes, expected 1 to %u", w.root,
			      t->size_or_type, TN_MAX_CTX_BYTES);
	rc = find_hiding(&rt->rt, btf, &hiding);
	if (!rc)
		rc = walk_struct(&w, id, 0);
	if (!rc && w.fields.nr > TN_MAX_CTX_FIELDS)
		rc = tn_err(-EINVAL, "structure '%s' has more than %u fields", w.root,
			    TN_MAX_CTX_FIELDS);
	layout = (struct tenon_ctx_type){ .sz = sizeof(layout),
					  .name = w.root,
					  .size = t->size_or_type,
					  .fields = w.fields.v,
					  .nr_fields = w.fields.nr,
					  .field_size = sizeof(struct tenon_field) };
	if (!rc)
		rc = tn_ctx_type_make(rt, &layout, out);
	walk_free(&w);
	tn_vec_free(&rt->rt, &hiding.ids);
	return rc;
}

int tn_ctx_layout(struct tenon_runtime *rt, const struct tn_btf *btf, uint32_t id,
		  struct tn_ctx_type **out)
{
	return make(rt, btf, id, true, out);
}

/* ---- Finding ---- */

/* The next structure of that name behind (*btf, *id), of all the host's BTF. */
static bool next_struct(const struct tn_btf *const *btfs, uint32_t nr, const char *name,
			uint32_t *btf, uint32_t *id)
{
	for (; *btf < nr; ++*btf, *id = 0) {
		const struct tn_btf *b = btfs[*btf];

		/* A split BTF's first types are its base's, which are looked at by themselves. */
		*id = TN_MAX(*id, b->first_type ? b->first_type - 1 : 0);
		while ((*id = tn_btf_next_named(b, name, strlen(name), *id)) != 0) {
			if (tn_btf_kind(tn_btf_type(b, *id)) == TN_BTF_STRUCT &&
			    !strcmp(tn_btf_name(b, *id), name))
				return true;
		}
	}
	return false;
}

/* All structures of that name must be one and the same to plugins. *out NULL: there is none. */
static int make_all(struct tenon_runtime *rt, const char *name, bool is_ctx,
		    struct tn_ctx_type **out)
{
	const struct tn_btf **btfs;
	uint32_t nr, nr_whole, btf = 0, id = 0;
	int rc = tn_host_btf_targets(rt, &btfs, &nr, &nr_whole);

	*out = NULL;
	while (!rc && next_struct(btfs, nr_whole, name, &btf, &id)) {
		struct tn_ctx_type *type = NULL;

		rc = make(rt, btfs[btf], id, is_ctx, &type);
		if (!rc)
			type->from_btf = true;
		if (!rc && *out && !tn_ctx_type_same_layout(*out, type))
			rc = tn_err(-EINVAL,
				    "structure '%s': BTF of the host has several that differ",
				    name);
		if (rc || *out)
			tn_ctx_type_free(&rt->rt, type);
		else
			*out = type;
	}
	tn_free(&rt->rt, btfs);
	if (rc) {
		tn_ctx_type_free(&rt->rt, *out);
		*out = NULL;
	}
	return rc;
}

int tn_struct_from_btf(struct tenon_runtime *rt, const char *name, struct tn_ctx_type **out)
{
	/* A load that succeeds leaves no error behind. */
	const struct tn_err_record before = *tn_err_last();
	int rc = make_all(rt, name, false, out);

	if (!rc || rc == -ENOMEM)
		return rc;
	tn_logf(&rt->rt, TN_LOG_WARN, "plugins see no fields of handles: %s", tn_err_last()->msg);
	*tn_err_last() = before;
	return 0;
}

int tn_ctx_from_btf(struct tenon_runtime *rt, const char *name, const struct tn_ctx_type **out)
{
	struct tn_ctx_type *type;
	int rc = make_all(rt, name, true, &type);

	if (rc)
		return rc;
	if (!type)
		return tn_err(-ENOENT,
			      "context '%s': no BTF of the host has a structure of that "
			      "name",
			      name);
	return tn_ctx_type_intern(rt, type, out);
}
