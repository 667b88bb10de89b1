/* SPDX-License-Identifier: MIT */
/* One callback per runtime, called with a finished line. Nothing is logged on the firing path, and
 * what is returned as an error is not logged as well. */
#ifndef TN_BASE_LOG_H
#define TN_BASE_LOG_H

#include "base/compiler.h"

struct tn_rt;

enum tn_log_level { TN_LOG_ERROR = 1, TN_LOG_WARN, TN_LOG_INFO, TN_LOG_DEBUG };

typedef void (*tn_log_fn)(void *user, int level, const char *line);

struct tn_log {
	tn_log_fn fn; /* NULL: silent */
	void *user;
	int level; /* lines above it are dropped */
};

void tn_logf(struct tn_rt *rt, enum tn_log_level level, const char *fmt, ...) TN_PRINTF(3, 4);

#endif
