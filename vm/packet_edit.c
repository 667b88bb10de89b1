/* SPDX-License-Identifier: MIT */
/*
 * Helpers that change a packet, its ends, or what the host says about it. The frame is one piece of
 * memory; its ends move within what the context names as room. Results are the kernel's.
 *
 * A helper for one kind of context fails in the other: their structs differ behind the first
 * members.
 */
#include <errno.h>
#include <string.h>

#include "vm/helper_body.h"
#include "vm/image.h"
#include "vm/interp.h"

#define BODY(name)	TN_HELPER_BODY(, name)
#define ETHERNET_BYTES	14
#define KERNEL_ENOTSUPP 524 /* not in the C library's errno.h */

enum { SUM_SIZE = 0xf, SUM_PSEUDO = 1 << 4, SUM_MANGLED_0 = 1 << 5, SUM_ENFORCE = 1 << 6 };
enum { STORE_RECOMPUTE_SUM = 1, STORE_INVALIDATE_HASH = 2 };

static uint64_t fails(int err)
{
	return (uint64_t)(int64_t)-err;
}

static struct tn_xdp_host *xdp_of(const struct tn_exec *ex, uint64_t ctx)
{
	const struct tn_ctx_type *type = ex->prog->ctx_type;

	return type && type->is_packet && type->host_size == sizeof(struct tn_xdp_host)
		       ? (struct tn_xdp_host *)(uintptr_t)ctx
		       : NULL;
}

static struct tn_skb_host *skb_of(const struct tn_exec *ex, uint64_t ctx)
{
	const struct tn_ctx_type *type = ex->prog->ctx_type;

	_Static_assert(sizeof(struct tn_skb_host) != sizeof(struct tn_xdp_host),
		       "packet contexts are told apart by their size");
	return type && type->is_packet && type->host_size == sizeof(struct tn_skb_host)
		       ? (struct tn_skb_host *)(uintptr_t)ctx
		       : NULL;
}

/* [off, off + size) of the frame, NULL: not all of it is there. */
static unsigned char *span(const struct tn_exec *ex, uint64_t ctx, uint32_t off, uint64_t size)
{
	const unsigned char *data, *end;

	if (!tn_exec_packet(ex->prog, (const void *)(uintptr_t)ctx, &data, &end) ||
	    off > end - data || (uint64_t)(end - data - off) < size)
		return NULL;
	return (unsigned char *)(uintptr_t)(data + off);
}

/* ctx, offset, from, length, flags */
BODY(tn_helper_skb_store_bytes)
{
	struct tn_skb_host *skb = skb_of(ex, r1);
	unsigned char *to = skb ? span(ex, r1, (uint32_t)r2, r4) : NULL;

	if (r5 & ~(uint64_t)(STORE_RECOMPUTE_SUM | STORE_INVALIDATE_HASH))
		return fails(EINVAL);
	if (!to)
		return fails(EFAULT);
	/* What is stored may come from the packet itself. */
	memmove(to, (const void *)(uintptr_t)r3, r4);
	if (r5 & STORE_INVALIDATE_HASH)
		skb->hash = 0;
	return 0;
}

BODY(tn_helper_xdp_store_bytes)
{
	unsigned char *to = xdp_of(ex, r1) ? span(ex, r1, (uint32_t)r2, r4) : NULL;

	if (!to)
		return fails(xdp_of(ex, r1) ? EINVAL : EFAULT);
	memmove(to, (const void *)(uintptr_t)r3, r4);
	return 0;
}

/* ---- Checksums: ones' complement, RFC 1624 ---- */

static uint32_t sum_add(uint32_t a, uint32_t b)
{
	a += b;
	return a + (a < b);
}

