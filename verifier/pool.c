/* SPDX-License-Identifier: MIT */
#include "verifier/pool.h"

#include <stdbool.h>
#include <string.h>

/* With the allocator's header not more than a power of two: see base/kept.h. */
#define CHUNK_BYTES ((size_t)32 * 1024 - 64)

struct tn_pool_chunk {
	struct tn_pool_chunk *next;
	uint64_t pad[7]; /* blocks begin on a line of the cache */
};

static size_t class_of(size_t size)
{
	return (size + TN_POOL_UNIT - 1) / TN_POOL_UNIT;
}

int tn_pool_charge(struct tn_pool *pool, size_t size)
{
	pool->bytes += size;
	if (pool->bytes > pool->max_bytes)
		return 0;
	if (pool->bytes > pool->peak_bytes)
		pool->peak_bytes = pool->bytes;
	return 1;
}

static void *get_large(struct tn_rt *rt, struct tn_pool *pool, size_t size)
{
	void *p = tn_pool_charge(pool, size) ? tn_alloc(rt, size) : NULL;

	if (!p && pool->bytes <= pool->max_bytes)
		pool->bytes -= size;
	return p;
}

static bool more(struct tn_rt *rt, struct tn_pool *pool)
{
	struct tn_pool_chunk *chunk = get_large(rt, pool, CHUNK_BYTES);

	if (!chunk)
		return false;
	chunk->next = pool->chunks;
	pool->chunks = chunk;
	pool->next = (char *)(chunk + 1);
	pool->left = CHUNK_BYTES - sizeof(*chunk);
	return true;
}

void *tn_pool_get(struct tn_rt *rt, struct tn_pool *pool, size_t size)
{
	size_t class = class_of(size);
	void *p;

	if (class >= TN_POOL_CLASSES)
		return get_large(rt, pool, size);
	p = pool->spare[class];
	if (p) {
		memcpy(&pool->spare[class], p, sizeof(p));
		return p;
	}
	if (pool->left < class * TN_POOL_UNIT && !more(rt, pool))
		return NULL;
	p = pool->next;
	pool->next += class * TN_POOL_UNIT;
	pool->left -= class * TN_POOL_UNIT;
	return p;
}

void tn_pool_put(struct tn_rt *rt, struct tn_pool *pool, void *p, size_t size)
{
	size_t class = class_of(size);

	if (class >= TN_POOL_CLASSES) {
		pool->bytes -= size;
		tn_free(rt, p);
		return;
	}
	memcpy(p, &pool->spare[class], sizeof(p));
	pool->spare[class] = p;
}

void tn_pool_fini(struct tn_rt *rt, struct tn_pool *pool)
{
	while (pool->chunks) {
		struct tn_pool_chunk *chunk = pool->chunks;

		pool->chunks = chunk->next;
		tn_free(rt, chunk);
		pool->bytes -= CHUNK_BYTES;
	}
	pool->next = NULL;
	pool->left = 0;
	memset(pool->spare, 0, sizeof(pool->spare));
}
