/* SPDX-License-Identifier: MIT */
/*
 * Maps of every type created from drawn attributes, and drawn calls on per-CPU maps and maps of
 * maps, with their contents: what the kernel says and holds is what there must be here. Skipped
 * where bpf(2) is refused. test_parity.c has the tables by hand and drawn calls on all other types.
 */
#include "maps/testing.h"

#include <errno.h>
#include <linux/bpf.h>
#include <linux/btf.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LAST_TYPE 34u /* of Linux 6.18 */

static int sys_bpf(int cmd, union bpf_attr *attr)
{
	long rc = syscall(SYS_bpf, cmd, attr, sizeof(*attr));

	return rc < 0 ? -errno : (int)rc;
}

static int kernel_map(const struct tn_map_attr *a, int inner_fd)
{
	union bpf_attr attr = { .map_type = a->type,
				.key_size = a->key_size,
				.value_size = a->value_size,
				.max_entries = a->max_entries,
				.map_flags = a->flags,
				.map_extra = a->extra };

	if (inner_fd >= 0)
		attr.inner_map_fd = (uint32_t)inner_fd;
	return sys_bpf(BPF_MAP_CREATE, &attr);
}

static void skip_where_refused(void)
{
	const struct tn_map_attr attr = {
		.type = TN_MAP_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1
	};
	int fd = kernel_map(&attr, -1);

	if (fd == -EPERM || fd == -ENOSYS) {
		print_message("bpf(2) is refused: %s\n", strerror(-fd));
		skip();
	}
	close(fd);
}

static uint32_t possible_cpus(void)
{
	FILE *f = fopen("/sys/devices/system/cpu/possible", "r");
	unsigned int first = 0, last = 0;
	int n = f ? fscanf(f, "%u-%u", &first, &last) : 0;

	if (f)
		fclose(f);
	return n == 2 ? last + 1 : n == 1 ? first + 1 : 1;
}

static int start_as_many_slots_as_cpus(void **state)
{
	struct tn_rt_config config = { .max_slots = possible_cpus() };

	(void)state;
	return start_rt_with(&config);
}

/* ---- Types ---- */

static bool is_known(uint32_t type)
{
	return tn_map_type_words(type) != NULL;
}

/* What a process has not is refused with words that say so, not as a number. */
static void every_type_of_the_kernel_is_known_or_said_not_to_be(void **state)
{
	(void)state;
	for (uint32_t type = 1; type <= LAST_TYPE; type++) {
		if (is_known(type))
			continue;
		assert_null(try_map(type, 4, 4, 1, 0));
		assert_int_equal(errno, EINVAL);
		if (!strstr(tn_err_last()->msg, "is not supported: "))
			fail_msg("type %u is neither here nor said to be elsewhere: %s", type,
				 tn_err_last()->msg);
	}
}

/* ---- Creation ---- */

static uint32_t pick(uint64_t *random, const uint32_t *from, size_t nr)
{
	return from[next_random(random) % nr];
}

/* Mostly what a type takes, so that single faults are seen behind others. */
static void draw_attr(struct tn_map_attr *a, uint64_t *random)
{
	static const uint32_t keys[] = { 0, 1, 3, 4, 4, 4, 4, 5, 8, 8, 16, 24, 255, 257, 512, 513 };
	static const uint32_t values[] = { 0, 1,  3,  4,   4,	 4,    8,    8,	    16,
					   5, 12, 24, 128, 1016, 1024, 4096, 32768, 40000 };
	static const uint32_t sizes[] = { 0, 1, 2, 2, 3, 4, 4, 16, 64, 100, 4096, 8192, 12288 };
	static const uint32_t extras[] = { 0, 0, 0, 0, 1, 5, 15, 16 };

	a->key_size = pick(random, keys, TN_ARRAY_SIZE(keys));
	a->value_size = pick(random, values, TN_ARRAY_SIZE(values));
	a->max_entries = pick(random, sizes, TN_ARRAY_SIZE(sizes));
	if (a->value_size > 4096 && a->max_entries > 100)
		a->max_entries = 4;
	/* More depends on how the kernel was built. */
	if (a->type == TN_MAP_CPUMAP && a->max_entries > 64)
		a->max_entries = 64;
	a->extra = pick(random, extras, TN_ARRAY_SIZE(extras));
	a->flags = 0;
	for (uint64_t nr = next_random(random) % 3; nr; nr--)
		a->flags |= 1u << next_random(random) % 13;
	/* A node of memory is to be named with it, and these are not of syscalls. */
	a->flags &= ~(BPF_F_NUMA_NODE | BPF_F_STACK_BUILD_ID);
}

