/* SPDX-License-Identifier: MIT */
/* Plugins on shared maps: over fork, over the end of the process, read by others. */
#include "host-api/host.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct flow {
	uint32_t addr;
	uint16_t port;
};
struct count {
	uint64_t packets;
	int32_t last, color;
	char name[8];
	uint8_t bits;
};

static char dir[64];

static struct tenon_object *load(struct tenon_runtime *rt, const char *root,
				 enum tenon_engine engine)
{
	struct tenon_object_open_opts opts = { .sz = sizeof(opts),
					       .engine = engine,
					       .pin_root_path = root };
	struct tenon_object *obj = tenon_object_open_file(rt, TN_TEST_PLUGINS "map_shared.bpf.o",
							  &opts);

	if (!obj)
		fail_msg("%s", tenon_last_error()->msg);
	if (root) {
		char path[128];

		snprintf(path, sizeof(path), "%s/flows", root);
		assert_ok(tenon_map_set_pin_path(tenon_object_find_map(obj, "flows"), path));
		snprintf(path, sizeof(path), "%s/runs", root);
		assert_ok(tenon_map_set_pin_path(tenon_object_find_map(obj, "runs"), path));
	}
	return obj;
}

static void run(struct tenon_object *obj, uint32_t times)
{
	unsigned char frame[64] = { 0 };
	struct tenon_test_run_opts opts = {
		.sz = sizeof(opts), .data_in = frame, .data_in_size = sizeof(frame), .repeat = times
	};

	if (tenon_program_test_run(tenon_object_find_program(obj, "count"), &opts))
		fail_msg("%s", tenon_last_error()->msg);
}

static uint64_t packets(const struct tenon_map *map)
{
	struct flow key = { .addr = 0x7f000001, .port = 80 };
	struct count c = { 0 };

	if (tenon_map_lookup_elem(map, &key, sizeof(key), &c, sizeof(c), 0))
		return 0;
	return c.packets;
}

static uint64_t all_runs(const struct tenon_map *map)
{
	struct tenon_map_info info = { .sz = sizeof(info) };
	uint64_t *values, sum = 0;
	uint32_t key = 1;

	tenon_map_info(map, &info);
	values = malloc(info.host_value_size);
	assert_ok(tenon_map_lookup_elem(map, &key, 4, values, info.host_value_size, 0));
	for (size_t i = 0; i < info.host_value_size / 8; i++)
		sum += values[i];
	free(values);
	return sum;
}

struct lines {
	char text[4096];
};

static int add_line(void *user, const char *line)
{
	struct lines *l = user;

	strncat(l->text, line, sizeof(l->text) - strlen(l->text) - 2);
	strcat(l->text, "\n");
	return 0;
}

static void forked_workers_count_together(void **state)
{
	static const enum tenon_engine engines[] = { TENON_ENGINE_AUTO, TENON_ENGINE_INTERP };

	(void)state;
	for (size_t e = 0; e < 2; e++) {
		struct tenon_runtime *rt = new_runtime(NULL);
		struct tenon_object *obj = load(rt, NULL, engines[e]);
		pid_t pids[4];

		assert_ok(tenon_object_load(obj));
		run(obj, 10);
		for (int i = 0; i < 4; i++) {
			pids[i] = fork();
			if (!pids[i]) {
				run(obj, 1000);
				_exit(0);
			}
		}
		for (int i = 0; i < 4; i++) {
			int status;

			assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
			assert_int_equal(status, 0);
		}
		run(obj, 10);
		assert_int_equal(packets(tenon_object_find_map(obj, "flows")), 4020);
		assert_int_equal(all_runs(tenon_object_find_map(obj, "runs")), 4020);
		assert_ok(tenon_object_close(obj));
		assert_ok(tenon_runtime_free(rt));
	}
}

