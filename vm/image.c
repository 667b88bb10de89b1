/* SPDX-License-Identifier: MIT */
/* The life of images and programs, and the tables that are looked up in them. */
#include "vm/image.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/err.h"
#include "base/mem.h"
#include "maps/map.h"

struct tn_image *tn_image_new(struct tn_rt *rt, const char *name)
{
	struct tn_image *image = tn_new(rt, struct tn_image);

	if (!image)
		return NULL;
	image->rt = rt;
	image->name = tn_strdup(rt, name);
	image->license = tn_strdup(rt, "");
	if (!image->name || !image->license) {
		tn_image_free(image);
		return NULL;
	}
	return image;
}

static void free_map_decl(struct tn_rt *rt, struct tn_map_decl *decl)
{
	tn_free(rt, decl->name);
	tn_free(rt, decl->data);
	tn_free(rt, decl->section);
	tn_free(rt, decl->init_progs);
	tn_free(rt, decl->init_maps);
	tn_free(rt, decl->inner);
	if (decl->ops)
		tn_free(rt, decl->ops->funcs);
	tn_free(rt, decl->ops);
}

void tn_image_free(struct tn_image *image)
{
	struct tn_rt *rt;
	uint32_t i;

	if (!image)
		return;
	rt = image->rt;
	for (i = 0; i < image->nr_progs; i++)
		tn_prog_free(image->progs[i]);
	for (i = 0; i < image->nr_maps; i++)
		free_map_decl(rt, &image->maps[i]);
	for (i = 0; i < image->nr_sections; i++)
		tn_free(rt, image->sections[i].name);
	for (i = 0; i < image->nr_relocs; i++) {
		tn_free(rt, image->relocs[i].section);
		tn_free(rt, image->relocs[i].symbol);
	}
	tn_free(rt, image->progs);
	tn_free(rt, image->maps);
	tn_free(rt, image->sections);
	tn_free(rt, image->relocs);
	for (i = 0; i < image->nr_core_words; i++)
		tn_free(rt, image->core_words[i]);
	tn_free(rt, image->core_words);
	tn_free(rt, image->license);
	tn_free(rt, image->name);
	tn_btf_free(image->btf);
	tn_free(rt, image);
}

/* Process-wide, so that an id names one program whatever the runtime. */
static uint32_t next_prog_id(void)
{
	static _Atomic uint32_t last;

	return tn_add_relaxed(&last, 1) + 1;
}

struct tn_prog *tn_prog_new(struct tn_rt *rt, const char *name)
{
	struct tn_prog *prog = tn_new(rt, struct tn_prog);

	if (!prog)
		return NULL;
	prog->rt = rt;
	prog->autoload = true;
	prog->id = next_prog_id();
	tn_store_relaxed(&prog->refs, 1);
	prog->name = tn_strdup(rt, name);
	if (!prog->name) {
		tn_prog_free(prog);
		return NULL;
	}
	return prog;
}

static void free_subprogs(struct tn_rt *rt, struct tn_subprog *subprogs, uint32_t nr)
{
	for (uint32_t i = 0; subprogs && i < nr; i++)
		tn_free(rt, subprogs[i].name);
	tn_free(rt, subprogs);
}

void tn_prog_free(struct tn_prog *prog)
{
	struct tn_rt *rt;
	uint32_t i;

	if (!prog)
		return;
	rt = prog->rt;
	for (i = 0; prog->maps && i < prog->nr_maps; i++)
		tn_map_put(prog->maps[i]);
	for (i = 0; i < prog->nr_externs; i++)
		tn_free(rt, prog->externs[i].name);
	free_subprogs(rt, prog->subprogs, prog->nr_subprogs);
	tn_facts_free(rt, prog->facts);
	tn_free(rt, prog->funcs);
	tn_free(rt, prog->maps);
	tn_free(rt, prog->map_decls);
	tn_free(rt, prog->externs);
	tn_free(rt, prog->lines);
	tn_free(rt, prog->cores);
	tn_free(rt, prog->insns);
	tn_free(rt, prog->section);
	tn_free(rt, prog->defect);
	tn_free(rt, prog->name);
	tn_free(rt, prog);
}

int tn_prog_set_insns(struct tn_prog *prog, const struct tn_insn *insns, uint32_t nr)
{
	struct tn_insn *copy = tn_memdup(prog->rt, insns, (size_t)nr * sizeof(*insns));

	if (!copy)
		return tn_err_nomem("instructions");
	tn_free(prog->rt, prog->insns);
	prog->insns = copy;
	prog->nr_insns = nr;
	return 0;
}

/* ---- Subprograms of raw bytecode ---- */

static bool refers_to_func(const struct tn_insn *insn)
{
	return (insn->code == (TN_JMP | TN_CALL) && insn->src == TN_CALL_LOCAL) ||
	       (tn_insn_is_lddw(insn) && insn->src == TN_LDDW_FUNC);
}

/* Mark the first instruction of every function; returns how many, or -EINVAL. */
static int mark_starts(const struct tn_prog *prog, uint8_t *starts)
{
	uint32_t nr = 1;

	starts[0] = 1;
	for (uint32_t i = 0; i < prog->nr_insns; i++) {
		const struct tn_insn *insn = &prog->insns[i];
		int64_t target = (int64_t)i + 1 + insn->imm;

		if (!refers_to_func(insn))
			continue;
		if (target < 0 || target >= prog->nr_insns)
			return tn_err(-EINVAL, "insn %u: call to %" PRId64 " leaves the program", i,
				      target);
		nr += !starts[target];
		starts[target] = 1;
	}
	return (int)nr;
}

