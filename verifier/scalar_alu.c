/* SPDX-License-Identifier: MIT */
/*
 * Arithmetic on scalars. Each operation is written once for a width: a tnum part and an interval
 * part. The 64-bit form also runs the interval part on the halves where the low half of the result
 * depends on the low halves of the operands alone.
 */
#include "verifier/scalar_num.h"
#include "verifier/mutant.h"

#include "vm/insn.h"

/* Shift amounts that are possible: members of `t` within min..max. */
struct amounts {
	struct tn_tnum t;
	unsigned min, max;
};

static struct amounts amounts_of(const struct tn_num *b, unsigned w)
{
	struct tn_tnum t = { b->t.value & (w - 1), b->t.mask & (w - 1) };
	struct amounts a = { t, (unsigned)t.value, (unsigned)(t.value | t.mask) };

	if (b->umax < w) {
		a.min = TN_MAX(a.min, (unsigned)b->umin);
		a.max = TN_MIN(a.max, (unsigned)b->umax);
	}
	return a;
}

static uint64_t concrete_div(bool is_signed, uint64_t a, uint64_t b, unsigned w)
{
	if (b == 0)
		return 0;
	if (!is_signed)
		return a / b;
	if (b == tn_ones(w))
		return 0 - a;
	return (uint64_t)(tn_sign_extend(a, w) / tn_sign_extend(b, w));
}

static uint64_t concrete_mod(bool is_signed, uint64_t a, uint64_t b, unsigned w)
{
	if (b == 0)
		return a;
	if (!is_signed)
		return a % b;
	if (b == tn_ones(w))
		return 0;
	return (uint64_t)(tn_sign_extend(a, w) % tn_sign_extend(b, w));
}

static uint64_t concrete(unsigned op, bool is_signed, uint64_t a, uint64_t b, unsigned w)
{
	unsigned by = (unsigned)b & (w - 1);

	switch (op) {
	case TN_ADD:
		return a + b;
	case TN_SUB:
		return a - b;
	case TN_MUL:
		return a * b;
	case TN_DIV:
		return concrete_div(is_signed, a, b, w);
	case TN_MOD:
		return concrete_mod(is_signed, a, b, w);
	case TN_OR:
		return a | b;
	case TN_AND:
		return a & b;
	case TN_XOR:
		return a ^ b;
	case TN_LSH:
		return a << by;
	case TN_RSH:
		return a >> by;
	case TN_ARSH:
		return (uint64_t)(tn_sign_extend(a, w) >> by);
	case TN_NEG:
		return 0 - a;
	default:
		return b;
	}
}

/* ---- Known bits ---- */

static struct tn_tnum shift_tnum(unsigned op, struct tn_tnum a, const struct amounts *by,
				 unsigned w)
{
	struct tn_tnum all = { 0, 0 };
	bool first = true;

	for (unsigned n = by->min; n <= by->max; n++) {
		struct tn_tnum one;

		if (!tn_tnum_contains(by->t, n))
			continue;
		one = op == TN_LSH   ? tn_tnum_lsh(a, n, w)
		      : op == TN_RSH ? tn_tnum_rsh(a, n, w)
				     : tn_tnum_arsh(a, n, w);
		all = first ? one : tn_tnum_join(all, one);
		first = false;
		if (all.mask == tn_ones(w))
			break;
	}
	return first ? tn_tnum_unknown(w) : all;
}

static struct tn_tnum divmod_tnum(unsigned op, struct tn_tnum a, const struct tn_num *b, unsigned w)
{
	uint64_t d = b->umin;
	unsigned zeroes;

	if (d != b->umax || d == 0)
		return d == b->umax && op == TN_MOD ? a : tn_tnum_unknown(w);
	zeroes = (unsigned)__builtin_ctzll(d);
	if (op == TN_DIV)
		return d == (uint64_t)1 << zeroes ? tn_tnum_rsh(a, zeroes, w) : tn_tnum_unknown(w);
	/* a mod (k * 2^z) keeps the low z bits of a. */
	if (d == (uint64_t)1 << zeroes)
		return tn_tnum_cast(a, zeroes);
	return (struct tn_tnum){ a.value & tn_ones(zeroes),
				 (a.mask & tn_ones(zeroes)) | (tn_ones(w) & ~tn_ones(zeroes)) };
}

