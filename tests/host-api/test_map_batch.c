/* SPDX-License-Identifier: MIT */
/* Batches on Tenon and on the kernel of this machine: the same calls, results and counts. */
#include "host-api/host.h"

#include <linux/bpf.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ENTRIES		10u
#define ENOTSUPP_KERNEL 524

enum op { UPDATE, LOOKUP, TAKE, DELETE };

/* Of keys from `from` on. */
struct step {
	enum op op;
	uint32_t from, count;
	uint64_t flags;
};

/* Reads ask for more than there is: which come first is not said, and a bucket of the kernel's that
 * holds more than is asked for gives -ENOSPC. */
static const struct step steps[] = {
	{ UPDATE, 0, 4, BPF_ANY }, { UPDATE, 4, 8, BPF_ANY }, { UPDATE, 2, 3, BPF_NOEXIST },
	{ DELETE, 0, 2, 0 },	   { DELETE, 1, 3, 0 },	      { LOOKUP, 0, 20, 0 },
	{ UPDATE, 0, 1, 0 },	   { TAKE, 0, 20, 0 },	      { TAKE, 0, 20, 0 },
	{ LOOKUP, 0, 20, 0 },	   { DELETE, 0, 0, 0 },	      { UPDATE, 0, 0, 0 },
	{ LOOKUP, 0, 0, 0 },	   { TAKE, 0, 0, 0 },	      { UPDATE, 0, 1, BPF_F_LOCK },
};

struct result {
	int rc;
	uint32_t count;
	uint64_t sum; /* of keys and values that came */
};

#define LONGEST 32u

struct shape {
	uint32_t type, key_size, value_size, entries, flags;
};

/* Keys of tries are lengths of prefixes of zeros. LRU maps are so large that none is evicted. */
static const struct shape shapes[] = {
	{ BPF_MAP_TYPE_HASH, 4, 8, ENTRIES, 0 },
	{ BPF_MAP_TYPE_ARRAY, 4, 8, ENTRIES, 0 },
	{ BPF_MAP_TYPE_PROG_ARRAY, 4, 4, ENTRIES, 0 },
	{ BPF_MAP_TYPE_PERF_EVENT_ARRAY, 4, 4, ENTRIES, 0 },
	{ BPF_MAP_TYPE_PERCPU_HASH, 4, 8, ENTRIES, 0 },
	{ BPF_MAP_TYPE_PERCPU_ARRAY, 4, 8, ENTRIES, 0 },
	{ BPF_MAP_TYPE_STACK_TRACE, 4, 8, ENTRIES, 0 },
	{ BPF_MAP_TYPE_LRU_HASH, 4, 8, 1000, 0 },
	{ BPF_MAP_TYPE_LRU_PERCPU_HASH, 4, 8, 1000, 0 },
	{ BPF_MAP_TYPE_LPM_TRIE, 8, 8, ENTRIES, BPF_F_NO_PREALLOC },
	{ BPF_MAP_TYPE_DEVMAP, 4, 4, ENTRIES, 0 },
	{ BPF_MAP_TYPE_CPUMAP, 4, 4, 2, 0 },
	{ BPF_MAP_TYPE_XSKMAP, 4, 4, ENTRIES, 0 },
	{ BPF_MAP_TYPE_QUEUE, 0, 8, ENTRIES, 0 },
	{ BPF_MAP_TYPE_STACK, 0, 8, ENTRIES, 0 },
	{ BPF_MAP_TYPE_DEVMAP_HASH, 4, 4, ENTRIES, 0 },
	{ BPF_MAP_TYPE_RINGBUF, 0, 0, 65536, 0 },
	{ BPF_MAP_TYPE_BLOOM_FILTER, 0, 8, ENTRIES, 0 },
};

/* Values of per-slot maps are as long as there are slots, or processors; the first one is used. */
struct buffers {
	uint64_t keys[LONGEST];
	unsigned char *values;
	size_t key_size, value_size;
};

static unsigned char values[1 << 20];

static void fill(struct buffers *b, const struct step *s, size_t key_size, size_t value_size)
{
	memset(b->keys, 0, sizeof(b->keys));
	memset(values, 0, sizeof(values));
	if (value_size * LONGEST > sizeof(values))
		fail_msg("a value of %zu bytes", value_size);
	*b = (struct buffers){ .values = values, .key_size = key_size, .value_size = value_size };
	for (uint32_t i = 0; i < LONGEST; i++) {
		uint32_t key = s->from + i, value = 100 + key;

		memcpy((char *)b->keys + i * key_size, &key, key_size ? sizeof(key) : 0);
		memcpy(values + i * value_size, &value, value_size ? sizeof(value) : 0);
	}
}

