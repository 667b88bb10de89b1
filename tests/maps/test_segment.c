/* SPDX-License-Identifier: MIT */
/* Maps that several processes see: what they share, what a killed writer leaves, hostile files. */
#include "maps/testing.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "maps/segment.h"

#define SHARED TN_MAP_F_SHARED
#define SLOTS  4u /* start_rt() */

static struct tn_map *shared_map(uint32_t type, uint32_t key, uint32_t value, uint32_t max)
{
	struct tn_map *map = try_map(type, key, value, max, SHARED);

	if (!map)
		fail_msg("%s", tn_err_last()->msg);
	return map;
}

/* Runs `fn` in a forked child and waits for it; nothing of the tests runs on there. */
static void run_in_child(void (*fn)(struct tn_map *map), struct tn_map *map)
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid) {
		fn(map);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

#define CHECK_CHILD(x)                             \
	do {                                       \
		if (!(x))                          \
			_exit(__LINE__ % 250 + 1); \
	} while (0)

/* ---- What is shared ---- */

static void write_in_child(struct tn_map *map)
{
	uint32_t key = 3;
	uint64_t values[SLOTS] = { 7, 7, 7, 7 };

	CHECK_CHILD(tn_map_host_update(map, &key, values, 0) == 0);
}

static const uint32_t types[] = { TN_MAP_HASH,	   TN_MAP_ARRAY,	TN_MAP_PERCPU_HASH,
				  TN_MAP_LRU_HASH, TN_MAP_PERCPU_ARRAY, TN_MAP_LRU_PERCPU_HASH };

static void childs_writes_are_seen(void **state)
{
	uint64_t values[SLOTS];
	uint32_t key = 3;

	(void)state;
	for (size_t i = 0; i < TN_ARRAY_SIZE(types); i++) {
		struct tn_map *map = shared_map(types[i], 4, 8, 10);
		struct tn_map *own = new_map(types[i], 4, 8, 10);

		run_in_child(write_in_child, map);
		run_in_child(write_in_child, own);
		assert_int_equal(tn_map_host_lookup(map, &key, values, 0), 0);
		assert_int_equal(values[0], 7);
		memset(values, 0, sizeof(values));
		if (!tn_map_host_lookup(own, &key, values, 0))
			assert_int_equal(values[0], 0);
		tn_map_put(map);
		tn_map_put(own);
	}
}

/* Parent and child add to a value of their own each, though both are thread 0 of their runtime. */
static void add_in_child(struct tn_map *map)
{
	uint32_t key = 1;
	uint64_t *value = map->ops->lookup(map, &key, 0);

	CHECK_CHILD(value && *value == 0);
	*value = 5;
}

static void slots_are_the_segments(void **state)
{
	uint64_t values[SLOTS], sum = 0, *value;
	uint32_t key = 1;
	struct tn_map *map = shared_map(TN_MAP_PERCPU_ARRAY, 4, 8, 2);

	(void)state;
	value = map->ops->lookup(map, &key, 0);
	*value = 9;
	run_in_child(add_in_child, map);
	/* The dead child's slot is another's, with what is in it. */
	assert_ptr_equal(map->ops->lookup(map, &key, 0), value);
	assert_int_equal(tn_map_host_lookup(map, &key, values, 0), 0);
	for (uint32_t i = 0; i < SLOTS; i++)
		sum += values[i];
	assert_int_equal(sum, 14);
	for (uint32_t slot = 1; slot < SLOTS; slot++)
		assert_non_null(map->ops->lookup(map, &key, slot));
	tn_map_put(map);
}

static void take_no_slot(struct tn_map *map)
{
	uint64_t value = 1;
	uint32_t key = 1;

	CHECK_CHILD(!map->ops->lookup(map, &key, 0));
	CHECK_CHILD(map->ops->update(map, &key, &value, 0, 0) == -ENOMEM);
}

static void no_slot_is_left(void **state)
{
	struct tn_map *map = shared_map(TN_MAP_PERCPU_ARRAY, 4, 8, 2);
	uint32_t key = 1;

	(void)state;
	for (uint32_t slot = 0; slot < SLOTS; slot++)
		assert_non_null(map->ops->lookup(map, &key, slot));
	run_in_child(take_no_slot, map);
	tn_map_put(map);
}

static void other_types_are_refused(void **state)
{
	(void)state;
	assert_null(try_map(TN_MAP_QUEUE, 0, 8, 4, SHARED));
	assert_int_equal(errno, EINVAL);
	assert_non_null(strstr(tn_err_last()->msg, "maps of type queue cannot be shared"));
}

/* Sealed: nobody who gets the descriptor writes to it or truncates it. */
static void segment_is_sealed(void **state)
{
	struct tn_map *map = shared_map(TN_MAP_ARRAY, 4, 8, 2);
	int fd = map->segment->fd;

	(void)state;
	assert_int_equal(ftruncate(fd, 0), -1);
	assert_int_equal(pwrite(fd, "x", 1, 0), -1);
	assert_ptr_equal(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
	tn_map_put(map);
}

/* ---- Found again ---- */

static struct tn_map *attach(int fd, bool writable, uint32_t type, uint32_t max)
{
	struct tn_segment_file file = { .fd = fd, .attach = true, .writable = writable };
	struct tn_map_attr attr = { .type = type,
				    .key_size = 4,
				    .value_size = 8,
				    .max_entries = max,
				    .flags = SHARED,
				    .file = &file,
				    .name = "again" };

	return tn_map_create(&test_rt, &attr);
}

static void map_is_found_again_in_a_file(void **state)
{
	FILE *f = tmpfile();
	struct tn_segment_file file = { .fd = fileno(f) };
	struct tn_map_attr attr = { .type = TN_MAP_PERCPU_HASH,
				    .key_size = 4,
				    .value_size = 8,
				    .max_entries = 100,
				    .flags = SHARED,
				    .file = &file,
				    .name = "kept" };
	uint64_t values[SLOTS] = { 1, 2, 3, 4 };
	struct tn_map *map = tn_map_create(&test_rt, &attr);

	(void)state;
	assert_non_null(map);
	for (uint32_t key = 0; key < 100; key++)
		assert_int_equal(tn_map_host_update(map, &key, values, 0), 0);
	tn_map_put(map);
	assert_int_equal(tn_epoch_drain(), 0);
	assert_null(attach(file.fd, true, TN_MAP_PERCPU_HASH, 99));
	assert_int_equal(errno, EINVAL);
	assert_non_null(strstr(tn_err_last()->msg, "max_entries 100"));
	map = attach(file.fd, true, TN_MAP_PERCPU_HASH, 100);
	if (!map)
		fail_msg("%s", tn_err_last()->msg);
	assert_hash_valid(map, NULL);
	for (uint32_t key = 0; key < 100; key++) {
		memset(values, 0, sizeof(values));
		assert_int_equal(tn_map_host_lookup(map, &key, values, 0), 0);
		assert_int_equal(values[3], 4);
	}
	tn_map_put(map);
	fclose(f);
}

static void reader_sees_what_is_written(void **state)
{
	struct tn_map *map = shared_map(TN_MAP_HASH, 4, 8, 50), *reader, *copy;
	uint64_t value = 11;
	uint32_t key = 5, next;

	(void)state;
	assert_int_equal(tn_map_host_update(map, &key, &value, 0), 0);
	reader = attach(map->segment->fd, false, TN_MAP_HASH, 50);
	if (!reader)
		fail_msg("%s", tn_err_last()->msg);
	value = 12;
	assert_int_equal(tn_map_host_update(map, &key, &value, 0), 0);
	value = 0;
	assert_int_equal(tn_map_host_lookup(reader, &key, &value, 0), 0);
	assert_int_equal(value, 12);
	assert_int_equal(tn_map_host_update(reader, &key, &value, 0), -EPERM);
	assert_int_equal(tn_map_host_delete(reader, &key, 0), -EPERM);
	copy = tn_segment_copy(&test_rt, map->segment->fd);
	if (!copy)
		fail_msg("%s", tn_err_last()->msg);
	assert_hash_valid(copy, NULL);
	assert_int_equal(tn_map_next_key(copy, NULL, &next), 0);
	assert_int_equal(next, 5);
	tn_map_put(copy);
	tn_map_put(reader);
	tn_map_put(map);
}

/* ---- Killed writers ---- */

#define ENTRIES 40u

struct killing {
	uint32_t type;
	void (*op)(struct tn_map *map);
	const char *name;
	bool may_be_absent; /* one key */
};

#define VICTIM	  7u
#define OLD_VALUE UINT64_C(0x0101010101010101)
#define NEW_VALUE UINT64_C(0x0202020202020202)

static void fill_value(uint64_t *values, uint64_t v)
{
	for (uint32_t i = 0; i < SLOTS * 3; i++)
		values[i] = v;
}

static void op_update(struct tn_map *map)
{
	uint64_t values[SLOTS * 3];
	uint32_t key = VICTIM;

	fill_value(values, NEW_VALUE);
	tn_map_host_update(map, &key, values, 0);
}

static void op_delete(struct tn_map *map)
{
	uint32_t key = VICTIM;

	tn_map_host_delete(map, &key, 0);
}

/* LRU: another one goes. */
static void op_evict(struct tn_map *map)
{
	uint64_t values[SLOTS * 3];
	uint32_t key = 1000;

	fill_value(values, OLD_VALUE);
	tn_map_host_update(map, &key, values, 0);
}

static void refill(struct tn_map *map)
{
	uint64_t values[SLOTS * 3];
	uint32_t extra = 1000;

	tn_map_host_delete(map, &extra, 0);
	fill_value(values, OLD_VALUE);
	for (uint32_t key = 0; key < ENTRIES; key++)
		assert_int_equal(tn_map_host_update(map, &key, values, 0), 0);
}

/* Run the operation in a child for `steps` instructions, then kill it. False: it was done before.
 */
static bool kill_after(const struct killing *k, struct tn_map *map, uint32_t steps)
{
	int status;
	pid_t pid = fork();
	bool done = false;

	assert_true(pid >= 0);
	if (!pid) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL))
			_exit(77);
		raise(SIGSTOP);
		k->op(map);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status))
		skip(); /* no tracing here */
	for (uint32_t i = 0; i < steps && !done; i++) {
		assert_int_equal(ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL), 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		done = !WIFSTOPPED(status);
	}
	if (!done) {
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, &status, 0), pid);
	}
	return !done;
}

