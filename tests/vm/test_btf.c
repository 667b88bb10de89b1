/* SPDX-License-Identifier: MIT */
/* BTF blobs written word by word: what is accepted, what is refused with which words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/rt.h"
#include "vm/btf.h"

static struct tn_rt rt;

/* A blob being written. */
static struct {
	uint32_t types[4096];
	uint32_t nr_words, nr_types;
	char strs[1024];
	uint32_t strs_len;
	unsigned char bytes[32768];
	size_t size;
} b;

static int setup(void **state)
{
	(void)state;
	memset(&b, 0, sizeof(b));
	b.strs_len = 1;
	return 0;
}

static uint32_t str(const char *s)
{
	uint32_t at = b.strs_len;

	strcpy(b.strs + at, s);
	b.strs_len += (uint32_t)strlen(s) + 1;
	return at;
}

static void word(uint32_t w)
{
	b.types[b.nr_words++] = w;
}

static uint32_t type(enum tn_btf_kind kind, const char *name, uint32_t vlen, uint32_t size_or_type)
{
	word(*name ? str(name) : 0);
	word((uint32_t)kind << 24 | vlen);
	word(size_or_type);
	return ++b.nr_types;
}

static uint32_t int_type(const char *name, uint32_t size)
{
	uint32_t id = type(TN_BTF_INT, name, 0, size);

	word(size * 8);
	return id;
}

static uint32_t array_type(uint32_t elem, uint32_t index, uint32_t nr)
{
	uint32_t id = type(TN_BTF_ARRAY, "", 0, 0);

	word(elem);
	word(index);
	word(nr);
	return id;
}

static void member(const char *name, uint32_t of, uint32_t bit)
{
	word(str(name));
	word(of);
	word(bit);
}

static struct tn_span finish(void)
{
	uint32_t h[6] = { 0x0001eb9f, 24, 0, b.nr_words * 4, b.nr_words * 4, b.strs_len };

	memcpy(b.bytes, h, sizeof(h));
	memcpy(b.bytes + 24, b.types, b.nr_words * 4);
	memcpy(b.bytes + 24 + b.nr_words * 4, b.strs, b.strs_len);
	b.size = 24 + b.nr_words * 4 + b.strs_len;
	return tn_span_make(b.bytes, b.size);
}

static void expect_refused(const char *words)
{
	size_t before = tn_load_relaxed(&rt.mem.bytes[TN_CHARGE_HEAP]);

	assert_null(tn_btf_parse(&rt, tn_span_make(b.bytes, b.size)));
	assert_int_equal(errno, EINVAL);
	if (!strstr(tn_err_last()->msg, words))
		fail_msg("error is '%s', expected '%s'", tn_err_last()->msg, words);
	assert_int_equal(tn_load_relaxed(&rt.mem.bytes[TN_CHARGE_HEAP]), before);
}

static void expect_type_refused(const char *words)
{
	finish();
	expect_refused(words);
}

static struct tn_btf *parse(void)
{
	struct tn_btf *btf = tn_btf_parse(&rt, finish());

	if (!btf)
		fail_msg("%s", tn_err_last()->msg);
	return btf;
}

static void btf_parse_indexes_types_and_names(void **state)
{
	uint32_t i = int_type("int", 4), s = type(TN_BTF_STRUCT, "pair", 2, 8), t;
	struct tn_btf *btf;

	(void)state;
	member("a", i, 0);
	member("b", i, 32);
	t = type(TN_BTF_TYPEDEF, "pair_t", 0, s);
	btf = parse();
	assert_int_equal(btf->nr_types, 4);
	assert_int_equal(tn_btf_find(btf, "pair", TN_BTF_STRUCT), s);
	assert_int_equal(tn_btf_find(btf, "pair", TN_BTF_TYPEDEF), 0);
	assert_int_equal(tn_btf_find(btf, "pair_t", TN_BTF_TYPEDEF), t);
	assert_int_equal(tn_btf_skip_mods(btf, t), s);
	assert_int_equal(tn_btf_vlen(tn_btf_type(btf, s)), 2);
	assert_string_equal(tn_btf_str(btf, tn_btf_type(btf, i)->name_off), "int");
	assert_int_equal(tn_btf_kind(tn_btf_type(btf, 0)), TN_BTF_VOID);
	assert_null(tn_btf_type(btf, 4));
	assert_string_equal(tn_btf_str(btf, UINT32_MAX), "");
	assert_string_equal(tn_btf_kind_name(TN_BTF_FUNC_PROTO), "func_proto");
	tn_btf_free(btf);
}

