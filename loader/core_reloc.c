/* SPDX-License-Identifier: MIT */
/*
 * All CO-RE records of an object: each is resolved once, in the order of the file, and gives the
 * instruction that is put in place of its own in every program that has the function. Where the
 * host does not have what a record wants, its instruction is poisoned: a program that asks first
 * (bpf_core_field_exists()) never comes there, and one that does not is refused by the verifier
 * with the record's words. What can be right nowhere (types of the host that disagree, an offset
 * that does not fit) makes the program a defect.
 */
#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "loader/core.h"
#include "loader/load.h"
#include "vm/btf_ptr.h"

/* Comparisons of names and types, of one object: a second at most. Those of real programs with
 * the kernel's 150,000 types need some ten thousand. */
#define MAX_STEPS ((uint64_t)1 << 26)

/* One record being resolved. */
struct resolve {
	struct tn_load *ld;
	struct tn_core *core;
	struct tn_core_record rec;
	struct tn_core_cands *cands;
	struct tn_core_patch *patch;
	struct tn_core_value from, to;
	const struct tn_core_cand *found; /* NULL: nothing matched */
};

/* ---- Words ---- */

/* Give the text to the image; NULL: out of memory. */
static const char *keep_words(struct tn_load *ld, const char *text)
{
	struct tn_image *image = ld->image;
	char **slot;

	/* Records of one access follow each other, with equal words. */
	if (image->nr_core_words && !strcmp(image->core_words[image->nr_core_words - 1], text))
		return image->core_words[image->nr_core_words - 1];
	if (tn_vec_reserve(ld->rt, (void **)&image->core_words, &ld->core_words_cap,
			   image->nr_core_words + 1, sizeof(*image->core_words)))
		return NULL;
	slot = &image->core_words[image->nr_core_words];
	*slot = tn_strdup(ld->rt, text);
	image->nr_core_words += *slot != NULL;
	return *slot;
}

static int poison(struct resolve *r, const struct tn_core_text *t)
{
	tn_core_poison(r->patch->insn, r->patch->is_wide);
	r->patch->words = keep_words(r->ld, t->s);
	return r->patch->words ? 0 : tn_err_nomem("CO-RE records");
}

static int refuse(struct resolve *r, int err, const struct tn_core_text *t)
{
	r->patch->err = err;
	r->patch->words = keep_words(r->ld, t->s);
	return r->patch->words ? 0 : tn_err_nomem("CO-RE records");
}

/* ---- The value ---- */

/* May both candidates stand for the record? */
static bool agree(const struct resolve *r, const struct tn_core_cand *cand,
		  const struct tn_core_value *v)
{
	const struct tn_core *core = r->core;

	/* Numbers of types of different BTF cannot be compared; the first counts. */
	if (r->rec.kind == TN_CORE_TARGET_TYPE_ID && cand->btf != r->found->btf)
		return true;
	if (tn_core_is_field(r->rec.kind) && core->cand_spec.bit_off != core->found_spec.bit_off)
		return false;
	return v->value == r->to.value && v->missing == r->to.missing && v->size == r->to.size;
}

static int ambiguous(struct resolve *r, const struct tn_core_cand *cand)
{
	struct tn_core_text t = { .len = 0 };

	tn_core_say_record(&t, r->core, &r->rec);
	tn_core_say(&t, "types of the host disagree: ");
	tn_core_say_cand(&t, r->core, &r->rec, r->found, &r->core->found_spec);
	tn_core_say(&t, ", ");
	tn_core_say_cand(&t, r->core, &r->rec, cand, &r->core->cand_spec);
	return refuse(r, -ENOTUNIQ, &t);
}

/* What a candidate comes to; *found: it has what the record is about. */
static int look_at(struct resolve *r, struct tn_core_cand *cand)
{
	struct tn_core_value v;
	int fits = tn_core_match(r->core, &r->rec, cand, &r->core->cand_spec), err;

	if (fits < 0)
		return fits;
	cand->fits = fits;
	if (!fits)
		return 0;
	if (r->core->opts->core_found)
		r->core->opts->core_found(r->core->opts->core_user, &r->rec, &r->core->cand_spec);
	err = tn_core_calc(&r->rec, &r->core->cand_spec, &v);
	if (err)
		return err;
	if (r->found)
		return agree(r, cand, &v) ? 0 : ambiguous(r, cand);
	r->found = cand;
	r->core->found_spec = r->core->cand_spec;
	r->to = v;
	return 0;
}

/* Look at every candidate; those that have it must have the same. The rest is dropped, unless none
 * has it. */
static int match_all(struct resolve *r)
{
	struct tn_core_cands *cands = r->cands;
	uint32_t nr = 0;
	int err = 0;

	for (uint32_t i = 0; i < cands->v.nr && !err && !r->patch->err; i++)
		err = look_at(r, &cands->v.v[i]);
	if (err || r->patch->err || !r->found)
		return err;
	for (uint32_t i = 0; i < cands->v.nr; i++)
		if (cands->v.v[i].fits)
			cands->v.v[nr++] = cands->v.v[i];
	cands->v.nr = nr;
	r->found = &cands->v.v[0];
	return 0;
}