static void pinned_file_is_found_by_the_next_process(void **state)
{
	char path[128];

	(void)state;
	snprintf(path, sizeof(path), "%s/flows", dir);
	for (int round = 1; round <= 3; round++) {
		struct tenon_runtime *rt = new_runtime(NULL);
		struct tenon_object *obj = load(rt, dir, TENON_ENGINE_AUTO);
		struct tenon_map *again;
		struct lines text = { "" };
		struct stat st;

		assert_ok(tenon_object_load(obj));
		run(obj, 100);
		assert_int_equal(packets(tenon_object_find_map(obj, "flows")), 100 * round);
		assert_int_equal(all_runs(tenon_object_find_map(obj, "runs")), 100 * round);
		assert_ok(stat(path, &st));
		assert_int_equal(st.st_mode & 07777, 0600);
		assert_ok(tenon_object_close(obj));
		again = tenon_map_get_pinned(rt, path);
		assert_non_null(again);
		assert_int_equal(packets(again), 100 * round);
		assert_ok(tenon_map_dump(again, false, add_line, &text));
		assert_non_null(strstr(text.text, ".name = \"web\""));
		tenon_map_free(again);
		if (round == 3) {
			assert_ok(tenon_map_unpin(rt, path));
			assert_int_equal(access(path, F_OK), -1);
			snprintf(path, sizeof(path), "%s/runs", dir);
			assert_ok(tenon_map_unpin(rt, path));
		}
		assert_ok(tenon_runtime_free(rt));
	}
}

static void other_shapes_and_modes_are_refused(void **state)
{
	struct tenon_runtime *rt = new_runtime(NULL), *other;
	struct tenon_object *obj = load(rt, dir, TENON_ENGINE_AUTO);
	char path[128];

	(void)state;
	assert_ok(tenon_object_load(obj));
	other = new_runtime(NULL);
	snprintf(path, sizeof(path), "%s/flows", dir);
	{
		struct tenon_object *wrong = load(other, dir, TENON_ENGINE_AUTO);

		assert_ok(tenon_map_set_max_entries(tenon_object_find_map(wrong, "flows"), 65));
		assert_int_equal(tenon_object_load(wrong), -EINVAL);
		assert_non_null(strstr(tenon_last_error()->msg, "max_entries 64, the plugin's 65"));
		tenon_object_close(wrong);
		assert_ok(chmod(path, 0644));
		wrong = load(other, dir, TENON_ENGINE_AUTO);
		assert_int_equal(tenon_object_load(wrong), -EACCES);
		assert_non_null(strstr(tenon_last_error()->msg, "has mode 0644, expected 0600"));
		tenon_object_close(wrong);
	}
	assert_ok(tenon_map_unpin(rt, path));
	snprintf(path, sizeof(path), "%s/runs", dir);
	assert_ok(tenon_map_unpin(rt, path));
	assert_ok(chmod(dir, 0755));
	{
		struct tenon_object *wrong = load(other, dir, TENON_ENGINE_AUTO);

		assert_int_equal(tenon_object_load(wrong), -EACCES);
		assert_non_null(strstr(tenon_last_error()->msg, "has mode 0755, expected 0700"));
		tenon_object_close(wrong);
	}
	assert_ok(chmod(dir, 0700));
	assert_int_equal(tenon_map_fd(tenon_object_find_map(obj, "flows")) < 0, 0);
	assert_ok(tenon_object_close(obj));
	assert_ok(tenon_runtime_free(rt));
	assert_ok(tenon_runtime_free(other));
}

/* Programs would find it in there. */
static void no_inner_map(struct tenon_runtime *rt, struct tenon_map *reader)
{
	struct tenon_map *shape = tenon_map_new(rt, 1, "shape", sizeof(struct flow),
						sizeof(struct count), 64, NULL);
	struct tenon_map_opts opts = { .sz = sizeof(opts), .inner = shape };
	struct tenon_map *outer = tenon_map_new(rt, 12, "outer", 4, 4, 2, &opts);
	uint32_t key = 0, id = tenon_map_id(reader);

	assert_non_null(outer);
	assert_int_equal(tenon_map_update_elem(outer, &key, 4, &id, 4, 0), -EINVAL);
	id = tenon_map_id(shape);
	assert_ok(tenon_map_update_elem(outer, &key, 4, &id, 4, 0));
	tenon_map_free(outer);
	tenon_map_free(shape);
}

static void next_version_goes_on_with_the_maps(void **state)
{
	struct tenon_runtime *rt = new_runtime(NULL);
	struct tenon_object *one = load(rt, NULL, TENON_ENGINE_AUTO), *two;
	struct tenon_object_open_opts opts = { .sz = sizeof(opts), .reuse_maps = one };

	(void)state;
	assert_ok(tenon_object_load(one));
	run(one, 5);
	two = tenon_object_open_file(rt, TN_TEST_PLUGINS "map_shared.bpf.o", &opts);
	assert_non_null(two);
	assert_ok(tenon_object_load(two));
	run(two, 5);
	assert_int_equal(packets(tenon_object_find_map(two, "flows")), 10);
	assert_ok(tenon_object_close(two));
	assert_ok(tenon_object_close(one));
	assert_ok(tenon_runtime_free(rt));
}

