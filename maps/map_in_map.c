/* SPDX-License-Identifier: MIT */
/*
 * Arrays of maps. An element holds one reference on a map of the same shape as the template that
 * the array was made with; the host puts maps in and takes them out by their ids. A program gets
 * the map itself, and keeps it until its firing leaves the epoch section: what is taken out
 * meanwhile is freed later.
 *
 * The verifier knows the template alone. So everything that it derives from a map's shape must be
 * compared here: see fits().
 */
#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "base/pages.h"
#include "maps/index_key.h"
#include "maps/map_in_map.h"

#define ALLOWED_FLAGS (TN_MAP_F_NUMA_NODE | TN_MAP_F_RDONLY | TN_MAP_F_WRONLY)

struct map_array {
	struct tn_map map;
	_Atomic(struct tn_map *) *maps;
};

static struct map_array *array_of(const struct tn_map *map)
{
	return TN_CONTAINER_OF(map, struct map_array, map);
}

static size_t bytes_of(const struct tn_map *map)
{
	return (size_t)map->max_entries * sizeof(struct tn_map *);
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
	if (!map->inner)
		return tn_map_err(map, -EINVAL, "the shape of its inner maps is not given");
	return tn_map_check_flags(map, ALLOWED_FLAGS);
}

static int init(struct tn_map *map)
{
	int err = tn_map_charge(map, bytes_of(map));

	if (err)
		return err;
	array_of(map)->maps = tn_pages_alloc(map->rt, bytes_of(map));
	if (!array_of(map)->maps)
		return tn_map_err(map, -ENOMEM, "cannot reserve %zu bytes", bytes_of(map));
	return 0;
}

static void fini(struct tn_map *map)
{
	struct map_array *array = array_of(map);

	for (uint32_t i = 0; array->maps && i < map->max_entries; i++)
		tn_map_put(tn_load_relaxed(&array->maps[i]));
	tn_pages_free(array->maps, bytes_of(map));
}

/* ---- What may be in it ---- */

/* An array's number of elements decides which lookups surely hit, unless its shape leaves it open.
 */
bool tn_map_size_is_known(const struct tn_map *map)
{
	return (map->type == TN_MAP_ARRAY || map->type == TN_MAP_PERCPU_ARRAY) &&
	       !(map->flags & TN_MAP_F_INNER_MAP);
}

static bool fits(const struct tn_map *template, const struct tn_map *map)
{
	/* In a segment all slots may be taken: then no lookup hits. */
	return !map->for_host_alone && !(map->segment && map->slot_stride) &&
	       map->type == template->type && map->key_size == template->key_size &&
	       map->value_size == template->value_size && map->flags == template->flags &&
	       (!tn_map_size_is_known(map) || map->max_entries == template->max_entries) &&
	       map->nr_specials == template->nr_specials &&
	       !memcmp(map->specials, template->specials, sizeof(map->specials));
}

int tn_map_get_inner(const struct tn_map *outer, const void *value, struct tn_map **out)
{
	uint32_t id;

	memcpy(&id, value, sizeof(id));
	*out = tn_map_get_by_id(outer->rt, id);
	if (!*out)
		return -EBADF;
	if (fits(outer->inner, *out))
		return 0;
	tn_map_put(*out);
	return -EINVAL;
}

/* ---- From programs ---- */

static struct tn_map *map_at(const struct tn_map *map, uint32_t index)
{
	/* Pairs with the exchange in host_update(). */
	return index < map->max_entries ? tn_load_acquire(&array_of(map)->maps[index]) : NULL;
}

static void *lookup(struct tn_map *map, const void *key, uint32_t slot)
{
	(void)slot;
	return map_at(map, tn_index_of(key));
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
	inner = map_at(map, tn_index_of(key));
	id = inner ? inner->id : 0;
	tn_epoch_leave(t);
	if (!inner)
		return -ENOENT;
	memcpy(value, &id, sizeof(id));
	return 0;
}

static int host_update(struct tn_map *map, const void *key, const void *value, uint64_t flags)
{
	uint32_t index = tn_index_of(key);
	struct tn_map *inner;
	int err;

	if (flags != TN_MAP_ANY)
		return -EINVAL;
	if (index >= map->max_entries)
		return -E2BIG;
	err = tn_map_get_inner(map, value, &inner);
	if (err)
		return err;
	/* Pairs with the acquire in map_at(): the map is complete. */
	tn_map_put(tn_exchange_acq_rel(&array_of(map)->maps[index], inner));
	return 0;
}

static int host_delete(struct tn_map *map, const void *key, uint64_t flags)
{
	uint32_t index = tn_index_of(key);
	struct tn_map *old;

	(void)flags;
	if (index >= map->max_entries)
		return -E2BIG;
	old = tn_exchange_acq_rel(&array_of(map)->maps[index], NULL);
	if (!old)
		return -ENOENT;
	tn_map_put(old);
	return 0;
}

static uint32_t count(struct tn_map *map)
{
	uint32_t nr = 0;

	for (uint32_t i = 0; i < map->max_entries; i++)
		nr += tn_load_relaxed(&array_of(map)->maps[i]) != NULL;
	return nr;
}

const struct tn_map_ops tn_array_of_maps_ops = {
	.struct_size = sizeof(struct map_array),
	.check = check,
	.init = init,
	.fini = fini,
	.lookup = lookup,
	.host_lookup = host_lookup,
	.host_update = host_update,
	.host_delete = host_delete,
	.next_key = tn_index_next_key,
	.count = count,
};
