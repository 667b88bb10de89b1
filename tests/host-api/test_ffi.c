/* SPDX-License-Identifier: MIT */
/* Host functions of every kind of signature through both engines, and programs as C functions. */
#include "host.h"

static struct tenon_runtime *rt;
static struct tenon_hook hook;

static int setup(void **state)
{
	(void)state;
	rt = new_runtime(NULL);
	add_hook(rt, &hook, "h", TENON_CHAIN_LAST, 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	return tenon_runtime_free(rt);
}

static void add(const char *name, const char *sig, tenon_fn fn, bool pass_user, void *user)
{
	struct tenon_helper_opts opts = { .sz = sizeof(opts), .id = 9000 };

	opts.pass_user = pass_user;
	opts.user = user;
	assert_ok(tenon_runtime_add_helper(rt, name, sig, fn, &opts));
}

/* The program's result, the same in both engines. */
static uint64_t run(const char *text)
{
	struct tenon_object_open_opts opts = { .sz = sizeof(opts) };
	uint64_t results[2];
	int i;

	for (i = 0; i < 2; i++) {
		struct test_ctx ctx = { .in = 5 };
		struct tenon_object *obj;

		opts.engine = engine_at(i);
		obj = open_text(rt, "h", 0, NULL, 0, text, &opts);
		if (!obj || tenon_object_load(obj) || tenon_object_attach(obj))
			fail_msg("%s", tenon_last_error()->msg);
		results[i] = tenon_hook_fire(&hook, &ctx);
		assert_ok(tenon_object_close(obj));
	}
	assert_int_equal(results[0], results[1]);
	return results[0];
}

static int8_t take_small(int8_t a, uint8_t b, int16_t c, uint16_t d, bool e)
{
	return (int8_t)(a == -1 && b == 0xff && c == -2 && d == 0xfffe && e ? -7 : 1);
}

static void small_integers_are_truncated_and_extended(void **state)
{
	(void)state;
	add("small", "i8(i8, u8, i16, u16, bool)", TENON_FN(take_small), false, NULL);
	assert_int_equal(run("r1 = 0x1ff\nr2 = 0x1ff\nr3 = 0x1fffe\nr4 = 0x1fffe\nr5 = 4\n"
			     "call 9000\nexit\n"),
			 (uint64_t)-7);
}

static uint32_t take_words(int32_t a, uint32_t b, int64_t c, uint64_t d)
{
	return a == -1 && b == UINT32_MAX && c == -1 && d == UINT64_MAX ? 0xfffffff0u : 1;
}

static void words_keep_their_width(void **state)
{
	(void)state;
	add("words", "u32(i32, u32, i64, u64)", TENON_FN(take_words), false, NULL);
	assert_int_equal(run("r1 = -1\nr2 = -1\nr3 = -1\nr4 = -1\ncall 9000\nexit\n"), 0xfffffff0u);
}

static int32_t negative(void)
{
	return -5;
}

static void int_results_are_sign_extended(void **state)
{
	(void)state;
	add("neg", "i32()", TENON_FN(negative), false, NULL);
	assert_int_equal(run("call 9000\nexit\n"), (uint64_t)-5);
}

static bool is_odd(uint64_t x)
{
	return x & 1;
}

static void bool_results_are_zero_or_one(void **state)
{
	(void)state;
	add("odd", "bool(u64)", TENON_FN(is_odd), false, NULL);
	assert_int_equal(run("r1 = 7\ncall 9000\nexit\n"), 1);
}

static double scale(float a, double b, int32_t c)
{
	return (double)a * b + c;
}

static void floating_point_travels_as_bits(void **state)
{
	const double want = 1.5 * 2.25 + 3;
	uint64_t bits;

	(void)state;
	add("scale", "f64(f32, f64, i32)", TENON_FN(scale), false, NULL);
	memcpy(&bits, &want, 8);
	/* 1.5f is 0x3fc00000, 2.25 is 0x4002000000000000 */
	assert_int_equal(run("r1 = 0x3fc00000\nr2 = 0x4002000000000000 ll\nr3 = 3\n"
			     "call 9000\nexit\n"),
			 bits);
}

static float half(float a)
{
	return a / 2;
}

static void float_results_are_32_bits(void **state)
{
	(void)state;
	add("half", "f32(f32)", TENON_FN(half), false, NULL);
	assert_int_equal(run("r1 = 0x40000000\ncall 9000\nexit\n"), 0x3f800000u);
}

static uint64_t with_user(void *user, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e)
{
	return *(uint64_t *)user + a * 10000 + b * 1000 + c * 100 + d * 10 + e;
}

static void user_is_passed_first(void **state)
{
	static uint64_t user = 100000;

	(void)state;
	add("user", "u64(u64, u64, u64, u64, u64)", TENON_FN(with_user), true, &user);
	assert_int_equal(run("r1 = 1\nr2 = 2\nr3 = 3\nr4 = 4\nr5 = 5\ncall 9000\nexit\n"), 112345);
}

static uint64_t sum_bytes(const unsigned char *mem, uint64_t size)
{
	uint64_t sum = 0;

	while (size--)
		sum += *mem++;
	return sum;
}

static void memory_and_its_size_are_passed(void **state)
{
	(void)state;
	add("sum", "u64(mem, size)", TENON_FN(sum_bytes), false, NULL);
	assert_int_equal(run("r1 = 0x01020304\n"
			     "*(u32 *)(r10 -4) = r1\n"
			     "r1 = r10\nr1 += -4\nr2 = 4\ncall 9000\nexit\n"),
			 10);
}

static uint32_t read_ctx(const struct test_ctx *ctx)
{
	return ctx->in;
}

static void context_is_passed_unchanged(void **state)
{
	(void)state;
	add("in", "u32(ctx)", TENON_FN(read_ctx), false, NULL);
	assert_int_equal(run("call 9000\nexit\n"), 5);
}

struct pair {
	int32_t a;
	double b;
};

static int64_t take_pair(struct pair p, int32_t n)
{
	return p.a * 100 + (int64_t)(p.b * 2) + n;
}

static void struct_goes_by_value(void **state)
{
	(void)state;
	add("pair", "i64({i32,f64}, i32)", TENON_FN(take_pair), false, NULL);
	/* { 3, 2.5 } on the stack */
	assert_int_equal(run("r1 = 3\n*(u64 *)(r10 -16) = r1\n"
			     "r1 = 0x4004000000000000 ll\n*(u64 *)(r10 -8) = r1\n"
			     "r1 = r10\nr1 += -16\nr2 = 7\ncall 9000\nexit\n"),
			 312);
}

static int64_t sum_varargs(uint32_t n, ...)
{
	int64_t sum = 0;
	va_list ap;

	va_start(ap, n);
	while (n--)
		sum += va_arg(ap, int64_t);
	va_end(ap);
	return sum;
}

static void variadic_function_takes_the_rest(void **state)
{
	(void)state;
	add("sumv", "i64(u32, ...)", TENON_FN(sum_varargs), false, NULL);
	assert_int_equal(run("r1 = 4\nr2 = 1\nr3 = 2\nr4 = 3\nr5 = -10\ncall 9000\nexit\n"),
			 (uint64_t)-4);
}

/* Neither what an earlier call left in them nor what the host had there. */
static void variadic_function_gets_0_where_nothing_was_set(void **state)
{
	(void)state;
	add("sumv", "i64(u32, ...)", TENON_FN(sum_varargs), false, NULL);
	assert_int_equal(run("r1 = 4\nr2 = 1\nr3 = 2\nr4 = 3\nr5 = 4\ncall 9000\nr6 = r0\n"
			     "r1 = 4\nr2 = 5\ncall 9000\nr0 += r6\nexit\n"),
			 15);
}

static uint32_t map_entries(struct tenon_map *map)
{
	struct tenon_map_info info = { .sz = sizeof(info) };
	uint32_t key = 1;
	uint64_t value = 77;

	if (tenon_map_info(map, &info) || tenon_map_update_elem(map, &key, 4, &value, 8, 0))
		return 0;
	return info.max_entries;
}

static void map_argument_is_a_map_of_the_api(void **state)
{
	struct tenon_map *map = tenon_map_new(rt, 2, "m", 4, 8, 3, NULL);
	struct tenon_object *obj;
	struct test_ctx ctx = { 0 };
	uint32_t key = 1;
	uint64_t value = 0;

	(void)state;
	assert_non_null(map);
	add("entries", "u32(map)", TENON_FN(map_entries), false, NULL);
	obj = open_text(rt, "h", 0, &map, 1, "r1 = map[0] ll\ncall 9000\nexit\n", NULL);
	assert_non_null(obj);
	assert_ok(tenon_object_load(obj));
	assert_ok(tenon_object_attach(obj));
	assert_int_equal(tenon_hook_fire(&hook, &ctx), 3);
	assert_ok(tenon_map_lookup_elem(map, &key, 4, &value, 8, 0));
	assert_int_equal(value, 77);
}

static void helper_registration_names_what_is_wrong(void **state)
{
	struct tenon_helper_opts opts = { .sz = sizeof(opts), .id = 9000 };

	(void)state;
	add("first", "i32()", TENON_FN(negative), false, NULL);
	assert_int_equal(tenon_runtime_add_helper(rt, "first", "i32()", TENON_FN(negative), NULL),
			 -EEXIST);
	assert_int_equal(tenon_runtime_add_helper(rt, "x", "i32()", TENON_FN(negative), &opts),
			 -EEXIST);
	assert_words("9000");
	opts.id = 0;
	opts.flags = 1u << 20;
	assert_int_equal(tenon_runtime_add_helper(rt, "x", "i32()", TENON_FN(negative), &opts),
			 -EINVAL);
	assert_int_equal(tenon_runtime_add_helper(rt, "x", "i32(what)", TENON_FN(negative), NULL),
			 -EINVAL);
	assert_words("column");
	assert_int_equal(tenon_runtime_add_helper(rt, "x", NULL, TENON_FN(negative), NULL),
			 -EINVAL);
	assert_int_equal(tenon_runtime_add_helper(rt, NULL, "i32()", TENON_FN(negative), NULL),
			 -EINVAL);
	assert_int_equal(tenon_runtime_add_helper(rt, "x", "i32()", NULL, NULL), -EINVAL);
	assert_int_equal(tenon_runtime_add_helper(NULL, "x", "i32()", TENON_FN(negative), NULL),
			 -EINVAL);
}

/* ---- Programs as C functions ---- */

static void program_serves_as_a_c_function(void **state)
{
	struct tenon_object *obj = load_text(rt, "h", "r0 = *(u32 *)(r1 +0)\nr0 *= 3\nexit\n");
	struct test_ctx ctx = { .in = 14 };
	int32_t (*fn)(struct test_ctx *, uint32_t);

	(void)state;
	fn = (int32_t(*)(struct test_ctx *, uint32_t))tenon_program_as_callback(first_program(obj),
										"i32(ctx, u32)");
	assert_non_null(fn);
	assert_int_equal(fn(&ctx, 1), 42);
	assert_ok(tenon_object_close(obj));
}

static void callback_without_context_packs_its_arguments(void **state)
{
	struct tenon_object *obj = open_text(rt, NULL, 16, NULL, 0,
					     "r0 = *(u64 *)(r1 +0)\n"
					     "r1 = *(u64 *)(r1 +8)\n"
					     "r0 -= r1\nexit\n",
					     NULL);
	int32_t (*fn)(int32_t, int32_t);

	(void)state;
	assert_ok(tenon_object_load(obj));
	fn = (int32_t(*)(int32_t, int32_t))tenon_program_as_callback(first_program(obj),
								     "i32(i32, i32)");
	assert_non_null(fn);
	assert_int_equal(fn(5, 9), -4);
	assert_int_equal(fn(-5, -9), 4);
}

static void callback_refuses_what_does_not_fit(void **state)
{
	struct tenon_object *obj = load_text(rt, "h", RETURN(0));
	struct tenon_program *prog = first_program(obj);

	(void)state;
	assert_null(tenon_program_as_callback(prog, "i32(u32)"));
	assert_int_equal(errno, EINVAL);
	assert_null(tenon_program_as_callback(prog, "i32(ctx, ...)"));
	assert_null(tenon_program_as_callback(prog, "i32(ctx"));
	assert_null(tenon_program_as_callback(prog, NULL));
	assert_null(tenon_program_as_callback(NULL, "i32(ctx)"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(small_integers_are_truncated_and_extended),
		TEST(words_keep_their_width),
		TEST(int_results_are_sign_extended),
		TEST(bool_results_are_zero_or_one),
		TEST(floating_point_travels_as_bits),
		TEST(float_results_are_32_bits),
		TEST(user_is_passed_first),
		TEST(memory_and_its_size_are_passed),
		TEST(context_is_passed_unchanged),
		TEST(struct_goes_by_value),
		TEST(variadic_function_takes_the_rest),
		TEST(variadic_function_gets_0_where_nothing_was_set),
		TEST(map_argument_is_a_map_of_the_api),
		TEST(helper_registration_names_what_is_wrong),
		TEST(program_serves_as_a_c_function),
		TEST(callback_without_context_packs_its_arguments),
		TEST(callback_refuses_what_does_not_fit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