/* One element is the line that it has among all. */
static void dump_one(struct tenon_map *map, const char *expected)
{
	struct lines text = { "" };
	unsigned char key[64];
	struct tenon_map_info info = { .sz = sizeof(info) };

	assert_ok(tenon_map_info(map, &info));
	assert_ok(tenon_map_get_next_key(map, NULL, key, info.key_size));
	assert_ok(tenon_map_dump_elem(map, key, info.key_size, false, add_line, &text));
	assert_string_equal(text.text, expected);
	assert_int_equal(tenon_map_dump_elem(map, key, 1, false, add_line, &text), -EINVAL);
	assert_int_equal(tenon_map_dump_elem(map, NULL, info.key_size, false, add_line, &text),
			 -EINVAL);
	assert_int_equal(tenon_map_dump_elem(NULL, key, 1, false, add_line, &text), -EINVAL);
	memset(key, 0xee, sizeof(key));
	assert_int_equal(tenon_map_dump_elem(map, key, info.key_size, false, add_line, &text),
			 -ENOENT);
	assert_string_equal(text.text, expected);
}

static void others_read_with_the_names_of_c(void **state)
{
	struct tenon_runtime *rt = new_runtime(NULL), *other = new_runtime(NULL);
	struct tenon_object *obj = load(rt, NULL, TENON_ENGINE_AUTO), *mine;
	struct tenon_map *reader, *copy;
	struct lines text = { "" }, json = { "" };
	char path[64];
	int fd;

	(void)state;
	assert_ok(tenon_object_load(obj));
	run(obj, 3);
	fd = tenon_map_fd(tenon_object_find_map(obj, "flows"));
	reader = tenon_map_open_fd(other, fd);
	assert_non_null(reader);
	assert_int_equal(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
	assert_int_equal(packets(reader), 3);
	run(obj, 1);
	assert_int_equal(packets(reader), 4);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	copy = tenon_map_copy_file(other, path);
	assert_non_null(copy);
	run(obj, 1);
	assert_int_equal(packets(copy), 4);
	assert_ok(tenon_map_dump(copy, false, add_line, &text));
	assert_string_equal(
		text.text, "key: { .addr = 2130706433, .port = 80 }  value: { .packets = 4, "
			   ".last = -2, .color = GREEN, .name = \"web\", .bits = 5, .rest = 0 }\n");
	assert_ok(tenon_map_dump(copy, true, add_line, &json));
	assert_string_equal(
		json.text, "[\n{\"key\":{\"addr\":2130706433,\"port\":80},\"value\":{\"packets\":4,"
			   "\"last\":-2,\"color\":\"GREEN\",\"name\":\"web\",\"bits\":5,"
			   "\"rest\":0}}\n]\n");
	dump_one(copy, text.text);
	assert_int_equal(tenon_map_dump(reader, false, add_line, &text), -EPERM);
	assert_int_equal(tenon_map_freeze(reader), -EPERM);
	mine = load(other, NULL, TENON_ENGINE_AUTO);
	assert_int_equal(tenon_map_reuse(tenon_object_find_map(mine, "flows"), reader), -EACCES);
	assert_ok(tenon_object_close(mine));
	no_inner_map(other, reader);
	tenon_map_free(reader);
	tenon_map_free(copy);
	assert_null(tenon_map_copy_file(other, "/etc/passwd"));
	assert_non_null(strstr(tenon_last_error()->msg, "no map of Tenon"));
	assert_ok(tenon_object_close(obj));
	assert_ok(tenon_runtime_free(rt));
	assert_ok(tenon_runtime_free(other));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(forked_workers_count_together),
		cmocka_unit_test(pinned_file_is_found_by_the_next_process),
		cmocka_unit_test(other_shapes_and_modes_are_refused),
		cmocka_unit_test(next_version_goes_on_with_the_maps),
		cmocka_unit_test(others_read_with_the_names_of_c),
	};
	int rc;

	snprintf(dir, sizeof(dir), "/tmp/tenon-pin-XXXXXX");
	if (!mkdtemp(dir))
		return 1;
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	rmdir(dir);
	return rc;
}
