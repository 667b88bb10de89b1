/* SPDX-License-Identifier: MIT */
/* What plugins call besides plain helpers, compiled by clang, on both engines. */
#include "host.h"
#include "request.h"

static struct tenon_runtime *rt;
static struct tenon_hook hook;
static const char *name;

static const struct tenon_field fields[] = {
	TENON_SCALAR(struct request, kind, TENON_R),
	TENON_SCALAR(struct request, verdict, TENON_RW),
};
static const struct tenon_ctx_type type = TENON_CTX_TYPE(request, fields);

static bool visible; /* addresses, to the next object */

static struct tenon_object *open_one(const char *program, bool only, enum tenon_engine engine)
{
	struct tenon_object_open_opts opts = { .sz = sizeof(opts),
					       .engine = engine,
					       .addresses_visible = visible };
	struct tenon_hook_desc desc = {
		.sz = sizeof(desc), .name = name, .ctx = &type, .chain = TENON_CHAIN_LAST
	};
	struct tenon_object *obj;
	struct tenon_program *prog = NULL;

	rt = new_runtime(NULL);
	memset(&hook, 0, sizeof(hook));
	assert_ok(tenon_hook_register(rt, &hook, &desc));
	obj = tenon_object_open_file(rt, TN_TEST_PLUGINS "calls.bpf.o", &opts);
	if (!obj)
		fail_msg("%s", tenon_last_error()->msg);
	while (only && (prog = tenon_object_next_program(obj, prog)))
		assert_ok(tenon_program_set_autoload(prog,
						     !strcmp(tenon_program_name(prog), program)));
	return obj;
}

static void check_result(const char *program)
{
	for (int i = 0; i < 2; i++) {
		struct request req = { .kind = 7 };
		struct tenon_object *obj;

		name = program;
		obj = open_one(program, true, engine_at(i));
		if (tenon_object_load(obj))
			fail_msg("%s: %s", program, tenon_last_error()->msg);
		assert_ok(tenon_object_attach(obj));
		assert_int_equal(tenon_hook_fire(&hook, &req), 42);
		assert_ok(tenon_object_close(obj));
		assert_ok(tenon_runtime_free(rt));
	}
}

static void check_refused(const char *program, const char *section, const char *words)
{
	struct tenon_object *obj;

	name = section;
	obj = open_one(program, true, TENON_ENGINE_AUTO);
	assert_int_equal(tenon_object_load(obj), -EACCES);
	assert_words(words);
	assert_ok(tenon_object_close(obj));
	assert_ok(tenon_runtime_free(rt));
}

static void numbers_are_iterated(void **state)
{
	(void)state;
	check_result("for_sum");
}

static void elements_are_visited(void **state)
{
	(void)state;
	check_result("each_elem");
}

static void global_functions_take_what_their_types_say(void **state)
{
	(void)state;
	check_result("globals");
}

static void dynptrs_read_and_write(void **state)
{
	(void)state;
	check_result("dynptrs");
}

static void text_and_own_memory_are_read(void **state)
{
	(void)state;
	check_result("text");
}

static void any_address_is_read_where_the_host_trusts_the_program(void **state)
{
	(void)state;
	check_refused("any_address", "any_address", "memory of the host at any address");
	visible = true;
	check_result("any_address");
	visible = false;
}

static void throw_ends_with_its_result(void **state)
{
	(void)state;
	check_result("thrown");
}

static void functions_of_timers_are_verified(void **state)
{
	(void)state;
	check_result("timers");
	check_refused("timer_result", "timer_result", "returns 0");
	check_refused("timer_key", "timer_key", "the element's key");
	check_refused("timer_map", "timer_map", "the map whose value has the timer");
	check_refused("timer_place", "timer_place", "is at offset 8");
}

static void global_function_without_null_test_is_refused(void **state)
{
	(void)state;
	check_refused("calls_no_test", "no_test", "may be NULL");
}

static void caller_of_global_function_must_fit_its_types(void **state)
{
	(void)state;
	check_refused("context_as_memory", "context_as_memory", "is the context");
	check_refused("null_for_nonnull", "null_for_nonnull", "a pointer to memory");
	check_refused("short_memory", "short_memory", "8 bytes");
	check_refused("not_the_context", "not_the_context", "the context, unmodified");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_are_iterated),
		cmocka_unit_test(elements_are_visited),
		cmocka_unit_test(global_functions_take_what_their_types_say),
		cmocka_unit_test(dynptrs_read_and_write),
		cmocka_unit_test(text_and_own_memory_are_read),
		cmocka_unit_test(any_address_is_read_where_the_host_trusts_the_program),
		cmocka_unit_test(throw_ends_with_its_result),
		cmocka_unit_test(functions_of_timers_are_verified),
		cmocka_unit_test(global_function_without_null_test_is_refused),
		cmocka_unit_test(caller_of_global_function_must_fit_its_types),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
