/* SPDX-License-Identifier: MIT */
/* What a hook costs its host: off, one empty program, four; one and two threads. */
#include "harness.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include "tenon_side.h"

struct bench_ctx {
	uint64_t a, b;
};

static const struct tenon_field fields[] = { TENON_SCALAR(struct bench_ctx, a, TENON_R),
					     TENON_SCALAR(struct bench_ctx, b, TENON_RW) };
static const struct tenon_ctx_type ctx_type = TENON_CTX_TYPE(bench_ctx, fields);

static void run_loop(void *arg, uint64_t n)
{
	struct bench_ctx ctx = { 0 };

	(void)arg;
	for (uint64_t i = 0; i < n; i++)
		__asm__ volatile("" : : "r"(&ctx) : "memory");
}

static void run_fire(void *arg, uint64_t n)
{
	struct bench_ctx ctx = { 0 };

	for (uint64_t i = 0; i < n; i++) {
		tenon_hook_fire(arg, &ctx);
		__asm__ volatile("" : : "r"(&ctx) : "memory");
	}
}

static __attribute__((noinline)) uint64_t empty_function(void *ctx)
{
	__asm__ volatile("" : : "r"(ctx) : "memory");
	return 0;
}

static void run_native_call(void *arg, uint64_t n)
{
	uint64_t (*volatile fn)(void *) = empty_function;
	struct bench_ctx ctx = { 0 };

	(void)arg;
	for (uint64_t i = 0; i < n; i++)
		fn(&ctx);
}

struct pair {
	struct tenon_hook *hook;
	uint64_t n;
	int cpu;
};

static void *fire_on_cpu(void *arg)
{
	struct pair *p = arg;
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(p->cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
	run_fire(p->hook, p->n);
	return NULL;
}

/* Both threads do n fires; flat scaling gives the time of one thread. */
static void run_fire_two_threads(void *arg, uint64_t n)
{
	struct pair pairs[2] = { { arg, n, 0 }, { arg, n, 1 } };
	pthread_t threads[2];

	for (int i = 0; i < 2; i++)
		if (pthread_create(&threads[i], NULL, fire_on_cpu, &pairs[i]))
			abort();
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
}

static void attach(struct tenon_program *prog, const char *hook, int times)
{
	struct tenon_attach_opts opts = { .sz = sizeof(opts), .hook = hook };

	while (times-- > 0)
		if (!tenon_program_attach(prog, &opts))
			side_die("attach");
}

/* ---- Functions of a table that a plugin filled ---- */

struct bench_state {
	uint64_t value;
};

struct bench_ops {
	uint32_t (*empty)(struct bench_state *s, uint32_t n);
	uint32_t (*slot)(struct bench_state *s, uint32_t n);
};

static void run_member(void *arg, uint64_t n)
{
	uint32_t (*volatile fn)(struct bench_state *, uint32_t) = *(void **)arg;
	struct bench_state state = { 0 };

	for (uint64_t i = 0; i < n; i++)
		fn(&state, (uint32_t)i);
}

static void run_get_put(void *arg, uint64_t n)
{
	struct bench_state state = { 0 };

	for (uint64_t i = 0; i < n; i++) {
		const struct bench_ops *ops = tenon_struct_ops_get(arg, "bench_ops");

		ops->empty(&state, (uint32_t)i);
		tenon_struct_ops_put(ops);
	}
}

static void add_vtable(struct tenon_runtime *rt, const char *dir, int loop)
{
	static const struct bench_ops *ops;
	struct tenon_struct_ops desc = { .sz = sizeof(desc),
					 .name = "bench_ops",
					 .size = sizeof(struct bench_ops) };
	struct bench_case c = { .bench = "hooks", .engine = "jit", .unit = "ns", .base = loop };
	char path[512];

	snprintf(path, sizeof(path), "%s/vtable.bpf.o", dir);
	if (tenon_runtime_add_btf_file(rt, path, NULL) || tenon_runtime_add_struct_ops(rt, &desc))
		side_die("struct_ops");
	if (tenon_object_attach(side_load(rt, dir, "vtable")))
		side_die("attach");
	ops = tenon_struct_ops_get(rt, "bench_ops");
	c.run = run_member;
	c.name = "struct_ops, empty";
	c.arg = (void *)(uintptr_t)&ops->empty;
	bench_add(&c);
	c.name = "struct_ops, helper call";
	c.arg = (void *)(uintptr_t)&ops->slot;
	bench_add(&c);
	c.run = run_get_put;
	c.name = "struct_ops, get and put";
	c.arg = rt;
	bench_add(&c);
}

void bench_hooks(const char *dir)
{
	static struct tenon_hook off, one, four, helper;
	struct tenon_runtime *rt = side_runtime();
	struct tenon_hook_desc desc = { .sz = sizeof(desc), .ctx = &ctx_type };
	static const char *const names[] = { "off", "one", "four", "one, helper call" };
	struct tenon_hook *hooks[] = { &off, &one, &four, &helper };
	struct tenon_object *obj;
	int loop;

	for (int i = 0; i < 4; i++) {
		desc.name = names[i];
		if (tenon_hook_register(rt, hooks[i], &desc))
			side_die("hook");
	}
	obj = side_load(rt, dir, "hooks");
	/* The empty program calls nothing and takes the shortest path; `one, helper call` makes the
	 * whole record of a firing. */
	attach(side_program(obj, "empty1"), "one", 1);
	attach(side_program(obj, "empty1"), "four", 1);
	attach(side_program(obj, "empty2"), "four", 1);
	attach(side_program(obj, "empty3"), "four", 1);
	attach(side_program(obj, "empty4"), "four", 1);
	attach(side_program(obj, "asks_slot"), "one, helper call", 1);

	loop = bench_add(&(struct bench_case){ .bench = "hooks",
					       .name = "empty loop",
					       .engine = "clang",
					       .unit = "ns",
					       .run = run_loop,
					       .base = NO_BASE });
	bench_add(&(struct bench_case){ .bench = "hooks",
					.name = "native call",
					.engine = "clang",
					.unit = "ns",
					.run = run_native_call,
					.base = loop });
	for (int i = 0; i < 4; i++)
		bench_add(&(struct bench_case){ .bench = "hooks",
						.name = names[i],
						.engine = "jit",
						.unit = "ns",
						.run = run_fire,
						.arg = hooks[i],
						.base = loop });
	bench_add(&(struct bench_case){ .bench = "hooks",
					.name = "one, two threads",
					.engine = "jit",
					.unit = "ns",
					.n = 2000000,
					.run = run_fire_two_threads,
					.arg = &one,
					.base = loop });
	add_vtable(rt, dir, loop);
	bench_run(31);
}