static TN_ALWAYS_INLINE struct tn_tnum alu_tnum(unsigned op, bool is_signed, const struct tn_num *a,
						const struct tn_num *b, const struct amounts *by,
						unsigned w)
{
	switch (op) {
	case TN_ADD:
		return tn_tnum_add(a->t, b->t, w);
	case TN_SUB:
		return tn_tnum_sub(a->t, b->t, w);
	case TN_MUL:
		return tn_tnum_mul(a->t, b->t, w);
	case TN_OR:
		return tn_tnum_or(a->t, b->t);
	case TN_AND:
		return tn_tnum_and(a->t, b->t);
	case TN_XOR:
		return tn_tnum_xor(a->t, b->t);
	case TN_LSH:
	case TN_RSH:
	case TN_ARSH:
		return shift_tnum(op, a->t, by, w);
	case TN_DIV:
	case TN_MOD:
		/* Signed forms of operands without a sign are the unsigned ones. */
		if (is_signed && (a->smin < 0 || b->smin < 0))
			return tn_tnum_unknown(w);
		return divmod_tnum(op, a->t, b, w);
	default:
		return tn_tnum_unknown(w);
	}
}

/* ---- Intervals: each clips `r`, which starts as unknown ---- */

static TN_ALWAYS_INLINE void add_ranges(const struct tn_num *a, const struct tn_num *b, unsigned w,
					struct tn_num *r)
{
	uint64_t s_a = (uint64_t)a->smax - (uint64_t)a->smin;
	uint64_t s_b = (uint64_t)b->smax - (uint64_t)b->smin;

	tn_num_clip_arc(r, a->umin + b->umin, tn_span_add(a->umax - a->umin, b->umax - b->umin), w);
	tn_num_clip_arc(r, (uint64_t)a->smin + (uint64_t)b->smin, tn_span_add(s_a, s_b), w);
}

static TN_ALWAYS_INLINE void sub_ranges(const struct tn_num *a, const struct tn_num *b, unsigned w,
					struct tn_num *r)
{
	uint64_t s_a = (uint64_t)a->smax - (uint64_t)a->smin;
	uint64_t s_b = (uint64_t)b->smax - (uint64_t)b->smin;

	tn_num_clip_arc(r, a->umin - b->umax, tn_span_add(a->umax - a->umin, b->umax - b->umin), w);
	tn_num_clip_arc(r, (uint64_t)a->smin - (uint64_t)b->smax, tn_span_add(s_a, s_b), w);
}

/* The product of an interval and a constant is an arc, also where it wraps around zero. */
static void mul_by_const(const struct tn_num *a, uint64_t c, unsigned w, struct tn_num *r)
{
	uint64_t s_span = (uint64_t)a->smax - (uint64_t)a->smin, span;

	if (!__builtin_mul_overflow(a->umax - a->umin, c, &span))
		tn_num_clip_arc(r, a->umin * c, span, w);
	if (!__builtin_mul_overflow(s_span, c, &span))
		tn_num_clip_arc(r, (uint64_t)a->smin * c, span, w);
}

static TN_ALWAYS_INLINE void mul_ranges(const struct tn_num *a, const struct tn_num *b, unsigned w,
					struct tn_num *r)
{
	const int64_t as[2] = { a->smin, a->smax }, bs[2] = { b->smin, b->smax };
	int64_t min = INT64_MAX, max = INT64_MIN;
	uint64_t top;

