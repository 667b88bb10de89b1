/* SPDX-License-Identifier: MIT */
/*
 * Hash, LRU hash and their per-slot forms in a segment: the same table, of which one writer at a
 * time, of all processes, has the lock. Programs look up without it; their stores through pointers
 * and atomic additions are seen by all.
 */
#include <errno.h>
#include <string.h>

#include "maps/hash_core.h"
#include "maps/segment.h"

static struct tn_thread *enter(struct tn_map *map, int *err)
{
	struct tn_thread *t = tn_thread_self();

	tn_writer_enter(t);
	*err = map->segment->writable ? tn_segment_lock(map->segment) : -EPERM;
	return t;
}

static int leave(struct tn_map *map, struct tn_thread *t, bool locked, int err)
{
	if (locked)
		tn_segment_unlock(map->segment);
	tn_writer_leave(t);
	return err;
}

static int update(struct tn_map *map, const void *key, const struct tn_hash_source *from,
		  uint64_t flags)
{
	int err;
	struct tn_thread *t = enter(map, &err);
	bool locked = !err;

	if (locked)
		err = tn_hash_update(tn_hash_map(map), key, from, flags);
	return leave(map, t, locked, err);
}

static int take_out(struct tn_map *map, const void *key, void *value)
{
	int err;
	struct tn_thread *t = enter(map, &err);
	bool locked = !err;

	if (locked)
		err = tn_hash_remove(tn_hash_map(map), key, value, false);
	return leave(map, t, locked, err);
}

/* ---- From programs ---- */

static int update_from_program(struct tn_map *map, const void *key, const void *value,
			       uint64_t flags, uint32_t slot)
{
	struct tn_hash_source from = { .value = value };

	if (map->slot_stride) {
		from.slot = tn_segment_slot(map->segment, slot);
		if (from.slot == TN_SEGMENT_NO_SLOT)
			return -ENOMEM;
	}
	return update(map, key, &from, flags);
}

static int delete_from_program(struct tn_map *map, const void *key)
{
	return take_out(map, key, NULL);
}

/* Where other processes have all slots there is none to look at. */
static void *lookup_my_slot(struct tn_map *map, const void *key, uint32_t slot)
{
	uint32_t mine = tn_segment_slot(map->segment, slot);

	return mine == TN_SEGMENT_NO_SLOT ? NULL : map->ops->lookup_slot(map, key, mine);
}

/* ---- From the host ---- */

static int host_lookup(struct tn_map *map, const void *key, void *value, uint64_t flags)
{
	struct tn_hash *h = tn_hash_map(map);
	uint64_t hash = tn_hash_of(h, key);
	int err = tn_hash_try_copy(h, key, hash, value);
	struct tn_thread *t;
	bool locked;

	(void)flags;
	if (err != -EAGAIN || !map->segment->writable)
		return err;
	t = enter(map, &err);
	locked = !err;
	if (locked)
		err = tn_hash_lookup_locked(h, key, hash, value, false);
	return leave(map, t, locked, err);
}

static int host_update(struct tn_map *map, const void *key, const void *value, uint64_t flags)
{
	struct tn_hash_source from = { .value = value, .all_slots = true };

	return update(map, key, &from, flags);
}

static int host_delete(struct tn_map *map, const void *key, uint64_t flags)
{
	(void)flags;
	return take_out(map, key, NULL);
}

static int host_lookup_and_delete(struct tn_map *map, const void *key, void *value, uint64_t flags)
{
	(void)flags;
	return take_out(map, key, value);
}

/* Locks groups: among readers of other processes that goes for copies alone. */
static int walk(struct tn_map *map, const void *key, void *next,
		int (*step)(struct tn_map *map, const void *key, void *next))
{
	int err;
	struct tn_thread *t = enter(map, &err);
	bool locked = !err;

	if (locked)
		err = step(map, key, next);
	return leave(map, t, locked, err);
}

static int next_key(struct tn_map *map, const void *key, void *next)
{
	return walk(map, key, next, tn_hash_next_key);
}

static int next_after(struct tn_map *map, const void *key, void *next)
{
	return walk(map, key, next, tn_hash_next_after);
}

/* ---- Life ---- */

static int init_shared(struct tn_map *map)
{
	struct tn_hash *h = tn_hash_map(map);
	struct tn_segment_parts parts;
	struct tn_segment *s = map->segment;
	int err = tn_hash_size(h);

	if (err)
		return err;
	parts = (struct tn_segment_parts){ .table = h->table_bytes,
					   .slots = h->slot_bytes,
					   .journal = tn_hash_journal_bytes(h) };
	err = tn_segment_init(map, &parts);
	if (err)
		return err;
	tn_hash_use_table(h, s->table);
	h->tally = &s->live->tally;
	if (s->attached) {
		memcpy(h->seed, s->header.seed, sizeof(h->seed));
		h->seed[1] |= 1;
	} else {
		tn_hash_draw_seed(h);
		memcpy(s->header.seed, h->seed, sizeof(h->seed));
	}
	if (!map->slot_stride)
		return 0;
	h->slot_values = s->slots;
	h->ops.lookup_slot = h->ops.lookup;
	h->ops.lookup = lookup_my_slot;
	return 0;
}

/* The segment is given back by map.c. */
static void fini_shared(struct tn_map *map)
{
	(void)map;
}

static void repair(struct tn_map *map)
{
	tn_hash_repair(tn_hash_map(map), map->segment->journal, true);
}

const struct tn_map_ops tn_hash_shared_ops = {
	.struct_size = sizeof(struct tn_hash),
	.init = init_shared,
	.fini = fini_shared,
	.repair = repair,
	.update = update_from_program,
	.del = delete_from_program,
	.host_lookup = host_lookup,
	.host_update = host_update,
	.host_delete = host_delete,
	.host_lookup_and_delete = host_lookup_and_delete,
	.next_key = next_key,
	.next_after = next_after,
	.count = tn_hash_count,
};
