/* SPDX-License-Identifier: MIT */
/*
 * Dynptrs: memory whose size is known at run time alone. The verifier proves that a dynptr is one;
 * offsets and lengths are checked here, with the kernel's errors.
 */
#include "vm/dynptr.h"

#include <errno.h>
#include <string.h>

#include "base/compiler.h"
#include "maps/ringbuf.h"
#include "vm/helper_body.h"
#include "vm/image.h"
#include "vm/interp.h"

#define BODY(name) TN_HELPER_BODY(, name)

static struct tn_dynptr *dynptr(uint64_t reg)
{
	return (struct tn_dynptr *)(uintptr_t)reg;
}

static uint64_t from_int(int64_t value)
{
	return (uint64_t)value;
}

/* The memory of [off, off + len) of what d shows; NULL: it is not all inside. */
static unsigned char *part_of(const struct tn_dynptr *d, uint64_t off, uint64_t len,
			      const struct tn_exec *ex)
{
	const unsigned char *data = d->data, *end;
	uint64_t at;

	if (off > d->size || len > d->size - off)
		return NULL;
	at = d->offset + off;
	if (d->type == TN_DYNPTR_PACKET &&
	    (!tn_exec_packet(ex->prog, d->data, &data, &end) || at > (uint64_t)(end - data) ||
	     len > (uint64_t)(end - data) - at))
		return NULL;
	return (unsigned char *)(uintptr_t)data + at;
}

/* ---- Making one ---- */

static int make(struct tn_dynptr *d, void *data, uint64_t size, enum tn_dynptr_type type)
{
	*d = (struct tn_dynptr){ 0 };
	if (size > TN_DYNPTR_MAX_BYTES)
		return -E2BIG;
	d->data = data;
	d->size = (uint32_t)size & TN_DYNPTR_MAX_BYTES;
	d->type = type;
	return 0;
}

BODY(tn_dynptr_from_mem)
{
	*dynptr(r4) = (struct tn_dynptr){ 0 };
	if ((uint32_t)r2 > TN_DYNPTR_MAX_BYTES)
		return from_int(-E2BIG);
	if (r3)
		return from_int(-EINVAL);
	return from_int(make(dynptr(r4), (void *)(uintptr_t)r1, (uint32_t)r2, TN_DYNPTR_LOCAL));
}

static uint64_t from_packet(void *ctx, uint64_t flags, struct tn_dynptr *d,
			    const struct tn_exec *ex)
{
	const unsigned char *data, *end;
	const struct tn_field *field;

	*d = (struct tn_dynptr){ 0 };
	if (flags || !tn_exec_packet(ex->prog, ctx, &data, &end))
		return from_int(-EINVAL);
	if (make(d, ctx, (uint64_t)(end - data), TN_DYNPTR_PACKET))
		return from_int(-E2BIG);
	field = tn_ctx_field_by_name(ex->prog->ctx_type, "data");
	d->rdonly = !field || !(field->access & TN_ACC_W);
	return 0;
}

BODY(tn_dynptr_from_packet)
{
	return from_packet((void *)(uintptr_t)r1, r2, dynptr(r3), ex);
}

static void discard(const struct tn_releaser *self, void *held, struct tn_exec *ex)
{
	(void)self;
	(void)ex;
	tn_ringbuf_discard(held, 0);
}

/* The record does not come back in r0. */
const struct tn_releaser tn_release_dynptr = { .type = "ring buffer record of a dynptr",
					       .fn = discard,
					       .by_helper = true };

BODY(tn_dynptr_reserve)
{
	struct tn_dynptr *d = dynptr(r4);
	void *record;

	*d = (struct tn_dynptr){ 0 };
	if (r3)
		return from_int(-EINVAL);
	if ((uint32_t)r2 > TN_DYNPTR_MAX_BYTES)
		return from_int(-E2BIG);
	record = tn_ringbuf_reserve((struct tn_map *)(uintptr_t)r1, (uint32_t)r2, 0);
	if (!record)
		return from_int(-EINVAL);
	make(d, record, (uint32_t)r2, TN_DYNPTR_RECORD);
	tn_held_add(record, ex, &tn_release_dynptr);
	return 0;
}

