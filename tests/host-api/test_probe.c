/* SPDX-License-Identifier: MIT */
/* Reads through untrusted pointers: on both engines, with the fault handler and without. What is
 * done to signals is done in children. */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "probe.h"

#define PAGE ((size_t)4096)

static struct node nodes[3];

static int setup(void **state)
{
	(void)state;
	memset(nodes, 0, sizeof(nodes));
	nodes[0] = (struct node){ .id = 0x1122334455667788,
				  .tiny = -2,
				  .kind = 200,
				  .small = -300,
				  .number = -70000,
				  .next = &nodes[1],
				  .label = "first" };
	nodes[1] = (struct node){ .id = 2, .next = &nodes[2] };
	nodes[2] = (struct node){ .id = 3, .number = 33 };
	return 0;
}

/* The same from every engine and way. */
static void expect(const char *text, void *node, uint64_t want)
{
	for (int way = 0; way < PROBE_WAYS; way++) {
		struct probe p;
		uint64_t r0;

		probe_open(&p, way, text);
		r0 = probe_run(&p, node);
		if (r0 != want)
			fail_msg("way %d, %p: %#llx, expected %#llx", way, node,
				 (unsigned long long)r0, (unsigned long long)want);
		probe_close(&p);
	}
}

static void load_gives_what_is_there(void **state)
{
	(void)state;
	expect("r1 = *(u64 *)(r1 +0)\nr0 = *(u64 *)(r1 +0)\nexit\n", nodes, nodes[0].id);
	expect("r1 = *(u64 *)(r1 +0)\nr0 = *(u32 *)(r1 +4)\nexit\n", nodes, 0x11223344);
	expect("r1 = *(u64 *)(r1 +0)\nr0 = *(u16 *)(r1 +2)\nexit\n", nodes, 0x5566);
	expect("r1 = *(u64 *)(r1 +0)\nr0 = *(u8 *)(r1 +9)\nexit\n", nodes, 200);
	expect("r1 = *(u64 *)(r1 +0)\nr0 = *(u8 *)(r1 +8)\nexit\n", nodes, 254);
	expect("r1 = *(u64 *)(r1 +0)\nr0 = *(s8 *)(r1 +8)\nexit\n", nodes, (uint64_t)-2);
	expect("r1 = *(u64 *)(r1 +0)\nr0 = *(s16 *)(r1 +10)\nexit\n", nodes, (uint64_t)-300);
	expect("r1 = *(u64 *)(r1 +0)\nr0 = *(s32 *)(r1 +12)\nexit\n", nodes, (uint64_t)-70000);
	expect("r1 = *(u64 *)(r1 +0)\nr0 = *(u32 *)(r1 +12)\nexit\n", nodes, (uint32_t)-70000);
}

static void load_follows_pointers(void **state)
{
	(void)state;
	expect("r1 = *(u64 *)(r1 +0)\nr1 = *(u64 *)(r1 +16)\nr1 = *(u64 *)(r1 +16)\n"
	       "r0 = *(u64 *)(r1 +0)\nexit\n",
	       nodes, 3);
	expect("r1 = *(u64 *)(r1 +0)\nr1 = *(u64 *)(r1 +16)\nr1 += 12\nr0 = *(u32 *)(r1 +0)\n"
	       "exit\n",
	       &nodes[1], 33);
}

/* id + tiny + number, all 0 where nothing is. */
#define SUM                                                                           \
	"r1 = *(u64 *)(r1 +0)\nr0 = *(u64 *)(r1 +0)\nr2 = *(s8 *)(r1 +8)\nr0 += r2\n" \
	"r2 = *(s32 *)(r1 +12)\nr0 += r2\nexit\n"

