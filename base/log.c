/* SPDX-License-Identifier: MIT */
/* Lines are formatted on the stack and cut at its size: logging never allocates. */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/rt.h"

#define LINE_BYTES 1024

void tn_logf(struct tn_rt *rt, enum tn_log_level level, const char *fmt, ...)
{
	char line[LINE_BYTES];
	int saved = errno;
	va_list ap;

	if (!rt || !rt->log.fn || (int)level > rt->log.level)
		return;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	rt->log.fn(rt->log.user, (int)level, line);
	errno = saved;
}
