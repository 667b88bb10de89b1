/* SPDX-License-Identifier: MIT */
/* Hooks whose context is made of a function's arguments, and results as C ints. */
#include <unistd.h>

#include "host.h"

#include "typed_api.h"

struct host {
	struct tenon_runtime *rt;
	struct tenon_hook entry, exit, mod, lsm, trace;
};

static void add(struct host *h, struct tenon_hook *hook, const char *name, bool result,
		uint64_t fallback)
{
	TENON_OPTS(tenon_hook_desc, desc, .name = name, .func = "t_conn_or", .func_result = result,
		   .chain = TENON_CHAIN_LAST, .fallback = fallback);

	assert_ok(tenon_hook_register(h->rt, hook, &desc));
}

static void begin(struct host *h, enum tenon_engine engine)
{
	TENON_OPTS(tenon_runtime_opts, opts, .engine = engine);

	*h = (struct host){ .rt = tenon_runtime_new(&opts) };
	assert_non_null(h->rt);
	assert_ok(tenon_runtime_add_btf_file(h->rt, TN_TEST_PLUGINS "typed_host.bpf.o", NULL));
	add(h, &h->entry, "fentry/t_conn_or", false, 0);
	add(h, &h->exit, "fexit/t_conn_or", true, 0);
	add(h, &h->mod, "fmod_ret/t_conn_or", true, (uint64_t)-1);
	add(h, &h->lsm, "lsm/t_conn_or", true, 0);
	add(h, &h->trace, "tp_btf/t_conn_or", false, 0);
}

static struct tenon_map *map_of(struct tenon_object *obj, const char *part)
{
	struct tenon_map_info info = { .sz = sizeof(info) };
	struct tenon_map *map = NULL;

	while ((map = tenon_object_next_map(obj, map))) {
		assert_ok(tenon_map_info(map, &info));
		if (strstr(info.name, part))
			return map;
	}
	return NULL;
}

/* A test run gives what firing does: 32 bits. */
static uint64_t run_alone(struct tenon_object *obj, const char *name, uint64_t *slots)
{
	struct tenon_test_run_opts opts = { .sz = sizeof(opts),
					    .ctx = slots,
					    .ctx_size = 3 * sizeof(slots[0]) };

	assert_ok(tenon_program_test_run(tenon_object_find_program(obj, name), &opts));
	return opts.retval;
}

static void check_programs(enum tenon_engine engine)
{
	struct conn c = { .id = 77 };
	uint64_t slots[3] = { (uintptr_t)&c, 300, 9 }, got[4];
	struct tenon_object *obj;
	struct tenon_map *bss;
	uint32_t key = 0;
	struct host h;

	begin(&h, engine);
	/* Before anything is attached: the fallback as a C int. */
	assert_int_equal((int)tenon_hook_fire(&h.mod, slots), -1);
	assert_int_equal(tenon_hook_fire(&h.mod, slots), UINT32_MAX);
	obj = tenon_object_open_file(h.rt, TN_TEST_PLUGINS "func.bpf.o", NULL);
	assert_non_null(obj);
	assert_ok(tenon_object_load(obj));
	assert_ok(tenon_object_attach(obj));
	assert_int_equal(tenon_hook_fire(&h.entry, slots), 0);
	assert_int_equal(tenon_hook_fire(&h.exit, slots), 0);
	assert_int_equal((int)tenon_hook_fire(&h.mod, slots), -300);
	assert_int_equal(tenon_hook_fire(&h.mod, slots), (uint32_t)-300);
	assert_int_equal((int)tenon_hook_fire(&h.lsm, slots), -13);
	assert_int_equal((int)tenon_hook_fire(&h.trace, slots), -7);
	assert_int_equal(run_alone(obj, "modified", slots), (uint32_t)-300);
	assert_int_equal(run_alone(obj, "judged", slots), (uint32_t)-13);
	slots[1] = 1;
	assert_int_equal(tenon_hook_fire(&h.lsm, slots), 0);
	bss = map_of(obj, ".bss");
	assert_non_null(bss);
	assert_ok(tenon_map_lookup_elem(bss, &key, sizeof(key), got, sizeof(got), 0));
	assert_int_equal(got[0] + got[1] + got[2] + got[3], 77 + 300 + 9 + 300 + 77);
	assert_ok(tenon_object_close(obj));
	assert_ok(tenon_runtime_free(h.rt));
}

static void programs_see_arguments_and_result_interpreted(void **state)
{
	(void)state;
	check_programs(TENON_ENGINE_INTERP);
}

static void programs_see_arguments_and_result_native(void **state)
{
	(void)state;
	check_programs(TENON_ENGINE_AUTO);
}

static void bad_programs_are_refused_in_clear_words(void **state)
{
	static const char *const words[] = {
		"-4095..0",	      "0..0",	 "context", "no hook 'fentry/t_sum'",
		"cannot be replaced", "-4095..0"
	};
	struct host h;

	(void)state;
	begin(&h, TENON_ENGINE_INTERP);
	for (int i = 0; i < 6; i++) {
		char path[512];
		struct tenon_object *obj;

		snprintf(path, sizeof(path), TN_TEST_PLUGINS "func_bad_%d.bpf.o", i + 1);
		obj = tenon_object_open_file(h.rt, path, NULL);
		assert_non_null(obj);
		if (tenon_object_load(obj) == 0)
			fail_msg("%d is loaded", i + 1);
		if (!strstr(tenon_last_error()->msg, words[i]))
			fail_msg("%d: '%s' does not say '%s'", i + 1, tenon_last_error()->msg,
				 words[i]);
		assert_ok(tenon_object_close(obj));
	}
	assert_ok(tenon_runtime_free(h.rt));
}

/* Without the host: results are ints there too. */
static void description_carries_hooks_of_functions(void **state)
{
	char path[] = "/tmp/tenon-func-XXXXXX";
	int fd = mkstemp(path);
	struct tenon_object *obj;
	struct host h;

	(void)state;
	assert_true(fd >= 0);
	begin(&h, TENON_ENGINE_INTERP);
	assert_ok(tenon_runtime_describe(h.rt, path));
	assert_ok(tenon_runtime_free(h.rt));
	h.rt = new_runtime(NULL);
	assert_ok(tenon_runtime_add_description(h.rt, path));
	obj = tenon_object_open_file(h.rt, TN_TEST_PLUGINS "func.bpf.o", NULL);
	assert_non_null(obj);
	assert_ok(tenon_object_verify(obj));
	assert_ok(tenon_object_close(obj));
	assert_ok(tenon_runtime_free(h.rt));
	close(fd);
	unlink(path);
}

static void functions_that_the_host_does_not_know_are_refused(void **state)
{
	TENON_OPTS(tenon_hook_desc, none, .name = "fentry/none", .func = "none");
	TENON_OPTS(tenon_hook_desc, both, .name = "both", .func = "t_sum", .ctx_name = "conn");
	struct tenon_hook hook = { 0 };
	struct host h;

	(void)state;
	begin(&h, TENON_ENGINE_INTERP);
	assert_int_equal(tenon_hook_register(h.rt, &hook, &none), -ENOENT);
	assert_int_equal(tenon_hook_register(h.rt, &hook, &both), -EINVAL);
	assert_ok(tenon_runtime_free(h.rt));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(programs_see_arguments_and_result_interpreted),
		cmocka_unit_test(programs_see_arguments_and_result_native),
		cmocka_unit_test(bad_programs_are_refused_in_clear_words),
		cmocka_unit_test(description_carries_hooks_of_functions),
		cmocka_unit_test(functions_that_the_host_does_not_know_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
