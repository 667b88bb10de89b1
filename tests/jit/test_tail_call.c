/* SPDX-License-Identifier: MIT */
/* Tail calls: hit, miss, count, from subprograms, between engines. */
#include "jit/jit_test.h"

#include "maps/prog_array.h"

enum { NR_PROGS = 3 };

static struct jit_test *t;
static struct tn_map *array;
static struct tn_prog *progs[NR_PROGS];

static void *get_prog(struct tn_rt *rt, uint32_t id)
{
	int i;

	(void)rt;
	for (i = 0; i < NR_PROGS; i++)
		if (progs[i] && progs[i]->id == id)
			return progs[i];
	errno = ENOENT;
	return NULL;
}

static void put_prog(void *prog)
{
	(void)prog;
}

static uint32_t prog_id(const void *prog)
{
	return ((const struct tn_prog *)prog)->id;
}

static int prog_fits(const void *prog, const void *owner_sig)
{
	(void)prog;
	(void)owner_sig;
	return 0;
}

static int setup(void **state)
{
	static const struct tn_prog_array_host host = { get_prog, put_prog, prog_id, prog_fits };
	struct tn_map_attr attr = { .type = TN_MAP_PROG_ARRAY,
				    .key_size = 4,
				    .value_size = 4,
				    .max_entries = 4,
				    .name = "jumps" };

	(void)state;
	t = jit_test_new();
	array = tn_map_create(&t->rt, &attr);
	assert_non_null(array);
	tn_prog_array_set_host(array, &host);
	return 0;
}

static int teardown(void **state)
{
	int i;

	(void)state;
	tn_prog_array_clear(array);
	tn_map_put(array);
	for (i = 0; i < NR_PROGS; i++) {
		tn_prog_free(progs[i]);
		progs[i] = NULL;
	}
	jit_test_free(t);
	return 0;
}

/* Program i, also at index i of the array. */
static void add(uint32_t i, const struct tn_insn *insns, uint32_t nr, uint64_t cost)
{
	uint32_t k;

	progs[i] = tn_prog_new(&t->rt, "link");
	assert_non_null(progs[i]);
	assert_int_equal(tn_prog_set_insns(progs[i], insns, nr), 0);
	assert_int_equal(tn_prog_find_subprogs(progs[i]), 0);
	progs[i]->facts = tn_facts_new(&t->rt, nr, progs[i]->nr_subprogs);
	assert_non_null(progs[i]->facts);
	for (k = 0; k < nr; k++)
		progs[i]->facts->insns[k].flags = TN_FACT_REACHED;
	for (k = 0; k < progs[i]->nr_subprogs; k++)
		progs[i]->facts->subprogs[k].stack_bytes = 32;
	progs[i]->facts->proved_cost = cost;
	assert_int_equal(tn_rewrite(progs[i]), 0);
	progs[i]->entry = tn_interp_entry;
	assert_int_equal(tn_map_host_update(array, &i, &progs[i]->id, 0), 0);
}

#define ADD(i, cost, ...)                                                     \
	do {                                                                  \
		const struct tn_insn insns_[] = { __VA_ARGS__ };              \
		add((i), insns_, sizeof(insns_) / sizeof(insns_[0]), (cost)); \
	} while (0)

static void compile(uint32_t first, uint32_t nr)
{
	tn_jit_code_free(&t->rt, t->code);
	t->code = NULL;
	if (tn_jit_compile(&t->rt, progs + first, nr, &t->code))
		fail_msg("%s", tn_err_last()->msg);
}

static uint64_t fire(void *ctx)
{
	jit_test_arm(t);
	t->ex.prog = t->ex.first = progs[0];
	t->ex.fuel = 10000;
	return progs[0]->entry(ctx, &t->ex);
}

/* r1 is the context, still. */
#define TAIL_CALL(index) \
	LDDW(TN_R2, (uintptr_t)array), MOV_K(TN_R3, (index)), CALL(TN_HELPER_tail_call)

/* The same with the interpreter, with compiled code, and where each calls the other. */
static void expect_everywhere(uint64_t result, uint32_t abort, int64_t fuel)
{
	uint64_t ctx[2] = { 5, 6 };
	int round, i;

	for (round = 0; round < 4; round++) {
		for (i = 0; i < NR_PROGS && progs[i]; i++)
			progs[i]->entry = tn_interp_entry;
		if (round == 1)
			compile(0, progs[2] ? 3 : progs[1] ? 2 : 1);
		else if (round == 2)
			compile(0, 1);
		else if (round == 3 && progs[1])
			compile(1, progs[2] ? 2 : 1);
		assert_int_equal(fire(ctx), result);
		assert_int_equal(t->ex.abort, abort);
		assert_int_equal(t->ex.fuel, fuel);
		assert_null(t->ex.entry_sp);
	}
}

static void tail_call_replaces_program(void **state)
{
	(void)state;
	ADD(0, 0, MOV_K(TN_R6, 1), MOV_K(TN_R9, 2), STORE_K(TN_DW, TN_R10, -8, 3), TAIL_CALL(1),
	    MOV_K(TN_R0, 99), EXIT());
	ADD(1, 10, LOAD(TN_DW, TN_R6, TN_R1, 8), MOV_K(TN_R7, 40), MOV_X(TN_R0, TN_R6),
	    ALU64_X(TN_ADD, TN_R0, TN_R7), EXIT());
	expect_everywhere(46, TN_ABORT_NONE, 9990);
}

