/* SPDX-License-Identifier: MIT */
/*
 * Map operations from a program, in Tenon and in the kernel: the same object, 64 operations a run.
 * The loop with its key generator (loop_only) is subtracted.
 */
#include "harness.h"

#include <stdlib.h>

#include "kernel.h"
#include "tenon_side.h"

#define OPS 64 /* programs/maps.bpf.c */

static unsigned char frame[64];

static const struct {
	const char *name, *program, *fill;
	int fills;
} cases[] = {
	{ "loop", "loop_only", NULL, 0 },
	{ "hash lookup 1k", "lookup_hash_1k", "fill_hash_1k", 1000 / OPS + 1 },
	{ "hash lookup 10k", "lookup_hash_10k", "fill_hash_10k", 10000 / OPS + 1 },
	{ "hash lookup 100k", "lookup_hash_100k", "fill_hash_100k", 100000 / OPS + 1 },
	{ "hash update 10k", "update_hash_10k", NULL, 0 },
	{ "array lookup", "lookup_array", NULL, 0 },
	{ "ring reserve+discard", "ring_discard", NULL, 0 },
};
#define NR_CASES (sizeof(cases) / sizeof(cases[0]))

static void run_tenon_times(struct tenon_program *prog, uint64_t runs)
{
	struct tenon_test_run_opts opts = { .sz = sizeof(opts), .data_in = frame,
					    .data_in_size = sizeof(frame),
					    .repeat = (uint32_t)runs };

	if (tenon_program_test_run(prog, &opts))
		side_die("test run");
}

static void run_tenon(void *arg, uint64_t n)
{
	run_tenon_times(arg, n / OPS);
}

static double time_kernel(void *arg, uint64_t n)
{
	double ns;

	kernel_run(arg, frame, sizeof(frame), n / OPS, &ns);
	return ns;
}

void bench_maps(const char *dir)
{
	struct tenon_object *obj = side_load(side_runtime(), dir, "maps");
	int base_tenon = NO_BASE, base_kernel = NO_BASE;

	for (size_t i = 0; i < NR_CASES; i++) {
		struct bench_case c = { .bench = "maps", .name = cases[i].name, .engine = "jit",
					.unit = "ns", .run = run_tenon, .n = OPS * 2000,
					.base = base_tenon };

		if (cases[i].fill)
			run_tenon_times(side_program(obj, cases[i].fill), (uint64_t)cases[i].fills);
		c.arg = side_program(obj, cases[i].program);
		if (i == 0)
			base_tenon = bench_add(&c);
		else
			bench_add(&c);
	}
	for (size_t i = 0; i < NR_CASES; i++) {
		struct bench_case c = { .bench = "maps", .name = cases[i].name, .engine = "kernel",
					.unit = "ns", .n = OPS * 5000, .base = base_kernel };
		struct kernel_prog *prog;
		int row;

		prog = kernel_load(side_path(dir, "maps"), cases[i].program, &c.why);
		if (prog) {
			struct kernel_prog *fill = NULL;

			/* Each load has maps of its own: fill through the same object. */
			if (cases[i].fill)
				fill = kernel_sibling(prog, cases[i].fill);
			if (fill)
				kernel_run(fill, frame, sizeof(frame), (uint64_t)cases[i].fills,
					   NULL);
			c.timed = time_kernel;
			c.arg = prog;
		}
		row = bench_add(&c);
		if (i == 0 && prog)
			base_kernel = row;
	}
	bench_run(31);
}