/* Every value is one that was stored whole. */
static void check_left(const struct killing *k, struct tn_map *map, uint32_t step)
{
	uint64_t values[SLOTS * 3];
	uint32_t absent = 0;

	for (uint32_t key = 0; key < ENTRIES; key++) {
		uint32_t n = map->slot_stride ? SLOTS * 3 : 3;
		int rc = tn_map_host_lookup(map, &key, values, 0);

		if (rc == -ENOENT) {
			absent++;
			continue;
		}
		assert_int_equal(rc, 0);
		for (uint32_t i = 1; i < n; i++)
			if (values[i] != values[0])
				fail_msg("%s, killed after %u: value of %u is torn", k->name, step,
					 key);
		if (values[0] != OLD_VALUE && (key != VICTIM || values[0] != NEW_VALUE))
			fail_msg("%s, killed after %u: value of %u is %llx", k->name, step, key,
				 (unsigned long long)values[0]);
	}
	if (absent > k->may_be_absent)
		fail_msg("%s, killed after %u: %u keys are gone", k->name, step, absent);
}

/* Sanitizers make many instructions of one. */
#if defined(__SANITIZE_ADDRESS__)
#define STRIDE 997u
#else
#define STRIDE 127u
#endif

static void kill_everywhere(const struct killing *k, uint32_t first, uint32_t stride)
{
	struct tn_map *map = shared_map(k->type, 4, 24, ENTRIES);
	uint64_t before, repairs;
	uint32_t step = first;

	refill(map);
	before = tn_load_relaxed(&map->segment->live->repairs);
	for (; kill_after(k, map, step); step += stride) {
		tn_segment_help(map->segment);
		assert_hash_valid(map, NULL);
		check_left(k, map, step);
		refill(map);
		assert_hash_valid(map, NULL);
	}
	repairs = tn_load_relaxed(&map->segment->live->repairs) - before;
	assert_true(repairs > 0);
	if (getenv("TN_VERBOSE"))
		printf("%s: %u instructions, %llu repairs\n", k->name, step,
		       (unsigned long long)repairs);
	tn_map_put(map);
}

