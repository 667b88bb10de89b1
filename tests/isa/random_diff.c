/* SPDX-License-Identifier: MIT */
/*
 * isa_random [COUNT [FIRST_SEED]]: random programs on interpreter and JIT; r0, the memory, how the
 * program ended and the fuel that is left must be equal. A third of the programs has no facts, a
 * third has facts, a third is charged for its loops, some of those too much for their budget.
 *
 * isa_random --kernel [COUNT [FIRST_SEED]]: the same on the kernel as well, with programs that its
 * verifier mostly takes; 77 where the machine does not allow bpf(2).
 *
 * A program that differs is reduced: instructions are replaced by `goto +0` while it still does.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/compiler.h"
#include "base/err.h"
#include "base/rt.h"
#include "isa/generate.h"
#include "isa/kernel.h"
#include "isa/run_isa.h"
#include "jit/jit.h"
#include "vm/disasm.h"
#include "vm/helpers.h"

#define FRAME_BYTES 192 /* what generate.c uses */

struct outcome {
	int err;
	uint64_t r0;
	uint32_t abort;
	int64_t fuel;
	unsigned char mem[GEN_MEM_BYTES];
};

struct test {
	struct gen gen;
	uint64_t seed;
	unsigned char mem[GEN_MEM_BYTES];
	int64_t fuel;
	bool has_facts, has_fuel;
	bool on_kernel, refused; /* by its verifier */
	struct outcome interp, jit, kernel;
};

static struct tn_rt rt;
static uint64_t running_seed;

/* ---- Helpers: one called directly by compiled code, one through invoke ---- */

static uint64_t mix(uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e)
{
	return ((((a * 3 + b) * 5 + c) * 7 + d) * 11 + e) ^ a >> 32;
}

static uint64_t invoke_mix(const struct tn_host_helper *self, const uint64_t a[5],
			   struct tn_exec *ex)
{
	(void)self;
	(void)ex;
	return mix(a[0], a[1], a[2], a[3], a[4]);
}

static struct tn_host_helper helpers[GEN_NR_HELPERS] = {
	{ .name = (char *)"direct", .fn = (tn_host_fn)mix, .invoke = invoke_mix },
	{ .name = (char *)"indirect", .invoke = invoke_mix },
};

/* ---- Facts ---- */

static bool is_callback_call(const struct tn_insn *insn)
{
	return insn->code == (TN_JMP | TN_CALL) && insn->src == TN_CALL_HELPER &&
	       insn->imm == TN_HELPER_loop;
}

static void charge(struct tn_prog *prog, uint32_t idx, uint32_t fuel)
{
	struct tn_insn_fact *fact = &prog->facts->insns[idx];

	fact->fuel = fuel;
	prog->facts->subprogs[tn_prog_subprog_at(prog, idx)].has_fuel = 1;
	prog->facts->has_fuel = 1;
}

/* What the verifier would say if it knew nothing but where loops are. */
static int make_facts(struct tn_prog *prog, void *user)
{
	const struct test *test = user;
	struct gen random = { .state = ~test->seed };

	if (!test->has_facts)
		return 0;
	prog->facts = tn_facts_new(&rt, prog->nr_insns, prog->nr_subprogs);
	if (!prog->facts)
		return tn_err_nomem("facts");
	for (uint32_t i = 0; i < prog->nr_subprogs; i++)
		prog->facts->subprogs[i].stack_bytes = FRAME_BYTES;
	prog->facts->max_stack_bytes = prog->nr_subprogs * FRAME_BYTES;
	prog->facts->max_frames = prog->nr_subprogs;
	for (uint32_t i = 0; i < prog->nr_insns; i++) {
		const struct tn_insn *insn = &prog->insns[i];

		prog->facts->insns[i].flags = TN_FACT_REACHED;
		if (is_callback_call(insn)) {
			prog->facts->insns[i].flags |= TN_FACT_FUEL_CALLBACK | TN_FACT_MAY_ABORT;
			prog->facts->may_abort = 1;
		}
		if (test->has_fuel && (is_callback_call(insn) ||
				       (tn_insn_is_jump(insn) && tn_insn_jump_off(insn) < 0)))
			charge(prog, i, 1 + (uint32_t)(gen_random(&random) % 20));
	}
	return 0;
}

/* ---- One program ---- */

static struct outcome run(const struct test *test, enum isa_engine engine)
{
	/* The same address for both engines: a program may see it. */
	static unsigned char mem[GEN_MEM_BYTES] TN_ALIGNED(64);
	struct isa_opts opts = { .helpers = helpers,
				 .nr_helpers = GEN_NR_HELPERS,
				 .make_facts = make_facts,
				 .user = (void *)test };
	struct outcome out = { .fuel = test->fuel };
	struct isa_prog prog;

	memcpy(mem, test->mem, sizeof(mem));
	out.err = isa_open(&rt, engine, test->gen.insns, test->gen.nr, &opts, &prog);
	if (out.err)
		return out;
	out.r0 = isa_run_fuel(&prog, mem, sizeof(mem), &out.fuel, &out.abort);
	isa_close(&prog);
	memcpy(out.mem, mem, sizeof(mem));
	return out;
}

static struct outcome run_on_kernel(struct test *test)
{
	struct outcome out = { .fuel = test->fuel };

	memcpy(out.mem, test->mem, sizeof(out.mem));
	out.err = kernel_run(test->gen.insns, test->gen.nr, out.mem, sizeof(out.mem), &out.r0);
	test->refused = out.err == -EACCES;
	return test->refused ? test->interp : out;
}

