/* SPDX-License-Identifier: MIT */
/*
 * Memory of one verification for blocks that come and go by the thousand: states put away. Chunks
 * are cut into blocks of multiples of 64 bytes; a freed block waits for one of the same size. All
 * of it goes at once.
 */
#ifndef TN_VERIFIER_POOL_H
#define TN_VERIFIER_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"

#define TN_POOL_UNIT	64u
#define TN_POOL_CLASSES 128u /* larger blocks are allocated on their own */

struct tn_pool_chunk;

struct tn_pool {
	struct tn_pool_chunk *chunks;
	char *next;
	size_t left;
	void *spare[TN_POOL_CLASSES];
	uint64_t bytes, peak_bytes, max_bytes; /* of chunks and large blocks */
};

/* Not zeroed. NULL: out of memory, or max_bytes would be passed (then pool->bytes > max_bytes). */
void *tn_pool_get(struct tn_rt *rt, struct tn_pool *pool, size_t size);
void tn_pool_put(struct tn_rt *rt, struct tn_pool *pool, void *p, size_t size);
/* Count memory that is not the pool's against its limit. false: it is met. */
int tn_pool_charge(struct tn_pool *pool, size_t size);
static inline bool tn_pool_is_large(size_t size)
{
	return (size + TN_POOL_UNIT - 1) / TN_POOL_UNIT >= TN_POOL_CLASSES;
}
/* Large blocks must have been put back. */
void tn_pool_fini(struct tn_rt *rt, struct tn_pool *pool);

#endif
