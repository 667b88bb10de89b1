/* SPDX-License-Identifier: MIT */
/* The JIT as the floor above sees it: what a failure leaves behind, sealed pages, tools. */
#include "jit/jit_test.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static int setup(void **state)
{
	*state = jit_test_new();
	return 0;
}

static int teardown(void **state)
{
	jit_test_free(*state);
	return 0;
}

#define SAMPLE                                                                                \
	MOV_K(TN_R6, 10), MOV_K(TN_R0, 0), ALU64_X(TN_ADD, TN_R0, TN_R6),                     \
		ALU64_K(TN_ADD, TN_R6, -1), JMP_K(TN_JNE, TN_R6, 0, -3), CALL_SUB(1), EXIT(), \
		ALU64_K(TN_MUL, TN_R0, 3), CALL(7), EXIT()

static void code_is_not_writable(void **state)
{
	struct jit_test *t = *state;
	unsigned long begin, end;
	char line[512], perms[8];
	bool found = false;
	FILE *maps;

	LOAD_AND_COMPILE(t, SAMPLE);
	assert_true(t->code->sealed);
	maps = fopen("/proc/self/maps", "r");
	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%lx-%lx %7s", &begin, &end, perms) != 3 ||
		    (uintptr_t)t->code->base < begin || (uintptr_t)t->code->base >= end)
			continue;
		found = true;
		assert_string_equal(perms, "r-xp");
	}
	fclose(maps);
	assert_true(found);
}

static void failed_allocation_leaves_nothing(void **state)
{
	struct jit_test *t = *state;
	size_t before[TN_CHARGE_NR];
	int64_t n;
	int err = -1, i;
	const struct tn_insn insns[] = { SAMPLE };

	jit_test_load(t, insns, sizeof(insns) / sizeof(insns[0]));
	assert_int_equal(tn_rewrite(t->prog), 0);
	for (i = 0; i < TN_CHARGE_NR; i++)
		before[i] = tn_load_relaxed(&t->rt.mem.bytes[i]);
	for (n = 1; err; n++) {
		tn_store_relaxed(&t->rt.mem.fail_after, n);
		err = tn_jit_compile(&t->rt, &t->prog, 1, &t->code);
		tn_store_relaxed(&t->rt.mem.fail_after, 0);
		if (!err)
			break;
		assert_int_equal(err, -ENOMEM);
		assert_null(t->code);
		assert_null(t->prog->code);
		for (i = 0; i < TN_CHARGE_NR; i++)
			assert_int_equal(tn_load_relaxed(&t->rt.mem.bytes[i]), before[i]);
	}
	assert_true(n > 5);
}

static void code_limit_is_an_error(void **state)
{
	struct jit_test *t = *state;
	const struct tn_insn insns[] = { SAMPLE };

	jit_test_load(t, insns, sizeof(insns) / sizeof(insns[0]));
	assert_int_equal(tn_rewrite(t->prog), 0);
	t->rt.mem.limit[TN_CHARGE_CODE] = 1;
	assert_int_equal(tn_jit_compile(&t->rt, &t->prog, 1, &t->code), -E2BIG);
	t->rt.mem.limit[TN_CHARGE_CODE] = 0;
}

static void unknown_helper_is_refused_with_its_place(void **state)
{
	struct jit_test *t = *state;
	const struct tn_insn insns[] = { CALL(9999), EXIT() };

	jit_test_load(t, insns, 2);
	assert_int_equal(tn_rewrite(t->prog), 0);
	assert_int_equal(tn_jit_compile(&t->rt, &t->prog, 1, &t->code), -EINVAL);
	assert_non_null(strstr(tn_err_last()->msg, "9999"));
	assert_string_equal(tn_err_last()->program, "test");
}

static void reference_that_was_not_rewritten_is_refused(void **state)
{
	struct jit_test *t = *state;
	const struct tn_insn insns[] = { LDDW_FUNC(TN_R0, 2), EXIT(), EXIT() };

	jit_test_load(t, insns, 4);
	assert_int_equal(tn_jit_compile(&t->rt, &t->prog, 1, &t->code), -EINVAL);
}

