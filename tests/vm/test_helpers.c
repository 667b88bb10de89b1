/* SPDX-License-Identifier: MIT */
#include "vm/testing.h"

#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "maps/map.h"
#include "vm/helpers.h"

static uint64_t call(struct tn_exec *ex, uint32_t id, uint64_t r1, uint64_t r2, uint64_t r3,
		     uint64_t r4, uint64_t r5)
{
	return tn_helper_by_id(id)->fn(r1, r2, r3, r4, r5, ex);
}

#define P(x) ((uintptr_t)(x))

static void table_is_consistent(void **state)
{
	const struct tn_helper *prev = NULL;
	uint32_t nr = 0;

	(void)state;
	for (const struct tn_helper *h = tn_helper_next(NULL); h; h = tn_helper_next(h), nr++) {
		assert_ptr_equal(tn_helper_by_id(h->id), h);
		assert_ptr_equal(tn_helper_by_name(h->name), h);
		assert_true(!prev || prev->id < h->id);
		assert_true(h->fn || h->id == TN_HELPER_tail_call);
		assert_true(h->sig.nr_args <= TN_SIG_MAX_ARGS);
		for (uint32_t i = 0; i < h->sig.nr_args; i++) {
			uint8_t kind = h->sig.args[i].kind;

			assert_int_not_equal(kind, TN_ARG_NONE);
			/* Memory is followed by its size, a size follows memory. */
			if (kind == TN_ARG_MEM || kind == TN_ARG_WMEM)
				assert_true(h->sig.args[i + 1].kind == TN_ARG_SIZE ||
					    h->sig.args[i + 1].kind == TN_ARG_SIZE_OR_ZERO);
		}
		prev = h;
	}
	assert_true(nr >= 24);
	assert_null(tn_helper_by_id(0));
	assert_null(tn_helper_by_id(52));
	assert_null(tn_helper_by_id(UINT32_MAX));
	assert_null(tn_helper_by_name("bpf_loop"));
}

static void map_helpers_reach_the_slot_of_the_firing(void **state)
{
	struct tn_rt *rt = *state;
	const struct tn_map_attr attr = { .type = TN_MAP_PERCPU_ARRAY,
					  .key_size = 4,
					  .value_size = 8,
					  .max_entries = 2,
					  .name = "m" };
	struct tn_map *map = tn_map_create(rt, &attr);
	struct tn_exec ex = { .rt = rt, .thread = tn_thread_self() };
	uint32_t key = 1;
	uint64_t value = 42, *found;

	assert_non_null(map);
	tn_epoch_enter(ex.thread);
	ex.slot = tn_slot(rt, ex.thread);
	assert_int_equal(call(&ex, TN_HELPER_map_update_elem, P(map), P(&key), P(&value), 0, 0), 0);
	found = (uint64_t *)call(&ex, TN_HELPER_map_lookup_elem, P(map), P(&key), 0, 0, 0);
	assert_non_null(found);
	assert_int_equal(*found, 42);
	assert_int_equal((int64_t)call(&ex, TN_HELPER_map_delete_elem, P(map), P(&key), 0, 0, 0),
			 -EINVAL);
	key = 2;
	assert_int_equal(call(&ex, TN_HELPER_map_lookup_elem, P(map), P(&key), 0, 0, 0), 0);
	assert_int_equal(call(&ex, TN_HELPER_get_smp_processor_id, 0, 0, 0, 0, 0), ex.slot);
	tn_epoch_leave(ex.thread);
	tn_map_put(map);
	assert_int_equal(tn_epoch_drain(), 0);
}

static void identity_helpers_tell_who_runs(void **state)
{
	struct tn_exec ex = { .rt = *state, .cookie = 0x1234 };
	char comm[16] = "", small[4];
	uint64_t id = call(&ex, TN_HELPER_get_current_pid_tgid, 0, 0, 0, 0, 0);

	assert_int_equal(id >> 32, getpid());
	assert_int_equal((uint32_t)id, syscall(SYS_gettid));
	id = call(&ex, TN_HELPER_get_current_uid_gid, 0, 0, 0, 0, 0);
	assert_int_equal(id >> 32, getgid());
	assert_int_equal((uint32_t)id, getuid());
	prctl(PR_SET_NAME, "a-thread");
	assert_int_equal(call(&ex, TN_HELPER_get_current_comm, P(comm), sizeof(comm), 0, 0, 0), 0);
	assert_string_equal(comm, "a-thread");
	memset(small, 'x', sizeof(small));
	assert_int_equal(call(&ex, TN_HELPER_get_current_comm, P(small), sizeof(small), 0, 0, 0),
			 0);
	assert_string_equal(small, "a-t");
	assert_int_equal(call(&ex, TN_HELPER_get_attach_cookie, 0, 0, 0, 0, 0), 0x1234);
}

