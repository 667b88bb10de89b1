/* SPDX-License-Identifier: MIT */
/*
 * Maps of the kernel between a kernel program (test runs) and a plugin, on both engines. Skipped
 * where bpf(2) is refused.
 */
#include <fcntl.h>
#include <linux/bpf.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host.h"

static struct tenon_runtime *rt;
static struct tenon_hook hook;

static int sys_bpf(int cmd, union bpf_attr *attr)
{
	int rc = (int)syscall(SYS_bpf, cmd, attr, sizeof(*attr));

	return rc < 0 ? -errno : rc;
}

static int create(uint32_t type, uint32_t key, uint32_t value, uint32_t entries, uint32_t flags)
{
	union bpf_attr attr = { .map_type = type,
				.key_size = key,
				.value_size = value,
				.max_entries = entries,
				.map_flags = flags,
				.map_name = "shared" };

	return sys_bpf(BPF_MAP_CREATE, &attr);
}

static int setup(void **state)
{
	(void)state;
	rt = new_runtime(NULL);
	add_hook(rt, &hook, "h", TENON_CHAIN_LAST, 4242);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	return tenon_runtime_free(rt);
}

/* A descriptor, or the test is skipped. */
static int kernel_map(uint32_t type, uint32_t key, uint32_t value, uint32_t entries, uint32_t flags)
{
	int fd = create(type, key, value, entries, flags);

	if (fd < 0) {
		print_message("bpf(2) creates no map: %s\n", strerror(-fd));
		skip();
	}
	return fd;
}

static struct tenon_map *bridge(int fd, const char *name)
{
	struct tenon_map *map = tenon_map_from_kernel_fd(rt, fd, name);

	if (!map)
		fail_msg("%s", tenon_last_error()->msg);
	return map;
}

/* ---- The same text in the kernel and here ---- */

static int kernel_program(const char *text, int map_fd)
{
	union bpf_attr attr = { .prog_type = BPF_PROG_TYPE_SCHED_CLS };
	struct tn_insn *insns;
	uint32_t nr, i;
	int fd;

	if (tn_asm(NULL, text, &insns, &nr))
		fail_msg("assembler: %s", tenon_last_error()->msg);
	for (i = 0; i < nr; i++) {
		if (insns[i].code != (BPF_LD | BPF_DW | BPF_IMM))
			continue;
		insns[i].src = BPF_PSEUDO_MAP_FD;
		insns[i].imm = map_fd;
		i++;
	}
	attr.insns = (uintptr_t)insns;
	attr.insn_cnt = nr;
	attr.license = (uintptr_t) "GPL";
	fd = sys_bpf(BPF_PROG_LOAD, &attr);
	tn_free(NULL, insns);
	if (fd < 0)
		fail_msg("the kernel refuses the program: %s", strerror(-fd));
	return fd;
}

static uint32_t kernel_run(int prog)
{
	unsigned char packet[64] = { 0 };
	union bpf_attr attr = { .test = { .prog_fd = (uint32_t)prog,
					  .data_in = (uintptr_t)packet,
					  .data_size_in = sizeof(packet),
					  .repeat = 1 } };
	int rc = sys_bpf(BPF_PROG_TEST_RUN, &attr);

	if (rc)
		fail_msg("test run: %s", strerror(-rc));
	return attr.test.retval;
}

static struct tenon_object *try_plugin(const char *text, struct tenon_map *map, int engine)
{
	struct tenon_object_open_opts opts = { .sz = sizeof(opts), .engine = engine_at(engine) };
	struct tenon_object *obj = open_text(rt, "h", 0, &map, 1, text, &opts);

	assert_non_null(obj);
	return obj;
}

static struct tenon_object *plugin(const char *text, struct tenon_map *map, int engine)
{
	struct tenon_object *obj = try_plugin(text, map, engine);

	assert_ok(tenon_object_load(obj));
	assert_ok(tenon_object_attach(obj));
	return obj;
}

static uint64_t fire(void)
{
	struct test_ctx ctx = { 0 };

	return tenon_hook_fire(&hook, &ctx);
}

