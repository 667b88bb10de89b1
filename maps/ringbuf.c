/* SPDX-License-Identifier: MIT */
/*
 * One mapping: a page with the positions and the way back to the map, `size` bytes of ring, and as
 * many again into which a record runs on that starts near the ring's end.
 *
 * Positions only grow. A producer takes [pos, pos + len) by compare-and-swap on prod, then writes
 * the record's header: length and BUSY bit as in the kernel, and the header's distance from the
 * mapping's start, which leads from a record alone to its ring. That distance is never 0, and the
 * consumer zeroes what it has consumed before it gives the space back; so a header of 0 is one
 * that is not written yet, and producers need no lock.
 *
 * Wakeups as in the kernel: a producer notifies when the consumer stands at the record that it just
 * finished. It stores its header, then loads cons; the consumer stores cons, then loads the header;
 * one of them must see the other. The consumer pays for that, with the barrier of base/epoch.h when
 * it has drained the ring, which keeps a locked instruction out of every submit.
 *
 * fork(2): producers and the consumer change positions only inside writer sections. In the child,
 * records that threads of the parent had open are discarded, and the eventfd is a new one.
 */
#include "maps/ringbuf.h"

#include <errno.h>
#include <limits.h>
#include <linux/bpf.h>
#include <string.h>
#include <time.h>

#include "base/pages.h"
#include "maps/consumed.h"

_Static_assert(TN_RB_NO_WAKEUP == BPF_RB_NO_WAKEUP && TN_RB_FORCE_WAKEUP == BPF_RB_FORCE_WAKEUP,
	       "wakeup flags");
_Static_assert((int)TN_RB_AVAIL_DATA == (int)BPF_RB_AVAIL_DATA &&
		       (int)TN_RB_RING_SIZE == (int)BPF_RB_RING_SIZE &&
		       (int)TN_RB_CONS_POS == (int)BPF_RB_CONS_POS &&
		       (int)TN_RB_PROD_POS == (int)BPF_RB_PROD_POS,
	       "queries");

/* A header's low half: bits 0 to 29 are the length. */
#define BUSY	     ((uint64_t)BPF_RINGBUF_BUSY_BIT)
#define DISCARD	     ((uint64_t)BPF_RINGBUF_DISCARD_BIT)
#define LEN_MASK     (DISCARD - 1)
#define HEADER_BYTES BPF_RINGBUF_HDR_SZ
#define MAX_RECORD   (UINT32_MAX / 4)

typedef _Atomic uint64_t header;

/* The mapping's first page. Producers write one line, the consumer the other. */
struct ring_head {
	struct ringbuf *owner;
	_Atomic uint64_t prod TN_ALIGNED(64);
	_Atomic uint64_t cons TN_ALIGNED(64);
	_Atomic uint64_t dropped TN_ALIGNED(64); /* reservations that found no room */
};

struct ringbuf {
	struct tn_map map;
	struct ring_head *head;
	unsigned char *data;
	uint64_t mask;	     /* size - 1 */
	uint64_t barrier_at; /* cons at the consumer's last barrier */
	struct tn_consumed consumed;
};

static struct ringbuf *ring_of(const struct tn_map *map)
{
	return TN_CONTAINER_OF(map, struct ringbuf, map);
}

static uint64_t ring_size(const struct ringbuf *ring)
{
	return ring->mask + 1;
}

static size_t mapping_size(const struct tn_map *map)
{
	return tn_page_size() + 2 * (size_t)map->max_entries;
}

static uint64_t record_bytes(uint64_t len)
{
	return TN_ROUND_UP(len + HEADER_BYTES, 8);
}

static header *header_at(const struct ringbuf *ring, uint64_t pos)
{
	return (header *)(void *)(ring->data + (pos & ring->mask));
}

/* The distance from the mapping's start, in units of 8 bytes, in a header's high half. */
static uint64_t header_place(const struct ringbuf *ring, const header *h)
{
	return (uint64_t)((const unsigned char *)h - (const unsigned char *)ring->head) / 8 << 32;
}

static struct ringbuf *ring_of_header(header *h)
{
	size_t distance = (size_t)(tn_load_relaxed(h) >> 32) * 8;

	return ((struct ring_head *)(void *)((unsigned char *)h - distance))->owner;
}

static uint64_t read_header(header *h)
{
#if TN_TSAN
	return tn_add_acq_rel(h, 0);
#else
	return tn_load_acquire(h);
#endif
}

/* ---- Life ---- */

static int check(const struct tn_map *map)
{
	uint32_t size = map->max_entries;

	if (map->flags & ~TN_MAP_F_NUMA_NODE)
		return tn_map_err(map, -EINVAL, "flags 0x%x are not supported by type ringbuf",
				  map->flags & ~TN_MAP_F_NUMA_NODE);
	if (map->key_size || map->value_size)
		return tn_map_err(map, -EINVAL, "a ring buffer has neither key nor value size");
	if (!size || size & (size - 1) || size % tn_page_size())
		return tn_map_err(map, -EINVAL,
				  "max_entries is %u, expected a power of two times the page size",
				  size);
	return 0;
}

