/* SPDX-License-Identifier: MIT */
/*
 * Arithmetic on tristate numbers. A tnum's members lie between `value` (all unknown bits 0) and
 * value | mask (all 1), and carries and borrows grow monotonically with the operands' bits: a carry
 * is known exactly where the smallest and the largest operands produce the same one. That gives the
 * tightest result for addition and subtraction in a few operations.
 */
#include "verifier/tnum.h"
#include "verifier/mutant.h"

static uint64_t ones(unsigned bits)
{
	return bits >= 64 ? UINT64_MAX : ((uint64_t)1 << bits) - 1;
}

/* All bits up to the highest one that is set. */
static uint64_t fill_down(uint64_t x)
{
	return x ? UINT64_MAX >> __builtin_clzll(x) : 0;
}

struct tn_tnum tn_tnum_const(uint64_t value)
{
	return (struct tn_tnum){ value, 0 };
}

struct tn_tnum tn_tnum_unknown(unsigned w)
{
	return (struct tn_tnum){ 0, ones(w) };
}

struct tn_tnum tn_tnum_range(uint64_t min, uint64_t max, unsigned w)
{
	uint64_t mask;

	if (min > max)
		return tn_tnum_unknown(w);
	mask = fill_down(min ^ max);
	return (struct tn_tnum){ min & ~mask, mask };
}

static struct tn_tnum known_outside(uint64_t value, uint64_t unknown, unsigned w)
{
	unknown &= ones(w);
	return (struct tn_tnum){ value & ~unknown & ones(w), unknown };
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

		return (struct tn_tnum){ 0, zeroes >= 64 ? 0 : UINT64_MAX << zeroes & ones(w) };
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
	return (struct tn_tnum){ a.value << by & ones(w), a.mask << by & ones(w) };
}

struct tn_tnum tn_tnum_rsh(struct tn_tnum a, unsigned by, unsigned w)
{
	(void)w;
	return (struct tn_tnum){ a.value >> by, a.mask >> by };
}

/* Shift in copies of bit w - 1. */
static uint64_t shift_signed(uint64_t x, unsigned by, unsigned w)
{
	uint64_t sign = x >> (w - 1) & 1 ? ~ones(w) : 0;

	return (uint64_t)((int64_t)(x | sign) >> by) & ones(w);
}

struct tn_tnum tn_tnum_arsh(struct tn_tnum a, unsigned by, unsigned w)
{
	return (struct tn_tnum){ shift_signed(a.value, by, w), shift_signed(a.mask, by, w) };
}

struct tn_tnum tn_tnum_cast(struct tn_tnum a, unsigned bits)
{
	return (struct tn_tnum){ a.value & ones(bits), a.mask & ones(bits) };
}

struct tn_tnum tn_tnum_join(struct tn_tnum a, struct tn_tnum b)
{
	uint64_t mask = a.mask | b.mask | (a.value ^ b.value);

	return (struct tn_tnum){ a.value & ~mask, mask };
}

bool tn_tnum_meet(struct tn_tnum a, struct tn_tnum b, struct tn_tnum *out)
{
	uint64_t mask = a.mask & b.mask;

	if ((a.value ^ b.value) & ~a.mask & ~b.mask)
		return false;
	*out = (struct tn_tnum){ (a.value | b.value) & ~mask, mask };
	return true;
}

bool tn_tnum_subset(struct tn_tnum a, struct tn_tnum b)
{
	return (a.mask & ~b.mask) == 0 && tn_tnum_contains(b, a.value);
}
