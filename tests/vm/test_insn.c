/* SPDX-License-Identifier: MIT */
#include "vm/testing.h"

/* RFC 9669, appendix A, and the newer may_goto: written down here, not taken from opcodes.def. */
static const uint8_t valid_codes[] = {
	/* LD: lddw, absolute and indirect packet loads */
	0x18,
	0x20,
	0x28,
	0x30,
	0x40,
	0x48,
	0x50,
	/* LDX: MEM, MEMSX */
	0x61,
	0x69,
	0x71,
	0x79,
	0x81,
	0x89,
	0x91,
	/* ST, STX, atomics of 4 and 8 bytes, acquire and release of 1 and 2 */
	0x62,
	0x6a,
	0x72,
	0x7a,
	0x63,
	0x6b,
	0x73,
	0x7b,
	0xc3,
	0xdb,
	0xcb,
	0xd3,
	/* ALU */
	0x04,
	0x0c,
	0x14,
	0x1c,
	0x24,
	0x2c,
	0x34,
	0x3c,
	0x44,
	0x4c,
	0x54,
	0x5c,
	0x64,
	0x6c,
	0x74,
	0x7c,
	0x84,
	0x94,
	0x9c,
	0xa4,
	0xac,
	0xb4,
	0xbc,
	0xc4,
	0xcc,
	0xd4,
	0xdc,
	/* ALU64 */
	0x07,
	0x0f,
	0x17,
	0x1f,
	0x27,
	0x2f,
	0x37,
	0x3f,
	0x47,
	0x4f,
	0x57,
	0x5f,
	0x67,
	0x6f,
	0x77,
	0x7f,
	0x87,
	0x97,
	0x9f,
	0xa7,
	0xaf,
	0xb7,
	0xbf,
	0xc7,
	0xcf,
	0xd7,
	/* JMP: ja, conditions, call, exit, may_goto */
	0x05,
	0x15,
	0x1d,
	0x25,
	0x2d,
	0x35,
	0x3d,
	0x45,
	0x4d,
	0x55,
	0x5d,
	0x65,
	0x6d,
	0x75,
	0x7d,
	0x85,
	0x95,
	0xa5,
	0xad,
	0xb5,
	0xbd,
	0xc5,
	0xcd,
	0xd5,
	0xdd,
	0xe5,
	/* JMP32 */
	0x06,
	0x16,
	0x1e,
	0x26,
	0x2e,
	0x36,
	0x3e,
	0x46,
	0x4e,
	0x56,
	0x5e,
	0x66,
	0x6e,
	0x76,
	0x7e,
	0xa6,
	0xae,
	0xb6,
	0xbe,
	0xc6,
	0xce,
	0xd6,
	0xde,
};

/* An encoding of the opcode that must be known if any is: all fields at their simplest. */
static bool is_known(uint8_t code)
{
	static const int32_t imms[] = { 0, 16, 0x100 };

	for (size_t i = 0; i < TN_ARRAY_SIZE(imms); i++) {
		struct tn_insn insn = { .code = code, .imm = imms[i] };

		if (tn_insn_lookup(&insn))
			return true;
	}
	return false;
}

static void lookup_knows_exactly_the_codes_of_the_rfc(void **state)
{
	(void)state;
	for (int code = 0; code < 256; code++) {
		bool valid = memchr(valid_codes, code, sizeof(valid_codes)) != NULL;

		if (is_known((uint8_t)code) != valid)
			fail_msg("opcode 0x%02x: known %d, valid %d", code, !valid, valid);
	}
}

static void lookup_finds_each_row_by_its_own_fields(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < tn_nr_opcodes; i++) {
		const struct tn_opcode *op = &tn_opcodes[i];
		struct tn_insn insn = {
			.code = op->code,
			.dst = op->dst < TN_OPND_READ ? op->dst & 0xfu : 3,
			.src = op->src < TN_OPND_READ ? op->src & 0xfu : 4,
			.off = op->off == TN_OPND_ANY ? 77 : (int16_t)op->off,
			.imm = op->imm == TN_OPND_ANY ? 99 : op->imm,
		};

		assert_ptr_equal(tn_insn_lookup(&insn), op);
		/* And by no other where a field is reserved. */
		if (op->dst == 0) {
			insn.dst = 1;
			assert_null(tn_insn_lookup(&insn));
			insn.dst = 0;
		}
		if (op->off == 0 && op->group != TN_GROUP_DIVMUL32 &&
		    op->group != TN_GROUP_DIVMUL64 && op->code != 0xbf && op->code != 0xbc) {
			insn.off = 1;
			assert_null(tn_insn_lookup(&insn));
		}
	}
}

static void lookup_refuses_registers_above_r10(void **state)
{
	struct tn_insn insn = { .code = TN_ALU64 | TN_ADD | TN_X, .dst = 11 };

	(void)state;
	assert_null(tn_insn_lookup(&insn));
	insn.dst = 0;
	insn.src = 15;
	assert_null(tn_insn_lookup(&insn));
	insn.src = 10;
	assert_string_equal(tn_insn_lookup(&insn)->name, "add64_reg");
}

static void check_refuses_an_empty_program(void **state)
{
	(void)state;
	assert_int_equal(tn_insns_check(NULL, 0), -EINVAL);
	assert_words("no instructions");
}

/* Nothing that is read lies behind the last instruction, whatever the bytes. */
static void check_stays_inside_on_any_bytes(void **state)
{
	struct tn_rt *rt = *state;
	uint64_t x = 1;

	for (int round = 0; round < 20000; round++) {
		uint32_t nr = 1 + (uint32_t)round % 6;
		struct tn_insn *insns = tn_alloc(rt, nr * sizeof(*insns));
		unsigned char *bytes = (unsigned char *)insns;

		assert_non_null(insns);
		for (size_t i = 0; i < nr * sizeof(*insns); i++) {
			x = x * 6364136223846793005u + 1442695040888963407u;
			bytes[i] = i % 8 < 2 || x >> 62 ? (unsigned char)(x >> 33) : 0;
			if (i % 8 == 0 && x >> 60 < 6)
				bytes[i] = valid_codes[(x >> 33) % sizeof(valid_codes)];
		}
		(void)tn_insns_check(insns, nr);
		tn_free(rt, insns);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(lookup_knows_exactly_the_codes_of_the_rfc),
		TEST(lookup_finds_each_row_by_its_own_fields),
		TEST(lookup_refuses_registers_above_r10),
		TEST(check_refuses_an_empty_program),
		TEST(check_stays_inside_on_any_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
