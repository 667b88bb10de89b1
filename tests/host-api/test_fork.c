/* SPDX-License-Identifier: MIT */
/* What a forked child does with programs, maps and links stays in the child. */
#include <linux/bpf.h>
#include <poll.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host-api/program.h"
#include "host.h"

static struct tenon_runtime *rt;
static struct tenon_hook hook;
static struct tenon_map *map;
static struct tenon_object *obj;
static struct tenon_link *link_;

#define COUNT                             \
	"r1 = 0\n*(u32 *)(r10 -4) = r1\n" \
	"r2 = r10\nr2 += -4\n"            \
	"r1 = map[0] ll\n"                \
	"call 1\n"                        \
	"if r0 == 0 goto none\n"          \
	"r1 = *(u64 *)(r0 +0)\n"          \
	"r1 += 1\n"                       \
	"*(u64 *)(r0 +0) = r1\n"          \
	"r0 = r1\n"                       \
	"exit\n"                          \
	"none:\n" RETURN(0)

static int setup(void **state)
{
	(void)state;
	rt = new_runtime(NULL);
	add_hook(rt, &hook, "h", TENON_CHAIN_LAST, 0);
	map = tenon_map_new(rt, BPF_MAP_TYPE_ARRAY, "m", 4, 8, 1, NULL);
	obj = open_text(rt, "h", 0, &map, 1, COUNT, NULL);
	if (!obj || tenon_object_load(obj))
		fail_msg("%s", tenon_last_error()->msg);
	link_ = tenon_program_attach(first_program(obj), NULL);
	return link_ ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	return tenon_link_destroy(link_) || tenon_runtime_free(rt);
}

static uint64_t fire(void)
{
	struct test_ctx ctx = { 0 };

	return tenon_hook_fire(&hook, &ctx);
}

/* The child's exit status; it reports by it. */
static int in_child(int (*fn)(void))
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(fn());
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int child_works(void)
{
	uint32_t key = 0;
	uint64_t value = 0;

	if (fire() != 2 || fire() != 3)
		return 1;
	if (tenon_map_lookup_elem(map, &key, 4, &value, 8, 0) || value != 3)
		return 2;
	value = 1000;
	if (tenon_map_update_elem(map, &key, 4, &value, 8, 0) || fire() != 1001)
		return 3;
	if (tenon_link_destroy(link_) || tenon_hook_armed(&hook))
		return 4;
	link_ = tenon_program_attach(first_program(obj), NULL);
	if (!link_ || fire() != 1002 || tenon_link_destroy(link_))
		return 5;
	if (tenon_object_close(obj) || tenon_runtime_free(rt))
		return 6;
	return 0;
}

static void child_runs_changes_and_detaches_unseen_by_the_parent(void **state)
{
	(void)state;
	assert_int_equal(fire(), 1);
	assert_int_equal(in_child(child_works), 0);
	assert_true(tenon_hook_armed(&hook));
	assert_int_equal(fire(), 2);
}

/* Make the page writable and put a `ret` of another value there: x86's code, else any bytes. */
static int child_patches_code(void)
{
	const struct tn_prog *prog = first_program(obj)->prog;
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	unsigned char *code, *start;

	if (!prog->code)
		return 77;
	code = prog->code->base + prog->code_off;
	start = (unsigned char *)((uintptr_t)code & ~(page - 1));
	if (mprotect(start, page, PROT_READ | PROT_WRITE | PROT_EXEC))
		return 77; /* refused: all the better */
	memset(code, 0xcc, 1);
	return code[0] == 0xcc ? 0 : 1;
}

static void child_cannot_change_the_parents_code(void **state)
{
	int status;

	(void)state;
	assert_int_equal(fire(), 1);
	status = in_child(child_patches_code);
	assert_true(status == 0 || status == 77);
	assert_int_equal(fire(), 2);
}

/* ---- Threads that are in the middle of things ---- */

static _Atomic int stop;

static void *fire_on(void *arg)
{
	(void)arg;
	while (!atomic_load(&stop))
		fire();
	return NULL;
}

