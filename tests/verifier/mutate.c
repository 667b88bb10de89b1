/* SPDX-License-Identifier: MIT */
/* Small changes of a program. */
#include "base/compiler.h"
#include "verifier/gen.h"

static bool is_lddw_part(const struct gen *g, uint32_t i)
{
	return tn_insn_is_lddw(&g->v[i]) || (i && tn_insn_is_lddw(&g->v[i - 1]));
}

static bool has_register_source(const struct tn_insn *insn)
{
	uint8_t cls = TN_CLASS(insn->code);

	return cls == TN_LDX || cls == TN_STX ||
	       (cls != TN_ST && cls != TN_LD && TN_SRC(insn->code) && TN_OP(insn->code) != TN_END);
}

static bool change_constant(struct gen *g, struct tn_insn *insn)
{
	if (has_register_source(insn) || insn->code == (TN_JMP | TN_CALL) ||
	    insn->code == (TN_JMP | TN_EXIT) || TN_OP(insn->code) == TN_END)
		return false;
	insn->imm = gen_chance(g, 70) ? (int32_t)((uint32_t)insn->imm + gen_below(g, 3) - 1)
				      : gen_constant(g);
	return true;
}

static bool change_compare(struct gen *g, struct tn_insn *insn)
{
	static const uint8_t senses[] = { TN_JEQ,  TN_JGT, TN_JGE, TN_JSET, TN_JNE, TN_JSGT,
					  TN_JSGE, TN_JLT, TN_JLE, TN_JSLT, TN_JSLE };

	if (!tn_insn_is_jump(insn) || tn_insn_is_ja(insn) || TN_OP(insn->code) == TN_JCOND)
		return false;
	if (gen_chance(g, 30))
		insn->code ^= TN_JMP ^ TN_JMP32;
	else
		insn->code = (uint8_t)(senses[gen_below(g, TN_ARRAY_SIZE(senses))] |
				       (insn->code & 0x0f));
	return true;
}

static bool change_register(struct gen *g, struct tn_insn *insn)
{
	if (insn->code == (TN_JMP | TN_CALL) || insn->code == (TN_JMP | TN_EXIT) ||
	    tn_insn_is_ja(insn))
		return false;
	if (has_register_source(insn) && gen_chance(g, 50))
		insn->src = gen_below(g, 11) & 15;
	else
		insn->dst = gen_below(g, 10) & 15;
	return true;
}

static bool change_size(struct gen *g, struct tn_insn *insn)
{
	uint8_t cls = TN_CLASS(insn->code);

	if (cls == TN_ALU || cls == TN_ALU64) {
		insn->code ^= TN_ALU ^ TN_ALU64;
		return true;
	}
	if ((cls != TN_LDX && cls != TN_ST && cls != TN_STX) || TN_MODE(insn->code) == TN_ATOMIC)
		return false;
	insn->code = (uint8_t)((insn->code & ~TN_SIZE(0xff)) |
			       gen_size_code(1u << gen_below(g, 4)));
	return true;
}

static bool change_offset(struct gen *g, struct tn_insn *insn)
{
	uint8_t cls = TN_CLASS(insn->code);

	if (cls == TN_LDX || cls == TN_ST || cls == TN_STX)
		insn->off = (int16_t)(insn->off +
				      (gen_chance(g, 50) ? 1 : -1) * (1 << gen_below(g, 4)));
	else if (tn_insn_is_jump(insn) && gen_chance(g, 30))
		insn->off = (int16_t)(insn->off + (int)gen_below(g, 3) - 1);
	else
		return false;
	return true;
}

static bool change_operation(struct gen *g, struct tn_insn *insn)
{
	static const uint8_t ops[] = { TN_ADD, TN_SUB, TN_MUL, TN_DIV, TN_OR,  TN_AND,
				       TN_LSH, TN_RSH, TN_MOD, TN_XOR, TN_MOV, TN_ARSH };
	uint8_t cls = TN_CLASS(insn->code), op = TN_OP(insn->code);

	if ((cls != TN_ALU && cls != TN_ALU64) || op == TN_END || op == TN_NEG || insn->off)
		return false;
	insn->code = (uint8_t)((insn->code & 0x0f) | ops[gen_below(g, TN_ARRAY_SIZE(ops))]);
	return true;
}

bool gen_mutate(struct gen *g)
{
	bool (*const changes[])(struct gen *, struct tn_insn *) = {
		change_constant, change_compare, change_register,
		change_size,	 change_offset,	 change_operation,
	};

	for (uint32_t tries = 0; tries < 20 && g->nr > 1; tries++) {
		uint32_t i = gen_below(g, g->nr - 1), pick = gen_below(g, 7);

		if (is_lddw_part(g, i))
			continue;
		if (pick < TN_ARRAY_SIZE(changes)) {
			if (changes[pick](g, &g->v[i]))
				return true;
		} else if (!is_lddw_part(g, i + 1) && !tn_insn_is_jump(&g->v[i]) &&
			   !tn_insn_is_jump(&g->v[i + 1])) {
			struct tn_insn first = g->v[i];

			g->v[i] = g->v[i + 1];
			g->v[i + 1] = first;
			return true;
		}
	}
	return false;
}

void gen_flip_bits(struct gen *g)
{
	for (uint32_t n = 1 + gen_below(g, 4); n; n--) {
		unsigned char *bytes = (unsigned char *)&g->v[gen_below(g, g->nr)];

		bytes[gen_below(g, 8)] ^= (unsigned char)(1u << gen_below(g, 8));
	}
}
