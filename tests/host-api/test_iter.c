/* SPDX-License-Identifier: MIT */
/* Iterators over maps and over objects of the host. */
#include <linux/bpf.h>
#include <pthread.h>

#include "host.h"

struct conn {
	uint32_t id, bytes;
};

static struct tenon_runtime *rt;
static struct tenon_hook maps, conns;
static struct conn table[3] = { { 7, 70 }, { 8, 80 }, { 9, 90 } };
static char text[4096];

static void declare(void)
{
	static const struct tenon_field fields[] = {
		TENON_SCALAR(struct conn, id, TENON_R),
		TENON_SCALAR(struct conn, bytes, TENON_R),
	};
	const struct tenon_struct_type conn = { .sz = sizeof(conn),
						.name = "conn",
						.size = sizeof(struct conn),
						.fields = fields,
						.nr_fields = 2,
						.field_size = sizeof(fields[0]) };
	const struct tenon_iter_desc of_maps = { .sz = sizeof(of_maps),
						 .key_size = 4,
						 .value_size = 8 };
	const struct tenon_iter_desc of_conns = { .sz = sizeof(of_conns),
						  .name = "iter/conn",
						  .type = "conn" };

	assert_ok(tenon_runtime_add_struct(rt, &conn));
	assert_ok(tenon_iter_register(rt, &maps, &of_maps));
	assert_ok(tenon_iter_register(rt, &conns, &of_conns));
}

static struct tenon_object *begin(enum tenon_engine engine)
{
	TENON_OPTS(tenon_runtime_opts, opts, .engine = engine);
	struct tenon_object *obj;

	rt = tenon_runtime_new(&opts);
	assert_non_null(rt);
	memset(&maps, 0, sizeof(maps));
	memset(&conns, 0, sizeof(conns));
	declare();
	obj = tenon_object_open_file(rt, TN_TEST_PLUGINS "iter.bpf.o", NULL);
	if (!obj || tenon_object_load(obj) || tenon_object_attach(obj))
		fail_msg("%s", tenon_last_error()->msg);
	text[0] = 0;
	return obj;
}

static void end(struct tenon_object *obj)
{
	assert_ok(tenon_object_close(obj));
	assert_ok(tenon_runtime_free(rt));
}

static int write_text(void *user, const void *data, size_t size)
{
	size_t used = strlen(text);

	(void)user;
	if (size >= sizeof(text) - used)
		return -EOVERFLOW;
	memcpy(text + used, data, size);
	text[used + size] = 0;
	return 0;
}

static struct tenon_map *new_map(const char *type, uint32_t key_size, uint32_t value_size)
{
	uint32_t id = !strcmp(type, "array")  ? BPF_MAP_TYPE_ARRAY
		      : !strcmp(type, "hash") ? BPF_MAP_TYPE_HASH
					      : BPF_MAP_TYPE_QUEUE;
	struct tenon_map *map = tenon_map_new(rt, id, "elements", key_size, value_size, 4, NULL);

	if (!map)
		fail_msg("%s", tenon_last_error()->msg);
	return map;
}

static void put(struct tenon_map *map, uint32_t key, uint64_t value)
{
	assert_ok(tenon_map_update_elem(map, &key, 4, &value, 8, 0));
}

static uint64_t get(struct tenon_map *map, uint32_t key)
{
	uint64_t value = 0;

	assert_ok(tenon_map_lookup_elem(map, &key, 4, &value, 8, 0));
	return value;
}

static void check_elements(enum tenon_engine engine)
{
	struct tenon_object *obj = begin(engine);
	struct tenon_map *map = new_map("array", 4, 8);
	TENON_OPTS(tenon_iter_opts, opts, .map = map, .write = write_text);

	for (uint32_t i = 0; i < 4; i++)
		put(map, i, 10 * i);
	assert_ok(tenon_iter_run(&maps, &opts));
	assert_int_equal(opts.elements, 4);
	assert_string_equal(text, "0: 0 = 0\n1: 1 = 10\n2: 2 = 20\n3: 3 = 30\nend\n");
	assert_int_equal(get(map, 3), 130);
	/* A hash map without elements: the end alone. */
	tenon_map_free(map);
	opts.map = map = new_map("hash", 4, 8);
	text[0] = 0;
	assert_ok(tenon_iter_run(&maps, &opts));
	assert_int_equal(opts.elements, 0);
	assert_string_equal(text, "end\n");
	put(map, 42, 1);
	text[0] = 0;
	assert_ok(tenon_iter_run(&maps, &opts));
	assert_string_equal(text, "0: 42 = 1\nend\n");
	assert_int_equal(get(map, 42), 101);
	tenon_map_free(map);
	end(obj);
}

