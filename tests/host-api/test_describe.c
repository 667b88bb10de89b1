/* SPDX-License-Identifier: MIT */
/* A host as a file: written, read back, checked against, and not trusted. */
#include <unistd.h>

#include "host.h"

static char dir[] = "/tmp/tenon-describe-XXXXXX";
static char path[64], copy[64];
static struct tenon_hook hook, packets;

struct full_ctx {
	const char *text;
	uint32_t len, flags;
	void *data, *end;
	void *block;
	void *conn;
	uint8_t name[5];
};

static const struct tenon_field full_fields[] = {
	TENON_SIZED(struct full_ctx, text, len, TENON_R | TENON_NULLABLE),
	TENON_SCALAR(struct full_ctx, len, TENON_R),
	TENON_SCALAR(struct full_ctx, flags, TENON_RW),
	TENON_REGION(struct full_ctx, data, end, TENON_RW),
	TENON_SCALAR(struct full_ctx, end, TENON_R),
	{ TENON_FIELD_(struct full_ctx, block), .kind = TENON_FIELD_MEM, .access = TENON_R,
	  .mem_size = 24 },
	{ TENON_FIELD_(struct full_ctx, conn), .kind = TENON_FIELD_HANDLE, .handle = "connection" },
	TENON_SCALAR(struct full_ctx, name, TENON_R),
};
static const struct tenon_ctx_type full_type = TENON_CTX_TYPE(full_ctx, full_fields);

static int make_dir(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/host", dir);
	snprintf(copy, sizeof(copy), "%s/copy", dir);
	return 0;
}

static int remove_dir(void **state)
{
	(void)state;
	unlink(path);
	unlink(copy);
	return rmdir(dir);
}

static uint32_t peek(void *conn)
{
	return conn != NULL;
}

static struct tenon_runtime *full_host(void)
{
	struct tenon_runtime *rt = new_runtime(NULL);
	struct tenon_hook_desc desc = { .sz = sizeof(desc),
					.name = "a hook % with blanks",
					.ctx = &full_type,
					.chain = TENON_CHAIN_UNTIL_SET,
					.fuel = 1234,
					.ret_checked = true,
					.ret_min = -1,
					.ret_max = 1,
					.fallback = UINT64_MAX,
					.early_end = TENON_EARLY_END_LAST_GOOD,
					.detach_after = 5 };
	static const struct tenon_field fields[] = {
		{ .name = "n", .size = 4, .access = TENON_RW },
		{ .name = "next",
		  .offset = 8,
		  .size = 8,
		  .kind = TENON_FIELD_HANDLE,
		  .access = TENON_R | TENON_NULLABLE,
		  .handle = "a base" },
	};
	struct tenon_struct_type base = { .sz = sizeof(base),
					  .name = "base",
					  .size = 16,
					  .fields = fields,
					  .nr_fields = 2,
					  .field_size = sizeof(fields[0]) };
	struct tenon_struct_type derived = {
		.sz = sizeof(derived), .name = "derived", .size = 8, .base = "base"
	};
	struct tenon_helper_opts opts = { .sz = sizeof(opts),
					  .flags = TENON_MAY_ABORT | TENON_PURE,
					  .id = 7000 };

	memset(&hook, 0, sizeof(hook));
	memset(&packets, 0, sizeof(packets));
	assert_ok(tenon_hook_register(rt, &hook, &desc));
	desc = (struct tenon_hook_desc){
		.sz = sizeof(desc), .name = "rx", .ctx = tenon_ctx_xdp(), .detach_after = UINT32_MAX
	};
	assert_ok(tenon_hook_register(rt, &packets, &desc));
	assert_ok(tenon_runtime_add_struct(rt, &base));
	assert_ok(tenon_runtime_add_struct(rt, &derived));
	assert_ok(tenon_runtime_add_helper(rt, "cast", "?cast:derived(handle:base, out:u32)",
					   TENON_FN(peek), NULL));
	assert_ok(tenon_runtime_add_helper(rt, "peek", "u32(?handle:connection)", TENON_FN(peek),
					   &opts));
	assert_ok(tenon_runtime_add_helper(rt, "send", "i64(ctx, mem, size, {i32,f64})",
					   TENON_FN(peek), NULL));
	opts = (struct tenon_helper_opts){ .sz = sizeof(opts), .flags = TENON_CLEANUP };
	assert_ok(tenon_runtime_add_helper(rt, "drop", "void(release:connection)", TENON_FN(peek),
					   &opts));
	return rt;
}

