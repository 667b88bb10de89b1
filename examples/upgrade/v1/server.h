/* SPDX-License-Identifier: MIT */
/* The server's API for plugins, release 1. */
#ifndef SERVER_H
#define SERVER_H

#include <tenon/host.h>

#define SERVER_RELEASE 1

TENON_TYPES_BEGIN

enum job_state { JOB_WAITING, JOB_RUNNING, JOB_DONE };

struct owner {
	uint32_t uid;
	uint32_t quota;
};

struct job {
	uint32_t id;
	uint32_t bytes;
	int32_t priority;
	enum job_state state;
	struct owner *owner TENON_TRUSTED TENON_NONNULL;
};

/* The context of hook "job". */
struct job_event {
	struct job *job TENON_NONNULL;
	uint64_t charge TENON_WRITABLE; /* what the owner pays */
};

TENON_TYPES_END

#endif