static void elements_of_maps_are_shown_interpreted(void **state)
{
	(void)state;
	check_elements(TENON_ENGINE_INTERP);
}

static void elements_of_maps_are_shown_native(void **state)
{
	(void)state;
	check_elements(TENON_ENGINE_AUTO);
}

static void *next_conn(void *user, void *prev)
{
	struct conn *c = prev ? (struct conn *)prev + 1 : user;

	return c < table + 3 ? c : NULL;
}

static void objects_of_the_host_are_shown(void **state)
{
	struct tenon_object *obj = begin(TENON_ENGINE_AUTO);
	TENON_OPTS(tenon_iter_opts, opts, .next = next_conn, .user = table, .write = write_text);

	(void)state;
	assert_ok(tenon_iter_run(&conns, &opts));
	assert_int_equal(opts.elements, 3);
	assert_string_equal(text, "conn 7: 70 bytes\nconn 8: 80 bytes\nconn 9: 90 bytes\n");
	end(obj);
}

static void expect_run(struct tenon_hook *hook, struct tenon_iter_opts *opts, int err,
		       const char *words)
{
	assert_int_equal(tenon_iter_run(hook, opts), err);
	if (!strstr(tenon_last_error()->msg, words))
		fail_msg("'%s' is not in: %s", words, tenon_last_error()->msg);
}

static int refuse_after(void *user, const void *data, size_t size)
{
	int *left = user;

	(void)data;
	(void)size;
	return (*left)-- > 0 ? 0 : -ENOSPC;
}

static void full_output_ends_the_run(void **state)
{
	struct tenon_object *obj = begin(TENON_ENGINE_AUTO);
	struct tenon_map *map = new_map("array", 4, 8);
	int left = 2;
	TENON_OPTS(tenon_iter_opts, opts, .map = map, .write = refuse_after, .write_user = &left);

	(void)state;
	assert_int_equal(tenon_iter_run(&maps, &opts), -ENOSPC);
	assert_int_equal(opts.elements, 3);
	opts = (struct tenon_iter_opts){ .sz = sizeof(opts),
					 .next = next_conn,
					 .user = table,
					 .write = refuse_after,
					 .write_user = &left };
	left = 1;
	assert_int_equal(tenon_iter_run(&conns, &opts), -ENOSPC);
	assert_int_equal(opts.elements, 2);
	tenon_map_free(map);
	end(obj);
}

static void values_of_slots_are_counted_together(void **state)
{
	struct tenon_object *obj = begin(TENON_ENGINE_AUTO);
	struct tenon_map *map = tenon_map_new(rt, BPF_MAP_TYPE_PERCPU_ARRAY, "slots", 4, 8, 2,
					      NULL);
	TENON_OPTS(tenon_iter_desc, desc, .name = "iter/slots", .key_size = 4);
	TENON_OPTS(tenon_iter_opts, opts, .map = map);
	struct tenon_map_info info = { .sz = sizeof(info) };
	struct tenon_hook slots = { 0 };

	(void)state;
	assert_non_null(map);
	expect_run(&maps, &opts, -EINVAL, "was declared for 4 and 8");
	assert_ok(tenon_map_info(map, &info));
	desc.value_size = 8 * 64;
	assert_ok(tenon_iter_register(rt, &slots, &desc));
	assert_ok(tenon_iter_run(&slots, &opts));
	assert_int_equal(opts.elements, 2);
	tenon_map_free(map);
	end(obj);
}

/* The map behind ctx->map is no structure of the host's. */
static void maps_are_no_handles_of_the_hosts(void **state)
{
	static const struct tenon_field fields[] = {
		{ .name = "id", .offset = 0, .size = 4, .access = TENON_R }
	};
	const struct tenon_struct_type map = { .sz = sizeof(map),
					       .name = "bpf_map",
					       .size = 64,
					       .fields = fields,
					       .nr_fields = 1,
					       .field_size = sizeof(fields[0]) };
	struct tenon_object *obj = begin(TENON_ENGINE_AUTO), *peek;
	TENON_OPTS(tenon_object_open_opts, opts, .name = "peek");

	(void)state;
	assert_ok(tenon_runtime_add_struct(rt, &map));
	peek = tenon_object_open_file(rt, TN_TEST_PLUGINS "iter_peek.bpf.o", &opts);
	assert_non_null(peek);
	assert_int_equal(tenon_object_load(peek), -EACCES);
	if (!strstr(tenon_last_error()->msg, "bpf_map"))
		fail_msg("%s", tenon_last_error()->msg);
	assert_ok(tenon_object_close(peek));
	end(obj);
}