static void *pages(size_t nr, int prot)
{
	void *p = mmap(NULL, nr * PAGE, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_true(p != MAP_FAILED);
	return p;
}

static void load_is_zero_where_no_memory_is(void **state)
{
	static const uint64_t bad[] = { 0,
					1,
					8,
					4096,
					UINT64_C(1) << 47,
					UINT64_C(0x8000000000000000),
					UINT64_C(0xdeadbeefdeadbeef),
					UINT64_C(0xffff888000000000),
					UINT64_MAX - 7,
					UINT64_MAX };
	char *none = pages(1, PROT_NONE);

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		expect(SUM, (void *)(uintptr_t)bad[i], 0);
	expect(SUM, none + 64, 0);
	munmap(none, PAGE);
}

static void pointer_that_became_stale_reads_zero(void **state)
{
	(void)state;
	for (int way = 0; way < PROBE_WAYS; way++) {
		struct node *n;
		struct probe p;

		probe_open(&p, way, SUM);
		n = pages(1, PROT_READ | PROT_WRITE);
		*n = nodes[2];
		assert_int_equal(probe_run(&p, n), 36);
		munmap(n, PAGE);
		assert_int_equal(probe_run(&p, n), 0);
		probe_close(&p);
	}
}

static void load_across_the_end_is_zero(void **state)
{
	unsigned char *p = pages(2, PROT_READ | PROT_WRITE);
	const char *text = "r1 = *(u64 *)(r1 +0)\nr0 = *(u64 *)(r1 +0)\nexit\n";

	(void)state;
	memset(p, 0xff, PAGE);
	assert_int_equal(mprotect(p + PAGE, PAGE, PROT_NONE), 0);
	expect(text, p + PAGE - 8, UINT64_MAX);
	for (int i = 1; i < 8; i++)
		expect(text, p + PAGE - i, 0);
	expect("r1 = *(u64 *)(r1 +0)\nr0 = *(u8 *)(r1 +7)\nexit\n", p + PAGE - 8, 255);
	munmap(p, 2 * PAGE);
}

static void load_beyond_the_end_of_a_file_is_zero(void **state)
{
	char name[] = "/tmp/tenon-probe-XXXXXX";
	int fd = mkstemp(name);
	char *p;

	(void)state;
	assert_true(fd >= 0);
	unlink(name);
	assert_int_equal(ftruncate(fd, (off_t)(2 * PAGE)), 0);
	p = mmap(NULL, 2 * PAGE, PROT_READ, MAP_SHARED, fd, 0);
	assert_true(p != MAP_FAILED);
	assert_int_equal(ftruncate(fd, (off_t)PAGE), 0);
	expect(SUM, p + PAGE, 0); /* SIGBUS */
	munmap(p, 2 * PAGE);
	close(fd);
}

static void fault_leaves_other_registers_alone(void **state)
{
	static const char *const loads[] = { "r3 = *(u64 *)(r1 +0)\n", "r8 = *(s16 *)(r1 +10)\n",
					     "r5 = *(u8 *)(r1 +9)\n", "r0 = *(u32 *)(r1 +12)\n" };

	(void)state;
	/* The register that is loaded counts twice what it held. */
	for (size_t i = 0; i < sizeof(loads) / sizeof(loads[0]); i++) {
		static const uint64_t held[] = { 1 << 3, 1 << 8, 1 << 5, 1 << 0 };
		char text[800];

		snprintf(text, sizeof(text),
			 "r1 = *(u64 *)(r1 +0)\nr0 = 1\nr2 = 4\nr3 = 8\nr4 = 16\nr5 = 32\nr6 = 64\n"
			 "r7 = 128\nr8 = 256\nr9 = 512\n%s"
			 "r0 += r2\nr0 += r3\nr0 += r4\nr0 += r5\nr0 += r6\nr0 += r7\nr0 += r8\n"
			 "r0 += r9\nexit\n",
			 loads[i]);
		expect(text, NULL, 1021 - held[i]);
	}
}

static void load_into_its_own_pointer_is_zero(void **state)
{
	(void)state;
	expect("r0 = *(u64 *)(r1 +0)\nr0 = *(u64 *)(r0 +0)\nexit\n", NULL, 0);
	expect("r0 = *(u64 *)(r1 +0)\nr0 = *(u64 *)(r0 +0)\nexit\n", &nodes[2], 3);
}

static void null_needs_no_test_and_may_have_one(void **state)
{
	const char *text =
		"r1 = *(u64 *)(r1 +0)\nif r1 == 0 goto none\nr0 = *(u64 *)(r1 +0)\nexit\n"
		"none:\nr0 = 77\nexit\n";

	(void)state;
	expect(text, NULL, 77);
	expect(text, &nodes[1], 2);
}

static void loop_walks_a_list_to_its_end(void **state)
{
	(void)state;
	expect("r6 = *(u64 *)(r1 +0)\nr7 = 0\nr8 = 0\nagain:\nif r6 == 0 goto out\n"
	       "r1 = *(u64 *)(r6 +0)\nr7 += r1\nr6 = *(u64 *)(r6 +16)\nr8 += 1\n"
	       "if r8 < 100 goto again\nout:\nr0 = r7\nexit\n",
	       &nodes[1], 5);
}

static void call_keeps_what_was_read(void **state)
{
	(void)state;
	expect("r6 = *(u64 *)(r1 +0)\ncall 8\nr0 = *(u64 *)(r6 +0)\nexit\n", &nodes[1], 2);
	expect("r6 = *(u64 *)(r1 +0)\ncall 8\nr0 = *(u64 *)(r6 +0)\nexit\n", NULL, 0);
}

/* ---- Helpers that read ---- */

static void probe_read_reads_numbers(void **state)
{
	const char *text =
		"r3 = *(u64 *)(r1 +0)\nr3 += 8\nr1 = r10\nr1 += -8\nr2 = 8\n"
		"call probe_read_kernel\nr6 = r0\nr0 = *(s32 *)(r10 -4)\nr0 += r6\nexit\n";

	(void)state;
	expect(text, nodes, (uint64_t)-70000);
	expect(text, NULL, (uint64_t)-EFAULT);
}

static void probe_read_reads_pointers_into_the_stack(void **state)
{
	const char *text = "r3 = *(u64 *)(r1 +0)\nr3 += 16\nr1 = r10\nr1 += -8\nr2 = 8\n"
			   "call probe_read_kernel\nr1 = *(u64 *)(r10 -8)\nr0 = *(u64 *)(r1 +0)\n"
			   "exit\n";

	(void)state;
	expect(text, &nodes[0], 2);
	expect(text, &nodes[1], 3);
	expect(text, &nodes[2], 0);
	expect(text, (void *)(uintptr_t)0xdead0000beef0000, 0);
}

static void probe_read_str_reads_strings(void **state)
{
	const char *text = "r3 = *(u64 *)(r1 +0)\nr3 = *(u64 *)(r3 +24)\nr1 = r10\nr1 += -16\n"
			   "r2 = 16\ncall probe_read_kernel_str\nr6 = *(u8 *)(r10 -15)\n"
			   "r6 <<= 8\nr0 += r6\nexit\n";

	(void)state;
	expect(text, nodes, 6 + ('i' << 8));
	expect(text, &nodes[1], (uint64_t)-EFAULT);
}

/* ---- Refusals and the description ---- */

static void refused(const char *text, const char *words)
{
	struct tenon_runtime *rt = probe_runtime(0);
	struct tenon_object *obj = open_text(rt, "probe", 0, NULL, 0, text, NULL);

	assert_non_null(obj);
	assert_int_equal(tenon_object_load(obj), -EACCES);
	assert_words(words);
	assert_ok(tenon_runtime_free(rt));
}

static void untrusted_is_given_to_no_helper(void **state)
{
	(void)state;
	refused("r1 = *(u64 *)(r1 +0)\ncall 900\nr0 = 0\nexit\n",
		"must be a trusted handle of type node");
	refused("r1 = *(u64 *)(r1 +8)\nr1 = *(u64 *)(r1 +16)\ncall 900\nr0 = 0\nexit\n",
		"must be a trusted handle of type node");
}

static void result_declared_untrusted_is(void **state)
{
	(void)state;
	expect("call 901\nr0 = *(u64 *)(r0 +0)\nexit\n", NULL, 0);
	refused("call 901\nr1 = r0\ncall 900\nr0 = 0\nexit\n",
		"must be a trusted handle of type node");
}

static void description_keeps_what_is_untrusted(void **state)
{
	char name[] = "/tmp/tenon-probe-XXXXXX";
	int fd = mkstemp(name);
	struct tenon_runtime *rt = probe_runtime(0), *other = new_runtime(NULL);
	struct tenon_object *obj;

	(void)state;
	close(fd);
	assert_ok(tenon_runtime_describe(rt, name));
	assert_ok(tenon_runtime_add_description(other, name));
	unlink(name);
	obj = open_text(other, "probe", 0, NULL, 0, "r1 = *(u64 *)(r1 +0)\ncall 900\nexit\n", NULL);
	assert_non_null(obj);
	assert_int_equal(tenon_object_verify(obj), -EACCES);
	assert_words("must be a trusted handle of type node");
	assert_ok(tenon_runtime_free(other));
	assert_ok(tenon_runtime_free(rt));
}

static void untrusted_is_for_handles(void **state)
{
	static const struct tenon_field field = { .name = "x",
						  .size = 8,
						  .kind = TENON_FIELD_SCALAR,
						  .access = TENON_R | TENON_UNTRUSTED };
	struct tenon_struct_type type = { .sz = sizeof(type),
					  .name = "bad",
					  .size = 8,
					  .fields = &field,
					  .nr_fields = 1,
					  .field_size = sizeof(field) };
	struct tenon_runtime *rt = new_runtime(NULL);

	(void)state;
	assert_int_equal(tenon_runtime_add_struct(rt, &type), -EINVAL);
	assert_words("TENON_UNTRUSTED is for handles");
	assert_ok(tenon_runtime_free(rt));
}

/* ---- Threads ---- */

static struct probe shared;
static char *volatile flicker; /* a page that comes and goes */
static _Atomic int stop;

static void *read_often(void *arg)
{
	uint64_t wrong = 0;

	(void)arg;
	for (int i = 0; i < 2000; i++) {
		wrong += probe_run(&shared, NULL) != 0;
		wrong += probe_run(&shared, &nodes[2]) != 36;
		wrong += probe_run(&shared, flicker) != 0;
	}
	return (void *)(uintptr_t)wrong;
}

static void *come_and_go(void *arg)
{
	(void)arg;
	while (!tn_load_relaxed(&stop)) {
		mprotect(flicker, PAGE, PROT_NONE);
		mprotect(flicker, PAGE, PROT_READ);
	}
	return NULL;
}

static void threads_fault_at_the_same_time(void **state)
{
	(void)state;
	flicker = pages(1, PROT_READ);
	for (int way = 0; way < PROBE_WAYS; way++) {
		pthread_t readers[3], other;
		void *wrong;

		stop = 0;
		probe_open(&shared, way, SUM);
		pthread_create(&other, NULL, come_and_go, NULL);
		for (int i = 0; i < 3; i++)
			pthread_create(&readers[i], NULL, read_often, NULL);
		for (int i = 0; i < 3; i++) {
			pthread_join(readers[i], &wrong);
			assert_null(wrong);
		}
		tn_store_relaxed(&stop, 1);
		pthread_join(other, NULL);
		probe_close(&shared);
	}
	munmap(flicker, PAGE);
}

static void *read_once(void *arg)
{
	(void)arg;
	return (void *)(uintptr_t)(probe_run(&shared, NULL) + probe_run(&shared, &nodes[2]));
}

static void thread_that_began_with_all_signals_blocked_reads(void **state)
{
	sigset_t all, before;

	(void)state;
	sigfillset(&all);
	for (int way = 0; way < PROBE_WAYS; way++) {
		pthread_t t;
		void *sum;

		probe_open(&shared, way, SUM);
		pthread_sigmask(SIG_SETMASK, &all, &before);
		pthread_create(&t, NULL, read_once, NULL);
		pthread_sigmask(SIG_SETMASK, &before, NULL);
		pthread_join(t, &sum);
		assert_int_equal((uintptr_t)sum, 36);
		probe_close(&shared);
	}
}

/* Code comes and goes while others fault in theirs. */
static void code_is_loaded_while_others_fault(void **state)
{
	pthread_t readers[2];
	void *wrong;

	(void)state;
	flicker = (char *)16;
	probe_open(&shared, PROBE_HANDLER_JIT, SUM);
	for (int i = 0; i < 2; i++)
		pthread_create(&readers[i], NULL, read_often, NULL);
	for (int i = 0; i < 40; i++) {
		struct probe p[4];

		for (int j = 0; j < 4; j++)
			probe_open(&p[j], PROBE_HANDLER_JIT, SUM);
		for (int j = 0; j < 4; j++) {
			assert_int_equal(probe_run(&p[j], NULL), 0);
			probe_close(&p[j]);
		}
	}
	for (int i = 0; i < 2; i++) {
		pthread_join(readers[i], &wrong);
		assert_null(wrong);
	}
	probe_close(&shared);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(load_gives_what_is_there, setup),
		cmocka_unit_test_setup(load_follows_pointers, setup),
		cmocka_unit_test_setup(load_is_zero_where_no_memory_is, setup),
		cmocka_unit_test_setup(pointer_that_became_stale_reads_zero, setup),
		cmocka_unit_test_setup(load_across_the_end_is_zero, setup),
		cmocka_unit_test_setup(load_beyond_the_end_of_a_file_is_zero, setup),
		cmocka_unit_test_setup(fault_leaves_other_registers_alone, setup),
		cmocka_unit_test_setup(load_into_its_own_pointer_is_zero, setup),
		cmocka_unit_test_setup(null_needs_no_test_and_may_have_one, setup),
		cmocka_unit_test_setup(loop_walks_a_list_to_its_end, setup),
		cmocka_unit_test_setup(call_keeps_what_was_read, setup),
		cmocka_unit_test_setup(probe_read_reads_numbers, setup),
		cmocka_unit_test_setup(probe_read_reads_pointers_into_the_stack, setup),
		cmocka_unit_test_setup(probe_read_str_reads_strings, setup),
		cmocka_unit_test_setup(untrusted_is_given_to_no_helper, setup),
		cmocka_unit_test_setup(result_declared_untrusted_is, setup),
		cmocka_unit_test_setup(description_keeps_what_is_untrusted, setup),
		cmocka_unit_test_setup(untrusted_is_for_handles, setup),
		cmocka_unit_test_setup(threads_fault_at_the_same_time, setup),
		cmocka_unit_test_setup(thread_that_began_with_all_signals_blocked_reads, setup),
		cmocka_unit_test_setup(code_is_loaded_while_others_fault, setup),
	};

	return cmocka_run_group_tests_name("host-api/probe", tests, NULL, NULL);
}