static uint64_t sum_of(const struct buffers *b, const struct step *s, uint32_t count)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; (s->op == LOOKUP || s->op == TAKE) && i < count; i++) {
		uint32_t key, value;

		memcpy(&key, (const char *)b->keys + i * b->key_size, sizeof(key));
		memcpy(&value, values + i * b->value_size, sizeof(value));
		sum += key * (uint64_t)key + 1000 * (uint64_t)value;
	}
	return sum;
}

static struct result on_tenon(struct tenon_map *map, const struct step *s)
{
	struct tenon_map_info info = { .sz = sizeof(info) };
	struct result r = { .count = s->count };
	struct buffers b;
	size_t ks, vs;

	assert_ok(tenon_map_info(map, &info));
	ks = info.key_size;
	vs = info.host_value_size;
	fill(&b, s, ks, vs);
	if (s->op == UPDATE)
		r.rc = tenon_map_update_batch(map, b.keys, ks, values, vs, &r.count, s->flags);
	else if (s->op == DELETE)
		r.rc = tenon_map_delete_batch(map, b.keys, ks, &r.count);
	else if (s->op == TAKE)
		r.rc = tenon_map_lookup_and_delete_batch(map, NULL, b.keys, ks, values, vs,
							 &r.count);
	else
		r.rc = tenon_map_lookup_batch(map, NULL, b.keys, ks, values, vs, &r.count);
	r.sum = sum_of(&b, s, r.count);
	return r;
}

/* "0-3": the processors that there may be. */
static size_t possible_cpus(void)
{
	FILE *f = fopen("/sys/devices/system/cpu/possible", "r");
	unsigned int first = 0, last = 0;
	int n = f ? fscanf(f, "%u-%u", &first, &last) : 0;

	if (f)
		fclose(f);
	if (n < 1)
		return (size_t)sysconf(_SC_NPROCESSORS_CONF);
	return n == 1 ? first + 1u : last + 1u;
}

/* As the kernel lays values out for the processors that there may be. */
static size_t kernel_value_size(const struct shape *shape)
{
	uint32_t t = shape->type;

	if (t != BPF_MAP_TYPE_PERCPU_HASH && t != BPF_MAP_TYPE_PERCPU_ARRAY &&
	    t != BPF_MAP_TYPE_LRU_PERCPU_HASH)
		return shape->value_size;
	return (shape->value_size + 7u) / 8 * 8 * possible_cpus();
}

static struct result on_kernel(int fd, const struct shape *shape, const struct step *s)
{
	static const int commands[] = { BPF_MAP_UPDATE_BATCH, BPF_MAP_LOOKUP_BATCH,
					BPF_MAP_LOOKUP_AND_DELETE_BATCH, BPF_MAP_DELETE_BATCH };
	struct result r = { .rc = 0 };
	union bpf_attr attr;
	struct buffers b;
	uint64_t cursor = 0;

	fill(&b, s, shape->key_size, kernel_value_size(shape));
	memset(&attr, 0, sizeof(attr));
	attr.batch.map_fd = (uint32_t)fd;
	attr.batch.keys = (uintptr_t)b.keys;
	attr.batch.values = (uintptr_t)values;
	attr.batch.out_batch = (uintptr_t)&cursor;
	attr.batch.count = s->count;
	attr.batch.elem_flags = s->flags;
	if (syscall(SYS_bpf, commands[s->op], &attr, sizeof(attr)))
		r.rc = -errno;
	r.count = attr.batch.count;
	r.sum = sum_of(&b, s, r.count);
	return r;
}

static int kernel_map(const struct shape *shape, uint32_t flags)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.map_type = shape->type;
	attr.key_size = shape->key_size;
	attr.value_size = shape->value_size;
	attr.max_entries = shape->entries;
	attr.map_flags = shape->flags | flags;
	return (int)syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof(attr));
}

static int kernel_freeze(int fd)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.map_fd = (uint32_t)fd;
	return (int)syscall(SYS_bpf, BPF_MAP_FREEZE, &attr, sizeof(attr));
}

