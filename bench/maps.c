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
	{ "lru lookup 10k", "lookup_lru_10k", "fill_lru_10k", 9000 / OPS + 1 },
	{ "lru insert 10k", "insert_lru_10k", "insert_lru_10k", 10000 / OPS + 1 },
	{ "lru flow 10k", "mixed_lru_10k", "mixed_lru_10k", 40000 / OPS },
	{ "array lookup", "lookup_array", NULL, 0 },
};
#define RING_RUNS 200 /* that fit into the ring: 64 records of 64 + 8 bytes each */
#define NR_CASES  (sizeof(cases) / sizeof(cases[0]))

static void run_tenon_times(struct tenon_program *prog, uint64_t runs)
{
	struct tenon_test_run_opts opts = { .sz = sizeof(opts),
					    .data_in = frame,
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

/* The ring is drained outside the clock. */
struct ring_arg {
	struct tenon_program *prog;
	struct tenon_ring_buffer *consumer;
	struct kernel_prog *kernel;
};

static int ignore_sample(void *user, void *data, size_t size)
{
	(void)user;
	(void)data;
	(void)size;
	return 0;
}

static double time_tenon_ring(void *p, uint64_t n)
{
	struct ring_arg *arg = p;
	uint64_t sum = 0;

	for (uint64_t runs = n / OPS; runs; runs -= RING_RUNS) {
		uint64_t start = bench_now_ns();

		run_tenon_times(arg->prog, RING_RUNS);
		sum += bench_now_ns() - start;
		tenon_ring_buffer_consume(arg->consumer);
	}
	return (double)sum;
}

static double time_kernel_ring(void *p, uint64_t n)
{
	struct ring_arg *arg = p;
	double sum = 0, ns;

	for (uint64_t runs = n / OPS; runs; runs -= RING_RUNS) {
		kernel_run(arg->kernel, frame, sizeof(frame), RING_RUNS, &ns);
		sum += ns;
		kernel_drain(arg->kernel, "ring");
	}
	return sum;
}

static void add_rings(struct tenon_object *obj, struct kernel_prog *kernel, const char *why,
		      int base_tenon, int base_kernel)
{
	static struct ring_arg arg;
	struct bench_case c = { .bench = "maps",
				.name = "ring reserve+submit",
				.engine = "jit",
				.unit = "ns",
				.timed = time_tenon_ring,
				.arg = &arg,
				.n = OPS * RING_RUNS * 5,
				.base = base_tenon };

	arg.prog = side_program(obj, "ring_submit");
	arg.consumer = tenon_ring_buffer_new(tenon_object_find_map(obj, "ring"), ignore_sample,
					     NULL);
	if (!arg.consumer)
		side_die("ring");
	bench_add(&c);
	arg.kernel = kernel;
	c.engine = "kernel";
	c.timed = kernel ? time_kernel_ring : NULL;
	c.why = why;
	c.base = base_kernel;
	bench_add(&c);
}

void bench_maps(const char *dir)
{
	struct tenon_object *obj = side_load(side_runtime(), dir, "maps");
	int base_tenon = NO_BASE, base_kernel = NO_BASE;
	struct kernel_prog *kernel;
	const char *why = NULL;

	for (size_t i = 0; i < NR_CASES; i++) {
		struct bench_case c = { .bench = "maps",
					.name = cases[i].name,
					.engine = "jit",
					.unit = "ns",
					.run = run_tenon,
					.n = OPS * 2000,
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
		struct bench_case c = { .bench = "maps",
					.name = cases[i].name,
					.engine = "kernel",
					.unit = "ns",
					.n = OPS * 5000,
					.base = base_kernel };
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
	kernel = kernel_load(side_path(dir, "maps"), "ring_submit", &why);
	add_rings(obj, kernel, why, base_tenon, base_kernel);
	bench_run(31);
}