static void btf_size_of_follows_arrays_and_modifiers(void **state)
{
	uint32_t i = int_type("int", 4), a = array_type(i, i, 3), aa = array_type(a, i, 5), c, p, f,
		 v;
	struct tn_btf *btf;

	(void)state;
	c = type(TN_BTF_CONST, "", 0, aa);
	p = type(TN_BTF_PTR, "", 0, 0);
	f = type(TN_BTF_FWD, "later", 0, 0);
	v = type(TN_BTF_VAR, "v", 0, c);
	word(1);
	btf = parse();
	assert_int_equal(tn_btf_size_of(btf, a), 12);
	assert_int_equal(tn_btf_size_of(btf, aa), 60);
	assert_int_equal(tn_btf_size_of(btf, c), 60);
	assert_int_equal(tn_btf_size_of(btf, v), 60);
	assert_int_equal(tn_btf_size_of(btf, p), 8);
	assert_int_equal(tn_btf_size_of(btf, f), -EINVAL);
	assert_int_equal(tn_btf_size_of(btf, 0), -EINVAL);
	assert_int_equal(tn_btf_size_of(btf, 1000), -EINVAL);
	tn_btf_free(btf);
}

static void btf_parse_refuses_sizes_beyond_32_bits(void **state)
{
	uint32_t i = int_type("int", 8);

	(void)state;
	array_type(i, i, 0x80000000u);
	expect_type_refused("type 2 (array): has too many elements: 2147483648");
	setup(NULL);
	i = int_type("int", 1);
	array_type(i, i, 0x80000000u);
	array_type(2, i, 3);
	expect_type_refused("type 3 (array): has too many elements: 3");
}

static void row_24_btf_parse_accepts_every_kind(void **state)
{
	uint32_t i = int_type("int", 4), proto, var;
	struct tn_btf *btf;

	(void)state;
	type(TN_BTF_ENUM, "e", 1, 4);
	word(str("one"));
	word(1);
	type(TN_BTF_ENUM64, "e64", 1, 8);
	word(str("big"));
	word(1);
	word(1);
	type(TN_BTF_FWD, "f", 0, 0);
	type(TN_BTF_VOLATILE, "", 0, i);
	type(TN_BTF_RESTRICT, "", 0, i);
	type(TN_BTF_FLOAT, "double", 0, 8);
	type(TN_BTF_TYPE_TAG, "user", 0, i);
	type(TN_BTF_DECL_TAG, "any text:\t\"\n\x7f", 0, b.nr_types + 2);
	word(UINT32_MAX);
	type(TN_BTF_UNION, "u", 1, 4);
	member("m", i, 0);
	proto = type(TN_BTF_FUNC_PROTO, "", 2, i);
	word(str("arg"));
	word(i);
	word(0); /* variadic */
	word(0);
	type(TN_BTF_FUNC, "fn", 2, proto);
	var = type(TN_BTF_VAR, "var", 0, i);
	word(1);
	type(TN_BTF_DATASEC, ".data", 1, 4);
	word(var);
	word(0);
	word(4);
	btf = parse();
	assert_int_equal(btf->nr_types, b.nr_types + 1);
	tn_btf_free(btf);
}