static void what_does_not_fit_is_refused_in_clear_words(void **state)
{
	struct tenon_object *obj = begin(TENON_ENGINE_AUTO);
	struct tenon_map *wide = new_map("array", 4, 16), *queue = new_map("queue", 0, 8),
			 *fits = new_map("hash", 4, 8);
	TENON_OPTS(tenon_iter_desc, desc, .name = "iter/other");
	TENON_OPTS(tenon_iter_opts, opts, .map = wide);
	struct tenon_hook other = { 0 };

	(void)state;
	expect_run(&maps, &opts, -EINVAL,
		   "map 'elements' has keys of 4 bytes and values of 16, the iterator "
		   "'iter/bpf_map_elem' was declared for 4 and 8");
	opts.map = queue;
	expect_run(&maps, &opts, -ENOTSUP, "cannot iterate");
	opts.map = fits;
	expect_run(&conns, &opts, -EINVAL, "does not iterate over maps");
	opts.next = next_conn;
	expect_run(&maps, &opts, -EINVAL, "expected a map, or next");
	opts.map = NULL;
	expect_run(&maps, &opts, -EINVAL, "iterates over maps");
	expect_run(&other, &opts, -EINVAL, "not registered");
	assert_int_equal(tenon_iter_register(rt, &other, &desc), -EINVAL);
	desc.type = "conn";
	desc.key_size = 4;
	assert_int_equal(tenon_iter_register(rt, &other, &desc), -EINVAL);
	desc.key_size = 0;
	desc.name = "iter/conn";
	assert_int_equal(tenon_iter_register(rt, &other, &desc), -EEXIST);
	tenon_map_free(wide);
	tenon_map_free(queue);
	tenon_map_free(fits);
	end(obj);
}

/* Programs that write values, and maps of another shape, on hooks of their own. */
static void read_only_iterators_refuse_programs_that_write(void **state)
{
	TENON_OPTS(tenon_iter_desc, desc, .name = "iter/copies", .value_size = 0, .key_size = 4,
		   .read_only = true);
	TENON_OPTS(tenon_object_open_opts, opts, .name = "again");
	struct tenon_object *obj = begin(TENON_ENGINE_AUTO), *again;
	struct tenon_hook other = { 0 };
	struct tenon_program *prog;

	(void)state;
	desc.value_size = 8;
	assert_ok(tenon_iter_register(rt, &other, &desc));
	again = tenon_object_open_file(rt, TN_TEST_PLUGINS "iter.bpf.o", &opts);
	assert_non_null(again);
	prog = tenon_object_find_program(again, "elements");
	assert_ok(tenon_program_set_hook(prog, "iter/copies"));
	assert_true(tenon_object_load(again) < 0);
	if (!strstr(tenon_last_error()->msg, "read-only"))
		fail_msg("%s", tenon_last_error()->msg);
	assert_ok(tenon_object_close(again));
	end(obj);
}

static struct tenon_map *shared;
static bool stop;

static void *churn(void *arg)
{
	(void)arg;
	for (uint32_t i = 0; !__atomic_load_n(&stop, __ATOMIC_RELAXED); i++) {
		uint32_t key = i % 4;
		uint64_t value = 1;

		if (i & 1)
			tenon_map_delete_elem(shared, &key, 4, 0);
		else
			tenon_map_update_elem(shared, &key, 4, &value, 8, 0);
	}
	return NULL;
}

static void elements_may_go_while_they_are_shown(void **state)
{
	struct tenon_object *obj = begin(TENON_ENGINE_AUTO);
	pthread_t thread;

	(void)state;
	shared = new_map("hash", 4, 8);
	stop = false;
	assert_int_equal(pthread_create(&thread, NULL, churn, NULL), 0);
	for (int i = 0; i < 2000; i++) {
		TENON_OPTS(tenon_iter_opts, opts, .map = shared);

		assert_ok(tenon_iter_run(&maps, &opts));
		assert_true(opts.elements <= 4);
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	tenon_map_free(shared);
	end(obj);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(elements_of_maps_are_shown_interpreted),
		cmocka_unit_test(elements_of_maps_are_shown_native),
		cmocka_unit_test(objects_of_the_host_are_shown),
		cmocka_unit_test(what_does_not_fit_is_refused_in_clear_words),
		cmocka_unit_test(read_only_iterators_refuse_programs_that_write),
		cmocka_unit_test(full_output_ends_the_run),
		cmocka_unit_test(values_of_slots_are_counted_together),
		cmocka_unit_test(maps_are_no_handles_of_the_hosts),
		cmocka_unit_test(elements_may_go_while_they_are_shown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
