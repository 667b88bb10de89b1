/* SPDX-License-Identifier: MIT */
/* Host functions called from compiled code: every C type both ways, `user`, mixtures. */
#include "jit/jit_test.h"

#include <stdbool.h>

static uint64_t seen[8];

static struct jit_test *t;
static struct tn_host_helper helper;

static int setup(void **state)
{
	(void)state;
	t = jit_test_new();
	memset(&helper, 0, sizeof(helper));
	memset(seen, 0xee, sizeof(seen));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	jit_test_free(t);
	return 0;
}

/* A program that calls the helper with these arguments and returns what it returns. */
static uint64_t call(const char *sig, tn_host_fn fn, const uint64_t args[5])
{
	const struct tn_insn insns[] = { LDDW(TN_R1, args[0]),
					 LDDW(TN_R2, args[1]),
					 LDDW(TN_R3, args[2]),
					 LDDW(TN_R4, args[3]),
					 LDDW(TN_R5, args[4]),
					 CALL_EXT(0),
					 EXIT() };

	if (tn_sig_parse(sig, &helper.sig))
		fail_msg("%s: %s", sig, tn_err_last()->msg);
	helper.name = (char *)"helper";
	helper.fn = fn;
	jit_test_load(t, insns, sizeof(insns) / sizeof(insns[0]));
	t->prog->externs = tn_alloc_array(&t->rt, 1, sizeof(struct tn_extern));
	assert_non_null(t->prog->externs);
	t->prog->nr_externs = 1;
	t->prog->externs[0].helper = &helper;
	jit_test_compile(t);
	return jit_test_native(t, NULL);
}

#define ARGS(...) ((const uint64_t[5]){ __VA_ARGS__ })
#define FN(f)	  ((tn_host_fn)(f))

static uint64_t bits32(float f)
{
	uint32_t u;

	memcpy(&u, &f, 4);
	return u;
}

static uint64_t bits64(double f)
{
	uint64_t u;

	memcpy(&u, &f, 8);
	return u;
}

static int8_t take_i8(int8_t a, int8_t b)
{
	seen[0] = (uint64_t)a;
	seen[1] = (uint64_t)b;
	return (int8_t)-a;
}

static uint8_t take_u8(uint8_t a, uint8_t b)
{
	seen[0] = a;
	seen[1] = b;
	return (uint8_t)(a + b);
}

static int16_t take_i16(int16_t a, int16_t b)
{
	seen[0] = (uint64_t)a;
	seen[1] = (uint64_t)b;
	return (int16_t)-a;
}

static uint16_t take_u16(uint16_t a, uint16_t b)
{
	seen[0] = a;
	seen[1] = b;
	return (uint16_t)(a + b);
}

static int32_t take_i32(int32_t a, int32_t b)
{
	seen[0] = (uint64_t)a;
	seen[1] = (uint64_t)b;
	return -a;
}

static uint32_t take_u32(uint32_t a, uint32_t b)
{
	seen[0] = a;
	seen[1] = b;
	return a + b;
}

static bool take_bool(bool a, bool b)
{
	seen[0] = a;
	seen[1] = b;
	return a && !b;
}

static int64_t take_i64(int64_t a, uint64_t b)
{
	seen[0] = (uint64_t)a;
	seen[1] = b;
	return (int64_t)((uint64_t)a - b);
}

static float take_f32(float a, float b)
{
	return a * b;
}

static double take_f64(double a, double b)
{
	return a - b;
}

static void take_five(uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e)
{
	const uint64_t all[5] = { a, b, c, d, e };

	memcpy(seen, all, sizeof(all));
}

static uint64_t take_user_five(void *user, int8_t a, uint16_t b, bool c, int32_t d, uint64_t e)
{
	const uint64_t all[6] = { (uintptr_t)user, (uint64_t)a, b, c, (uint64_t)d, e };

	memcpy(seen, all, sizeof(all));
	return 6;
}

static double take_mixed(void *user, uint64_t a, double b, int8_t c, float d, uint16_t e)
{
	seen[0] = (uintptr_t)user;
	seen[1] = a;
	seen[2] = bits64(b);
	seen[3] = (uint64_t)c;
	seen[4] = bits32(d);
	seen[5] = e;
	return b + (double)d;
}

static double take_mixed_alone(double a, int32_t b, float c, uint8_t d, double e)
{
	seen[0] = bits64(a);
	seen[1] = (uint64_t)b;
	seen[2] = bits32(c);
	seen[3] = d;
	seen[4] = bits64(e);
	return e;
}

static void marshal_extends_narrow_integers(void **state)
{
	(void)state;
	assert_int_equal(call("i8(i8, i8)", FN(take_i8), ARGS(0xfff1, 0x7f)), 15);
	assert_int_equal(seen[0], (uint64_t)-15);
	assert_int_equal(seen[1], 127);
	assert_int_equal(call("i8(i8, i8)", FN(take_i8), ARGS(1, 0xffffffffffffff80)), UINT64_MAX);
	assert_int_equal(seen[1], (uint64_t)-128);
	assert_int_equal(call("u8(u8, u8)", FN(take_u8), ARGS(0x1ff, 0xabcd02)), 1);
	assert_int_equal(seen[0], 0xff);
	assert_int_equal(call("i16(i16, i16)", FN(take_i16), ARGS(0x12348000, 1)),
			 (uint64_t)-32768);
	assert_int_equal(seen[0], (uint64_t)-32768);
	assert_int_equal(call("u16(u16, u16)", FN(take_u16), ARGS(0xdead8000, 0x8001)), 1);
	assert_int_equal(seen[1], 0x8001);
}