static void btf_parse_refuses_bad_headers(void **state)
{
	uint32_t *h = (void *)b.bytes;

	(void)state;
	int_type("int", 4);
	finish();
	h[0] = 0x00019feb;
	expect_refused("other byte order");
	h[0] = 0x0001abcd;
	expect_refused("magic is 0xabcd");
	h[0] = 0x0002eb9f;
	expect_refused("version is 2");
	finish();
	h[1] = 12;
	expect_refused("header length is 12");
	finish();
	h[2] = 0xfffffff0;
	expect_refused("leave the blob");
	finish();
	h[2] = 2;
	h[3] = 8;
	expect_refused("not aligned");
	finish();
	h[5] = 0xffffffff;
	expect_refused("strings at byte");
	finish();
	h[5] = 0;
	expect_refused("zero byte");
	finish();
	h[4] = 0;
	h[5] = 0;
	expect_refused("zero byte");
}

static void btf_parse_refuses_each_truncation(void **state)
{
	uint32_t i = int_type("int", 4);
	size_t whole;

	(void)state;
	type(TN_BTF_STRUCT, "s", 1, 4);
	member("m", i, 0);
	whole = finish().size;
	for (b.size = 0; b.size < whole; b.size++)
		assert_null(tn_btf_parse(&rt, tn_span_make(b.bytes, b.size)));
}

static void btf_parse_refuses_unknown_references(void **state)
{
	(void)state;
	type(TN_BTF_PTR, "", 0, 77);
	expect_type_refused("type 1 (ptr): refers to unknown type 77");
	setup(NULL);
	int_type("int", 4);
	type(TN_BTF_FUNC, "f", 0, 1);
	expect_type_refused("type 2 (func 'f'): has the wrong kind below it");
	setup(NULL);
	word(999);
	word((uint32_t)TN_BTF_FWD << 24);
	word(0);
	expect_type_refused("name outside of the strings: 999");
	setup(NULL);
	type((enum tn_btf_kind)25, "", 0, 0);
	expect_type_refused("type 1 at byte 0 has unknown kind 25");
	setup(NULL);
	type(TN_BTF_STRUCT, "s", 0xffff, 0);
	expect_type_refused("is cut off");
	setup(NULL);
	int_type("int", 3);
	expect_type_refused("has size 3");
	setup(NULL);
	int_type("int", 4);
	type(TN_BTF_DATASEC, ".data", 1, 4);
	word(1);
	word(0);
	word(4);
	expect_type_refused("holds neither variable nor function");
}

static void btf_parse_refuses_members_outside(void **state)
{
	uint32_t i = int_type("int", 4);

	(void)state;
	type(TN_BTF_STRUCT, "s", 1, 4);
	member("m", i, 1);
	expect_type_refused("type 2 (struct 's'): ends outside: member 0");
	setup(NULL);
	type(TN_BTF_FWD, "later", 0, 0);
	type(TN_BTF_STRUCT, "s", 1, 4);
	member("m", 1, 0);
	expect_type_refused("has no size: member 0");
	setup(NULL);
	type(TN_BTF_STRUCT, "s", 1, 4);
	member("m", 0, 0);
	expect_type_refused("is void: member 0");
}

static void btf_parse_refuses_types_that_contain_themselves(void **state)
{
	(void)state;
	type(TN_BTF_TYPEDEF, "t", 0, 1);
	expect_type_refused("contains itself");
	setup(NULL);
	type(TN_BTF_CONST, "", 0, 2);
	type(TN_BTF_VOLATILE, "", 0, 1);
	expect_type_refused("contains itself");
	setup(NULL);
	type(TN_BTF_STRUCT, "s", 1, 8);
	member("m", 1, 0);
	expect_type_refused("contains itself");
	setup(NULL);
	array_type(2, 2, 4);
	type(TN_BTF_CONST, "", 0, 1);
	expect_type_refused("contains itself");
	setup(NULL);
	type(TN_BTF_PTR, "", 0, 2);
	type(TN_BTF_CONST, "", 0, 1);
	expect_type_refused("contains itself");
	setup(NULL);
	type(TN_BTF_PTR, "", 0, 2);
	type(TN_BTF_FUNC_PROTO, "", 0, 1);
	expect_type_refused("contains itself");
}

