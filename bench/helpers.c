/* SPDX-License-Identifier: MIT */
/* What a call costs: a subprogram, a standard helper, a host function called directly by compiled
 * code, and one through libffi (a struct by value; and any host function from the interpreter). */
#include "harness.h"

#include <stdlib.h>

#include "tenon_side.h"

#define CALLS 64 /* programs/helpers.bpf.c */

struct bench_ctx {
	uint64_t a, b;
};

struct pair {
	uint32_t x, y;
};

static const struct tenon_field fields[] = { TENON_SCALAR(struct bench_ctx, a, TENON_R),
					     TENON_SCALAR(struct bench_ctx, b, TENON_R) };
static const struct tenon_ctx_type ctx_type = TENON_CTX_TYPE(bench_ctx, fields);

static int64_t direct(uint64_t a, uint32_t b)
{
	__asm__ volatile("" : "+r"(a));
	return (int64_t)(a + b);
}

static int64_t by_value(struct pair pair)
{
	return pair.x + pair.y;
}

static void *take(void)
{
	static int thing;

	return &thing;
}

static void give(void *thing)
{
	__asm__ volatile("" : : "r"(thing));
}

static void stop(void)
{
}

struct arg {
	struct tenon_program *prog;
	enum tenon_engine engine;
};

static void run(void *p, uint64_t n)
{
	struct arg *arg = p;
	struct bench_ctx ctx = { 1, 2 };
	struct tenon_test_run_opts opts = { .sz = sizeof(opts),
					    .ctx = &ctx,
					    .ctx_size = sizeof(ctx),
					    .engine = arg->engine,
					    .repeat = (uint32_t)(n / CALLS) };

	if (tenon_program_test_run(arg->prog, &opts))
		side_die("test run");
}

static void run_native(void *p, uint64_t n)
{
	int64_t (*volatile fn)(uint64_t, uint32_t) = direct;
	int64_t sum = 0;

	(void)p;
	for (uint64_t i = 0; i < n; i++)
		sum += fn((uint64_t)sum, (uint32_t)i);
	__asm__ volatile("" : : "r"(sum));
}

static void add_engine(struct tenon_object *obj, enum tenon_engine engine, const char *words)
{
	static const struct {
		const char *name, *program;
	} cases[] = {
		{ "none", "call_none" },
		{ "subprogram", "call_subprogram" },
		{ "standard helper", "call_standard" },
		{ "host function", "call_direct" },
		{ "host, through libffi", "call_ffi" },
		{ "take and give back", "call_take_give" },
		{ "the same, noted", "call_take_give_noted" },
	};
	int base = NO_BASE;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct arg *arg = calloc(1, sizeof(*arg));
		int row;

		*arg = (struct arg){ side_program(obj, cases[i].program), engine };
		row = bench_add(&(struct bench_case){ .bench = "helpers",
						      .name = cases[i].name,
						      .engine = words,
						      .unit = "ns",
						      .run = run,
						      .arg = arg,
						      .n = CALLS * 4000,
						      .base = base,
						      .hidden = i == 0 });
		if (i == 0)
			base = row;
	}
}

void bench_helpers(const char *dir)
{
	static struct tenon_hook hook;
	struct tenon_runtime *rt = side_runtime();
	const struct tenon_hook_desc desc = { .sz = sizeof(desc),
					      .name = "helpers",
					      .ctx = &ctx_type };
	const struct tenon_helper_opts may_stop = { .sz = sizeof(may_stop),
						    .flags = TENON_MAY_ABORT };
	struct tenon_object *obj;

	if (tenon_hook_register(rt, &hook, &desc) ||
	    tenon_runtime_add_helper(rt, "bench_take", "acquire:thing()", TENON_FN(take), NULL) ||
	    tenon_runtime_add_helper(rt, "bench_give", "void(release:thing)", TENON_FN(give),
				     NULL) ||
	    tenon_runtime_add_helper(rt, "bench_stop", "void()", TENON_FN(stop), &may_stop) ||
	    tenon_runtime_add_helper(rt, "bench_direct", "i64(u64, u32)", TENON_FN(direct), NULL) ||
	    tenon_runtime_add_helper(rt, "bench_by_value", "i64({u32,u32})", TENON_FN(by_value),
				     NULL))
		side_die("surface");
	obj = side_load(rt, dir, "helpers");
	bench_add(&(struct bench_case){ .bench = "helpers",
					.name = "host function",
					.engine = "clang",
					.unit = "ns",
					.run = run_native,
					.base = NO_BASE });
	add_engine(obj, TENON_ENGINE_JIT, "jit");
	add_engine(obj, TENON_ENGINE_INTERP, "interp");
	bench_run(31);
}