	if ((!__builtin_mul_overflow(a->umax, b->umax, &top) && top <= tn_ones(w)) ||
	    TN_MUT(MUL_OVERFLOW))
		tn_num_clip_u(r, a->umin * b->umin, top);
	for (unsigned i = 0; i < 4; i++) {
		int64_t product;

		if (__builtin_mul_overflow(as[i & 1], bs[i >> 1], &product))
			goto wraps;
		min = TN_MIN(min, product);
		max = TN_MAX(max, product);
	}
	if (min >= tn_smin_of(w) && max <= tn_smax_of(w))
		tn_num_clip_s(r, min, max);
wraps:
	if (a->umin == a->umax)
		mul_by_const(b, a->umin, w, r);
	if (b->umin == b->umax)
		mul_by_const(a, b->umin, w, r);
}

/* Where both operands fit a signed number of k + 1 bits, so does the result of a bitwise operation:
 * all bits from k up are copies of the sign. */
static TN_ALWAYS_INLINE void clip_to_signed_bits(const struct tn_num *a, const struct tn_num *b,
						 struct tn_num *r)
{
	uint64_t reach = (uint64_t)(a->smin ^ a->smin >> 63) | (uint64_t)(a->smax ^ a->smax >> 63) |
			 (uint64_t)(b->smin ^ b->smin >> 63) | (uint64_t)(b->smax ^ b->smax >> 63);
	int64_t top = reach ? (int64_t)(UINT64_MAX >> __builtin_clzll(reach)) : 0;

	tn_num_clip_s(r, -top - 1, top);
}

static TN_ALWAYS_INLINE void and_ranges(const struct tn_num *a, const struct tn_num *b, unsigned w,
					struct tn_num *r)
{
	uint64_t sum = a->umin + b->umin;

	/* a & b == a + b - (a | b), and a | b is at most all ones. */
	if (sum < a->umin || sum > tn_ones(w))
		tn_num_clip_u(r, sum - tn_ones(w), UINT64_MAX);
	tn_num_clip_u(r, 0, TN_MIN(a->umax, b->umax));
	tn_num_clip_s(r, INT64_MIN,
		      TN_MUT(AND_SIGNED) ? TN_MIN(a->smax, b->smax) : TN_MAX(a->smax, b->smax));
	clip_to_signed_bits(a, b, r);
}

static TN_ALWAYS_INLINE void or_ranges(const struct tn_num *a, const struct tn_num *b, unsigned w,
				       struct tn_num *r)
{
	uint64_t sum = TN_MUT(OR_BOUNDS) ? TN_MAX(a->umax, b->umax) : tn_span_add(a->umax, b->umax);

	tn_num_clip_u(r, TN_MAX(a->umin, b->umin), TN_MIN(sum, tn_ones(w)));
	tn_num_clip_s(r, TN_MIN(a->smin, b->smin), INT64_MAX);
	clip_to_signed_bits(a, b, r);
}

static TN_ALWAYS_INLINE void xor_ranges(const struct tn_num *a, const struct tn_num *b, unsigned w,
					struct tn_num *r)
{
	tn_num_clip_u(r, 0, TN_MIN(tn_span_add(a->umax, b->umax), tn_ones(w)));
	clip_to_signed_bits(a, b, r);
}

static TN_ALWAYS_INLINE void lsh_ranges(const struct tn_num *a, const struct amounts *by,
					unsigned w, struct tn_num *r)
{
	int64_t low = a->smin < 0 ? a->smin : 0, high = a->smax >= 0 ? a->smax : -1;

	if (a->umax <= tn_ones(w) >> by->max)
		tn_num_clip_u(r, a->umin << by->min, a->umax << by->max);
	/* Nothing is lost at either end by the longest shift. */
	if (low >= tn_smin_of(w) >> by->max && high <= tn_smax_of(w) >> by->max) {
		unsigned min_by = a->smin < 0 ? by->max : by->min;
		unsigned max_by = a->smax < 0 ? by->min : by->max;

		tn_num_clip_s(r, (int64_t)((uint64_t)a->smin << min_by),
			      (int64_t)((uint64_t)a->smax << max_by));
	}
}

