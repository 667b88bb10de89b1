/* SPDX-License-Identifier: MIT */
/* What is thrown, and who gets it, on both engines. */
#include "host.h"
#include "request.h"

static struct tenon_runtime *rt;
static struct tenon_hook hook;
static struct tenon_object *obj;

static const struct tenon_field fields[] = {
	TENON_SCALAR(struct request, kind, TENON_R),
	TENON_SCALAR(struct request, verdict, TENON_RW),
};
static const struct tenon_ctx_type type = TENON_CTX_TYPE(request, fields);

/* `max_ret`: the hook takes 0 up to it. */
static void open_one(const char *program, enum tenon_engine engine, int64_t max_ret)
{
	struct tenon_object_open_opts opts = { .sz = sizeof(opts), .engine = engine };
	struct tenon_hook_desc desc = { .sz = sizeof(desc),
					.name = program,
					.ctx = &type,
					.chain = TENON_CHAIN_LAST,
					.ret_checked = max_ret != 0,
					.ret_max = max_ret };
	struct tenon_program *prog = NULL;

	rt = new_runtime(NULL);
	memset(&hook, 0, sizeof(hook));
	assert_ok(tenon_hook_register(rt, &hook, &desc));
	obj = tenon_object_open_file(rt, TN_TEST_PLUGINS "throw.bpf.o", &opts);
	if (!obj)
		fail_msg("%s", tenon_last_error()->msg);
	while ((prog = tenon_object_next_program(obj, prog))) {
		const char *name = tenon_program_name(prog);

		assert_ok(tenon_program_set_autoload(
			prog, !strcmp(name, program) ||
				      (!strcmp(name, "target") && !strcmp(program, "in_target"))));
	}
}

static void close_one(void)
{
	assert_ok(tenon_object_close(obj));
	assert_ok(tenon_runtime_free(rt));
}

/* Twice: what the first firing held is there for the second. */
static void check_result(const char *program)
{
	for (int i = 0; i < 2; i++) {
		struct request req = { .kind = 7 };

		open_one(program, engine_at(i), 0);
		if (tenon_object_load(obj))
			fail_msg("%s: %s", program, tenon_last_error()->msg);
		assert_ok(tenon_object_attach(obj));
		assert_int_equal(tenon_hook_fire(&hook, &req), 42);
		assert_int_equal(tenon_hook_fire(&hook, &req), 42);
		close_one();
	}
}

static void check_refused(const char *program, int code, const char *words)
{
	open_one(program, TENON_ENGINE_AUTO, 0);
	assert_int_equal(tenon_object_load(obj), code);
	assert_words(words);
	close_one();
}

static void exception_callback_gives_the_result(void **state)
{
	(void)state;
	check_result("plainly");
}

static void exception_callback_runs_after_a_throw_in_a_callback(void **state)
{
	(void)state;
	check_result("deeply");
}

static void exception_callback_runs_after_a_throw_in_the_last_frame(void **state)
{
	(void)state;
	check_result("at_most_depth");
}

static int count_record(void *user, void *data, size_t size)
{
	(void)data;
	assert_int_equal(size, 8);
	++*(int *)user;
	return 0;
}

static void record_held_at_a_throw_is_discarded(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct request req = { .kind = 7 };
		struct tenon_ring_buffer *rb;
		int nr = 0;

		open_one("releases", engine_at(i), 0);
		assert_ok(tenon_object_load(obj));
		assert_ok(tenon_object_attach(obj));
		rb = tenon_ring_buffer_new(tenon_object_find_map(obj, "ring"), count_record, &nr);
		assert_non_null(rb);
		assert_int_equal(tenon_hook_fire(&hook, &req), 42);
		/* One that is still held would stand before the other. */
		tenon_ring_buffer_consume(rb);
		assert_int_equal(nr, 1);
		tenon_ring_buffer_free(rb);
		close_one();
	}
}

static void loop_left_by_a_throw_alone_has_an_exit(void **state)
{
	(void)state;
	check_result("only_exit");
}

static void throw_in_a_tail_called_program_is_its_own(void **state)
{
	(void)state;
	check_result("in_target");
}

static void exception_callback_out_of_fuel_ends_early(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct request req = { .kind = 7 };

		open_one("never_done", engine_at(i), 0);
		assert_ok(tenon_object_load(obj));
		assert_ok(tenon_object_attach(obj));
		assert_int_equal(tenon_hook_fire(&hook, &req), 0);
		close_one();
	}
}

static void exception_callback_is_held_to_the_hooks_range(void **state)
{
	(void)state;
	open_one("plainly", TENON_ENGINE_AUTO, 41);
	assert_int_equal(tenon_object_load(obj), -EACCES);
	assert_words("this hook takes 0..41");
	close_one();
	/* What is thrown itself is not the result. */
	for (int i = 0; i < 2; i++) {
		struct request req = { .kind = 100 };

		open_one("cut", engine_at(i), 41);
		assert_ok(tenon_object_load(obj));
		assert_ok(tenon_object_attach(obj));
		assert_int_equal(tenon_hook_fire(&hook, &req), 100 & 31);
		close_one();
	}
}

static void exception_callback_that_does_not_fit_is_refused(void **state)
{
	(void)state;
	check_refused("again", -EACCES, "may throw itself");
	check_refused("called", -EACCES, "nothing else may call it");
	check_refused("two_arguments", -EACCES, "takes one number");
	check_refused("keeps_record", -EACCES, "ringbuf_reserve");
	check_refused("two_callbacks", -EINVAL, "two exception callbacks");
	check_refused("missing", -EINVAL, "no other global function");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exception_callback_gives_the_result),
		cmocka_unit_test(exception_callback_runs_after_a_throw_in_a_callback),
		cmocka_unit_test(exception_callback_runs_after_a_throw_in_the_last_frame),
		cmocka_unit_test(record_held_at_a_throw_is_discarded),
		cmocka_unit_test(loop_left_by_a_throw_alone_has_an_exit),
		cmocka_unit_test(throw_in_a_tail_called_program_is_its_own),
		cmocka_unit_test(exception_callback_out_of_fuel_ends_early),
		cmocka_unit_test(exception_callback_is_held_to_the_hooks_range),
		cmocka_unit_test(exception_callback_that_does_not_fit_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
