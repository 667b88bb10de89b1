/* SPDX-License-Identifier: MIT */
/*
 * Copying types from BTF to BTF. Ids of the copies are handed out first, so that records can be
 * written in any order with what they refer to.
 */
#include "vm/btf_merge.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "vm/btf_build.h"

/* ---- Are two types of one name the same? ---- */

/* Comparisons for one answer, and levels of unnamed types; beyond them types are not the same,
 * which only costs a copy. */
#define MAX_STEPS 20000
#define MAX_DEPTH 32

struct compare {
	const struct tn_btf *a, *b;
	uint32_t steps, depth;
};

static bool same(struct compare *c, uint32_t a, uint32_t b, bool whole);

static bool same_members(struct compare *c, const struct tn_btf_type *a,
			 const struct tn_btf_type *b)
{
	const struct tn_btf_member *ma = tn_btf_extra(a), *mb = tn_btf_extra(b);

	for (uint32_t i = 0; i < tn_btf_vlen(a); i++)
		if (ma[i].offset != mb[i].offset ||
		    strcmp(tn_btf_str(c->a, ma[i].name_off), tn_btf_str(c->b, mb[i].name_off)) !=
			    0 ||
		    tn_btf_size_of(c->a, ma[i].type) != tn_btf_size_of(c->b, mb[i].type) ||
		    !same(c, ma[i].type, mb[i].type, false))
			return false;
	return true;
}

static bool same_params(struct compare *c, const struct tn_btf_type *a, const struct tn_btf_type *b)
{
	const struct tn_btf_param *pa = tn_btf_extra(a), *pb = tn_btf_extra(b);

	for (uint32_t i = 0; i < tn_btf_vlen(a); i++)
		if (strcmp(tn_btf_str(c->a, pa[i].name_off), tn_btf_str(c->b, pb[i].name_off)) !=
			    0 ||
		    !same(c, pa[i].type, pb[i].type, false))
			return false;
	return same(c, a->size_or_type, b->size_or_type, false);
}

static bool same_values(struct compare *c, const struct tn_btf_type *a, const struct tn_btf_type *b)
{
	uint32_t words = tn_btf_kind(a) == TN_BTF_ENUM64 ? 3 : 2;
	const uint32_t *ea = tn_btf_extra(a), *eb = tn_btf_extra(b);

	for (uint32_t i = 0; i < tn_btf_vlen(a); i++, ea += words, eb += words)
		if (strcmp(tn_btf_str(c->a, ea[0]), tn_btf_str(c->b, eb[0])) != 0 ||
		    memcmp(ea + 1, eb + 1, (words - 1) * 4) != 0)
			return false;
	return true;
}

static bool same_parts(struct compare *c, const struct tn_btf_type *a, const struct tn_btf_type *b)
{
	const uint32_t *xa = tn_btf_extra(a), *xb = tn_btf_extra(b);

	switch (tn_btf_kind(a)) {
	case TN_BTF_INT:
		return a->size_or_type == b->size_or_type && xa[0] == xb[0];
	case TN_BTF_FLOAT:
		return a->size_or_type == b->size_or_type;
	case TN_BTF_STRUCT:
	case TN_BTF_UNION:
		return a->size_or_type == b->size_or_type && same_members(c, a, b);
	case TN_BTF_ENUM:
	case TN_BTF_ENUM64:
		return a->size_or_type == b->size_or_type && same_values(c, a, b);
	case TN_BTF_ARRAY:
		return xa[2] == xb[2] && same(c, xa[0], xb[0], false);
	case TN_BTF_FUNC_PROTO:
		return same_params(c, a, b);
	case TN_BTF_PTR:
	case TN_BTF_TYPEDEF:
	case TN_BTF_VOLATILE:
	case TN_BTF_CONST:
	case TN_BTF_RESTRICT:
	case TN_BTF_FUNC:
	case TN_BTF_TYPE_TAG:
		return same(c, a->size_or_type, b->size_or_type, false);
	case TN_BTF_VOID:
	case TN_BTF_FWD:
		return true;
	case TN_BTF_VAR: /* each stands for itself */
	case TN_BTF_DATASEC:
	case TN_BTF_DECL_TAG:
	case TN_BTF_NR_KINDS:
		break;
	}
	return false;
}

/* By their parts where `whole` or where they have no name, else by name: those that are different
 * are found when they are asked about themselves. */
static bool same(struct compare *c, uint32_t a, uint32_t b, bool whole)
{
	const struct tn_btf_type *ta = tn_btf_type(c->a, a), *tb = tn_btf_type(c->b, b);
	const char *name = tn_btf_str(c->a, ta->name_off);
	bool result;

	if (ta->info != tb->info || strcmp(name, tn_btf_str(c->b, tb->name_off)) != 0)
		return false;
	if (*name && !whole)
		return true;
	if (c->depth == MAX_DEPTH || c->steps++ == MAX_STEPS)
		return false;
	c->depth++;
	result = same_parts(c, ta, tb);
	c->depth--;
	return result;
}

