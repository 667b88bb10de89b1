/* SPDX-License-Identifier: MIT */
/*
 * Each block has a header of 16 bytes with its size, since the host's allocator wants it back
 * (osize) and the byte count goes down by it. `rt` may be NULL: then plain malloc, not counted.
 * Large blocks that came from malloc are kept for the next ones, see base/kept.h.
 */
#include "base/mem.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rt.h"
#include "base/vec.h"

struct block {
	size_t size; /* without the header */
	size_t kept; /* bytes that there are, if it is of those that are kept; else 0 */
};
_Static_assert(sizeof(struct block) == 16, "blocks stay aligned to 16");

static struct block *block_of(void *ptr)
{
	return (struct block *)ptr - 1;
}

int tn_mem_should_fail(struct tn_rt *rt)
{
	int64_t left;

	if (!rt)
		return 0;
	left = tn_load_relaxed(&rt->mem.fail_after);
	while (left > 0)
		if (atomic_compare_exchange_weak_explicit(&rt->mem.fail_after, &left, left - 1,
							  memory_order_relaxed,
							  memory_order_relaxed))
			return left == 1;
	return 0;
}

int tn_charge(struct tn_rt *rt, enum tn_charge what, size_t bytes)
{
	size_t limit, now, next;

	if (!rt)
		return 0;
	limit = rt->mem.limit[what];
	now = tn_load_relaxed(&rt->mem.bytes[what]);
	do {
		if (__builtin_add_overflow(now, bytes, &next) || (limit && next > limit))
			return -E2BIG;
	} while (!atomic_compare_exchange_weak_explicit(
		&rt->mem.bytes[what], &now, next, memory_order_relaxed, memory_order_relaxed));
	return 0;
}

void tn_uncharge(struct tn_rt *rt, enum tn_charge what, size_t bytes)
{
	if (rt)
		atomic_fetch_sub_explicit(&rt->mem.bytes[what], bytes, memory_order_relaxed);
}

/* The one place that calls the allocator. Sizes include the header. */
static void *raw_realloc(struct tn_rt *rt, void *ptr, size_t osize, size_t nsize)
{
	if (rt && rt->mem.alloc)
		return rt->mem.alloc(rt->mem.user, ptr, osize, nsize);
	if (!nsize) {
		free(ptr);
		return NULL;
	}
	return realloc(ptr, nsize);
}

/* A new block, which has *kept bytes if it is one to be kept. */
static struct block *get_block(struct tn_rt *rt, size_t total, size_t *kept)
{
	struct block *b;

	*kept = rt && !rt->mem.alloc ? tn_kept_size(total) : 0;
	if (!*kept)
		return raw_realloc(rt, NULL, 0, total);
	b = tn_kept_take(&rt->mem.kept, *kept);
	return b ? b : raw_realloc(rt, NULL, 0, *kept);
}

static void *resize(struct tn_rt *rt, void *ptr, size_t size)
{
	struct block *old = ptr ? block_of(ptr) : NULL;
	size_t old_total = old ? old->size + sizeof(*old) : 0;
	struct block *new;
	size_t total, kept = 0;

	if (__builtin_add_overflow(size, sizeof(*new), &total) || total > PTRDIFF_MAX)
		return NULL;
	if (tn_mem_should_fail(rt))
		return NULL;
	if (total > old_total && tn_charge(rt, TN_CHARGE_HEAP, total - old_total))
		return NULL;
	new = old ? raw_realloc(rt, old, old_total, total) : get_block(rt, total, &kept);
	if (!new) {
		if (total > old_total)
			tn_uncharge(rt, TN_CHARGE_HEAP, total - old_total);
		return NULL;
	}
	if (total < old_total)
		tn_uncharge(rt, TN_CHARGE_HEAP, old_total - total);
	new->size = size;
	new->kept = kept;
	return new + 1;
}

void *tn_alloc(struct tn_rt *rt, size_t size)
{
	return resize(rt, NULL, size);
}

void *tn_zalloc(struct tn_rt *rt, size_t size)
{
	void *p = resize(rt, NULL, size);

	if (p)
		memset(p, 0, size);
	return p;
}

void *tn_alloc_array(struct tn_rt *rt, size_t n, size_t size)
{
	size_t bytes;

	return __builtin_mul_overflow(n, size, &bytes) ? NULL : tn_zalloc(rt, bytes);
}

void *tn_realloc_array(struct tn_rt *rt, void *ptr, size_t n, size_t size)
{
	size_t bytes;

	return __builtin_mul_overflow(n, size, &bytes) ? NULL : resize(rt, ptr, bytes);
}

void tn_free(struct tn_rt *rt, void *ptr)
{
	size_t total;

	if (!ptr)
		return;
	total = block_of(ptr)->size + sizeof(struct block);
	if (block_of(ptr)->kept)
		tn_kept_put(&rt->mem.kept, block_of(ptr), block_of(ptr)->kept);
	else
		raw_realloc(rt, block_of(ptr), total, 0);
	tn_uncharge(rt, TN_CHARGE_HEAP, total);
}

char *tn_strndup(struct tn_rt *rt, const char *s, size_t n)
{
	size_t len = strnlen(s, n);
	char *copy = tn_alloc(rt, len + 1);

	if (!copy)
		return NULL;
	memcpy(copy, s, len);
	copy[len] = 0;
	return copy;
}

char *tn_strdup(struct tn_rt *rt, const char *s)
{
	return tn_strndup(rt, s, strlen(s));
}

void *tn_memdup(struct tn_rt *rt, const void *p, size_t size)
{
	void *copy = tn_alloc(rt, size);

	if (copy && size)
		memcpy(copy, p, size);
	return copy;
}

char *tn_asprintf(struct tn_rt *rt, const char *fmt, ...)
{
	va_list ap, again;
	char *s = NULL;
	int len;

	va_start(ap, fmt);
	va_copy(again, ap);
	len = vsnprintf(NULL, 0, fmt, ap);
	if (len >= 0)
		s = tn_alloc(rt, (size_t)len + 1);
	if (s)
		vsnprintf(s, (size_t)len + 1, fmt, again);
	va_end(again);
	va_end(ap);
	return s;
}

int tn_vec_reserve(struct tn_rt *rt, void **v, uint32_t *cap, uint32_t want, size_t size)
{
	uint32_t next = *cap;
	void *grown;

	if (want <= *cap)
		return 0;
	/* Also keeps a caller's nr + 1 from ever wrapping. */
	if (want > UINT32_MAX / 2)
		return -ENOMEM;
	if (next < 8)
		next = 8;
	while (next < want)
		next *= 2;
	grown = tn_realloc_array(rt, *v, next, size);
	if (!grown)
		return -ENOMEM;
	*v = grown;
	*cap = next;
	return 0;
}
