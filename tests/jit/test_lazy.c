/* SPDX-License-Identifier: MIT */
/*
 * Values that wait: each idiom gives the interpreter's result and becomes the code it should; what
 * must not be joined or moved is not.
 */
#include "jit/jit_test.h"

#include <stdio.h>

static struct jit_test *t;

/* What the program gets: bytes that all differ, at an odd address. */
static uint8_t memory[33];

static int setup(void **state)
{
	uint32_t i;

	(void)state;
	t = jit_test_new();
	for (i = 0; i < sizeof(memory); i++)
		memory[i] = (uint8_t)(0x81 + 7 * i);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	jit_test_free(t);
	return 0;
}

static void expect(const struct tn_insn *insns, uint32_t nr, const void *code, uint32_t bytes)
{
	uint8_t copy[sizeof(memory)];
	char got[400] = "";
	uint32_t i;

	jit_test_load(t, insns, nr);
	jit_test_compile(t);
	memcpy(copy, memory, sizeof(copy));
	assert_int_equal(jit_test_native(t, memory + 1), jit_test_interp(t, copy + 1));
	assert_memory_equal(copy, memory, sizeof(copy));
	if (!bytes || (t->prog->code_bytes == bytes &&
		       !memcmp((const void *)(uintptr_t)t->prog->entry, code, bytes)))
		return;
	for (i = 0; i < t->prog->code_bytes && i < 100; i++)
		snprintf(got + 3 * i, 4, "%02x ", ((uint8_t *)(uintptr_t)t->prog->entry)[i]);
	fail_msg("code is %s", got);
}

#define CODE(...) ((const uint8_t[]){ __VA_ARGS__ }), sizeof((const uint8_t[]){ __VA_ARGS__ })
#define ANY	  NULL, 0
#define EXPECT(code, ...)                                                 \
	do {                                                              \
		const struct tn_insn insns_[] = { __VA_ARGS__ };          \
		expect(insns_, sizeof(insns_) / sizeof(insns_[0]), code); \
	} while (0)

#define SHL(d, n)  ALU64_K(TN_LSH, d, n)
#define SHR(d, n)  ALU64_K(TN_RSH, d, n)
#define OR(d, s)   ALU64_X(TN_OR, d, s)
#define BYTE(d, o) LOAD(TN_B, d, TN_R1, o)

static void bytes_become_one_load(void **state)
{
	(void)state;
	/* movzx eax, word [rdi+3]; ret */
	EXPECT(CODE(0x0f, 0xb7, 0x47, 0x03, 0xc3), BYTE(TN_R0, 4), SHL(TN_R0, 8), BYTE(TN_R2, 3),
	       OR(TN_R0, TN_R2), EXIT());
	/* mov eax, [rdi]; ret */
	EXPECT(CODE(0x8b, 0x07, 0xc3), BYTE(TN_R0, 0), BYTE(TN_R2, 1), SHL(TN_R2, 8),
	       OR(TN_R0, TN_R2), BYTE(TN_R2, 2), SHL(TN_R2, 16), OR(TN_R0, TN_R2), BYTE(TN_R2, 3),
	       SHL(TN_R2, 24), OR(TN_R0, TN_R2), EXIT());
	/* mov rax, [rdi+4]; ret: of two words */
	EXPECT(CODE(0x48, 0x8b, 0x47, 0x04, 0xc3), LOAD(TN_W, TN_R0, TN_R1, 4),
	       LOAD(TN_W, TN_R2, TN_R1, 8), SHL(TN_R2, 32), OR(TN_R0, TN_R2), EXIT());
}

static void bytes_in_network_order_are_swapped(void **state)
{
	(void)state;
	EXPECT(ANY, BYTE(TN_R0, 0), SHL(TN_R0, 24), BYTE(TN_R2, 1), SHL(TN_R2, 16),
	       OR(TN_R0, TN_R2), BYTE(TN_R2, 2), SHL(TN_R2, 8), OR(TN_R0, TN_R2), BYTE(TN_R2, 3),
	       OR(TN_R0, TN_R2), EXIT());
	assert_true(t->prog->code_bytes <= 8); /* movbe, or mov and bswap */
	/* movzx eax, word [rdi]; rol ax, 8; ret */
	EXPECT(CODE(0x0f, 0xb7, 0x07, 0x66, 0xc1, 0xc0, 0x08, 0xc3), BYTE(TN_R0, 0), SHL(TN_R0, 8),
	       BYTE(TN_R2, 1), OR(TN_R0, TN_R2), EXIT());
}

