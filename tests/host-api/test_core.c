/* SPDX-License-Identifier: MIT */
/* Plugins of an older release of the host: relocated, asked, and refused by name. */
#include "host.h"

#include "core_new.h"

static struct tenon_hook hook;
static const struct thing thing = {
	.id = 4,
	.colour = BLUE,
	.count = 5ull << 32,
	.kind = 1000,
	.level = -200,
	.parts = { { 1, 2 }, { 3, 4 }, { 5, 6 } },
};

#define HOST_TYPES TN_TEST_PLUGINS "core_host.bpf.o"
#define PLUGIN	   TN_TEST_PLUGINS "core.bpf.o"
#define STALE	   TN_TEST_PLUGINS "core_stale.bpf.o"

static struct tenon_runtime *new_host(void)
{
	struct tenon_hook_desc desc = {
		.sz = sizeof(desc), .name = "ask", .chain = TENON_CHAIN_LAST, .ctx_name = "event"
	};
	struct tenon_runtime *rt = new_runtime(NULL);

	assert_ok(tenon_runtime_add_btf_file(rt, HOST_TYPES, NULL));
	memset(&hook, 0, sizeof(hook));
	assert_ok(tenon_hook_register(rt, &hook, &desc));
	return rt;
}

static uint64_t ask(uint32_t what)
{
	struct thing copy = thing;
	struct event event = { .when = 1, .thing = &copy, .ask = what };

	return tenon_hook_fire(&hook, &event);
}

static void row_28_one_object_with_all_13_core_kinds_runs(void **state)
{
	struct tenon_runtime *rt = new_host();
	struct tenon_object *obj = tenon_object_plug(rt, PLUGIN, NULL);

	(void)state;
	if (!obj)
		fail_msg("%s", tenon_last_error()->msg);
	assert_int_equal(ask(0), offsetof(struct thing, count));
	assert_int_equal(ask(1), 8);
	assert_int_equal(ask(2), 2);
	assert_int_equal(ask(3), 2);
	/* 9 bits behind the 12 of `kind`, in the 4 bytes at offset 16. */
	assert_int_equal(ask(4), 64 - 21);
	assert_int_equal(ask(5), 64 - 9);
	assert_true(ask(6) > 0);
	assert_true(ask(7) > 0);
	assert_int_equal(ask(8), 2);
	assert_int_equal(ask(9), sizeof(struct thing));
	assert_int_equal(ask(10), 2);
	assert_int_equal(ask(11), GREEN);
	/* A part is what it was, a thing is not. */
	assert_int_equal(ask(12), 2);
	assert_int_equal(ask(13), thing.count);
	assert_int_equal((int64_t)ask(14), -200);
	assert_int_equal(ask(15), 1000);
	assert_int_equal(ask(16), 4);
	assert_int_equal(ask(17), 1);
	assert_int_equal(ask(18), 1);
	assert_ok(tenon_object_close(obj));
	assert_ok(tenon_runtime_free(rt));
}

static void row_31_types_of_a_file_replace_the_hosts(void **state)
{
	TENON_OPTS(tenon_object_open_opts, opts, .btf_path = PLUGIN);
	struct tenon_runtime *rt = new_host();
	struct tenon_object *obj = tenon_object_open_file(rt, PLUGIN, &opts);

	(void)state;
	if (!obj)
		fail_msg("%s", tenon_last_error()->msg);
	assert_ok(tenon_object_close(obj));
	opts.btf_path = "/nonexistent";
	assert_null(tenon_object_open_file(rt, PLUGIN, &opts));
	assert_int_equal(errno, ENOENT);
	opts.btf_path = HOST_TYPES;
	obj = tenon_object_plug(rt, PLUGIN, &opts);
	assert_non_null(obj);
	assert_int_equal(ask(13), thing.count);
	assert_ok(tenon_runtime_free(rt));
}

static void what_has_a_record_is_right_beside_what_has_none(void **state)
{
	struct tenon_runtime *rt = new_host();
	struct tenon_object *obj = tenon_object_open_file(rt, STALE, NULL);
	struct tenon_link *first, *second;

	(void)state;
	if (!obj)
		fail_msg("%s", tenon_last_error()->msg);
	assert_ok(tenon_object_load(obj));
	first = tenon_program_attach(tenon_object_find_program(obj, "with_record"), NULL);
	assert_non_null(first);
	assert_int_equal(ask(0), thing.count);
	second = tenon_program_attach(tenon_object_find_program(obj, "same_place"), NULL);
	assert_non_null(second);
	assert_int_equal(ask(0), thing.id);
	tenon_link_destroy(first);
	tenon_link_destroy(second);
	assert_ok(tenon_object_close(obj));
	assert_ok(tenon_runtime_free(rt));
}

static void access_without_record_is_refused(const char *name, const char *words)
{
	struct tenon_runtime *rt = new_host();
	struct tenon_object *obj = tenon_object_open_file(rt, STALE, NULL);
	struct tenon_program *prog = NULL;

	assert_non_null(obj);
	while ((prog = tenon_object_next_program(obj, prog)))
		assert_ok(
			tenon_program_set_autoload(prog, !strcmp(tenon_program_name(prog), name)));
	assert_int_not_equal(tenon_object_load(obj), 0);
	assert_words(words);
	assert_ok(tenon_object_close(obj));
	assert_ok(tenon_runtime_free(rt));
}

static void accesses_without_record_to_what_moved_are_refused(void **state)
{
	(void)state;
	access_without_record_is_refused(
		"field_moved", "thing.count: the plugin has it at offset 4, 4 bytes (uint32_t); "
			       "host type 'thing' (host_core_host.bpf.o, ");
	access_without_record_is_refused("field_gone", "has no field 'gone': it has id at 0");
	access_without_record_is_refused("context_moved", "ask");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(row_28_one_object_with_all_13_core_kinds_runs),
		cmocka_unit_test(row_31_types_of_a_file_replace_the_hosts),
		cmocka_unit_test(what_has_a_record_is_right_beside_what_has_none),
		cmocka_unit_test(accesses_without_record_to_what_moved_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