static void close_map(struct tenon_map *map, int fd)
{
	tenon_map_free(map);
	close(fd);
}

#define KEY_0                             \
	"r1 = 0\n*(u64 *)(r10 -8) = r1\n" \
	"r2 = r10\nr2 += -8\nr1 = map[0] ll\n"
#define NO_VALUE "none:\nr0 = 99\nexit\n"
#define COUNT                    \
	KEY_0                    \
	"call 1\n"               \
	"if r0 == 0 goto none\n" \
	"r1 = *(u64 *)(r0 +0)\n" \
	"r1 += 1\n"              \
	"*(u64 *)(r0 +0) = r1\n" \
	"r0 = r1\nexit\n" NO_VALUE
#define READ                     \
	KEY_0                    \
	"call 1\n"               \
	"if r0 == 0 goto none\n" \
	"r0 = *(u64 *)(r0 +0)\nexit\n" NO_VALUE
/* Sets the element to 7, or deletes it. */
#define SET                                                                      \
	"r1 = 7\n*(u64 *)(r10 -16) = r1\n" KEY_0 "r3 = r10\nr3 += -16\nr4 = 0\n" \
	"call 2\nexit\n"
#define DELETE KEY_0 "call 3\nexit\n"

static void mapped_array_counts_for_both(void **state)
{
	int fd = kernel_map(BPF_MAP_TYPE_ARRAY, 4, 8, 3, BPF_F_MMAPABLE);
	int prog = kernel_program(COUNT, fd);
	struct tenon_map_info info = { .sz = sizeof(info) };
	struct tenon_map *map = bridge(fd, NULL);
	uint64_t *data, value, wanted = 0;
	uint32_t key = 0;
	size_t size;

	(void)state;
	assert_ok(tenon_map_info(map, &info));
	assert_string_equal(info.name, "shared");
	assert_int_equal(info.type, BPF_MAP_TYPE_ARRAY);
	data = tenon_map_data(map, &size);
	assert_int_equal(size, 24);
	for (int engine = 0; engine < 2; engine++) {
		struct tenon_object *obj = plugin(COUNT, map, engine);

		assert_int_equal(kernel_run(prog), ++wanted);
		assert_int_equal(fire(), ++wanted);
		assert_int_equal(kernel_run(prog), ++wanted);
		assert_int_equal(data[0], wanted);
		value = wanted = 100 * (engine + 1u);
		assert_ok(tenon_map_update_elem(map, &key, 4, &value, 8, 0));
		assert_int_equal(kernel_run(prog), ++wanted);
		assert_int_equal(fire(), ++wanted);
		assert_ok(tenon_map_lookup_elem(map, &key, 4, &value, 8, 0));
		assert_int_equal(value, wanted);
		assert_ok(tenon_object_close(obj));
	}
	close(prog);
	close_map(map, fd);
}

static void hash_by_calls_is_shared(void **state)
{
	int fd = kernel_map(BPF_MAP_TYPE_HASH, 4, 8, 3, 0);
	int count = kernel_program(COUNT, fd), set = kernel_program(SET, fd);
	struct tenon_map *map = bridge(fd, "counts");
	struct tenon_map_info info = { .sz = sizeof(info) };
	uint32_t key = 0, next;
	uint64_t value;

	(void)state;
	assert_ok(tenon_map_info(map, &info));
	assert_string_equal(info.name, "counts");
	assert_int_equal(info.type, BPF_MAP_TYPE_HASH);
	for (int engine = 0; engine < 2; engine++) {
		struct tenon_object *obj = plugin(READ, map, engine);

		assert_int_equal(fire(), 99);
		assert_int_equal(kernel_run(set), 0);
		assert_int_equal(fire(), 7);
		assert_int_equal(kernel_run(count), 8);
		assert_int_equal(fire(), 8);
		assert_ok(tenon_map_lookup_elem(map, &key, 4, &value, 8, 0));
		assert_int_equal(value, 8);
		assert_ok(tenon_map_get_next_key(map, NULL, &next, 4));
		assert_int_equal(next, 0);
		assert_int_equal(tenon_map_get_next_key(map, &next, &next, 4), -ENOENT);
		assert_ok(tenon_object_close(obj));
		obj = plugin(DELETE, map, engine);
		assert_int_equal(fire(), 0);
		assert_int_equal((int64_t)fire(), -ENOENT);
		assert_int_equal(kernel_run(count), 99);
		assert_ok(tenon_object_close(obj));
		obj = plugin(SET, map, engine);
		assert_int_equal(fire(), 0);
		assert_int_equal(kernel_run(count), 8);
		assert_ok(tenon_map_lookup_and_delete_elem(map, &key, 4, &value, 8, 0));
		assert_int_equal(value, 8);
		assert_int_equal(tenon_map_delete_elem(map, &key, 4, 0), -ENOENT);
		assert_ok(tenon_object_close(obj));
	}
	close(count);
	close(set);
	close_map(map, fd);
}

