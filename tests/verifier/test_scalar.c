/* SPDX-License-Identifier: MIT */
/*
 * Harness A: is every operator of verifier/scalar.h sound, and how tight is it? At width 4 (halves
 * of 2) abstract values are enumerated and the set of their members is a 16-bit mask, so that the
 * exact set of results of any operator on any pair is a few table lookups. Width 8 and 64 are
 * sampled, 64 around corners. Run with "long" for minutes of it, with "all" for every pair at
 * width 4.
 *
 * "tightest" counts how often a result is the best that the domain can express for the exact set: a
 * figure to watch for loss of precision, asserted only at a low mark.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "tests/verifier/scalar_oracle.h"

#define W4	   4u
#define NR_VALUES  16u
#define LONG_PAIRS 4000000u
#define NR_SETS	   65536u

static bool run_long, run_all;

/* ---- Abstract values at width 4 ---- */

struct value {
	struct tn_scalar s;
	uint16_t members;
};

static struct value *values;
static uint32_t nr_values, cap_values;
static uint32_t *value_index; /* open addressing over values */
#define INDEX_SIZE (1u << 22)

/* The best description of each set of numbers. */
static struct tn_scalar *best;

static uint16_t members_of(const struct tn_scalar *s)
{
	uint16_t members = 0;

	for (unsigned v = 0; v < NR_VALUES; v++) {
		if (tn_scalar_contains(s, v, W4))
			members |= (uint16_t)(1u << v);
	}
	return members;
}