static void clocks_do_not_run_backwards(void **state)
{
	static const uint32_t ids[] = { TN_HELPER_ktime_get_ns, TN_HELPER_ktime_get_boot_ns,
					TN_HELPER_ktime_get_coarse_ns, TN_HELPER_ktime_get_tai_ns };
	struct tn_exec ex = { .rt = *state };

	for (size_t i = 0; i < TN_ARRAY_SIZE(ids); i++) {
		uint64_t first = call(&ex, ids[i], 0, 0, 0, 0, 0);

		assert_int_not_equal(first, 0);
		assert_true(call(&ex, ids[i], 0, 0, 0, 0, 0) >= first);
	}
}

static void prandom_differs_and_fits_32_bits(void **state)
{
	struct tn_exec ex = { .rt = *state };
	uint64_t all = 0, previous = 0, repeats = 0;

	for (int i = 0; i < 1000; i++) {
		uint64_t x = call(&ex, TN_HELPER_get_prandom_u32, 0, 0, 0, 0, 0);

		repeats += x == previous;
		all |= x;
		previous = x;
	}
	assert_int_equal(all, UINT32_MAX);
	assert_true(repeats < 2);
}

/* 64 bits of them: by chance they are equal once in 2^64 runs. */
static uint64_t two_numbers(struct tn_exec *ex)
{
	uint64_t high = call(ex, TN_HELPER_get_prandom_u32, 0, 0, 0, 0, 0);

	return high << 32 | call(ex, TN_HELPER_get_prandom_u32, 0, 0, 0, 0, 0);
}

static void prandom_of_a_forked_child_is_its_own(void **state)
{
	struct tn_exec ex = { .rt = *state, .thread = tn_thread_self() };
	uint64_t parent, child = 0;
	int ends[2];
	pid_t pid;

	(void)two_numbers(&ex);
	assert_int_equal(pipe(ends), 0);
	pid = fork();
	if (pid == 0) {
		child = two_numbers(&ex);
		_exit(write(ends[1], &child, sizeof(child)) != sizeof(child));
	}
	parent = two_numbers(&ex);
	assert_int_equal(read(ends[0], &child, sizeof(child)), sizeof(child));
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_true(parent != child);
	close(ends[0]);
	close(ends[1]);
}

static char printed[128];

static void keep_line(void *user, const char *line)
{
	assert_ptr_equal(user, printed);
	strncpy(printed, line, sizeof(printed) - 1);
}

static void printk_hands_finished_lines_over(void **state)
{
	/* With %s the result is the format's own length: it tells nothing of what was read. */
	static const char fmt[] = "x=%d %s\n";
	static const char plain[] = "x=%d";
	struct tn_rt *rt = *state;
	struct tn_exec ex = { .rt = rt };
	const uint64_t args[2] = { 7, P("seven") };

	assert_int_equal(call(&ex, TN_HELPER_trace_printk, P(fmt), sizeof(fmt), 5, P("five"), 0),
			 8);
	assert_string_equal(printed, ""); /* nobody listens */
	tn_helpers_set_printk(rt, keep_line, printed);
	assert_int_equal(call(&ex, TN_HELPER_trace_printk, P(fmt), sizeof(fmt), 5, P("five"), 0),
			 8);
	assert_string_equal(printed, "x=5 five");
	assert_int_equal(call(&ex, TN_HELPER_trace_vprintk, P(fmt), sizeof(fmt), P(args), 16, 0),
			 8);
	assert_string_equal(printed, "x=7 seven");
	assert_int_equal(call(&ex, TN_HELPER_trace_printk, P(plain), sizeof(plain), 1234, 0, 0), 6);
	assert_string_equal(printed, "x=1234");
	tn_helpers_set_printk(rt, NULL, NULL);
}

static void printk_refuses_bad_formats_and_arguments(void **state)
{
	static const char open_end[] = { 'a', 'b' }, many[] = "%d %d %d %d";
	struct tn_exec ex = { .rt = *state };
	char big[600] = "";

	assert_int_equal((int64_t)call(&ex, TN_HELPER_trace_printk, P(open_end), 2, 0, 0, 0),
			 -EINVAL);
	assert_int_equal((int64_t)call(&ex, TN_HELPER_trace_printk, P(many), sizeof(many), 0, 0, 0),
			 -EINVAL);
	assert_int_equal((int64_t)call(&ex, TN_HELPER_trace_printk, P(big), sizeof(big), 0, 0, 0),
			 -E2BIG);
	assert_int_equal(
		(int64_t)call(&ex, TN_HELPER_trace_vprintk, P(many), sizeof(many), P(big), 7, 0),
		-EINVAL);
	assert_int_equal(
		(int64_t)call(&ex, TN_HELPER_trace_vprintk, P(many), sizeof(many), 0, 8, 0),
		-EINVAL);
}

