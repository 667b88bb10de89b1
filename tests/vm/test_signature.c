/* SPDX-License-Identifier: MIT */
#include "vm/testing.h"

#include "vm/signature.h"

static void parse_reads_every_word_of_the_grammar(void **state)
{
	struct tn_sig sig;

	(void)state;
	assert_int_equal(tn_sig_parse("i32(ctx, mem, size, map, str)", &sig), 0);
	assert_int_equal(sig.ret, TN_RET_SCALAR);
	assert_int_equal(sig.ret_ctype, TN_C_I32);
	assert_int_equal(sig.nr_args, 5);
	assert_int_equal(sig.args[0].kind, TN_ARG_CTX);
	assert_int_equal(sig.args[1].kind, TN_ARG_MEM);
	assert_int_equal(sig.args[2].kind, TN_ARG_SIZE_OR_ZERO);
	assert_int_equal(sig.args[3].kind, TN_ARG_MAP);
	assert_int_equal(sig.args[4].kind, TN_ARG_STR);
	assert_int_equal(tn_sig_parse("?acquire:conn(?handle:pool, release:conn, f64)", &sig), 0);
	assert_int_equal(sig.ret, TN_RET_HANDLE);
	assert_string_equal(sig.ret_handle, "conn");
	assert_true(sig.flags & TN_SIG_ACQUIRE);
	assert_true(sig.flags & TN_SIG_RET_NULLABLE);
	assert_true(sig.args[0].nullable);
	assert_string_equal(sig.args[0].handle, "pool");
	assert_true(sig.args[1].release);
	assert_int_equal(sig.args[2].ctype, TN_C_F64);
}

static void parse_lays_structs_out_as_c(void **state)
{
	struct c_struct {
		int32_t a;
		double b;
		uint8_t c;
	};
	struct tn_sig sig;

	(void)state;
	assert_int_equal(tn_sig_parse("void({i32,f64,u8}, {u8,u16,u8})", &sig), 0);
	assert_int_equal(sig.ret, TN_RET_VOID);
	assert_int_equal(sig.args[0].kind, TN_ARG_STRUCT);
	assert_int_equal(sig.args[0].nr_members, 3);
	assert_int_equal(sig.args[0].struct_size, sizeof(struct c_struct));
	assert_int_equal(sig.args[1].struct_size, 6);
}

static void print_gives_back_what_parse_read(void **state)
{
	static const char *const texts[] = {
		"void()",
		"bool(i8, u8, i16, u16)",
		"u64(i32, u32, i64, u64, f32)",
		"f64(f32, f64)",
		"i32(ctx, mem, size, wmem, size)",
		"i32(str, ...)",
		"?acquire:conn(?handle:pool, release:conn)",
		"handle:req(ctx, map)",
		"void({i32,f64})",
		"void(in:u32, out:f64, in:24:8, out:12:4)",
	};
	struct tn_sig sig;
	char text[128];

	(void)state;
	for (size_t i = 0; i < TN_ARRAY_SIZE(texts); i++) {
		assert_int_equal(tn_sig_parse(texts[i], &sig), 0);
		assert_int_equal(tn_sig_print(&sig, text, sizeof(text)), strlen(texts[i]));
		assert_string_equal(text, texts[i]);
	}
}

static void parse_takes_void_for_no_arguments_and_blanks(void **state)
{
	struct tn_sig sig;

	(void)state;
	assert_int_equal(tn_sig_parse(" i32 ( void ) ", &sig), 0);
	assert_int_equal(sig.nr_args, 0);
	assert_int_equal(tn_sig_parse("i32(i32,...)", &sig), 0);
	assert_true(sig.flags & TN_SIG_VARIADIC);
	assert_int_equal(sig.nr_args, 1);
}

static void parse_names_the_column_of_what_is_wrong(void **state)
{
	static const struct {
		const char *text, *words;
	} cases[] = {
		{ "", "column 1: '' is no result type" },
		{ "int(i32)", "column 1: 'int' is no result type" },
		{ "i32", "column 4: expected '('" },
		{ "i32(i32", "column 8: expected ',' or ')'" },
		{ "i32(i32) x", "column 10: nothing may follow" },
		{ "i32(mem)", "column 8: 'size' must follow" },
		{ "i32(mem, i32)", "'size' must follow" },
		{ "i32(size)", "column 5: 'size' must follow 'mem'" },
		{ "i32(u8, u8, u8, u8, u8, u8)", "column 25: more than 5" },
		{ "i32(?ctx)", "'?' goes with handle" },
		{ "?i32()", "'?' goes with handle" },
		{ "i32(handle)", "expected ':'" },
		{ "i32(handle:)", "expected the name" },
		{ "i32(acquire:x)", "column 5: 'acquire' is for results" },
		{ "{i32}()", "a struct cannot be the result" },
		{ "i32({})", "expected a number type" },
		{ "i32({i32)", "expected ',' or '}'" },
		{ "i32({u8,u8,u8,u8,u8,u8,u8,u8,u8})", "more than 8 struct members" },
		{ "i32(void, i32)", "'void' stands alone" },
		{ "i32(..., i32)", "expected ',' or ')'" },
		{ "i32(in)", "expected ':' and a number type" },
		{ "i32(in:void)", "expected ':' and a number type" },
		{ "i32(in:12)", "expected a number type, or BYTES:ALIGN" },
		{ "i32(out:0:1)", "BYTES:ALIGN" },
		{ "i32(out:8:3)", "BYTES:ALIGN" },
		{ "i32(out:8:16)", "BYTES:ALIGN" },
		{ "i32(in:65536:8)", "BYTES:ALIGN" },
		{ "i32(in:99999999999:8)", "BYTES:ALIGN" },
		{ "i32(handle:a_name_that_is_much_too_long_for_us)", "longer than 31" },
	};
	struct tn_sig sig;

	(void)state;
	for (size_t i = 0; i < TN_ARRAY_SIZE(cases); i++) {
		assert_int_equal(tn_sig_parse(cases[i].text, &sig), -EINVAL);
		assert_words(cases[i].words);
	}
}

static void is_direct_leaves_structs_and_variadics_to_libffi(void **state)
{
	struct tn_sig sig;

	(void)state;
	assert_int_equal(tn_sig_parse("f64(f32, i8, ctx, mem, size)", &sig), 0);
	assert_true(tn_sig_is_direct(&sig, true));
	assert_int_equal(tn_sig_parse("i32({i32})", &sig), 0);
	assert_false(tn_sig_is_direct(&sig, false));
	assert_int_equal(tn_sig_parse("i32(str, ...)", &sig), 0);
	assert_false(tn_sig_is_direct(&sig, false));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(parse_reads_every_word_of_the_grammar),
		TEST(parse_lays_structs_out_as_c),
		TEST(print_gives_back_what_parse_read),
		TEST(parse_takes_void_for_no_arguments_and_blanks),
		TEST(parse_names_the_column_of_what_is_wrong),
		TEST(is_direct_leaves_structs_and_variadics_to_libffi),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