static uint16_t sum_fold(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* The checksum at `at`, in which `from` was replaced by `to`. */
static void sum_replace(unsigned char *at, uint32_t from, uint32_t to)
{
	uint16_t sum;

	memcpy(&sum, at, sizeof(sum));
	sum = sum_fold(sum_add(sum_add(~(uint32_t)sum, ~from), to));
	memcpy(at, &sum, sizeof(sum));
}

static uint16_t sum_add16(uint16_t a, uint16_t b)
{
	a = (uint16_t)(a + b);
	return (uint16_t)(a + (a < b));
}

/* The same in 16 bits, where zero may come out as its other form. */
static void sum_replace16(unsigned char *at, uint16_t from, uint16_t to)
{
	uint16_t sum;

	memcpy(&sum, at, sizeof(sum));
	sum = (uint16_t)~sum_add16(sum_add16((uint16_t)~sum, (uint16_t)~from), to);
	memcpy(at, &sum, sizeof(sum));
}

/* By the size in the flags: a difference, 16 or 32 bits. */
static uint64_t replace_by_size(unsigned char *at, uint64_t from, uint64_t to, uint64_t flags)
{
	uint16_t sum;

	switch (flags & SUM_SIZE) {
	case 0:
		if (from)
			return fails(EINVAL);
		memcpy(&sum, at, sizeof(sum));
		sum = sum_fold(sum_add((uint32_t)to, ~(uint32_t)sum));
		memcpy(at, &sum, sizeof(sum));
		return 0;
	case 2:
		sum_replace(at, (uint16_t)from, (uint16_t)to);
		return 0;
	case 4:
		sum_replace(at, (uint32_t)from, (uint32_t)to);
		return 0;
	default:
		return fails(EINVAL);
	}
}

static unsigned char *checksum_at(const struct tn_exec *ex, uint64_t ctx, uint32_t off)
{
	return skb_of(ex, ctx) && off <= 0xffff && off % 2 == 0 ? span(ex, ctx, off, 2) : NULL;
}

/* ctx, offset, from, to, flags */
BODY(tn_helper_l3_csum_replace)
{
	unsigned char *at = checksum_at(ex, r1, (uint32_t)r2);

	if (r5 & ~(uint64_t)SUM_SIZE)
		return fails(EINVAL);
	if (!at)
		return fails(EFAULT);
	if (r5 == 2) {
		sum_replace16(at, (uint16_t)r3, (uint16_t)r4);
		return 0;
	}
	return replace_by_size(at, r3, r4, r5);
}

BODY(tn_helper_l4_csum_replace)
{
	const uint64_t known = SUM_SIZE | SUM_PSEUDO | SUM_MANGLED_0 | SUM_ENFORCE;
	static const unsigned char zero[2], ones[2] = { 0xff, 0xff };
	unsigned char *at = checksum_at(ex, r1, (uint32_t)r2);
	uint64_t rc;

	if (r5 & ~known)
		return fails(EINVAL);
	if (!at)
		return fails(EFAULT);
	/* 0 stands for no checksum there. */
	if (r5 & SUM_MANGLED_0 && !(r5 & SUM_ENFORCE) && !memcmp(at, zero, 2))
		return 0;
	rc = replace_by_size(at, r3, r4, r5);
	if (!rc && r5 & SUM_MANGLED_0 && !memcmp(at, zero, 2))
		memcpy(at, ones, 2);
	return rc;
}

/* No device sums up frames here. */
BODY(tn_helper_csum_update)
{
	return fails(KERNEL_ENOTSUPP);
}

/* ---- What is known about the frame ---- */

BODY(tn_helper_get_hash_recalc)
{
	const struct tn_skb_host *skb = skb_of(ex, r1);

	return skb ? skb->hash : 0;
}

BODY(tn_helper_set_hash)
{
	struct tn_skb_host *skb = skb_of(ex, r1);

	if (skb)
		skb->hash = (uint32_t)r2;
	return 0;
}

BODY(tn_helper_set_hash_invalid)
{
	struct tn_skb_host *skb = skb_of(ex, r1);

	if (skb)
		skb->hash = 0;
	return 0;
}

/* ---- Ends ---- */

/* Frames are in one piece already. */
BODY(tn_helper_skb_pull_data)
{
	const unsigned char *data, *end;

	if (!skb_of(ex, r1) ||
	    !tn_exec_packet(ex->prog, (const void *)(uintptr_t)r1, &data, &end) ||
	    (uint32_t)r2 > (uint64_t)(end - data))
		return fails(ENOMEM);
	return 0;
}

/* ctx, length, flags */
BODY(tn_helper_skb_change_tail)
{
	struct tn_skb_host *skb = skb_of(ex, r1);
	uint32_t size = (uint32_t)r2;
	char *data, *end;

	if (!skb || !skb->room || r3)
		return fails(EINVAL);
	data = skb->data;
	end = skb->data_end;
	if (size < ETHERNET_BYTES || size > (char *)skb->room_end - data)
		return fails(EINVAL);
	if (data + size > end)
		memset(end, 0, (size_t)(data + size - end));
	skb->data_end = data + size;
	skb->len = size;
	return 0;
}

/* ctx, bytes in front, flags */
BODY(tn_helper_skb_change_head)
{
	struct tn_skb_host *skb = skb_of(ex, r1);
	uint32_t more = (uint32_t)r2;

	if (!skb || !skb->room || r3 || more > (char *)skb->data - (char *)skb->room)
		return fails(EINVAL);
	skb->data = (char *)skb->data - more;
	/* What stood in front is part of the frame now. */
	skb->data_meta = skb->data;
	memset(skb->data, 0, more);
	skb->len += more;
	return 0;
}

static bool has_meta(const struct tn_xdp_host *xdp)
{
	return xdp->data_meta && (char *)xdp->data_meta <= (char *)xdp->data;
}

/* ctx, difference: metadata moves along. */
BODY(tn_helper_xdp_adjust_head)
{
	struct tn_xdp_host *xdp = xdp_of(ex, r1);
	int32_t by = (int32_t)r2;
	int64_t meta;

	if (!xdp || !xdp->room)
		return fails(EINVAL);
	meta = has_meta(xdp) ? (char *)xdp->data - (char *)xdp->data_meta : 0;
	if ((char *)xdp->data - (char *)xdp->room + by < meta ||
	    (char *)xdp->data_end - (char *)xdp->data - by < ETHERNET_BYTES)
		return fails(EINVAL);
	if (meta)
		memmove((char *)xdp->data_meta + by, xdp->data_meta, (size_t)meta);
	if (xdp->data_meta)
		xdp->data_meta = (char *)xdp->data_meta + by;
	xdp->data = (char *)xdp->data + by;
	return 0;
}

#define MAX_META 255

BODY(tn_helper_xdp_adjust_meta)
{
	struct tn_xdp_host *xdp = xdp_of(ex, r1);
	int64_t size;

	if (!xdp || !xdp->room || !has_meta(xdp))
		return fails(KERNEL_ENOTSUPP);
	size = (char *)xdp->data - (char *)xdp->data_meta - (int64_t)(int32_t)r2;
	if (size < 0 || size > (char *)xdp->data - (char *)xdp->room)
		return fails(EINVAL);
	if (size % 4 || size > MAX_META)
		return fails(EACCES);
	xdp->data_meta = (char *)xdp->data - size;
	return 0;
}

BODY(tn_helper_xdp_adjust_tail)
{
	struct tn_xdp_host *xdp = xdp_of(ex, r1);
	int32_t by = (int32_t)r2;

	if (!xdp || !xdp->room || by > (char *)xdp->room_end - (char *)xdp->data_end ||
	    (char *)xdp->data_end - (char *)xdp->data + by < ETHERNET_BYTES)
		return fails(EINVAL);
	if (by > 0)
		memset(xdp->data_end, 0, (size_t)by);
	xdp->data_end = (char *)xdp->data_end + by;
	return 0;
}