static void discard_open_records(struct tn_consumed *consumed);

static int init(struct tn_map *map)
{
	struct ringbuf *ring = ring_of(map);
	int err;

	err = tn_map_charge(map, mapping_size(map));
	if (err)
		return err;
	ring->head = tn_pages_alloc(map->rt, mapping_size(map));
	if (!ring->head)
		return tn_map_err(map, -ENOMEM, "cannot reserve %zu bytes", mapping_size(map));
	ring->head->owner = ring;
	ring->data = (unsigned char *)ring->head + tn_page_size();
	ring->mask = map->max_entries - 1;
	tn_consumed_init(&ring->consumed, discard_open_records);
	return 0;
}

static void fini(struct tn_map *map)
{
	struct ringbuf *ring = ring_of(map);

	tn_consumed_fini(&ring->consumed);
	if (ring->head)
		tn_pages_free(ring->head, mapping_size(map));
}

int tn_ringbuf_fd(struct tn_map *map)
{
	return tn_consumed_fd(&ring_of(map)->consumed);
}

/* ---- From programs ---- */

static void track(struct tn_thread *t, void *sample)
{
	if (tn_unlikely(!t))
		return;
	if (tn_likely(t->nr_open_records < TN_OPEN_RECORDS))
		t->open_records[t->nr_open_records++] = sample;
	else
		t->nr_untracked_records++;
}

static void untrack(struct tn_thread *t, void *sample)
{
	uint32_t i;

	if (tn_unlikely(!t))
		return;
	for (i = t->nr_open_records; i-- > 0;) {
		if (t->open_records[i] == sample) {
			t->open_records[i] = t->open_records[--t->nr_open_records];
			return;
		}
	}
	if (t->nr_untracked_records)
		t->nr_untracked_records--;
}

/* Space for `bytes`, whose position goes to *pos; false where there is none. */
static TN_ALWAYS_INLINE bool take_space(struct ringbuf *ring, uint64_t bytes, uint64_t *pos)
{
	uint64_t prod = tn_load_relaxed(&ring->head->prod), cons;

	do {
		/* Pairs with the release in give_back(): the space is zeroed. */
		cons = tn_load_acquire(&ring->head->cons);
		while (tn_unlikely(cons > prod))
			prod = tn_load_acquire(&ring->head->prod); /* ours was older */
		if (prod + bytes - cons > ring->mask)
			return false;
	} while (!tn_cas_acq_rel(&ring->head->prod, &prod, prod + bytes));
	*pos = prod;
	return true;
}

void *tn_ringbuf_reserve(struct tn_map *map, uint64_t size, uint64_t flags)
{
	struct ringbuf *ring = ring_of(map);
	struct tn_thread *t;
	void *sample = NULL;
	uint64_t pos;

	if (tn_unlikely(flags || size > MAX_RECORD || record_bytes(size) > ring_size(ring)))
		return NULL;
	t = tn_thread_self();
	tn_writer_enter(t);
	if (tn_likely(take_space(ring, record_bytes(size), &pos))) {
		header *h = header_at(ring, pos);

		tn_store_relaxed(h, header_place(ring, h) | BUSY | size);
		sample = (unsigned char *)h + HEADER_BYTES;
		track(t, sample);
	} else {
		tn_add_relaxed(&ring->head->dropped, 1);
	}
	tn_writer_leave(t);
	return sample;
}

static TN_ALWAYS_INLINE void commit(void *sample, uint64_t flags, uint64_t discard)
{
	header *h = (header *)(void *)((unsigned char *)sample - HEADER_BYTES);
	uint64_t value = (tn_load_relaxed(h) & ~BUSY) | discard;
	struct ringbuf *ring = ring_of_header(h);
	struct tn_thread *t = tn_thread_self();
	uint64_t pos = (uint64_t)((unsigned char *)h - ring->data);

	untrack(t, sample);
	/* Pairs with the acquire in tn_ringbuf_consume(): the record is filled. */
#if TN_TSAN
	tn_exchange_acq_rel(h, value);
#else
	tn_store_release(h, value);
#endif
	/* Pairs with the barrier in drained(). */
	tn_epoch_light_barrier(t);
	if (tn_unlikely(flags & TN_RB_FORCE_WAKEUP) ||
	    (!(flags & TN_RB_NO_WAKEUP) &&
	     (tn_load_relaxed(&ring->head->cons) & ring->mask) == pos))
		tn_consumed_notify(&ring->consumed);
}

void tn_ringbuf_submit(void *sample, uint64_t flags)
{
	commit(sample, flags, 0);
}

void tn_ringbuf_discard(void *sample, uint64_t flags)
{
	commit(sample, flags, DISCARD);
}