static void btf_parse_accepts_structs_that_point_to_themselves(void **state)
{
	struct tn_btf *btf;

	(void)state;
	type(TN_BTF_STRUCT, "node", 1, 8);
	member("next", 2, 0);
	type(TN_BTF_PTR, "", 0, 1);
	btf = parse();
	assert_int_equal(tn_btf_size_of(btf, 1), 8);
	tn_btf_free(btf);
}

static void btf_parse_refuses_endless_chains(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 200; i++)
		type(TN_BTF_CONST, "", 0, i);
	expect_type_refused("nests deeper than 64");
}

/* What the kernel's parser refuses, each by its words. */
static void btf_parse_refuses_records_that_break_the_rules(void **state)
{
	(void)state;
	type(TN_BTF_PTR, "named", 0, 0);
	expect_type_refused("type 1 (ptr 'named'): cannot have a name");
	setup(NULL);
	type(TN_BTF_TYPEDEF, "", 0, 0);
	expect_type_refused("type 1 (typedef): has no name");
	setup(NULL);
	type(TN_BTF_PTR, "", 3, 0);
	expect_type_refused("takes no records, but its vlen is 3");
	setup(NULL);
	type(TN_BTF_CONST, "", 1u << 31, 0);
	expect_type_refused("has no kind flag");
	setup(NULL);
	type(TN_BTF_FWD, "f", 1u << 20, 0);
	expect_type_refused("unknown bits in its info word");
	setup(NULL);
	type(TN_BTF_FWD, "f", 0, 4);
	expect_type_refused("has a type word, which is 4");
	setup(NULL);
	type(TN_BTF_FWD, "a\nb", 0, 0);
	expect_type_refused("name has byte 0xa");
	setup(NULL);
	type(TN_BTF_INT, "i", 0, 4);
	word(3u << 24 | 32);
	expect_type_refused("has unknown encoding 3");
	setup(NULL);
	type(TN_BTF_INT, "i", 0, 4);
	word(8u << 16 | 32);
	expect_type_refused("does not fit into its size");
	setup(NULL);
	type(TN_BTF_FLOAT, "f", 0, 5);
	expect_type_refused("has size 5");
	setup(NULL);
	type(TN_BTF_ENUM, "e", 1, 4);
	word(0);
	word(1);
	expect_type_refused("has no name: value 0");
	setup(NULL);
	int_type("int", 4);
	type(TN_BTF_VAR, "v", 0, 1);
	word(3);
	expect_type_refused("has unknown linkage 3");
	setup(NULL);
	int_type("int", 4);
	type(TN_BTF_DECL_TAG, "t", 0, 1);
	word(UINT32_MAX);
	expect_type_refused("tags what cannot be tagged");
	setup(NULL);
	type(TN_BTF_STRUCT, "s", 0, 4);
	type(TN_BTF_DECL_TAG, "t", 0, 1);
	word(0);
	expect_type_refused("tags an unknown component: 0");
	setup(NULL);
	array_type(2, 2, 1);
	type(TN_BTF_FLOAT, "f", 0, 4);
	expect_type_refused("has an index that is no integer");
	setup(NULL);
	int_type("int", 4);
	type(TN_BTF_FWD, "f", 0, 0);
	array_type(2, 1, 1);
	expect_type_refused("has elements without a size");
	setup(NULL);
	int_type("int", 4);
	type(TN_BTF_UNION, "u", 1, 8);
	member("m", 1, 32);
	expect_type_refused("does not begin at 0: member 0");
	setup(NULL);
	int_type("int", 4);
	type(TN_BTF_STRUCT, "s", 2, 8);
	member("a", 1, 32);
	member("b", 1, 0);
	expect_type_refused("goes back: member 1");
	setup(NULL);
	type(TN_BTF_PTR, "", 0, 0);
	type(TN_BTF_STRUCT, "s", 1u << 31 | 1, 8);
	member("p", 1, 3u << 24);
	expect_type_refused("cannot be a bit field: member 0");
	/* Its bits would be others than those that the member has. */
	setup(NULL);
	type(TN_BTF_INT, "wide", 0, 16);
	word(64u << 16 | 64);
	type(TN_BTF_STRUCT, "s", 1u << 31 | 1, 32);
	member("p", 1, 64u << 24);
	expect_type_refused("cannot be a bit field: member 0");
	setup(NULL);
	int_type("int", 4);
	type(TN_BTF_VAR, "v", 0, 1);
	word(0);
	type(TN_BTF_PTR, "", 0, 2);
	expect_type_refused("refers to what is no type of data: 2");
}