/* What must be known of the kernel's types beyond numbers: other maps, structures. */
static bool is_drawn(uint32_t type)
{
	switch (type) {
	case TN_MAP_ARRAY_OF_MAPS:
	case TN_MAP_HASH_OF_MAPS:
	case TN_MAP_TASK_STORAGE: /* their value's structure */
	case TN_MAP_SK_STORAGE:
	case TN_MAP_ARENA: /* pages of this kernel's own address space */
		return false;
	default:
		return is_known(type);
	}
}

static void compare_creation(uint32_t type, uint64_t *random)
{
	struct tn_map_attr attr = { .type = type, .name = "drawn" };
	struct tn_map *map;
	int fd, ours;

	draw_attr(&attr, random);
	fd = kernel_map(&attr, -1);
	map = tn_map_create(&test_rt, &attr);
	ours = map ? 0 : -errno;
	if (ours != (fd < 0 ? fd : 0))
		fail_msg("%s, key %u, value %u, entries %u, flags 0x%x, extra %llu: %d (%s), the "
			 "kernel says %d",
			 tn_map_type_words(type), attr.key_size, attr.value_size, attr.max_entries,
			 attr.flags, (unsigned long long)attr.extra, ours,
			 map ? "" : tn_err_last()->msg, fd < 0 ? fd : 0);
	if (fd >= 0)
		close(fd);
	tn_map_put(map);
	tn_epoch_reclaim();
}

static void drawn_attributes_are_judged_as_by_the_kernel(void **state)
{
	uint64_t random = 0x2545f4914f6cdd1dull;

	(void)state;
	skip_where_refused();
	for (uint32_t type = 1; type <= LAST_TYPE; type++)
		for (uint32_t i = 0; is_drawn(type) && i < 1500; i++)
			compare_creation(type, &random);
}

/* ---- Per-CPU values ---- */

#define STEPS	   2000
#define KEYS	   6u
#define MAX_VALUES 4096

struct per_cpu {
	const char *name;
	uint32_t type, value_size, max_entries, flags;
	bool unordered;
};

static const struct per_cpu per_cpu[] = {
	{ "percpu_array", TN_MAP_PERCPU_ARRAY, 8, 4, 0, false },
	{ "percpu_array, odd size", TN_MAP_PERCPU_ARRAY, 5, 4, 0, false },
	{ "percpu_hash", TN_MAP_PERCPU_HASH, 8, 4, 0, true },
	{ "percpu_hash, odd size", TN_MAP_PERCPU_HASH, 13, 4, 0, true },
	{ "percpu_hash, NO_PREALLOC", TN_MAP_PERCPU_HASH, 16, 4, BPF_F_NO_PREALLOC, true },
	/* Large enough that neither evicts. */
	{ "lru_percpu_hash", TN_MAP_LRU_PERCPU_HASH, 8, 1000, 0, true },
};

enum call { LOOKUP, UPDATE, DELETE, TAKE, NR_CALLS };

struct both {
	struct tn_map *map;
	int fd;
	size_t value_bytes;
	const char *name;
};

static int on_tenon(const struct both *b, enum call call, uint32_t key, void *value, uint64_t flags)
{
	switch (call) {
	case LOOKUP:
		return tn_map_host_lookup(b->map, &key, value, flags);
	case UPDATE:
		return tn_map_host_update(b->map, &key, value, flags);
	case DELETE:
		return tn_map_host_delete(b->map, &key, flags);
	default:
		return tn_map_host_lookup_and_delete(b->map, &key, value, flags);
	}
}

static int on_kernel(const struct both *b, enum call call, uint32_t key, void *value,
		     uint64_t flags)
{
	static const int commands[] = { BPF_MAP_LOOKUP_ELEM, BPF_MAP_UPDATE_ELEM,
					BPF_MAP_DELETE_ELEM, BPF_MAP_LOOKUP_AND_DELETE_ELEM };
	union bpf_attr attr = { .map_fd = (uint32_t)b->fd,
				.key = (uintptr_t)&key,
				.value = call == DELETE ? 0 : (uintptr_t)value,
				.flags = flags };

	return sys_bpf(commands[call], &attr);
}

