/* SPDX-License-Identifier: MIT */
/* Who runs the timers of plugins: the host's own loop, or a thread that it asks for. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "host-api/fire.h"
#include "host-api/timer.h"
#include "maps/timer.h"

struct tn_timer_thread {
	struct tenon_runtime *rt;
	pthread_t thread;
	pid_t pid; /* a fork leaves it behind */
	int fd;
	_Atomic uint32_t stop;
};

static void run_one(void *user, const struct tn_timer_call *call, const void *key)
{
	struct tn_prog *prog = call->prog;

	(void)user;
	tn_run_timer(prog->host, call, key);
}

int tenon_runtime_timers_fd(struct tenon_runtime *rt)
{
	return rt ? tn_timers_fd(&rt->rt) : tn_err(-EINVAL, "tenon_runtime_timers_fd: no runtime");
}

int tenon_runtime_timers_run(struct tenon_runtime *rt)
{
	int rc;

	if (!rt)
		return tn_err(-EINVAL, "tenon_runtime_timers_run: no runtime");
	rc = tn_check_outside("tenon_runtime_timers_run");
	if (rc)
		return rc;
	rc = tn_timers_run(&rt->rt, run_one, NULL);
	tn_epoch_reclaim();
	return rc;
}

/* ---- The thread ---- */

static void *run_thread(void *arg)
{
	struct tn_timer_thread *thread = arg;
	struct pollfd pfd = { .fd = thread->fd, .events = POLLIN };

	while (!tn_load_acquire(&thread->stop)) {
		if (poll(&pfd, 1, -1) > 0 && !tn_load_acquire(&thread->stop))
			tenon_runtime_timers_run(thread->rt);
	}
	return NULL;
}

/* Signals are for the host's threads. */
static int make_thread(struct tn_timer_thread *thread)
{
	sigset_t all, old;
	int err;

	sigfillset(&all);
	/* Those of faults are for whoever makes them. */
	sigdelset(&all, SIGSEGV);
	sigdelset(&all, SIGBUS);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = pthread_create(&thread->thread, NULL, run_thread, thread);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return -err;
}

int tenon_runtime_timers_start(struct tenon_runtime *rt)
{
	struct tn_timer_thread *thread, *old = NULL;
	int rc;

	if (!rt)
		return tn_err(-EINVAL, "tenon_runtime_timers_start: no runtime");
	rc = tn_check_outside("tenon_runtime_timers_start");
	if (rc)
		return rc;
	/* Not under the lock: who forks takes it behind that of the list of runtimes. */
	rc = tn_timers_fd(&rt->rt);
	if (rc < 0)
		return rc;
	thread = tn_new(&rt->rt, struct tn_timer_thread);
	if (!thread)
		return tn_err_nomem("timer thread");
	thread->fd = rc;
	thread->rt = rt;
	thread->pid = getpid();
	tn_lock(rt);
	if (rt->timer_thread && rt->timer_thread->pid == thread->pid) {
		rc = tn_err(-EALREADY, "timers have a thread already");
	} else {
		rc = make_thread(thread);
		if (rc)
			tn_err(rc, "no thread for timers: %s", strerror(-rc));
		if (!rc) {
			old = rt->timer_thread;
			rt->timer_thread = thread;
		}
	}
	tn_unlock(rt);
	tn_free(&rt->rt, rc ? thread : old);
	return rc;
}

int tenon_runtime_timers_stop(struct tenon_runtime *rt)
{
	struct tn_timer_thread *thread;
	int rc;

	if (!rt)
		return tn_err(-EINVAL, "tenon_runtime_timers_stop: no runtime");
	rc = tn_check_outside("tenon_runtime_timers_stop");
	if (rc)
		return rc;
	tn_lock(rt);
	thread = rt->timer_thread;
	rt->timer_thread = NULL;
	tn_unlock(rt);
	if (!thread)
		return 0;
	if (thread->pid == getpid()) {
		tn_store_release(&thread->stop, 1);
		tn_timers_wake(&rt->rt);
		pthread_join(thread->thread, NULL);
	}
	tn_free(&rt->rt, thread);
	return 0;
}
