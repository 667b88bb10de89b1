/* SPDX-License-Identifier: MIT */
/*
 * Types of the host that a record may mean, and its access on one of them. Which types: those of
 * the plugin's name, flavours ("conn___v2") put aside on both sides; in all BTF of the host
 * together, or where that has none, in what the host declared field by field, or in the built-in
 * types. The access: every member by its name, wherever it stands now, every element by its
 * number.
 */
#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "loader/core.h"
#include "vm/btf_builtin.h"

int tn_core_count(struct tn_core *core)
{
	if (core->steps_left == 0)
		return tn_err(-E2BIG, "CO-RE: the records and the host's types take too long to "
				      "compare");
	core->steps_left--;
	return 0;
}

bool tn_core_kinds_compat(const struct tn_btf_type *a, const struct tn_btf_type *b)
{
	enum tn_btf_kind ka = tn_btf_kind(a), kb = tn_btf_kind(b);

	return ka == kb || ((ka == TN_BTF_ENUM || ka == TN_BTF_ENUM64) &&
			    (kb == TN_BTF_ENUM || kb == TN_BTF_ENUM64));
}

bool tn_core_names_match(const char *a, const char *b)
{
	size_t len = tn_btf_essential_len(a);

	return len == tn_btf_essential_len(b) && memcmp(a, b, len) == 0;
}

/* ---- Candidates ---- */

static int add_cand(struct tn_core *core, struct tn_core_cands *cands, const struct tn_btf *btf,
		    uint32_t id, uint32_t target)
{
	struct tn_core_cand *cand;

	/* Split BTF shows its base's types too, which may be a target of its own. */
	while (id < btf->first_type)
		btf = btf->base;
	for (uint32_t i = 0; i < cands->v.nr; i++)
		if (cands->v.v[i].btf == btf && cands->v.v[i].id == id)
			return 0;
	cand = tn_vec_push(core->rt, &cands->v);
	if (!cand)
		return tn_err_nomem("CO-RE candidates");
	*cand = (struct tn_core_cand){ .btf = btf, .id = id, .target = target };
	return 0;
}

static int search(struct tn_core *core, struct tn_core_cands *cands, uint32_t local_id,
		  const struct tn_btf *btf, uint32_t target)
{
	const struct tn_btf_type *local = tn_btf_type(core->local, local_id);
	const char *name = tn_btf_str(core->local, local->name_off);
	size_t len = tn_btf_essential_len(name);
	uint32_t id = 0;
	int err = 0;

	while (!err && (id = tn_btf_next_named(btf, name, len, id))) {
		err = tn_core_count(core);
		if (!err && tn_core_kinds_compat(local, tn_btf_type(btf, id)))
			err = add_cand(core, cands, btf, id, target);
	}
	return err;
}

static int search_targets(struct tn_core *core, struct tn_core_cands *cands, uint32_t local_id,
			  uint32_t from, uint32_t to)
{
	int err = 0;

	for (uint32_t i = from; i < to && !err; i++)
		err = search(core, cands, local_id, core->opts->targets[i], i);
	return err;
}

static int search_builtin(struct tn_core *core, struct tn_core_cands *cands, uint32_t local_id)
{
	const struct tn_btf *btf = tn_btf_builtin(core->rt);

	return btf ? search(core, cands, local_id, btf, TN_CORE_BUILTIN) : -ENOMEM;
}

int tn_core_find_cands(struct tn_core *core, uint32_t local_id, struct tn_core_cands *cands)
{
	const struct tn_load_opts *opts = core->opts;
	int err = search_targets(core, cands, local_id, 0, opts->nr_whole);

	if (!err && !cands->v.nr)
		err = search_targets(core, cands, local_id, opts->nr_whole, opts->nr_targets);
	if (!err && !cands->v.nr)
		err = search_builtin(core, cands, local_id);
	/* A host without BTF says nothing about its other types: what it gives of them is checked
	 * against its descriptions anyway. */
	if (!err && !cands->v.nr && !opts->nr_whole)
		err = add_cand(core, cands, core->local, local_id, TN_CORE_OWN);
	return err;
}

int tn_core_find(struct tn_core *core, const struct tn_core_record *rec, struct tn_core_cands **out)
{
	struct tn_core_cands *cands = &core->cands[rec->type_id];
	int err;

	*out = cands;
	if (cands->looked)
		return 0;
	if (!*tn_btf_name(core->local, rec->type_id))
		return tn_err(
			-ENOTSUP,
			"the %s has no name by which the host's could be found; give it one",
			tn_btf_kind_name(tn_btf_kind(tn_btf_type(core->local, rec->type_id))));
	err = tn_core_find_cands(core, rec->type_id, cands);
	cands->looked = !err;
	return err;
}

