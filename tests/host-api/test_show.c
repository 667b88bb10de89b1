/* SPDX-License-Identifier: MIT */
/* Data as text, stack traces and bloom filters from a plugin: both engines; and what the verifier
 * refuses of it. */
#include "host.h"

static struct tenon_runtime *rt;
static struct tenon_hook hook;

static int setup(void **state)
{
	(void)state;
	rt = new_runtime(NULL);
	add_hook(rt, &hook, "test", TENON_CHAIN_LAST, 4242);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	return tenon_runtime_free(rt);
}

/* The object with one program of it. */
static struct tenon_object *open_one(const char *name, int engine, bool addresses)
{
	struct tenon_object_open_opts opts = { .sz = sizeof(opts),
					       .engine = engine_at(engine),
					       .addresses_visible = addresses };
	struct tenon_object *obj = tenon_object_open_file(rt, TN_TEST_PLUGINS "show.bpf.o", &opts);

	if (!obj)
		fail_msg("%s", tenon_last_error()->msg);
	for (struct tenon_program *p = first_program(obj); p; p = tenon_object_next_program(obj, p))
		assert_ok(tenon_program_set_autoload(p, !strcmp(tenon_program_name(p), name)));
	return obj;
}

static struct tenon_object *plug_one(const char *name, int engine, bool addresses)
{
	struct tenon_object *obj = open_one(name, engine, addresses);

	assert_ok(tenon_object_load(obj));
	assert_ok(tenon_object_attach(obj));
	return obj;
}

static TN_NOINLINE int fire(uint32_t in)
{
	struct test_ctx ctx = { .in = in };
	int ret = (int)tenon_hook_fire(&hook, &ctx);

	__asm__ volatile("" ::: "memory");
	return ret;
}

static void read_text(struct tenon_object *obj, void *to)
{
	uint32_t key = 0;

	assert_ok(tenon_map_lookup_elem(tenon_object_find_map(obj, "text"), &key, sizeof(key), to,
					256, 0));
}

static void own_structure_is_shown_as_text(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		static const char want[] = "(struct point){.x = (int)7,.y = (int)-1,.name = "
					   "(char[])['h','e','r','e',],}";
		struct tenon_object *obj = plug_one("show", i, false);
		char text[256];

		assert_int_equal(fire(7), sizeof(want) - 1);
		read_text(obj, text);
		assert_string_equal(text, want);
		tenon_object_close(obj);
	}
}

static void what_may_not_be_read_is_not_shown(void **state)
{
	static const struct {
		const char *program, *words;
		bool addresses; /* would do where addresses are shown */
	} rows[] = {
		{ "show_beyond", "would be shown", true },
		{ "show_anywhere", "memory of the host at any address", true },
		{ "show_any_type", "constant type_id", true },
		{ "show_address", "part of an address", true },
		{ "stack", "shows addresses of the host", true },
	};

	(void)state;
	for (size_t i = 0; i < TN_ARRAY_SIZE(rows); i++) {
		struct tenon_object *obj = open_one(rows[i].program, 0, false);

		if (tenon_object_load(obj) != -EACCES)
			fail_msg("%s is accepted", rows[i].program);
		if (strcmp(rows[i].program, "show_beyond") != 0)
			assert_words(rows[i].words);
		tenon_object_close(obj);
		obj = open_one(rows[i].program, 0, true);
		assert_ok(tenon_object_load(obj));
		tenon_object_close(obj);
	}
}

/* The return address of fire() in `ips` after that of the hook in fire(). */
static void check_trace(const uint64_t *ips, uint64_t caller)
{
	assert_true(ips[0] > (uintptr_t)fire && ips[0] < (uintptr_t)fire + 512);
	assert_int_equal(ips[1], caller);
}

/* Functions that a sanitizer instruments have frames of another form. */
static void skip_under_sanitizers(void)
{
#if defined(__SANITIZE_ADDRESS__) || TN_TSAN
	print_message("skipped: frames of functions that a sanitizer instruments\n");
	skip();
#endif
}

