/* SPDX-License-Identifier: MIT */
#include "vm/testing.h"

#include <stdio.h>

#include "maps/map.h"
#include "vm/disasm.h"

static uint64_t random_state = 1;

static uint32_t random_number(void)
{
	random_state = random_state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(random_state >> 32);
}

static struct tn_insn random_form(const struct tn_opcode *op)
{
	struct tn_insn insn = { .code = op->code };

	insn.dst = op->dst < TN_OPND_READ ? op->dst & 0xfu : random_number() % 10;
	insn.src = op->src < TN_OPND_READ ? op->src & 0xfu : random_number() % 11;
	insn.off = op->off == TN_OPND_ANY ? (int16_t)random_number() : (int16_t)op->off;
	insn.imm = op->imm == TN_OPND_ANY ? (int32_t)random_number() : op->imm;
	return insn;
}

/* Text of every row, with random operands, assembles to the same bytes and prints the same again.
 */
static void round_trip_keeps_every_row(void **state)
{
	struct tn_rt *rt = *state;

	for (uint32_t i = 0; i < tn_nr_opcodes * 50; i++) {
		const struct tn_opcode *op = &tn_opcodes[i % tn_nr_opcodes];
		struct tn_insn insns[2] = { random_form(op) }, *again;
		bool is_lddw = tn_insn_is_lddw(insns);
		char text[128], second[128];
		uint32_t nr;

		if (is_lddw && (insns[0].src == TN_LDDW_IMM || insns[0].src == TN_LDDW_MAP_VALUE))
			insns[1].imm = (int32_t)random_number();
		if (strstr(op->text, "%m") || strstr(op->text, "%e"))
			insns[0].imm &= 0x7fffffff;
		tn_disasm(NULL, insns, 0, text, sizeof(text));
		if (tn_asm(rt, text, &again, &nr))
			fail_msg("%s: '%s': %s", op->name, text, tn_err_last()->msg);
		assert_int_equal(nr, is_lddw ? 2 : 1);
		if (memcmp(again, insns, nr * sizeof(*insns)))
			fail_msg("%s: '%s' assembles to other bytes", op->name, text);
		tn_disasm(NULL, again, 0, second, sizeof(second));
		assert_string_equal(text, second);
		tn_free(rt, again);
	}
}

static void disasm_writes_kernel_syntax(void **state)
{
	static const struct {
		struct tn_insn insn[2];
		const char *text;
	} cases[] = {
		{ { { 0x61, 0, 1, 4, 0 } }, "r0 = *(u32 *)(r1 +4)" },
		{ { { 0x7b, 10, 1, -8, 0 } }, "*(u64 *)(r10 -8) = r1" },
		{ { { 0x72, 1, 0, 0, 7 } }, "*(u8 *)(r1 +0) = 7" },
		{ { { 0x25, 1, 0, 2, 7 } }, "if r1 > 0x7 goto pc+2" },
		{ { { 0xde, 1, 2, -3, 0 } }, "if w1 s<= w2 goto pc-3" },
		{ { { 0x05, 0, 0, -1, 0 } }, "goto pc-1" },
		{ { { 0x06, 0, 0, 0, 70000 } }, "gotol pc+70000" },
		{ { { 0x85, 0, 0, 0, 1 } }, "call bpf_map_lookup_elem#1" },
		{ { { 0x85, 0, 0, 0, 9999 } }, "call unknown#9999" },
		{ { { 0x85, 0, 1, 0, 5 } }, "call pc+5" },
		{ { { 0x95, 0, 0, 0, 0 } }, "exit" },
		{ { { 0x07, 1, 0, 0, -5 } }, "r1 += -5" },
		{ { { 0x3f, 1, 2, 1, 0 } }, "r1 s/= r2" },
		{ { { 0x94, 1, 0, 0, 3 } }, "w1 %= 3" },
		{ { { 0xbf, 1, 2, 8, 0 } }, "r1 = (s8)r2" },
		{ { { 0xdc, 3, 0, 0, 16 } }, "r3 = be16 r3" },
		{ { { 0xdb, 1, 2, 0, 1 } }, "r2 = atomic64_fetch_add((u64 *)(r1 +0), r2)" },
		{ { { 0xc3, 1, 2, 4, 0 } }, "lock *(u32 *)(r1 +4) += w2" },
		{ { { 0xdb, 1, 2, 0, 0x100 } }, "r1 = load_acquire((u64 *)(r2 +0))" },
		{ { { 0xe5, 0, 0, 3, 0 } }, "may_goto pc+3" },
		{ { { 0x18, 1, 0, 0, -1 }, { 0, 0, 0, 0, 1 } }, "r1 = 0x1ffffffff ll" },
		{ { { 0x18, 1, 2, 0, 3 }, { 0, 0, 0, 0, 8 } }, "r1 = map_value[3]+8 ll" },
		{ { { 0x30, 0, 0, 0, 14 } }, "r0 = *(u8 *)skb[14]" },
		{ { { 0x8d, 1, 0, 0, 0 } }, "(bad) 8d 1:0 0 0" },
	};
	char text[128];

	(void)state;
	for (size_t i = 0; i < TN_ARRAY_SIZE(cases); i++) {
		int len = tn_disasm(NULL, cases[i].insn, 0, text, sizeof(text));

		assert_string_equal(text, cases[i].text);
		assert_int_equal(len, strlen(text));
	}
}

