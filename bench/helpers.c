/* SPDX-License-Identifier: MIT */
/* What a call costs: a subprogram, a standard helper, a host function called directly by compiled
 * code, and one through libffi (a struct by value; and any host function from the interpreter). And
 * a read through an untrusted pointer, by the fault handler and by the kernel. */
#include "harness.h"

#include <stdlib.h>

#include "tenon_side.h"

#define CALLS 64 /* programs/helpers.bpf.c */

#include "programs/helpers_api.h"

struct bench_ctx {
	uint64_t a, b;
	struct bench_node *node, *nothing;
};

struct pair {
	uint32_t x, y;
};

static const struct tenon_field fields[] = {
	TENON_SCALAR(struct bench_ctx, a, TENON_R),
	TENON_SCALAR(struct bench_ctx, b, TENON_R),
	{ TENON_FIELD_(struct bench_ctx, node), .kind = TENON_FIELD_HANDLE,
	  .handle = "bench_node" },
	{ TENON_FIELD_(struct bench_ctx, nothing), .kind = TENON_FIELD_HANDLE,
	  .access = TENON_UNTRUSTED, .handle = "bench_node" },
};
static struct bench_node node = { .next = &node, .owner = &node, .id = 1 };
static const struct tenon_ctx_type ctx_type = TENON_CTX_TYPE(bench_ctx, fields);

static int64_t direct(uint64_t a, uint32_t b)
{
	__asm__ volatile("" : "+r"(a));
	return (int64_t)(a + b);
}

int64_t bench_typed(struct bench_node *n, uint32_t a)
{
	return (int64_t)(n->id + a);
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
	struct bench_ctx ctx = { 1, 2, &node, NULL };
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

/* The loop around it, with the same dependency from one round to the next. */
static void run_native_loop(void *p, uint64_t n)
{
	int64_t sum = 0;

	(void)p;
	for (uint64_t i = 0; i < n; i++) {
		sum += (int64_t)((uint64_t)sum + (uint32_t)i);
		__asm__ volatile("" : "+r"(sum));
	}
	__asm__ volatile("" : : "r"(sum));
}

struct row {
	const char *name, *program;
};

/* Where the first row is the loop alone, the others do without. */
static void add_rows(struct tenon_object *obj, enum tenon_engine engine, const char *words,
		     const struct row *rows, size_t nr, uint64_t n)
{
	bool has_base = !rows[0].name;
	int base = NO_BASE;

	for (size_t i = 0; i < nr; i++) {
		struct arg *arg = calloc(1, sizeof(*arg));
		int row;

		*arg = (struct arg){ side_program(obj, rows[i].program), engine };
		row = bench_add(&(struct bench_case){ .bench = "helpers",
						      .name = rows[i].name ? rows[i].name : "none",
						      .engine = words,
						      .unit = "ns",
						      .run = run,
						      .arg = arg,
						      .n = n,
						      .base = base,
						      .hidden = !rows[i].name });
		if (has_base && i == 0)
			base = row;
	}
}

static const struct row calls[] = {
	{ NULL, "call_none" },
	{ "subprogram", "call_subprogram" },
	{ "host function", "call_direct" },
	{ "host function, typed", "call_typed" },
	{ "host, through libffi", "call_ffi" },
	{ "take and give back", "call_take_give" },
	{ "the same, noted", "call_take_give_noted" },
};

static const struct row own_calls[] = {
	{ NULL, "own_none" },
	{ "standard helper", "own_standard" },
};

/* Whole loops: they wait for the reads. */
static const struct row reads[] = {
	{ "read, trusted", "read_trusted" },
	{ "read, untrusted", "read_untrusted" },
};
static const struct row read_nothing = { "read, of nothing", "read_nothing" };
static const struct row read_slowly = { "read, untrusted, by the kernel", "read_untrusted" };

static struct tenon_runtime *new_host(const char *dir, struct tenon_hook *hook, bool handler)
{
	const struct tenon_limits limits = { .sz = sizeof(limits), .fuel = UINT64_MAX };
	const struct tenon_runtime_opts opts = { .sz = sizeof(opts),
						 .limits = &limits,
						 .fault_handler = handler };
	const struct tenon_hook_desc desc = { .sz = sizeof(desc),
					      .name = "helpers",
					      .ctx = &ctx_type };
	const struct tenon_helper_opts may_stop = { .sz = sizeof(may_stop),
						    .flags = TENON_MAY_ABORT };
	struct tenon_runtime *rt = tenon_runtime_new(&opts);

	if (!rt || tenon_runtime_add_btf_file(rt, side_path(dir, "helpers_host"), NULL) ||
	    tenon_hook_register(rt, hook, &desc) ||
	    tenon_runtime_add_helper(rt, "bench_take", "acquire:thing()", TENON_FN(take), NULL) ||
	    tenon_runtime_add_helper(rt, "bench_give", "void(release:thing)", TENON_FN(give),
				     NULL) ||
	    tenon_runtime_add_helper(rt, "bench_stop", "void()", TENON_FN(stop), &may_stop) ||
	    tenon_runtime_add_helper(rt, "bench_direct", "i64(u64, u32)", TENON_FN(direct), NULL) ||
	    tenon_runtime_add_helper(rt, "bench_typed", NULL, TENON_FN(bench_typed), NULL) ||
	    tenon_runtime_add_helper(rt, "bench_by_value", "i64({u32,u32})", TENON_FN(by_value),
				     NULL))
		side_die("surface");
	return rt;
}

void bench_helpers(const char *dir)
{
	static struct tenon_hook hooks[2];
	struct tenon_runtime *rt = new_host(dir, &hooks[0], true);
	struct tenon_object *obj = side_load(rt, dir, "helpers"), *slow;
	struct tenon_object *own = side_load(rt, dir, "helpers_own");
	int loop;

	slow = side_load(new_host(dir, &hooks[1], false), dir, "helpers");
	loop = bench_add(&(struct bench_case){ .bench = "helpers",
					       .name = "none",
					       .engine = "native",
					       .unit = "ns",
					       .run = run_native_loop,
					       .base = NO_BASE,
					       .hidden = true });
	bench_add(&(struct bench_case){ .bench = "helpers",
					.name = "host function",
					.engine = "native",
					.unit = "ns",
					.run = run_native,
					.base = loop });
	add_rows(own, TENON_ENGINE_JIT, "jit", own_calls, 2, CALLS * 4000);
	add_rows(obj, TENON_ENGINE_JIT, "jit", calls, sizeof(calls) / sizeof(calls[0]),
		 CALLS * 4000);
	add_rows(own, TENON_ENGINE_INTERP, "interp", own_calls, 2, CALLS * 4000);
	add_rows(obj, TENON_ENGINE_INTERP, "interp", calls, sizeof(calls) / sizeof(calls[0]),
		 CALLS * 4000);
	add_rows(obj, TENON_ENGINE_JIT, "jit", reads, 2, CALLS * 4000);
	add_rows(obj, TENON_ENGINE_JIT, "jit", &read_nothing, 1, CALLS * 20);
	add_rows(slow, TENON_ENGINE_JIT, "jit", &read_slowly, 1, CALLS * 20);
	bench_run(31);
}