static uint64_t give_back(struct tn_dynptr *d, uint64_t flags, struct tn_exec *ex,
			  void (*how)(void *sample, uint64_t flags))
{
	if (d->data) {
		tn_held_drop(d->data, ex, tn_release_dynptr.type);
		how(d->data, flags);
	}
	*d = (struct tn_dynptr){ 0 };
	return 0;
}

BODY(tn_dynptr_submit)
{
	return give_back(dynptr(r1), r2, ex, tn_ringbuf_submit);
}

BODY(tn_dynptr_discard)
{
	return give_back(dynptr(r1), r2, ex, tn_ringbuf_discard);
}

/* ---- Using it ---- */

/* bpf_dynptr_read(dst, len, src, offset, flags); what is not read is zero. */
BODY(tn_dynptr_read)
{
	const struct tn_dynptr *d = dynptr(r3);
	void *to = (void *)(uintptr_t)r1;
	uint32_t len = (uint32_t)r2, off = (uint32_t)r4;
	const unsigned char *from;
	int err = 0;

	if (!d->data || r5)
		err = -EINVAL;
	from = err ? NULL : part_of(d, off, len, ex);
	if (!err && !from)
		err = -E2BIG;
	if (err)
		memset(to, 0, len);
	else
		memmove(to, from, len);
	return from_int(err);
}

/* bpf_dynptr_write(dst, offset, src, len, flags) */
BODY(tn_dynptr_write)
{
	const struct tn_dynptr *d = dynptr(r1);
	unsigned char *to;

	if (!d->data || d->rdonly || r5)
		return from_int(-EINVAL);
	to = part_of(d, (uint32_t)r2, (uint32_t)r4, ex);
	if (!to)
		return from_int(-E2BIG);
	memmove(to, (const void *)(uintptr_t)r3, (uint32_t)r4);
	return 0;
}

/* Packets give slices only: bpf_dynptr_data() is for memory that stays where it is. */
BODY(tn_dynptr_data)
{
	const struct tn_dynptr *d = dynptr(r1);

	if (!d->data || d->rdonly || d->type == TN_DYNPTR_PACKET)
		return 0;
	return (uintptr_t)part_of(d, (uint32_t)r2, (uint32_t)r3, ex);
}

/* slice(dynptr, offset, buffer, size): all memory is in one piece here, so that the buffer is
 * never needed. */
BODY(tn_dynptr_slice)
{
	const struct tn_dynptr *d = dynptr(r1);

	return d->data ? (uintptr_t)part_of(d, (uint32_t)r2, (uint32_t)r4, ex) : 0;
}

BODY(tn_dynptr_slice_rdwr)
{
	return dynptr(r1)->rdonly ? 0 : tn_dynptr_slice(r1, r2, r3, r4, r5, ex);
}

BODY(tn_dynptr_adjust)
{
	struct tn_dynptr *d = dynptr(r1);
	uint32_t start = (uint32_t)r2, end = (uint32_t)r3;

	if (!d->data || start > end)
		return from_int(-EINVAL);
	if (end > d->size)
		return from_int(-ERANGE);
	d->offset += start;
	d->size = (end - start) & TN_DYNPTR_MAX_BYTES;
	return 0;
}

BODY(tn_dynptr_is_null)
{
	return !dynptr(r1)->data;
}

BODY(tn_dynptr_is_rdonly)
{
	return dynptr(r1)->data && dynptr(r1)->rdonly;
}

BODY(tn_dynptr_size)
{
	return dynptr(r1)->data ? dynptr(r1)->size : (uint32_t)-EINVAL;
}

BODY(tn_dynptr_clone)
{
	*dynptr(r2) = *dynptr(r1);
	return dynptr(r1)->data ? 0 : from_int(-EINVAL);
}
