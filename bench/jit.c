/* SPDX-License-Identifier: MIT */
/*
 * Five compute programs on the interpreter, the JIT, the kernel's JIT, and the same source compiled
 * natively by clang and gcc at -O2. Each engine's own cost of a call (its empty program) is
 * subtracted. Results must be equal before anything is timed.
 */
#include "harness.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel.h"
#include "programs/work.def"
#include "tenon_side.h"

#define FRAME_BYTES 256

#define PROGRAM(name)                                      \
	uint32_t clang_native_##name(unsigned char *data); \
	uint32_t gcc_native_##name(unsigned char *data);
WORK_PROGRAMS(PROGRAM)
#undef PROGRAM

static const struct program {
	const char *name;
	uint32_t (*clang)(unsigned char *data);
	uint32_t (*gcc)(unsigned char *data);
} programs[] = {
#define PROGRAM(name) { #name, clang_native_##name, gcc_native_##name },
	WORK_PROGRAMS(PROGRAM)
#undef PROGRAM
};
#define NR_PROGRAMS (sizeof(programs) / sizeof(programs[0]))

static unsigned char frame[FRAME_BYTES];

static void fill_frame(void)
{
	uint32_t x = 1;

	/* Text with words, numbers and line ends: every branch of `scan` is taken. */
	for (size_t i = 0; i < sizeof(frame); i++) {
		x = x * 1103515245u + 12345u;
		frame[i] = "etaoin 0123456789 shrdlu\n GET/"[(x >> 16) % 30];
	}
}

struct native_arg {
	uint32_t (*fn)(unsigned char *data);
};

static void run_native(void *arg, uint64_t n)
{
	uint32_t (*volatile fn)(unsigned char *) = ((struct native_arg *)arg)->fn;
	unsigned char data[FRAME_BYTES];

	memcpy(data, frame, sizeof(data));
	for (uint64_t i = 0; i < n; i++)
		fn(data);
}

struct tenon_arg {
	struct tenon_program *prog;
	enum tenon_engine engine;
	uint64_t retval;
};

static void run_tenon(void *arg, uint64_t n)
{
	struct tenon_arg *a = arg;

	while (n) {
		uint32_t repeat = n > 1000000 ? 1000000 : (uint32_t)n;
		struct tenon_test_run_opts opts = { .sz = sizeof(opts),
						    .data_in = frame,
						    .data_in_size = sizeof(frame),
						    .engine = a->engine,
						    .repeat = repeat };

		if (tenon_program_test_run(a->prog, &opts))
			side_die("test run");
		a->retval = opts.retval;
		n -= repeat;
	}
}

static double time_kernel(void *arg, uint64_t n)
{
	double ns;

	kernel_run(arg, frame, sizeof(frame), n, &ns);
	return ns;
}

static void check_equal(const char *program, const char *engine, uint32_t expected, uint32_t found)
{
	if (expected != found) {
		fprintf(stderr, "bench: %s: %s gives %u, clang %u\n", program, engine, found,
			expected);
		exit(1);
	}
}

static uint32_t native_once(uint32_t (*fn)(unsigned char *))
{
	unsigned char data[FRAME_BYTES];

	memcpy(data, frame, sizeof(data));
	return fn(data);
}

static int add_tenon(const struct program *p, struct tenon_program *prog, enum tenon_engine engine,
		     const char *words, int base)
{
	struct tenon_arg *arg = calloc(1, sizeof(*arg));

	*arg = (struct tenon_arg){ .prog = prog, .engine = engine };
	run_tenon(arg, 1);
	check_equal(p->name, words, native_once(p->clang), (uint32_t)arg->retval);
	return bench_add(&(struct bench_case){ .bench = "jit",
					       .name = p->name,
					       .engine = words,
					       .unit = "ns",
					       .run = run_tenon,
					       .arg = arg,
					       .base = base,
					       .hidden = base == NO_BASE });
}

static int add_kernel(const struct program *p, const char *dir, int base)
{
	struct bench_case c = { .bench = "jit",
				.name = p->name,
				.engine = "kernel",
				.unit = "ns",
				.base = base,
				.hidden = base == NO_BASE };
	struct kernel_prog *prog = kernel_load(side_path(dir, p->name), p->name, &c.why);

	if (prog) {
		check_equal(p->name, "kernel", native_once(p->clang),
			    kernel_run(prog, frame, sizeof(frame), 1, NULL));
		c.timed = time_kernel;
		c.n = 10000;
		c.arg = prog;
	}
	return bench_add(&c);
}

static int add_native(const struct program *p, uint32_t (*fn)(unsigned char *), const char *words,
		      int base)
{
	struct native_arg *arg = calloc(1, sizeof(*arg));

	arg->fn = fn;
	check_equal(p->name, words, native_once(p->clang), native_once(fn));
	return bench_add(&(struct bench_case){ .bench = "jit",
					       .name = p->name,
					       .engine = words,
					       .unit = "ns",
					       .run = run_native,
					       .arg = arg,
					       .base = base,
					       .hidden = base == NO_BASE });
}

/* The geometric mean of engine / against over the programs. */
static void note_ratio(const char *engine, const char *against)
{
	char name[64];
	double sum = 0;

	for (size_t i = 1; i < NR_PROGRAMS; i++) {
		double a = bench_min("jit", programs[i].name, engine);
		double b = bench_min("jit", programs[i].name, against);

		if (a <= 0 || b <= 0)
			return;
		sum += log(a / b);
	}
	snprintf(name, sizeof(name), "geomean of %s / %s", engine, against);
	bench_note("jit", name, engine, "x", exp(sum / (double)(NR_PROGRAMS - 1)));
}

void bench_jit(const char *dir)
{
	struct tenon_runtime *rt = side_runtime();
	int base[5] = { NO_BASE, NO_BASE, NO_BASE, NO_BASE, NO_BASE };

	fill_frame();
	/* programs[0] is `empty`: the base of each engine. */
	for (size_t i = 0; i < NR_PROGRAMS; i++) {
		const struct program *p = &programs[i];
		struct tenon_object *obj = side_load(rt, dir, p->name);
		struct tenon_program *prog = side_program(obj, p->name);
		int rows[5];

		rows[0] = add_tenon(p, prog, TENON_ENGINE_INTERP, "interp", base[0]);
		rows[1] = add_tenon(p, prog, TENON_ENGINE_JIT, "jit", base[1]);
		rows[2] = add_kernel(p, dir, base[2]);
		rows[3] = add_native(p, p->clang, "clang", base[3]);
		rows[4] = add_native(p, p->gcc, "gcc", base[4]);
		if (i == 0)
			memcpy(base, rows, sizeof(base));
	}
	bench_run(31);
	note_ratio("jit", "kernel");
	note_ratio("jit", "clang");
	note_ratio("interp", "jit");
}
