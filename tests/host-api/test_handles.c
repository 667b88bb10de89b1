/* SPDX-License-Identifier: MIT */
/*
 * Iterators over objects of the host, on both engines, ended early at every edge and call; and
 * pointers to const, through which plugins read.
 */
#include <linux/bpf.h>
#include <unistd.h>

#include "host-api/fire.h"
#include "host-api/object.h"
#include "host.h"
#include "handles_api.h"
#include "vm/exec.h"

#define ENOUGH 1000000

static struct item items[3] = { { .id = 1 }, { .id = 2 }, { .id = 3 } };
static struct shelf shelf = { .nr = 3 };
static const struct shelf model = { .nr = 7, .best = &items[2] };

static struct item_iter *open_iters[64];
static int nr_open, nr_held, nr_made, nr_destroyed, nr_steps, stop_at = -1;
static struct item *shown;

/* ---- The functions that are lent out ---- */

int item_iter_new(struct item_iter *it, struct shelf *s)
{
	if (s->nr == 13)
		return -ESRCH;
	*it = (struct item_iter){ .shelf = s, .self = it };
	open_iters[nr_open++] = it;
	nr_made++;
	return 0;
}

struct item *item_iter_next(struct item_iter *it)
{
	assert_ptr_equal(it->self, it);
	shown = it->next < it->shelf->nr ? &items[it->next++] : NULL;
	return shown;
}

void item_iter_destroy(struct item_iter *it)
{
	int i = 0;

	assert_ptr_equal(it->self, it);
	while (i < nr_open && open_iters[i] != it)
		i++;
	assert_true(i < nr_open);
	open_iters[i] = open_iters[--nr_open];
	it->self = NULL;
	nr_destroyed++;
}

void h_step(void)
{
	if (nr_steps++ == stop_at)
		tenon_abort(1);
}

uint32_t h_id(const struct item *i)
{
	return i->id;
}

void h_touch(struct item *i)
{
	assert_ptr_equal(i, shown);
	i->hits += 10;
}

const struct shelf *h_model(void)
{
	return &model;
}

uint32_t h_nr(const struct shelf *s)
{
	return s->nr;
}

const struct shelf *h_hold(void)
{
	nr_held++;
	return &model;
}

void h_drop(const struct shelf *s)
{
	nr_held -= s == &model;
}

uint64_t h_pair(struct pair *p)
{
	return p->a + p->b;
}

uint64_t h_counter = 12;

/* ---- The host ---- */

#define LEND(fn) assert_ok(tenon_runtime_add_helper(rt, #fn, NULL, TENON_FN(fn), NULL))

static struct tenon_runtime *new_host(struct tenon_hook *hook)
{
	struct tenon_hook_desc desc = { .sz = sizeof(desc), .name = "visit", .ctx_name = "visit" };
	struct tenon_runtime *rt = new_runtime(NULL);

	assert_ok(tenon_runtime_add_btf_file(rt, TN_TEST_PLUGINS "handles_host.bpf.o", NULL));
	/* In any order. */
	LEND(item_iter_destroy);
	LEND(item_iter_new);
	LEND(item_iter_next);
	LEND(h_step);
	LEND(h_id);
	LEND(h_touch);
	LEND(h_model);
	LEND(h_nr);
	LEND(h_hold);
	LEND(h_drop);
	assert_ok(tenon_runtime_add_var(rt, "h_counter", &h_counter, sizeof(h_counter), NULL));
	assert_ok(tenon_hook_register(rt, hook, &desc));
	return rt;
}

static uint32_t run(struct tenon_program *program, uint64_t fuel, uint64_t *result)
{
	struct visit visit = { .shelf = &shelf, .model = &model };
	struct tn_run run = { .program = program,
			      .entry = program->prog->entry,
			      .ctx = &visit,
			      .ctx_size = sizeof(visit),
			      .fuel = fuel };
	struct tn_run_result res;

	nr_steps = 0;
	assert_ok(tn_run(&run, 1, &res));
	if (nr_open || nr_held)
		fail_msg("%s: %d iterators are open, %d references held", program->prog->name,
			 nr_open, nr_held);
	*result = res.ret;
	return res.abort;
}

