/* SPDX-License-Identifier: MIT */
/* What a load costs: proof and compilation, per instruction, and against the kernel's load of the
 * same object. */
#include "harness.h"

#include "kernel.h"
#include "tenon_side.h"

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

static void run_kernel_load(void *p, uint64_t n)
{
	struct load_arg *arg = p;
	const char *why;

	for (uint64_t i = 0; i < n; i++)
		kernel_unload(kernel_load(side_path(arg->dir, arg->name), arg->name, &why));
}

static void note_program(struct tenon_object *obj, const char *name)
{
	struct tenon_program_stats s = { .sz = sizeof(s) };

	if (tenon_program_stats(side_program(obj, name), &s) || !s.insns || !s.verified_steps)
		return;
	bench_note("verify", name, "proof", "ns a step", (double)s.verify_ns / s.verified_steps);
	bench_note("verify", name, "jit", "ns an instruction", (double)s.compile_ns / s.insns);
	bench_note("verify", name, "jit", "bytes an instruction", (double)s.code_bytes / s.insns);
}

void bench_verify(const char *dir)
{
	static const char *const names[] = { "checksum", "mix", "sort", "scan" };
	static struct load_arg args[4];
	struct tenon_runtime *rt = side_runtime();
	const char *why = NULL;

	for (int i = 0; i < 4; i++) {
		struct kernel_prog *prog = kernel_load(side_path(dir, names[i]), names[i], &why);
		struct bench_case c = { .bench = "verify",
					.name = names[i],
					.unit = "ns a load",
					.engine = "jit",
					.run = run_load,
					.arg = &args[i],
					.n = 5,
					.base = NO_BASE };

		args[i] = (struct load_arg){ rt, dir, names[i] };
		bench_add(&c);
		c.engine = "kernel";
		c.run = prog ? run_kernel_load : NULL;
		c.why = why;
		bench_add(&c);
		kernel_unload(prog);
	}
	bench_run(11);
	for (int i = 0; i < 4; i++) {
		struct tenon_object *obj = side_load(rt, dir, names[i]);

		note_program(obj, names[i]);
		tenon_object_close(obj);
	}
}