static bool is_same(const struct tn_scalar *a, const struct tn_scalar *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

/* Part by part from the members alone. */
static struct tn_scalar best_of_set(uint32_t set)
{
	struct tn_scalar r = { .umin = UINT64_MAX,
			       .smin = INT64_MAX,
			       .smax = INT64_MIN,
			       .hmin = UINT64_MAX,
			       .hsmin = INT64_MAX,
			       .hsmax = INT64_MIN };
	uint64_t all = NR_VALUES - 1, any = 0;

	for (uint64_t v = 0; v < NR_VALUES; v++) {
		int64_t sv = as_signed(v, W4), hs = as_signed(v, W4 / 2);

		if (!(set >> v & 1))
			continue;
		all &= v;
		any |= v;
		r.umin = TN_MIN(r.umin, v);
		r.umax = TN_MAX(r.umax, v);
		r.smin = TN_MIN(r.smin, sv);
		r.smax = TN_MAX(r.smax, sv);
		r.hmin = TN_MIN(r.hmin, v & 3);
		r.hmax = TN_MAX(r.hmax, v & 3);
		r.hsmin = TN_MIN(r.hsmin, hs);
		r.hsmax = TN_MAX(r.hsmax, hs);
	}
	r.t = (struct tn_tnum){ all, any & ~all };
	return r;
}

static void add_value(const struct tn_scalar *s)
{
	uint64_t hash = 0;
	uint32_t at;

	for (unsigned i = 0; i < sizeof(*s) / 8; i++)
		hash = (hash ^ ((const uint64_t *)(const void *)s)[i]) * 0x9e3779b97f4a7c15u;
	for (at = (uint32_t)(hash >> 42); value_index[at]; at = (at + 1) % INDEX_SIZE) {
		if (is_same(&values[value_index[at] - 1].s, s))
			return;
	}
	if (nr_values == cap_values) {
		cap_values = cap_values ? cap_values * 2 : 4096;
		values = realloc(values, cap_values * sizeof(*values));
		assert_non_null(values);
	}
	values[nr_values] = (struct value){ *s, members_of(s) };
	value_index[at] = ++nr_values;
}

/* One combination of parts: synchronising it must keep all its members. */
static void add_synced(struct tn_scalar s)
{
	uint16_t before = members_of(&s);
	bool some = tn_scalar_sync(&s, W4);

	if (some != (before != 0) && before)
		fail_msg("sync dropped all of %04x", before);
	if (!some)
		return;
	if (members_of(&s) != before)
		fail_msg("sync changed the members %04x to %04x", before, members_of(&s));
	/* A set that is empty although no part shows it describes nothing. */
	if (before)
		add_value(&s);
}

static void add_with_halves(struct tn_scalar s)
{
	add_synced(s);
	if (!run_long)
		return;
	for (uint64_t hmin = 0; hmin < 4; hmin++) {
		for (uint64_t hmax = hmin; hmax < 4; hmax++) {
			for (int64_t hsmin = -2; hsmin < 2; hsmin++) {
				for (int64_t hsmax = hsmin; hsmax < 2; hsmax++) {
					s.hmin = hmin;
					s.hmax = hmax;
					s.hsmin = hsmin;
					s.hsmax = hsmax;
					add_synced(s);
				}
			}
		}
	}
}

static void add_intervals(struct tn_tnum t)
{
	struct tn_scalar s = tn_scalar_unknown(W4);

	s.t = t;
	for (uint64_t umin = 0; umin < 16; umin++) {
		for (uint64_t umax = umin; umax < 16; umax++) {
			for (int64_t smin = -8; smin < 8; smin++) {
				for (int64_t smax = smin; smax < 8; smax++) {
					s.umin = umin;
					s.umax = umax;
					s.smin = smin;
					s.smax = smax;
					add_with_halves(s);
				}
			}
		}
	}
}

static int enumerate_values(void **state)
{
	(void)state;
	value_index = calloc(INDEX_SIZE, sizeof(*value_index));
	best = calloc(NR_SETS, sizeof(*best));
	if (!value_index || !best)
		return -1;
	for (uint32_t set = 1; set < NR_SETS; set++) {
		best[set] = best_of_set(set);
		add_synced(best[set]);
	}
	for (uint64_t mask = 0; mask < 16; mask++) {
		for (uint64_t value = 0; value < 16; value++) {
			if (!(value & mask))
				add_intervals((struct tn_tnum){ value, mask });
		}
	}
	printf("[ harness ] %u abstract values of width 4\n", nr_values);
	return 0;
}

static int drop_values(void **state)
{
	(void)state;
	free(values);
	free(value_index);
	free(best);
	return 0;
}

/* ---- Pairs at width 4 ---- */

struct score {
	uint64_t checks, tightest;
	uint64_t members, best_members;
};

/* `got` against the best for `exact`. */
static void count_score(struct score *score, const struct tn_scalar *got, uint16_t exact)
{
	score->checks++;
	score->tightest += is_same(got, &best[exact]);
	score->members += (unsigned)__builtin_popcount(members_of(got));
	score->best_members += (unsigned)__builtin_popcount(members_of(&best[exact]));
}

static void print_score(const char *what, const char *form, const struct score *score)
{
	printf("[ harness ] %-6s %-9s %9" PRIu64
	       " checks, tightest %6.2f %%, %.3f times the members\n",
	       what, form, score->checks, 100.0 * (double)score->tightest / (double)score->checks,
	       (double)score->members / (double)score->best_members);
}

/* Low marks: what falls below has lost precision. */
static void assert_score(const struct score *score)
{
	assert_true(score->members * 100 <= score->best_members * 200);
}

/* A share of the pairs that is the same in each run; all of them when asked. */
static void for_pairs(void (*fn)(const struct value *a, const struct value *b, void *arg),
		      void *arg, uint64_t seed)
{
	struct oracle_rng rng = { seed };

	if (run_long) {
		uint64_t stride = (uint64_t)nr_values * nr_values / LONG_PAIRS | 1;

		if (run_all)
			stride = 1;
		for (uint64_t i = 0; i < (uint64_t)nr_values * nr_values; i += stride)
			fn(&values[i / nr_values], &values[i % nr_values], arg);
		return;
	}
	for (uint32_t i = 0; i < 60000; i++)
		fn(&values[rng_below(&rng, nr_values)], &values[rng_below(&rng, nr_values)], arg);
}

struct alu_case {
	const struct oracle_operator *op;
	bool half;
	uint8_t result[NR_VALUES][NR_VALUES];
	struct score score;
};

static void check_alu(const struct value *a, const struct value *b, void *arg)
{
	struct alu_case *c = arg;
	struct tn_scalar r = tn_scalar_alu(c->op->op, c->op->is_signed, c->half, &a->s, &b->s, W4);
	uint16_t got = members_of(&r), exact = 0;

	for (unsigned x = 0; x < NR_VALUES; x++) {
		if (!(a->members >> x & 1))
			continue;
		for (unsigned rest = b->members; rest; rest &= rest - 1)
			exact |= (uint16_t)(1u << c->result[x][__builtin_ctz(rest)]);
	}
	if (exact & ~got)
		fail_msg("%s%s: %04x op %04x gives %04x, not within %04x", c->op->name,
			 c->half ? " half" : "", a->members, b->members, exact, got);
	count_score(&c->score, &r, exact);
}

static void alu_is_sound_at_width_4(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2 * TN_ARRAY_SIZE(oracle_operators); i++) {
		static struct alu_case c;

		c = (struct alu_case){ .op = &oracle_operators[i / 2], .half = i & 1 };
		for (unsigned x = 0; x < NR_VALUES; x++) {
			for (unsigned y = 0; y < NR_VALUES; y++)
				c.result[x][y] = (uint8_t)oracle_alu(c.op->op, c.op->is_signed,
								     c.half, x, y, W4);
		}
		for_pairs(check_alu, &c, i);
		print_score(c.op->name, c.half ? "half" : "full", &c.score);
		assert_score(&c.score);
	}
}

