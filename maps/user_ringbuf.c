/* SPDX-License-Identifier: MIT */
/*
 * Headers and positions are the kernel's: a header of 8 bytes with the length and the BUSY and
 * DISCARD bits, positions that only grow, samples at multiples of 8. The ring is followed by as
 * much memory again, into which a sample runs on that starts near the ring's end.
 *
 * Producers take turns under a lock, inside a writer section (base/fork.h). The reader is one
 * firing.
 *
 * fork(2): the child does not have the other threads, so it has neither a reader among them nor
 * what they had reserved and not submitted: that is discarded, or it would block the ring for ever.
 * A header's second half, which the kernel leaves unused, says whose record it is. The sample that
 * a vanished reader had in hand is drained again: it was not given back.
 */
#include "maps/user_ringbuf.h"

#include <errno.h>
#include <linux/bpf.h>
#include <pthread.h>
#include <string.h>

#include "base/fork.h"
#include "base/pages.h"
#include "maps/consumed.h"

#define BUSY	     ((uint32_t)BPF_RINGBUF_BUSY_BIT)
#define DISCARD	     ((uint32_t)BPF_RINGBUF_DISCARD_BIT)
#define HEADER_BYTES ((uint32_t)BPF_RINGBUF_HDR_SZ)
/* Programs see samples as dynptrs, whose size has 24 bits. */
#define MAX_SAMPLE ((1u << 24) - 1)

struct user_ring {
	struct tn_map map;
	unsigned char *data;
	pthread_mutex_t lock; /* of producers; holds nothing */
	_Atomic uint64_t prod, cons;
	struct tn_consumed consumed; /* by programs: it has no eventfd */
};

struct header {
	_Atomic uint32_t len;	/* with the two bits */
	_Atomic uint32_t owner; /* 1 + number of the thread that reserved it, 0: not known */
};
_Static_assert(sizeof(struct header) == HEADER_BYTES, "a header is as in the kernel");

static struct user_ring *ring_of(const struct tn_map *map)
{
	return TN_CONTAINER_OF(map, struct user_ring, map);
}

static uint64_t sample_bytes(uint32_t len)
{
	return TN_ROUND_UP((uint64_t)len + HEADER_BYTES, 8);
}

static struct header *header_at(const struct user_ring *ring, uint64_t pos)
{
	return (struct header *)(void *)(ring->data + (pos & (ring->map.max_entries - 1)));
}

/* ---- Life ---- */

static int check(const struct tn_map *map)
{
	uint32_t size = map->max_entries;

	if (map->flags & ~TN_MAP_F_NUMA_NODE)
		return tn_map_err(map, -EINVAL, "flags 0x%x are not supported by type user_ringbuf",
				  map->flags & ~TN_MAP_F_NUMA_NODE);
	if (map->key_size || map->value_size)
		return tn_map_err(map, -EINVAL,
				  "a user ring buffer has neither key nor value size");
	if (!size || size & (size - 1) || size % tn_page_size())
		return tn_map_err(map, -EINVAL,
				  "max_entries is %u, expected a power of two times the page size",
				  size);
	return 0;
}

static void discard_open_samples(struct tn_consumed *consumed);

static int init(struct tn_map *map)
{
	struct user_ring *ring = ring_of(map);
	size_t size = 2 * (size_t)map->max_entries;
	int err;

	pthread_mutex_init(&ring->lock, NULL);
	err = tn_map_charge(map, size);
	if (err)
		return err;
	ring->data = tn_pages_alloc(map->rt, size);
	if (!ring->data)
		return tn_map_err(map, -ENOMEM, "cannot reserve %zu bytes", size);
	tn_consumed_init(&ring->consumed, discard_open_samples);
	return 0;
}

static void fini(struct tn_map *map)
{
	tn_consumed_fini(&ring_of(map)->consumed);
	tn_pages_free(ring_of(map)->data, 2 * (size_t)map->max_entries);
	pthread_mutex_destroy(&ring_of(map)->lock);
}

/* ---- Producers ---- */

