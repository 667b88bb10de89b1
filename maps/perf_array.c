/* SPDX-License-Identifier: MIT */
/*
 * Each ring has one producer, the holder of its slot, and one consumer. It is one mapping: `size`
 * bytes, and as many again into which a sample runs on that starts near the end, so that every
 * sample is in one piece. A header of 8 bytes gives the length; samples begin at multiples of 8.
 *
 * The producer fills the sample, then moves prod on; nothing half written is ever seen, by the
 * reader or by a forked child, and a thread that is not there any more leaves nothing open.
 *
 * Overwrite mode: the producer waits for nobody. It fills the ring backwards, the sample that ends
 * at position e begins at byte -e, so that from prod the reader finds the newest and behind each
 * the next older one. Before it writes up to a position the producer says so in `claim`: what lies
 * more than the ring's size behind that may be torn. The reader copies a sample, then looks at
 * claim; it follows no length before it has looked. Where not even the newest is whole, it is gone,
 * and so are all before it. claim never falls: in a forked child, it speaks for a producer that
 * vanished in the middle too. Samples are numbered in their headers, which tells the reader how
 * many it missed. tests/models/perf.pml is this protocol.
 *
 * Wakeups: the producer stores prod, then loads cons, and notifies where the reader stands at the
 * sample that it just wrote; the reader stores cons, then loads prod. Both store by a sequentially
 * consistent exchange, so one of them sees the other. In overwrite mode, a reader that leaves while
 * there is something new notifies itself. Where the host asked for fewer wakeups, the producer
 * counts, and looks at nothing.
 */
#include "maps/perf_array.h"

#include <errno.h>
#include <limits.h>
#include <linux/bpf.h>
#include <string.h>

#include "base/fork.h"
#include "base/pages.h"
#include "maps/consumed.h"
#include "maps/index_key.h"
#include "maps/words.h"

_Static_assert(TN_PERF_INDEX == BPF_F_INDEX_MASK && TN_PERF_INDEX == BPF_F_CURRENT_CPU &&
		       TN_PERF_CTX_BYTES == BPF_F_CTXLEN_MASK,
	       "flags of perf events");

#define ALLOWED_FLAGS (TN_MAP_F_NUMA_NODE | TN_MAP_F_RDONLY | TN_MAP_F_WRONLY)
#define PRESERVE      (1u << 11) /* BPF_F_PRESERVE_ELEMS: rings are the host's anyway */
#define HEADER_BYTES  8u

/* A header in overwrite mode: the length and the sample's number, which starts anew at 2^48. */
#define LEN_BITS 16
#define LEN_MASK ((1ull << LEN_BITS) - 1)
#define NR_MASK	 (UINT64_MAX >> LEN_BITS)
_Static_assert(TN_PERF_MAX_SAMPLE <= LEN_MASK, "lengths fit into headers");

/* Looks at a ring whose producer overwrites it as fast as it is read, before what is there is given
 * up. */
#define MAX_LOOKS 8

struct ring {
	_Atomic uint64_t prod TN_ALIGNED(64);
	_Atomic uint64_t claim;	 /* overwrite mode: written to, or being written to */
	uint64_t unannounced;	 /* samples or bytes since the last wakeup; the producer's */
	_Atomic uint64_t lost;	 /* samples that found no room since the reader asked */
	_Atomic uint8_t removed; /* the host took the element out */
	_Atomic uint64_t cons TN_ALIGNED(64);
	uint64_t seen; /* overwrite mode: the number that is expected next; the reader's */
};