static TN_ALWAYS_INLINE void arsh_ranges(const struct tn_num *a, const struct amounts *by,
					 struct tn_num *r)
{
	tn_num_clip_s(r, a->smin >> (a->smin < 0 ? by->min : by->max),
		      a->smax >> (a->smax < 0 ? by->max : by->min));
}

static void udiv_ranges(const struct tn_num *a, const struct tn_num *b, struct tn_num *r)
{
	if (b->umax == 0) {
		tn_num_clip_u(r, 0, 0);
		return;
	}
	tn_num_clip_u(r, b->umin ? a->umin / b->umax : 0, a->umax / TN_MAX(b->umin, 1));
}

static void umod_ranges(const struct tn_num *a, const struct tn_num *b, struct tn_num *r)
{
	if (b->umin == 0 && !TN_MUT(MOD_ZERO)) {
		/* The remainder is at most the dividend; so is the dividend itself. */
		tn_num_clip_u(r, 0, a->umax);
		return;
	}
	if (b->umin == b->umax && a->umin / b->umin == a->umax / b->umin)
		tn_num_clip_u(r, a->umin % b->umin, a->umax % b->umin);
	else
		tn_num_clip_u(r, 0, TN_MIN(a->umax, b->umax - 1));
}

/* Quotients by divisors min..max of one sign: truncated division is monotone in each operand
 * alone, so the corners bound it. */
static void sdiv_corners(const struct tn_num *a, int64_t min, int64_t max, int64_t *low,
			 int64_t *high)
{
	const int64_t as[2] = { a->smin, a->smax }, bs[2] = { min, max };

	if (min > max)
		return;
	for (unsigned i = 0; i < 4; i++) {
		/* Only the seeded bug comes here with what overflows. */
		int64_t quotient = as[i & 1] == INT64_MIN && bs[i >> 1] == -1
					   ? INT64_MAX
					   : as[i & 1] / bs[i >> 1];

		*low = TN_MIN(*low, quotient);
		*high = TN_MAX(*high, quotient);
	}
}

static void sdiv_ranges(const struct tn_num *a, const struct tn_num *b, unsigned w,
			struct tn_num *r)
{
	int64_t low = INT64_MAX, high = INT64_MIN;

	/* The smallest number divided by -1 is itself: it wraps. */
	if (a->smin == tn_smin_of(w) && b->smin <= -1 && b->smax >= -1 && !TN_MUT(SDIV_OVERFLOW))
		return;
	if (b->smin <= 0 && b->smax >= 0)
		low = high = 0;
	sdiv_corners(a, b->smin, TN_MIN(b->smax, -1), &low, &high);
	sdiv_corners(a, TN_MAX(b->smin, 1), b->smax, &low, &high);
	tn_num_clip_s(r, low, high);
}

/* The remainder has the dividend's sign, and is smaller than the divisor and not larger than the
 * dividend, both without their signs. */
static void smod_ranges(const struct tn_num *a, const struct tn_num *b, struct tn_num *r)
{
	int64_t low = TN_MUT(SMOD_SIGN) ? 0 : TN_MIN(a->smin, 0), high = TN_MAX(a->smax, 0);

	if (b->smin > 0 || b->smax < 0) {
		/* -1 - smin is the magnitude less one, and never overflows. */
		int64_t limit = TN_MAX(b->smin < 0 ? -1 - b->smin : 0,
				       b->smax > 0 ? b->smax - 1 : 0);
		int64_t least = b->smin > 0 ? b->smin - 1 : -1 - b->smax;

		if (a->smin >= -least && a->smax <= least) {
			tn_num_clip_s(r, a->smin, a->smax);
			return;
		}
		low = TN_MAX(low, -limit);
		high = TN_MIN(high, limit);
	}
	tn_num_clip_s(r, low, high);
}

