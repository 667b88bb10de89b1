/* SPDX-License-Identifier: MIT */
/* Programs without an end in sight, within the default fuel, on both engines. */
#include "host.h"
#include "request.h"

#define FALLBACK 4242u

static struct tenon_runtime *rt;
static struct tenon_hook hooks[3];
static const char *const names[] = { "nested_loops", "nested_callbacks", "tail_calls" };

static const struct tenon_field fields[] = {
	TENON_SCALAR(struct request, kind, TENON_R),
	TENON_SCALAR(struct request, verdict, TENON_RW),
};
static const struct tenon_ctx_type type = TENON_CTX_TYPE(request, fields);

static int setup(void **state)
{
	int i;

	(void)state;
	rt = new_runtime(NULL);
	memset(hooks, 0, sizeof(hooks));
	for (i = 0; i < 3; i++) {
		struct tenon_hook_desc desc = { .sz = sizeof(desc),
						.name = names[i],
						.ctx = &type,
						.chain = TENON_CHAIN_LAST,
						.fallback = FALLBACK };

		assert_ok(tenon_hook_register(rt, &hooks[i], &desc));
	}
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	return tenon_runtime_free(rt);
}

/* Fire the program of that name alone; it must run out of fuel, and the host go on. */
static void check_runs_out(int which)
{
	int i;

	for (i = 0; i < 2; i++) {
		struct tenon_object_open_opts opts = { .sz = sizeof(opts), .engine = engine_at(i) };
		struct tenon_object *obj = tenon_object_open_file(rt, TN_TEST_PLUGINS "loops.bpf.o",
								  &opts);
		struct request req = { .kind = 1 };
		struct tenon_program *prog;
		uint32_t key = 0, id;

		assert_non_null(obj);
		if (tenon_object_load(obj))
			fail_msg("%s", tenon_last_error()->msg);
		prog = tenon_object_find_program(obj, names[which]);
		id = tenon_program_id(prog);
		if (which == 2)
			assert_ok(tenon_map_update_elem(tenon_object_find_map(obj, "next"), &key, 4,
							&id, 4, 0));
		assert_ok(tenon_object_attach(obj));
		assert_int_equal(tenon_hook_fire(&hooks[which], &req), FALLBACK);
		assert_int_equal(stats_of(prog).aborted, 1);
		assert_int_equal(stats_of(prog).last_reason, 0);
		assert_ok(tenon_object_close(obj));
	}
}

static void three_nested_loops_end_with_the_fallback(void **state)
{
	(void)state;
	check_runs_out(0);
}

static void three_nested_callbacks_end_with_the_fallback(void **state)
{
	(void)state;
	check_runs_out(1);
}

static void tail_calls_around_loops_end_with_the_fallback(void **state)
{
	(void)state;
	check_runs_out(2);
}

static void proof_of_termination_can_be_asked_for(void **state)
{
	struct tenon_object_open_opts opts = { .sz = sizeof(opts), .termination_proved = true };
	struct tenon_object *obj = tenon_object_open_file(rt, TN_TEST_PLUGINS "loops.bpf.o", &opts);

	(void)state;
	assert_non_null(obj);
	assert_int_equal(tenon_object_load(obj), -EACCES);
	assert_int_equal(tenon_last_error()->stage, TENON_STAGE_VERIFY);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(three_nested_loops_end_with_the_fallback),
		TEST(three_nested_callbacks_end_with_the_fallback),
		TEST(tail_calls_around_loops_end_with_the_fallback),
		TEST(proof_of_termination_can_be_asked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