/* The order of elements differs: all keys, as bits. */
static uint32_t keys_of(const struct both *b, bool kernel)
{
	uint32_t key = 0, next = 0, seen = 0;

	for (uint32_t i = 0; i <= KEYS; i++) {
		union bpf_attr attr = { .map_fd = (uint32_t)b->fd,
					.key = i ? (uintptr_t)&key : 0,
					.next_key = (uintptr_t)&next };

		if (kernel ? sys_bpf(BPF_MAP_GET_NEXT_KEY, &attr)
			   : tn_map_next_key(b->map, i ? &key : NULL, &next))
			break;
		seen |= 1u << next % 32;
		key = next;
	}
	return seen;
}

static void compare_call(const struct both *b, uint64_t *random, uint32_t step)
{
	static const uint64_t flags_of[] = { 0, 0, 0, 0, 0, BPF_NOEXIST, BPF_EXIST, 3, BPF_F_LOCK };
	static unsigned char ours[MAX_VALUES], theirs[MAX_VALUES];
	uint64_t r = next_random(random);
	enum call call = (enum call)(r % NR_CALLS);
	uint64_t flags = flags_of[(r >> 16) % TN_ARRAY_SIZE(flags_of)];
	uint32_t key = (uint32_t)(r >> 32) % KEYS;
	int rc, want;

	for (size_t i = 0; i < b->value_bytes; i++)
		ours[i] = theirs[i] = call == UPDATE ? (unsigned char)(next_random(random) >> 24)
						     : 0;
	want = on_kernel(b, call, key, theirs, flags);
	rc = on_tenon(b, call, key, ours, flags);
	if (rc != want)
		fail_msg("%s, step %u: call %d of key %u with flags %llu: %d, the kernel %d",
			 b->name, step, (int)call, key, (unsigned long long)flags, rc, want);
	if (!rc && memcmp(ours, theirs, b->value_bytes) != 0)
		fail_msg("%s, step %u: key %u has other values than in the kernel", b->name, step,
			 key);
	if (step % 16 == 0 && keys_of(b, false) != keys_of(b, true))
		fail_msg("%s, step %u: other keys than in the kernel", b->name, step);
}

/* What lies behind a value up to the next multiple of 8 is nobody's: the kernel shows its own
 * bytes there. Values are drawn with zeros in it, and compared so. */
static void compare_per_cpu(const struct per_cpu *p)
{
	struct tn_map_attr attr = { .type = p->type,
				    .key_size = 4,
				    .value_size = p->value_size,
				    .max_entries = p->max_entries,
				    .flags = p->flags,
				    .name = "m" };
	struct both b = { .name = p->name,
			  .fd = kernel_map(&attr, -1),
			  .map = tn_map_create(&test_rt, &attr),
			  .value_bytes = TN_ROUND_UP(p->value_size, 8u) * possible_cpus() };
	uint64_t random = 0x9e3779b97f4a7c15ull;

	assert_true(b.fd >= 0 && b.map && b.value_bytes <= MAX_VALUES);
	for (uint32_t i = 0; i < STEPS; i++)
		compare_call(&b, &random, i);
	close(b.fd);
	tn_map_put(b.map);
}

static void drawn_calls_leave_what_the_kernel_leaves_on_each_cpu(void **state)
{
	(void)state;
	skip_where_refused();
	for (size_t i = 0; i < TN_ARRAY_SIZE(per_cpu); i++)
		compare_per_cpu(&per_cpu[i]);
}

/* ---- Maps of maps ---- */

#define NR_INNER 3u /* the last one is of another shape */

struct inner {
	int fd;
	uint32_t kernel_id;
	struct tn_map *map;
};

static void make_inner(struct inner *in, uint32_t i)
{
	const struct tn_map_attr attr = { .type = TN_MAP_HASH,
					  .key_size = 4,
					  .value_size = i == NR_INNER - 1 ? 16 : 8,
					  .max_entries = 2 + i,
					  .name = "inner" };
	struct bpf_map_info info = { 0 };
	union bpf_attr ask = { 0 };

	in->fd = kernel_map(&attr, -1);
	in->map = tn_map_create(&test_rt, &attr);
	assert_true(in->fd >= 0 && in->map);
	ask.info.bpf_fd = (uint32_t)in->fd;
	ask.info.info = (uintptr_t)&info;
	ask.info.info_len = sizeof(info);
	assert_int_equal(sys_bpf(BPF_OBJ_GET_INFO_BY_FD, &ask), 0);
	in->kernel_id = info.id;
}

