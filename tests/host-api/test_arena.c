/* SPDX-License-Identifier: MIT */
/* Arenas and functions that are given pointers into them, compiled by clang, on both engines. */
#include "host.h"
#include "request.h"

static struct tenon_runtime *rt;
static struct tenon_hook hook;

static const struct tenon_field fields[] = {
	TENON_SCALAR(struct request, kind, TENON_R),
	TENON_SCALAR(struct request, verdict, TENON_RW),
};
static const struct tenon_ctx_type type = TENON_CTX_TYPE(request, fields);

static struct tenon_object *open_one(const char *program, enum tenon_engine engine)
{
	struct tenon_object_open_opts opts = { .sz = sizeof(opts), .engine = engine };
	struct tenon_hook_desc desc = {
		.sz = sizeof(desc), .name = program, .ctx = &type, .chain = TENON_CHAIN_LAST
	};
	struct tenon_program *prog = NULL;
	struct tenon_object *obj;

	rt = new_runtime(NULL);
	memset(&hook, 0, sizeof(hook));
	assert_ok(tenon_hook_register(rt, &hook, &desc));
	obj = tenon_object_open_file(rt, TN_TEST_PLUGINS "arena.bpf.o", &opts);
	if (!obj)
		fail_msg("%s", tenon_last_error()->msg);
	while ((prog = tenon_object_next_program(obj, prog)))
		assert_ok(tenon_program_set_autoload(prog,
						     !strcmp(tenon_program_name(prog), program)));
	return obj;
}

static void close_one(struct tenon_object *obj)
{
	assert_ok(tenon_object_close(obj));
	assert_ok(tenon_runtime_free(rt));
}

static void pointer_into_the_arena_is_an_argument(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct tenon_object *obj = open_one("in_arena", engine_at(i));
		struct request req = { .kind = 7 };

		assert_ok(tenon_object_load(obj));
		assert_ok(tenon_object_attach(obj));
		assert_int_equal(tenon_hook_fire(&hook, &req), 42);
		close_one(obj);
	}
}

static void pointer_to_the_stack_is_no_arena_argument(void **state)
{
	struct tenon_object *obj = open_one("stack_in_arena", TENON_ENGINE_AUTO);

	(void)state;
	if (tenon_object_find_program(obj, "stack_in_arena")) {
		assert_int_equal(tenon_object_load(obj), -EACCES);
		assert_words("an address of the arena");
	}
	close_one(obj);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pointer_into_the_arena_is_an_argument),
		cmocka_unit_test(pointer_to_the_stack_is_no_arena_argument),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