static size_t read_file(const char *from, char *buf, size_t size)
{
	FILE *f = fopen(from, "r");
	size_t len;

	assert_non_null(f);
	len = fread(buf, 1, size - 1, f);
	buf[len] = 0;
	fclose(f);
	return len;
}

static void write_text(const char *text, size_t len)
{
	FILE *f = fopen(copy, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, len, f), len);
	fclose(f);
}

static void description_read_back_describes_the_same(void **state)
{
	struct tenon_runtime *rt = full_host(), *other = new_runtime(NULL);
	char first[4096], second[4096];

	(void)state;
	assert_ok(tenon_runtime_describe(rt, path));
	assert_ok(tenon_runtime_add_description(other, path));
	assert_ok(tenon_runtime_describe(other, copy));
	assert_true(read_file(path, first, sizeof(first)) > 100);
	read_file(copy, second, sizeof(second));
	assert_string_equal(first, second);
	assert_non_null(strstr(first, " -1 1 early-end last-good 5\n"));
	assert_non_null(strstr(first, " early-end fallback 4294967295\n"));
	assert_int_equal(tenon_runtime_add_description(other, path), -EEXIST);
	assert_words(":15:");
	assert_ok(tenon_runtime_free(rt));
	assert_ok(tenon_runtime_free(other));
}

static void described_helper_verifies_but_does_not_load(void **state)
{
	struct tenon_runtime *rt = full_host(), *other = new_runtime(NULL);
	static const char text[] = "r1 = *(u64 *)(r1 +40)\ncall 7000\nr0 = 0\nexit\n";
	struct tenon_object *obj;

	(void)state;
	assert_ok(tenon_runtime_describe(rt, path));
	assert_ok(tenon_runtime_add_description(other, path));
	obj = open_text(other, "a hook % with blanks", 0, NULL, 0, text, NULL);
	assert_non_null(obj);
	assert_ok(tenon_object_verify(obj));
	obj = open_text(other, "a hook % with blanks", 0, NULL, 0, text, NULL);
	assert_int_equal(tenon_object_load(obj), -ENOSYS);
	assert_words("'peek'");
	obj = open_text(other, "a hook % with blanks", 0, NULL, 0, "r0 = 2\nexit\n", NULL);
	assert_int_equal(tenon_object_verify(obj), -EACCES);
	assert_ok(tenon_runtime_free(other));
	assert_ok(tenon_runtime_free(rt));
}

