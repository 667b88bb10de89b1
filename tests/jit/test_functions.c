/* SPDX-License-Identifier: MIT */
/* Frames, subprograms, callbacks, fuel and aborts: each shape of entry, through both engines. */
#include "jit/jit_test.h"

/* Both engines agree in result, abort and fuel. */
static void expect_same_end(struct jit_test *t, uint64_t result, uint32_t abort, int64_t fuel)
{
	assert_int_equal(jit_test_interp(t, NULL), result);
	assert_int_equal(t->ex.abort, abort);
	assert_int_equal(t->ex.fuel, fuel);
	assert_int_equal(jit_test_native(t, NULL), result);
	assert_int_equal(t->ex.abort, abort);
	assert_int_equal(t->ex.fuel, fuel);
	assert_null(t->ex.entry_sp);
}

static void add_facts(struct jit_test *t)
{
	struct tn_facts *facts = tn_facts_new(&t->rt, t->prog->nr_insns, t->prog->nr_subprogs);
	uint32_t i;

	assert_non_null(facts);
	for (i = 0; i < t->prog->nr_insns; i++)
		facts->insns[i].flags = TN_FACT_REACHED;
	for (i = 0; i < t->prog->nr_subprogs; i++)
		facts->subprogs[i].stack_bytes = 64;
	t->prog->facts = facts;
}

static void charge(struct jit_test *t, uint32_t insn, uint32_t fuel)
{
	t->prog->facts->insns[insn].fuel = fuel;
	t->prog->facts->has_fuel = 1;
	t->prog->facts->subprogs[tn_prog_subprog_at(t->prog, insn)].has_fuel = 1;
}

#define LOAD_ONLY(t, ...)                                                       \
	do {                                                                    \
		const struct tn_insn insns_[] = { __VA_ARGS__ };                \
		jit_test_load((t), insns_, sizeof(insns_) / sizeof(insns_[0])); \
	} while (0)

static int setup(void **state)
{
	*state = jit_test_new();
	return 0;
}

static int teardown(void **state)
{
	jit_test_free(*state);
	return 0;
}

static void local_call_keeps_callee_saved_registers(void **state)
{
	struct jit_test *t = *state;

	LOAD_AND_COMPILE(t, MOV_K(TN_R6, 6), MOV_K(TN_R7, 70), MOV_K(TN_R8, 800),
			 MOV_K(TN_R9, 9000), MOV_K(TN_R1, 1), MOV_K(TN_R5, 5), CALL_SUB(5),
			 ALU64_X(TN_ADD, TN_R0, TN_R6), ALU64_X(TN_ADD, TN_R0, TN_R7),
			 ALU64_X(TN_ADD, TN_R0, TN_R8), ALU64_X(TN_ADD, TN_R0, TN_R9), EXIT(),
			 /* sub */ MOV_X(TN_R6, TN_R1), MOV_X(TN_R7, TN_R5), MOV_K(TN_R8, 0),
			 MOV_K(TN_R9, 0), MOV_X(TN_R0, TN_R6), ALU64_X(TN_ADD, TN_R0, TN_R7),
			 EXIT());
	expect_result(t, NULL, 9876 + 6);
}

static void local_calls_have_frames_of_their_own(void **state)
{
	struct jit_test *t = *state;

	LOAD_AND_COMPILE(t, STORE_K(TN_DW, TN_R10, -8, 5), MOV_X(TN_R1, TN_R10),
			 ALU64_K(TN_ADD, TN_R1, -8), CALL_SUB(3), LOAD(TN_DW, TN_R1, TN_R10, -8),
			 ALU64_X(TN_ADD, TN_R0, TN_R1), EXIT(),
			 /* sub */ STORE_K(TN_DW, TN_R10, -8, 100), LOAD(TN_DW, TN_R0, TN_R1, 0),
			 LOAD(TN_DW, TN_R2, TN_R10, -8), ALU64_X(TN_ADD, TN_R0, TN_R2),
			 STORE(TN_DW, TN_R1, 0, TN_R0), EXIT());
	expect_result(t, NULL, 210);
}

static void recursion_is_refused(void **state)
{
	struct jit_test *t = *state;
	const struct tn_insn insns[] = { CALL_SUB(1), EXIT(), CALL_SUB(-1), EXIT() };

	jit_test_load(t, insns, 4);
	assert_int_equal(tn_rewrite(t->prog), 0);
	assert_int_equal(tn_jit_compile(&t->rt, &t->prog, 1, &t->code), -EINVAL);
	assert_null(t->code);
}