static void disasm_cuts_at_the_buffer_and_returns_the_length(void **state)
{
	struct tn_insn insn = { .code = 0x95 };
	char text[3] = "??";

	(void)state;
	assert_int_equal(tn_disasm(NULL, &insn, 0, text, sizeof(text)), 4);
	assert_string_equal(text, "ex");
	assert_int_equal(tn_disasm(NULL, &insn, 0, NULL, 0), 4);
}

static void disasm_names_subprograms_and_maps(void **state)
{
	struct tn_rt *rt = *state;
	const struct tn_map_attr attr = { .type = TN_MAP_ARRAY,
					  .key_size = 4,
					  .value_size = 8,
					  .max_entries = 4,
					  .name = "counts" };
	struct tn_prog *prog = make_prog(rt,
					 "r1 = map[0] ll\n r2 = map_value[0]+8 ll\n call f\n exit\n"
					 "f:\n r0 = 0\n exit\n");
	char text[128];

	prog->maps = tn_alloc_array(rt, 1, sizeof(*prog->maps));
	prog->nr_maps = 1;
	prog->maps[0] = tn_map_create(rt, &attr);
	assert_non_null(prog->maps[0]);
	for (int round = 0; round < 2; round++) {
		tn_disasm(prog, &prog->insns[0], 0, text, sizeof(text));
		assert_string_equal(text, "r1 = map[counts] ll");
		tn_disasm(prog, &prog->insns[2], 2, text, sizeof(text));
		assert_string_equal(text, "r2 = map_value[counts]+8 ll");
		tn_disasm(prog, &prog->insns[4], 4, text, sizeof(text));
		assert_string_equal(text, "call pc+1#subprog_1");
		assert_int_equal(tn_rewrite(prog), 0);
	}
	tn_prog_free(prog);
	assert_int_equal(tn_epoch_drain(), 0);
}

static void asm_reads_labels_comments_and_blanks(void **state)
{
	struct tn_rt *rt = *state;
	struct tn_insn *insns;
	uint32_t nr;

	assert_int_equal(tn_asm(rt,
				"; a comment\n"
				"start: r0=1 // one\n"
				"\n"
				"  loop:  r0 += 0x10   # two\n"
				"if r0 < 100 goto loop\n"
				"goto +0\n"
				"r3 = *( u32* )( r1 + 8 )\n"
				"gotol start\n",
				&insns, &nr),
			 0);
	assert_int_equal(nr, 6);
	assert_int_equal(insns[1].imm, 16);
	assert_int_equal(insns[2].off, -2);
	assert_int_equal(insns[4].off, 8);
	assert_int_equal(insns[5].imm, -6);
	tn_free(rt, insns);
}

static void asm_counts_64_bit_loads_twice_for_labels(void **state)
{
	struct tn_rt *rt = *state;
	struct tn_insn *insns;
	uint32_t nr;

	assert_int_equal(
		tn_asm(rt, "goto out\nr0 = 5 ll\nr1 = func out ll\nout: exit\n", &insns, &nr), 0);
	assert_int_equal(nr, 6);
	assert_int_equal(insns[0].off, 4);
	assert_int_equal(insns[3].imm, 1);
	tn_free(rt, insns);
}

static void asm_takes_helpers_by_name_and_number(void **state)
{
	struct tn_rt *rt = *state;
	struct tn_insn *insns;
	uint32_t nr;

	assert_int_equal(
		tn_asm(rt, "call bpf_loop\ncall loop\ncall 181\ncall bpf_loop#181\n", &insns, &nr),
		0);
	for (uint32_t i = 0; i < nr; i++)
		assert_int_equal(insns[i].imm, 181);
	tn_free(rt, insns);
}

static void asm_names_line_and_column(void **state)
{
	static const struct {
		const char *text, *words;
	} cases[] = {
		{ "exit\nr0 = r11\n", "line 2, column " },
		{ "r0 += 5000000000\n", "line 1, column 7" },
		{ "r0 = *(u32 *)(r1 +40000)\n", "line 1, column " },
		{ "goto nowhere\n", "line 1, column " },
		{ "call bpf_no_such_helper\n", "line 1, column " },
		{ "x: exit\nx: exit\n", "line 2, column 1" },
		{ "", "no instructions" },
	};
	struct tn_rt *rt = *state;
	struct tn_insn *insns;
	uint32_t nr;

	for (size_t i = 0; i < TN_ARRAY_SIZE(cases); i++) {
		assert_int_equal(tn_asm(rt, cases[i].text, &insns, &nr), -EINVAL);
		assert_words(cases[i].words);
	}
}

static void asm_reports_each_failing_allocation(void **state)
{
	struct tn_rt *rt = *state;
	struct tn_insn *insns;
	uint32_t nr;
	int err, n = 0;

	do {
		tn_store_relaxed(&rt->mem.fail_after, ++n);
		err = tn_asm(rt, "a: r0 = 0\nexit\n", &insns, &nr);
		tn_store_relaxed(&rt->mem.fail_after, 0);
		assert_true(err == 0 || err == -ENOMEM);
	} while (err);
	assert_true(n > 1);
	tn_free(rt, insns);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(round_trip_keeps_every_row),
		TEST(disasm_writes_kernel_syntax),
		TEST(disasm_cuts_at_the_buffer_and_returns_the_length),
		TEST(disasm_names_subprograms_and_maps),
		TEST(asm_reads_labels_comments_and_blanks),
		TEST(asm_counts_64_bit_loads_twice_for_labels),
		TEST(asm_takes_helpers_by_name_and_number),
		TEST(asm_names_line_and_column),
		TEST(asm_reports_each_failing_allocation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