/* ---- Copies ---- */

struct copier {
	struct tn_btf_builder *b;
	const struct tn_btf *from;
	const uint32_t *map;	       /* ids of the copies */
	unsigned char *const *members; /* see tn_btf_subset() */
};

static bool wants_member(const struct copier *c, uint32_t id, uint32_t i)
{
	const unsigned char *bits = c->members ? c->members[id] : NULL;

	return !bits || bits[i / 8] >> i % 8 & 1;
}

static void copy_composite(const struct copier *c, uint32_t id, const struct tn_btf_type *t)
{
	const struct tn_btf_member *m = tn_btf_extra(t);

	tn_btf_add_struct(c->b, tn_btf_kind(t), tn_btf_str(c->from, t->name_off), t->size_or_type);
	if (tn_btf_kflag(t))
		tn_btf_build_set_kflag(c->b);
	for (uint32_t i = 0; i < tn_btf_vlen(t); i++)
		if (wants_member(c, id, i))
			tn_btf_add_member(c->b, tn_btf_str(c->from, m[i].name_off),
					  c->map[m[i].type], tn_btf_member_bit_off(t, &m[i]),
					  tn_btf_member_bit_size(t, &m[i]));
}

static void copy_enum(const struct copier *c, const struct tn_btf_type *t)
{
	bool is_long = tn_btf_kind(t) == TN_BTF_ENUM64;
	const uint32_t *e = tn_btf_extra(t);

	tn_btf_add_enum(c->b, tn_btf_kind(t), tn_btf_str(c->from, t->name_off), t->size_or_type,
			tn_btf_kflag(t));
	for (uint32_t i = 0; i < tn_btf_vlen(t); i++, e += is_long ? 3 : 2)
		tn_btf_add_enum_value(c->b, tn_btf_str(c->from, e[0]),
				      is_long ? (uint64_t)e[2] << 32 | e[1] : e[1]);
}

static void copy_lists(const struct copier *c, const struct tn_btf_type *t)
{
	const struct tn_btf_var_secinfo *v = tn_btf_extra(t);
	const struct tn_btf_param *p = tn_btf_extra(t);

	if (tn_btf_kind(t) == TN_BTF_DATASEC) {
		tn_btf_add_datasec(c->b, tn_btf_str(c->from, t->name_off), t->size_or_type);
		for (uint32_t i = 0; i < tn_btf_vlen(t); i++)
			tn_btf_add_section_var(c->b, c->map[v[i].type], v[i].offset, v[i].size);
		return;
	}
	tn_btf_add_func_proto(c->b, c->map[t->size_or_type]);
	for (uint32_t i = 0; i < tn_btf_vlen(t); i++)
		tn_btf_add_param(c->b, tn_btf_str(c->from, p[i].name_off), c->map[p[i].type]);
}

static void copy(const struct copier *c, uint32_t id)
{
	const struct tn_btf_type *t = tn_btf_type(c->from, id);
	const char *name = tn_btf_str(c->from, t->name_off);
	const uint32_t *extra = tn_btf_extra(t);
	uint32_t word = t->size_or_type;

	switch (tn_btf_kind(t)) {
	case TN_BTF_INT:
		tn_btf_add_int_word(c->b, name, word, extra[0]);
		break;
	case TN_BTF_FLOAT:
		tn_btf_add_float(c->b, name, word);
		break;
	case TN_BTF_PTR:
		tn_btf_add_ptr(c->b, c->map[word]);
		break;
	case TN_BTF_VOLATILE:
	case TN_BTF_CONST:
	case TN_BTF_RESTRICT:
		tn_btf_add_mod(c->b, tn_btf_kind(t), c->map[word]);
		break;
	case TN_BTF_TYPEDEF:
		tn_btf_add_typedef(c->b, name, c->map[word]);
		break;
	case TN_BTF_TYPE_TAG:
		tn_btf_add_type_tag(c->b, name, c->map[word]);
		break;
	case TN_BTF_FWD:
		tn_btf_add_fwd(c->b, name, tn_btf_kflag(t));
		break;
	case TN_BTF_ARRAY:
		tn_btf_add_array(c->b, c->map[extra[0]], c->map[extra[1]], extra[2]);
		break;
	case TN_BTF_STRUCT:
	case TN_BTF_UNION:
		copy_composite(c, id, t);
		break;
	case TN_BTF_ENUM:
	case TN_BTF_ENUM64:
		copy_enum(c, t);
		break;
	case TN_BTF_FUNC_PROTO:
	case TN_BTF_DATASEC:
		copy_lists(c, t);
		break;
	case TN_BTF_FUNC:
		tn_btf_add_func(c->b, name, c->map[word], (enum tn_btf_linkage)tn_btf_vlen(t));
		break;
	case TN_BTF_VAR:
		tn_btf_add_var(c->b, name, c->map[word], (enum tn_btf_linkage)extra[0]);
		break;
	case TN_BTF_DECL_TAG:
		tn_btf_add_decl_tag(c->b, name, c->map[word], (int32_t)extra[0]);
		break;
	case TN_BTF_VOID:
	case TN_BTF_NR_KINDS:
		break;
	}
}

