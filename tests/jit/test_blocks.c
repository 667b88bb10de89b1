/* SPDX-License-Identifier: MIT */
/* Data flow over the bytecode: what is reached, where loops are, which registers are live. */
#include "jit/jit_test.h"

#include "jit/blocks.h"

static struct jit_test *t;
static struct tn_flow flow;

static int setup(void **state)
{
	(void)state;
	t = jit_test_new();
	memset(&flow, 0, sizeof(flow));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	tn_flow_free(&flow, &t->rt);
	jit_test_free(t);
	return 0;
}

#define LOAD_ONLY(...)                                                        \
	do {                                                                  \
		const struct tn_insn insns_[] = { __VA_ARGS__ };              \
		jit_test_load(t, insns_, sizeof(insns_) / sizeof(insns_[0])); \
	} while (0)

#define FLOW(...)                                                  \
	do {                                                       \
		LOAD_ONLY(__VA_ARGS__);                            \
		assert_int_equal(tn_flow_init(&flow, t->prog), 0); \
	} while (0)

static bool reached(uint32_t i)
{
	return flow.flags[i] & TN_FLOW_REACHED;
}

static bool live_after(uint32_t i, unsigned r)
{
	return flow.live[i] & TN_LIVE(r);
}

static bool upper_after(uint32_t i, unsigned r)
{
	return flow.live[i] & TN_LIVE_UPPER(r);
}

static void code_behind_a_jump_is_not_reached(void **state)
{
	(void)state;
	FLOW(MOV_K(TN_R0, 0), GOTO(1), MOV_K(TN_R0, 1), EXIT());
	assert_true(reached(0) && reached(1) && !reached(2) && reached(3));
	assert_true(flow.flags[3] & TN_FLOW_TARGET);
	assert_false(flow.flags[1] & TN_FLOW_TARGET);
}

static void facts_close_ways(void **state)
{
	(void)state;
	LOAD_ONLY(MOV_K(TN_R0, 0), JMP_K(TN_JEQ, TN_R1, 0, 1), EXIT(), MOV_K(TN_R0, 1), EXIT());
	t->prog->facts = tn_facts_new(&t->rt, 5, 1);
	assert_non_null(t->prog->facts);
	t->prog->facts->insns[1].flags = TN_FACT_BRANCH_ALWAYS;
	assert_int_equal(tn_flow_init(&flow, t->prog), 0);
	assert_true(!reached(2) && reached(3));
	tn_flow_free(&flow, &t->rt);
	t->prog->facts->insns[1].flags = TN_FACT_BRANCH_NEVER;
	assert_int_equal(tn_flow_init(&flow, t->prog), 0);
	assert_true(reached(2) && !reached(3));
}

static void facts_of_a_rewritten_branch_do_not_close_the_jump(void **state)
{
	(void)state;
	LOAD_ONLY(MOV_K(TN_R0, 0), GOTO(0), EXIT());
	t->prog->facts = tn_facts_new(&t->rt, 3, 1);
	assert_non_null(t->prog->facts);
	t->prog->facts->insns[1].flags = TN_FACT_BRANCH_NEVER;
	assert_int_equal(tn_flow_init(&flow, t->prog), 0);
	assert_true(reached(2));
}

static void loop_knows_its_last_jump(void **state)
{
	(void)state;
	FLOW(MOV_K(TN_R0, 9), ALU64_K(TN_ADD, TN_R0, -1), JMP_K(TN_JEQ, TN_R0, 5, -2),
	     JMP_K(TN_JNE, TN_R0, 0, -3), EXIT());
	assert_true(flow.flags[1] & TN_FLOW_LOOP);
	assert_int_equal(flow.loop_last[1], 3);
}

static void control_that_leaves_a_function_is_refused(void **state)
{
	(void)state;
	LOAD_ONLY(CALL_SUB(2), MOV_K(TN_R0, 0), EXIT(), MOV_K(TN_R0, 0), EXIT());
	/* Changed behind the back of those who check it: into the subprogram, by jump and by fall.
	 */
	t->prog->insns[1] = GOTO(1);
	assert_int_equal(tn_flow_init(&flow, t->prog), -EINVAL);
	t->prog->insns[1] = MOV_K(TN_R0, 0);
	t->prog->insns[2] = MOV_K(TN_R0, 0);
	assert_int_equal(tn_flow_init(&flow, t->prog), -EINVAL);
}

static void registers_die_at_their_last_use(void **state)
{
	(void)state;
	FLOW(MOV_K(TN_R2, 1), MOV_X(TN_R0, TN_R2), MOV_K(TN_R2, 7), ALU64_X(TN_ADD, TN_R0, TN_R2),
	     EXIT());
	assert_true(live_after(0, TN_R2));
	assert_false(live_after(1, TN_R2));
	assert_true(live_after(2, TN_R2));
	assert_false(live_after(3, TN_R2));
	assert_true(live_after(3, TN_R0));
}

static void registers_live_around_a_loop(void **state)
{
	(void)state;
	FLOW(MOV_K(TN_R6, 1), MOV_K(TN_R0, 3), ALU64_K(TN_ADD, TN_R0, -1),
	     JMP_K(TN_JNE, TN_R0, 0, -2), MOV_X(TN_R0, TN_R6), EXIT());
	assert_true(live_after(0, TN_R6) && live_after(3, TN_R6));
	assert_false(live_after(4, TN_R6));
}

static void upper_halves_die_by_themselves(void **state)
{
	(void)state;
	FLOW(MOV_X(TN_R2, TN_R1), ALU64_K(TN_ADD, TN_R2, 5), ALU32_X(TN_ADD, TN_R2, TN_R2),
	     MOV_X(TN_R0, TN_R2), EXIT());
	assert_true(live_after(1, TN_R2) && !upper_after(1, TN_R2) && !upper_after(0, TN_R2));
	assert_true(upper_after(2, TN_R2));
	tn_flow_free(&flow, &t->rt);
	/* A shift to the right brings the upper half down. */
	FLOW(MOV_X(TN_R2, TN_R1), ALU64_K(TN_RSH, TN_R2, 5), STORE(TN_B, TN_R10, -1, TN_R2),
	     MOV_K(TN_R0, 0), EXIT());
	assert_true(upper_after(0, TN_R2) && !upper_after(1, TN_R2));
}

static void calls_read_their_arguments(void **state)
{
	(void)state;
	FLOW(MOV_K(TN_R1, 1), MOV_K(TN_R2, 1), CALL(7), EXIT());
	/* get_prandom_u32 takes none. */
	assert_false(live_after(0, TN_R1) || live_after(1, TN_R2));
	assert_true(tn_flow_is_dead(&flow, t->prog, 0));
	tn_flow_free(&flow, &t->rt);
	FLOW(MOV_K(TN_R5, 1), CALL_SUB(1), EXIT(), MOV_X(TN_R0, TN_R5), EXIT());
	assert_true(live_after(0, TN_R5));
	assert_int_equal(tn_flow_defs(&t->prog->insns[1]), 0x3f);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(code_behind_a_jump_is_not_reached),
		T(facts_close_ways),
		T(facts_of_a_rewritten_branch_do_not_close_the_jump),
		T(loop_knows_its_last_jump),
		T(control_that_leaves_a_function_is_refused),
		T(registers_die_at_their_last_use),
		T(registers_live_around_a_loop),
		T(upper_halves_die_by_themselves),
		T(calls_read_their_arguments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