/* Eight pointers, each of an element of its own. */
static void looked_up_values_are_copies_of_their_own(void **state)
{
	int fd = kernel_map(BPF_MAP_TYPE_HASH, 8, 4096, 8, 0);
	struct tenon_map *map = bridge(fd, "large");
	static char value[4096];

	(void)state;
	for (uint64_t key = 0; key < 2; key++) {
		value[0] = (char)('a' + key);
		assert_ok(tenon_map_update_elem(map, &key, 8, value, sizeof(value), 0));
	}
	for (int engine = 0; engine < 2; engine++) {
		struct tenon_object *obj = plugin(KEY_0 "call 1\n"
							"if r0 == 0 goto none\n"
							"r6 = r0\n"
							"r1 = 1\n*(u64 *)(r10 -8) = r1\n"
							"r2 = r10\nr2 += -8\nr1 = map[0] ll\n"
							"call 1\n"
							"if r0 == 0 goto none\n"
							"r1 = *(u8 *)(r6 +0)\n"
							"r0 = *(u8 *)(r0 +0)\n"
							"r1 <<= 8\nr0 |= r1\nexit\n" NO_VALUE,
						  map, engine);

		assert_int_equal(fire(), 'a' << 8 | 'b');
		assert_ok(tenon_object_close(obj));
	}
	close_map(map, fd);
}

static void stores_into_copies_are_refused(void **state)
{
	int fd = kernel_map(BPF_MAP_TYPE_HASH, 4, 8, 3, 0);
	struct tenon_map *map = bridge(fd, "counts");
	struct tenon_object *obj = try_plugin(COUNT, map, 0);

	(void)state;
	assert_int_equal(tenon_object_load(obj), -EACCES);
	assert_words("a copy of what the kernel's map holds");
	assert_ok(tenon_object_close(obj));
	close_map(map, fd);
}

static void per_cpu_values_are_for_the_host(void **state)
{
	int fd = kernel_map(BPF_MAP_TYPE_PERCPU_ARRAY, 4, 8, 1, 0);
	struct tenon_map *map = bridge(fd, "percpu");
	struct tenon_map_info info = { .sz = sizeof(info) };
	int prog = kernel_program(COUNT, fd);
	struct tenon_object *obj = try_plugin(READ, map, 0);
	uint64_t *values, sum = 0;
	uint32_t key = 0;

	(void)state;
	assert_int_equal(tenon_object_load(obj), -EACCES);
	assert_words("per-CPU map of the kernel");
	assert_ok(tenon_object_close(obj));
	assert_int_equal(kernel_run(prog), 1);
	assert_ok(tenon_map_info(map, &info));
	values = calloc(1, info.host_value_size);
	assert_non_null(values);
	assert_ok(tenon_map_lookup_elem(map, &key, 4, values, info.host_value_size, 0));
	for (size_t i = 0; i < info.host_value_size / 8; i++)
		sum += values[i];
	assert_int_equal(sum, 1);
	free(values);
	close(prog);
	close_map(map, fd);
}