static const struct killing killings[] = {
	{ TN_MAP_HASH, op_update, "hash update", false },
	{ TN_MAP_HASH, op_delete, "hash delete", true },
	{ TN_MAP_LRU_HASH, op_evict, "LRU insert", true },
	{ TN_MAP_PERCPU_HASH, op_update, "per-slot update", false },
	{ TN_MAP_PERCPU_HASH, op_delete, "per-slot delete", true },
};

static void killed_writers_leave_a_map_that_can_be_repaired(void **state)
{
	uint32_t stride = getenv("TN_EVERY_STEP") ? 1 : STRIDE;

	(void)state;
#if TN_TSAN
	skip(); /* millions of single steps */
#endif
	for (size_t i = 0; i < TN_ARRAY_SIZE(killings); i++)
		kill_everywhere(&killings[i], 1 + (uint32_t)i, stride);
}

/* ---- Hostile files ---- */

static int file_with(const unsigned char *bytes, size_t size)
{
	int fd = memfd_create("hostile", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, size), (ssize_t)size);
	return fd;
}

static void use_copy(const unsigned char *bytes, size_t size)
{
	int fd = file_with(bytes, size);
	struct tn_map *copy = tn_segment_copy(&test_rt, fd);
	uint64_t values[TN_MAX_SLOTS];
	uint32_t key, nr = 0;

	close(fd);
	if (!copy) {
		assert_true(errno == EINVAL || errno == E2BIG || errno == ENOMEM ||
			    errno == TN_ENOTSUPP);
		return;
	}
	if (copy->key_size == 4 && tn_map_host_value_size(copy) <= sizeof(values))
		for (int rc = tn_map_next_key(copy, NULL, &key); !rc && nr < 1000; nr++) {
			tn_map_host_lookup(copy, &key, values, 0);
			rc = tn_map_next_key(copy, &key, &key);
		}
	if (copy->type != TN_MAP_ARRAY && copy->type != TN_MAP_PERCPU_ARRAY &&
	    copy->ops->count(copy) <= copy->max_entries)
		assert_hash_valid(copy, NULL);
	tn_map_put(copy);
	assert_int_equal(tn_epoch_drain(), 0);
}