struct branch_case {
	const struct oracle_operator *op;
	bool half, taken;
	uint16_t right[NR_VALUES]; /* per left operand: right ones with this outcome */
	struct score score;
};

static void check_branch(const struct value *a, const struct value *b, void *arg)
{
	struct branch_case *c = arg;
	struct tn_scalar left = a->s, right = b->s;
	bool possible = tn_scalar_branch(c->op->op, c->half, c->taken, &left, &right, W4);
	uint16_t exact_left = 0, exact_right = 0;

	for (unsigned x = 0; x < NR_VALUES; x++) {
		uint16_t with = a->members >> x & 1 ? c->right[x] & b->members : 0;

		exact_right |= with;
		if (with)
			exact_left |= (uint16_t)(1u << x);
	}
	if (!possible) {
		if (exact_left)
			fail_msg("%s %s: %04x, %04x called impossible", c->op->name,
				 c->taken ? "taken" : "not taken", a->members, b->members);
		return;
	}
	if ((exact_left & ~members_of(&left)) || (exact_right & ~members_of(&right)))
		fail_msg("%s %s%s: %04x, %04x must keep %04x, %04x", c->op->name,
			 c->taken ? "taken" : "not taken", c->half ? " half" : "", a->members,
			 b->members, exact_left, exact_right);
	/* Refining never adds. */
	assert_true(tn_scalar_subset(&left, &a->s) && tn_scalar_subset(&right, &b->s));
	count_score(&c->score, &left, exact_left);
	count_score(&c->score, &right, exact_right);
}

static void branch_is_sound_at_width_4(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4 * TN_ARRAY_SIZE(oracle_conditions); i++) {
		struct branch_case c = { .op = &oracle_conditions[i / 4],
					 .half = i & 1,
					 .taken = i & 2 };
		char form[16];

		for (unsigned x = 0; x < NR_VALUES; x++) {
			for (unsigned y = 0; y < NR_VALUES; y++) {
				if (oracle_branch(c.op->op, c.half, x, y, W4) == c.taken)
					c.right[x] |= (uint16_t)(1u << y);
			}
		}
		for_pairs(check_branch, &c, i);
		snprintf(form, sizeof(form), "%s %s", c.half ? "half" : "full",
			 c.taken ? "yes" : "no");
		print_score(c.op->name, form, &c.score);
		assert_score(&c.score);
	}
}

