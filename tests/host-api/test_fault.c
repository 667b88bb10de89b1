/* SPDX-License-Identifier: MIT */
/*
 * The fault handler among the host's own: what is not for it is as if it were not there. Signals
 * are the whole process's, so each test is a child, which says by its exit code what went wrong.
 */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "probe.h"

/* The one with a handler of its own that ends the process. */
#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

/* The one that runs handlers itself, with masks of its own. */
#if defined(__SANITIZE_THREAD__)
#define OWN_MASKS 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define OWN_MASKS 1
#endif
#endif
#ifndef OWN_MASKS
#define OWN_MASKS 0
#endif

#define READ_ID "r1 = *(u64 *)(r1 +0)\nr0 = *(u64 *)(r1 +0)\nexit\n"

static struct node node = { .id = 5 };
static struct probe probe;

/* In a child: the line where it went wrong. */
#define CHECK(x)                                   \
	do {                                       \
		if (!(x))                          \
			_exit(__LINE__ % 200 + 1); \
	} while (0)

static int in_child(void (*fn)(void))
{
	static const int reset[] = { SIGSEGV, SIGBUS };
	struct rlimit none = { 0, 0 };
	int status;
	pid_t pid = fork();

	if (!pid) {
		/* The test's own handlers are none of ours; the sanitizer keeps its own. */
		for (int i = 0; !SANITIZED && i < 2; i++)
			signal(reset[i], SIG_DFL);
		setrlimit(RLIMIT_CORE, &none);
		alarm(20);
		fn();
		_exit(0);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void works(void (*fn)(void))
{
	int status = in_child(fn);

	if (!WIFEXITED(status) || WEXITSTATUS(status))
		fail_msg("the child ended with status %#x", status);
}

static void dies(void (*fn)(void), int sig)
{
	int status = in_child(fn);

	/* A sanitizer reports it and exits. */
	if (SANITIZED ? !status : !WIFSIGNALED(status) || WTERMSIG(status) != sig)
		fail_msg("the child ended with status %#x", status);
}

static void start(void)
{
	probe_open(&probe, PROBE_HANDLER_JIT, READ_ID);
}

static bool reads(void)
{
	return probe_run(&probe, NULL) == 0 && probe_run(&probe, &node) == 5 &&
	       probe_run(&probe, (void *)(uintptr_t)0xdead0000dead0000) == 0;
}

static volatile uint64_t *volatile nowhere = (void *)64;

__attribute__((no_sanitize("address", "undefined", "thread"))) static void crash(void)
{
	*nowhere = 1;
}

/* ---- No handler but ours ---- */

static void child_crashes(void)
{
	start();
	CHECK(reads());
	crash();
}

static void child_is_sent_a_signal(void)
{
	start();
	CHECK(reads());
	kill(getpid(), SIGSEGV);
	pause();
}

static void child_is_sent_a_bus_error(void)
{
	start();
	CHECK(reads());
	raise(SIGBUS);
}

static void child_crashes_after_the_last_runtime(void)
{
	start();
	CHECK(reads());
	probe_close(&probe);
	crash();
}

static void crash_of_the_host_has_its_default_action(void **state)
{
	(void)state;
	dies(child_crashes, SIGSEGV);
	dies(child_is_sent_a_signal, SIGSEGV);
	dies(child_is_sent_a_bus_error, SIGBUS);
	dies(child_crashes_after_the_last_runtime, SIGSEGV);
}

static void child_ignores(void)
{
	signal(SIGSEGV, SIG_IGN);
	start();
	kill(getpid(), SIGSEGV);
	raise(SIGSEGV);
	CHECK(reads());
}

static void child_ignores_and_crashes(void)
{
	child_ignores();
	crash();
}

static void ignored_signal_is_ignored_and_a_crash_is_not(void **state)
{
	(void)state;
	works(child_ignores);
	dies(child_ignores_and_crashes, SIGSEGV);
}

/* ---- A handler from before ---- */

static sigjmp_buf back;
static volatile int nr_taken, taken_code;
static void *volatile taken_at;
static sigset_t taken_mask;

static void take(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	nr_taken = nr_taken + 1;
	taken_at = info->si_addr;
	taken_code = info->si_code;
	pthread_sigmask(SIG_SETMASK, NULL, &taken_mask);
	siglongjmp(back, 1);
}

static void install(void (*fn)(int, siginfo_t *, void *), int flags)
{
	struct sigaction act = { .sa_sigaction = fn, .sa_flags = SA_SIGINFO | flags };

	sigemptyset(&act.sa_mask);
	sigaddset(&act.sa_mask, SIGUSR1);
	CHECK(!sigaction(SIGSEGV, &act, NULL));
}

static void expect_taken(int nr, bool blocked)
{
	sigset_t now;

	if (!sigsetjmp(back, 1))
		crash();
	CHECK(nr_taken == nr);
	CHECK(taken_at == (void *)nowhere);
	CHECK(taken_code == SEGV_MAPERR);
	CHECK(sigismember(&taken_mask, SIGUSR1) == 1);
	CHECK(sigismember(&taken_mask, SIGSEGV) == blocked);
	CHECK(!sigismember(&taken_mask, SIGUSR2));
	pthread_sigmask(SIG_SETMASK, NULL, &now);
	CHECK(!sigismember(&now, SIGUSR1) && !sigismember(&now, SIGSEGV));
}

static void child_has_a_handler(void)
{
	install(take, 0);
	start();
	CHECK(reads());
	CHECK(!nr_taken);
	expect_taken(1, true);
	CHECK(reads());
	expect_taken(2, true);
	CHECK(reads());
	CHECK(nr_taken == 2);
}

static void child_has_a_handler_without_blocking(void)
{
	install(take, SA_NODEFER);
	start();
	expect_taken(1, false);
	CHECK(reads());
}

static void child_has_a_handler_for_once(void)
{
	install(take, (int)SA_RESETHAND);
	start();
	CHECK(reads());
	expect_taken(1, true);
	CHECK(reads());
	crash();
}

static void take_plainly(int sig)
{
	nr_taken = nr_taken + (sig == SIGSEGV);
	siglongjmp(back, 1);
}

static void child_has_a_plain_handler(void)
{
	signal(SIGSEGV, take_plainly);
	start();
	CHECK(reads());
	if (!sigsetjmp(back, 1))
		crash();
	CHECK(nr_taken == 1);
	CHECK(reads());
}

static void mend(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)info;
	(void)context;
	nr_taken = nr_taken + 1;
	mmap((void *)((uintptr_t)nowhere & ~(uintptr_t)4095), 4096, PROT_READ | PROT_WRITE,
	     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
}

/* A host that brings pages in on demand goes on where it was. */
static void child_mends_its_faults(void)
{
	nowhere = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	install(mend, 0);
	start();
	CHECK(reads());
	crash();
	CHECK(nr_taken == 1);
	CHECK(*nowhere == 1);
}

static void skip_where_masks_are_not_ours(void)
{
	if (OWN_MASKS) {
		print_message("skipped: ThreadSanitizer runs handlers with masks and stacks of its "
			      "own\n");
		skip();
	}
}

static void handler_from_before_gets_its_faults(void **state)
{
	(void)state;
	skip_where_masks_are_not_ours();
	works(child_has_a_handler);
	works(child_has_a_handler_without_blocking);
	works(child_has_a_plain_handler);
	works(child_mends_its_faults);
	dies(child_has_a_handler_for_once, SIGSEGV);
}

/* ---- The alternate stack ---- */

static void overflown(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)info;
	(void)context;
	_exit(0);
}

static volatile int depth;

__attribute__((noinline)) static int overflow(int n)
{
	volatile char frame[4096];

	frame[0] = (char)n;
	depth = n;
	return n > 1 << 20 ? 0 : overflow(n + 1) + frame[0];
}

static void child_overflows_its_stack(void)
{
	static unsigned char stack[65536];
	stack_t alt = { .ss_sp = stack, .ss_size = sizeof(stack) };

	sigaltstack(&alt, NULL);
	install(overflown, SA_ONSTACK);
	start();
	CHECK(reads());
	overflow(0);
	_exit(3);
}

static void handler_of_stack_overflows_gets_its_stack(void **state)
{
	(void)state;
	skip_where_masks_are_not_ours();
	works(child_overflows_its_stack);
}

/* ---- A handler from later ---- */

static struct sigaction found;

static void take_or_pass_on(int sig, siginfo_t *info, void *context)
{
	if (info->si_addr == (void *)64) {
		nr_taken = nr_taken + 1;
		siglongjmp(back, 1);
	}
	found.sa_sigaction(sig, info, context);
}

static void child_installs_a_handler_later(void)
{
	struct sigaction act = { .sa_sigaction = take_or_pass_on, .sa_flags = SA_SIGINFO };

	start();
	CHECK(!sigaction(SIGSEGV, &act, &found));
	CHECK(found.sa_flags & SA_SIGINFO);
	for (int i = 1; i < 3; i++) {
		CHECK(reads());
		if (!sigsetjmp(back, 1))
			crash();
		CHECK(nr_taken == i);
	}
	CHECK(reads());
	nowhere = (void *)128;
	crash(); /* passes on to ours, which knows it not */
}

static void child_replaces_the_handler(void)
{
	struct probe other = probe;

	start();
	other = probe;
	/* Gone, for all that is loaded; until another runtime asks. */
	for (int i = 0; i < 20; i++) {
		install(i & 1 ? take : mend, 0);
		start();
		CHECK(reads());
		probe_close(&probe);
	}
	probe = other;
	CHECK(reads());
}

static void handler_from_later_passes_on(void **state)
{
	(void)state;
	dies(child_installs_a_handler_later, SIGSEGV);
	works(child_replaces_the_handler);
}

/* ---- fork ---- */

static void child_forks(void)
{
	int status;
	pid_t pid;

	start();
	CHECK(reads());
	pid = fork();
	if (!pid) {
		CHECK(reads());
		probe_close(&probe);
		start();
		CHECK(reads());
		_exit(0);
	}
	CHECK(waitpid(pid, &status, 0) == pid && !status);
	CHECK(reads());
}

static void forked_child_reads(void **state)
{
	(void)state;
	works(child_forks);
}

/* ---- A sandbox ---- */

static void forbid_copies(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_process_vm_readv, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = { .len = sizeof(code) / sizeof(code[0]), .filter = code };

	CHECK(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter))
		_exit(0); /* no filters here */
}

