/* SPDX-License-Identifier: MIT */
/*
 * The instruction table in memory, and what can be said of a program's encoding without knowing
 * what it does: every instruction is one, and control stays inside.
 */
#include "vm/insn.h"

#include <errno.h>
#include <inttypes.h>

#include "base/compiler.h"
#include "base/err.h"

/* The words that opcodes.def uses for its operand columns. */
#define R   TN_OPND_READ
#define W   TN_OPND_WRITE
#define ANY TN_OPND_ANY

const struct tn_opcode tn_opcodes[] = {
#define TN_OPCODE(name_, code_, dst_, src_, off_, imm_, group_, text_) \
	{ .name = #name_,                                              \
	  .text = (text_),                                             \
	  .code = (code_),                                             \
	  .group = TN_GROUP_##group_,                                  \
	  .dst = (dst_),                                               \
	  .src = (src_),                                               \
	  .off = (off_),                                               \
	  .imm = (imm_) },
#define TN_FORM TN_OPCODE
#include "vm/opcodes.def"
};
const uint32_t tn_nr_opcodes = TN_ARRAY_SIZE(tn_opcodes);

#undef R
#undef W
#undef ANY

enum row {
#define TN_OPCODE(name, ...) ROW_##name,
#define TN_FORM		     TN_OPCODE
#include "vm/opcodes.def"
};

/* One more than the row of the first form of each code; 0: no such code. */
static const uint8_t first_row[256] = {
#define TN_OPCODE(name, code, ...) [code] = ROW_##name + 1,
#define TN_FORM(...)
#include "vm/opcodes.def"
};
_Static_assert(TN_ARRAY_SIZE(tn_opcodes) < UINT8_MAX, "row numbers fit first_row");

static bool operand_fits(uint8_t want, uint8_t have)
{
	return want < TN_OPND_READ ? have == want : have < TN_NR_REGS;
}

static bool field_fits(int32_t want, int32_t have)
{
	return want == TN_OPND_ANY || have == want;
}

const struct tn_opcode *tn_insn_lookup(const struct tn_insn *insn)
{
	uint32_t row = first_row[insn->code];

	if (!row)
		return NULL;
	for (row--; row < tn_nr_opcodes && tn_opcodes[row].code == insn->code; row++) {
		const struct tn_opcode *op = &tn_opcodes[row];

		if (operand_fits(op->dst, insn->dst) && operand_fits(op->src, insn->src) &&
		    field_fits(op->off, insn->off) && field_fits(op->imm, insn->imm))
			return op;
	}
	return NULL;
}

static int refuse_encoding(const struct tn_insn *insn, uint32_t idx)
{
	if (!first_row[insn->code])
		return tn_err(-EINVAL, "insn %u: unknown opcode 0x%02x", idx, insn->code);
	return tn_err(-EINVAL,
		      "insn %u: opcode 0x%02x does not take dst %u, src %u, off %d, imm %" PRId32,
		      idx, insn->code, insn->dst, insn->src, insn->off, insn->imm);
}

/* The second slot of an lddw carries 32 more bits, and those only where src gives them a meaning.
 */
static int check_lddw(const struct tn_insn *insns, uint32_t nr, uint32_t idx)
{
	const struct tn_insn *next = &insns[idx + 1];

	if (idx + 1 >= nr)
		return tn_err(-EINVAL, "insn %u: the second half of the 64-bit load is missing",
			      idx);
	if (next->code || next->dst || next->src || next->off)
		return tn_err(-EINVAL,
			      "insn %u: the second half of a 64-bit load must be zero but "
			      "for its imm",
			      idx + 1);
	if (insns[idx].src != TN_LDDW_IMM && insns[idx].src != TN_LDDW_MAP_VALUE && next->imm)
		return tn_err(-EINVAL, "insn %u: reserved imm of a 64-bit load is not zero",
			      idx + 1);
	return 0;
}

static bool is_second_half(const struct tn_insn *insns, uint32_t idx)
{
	/* An opcode of 0 stands nowhere else, and check_lddw() pairs them. */
	return insns[idx].code == 0;
}

static int check_target(const struct tn_insn *insns, uint32_t nr, uint32_t idx, int64_t distance,
			const char *what)
{
	int64_t target = (int64_t)idx + 1 + distance;

	if (target < 0 || target >= nr)
		return tn_err(-EINVAL,
			      "insn %u: %s to %" PRId64 " leaves the program of %u instructions",
			      idx, what, target, nr);
	if (is_second_half(insns, (uint32_t)target))
		return tn_err(-EINVAL, "insn %u: %s into the middle of the 64-bit load at %" PRId64,
			      idx, what, target - 1);
	return 0;
}

static int check_targets(const struct tn_insn *insns, uint32_t nr, uint32_t idx)
{
	const struct tn_insn *insn = &insns[idx];

	if (tn_insn_is_jump(insn))
		return check_target(insns, nr, idx, tn_insn_jump_off(insn), "jump");
	if (insn->code == (TN_JMP | TN_CALL) && insn->src == TN_CALL_LOCAL)
		return check_target(insns, nr, idx, insn->imm, "call");
	if (tn_insn_is_lddw(insn) && insn->src == TN_LDDW_FUNC)
		return check_target(insns, nr, idx, insn->imm, "function reference");
	return 0;
}

bool tn_insn_writes_r10(const struct tn_insn *insn)
{
	const struct tn_opcode *op;

	switch (TN_CLASS(insn->code)) {
	case TN_ST:
	case TN_JMP:
	case TN_JMP32:
		return false;
	case TN_STX:
		if (TN_MODE(insn->code) != TN_ATOMIC)
			return false;
		break;
	default:
		/* Nothing but an atomic operation writes its source. */
		if (insn->dst != TN_R10)
			return false;
		break;
	}
	op = tn_insn_lookup(insn);
	return op && ((op->dst == TN_OPND_WRITE && insn->dst == TN_R10) ||
		      (op->src == TN_OPND_WRITE && insn->src == TN_R10));
}

static int check_insn(const struct tn_insn *insns, uint32_t nr, uint32_t idx)
{
	const struct tn_insn *insn = &insns[idx];
	const struct tn_opcode *op = tn_insn_lookup(insn);

	if (!op)
		return refuse_encoding(insn, idx);
	return tn_insn_is_lddw(insn) ? check_lddw(insns, nr, idx) : 0;
}

int tn_insns_check(const struct tn_insn *insns, uint32_t nr)
{
	int err = tn_insns_check_form(insns, nr);

	for (uint32_t i = 0; !err && i < nr; i += tn_insn_is_lddw(&insns[i]) ? 2 : 1)
		if (tn_insn_writes_r10(&insns[i]))
			return tn_err(-EINVAL, "insn %u: r10, the frame pointer, cannot be written",
				      i);
	return err;
}

int tn_insns_check_form(const struct tn_insn *insns, uint32_t nr)
{
	const struct tn_insn *last;
	uint32_t i;
	int err;

	if (!nr)
		return tn_err(-EINVAL, "the program has no instructions");
	for (i = 0; i < nr; i += tn_insn_is_lddw(&insns[i]) ? 2 : 1) {
		err = check_insn(insns, nr, i);
		if (err)
			return err;
	}
	for (i = 0; i < nr; i++) {
		err = check_targets(insns, nr, i);
		if (err)
			return err;
	}
	last = &insns[nr - 1];
	if (last->code != (TN_JMP | TN_EXIT) && !tn_insn_is_ja(last))
		return tn_err(-EINVAL,
			      "insn %u: the program runs past its end; the last instruction must "
			      "be an exit or a jump",
			      nr - 1);
	return 0;
}