/* Every budget that it can run out of, and every step that may end it. */
static void run_out(struct tenon_program *program, int least)
{
	uint64_t fuel = 0, r0;
	int nr = 0;

	for (; run(program, fuel, &r0) == TN_ABORT_FUEL; fuel++, nr++)
		assert_true(fuel < ENOUGH);
	for (stop_at = 0; run(program, ENOUGH, &r0) == TN_ABORT_HOST; stop_at++)
		nr++;
	stop_at = -1;
	if (nr < least)
		fail_msg("%s: ended early %d times, expected %d", program->prog->name, nr, least);
}

static const struct {
	const char *program;
	uint64_t result;
	int early;
} results[] = {
	{ "sum", 6, 3 },
	{ "pairs", 36, 20 },
	{ "frames", 3 * (3 + 14), 12 },
	{ "four", 208, 0 },
	{ "asked_again", 33, 3 },
	{ "thrown", 77, 1 },
	{ "models", 7 + 70 + 300 + 7000 + 30000, 0 },
	{ "counter", 12, 0 },
};

static void run_all(enum tenon_engine engine)
{
	struct tenon_hook hook = { 0 };
	struct tenon_runtime *rt = new_host(&hook);
	struct tenon_object_open_opts opts = { .sz = sizeof(opts), .engine = engine };
	struct tenon_object *obj = tenon_object_open_file(rt, TN_TEST_PLUGINS "handles.bpf.o",
							  &opts);

	if (!obj || tenon_object_load(obj))
		fail_msg("load: %s", tenon_last_error()->msg);
	for (size_t i = 0; i < sizeof(results) / sizeof(results[0]); i++) {
		struct tenon_program *program = tenon_object_find_program(obj, results[i].program);
		uint64_t r0;

		items[0].hits = nr_made = nr_destroyed = 0;
		assert_int_equal(run(program, ENOUGH, &r0), TN_ABORT_NONE);
		if (r0 != results[i].result)
			fail_msg("%s: %llu, expected %llu", results[i].program,
				 (unsigned long long)r0, (unsigned long long)results[i].result);
		assert_int_equal(nr_made, nr_destroyed);
		if (!strcmp(results[i].program, "sum"))
			assert_int_equal(items[0].hits, 11);
		run_out(program, results[i].early);
	}
	assert_int_equal(shelf.marks, 5);
	assert_ok(tenon_object_close(obj));
	assert_ok(tenon_runtime_free(rt));
}

static void iterators_end_with_their_program(void **state)
{
	(void)state;
	run_all(TENON_ENGINE_INTERP);
	run_all(TENON_ENGINE_AUTO);
}

static void iterator_that_is_not_made_has_no_elements(void **state)
{
	struct tenon_hook hook = { 0 };
	struct tenon_runtime *rt = new_host(&hook);
	struct tenon_object *obj = tenon_object_open_file(rt, TN_TEST_PLUGINS "handles.bpf.o",
							  NULL);
	uint64_t r0;

	(void)state;
	assert_ok(tenon_object_load(obj));
	shelf.nr = 13;
	nr_made = nr_destroyed = 0;
	assert_int_equal(run(tenon_object_find_program(obj, "sum"), ENOUGH, &r0), TN_ABORT_NONE);
	assert_int_equal(r0, 0);
	assert_int_equal(run(tenon_object_find_program(obj, "four"), ENOUGH, &r0), TN_ABORT_NONE);
	assert_int_equal(r0, 0);
	assert_int_equal(nr_made + nr_destroyed, 0);
	shelf.nr = 3;
	assert_ok(tenon_object_close(obj));
	assert_ok(tenon_runtime_free(rt));
}

/* ---- Contexts and variables are what the header says ---- */

struct couple {
	uint32_t a;
	uint64_t b;
};

struct turned {
	uint64_t b;
	uint32_t a;
};

static const struct tenon_field couple_fields[] = { TENON_SCALAR(struct couple, a, TENON_R),
						    TENON_SCALAR(struct couple, b, TENON_R) };
static const struct tenon_field turned_fields[] = { TENON_SCALAR(struct turned, a, TENON_R),
						    TENON_SCALAR(struct turned, b, TENON_R) };

