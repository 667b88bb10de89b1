/* SPDX-License-Identifier: MIT */
/* What the floor above calls: the programs of an object into one piece of code. */
#include <errno.h>
#include <string.h>

#include "jit/jit.h"
#include "jit/native_map.h"
#include "base/err.h"
#include "base/fault.h"

#if defined(__x86_64__)

#include "jit/x86_64/emit.h"

/* The code's descriptor, then the maps of its programs and the loads that may fault, in one
 * allocation. */
struct compiled {
	struct tn_code code; /* first: what callers hold */
	struct tn_fault_code *faults;
	struct tn_native_map maps[];
};

/* One program on its way. */
struct job {
	struct tn_emit e;
	uint32_t begin, end; /* labels */
};

int tn_jit_available(void)
{
	return tn_code_probe();
}

static int check_prog(const struct tn_prog *prog)
{
	uint32_t i;

	if (!prog->nr_insns || !prog->nr_subprogs)
		return tn_err(-EINVAL, "program '%s' is empty", prog->name ? prog->name : "");
	for (i = 0; i < prog->nr_insns; i++) {
		if (!tn_insn_is_lddw(&prog->insns[i]))
			continue;
		if (prog->insns[i].src != TN_LDDW_IMM)
			return tn_err(-EINVAL, "insn %u: a reference that was not rewritten", i);
		i++;
	}
	return 0;
}

static int emit_job(struct job *job, struct tn_codebuf *b, const struct tn_prog *prog)
{
	int err = check_prog(prog);

	job->e.b = b;
	job->e.prog = prog;
	if (!err)
		err = tn_codebuf_reserve(b);
	if (!err)
		err = tn_codebuf_labels(b, 2, &job->begin);
	if (err)
		return err;
	job->end = job->begin + 1;
	tn_codebuf_item(b, TN_ITEM_ALIGN, 0, 0);
	tn_codebuf_bind(b, job->begin);
	err = tn_emit_prog(&job->e);
	if (!err)
		tn_codebuf_bind(b, job->end);
	return err;
}

static struct compiled *new_compiled(struct tn_rt *rt, struct tn_prog *const *progs, uint32_t nr,
				     uint32_t nr_faults, struct tn_fault_site **sites)
{
	size_t insns = 0, maps = nr * sizeof(struct tn_native_map);
	struct compiled *c;
	uint32_t *off, i;

	for (i = 0; i < nr; i++)
		insns += progs[i]->nr_insns;
	c = tn_zalloc(rt, sizeof(*c) + maps + insns * sizeof(uint32_t) +
				  nr_faults * sizeof(struct tn_fault_site));
	if (!c)
		return NULL;
	off = (uint32_t *)&c->maps[nr];
	for (i = 0; i < nr; i++) {
		c->maps[i].nr = progs[i]->nr_insns;
		c->maps[i].off = off;
		off += progs[i]->nr_insns;
	}
	*sites = (struct tn_fault_site *)off;
	return c;
}

/* Code that nothing reaches counts to what stands before it. */
static void fill_map(const struct job *job, const struct tn_codebuf *b, uint32_t *off)
{
	uint32_t begin = tn_codebuf_label_off(b, job->begin), last = 0, i;

	for (i = 0; i < job->e.prog->nr_insns; i++) {
		if (b->labels[job->e.labels + i].off != TN_LABEL_UNBOUND)
			last = tn_codebuf_label_off(b, job->e.labels + i) - begin;
		off[i] = last;
	}
}

static void *address(const struct tn_codebuf *b, const struct tn_code *code, uint32_t label)
{
	return code->base + tn_codebuf_label_off(b, label);
}

/* Nothing fails any more: the program learns where its code is. */
static void publish(struct tn_prog *prog, const struct job *job, const struct tn_codebuf *b,
		    struct tn_code *code, const struct tn_native_map *map)
{
	uint32_t i;