static void context_size_is_second_argument(void **state)
{
	struct jit_test *t = *state;

	LOAD_ONLY(t, MOV_X(TN_R0, TN_R2), EXIT());
	t->prog->r2_is_ctx_size = true;
	jit_test_compile(t);
	jit_test_arm(t);
	t->ex.ctx_size = 1234;
	assert_int_equal(t->prog->entry(NULL, &t->ex), 1234);
}

/* Leaves dirt where the next frame will be. */
static __attribute__((noinline)) void soil_stack(void)
{
	volatile uint8_t dirt[8192];
	uint32_t i;

	for (i = 0; i < sizeof(dirt); i++)
		dirt[i] = 0xa5;
}

static void zero_slots_are_zero_at_entry(void **state)
{
	struct jit_test *t = *state;

	LOAD_ONLY(t, LOAD(TN_DW, TN_R0, TN_R10, -16), LOAD(TN_DW, TN_R1, TN_R10, -64),
		  ALU64_X(TN_OR, TN_R0, TN_R1), EXIT());
	add_facts(t);
	t->prog->facts->subprogs[0].zero_slots[0] = 1u << 1 | 1u << 7;
	jit_test_compile(t);
	soil_stack();
	expect_same_end(t, 0, TN_ABORT_NONE, 1 << 20);
}

static void zero_slots_may_be_all_of_the_largest_frame(void **state)
{
	struct jit_test *t = *state;
	struct tn_insn insns[2 * 512 + 2];
	uint32_t nr = 0, i;

	insns[nr++] = MOV_K(TN_R0, 0);
	for (i = 1; i <= 512; i++) {
		insns[nr++] = LOAD(TN_DW, TN_R1, TN_R10, -8 * (int)i);
		insns[nr++] = ALU64_X(TN_OR, TN_R0, TN_R1);
	}
	insns[nr++] = EXIT();
	jit_test_load(t, insns, nr);
	add_facts(t);
	t->prog->facts->subprogs[0].stack_bytes = TN_MAX_FRAME_BYTES;
	memset(t->prog->facts->subprogs[0].zero_slots, 0xff, 64);
	jit_test_compile(t);
	soil_stack();
	assert_int_equal(jit_test_native(t, NULL), 0);
}

/* ---- Fuel ---- */

static void fuel_is_charged_at_jumps_taken(void **state)
{
	struct jit_test *t = *state;

	LOAD_ONLY(t, MOV_K(TN_R0, 10), ALU64_K(TN_ADD, TN_R0, -1), JMP_K(TN_JNE, TN_R0, 0, -2),
		  EXIT());
	add_facts(t);
	charge(t, 2, 7);
	jit_test_compile(t);
	expect_same_end(t, 0, TN_ABORT_NONE, (1 << 20) - 9 * 7);
}

static void fuel_ends_endless_loop(void **state)
{
	struct jit_test *t = *state;

	LOAD_ONLY(t, MOV_K(TN_R0, 1), MOV_K(TN_R6, 1), ALU64_K(TN_ADD, TN_R0, 1), GOTO(-2), EXIT());
	add_facts(t);
	charge(t, 3, 1 << 18);
	jit_test_compile(t);
	expect_same_end(t, 0, TN_ABORT_FUEL, -(1 << 18));
}

static void fuel_of_more_than_31_bits_is_charged(void **state)
{
	struct jit_test *t = *state;

	LOAD_ONLY(t, MOV_K(TN_R0, 1), ALU64_K(TN_ADD, TN_R0, 1), GOTO(-2), EXIT());
	add_facts(t);
	charge(t, 2, 0xf0000000);
	jit_test_compile(t);
	expect_same_end(t, 0, TN_ABORT_FUEL, (1 << 20) - 0xf0000000ll);
}

static void fuel_abort_in_subprogram_ends_program(void **state)
{
	struct jit_test *t = *state;

	LOAD_ONLY(t, MOV_K(TN_R6, 1), CALL_SUB(2), MOV_K(TN_R0, 99), EXIT(),
		  /* sub */ MOV_K(TN_R7, 2), CALL_SUB(1), EXIT(),
		  /* sub2 */ MOV_K(TN_R8, 3), STORE_K(TN_DW, TN_R10, -8, 1),
		  ALU64_K(TN_ADD, TN_R8, 1), GOTO(-2), EXIT());
	add_facts(t);
	charge(t, 10, 1 << 10);
	jit_test_compile(t);
	expect_same_end(t, 0, TN_ABORT_FUEL, -(1 << 10));
}