static TN_ALWAYS_INLINE void alu_ranges(unsigned op, bool is_signed, const struct tn_num *a,
					const struct tn_num *b, const struct amounts *by,
					unsigned w, struct tn_num *r)
{
	switch (op) {
	case TN_ADD:
		add_ranges(a, b, w, r);
		break;
	case TN_SUB:
		sub_ranges(a, b, w, r);
		break;
	case TN_MUL:
		mul_ranges(a, b, w, r);
		break;
	case TN_OR:
		or_ranges(a, b, w, r);
		break;
	case TN_AND:
		and_ranges(a, b, w, r);
		break;
	case TN_XOR:
		xor_ranges(a, b, w, r);
		break;
	case TN_LSH:
		lsh_ranges(a, by, w, r);
		break;
	case TN_RSH:
		tn_num_clip_u(r, a->umin >> (TN_MUT(SHIFT_BOUNDS) ? by->min : by->max),
			      a->umax >> by->min);
		break;
	case TN_ARSH:
		arsh_ranges(a, by, r);
		break;
	case TN_DIV:
		if (is_signed)
			sdiv_ranges(a, b, w, r);
		else
			udiv_ranges(a, b, r);
		break;
	case TN_MOD:
		if (is_signed)
			smod_ranges(a, b, r);
		else
			umod_ranges(a, b, r);
		break;
	default:
		break;
	}
}

static TN_ALWAYS_INLINE struct tn_num alu_num_of(unsigned op, bool is_signed,
						 const struct tn_num *a, const struct tn_num *b,
						 const struct amounts *by, unsigned w)
{
	struct tn_num r = tn_num_unknown(w);

	r.t = alu_tnum(op, is_signed, a, b, by, w);
	alu_ranges(op, is_signed, a, b, by, w, &r);
	return r;
}

/* The machine's widths apart from those of tests: most of the work is then done by the compiler. */
static struct tn_num alu_num(unsigned op, bool is_signed, const struct tn_num *a,
			     const struct tn_num *b, const struct amounts *by, unsigned w)
{
	switch (w) {
	case 64:
		return alu_num_of(op, is_signed, a, b, by, 64);
	case 32:
		return alu_num_of(op, is_signed, a, b, by, 32);
	default:
		return alu_num_of(op, is_signed, a, b, by, w);
	}
}

/* Does the low half of the result follow from the low halves of the operands? */
static bool halves_decide(unsigned op, const struct amounts *by, unsigned w)
{
	return op <= TN_MUL || op == TN_OR || op == TN_AND || op == TN_XOR ||
	       (op == TN_LSH && by->max < w / 2);
}

static struct tn_num alu_low_half(unsigned op, const struct tn_scalar *a, const struct tn_scalar *b,
				  const struct amounts *by, unsigned w)
{
	struct tn_num low_a = tn_num_half(a, w), low_b = tn_num_half(b, w);
	struct tn_num r = tn_num_unknown(w / 2);

	if (!halves_decide(op, by, w))
		return r;
	if (w == TN_W64)
		alu_ranges(op, false, &low_a, &low_b, by, 32, &r);
	else
		alu_ranges(op, false, &low_a, &low_b, by, w / 2, &r);
	return r;
}

struct tn_scalar tn_scalar_alu(unsigned op, bool is_signed, bool half, const struct tn_scalar *a,
			       const struct tn_scalar *b, unsigned w)
{
	unsigned used = half && !TN_MUT(HALF_AS_FULL) ? w / 2 : w;
	struct tn_num na, nb;
	struct amounts by;
	struct tn_num r, low;

	if (op == TN_NEG)
		return tn_scalar_neg(half, a, w);
	if (op == TN_MOV)
		return half ? tn_scalar_zext(b, used, w) : *b;
	na = half ? tn_num_half(a, w) : tn_num_full(a);
	nb = half ? tn_num_half(b, w) : tn_num_full(b);
	if (na.umin == na.umax && nb.umin == nb.umax)
		return tn_scalar_const(
			concrete(op, is_signed, na.umin, nb.umin, used) & tn_ones(used), w);
	by = amounts_of(&nb, used);
	r = alu_num(op, is_signed, &na, &nb, &by, used);
	if (half)
		return tn_scalar_zero_extended(&r, used, w);
	low = alu_low_half(op, a, b, &by, w);
	low.t = tn_tnum_cast(r.t, w / 2);
	return tn_scalar_of(&r, &low, w);
}