static void instructions_are_found_by_offset(void **state)
{
	struct jit_test *t = *state;
	uint32_t off;
	int32_t last = 0;

	LOAD_AND_COMPILE(t, SAMPLE);
	for (off = 0; off < t->prog->code_bytes; off++) {
		int32_t at = tn_jit_insn_at(t->prog, off);

		assert_true(at >= -1 && at < (int32_t)t->prog->nr_insns);
		assert_true(at >= last || off == 0);
		last = at;
	}
	assert_int_equal(last, t->prog->nr_insns - 1);
	assert_int_equal(tn_jit_insn_at(t->prog, t->prog->code_bytes), -1);
}

static void programs_of_an_object_share_one_mapping(void **state)
{
	struct jit_test *t = *state;
	struct tn_prog *progs[3];
	struct tn_code *code = NULL;
	int i;

	for (i = 0; i < 3; i++) {
		const struct tn_insn insns[] = { MOV_K(TN_R0, 100 + i), EXIT() };

		progs[i] = tn_prog_new(&t->rt, "one");
		assert_non_null(progs[i]);
		assert_int_equal(tn_prog_set_insns(progs[i], insns, 2), 0);
		assert_int_equal(tn_prog_find_subprogs(progs[i]), 0);
		assert_int_equal(tn_rewrite(progs[i]), 0);
	}
	assert_int_equal(tn_jit_compile(&t->rt, progs, 3, &code), 0);
	for (i = 0; i < 3; i++) {
		assert_ptr_equal(progs[i]->code, code);
		assert_int_equal(progs[i]->code_off % 64, 0);
		assert_int_equal(progs[i]->entry(NULL, &t->ex), 100 + i);
		tn_prog_free(progs[i]);
	}
	tn_jit_code_free(&t->rt, code);
}

static void perf_map_names_programs(void **state)
{
	struct jit_test *t = *state;
	char path[64], line[256], expected[128];
	bool found = false;
	FILE *f;

	LOAD_AND_COMPILE(t, SAMPLE);
	assert_int_equal(tn_jit_perf_map(&t->prog, 1), 0);
	snprintf(path, sizeof(path), "/tmp/perf-%d.map", (int)getpid());
	snprintf(expected, sizeof(expected), "%lx %x tenon:test_%u\n",
		 (unsigned long)(uintptr_t)t->prog->entry, t->prog->code_bytes, t->prog->id);
	f = fopen(path, "r");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		found |= !strcmp(line, expected);
	fclose(f);
	unlink(path);
	assert_true(found);
}

static void perf_map_follows_no_link(void **state)
{
	struct jit_test *t = *state;
	char path[64];

	LOAD_AND_COMPILE(t, SAMPLE);
	snprintf(path, sizeof(path), "/tmp/perf-%d.map", (int)getpid());
	unlink(path);
	assert_int_equal(symlink("/dev/null", path), 0);
	assert_int_equal(tn_jit_perf_map(&t->prog, 1), -ELOOP);
	unlink(path);
}

static void long_program_has_long_jumps(void **state)
{
	struct jit_test *t = *state;
	uint32_t nr = 6000, i;
	struct tn_insn *insns = calloc(nr, sizeof(insns[0]));

	assert_non_null(insns);
	insns[0] = MOV_K(TN_R0, 1);
	insns[1] = JMP_K(TN_JEQ, TN_R0, 1, 5000);
	for (i = 2; i < nr - 1; i++)
		insns[i] = ALU64_K(TN_XOR, TN_R0, i * 77777);
	insns[5990] = GOTO(1);
	insns[nr - 1] = EXIT();
	jit_test_load(t, insns, nr);
	free(insns);
	jit_test_compile(t);
	assert_int_equal(jit_test_native(t, NULL), jit_test_interp(t, NULL));
}

static void available_on_this_machine(void **state)
{
	(void)state;
	assert_int_equal(tn_jit_available(), 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(available_on_this_machine),
		T(code_is_not_writable),
		T(failed_allocation_leaves_nothing),
		T(code_limit_is_an_error),
		T(unknown_helper_is_refused_with_its_place),
		T(reference_that_was_not_rewritten_is_refused),
		T(instructions_are_found_by_offset),
		T(programs_of_an_object_share_one_mapping),
		T(perf_map_names_programs),
		T(perf_map_follows_no_link),
		T(long_program_has_long_jumps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
