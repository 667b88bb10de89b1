/* SPDX-License-Identifier: MIT */
/*
 * Large blocks that were freed are kept by their runtime for the next ones of like size, up to a
 * bound: what a proof needs for milliseconds would else come from the system, page by page, each
 * time. Only where memory comes from malloc; a host's own allocator sees everything. They count
 * against no limit and in no statistics: a kept block is free memory.
 *
 * Nobody waits: where another thread is in it, or was when this process forked, the block comes
 * from malloc or goes back to it.
 */
#ifndef TN_BASE_KEPT_H
#define TN_BASE_KEPT_H

#include <stdatomic.h>
#include <stddef.h>

#define TN_KEPT_MIN_BYTES ((size_t)16 << 10)
#define TN_KEPT_MAX_BYTES ((size_t)1 << 20)
/* Of all that is kept: what proofs of a few thousand instructions need. */
#define TN_KEPT_BYTES ((size_t)8 << 20)

#define TN_KEPT_CLASSES 25 /* four for each power of two, and one for the largest size */

struct tn_kept {
	atomic_flag busy;
	size_t bytes;
	void *first[TN_KEPT_CLASSES];
};

void tn_kept_init(struct tn_kept *k);
void tn_kept_fini(struct tn_kept *k); /* frees them */

/* The size that a block of so many bytes must have to be kept once; 0: such blocks are not. */
size_t tn_kept_size(size_t bytes);
/* One of a size that tn_kept_size() gave. NULL: none. */
void *tn_kept_take(struct tn_kept *k, size_t size);
/* Frees it where there is no room. */
void tn_kept_put(struct tn_kept *k, void *block, size_t size);

#endif
