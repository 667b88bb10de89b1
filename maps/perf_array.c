/* SPDX-License-Identifier: MIT */
/*
 * Each ring has one producer, the holder of its slot, and one consumer. It is one mapping: `size`
 * bytes, and as many again into which a sample runs on that starts near the end, so that every
 * sample is in one piece. A header of 8 bytes gives the length; samples begin at multiples of 8.
 *
 * The producer fills the sample, then moves prod on; nothing half written is ever seen, by the
 * reader or by a forked child, and a thread that is not there any more leaves nothing open.
 *
 * Wakeups: the producer stores prod, then loads cons, and notifies where the reader stands at the
 * sample that it just wrote; the reader stores cons, then loads prod. Both store by a sequentially
 * consistent exchange, so one of them sees the other.
 */
#include "maps/perf_array.h"

#include <errno.h>
#include <limits.h>
#include <linux/bpf.h>
#include <string.h>

#include "base/pages.h"
#include "maps/consumed.h"
#include "maps/index_key.h"

_Static_assert(TN_PERF_INDEX == BPF_F_INDEX_MASK && TN_PERF_INDEX == BPF_F_CURRENT_CPU &&
		       TN_PERF_CTX_BYTES == BPF_F_CTXLEN_MASK,
	       "flags of perf events");

#define ALLOWED_FLAGS (TN_MAP_F_NUMA_NODE | TN_MAP_F_RDONLY | TN_MAP_F_WRONLY)
#define PRESERVE      (1u << 11) /* BPF_F_PRESERVE_ELEMS: rings are the host's anyway */
#define HEADER_BYTES  8u

struct ring {
	_Atomic uint64_t prod TN_ALIGNED(64);
	_Atomic uint64_t lost;	 /* samples since the reader asked */
	_Atomic uint8_t removed; /* the host took the element out */
	_Atomic uint64_t cons TN_ALIGNED(64);
};

/* All rings of one opening; freed after an epoch. */
struct rings {
	struct tn_deferred deferred;
	struct tn_rt *rt;
	uint32_t nr;
	size_t size;		/* of one ring */
	size_t bytes;		/* of `data` */
	unsigned char *data;	/* nr times 2 * size */
	struct ring *positions; /* nr; behind the data, in its mapping */
};

struct perf_array {
	struct tn_map map;
	_Atomic(struct rings *) rings; /* NULL: not open */
	/* In a forked child, samples are where they were. */
	struct tn_consumed consumed;
};

static struct perf_array *array_of(const struct tn_map *map)
{
	return TN_CONTAINER_OF(map, struct perf_array, map);
}

/* ---- Life ---- */

static int check(const struct tn_map *map)
{
	if (map->key_size != 4 || map->value_size != 4)
		return tn_map_err(map, -EINVAL,
				  "key and value size are %u and %u, expected 4 and 4",
				  map->key_size, map->value_size);
	if (!map->max_entries)
		return tn_map_err(map, -EINVAL, "max_entries is 0");
	return tn_map_check_flags(map, ALLOWED_FLAGS | PRESERVE);
}

static int init(struct tn_map *map)
{
	tn_consumed_init(&array_of(map)->consumed, NULL);
	return 0;
}

static void free_rings(struct rings *rings)
{
	if (!rings)
		return;
	tn_pages_free(rings->data, rings->bytes);
	tn_uncharge(rings->rt, TN_CHARGE_MAPS, rings->bytes);
	tn_free(rings->rt, rings);
}

static void free_deferred(struct tn_deferred *d)
{
	free_rings(TN_CONTAINER_OF(d, struct rings, deferred));
}

static void fini(struct tn_map *map)
{
	struct perf_array *array = array_of(map);

	tn_consumed_fini(&array->consumed);
	free_rings(tn_load_relaxed(&array->rings));
}

/* ---- Opening ---- */

static struct rings *new_rings(struct tn_map *map, size_t size)
{
	struct rings *rings = tn_new(map->rt, struct rings);