static int name_subprog(struct tn_prog *prog, struct tn_subprog *sub, uint32_t idx)
{
	sub->name = idx ? tn_asprintf(prog->rt, "subprog_%u", idx)
			: tn_strdup(prog->rt, prog->name);
	return sub->name ? 0 : tn_err_nomem("subprogram names");
}

/* No function may jump into another, or run on into the next. */
static int check_subprog(const struct tn_prog *prog, const struct tn_subprog *sub)
{
	const struct tn_insn *last = &prog->insns[sub->end - 1];

	for (uint32_t i = sub->start; i < sub->end; i++) {
		const struct tn_insn *insn = &prog->insns[i];
		int64_t target = (int64_t)i + 1 + tn_insn_jump_off(insn);

		if (tn_insn_is_jump(insn) && (target < sub->start || target >= sub->end))
			return tn_err(-EINVAL, "insn %u: jump to %" PRId64 " leaves function '%s'",
				      i, target, sub->name);
	}
	if (last->code != (TN_JMP | TN_EXIT) && !tn_insn_is_ja(last))
		return tn_err(-EINVAL, "insn %u: function '%s' runs past its end", sub->end - 1,
			      sub->name);
	return 0;
}

static void mark_callbacks(struct tn_prog *prog)
{
	for (uint32_t i = 0; i < prog->nr_insns; i++) {
		const struct tn_insn *insn = &prog->insns[i];

		if (tn_insn_is_lddw(insn) && insn->src == TN_LDDW_FUNC)
			prog->subprogs[tn_prog_subprog_at(prog, i + 1 + (uint32_t)insn->imm)]
				.is_callback = true;
	}
}

static int fill_subprogs(struct tn_prog *prog, const uint8_t *starts)
{
	uint32_t idx = 0;
	int err = 0;

	for (uint32_t i = 0; i < prog->nr_insns; i++) {
		if (starts[i]) {
			if (idx)
				prog->subprogs[idx - 1].end = i;
			prog->subprogs[idx].start = i;
			err = name_subprog(prog, &prog->subprogs[idx], idx);
			if (err)
				return err;
			idx++;
		}
	}
	prog->subprogs[idx - 1].end = prog->nr_insns;
	for (uint32_t i = 0; !err && i < prog->nr_subprogs; i++)
		err = check_subprog(prog, &prog->subprogs[i]);
	return err;
}

int tn_prog_find_subprogs(struct tn_prog *prog)
{
	struct tn_rt *rt = prog->rt;
	uint8_t *starts;
	int err;

	if (!prog->nr_insns)
		return tn_err(-EINVAL, "the program has no instructions");
	starts = tn_alloc_array(rt, prog->nr_insns, 1);
	if (!starts)
		return tn_err_nomem("subprogram table");
	err = mark_starts(prog, starts);
	if (err < 0)
		goto out;
	free_subprogs(rt, prog->subprogs, prog->nr_subprogs);
	prog->nr_subprogs = (uint32_t)err;
	prog->subprogs = tn_alloc_array(rt, prog->nr_subprogs, sizeof(*prog->subprogs));
	if (!prog->subprogs) {
		prog->nr_subprogs = 0;
		err = tn_err_nomem("subprogram table");
		goto out;
	}
	err = fill_subprogs(prog, starts);
	if (!err)
		mark_callbacks(prog);
out:
	tn_free(rt, starts);
	return err;
}

/* ---- Lookups ---- */

uint32_t tn_prog_subprog_at(const struct tn_prog *prog, uint32_t insn)
{
	uint32_t low = 0, high = prog->nr_subprogs;

	/* The last one that starts at or before `insn`. */
	while (high - low > 1) {
		uint32_t mid = low + (high - low) / 2;

		if (prog->subprogs[mid].start <= insn)
			low = mid;
		else
			high = mid;
	}
	return low;
}

const struct tn_line *tn_prog_line(const struct tn_prog *prog, uint32_t insn)
{
	uint32_t low = 0, high = prog->nr_lines;

	if (!prog->nr_lines || prog->lines[0].insn > insn)
		return NULL;
	while (high - low > 1) {
		uint32_t mid = low + (high - low) / 2;

		if (prog->lines[mid].insn <= insn)
			low = mid;
		else
			high = mid;
	}
	/* A record ends with its function. */
	if (prog->nr_subprogs &&
	    prog->lines[low].insn < prog->subprogs[tn_prog_subprog_at(prog, insn)].start)
		return NULL;
	return &prog->lines[low];
}

const struct tn_core_site *tn_prog_core(const struct tn_prog *prog, uint32_t insn)
{
	uint32_t low = 0, high = prog->nr_cores;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (prog->cores[mid].insn < insn)
			low = mid + 1;
		else
			high = mid;
	}
	return low < prog->nr_cores && prog->cores[low].insn == insn ? &prog->cores[low] : NULL;
}

struct tn_facts *tn_facts_new(struct tn_rt *rt, uint32_t nr_insns, uint32_t nr_subprogs)
{
	struct tn_facts *facts = tn_new(rt, struct tn_facts);

	if (!facts)
		return NULL;
	facts->insns = tn_alloc_array(rt, nr_insns, sizeof(*facts->insns));
	facts->subprogs = tn_alloc_array(rt, nr_subprogs, sizeof(*facts->subprogs));
	if (!facts->insns || !facts->subprogs) {
		tn_facts_free(rt, facts);
		return NULL;
	}
	return facts;
}

void tn_facts_free(struct tn_rt *rt, struct tn_facts *facts)
{
	if (!facts)
		return;
	tn_free(rt, facts->insns);
	tn_free(rt, facts->subprogs);
	tn_free(rt, facts->releasers);
	tn_free(rt, facts);
}
