/* SPDX-License-Identifier: MIT */
/* Where the system refuses executable memory, the interpreter serves, and one warning says why.
 * Each case is a forked child under a seccomp filter. */
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/seccomp.h"
#include "host.h"

#define SKIPPED 77

static int nr_warnings;
static char warning[256];

static void on_log(void *user, enum tenon_log_level level, const char *line)
{
	(void)user;
	if (level == TENON_LOG_WARN && nr_warnings++ == 0)
		snprintf(warning, sizeof(warning), "%s", line);
}

static int in_child(int (*fn)(void))
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(fn());
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == SKIPPED) {
		print_message("seccomp filters are refused here\n");
		skip();
	}
	return WEXITSTATUS(status);
}

static int load_two(struct tenon_runtime *rt, struct tenon_hook *hook)
{
	struct tenon_program_info info = { .sz = sizeof(info) };
	struct test_ctx ctx = { .in = 1 };
	int i;

	add_hook(rt, hook, "h", TENON_CHAIN_LAST, 0);
	for (i = 0; i < 2; i++) {
		struct tenon_object *obj = plug_text(rt, "h", RETURN(5));

		if (tenon_program_info(first_program(obj), &info) ||
		    info.engine != TENON_ENGINE_INTERP)
			return 1;
	}
	if (tenon_hook_fire(hook, &ctx) != 5)
		return 2;
	if (nr_warnings != 1 || !strstr(warning, "interpreter"))
		return 3;
	/* All of it succeeded. */
	if (tenon_last_error()->code)
		return 5;
	return tenon_runtime_free(rt) ? 4 : 0;
}

static int refused_from_the_start(void)
{
	struct tenon_runtime_opts opts = { .sz = sizeof(opts), .log = on_log };
	struct tenon_hook hook;

	if (refuse_syscall(SYS_mprotect, PROT_EXEC, EACCES) ||
	    refuse_syscall(SYS_mmap, PROT_EXEC, EACCES))
		return SKIPPED;
	return load_two(new_runtime(&opts), &hook);
}

/* The process looked before, and was allowed. */
static int refused_later(void)
{
	struct tenon_runtime_opts opts = { .sz = sizeof(opts), .log = on_log };
	struct tenon_runtime *rt = new_runtime(&opts);
	struct tenon_feature f = { .sz = sizeof(f) };
	struct tenon_hook hook;

	assert_ok(tenon_feature(TENON_FEATURE_ENGINE, 1, &f));
	if (!f.available || refuse_syscall(SYS_mprotect, PROT_EXEC, EPERM))
		return SKIPPED;
	return load_two(rt, &hook);
}

/* Asked for by name, the JIT is not replaced. */
static int jit_by_name(void)
{
	struct tenon_object_open_opts opts = { .sz = sizeof(opts), .engine = TENON_ENGINE_JIT };
	struct tenon_runtime *rt;
	struct tenon_hook hook;
	struct tenon_object *obj;
	int rc;

	if (refuse_syscall(SYS_mprotect, PROT_EXEC, EACCES))
		return SKIPPED;
	rt = new_runtime(NULL);
	add_hook(rt, &hook, "h", TENON_CHAIN_LAST, 0);
	obj = open_text(rt, "h", 0, NULL, 0, RETURN(0), &opts);
	rc = tenon_object_load(obj);
	if (rc != -EACCES && rc != -EPERM && rc != -ENOTSUP)
		return 1;
	return tenon_last_error()->stage == TENON_STAGE_COMPILE ? 0 : 2;
}

static void interpreter_serves_where_code_is_refused(void **state)
{
	(void)state;
	assert_int_equal(in_child(refused_from_the_start), 0);
}

static void interpreter_serves_where_code_is_refused_later(void **state)
{
	(void)state;
	assert_int_equal(in_child(refused_later), 0);
}

static void jit_asked_for_by_name_fails_with_the_reason(void **state)
{
	(void)state;
	assert_int_equal(in_child(jit_by_name), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(interpreter_serves_where_code_is_refused),
		cmocka_unit_test(interpreter_serves_where_code_is_refused_later),
		cmocka_unit_test(jit_asked_for_by_name_fails_with_the_reason),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
