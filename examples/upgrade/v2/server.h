/* SPDX-License-Identifier: MIT */
/* The server's API for plugins, release 2: `bytes` is wider and elsewhere, the owner has a name in
 * front of the rest, states have other values, and the event has grown in front. */
#ifndef SERVER_H
#define SERVER_H

#include <tenon/host.h>

#define SERVER_RELEASE 2

TENON_TYPES_BEGIN

enum job_state { JOB_NEW, JOB_WAITING, JOB_RUNNING, JOB_PAUSED, JOB_DONE = 10 };

struct owner {
	char name[16];
	uint32_t quota;
	uint32_t uid;
};

struct job {
	uint32_t id;
	enum job_state state;
	struct owner *owner TENON_TRUSTED TENON_NONNULL;
	struct {
		uint64_t bytes;
		uint64_t limit;
	};
	int32_t priority;
};

/* The context of hook "job". */
struct job_event {
	uint64_t now;
	uint64_t charge TENON_WRITABLE;
	struct job *job TENON_NONNULL;
};

TENON_TYPES_END

#endif