static void check_lattice(const struct value *a, const struct value *b, void *arg)
{
	struct score *scores = arg;
	struct tn_scalar join = tn_scalar_join(&a->s, &b->s, W4), meet = a->s;
	uint16_t both = a->members & b->members, either = a->members | b->members;
	bool some = tn_scalar_meet(&meet, &b->s, W4);

	if (either & ~members_of(&join))
		fail_msg("join of %04x, %04x lost members", a->members, b->members);
	if (!some ? both != 0 : both & ~members_of(&meet))
		fail_msg("meet of %04x, %04x lost members", a->members, b->members);
	if (tn_scalar_subset(&a->s, &b->s) && (a->members & ~b->members))
		fail_msg("%04x called a subset of %04x", a->members, b->members);
	count_score(&scores[0], &join, either);
	if (some)
		count_score(&scores[1], &meet, both);
	scores[2].checks++;
	scores[2].tightest += tn_scalar_subset(&a->s, &b->s) == !(a->members & ~b->members);
}

static void lattice_is_sound_at_width_4(void **state)
{
	struct score scores[3] = { { 0 } };

	(void)state;
	for_pairs(check_lattice, scores, 77);
	print_score("join", "", &scores[0]);
	print_score("meet", "", &scores[1]);
	printf("[ harness ] subset: right in %.2f %%, never wrongly true\n",
	       100.0 * (double)scores[2].tightest / (double)scores[2].checks);
}

static void join_contains_both_part_by_part(void **state)
{
	struct oracle_rng rng = { 5 };

	(void)state;
	for (uint32_t i = 0; i < 200000; i++) {
		const struct value *a = &values[rng_below(&rng, nr_values)];
		const struct value *b = &values[rng_below(&rng, nr_values)];
		struct tn_scalar join = tn_scalar_join(&a->s, &b->s, W4);

		/* What a fixpoint relies on: the next round's input is found to be within. */
		assert_true(tn_scalar_subset(&a->s, &join));
		assert_true(tn_scalar_subset(&b->s, &join));
	}
}

static void check_widen(const struct value *a, const struct value *b, void *arg)
{
	static const int64_t thresholds[] = { -3, 0, 5, 6 };
	uint32_t *longest = arg, steps = 0;
	struct tn_scalar old = a->s;
	struct oracle_rng rng = { (uint64_t)a->members << 16 | b->members };
	const struct value *now = b;

	while (steps < 200) {
		struct tn_scalar wide = tn_scalar_widen(&old, &now->s, thresholds,
							TN_ARRAY_SIZE(thresholds), W4);

		assert_true(tn_scalar_subset(&old, &wide));
		assert_true(tn_scalar_subset(&now->s, &wide));
		steps++;
		old = wide;
		/* Some value that is not within yet, if one is found quickly. */
		for (unsigned tries = 0; tries < 20; tries++) {
			now = &values[rng_below(&rng, nr_values)];
			if (!tn_scalar_subset(&now->s, &old))
				break;
		}
		if (tn_scalar_subset(&now->s, &old))
			break;
	}
	*longest = TN_MAX(*longest, steps);
}

static void widen_contains_both_and_ends(void **state)
{
	uint32_t longest = 0;
	struct oracle_rng rng = { 9 };

	(void)state;
	for (uint32_t i = 0; i < (run_long ? 2000000u : 100000u); i++)
		check_widen(&values[rng_below(&rng, nr_values)],
			    &values[rng_below(&rng, nr_values)], &longest);
	printf("[ harness ] widen: at most %u steps\n", longest);
	assert_true(longest < 40);
}