static unsigned char *bytes_of(struct tn_map *map, size_t *size)
{
	unsigned char *bytes = malloc(map->segment->bytes);

	*size = map->segment->bytes;
	memcpy(bytes, map->segment->base, *size);
	return bytes;
}

static void hostile_files_do_no_harm(void **state)
{
	uint64_t random = 88172645463325252u;

	(void)state;
	for (size_t i = 0; i < TN_ARRAY_SIZE(types); i++) {
		struct tn_map *map = shared_map(types[i], 4, 8, 20);
		unsigned char *bytes;
		size_t size;

		run_in_child(write_in_child, map);
		bytes = bytes_of(map, &size);
		for (size_t at = 0; at < sizeof(struct tn_segment_header); at++) {
			bytes[at] ^= 0xff;
			use_copy(bytes, size);
			bytes[at] ^= 0xff ^ 1;
			use_copy(bytes, size);
			bytes[at] ^= 1;
		}
		for (size_t len = 0; len < size; len += len < 512 ? 7 : 1021)
			use_copy(bytes, len);
		for (int round = 0; round < 20; round++) {
			for (size_t at = sizeof(struct tn_segment_header); at < size; at++)
				if (round > 10 || next_random(&random) % 8 == 0)
					bytes[at] = (unsigned char)next_random(&random);
			use_copy(bytes, size);
		}
		free(bytes);
		tn_map_put(map);
	}
}

/* A mapped reader of a segment whose owner writes nonsense. */
static void hostile_segment_under_a_reader(void **state)
{
	struct tn_map *map = shared_map(TN_MAP_HASH, 4, 8, 20);
	struct tn_map *reader = attach(map->segment->fd, false, TN_MAP_HASH, 20);
	uint64_t random = 42, value;

	(void)state;
	assert_non_null(reader);
	for (int round = 0; round < 200; round++) {
		for (size_t at = 8192; at < map->segment->bytes; at++)
			map->segment->base[at] = (unsigned char)next_random(&random);
		for (uint32_t key = 0; key < 50; key++) {
			int rc = tn_map_host_lookup(reader, &key, &value, 0);

			assert_true(rc == 0 || rc == -ENOENT || rc == -EAGAIN);
		}
	}
	tn_map_put(reader);
	/* Nobody repairs it: it is only given back. */
	tn_map_put(map);
}

static void allocation_may_fail(void **state)
{
	(void)state;
	for (size_t i = 0; i < TN_ARRAY_SIZE(types); i++) {
		struct tn_map *map = NULL;

		for (int64_t n = 1; !map; n++) {
			assert_true(n < 100);
			tn_store_relaxed(&test_rt.mem.fail_after, n);
			map = try_map(types[i], 4, 8, 20, SHARED);
			tn_store_relaxed(&test_rt.mem.fail_after, 0);
			if (!map)
				assert_int_equal(errno, ENOMEM);
		}
		tn_map_put(map);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(childs_writes_are_seen, start_rt, stop_rt),
		cmocka_unit_test_setup_teardown(slots_are_the_segments, start_rt, stop_rt),
		cmocka_unit_test_setup_teardown(no_slot_is_left, start_rt, stop_rt),
		cmocka_unit_test_setup_teardown(other_types_are_refused, start_rt, stop_rt),
		cmocka_unit_test_setup_teardown(segment_is_sealed, start_rt, stop_rt),
		cmocka_unit_test_setup_teardown(map_is_found_again_in_a_file, start_rt, stop_rt),
		cmocka_unit_test_setup_teardown(reader_sees_what_is_written, start_rt, stop_rt),
		cmocka_unit_test_setup_teardown(killed_writers_leave_a_map_that_can_be_repaired,
						start_rt, stop_rt),
		cmocka_unit_test_setup_teardown(hostile_files_do_no_harm, start_rt, stop_rt),
		cmocka_unit_test_setup_teardown(hostile_segment_under_a_reader, start_rt, stop_rt),
		cmocka_unit_test_setup_teardown(allocation_may_fail, start_rt, stop_rt),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