int tn_ringbuf_output(struct tn_map *map, const void *data, uint64_t size, uint64_t flags)
{
	void *sample;

	if (flags & ~(uint64_t)(TN_RB_NO_WAKEUP | TN_RB_FORCE_WAKEUP))
		return -EINVAL;
	sample = tn_ringbuf_reserve(map, size, 0);
	if (!sample)
		return -EAGAIN;
	memcpy(sample, data, size);
	commit(sample, flags, 0);
	return 0;
}

uint64_t tn_ringbuf_query(struct tn_map *map, uint64_t flags)
{
	struct ringbuf *ring = ring_of(map);
	uint64_t cons = tn_load_acquire(&ring->head->cons);

	switch (flags) {
	case TN_RB_AVAIL_DATA:
		return tn_load_acquire(&ring->head->prod) - cons;
	case TN_RB_RING_SIZE:
		return ring_size(ring);
	case TN_RB_CONS_POS:
		return cons;
	case TN_RB_PROD_POS:
		return tn_load_acquire(&ring->head->prod);
	default:
		return 0;
	}
}

uint64_t tn_ringbuf_dropped(struct tn_map *map)
{
	return tn_load_relaxed(&ring_of(map)->head->dropped);
}

/* ---- The consumer ---- */

/* Zero the record's part of the ring (what ran on beyond it never holds a header) and let producers
 * have it. A fork sees all of it or nothing. */
static void give_back(struct ringbuf *ring, uint64_t cons, uint64_t bytes)
{
	struct tn_thread *t = tn_thread_self();
	uint64_t at = cons & ring->mask;

	tn_writer_enter(t);
	memset(ring->data + at, 0, TN_MIN(bytes, ring_size(ring) - at));
	/* Pairs with the acquire in take_space(). */
	tn_store_release(&ring->head->cons, cons + bytes);
	tn_writer_leave(t);
}

/* Nothing is ready at `cons`. True: and whoever makes it ready sees that we stand there. */
static bool drained(struct ringbuf *ring, uint64_t cons)
{
	const struct timespec nap = { 0, 50000 };

	if (ring->barrier_at == cons)
		return true;
	/* No barrier yet: wait far longer than a processor keeps a store to itself. */
	if (tn_epoch_barrier())
		nanosleep(&nap, NULL);
	ring->barrier_at = cons;
	return false;
}

static int consume_all(struct ringbuf *ring, int (*fn)(void *user, void *data, size_t size),
		       void *user)
{
	uint64_t cons = tn_load_relaxed(&ring->head->cons);
	int nr = 0, err = 0;

	while (err >= 0 && nr < INT_MAX) {
		header *h = header_at(ring, cons);
		uint64_t value = read_header(h);
		size_t len = value & LEN_MASK;

		if (!value || value & BUSY) {
			if (drained(ring, cons))
				break;
			continue;
		}
		if (!(value & DISCARD)) {
			err = fn(user, (unsigned char *)h + HEADER_BYTES, len);
			nr++;
		}
		give_back(ring, cons, record_bytes(len));
		cons += record_bytes(len);
	}
	return err < 0 ? err : nr;
}

int tn_ringbuf_consume(struct tn_map *map, int (*fn)(void *user, void *data, size_t size),
		       void *user)
{
	struct ringbuf *ring = ring_of(map);
	int result = tn_consumed_begin(&ring->consumed);

	if (result)
		return result;
	result = consume_all(ring, fn, user);
	tn_consumed_end(&ring->consumed);
	return result;
}

/* ---- In a forked child ---- */

static bool is_own_record(const struct tn_thread *self, const void *sample)
{
	uint32_t i;

	if (!self)
		return false;
	/* Which ones of several are ours is not known; then none is discarded. */
	if (self->nr_untracked_records)
		return true;
	for (i = 0; i < self->nr_open_records; i++)
		if (self->open_records[i] == sample)
			return true;
	return false;
}

static void discard_open_records(struct tn_consumed *consumed)
{
	struct ringbuf *ring = TN_CONTAINER_OF(consumed, struct ringbuf, consumed);
	uint64_t pos = tn_load_relaxed(&ring->head->cons),
		 prod = tn_load_relaxed(&ring->head->prod);

	while (pos < prod) {
		header *h = header_at(ring, pos);
		uint64_t value = tn_load_relaxed(h);

		if (value & BUSY &&
		    !is_own_record(tn_thread_tls, (unsigned char *)h + HEADER_BYTES))
			tn_store_relaxed(h, (value & ~BUSY) | DISCARD);
		pos += record_bytes(value & LEN_MASK);
	}
}

/* Keys mean nothing here: what is missing gives the kernel's ENOTSUPP. */
const struct tn_map_ops tn_ringbuf_ops = {
	.struct_size = sizeof(struct ringbuf),
	.check = check,
	.init = init,
	.fini = fini,
};
