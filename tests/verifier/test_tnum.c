/* SPDX-License-Identifier: MIT */
/*
 * Tristate numbers against all their members: every pair of tnums at width 5 (59,049 pairs), 7 with
 * the argument "long", for soundness and for how often the result is the tightest.
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

static unsigned width = 5;

struct tnum_score {
	uint64_t checks, tightest;
};

static bool next_tnum(struct tn_tnum *t)
{
	do {
		if (t->value++ == low_mask(width)) {
			t->value = 0;
			if (t->mask++ == low_mask(width)) {
				t->mask = 0;
				return false;
			}
		}
	} while (t->value & t->mask);
	return true;
}

/* Members of `t`, one after the other: subsets of the mask. False after the last. */
static bool next_member(struct tn_tnum t, uint64_t *v)
{
	uint64_t free_bits = (*v & t.mask) - t.mask;

	free_bits &= t.mask;
	*v = t.value | free_bits;
	return free_bits != 0;
}

static struct tn_tnum apply(unsigned op, struct tn_tnum a, struct tn_tnum b)
{
	switch (op) {
	case TN_ADD:
		return tn_tnum_add(a, b, width);
	case TN_SUB:
		return tn_tnum_sub(a, b, width);
	case TN_MUL:
		return tn_tnum_mul(a, b, width);
	case TN_AND:
		return tn_tnum_and(a, b);
	case TN_OR:
		return tn_tnum_or(a, b);
	default:
		return tn_tnum_xor(a, b);
	}
}

static void check_pair(const struct oracle_operator *op, struct tn_tnum a, struct tn_tnum b,
		       struct tnum_score *score)
{
	struct tn_tnum r = apply(op->op, a, b);
	uint64_t all = UINT64_MAX, any = 0, x = a.value, y;

	assert_int_equal(r.value & r.mask, 0);
	assert_int_equal((r.value | r.mask) & ~low_mask(width), 0);
	do {
		y = b.value;
		do {
			uint64_t v = oracle_op(op->op, false, x, y, width);

			if (!tn_tnum_contains(r, v))
				fail_msg("%s: %" PRIu64 " op %" PRIu64 " = %" PRIu64 " is missing",
					 op->name, x, y, v);
			all &= v;
			any |= v;
		} while (next_member(b, &y));
	} while (next_member(a, &x));
	score->checks++;
	score->tightest += r.mask == (any & ~all);
}

static void tnum_arithmetic_contains_all_results(void **state)
{
	static const uint8_t ops[] = { TN_ADD, TN_SUB, TN_MUL, TN_AND, TN_OR, TN_XOR };

	(void)state;
	for (unsigned i = 0; i < TN_ARRAY_SIZE(oracle_operators); i++) {
		const struct oracle_operator *op = &oracle_operators[i];
		struct tn_tnum a = { 0, 0 }, b = { 0, 0 };
		struct tnum_score score = { 0, 0 };

		if (!memchr(ops, op->op, sizeof(ops)))
			continue;
		do {
			do {
				check_pair(op, a, b, &score);
			} while (next_tnum(&b));
		} while (next_tnum(&a));
		printf("[ harness ] tnum %-4s %9" PRIu64 " checks, tightest %6.2f %%\n", op->name,
		       score.checks, 100.0 * (double)score.tightest / (double)score.checks);
		/* All but the product are exact by construction. */
		assert_true(op->op == TN_MUL || score.checks == score.tightest);
	}
}

static void tnum_shift_is_exact(void **state)
{
	struct tn_tnum t = { 0, 0 };

	(void)state;
	do {
		for (unsigned by = 0; by < width; by++) {
			struct tn_tnum l = tn_tnum_lsh(t, by, width), r = tn_tnum_rsh(t, by, width);
			struct tn_tnum s = tn_tnum_arsh(t, by, width);
			uint64_t v = t.value;

			do {
				assert_true(tn_tnum_contains(
					l, oracle_op(TN_LSH, false, v, by, width)));
				assert_true(tn_tnum_contains(
					r, oracle_op(TN_RSH, false, v, by, width)));
				assert_true(tn_tnum_contains(
					s, oracle_op(TN_ARSH, false, v, by, width)));
			} while (next_member(t, &v));
			assert_int_equal(l.mask, t.mask << by & low_mask(width));
			assert_int_equal(r.mask, t.mask >> by);
		}
	} while (next_tnum(&t));
}

static void tnum_lattice_agrees_with_members(void **state)
{
	struct tn_tnum a = { 0, 0 }, b = { 0, 0 };

	(void)state;
	do {
		do {
			struct tn_tnum join = tn_tnum_join(a, b), meet = { 0, 0 };
			bool within = true, some = false, is_some = tn_tnum_meet(a, b, &meet);

			for (uint64_t v = 0; v <= low_mask(width); v++) {
				bool in_a = tn_tnum_contains(a, v), in_b = tn_tnum_contains(b, v);

				within &= !in_a || in_b;
				some |= in_a && in_b;
				assert_true(!(in_a || in_b) || tn_tnum_contains(join, v));
				assert_true(!is_some ||
					    tn_tnum_contains(meet, v) == (in_a && in_b));
			}
			assert_int_equal(is_some, some);
			assert_int_equal(tn_tnum_subset(a, b), within);
		} while (next_tnum(&b));
	} while (next_tnum(&a));
}

static void tnum_range_is_the_tightest(void **state)
{
	(void)state;
	for (uint64_t min = 0; min <= low_mask(width); min++) {
		for (uint64_t max = min; max <= low_mask(width); max++) {
			struct tn_tnum t = tn_tnum_range(min, max, width);
			uint64_t all = UINT64_MAX, any = 0;

			for (uint64_t v = min; v <= max; v++) {
				assert_true(tn_tnum_contains(t, v));
				all &= v;
				any |= v;
			}
			assert_int_equal(t.mask, any & ~all);
		}
	}
}

static void tnum_is_sound_at_width_64(void **state)
{
	struct oracle_rng rng = { 3 };

	(void)state;
	for (uint32_t i = 0; i < 1000000; i++) {
		uint64_t x = rng_next(&rng) >> rng_below(&rng, 64);
		uint64_t y = rng_next(&rng) >> rng_below(&rng, 64);
		uint64_t mx = rng_next(&rng) & rng_next(&rng) & rng_next(&rng);
		uint64_t my = rng_next(&rng) >> rng_below(&rng, 64);
		struct tn_tnum a = { x & ~mx, mx }, b = { y & ~my, my };
		unsigned by = (unsigned)rng_below(&rng, 64);

		assert_true(tn_tnum_contains(tn_tnum_add(a, b, 64), x + y));
		assert_true(tn_tnum_contains(tn_tnum_sub(a, b, 64), x - y));
		assert_true(tn_tnum_contains(tn_tnum_mul(a, b, 64), x * y));
		assert_true(
			tn_tnum_contains(tn_tnum_arsh(a, by, 64), (uint64_t)((int64_t)x >> by)));
		assert_true(tn_tnum_contains(tn_tnum_cast(a, 32), (uint32_t)x));
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tnum_arithmetic_contains_all_results),
		cmocka_unit_test(tnum_shift_is_exact),
		cmocka_unit_test(tnum_lattice_agrees_with_members),
		cmocka_unit_test(tnum_range_is_the_tightest),
		cmocka_unit_test(tnum_is_sound_at_width_64),
	};

	if (argc > 1 && strcmp(argv[1], "long") == 0)
		width = 7;
	return cmocka_run_group_tests_name("tnum", tests, NULL, NULL);
}
