/* SPDX-License-Identifier: MIT */
#include "vm/testing.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vm/helpers.h"

#define P(x) ((uintptr_t)(x))

static void expect(const char *fmt, uint64_t arg, const char *text)
{
	char out[256];
	int len = tn_format(out, sizeof(out), fmt, &arg, 1);

	assert_string_equal(out, text);
	assert_int_equal(len, strlen(text) + 1);
}

static void numbers_take_the_width_of_their_length(void **state)
{
	(void)state;
	expect("%d", (uint64_t)-5, "-5");
	expect("%d", 0xfffffffffffffffe, "-2");
	expect("%d", 0x1fffffffe, "-2");
	expect("%i", 7, "7");
	expect("%u", (uint64_t)-1, "4294967295");
	expect("%x", 0xdeadbeef12345678, "12345678");
	expect("%X", 0xabc, "ABC");
	expect("%ld", (uint64_t)-5, "-5");
	expect("%lu", UINT64_MAX, "18446744073709551615");
	expect("%llx", 0xdeadbeef12345678, "deadbeef12345678");
	expect("%lld", (uint64_t)INT64_MIN, "-9223372036854775808");
}

static void flags_and_widths_pad(void **state)
{
	(void)state;
	expect("[%5d]", 42, "[   42]");
	expect("[%-5d]", 42, "[42   ]");
	expect("[%05d]", 42, "[00042]");
	expect("[%+d]", 42, "[+42]");
	expect("[%08llx]", 0xabc, "[00000abc]");
	expect("[%5s]", P("ab"), "[   ab]");
	expect("[%-5s]", P("ab"), "[ab   ]");
	expect("[%3c]", 'x', "[  x]");
}

static void pointers_print_numbers_and_addresses(void **state)
{
	static const unsigned char v4[4] = { 192, 168, 0, 1 };
	static const unsigned char v6[16] = { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 };

	(void)state;
	expect("%p", 0x1234, "0000000000001234");
	expect("%px", 0x1234, "0000000000001234");
	expect("%pI4", P(v4), "192.168.0.1");
	expect("%pi4", P(v4), "192.168.000.001");
	expect("%pI6", P(v6), "2001:0db8:0000:0000:0000:0000:0000:0001");
	expect("%pi6", P(v6), "20010db8000000000000000000000001");
	expect("%pI4", 8, "(efault)");
}

static void strings_that_cannot_be_read_do_not_fault(void **state)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *pages = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			   0);

	(void)state;
	assert_true(pages != MAP_FAILED);
	assert_int_equal(mprotect(pages + page, page, PROT_NONE), 0);
	memcpy(pages + page - 4, "abcd", 4);
	expect("%s", 0, "(efault)");
	expect("%s", 0xdeadbeefdeadbeef, "(efault)");
	expect("%s", P(pages + page), "(efault)");
	expect("%s", P(pages + page - 4), "abcd"); /* ends where memory ends */
	munmap(pages, 2 * page);
}

static void plain_text_and_percent_signs_are_copied(void **state)
{
	char out[16];

	(void)state;
	assert_int_equal(tn_format(out, sizeof(out), "100%%, done", NULL, 0), 11);
	assert_string_equal(out, "100%, done");
	assert_int_equal(tn_format(out, sizeof(out), "", NULL, 0), 1);
	assert_string_equal(out, "");
	assert_int_equal(tn_format(out, sizeof(out), "caf\xc3\xa9\n", NULL, 0), 7);
}

static void output_is_cut_and_terminated(void **state)
{
	const uint64_t arg = 123456;
	char out[4] = "zzz";

	(void)state;
	assert_int_equal(tn_format(out, 4, "%d", &arg, 1), 7);
	assert_string_equal(out, "123");
	assert_int_equal(tn_format(out, 1, "%d", &arg, 1), 7);
	assert_string_equal(out, "");
	assert_int_equal(tn_format(NULL, 0, "%d", &arg, 1), 7);
}

static void unknown_specifications_are_refused(void **state)
{
	static const char *const bad[] = {
		"%",   "%f",   "%n",  "%hd", "%.5s",  "%*d",	       "%lld%q",
		"%ls", "%pI5", "%pi", "%pZ", "%513d", "%99999999999d", "%l"
	};
	const uint64_t args[3] = { 0 };
	char out[64];

	(void)state;
	for (size_t i = 0; i < TN_ARRAY_SIZE(bad); i++) {
		if (tn_format(out, sizeof(out), bad[i], args, 3) != -EINVAL)
			fail_msg("'%s' was taken", bad[i]);
	}
	assert_int_equal(tn_format(out, sizeof(out), "%d %d", args, 1), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(numbers_take_the_width_of_their_length),
		TEST(flags_and_widths_pad),
		TEST(pointers_print_numbers_and_addresses),
		TEST(strings_that_cannot_be_read_do_not_fault),
		TEST(plain_text_and_percent_signs_are_copied),
		TEST(output_is_cut_and_terminated),
		TEST(unknown_specifications_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