static bool is_equal(const struct outcome *a, const struct outcome *b)
{
	return !a->err && !b->err && a->r0 == b->r0 && a->abort == b->abort &&
	       (a->abort || a->fuel == b->fuel) && !memcmp(a->mem, b->mem, sizeof(a->mem));
}

static bool agrees(struct test *test)
{
	test->interp = run(test, ISA_INTERP);
	test->jit = run(test, ISA_JIT);
	test->kernel = test->on_kernel ? run_on_kernel(test) : test->interp;
	return is_equal(&test->interp, &test->jit) && is_equal(&test->interp, &test->kernel);
}

static void make_test(struct test *test, uint64_t seed, bool on_kernel)
{
	struct gen random = { .state = seed ^ 0x5a5a5a5a };

	test->seed = seed;
	test->on_kernel = on_kernel;
	gen_program(&test->gen, seed, on_kernel);
	for (size_t i = 0; i < sizeof(test->mem); i++)
		test->mem[i] = (unsigned char)gen_random(&random);
	test->has_facts = seed % 3 != 0;
	test->has_fuel = seed % 3 == 2 && !on_kernel;
	test->fuel = INT64_MAX;
	if (test->has_fuel)
		test->fuel = (int64_t)(gen_random(&random) % (seed % 2 ? 300 : 10000000));
}

/* ---- Reports ---- */

static void reduce(struct test *test)
{
	for (uint32_t i = 0; i < test->gen.nr; i++) {
		struct tn_insn saved = test->gen.insns[i];

		if (test->gen.keep[i])
			continue;
		test->gen.insns[i] = (struct tn_insn){ .code = TN_JMP | TN_JA };
		if (agrees(test))
			test->gen.insns[i] = saved;
	}
	agrees(test);
}

static void print_test(const struct test *test)
{
	char line[128];

	for (uint32_t i = 0; i < test->gen.nr; i++) {
		const struct tn_insn *insn = &test->gen.insns[i];

		if (insn->code == (TN_JMP | TN_JA) && !insn->off)
			continue;
		tn_disasm(NULL, insn, i, line, sizeof(line));
		printf("%4u: %s\n", i, line);
		i += tn_insn_is_lddw(insn);
	}
}

static void print_outcome(const char *engine, const struct outcome *out)
{
	printf("  %-11s r0 0x%016" PRIx64 " abort %u fuel %" PRId64 " memory", engine, out->r0,
	       out->abort, out->fuel);
	for (int i = 0; i < GEN_MEM_BYTES; i++)
		printf("%s%02x", i % 16 ? "" : " ", out->mem[i]);
	printf("\n");
	if (out->err)
		printf("  error %d: %s\n", out->err, tn_err_last()->msg);
}

static void print_difference(const struct test *test)
{
	printf("seed %" PRIu64 " (facts %d, fuel %d): engines differ\n", test->seed,
	       test->has_facts, test->has_fuel);
	print_outcome("interpreter", &test->interp);
	print_outcome("JIT", &test->jit);
	if (test->on_kernel)
		print_outcome("kernel", &test->kernel);
}

static void report_crash(int sig)
{
	char text[64];
	int len = snprintf(text, sizeof(text), "signal %d in seed %" PRIu64 "\n", sig,
			   running_seed);

	if (write(STDOUT_FILENO, text, (size_t)len) < 0)
		_exit(3);
	_exit(2);
}

static int run_all(uint64_t count, uint64_t first, bool on_kernel)
{
	static struct test test;
	uint64_t differing = 0, ended_early = 0, refused = 0;

	for (uint64_t seed = first; seed < first + count; seed++) {
		running_seed = seed;
		make_test(&test, seed, on_kernel);
		if (agrees(&test)) {
			ended_early += test.interp.abort != 0;
			refused += test.refused;
			continue;
		}
		print_difference(&test);
		reduce(&test);
		print_test(&test);
		if (++differing == 2)
			break;
	}
	printf("%" PRIu64 " programs from seed %" PRIu64 ": %" PRIu64 " differ, %" PRIu64
	       " ran out of fuel\n",
	       count, first, differing, ended_early);
	if (on_kernel)
		printf("the kernel refused %" PRIu64 " of them\n", refused);
	return differing ? 1 : 0;
}

int main(int argc, char **argv)
{
	bool on_kernel = argc > 1 && !strcmp(argv[1], "--kernel");
	uint64_t count = argc > 1 + on_kernel ? strtoull(argv[1 + on_kernel], NULL, 0) : 50000;
	uint64_t first = argc > 2 + on_kernel ? strtoull(argv[2 + on_kernel], NULL, 0) : 1;
	int ret, err;

	if (tn_rt_init(&rt, NULL) ||
	    tn_sig_parse("u64(u64, u64, u64, u64, u64)", &helpers[0].sig) ||
	    tn_sig_parse("u64(u64, ...)", &helpers[1].sig)) {
		fprintf(stderr, "%s\n", tn_err_last()->msg);
		return 1;
	}
	if (tn_jit_available()) {
		printf("skipped: %s\n", tn_err_last()->msg);
		return 77;
	}
	err = on_kernel ? kernel_available() : 0;
	if (err) {
		printf("skipped: bpf(2): %s\n", strerror(-err));
		return 77;
	}
	signal(SIGSEGV, report_crash);
	signal(SIGILL, report_crash);
	signal(SIGFPE, report_crash);
	signal(SIGBUS, report_crash);
	ret = run_all(count, first, on_kernel);
	tn_rt_fini(&rt);
	return ret;
}
