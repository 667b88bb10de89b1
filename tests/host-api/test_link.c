/* SPDX-License-Identifier: MIT */
/* Attaching, updating, replacing, detaching, and who keeps whom alive. */
#include "host.h"

static struct tenon_runtime *rt;
static struct tenon_hook hook, second;

static int setup(void **state)
{
	(void)state;
	rt = new_runtime(NULL);
	add_hook(rt, &hook, "h", TENON_CHAIN_LAST, 0);
	add_hook(rt, &second, "s", TENON_CHAIN_LAST, 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	return tenon_runtime_free(rt);
}

static uint64_t fire(struct tenon_hook *at)
{
	struct test_ctx ctx = { .in = 1 };

	return tenon_hook_fire(at, &ctx);
}

static void attach_refuses_what_does_not_fit(void **state)
{
	struct tenon_attach_opts opts = { .sz = sizeof(opts), .hook = "nowhere" };
	struct tenon_object *obj = load_text(rt, "h", RETURN(1)), *raw, *unloaded;

	(void)state;
	assert_null(tenon_program_attach(first_program(obj), &opts));
	assert_int_equal(errno, ENOENT);
	assert_words("nowhere");
	assert_int_equal(tenon_last_error()->stage, TENON_STAGE_ATTACH);
	opts.sz = 1;
	assert_null(tenon_program_attach(first_program(obj), &opts));
	assert_int_equal(errno, EINVAL);

	raw = open_text(rt, NULL, 8, NULL, 0, RETURN(1), NULL);
	assert_ok(tenon_object_load(raw));
	assert_null(tenon_program_attach(first_program(raw), NULL));
	assert_int_equal(errno, ENOENT);
	opts = (struct tenon_attach_opts){ .sz = sizeof(opts), .hook = "h" };
	assert_null(tenon_program_attach(first_program(raw), &opts));
	assert_int_equal(errno, EINVAL);
	assert_words("context");

	unloaded = open_text(rt, "h", 0, NULL, 0, RETURN(1), NULL);
	assert_null(tenon_program_attach(first_program(unloaded), NULL));
	assert_int_equal(errno, EINVAL);
	assert_null(tenon_program_attach(NULL, NULL));
	assert_false(tenon_hook_armed(&hook));
}

static void attach_works_at_another_hook_of_the_same_context(void **state)
{
	struct tenon_attach_opts opts = { .sz = sizeof(opts), .hook = "s" };
	struct tenon_link *link;

	(void)state;
	link = tenon_program_attach(first_program(load_text(rt, "h", RETURN(3))), &opts);
	assert_non_null(link);
	assert_int_equal(fire(&hook), 0);
	assert_int_equal(fire(&second), 3);
	assert_ok(tenon_link_destroy(link));
}

static void attach_holds_results_to_the_hooks_range(void **state)
{
	struct tenon_hook_desc desc = { .sz = sizeof(desc),
					.name = "strict",
					.ctx = &test_type,
					.ret_checked = true,
					.ret_min = 0,
					.ret_max = 1 };
	struct tenon_attach_opts opts = { .sz = sizeof(opts), .hook = "strict" };
	struct tenon_hook strict = { 0 };
	struct tenon_link *link;

	(void)state;
	assert_ok(tenon_hook_register(rt, &strict, &desc));
	assert_null(tenon_program_attach(first_program(load_text(rt, "h", RETURN(3))), &opts));
	assert_int_equal(errno, EINVAL);
	link = tenon_program_attach(first_program(load_text(rt, "h", RETURN(1))), &opts);
	assert_non_null(link);
	assert_ok(tenon_link_destroy(link));
	assert_ok(tenon_hook_unregister(&strict));
}

static void update_exchanges_the_program(void **state)
{
	struct tenon_object *a = load_text(rt, "h", RETURN(1)), *b = load_text(rt, "h", RETURN(2));
	struct tenon_link *link = tenon_program_attach(first_program(a), NULL);

	(void)state;
	assert_int_equal(fire(&hook), 1);
	assert_ok(tenon_link_update(link, first_program(b)));
	assert_int_equal(fire(&hook), 2);
	assert_ok(tenon_object_close(a));
	assert_int_equal(fire(&hook), 2);
	assert_int_equal(tenon_link_update(NULL, first_program(b)), -EINVAL);
	assert_ok(tenon_link_destroy(link));
	assert_int_equal(fire(&hook), 0);
}

static void link_keeps_its_program_past_close(void **state)
{
	struct tenon_object *obj = load_text(rt, "h", RETURN(1));
	struct tenon_link *link = tenon_program_attach(first_program(obj), NULL);

	(void)state;
	assert_ok(tenon_object_close(obj));
	assert_int_equal(fire(&hook), 1);
	assert_int_equal(tenon_runtime_free(rt), -EBUSY);
	assert_int_equal(fire(&hook), 1);
	assert_ok(tenon_link_destroy(link));
	assert_int_equal(fire(&hook), 0);
}

static void link_survives_its_hook(void **state)
{
	struct tenon_object *obj = load_text(rt, "h", RETURN(1));
	struct tenon_link *link = tenon_program_attach(first_program(obj), NULL);

	(void)state;
	assert_ok(tenon_hook_unregister(&hook));
	assert_int_equal(fire(&hook), 0);
	assert_int_equal(tenon_link_update(link, first_program(obj)), -ENOENT);
	assert_ok(tenon_link_destroy(link));
}

static void object_attach_is_all_or_nothing(void **state)
{
	struct tenon_object *obj = load_text(rt, "h", RETURN(1));

	(void)state;
	assert_ok(tenon_hook_unregister(&hook));
	assert_int_equal(tenon_object_attach(obj), -ENOENT);
	assert_int_equal(tenon_object_attach(NULL), -EINVAL);
	/* The context is equal, so the new hook takes programs made for the old one. */
	add_hook(rt, &hook, "h", TENON_CHAIN_LAST, 0);
	assert_ok(tenon_object_attach(obj));
	assert_ok(tenon_object_attach(obj));
	assert_int_equal(fire(&hook), 1);
	assert_ok(tenon_object_close(obj));
	assert_false(tenon_hook_armed(&hook));
}

static void object_replace_switches_links_of_both_owners(void **state)
{
	struct tenon_object *a = load_text(rt, "h", RETURN(1)), *b = load_text(rt, "h", RETURN(2));
	struct tenon_attach_opts opts = { .sz = sizeof(opts), .hook = "s" };
	struct tenon_link *link;

	(void)state;
	assert_ok(tenon_object_attach(a));
	link = tenon_program_attach(first_program(a), &opts);
	assert_non_null(link);
	assert_int_equal(fire(&hook), 1);
	assert_int_equal(fire(&second), 1);
	assert_ok(tenon_object_replace(a, b));
	assert_int_equal(fire(&hook), 2);
	assert_int_equal(fire(&second), 2);
	assert_ok(tenon_object_close(a));
	assert_int_equal(fire(&hook), 2);
	assert_ok(tenon_object_close(b));
	assert_false(tenon_hook_armed(&hook));
	assert_int_equal(fire(&second), 2);
	assert_ok(tenon_link_destroy(link));
}

static void object_replace_names_a_missing_program(void **state)
{
	struct tenon_object_open_opts opts = { .sz = sizeof(opts), .name = "other" };
	struct tenon_object *a = plug_text(rt, "h", RETURN(1));
	struct tenon_object *b = open_text(rt, "h", 0, NULL, 0, RETURN(2), &opts);

	(void)state;
	assert_int_equal(tenon_object_replace(a, b), -EINVAL);
	assert_ok(tenon_object_load(b));
	assert_int_equal(tenon_object_replace(a, b), -ENOENT);
	assert_words("'insns'");
	assert_int_equal(fire(&hook), 1);
	assert_int_equal(tenon_object_replace(a, a), -EINVAL);
	assert_int_equal(tenon_object_replace(NULL, a), -EINVAL);
}

/* ---- From within programs ---- */

static struct tenon_link *self_link;
static struct tenon_object *self_obj;
static int destroy_result, close_result, free_result, unregister_result;

static void waiting_calls(void)
{
	destroy_result = tenon_link_destroy(self_link);
	close_result = tenon_object_close(self_obj);
	free_result = tenon_runtime_free(rt);
	unregister_result = tenon_hook_unregister(&hook);
}

static void detach_self(void)
{
	tenon_link_detach(self_link);
	self_link = NULL;
}

static void add_numbered(const char *name, void (*fn)(void), uint32_t id)
{
	struct tenon_helper_opts opts = { .sz = sizeof(opts), .id = id };

	assert_ok(tenon_runtime_add_helper(rt, name, "void()", TENON_FN(fn), &opts));
}

static void waiting_calls_give_deadlk_within_a_program(void **state)
{
	(void)state;
	add_numbered("wait", waiting_calls, 9000);
	self_obj = load_text(rt, "h", "call 9000\n" RETURN(6));
	self_link = tenon_program_attach(first_program(self_obj), NULL);
	assert_int_equal(fire(&hook), 6);
	assert_int_equal(destroy_result, -EDEADLK);
	assert_int_equal(close_result, -EDEADLK);
	assert_int_equal(free_result, -EDEADLK);
	assert_int_equal(unregister_result, -EDEADLK);
	assert_int_equal(fire(&hook), 6);
	assert_ok(tenon_link_destroy(self_link));
}

static void detach_works_within_the_program_itself(void **state)
{
	(void)state;
	add_numbered("detach", detach_self, 9000);
	self_obj = load_text(rt, "h", "call 9000\n" RETURN(6));
	self_link = tenon_program_attach(first_program(self_obj), NULL);
	assert_int_equal(fire(&hook), 6);
	assert_null(self_link);
	assert_false(tenon_hook_armed(&hook));
}

static void destructors_take_null(void **state)
{
	(void)state;
	assert_ok(tenon_link_destroy(NULL));
	tenon_link_detach(NULL);
	assert_ok(tenon_object_close(NULL));
	assert_ok(tenon_runtime_free(NULL));
	assert_ok(tenon_hook_unregister(NULL));
	tenon_map_free(NULL);
	tenon_ring_buffer_free(NULL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(attach_refuses_what_does_not_fit),
		TEST(attach_works_at_another_hook_of_the_same_context),
		TEST(attach_holds_results_to_the_hooks_range),
		TEST(update_exchanges_the_program),
		TEST(link_keeps_its_program_past_close),
		TEST(link_survives_its_hook),
		TEST(object_attach_is_all_or_nothing),
		TEST(object_replace_switches_links_of_both_owners),
		TEST(object_replace_names_a_missing_program),
		TEST(waiting_calls_give_deadlk_within_a_program),
		TEST(detach_works_within_the_program_itself),
		TEST(destructors_take_null),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
