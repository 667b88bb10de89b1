/* SPDX-License-Identifier: MIT */
#include "base/testing.h"

#include "base/err.h"

static void err_fills_record_and_returns_code(void **state)
{
	(void)state;
	assert_int_equal(tn_err(-EINVAL, "map '%s': key_size is %d", "counts", 0), -EINVAL);
	assert_int_equal(tn_err_last()->code, -EINVAL);
	assert_string_equal(tn_err_last()->msg, "map 'counts': key_size is 0");
	assert_int_equal(tn_err_last()->insn, -1);
}

static void err_keeps_errno(void **state)
{
	(void)state;
	errno = EXDEV;
	tn_err(-EINVAL, "x");
	assert_int_equal(errno, EXDEV);
}

static void err_null_sets_errno(void **state)
{
	(void)state;
	assert_null(tn_err_null(-E2BIG, "too big"));
	assert_int_equal(errno, E2BIG);
}

static void err_accepts_its_own_message_as_argument(void **state)
{
	(void)state;
	tn_err(-EINVAL, "inner");
	tn_err(-EINVAL, "outer: %s", tn_err_last()->msg);
	assert_string_equal(tn_err_last()->msg, "outer: inner");
}

static void err_at_adds_place_and_next_error_clears_it(void **state)
{
	(void)state;
	tn_err(-EACCES, "r2 may be NULL");
	tn_err_at(TN_STAGE_VERIFY, "plugin.bpf.o", NULL, 14, "plugin.c:31");
	tn_err_at(TN_STAGE_NONE, NULL, "filter", -1, NULL);
	assert_int_equal(tn_err_last()->stage, TN_STAGE_VERIFY);
	assert_string_equal(tn_err_last()->object, "plugin.bpf.o");
	assert_string_equal(tn_err_last()->program, "filter");
	assert_int_equal(tn_err_last()->insn, 14);
	assert_string_equal(tn_err_last()->source, "plugin.c:31");
	tn_err(-EINVAL, "next");
	assert_int_equal(tn_err_last()->stage, TN_STAGE_NONE);
	assert_string_equal(tn_err_last()->program, "");
	assert_int_equal(tn_err_last()->insn, -1);
}

static void err_cuts_long_words(void **state)
{
	char long_name[2 * TN_ERR_MSG_BYTES];

	(void)state;
	memset(long_name, 'n', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = 0;
	tn_err(-EINVAL, "%s", long_name);
	tn_err_at(TN_STAGE_OPEN, long_name, NULL, -1, NULL);
	assert_int_equal(strlen(tn_err_last()->msg), TN_ERR_MSG_BYTES - 1);
	assert_int_equal(strlen(tn_err_last()->object), TN_ERR_NAME_BYTES - 1);
}

static void other_thread_fails(struct actor *a)
{
	a->result = (uint64_t)-tn_err(-ENOSPC, "theirs");
}

static void err_record_is_of_the_thread(void **state)
{
	struct actor a = { .begin = other_thread_fails };

	(void)state;
	tn_err(-EINVAL, "mine");
	actor_start(&a);
	assert_string_equal(tn_err_last()->msg, "mine");
	actor_finish(&a);
	assert_int_equal(a.result, ENOSPC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(err_fills_record_and_returns_code),
		cmocka_unit_test(err_keeps_errno),
		cmocka_unit_test(err_null_sets_errno),
		cmocka_unit_test(err_accepts_its_own_message_as_argument),
		cmocka_unit_test(err_at_adds_place_and_next_error_clears_it),
		cmocka_unit_test(err_cuts_long_words),
		cmocka_unit_test(err_record_is_of_the_thread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
