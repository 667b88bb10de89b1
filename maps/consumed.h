/* SPDX-License-Identifier: MIT */
/*
 * What maps that the host consumes have in common (ring buffers, perf event arrays): an eventfd
 * that tells of new samples, one consumer at a time, and a forked child in which both begin anew.
 */
#ifndef TN_MAPS_CONSUMED_H
#define TN_MAPS_CONSUMED_H

#include <stdbool.h>

#include "base/atomic.h"

struct tn_thread;

struct tn_consumed {
	_Atomic int fd;			      /* eventfd; -1: none yet */
	_Atomic uint32_t notified;	      /* the eventfd was written since it was read */
	_Atomic(struct tn_thread *) consumer; /* inside its consume call */
	/* In a forked child, before the rest of this is renewed; may be NULL. */
	void (*reset)(struct tn_consumed *c);
	struct tn_consumed *next, *prev; /* of the process, under a lock */
	bool listed;
};

/* After this, tn_consumed_fini() once, which closes the eventfd. */
void tn_consumed_init(struct tn_consumed *c, void (*reset)(struct tn_consumed *c));
void tn_consumed_fini(struct tn_consumed *c); /* all zero: does nothing */

/* The eventfd, made at the first call, or a negative errno. */
int tn_consumed_fd(struct tn_consumed *c);

void tn_consumed_write_fd(struct tn_consumed *c, int fd);
/* There is something to consume. */
static inline void tn_consumed_notify(struct tn_consumed *c)
{
	int fd = tn_load_acquire(&c->fd);

	if (fd >= 0)
		tn_consumed_write_fd(c, fd);
}

/* The calling thread becomes the consumer, and what the eventfd told is taken up. 0, -ENOMEM (no
 * record for the thread), -EBUSY. */
int tn_consumed_begin(struct tn_consumed *c);
void tn_consumed_end(struct tn_consumed *c);

#endif