static void description_names_the_line_that_is_wrong(void **state)
{
	static const struct {
		const char *text, *words;
	} cases[] = {
		{ "", "empty" },
		{ "tenon-host 2\n", ":1: expected" },
		{ "tenon-host 1\nnonsense\n", ":2: unknown statement" },
		{ "tenon-host 1\nfield a 0 4 scalar r\n", ":2: a field without" },
		{ "tenon-host 1\nctx c\n", ":2: 'ctx' takes 3" },
		{ "tenon-host 1\nctx c 99999999\n", ":2: '99999999' is not" },
		{ "tenon-host 1\nctx c 8\nfield a 0 4 scalar x\n", ":3: unknown access" },
		{ "tenon-host 1\nctx c 8\nfield a 0 4 what r\n", ":3: unknown word" },
		{ "tenon-host 1\nctx c 8\nfield a 6 4 scalar r\n", "outside the struct" },
		{ "tenon-host 1\nctx c 8\nfield %00 0 4 scalar r\n", ":3: word 2 is not a name" },
		{ "tenon-host 1\nhook h c all 0 0\n", ":2: hook 'h': no context 'c'" },
		{ "tenon-host 1\nhook h xdp_md all -1 0\n", ":2: '-1' is not" },
		{ "tenon-host 1\nhook h xdp_md all 0 0 1\n", ":2: 'hook' takes 6" },
		{ "tenon-host 1\nhook h xdp_md some 0 0\n", ":2: unknown word 'some'" },
		{ "tenon-host 1\nhelper f 0 - i32(\n", "column" },
		{ "tenon-host 1\nhelper f 0 odd i32()\n", ":2: unknown helper flag" },
		{ "tenon-host 1\nhelper f 0 -\n", ":2: 'helper' takes 5" },
		{ "tenon-host 1\nvar v 8 8\n", ":2: 'var' takes 5 words, here are 4" },
		{ "tenon-host 1\nvar v 0 8 r\n", "variable 'v': it has 0 bytes" },
		{ "tenon-host 1\nvar v 8 3 r\n", ":2: alignment 3 is not" },
		{ "tenon-host 1\nvar v 8 8 r?\n", ":2: variable 'v': access is r, rw or rc" },
		{ "tenon-host 1\nvar v 8 8 rw\nvar v 8 8 r\n", ":3: variable 'v' is registered" },
		{ "tenon-host 1\n1 2 3 4 5 6 7 8 9 10 11 12 13\n", ":2: more than" },
		{ "tenon-host 1\nhook h xdp_md all 0 0 early-end worst 1\n", ":2: unknown word" },
		{ "tenon-host 1\nhook h xdp_md all 0 0 early-end fallback x\n", ":2: 'x' is not" },
		{ "tenon-host 1\nhook h xdp_md all 0 0 1 early-end fallback 2\n",
		  ":2: 'hook' takes 6 words, here are 7" },
		{ "tenon-host 1\nhook h xdp_md all 0 0 late-end fallback 2\n",
		  ":2: 'hook' takes 6 words, here are 9" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct tenon_runtime *rt = new_runtime(NULL);

		write_text(cases[i].text, strlen(cases[i].text));
		assert_true(tenon_runtime_add_description(rt, copy) < 0);
		assert_words(cases[i].words);
		assert_ok(tenon_runtime_free(rt));
	}
}

static void description_takes_comments_and_odd_blanks(void **state)
{
	static const char text[] = "tenon-host 1\n# a comment\n\n  ctx\tc  8 \r\n"
				   "field a 0 4 scalar rw\nhook h c last 0 18446744073709551615";
	struct tenon_runtime *rt = new_runtime(NULL);

	(void)state;
	write_text(text, strlen(text));
	assert_ok(tenon_runtime_add_description(rt, copy));
	assert_ok(tenon_runtime_free(rt));
}

/* Truncated anywhere, and with any byte changed: an error or not, but never a crash or a leak. */
static void hostile_description_does_no_harm(void **state)
{
	struct tenon_runtime *rt = full_host();
	char text[4096];
	size_t len, i;

	(void)state;
	assert_ok(tenon_runtime_describe(rt, path));
	assert_ok(tenon_runtime_free(rt));
	len = read_file(path, text, sizeof(text));
	for (i = 0; i < 2 * len; i++) {
		char old = text[i / 2];

		rt = new_runtime(NULL);
		if (i & 1) {
			text[i / 2] = (char)(old ^ (1 << (i % 7)) ^ (i % 3 ? 0 : 0x30));
			write_text(text, len);
		} else {
			write_text(text, i / 2);
		}
		(void)tenon_runtime_add_description(rt, copy);
		text[i / 2] = old;
		assert_ok(tenon_runtime_free(rt));
	}
}

/* ---- What registration refuses, of whatever source ---- */

static int register_fields(const struct tenon_field *fields, size_t nr)
{
	struct tenon_ctx_type type = { .sz = sizeof(type),
				       .name = "c",
				       .size = 32,
				       .fields = fields,
				       .nr_fields = nr,
				       .field_size = sizeof(struct tenon_field) };
	struct tenon_hook_desc desc = { .sz = sizeof(desc), .name = "h", .ctx = &type };
	struct tenon_runtime *rt = new_runtime(NULL);
	struct tenon_hook h = { 0 };
	int rc = tenon_hook_register(rt, &h, &desc);

	assert_ok(tenon_runtime_free(rt));
	return rc;
}

static void context_type_refuses_fields_that_do_not_fit(void **state)
{
	static const struct tenon_field len_rw[] = {
		{ .name = "p", .size = 8, .kind = TENON_FIELD_SIZED, .access = 1, .end = 8 },
		{ .name = "len", .offset = 8, .size = 4, .access = TENON_RW },
	};
	static const struct tenon_field shared[] = {
		{ .name = "p", .size = 8, .kind = TENON_FIELD_SIZED, .access = 1, .end = 16 },
		{ .name = "q",
		  .offset = 8,
		  .size = 8,
		  .kind = TENON_FIELD_SIZED,
		  .access = 1,
		  .end = 16 },
		{ .name = "len", .offset = 16, .size = 4, .access = TENON_R },
	};
	static const struct tenon_field overlap[] = {
		{ .name = "a", .size = 8, .access = 1 },
		{ .name = "b", .offset = 4, .size = 4, .access = 1 },
	};
	static const struct tenon_field singles[] = {
		{ .name = "", .size = 4, .access = 1 },
		{ .name = "x", .size = 0, .access = 1 },
		{ .name = "x", .offset = 30, .size = 4, .access = 1 },
		{ .name = "x", .offset = UINT32_MAX, .size = 4, .access = 1 },
		{ .name = "x", .size = 4, .access = 0 },
		{ .name = "x", .size = 4, .access = 1 | TENON_NULLABLE },
		{ .name = "x", .size = 4, .access = 64 },
		{ .name = "x", .size = 4, .kind = TENON_FIELD_MEM, .access = 1, .mem_size = 1 },
		{ .name = "x", .size = 8, .kind = TENON_FIELD_MEM, .access = 1 },
		{ .name = "x", .size = 8, .kind = TENON_FIELD_HANDLE },
		{ .name = "x", .size = 8, .kind = TENON_FIELD_SIZED, .access = 1, .end = 8 },
		{ .name = "x", .size = 8, .kind = TENON_FIELD_REGION, .access = 1, .end = 28 },
		{ .name = "x", .size = 8, .kind = (enum tenon_field_kind)77, .access = 1 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(singles) / sizeof(singles[0]); i++) {
		if (register_fields(&singles[i], 1) != -EINVAL)
			fail_msg("field %zu was taken", i);
	}
	assert_int_equal(register_fields(len_rw, 2), -EINVAL);
	assert_words("read-only");
	assert_int_equal(register_fields(shared, 3), -EINVAL);
	assert_words("two fields");
	assert_int_equal(register_fields(overlap, 2), -EINVAL);
	assert_words("overlap");
	assert_int_equal(register_fields(NULL, 2), -EINVAL);
	assert_int_equal(register_fields(NULL, 0), 0);
}

struct sized {
	const char *text;
	uint32_t len;
	const char *data, *data_end;
};

/* The members that bound a region, listed or not, make the same context. */
static void ends_of_regions_need_not_be_listed(void **state)
{
	static const struct tenon_field brief[] = {
		TENON_SIZED(struct sized, text, len, TENON_R),
		TENON_REGION(struct sized, data, data_end, TENON_R),
	};
	static const struct tenon_field full[] = {
		TENON_SIZED(struct sized, text, len, TENON_R),
		TENON_SCALAR(struct sized, len, TENON_R),
		TENON_REGION(struct sized, data, data_end, TENON_R),
		TENON_SCALAR(struct sized, data_end, TENON_R),
	};
	static const struct tenon_ctx_type brief_type = TENON_CTX_TYPE(sized, brief);
	static const struct tenon_ctx_type full_type_ = TENON_CTX_TYPE(sized, full);
	struct tenon_hook_desc desc = {
		.sz = sizeof(desc), .name = "a", .ctx = &brief_type, .chain = TENON_CHAIN_LAST
	};
	static const struct sized ctx = { .text = "abc", .len = 3 };
	struct tenon_runtime *rt = new_runtime(NULL);
	struct tenon_hook a = { 0 }, b = { 0 };
	char text[4096];

	(void)state;
	assert_ok(tenon_hook_register(rt, &a, &desc));
	desc.name = "b";
	desc.ctx = &full_type_;
	assert_ok(tenon_hook_register(rt, &b, &desc));
	plug_text(rt, "b",
		  "r0 = 0\n"
		  "r2 = *(u32 *)(r1 +8)\n"
		  "if r2 < 3 goto out\n"
		  "r3 = *(u64 *)(r1 +0)\n"
		  "r0 = *(u8 *)(r3 +2)\n"
		  "out:\nexit\n");
	assert_int_equal(tenon_hook_fire(&b, (void *)(uintptr_t)&ctx), 'c');
	assert_ok(tenon_runtime_describe(rt, path));
	read_file(path, text, sizeof(text));
	assert_non_null(strstr(text, "field len 8 4 scalar r\n"));
	assert_non_null(strstr(text, "field data_end 24 8 scalar r\n"));
	assert_ok(tenon_runtime_free(rt));
}

static void ends_without_a_name_get_one(void **state)
{
	static const struct tenon_field nameless[] = {
		{ .name = "p",
		  .size = 8,
		  .kind = TENON_FIELD_SIZED,
		  .access = TENON_R,
		  .end = 16,
		  .end_size = 4 },
		{ .name = "q",
		  .offset = 8,
		  .size = 8,
		  .kind = TENON_FIELD_REGION,
		  .access = 1,
		  .end = 24 },
	};
	struct tenon_field bad = nameless[0];

	(void)state;
	assert_int_equal(register_fields(nameless, 2), 0);
	bad.end_size = 3;
	assert_int_equal(register_fields(&bad, 1), -EINVAL);
	assert_words("'p.end' bounds 'p'");
	bad.end = 30;
	bad.end_size = 4;
	assert_int_equal(register_fields(&bad, 1), -EINVAL);
	assert_words("outside");
	bad.end = 4;
	assert_int_equal(register_fields(&bad, 1), -EINVAL);
	assert_words("overlap");
	bad.end = UINT32_MAX;
	assert_int_equal(register_fields(&bad, 1), -EINVAL);
	bad.end = 16;
	bad.end_size = 0;
	assert_int_equal(register_fields(&bad, 1), -EINVAL);
	assert_words("list the member at offset 16");
	assert_int_equal(register_fields(&nameless[0], 1), 0);
}

static void context_name_stands_for_one_layout(void **state)
{
	static const struct tenon_field other[] = {
		TENON_SCALAR(struct test_ctx, in, TENON_RW),
	};
	static const struct tenon_ctx_type same_name = TENON_CTX_TYPE(test_ctx, other);
	struct tenon_hook_desc desc = { .sz = sizeof(desc), .name = "b", .ctx = &same_name };
	struct tenon_runtime *rt = new_runtime(NULL);
	struct tenon_hook a, b = { 0 };

	(void)state;
	add_hook(rt, &a, "a", TENON_CHAIN_ALL, 0);
	assert_int_equal(tenon_hook_register(rt, &b, &desc), -EEXIST);
	assert_words("layout");
	desc.ctx = &test_type;
	assert_ok(tenon_hook_register(rt, &b, &desc));
	assert_ok(tenon_runtime_free(rt));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(description_read_back_describes_the_same),
		cmocka_unit_test(described_helper_verifies_but_does_not_load),
		cmocka_unit_test(description_names_the_line_that_is_wrong),
		cmocka_unit_test(description_takes_comments_and_odd_blanks),
		cmocka_unit_test(hostile_description_does_no_harm),
		cmocka_unit_test(context_type_refuses_fields_that_do_not_fit),
		cmocka_unit_test(ends_of_regions_need_not_be_listed),
		cmocka_unit_test(ends_without_a_name_get_one),
		cmocka_unit_test(context_name_stands_for_one_layout),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