/* Which of them a lookup gave; the numbers are each side's own. */
static uint32_t which(const struct inner *in, uint32_t id, bool kernel)
{
	for (uint32_t i = 0; i < NR_INNER; i++)
		if (id == (kernel ? in[i].kernel_id : in[i].map->id))
			return i;
	return NR_INNER;
}

static void compare_outer_call(const struct both *b, const struct inner *in, uint64_t *random,
			       uint32_t step)
{
	static const uint64_t flags_of[] = { 0, 0, 0, 0, BPF_NOEXIST, BPF_EXIST, 3, BPF_F_LOCK };
	uint64_t r = next_random(random);
	enum call call = (enum call)(r % NR_CALLS);
	uint64_t flags = flags_of[(r >> 16) % TN_ARRAY_SIZE(flags_of)];
	uint32_t key = (uint32_t)(r >> 32) % KEYS, put = (uint32_t)(r >> 24) % NR_INNER;
	uint32_t ours = call == UPDATE ? in[put].map->id : 0;
	uint32_t theirs = call == UPDATE ? (uint32_t)in[put].fd : 0;
	int want = on_kernel(b, call, key, &theirs, flags);
	int rc = on_tenon(b, call, key, &ours, flags);

	if (rc != want)
		fail_msg("%s, step %u: call %d of key %u, map %u, flags %llu: %d, the kernel %d",
			 b->name, step, (int)call, key, put, (unsigned long long)flags, rc, want);
	if (!rc && call == LOOKUP && which(in, ours, false) != which(in, theirs, true))
		fail_msg("%s, step %u: key %u has another map than in the kernel", b->name, step,
			 key);
	if (keys_of(b, false) != keys_of(b, true))
		fail_msg("%s, step %u: other keys than in the kernel", b->name, step);
}

static void compare_outer(uint32_t type, const char *name)
{
	const struct tn_map_attr shape = {
		.type = TN_MAP_HASH, .key_size = 4, .value_size = 8, .max_entries = 2
	};
	struct tn_map_attr attr = { .type = type,
				    .key_size = 4,
				    .value_size = 4,
				    .max_entries = 4,
				    .name = "outer",
				    .inner = &shape };
	uint64_t random = 0x9e3779b97f4a7c15ull;
	struct inner in[NR_INNER];
	struct both b = { .name = name };

	for (uint32_t i = 0; i < NR_INNER; i++)
		make_inner(&in[i], i);
	b.fd = kernel_map(&attr, in[0].fd);
	b.map = tn_map_create(&test_rt, &attr);
	assert_true(b.fd >= 0 && b.map);
	for (uint32_t i = 0; i < STEPS; i++)
		compare_outer_call(&b, in, &random, i);
	close(b.fd);
	tn_map_put(b.map);
	for (uint32_t i = 0; i < NR_INNER; i++) {
		close(in[i].fd);
		tn_map_put(in[i].map);
	}
}

static void drawn_calls_leave_the_maps_that_the_kernel_leaves(void **state)
{
	(void)state;
	skip_where_refused();
	compare_outer(TN_MAP_ARRAY_OF_MAPS, "array_of_maps");
	compare_outer(TN_MAP_HASH_OF_MAPS, "hash_of_maps");
}

/* ---- Storage of threads: the kernel's key is a descriptor of the thread, here it is its id ----
 */

/* "int" and "long": the kernel wants to know the types. */
static int load_btf(void)
{
	struct {
		struct btf_header header;
		struct {
			struct btf_type type;
			uint32_t encoding;
		} types[2];
		char strings[16];
	} btf = {
		.header = { .magic = 0xeb9f,
			    .version = 1,
			    .hdr_len = sizeof(struct btf_header),
			    .type_len = sizeof(btf.types),
			    .str_off = sizeof(btf.types),
			    .str_len = 10 },
		.types = { { { .name_off = 1, .info = BTF_KIND_INT << 24, .size = 4 },
			     BTF_INT_SIGNED << 24 | 32 },
			   { { .name_off = 5, .info = BTF_KIND_INT << 24, .size = 8 },
			     BTF_INT_SIGNED << 24 | 64 } },
		.strings = "\0int\0long",
	};
	union bpf_attr attr = { .btf = (uintptr_t)&btf,
				.btf_size = offsetof(__typeof__(btf), strings) + 10 };

	return sys_bpf(BPF_BTF_LOAD, &attr);
}