struct tn_scalar tn_scalar_neg(bool half, const struct tn_scalar *a, unsigned w)
{
	struct tn_scalar zero = tn_scalar_const(0, w);

	return tn_scalar_alu(TN_SUB, false, half, &zero, a, w);
}

/* ---- Width changes ---- */

struct tn_num tn_num_narrow(const struct tn_num *n, unsigned bits, unsigned w)
{
	struct tn_num r = tn_num_unknown(bits);

	(void)w;
	r.t = tn_tnum_cast(n->t, bits);
	tn_num_clip_arc(&r, n->umin, n->umax - n->umin, bits);
	tn_num_clip_arc(&r, (uint64_t)n->smin, (uint64_t)n->smax - (uint64_t)n->smin, bits);
	return r;
}

static struct tn_num low_bits(const struct tn_scalar *a, unsigned bits, unsigned w)
{
	struct tn_num full = tn_num_full(a), half = tn_num_half(a, w);

	if (bits >= w)
		return full;
	if (bits > w / 2)
		return tn_num_narrow(&full, bits, w);
	return bits == w / 2 ? half : tn_num_narrow(&half, bits, w / 2);
}

struct tn_scalar tn_scalar_zext(const struct tn_scalar *a, unsigned bits, unsigned w)
{
	struct tn_num low;

	if (bits >= w || a->umax <= tn_ones(bits))
		return *a;
	low = low_bits(a, bits, w);
	/* The half has been told all that it can be. */
	if (bits == w / 2)
		return tn_scalar_zero_extended(&low, bits, w);
	return tn_num_sync(&low, bits) ? tn_scalar_zero_extended(&low, bits, w)
				       : tn_scalar_unknown(w);
}

struct tn_scalar tn_scalar_sext(const struct tn_scalar *a, unsigned bits, bool half, unsigned w)
{
	unsigned to = half ? w / 2 : w;
	struct tn_num low, r = tn_num_unknown(to);
	struct tn_num rest = tn_num_unknown(w / 2);

	if (bits >= to)
		return half ? tn_scalar_zext(a, to, w) : *a;
	low = low_bits(a, bits, w);
	if (!tn_num_sync(&low, bits))
		return tn_scalar_unknown(w);
	r.t = (struct tn_tnum){ (uint64_t)tn_sign_extend(low.t.value, bits) & tn_ones(to),
				(uint64_t)tn_sign_extend(low.t.mask, bits) & tn_ones(to) };
	tn_num_clip_s(&r, low.smin, low.smax);
	if (half)
		return tn_scalar_zero_extended(&r, to, w);
	rest.t = tn_tnum_cast(r.t, w / 2);
	if (bits == w / 2) {
		tn_num_clip_u(&rest, low.umin, low.umax);
		tn_num_clip_s(&rest, low.smin, low.smax);
	}
	return tn_scalar_of(&r, &rest, w);
}

struct tn_scalar tn_scalar_bswap(const struct tn_scalar *a, unsigned bits)
{
	struct tn_num r = tn_num_unknown(bits == 64 ? 64 : bits);
	unsigned drop = 64 - bits;

	r.t = (struct tn_tnum){ __builtin_bswap64(a->t.value) >> drop,
				__builtin_bswap64(a->t.mask) >> drop };
	if (bits < 64)
		return tn_scalar_zero_extended(&r, bits, TN_W64);
	return tn_scalar_of(
		&r, &(struct tn_num){ tn_tnum_cast(r.t, 32), 0, UINT32_MAX, INT32_MIN, INT32_MAX },
		TN_W64);
}