static void fuel_goes_into_subprogram_and_back(void **state)
{
	struct jit_test *t = *state;

	LOAD_ONLY(t, MOV_K(TN_R6, 3), CALL_SUB(4), ALU64_K(TN_ADD, TN_R6, -1),
		  JMP_K(TN_JNE, TN_R6, 0, -3), MOV_K(TN_R0, 5), EXIT(),
		  /* sub */ MOV_K(TN_R0, 4), ALU64_K(TN_ADD, TN_R0, -1),
		  JMP_K(TN_JNE, TN_R0, 0, -2), EXIT());
	add_facts(t);
	charge(t, 3, 100);
	charge(t, 8, 1);
	jit_test_compile(t);
	expect_same_end(t, 5, TN_ABORT_NONE, (1 << 20) - 200 - 9);
}

static void may_goto_branches_after_limit(void **state)
{
	struct jit_test *t = *state;

	LOAD_AND_COMPILE(t, MOV_K(TN_R0, 0), MAY_GOTO(2), ALU64_K(TN_ADD, TN_R0, 1), GOTO(-3),
			 MAY_GOTO(1), ALU64_K(TN_ADD, TN_R0, 7), EXIT());
	expect_result(t, NULL, TN_MAY_GOTO_LIMIT);
}

/* ---- Callbacks ---- */

static void callback_runs_for_each_round(void **state)
{
	struct jit_test *t = *state;

	LOAD_AND_COMPILE(t, STORE_K(TN_DW, TN_R10, -8, 0), MOV_K(TN_R1, 100), LDDW_FUNC(TN_R2, 7),
			 MOV_X(TN_R3, TN_R10), ALU64_K(TN_ADD, TN_R3, -8), MOV_K(TN_R4, 0),
			 CALL(TN_HELPER_loop), LOAD(TN_DW, TN_R0, TN_R10, -8), EXIT(),
			 /* callback */ LOAD(TN_DW, TN_R3, TN_R2, 0), MOV_X(TN_R6, TN_R1),
			 ALU64_X(TN_ADD, TN_R3, TN_R6), STORE(TN_DW, TN_R2, 0, TN_R3),
			 MOV_K(TN_R0, 0), EXIT());
	expect_result(t, NULL, 4950);
}

#define LOOP_WITH_CALLBACK(...)                                                     \
	MOV_K(TN_R6, 77), MOV_K(TN_R1, 1000), LDDW_FUNC(TN_R2, 6), MOV_K(TN_R3, 0), \
		MOV_K(TN_R4, 0), CALL(TN_HELPER_loop), MOV_X(TN_R0, TN_R6), EXIT(), __VA_ARGS__

static void callback_pays_for_each_round(void **state)
{
	struct jit_test *t = *state;

	LOAD_ONLY(t, LOOP_WITH_CALLBACK(MOV_K(TN_R0, 0), EXIT()));
	add_facts(t);
	t->prog->facts->insns[6].flags |= TN_FACT_FUEL_CALLBACK | TN_FACT_MAY_ABORT;
	charge(t, 6, 50);
	jit_test_compile(t);
	expect_same_end(t, 77, TN_ABORT_NONE, (1 << 20) - 50000);
	charge(t, 6, 2000);
	jit_test_drop(t);
}

static void callback_out_of_fuel_ends_program(void **state)
{
	struct jit_test *t = *state;

	LOAD_ONLY(t, LOOP_WITH_CALLBACK(MOV_K(TN_R0, 0), EXIT()));
	add_facts(t);
	charge(t, 6, 2000);
	jit_test_compile(t);
	expect_same_end(t, 0, TN_ABORT_FUEL, (1 << 20) - 525 * 2000);
}

static void fuel_abort_inside_callback_ends_program(void **state)
{
	struct jit_test *t = *state;

	LOAD_ONLY(t, LOOP_WITH_CALLBACK(MOV_K(TN_R7, 0), ALU64_K(TN_ADD, TN_R7, 1), GOTO(-2),
					MOV_K(TN_R0, 0), EXIT()));
	add_facts(t);
	charge(t, 11, 1000);
	jit_test_compile(t);
	expect_same_end(t, 0, TN_ABORT_FUEL, (1 << 20) - 1049 * 1000);
}

static void fuel_abort_below_callback_ends_program(void **state)
{
	struct jit_test *t = *state;

	LOAD_ONLY(t, LOOP_WITH_CALLBACK(MOV_K(TN_R7, 5), CALL_SUB(2), MOV_K(TN_R0, 0), EXIT(),
					/* sub */ MOV_K(TN_R8, 0), ALU64_K(TN_ADD, TN_R8, 1),
					GOTO(-2), EXIT()));
	add_facts(t);
	charge(t, 15, 1000);
	jit_test_compile(t);
	expect_same_end(t, 0, TN_ABORT_FUEL, (1 << 20) - 1049 * 1000);
}