static void *attach_on(void *arg)
{
	(void)arg;
	while (!atomic_load(&stop)) {
		struct tenon_link *l = tenon_program_attach(first_program(obj), NULL);

		tenon_link_detach(l);
	}
	return NULL;
}

static int child_goes_on(void)
{
	uint64_t first = fire();

	if (fire() <= first)
		return 1;
	return tenon_link_destroy(link_) ? 2 : 0;
}

static void fork_while_threads_fire_and_attach_leaves_a_working_child(void **state)
{
	pthread_t threads[2];
	int i;

	(void)state;
	atomic_store(&stop, 0);
	assert_int_equal(pthread_create(&threads[0], NULL, fire_on, NULL), 0);
	assert_int_equal(pthread_create(&threads[1], NULL, attach_on, NULL), 0);
	for (i = 0; i < 30; i++)
		assert_int_equal(in_child(child_goes_on), 0);
	atomic_store(&stop, 1);
	for (i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	assert_true(fire() > 0);
}

/* ---- Ring buffers ---- */

#define EMIT                      \
	"r1 = 7\n"                \
	"*(u64 *)(r10 -8) = r1\n" \
	"r1 = map[0] ll\n"        \
	"r2 = r10\nr2 += -8\n"    \
	"r3 = 8\nr4 = 0\n"        \
	"call 130\n"              \
	"exit\n"

static struct tenon_ring_buffer *rb;
static int sync_fds[2];

static int take_sample(void *user, void *data, size_t size)
{
	(void)user, (void)data;
	return size == 8 ? 0 : -1;
}

static bool is_readable(void)
{
	struct pollfd pfd = { .fd = tenon_ring_buffer_fd(rb), .events = POLLIN };

	return poll(&pfd, 1, 0) == 1;
}

/* The parent fires once, and only once, before it closes its end of the pipe. */
static int child_has_wakeups_of_its_own(void)
{
	char c;

	if (tenon_ring_buffer_poll(rb, 0) || is_readable())
		return 1;
	close(sync_fds[1]);
	if (read(sync_fds[0], &c, 1) != 0 || is_readable())
		return 2;
	fire();
	if (!is_readable() || tenon_ring_buffer_poll(rb, -1) != 1 || is_readable())
		return 3;
	tenon_ring_buffer_free(rb);
	return 0;
}

static int child_frees_the_consumer(void)
{
	int number = tenon_ring_buffer_fd(rb);

	tenon_ring_buffer_free(rb);
	return close(number) ? 0 : 1;
}

static void ring_buffer_wakes_the_process_that_produced(void **state)
{
	struct tenon_map *ring = tenon_map_new(rt, BPF_MAP_TYPE_RINGBUF, "r", 0, 0, 4096, NULL);
	struct tenon_object *emitter = open_text(rt, "h", 0, &ring, 1, EMIT, NULL);
	int status, number;
	pid_t pid;

	(void)state;
	assert_non_null(emitter);
	assert_ok(tenon_object_load(emitter));
	assert_ok(tenon_object_attach(emitter));
	rb = tenon_ring_buffer_new(ring, take_sample, NULL);
	assert_non_null(rb);
	number = tenon_ring_buffer_fd(rb);
	assert_int_equal(tenon_ring_buffer_poll(rb, 0), 0);
	assert_int_equal(pipe(sync_fds), 0);
	pid = fork();
	if (pid == 0)
		_exit(child_has_wakeups_of_its_own());
	fire();
	close(sync_fds[0]);
	close(sync_fds[1]);
	assert_true(is_readable());
	assert_int_equal(tenon_ring_buffer_poll(rb, -1), 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	/* The child fired too, and freed its consumer. */
	assert_false(is_readable());
	assert_int_equal(tenon_ring_buffer_fd(rb), number);
	assert_int_equal(in_child(child_frees_the_consumer), 0);
	fire();
	assert_true(is_readable());
	assert_int_equal(tenon_ring_buffer_poll(rb, -1), 1);
	tenon_ring_buffer_free(rb);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(child_runs_changes_and_detaches_unseen_by_the_parent),
		TEST(child_cannot_change_the_parents_code),
		TEST(fork_while_threads_fire_and_attach_leaves_a_working_child),
		TEST(ring_buffer_wakes_the_process_that_produced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