void *tn_user_ringbuf_reserve(struct tn_map *map, uint32_t size)
{
	struct user_ring *ring = ring_of(map);
	uint64_t bytes = sample_bytes(size), prod;
	struct header *header = NULL;
	struct tn_thread *t;

	if (size > MAX_SAMPLE || bytes > map->max_entries) {
		errno = E2BIG;
		return NULL;
	}
	t = tn_thread_self();
	tn_writer_enter(t);
	pthread_mutex_lock(&ring->lock);
	prod = tn_load_relaxed(&ring->prod);
	/* Pairs with the release in tn_user_ringbuf_next(): the reader is done with that place. */
	if (prod + bytes - tn_load_acquire(&ring->cons) <= map->max_entries) {
		header = header_at(ring, prod);
		tn_store_relaxed(&header->len, BUSY | size);
		tn_store_relaxed(&header->owner, t ? t->number + 1 : 0);
		/* Pairs with the acquire in tn_user_ringbuf_peek(): the header is there. */
		tn_store_release(&ring->prod, prod + bytes);
	}
	pthread_mutex_unlock(&ring->lock);
	tn_writer_leave(t);
	if (!header)
		errno = ENOSPC;
	return header ? (unsigned char *)header + HEADER_BYTES : NULL;
}

void tn_user_ringbuf_submit(struct tn_map *map, void *sample, bool discard)
{
	struct header *header = (void *)((unsigned char *)sample - HEADER_BYTES);
	uint32_t len = tn_load_relaxed(&header->len) & ~BUSY;

	(void)map;
	/* Pairs with the acquire in tn_user_ringbuf_peek(): the sample is filled. */
	tn_store_release(&header->len, len | (discard ? DISCARD : 0));
}

/* ---- The reader ---- */

int tn_user_ringbuf_begin(struct tn_map *map)
{
	return tn_consumed_begin(&ring_of(map)->consumed);
}

void tn_user_ringbuf_end(struct tn_map *map)
{
	tn_consumed_end(&ring_of(map)->consumed);
}

void *tn_user_ringbuf_peek(struct tn_map *map, uint32_t *size)
{
	struct user_ring *ring = ring_of(map);

	for (;;) {
		uint64_t cons = tn_load_relaxed(&ring->cons);
		struct header *header = header_at(ring, cons);
		uint32_t len;

		if (cons == tn_load_acquire(&ring->prod))
			return NULL;
		len = tn_load_acquire(&header->len);
		if (len & BUSY)
			return NULL;
		*size = len & ~DISCARD;
		if (!(len & DISCARD))
			return (unsigned char *)header + HEADER_BYTES;
		tn_user_ringbuf_next(map);
	}
}

void tn_user_ringbuf_next(struct tn_map *map)
{
	struct user_ring *ring = ring_of(map);
	uint64_t cons = tn_load_relaxed(&ring->cons);
	uint32_t len = tn_load_relaxed(&header_at(ring, cons)->len) & ~(BUSY | DISCARD);

	/* Pairs with the acquire in tn_user_ringbuf_reserve(). */
	tn_store_release(&ring->cons, cons + sample_bytes(len));
}

/* ---- In a forked child ---- */

/* Producers change prod inside writer sections, so every header before it is whole. A thread that
 * could not be registered keeps what may be its own. */
static void discard_open_samples(struct tn_consumed *consumed)
{
	struct user_ring *ring = TN_CONTAINER_OF(consumed, struct user_ring, consumed);
	const struct tn_thread *self = tn_thread_tls;
	uint64_t pos = tn_load_relaxed(&ring->cons), prod = tn_load_relaxed(&ring->prod);

	while (pos < prod) {
		struct header *header = header_at(ring, pos);
		uint32_t len = tn_load_relaxed(&header->len),
			 owner = tn_load_relaxed(&header->owner);

		if (len & BUSY && owner && (!self || owner != self->number + 1))
			tn_store_relaxed(&header->len, (len & ~BUSY) | DISCARD);
		pos += sample_bytes(len & ~(BUSY | DISCARD));
	}
}

const struct tn_map_ops tn_user_ringbuf_ops = {
	.struct_size = sizeof(struct user_ring),
	.check = check,
	.init = init,
	.fini = fini,
};
