/* SPDX-License-Identifier: MIT */
/*
 * The result of a record put into its instruction: a constant of arithmetic, the offset of a load
 * or store (whose width follows the field's), or the 64 bits of an lddw.
 */
#include "loader/core.h"

static int size_code(uint32_t bytes)
{
	switch (bytes) {
	case 1:
		return 0x10;
	case 2:
		return 0x08;
	case 4:
		return 0x00;
	case 8:
		return 0x18;
	default:
		return -1;
	}
}

static enum tn_core_fault patch_imm(struct tn_insn *insn, const struct tn_core_value *from,
				    const struct tn_core_value *to)
{
	if (TN_SRC(insn->code) != TN_K || TN_OP(insn->code) == TN_END ||
	    TN_OP(insn->code) == TN_NEG)
		return TN_CORE_UNKNOWN;
	if (from->exact && (uint64_t)(int64_t)insn->imm != from->value)
		return TN_CORE_VALUE;
	/* Any 32 bits: of enumerators the instruction's own width says what they mean. */
	if ((int64_t)to->value < INT32_MIN || (int64_t)to->value > UINT32_MAX)
		return TN_CORE_RANGE;
	insn->imm = (int32_t)(uint32_t)to->value;
	return TN_CORE_FITS;
}

/* The plugin's field has from->size bytes, the host's to->size; both are unsigned or pointers. */
static enum tn_core_fault patch_width(struct tn_insn *insn, const struct tn_core_value *from,
				      const struct tn_core_value *to)
{
	uint8_t mode = TN_MODE(insn->code);
	int code = size_code(to->size);

	if (tn_insn_bytes(insn->code) != from->size || code < 0)
		return TN_CORE_WIDTH;
	/* Sign extension is about the plugin's width; atomics have two widths; and a constant is
	 * extended with its sign: -1 of 4 bytes is not -1 of 8. */
	if (mode == TN_MEMSX || (mode == TN_ATOMIC && to->size < 4) ||
	    (TN_CLASS(insn->code) == TN_ST && insn->imm < 0 && to->size > from->size))
		return TN_CORE_WIDTH;
	insn->code = (uint8_t)(mode | code | TN_CLASS(insn->code));
	return TN_CORE_FITS;
}

static enum tn_core_fault patch_access(struct tn_insn *insn, const struct tn_core_value *from,
				       const struct tn_core_value *to, bool same_width)
{
	enum tn_core_fault fault = TN_CORE_FITS;

	if (from->exact && (uint64_t)(int64_t)insn->off != from->value)
		return TN_CORE_VALUE;
	if (to->value > INT16_MAX)
		return TN_CORE_RANGE;
	if (!same_width)
		return TN_CORE_WIDTH;
	if (from->size != to->size)
		fault = patch_width(insn, from, to);
	if (fault == TN_CORE_FITS)
		insn->off = (int16_t)to->value;
	return fault;
}

/* An unsigned enumerator above 2^31 is signed to us and to libbpf, not to the compiler, which put
 * it in with zeroes above. */
static bool is_unsigned_form(uint64_t held, const struct tn_core_value *from)
{
	return (int64_t)from->value < 0 && (int64_t)from->value >= INT32_MIN &&
	       held == (uint32_t)from->value;
}

static enum tn_core_fault patch_lddw(struct tn_insn *insn, const struct tn_core_value *from,
				     const struct tn_core_value *to)
{
	uint64_t held = tn_insn_imm64(insn), value = to->value;

	if (from->exact && held != from->value) {
		if (!is_unsigned_form(held, from))
			return TN_CORE_VALUE;
		if ((int64_t)value < 0 && (int64_t)value >= INT32_MIN)
			value = (uint32_t)value;
	}
	tn_insn_set_imm64(insn, value);
	return TN_CORE_FITS;
}

static bool is_plain_lddw(const struct tn_insn *insn, bool has_second)
{
	return has_second && tn_insn_is_lddw(insn) && insn->src == 0 && insn->off == 0 &&
	       insn[1].code == 0 && insn[1].dst == 0 && insn[1].src == 0 && insn[1].off == 0;
}

enum tn_core_fault tn_core_patch(struct tn_insn *insn, bool has_second,
				 const struct tn_core_value *from, const struct tn_core_value *to,
				 bool same_width)
{
	switch (TN_CLASS(insn->code)) {
	case TN_ALU:
	case TN_ALU64:
		return patch_imm(insn, from, to);
	case TN_LDX:
	case TN_ST:
	case TN_STX:
		return patch_access(insn, from, to, same_width);
	case TN_LD:
		if (is_plain_lddw(insn, has_second))
			return patch_lddw(insn, from, to);
		break;
	default:
		break;
	}
	return TN_CORE_UNKNOWN;
}

void tn_core_poison(struct tn_insn *insn, bool is_wide)
{
	insn[0] = (struct tn_insn){ .code = TN_JMP | TN_CALL, .imm = TN_CORE_POISON };
	if (is_wide)
		insn[1] = insn[0];
}

int64_t tn_core_held(const struct tn_insn *insn)
{
	switch (TN_CLASS(insn->code)) {
	case TN_LDX:
	case TN_ST:
	case TN_STX:
		return insn->off;
	case TN_LD:
		return (int64_t)tn_insn_imm64(insn);
	default:
		return insn->imm;
	}
}