/* ---- The access on a candidate ---- */

struct match {
	struct tn_core *core;
	const struct tn_btf *local;
	struct tn_core_spec *spec; /* on the candidate's types */
	uint32_t id;		   /* the candidate's type reached */
};

/* May a field of the one type be read as one of the other? Sizes are looked at later. */
static bool fields_compat(const struct tn_btf *local, uint32_t local_id, const struct tn_btf *btf,
			  uint32_t id)
{
	for (;;) {
		const struct tn_btf_type *a = tn_btf_type(local, tn_btf_skip_mods(local, local_id));
		const struct tn_btf_type *b = tn_btf_type(btf, tn_btf_skip_mods(btf, id));
		const char *name_a = tn_btf_str(local, a->name_off);
		const char *name_b = tn_btf_str(btf, b->name_off);

		if (tn_btf_is_composite(a) && tn_btf_is_composite(b))
			return true;
		if (!tn_core_kinds_compat(a, b))
			return false;
		switch ((int)tn_btf_kind(a)) {
		case TN_BTF_PTR:
		case TN_BTF_FLOAT:
			return true;
		case TN_BTF_FWD:
		case TN_BTF_ENUM:
		case TN_BTF_ENUM64:
			return !*name_a || !*name_b || tn_core_names_match(name_a, name_b);
		case TN_BTF_INT:
			/* Integers that begin inside their bytes are an old form of bit fields. */
			return tn_btf_int_offset(*(const uint32_t *)tn_btf_extra(a)) == 0 &&
			       tn_btf_int_offset(*(const uint32_t *)tn_btf_extra(b)) == 0;
		case TN_BTF_ARRAY:
			local_id = ((const struct tn_btf_array *)tn_btf_extra(a))->type;
			id = ((const struct tn_btf_array *)tn_btf_extra(b))->type;
			break;
		default:
			return false;
		}
	}
}

static const struct tn_btf_member *local_member(const struct tn_btf *local,
						const struct tn_core_step *step)
{
	return (const struct tn_btf_member *)tn_btf_extra(tn_btf_type(local, step->type_id)) +
	       step->index;
}

/* Look for a member of that name in type m->id and the unnamed ones inside it; m->id becomes its
 * type. 1, 0, or an error. */
static int match_member(struct match *m, const struct tn_core_step *step, uint32_t in)
{
	uint32_t id = tn_btf_skip_mods(m->spec->btf, in);
	const struct tn_btf_type *t = tn_btf_type(m->spec->btf, id);
	const struct tn_btf_member *member = tn_btf_extra(t);
	uint64_t bit_off = m->spec->bit_off;
	int found = 0;

	if (!tn_btf_is_composite(t))
		return 0;
	if (++m->spec->depth > TN_CORE_MAX_STEPS)
		return tn_err(-E2BIG, "CO-RE: host type '%.60s' nests deeper than %d",
			      tn_btf_name(m->spec->btf, m->spec->root_id), TN_CORE_MAX_STEPS);
	for (uint32_t i = 0; i < tn_btf_vlen(t) && !found; i++, member++) {
		const char *name = tn_btf_str(m->spec->btf, member->name_off);

		found = tn_core_count(m->core);
		if (found)
			return found;
		m->spec->bit_off = bit_off + tn_btf_member_bit_off(t, member);
		if (!*name) {
			found = match_member(m, step, member->type);
		} else if (!strcmp(name, step->name)) {
			if (!fields_compat(m->local, local_member(m->local, step)->type,
					   m->spec->btf, member->type))
				break;
			m->spec->steps[m->spec->nr_steps++] = (struct tn_core_step){ id, i, name };
			m->id = member->type;
			return 1;
		}
	}
	if (!found) {
		m->spec->bit_off = bit_off;
		m->spec->depth--;
	}
	return found;
}

static int match_element(struct match *m, uint32_t index, bool is_first)
{
	const struct tn_btf *btf = m->spec->btf;
	int64_t size;

	m->id = tn_btf_skip_mods(btf, m->id);
	if (!is_first) {
		const struct tn_btf_type *t = tn_btf_type(btf, m->id);
		const struct tn_btf_array *array = tn_btf_extra(t);
		const struct tn_core_step *last = &m->spec->steps[m->spec->nr_steps - 1];

		if (tn_btf_kind(t) != TN_BTF_ARRAY)
			return 0;
		if (index >= array->nelems &&
		    (array->nelems || !last->name ||
		     last->index + 1 != tn_btf_vlen(tn_btf_type(btf, last->type_id))))
			return 0;
		m->id = tn_btf_skip_mods(btf, array->type);
	}
	if (++m->spec->depth > TN_CORE_MAX_STEPS)
		return 0;
	m->spec->steps[m->spec->nr_steps++] = (struct tn_core_step){ m->id, index, NULL };
	size = tn_btf_size_of(btf, m->id);
	/* Without a size it is only declared there. */
	return size >= 0 && tn_core_advance(m->spec, index, (uint64_t)size);
}