static void width_changes_are_sound_at_width_4(void **state)
{
	struct score scores[2] = { { 0 } };

	(void)state;
	for (uint32_t i = 0; i < nr_values; i++) {
		for (unsigned bits = 1; bits <= W4; bits++) {
			struct tn_scalar zero = tn_scalar_zext(&values[i].s, bits, W4);
			struct tn_scalar sign[2];
			uint16_t exact_zero = 0, exact_sign[2] = { 0, 0 };

			for (unsigned v = 0; v < NR_VALUES; v++) {
				if (!(values[i].members >> v & 1))
					continue;
				exact_zero |= (uint16_t)(1u << (v & low_mask(bits)));
				for (unsigned half = 0; half < 2; half++) {
					unsigned to = half && bits > 2 ? 2 : bits;

					exact_sign[half] |=
						(uint16_t)(1u << oracle_sext(v, to, half, W4));
				}
			}
			assert_false(exact_zero & ~members_of(&zero));
			count_score(&scores[0], &zero, exact_zero);
			for (unsigned half = 0; half < 2; half++) {
				sign[half] = tn_scalar_sext(&values[i].s, bits, half, W4);
				assert_false(exact_sign[half] & ~members_of(&sign[half]));
				count_score(&scores[1], &sign[half], exact_sign[half]);
			}
		}
	}
	print_score("zext", "", &scores[0]);
	print_score("sext", "", &scores[1]);
}

/* ---- Width 8, sampled: all members of both operands ---- */

static uint64_t reach(struct oracle_rng *rng, unsigned bits, uint64_t limit)
{
	uint64_t by = rng_next(rng) >> (64 - bits) >> rng_below(rng, bits);

	return TN_MIN(by, limit);
}

/* A description of `x` at random: each part unknown, or an interval or mask around x. */
static struct tn_scalar around(struct oracle_rng *rng, uint64_t x, unsigned w)
{
	struct tn_scalar s = tn_scalar_unknown(w);
	unsigned h = w / 2;
	uint64_t low = x & low_mask(h), kind = rng_next(rng);
	int64_t sx = as_signed(x, w), slow = as_signed(x, h);

	if (kind & 1) {
		s.t.mask = rng_next(rng) & low_mask(w);
		if (kind & 0x100)
			s.t.mask &= rng_next(rng);
		s.t.value = x & ~s.t.mask;
	}
	if (kind & 2) {
		s.umin = x - reach(rng, w, x);
		s.umax = x + reach(rng, w, low_mask(w) - x);
	}
	if (kind & 4) {
		uint64_t down = (uint64_t)sx - (uint64_t)as_signed((uint64_t)1 << (w - 1), w);
		uint64_t up = low_mask(w) - down;

		s.smin = (int64_t)((uint64_t)sx - reach(rng, w, down));
		s.smax = (int64_t)((uint64_t)sx + reach(rng, w, up));
	}
	if (kind & 8) {
		s.hmin = low - reach(rng, h, low);
		s.hmax = low + reach(rng, h, low_mask(h) - low);
	}
	if (kind & 16) {
		uint64_t down = (uint64_t)slow + ((uint64_t)1 << (h - 1));
		uint64_t up = low_mask(h) - down;

		s.hsmin = slow - (int64_t)reach(rng, h, down);
		s.hsmax = slow + (int64_t)reach(rng, h, up);
	}
	if ((kind & 0xe0) == 0)
		s = tn_scalar_const(x, w);
	assert_true(tn_scalar_sync(&s, w));
	assert_true(tn_scalar_contains(&s, x, w));
	return s;
}

static uint32_t list_members(const struct tn_scalar *s, uint8_t out[256])
{
	uint32_t nr = 0;

	for (unsigned v = 0; v < 256; v++) {
		if (tn_scalar_contains(s, v, 8))
			out[nr++] = (uint8_t)v;
	}
	return nr;
}