/* ---- Merging ---- */

/* The same type of an earlier BTF, as its copy; 0: none. */
static uint32_t find_copy(const struct tn_btf *const *list, uint32_t **maps, uint32_t nr,
			  uint32_t id)
{
	const char *name = tn_btf_name(list[nr], id);
	enum tn_btf_kind kind = tn_btf_kind(tn_btf_type(list[nr], id));

	for (uint32_t i = 0; i < nr && *name; i++) {
		struct compare c = { .a = list[i], .b = list[nr] };
		uint32_t other = tn_btf_find(list[i], name, kind);

		if (other && same(&c, other, id, true))
			return maps[i][other];
	}
	return 0;
}

/* The copies of the base that stands in the list already, if it does. */
static uint32_t map_base(const struct tn_btf *const *list, uint32_t **maps, uint32_t nr)
{
	for (uint32_t i = 0; i < nr; i++)
		if (list[i] == list[nr]->base) {
			memcpy(maps[nr], maps[i], list[i]->nr_types * sizeof(*maps[nr]));
			return list[i]->nr_types;
		}
	return 1;
}

/* Hand out ids, then write. A decl tag goes where its type goes: to the copy that was there, it has
 * one already. */
static int merge_one(struct tn_btf_builder *b, const struct tn_btf *const *list, uint32_t **maps,
		     uint32_t nr, unsigned char *is_new)
{
	const struct tn_btf *from = list[nr];
	uint32_t first = map_base(list, maps, nr), next = tn_btf_build_next_id(b);
	struct copier c = { .b = b, .from = from, .map = maps[nr] };

	for (uint32_t id = first; id < from->nr_types; id++) {
		const struct tn_btf_type *t = tn_btf_type(from, id);

		maps[nr][id] = 0;
		if (tn_btf_kind(t) != TN_BTF_DECL_TAG)
			maps[nr][id] = find_copy(list, maps, nr, id);
		is_new[id] = !maps[nr][id];
		if (is_new[id])
			maps[nr][id] = next++;
	}
	for (uint32_t id = first; id < from->nr_types; id++)
		if (is_new[id])
			copy(&c, id);
	return 0;
}

struct tn_btf *tn_btf_merge(struct tn_rt *rt, const struct tn_btf *const *list, uint32_t nr)
{
	struct tn_btf_builder *b = tn_btf_build_new(rt, NULL);
	uint32_t **maps = tn_alloc_array(rt, nr ? nr : 1, sizeof(*maps));
	bool ok = b && maps;

	for (uint32_t i = 0; i < nr && ok; i++) {
		unsigned char *is_new = tn_alloc_array(rt, list[i]->nr_types, 1);

		maps[i] = tn_alloc_array(rt, list[i]->nr_types, sizeof(*maps[i]));
		ok = maps[i] && is_new;
		if (ok)
			merge_one(b, list, maps, i, is_new);
		tn_free(rt, is_new);
	}
	for (uint32_t i = 0; maps && i < nr; i++)
		tn_free(rt, maps[i]);
	tn_free(rt, maps);
	if (ok)
		return tn_btf_build_finish(b);
	tn_btf_build_free(b);
	return tn_err_null(-ENOMEM, "out of memory: BTF");
}

/* ---- A part ---- */

enum { LEFT_OUT, FORWARD, WHOLE };

struct subset {
	const struct tn_btf *btf;
	const unsigned char *wanted;
	unsigned char *const *members;
	unsigned char *state; /* of each type: enum */
	uint32_t *pending;    /* WHOLE ones whose references are not looked at yet */
	uint32_t nr_pending;
};

/* Named structs that only a pointer leads to are not needed whole. */
static void take(struct subset *s, uint32_t id, bool through_pointer)
{
	const struct tn_btf_type *t = tn_btf_type(s->btf, id);
	bool forward = through_pointer && tn_btf_is_composite(t) && !s->wanted[id] &&
		       *tn_btf_str(s->btf, t->name_off);

	if (s->state[id] == WHOLE || id == 0)
		return;
	if (forward) {
		s->state[id] = FORWARD;
		return;
	}
	s->state[id] = WHOLE;
	s->pending[s->nr_pending++] = id;
}