static const struct {
	const char *name;
	const struct tenon_field *fields;
	size_t nr;
	const char *words; /* NULL: accepted */
} contexts[] = {
	{ "pair", couple_fields, 2, NULL },
	{ "pair", couple_fields, 1, NULL },
	{ "couple", couple_fields, 2, "this hook's is 'couple' of 16" },
	{ "couple", couple_fields, 1, "this hook's is 'couple' of 16" },
	{ "couple", NULL, 0, "this hook's is 'couple' of 16" },
	{ "turned", turned_fields, 2, "this hook's is 'turned' of 16" },
	{ "pair", turned_fields, 2, "this hook's is 'pair' of 16, whose members are others" },
};

static void context_serves_if_its_members_are_the_same(void **state)
{
	struct tenon_helper_opts opts = { .sz = sizeof(opts), .id = 100000 };

	(void)state;
	for (size_t i = 0; i < sizeof(contexts) / sizeof(contexts[0]); i++) {
		struct tenon_ctx_type type = { .sz = sizeof(type),
					       .name = contexts[i].name,
					       .size = sizeof(struct couple),
					       .fields = contexts[i].fields,
					       .nr_fields = contexts[i].nr,
					       .field_size = sizeof(struct tenon_field) };
		struct tenon_hook_desc desc = { .sz = sizeof(desc), .name = "pair", .ctx = &type };
		struct tenon_hook visit = { 0 }, hook = { 0 };
		struct tenon_runtime *rt = new_host(&visit);
		struct tenon_object *obj;
		int rc;

		assert_ok(tenon_runtime_add_helper(rt, "h_pair", NULL, TENON_FN(h_pair), &opts));
		assert_ok(tenon_hook_register(rt, &hook, &desc));
		obj = open_text(rt, "pair", 0, NULL, 0, "call 100000\nexit\n", NULL);
		assert_non_null(obj);
		rc = tenon_object_load(obj);
		if (rc != (contexts[i].words ? -EACCES : 0))
			fail_msg("context %zu: %d: %s", i, rc, tenon_last_error()->msg);
		if (contexts[i].words)
			assert_words(contexts[i].words);
		assert_ok(tenon_object_close(obj));
		assert_ok(tenon_runtime_free(rt));
	}
}

static void variable_of_another_type_is_refused_with_both(void **state)
{
	struct tenon_hook hook = { 0 };
	struct tenon_runtime *rt = new_host(&hook);
	struct tenon_object *obj = tenon_object_open_file(rt, TN_TEST_PLUGINS "handles_var.bpf.o",
							  NULL);

	(void)state;
	assert_non_null(obj);
	assert_int_equal(tenon_object_load(obj), -EPROTO);
	assert_words("'const u32 h_counter[2]', the host has 'uint64_t h_counter'");
	assert_ok(tenon_object_close(obj));
	assert_ok(tenon_runtime_free(rt));
}

/* ---- What is refused ---- */

static const struct {
	const char *program, *code, *words;
} rejected[] = {
	{ "kept_too_long", "E_UNINIT", "" },
	{ "kept_after_the_end", "E_UNINIT", "" },
	{ "left_open", "E_REFERENCE", "what item_iter_new gave at line" },
	{ "never_made", "E_ARG", "argument 1 of item_iter_next must be an iterator of type" },
	{ "looked_into", "E_STACK", "" },
	{ "write_model", "E_READONLY", "a read-only handle of type shelf" },
	{ "write_result", "E_READONLY", "a read-only handle of type shelf" },
	{ "walk_model", "E_ARG",
	  "argument 2 of item_iter_new must be a handle of type shelf, which may be written "
	  "through, r2 is a read-only handle of type shelf" },
	{ "touch_best", "E_ARG", "r1 is a read-only handle of type item" },
};

static void check_rejected(struct tenon_runtime *rt)
{
	struct tenon_object *obj = tenon_object_open_file(rt, TN_TEST_PLUGINS "handles_bad.bpf.o",
							  NULL);

	assert_non_null(obj);
	assert_int_not_equal(tenon_object_verify(obj), 0);
	for (size_t i = 0; i < sizeof(rejected) / sizeof(rejected[0]); i++) {
		struct tenon_program *prog = tenon_object_find_program(obj, rejected[i].program);
		struct tenon_report report = { .sz = sizeof(report) };

		assert_non_null(prog);
		assert_ok(tenon_program_report(prog, &report));
		if (!report.code || !strstr(report.msg, rejected[i].words) ||
		    strcmp(report.code_name, rejected[i].code) != 0)
			fail_msg("%s: %s: %s", rejected[i].program, report.code_name, report.msg);
	}
	assert_ok(tenon_object_close(obj));
}