	prog->entry = (tn_native_fn)(uintptr_t)address(b, code, job->e.fns[0].main_entry);
	for (i = 0; prog->funcs && i < prog->nr_subprogs; i++)
		if (job->e.fns[i].is_callback)
			prog->funcs[i].native = (tn_native_func)(uintptr_t)address(
				b, code, job->e.fns[i].func_entry);
	prog->code = code;
	prog->code_off = tn_codebuf_label_off(b, job->begin);
	prog->code_bytes = tn_codebuf_label_off(b, job->end) - prog->code_off;
	prog->native = map;
}

static int add_faults(const struct tn_codebuf *b, struct compiled *c, struct tn_fault_site *sites)
{
	for (uint32_t i = 0; i < b->nr_faults; i++)
		sites[i] = (struct tn_fault_site){ .off = tn_codebuf_fault_off(b, &b->faults[i]),
						   .bytes = b->faults[i].bytes,
						   .reg = b->faults[i].reg };
	if (b->nr_faults)
		c->faults = tn_fault_code_add(c->code.base, c->code.size, sites, b->nr_faults);
	return c->faults || !b->nr_faults ? 0 : tn_err_nomem("loads that may fault");
}

static int place(struct tn_rt *rt, struct tn_prog *const *progs, uint32_t nr,
		 const struct job *jobs, struct tn_codebuf *b, struct tn_code **out)
{
	struct tn_fault_site *sites;
	struct compiled *c = new_compiled(rt, progs, nr, b->nr_faults, &sites);
	uint32_t i;
	int err;

	if (!c)
		return tn_err_nomem("map of compiled code");
	tn_codebuf_layout(b);
	err = tn_code_alloc_near(rt, b->size, tn_codebuf_near(b), &c->code);
	if (err) {
		tn_free(rt, c);
		return err;
	}
	tn_codebuf_write(b, c->code.base);
	for (i = 0; i < nr; i++)
		fill_map(&jobs[i], b, (uint32_t *)c->maps[i].off);
	err = tn_code_seal(rt, &c->code);
	if (!err)
		err = add_faults(b, c, sites);
	if (err) {
		tn_jit_code_free(rt, &c->code);
		return err;
	}
	for (i = 0; i < nr; i++)
		publish(progs[i], &jobs[i], b, &c->code, &c->maps[i]);
	*out = &c->code;
	return 0;
}

int tn_jit_compile(struct tn_rt *rt, struct tn_prog *const *progs, uint32_t nr,
		   struct tn_code **code)
{
	struct tn_codebuf b = { .rt = rt };
	struct job *jobs;
	uint32_t i;
	int err = 0;

	jobs = tn_alloc_array(rt, nr, sizeof(jobs[0]));
	if (!jobs)
		return tn_err_nomem("compilation");
	for (i = 0; !err && i < nr; i++) {
		err = emit_job(&jobs[i], &b, progs[i]);
		if (err)
			tn_err_at(TN_STAGE_COMPILE, NULL, progs[i]->name, -1, NULL);
	}
	if (!err)
		err = place(rt, progs, nr, jobs, &b, code);
	for (i = 0; i < nr; i++)
		if (jobs[i].e.prog)
			tn_emit_free(&jobs[i].e);
	tn_free(rt, jobs);
	tn_codebuf_free(&b);
	return err;
}

void tn_jit_code_free(struct tn_rt *rt, struct tn_code *code)
{
	if (!code)
		return;
	tn_fault_code_remove(((struct compiled *)code)->faults);
	tn_code_free(rt, code);
	tn_free(rt, code);
}

#else /* other machines: the interpreter serves */

int tn_jit_available(void)
{
	return tn_err(-ENOTSUP, "no JIT for this machine");
}

int tn_jit_compile(struct tn_rt *rt, struct tn_prog *const *progs, uint32_t nr,
		   struct tn_code **code)
{
	(void)rt;
	(void)progs;
	(void)nr;
	(void)code;
	return tn_jit_available();
}

void tn_jit_code_free(struct tn_rt *rt, struct tn_code *code)
{
	(void)rt;
	(void)code;
}

#endif
