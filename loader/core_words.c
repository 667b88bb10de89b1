/* SPDX-License-Identifier: MIT */
/* What CO-RE tells the reader: the access, where the plugin has it, and what the host has there. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "loader/core.h"

#define MAX_LISTED 8

void tn_core_say(struct tn_core_text *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(t->s + t->len, sizeof(t->s) - t->len, fmt, ap);
	va_end(ap);
	if (n > 0)
		t->len = TN_MIN(t->len + (size_t)n, sizeof(t->s) - 1);
}

/* "struct conn", "u32", "pointer", "char[16]" */
static void say_type(struct tn_core_text *t, const struct tn_btf *btf, uint32_t id)
{
	const struct tn_btf_type *type = tn_btf_type(btf, id);
	const char *name = tn_btf_str(btf, type->name_off);

	while (!*name &&
	       (tn_btf_kind(type) == TN_BTF_CONST || tn_btf_kind(type) == TN_BTF_VOLATILE ||
		tn_btf_kind(type) == TN_BTF_RESTRICT)) {
		id = type->size_or_type;
		type = tn_btf_type(btf, id);
		name = tn_btf_str(btf, type->name_off);
	}
	switch ((int)tn_btf_kind(type)) {
	case TN_BTF_PTR:
		tn_core_say(t, "pointer");
		return;
	case TN_BTF_ARRAY: {
		const struct tn_btf_array *array = tn_btf_extra(type);

		say_type(t, btf, array->type);
		tn_core_say(t, "[%u]", array->nelems);
		return;
	}
	case TN_BTF_TYPE_TAG:
		say_type(t, btf, type->size_or_type);
		return;
	case TN_BTF_INT:
	case TN_BTF_TYPEDEF:
	case TN_BTF_FLOAT:
		tn_core_say(t, "%.40s", name);
		return;
	default:
		tn_core_say(t, "%s%s%.40s", tn_btf_kind_name(tn_btf_kind(type)), *name ? " " : "",
			    name);
	}
}

/* "at offset 8, 4 bytes (u32)" */
static void say_place(struct tn_core_text *t, const struct tn_btf *btf, uint32_t id,
		      uint64_t bit_off, uint32_t bits)
{
	if (bits) {
		tn_core_say(t, "at bit %llu, %u bits (", (unsigned long long)bit_off, bits);
	} else {
		int64_t size = tn_btf_size_of(btf, id);

		tn_core_say(t, "at offset %llu, %lld bytes (", (unsigned long long)(bit_off / 8),
			    (long long)(size < 0 ? 0 : size));
	}
	say_type(t, btf, id);
	tn_core_say(t, ")");
}

static void say_field(struct tn_core_text *t, const struct tn_core_spec *spec)
{
	const struct tn_core_step *last = &spec->steps[spec->nr_steps - 1];
	const struct tn_btf_type *outer = tn_btf_type(spec->btf, last->type_id);
	const struct tn_btf_member *m = tn_btf_extra(outer);

	if (last->name)
		say_place(t, spec->btf, m[last->index].type, spec->bit_off,
			  tn_btf_member_bit_size(outer, &m[last->index]));
	else
		say_place(t, spec->btf, last->type_id, spec->bit_off, 0);
}

void tn_core_say_own_field(struct tn_core_text *t, const struct tn_core *core)
{
	tn_core_say(t, "has it ");
	say_field(t, &core->spec);
}

static uint64_t enum_value(const struct tn_core_spec *spec)
{
	const struct tn_core_record rec = { .kind = TN_CORE_ENUM_VALUE };
	struct tn_core_value v;

	return tn_core_calc(&rec, spec, &v) ? 0 : v.value;
}

void tn_core_say_record(struct tn_core_text *t, const struct tn_core *core,
			const struct tn_core_record *rec)
{
	const struct tn_core_spec *spec = &core->spec;
	const char *name = tn_btf_name(core->local, rec->type_id);

	if (*name)
		tn_core_say(t, "CO-RE: %.60s", name);
	else
		tn_core_say(t, "CO-RE: (unnamed %s)",
			    tn_btf_kind_name(tn_btf_kind(tn_btf_type(core->local, rec->type_id))));
	if (spec->nr_steps && spec->steps[0].index && !tn_core_is_enum(rec->kind))
		tn_core_say(t, "[%u]", spec->steps[0].index);
	for (uint32_t i = tn_core_is_enum(rec->kind) ? 0 : 1; i < spec->nr_steps; i++) {
		if (spec->steps[i].name)
			tn_core_say(t, ".%.60s", spec->steps[i].name);
		else
			tn_core_say(t, "[%u]", spec->steps[i].index);
	}
	tn_core_say(t, ": ");
}