static void tail_call_that_misses_falls_through(void **state)
{
	(void)state;
	ADD(0, 0, MOV_K(TN_R6, 7), TAIL_CALL(3), ALU64_X(TN_ADD, TN_R0, TN_R6), EXIT());
	expect_everywhere(TN_TAIL_CALL_MISS + 7, TN_ABORT_NONE, 10000);
	teardown(NULL);
	setup(NULL);
	ADD(0, 0, MOV_K(TN_R6, 7), TAIL_CALL(400), ALU64_X(TN_ADD, TN_R0, TN_R6), EXIT());
	expect_everywhere(TN_TAIL_CALL_MISS + 7, TN_ABORT_NONE, 10000);
}

static void tail_call_to_itself_ends_after_33(void **state)
{
	(void)state;
	ADD(0, 1, LOAD(TN_DW, TN_R6, TN_R1, 0), TAIL_CALL(0), MOV_X(TN_R0, TN_R6), EXIT());
	expect_everywhere(5, TN_ABORT_NONE, 10000 - 33);
}

static void tail_call_out_of_fuel_ends_firing(void **state)
{
	(void)state;
	ADD(0, 0, MOV_K(TN_R6, 1), TAIL_CALL(1), MOV_K(TN_R0, 99), EXIT());
	ADD(1, 10001, MOV_K(TN_R0, 1), EXIT());
	expect_everywhere(0, TN_ABORT_FUEL, -1);
}

static void tail_call_from_subprogram_returns_to_its_caller(void **state)
{
	(void)state;
	ADD(0, 0, MOV_K(TN_R6, 100), MOV_K(TN_R7, 1000), CALL_SUB(3), ALU64_X(TN_ADD, TN_R0, TN_R6),
	    ALU64_X(TN_ADD, TN_R0, TN_R7), EXIT(),
	    /* sub */ MOV_K(TN_R6, 0), TAIL_CALL(1), MOV_K(TN_R0, 99), EXIT());
	ADD(1, 10, LOAD(TN_DW, TN_R0, TN_R1, 8), MOV_K(TN_R6, 55), MOV_K(TN_R7, 55), EXIT());
	expect_everywhere(1106, TN_ABORT_NONE, 9990);
}

static void abort_in_target_ends_callers_too(void **state)
{
	(void)state;
	ADD(0, 0, MOV_K(TN_R6, 100), CALL_SUB(2), ALU64_X(TN_ADD, TN_R0, TN_R6), EXIT(),
	    /* sub */ MOV_K(TN_R6, 0), TAIL_CALL(1), MOV_K(TN_R0, 99), EXIT());
	ADD(1, 10, MOV_K(TN_R6, 1), ALU64_K(TN_ADD, TN_R6, 1), GOTO(-2), EXIT());
	progs[1]->facts->insns[2].fuel = 1000;
	progs[1]->facts->has_fuel = 1;
	progs[1]->facts->subprogs[0].has_fuel = 1;
	expect_everywhere(0, TN_ABORT_FUEL, -10);
}

static void fuel_is_kept_across_tail_calls(void **state)
{
	(void)state;
	/* Each pays for its own loop; the second is entered from a subprogram of the first. */
	ADD(0, 0, MOV_K(TN_R6, 5), ALU64_K(TN_ADD, TN_R6, -1), JMP_K(TN_JNE, TN_R6, 0, -2),
	    CALL_SUB(4), MOV_K(TN_R6, 3), ALU64_K(TN_ADD, TN_R6, -1), JMP_K(TN_JNE, TN_R6, 0, -2),
	    EXIT(), /* sub */ MOV_K(TN_R6, 0), TAIL_CALL(1), MOV_K(TN_R0, 99), EXIT());
	progs[0]->facts->insns[2].fuel = 100;
	progs[0]->facts->insns[6].fuel = 1;
	progs[0]->facts->has_fuel = 1;
	progs[0]->facts->subprogs[0].has_fuel = 1;
	ADD(1, 10, MOV_K(TN_R0, 9), MOV_K(TN_R6, 2), ALU64_K(TN_ADD, TN_R6, -1),
	    JMP_K(TN_JNE, TN_R6, 0, -2), EXIT());
	progs[1]->facts->insns[3].fuel = 1000;
	progs[1]->facts->has_fuel = 1;
	progs[1]->facts->subprogs[0].has_fuel = 1;
	expect_everywhere(9, TN_ABORT_NONE, 10000 - 400 - 10 - 1000 - 2);
}

static void chain_of_three_passes_context_on(void **state)
{
	(void)state;
	ADD(0, 1, MOV_K(TN_R9, 1), TAIL_CALL(1), EXIT());
	ADD(1, 1, ALU64_K(TN_ADD, TN_R1, 8), TAIL_CALL(2), EXIT());
	ADD(2, 1, LOAD(TN_DW, TN_R0, TN_R1, 0), EXIT());
	expect_everywhere(6, TN_ABORT_NONE, 10000 - 2);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(tail_call_replaces_program),
		T(tail_call_that_misses_falls_through),
		T(tail_call_to_itself_ends_after_33),
		T(tail_call_out_of_fuel_ends_firing),
		T(tail_call_from_subprogram_returns_to_its_caller),
		T(abort_in_target_ends_callers_too),
		T(fuel_is_kept_across_tail_calls),
		T(chain_of_three_passes_context_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