/* Is this what a pointer leads to through qualifiers, so that a struct behind it stays forward? */
static void take_pointee(struct subset *s, uint32_t id)
{
	const struct tn_btf_type *t;

	for (;;) {
		t = tn_btf_type(s->btf, id);
		switch ((int)tn_btf_kind(t)) {
		case TN_BTF_CONST:
		case TN_BTF_VOLATILE:
		case TN_BTF_RESTRICT:
		case TN_BTF_TYPE_TAG:
		case TN_BTF_TYPEDEF:
			/* Written as it is; what it leads to is still behind the pointer. */
			if (s->state[id] == WHOLE)
				return;
			s->state[id] = WHOLE;
			id = t->size_or_type;
			break;
		default:
			take(s, id, true);
			return;
		}
	}
}

static void take_references(struct subset *s, uint32_t id)
{
	const struct tn_btf_type *t = tn_btf_type(s->btf, id);
	const struct tn_btf_member *m = tn_btf_extra(t);
	const struct tn_btf_param *p = tn_btf_extra(t);
	const struct copier c = { .members = s->members };

	switch (tn_btf_kind(t)) {
	case TN_BTF_PTR:
		take_pointee(s, t->size_or_type);
		break;
	case TN_BTF_ARRAY:
		take(s, m->name_off, false); /* its first two words */
		take(s, m->type, false);
		break;
	case TN_BTF_STRUCT:
	case TN_BTF_UNION:
		for (uint32_t i = 0; i < tn_btf_vlen(t); i++)
			if (wants_member(&c, id, i))
				take(s, m[i].type, false);
		break;
	case TN_BTF_FUNC_PROTO:
		take_pointee(s, t->size_or_type);
		for (uint32_t i = 0; i < tn_btf_vlen(t); i++)
			take_pointee(s, p[i].type);
		break;
	case TN_BTF_TYPEDEF:
	case TN_BTF_VOLATILE:
	case TN_BTF_CONST:
	case TN_BTF_RESTRICT:
	case TN_BTF_TYPE_TAG:
	case TN_BTF_FUNC:
	case TN_BTF_VAR:
		take(s, t->size_or_type, false);
		break;
	case TN_BTF_VOID:
	case TN_BTF_INT:
	case TN_BTF_FWD:
	case TN_BTF_ENUM:
	case TN_BTF_ENUM64:
	case TN_BTF_FLOAT:
	case TN_BTF_DATASEC:
	case TN_BTF_DECL_TAG:
	case TN_BTF_NR_KINDS:
		break;
	}
}

static void write_subset(const struct subset *s, struct tn_btf_builder *b, uint32_t *map)
{
	const struct tn_btf *btf = s->btf;
	struct copier c = { .b = b, .from = btf, .map = map, .members = s->members };
	uint32_t next = tn_btf_build_next_id(b);

	for (uint32_t id = 1; id < btf->nr_types; id++)
		map[id] = s->state[id] ? next++ : 0;
	for (uint32_t id = 1; id < btf->nr_types; id++) {
		const struct tn_btf_type *t = tn_btf_type(btf, id);

		if (s->state[id] == WHOLE)
			copy(&c, id);
		else if (s->state[id] == FORWARD)
			tn_btf_add_fwd(b, tn_btf_str(btf, t->name_off),
				       tn_btf_kind(t) == TN_BTF_UNION);
	}
}

struct tn_btf *tn_btf_subset(struct tn_rt *rt, const struct tn_btf *btf,
			     const unsigned char *wanted, unsigned char *const *members)
{
	struct subset s = { .btf = btf, .wanted = wanted, .members = members };
	struct tn_btf_builder *b = tn_btf_build_new(rt, NULL);
	uint32_t *map = tn_alloc_array(rt, btf->nr_types, sizeof(*map));
	bool ok;

	s.state = tn_alloc_array(rt, btf->nr_types, 1);
	s.pending = tn_alloc_array(rt, btf->nr_types, sizeof(*s.pending));
	ok = b && map && s.state && s.pending;
	for (uint32_t id = 1; ok && id < btf->nr_types; id++)
		if (wanted[id])
			take(&s, id, false);
	while (ok && s.nr_pending)
		take_references(&s, s.pending[--s.nr_pending]);
	if (ok)
		write_subset(&s, b, map);
	tn_free(rt, map);
	tn_free(rt, s.state);
	tn_free(rt, s.pending);
	if (ok)
		return tn_btf_build_finish(b);
	tn_btf_build_free(b);
	return tn_err_null(-ENOMEM, "out of memory: BTF");
}