static void odd_numbers_of_bytes_are_right(void **state)
{
	uint32_t n, i, be;

	(void)state;
	for (n = 2; n <= 8; n++) {
		for (be = 0; be < 2; be++) {
			struct tn_insn insns[40];
			uint32_t nr = 0;

			insns[nr++] = BYTE(TN_R0, be ? n - 1 : 0);
			for (i = 1; i < n; i++) {
				insns[nr++] = BYTE(TN_R2, be ? n - 1 - i : i);
				insns[nr++] = SHL(TN_R2, 8 * i);
				insns[nr++] = OR(TN_R0, TN_R2);
			}
			insns[nr++] = EXIT();
			expect(insns, nr, ANY);
			/* Into the register of the address, too. */
			for (i = 0; i < nr - 1; i++)
				if (insns[i].dst == TN_R0)
					insns[i].dst = TN_R3;
			insns[nr - 1] = MOV_X(TN_R1, TN_R3);
			insns[nr++] = MOV_X(TN_R0, TN_R1);
			insns[nr++] = EXIT();
			expect(insns, nr, ANY);
		}
	}
}

static void bytes_that_do_not_adjoin_stay_apart(void **state)
{
	(void)state;
	EXPECT(ANY, BYTE(TN_R0, 0), BYTE(TN_R2, 2), SHL(TN_R2, 8), OR(TN_R0, TN_R2), EXIT());
	EXPECT(ANY, BYTE(TN_R0, 0), BYTE(TN_R2, 1), SHL(TN_R2, 16), OR(TN_R0, TN_R2), EXIT());
	EXPECT(ANY, BYTE(TN_R0, 1), BYTE(TN_R2, 1), SHL(TN_R2, 8), OR(TN_R0, TN_R2), EXIT());
	/* A byte that is needed on its own is not loaded twice. */
	EXPECT(ANY, BYTE(TN_R0, 0), BYTE(TN_R2, 1), MOV_X(TN_R3, TN_R2), SHL(TN_R2, 8),
	       OR(TN_R0, TN_R2), ALU64_X(TN_MUL, TN_R0, TN_R3), EXIT());
}

static void load_does_not_pass_a_store(void **state)
{
	(void)state;
	EXPECT(ANY, BYTE(TN_R0, 0), STORE_K(TN_B, TN_R1, 0, 0x11), BYTE(TN_R2, 1), SHL(TN_R2, 8),
	       OR(TN_R0, TN_R2), STORE(TN_B, TN_R1, 0, TN_R0), EXIT());
	EXPECT(ANY, LOAD(TN_DW, TN_R0, TN_R1, 0), MOV_K(TN_R2, 1),
	       ATOMIC(TN_DW, TN_R1, 0, TN_R2, TN_ADD), ATOMIC(TN_DW, TN_R1, 0, TN_R2, TN_XOR),
	       MOV_K(TN_R2, -1), ATOMIC(TN_DW, TN_R1, 0, TN_R2, TN_ADD | TN_FETCH),
	       ALU64_X(TN_SUB, TN_R0, TN_R2), EXIT());
}

static void loads_keep_their_order(void **state)
{
	(void)state;
	/* mov rax, [rdi]; mov rsi, [rdi+8]; sub rax, rsi; ret, whichever is used first. */
	EXPECT(CODE(0x48, 0x8b, 0x07, 0x48, 0x8b, 0x77, 0x08, 0x48, 0x29, 0xc6, 0x48, 0x89, 0xf0,
		    0xc3),
	       LOAD(TN_DW, TN_R0, TN_R1, 0), LOAD(TN_DW, TN_R2, TN_R1, 8),
	       ALU64_X(TN_SUB, TN_R2, TN_R0), MOV_X(TN_R0, TN_R2), EXIT());
}