/* The verifier takes the whole buffer as written. */
static void snprintf_clears_what_it_does_not_write(void **state)
{
	struct tn_exec ex = { .rt = *state };
	static const char zeroes[8];
	char out[8] = "zzzzzzz";

	assert_int_equal(call(&ex, TN_HELPER_snprintf, P(out), 8, P("a"), 0, 0), 2);
	assert_memory_equal(out, "a\0\0\0\0\0\0", 8);
	memset(out, 'z', sizeof(out));
	assert_true((int64_t)call(&ex, TN_HELPER_snprintf, P(out), 8, P("%q"), 0, 0) < 0);
	assert_memory_equal(out, zeroes, 8);
}

static void snprintf_returns_the_length_that_it_needs(void **state)
{
	struct tn_exec ex = { .rt = *state };
	const uint64_t args[1] = { 12345 };
	char out[4] = "zzz";

	assert_int_equal(call(&ex, TN_HELPER_snprintf, P(out), 4, P("%d"), P(args), 8), 6);
	assert_string_equal(out, "123");
	assert_int_equal(call(&ex, TN_HELPER_snprintf, 0, 0, P("%d"), P(args), 8), 6);
}

static void strncmp_compares_up_to_the_size(void **state)
{
	struct tn_exec ex = { .rt = *state };

	assert_int_equal(call(&ex, TN_HELPER_strncmp, P("abcX"), 3, P("abcY"), 0, 0), 0);
	assert_true((int64_t)call(&ex, TN_HELPER_strncmp, P("abcX"), 4, P("abcY"), 0, 0) < 0);
	assert_true((int64_t)call(&ex, TN_HELPER_strncmp, P("b"), 2, P("a"), 0, 0) > 0);
}

/* Expected values from Linux 6.18, by a test run of a classifier. */
static void csum_diff_gives_what_the_kernel_gives(void **state)
{
	static const uint32_t from[2] = { 0xffff0000, 0x12345678 }, to[1] = { 0x9abcdef0 };
	static const uint32_t ones[4] = { UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX };
	struct tn_exec ex = { .rt = *state };

	assert_int_equal(call(&ex, TN_HELPER_csum_diff, P(from), 8, P(to), 4, 7), 0x1108);
	assert_int_equal(call(&ex, TN_HELPER_csum_diff, P(from), 8, 0, 0, 7), 0x975a);
	assert_int_equal(call(&ex, TN_HELPER_csum_diff, 0, 0, P(to), 4, 7), 0x79b4);
	assert_int_equal(call(&ex, TN_HELPER_csum_diff, P(ones), 16, 0, 0, UINT32_MAX), 0);
	assert_int_equal((int64_t)call(&ex, TN_HELPER_csum_diff, P(from), 3, 0, 0, 0), -EINVAL);
}

static void load_bytes_copies_from_the_packet_or_clears(void **state)
{
	static unsigned char bytes[] = { 1, 2, 3, 4, 5 };
	struct tn_skb_host ctx = { .data = bytes, .data_end = bytes + 5 };
	struct tn_prog *prog = tn_prog_new(*state, "p");
	struct tn_exec ex = { .rt = *state, .prog = prog };
	unsigned char out[3] = { 9, 9, 9 };

	prog->ctx_type = tn_ctx_builtin("tc");
	assert_int_equal(call(&ex, TN_HELPER_skb_load_bytes, P(&ctx), 2, P(out), 3, 0), 0);
	assert_memory_equal(out, bytes + 2, 3);
	assert_int_equal((int64_t)call(&ex, TN_HELPER_skb_load_bytes, P(&ctx), 3, P(out), 3, 0),
			 -EFAULT);
	assert_memory_equal(out, ((unsigned char[]){ 0, 0, 0 }), 3);
	assert_int_equal(
		(int64_t)call(&ex, TN_HELPER_skb_load_bytes, P(&ctx), UINT32_MAX, P(out), 3, 0),
		-EFAULT);
	prog->ctx_type = NULL;
	assert_int_equal((int64_t)call(&ex, TN_HELPER_skb_load_bytes, P(&ctx), 0, P(out), 3, 0),
			 -EFAULT);
	tn_prog_free(prog);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(table_is_consistent),
		TEST(map_helpers_reach_the_slot_of_the_firing),
		TEST(identity_helpers_tell_who_runs),
		TEST(clocks_do_not_run_backwards),
		TEST(prandom_differs_and_fits_32_bits),
		TEST(prandom_of_a_forked_child_is_its_own),
		TEST(printk_hands_finished_lines_over),
		TEST(printk_refuses_bad_formats_and_arguments),
		TEST(snprintf_clears_what_it_does_not_write),
		TEST(snprintf_returns_the_length_that_it_needs),
		TEST(strncmp_compares_up_to_the_size),
		TEST(csum_diff_gives_what_the_kernel_gives),
		TEST(load_bytes_copies_from_the_packet_or_clears),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