static void marshal_extends_32_bit_results(void **state)
{
	(void)state;
	assert_int_equal(call("i32(i32, i32)", FN(take_i32), ARGS(0x100000001, 0x80000000)),
			 UINT64_MAX);
	assert_int_equal(seen[0], 1);
	assert_int_equal(seen[1], (uint64_t)INT32_MIN);
	assert_int_equal(call("u32(u32, u32)", FN(take_u32), ARGS(0xfffffff0ffffffff, 1)), 0);
	assert_int_equal(call("u32(u32, u32)", FN(take_u32), ARGS(0x80000000, 1)), 0x80000001);
}

static void marshal_makes_bool_0_or_1(void **state)
{
	(void)state;
	assert_int_equal(call("bool(bool, bool)", FN(take_bool), ARGS(1, 0)), 1);
	assert_int_equal(call("bool(bool, bool)", FN(take_bool), ARGS(0x100, 0)), 1);
	assert_int_equal(seen[0], 1);
	assert_int_equal(call("bool(bool, bool)", FN(take_bool), ARGS(0, 1ull << 63)), 0);
	assert_int_equal(seen[1], 1);
}

static int not_0_or_1(int flags)
{
	return flags;
}

/* What the verifier takes as 0 or 1 must be, whatever a callee leaves in al. */
static void marshal_makes_bool_of_a_mistaken_result(void **state)
{
	(void)state;
	assert_int_equal(call("bool(i32)", FN(not_0_or_1), ARGS(0x88)), 1);
	assert_int_equal(call("bool(i32)", FN(not_0_or_1), ARGS(0x100)), 0);
}

static void marshal_passes_64_bits_whole(void **state)
{
	(void)state;
	assert_int_equal(call("i64(i64, u64)", FN(take_i64), ARGS((uint64_t)INT64_MIN, 1)),
			 INT64_MAX);
	assert_int_equal(seen[0], (uint64_t)INT64_MIN);
}

static void marshal_passes_floating_point_as_bits(void **state)
{
	(void)state;
	assert_int_equal(call("f32(f32, f32)", FN(take_f32), ARGS(bits32(1.5f), bits32(-4.0f))),
			 bits32(-6.0f));
	assert_int_equal(call("f64(f64, f64)", FN(take_f64), ARGS(bits64(0.25), bits64(1e300))),
			 bits64(0.25 - 1e300));
}

static void marshal_void_gives_zero(void **state)
{
	int i;

	(void)state;
	assert_int_equal(call("void(u64, u64, u64, u64, u64)", FN(take_five), ARGS(1, 2, 3, 4, 5)),
			 0);
	for (i = 0; i < 5; i++)
		assert_int_equal(seen[i], i + 1);
}

static void marshal_puts_user_first(void **state)
{
	(void)state;
	helper.pass_user = true;
	helper.user = seen;
	assert_int_equal(call("u64(i8, u16, bool, i32, u64)", FN(take_user_five),
			      ARGS(0xff, 0x1ffff, 2, 0xffffffff, UINT64_MAX)),
			 6);
	assert_int_equal(seen[0], (uintptr_t)seen);
	assert_int_equal(seen[1], UINT64_MAX);
	assert_int_equal(seen[2], 0xffff);
	assert_int_equal(seen[3], 1);
	assert_int_equal(seen[4], UINT64_MAX);
	assert_int_equal(seen[5], UINT64_MAX);
}

static void marshal_mixes_integers_and_floating_point(void **state)
{
	(void)state;
	helper.pass_user = true;
	helper.user = &helper;
	assert_int_equal(call("f64(u64, f64, i8, f32, u16)", FN(take_mixed),
			      ARGS(11, bits64(2.5), 0x80, bits32(0.5f), 0x12345)),
			 bits64(3.0));
	assert_int_equal(seen[0], (uintptr_t)&helper);
	assert_int_equal(seen[1], 11);
	assert_int_equal(seen[2], bits64(2.5));
	assert_int_equal(seen[3], (uint64_t)-128);
	assert_int_equal(seen[4], bits32(0.5f));
	assert_int_equal(seen[5], 0x2345);
	helper.pass_user = false;
	assert_int_equal(call("f64(f64, i32, f32, u8, f64)", FN(take_mixed_alone),
			      ARGS(bits64(1), 0xfffffffe, bits32(3), 0x104, bits64(5))),
			 bits64(5));
	assert_int_equal(seen[0], bits64(1));
	assert_int_equal(seen[1], (uint64_t)-2);
	assert_int_equal(seen[2], bits32(3));
	assert_int_equal(seen[3], 4);
}

static uint64_t invoked(const struct tn_host_helper *self, const uint64_t args[5],
			struct tn_exec *ex)
{
	memcpy(seen, args, 5 * sizeof(args[0]));
	seen[5] = self == &helper && ex == &t->ex;
	return 42;
}

static void marshal_invokes_what_is_not_direct(void **state)
{
	int i;

	(void)state;
	helper.invoke = invoked;
	/* Without a function there is only the indirect way. */
	assert_int_equal(call("u64(u64, u64, u64, u64, u64)", NULL, ARGS(1, 2, 3, 4, 5)), 42);
	for (i = 0; i < 5; i++)
		assert_int_equal(seen[i], i + 1);
	assert_int_equal(seen[5], 1);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(marshal_extends_narrow_integers),
		T(marshal_extends_32_bit_results),
		T(marshal_makes_bool_0_or_1),
		T(marshal_makes_bool_of_a_mistaken_result),
		T(marshal_passes_64_bits_whole),
		T(marshal_passes_floating_point_as_bits),
		T(marshal_void_gives_zero),
		T(marshal_puts_user_first),
		T(marshal_mixes_integers_and_floating_point),
		T(marshal_invokes_what_is_not_direct),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
