/* SPDX-License-Identifier: MIT */
/*
 * Accesses without a record: they are where the plugin was compiled to have them. Whether the host
 * has the same field there is found out as for a record: the member at the place becomes an access
 * string, which is looked up in the host's types.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "loader/core.h"
#include "loader/core_layout.h"

#define MAX_DEPTH 16
#define MAX_STEPS ((uint64_t)1 << 22)

struct search {
	struct tn_core *core;
	struct tn_core_cands *cands;
	uint32_t root_id;
	char access[MAX_DEPTH * 12];
	struct tn_core_text *text; /* of the first that differs */
};

/* The bits of a field, or of an element. */
static uint64_t bits_of(const struct tn_core_spec *spec)
{
	const struct tn_core_step *last = &spec->steps[spec->nr_steps - 1];
	const struct tn_btf_type *outer = tn_btf_type(spec->btf, last->type_id);
	const struct tn_btf_member *m = tn_btf_extra(outer);
	uint32_t bits = last->name ? tn_btf_member_bit_size(outer, &m[last->index]) : 0;
	int64_t size = tn_btf_size_of(spec->btf, last->name ? m[last->index].type : last->type_id);

	return bits ? bits : size < 0 ? 0 : (uint64_t)size * 8;
}

static void say_moved(struct search *s, const struct tn_core_record *rec,
		      const struct tn_core_cand *cand)
{
	if (s->text->len)
		return;
	tn_core_say_record(s->text, s->core, rec);
	tn_core_say(s->text, "the plugin ");
	tn_core_say_own_field(s->text, s->core);
	tn_core_say(s->text, "; ");
	tn_core_say_cand(s->text, s->core, rec, cand, &s->core->cand_spec);
}

/* 1: the host has this very field in this very place, or nobody knows; 0: it does not. */
static int is_same(struct search *s)
{
	const struct tn_core_record rec = { s->root_id, s->access, TN_CORE_FIELD_BYTE_OFF };
	struct tn_core *core = s->core;
	int err = tn_core_parse(core->local, &rec, &core->spec);

	if (err)
		return err;
	for (uint32_t i = 0; i < s->cands->v.nr; i++) {
		const struct tn_core_cand *cand = &s->cands->v.v[i];
		int found = tn_core_match(core, &rec, cand, &core->cand_spec);

		if (found < 0)
			return found;
		if (found && core->cand_spec.bit_off == core->spec.bit_off &&
		    bits_of(&core->cand_spec) == bits_of(&core->spec))
			return 1;
		if (found)
			say_moved(s, &rec, cand);
	}
	if (!s->text->len)
		tn_core_say_missing(s->text, core, &rec, s->cands);
	return 0;
}

static int search_type(struct search *s, uint32_t id, uint64_t bit_off, uint64_t bits, int depth);

/* Go into one member or element, whose bits contain the access. */
static int search_part(struct search *s, uint32_t type, uint32_t index, uint64_t bit_off,
		       uint64_t bits, int depth)
{
	size_t len = strlen(s->access);
	int same;

	snprintf(s->access + len, sizeof(s->access) - len, ":%u", index);
	same = search_type(s, type, bit_off, bits, depth + 1);
	s->access[len] = '\0';
	return same;
}

static int search_members(struct search *s, const struct tn_btf_type *t, uint64_t bit_off,
			  uint64_t bits, int depth, bool *any)
{
	const struct tn_btf *btf = s->core->local;
	const struct tn_btf_member *m = tn_btf_extra(t);
	int same = 0, row = 0;

	for (uint32_t i = 0; i < tn_btf_vlen(t) && !same; i++) {
		uint64_t at = tn_btf_member_bit_off(t, &m[i]);
		uint64_t size = tn_btf_member_bit_size(t, &m[i]);
		int err = tn_core_count(s->core);

		if (err)
			return err;
		/* A bit field is read with the bytes around it: the whole row has to be right, of
		 * which this is one. */
		if (size) {
			if (at / 8 * 8 >= bit_off + bits || (at + size + 7) / 8 * 8 <= bit_off)
				continue;
			*any = true;
			row = search_part(s, m[i].type, i, 0, 0, depth);
			if (row <= 0)
				return row;
			continue;
		}
		size = (uint64_t)tn_btf_size_of(btf, m[i].type) * 8;
		if (bit_off < at || bit_off + bits > at + size)
			continue;
		*any = true;
		same = search_part(s, m[i].type, i, bit_off - at, bits, depth);
	}
	return same ? same : row;
}

/* The part of a type that has these bits, as deep as it goes. */
static int search_type(struct search *s, uint32_t id, uint64_t bit_off, uint64_t bits, int depth)
{
	const struct tn_btf *btf = s->core->local;
	const struct tn_btf_type *t = tn_btf_type(btf, tn_btf_skip_mods(btf, id));
	const struct tn_btf_array *array = tn_btf_extra(t);
	uint64_t elem;
	bool any = false;
	int same;

	if (bits && depth < MAX_DEPTH - 1 && tn_btf_is_composite(t)) {
		same = search_members(s, t, bit_off, bits, depth, &any);
		if (same || any)
			return same;
		return depth ? is_same(s) : 1; /* padding */
	}
	if (bits && depth < MAX_DEPTH - 1 && tn_btf_kind(t) == TN_BTF_ARRAY) {
		elem = (uint64_t)tn_btf_size_of(btf, array->type) * 8;
		if (elem && bit_off % elem + bits <= elem && bit_off / elem < array->nelems)
			return search_part(s, array->type, (uint32_t)(bit_off / elem),
					   bit_off % elem, bits, depth);
	}
	return depth ? is_same(s) : 1;
}

int tn_core_same_at(struct tn_rt *rt, const struct tn_load_opts *opts, const struct tn_btf *local,
		    const char *name, uint32_t off, uint32_t size, char *words, size_t words_size)
{
	struct tn_core core = { .rt = rt, .opts = opts, .local = local, .steps_left = MAX_STEPS };
	struct tn_core_text text = { .len = 0 };
	struct tn_core_cands cands = { .looked = false };
	struct search s = { .core = &core, .access = "0", .text = &text, .cands = &cands };
	struct tn_core_record rec = { 0 };
	int same;

	s.root_id = rec.type_id = tn_btf_find(local, name, TN_BTF_STRUCT);
	if (!s.root_id)
		return 1;
	same = tn_core_find_cands(&core, s.root_id, &cands);
	if (!same)
		same = !cands.v.nr || cands.v.v[0].target == TN_CORE_OWN ||
				       cands.v.v[0].target == TN_CORE_BUILTIN
			       ? 1
			       : search_type(&s, s.root_id, (uint64_t)off * 8, (uint64_t)size * 8,
					     0);
	tn_vec_free(rt, &cands.v);
	if (!same)
		snprintf(words, words_size, "%s", text.s);
	return same;
}