/* All rings of one opening; freed after an epoch. */
struct rings {
	struct tn_deferred deferred;
	struct tn_rt *rt;
	uint32_t nr;
	struct tn_perf_options options;
	size_t size;		/* of one ring */
	size_t bytes;		/* of `data` */
	unsigned char *data;	/* nr times 2 * size */
	struct ring *positions; /* nr; behind the data, in its mapping */
	unsigned char *copy;	/* overwrite mode: `size` bytes of the reader; behind those */
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

static struct rings *new_rings(struct tn_map *map, size_t size,
			       const struct tn_perf_options *options)
{
	struct rings *rings = tn_new(map->rt, struct rings);

	if (!rings)
		return tn_err_null(-ENOMEM, "map '%s': out of memory", map->name);
	rings->rt = map->rt;
	rings->nr = TN_MIN(map->max_entries, map->rt->max_slots);
	rings->size = size;
	rings->options = *options;
	rings->bytes = rings->nr * (2 * size + sizeof(struct ring));
	if (options->overwrite)
		rings->bytes += size;
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
	rings->copy = (unsigned char *)(rings->positions + rings->nr);
	return rings;
}

int tn_perf_open(struct tn_map *map, size_t bytes, const struct tn_perf_options *options)
{
	const struct tn_perf_options defaults = { 0 };
	struct perf_array *array = array_of(map);
	struct rings *rings, *none = NULL;

	if (!bytes || bytes & (bytes - 1) || bytes % tn_page_size() || bytes > 1u << 30)
		return tn_map_err(map, -EINVAL,
				  "a ring of %zu bytes, expected a power of two of pages", bytes);
	if (!options)
		options = &defaults;
	if (options->wakeup_events && options->wakeup_bytes)
		return tn_map_err(map, -EINVAL,
				  "wakeups after %u samples and after %u bytes, expected one",
				  options->wakeup_events, options->wakeup_bytes);
	rings = new_rings(map, bytes, options);
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

struct sample {
	const unsigned char *data, *more;
	uint64_t size, more_size;
};

static bool counts_wakeups(const struct rings *rings)
{
	return rings->options.wakeup_events || rings->options.wakeup_bytes;
}

/* Behind the last one. */
static void put_sample(unsigned char *at, const struct sample *sample)
{
	memcpy(at, &(uint64_t){ sample->size + sample->more_size }, HEADER_BYTES);
	at += HEADER_BYTES;
	if (sample->size)
		memcpy(at, sample->data, sample->size);
	if (sample->more_size)
		memcpy(at + sample->size, sample->more, sample->more_size);
}

/* Both parts in words that the reader may read meanwhile; the word where they meet has bytes of
 * both. */
static void put_words(unsigned char *at, const struct sample *sample)
{
	uint64_t rest = sample->size % 8, whole = sample->size - rest, word = 0, taken;

	if (!rest || !sample->more_size) {
		tn_words_store(at, sample->data, sample->size);
		tn_words_store(at + TN_ROUND_UP(sample->size, 8), sample->more, sample->more_size);
		return;
	}
	taken = TN_MIN(8 - rest, sample->more_size);
	tn_words_store(at, sample->data, whole);
	memcpy(&word, sample->data + whole, rest);
	memcpy((unsigned char *)&word + rest, sample->more, taken);
	tn_words_store(at + whole, &word, 8);
	tn_words_store(at + whole + 8, sample->more + taken, sample->more_size - taken);
}

/* Overwrite mode: where the sample that ends at `end` begins. */
static unsigned char *sample_at(const struct rings *rings, uint32_t i, uint64_t end)
{
	return ring_data(rings, i) + (-end & (rings->size - 1));
}

static void overwrite(const struct rings *rings, uint32_t i, const struct sample *sample,
		      uint64_t prod, uint64_t end)
{
	struct ring *ring = &rings->positions[i];
	unsigned char *at = sample_at(rings, i, end);
	uint64_t nr = 0;

	/* The newest sample's header is whole: put() sees to it that nothing is ever written over
	 * it but by a sample that was published behind it. */
	if (prod)
		nr = (tn_load_relaxed((_Atomic uint64_t *)(void *)sample_at(rings, i, prod)) >>
		      LEN_BITS) +
		     1;
	if (tn_load_relaxed(&ring->claim) < end)
		tn_store_relaxed(&ring->claim, end);
	/* Pairs with the fence in is_whole(): who reads what follows sees the claim. */
	tn_seq_write_fence();
	tn_words_store(at, &(uint64_t){ nr << LEN_BITS | (sample->size + sample->more_size) },
		       HEADER_BYTES);
	put_words(at + HEADER_BYTES, sample);
}

static void announce(struct perf_array *array, const struct rings *rings, struct ring *ring,
		     uint64_t prod, uint64_t bytes)
{
	const struct tn_perf_options *options = &rings->options;

	if (!counts_wakeups(rings)) {
		/* See the head of this file. */
		if (atomic_load_explicit(&ring->cons, memory_order_seq_cst) == prod)
			tn_consumed_notify(&array->consumed);
		return;
	}
	ring->unannounced += options->wakeup_events ? 1 : bytes;
	if (ring->unannounced < options->wakeup_events + options->wakeup_bytes)
		return;
	ring->unannounced = 0;
	tn_consumed_notify(&array->consumed);
}

static int put(struct perf_array *array, const struct rings *rings, uint32_t i,
	       const struct sample *sample)
{
	struct ring *ring = &rings->positions[i];
	uint64_t bytes = sample_bytes(sample->size + sample->more_size);
	uint64_t prod = tn_load_relaxed(&ring->prod);
	/* Overwriting leaves the newest sample's header alone. Else this pairs with the reader's
	 * exchange: it is done with that place. */
	uint64_t needed = rings->options.overwrite ? bytes + HEADER_BYTES
						   : prod + bytes - tn_load_acquire(&ring->cons);

	if (needed > rings->size) {
		/* The first of several: the reader would sleep on while the ring is full. */
		if (!tn_add_relaxed(&ring->lost, 1) && counts_wakeups(rings))
			tn_consumed_notify(&array->consumed);
		return -ENOSPC;
	}
	if (rings->options.overwrite)
		overwrite(rings, i, sample, prod, prod + bytes);
	else
		put_sample(ring_data(rings, i) + (prod & (rings->size - 1)), sample);
	/* Pairs with the reader's load: the sample is filled. And see the head of this file. */
	atomic_exchange_explicit(&ring->prod, prod + bytes, memory_order_seq_cst);
	announce(array, rings, ring, prod, bytes);
	return 0;
}

int tn_perf_output(struct tn_map *map, uint64_t flags, const void *data, uint64_t size,
		   const void *more, uint64_t more_size, uint32_t slot)
{
	struct perf_array *array = array_of(map);
	uint32_t index = (uint32_t)flags;
	struct rings *rings;

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
	return put(array, rings, index, &(struct sample){ data, more, size, more_size });
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

/* Before the samples are: what is lost after this is announced anew. */
static uint64_t take_lost(struct ring *ring)
{
	return tn_load_relaxed(&ring->lost) ? tn_exchange_acq_rel(&ring->lost, 0) : 0;
}

static void tell_lost(const struct tn_perf_reader *reader, uint32_t i, uint64_t lost)
{
	if (lost && reader->lost)
		reader->lost(reader->user, i, lost);
}

static int consume_ring(const struct rings *rings, uint32_t i, const struct tn_perf_reader *reader)
{
	struct ring *ring = &rings->positions[i];
	uint64_t cons = tn_load_relaxed(&ring->cons), lost = take_lost(ring);
	int nr = 0;

	/* Pairs with the producer's exchange. */
	while (nr < INT_MAX && cons != atomic_load_explicit(&ring->prod, memory_order_seq_cst)) {
		unsigned char *at = ring_data(rings, i) + (cons & (rings->size - 1));
		uint64_t size;

		memcpy(&size, at, sizeof(size));
		reader->sample(reader->user, i, at + HEADER_BYTES, (uint32_t)size);
		nr++;
		cons += sample_bytes(size);
		/* Pairs with the loads of cons in put() and announce(). */
		atomic_exchange_explicit(&ring->cons, cons, memory_order_seq_cst);
	}
	tell_lost(reader, i, lost);
	return nr;
}

/* ---- From the host, in overwrite mode ---- */

/* Is what was read, from position `from` on, older than anything that may have been written over
 * it? */
static bool is_whole(const struct rings *rings, const struct ring *ring, uint64_t from)
{
	tn_seq_read_fence();
	return tn_load_relaxed(&ring->claim) - from <= rings->size;
}

/* Copy the samples from `newest` back to `cons`, as far as they are whole, so that they end at the
 * copy's end, the newest last. Where they begin in the copy. */
static size_t copy_samples(const struct rings *rings, uint32_t i, uint64_t cons, uint64_t newest)
{
	const struct ring *ring = &rings->positions[i];
	size_t begin = rings->size;

	for (uint64_t end = newest, bytes; end != cons; end -= bytes) {
		const unsigned char *at = sample_at(rings, i, end);
		uint64_t header = TN_WORD_LOAD((const _Atomic uint64_t *)(const void *)at);

		if (!is_whole(rings, ring, end - HEADER_BYTES))
			break;
		bytes = sample_bytes(header & LEN_MASK);
		/* Its header may be whole where its last bytes are not. */
		if (bytes > begin)
			break;
		tn_words_load(rings->copy + begin - bytes, at, bytes);
		if (!is_whole(rings, ring, end - bytes))
			break;
		begin -= bytes;
	}
	return begin;
}

static int hand_out_copy(const struct rings *rings, uint32_t i, size_t begin,
			 const struct tn_perf_reader *reader, uint64_t *first)
{
	uint64_t header;
	int nr = 0;

	memcpy(&header, rings->copy + begin, sizeof(header));
	*first = header >> LEN_BITS;
	for (; begin < rings->size; begin += sample_bytes(header & LEN_MASK)) {
		memcpy(&header, rings->copy + begin, sizeof(header));
		reader->sample(reader->user, i, rings->copy + begin + HEADER_BYTES,
			       (uint32_t)(header & LEN_MASK));
		nr++;
	}
	return nr;
}

/* A fork sees both or neither. */
static void set_seen(struct ring *ring, uint64_t cons, uint64_t seen)
{
	struct tn_thread *t = tn_thread_self();

	tn_writer_enter(t);
	ring->seen = seen & NR_MASK;
	/* Pairs with the load in announce(). */
	atomic_exchange_explicit(&ring->cons, cons, memory_order_seq_cst);
	tn_writer_leave(t);
}

/* What is there now, once: a producer that is faster than the reader's functions would keep it here
 * for ever. */
static int consume_newest(struct perf_array *array, const struct rings *rings, uint32_t i,
			  const struct tn_perf_reader *reader)
{
	struct ring *ring = &rings->positions[i];
	uint64_t cons = tn_load_relaxed(&ring->cons), lost = take_lost(ring), newest = cons, first;
	size_t begin = rings->size;
	int nr = 0;

	for (int looks = 0; looks < MAX_LOOKS && begin == rings->size; looks++) {
		/* Pairs with the producer's exchange. */
		newest = atomic_load_explicit(&ring->prod, memory_order_seq_cst);
		if (newest == cons)
			break;
		begin = copy_samples(rings, i, cons, newest);
	}
	if (begin < rings->size) {
		nr = hand_out_copy(rings, i, begin, reader, &first);
		lost += (first - ring->seen) & NR_MASK;
		set_seen(ring, newest, first + (uint64_t)nr);
	} else if (newest != cons) {
		/* What was claimed over it may never be finished, in a forked child. */
		set_seen(ring, newest, ring->seen);
	}
	cons = newest;
	tell_lost(reader, i, lost);
	if (!counts_wakeups(rings) &&
	    cons != atomic_load_explicit(&ring->prod, memory_order_seq_cst))
		tn_consumed_notify(&array->consumed);
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
		int nr = rings->options.overwrite ? consume_newest(array, rings, i, reader)
						  : consume_ring(rings, i, reader);

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