static void child_in_a_sandbox(void)
{
	struct tenon_object *obj;
	struct tenon_runtime *rt;

	forbid_copies();
	rt = probe_runtime(0);
	obj = open_text(rt, "probe", 0, NULL, 0, READ_ID, NULL);
	CHECK(obj && tenon_object_load(obj) == -EACCES);
	CHECK(strstr(tenon_last_error()->msg, "the kernel refuses process_vm_readv(2) here "
					      "(Operation not permitted), and the host has no "
					      "fault handler"));
	start();
	CHECK(reads());
}

static void child_becomes_a_sandbox(void)
{
	probe_open(&probe, 1, READ_ID);
	CHECK(reads());
	forbid_copies();
	CHECK(probe_run(&probe, &node) == 0);
}

static void sandbox_without_copies_needs_the_handler(void **state)
{
	(void)state;
	works(child_in_a_sandbox);
	works(child_becomes_a_sandbox);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(crash_of_the_host_has_its_default_action),
		cmocka_unit_test(ignored_signal_is_ignored_and_a_crash_is_not),
		cmocka_unit_test(handler_from_before_gets_its_faults),
		cmocka_unit_test(handler_of_stack_overflows_gets_its_stack),
		cmocka_unit_test(handler_from_later_passes_on),
		cmocka_unit_test(forked_child_reads),
		cmocka_unit_test(sandbox_without_copies_needs_the_handler),
	};

#if !defined(__x86_64__)
	return 77; /* no handler for this machine */
#endif
	return cmocka_run_group_tests_name("host-api/fault", tests, NULL, NULL);
}
