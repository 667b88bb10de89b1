/* SPDX-License-Identifier: MIT */
#include "base/testing.h"
#include "base/seccomp.h"

#include <sys/mman.h>

#include "base/err.h"
#include "base/pages.h"

static struct tn_rt rt;

static int make_rt(void **state)
{
	(void)state;
	return tn_rt_init(&rt, NULL);
}

static int drop_rt(void **state)
{
	(void)state;
	tn_rt_fini(&rt);
	return 0;
}

/* mov eax, n; ret - or its like. The constant's low byte is at CODE_BYTE. */
#if defined(__x86_64__)
#define CODE_BYTE 1
static const unsigned char code_7[] = { 0xb8, 7, 0, 0, 0, 0xc3 };
static const unsigned char value_9[] = { 9 };
#elif defined(__aarch64__)
#define CODE_BYTE 0
static const unsigned char code_7[] = { 0xe0, 0x00, 0x80, 0x52, 0xc0, 0x03, 0x5f, 0xd6 };
static const unsigned char value_9[] = { 0x20, 0x01, 0x80, 0x52 };
#endif

static int call(const struct tn_code *code)
{
	int (*fn)(void);

	memcpy(&fn, &code->base, sizeof(fn));
	return fn();
}

static void make_code(struct tn_code *code)
{
	assert_int_equal(tn_code_alloc(&rt, sizeof(code_7), code), 0);
	memcpy(code->base, code_7, sizeof(code_7));
	assert_int_equal(tn_code_seal(&rt, code), 0);
}

static void data_pages_are_zero_and_discarded_to_zero(void **state)
{
	size_t size = 3 * tn_page_size() - 5;
	unsigned char *p = tn_pages_alloc(&rt, size);

	(void)state;
	assert_non_null(p);
	assert_int_equal(p[size], 0);
	memset(p, 1, size);
	tn_pages_discard(p, size);
	assert_int_equal(p[0], 0);
	assert_int_equal(p[size - 1], 0);
	tn_pages_free(p, size);
}

static void data_pages_fail_by_injection_and_by_size(void **state)
{
	(void)state;
	tn_store_relaxed(&rt.mem.fail_after, 1);
	assert_null(tn_pages_alloc(&rt, 1));
	assert_null(tn_pages_alloc(&rt, SIZE_MAX - 1));
	assert_null(tn_pages_alloc(&rt, 0));
}

/* Sizes around those that get huge pages: aligned to them, and given back whole. */
static void table_pages_are_zero_and_aligned_where_large(void **state)
{
	static const size_t sizes[] = { 1, TN_HUGE_PAGE_BYTES - 1, TN_HUGE_PAGE_BYTES,
					TN_HUGE_PAGE_BYTES + 1, 5 * TN_HUGE_PAGE_BYTES + 4097 };

	(void)state;
	for (size_t i = 0; i < TN_ARRAY_SIZE(sizes); i++) {
		unsigned char *p = tn_pages_alloc_table(&rt, sizes[i]);

		assert_non_null(p);
		if (sizes[i] >= TN_HUGE_PAGE_BYTES - 1)
			assert_int_equal((uintptr_t)p % TN_HUGE_PAGE_BYTES, 0);
		assert_int_equal(p[0] + p[sizes[i] - 1], 0);
		memset(p, 1, sizes[i]);
		tn_pages_free(p, sizes[i]);
	}
	assert_null(tn_pages_alloc_table(&rt, SIZE_MAX - 1));
	assert_null(tn_pages_alloc_table(&rt, SIZE_MAX - TN_HUGE_PAGE_BYTES));
	tn_store_relaxed(&rt.mem.fail_after, 1);
	assert_null(tn_pages_alloc_table(&rt, 2 * TN_HUGE_PAGE_BYTES));
}

static int write_to(void *p)
{
	*(volatile char *)p = 1;
	return 0;
}

static void read_only_pages_refuse_writes(void **state)
{
	char *p = tn_pages_alloc(&rt, 1);

	(void)state;
	assert_int_equal(tn_pages_protect_read(p, 1), 0);
	assert_int_not_equal(in_child(write_to, p), 0);
	assert_int_equal(p[0], 0);
	tn_pages_free(p, 1);
}

static void code_is_written_sealed_and_runs(void **state)
{
	struct tn_code code;

	(void)state;
	assert_int_equal(tn_code_probe(), 0);
	make_code(&code);
	assert_int_equal(call(&code), 7);
	assert_int_not_equal(in_child(write_to, code.base), 0);
	tn_code_free(&rt, &code);
	assert_int_equal(tn_load_relaxed(&rt.mem.bytes[TN_CHARGE_CODE]), 0);
}

static void code_alloc_keeps_to_the_limit(void **state)
{
	struct tn_code code;

	(void)state;
	rt.mem.limit[TN_CHARGE_CODE] = tn_page_size();
	assert_int_equal(tn_code_alloc(&rt, tn_page_size() + 1, &code), -E2BIG);
	assert_null(code.base);
	assert_int_equal(tn_code_alloc(&rt, 1, &code), 0);
	tn_code_free(&rt, &code);
	tn_store_relaxed(&rt.mem.fail_after, 1);
	assert_int_equal(tn_code_alloc(&rt, 1, &code), -ENOMEM);
	assert_int_equal(tn_load_relaxed(&rt.mem.bytes[TN_CHARGE_CODE]), 0);
}