static void compare_step(struct tenon_map *map, int fd, const struct shape *shape, size_t i)
{
	struct result ours = on_tenon(map, &steps[i]), theirs = on_kernel(fd, shape, &steps[i]);

	/* What is refused at once the kernel does not count. */
	if (ours.rc == -EINVAL || ours.rc == -ENOTSUPP_KERNEL || ours.rc == -EPERM)
		theirs = (struct result){ .rc = theirs.rc };
	if (ours.rc != theirs.rc || ours.count != theirs.count || ours.sum != theirs.sum)
		fail_msg("type %u, step %zu: %d, %u done, %llu; the kernel: %d, %u, %llu",
			 shape->type, i, ours.rc, ours.count, (unsigned long long)ours.sum,
			 theirs.rc, theirs.count, (unsigned long long)theirs.sum);
}

/* With further flags for both, which some types do not take; `freeze`: after the first steps. */
static void compare(const struct shape *shape, uint32_t flags, bool freeze)
{
	struct tenon_map_opts opts = { .sz = sizeof(opts), .flags = shape->flags | flags };
	struct tenon_runtime *rt = new_runtime(NULL);
	int fd = kernel_map(shape, flags), why = errno;
	struct tenon_map *map;

	if (fd < 0 && (why == EPERM || why == ENOSYS)) {
		assert_ok(tenon_runtime_free(rt));
		print_message("bpf(2) is refused here: %s\n", strerror(why));
		skip();
	}
	map = tenon_map_new(rt, shape->type, "m", shape->key_size, shape->value_size,
			    shape->entries, &opts);
	assert_int_equal(!map, fd < 0);
	for (size_t i = 0; map && i < sizeof(steps) / sizeof(steps[0]); i++) {
		if (freeze && i == 3)
			assert_int_equal(!tenon_map_freeze(map), !kernel_freeze(fd));
		compare_step(map, fd, shape, i);
	}
	if (map) {
		close(fd);
		tenon_map_free(map);
	}
	assert_ok(tenon_runtime_free(rt));
}

static void compare_all(uint32_t flags, bool freeze)
{
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
		compare(&shapes[i], flags, freeze);
}

static void batches_are_as_the_kernels(void **state)
{
	(void)state;
	compare_all(0, false);
}

static void batches_are_as_the_kernels_where_access_is_refused(void **state)
{
	(void)state;
	compare_all(BPF_F_RDONLY, false);
	compare_all(BPF_F_WRONLY, false);
	compare_all(0, true);
}

/* Each call goes on behind the last key that the one before took, which is gone. */
static void table_is_emptied_piece_by_piece(void **state)
{
	enum { NR = 1000, PIECE = 32 };
	static const uint32_t types[] = { BPF_MAP_TYPE_HASH, BPF_MAP_TYPE_LRU_HASH };
	struct tenon_runtime *rt = new_runtime(NULL);

	(void)state;
	for (size_t t = 0; t < 2; t++) {
		struct tenon_map *map = tenon_map_new(rt, types[t], "m", 8, 8, 2 * NR, NULL);
		uint64_t keys[PIECE], vals[PIECE], sum = 0, last;
		uint32_t count, taken = 0;
		int rc = 0;

		for (uint64_t k = 0; k < NR; k++)
			assert_ok(tenon_map_update_elem(map, &k, 8, &k, 8, 0));
		for (uint32_t calls = 0; !rc; calls++) {
			assert_in_range(calls, 0, NR / PIECE + 1);
			count = PIECE;
			rc = tenon_map_lookup_and_delete_batch(map, calls ? &last : NULL, keys, 8,
							       vals, 8, &count);
			for (uint32_t i = 0; i < count; i++) {
				assert_int_equal(keys[i], vals[i]);
				sum += keys[i];
			}
			taken += count;
			last = count ? keys[count - 1] : last;
		}
		assert_int_equal(rc, -ENOENT);
		assert_int_equal(taken, NR);
		assert_int_equal(sum, (uint64_t)NR * (NR - 1) / 2);
		assert_int_equal(tenon_map_get_next_key(map, NULL, keys, 8), -ENOENT);
		tenon_map_free(map);
	}
	assert_ok(tenon_runtime_free(rt));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table_is_emptied_piece_by_piece),
		cmocka_unit_test(batches_are_as_the_kernels),
		cmocka_unit_test(batches_are_as_the_kernels_where_access_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
