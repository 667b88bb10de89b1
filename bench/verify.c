/* SPDX-License-Identifier: MIT */
/*
 * What a load costs: proof and compilation, per instruction, and against the kernel's load of the
 * same object. Both loads include reading the object and, where it is on, compilation; the kernel's
 * is little else than its verifier. Tenon's proof is also shown alone.
 */
#include "harness.h"

#include "kernel.h"
#include "tenon_side.h"

/* Small programs, programs of 3,000 instructions and more with hundreds of joins, and a loop of 13
 * instructions to a million. */
static const char *const names[] = { "checksum", "mix",	  "sort",   "scan", "options",
				     "forest",	 "lexer", "ledger", "count" };
#define NR_NAMES (sizeof(names) / sizeof(names[0]))

struct load_arg {
	struct tenon_runtime *rt;
	const char *dir, *name;
};

static void run_load(void *p, uint64_t n)
{
	struct load_arg *arg = p;

	for (uint64_t i = 0; i < n; i++)
		tenon_object_close(side_load(arg->rt, arg->dir, arg->name));
}

static double time_proof(void *p, uint64_t n)
{
	struct load_arg *arg = p;
	double sum = 0;

	for (uint64_t i = 0; i < n; i++) {
		struct tenon_object *obj = side_load(arg->rt, arg->dir, arg->name);
		struct tenon_program_stats s = { .sz = sizeof(s) };

		if (!tenon_program_stats(side_program(obj, arg->name), &s))
			sum += (double)s.verify_ns;
		tenon_object_close(obj);
	}
	return sum;
}

static void run_kernel_load(void *p, uint64_t n)
{
	struct load_arg *arg = p;
	const char *why;

	for (uint64_t i = 0; i < n; i++)
		kernel_unload(kernel_load(side_path(arg->dir, arg->name), arg->name, &why));
}

static void note_program(struct tenon_object *obj, const char *name, uint32_t verified,
			 double kernel_us, uint32_t joins)
{
	struct tenon_program *prog = side_program(obj, name);
	struct tenon_program_stats s = { .sz = sizeof(s) };
	struct tenon_report r = { .sz = sizeof(r) };

	if (tenon_program_stats(prog, &s) || tenon_program_report(prog, &r) || !s.insns || !r.steps)
		return;
	bench_note("verify", name, "proof", "instructions", s.insns);
	if (joins)
		bench_note("verify", name, "proof", "joins", joins);
	bench_note("verify", name, "proof", "steps", (double)r.steps);
	if (verified)
		bench_note("verify", name, "kernel", "steps", verified);
	if (kernel_us > 0)
		bench_note("verify", name, "kernel", "us of verification alone", kernel_us);
	if (kernel_us > 0 && verified)
		bench_note("verify", name, "kernel", "ns a step", kernel_us * 1000 / verified);
	bench_note("verify", name, "proof", "ns a step",
		   bench_min("verify", name, "proof") / (double)r.steps);
	bench_note("verify", name, "proof", "states", (double)r.states);
	bench_note("verify", name, "proof", "peak KiB", (double)r.peak_bytes / 1024);
	bench_note("verify", name, "jit", "ns an instruction", (double)s.compile_ns / s.insns);
	bench_note("verify", name, "jit", "bytes an instruction", (double)s.code_bytes / s.insns);
}

static uint32_t add_cases(struct load_arg *arg)
{
	const char *why = NULL;
	struct kernel_prog *prog = kernel_load(side_path(arg->dir, arg->name), arg->name, &why);
	struct bench_case c = { .bench = "verify",
				.name = arg->name,
				.unit = "ns a load",
				.engine = "jit",
				.run = run_load,
				.arg = arg,
				.n = 3,
				.base = NO_BASE };
	uint32_t verified = prog ? kernel_verified(prog) : 0;

	bench_add(&c);
	c.engine = "proof";
	c.unit = "ns a proof";
	c.timed = time_proof;
	c.run = NULL;
	bench_add(&c);
	c.engine = "kernel";
	c.unit = "ns a load";
	c.timed = NULL;
	c.run = prog ? run_kernel_load : NULL;
	c.n = 1;
	c.why = why;
	bench_add(&c);
	kernel_unload(prog);
	return verified;
}

void bench_verify(const char *dir)
{
	static struct load_arg args[NR_NAMES];
	struct tenon_runtime *rt = side_runtime();
	uint32_t verified[NR_NAMES];

	for (size_t i = 0; i < NR_NAMES; i++) {
		args[i] = (struct load_arg){ rt, dir, names[i] };
		verified[i] = add_cases(&args[i]);
	}
	bench_run(11);
	for (size_t i = 0; i < NR_NAMES; i++) {
		struct tenon_object *obj = side_load(rt, dir, names[i]);

		note_program(obj, names[i], verified[i],
			     verified[i] ? kernel_verify_us(side_path(dir, names[i]), 5) : 0,
			     kernel_joins(side_path(dir, names[i])));
		tenon_object_close(obj);
	}
}