static void patched_code_runs_the_new_bytes(void **state)
{
	struct tn_code code;

	(void)state;
	make_code(&code);
	assert_int_equal(tn_code_patch(&code, CODE_BYTE, value_9, sizeof(value_9)), 0);
	assert_int_equal(tn_code_sync(), 0);
	assert_int_equal(call(&code), 9);
	assert_int_equal(tn_code_patch(&code, code.size, value_9, 1), -EINVAL);
	tn_code_free(&rt, &code);
}

static int patch_and_call(void *arg)
{
	struct tn_code *code = arg;

	if (tn_code_patch(code, CODE_BYTE, value_9, sizeof(value_9)))
		return 1;
	return call(code) == 9 ? 0 : 2;
}

static void patch_in_child_leaves_the_parent_alone(void **state)
{
	struct tn_code code;

	(void)state;
	make_code(&code);
	assert_int_equal(in_child(patch_and_call, &code), 0);
	assert_int_equal(call(&code), 7);
	tn_code_free(&rt, &code);
}

/* Even with its pages made writable, a child changes its own copy. */
static int unprotect_and_write(void *arg)
{
	struct tn_code *code = arg;

	if (mprotect(code->base, code->size, PROT_READ | PROT_WRITE))
		return 1;
	memset(code->base, 0xff, code->size);
	return 0;
}

static void writable_code_in_child_leaves_the_parent_alone(void **state)
{
	struct tn_code code;

	(void)state;
	make_code(&code);
	assert_int_equal(in_child(unprotect_and_write, &code), 0);
	assert_int_equal(call(&code), 7);
	tn_code_free(&rt, &code);
}

static int code_under_seccomp(void *arg)
{
	struct tn_code code;

	(void)arg;
	if (refuse_syscall(SYS_mprotect, PROT_EXEC, EPERM))
		return 77;
	if (tn_code_alloc(&rt, 1, &code))
		return 1;
	if (tn_code_seal(&rt, &code) != -EPERM || code.sealed)
		return 2;
	tn_code_free(&rt, &code);
	return 0;
}

static void seal_names_the_reason_under_seccomp(void **state)
{
	int result = in_child(code_under_seccomp, NULL);

	(void)state;
	if (result == 77) {
		print_message("seccomp filters are refused here\n");
		skip();
	}
	assert_int_equal(result, 0);
}

static int probe_under_seccomp(void *arg)
{
	(void)arg;
	if (refuse_syscall(SYS_mprotect, PROT_EXEC, EACCES))
		return 77;
	if (tn_code_probe() != -EACCES)
		return 1;
	return strstr(tn_err_last()->msg, "mprotect(PROT_EXEC)") &&
			       strstr(tn_err_last()->msg, "execmem")
		       ? 0
		       : 2;
}

static void probe_names_the_reason_under_seccomp(void **state)
{
	int result = in_child(probe_under_seccomp, NULL);

	(void)state;
	if (result == 77) {
		print_message("seccomp filters are refused here\n");
		skip();
	}
	assert_int_equal(result, 0);
}

static int patch_under_seccomp(void *arg)
{
	if (refuse_syscall(SYS_openat, 0, EACCES))
		return 77;
	return tn_code_patch(arg, CODE_BYTE, value_9, sizeof(value_9)) == -EACCES ? 0 : 1;
}

static void patch_reports_refused_proc_self_mem(void **state)
{
	struct tn_code code;
	int result;

	(void)state;
	make_code(&code);
	result = in_child(patch_under_seccomp, &code);
	tn_code_free(&rt, &code);
	if (result == 77) {
		print_message("seccomp filters are refused here\n");
		skip();
	}
	assert_int_equal(result, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		/* First: a probe that succeeded is remembered, in children too. */
		cmocka_unit_test(probe_names_the_reason_under_seccomp),
		cmocka_unit_test_setup_teardown(data_pages_are_zero_and_discarded_to_zero, make_rt,
						drop_rt),
		cmocka_unit_test_setup_teardown(table_pages_are_zero_and_aligned_where_large,
						make_rt, drop_rt),
		cmocka_unit_test_setup_teardown(data_pages_fail_by_injection_and_by_size, make_rt,
						drop_rt),
		cmocka_unit_test_setup_teardown(read_only_pages_refuse_writes, make_rt, drop_rt),
		cmocka_unit_test_setup_teardown(code_is_written_sealed_and_runs, make_rt, drop_rt),
		cmocka_unit_test_setup_teardown(code_alloc_keeps_to_the_limit, make_rt, drop_rt),
		cmocka_unit_test_setup_teardown(patched_code_runs_the_new_bytes, make_rt, drop_rt),
		cmocka_unit_test_setup_teardown(patch_in_child_leaves_the_parent_alone, make_rt,
						drop_rt),
		cmocka_unit_test_setup_teardown(writable_code_in_child_leaves_the_parent_alone,
						make_rt, drop_rt),
		cmocka_unit_test_setup_teardown(seal_names_the_reason_under_seccomp, make_rt,
						drop_rt),
		cmocka_unit_test_setup_teardown(patch_reports_refused_proc_self_mem, make_rt,
						drop_rt),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