static void check_alu_8(struct oracle_rng *rng, const struct oracle_operator *op, bool half)
{
	struct tn_scalar a = around(rng, rng_next(rng) & 0xff, 8);
	struct tn_scalar b = around(rng, rng_next(rng) & 0xff, 8);
	struct tn_scalar r = tn_scalar_alu(op->op, op->is_signed, half, &a, &b, 8);
	uint8_t as[256], bs[256];
	uint32_t nr_a = list_members(&a, as), nr_b = list_members(&b, bs);
	bool within[256];

	for (unsigned v = 0; v < 256; v++)
		within[v] = tn_scalar_contains(&r, v, 8);
	for (uint32_t i = 0; i < nr_a; i++) {
		for (uint32_t j = 0; j < nr_b; j++) {
			uint64_t v = oracle_alu(op->op, op->is_signed, half, as[i], bs[j], 8);

			if (!within[v])
				fail_msg("%s%s: %u op %u = %u is missing", op->name,
					 half ? " half" : "", as[i], bs[j], (unsigned)v);
		}
	}
}

static void alu_is_sound_at_width_8(void **state)
{
	struct oracle_rng rng = { 8 };
	uint32_t rounds = run_long ? 20000 : 600;

	(void)state;
	for (unsigned i = 0; i < 2 * TN_ARRAY_SIZE(oracle_operators); i++) {
		for (uint32_t n = 0; n < rounds; n++)
			check_alu_8(&rng, &oracle_operators[i / 2], i & 1);
	}
}

/* ---- Width 64, random and corners: one known member per operand ---- */

static uint64_t corner(struct oracle_rng *rng)
{
	static const uint64_t corners[] = {
		0,
		1,
		2,
		7,
		0x7f,
		0x80,
		0xff,
		0x7fff,
		0x8000,
		0xffff,
		0x7fffffff,
		0x80000000,
		0x80000001,
		0xfffffffe,
		0xffffffff,
		0x100000000,
		0x17fffffff,
		0x7fffffffffffffff,
		0x8000000000000000,
		0x8000000000000001,
		0xffffffff00000000,
		0xffffffff7fffffff,
		0xffffffff80000000,
		0xfffffffffffffffe,
		0xffffffffffffffff,
	};

	switch (rng_below(rng, 4)) {
	case 0:
		return corners[rng_below(rng, TN_ARRAY_SIZE(corners))];
	case 1:
		return corners[rng_below(rng, TN_ARRAY_SIZE(corners))] + rng_below(rng, 65) - 32;
	case 2:
		return rng_next(rng) >> rng_below(rng, 64);
	default:
		return rng_next(rng);
	}
}

static void alu_is_sound_at_width_64(void **state)
{
	struct oracle_rng rng = { 64 };
	uint32_t rounds = run_long ? 20000000 : 1000000;

	(void)state;
	for (uint32_t n = 0; n < rounds; n++) {
		const struct oracle_operator *op =
			&oracle_operators[rng_below(&rng, TN_ARRAY_SIZE(oracle_operators))];
		uint64_t x = corner(&rng), y = corner(&rng);
		struct tn_scalar a = around(&rng, x, 64), b = around(&rng, y, 64);
		bool half = rng_next(&rng) & 1;
		struct tn_scalar r = tn_scalar_alu(op->op, op->is_signed, half, &a, &b, 64);

		if (!tn_scalar_contains(&r, oracle_alu(op->op, op->is_signed, half, x, y, 64), 64))
			fail_msg("%s%s: %#" PRIx64 " op %#" PRIx64 " is missing", op->name,
				 half ? " half" : "", x, y);
	}
}