static void say_own(struct tn_core_text *t, const struct tn_core *core,
		    const struct tn_core_record *rec)
{
	if (tn_core_is_field(rec->kind)) {
		tn_core_say(t, "the plugin has it ");
		say_field(t, &core->spec);
	} else if (tn_core_is_enum(rec->kind)) {
		tn_core_say(t, "it is %lld in the plugin", (long long)enum_value(&core->spec));
	} else {
		tn_core_say(t, "the plugin has this type");
	}
}

/* ---- Candidates ---- */

static void say_cand_name(struct tn_core_text *t, const struct tn_core *core,
			  const struct tn_core_cand *cand, const struct tn_btf *btf, uint32_t id)
{
	const char *const *names = core->opts->target_names;
	const char *name = tn_btf_name(btf, id);

	if (*name)
		tn_core_say(t, "'%.60s' (", name);
	else
		tn_core_say(t, "unnamed %s (", tn_btf_kind_name(tn_btf_kind(tn_btf_type(btf, id))));
	if (cand->target == TN_CORE_BUILTIN)
		tn_core_say(t, "built in)");
	else if (cand->target == TN_CORE_OWN)
		tn_core_say(t, "the plugin's own)");
	else if (cand->target >= core->opts->nr_whole)
		tn_core_say(t, "as the host declares it)");
	else if (names && names[cand->target])
		tn_core_say(t, "%.60s, type %u)", names[cand->target], id);
	else
		tn_core_say(t, "host BTF %u, type %u)", cand->target, id);
}

void tn_core_say_cand(struct tn_core_text *t, const struct tn_core *core,
		      const struct tn_core_record *rec, const struct tn_core_cand *cand,
		      const struct tn_core_spec *spec)
{
	tn_core_say(t, "host type ");
	say_cand_name(t, core, cand, cand->btf, cand->id);
	if (!spec) {
		tn_core_say(t, " does not have it");
	} else if (tn_core_is_field(rec->kind)) {
		tn_core_say(t, " has it ");
		say_field(t, spec);
	} else if (tn_core_is_enum(rec->kind)) {
		tn_core_say(t, " has %lld", (long long)enum_value(spec));
	} else {
		tn_core_say(t, " has %lld bytes", (long long)tn_btf_size_of(cand->btf, cand->id));
	}
}

static void say_members(struct tn_core_text *t, const struct tn_btf *btf,
			const struct tn_btf_type *type)
{
	const struct tn_btf_member *m = tn_btf_extra(type);
	const char *before = ": it has ";

	for (uint32_t i = 0; i < tn_btf_vlen(type); i++, before = ", ") {
		const char *name = tn_btf_str(btf, m[i].name_off);

		if (i == MAX_LISTED) {
			tn_core_say(t, ", ...");
			return;
		}
		tn_core_say(t, "%s%.40s at %u", before, *name ? name : "(unnamed)",
			    tn_btf_member_bit_off(type, &m[i]) / 8);
	}
}

static void say_enumerators(struct tn_core_text *t, const struct tn_btf *btf, uint32_t id)
{
	const struct tn_btf_type *type = tn_btf_type(btf, id);
	struct tn_core_spec spec = { .btf = btf, .nr_steps = 1 };
	uint32_t words = tn_btf_kind(type) == TN_BTF_ENUM64 ? 3 : 2;
	const char *before = ": it has ";

	if (tn_btf_kind(type) != TN_BTF_ENUM && tn_btf_kind(type) != TN_BTF_ENUM64)
		return;
	for (uint32_t i = 0; i < tn_btf_vlen(type); i++, before = ", ") {
		if (i == MAX_LISTED) {
			tn_core_say(t, ", ...");
			return;
		}
		spec.steps[0] = (struct tn_core_step){ id, i, NULL };
		tn_core_say(t, "%s%.40s = %lld", before,
			    tn_btf_str(btf, ((const uint32_t *)tn_btf_extra(type))[i * words]),
			    (long long)enum_value(&spec));
	}
}