	if (!rings)
		return tn_err_null(-ENOMEM, "map '%s': out of memory", map->name);
	rings->rt = map->rt;
	rings->nr = TN_MIN(map->max_entries, map->rt->max_slots);
	rings->size = size;
	rings->bytes = rings->nr * (2 * size + sizeof(struct ring));
	if (tn_charge(map->rt, TN_CHARGE_MAPS, rings->bytes)) {
		tn_map_err(map, -E2BIG, "%zu bytes exceed the runtime's limit for maps",
			   rings->bytes);
		tn_free(map->rt, rings);
		errno = E2BIG;
		return NULL;
	}
	rings->data = tn_pages_alloc(map->rt, rings->bytes);
	if (!rings->data) {
		tn_map_err(map, -ENOMEM, "cannot reserve %zu bytes", rings->bytes);
		tn_uncharge(map->rt, TN_CHARGE_MAPS, rings->bytes);
		tn_free(map->rt, rings);
		errno = ENOMEM;
		return NULL;
	}
	rings->positions = (struct ring *)(void *)(rings->data + rings->nr * 2 * size);
	return rings;
}

int tn_perf_open(struct tn_map *map, size_t bytes)
{
	struct perf_array *array = array_of(map);
	struct rings *rings, *none = NULL;

	if (!bytes || bytes & (bytes - 1) || bytes % tn_page_size() || bytes > 1u << 30)
		return tn_map_err(map, -EINVAL,
				  "a ring of %zu bytes, expected a power of two of pages", bytes);
	rings = new_rings(map, bytes);
	if (!rings)
		return -errno;
	/* Pairs with the acquire in tn_perf_output(). */
	if (tn_cas_acq_rel(&array->rings, &none, rings))
		return 0;
	free_rings(rings);
	return tn_map_err(map, -EBUSY, "its rings are open already");
}

void tn_perf_close(struct tn_map *map)
{
	struct rings *rings = tn_exchange_acq_rel(&array_of(map)->rings, NULL);

	if (rings)
		tn_epoch_defer(&rings->deferred, free_deferred);
}

int tn_perf_fd(struct tn_map *map)
{
	return tn_consumed_fd(&array_of(map)->consumed);
}

/* ---- From programs ---- */

static unsigned char *ring_data(const struct rings *rings, uint32_t i)
{
	return rings->data + (size_t)i * 2 * rings->size;
}

static uint64_t sample_bytes(uint64_t size)
{
	return TN_ROUND_UP(size + HEADER_BYTES, 8);
}

int tn_perf_output(struct tn_map *map, uint64_t flags, const void *data, uint64_t size,
		   const void *more, uint64_t more_size, uint32_t slot)
{
	struct perf_array *array = array_of(map);
	uint32_t index = (uint32_t)flags;
	uint64_t bytes, prod;
	struct rings *rings;
	struct ring *ring;
	unsigned char *at;

	if (flags & ~(TN_PERF_CTX_BYTES | TN_PERF_INDEX))
		return -EINVAL;
	if (index == TN_PERF_INDEX)
		index = slot;
	if (index >= map->max_entries)
		return -E2BIG;
	/* Pairs with tn_perf_open(). */
	rings = tn_load_acquire(&array->rings);
	if (!rings || index >= rings->nr || tn_load_relaxed(&rings->positions[index].removed))
		return -ENOENT;
	if (index != slot)
		return -EOPNOTSUPP;
	if (size > TN_PERF_MAX_SAMPLE || more_size > TN_PERF_MAX_SAMPLE - size)
		return -E2BIG;
	ring = &rings->positions[index];
	bytes = sample_bytes(size + more_size);
	prod = tn_load_relaxed(&ring->prod);
	/* Pairs with the reader's exchange: it is done with that place. */
	if (prod + bytes - tn_load_acquire(&ring->cons) > rings->size) {
		tn_add_relaxed(&ring->lost, 1);
		return -ENOSPC;
	}
	at = ring_data(rings, index) + (prod & (rings->size - 1));
	memcpy(at, &(uint64_t){ size + more_size }, HEADER_BYTES);
	if (size)
		memcpy(at + HEADER_BYTES, data, size);
	if (more_size)
		memcpy(at + HEADER_BYTES + size, more, more_size);
	/* Pairs with the reader's load: the sample is filled. And see the head of this file. */
	atomic_exchange_explicit(&ring->prod, prod + bytes, memory_order_seq_cst);
	if (atomic_load_explicit(&ring->cons, memory_order_seq_cst) == prod)
		tn_consumed_notify(&array->consumed);
	return 0;
}

