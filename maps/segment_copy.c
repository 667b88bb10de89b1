/* SPDX-License-Identifier: MIT */
/*
 * A shared map copied into private memory, for readers that neither trust the file nor want to map
 * it: it may be truncated under them, or be random bytes. All is read with pread(2).
 *
 * Where nobody writes, one pass does. Else each group of a hash table is read until its numbers say
 * that nobody changed it meanwhile, and the copy is made valid as after a writer's death: what is
 * moved from one group to another in between may be there twice, of which one is dropped, or not.
 */
#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "maps/hash_core.h"
#include "maps/segment.h"

#define WHOLE_TRIES 8u
#define GROUP_TRIES 256u
/* Of all groups together, beside one each: more than writers make necessary. */
#define MORE_TRIES 4096u

struct copy {
	int fd;
	struct tn_segment_header header;
	struct tn_map *map;
};

static int read_at(const struct copy *c, void *to, size_t size, uint64_t off)
{
	unsigned char *at = to;

	while (size) {
		ssize_t n = pread(c->fd, at, size, (off_t)off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return tn_map_err(c->map, n ? -errno : -EINVAL,
					  "the file ends at byte %llu%s%s", (unsigned long long)off,
					  n ? ": " : "", n ? strerror(errno) : "");
		at += n;
		off += (uint64_t)n;
		size -= (size_t)n;
	}
	return 0;
}

static int read_writes(const struct copy *c, uint64_t *writes)
{
	return read_at(c, writes, sizeof(*writes),
		       c->header.live_off + offsetof(struct tn_segment_live, writes));
}

static int read_parts(const struct copy *c, void *table, void *slots)
{
	int err = read_at(c, table, c->header.table_bytes, c->header.table_off);

	return err ? err : read_at(c, slots, c->header.slots_bytes, c->header.slots_off);
}

/* ---- Hash tables ---- */

/* One group with its elements; false: it changed again and again. */
static int read_group(const struct copy *c, struct tn_hash *h, uint32_t group, uint32_t *more,
		      bool *whole)
{
	uint64_t at = c->header.table_off;
	size_t elem_at = (size_t)(h->elems - (unsigned char *)h->groups);
	size_t first = (size_t)group * TN_HASH_GROUP_SLOTS;
	struct tn_hash_group after;
	int err = 0;

	*whole = false;
	for (uint32_t tries = 0; !err && !*whole && tries < GROUP_TRIES; tries++) {
		if (tries && !*more)
			break;
		*more -= tries != 0;
		struct tn_hash_group *g = &h->groups[group];

		err = read_at(c, g, sizeof(*g), at + (uint64_t)group * sizeof(*g));
		if (!err)
			err = read_at(c, tn_hash_elem(h, (uint32_t)first),
				      TN_HASH_GROUP_SLOTS * (size_t)h->elem_stride,
				      at + elem_at + first * h->elem_stride);
		for (uint32_t s = 0; !err && s < h->map.nr_slots && h->slot_values; s++)
			err = read_at(c, tn_hash_slot_value(h, (uint32_t)first, s),
				      TN_HASH_GROUP_SLOTS * (size_t)h->map.value_stride,
				      c->header.slots_off + s * h->map.slot_stride +
					      first * h->map.value_stride);
		if (!err)
			err = read_at(c, &after, sizeof(after),
				      at + (uint64_t)group * sizeof(after));
		*whole = !err && !(g->seq & 1) && g->seq == after.seq &&
			 !(g->lock & TN_GROUP_CHANGING) &&
			 (g->lock & ~TN_GROUP_LOCKED) == (after.lock & ~TN_GROUP_LOCKED);
	}
	return err;
}

static int copy_groups(const struct copy *c, struct tn_hash *h)
{
	uint32_t more = MORE_TRIES + h->nr_groups;
	int err = 0;

	for (uint32_t i = 0; !err && i < h->nr_groups; i++) {
		bool whole;

		err = read_group(c, h, i, &more, &whole);
		/* Its writer died just now, or the bytes mean nothing: nothing in it can be
		 * believed. */
		if (!err && !whole)
			memset((void *)&h->groups[i], 0, sizeof(h->groups[i]));
	}
	return err;
}

static uint64_t sum_of(const void *data, size_t size, uint64_t sum)
{
	const unsigned char *at = data;
	uint64_t word;

	for (; size >= sizeof(word); size -= sizeof(word), at += sizeof(word)) {
		memcpy(&word, at, sizeof(word));
		sum = (sum ^ word) * TN_HASH_MIX2;
	}
	return sum;
}

/* Passes over all of it until the writers' number tells that one saw no change. Where it is odd and
 * stays so, the writer is dead, or stopped: two passes that saw the same bytes, a while apart, will
 * do, and its change is ended from the journal. */
static int copy_whole(const struct copy *c, struct tn_hash *h, struct tn_segment_journal *journal,
		      bool *done)
{
	const struct timespec while_ = { .tv_nsec = 1000000 };
	uint64_t before, after, sum = 0, last = 0;
	int err = 0;

	*done = false;
	for (uint32_t i = 0; !err && !*done && i < WHOLE_TRIES; i++, last = sum) {
		err = read_writes(c, &before);
		if (!err)
			err = read_parts(c, h->groups, h->slot_values);
		if (!err && journal)
			err = read_at(c, journal, c->header.journal_bytes, c->header.journal_off);
		if (!err)
			err = read_writes(c, &after);
		if (err || before != after)
			continue;
		sum = sum_of(h->groups, h->table_bytes, before);
		sum = sum_of(h->slot_values, h->slot_bytes, sum);
		*done = !(before & 1) || sum == last;
		if (!*done)
			nanosleep(&while_, NULL);
	}
	return err;
}

static int copy_table(const struct copy *c, struct tn_hash *h, struct tn_segment_journal *journal)
{
	bool done;
	int err = copy_whole(c, h, journal, &done);

	if (!err && !done) {
		journal = NULL; /* of another moment */
		err = copy_groups(c, h);
	}
	if (err)
		return err;
	memcpy(h->seed, c->header.seed, sizeof(h->seed));
	h->seed[1] |= 1;
	err = read_at(c, h->tally, sizeof(*h->tally),
		      c->header.live_off + offsetof(struct tn_segment_live, tally));
	if (!err)
		tn_hash_repair(h, journal, false);
	return err;
}

static int copy_hash(const struct copy *c)
{
	struct tn_hash *h = tn_hash_map(c->map);
	size_t journal_bytes = tn_hash_journal_bytes(h);
	struct tn_segment_journal *journal = NULL;
	int err;

	if (h->table_bytes != c->header.table_bytes || h->slot_bytes != c->header.slots_bytes ||
	    journal_bytes != c->header.journal_bytes)
		return tn_map_err(c->map, -EINVAL,
				  "its table has %llu bytes, its attributes ask for %zu",
				  (unsigned long long)c->header.table_bytes, h->table_bytes);
	if (journal_bytes) {
		journal = tn_alloc(c->map->rt, journal_bytes);
		if (!journal)
			return tn_map_err(c->map, -ENOMEM, "out of memory");
	}
	err = copy_table(c, h, journal);
	tn_free(c->map->rt, journal);
	return err;
}

/* ---- Arrays ---- */

static int copy_array(const struct copy *c)
{
	uint64_t bytes = c->map->slot_stride ? c->header.slots_bytes : c->header.table_bytes;
	uint64_t off = c->map->slot_stride ? c->header.slots_off : c->header.table_off;

	if (bytes != c->map->values_size)
		return tn_map_err(c->map, -EINVAL,
				  "its values have %llu bytes, its attributes ask for %zu",
				  (unsigned long long)bytes, c->map->values_size);
	return read_at(c, c->map->values, c->map->values_size, off);
}

struct tn_map *tn_segment_copy(struct tn_rt *rt, int fd)
{
	struct copy c = { .fd = fd };
	struct tn_map_attr attr;
	int err = tn_segment_read_header(fd, &c.header);

	if (err) {
		errno = -err;
		return NULL;
	}
	tn_segment_attr(&c.header, &attr);
	attr.flags &= ~TN_MAP_F_SHARED;
	attr.nr_slots = c.header.nr_slots;
	c.map = tn_map_create(rt, &attr);
	if (!c.map)
		return NULL;
	switch (c.map->type) {
	case TN_MAP_ARRAY:
	case TN_MAP_PERCPU_ARRAY:
		err = copy_array(&c);
		break;
	case TN_MAP_HASH:
	case TN_MAP_PERCPU_HASH:
	case TN_MAP_LRU_HASH:
	case TN_MAP_LRU_PERCPU_HASH:
		err = copy_hash(&c);
		break;
	default:
		err = tn_map_err(c.map, -EINVAL, "maps of type %s cannot be shared",
				 tn_map_type_words(c.map->type));
	}
	if (err) {
		tn_map_put(c.map);
		errno = -err;
		return NULL;
	}
	return c.map;
}