static void plugins_are_held_to_iterators_and_const(void **state)
{
	struct tenon_hook hook = { 0 };
	struct tenon_runtime *rt = new_host(&hook);

	(void)state;
	check_rejected(rt);
	assert_ok(tenon_runtime_free(rt));
}

/* A description, of types and of text, is judged by like the host. */
static void description_carries_iterators_and_const(void **state)
{
	char path[] = "/tmp/tenon-handles-XXXXXX";
	int fd = mkstemp(path);
	struct tenon_hook hook = { 0 };
	struct tenon_runtime *rt = new_host(&hook);
	struct tenon_object *obj;

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	assert_ok(tenon_runtime_add_helper(rt, "x_new", "i32(newiter:x_iter:16, const handle:x)",
					   TENON_FN(h_step), NULL));
	assert_ok(tenon_runtime_add_helper(rt, "x_next", "?const handle:x(iter:x_iter:16)",
					   TENON_FN(h_step), NULL));
	assert_ok(tenon_runtime_add_helper(rt, "x_end", "void(enditer:x_iter:16)", TENON_FN(h_step),
					   NULL));
	for (int i = 0; i < 2; i++) {
		assert_ok(tenon_runtime_describe(rt, path));
		assert_ok(tenon_runtime_free(rt));
		rt = new_runtime(NULL);
		assert_ok(tenon_runtime_add_description(rt, path));
	}
	obj = tenon_object_open_file(rt, TN_TEST_PLUGINS "handles.bpf.o", NULL);
	assert_non_null(obj);
	assert_ok(tenon_object_verify(obj));
	assert_ok(tenon_object_close(obj));
	check_rejected(rt);
	assert_ok(tenon_runtime_free(rt));
	unlink(path);
}

static const struct {
	const char *name, *sig, *words;
} refused[] = {
	{ "h_odd", NULL, "a structure of 8 to 64 bytes" },
	{ "h_big", NULL, "a structure of 8 to 64 bytes" },
	{ "h_new_void", NULL, "returns int" },
	{ "h_endless", NULL, "NULL at the end" },
	{ "h_number", NULL, "NULL at the end" },
	{ "h_two", NULL, "the iterator is its only argument" },
	{ "h_again", NULL, "are destroyed by 'item_iter_destroy'" },
	{ "h_result", NULL, "returns nothing" },
	{ "h_none", NULL, "its first argument is no iterator" },
	{ "h_flags", NULL, "it has no flags" },
	{ "t", "i32(newiter:num:8)", "the library's own" },
	{ "t", "i32(newiter:x:12)", "a multiple of 8" },
	{ "t", "i32(newiter:x:72)", "up to 64" },
	{ "t", "i32(newiter:x)", "the iterator's bytes" },
	{ "t", "i32(u32, newiter:x:8)", "the first argument" },
	{ "t", "i32(newiter:x:8, release:y)", "releases nothing else" },
	{ "t", "i32(newiter:item_iter:16)", "has 16 bytes here, and 24" },
	{ "t", "?acquire:y(iter:x:8)", "neither acquired" },
	{ "t", "const u32(u32)", "goes with handle:NAME" },
	{ "t", "void(const u32)", "goes with handle:NAME" },
	{ "t", "void(?release:x)", "goes with handle:NAME" },
};

static void iterators_that_cannot_be_expressed_are_refused(void **state)
{
	struct tenon_hook hook = { 0 };
	struct tenon_runtime *rt = new_host(&hook);

	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		if (!tenon_runtime_add_helper(rt, refused[i].name, refused[i].sig, TENON_FN(h_step),
					      NULL))
			fail_msg("%s: taken", refused[i].sig ? refused[i].sig : refused[i].name);
		assert_words(refused[i].words);
	}
	assert_ok(tenon_runtime_free(rt));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(iterators_end_with_their_program),
		cmocka_unit_test(iterator_that_is_not_made_has_no_elements),
		cmocka_unit_test(context_serves_if_its_members_are_the_same),
		cmocka_unit_test(variable_of_another_type_is_refused_with_both),
		cmocka_unit_test(plugins_are_held_to_iterators_and_const),
		cmocka_unit_test(description_carries_iterators_and_const),
		cmocka_unit_test(iterators_that_cannot_be_expressed_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