static void rotates_are_found(void **state)
{
	uint32_t n;

	(void)state;
	for (n = 1; n < 64; n++) {
		EXPECT(ANY, LOAD(TN_DW, TN_R2, TN_R1, 0), MOV_X(TN_R3, TN_R2), SHL(TN_R3, n),
		       SHR(TN_R2, 64 - n), OR(TN_R2, TN_R3), MOV_X(TN_R0, TN_R2), EXIT());
		/* mov rsi, [rdi]; rol rsi, n; mov rax, rsi; ret, or a form with three operands */
		assert_true(t->prog->code_bytes <= 14);
	}
	for (n = 1; n < 32; n++) {
		EXPECT(ANY, LOAD(TN_W, TN_R2, TN_R1, 0), I(TN_ALU | TN_X | TN_MOV, 3, 2, 0, 0),
		       ALU32_K(TN_RSH, TN_R3, n), ALU32_K(TN_LSH, TN_R2, 32 - n),
		       ALU32_X(TN_OR, TN_R2, TN_R3), MOV_X(TN_R0, TN_R2), EXIT());
		assert_true(t->prog->code_bytes <= 14);
	}
	/* Halves that do not fit each other are shifts. */
	EXPECT(ANY, LOAD(TN_DW, TN_R2, TN_R1, 0), MOV_X(TN_R0, TN_R2), SHL(TN_R0, 13),
	       SHR(TN_R2, 50), OR(TN_R0, TN_R2), EXIT());
}

static void addresses_are_folded(void **state)
{
	(void)state;
	/* mov rsi, 4; movzx eax, byte [rdi+rsi+1]; ret */
	EXPECT(CODE(0xbe, 0x04, 0, 0, 0, 0x0f, 0xb6, 0x44, 0x37, 0x01, 0xc3), MOV_K(TN_R2, 4),
	       MOV_X(TN_R3, TN_R1), ALU64_X(TN_ADD, TN_R3, TN_R2), LOAD(TN_B, TN_R0, TN_R3, 1),
	       EXIT());
	/* mov rsi, 2; mov eax, [rdi+rsi*4+4]; ret */
	EXPECT(CODE(0xbe, 0x02, 0, 0, 0, 0x8b, 0x44, 0xb7, 0x04, 0xc3), MOV_K(TN_R2, 2),
	       SHL(TN_R2, 2), MOV_X(TN_R3, TN_R1), ALU64_X(TN_ADD, TN_R3, TN_R2),
	       LOAD(TN_W, TN_R0, TN_R3, 4), EXIT());
	/* add qword in memory to a register */
	EXPECT(CODE(0x31, 0xc0, 0x48, 0x03, 0x47, 0x08, 0xc3), MOV_K(TN_R0, 0),
	       LOAD(TN_DW, TN_R2, TN_R1, 8), ALU64_X(TN_ADD, TN_R0, TN_R2), EXIT());
}

static void operands_change_before_they_are_used(void **state)
{
	(void)state;
	/* The copy is of the old value. */
	EXPECT(ANY, MOV_K(TN_R2, 5), MOV_X(TN_R0, TN_R2), ALU64_K(TN_ADD, TN_R2, 7),
	       ALU64_K(TN_MUL, TN_R2, 3), ALU64_X(TN_SUB, TN_R0, TN_R2), EXIT());
	/* A swap through a third register, twice. */
	EXPECT(ANY, MOV_K(TN_R2, 5), MOV_K(TN_R3, 600), MOV_X(TN_R4, TN_R2), MOV_X(TN_R2, TN_R3),
	       MOV_X(TN_R3, TN_R4), MOV_X(TN_R4, TN_R2), MOV_X(TN_R2, TN_R3), MOV_X(TN_R3, TN_R4),
	       SHL(TN_R2, 20), MOV_X(TN_R0, TN_R2), OR(TN_R0, TN_R3), EXIT());
	/* Sums that name each other's registers. */
	EXPECT(ANY, MOV_K(TN_R2, 5), MOV_K(TN_R3, 600), MOV_X(TN_R4, TN_R2),
	       ALU64_X(TN_ADD, TN_R4, TN_R3), MOV_X(TN_R2, TN_R3), ALU64_K(TN_ADD, TN_R2, 1),
	       MOV_X(TN_R3, TN_R4), ALU64_X(TN_ADD, TN_R3, TN_R2), ALU64_K(TN_MUL, TN_R2, 1000),
	       MOV_X(TN_R0, TN_R2), ALU64_X(TN_ADD, TN_R0, TN_R3), EXIT());
}

