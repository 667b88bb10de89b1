/* SPDX-License-Identifier: MIT */
/*
 * Arithmetic on tristate numbers. A tnum's members lie between `value` (all unknown bits 0) and
 * value | mask (all 1), and carries and borrows grow monotonically with the operands' bits: a carry
 * is known exactly where the smallest and the largest operands produce the same one. That gives the
 * tightest result for addition and subtraction in a few operations.
 */
#include "verifier/tnum.h"
#include "verifier/mutant.h"

static struct tn_tnum known_outside(uint64_t value, uint64_t unknown, unsigned w)
{
	unknown &= tn_ones(w);
	return (struct tn_tnum){ value & ~unknown & tn_ones(w), unknown };
}

struct tn_tnum tn_tnum_add(struct tn_tnum a, struct tn_tnum b, unsigned w)
{
	uint64_t amax = a.value | a.mask, bmax = b.value | b.mask;
	uint64_t low = a.value + b.value, high = amax + bmax;
	uint64_t carry_low = low ^ a.value ^ b.value, carry_high = high ^ amax ^ bmax;

	return known_outside(low, a.mask | b.mask | (carry_low ^ carry_high), w);
}

struct tn_tnum tn_tnum_sub(struct tn_tnum a, struct tn_tnum b, unsigned w)
{
	uint64_t amax = a.value | a.mask, bmax = b.value | b.mask;
	uint64_t low = a.value - bmax, high = amax - b.value;
	uint64_t borrow_low = low ^ a.value ^ bmax, borrow_high = high ^ amax ^ b.value;

	return known_outside(low, a.mask | b.mask | (borrow_low ^ borrow_high), w);
}

struct tn_tnum tn_tnum_mul(struct tn_tnum a, struct tn_tnum b, unsigned w)
{
	struct tn_tnum sum = { 0, 0 };
	uint64_t bits;

	if (!(a.value | a.mask) || !(b.value | b.mask))
		return sum;
	/* One term per bit that may be set: the fewer, the faster and the tighter. */
	if (__builtin_popcountll(a.value | a.mask) > __builtin_popcountll(b.value | b.mask)) {
		struct tn_tnum swap = a;

		a = b;
		b = swap;
	}
	/* Many unknown bits: carries leave nothing known but the trailing zeroes. */
	if (__builtin_popcountll(a.mask) > 16) {
		unsigned zeroes = (unsigned)(__builtin_ctzll(a.value | a.mask) +
					     __builtin_ctzll(b.value | b.mask));

		return (struct tn_tnum){ 0, zeroes >= 64 ? 0 : UINT64_MAX << zeroes & tn_ones(w) };
	}
	for (bits = a.value | a.mask; bits; bits &= bits - 1) {
		unsigned by = (unsigned)__builtin_ctzll(bits);
		struct tn_tnum term = tn_tnum_lsh(b, by, w);

		if (a.mask >> by & 1)
			term = (struct tn_tnum){ 0, term.value | term.mask };
		sum = tn_tnum_add(sum, term, w);
	}
	return sum;
}

struct tn_tnum tn_tnum_and(struct tn_tnum a, struct tn_tnum b)
{
	uint64_t may = (a.value | a.mask) & (b.value | b.mask), must = a.value & b.value;

	return (struct tn_tnum){ must, may & ~must };
}

struct tn_tnum tn_tnum_or(struct tn_tnum a, struct tn_tnum b)
{
	uint64_t may = a.value | a.mask | b.value | b.mask, must = a.value | b.value;

	return (struct tn_tnum){ must, may & ~must };
}

struct tn_tnum tn_tnum_xor(struct tn_tnum a, struct tn_tnum b)
{
	uint64_t mask = TN_MUT(XOR_BITS) ? a.mask & b.mask : a.mask | b.mask;

	return (struct tn_tnum){ (a.value ^ b.value) & ~mask, mask };
}

struct tn_tnum tn_tnum_lsh(struct tn_tnum a, unsigned by, unsigned w)
{
	return (struct tn_tnum){ a.value << by & tn_ones(w), a.mask << by & tn_ones(w) };
}

struct tn_tnum tn_tnum_rsh(struct tn_tnum a, unsigned by, unsigned w)
{
	(void)w;
	return (struct tn_tnum){ a.value >> by, a.mask >> by };
}

/* Shift in copies of bit w - 1. */
static uint64_t shift_signed(uint64_t x, unsigned by, unsigned w)
{
	uint64_t sign = x >> (w - 1) & 1 ? ~tn_ones(w) : 0;

	return (uint64_t)((int64_t)(x | sign) >> by) & tn_ones(w);
}

struct tn_tnum tn_tnum_arsh(struct tn_tnum a, unsigned by, unsigned w)
{
	return (struct tn_tnum){ shift_signed(a.value, by, w), shift_signed(a.mask, by, w) };
}
