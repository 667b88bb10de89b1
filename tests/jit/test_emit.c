/* SPDX-License-Identifier: MIT */
/* Random straight-line and branching programs through both engines, and the shapes of functions. */
#include "jit/jit_test.h"

#include <stdbool.h>
#include <stdio.h>

/* ---- Random programs ---- */

#define MEMORY_BYTES 64
#define MAX_BODY     24

static uint64_t state;

static uint64_t next_random(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static uint32_t below(uint32_t n)
{
	return (uint32_t)(next_random() >> 33) % n;
}

static uint64_t corner(void)
{
	static const uint64_t corners[] = { 0,		1,	    0x7f,	0x80,
					    0xff,	0x7fff,	    0x8000,	0xffff,
					    0x7fffffff, 0x80000000, UINT32_MAX, INT64_MAX,
					    INT64_MIN,	UINT64_MAX, 31,		32,
					    63,		64,	    128,	33 };

	return below(3) ? corners[below(sizeof(corners) / sizeof(corners[0]))] : next_random();
}

/* On r0 to r7. */
static struct tn_insn random_alu(void)
{
	static const uint8_t ops[] = { TN_ADD, TN_SUB, TN_MUL, TN_DIV, TN_OR,  TN_AND,	TN_LSH,
				       TN_RSH, TN_NEG, TN_MOD, TN_XOR, TN_MOV, TN_ARSH, TN_END };
	static const int16_t moves[] = { 0, 8, 16, 32 };
	uint8_t op = ops[below(sizeof(ops))], cls = below(2) ? TN_ALU : TN_ALU64;
	uint8_t x = below(2) ? TN_X : TN_K, dst = (uint8_t)below(8), src = (uint8_t)below(8);
	struct tn_insn insn = I(cls | op | x, dst, x ? src : 0, 0, x ? 0 : (int32_t)corner());

	switch (op) {
	case TN_NEG:
		return I(cls | op, dst, 0, 0, 0);
	case TN_END:
		if (cls == TN_ALU64)
			x = TN_K;
		return I(cls | op | x, dst, 0, 0, 16 << below(3));
	case TN_DIV:
	case TN_MOD:
		insn.off = (int16_t)below(2);
		break;
	case TN_MOV:
		if (x)
			insn.off = moves[below(cls == TN_ALU ? 3 : 4)];
		break;
	case TN_LSH:
	case TN_RSH:
	case TN_ARSH:
		if (!x)
			insn.imm = (int32_t)below(cls == TN_ALU ? 32 : 64);
		break;
	}
	return insn;
}

static struct tn_insn random_memory(void)
{
	static const uint8_t sizes[] = { TN_B, TN_H, TN_W, TN_DW };
	static const int32_t atomics[] = { TN_ADD,
					   TN_OR,
					   TN_AND,
					   TN_XOR,
					   TN_ADD | TN_FETCH,
					   TN_OR | TN_FETCH,
					   TN_AND | TN_FETCH,
					   TN_XOR | TN_FETCH,
					   TN_XCHG,
					   TN_CMPXCHG };
	uint8_t size = sizes[below(4)], reg = (uint8_t)below(8);
	int16_t off = (int16_t)(8 * below(MEMORY_BYTES / 8));

	switch (below(6)) {
	case 0:
		return LOAD(size, reg, TN_R9, off);
	case 1:
		return LOADSX(sizes[below(3)], reg, TN_R9, off);
	case 2:
		return STORE_K(size, TN_R9, off, corner());
	case 3:
		return ATOMIC(below(2) ? TN_W : TN_DW, TN_R9, off, reg, atomics[below(10)]);
	case 4:
		return below(2) ? ATOMIC(size, TN_R9, off, reg, TN_STORE_REL)
				: I(TN_STX | TN_ATOMIC | size, reg, TN_R9, off, TN_LOAD_ACQ);
	default:
		return STORE(size, TN_R9, off, reg);
	}
}

static struct tn_insn random_jump(uint32_t left)
{
	static const uint8_t ops[] = { TN_JEQ,	TN_JGT, TN_JGE, TN_JSET, TN_JNE, TN_JSGT,
				       TN_JSGE, TN_JLT, TN_JLE, TN_JSLT, TN_JSLE };
	uint8_t cls = below(2) ? TN_JMP : TN_JMP32, x = below(2) ? TN_X : TN_K;
	int16_t off = (int16_t)below(left);

	if (!below(8))
		return GOTO(off);
	return I(cls | ops[below(sizeof(ops))] | x, below(8), x ? below(8) : 0, off,
		 x ? 0 : corner());
}

/* What compilers write for a rotate, an address, a number from bytes: r0 to r3 alone, so that the
 * pieces meet. r8 is an address in the memory, r9 its start. */
static struct tn_insn random_idiom(void)
{
	static const uint8_t ops[] = { TN_OR, TN_ADD, TN_XOR, TN_AND, TN_SUB };
	static const uint8_t sizes[] = { TN_B, TN_B, TN_B, TN_H, TN_W, TN_DW };
	uint8_t dst = (uint8_t)below(4), src = (uint8_t)below(4),
		cls = below(4) ? TN_ALU64 : TN_ALU;
	uint8_t size = sizes[below(sizeof(sizes))];

	switch (below(12)) {
	case 0:
	case 1:
		return I(cls | TN_X | TN_MOV, dst, src, 0, 0);
	case 2:
	case 3:
		return LOAD(size, dst, TN_R8, below(8));
	case 4:
		return I(cls | TN_LSH, dst, 0, 0, 8 * below(cls == TN_ALU ? 4 : 8));
	case 5: {
		uint8_t n = (uint8_t)(1 + below(cls == TN_ALU ? 31 : 63));

		return I(cls | (below(2) ? TN_LSH : TN_RSH), dst, 0, 0, n);
	}
	case 6:
	case 7:
	case 8:
		return I(cls | TN_X | ops[below(3)], dst, src, 0, 0);
	case 9:
		return I(cls | (below(2) ? TN_ADD : TN_SUB), dst, 0, 0,
			 below(3) ? (int32_t)below(256) - 128 : (int32_t)corner());
	case 10:
		return I(cls | TN_X | ops[below(sizeof(ops))], dst, src, 0, 0);
	default:
		return below(2) ? STORE(size, TN_R9, 8 * below(7), dst)
				: I(cls | TN_MUL, dst, 0, 0, 1 << below(4));
	}
}

/* The two halves of one rotate, or a byte beside one that was loaded, in a row. */
static uint32_t idiom_row(struct tn_insn *insns)
{
	uint8_t a = (uint8_t)below(4), b = (uint8_t)below(4), c = (uint8_t)below(4);
	uint8_t cls = below(2) ? TN_ALU64 : TN_ALU, bits = cls == TN_ALU ? 32 : 64;
	uint8_t n = (uint8_t)(1 + below(bits - 1u));
	uint32_t nr = 0, i, count = 2 + below(7);
	bool is_be = below(2);

	if (below(2)) {
		insns[nr++] = I(cls | TN_X | TN_MOV, a, c, 0, 0);
		insns[nr++] = I(cls | TN_RSH, a, 0, 0, n);
		insns[nr++] = I(cls | TN_X | TN_MOV, b, c, 0, 0);
		insns[nr++] = I(cls | TN_LSH, b, 0, 0, bits - n);
		insns[nr++] = I(cls | TN_X | (below(2) ? TN_OR : TN_ADD), a, b, 0, 0);
		return nr;
	}
	insns[nr++] = LOAD(TN_B, a, TN_R8, is_be ? count : 0);
	for (i = 1; i < count; i++) {
		insns[nr++] = LOAD(TN_B, b, TN_R8, is_be ? count - i : i);
		insns[nr++] = I(cls | TN_LSH, b, 0, 0, (8 * i) % bits);
		insns[nr++] = I(cls | TN_X | TN_OR, a, b, 0, 0);
	}
	return nr;
}

static uint32_t random_body(struct tn_insn *insns, bool idioms)
{
	uint32_t nr = 0, body = 1 + below(MAX_BODY), i;

	for (i = 0; i < body; i++) {
		uint32_t kind = below(10);

		if (kind == 9)
			insns[nr++] = random_jump(body - i);
		else if (idioms && kind == 8)
			nr += idiom_row(insns + nr);
		else if (idioms && kind == 7)
			insns[nr++] = ALU64_K(TN_ADD, TN_R8, below(2) ? 1 : -1);
		else if (idioms && kind > 0)
			insns[nr++] = random_idiom();
		else if (kind < 6)
			insns[nr++] = random_alu();
		else
			insns[nr++] = random_memory();
	}
	return nr;
}

static uint32_t random_program(struct tn_insn *insns)
{
	uint32_t nr = 0, r, end;
	bool idioms = below(2);

	insns[nr++] = MOV_X(TN_R9, TN_R1);
	for (r = TN_R0; r < TN_R8; r++) {
		const struct tn_insn load[] = { LDDW(r, corner()) };

		insns[nr++] = load[0];
		insns[nr++] = load[1];
	}
	insns[nr++] = MOV_X(TN_R8, TN_R9);
	insns[nr++] = ALU64_K(TN_ADD, TN_R8, MEMORY_BYTES / 2 - 4);
	end = nr;
	nr += random_body(insns + nr, idioms);
	/* Idioms made it longer than the jumps knew; none leaves the body. */
	for (; end < nr; end++)
		if (tn_insn_is_jump(&insns[end]) && end + 1 + (uint32_t)insns[end].off > nr)
			insns[end].off = 0;
	/* Everything counts into the result; the address itself differs between runs. */
	insns[nr++] = ALU64_X(TN_SUB, TN_R8, TN_R9);
	for (r = TN_R1; r < TN_R9; r++) {
		insns[nr++] = ALU64_K(TN_MUL, TN_R0, 31);
		insns[nr++] = ALU64_X(TN_ADD, TN_R0, r);
	}
	insns[nr++] = EXIT();
	return nr;
}

static void print_program(const struct tn_insn *insns, uint32_t nr)
{
	uint32_t i;

	for (i = 0; i < nr; i++)
		print_error("%3u: %02x d%u s%u off %d imm %d (%s)\n", i, insns[i].code,
			    insns[i].dst, insns[i].src, insns[i].off, insns[i].imm,
			    tn_insn_lookup(&insns[i]) ? tn_insn_lookup(&insns[i])->name : "?");
}

static void emit_agrees_with_interpreter_on_random_programs(void **unused)
{
	struct jit_test *t = jit_test_new();
	const char *rounds_env = getenv("TENON_RANDOM_PROGRAMS");
	uint32_t rounds = rounds_env ? (uint32_t)atoi(rounds_env) : 3000, i;

	(void)unused;
	state = 0x9e3779b97f4a7c15;
	for (i = 0; i < rounds; i++) {
		struct tn_insn insns[1024];
		uint64_t first[MEMORY_BYTES / 8], m1[MEMORY_BYTES / 8], m2[MEMORY_BYTES / 8], r1,
			r2;
		uint32_t nr = random_program(insns), k;

		for (k = 0; k < MEMORY_BYTES / 8; k++)
			first[k] = corner();
		memcpy(m1, first, sizeof(m1));
		memcpy(m2, first, sizeof(m2));
		jit_test_load(t, insns, nr);
		jit_test_compile(t);
		r1 = jit_test_interp(t, m1);
		r2 = jit_test_native(t, m2);
		if (r1 != r2 || memcmp(m1, m2, sizeof(m1))) {
			print_program(insns, nr);
			fail_msg("program %u: interpreter %llx, compiled %llx", i,
				 (unsigned long long)r1, (unsigned long long)r2);
		}
	}
	jit_test_free(t);
}

/* ---- Division by constants ---- */

static uint64_t expected_division(bool w, bool is_mod, uint64_t n, int32_t imm)
{
	uint64_t by = w ? (uint64_t)(int64_t)imm : (uint32_t)imm;

	if (!w)
		n = (uint32_t)n;
	if (!by)
		return is_mod ? n : 0;
	return is_mod ? n % by : n / by;
}

/* Dividends around multiples of the divisor are where a reciprocal is wrong first. */
static void check_divisor(struct jit_test *t, bool w, bool is_mod, uint8_t reg, int32_t imm)
{
	uint64_t by = w ? (uint64_t)(int64_t)imm : (uint32_t)imm;
	const struct tn_insn insns[] = {
		MOV_K(TN_R3, 33),
		MOV_K(TN_R0, 44),
		LOAD(TN_DW, reg, TN_R1, 0),
		I((w ? TN_ALU64 : TN_ALU) | (is_mod ? TN_MOD : TN_DIV), reg, 0, 0, imm),
		/* The registers that division uses are as they were. */
		JMP_K(TN_JNE, reg == TN_R3 ? TN_R0 : TN_R3, reg == TN_R3 ? 44 : 33, 2),
		MOV_X(TN_R0, reg),
		EXIT(),
		MOV_K(TN_R0, -1),
		EXIT(),
	};
	uint32_t i;

	jit_test_load(t, insns, sizeof(insns) / sizeof(insns[0]));
	jit_test_compile(t);
	for (i = 0; i < 60; i++) {
		uint64_t k = i < 20 ? i : next_random() >> below(63), n = k * by + (i % 3) - 1;

		if (i > 50)
			n = corner();
		assert_int_equal(jit_test_native(t, &n), expected_division(w, is_mod, n, imm));
	}
}

static void division_by_constants_is_exact(void **unused)
{
	static const int32_t divisors[] = { 0,	       1,
					    2,	       3,
					    5,	       6,
					    7,	       9,
					    10,	       11,
					    12,	       13,
					    25,	       28,
					    63,	       64,
					    65,	       100,
					    125,       127,
					    255,       625,
					    641,       1000,
					    65535,     65537,
					    1000000,   1000000007,
					    INT32_MAX, INT32_MAX - 1,
					    INT32_MIN, INT32_MIN + 1,
					    -1,	       -2,
					    -3,	       -7,
					    -1000 };
	struct jit_test *t = jit_test_new();
	uint32_t i, form;

	(void)unused;
	state = 0x2545f4914f6cdd1d;
	for (i = 0; i < sizeof(divisors) / sizeof(divisors[0]) + 100; i++) {
		int32_t by = i < 100 ? (int32_t)(next_random() >> below(31)) : divisors[i - 100];

		for (form = 0; form < 12; form++)
			check_divisor(t, form & 1, form & 2,
				      form < 4	 ? TN_R0
				      : form < 8 ? TN_R3
						 : TN_R7,
				      by);
	}
	jit_test_free(t);
}

static void emit_returns_constant_without_frame(void **unused)
{
	struct jit_test *t = jit_test_new();
	static const uint8_t expected[] = { 0x31, 0xc0, 0xc3 };

	(void)unused;
	LOAD_AND_COMPILE(t, MOV_K(TN_R0, 0), EXIT());
	expect_result(t, NULL, 0);
	assert_memory_equal((void *)(uintptr_t)t->prog->entry, expected, sizeof(expected));
	jit_test_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(emit_returns_constant_without_frame),
		cmocka_unit_test(division_by_constants_is_exact),
		cmocka_unit_test(emit_agrees_with_interpreter_on_random_programs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
