/* SPDX-License-Identifier: MIT */
/* The entry point: verdicts, their words, limits, memory. What is accepted and rejected is data:
 * accept/, reject/ and mistakes/. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "maps/map.h"
#include "verifier/verify.h"
#include "vm/asm.h"
#include "vm/helpers.h"

static struct tn_rt rt;
static size_t bytes_at_start;

static int start(void **state)
{
	(void)state;
	assert_int_equal(tn_rt_init(&rt, NULL), 0);
	bytes_at_start = tn_load_relaxed(&rt.mem.bytes[TN_CHARGE_HEAP]);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	assert_int_equal(tn_load_relaxed(&rt.mem.bytes[TN_CHARGE_HEAP]), bytes_at_start);
	tn_rt_fini(&rt);
	return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

static struct tn_prog *make(const char *text)
{
	struct tn_prog *prog = tn_prog_new(&rt, "main");

	assert_non_null(prog);
	if (tn_asm(&rt, text, &prog->insns, &prog->nr_insns))
		fail_msg("%s", tn_err_last()->msg);
	if (tn_prog_find_subprogs(prog))
		fail_msg("%s", tn_err_last()->msg);
	prog->ctx_type = tn_ctx_builtin("xdp");
	return prog;
}

static int verify(struct tn_prog *prog, struct tn_verdict *v)
{
	struct tn_verify_env env = { .fuel = 1 << 26 };

	return tn_verify(prog, &env, v);
}

static const char packet_loop[] = "r2 = *(u32 *)(r1 +0)\n r3 = *(u32 *)(r1 +4)\n r0 = 0\n"
				  "loop: r4 = r2\n r4 += 2\n if r4 > r3 goto out\n"
				  "r4 = *(u16 *)(r2 +0)\n r0 += r4\n r2 += 2\n goto loop\n"
				  "out: *(u64 *)(r10 -8) = r0\n call sub\n exit\n"
				  "sub: r0 = *(u64 *)(r10 -16)\n exit\n";

static void accept_sets_facts_and_an_empty_message(void **state)
{
	struct tn_prog *prog = make(packet_loop);
	struct tn_verdict v;

	(void)state;
	assert_int_equal(verify(prog, &v), 0);
	assert_int_equal(v.code, 0);
	assert_string_equal(v.msg, "");
	assert_non_null(strstr(v.json, "\"accepted\":true"));
	assert_non_null(prog->facts);
	assert_true(prog->facts->has_fuel);
	assert_int_equal(prog->facts->max_frames, 2);
	assert_true(prog->facts->insns[0].flags & TN_FACT_CTX_REWRITE);
	/* The subprogram reads what it never wrote. */
	assert_int_equal(prog->facts->subprogs[1].zero_slots[0], 1 << 1);
	tn_verdict_free(&rt, &v);
	tn_prog_free(prog);
}

static void reject_names_code_place_and_words(void **state)
{
	struct tn_prog *prog = make("r0 = *(u64 *)(r1 +100)\n exit\n");
	struct tn_verdict v;

	(void)state;
	assert_int_equal(verify(prog, &v), -EACCES);
	assert_string_equal(v.code_name, "E_CTX");
	assert_int_equal(v.insn, 0);
	assert_non_null(strstr(v.msg, "insn 0:"));
	assert_non_null(strstr(v.json, "\"name\":\"E_CTX\""));
	assert_null(prog->facts);
	assert_int_equal(tn_err_last()->stage, TN_STAGE_VERIFY);
	assert_int_equal(tn_err_last()->insn, 0);
	tn_verdict_free(&rt, &v);
	tn_prog_free(prog);
}

static void verdict_is_the_same_each_time(void **state)
{
	static const char text[] =
		"r2 = *(u32 *)(r1 +0)\n r3 = *(u32 *)(r1 +4)\n r4 = r2\n r4 += 4\n"
		"if r4 > r3 goto out\n r0 = *(u64 *)(r2 +0)\n exit\n"
		"out: r0 = 0\n exit\n";
	char first[1024];

	(void)state;
	for (int i = 0; i < 3; i++) {
		struct tn_prog *prog = make(text);
		struct tn_verdict v;

		assert_int_equal(verify(prog, &v), -EACCES);
		if (!i)
			snprintf(first, sizeof(first), "%s", v.json);
		assert_string_equal(first, v.json);
		tn_verdict_free(&rt, &v);
		tn_prog_free(prog);
	}
}

static void why_names_the_last_compare(void **state)
{
	struct tn_prog *prog = make(
		"r2 = *(u32 *)(r1 +0)\n r3 = *(u32 *)(r1 +4)\n r4 = r2\n r4 += 4\n"
		"if r4 > r3 goto out\n r4 = *(u64 *)(r4 -4)\n"
		"out: r0 = 0\n exit\n");
	struct tn_verdict v;

	(void)state;
	assert_int_equal(verify(prog, &v), -EACCES);
	assert_non_null(strstr(v.msg, "why: r4 was compared at instruction 4 (if r4 > r3 "));
	assert_non_null(strstr(v.msg, "fix: "));
	tn_verdict_free(&rt, &v);
	tn_prog_free(prog);
}

static void step_limit_gives_e2big(void **state)
{
	struct tn_prog *prog = make(packet_loop);
	struct tn_verdict v;

	(void)state;
	rt.limits.max_verifier_steps = 10;
	assert_int_equal(verify(prog, &v), -E2BIG);
	assert_string_equal(v.code_name, "E_LIMIT");
	assert_non_null(strstr(v.msg, "10 steps"));
	tn_verdict_free(&rt, &v);
	tn_prog_free(prog);
}