/* ---- Helpers that abort, and entries inside entries ---- */

static struct jit_test *current;
static uint32_t nested_depth;

static uint64_t abort_when_9(uint64_t x)
{
	if (x == 9)
		current->ex.abort = TN_ABORT_HOST;
	return x + 1;
}

static uint64_t invoke_abort(const struct tn_host_helper *self, const uint64_t args[5],
			     struct tn_exec *ex)
{
	(void)self;
	(void)ex;
	return abort_when_9(args[0]);
}

/* Runs the program again, inside, natively. */
static uint64_t enter_again(uint64_t x)
{
	struct tn_exec inner = current->ex;
	uint64_t result = 0;

	if (nested_depth++ < 3) {
		inner.outer = &current->ex;
		inner.abort = 0;
		result = current->prog->entry((void *)(uintptr_t)x, &inner);
	}
	nested_depth--;
	return result;
}

static void set_extern(struct jit_test *t, struct tn_host_helper *helper)
{
	t->prog->externs = tn_alloc_array(&t->rt, 1, sizeof(struct tn_extern));
	assert_non_null(t->prog->externs);
	t->prog->nr_externs = 1;
	t->prog->externs[0].is_func = true;
	t->prog->externs[0].helper = helper;
}

static void helper_abort_ends_program_from_subprogram(void **state)
{
	struct jit_test *t = *state;
	struct tn_host_helper helper = { .name = (char *)"abort_when_9",
					 .fn = (tn_host_fn)abort_when_9,
					 .invoke = invoke_abort };

	current = t;
	assert_int_equal(tn_sig_parse("u64(u64)", &helper.sig), 0);
	helper.sig.flags |= TN_SIG_MAY_ABORT;
	LOAD_ONLY(t, MOV_K(TN_R6, 6), MOV_K(TN_R1, 8), CALL_SUB(6), MOV_X(TN_R7, TN_R0),
		  MOV_K(TN_R1, 9), CALL_SUB(3), MOV_X(TN_R0, TN_R7), MOV_K(TN_R0, 55), EXIT(),
		  /* sub */ MOV_X(TN_R8, TN_R1), CALL_EXT(0), ALU64_X(TN_ADD, TN_R0, TN_R8),
		  EXIT());
	set_extern(t, &helper);
	jit_test_compile(t);
	expect_same_end(t, 0, TN_ABORT_HOST, 1 << 20);
}

static void nested_entry_keeps_outer_firing(void **state)
{
	struct jit_test *t = *state;
	struct tn_host_helper helper = { .name = (char *)"enter_again",
					 .fn = (tn_host_fn)enter_again };

	current = t;
	assert_int_equal(tn_sig_parse("u64(u64)", &helper.sig), 0);
	helper.sig.flags |= TN_SIG_MAY_ABORT | TN_SIG_MAY_FIRE;
	/* r0 = 1 + 10 * inner, four deep, from a subprogram that may abort. */
	LOAD_ONLY(t, MOV_X(TN_R6, TN_R1), CALL_SUB(1), EXIT(), CALL_EXT(0),
		  ALU64_K(TN_MUL, TN_R0, 10), ALU64_K(TN_ADD, TN_R0, 1), EXIT());
	set_extern(t, &helper);
	jit_test_compile(t);
	assert_int_equal(jit_test_native(t, NULL), 1111);
	assert_int_equal(t->ex.abort, TN_ABORT_NONE);
	assert_null(t->ex.entry_sp);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(local_call_keeps_callee_saved_registers),
		T(local_calls_have_frames_of_their_own),
		T(recursion_is_refused),
		T(context_size_is_second_argument),
		T(zero_slots_are_zero_at_entry),
		T(zero_slots_may_be_all_of_the_largest_frame),
		T(fuel_is_charged_at_jumps_taken),
		T(fuel_ends_endless_loop),
		T(fuel_of_more_than_31_bits_is_charged),
		T(fuel_abort_in_subprogram_ends_program),
		T(fuel_goes_into_subprogram_and_back),
		T(may_goto_branches_after_limit),
		T(callback_runs_for_each_round),
		T(callback_pays_for_each_round),
		T(callback_out_of_fuel_ends_program),
		T(fuel_abort_inside_callback_ends_program),
		T(fuel_abort_below_callback_ends_program),
		T(helper_abort_ends_program_from_subprogram),
		T(nested_entry_keeps_outer_firing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