/* The member of that name in a type or the unnamed ones in it, not deeper than a few. */
static const struct tn_btf_member *find_member(const struct tn_btf *btf, uint32_t id,
					       const char *name, int level)
{
	const struct tn_btf_type *t = tn_btf_type(btf, tn_btf_skip_mods(btf, id));
	const struct tn_btf_member *m = tn_btf_extra(t), *found = NULL;

	if (level == 0 || !tn_btf_is_composite(t) || tn_btf_vlen(t) > 4096)
		return NULL;
	for (uint32_t i = 0; i < tn_btf_vlen(t) && !found; i++) {
		const char *own = tn_btf_str(btf, m[i].name_off);

		if (!strcmp(own, name))
			found = &m[i];
		else if (!*own)
			found = find_member(btf, m[i].type, name, level - 1);
	}
	return found;
}

/* How far the access goes on the candidate's types, and what stands there instead. */
static void say_field_cand(struct tn_core_text *t, const struct tn_core *core,
			   const struct tn_core_cand *cand)
{
	const struct tn_btf *btf = cand->btf;
	uint32_t id = tn_btf_skip_mods(btf, cand->id);
	const char *part = "";

	for (uint32_t i = 1; i < core->spec.nr_steps; i++) {
		const struct tn_core_step *step = &core->spec.steps[i];
		const struct tn_btf_type *type = tn_btf_type(btf, id);
		const struct tn_btf_member *m = step->name ? find_member(btf, id, step->name, 3)
							   : NULL;

		if (step->name && !m) {
			if (*part)
				tn_core_say(t, ", whose '%.60s' is a ", part);
			if (*part)
				say_type(t, btf, id);
			tn_core_say(t, "%s has no field '%.60s'", *part ? " that" : "", step->name);
			if (tn_btf_is_composite(type))
				say_members(t, btf, type);
			return;
		}
		if (!step->name && tn_btf_kind(type) != TN_BTF_ARRAY)
			break;
		id = m ? m->type : ((const struct tn_btf_array *)tn_btf_extra(type))->type;
		part = m ? step->name : part;
		if (i + 1 < core->spec.nr_steps)
			id = tn_btf_skip_mods(btf, id);
	}
	tn_core_say(t, " has '%.60s' as ", part);
	say_type(t, btf, id);
	tn_core_say(t, ", which cannot be read as the plugin's");
}

/* Compilers leave out of BTF what only pointers in other structures lead to. */
static void say_nothing_there(struct tn_core_text *t, const struct tn_core *core,
			      const struct tn_core_record *rec)
{
	const char *name = tn_btf_name(core->local, rec->type_id);
	size_t len = tn_btf_essential_len(name);
	bool is_declared = false;

	for (uint32_t i = 0; i < core->opts->nr_whole; i++) {
		const struct tn_btf *btf = core->opts->targets[i];
		uint32_t id = tn_btf_next_named(btf, name, len, 0);

		is_declared |= id && tn_btf_kind(tn_btf_type(btf, id)) == TN_BTF_FWD;
	}
	tn_core_say(t, is_declared ? "; the host's BTF has no more than a declaration of it"
				   : "; the host has no type of this name and kind");
}

void tn_core_say_missing(struct tn_core_text *t, const struct tn_core *core,
			 const struct tn_core_record *rec, const struct tn_core_cands *cands)
{
	const struct tn_core_cand *cand = cands->v.nr ? &cands->v.v[0] : NULL;

	tn_core_say_record(t, core, rec);
	say_own(t, core, rec);
	if (!cand) {
		say_nothing_there(t, core, rec);
		return;
	}
	if (cand->target == TN_CORE_OWN) {
		tn_core_say(t, "; the host gives no BTF, so nobody knows whether it has it");
		return;
	}
	tn_core_say(t, "; host type ");
	say_cand_name(t, core, cand, cand->btf, cand->id);
	if (tn_core_is_enum(rec->kind)) {
		tn_core_say(t, " has no such value");
		say_enumerators(t, cand->btf, tn_btf_skip_mods(cand->btf, cand->id));
	} else if (tn_core_is_field(rec->kind)) {
		say_field_cand(t, core, cand);
	} else {
		tn_core_say(t, " is another");
	}
	if (cands->v.nr > 1)
		tn_core_say(t, "; %u more host types of this name do not either", cands->v.nr - 1);
}