#define EMIT                              \
	"r2 = 5\n*(u64 *)(r10 -8) = r2\n" \
	"r1 = map[0] ll\n"                \
	"r2 = r10\nr2 += -8\n"            \
	"r3 = 8\nr4 = 0\ncall 130\nexit\n"

static int add_sample(void *user, void *data, size_t size)
{
	assert_int_equal(size, 8);
	*(uint64_t *)user += *(uint64_t *)data;
	return 0;
}

/* More than the ring holds at once, so that records run over its end. */
static void ring_of_the_kernel_is_consumed(void **state)
{
	int fd = kernel_map(BPF_MAP_TYPE_RINGBUF, 0, 0, 4096, 0);
	struct tenon_map *map = bridge(fd, "events");
	int prog = kernel_program(EMIT, fd);
	uint64_t sum = 0;
	struct tenon_ring_buffer *rb = tenon_ring_buffer_new(map, add_sample, &sum);
	struct tenon_object *obj = try_plugin(EMIT, map, 0);

	(void)state;
	assert_non_null(rb);
	assert_int_equal(tenon_object_load(obj), -EACCES);
	assert_words("ringbuf of the kernel");
	assert_ok(tenon_object_close(obj));
	assert_int_equal(tenon_ring_buffer_poll(rb, 0), 0);
	for (uint64_t round = 1; round <= 10; round++) {
		for (int i = 0; i < 100; i++)
			assert_int_equal(kernel_run(prog), 0);
		assert_int_equal(tenon_ring_buffer_poll(rb, -1), 100);
		assert_int_equal(sum, round * 500);
	}
	assert_int_equal(tenon_ring_buffer_consume(rb), 0);
	tenon_ring_buffer_free(rb);
	close(prog);
	close_map(map, fd);
}

static void damaged_positions_are_told(void **state)
{
	int fd = kernel_map(BPF_MAP_TYPE_RINGBUF, 0, 0, 4096, 0);
	struct tenon_map *map = bridge(fd, "events");
	int prog = kernel_program(EMIT, fd);
	uint64_t sum = 0, *cons = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	struct tenon_ring_buffer *rb = tenon_ring_buffer_new(map, add_sample, &sum);
	static const uint64_t wrong[] = { 1, 4, 8, 24, 4096, 1ull << 40, UINT64_MAX };

	(void)state;
	assert_ptr_not_equal(cons, MAP_FAILED);
	assert_int_equal(kernel_run(prog), 0);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		*cons = wrong[i];
		assert_int_equal(tenon_ring_buffer_consume(rb), -EPROTO);
	}
	*cons = 0;
	assert_int_equal(tenon_ring_buffer_consume(rb), 1);
	assert_int_equal(sum, 5);
	munmap(cons, 4096);
	tenon_ring_buffer_free(rb);
	close(prog);
	close_map(map, fd);
}

static void what_is_no_map_is_refused_by_name(void **state)
{
	int map = kernel_map(BPF_MAP_TYPE_ARRAY, 4, 8, 1, 0), fd = open("/dev/null", O_RDONLY);
	int prog = kernel_program(READ, map), stack;

	(void)state;
	assert_null(tenon_map_from_kernel_fd(rt, -1, NULL));
	assert_int_equal(errno, EBADF);
	assert_words("not open");
	assert_null(tenon_map_from_kernel_fd(rt, fd, NULL));
	assert_int_equal(errno, EBADF);
	assert_words("/dev/null");
	assert_null(tenon_map_from_kernel_fd(rt, prog, NULL));
	assert_int_equal(errno, EBADF);
	assert_words("bpf-prog");
	stack = create(BPF_MAP_TYPE_STACK_TRACE, 4, 8, 4, 0);
	assert_null(tenon_map_from_kernel_fd(rt, stack, "traces"));
	assert_int_equal(errno, ENOTSUP);
	assert_words("stack_trace");
	close(stack);
	close(prog);
	close(fd);
	close(map);
}

