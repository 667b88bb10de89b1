/* SPDX-License-Identifier: MIT */
/* The encoder, form by form, against the bytes of an assembler (asm_rows.def); labels and layout.
 */
#include "jit/jit_test.h"

#include <stdio.h>

#include "jit/code.h"
#include "jit/x86_64/asm.h"

static struct jit_test *t;
static struct tn_codebuf buf;

static int setup(void **state)
{
	(void)state;
	t = jit_test_new();
	buf = (struct tn_codebuf){ .rt = &t->rt };
	assert_int_equal(tn_codebuf_reserve(&buf), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	tn_codebuf_free(&buf);
	jit_test_free(t);
	return 0;
}

static void expect_bytes(const char *text, const uint8_t *expected, uint32_t nr)
{
	char got[64] = "";
	uint32_t i;

	if (buf.len == nr && !memcmp(buf.bytes, expected, nr))
		return;
	for (i = 0; i < buf.len && i < 16; i++)
		snprintf(got + 3 * i, 4, "%02x ", buf.bytes[i]);
	fail_msg("%s: got %s", text, got);
}

static void encoder_agrees_with_assembler(void **state)
{
	struct tn_codebuf *b = &buf;

	(void)state;
#define ROW(call, text, ...)                                     \
	do {                                                     \
		static const uint8_t bytes_[] = { __VA_ARGS__ }; \
		b->len = 0;                                      \
		call;                                            \
		expect_bytes(text, bytes_, sizeof(bytes_));      \
	} while (0);
#include "jit/asm_rows.def"
#undef ROW
}

/* ---- Layout ---- */

static uint32_t new_label(void)
{
	uint32_t label;

	assert_int_equal(tn_codebuf_labels(&buf, 1, &label), 0);
	return label;
}

static void put_nops(uint32_t n)
{
	while (n--) {
		assert_int_equal(tn_codebuf_reserve(&buf), 0);
		tn_put8(&buf, 0x90);
	}
}

static uint8_t *lay_out(void)
{
	uint8_t *out;

	tn_codebuf_layout(&buf);
	out = calloc(1, buf.size + 1);
	assert_non_null(out);
	tn_codebuf_write(&buf, out);
	return out;
}

static void jumps_are_short_up_to_127_bytes(void **state)
{
	uint32_t forward = new_label(), backward = new_label();
	uint8_t *out;

	(void)state;
	tn_codebuf_bind(&buf, backward);
	tn_codebuf_item(&buf, TN_ITEM_JMP, 0, forward);
	put_nops(124);
	tn_codebuf_item(&buf, TN_ITEM_JCC, CC_NE, backward);
	put_nops(1);
	tn_codebuf_bind(&buf, forward);
	out = lay_out();
	assert_int_equal(out[0], 0xeb);
	assert_int_equal(out[1], 127);
	assert_int_equal(out[126], 0x75);
	assert_int_equal((int8_t)out[127], -128);
	free(out);
}

static void jumps_grow_when_others_do(void **state)
{
	uint32_t a = new_label(), b = new_label();
	int32_t rel;
	uint8_t *out;

	(void)state;
	/* The first reaches its label only while the second is short, and that one is long. */
	tn_codebuf_item(&buf, TN_ITEM_JMP, 0, a);
	put_nops(123);
	tn_codebuf_item(&buf, TN_ITEM_JCC, CC_E, b);
	tn_codebuf_bind(&buf, a);
	put_nops(200);
	tn_codebuf_bind(&buf, b);
	out = lay_out();
	assert_int_equal(out[0], 0xe9);
	memcpy(&rel, out + 1, 4);
	assert_int_equal(rel, 123 + 6);
	assert_int_equal(out[5 + 123], 0x0f);
	memcpy(&rel, out + 5 + 123 + 2, 4);
	assert_int_equal(rel, 200);
	free(out);
}

static void short_loop_stays_in_one_line(void **state)
{
	uint32_t head = new_label(), end = new_label(), before;
	uint8_t *out;

	(void)state;
	for (before = 0; before < 64; before++) {
		buf.len = buf.nr_items = 0;
		buf.labels[head].off = buf.labels[end].off = TN_LABEL_UNBOUND;
		put_nops(before);
		tn_codebuf_item(&buf, TN_ITEM_LOOP, 0, end);
		tn_codebuf_bind(&buf, head);
		put_nops(40);
		tn_codebuf_item(&buf, TN_ITEM_JCC, CC_NE, head);
		tn_codebuf_bind(&buf, end);
		out = lay_out();
		assert_int_equal(tn_codebuf_label_off(&buf, head) / 64,
				 (tn_codebuf_label_off(&buf, end) - 1) / 64);
		free(out);
	}
}

static void near_function_is_called_directly(void **state)
{
	uint8_t *out;
	int32_t rel;

	(void)state;
	tn_codebuf_layout(&buf);
	tn_codebuf_extern(&buf, "");
	tn_codebuf_layout(&buf);
	out = calloc(1, buf.size);
	assert_non_null(out);
	buf.externs[0] = out + 100;
	tn_codebuf_write(&buf, out);
	assert_int_equal(out[0], 0x67);
	assert_int_equal(out[1], 0xe8);
	memcpy(&rel, out + 2, 4);
	assert_int_equal(rel, 94);
	free(out);
}

static void far_function_is_called_through_the_pool(void **state)
{
	const void *far = (const void *)(uintptr_t)0x123456789abcdef;
	uint8_t *out;
	int32_t rel;

	(void)state;
	tn_codebuf_extern(&buf, far);
	tn_codebuf_extern(&buf, far);
	assert_int_equal(buf.nr_externs, 1);
	out = lay_out();
	assert_int_equal(out[0], 0xff);
	assert_int_equal(out[1], 0x15);
	memcpy(&rel, out + 2, 4);
	assert_memory_equal(out + 6 + rel, &far, sizeof(far));
	free(out);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(encoder_agrees_with_assembler),    T(jumps_are_short_up_to_127_bytes),
		T(jumps_grow_when_others_do),	     T(short_loop_stays_in_one_line),
		T(near_function_is_called_directly), T(far_function_is_called_through_the_pool),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
