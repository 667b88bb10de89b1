/* SPDX-License-Identifier: MIT */
/* The context of events.bpf.c: a hook with a result of its own, and an output. */
#ifndef TN_TESTS_EVENTS_H
#define TN_TESTS_EVENTS_H

struct event_ctx {
	unsigned int tenant, value;
	struct seq_file *seq;
	int retval;
	unsigned int spare;
};

#endif
