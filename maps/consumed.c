/* SPDX-License-Identifier: MIT */
#include "maps/consumed.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/fork.h"
#include "base/thread.h"

/* All of the process, for forked children. Taken inside a writer section; holds nothing. */
static struct {
	pthread_mutex_t lock;
	struct tn_consumed *first;
} all = { .lock = PTHREAD_MUTEX_INITIALIZER };

static struct tn_thread *lock_all(void)
{
	struct tn_thread *t = tn_thread_self();

	tn_writer_enter(t);
	pthread_mutex_lock(&all.lock);
	return t;
}

static void unlock_all(struct tn_thread *t)
{
	pthread_mutex_unlock(&all.lock);
	tn_writer_leave(t);
}

/* ---- In a forked child ---- */

/* The parent's eventfd would wake the parent, and reading it here would make it miss a wakeup. The
 * child's takes over the number, by which the host knows it. */
static void renew_eventfd(struct tn_consumed *c)
{
	int old = tn_load_relaxed(&c->fd), fresh;

	if (old < 0)
		return;
	fresh = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
	if (fresh < 0)
		return;
	dup3(fresh, old, O_CLOEXEC);
	close(fresh);
	tn_store_relaxed(&c->notified, 1);
}

static void reset_in_child(void)
{
	for (struct tn_consumed *c = all.first; c; c = c->next) {
		if (c->reset)
			c->reset(c);
		renew_eventfd(c);
		if (tn_load_relaxed(&c->consumer) != tn_thread_tls)
			tn_store_relaxed(&c->consumer, NULL);
	}
}

/* ---- Life ---- */

void tn_consumed_init(struct tn_consumed *c, void (*reset)(struct tn_consumed *c))
{
	static struct tn_fork_child child = { .fn = reset_in_child };
	static bool added; /* under the lock */
	struct tn_thread *t = lock_all();

	if (!added)
		tn_fork_add_child(&child);
	added = true;
	tn_store_relaxed(&c->fd, -1);
	c->reset = reset;
	c->next = all.first;
	if (c->next)
		c->next->prev = c;
	all.first = c;
	c->listed = true;
	unlock_all(t);
}

void tn_consumed_fini(struct tn_consumed *c)
{
	struct tn_thread *t;
	int fd;

	if (!c->listed)
		return;
	t = lock_all();
	if (c->next)
		c->next->prev = c->prev;
	if (c->prev)
		c->prev->next = c->next;
	else
		all.first = c->next;
	unlock_all(t);
	fd = tn_load_relaxed(&c->fd);
	if (fd >= 0)
		close(fd);
}

/* ---- Notification ---- */

int tn_consumed_fd(struct tn_consumed *c)
{
	struct tn_thread *t = lock_all();
	int fd = tn_load_relaxed(&c->fd);

	if (fd < 0) {
		/* Readable at once: there may be samples from before it was there to be told. */
		fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
		if (fd < 0) {
			fd = -errno;
		} else {
			tn_store_release(&c->fd, fd);
			tn_store_release(&c->notified, 1);
		}
	}
	unlock_all(t);
	return fd;
}

/* Full (EAGAIN) is as good as written. Written first: were the mark there before, the consumer
 * could take it, find nothing to read, and leave the eventfd readable for ever. */
void tn_consumed_write_fd(struct tn_consumed *c, int fd)
{
	const uint64_t one = 1;
	int saved = errno;

	if (write(fd, &one, sizeof(one)) < 0)
		errno = saved;
	tn_store_release(&c->notified, 1);
}

int tn_consumed_begin(struct tn_consumed *c)
{
	struct tn_thread *self = tn_thread_self(), *nobody = NULL;
	uint64_t count;
	int saved = errno;

	if (!self)
		return -ENOMEM;
	if (!tn_cas_acq_rel(&c->consumer, &nobody, self))
		return -EBUSY;
	if (tn_load_relaxed(&c->notified) && tn_exchange_acq_rel(&c->notified, 0) &&
	    read(tn_load_acquire(&c->fd), &count, sizeof(count)) < 0)
		errno = saved;
	return 0;
}

void tn_consumed_end(struct tn_consumed *c)
{
	tn_store_release(&c->consumer, NULL);
}