/* Of its own types the plugin knows where things are, not whether the host has them. */
static bool is_question(enum tn_core_kind kind)
{
	return kind == TN_CORE_FIELD_EXISTS || kind == TN_CORE_ENUM_EXISTS ||
	       kind == TN_CORE_TYPE_EXISTS || kind == TN_CORE_TYPE_MATCHES ||
	       kind == TN_CORE_TARGET_TYPE_ID;
}

/* ---- The instruction ---- */

static int say_fault(struct resolve *r, enum tn_core_fault fault, const struct tn_insn *was)
{
	struct tn_core_text t = { .len = 0 };

	tn_core_say_record(&t, r->core, &r->rec);
	switch (fault) {
	case TN_CORE_VALUE:
		tn_core_say(&t,
			    "the instruction holds %lld, but by the plugin's own types it is "
			    "%lld",
			    (long long)tn_core_held(was), (long long)r->from.value);
		tn_logf(r->ld->rt, TN_LOG_WARN, "object '%s': %s",
			r->ld->image->name ? r->ld->image->name : "", t.s);
		return poison(r, &t);
	case TN_CORE_WIDTH:
		tn_core_say(&t, "%u bytes in the plugin; ", r->from.size);
		tn_core_say_cand(&t, r->core, &r->rec, r->found, &r->core->found_spec);
		tn_core_say(&t,
			    "; an access of %u bytes can be widened or narrowed where both "
			    "are unsigned numbers or pointers of the access's width",
			    tn_insn_bytes(was->code));
		return poison(r, &t);
	case TN_CORE_RANGE:
		tn_core_say_cand(&t, r->core, &r->rec, r->found, &r->core->found_spec);
		tn_core_say(&t, "; %lld does not fit into the instruction", (long long)r->to.value);
		return refuse(r, -ERANGE, &t);
	case TN_CORE_UNKNOWN:
	case TN_CORE_FITS:
		break;
	}
	tn_core_say(&t, "instruction 0x%02x is none that can be relocated", was->code);
	return refuse(r, -EINVAL, &t);
}

static int put(struct resolve *r)
{
	struct tn_core_patch *p = r->patch;
	struct tn_insn was[2] = { p->insn[0], p->insn[1] };
	bool same_width = r->rec.kind != TN_CORE_FIELD_BYTE_OFF || !r->found ||
			  tn_core_same_width(&r->core->spec, &r->from, &r->core->found_spec,
					     &r->to);
	enum tn_core_fault fault = tn_core_patch(p->insn, p->is_wide, &r->from, &r->to, same_width);

	if (fault == TN_CORE_FITS) {
		p->is_offset = r->rec.kind == TN_CORE_FIELD_BYTE_OFF &&
			       r->found->target != TN_CORE_OWN;
		return 0;
	}
	p->insn[0] = was[0];
	p->insn[1] = was[1];
	return say_fault(r, fault, was);
}

/* A number of a type says which BTF it is in, see vm/btf_ptr.h. */
static void name_target(struct resolve *r)
{
	uint32_t target = r->found->target;

	if (target == TN_CORE_OWN) {
		r->to.value |= TN_BTF_LOCAL;
		return;
	}
	if (target == TN_CORE_BUILTIN)
		target = TN_BTF_TARGET_BUILTIN;
	else if (target >= r->core->opts->nr_whole || target >= TN_MAX_BTF_TARGETS ||
		 r->to.value >> TN_BTF_TARGET_SHIFT)
		target = TN_BTF_TARGET_NONE;
	r->to.value = (r->to.value & ((1u << TN_BTF_TARGET_SHIFT) - 1)) |
		      target << TN_BTF_TARGET_SHIFT;
}

static int resolve_record(struct resolve *r)
{
	struct tn_core_text t = { .len = 0 };
	int err = tn_core_parse(r->core->local, &r->rec, &r->core->spec);

	/* Of a kind that is not known: of a newer compiler. */
	if (err == -ENOTSUP) {
		tn_core_say(&t, "%s", tn_err_last()->msg);
		return refuse(r, err, &t);
	}
	if (err)
		return err;
	if (r->rec.kind == TN_CORE_LOCAL_TYPE_ID) {
		r->to = (struct tn_core_value){ .value = r->rec.type_id };
		r->from = r->to; /* not exact: linking renumbers types */
		return put(r);
	}
	err = tn_core_find(r->core, &r->rec, &r->cands);
	if (!err)
		err = tn_core_calc(&r->rec, &r->core->spec, &r->from);
	if (!err)
		err = match_all(r);
	if (!err && !r->found && !r->patch->err)
		err = tn_core_calc(&r->rec, NULL, &r->to);
	/* Of an unnamed type, or one that makes no sense of this kind. */
	if (err == -ENOTSUP || err == -EDOM) {
		if (err == -ENOTSUP)
			tn_core_say_record(&t, r->core, &r->rec);
		tn_core_say(&t, "%s", tn_err_last()->msg);
		return refuse(r, err == -EDOM ? -EINVAL : err, &t);
	}
	if (err || r->patch->err)
		return err;
	if (r->rec.kind == TN_CORE_TARGET_TYPE_ID && r->found)
		name_target(r);
	if (!r->to.missing &&
	    !(r->found && r->found->target == TN_CORE_OWN && is_question(r->rec.kind)))
		return put(r);
	tn_core_say_missing(&t, r->core, &r->rec, r->cands);
	return poison(r, &t);
}