static void conditions_compare_memory_in_its_width(void **state)
{
	static const uint8_t sizes[] = { TN_B, TN_H, TN_W, TN_DW };
	static const uint8_t ops[] = { TN_JEQ,	TN_JNE,	 TN_JGT,  TN_JGE,  TN_JLT, TN_JLE,
				       TN_JSGT, TN_JSGE, TN_JSLT, TN_JSLE, TN_JSET };
	static const int32_t imms[] = { 0, 1, 0x7f, 0x80, 0x88, 0xff, 0x100, 0x8f88, -1, -120 };
	uint32_t s, o, i, w;

	(void)state;
	for (s = 0; s < sizeof(sizes); s++)
		for (o = 0; o < sizeof(ops); o++)
			for (i = 0; i < sizeof(imms) / sizeof(imms[0]); i++)
				for (w = 0; w < 2; w++)
					EXPECT(ANY, MOV_K(TN_R0, 1),
					       LOAD(sizes[s], TN_R2, TN_R1, 0),
					       I((w ? TN_JMP : TN_JMP32) | ops[o], TN_R2, 0, 1,
						 imms[i]),
					       MOV_K(TN_R0, 2), EXIT());
}

static void flags_of_arithmetic_serve_comparison_with_zero(void **state)
{
	(void)state;
	/* mov eax, 3; add rdi... : the count ends the loop without a test of its own. */
	EXPECT(CODE(0x31, 0xc0, 0xbe, 0x03, 0, 0, 0, 0x48, 0x83, 0xc0, 0x02, 0x48, 0x83, 0xc6, 0xff,
		    0x75, 0xf6, 0xc3),
	       MOV_K(TN_R0, 0), MOV_K(TN_R2, 3), ALU64_K(TN_ADD, TN_R0, 2),
	       ALU64_K(TN_ADD, TN_R2, -1), JMP_K(TN_JNE, TN_R2, 0, -3), EXIT());
	/* A 64-bit result is not zero where its low half is. */
	EXPECT(ANY, LDDW(TN_R2, 0x100000001), MOV_K(TN_R0, 1), ALU64_K(TN_ADD, TN_R2, -1),
	       JMP32_K(TN_JEQ, TN_R2, 0, 1), MOV_K(TN_R0, 2), ALU64_X(TN_ADD, TN_R0, TN_R2),
	       EXIT());
}

static void jump_over_a_jump_is_inverted(void **state)
{
	(void)state;
	/* xor eax,eax; cmp [rdi], 0x88 ... ; one jcc only */
	EXPECT(ANY, MOV_K(TN_R0, 0), LOAD(TN_B, TN_R2, TN_R1, 0), JMP_K(TN_JEQ, TN_R2, 0x88, 1),
	       GOTO(1), MOV_K(TN_R0, 7), EXIT());
	assert_int_equal(t->prog->code_bytes, 2 + 3 + 2 + 5 + 1);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(bytes_become_one_load),
		T(bytes_in_network_order_are_swapped),
		T(odd_numbers_of_bytes_are_right),
		T(bytes_that_do_not_adjoin_stay_apart),
		T(load_does_not_pass_a_store),
		T(loads_keep_their_order),
		T(rotates_are_found),
		T(addresses_are_folded),
		T(operands_change_before_they_are_used),
		T(conditions_compare_memory_in_its_width),
		T(flags_of_arithmetic_serve_comparison_with_zero),
		T(jump_over_a_jump_is_inverted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