static void branch_is_sound_at_width_64(void **state)
{
	struct oracle_rng rng = { 65 };
	uint32_t rounds = run_long ? 20000000 : 1000000;

	(void)state;
	for (uint32_t n = 0; n < rounds; n++) {
		const struct oracle_operator *op =
			&oracle_conditions[rng_below(&rng, TN_ARRAY_SIZE(oracle_conditions))];
		uint64_t x = corner(&rng), y = rng_next(&rng) & 3 ? corner(&rng) : x;
		struct tn_scalar a = around(&rng, x, 64), b = around(&rng, y, 64);
		struct tn_scalar a2 = a, b2 = b;
		bool half = rng_next(&rng) & 1, taken = oracle_branch(op->op, half, x, y, 64);

		if (!tn_scalar_branch(op->op, half, taken, &a2, &b2, 64) ||
		    !tn_scalar_contains(&a2, x, 64) || !tn_scalar_contains(&b2, y, 64))
			fail_msg("%s%s %d: %#" PRIx64 ", %#" PRIx64 " lost", op->name,
				 half ? " half" : "", taken, x, y);
		assert_true(tn_scalar_subset(&a2, &a) && tn_scalar_subset(&b2, &b));
	}
}

static void lattice_and_width_changes_are_sound_at_width_64(void **state)
{
	static const int64_t thresholds[] = { INT64_MIN, -1, 0, 1, 63, 64, 4095, INT64_MAX };
	struct oracle_rng rng = { 66 };
	uint32_t rounds = run_long ? 10000000 : 400000;

	(void)state;
	for (uint32_t n = 0; n < rounds; n++) {
		uint64_t x = corner(&rng), y = corner(&rng);
		struct tn_scalar a = around(&rng, x, 64), b = around(&rng, y, 64), r;
		struct tn_scalar same = around(&rng, x, 64);
		unsigned bits = 8u << rng_below(&rng, 4);
		bool half = bits < 32 && (rng_next(&rng) & 1);

		r = tn_scalar_join(&a, &b, 64);
		assert_true(tn_scalar_subset(&a, &r) && tn_scalar_subset(&b, &r));
		r = tn_scalar_widen(&a, &b, thresholds, TN_ARRAY_SIZE(thresholds), 64);
		assert_true(tn_scalar_subset(&a, &r) && tn_scalar_subset(&b, &r));
		assert_true(tn_scalar_meet(&same, &a, 64) && tn_scalar_contains(&same, x, 64));
		r = tn_scalar_zext(&a, bits, 64);
		assert_true(tn_scalar_contains(&r, x & low_mask(bits), 64));
		r = tn_scalar_sext(&a, bits, half, 64);
		assert_true(tn_scalar_contains(&r, oracle_sext(x, bits, half, 64), 64));
		if (bits > 8) {
			r = tn_scalar_bswap(&a, bits);
			assert_true(
				tn_scalar_contains(&r, __builtin_bswap64(x) >> (64 - bits), 64));
		}
	}
}

/* A counter that starts at 0 and grows by `step`, below a limit that the loop compares with. */
static void widen_stops_at_threshold_and_keeps_alignment(void **state)
{
	static const int64_t thresholds[] = { 0, 999, 1000, 1001 };
	struct tn_scalar head = tn_scalar_const(0, 64), limit = tn_scalar_const(1000, 64);
	struct tn_scalar step = tn_scalar_const(4, 64);
	unsigned rounds = 0;

	(void)state;
	for (; rounds < 50; rounds++) {
		struct tn_scalar next = head, bound = limit;

		assert_true(tn_scalar_branch(TN_JLT, false, true, &next, &bound, 64));
		next = tn_scalar_alu(TN_ADD, false, false, &next, &step, 64);
		if (tn_scalar_subset(&next, &head))
			break;
		next = tn_scalar_join(&head, &next, 64);
		head = tn_scalar_widen(&head, &next, thresholds, TN_ARRAY_SIZE(thresholds), 64);
	}
	assert_true(rounds < 20);
	assert_int_equal(head.umin, 0);
	assert_int_equal(head.umax, 1000);
	assert_int_equal(head.t.mask & 3, 0);
}

/* ---- A few readable facts that programs rely on ---- */