static TN_NOINLINE int fire_from(uint32_t in, uint64_t *caller)
{
	int ret = fire(in);

	*caller = (uintptr_t)__builtin_return_address(0);
	return ret;
}

static void trace_begins_where_the_hook_was_fired(void **state)
{
	(void)state;
	skip_under_sanitizers();
	for (int i = 0; i < 2; i++) {
		struct tenon_object *obj = plug_one("trace", i, false);
		struct tenon_map *map = tenon_object_find_map(obj, "traces");
		uint64_t ips[32], outer;
		int id = -1;
		uint32_t key, next;

		for (int round = 0; round < 3; round++) {
			int now = fire_from(0, &outer);

			assert_true(now >= 0 && now < 64);
			assert_true(round == 0 || now == id);
			id = now;
		}
		key = (uint32_t)id;
		assert_ok(tenon_map_lookup_elem(map, &key, sizeof(key), ips, sizeof(ips), 0));
		assert_true(ips[1] > (uintptr_t)fire_from && ips[1] < (uintptr_t)fire_from + 512);
		check_trace(ips, ips[1]);
		assert_int_equal(ips[2], outer);
		assert_ok(tenon_map_get_next_key(map, NULL, &next, sizeof(next)));
		assert_int_equal(next, key);
		assert_ok(tenon_map_delete_elem(map, &key, sizeof(key), 0));
		assert_int_equal(tenon_map_lookup_elem(map, &key, sizeof(key), ips, sizeof(ips), 0),
				 -ENOENT);
		tenon_object_close(obj);
	}
}

static void trace_skips_frames_and_refuses_other_flags(void **state)
{
	(void)state;
	skip_under_sanitizers();
	for (int i = 0; i < 2; i++) {
		struct tenon_object *obj = plug_one("trace_again", i, false);
		struct tenon_map *map = tenon_object_find_map(obj, "traces");
		uint64_t ips[32], outer;
		uint32_t key = (uint32_t)fire_from(2, &outer);

		assert_ok(tenon_map_lookup_elem(map, &key, sizeof(key), ips, sizeof(ips), 0));
		assert_int_equal(ips[0], outer);
		assert_int_equal(fire_from(255, &outer), -EFAULT);
		assert_int_equal(fire_from(1 << 11, &outer), -EINVAL);
		tenon_object_close(obj);
	}
}

static void stack_is_given_where_addresses_are_shown(void **state)
{
	(void)state;
	skip_under_sanitizers();
	for (int i = 0; i < 2; i++) {
		struct tenon_object *obj = plug_one("stack", i, true);
		uint64_t ips[32], outer;
		int size = fire_from(0, &outer);

		assert_true(size >= 24 && size <= 256 && size % 8 == 0);
		read_text(obj, ips);
		check_trace(ips, ips[1]);
		assert_int_equal(ips[2], outer);
		tenon_object_close(obj);
	}
}

static void filter_is_asked_and_filled_by_programs_and_host(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct tenon_object *obj = plug_one("was_seen", i, false);
		struct tenon_map *map = tenon_object_find_map(obj, "seen");
		uint64_t value = 77;

		assert_int_equal(fire(7), -ENOENT);
		assert_int_equal(fire(7), 0);
		assert_int_equal(tenon_map_lookup_elem(map, NULL, 0, &value, sizeof(value), 0),
				 -ENOENT);
		assert_ok(tenon_map_update_elem(map, NULL, 0, &value, sizeof(value), 0));
		assert_int_equal(fire(77), 0);
		tenon_object_close(obj);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(own_structure_is_shown_as_text, setup, teardown),
		cmocka_unit_test_setup_teardown(what_may_not_be_read_is_not_shown, setup, teardown),
		cmocka_unit_test_setup_teardown(trace_begins_where_the_hook_was_fired, setup,
						teardown),
		cmocka_unit_test_setup_teardown(trace_skips_frames_and_refuses_other_flags, setup,
						teardown),
		cmocka_unit_test_setup_teardown(stack_is_given_where_addresses_are_shown, setup,
						teardown),
		cmocka_unit_test_setup_teardown(filter_is_asked_and_filled_by_programs_and_host,
						setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