/* Each byte of a BTF with many kinds, in each of some values: accepted or refused with words. */
static void row_24_btf_parse_survives_each_changed_byte(void **state)
{
	uint32_t i = int_type("int", 4), s = type(TN_BTF_STRUCT, "s", 2, 8), proto;

	(void)state;
	member("a", i, 0);
	member("b", i, 32);
	type(TN_BTF_PTR, "", 0, s);
	array_type(s, i, 4);
	type(TN_BTF_ENUM, "e", 1, 4);
	word(str("one"));
	word(1);
	proto = type(TN_BTF_FUNC_PROTO, "", 1, i);
	word(str("arg"));
	word(s);
	type(TN_BTF_FUNC, "fn", 1, proto);
	type(TN_BTF_DECL_TAG, "tag", 0, proto + 1);
	word(0);
	finish();
	for (size_t at = 0; at < b.size; at++) {
		unsigned char was = b.bytes[at];

		for (uint32_t value = 0; value < 256; value++) {
			struct tn_btf *btf;

			b.bytes[at] = (unsigned char)value;
			btf = tn_btf_parse(&rt, tn_span_make(b.bytes, b.size));
			if (!btf)
				assert_true(errno == EINVAL && *tn_err_last()->msg);
			tn_btf_free(btf);
		}
		b.bytes[at] = was;
	}
}

static void btf_parse_leaks_nothing_when_an_allocation_fails(void **state)
{
	size_t before = tn_load_relaxed(&rt.mem.bytes[TN_CHARGE_HEAP]);
	int64_t n = 0;

	(void)state;
	for (int i = 0; i < 100; i++)
		int_type("int", 4);
	finish();
	for (;;) {
		struct tn_btf *btf;

		tn_store_relaxed(&rt.mem.fail_after, ++n);
		btf = tn_btf_parse(&rt, tn_span_make(b.bytes, b.size));
		tn_store_relaxed(&rt.mem.fail_after, 0);
		if (btf) {
			tn_btf_free(btf);
			break;
		}
		assert_int_equal(errno, ENOMEM);
		assert_int_equal(tn_load_relaxed(&rt.mem.bytes[TN_CHARGE_HEAP]), before);
	}
	assert_true(n > 4);
	assert_int_equal(tn_load_relaxed(&rt.mem.bytes[TN_CHARGE_HEAP]), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(btf_parse_indexes_types_and_names, setup),
		cmocka_unit_test_setup(btf_size_of_follows_arrays_and_modifiers, setup),
		cmocka_unit_test_setup(btf_parse_refuses_sizes_beyond_32_bits, setup),
		cmocka_unit_test_setup(row_24_btf_parse_accepts_every_kind, setup),
		cmocka_unit_test_setup(btf_parse_refuses_bad_headers, setup),
		cmocka_unit_test_setup(btf_parse_refuses_each_truncation, setup),
		cmocka_unit_test_setup(btf_parse_refuses_unknown_references, setup),
		cmocka_unit_test_setup(btf_parse_refuses_members_outside, setup),
		cmocka_unit_test_setup(btf_parse_refuses_types_that_contain_themselves, setup),
		cmocka_unit_test_setup(btf_parse_accepts_structs_that_point_to_themselves, setup),
		cmocka_unit_test_setup(btf_parse_refuses_endless_chains, setup),
		cmocka_unit_test_setup(btf_parse_refuses_records_that_break_the_rules, setup),
		cmocka_unit_test_setup(row_24_btf_parse_survives_each_changed_byte, setup),
		cmocka_unit_test_setup(btf_parse_leaks_nothing_when_an_allocation_fails, setup),
	};
	int failed;

	if (tn_rt_init(&rt, NULL))
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	tn_rt_fini(&rt);
	return failed;
}