/* ---- All of them ---- */

/* Fill the patch with the instruction as it is, or as an earlier record of it left it. */
static void begin_patch(struct tn_load *ld, uint32_t i, struct tn_core_patch *patch)
{
	const struct tn_load_core *core = &ld->cores.v[i], *prev = i ? core - 1 : NULL;
	const struct tn_elf_section *s = &ld->elf.sections[core->section];
	size_t left = s->data.size / sizeof(struct tn_insn) - core->insn;

	memcpy(patch->insn, s->data.data + (size_t)core->insn * sizeof(struct tn_insn),
	       TN_MIN(left, (size_t)2) * sizeof(struct tn_insn));
	patch->is_wide = tn_insn_is_lddw(patch->insn) && left > 1;
	if (prev && prev->section == core->section && prev->insn == core->insn)
		*patch = ld->core_patches[i - 1];
}

static int resolve_one(struct tn_load *ld, struct tn_core *core, uint32_t i)
{
	const struct tn_load_core *from = &ld->cores.v[i];
	struct resolve r = { .ld = ld, .core = core, .patch = &ld->core_patches[i] };

	begin_patch(ld, i, r.patch);
	if (r.patch->words)
		return 0;
	r.rec = (struct tn_core_record){
		.type_id = from->type_id,
		.access = tn_btf_str(core->local, from->access_off),
		.kind = (enum tn_core_kind)from->kind,
	};
	return resolve_record(&r);
}

/* libbpf leaves programs out that are not loaded by themselves, so what they want narrows the
 * candidates of no other: they come last. */
static bool is_later(const struct tn_load *ld, uint32_t i)
{
	return *ld->elf.sections[ld->cores.v[i].section].name == '?';
}

int tn_load_resolve_core(struct tn_load *ld)
{
	struct tn_core core = { .rt = ld->rt, .opts = ld->opts, .steps_left = MAX_STEPS };
	uint32_t nr = ld->cores.nr;
	int err = 0;

	if (!nr)
		return 0;
	core.local = ld->image->btf;
	core.cands = tn_alloc_array(ld->rt, core.local->nr_types, sizeof(*core.cands));
	ld->core_patches = tn_alloc_array(ld->rt, nr, sizeof(*ld->core_patches));
	if (!core.cands || !ld->core_patches)
		err = tn_err_nomem("CO-RE records");
	for (uint32_t i = 0; i < nr && !err; i++)
		err = is_later(ld, i) ? 0 : resolve_one(ld, &core, i);
	for (uint32_t i = 0; i < nr && !err; i++)
		err = is_later(ld, i) ? resolve_one(ld, &core, i) : 0;
	for (uint32_t i = 0; core.cands && i < core.local->nr_types; i++)
		tn_vec_free(ld->rt, &core.cands[i].v);
	tn_free(ld->rt, core.cands);
	return err;
}

static int apply_one(struct tn_load *ld, const struct tn_load_func *fn, struct tn_prog *prog,
		     uint32_t i, uint32_t *cap)
{
	const struct tn_load_core *core = &ld->cores.v[i];
	const struct tn_core_patch *patch = &ld->core_patches[i];
	uint32_t at = core->insn - fn->start;
	struct tn_core_site *site;

	if (patch->err)
		return tn_err(patch->err, "%s", patch->words);
	if (patch->is_wide && at + 1 == fn->nr_insns)
		return tn_err(-EINVAL,
			      "function '%s': CO-RE record at instruction %u: the lddw is "
			      "cut off",
			      fn->name, at);
	if (tn_vec_reserve(ld->rt, (void **)&prog->cores, cap, prog->nr_cores + 1,
			   sizeof(*prog->cores)))
		return tn_err_nomem("CO-RE records");
	at += fn->placed;
	memcpy(&prog->insns[at], patch->insn, (patch->is_wide ? 2 : 1) * sizeof(struct tn_insn));
	site = &prog->cores[prog->nr_cores++];
	*site = (struct tn_core_site){
		.insn = at,
		.type = tn_btf_name(ld->image->btf, core->type_id),
		.is_offset = patch->is_offset,
		.poison = patch->words,
	};
	return 0;
}

int tn_load_apply_core(struct tn_load *ld, const struct tn_load_func *fn, struct tn_prog *prog,
		       uint32_t *cap, bool *own_defect)
{
	const struct tn_load_section *s = &ld->sections[fn->section];
	uint32_t lo = s->first_core, hi = s->first_core + s->nr_core, end = hi;
	int err = 0;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (ld->cores.v[mid].insn < fn->start)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (; lo < end && ld->cores.v[lo].insn - fn->start < fn->nr_insns && !err; lo++) {
		err = apply_one(ld, fn, prog, lo, cap);
		*own_defect |= err && err != -ENOMEM;
	}
	return err;
}