/* ---- From the host ---- */

/* There is nothing to be put in: the kernel's descriptors of events have no match here. */
static int host_update(struct tn_map *map, const void *key, const void *value, uint64_t flags)
{
	(void)value;
	if (flags != TN_MAP_ANY)
		return -EINVAL;
	return tn_index_of(key) >= map->max_entries ? -E2BIG : -EBADF;
}

/* No further samples from that slot, until the rings are opened anew. */
static int host_delete(struct tn_map *map, const void *key, uint64_t flags)
{
	struct tn_thread *t = tn_thread_self();
	uint32_t index = tn_index_of(key);
	struct rings *rings;
	int err = -ENOENT;

	(void)flags;
	if (index >= map->max_entries)
		return -E2BIG;
	if (!t)
		return -ENOMEM;
	tn_epoch_enter(t);
	rings = tn_load_acquire(&array_of(map)->rings);
	if (rings && index < rings->nr && !tn_exchange_acq_rel(&rings->positions[index].removed, 1))
		err = 0;
	tn_epoch_leave(t);
	return err;
}

static uint32_t count(struct tn_map *map)
{
	return tn_load_relaxed(&array_of(map)->rings) ? TN_MIN(map->max_entries, map->rt->max_slots)
						      : 0;
}

static int consume_ring(const struct rings *rings, uint32_t i, const struct tn_perf_reader *reader)
{
	struct ring *ring = &rings->positions[i];
	uint64_t cons = tn_load_relaxed(&ring->cons), lost;
	int nr = 0;

	/* Pairs with the producer's exchange. */
	while (nr < INT_MAX && cons != atomic_load_explicit(&ring->prod, memory_order_seq_cst)) {
		unsigned char *at = ring_data(rings, i) + (cons & (rings->size - 1));
		uint64_t size;

		memcpy(&size, at, sizeof(size));
		reader->sample(reader->user, i, at + HEADER_BYTES, (uint32_t)size);
		nr++;
		cons += sample_bytes(size);
		/* Pairs with the loads of cons in tn_perf_output(). */
		atomic_exchange_explicit(&ring->cons, cons, memory_order_seq_cst);
	}
	if (tn_load_relaxed(&ring->lost)) {
		lost = tn_exchange_acq_rel(&ring->lost, 0);
		if (reader->lost)
			reader->lost(reader->user, i, lost);
	}
	return nr;
}

int tn_perf_consume(struct tn_map *map, const struct tn_perf_reader *reader)
{
	struct perf_array *array = array_of(map);
	const struct rings *rings;
	int total = tn_consumed_begin(&array->consumed);

	if (total)
		return total;
	/* Whoever consumes has them open, and does not close them meanwhile. */
	rings = tn_load_acquire(&array->rings);
	for (uint32_t i = 0; rings && i < rings->nr; i++) {
		int nr = consume_ring(rings, i, reader);

		total = total > INT_MAX - nr ? INT_MAX : total + nr;
	}
	tn_consumed_end(&array->consumed);
	return total;
}

const struct tn_map_ops tn_perf_array_ops = {
	.struct_size = sizeof(struct perf_array),
	.check = check,
	.init = init,
	.fini = fini,
	.host_update = host_update,
	.host_delete = host_delete,
	.next_key = tn_index_next_key,
	.count = count,
};