static void alu_half_zero_extends(void **state)
{
	struct tn_scalar minus_one = tn_scalar_const(UINT64_MAX, 64), one = tn_scalar_const(1, 64);
	struct tn_scalar unknown = tn_scalar_unknown(64), r;
	uint64_t value;

	(void)state;
	r = tn_scalar_alu(TN_MOV, false, true, &one, &minus_one, 64);
	assert_true(tn_scalar_is_const(&r, &value));
	assert_int_equal(value, UINT32_MAX);
	r = tn_scalar_alu(TN_ADD, false, true, &unknown, &unknown, 64);
	assert_int_equal(r.umax, UINT32_MAX);
	assert_int_equal(r.smin, 0);
}

static void branch_half_signed_bounds_a_sign_extended_index(void **state)
{
	struct tn_scalar i = tn_scalar_unknown(64), five = tn_scalar_const(5, 64);
	struct tn_scalar low = tn_scalar_const(0, 64);

	(void)state;
	i = tn_scalar_sext(&i, 32, false, 64);
	assert_true(tn_scalar_branch(TN_JSLT, true, true, &i, &five, 64));
	assert_true(tn_scalar_branch(TN_JSGE, true, true, &i, &low, 64));
	assert_int_equal(i.umin, 0);
	assert_int_equal(i.umax, 4);
}

static void branch_ne_on_masked_bit_leaves_a_constant(void **state)
{
	struct tn_scalar bit = tn_scalar_unknown(64), mask = tn_scalar_const(8, 64);
	struct tn_scalar zero = tn_scalar_const(0, 64);
	uint64_t value;

	(void)state;
	bit = tn_scalar_alu(TN_AND, false, false, &bit, &mask, 64);
	assert_true(tn_scalar_branch(TN_JNE, false, true, &bit, &zero, 64));
	assert_true(tn_scalar_is_const(&bit, &value));
	assert_int_equal(value, 8);
}

static void print_says_what_is_known(void **state)
{
	struct tn_scalar s;
	char text[64];

	(void)state;
#define EXPECT(value, wanted)                            \
	do {                                             \
		s = (value);                             \
		tn_scalar_print(&s, text, sizeof(text)); \
		assert_string_equal(text, (wanted));     \
	} while (0)
	EXPECT(tn_scalar_const(7, 64), "7");
	EXPECT(tn_scalar_const((uint64_t)-7, 64), "-7");
	EXPECT(tn_scalar_range(0, 1023, 64), "0..1023");
	EXPECT(tn_scalar_srange(-5, 5, 64), "-5..5");
	EXPECT(tn_scalar_unknown(64), "unknown");
#undef EXPECT
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(alu_half_zero_extends),
		cmocka_unit_test(branch_half_signed_bounds_a_sign_extended_index),
		cmocka_unit_test(branch_ne_on_masked_bit_leaves_a_constant),
		cmocka_unit_test(widen_stops_at_threshold_and_keeps_alignment),
		cmocka_unit_test(print_says_what_is_known),
		cmocka_unit_test(alu_is_sound_at_width_64),
		cmocka_unit_test(branch_is_sound_at_width_64),
		cmocka_unit_test(lattice_and_width_changes_are_sound_at_width_64),
		cmocka_unit_test(alu_is_sound_at_width_8),
		cmocka_unit_test(alu_is_sound_at_width_4),
		cmocka_unit_test(branch_is_sound_at_width_4),
		cmocka_unit_test(lattice_is_sound_at_width_4),
		cmocka_unit_test(join_contains_both_part_by_part),
		cmocka_unit_test(widen_contains_both_and_ends),
		cmocka_unit_test(width_changes_are_sound_at_width_4),
	};

	run_all = argc > 1 && strcmp(argv[1], "all") == 0;
	run_long = run_all || (argc > 1 && strcmp(argv[1], "long") == 0);
	return cmocka_run_group_tests_name("scalar", tests, enumerate_values, drop_values);
}
