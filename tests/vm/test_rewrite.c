/* SPDX-License-Identifier: MIT */
#include "vm/testing.h"

#include "maps/map.h"
#include "vm/ctx_type.h"

static void rewrite_turns_references_into_addresses(void **state)
{
	struct tn_rt *rt = *state;
	const struct tn_map_attr attr = {
		.type = TN_MAP_ARRAY, .key_size = 4, .value_size = 8, .max_entries = 4, .name = "m"
	};
	struct tn_prog *prog = make_prog(rt, "r1 = map[0] ll\n r2 = map_value[0]+16 ll\n"
					     "r3 = extern[0] ll\n r4 = func f ll\n exit\n"
					     "f: r0 = 0\n exit\n");

	prog->maps = tn_alloc_array(rt, 1, sizeof(*prog->maps));
	prog->nr_maps = 1;
	prog->maps[0] = tn_map_create(rt, &attr);
	prog->externs = tn_alloc_array(rt, 1, sizeof(*prog->externs));
	prog->nr_externs = 1;
	prog->externs[0].value = 0x1234567890;
	assert_int_equal(tn_rewrite(prog), 0);
	assert_int_equal(tn_insn_imm64(&prog->insns[0]), (uintptr_t)prog->maps[0]);
	assert_int_equal(tn_insn_imm64(&prog->insns[2]), (uintptr_t)prog->maps[0]->values + 16);
	assert_int_equal(tn_insn_imm64(&prog->insns[4]), 0x1234567890);
	assert_int_equal(tn_insn_imm64(&prog->insns[6]), (uintptr_t)&prog->funcs[1]);
	assert_int_equal(prog->funcs[1].subprog, 1);
	for (int i = 0; i < 8; i += 2)
		assert_int_equal(prog->insns[i].src, TN_LDDW_IMM);
	assert_int_equal(tn_rewrite(prog), 0); /* once is enough */
	tn_prog_free(prog);
	assert_int_equal(tn_epoch_drain(), 0);
}

static void rewrite_moves_context_accesses_to_the_host(void **state)
{
	struct tn_prog *prog = make_prog(*state, "r2 = *(u32 *)(r1 +76)\n"
						 "r3 = *(u32 *)(r1 +80)\n"
						 "r4 = *(u16 *)(r1 +10)\n"
						 "*(u32 *)(r1 +56) = r4\n"
						 "r5 = *(u32 *)(r2 +76)\n"
						 "exit\n");

	prog->ctx_type = tn_ctx_builtin("__sk_buff");
	add_facts(prog);
	for (int i = 0; i < 4; i++)
		prog->facts->insns[i].flags |= TN_FACT_CTX_REWRITE;
	assert_int_equal(tn_rewrite(prog), 0);
	assert_int_equal(prog->insns[0].code, TN_LDX | TN_MEM | TN_DW);
	assert_int_equal(prog->insns[0].off, offsetof(struct tn_skb_host, data));
	assert_int_equal(prog->insns[1].code, TN_LDX | TN_MEM | TN_DW);
	assert_int_equal(prog->insns[1].off, offsetof(struct tn_skb_host, data_end));
	assert_int_equal(prog->insns[2].code, TN_LDX | TN_MEM | TN_H);
	assert_int_equal(prog->insns[2].off, offsetof(struct tn_skb_host, mark) + 2);
	assert_int_equal(prog->insns[3].off, offsetof(struct tn_skb_host, cb[2]));
	assert_int_equal(prog->insns[4].off, 76); /* no context access */
	tn_prog_free(prog);
}

static void rewrite_settles_known_branches_and_dead_code(void **state)
{
	struct tn_prog *prog = make_prog(*state, "if r1 == 0x0 goto +2\n"
						 "if r1 == r2 goto +1\n"
						 "r0 = 1\n"
						 "r0 = 5 ll\n"
						 "exit\n");

	add_facts(prog);
	prog->facts->insns[0].flags |= TN_FACT_BRANCH_NEVER;
	prog->facts->insns[0].fuel = 7;
	prog->facts->insns[1].flags |= TN_FACT_BRANCH_ALWAYS;
	prog->facts->insns[1].fuel = 8;
	prog->facts->insns[2].flags = 0;
	prog->facts->insns[3].flags = 0;
	assert_int_equal(tn_rewrite(prog), 0);
	assert_int_equal(prog->insns[0].code, TN_JMP | TN_JA);
	assert_int_equal(prog->insns[0].off, 0);
	assert_int_equal(prog->facts->insns[0].fuel, 0);
	assert_int_equal(prog->insns[1].code, TN_JMP | TN_JA);
	assert_int_equal(prog->insns[1].src, 0);
	assert_int_equal(prog->insns[1].off, 1);
	assert_int_equal(prog->facts->insns[1].fuel, 8);
	for (int i = 2; i < 5; i++)
		assert_int_equal(prog->insns[i].code, TN_JMP | TN_EXIT);
	assert_int_equal(tn_insns_check(prog->insns, prog->nr_insns), 0);
	tn_prog_free(prog);
}

static void rewrite_prefers_a_host_helper_of_that_number(void **state)
{
	struct tn_rt *rt = *state;
	static const struct tn_host_helper helper = { .name = (char *)"mine", .id = 7 };
	struct tn_prog *prog = make_prog(rt, "call 7\n call 5\n exit\n");

	prog->externs = tn_alloc_array(rt, 2, sizeof(*prog->externs));
	prog->nr_externs = 2;
	prog->externs[1].helper = &helper;
	assert_int_equal(tn_rewrite(prog), 0);
	assert_int_equal(prog->insns[0].src, TN_CALL_EXTERN);
	assert_int_equal(prog->insns[0].imm, 1);
	assert_int_equal(prog->insns[1].src, TN_CALL_HELPER);
	tn_prog_free(prog);
}

static void rewrite_changes_nothing_when_memory_runs_out(void **state)
{
	struct tn_rt *rt = *state;
	struct tn_prog *prog = make_prog(rt, "r1 = func f ll\n exit\n f: exit\n");

	tn_store_relaxed(&rt->mem.fail_after, 1);
	assert_int_equal(tn_rewrite(prog), -ENOMEM);
	assert_false(prog->rewritten);
	assert_int_equal(prog->insns[0].src, TN_LDDW_FUNC);
	assert_int_equal(tn_rewrite(prog), 0);
	tn_prog_free(prog);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(rewrite_turns_references_into_addresses),
		TEST(rewrite_moves_context_accesses_to_the_host),
		TEST(rewrite_settles_known_branches_and_dead_code),
		TEST(rewrite_prefers_a_host_helper_of_that_number),
		TEST(rewrite_changes_nothing_when_memory_runs_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
