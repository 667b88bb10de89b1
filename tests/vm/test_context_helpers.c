/* SPDX-License-Identifier: MIT */
/* Helpers that ask about the context, called as the engines call them. */
#include "vm/testing.h"

#include "vm/helpers.h"
#include "vm/image.h"

struct call {
	uint64_t nr;
	const void *text;
	int64_t ret;
};

#define SLOT(n, kind_)                                                                             \
	{                                                                                          \
		.name = (char *)#n, .offset = offsetof(struct call, n), .size = 8, .host_size = 8, \
		.host_offset = offsetof(struct call, n), .kind = (kind_), .access = TN_ACC_R,      \
		.elem_size = 8, .peer = -1                                                         \
	}

static struct tn_field slots[] = { SLOT(nr, TN_FIELD_SCALAR), SLOT(text, TN_FIELD_HANDLE),
				   SLOT(ret, TN_FIELD_SCALAR) };
static const struct tn_ctx_type type = {
	.name = (char *)"call",
	.size = sizeof(struct call),
	.host_size = sizeof(struct call),
	.fields = slots,
	.nr_fields = TN_ARRAY_SIZE(slots),
	.is_args = true,
	.has_ret = true,
	.nr_args = 2,
};
static struct call call = { 42, "secret", -7 };

static int64_t run(const struct tn_ctx_type *ctx_type, uint32_t id, uint64_t r2, uint64_t r3)
{
	struct tn_prog prog = { .ctx_type = ctx_type };
	struct tn_exec ex = { .prog = &prog, .ctx = &call };

	return (int64_t)tn_helper_by_id(id)->fn((uintptr_t)&call, r2, r3, 0, 0, &ex);
}

static void arguments_are_given_by_number(void **state)
{
	uint64_t value = 1;

	(void)state;
	assert_int_equal(run(&type, TN_HELPER_get_func_arg_cnt, 0, 0), 2);
	assert_int_equal(run(&type, TN_HELPER_get_func_arg, 0, (uintptr_t)&value), 0);
	assert_int_equal(value, 42);
	assert_int_equal(run(&type, TN_HELPER_get_func_ret, (uintptr_t)&value, 0), 0);
	assert_int_equal((int64_t)value, -7);
}

static void addresses_are_not_given_as_numbers(void **state)
{
	uint64_t value = 1;

	(void)state;
	assert_int_equal(run(&type, TN_HELPER_get_func_arg, 1, (uintptr_t)&value), -EPERM);
	assert_int_equal(value, 0);
}

static void arguments_that_are_not_there_are_errors(void **state)
{
	struct tn_ctx_type none = type;
	uint64_t value = 1;

	(void)state;
	assert_int_equal(run(&type, TN_HELPER_get_func_arg, 2, (uintptr_t)&value), -EINVAL);
	assert_int_equal(value, 0);
	value = 1;
	assert_int_equal(run(&type, TN_HELPER_get_func_arg, UINT64_MAX, (uintptr_t)&value),
			 -EINVAL);
	assert_int_equal(value, 0);
	none.has_ret = false;
	value = 1;
	assert_int_equal(run(&none, TN_HELPER_get_func_ret, (uintptr_t)&value, 0), -EOPNOTSUPP);
	assert_int_equal(value, 0);
	/* A program that nobody verified has no context type. */
	assert_int_equal(run(NULL, TN_HELPER_get_func_arg, 0, (uintptr_t)&value), -EINVAL);
	assert_int_equal(run(NULL, TN_HELPER_get_func_ip, 0, 0), 0);
	assert_int_equal(run(NULL, TN_HELPER_get_retval, 0, 0), -EINVAL);
	assert_int_equal(run(NULL, TN_HELPER_set_retval, 0, 0), -EPERM);
}

static void instruction_pointer_comes_from_registers(void **state)
{
	const struct tn_ctx_type *regs = tn_ctx_builtin("pt_regs");
	struct tn_prog prog = { .ctx_type = regs };
	struct tn_exec ex = { .prog = &prog };
	uint64_t words[40] = { 0 };

	(void)state;
#ifdef __aarch64__
	words[32] = 0x1234;
#else
	words[16] = 0x1234;
#endif
	assert_int_equal(
		tn_helper_by_id(TN_HELPER_get_func_ip)->fn((uintptr_t)words, 0, 0, 0, 0, &ex),
		0x1234);
	assert_int_equal(run(&type, TN_HELPER_get_func_ip, 0, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arguments_are_given_by_number),
		cmocka_unit_test(addresses_are_not_given_as_numbers),
		cmocka_unit_test(arguments_that_are_not_there_are_errors),
		cmocka_unit_test(instruction_pointer_comes_from_registers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
