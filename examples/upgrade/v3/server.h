/* SPDX-License-Identifier: MIT */
/* The server's API for plugins, release 3: `bytes` is called `size` now, and jobs have lost their
 * priority. */
#ifndef SERVER_H
#define SERVER_H

#include <tenon/host.h>

#define SERVER_RELEASE 3

TENON_TYPES_BEGIN

enum job_state { JOB_NEW = 1, JOB_ACTIVE, JOB_DONE };

struct owner {
	char name[16];
	uint32_t quota;
	uint32_t uid;
};

struct job {
	uint64_t id;
	struct owner *owner TENON_TRUSTED TENON_NONNULL;
	uint64_t size;
	enum job_state state;
};

/* The context of hook "job". */
struct job_event {
	uint64_t now;
	struct job *job TENON_NONNULL;
	uint64_t charge TENON_WRITABLE;
};

TENON_TYPES_END

#endif