static int kernel_storage(const struct tn_map_attr *a, int btf)
{
	union bpf_attr attr = { .map_type = a->type,
				.key_size = a->key_size,
				.value_size = a->value_size,
				.max_entries = a->max_entries,
				.map_flags = a->flags,
				.btf_fd = (uint32_t)btf,
				.btf_key_type_id = 1,
				.btf_value_type_id = 2 };

	return sys_bpf(BPF_MAP_CREATE, &attr);
}

static void compare_storage_creation(uint32_t type, int btf)
{
	uint64_t random = 0x2545f4914f6cdd1dull;

	for (uint32_t i = 0; i < 500; i++) {
		struct tn_map_attr attr = { .type = type, .name = "drawn" };
		struct tn_map *map;
		int fd;

		draw_attr(&attr, &random);
		/* Others are not of this type of value; and half of the flags are right. */
		attr.value_size = 8;
		attr.extra = 0;
		attr.flags = i & 1 ? BPF_F_NO_PREALLOC : attr.flags;
		attr.flags &= ~BPF_F_CLONE; /* what a copied socket takes along */
		attr.max_entries = i & 2 ? 0 : attr.max_entries;
		fd = kernel_storage(&attr, btf);
		map = tn_map_create(&test_rt, &attr);
		if ((map ? 0 : -errno) != (fd < 0 ? fd : 0))
			fail_msg("type %u, key %u, entries %u, flags 0x%x: %s, the kernel says %d",
				 type, attr.key_size, attr.max_entries, attr.flags,
				 map ? "made" : tn_err_last()->msg, fd);
		if (fd >= 0)
			close(fd);
		tn_map_put(map);
	}
}

static void compare_storage_calls(int btf)
{
	static const uint64_t flags_of[] = { 0, 0, 0, 0, BPF_NOEXIST, BPF_EXIST, 3, BPF_F_LOCK };
	struct tn_map_attr attr = { .type = TN_MAP_TASK_STORAGE,
				    .key_size = 4,
				    .value_size = 8,
				    .flags = BPF_F_NO_PREALLOC,
				    .name = "m" };
	struct both b = { .name = "task_storage",
			  .fd = kernel_storage(&attr, btf),
			  .map = tn_map_create(&test_rt, &attr) };
	uint32_t tid = (uint32_t)syscall(SYS_gettid);
	int pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
	uint64_t random = 0x9e3779b97f4a7c15ull;

	assert_true(b.fd >= 0 && b.map && pidfd >= 0);
	assert_non_null(tn_thread_self());
	for (uint32_t i = 0; i < STEPS; i++) {
		uint64_t r = next_random(&random), flags = flags_of[(r >> 16) % 8];
		uint64_t ours = r, theirs = r;
		enum call call = (enum call)(r % NR_CALLS);
		int want = on_kernel(&b, call, (uint32_t)pidfd, &theirs, flags);
		int rc = on_tenon(&b, call, tid, &ours, flags);

		if (rc != want || (!rc && ours != theirs))
			fail_msg("task_storage, step %u: call %d with flags %llu: %d, the kernel "
				 "%d%s",
				 i, (int)call, (unsigned long long)flags, rc, want,
				 rc == want ? ", another value" : "");
	}
	close(pidfd);
	close(b.fd);
	tn_map_put(b.map);
}

static void storage_is_judged_and_left_as_by_the_kernel(void **state)
{
	int btf;

	(void)state;
	skip_where_refused();
	btf = load_btf();
	assert_true(btf >= 0);
	compare_storage_creation(TN_MAP_TASK_STORAGE, btf);
	compare_storage_creation(TN_MAP_SK_STORAGE, btf);
	compare_storage_calls(btf);
	close(btf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_type_of_the_kernel_is_known_or_said_not_to_be,
						start_rt, stop_rt),
		cmocka_unit_test_setup_teardown(drawn_attributes_are_judged_as_by_the_kernel,
						start_as_many_slots_as_cpus, stop_rt),
		cmocka_unit_test_setup_teardown(
			drawn_calls_leave_what_the_kernel_leaves_on_each_cpu,
			start_as_many_slots_as_cpus, stop_rt),
		cmocka_unit_test_setup_teardown(drawn_calls_leave_the_maps_that_the_kernel_leaves,
						start_rt, stop_rt),
		cmocka_unit_test_setup_teardown(storage_is_judged_and_left_as_by_the_kernel,
						start_rt, stop_rt),
	};

	return cmocka_run_group_tests_name("maps/parity_drawn", tests, NULL, NULL);
}
