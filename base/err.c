/* SPDX-License-Identifier: MIT */
/*
 * The error record lives in the thread's record, which is made on first use. Where even that cannot
 * be had, errors go unrecorded and tn_err_last() shows one constant record that says so.
 */
#include "base/err.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/thread.h"

static struct tn_err_record no_record = {
	.code = -ENOMEM,
	.insn = -1,
	.msg = "out of memory: this thread has no error record",
};

static void copy_name(char *to, size_t size, const char *from)
{
	size_t len = strnlen(from, size - 1);

	memmove(to, from, len);
	to[len] = 0;
}

int tn_verr(int code, const char *fmt, va_list ap)
{
	struct tn_thread *t = tn_thread_self();
	int saved = errno;
	char msg[TN_ERR_MSG_BYTES];

	if (t) {
		/* Not in place: an argument may be the message that is there. */
		vsnprintf(msg, sizeof(msg), fmt, ap);
		memset(&t->err, 0, offsetof(struct tn_err_record, msg));
		t->err.code = code;
		t->err.insn = -1;
		copy_name(t->err.msg, sizeof(t->err.msg), msg);
	}
	errno = saved;
	return code;
}

int tn_err(int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	tn_verr(code, fmt, ap);
	va_end(ap);
	return code;
}

void *tn_err_null(int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	tn_verr(code, fmt, ap);
	va_end(ap);
	errno = code < 0 ? -code : code;
	return NULL;
}

int tn_err_nomem(const char *what)
{
	return tn_err(-ENOMEM, "out of memory: %s", what);
}

void tn_err_at(enum tn_stage stage, const char *object, const char *program, int32_t insn,
	       const char *source)
{
	struct tn_thread *t = tn_thread_self();

	if (!t)
		return;
	if (stage != TN_STAGE_NONE)
		t->err.stage = stage;
	if (object)
		copy_name(t->err.object, sizeof(t->err.object), object);
	if (program)
		copy_name(t->err.program, sizeof(t->err.program), program);
	if (insn != -1)
		t->err.insn = insn;
	if (source)
		copy_name(t->err.source, sizeof(t->err.source), source);
}

struct tn_err_record *tn_err_last(void)
{
	struct tn_thread *t = tn_thread_self();

	return t ? &t->err : &no_record;
}
