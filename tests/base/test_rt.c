/* SPDX-License-Identifier: MIT */
#include "base/testing.h"

#include "base/err.h"
#include "base/span.h"

struct lines {
	int nr, level;
	char last[128];
};

static void keep_line(void *user, int level, const char *line)
{
	struct lines *lines = user;

	lines->nr++;
	lines->level = level;
	snprintf(lines->last, sizeof(lines->last), "%s", line);
}

static void rt_has_public_defaults(void **state)
{
	struct tn_rt rt;

	(void)state;
	assert_int_equal(tn_rt_init(&rt, NULL), 0);
	assert_int_equal(rt.max_slots, 64);
	assert_int_equal(rt.limits.fuel, 1u << 26);
	assert_int_equal(rt.limits.max_frames, 8);
	assert_int_equal(rt.limits.frame_bytes, 512);
	assert_int_not_equal(rt.id, 0);
	assert_int_equal(tn_rt_id(&rt), rt.id);
	tn_rt_fini(&rt);
}

static void rt_ids_differ(void **state)
{
	struct tn_rt a, b;
	uint32_t id;

	(void)state;
	assert_int_equal(tn_rt_init(&a, NULL), 0);
	id = a.id;
	tn_rt_fini(&a);
	assert_int_equal(tn_rt_init(&b, NULL), 0);
	assert_int_not_equal(b.id, id);
	tn_rt_fini(&b);
}

static void rt_rejects_too_many_slots(void **state)
{
	struct tn_rt_config config = { .max_slots = TN_MAX_SLOTS + 1 };
	struct tn_rt rt;

	(void)state;
	assert_int_equal(tn_rt_init(&rt, &config), -EINVAL);
	assert_string_equal(tn_err_last()->msg, "max_slots is 1025, expected at most 1024");
}

static void rt_rejects_frames_out_of_range(void **state)
{
	struct tn_limits limits;
	struct tn_rt_config config = { .limits = &limits };
	struct tn_rt rt;

	(void)state;
	tn_limits_default(&limits);
	limits.max_frames = TN_MAX_FRAMES + 1;
	assert_int_equal(tn_rt_init(&rt, &config), -EINVAL);
	tn_limits_default(&limits);
	limits.frame_bytes = 12;
	assert_int_equal(tn_rt_init(&rt, &config), -EINVAL);
}

static void log_passes_lines_up_to_the_level(void **state)
{
	struct lines lines = { 0 };
	struct tn_rt_config config = { .log = keep_line, .log_user = &lines };
	struct tn_rt rt;

	(void)state;
	assert_int_equal(tn_rt_init(&rt, &config), 0);
	tn_logf(&rt, TN_LOG_INFO, "dropped: the default level is WARN");
	assert_int_equal(lines.nr, 0);
	tn_logf(&rt, TN_LOG_WARN, "kept %d", 1);
	assert_int_equal(lines.level, TN_LOG_WARN);
	assert_string_equal(lines.last, "kept 1");
	tn_rt_fini(&rt);
}

static void log_is_silent_without_callback(void **state)
{
	struct tn_rt rt;

	(void)state;
	assert_int_equal(tn_rt_init(&rt, NULL), 0);
	tn_logf(&rt, TN_LOG_ERROR, "nobody listens");
	tn_rt_fini(&rt);
}

static void span_rejects_what_is_not_inside(void **state)
{
	struct tn_span s = tn_span_make("abcdefg", 8), part;
	uint32_t word;

	(void)state;
	assert_true(tn_span_sub(s, 8, 0, &part));
	assert_false(tn_span_sub(s, 9, 0, &part));
	assert_false(tn_span_sub(s, 1, UINT64_MAX, &part));
	assert_false(tn_span_sub(s, UINT64_MAX, 1, &part));
	assert_true(tn_span_read(s, 1, &word, 4));
	assert_memory_equal(&word, "bcde", 4);
	assert_false(tn_span_read(s, 5, &word, 4));
}

static void span_str_needs_its_end_inside(void **state)
{
	struct tn_span s = tn_span_make("ab\0cd", 5);

	(void)state;
	assert_string_equal(tn_span_str(s, 1), "b");
	assert_null(tn_span_str(s, 3));
	assert_null(tn_span_str(s, 5));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rt_has_public_defaults),
		cmocka_unit_test(rt_ids_differ),
		cmocka_unit_test(rt_rejects_too_many_slots),
		cmocka_unit_test(rt_rejects_frames_out_of_range),
		cmocka_unit_test(log_passes_lines_up_to_the_level),
		cmocka_unit_test(log_is_silent_without_callback),
		cmocka_unit_test(span_rejects_what_is_not_inside),
		cmocka_unit_test(span_str_needs_its_end_inside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
