/* SPDX-License-Identifier: MIT */
/*
 * Hash tables of maps. The table is that of hash.c, and its values are numbers of places; a place
 * holds one reference on an inner map. What may be put in, and how long it lives for a program that
 * has it, is as in map_in_map.c.
 *
 * The host writes under a lock, programs look up without. A deletion gives back the element and the
 * place, and both may be another key's by the time that a program which found them reads them: so
 * the map that was read counts only if the key is still found with that place. Places are taken
 * again in the order in which they were given back, so that one that is the key's before and after
 * was not another's in between, unless all others were taken meanwhile.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "base/fork.h"
#include "base/pages.h"
#include "maps/hash_core.h"
#include "maps/map_in_map.h"

#define PLACE_BYTES (sizeof(struct tn_map *) + sizeof(uint32_t))

struct hash_of_maps {
	struct tn_hash hash;
	tn_hash_lookup_fn find;		  /* the table's own lookup: gives the place's number */
	_Atomic(struct tn_map *) *places; /* max_entries */
	pthread_mutex_t lock; /* of host's writes and what follows. Nests outside hash's locks. */
	uint32_t *
		given_back; /* numbers of places, a ring of max_entries: the oldest, and how many */
	uint32_t oldest_given_back, nr_given_back;
	uint32_t nr_used; /* places that were ever in use */
};

extern const struct tn_map_ops tn_hash_ops;

static struct hash_of_maps *table_of(const struct tn_map *map)
{
	return TN_CONTAINER_OF(map, struct hash_of_maps, hash.map);
}

static struct tn_thread *lock(struct hash_of_maps *h)
{
	struct tn_thread *t = tn_thread_self();

	tn_writer_enter(t);
	pthread_mutex_lock(&h->lock);
	return t;
}

static void unlock(struct hash_of_maps *h, struct tn_thread *t)
{
	pthread_mutex_unlock(&h->lock);
	tn_writer_leave(t);
}

/* ---- From programs ---- */

static void *lookup(struct tn_map *map, const void *key, uint32_t slot)
{
	struct hash_of_maps *h = table_of(map);
	uint32_t place, again;
	const void *value;
	void *inner;

	value = h->find(map, key, slot);
	while (value) {
		tn_words_load(&place, value, sizeof(place));
		/* Pairs with the exchange in put_in(): the map is complete. */
		inner = tn_load_acquire(&h->places[place]);
		value = h->find(map, key, slot);
		if (!value)
			break;
		tn_words_load(&again, value, sizeof(again));
		if (tn_likely(again == place))
			return inner;
	}
	return NULL;
}

/* ---- Life ---- */

static int check(const struct tn_map *map)
{
	if (map->value_size != 4)
		return tn_map_err(map, -EINVAL, "value size is %u, expected 4", map->value_size);
	if (!map->inner)
		return tn_map_err(map, -EINVAL, "the shape of its inner maps is not given");
	return tn_hash_ops.check(map);
}

static int init(struct tn_map *map)
{
	struct hash_of_maps *h = table_of(map);
	size_t bytes = map->max_entries * PLACE_BYTES;
	int err;

	pthread_mutex_init(&h->lock, NULL);
	err = tn_hash_ops.init(map);
	if (!err)
		err = tn_map_charge(map, bytes);
	if (err)
		return err;
	h->places = tn_pages_alloc(map->rt, bytes);
	if (!h->places)
		return tn_map_err(map, -ENOMEM, "cannot reserve %zu bytes", bytes);
	h->given_back = (uint32_t *)(void *)(h->places + map->max_entries);
	h->find = h->hash.ops.lookup;
	h->hash.ops.lookup = lookup;
	return 0;
}

static void fini(struct tn_map *map)
{
	struct hash_of_maps *h = table_of(map);

	for (uint32_t i = 0; i < h->nr_used; i++)
		tn_map_put(tn_load_relaxed(&h->places[i]));
	tn_pages_free(h->places, map->max_entries * PLACE_BYTES);
	pthread_mutex_destroy(&h->lock);
	tn_hash_ops.fini(map);
}

