/* SPDX-License-Identifier: MIT */
/*
 * Whatever a verified program does, a firing ends: within the default fuel, with the hook's
 * fallback, counted, on both engines. Usage: bounded_time OBJECT (programs/bounded.bpf.c)
 */
#include <stdio.h>
#include <stdlib.h>

#include <tenon/tenon.h>

#define FALLBACK 42

struct work {
	uint64_t rounds;
};

static const struct tenon_field fields[] = { TENON_SCALAR(struct work, rounds, TENON_RW) };
static const struct tenon_ctx_type type = TENON_CTX_TYPE(work, fields);
static struct tenon_hook hook;
static int failed;

static void die(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, tenon_last_error()->msg);
	exit(1);
}

static void expect(const char *engine, const char *prog, const char *what, uint64_t expected,
		   uint64_t found)
{
	if (expected == found)
		return;
	fprintf(stderr, "%s, %s: %s is %llu, expected %llu\n", engine, prog, what,
		(unsigned long long)found, (unsigned long long)expected);
	failed = 1;
}

static void fire(struct tenon_object *obj, const char *engine, const char *name, uint64_t result,
		 uint64_t aborted, uint64_t rounds)
{
	struct tenon_program *prog = tenon_object_find_program(obj, name);
	struct tenon_link *link = prog ? tenon_program_attach(prog, NULL) : NULL;
	struct tenon_program_stats stats = { .sz = sizeof(stats) };
	struct work ctx = { 0 };

	if (!link)
		die(name);
	expect(engine, name, "the result", result, tenon_hook_fire(&hook, &ctx));
	tenon_program_stats(prog, &stats);
	expect(engine, name, "the count of early ends", aborted, stats.aborted);
	expect(engine, name, "the count of rounds", rounds, ctx.rounds);
	if (tenon_link_destroy(link))
		die("link");
}

static void check_engine(const char *path, enum tenon_engine engine, const char *words)
{
	const struct tenon_hook_desc desc = { .sz = sizeof(desc),
					      .name = "work",
					      .ctx = &type,
					      .chain = TENON_CHAIN_LAST,
					      .fallback = FALLBACK };
	const struct tenon_object_open_opts opts = { .sz = sizeof(opts), .engine = engine };
	struct tenon_runtime *rt = tenon_runtime_new(NULL);
	struct tenon_object *obj;

	if (!rt || tenon_hook_register(rt, &hook, &desc))
		die("hook");
	obj = tenon_object_open_file(rt, path, &opts);
	if (!obj || tenon_object_load(obj))
		die(path);
	fire(obj, words, "nested_loops", FALLBACK, 1, 0);
	fire(obj, words, "nested_callbacks", FALLBACK, 1, 0);
	fire(obj, words, "tail_loops", FALLBACK, 1, 0);
	/* As in the kernel: the program and 33 tail calls, then its own result. */
	fire(obj, words, "tail_self", 4, 0, 34);
	{
		struct work ctx = { 0 };
		struct tenon_link *link =
			tenon_program_attach(tenon_object_find_program(obj, "tail_chain"), NULL);

		if (!link)
			die("tail_chain");
		expect(words, "tail_chain", "the result", FALLBACK, tenon_hook_fire(&hook, &ctx));
		/* 3 to 4 instructions a round: 2^26 of them are used up within a few links. */
		if (ctx.rounds > 10 * 4000000ull) {
			fprintf(stderr, "%s: the chain ran %llu rounds\n", words,
				(unsigned long long)ctx.rounds);
			failed = 1;
		}
		tenon_link_destroy(link);
	}
	if (tenon_object_close(obj) || tenon_runtime_free(rt))
		die("close");
	printf("%s: every firing ended\n", words);
}

int main(int argc, char **argv)
{
	if (argc != 2)
		return 2;
	check_engine(argv[1], TENON_ENGINE_INTERP, "interpreter");
	check_engine(argv[1], TENON_ENGINE_AUTO, "native");
	return failed;
}
