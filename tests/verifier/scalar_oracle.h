/* SPDX-License-Identifier: MIT */
/*
 * What the operators of verifier/scalar.h and tnum.h are measured against: the concrete operations
 * at any width, written from RFC 9669 bit by bit and not from the code under test, and a source of
 * repeatable random numbers.
 */
#ifndef TN_TESTS_SCALAR_ORACLE_H
#define TN_TESTS_SCALAR_ORACLE_H

#include "verifier/scalar.h"
#include "vm/insn.h"

struct oracle_rng {
	uint64_t state;
};

/* splitmix64 */
static inline uint64_t rng_next(struct oracle_rng *r)
{
	uint64_t z = r->state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

static inline uint64_t rng_below(struct oracle_rng *r, uint64_t n)
{
	return rng_next(r) % n;
}

static inline uint64_t low_mask(unsigned w)
{
	return w == 64 ? UINT64_MAX : ((uint64_t)1 << w) - 1;
}

static inline int64_t as_signed(uint64_t v, unsigned w)
{
	v &= low_mask(w);
	return v >> (w - 1) & 1 ? (int64_t)(v | ~low_mask(w)) : (int64_t)v;
}

/* Signed operations by way of magnitudes, so that nothing overflows. */
static inline uint64_t magnitude(uint64_t v, unsigned w)
{
	return v >> (w - 1) & 1 ? (0 - v) & low_mask(w) : v;
}

static inline uint64_t oracle_divmod(bool want_rest, bool is_signed, uint64_t a, uint64_t b,
				     unsigned w)
{
	uint64_t ma = is_signed ? magnitude(a, w) : a, mb = is_signed ? magnitude(b, w) : b;
	bool negative_a = is_signed && (a >> (w - 1) & 1),
	     negative_b = is_signed && (b >> (w - 1) & 1);
	uint64_t result;

	if (b == 0)
		return want_rest ? a : 0;
	result = want_rest ? ma % mb : ma / mb;
	if (want_rest ? negative_a : negative_a != negative_b)
		result = 0 - result;
	return result & low_mask(w);
}

/* The operation at width `w` on operands of that width. */
static inline uint64_t oracle_op(unsigned op, bool is_signed, uint64_t a, uint64_t b, unsigned w)
{
	unsigned by = (unsigned)(b % w);
	uint64_t r = a;

	switch (op) {
	case TN_ADD:
		return (a + b) & low_mask(w);
	case TN_SUB:
		return (a - b) & low_mask(w);
	case TN_MUL:
		return (a * b) & low_mask(w);
	case TN_DIV:
		return oracle_divmod(false, is_signed, a, b, w);
	case TN_MOD:
		return oracle_divmod(true, is_signed, a, b, w);
	case TN_OR:
		return a | b;
	case TN_AND:
		return a & b;
	case TN_XOR:
		return a ^ b;
	case TN_LSH:
		return a << by & low_mask(w);
	case TN_RSH:
		return a >> by;
	case TN_ARSH:
		for (; by > 0; by--)
			r = r >> 1 | (r & (uint64_t)1 << (w - 1));
		return r;
	case TN_NEG:
		return (~a + 1) & low_mask(w);
	default:
		return b;
	}
}

/* With the half form: operands cut, result zero-extended. */
static inline uint64_t oracle_alu(unsigned op, bool is_signed, bool half, uint64_t a, uint64_t b,
				  unsigned w)
{
	unsigned used = half ? w / 2 : w;

	return oracle_op(op, is_signed, a & low_mask(used), b & low_mask(used), used);
}

static inline uint64_t oracle_sext(uint64_t a, unsigned bits, bool half, unsigned w)
{
	return (uint64_t)as_signed(a, bits) & low_mask(half ? w / 2 : w);
}

static inline bool oracle_branch(unsigned op, bool half, uint64_t a, uint64_t b, unsigned w)
{
	unsigned used = half ? w / 2 : w;
	uint64_t ua = a & low_mask(used), ub = b & low_mask(used);
	int64_t sa = as_signed(a, used), sb = as_signed(b, used);

	switch (op) {
	case TN_JEQ:
		return ua == ub;
	case TN_JNE:
		return ua != ub;
	case TN_JSET:
		return (ua & ub) != 0;
	case TN_JGT:
		return ua > ub;
	case TN_JGE:
		return ua >= ub;
	case TN_JLT:
		return ua < ub;
	case TN_JLE:
		return ua <= ub;
	case TN_JSGT:
		return sa > sb;
	case TN_JSGE:
		return sa >= sb;
	case TN_JSLT:
		return sa < sb;
	default:
		return sa <= sb;
	}
}

struct oracle_operator {
	const char *name;
	uint8_t op;
	bool is_signed;
};

static const struct oracle_operator oracle_operators[] = {
	{ "add", TN_ADD, false },   { "sub", TN_SUB, false }, { "mul", TN_MUL, false },
	{ "div", TN_DIV, false },   { "sdiv", TN_DIV, true }, { "mod", TN_MOD, false },
	{ "smod", TN_MOD, true },   { "or", TN_OR, false },   { "and", TN_AND, false },
	{ "xor", TN_XOR, false },   { "lsh", TN_LSH, false }, { "rsh", TN_RSH, false },
	{ "arsh", TN_ARSH, false }, { "neg", TN_NEG, false }, { "mov", TN_MOV, false },
};

static const struct oracle_operator oracle_conditions[] = {
	{ "eq", TN_JEQ, false },   { "ne", TN_JNE, false },   { "set", TN_JSET, false },
	{ "gt", TN_JGT, false },   { "ge", TN_JGE, false },   { "lt", TN_JLT, false },
	{ "le", TN_JLE, false },   { "sgt", TN_JSGT, false }, { "sge", TN_JSGE, false },
	{ "slt", TN_JSLT, false }, { "sle", TN_JSLE, false },
};

#endif