static void memory_limit_gives_e2big(void **state)
{
	struct tn_prog *prog = make(packet_loop);
	struct tn_verdict v;

	(void)state;
	rt.limits.max_verifier_bytes = 2000;
	assert_int_equal(verify(prog, &v), -E2BIG);
	assert_string_equal(v.code_name, "E_LIMIT");
	tn_verdict_free(&rt, &v);
	tn_prog_free(prog);
}

static void malformed_code_is_rejected(void **state)
{
	struct tn_prog *prog = make("r0 = 0\n exit\n");
	struct tn_verdict v;

	(void)state;
	prog->insns[0].code = 0xff;
	assert_int_equal(verify(prog, &v), -EACCES);
	assert_string_equal(v.code_name, "E_ENCODING");
	tn_verdict_free(&rt, &v);
	tn_prog_free(prog);
}

static void log_holds_states_when_asked_for(void **state)
{
	struct tn_verify_env env = { .fuel = 1 << 26, .log_level = 2 };
	struct tn_prog *prog = make("r0 = 7\n exit\n");
	struct tn_verdict v;

	(void)state;
	assert_int_equal(tn_verify(prog, &env, &v), 0);
	assert_non_null(strstr(v.log, "R0=7"));
	tn_verdict_free(&rt, &v);
	tn_prog_free(prog);
}

static int refuse_time(void *user, const char *name)
{
	(void)user;
	return strcmp(name, "ktime_get_ns") ? 0 : tn_err(-EACCES, "no clocks for plugins");
}

static void policy_is_asked_for_each_helper(void **state)
{
	struct tn_verify_env env = { .fuel = 1 << 26, .helper_allowed = refuse_time };
	struct tn_prog *prog = make("call ktime_get_ns\n r0 = 0\n exit\n");
	struct tn_verdict v;

	(void)state;
	assert_int_equal(tn_verify(prog, &env, &v), -EACCES);
	assert_string_equal(v.code_name, "E_POLICY");
	assert_non_null(strstr(v.msg, "no clocks for plugins"));
	tn_verdict_free(&rt, &v);
	tn_prog_free(prog);
}

static void gpl_helper_needs_a_gpl_license(void **state)
{
	struct tn_image image = { .license = (char *)"MIT" };
	struct tn_prog *prog = make("*(u64 *)(r10 -8) = 0\n r1 = r10\n r1 += -8\n r2 = 8\n"
				    "call trace_printk\n r0 = 0\n exit\n");
	struct tn_verify_env env = { .fuel = 1 << 26 };
	struct tn_verdict v;

	(void)state;
	prog->image = &image;
	assert_int_equal(tn_verify(prog, &env, &v), -EACCES);
	assert_string_equal(v.code_name, "E_LICENSE");
	tn_verdict_free(&rt, &v);
	env.license = TN_LICENSE_OFF;
	assert_int_equal(tn_verify(prog, &env, &v), 0);
	tn_verdict_free(&rt, &v);
	image.license = (char *)"GPL";
	env.license = TN_LICENSE_KERNEL;
	assert_int_equal(tn_verify(prog, &env, &v), 0);
	tn_verdict_free(&rt, &v);
	prog->image = NULL;
	tn_prog_free(prog);
}

/* Every allocation fails once; nothing leaks, and in the end the verdict is the same. */
static void fail_each_allocation(const char *text, int expected)
{
	for (int64_t n = 1;; n++) {
		struct tn_prog *prog = make(text);
		size_t before = tn_load_relaxed(&rt.mem.bytes[TN_CHARGE_HEAP]);
		struct tn_verdict v;
		bool failed;
		int err;

		tn_store_relaxed(&rt.mem.fail_after, n);
		err = verify(prog, &v);
		failed = tn_load_relaxed(&rt.mem.fail_after) == 0;
		tn_store_relaxed(&rt.mem.fail_after, 0);
		if (!failed) {
			assert_int_equal(err, expected);
			tn_verdict_free(&rt, &v);
			tn_prog_free(prog);
			return;
		}
		if (err == -ENOMEM)
			assert_int_equal(tn_load_relaxed(&rt.mem.bytes[TN_CHARGE_HEAP]), before);
		else
			assert_int_equal(err, expected); /* a WHY line or the log did without */
		tn_verdict_free(&rt, &v);
		tn_prog_free(prog);
	}
}

static void out_of_memory_while_accepting_leaks_nothing(void **state)
{
	(void)state;
	fail_each_allocation(packet_loop, 0);
}

static void out_of_memory_while_rejecting_leaks_nothing(void **state)
{
	(void)state;
	fail_each_allocation("r2 = *(u32 *)(r1 +0)\n r3 = *(u32 *)(r1 +4)\n if r2 > r3 goto out\n"
			     "r0 = *(u64 *)(r2 +0)\n exit\n out: r0 = 0\n exit\n",
			     -EACCES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(accept_sets_facts_and_an_empty_message),
		TEST(reject_names_code_place_and_words),
		TEST(verdict_is_the_same_each_time),
		TEST(why_names_the_last_compare),
		TEST(step_limit_gives_e2big),
		TEST(memory_limit_gives_e2big),
		TEST(malformed_code_is_rejected),
		TEST(log_holds_states_when_asked_for),
		TEST(policy_is_asked_for_each_helper),
		TEST(gpl_helper_needs_a_gpl_license),
		TEST(out_of_memory_while_accepting_leaks_nothing),
		TEST(out_of_memory_while_rejecting_leaks_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