static void read_only_descriptor_is_read_only_here(void **state)
{
	int fd = kernel_map(BPF_MAP_TYPE_ARRAY, 4, 8, 1, BPF_F_MMAPABLE | BPF_F_RDONLY);
	struct tenon_map *map = bridge(fd, "config");
	struct tenon_object *obj = try_plugin(COUNT, map, 0);
	uint64_t value = 3;
	uint32_t key = 0;

	(void)state;
	assert_int_equal(tenon_map_update_elem(map, &key, 4, &value, 8, 0), -EPERM);
	assert_int_equal(tenon_object_load(obj), -EACCES);
	assert_ok(tenon_object_close(obj));
	obj = plugin(READ, map, 1);
	assert_int_equal(fire(), 0);
	assert_ok(tenon_object_close(obj));
	obj = plugin(SET, map, 1);
	assert_int_equal((int64_t)fire(), -EPERM);
	assert_ok(tenon_object_close(obj));
	close_map(map, fd);
}

static void frozen_array_is_mapped_read_only(void **state)
{
	int fd = kernel_map(BPF_MAP_TYPE_ARRAY, 4, 8, 1, BPF_F_MMAPABLE);
	union bpf_attr attr = { .map_fd = (uint32_t)fd };
	struct tenon_map *map;
	struct tenon_object *obj;
	uint64_t value = 3;
	uint32_t key = 0;

	(void)state;
	assert_int_equal(sys_bpf(BPF_MAP_FREEZE, &attr), 0);
	map = bridge(fd, "config");
	obj = try_plugin(COUNT, map, 0);
	assert_int_equal(tenon_map_update_elem(map, &key, 4, &value, 8, 0), -EPERM);
	assert_int_equal(tenon_object_load(obj), -EACCES);
	assert_words("read-only");
	assert_ok(tenon_object_close(obj));
	obj = plugin(READ, map, 1);
	assert_int_equal(fire(), 0);
	assert_ok(tenon_object_close(obj));
	close_map(map, fd);
}

/* The caller's descriptor may go, and what we opened goes with the map. */
static void descriptor_is_our_own(void **state)
{
	int fd = kernel_map(BPF_MAP_TYPE_HASH, 4, 8, 3, 0), before = dup(fd), after;
	struct tenon_map *map;
	uint32_t key = 1;
	uint64_t value = 2;

	(void)state;
	close(before);
	map = bridge(fd, "counts");
	close(fd);
	assert_ok(tenon_map_update_elem(map, &key, 4, &value, 8, 0));
	tenon_map_free(map);
	assert_ok(tenon_runtime_free(rt));
	rt = new_runtime(NULL);
	after = open("/dev/null", O_RDONLY);
	assert_int_equal(after, fd);
	assert_int_equal(dup(after), before);
	close(before);
	close(after);
}

static void child_and_parent_share_the_kernels_map(void **state)
{
	int fd = kernel_map(BPF_MAP_TYPE_ARRAY, 4, 8, 1, BPF_F_MMAPABLE);
	struct tenon_map *map = bridge(fd, "counts");
	struct tenon_object *obj = plugin(COUNT, map, 1);
	int status;
	pid_t pid;

	(void)state;
	assert_int_equal(fire(), 1);
	pid = fork();
	if (!pid)
		_exit(fire() == 2 ? 0 : 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(fire(), 3);
	assert_ok(tenon_object_close(obj));
	close_map(map, fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(mapped_array_counts_for_both),
		TEST(hash_by_calls_is_shared),
		TEST(looked_up_values_are_copies_of_their_own),
		TEST(stores_into_copies_are_refused),
		TEST(per_cpu_values_are_for_the_host),
		TEST(ring_of_the_kernel_is_consumed),
		TEST(damaged_positions_are_told),
		TEST(what_is_no_map_is_refused_by_name),
		TEST(frozen_array_is_mapped_read_only),
		TEST(read_only_descriptor_is_read_only_here),
		TEST(descriptor_is_our_own),
		TEST(child_and_parent_share_the_kernels_map),
	};

	return cmocka_run_group_tests_name("host-api/kernel_map", tests, NULL, NULL);
}
