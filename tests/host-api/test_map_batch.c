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
	{ LOOKUP, 0, 0, 0 },
};

struct result {
	int rc;
	uint32_t count;
	uint64_t sum; /* of keys and values that came */
};

struct buffers {
	uint32_t keys[32];
	uint64_t values[32];
};

static void fill(struct buffers *b, const struct step *s)
{
	for (uint32_t i = 0; i < 32; i++) {
		b->keys[i] = s->from + i;
		b->values[i] = 100 + s->from + i;
	}
}

static uint64_t sum_of(const struct buffers *b, const struct step *s, uint32_t count)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; (s->op == LOOKUP || s->op == TAKE) && i < count; i++)
		sum += b->keys[i] + 1000 * b->values[i];
	return sum;
}

static struct result on_tenon(struct tenon_map *map, const struct step *s)
{
	struct result r = { .count = s->count };
	struct buffers b;

	fill(&b, s);
	if (s->op == UPDATE)
		r.rc = tenon_map_update_batch(map, b.keys, 4, b.values, 8, &r.count, s->flags);
	else if (s->op == DELETE)
		r.rc = tenon_map_delete_batch(map, b.keys, 4, &r.count);
	else if (s->op == TAKE)
		r.rc = tenon_map_lookup_and_delete_batch(map, b.keys, 4, b.values, 8, &r.count);
	else
		r.rc = tenon_map_lookup_batch(map, NULL, b.keys, 4, b.values, 8, &r.count);
	r.sum = sum_of(&b, s, r.count);
	return r;
}

static struct result on_kernel(int fd, const struct step *s)
{
	static const int commands[] = { BPF_MAP_UPDATE_BATCH, BPF_MAP_LOOKUP_BATCH,
					BPF_MAP_LOOKUP_AND_DELETE_BATCH, BPF_MAP_DELETE_BATCH };
	struct result r = { .rc = 0 };
	union bpf_attr attr;
	struct buffers b;
	uint64_t cursor = 0;

	fill(&b, s);
	memset(&attr, 0, sizeof(attr));
	attr.batch.map_fd = (uint32_t)fd;
	attr.batch.keys = (uintptr_t)b.keys;
	attr.batch.values = (uintptr_t)b.values;
	attr.batch.out_batch = (uintptr_t)&cursor;
	attr.batch.count = s->count;
	attr.batch.elem_flags = s->flags;
	if (syscall(SYS_bpf, commands[s->op], &attr, sizeof(attr)))
		r.rc = -errno;
	r.count = attr.batch.count;
	r.sum = sum_of(&b, s, r.count);
	return r;
}

static int kernel_map(uint32_t type)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.map_type = type;
	attr.key_size = 4;
	attr.value_size = 8;
	attr.max_entries = ENTRIES;
	return (int)syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof(attr));
}

static void compare(struct tenon_runtime *rt, uint32_t type)
{
	struct tenon_map *map = tenon_map_new(rt, type, "m", 4, 8, ENTRIES, NULL);
	int fd = kernel_map(type);

	assert_non_null(map);
	if (fd < 0) {
		print_message("bpf(2) is refused here: %s\n", strerror(errno));
		skip();
	}
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		struct result ours = on_tenon(map, &steps[i]), theirs = on_kernel(fd, &steps[i]);

		/* What is refused at once the kernel does not count. */
		if (ours.rc == -EINVAL || ours.rc == -ENOTSUPP_KERNEL)
			theirs = (struct result){ .rc = theirs.rc };
		if (ours.rc != theirs.rc || ours.count != theirs.count || ours.sum != theirs.sum)
			fail_msg("type %u, step %zu: %d, %u done, %llu; the kernel: %d, %u, %llu",
				 type, i, ours.rc, ours.count, (unsigned long long)ours.sum,
				 theirs.rc, theirs.count, (unsigned long long)theirs.sum);
	}
	close(fd);
	tenon_map_free(map);
}

static void batches_are_as_the_kernels(void **state)
{
	struct tenon_runtime *rt = new_runtime(NULL);

	(void)state;
	compare(rt, BPF_MAP_TYPE_HASH);
	compare(rt, BPF_MAP_TYPE_ARRAY);
	assert_ok(tenon_runtime_free(rt));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(batches_are_as_the_kernels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