/* ---- From the host ---- */

static int host_lookup(struct tn_map *map, const void *key, void *value, uint64_t flags)
{
	struct tn_thread *t = tn_thread_self();
	const struct tn_map *inner;
	uint32_t id;

	(void)flags;
	if (!t)
		return -ENOMEM;
	tn_epoch_enter(t);
	inner = lookup(map, key, 0);
	id = inner ? inner->id : 0;
	tn_epoch_leave(t);
	if (!inner)
		return -ENOENT;
	memcpy(value, &id, sizeof(id));
	return 0;
}

/* A place for one more, UINT32_MAX: all are in use. */
static uint32_t take_place(struct hash_of_maps *h)
{
	uint32_t max = h->hash.map.max_entries, at = h->oldest_given_back;

	if (h->nr_used < max)
		return h->nr_used++;
	if (!h->nr_given_back)
		return UINT32_MAX;
	h->oldest_given_back = at + 1 == max ? 0 : at + 1;
	h->nr_given_back--;
	return h->given_back[at];
}

static void give_back(struct hash_of_maps *h, uint32_t place)
{
	uint64_t at = (uint64_t)h->oldest_given_back + h->nr_given_back++;

	h->given_back[at % h->hash.map.max_entries] = place;
}

/* Under the lock. *inner becomes what is to be put: what was there before, or what found no place.
 */
static int put_in(struct hash_of_maps *h, const void *key, struct tn_map **inner, uint64_t flags)
{
	struct tn_map *map = &h->hash.map;
	uint32_t place;
	int err;

	if (flags > TN_MAP_EXIST)
		return -EINVAL;
	if (!tn_hash_ops.host_lookup(map, key, &place, 0)) {
		if (flags == TN_MAP_NOEXIST)
			return -EEXIST;
		/* Pairs with the acquire in lookup(). */
		*inner = tn_exchange_acq_rel(&h->places[place], *inner);
		return 0;
	}
	if (flags == TN_MAP_EXIST)
		return -ENOENT;
	place = take_place(h);
	if (place == UINT32_MAX)
		return -E2BIG;
	*inner = tn_exchange_acq_rel(&h->places[place], *inner);
	err = tn_hash_ops.host_update(map, key, &place, TN_MAP_NOEXIST);
	if (err) {
		*inner = tn_exchange_acq_rel(&h->places[place], NULL);
		give_back(h, place);
	}
	return err;
}

static int host_update(struct tn_map *map, const void *key, const void *value, uint64_t flags)
{
	struct hash_of_maps *h = table_of(map);
	struct tn_map *inner;
	struct tn_thread *t;
	int err = tn_map_get_inner(map, value, &inner);

	if (err)
		return err;
	t = lock(h);
	err = put_in(h, key, &inner, flags);
	unlock(h, t);
	tn_map_put(inner);
	return err;
}

static int host_delete(struct tn_map *map, const void *key, uint64_t flags)
{
	struct hash_of_maps *h = table_of(map);
	struct tn_map *inner = NULL;
	struct tn_thread *t = lock(h);
	uint32_t place;
	int err = tn_hash_ops.host_lookup_and_delete(map, key, &place, flags);

	if (!err) {
		inner = tn_exchange_acq_rel(&h->places[place], NULL);
		give_back(h, place);
	}
	unlock(h, t);
	tn_map_put(inner);
	return err;
}

static int next_key(struct tn_map *map, const void *key, void *next)
{
	return tn_hash_ops.next_key(map, key, next);
}

static uint32_t count(struct tn_map *map)
{
	return tn_hash_ops.count(map);
}

const struct tn_map_ops tn_hash_of_maps_ops = {
	.struct_size = sizeof(struct hash_of_maps),
	.check = check,
	.init = init,
	.fini = fini,
	.lookup = lookup,
	.host_lookup = host_lookup,
	.host_update = host_update,
	.host_delete = host_delete,
	.next_key = next_key,
	.count = count,
};
