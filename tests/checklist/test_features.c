/* SPDX-License-Identifier: MIT */
/* One object that uses every feature of the loader, as each compiler writes it. */
#include "checklist/features_api.h"
#include "checklist/host.h"

#include <dirent.h>

#define CONFIG                                                                               \
	"# the host's configuration\n\nCONFIG_FEATURE=y\nCONFIG_MODULE=m\nCONFIG_LETTER=n\n" \
	"CONFIG_MINUS=-5\nCONFIG_BIG=0x123456789ab\nCONFIG_NAME=\"hello\"\n"

/* Bits of `done`, see features.bpf.c. */
#define ALL_DONE                                                                              \
	(0x3full | 0x1full << 8 | 0x3full << 16 | 0x3full << 24 | 0xfull << 32 | 7ull << 40 | \
	 0x3full << 48)
/* Where the compiler has address spaces. */
#define ARENA_DONE (1ull << 54)

static int find_global(struct tenon_object *obj, const char *section, int32_t value)
{
	size_t size = 0;
	const int32_t *data = tenon_map_initial_value(globals(obj, section), &size);

	for (size_t i = 0; data && i < size / 4; i++)
		if (data[i] == value)
			return (int)i;
	fail_msg("no %d in %s", value, section);
	return -1;
}

static void set_global(struct tenon_object *obj, const char *section, int at, int32_t value)
{
	size_t size = 0;
	struct tenon_map *map = globals(obj, section);
	const void *data = tenon_map_initial_value(map, &size);
	int32_t *copy = malloc(size);

	assert_non_null(copy);
	memcpy(copy, data, size);
	copy[at] = value;
	assert_ok(tenon_map_set_initial_value(map, copy, size));
	free(copy);
}

/* `done` is the only u64 of .bss. */
static uint64_t done_of(struct tenon_object *obj)
{
	size_t size;
	const uint64_t *data = tenon_map_data(globals(obj, ".bss"), &size);

	for (size_t i = 0; i < size / 8; i++)
		if (data[i] > UINT32_MAX)
			return data[i];
	fail_msg("nothing was done");
	return 0;
}

static void check_sizes(struct tenon_object *obj)
{
	struct tenon_map_info info = { .sz = sizeof(info) };

	assert_ok(tenon_map_info(map_of(obj, "ring"), &info));
	assert_int_equal(info.max_entries % (uint32_t)sysconf(_SC_PAGESIZE), 0);
	assert_ok(tenon_map_info(map_of(obj, "events"), &info));
	assert_int_not_equal(info.id, 0);
	assert_int_equal(info.max_entries, 64);
}

static void call_ops(void)
{
	struct meter m = { .step = 3, .level = 17, .kind = 5, .total = 100 };
	const struct meter_ops *ops = tenon_struct_ops_get(rt, "meter_ops");

	assert_non_null(ops);
	assert_int_equal(ops->version, 7);
	assert_string_equal(ops->name, "older");
	assert_null(ops->reset);
	assert_int_equal(ops->advance(&m, 2), 100 + 2 * 3 + 17);
	assert_int_equal(m.total, 123);
	tenon_struct_ops_put(ops);
}

static void run_all(struct tenon_object *obj, uint64_t expected)
{
	struct call ctx = { .number = 5 };
	char frame[64] = { 0 };
	struct tenon_test_run_opts opts = { .sz = sizeof(opts),
					    .data_in = frame,
					    .data_in_size = sizeof(frame) };

	tenon_hook_fire(&hook, &ctx);
	assert_ok(tenon_program_test_run(tenon_object_find_program(obj, "packet"), &opts));
	assert_int_equal(opts.retval, 2);
	if (done_of(obj) != expected)
		fail_msg("done is %llx, expected %llx", (unsigned long long)done_of(obj),
			 (unsigned long long)expected);
	assert_int_equal(host_counter, 2);
	call_ops();
}

static void use_object(const char *path, enum tenon_engine engine)
{
	TENON_OPTS(tenon_object_open_opts, opts, .name = "features", .config = CONFIG,
		   .pin_root_path = "/pins", .engine = engine);
	struct tenon_object *obj = open_path(path, &opts);
	struct tenon_map *pinned;
	uint32_t zero = 0;
	uint64_t value;

	if (!obj)
		fail_msg("%s: %s", path, tenon_last_error()->msg);
	set_global(obj, ".data", find_global(obj, ".data", 1), 11);
	/* constant_of_host is the 0 of .rodata. */
	set_global(obj, ".rodata", find_global(obj, ".rodata", 0), 200);
	if (tenon_object_load(obj))
		fail_msg("%s: %s", path, tenon_last_error()->msg);
	assert_ok(tenon_object_attach(obj));
	check_sizes(obj);
	run_all(obj, ALL_DONE | (tenon_object_find_map(obj, "arena") ? ARENA_DONE : 0));
	assert_ok(tenon_object_close(obj));
	pinned = tenon_map_get_pinned(rt, "/pins/pinned");
	assert_non_null(pinned);
	assert_ok(tenon_map_lookup_elem(pinned, &zero, 4, &value, 8, 0));
	assert_int_equal(value, 1);
	tenon_map_free(pinned);
	assert_ok(tenon_map_unpin(rt, "/pins/pinned"));
	host_counter = 0;
}

static void add_types(void)
{
	const struct tenon_struct_ops desc = { .sz = sizeof(desc),
					       .name = "meter_ops",
					       .size = sizeof(struct meter_ops) };

	assert_ok(tenon_runtime_add_btf_file(rt, TN_TEST_OBJECTS "/features_types.bpf.o", NULL));
	assert_ok(tenon_runtime_add_struct_ops(rt, &desc));
}

static void object_with_every_feature_runs(void **state)
{
	const struct tenon_section_handler handler = { .sz = sizeof(handler),
						       .section = "my_hook+",
						       .hook = "call" };
	DIR *dir = opendir(TN_TEST_OBJECTS);
	struct dirent *entry;
	int nr = 0;

	(void)state;
	assert_non_null(dir);
	assert_true(tenon_runtime_add_section(rt, &handler) > 0);
	add_types();
	while ((entry = readdir(dir))) {
		char path[4096];
		size_t len = strlen(entry->d_name);

		if (strncmp(entry->d_name, "features.", 9) != 0 || len < 6 ||
		    strcmp(entry->d_name + len - 6, ".bpf.o") != 0)
			continue;
		snprintf(path, sizeof(path), "%s/%s", TN_TEST_OBJECTS, entry->d_name);
		use_object(path, TENON_ENGINE_JIT);
		use_object(path, TENON_ENGINE_INTERP);
		nr++;
	}
	closedir(dir);
	assert_true(nr > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(object_with_every_feature_runs, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