static int match_field(struct tn_core *core, struct tn_core_spec *spec)
{
	struct match m = { .core = core, .local = core->local, .spec = spec, .id = spec->root_id };
	int found = 1;

	for (uint32_t i = 0; i < core->spec.nr_steps && found > 0; i++) {
		const struct tn_core_step *step = &core->spec.steps[i];

		found = step->name ? match_member(&m, step, m.id)
				   : match_element(&m, step->index, i == 0);
	}
	return found;
}

/*
 * What the host declared field by field has no types, only places: a field of the plugin's size is
 * what the plugin has there, and accesses below it are where the plugin has them. One of another
 * size is matched by type, as a number that became wider.
 */
static int match_declared(struct tn_core *core, const struct tn_core_cand *cand,
			  struct tn_core_spec *spec)
{
	const struct tn_core_spec *local = &core->spec;
	const struct tn_btf_type *t = tn_btf_type(cand->btf, cand->id), *outer;
	const struct tn_btf_member *member = tn_btf_extra(t), *own;
	const struct tn_core_step *step = &local->steps[1];
	uint32_t id = tn_btf_skip_mods(core->local, local->root_id), i = 0;
	uint64_t own_off;

	if (local->nr_steps < 2 || step[-1].index || !step->name || step->type_id != id)
		return match_field(core, spec);
	while (i < tn_btf_vlen(t) && strcmp(tn_btf_str(cand->btf, member[i].name_off), step->name))
		i++;
	outer = tn_btf_type(core->local, step->type_id);
	own = local_member(core->local, step);
	if (i == tn_btf_vlen(t) || tn_btf_member_bit_size(outer, own) ||
	    tn_btf_size_of(cand->btf, member[i].type) != tn_btf_size_of(core->local, own->type))
		return match_field(core, spec);
	own_off = tn_btf_member_bit_off(outer, own);
	*spec = *local;
	spec->bit_off += (uint64_t)tn_btf_member_bit_off(t, &member[i]) - own_off;
	return 1;
}

static int match_enum(struct tn_core *core, const struct tn_core_cand *cand,
		      struct tn_core_spec *spec)
{
	uint32_t id = tn_btf_skip_mods(cand->btf, cand->id);
	const struct tn_btf_type *t = tn_btf_type(cand->btf, id);
	uint32_t words = tn_btf_kind(t) == TN_BTF_ENUM64 ? 3 : 2;
	const uint32_t *e = tn_btf_extra(t);

	if (tn_btf_kind(t) != TN_BTF_ENUM && tn_btf_kind(t) != TN_BTF_ENUM64)
		return 0;
	for (uint32_t i = 0; i < tn_btf_vlen(t); i++) {
		const char *name = tn_btf_str(cand->btf, e[i * words]);
		int err = tn_core_count(core);

		if (err)
			return err;
		if (!tn_core_names_match(core->spec.steps[0].name, name))
			continue;
		spec->steps[0] = (struct tn_core_step){ id, i, name };
		spec->nr_steps = 1;
		return 1;
	}
	return 0;
}

int tn_core_match(struct tn_core *core, const struct tn_core_record *rec,
		  const struct tn_core_cand *cand, struct tn_core_spec *out)
{
	if (cand->target == TN_CORE_OWN) {
		*out = core->spec;
		return 1;
	}
	out->btf = cand->btf;
	out->root_id = cand->id;
	out->nr_steps = out->depth = 0;
	out->bit_off = 0;
	if (rec->kind == TN_CORE_TYPE_MATCHES)
		return tn_core_types_match(core, rec->type_id, cand->btf, cand->id);
	if (tn_core_is_type(rec->kind))
		return tn_core_types_compat(core, rec->type_id, cand->btf, cand->id);
	if (tn_core_is_enum(rec->kind))
		return match_enum(core, cand, out);
	if (cand->target != TN_CORE_BUILTIN && cand->target >= core->opts->nr_whole)
		return match_declared(core, cand, out);
	return match_field(core, out);
}
