/* SPDX-License-Identifier: MIT */
/*
 * Arrays and per-slot arrays: all elements exist from the start, zeroed, and are never removed.
 * Programs get pointers and the JIT computes them itself (struct tn_map's values, value_stride and
 * slot_stride). Values are copied by words of 8 bytes, each whole; longer ones may be seen half
 * updated, as in the kernel.
 */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "base/pages.h"
#include "maps/index_key.h"
#include "maps/map.h"
#include "maps/segment.h"
#include "maps/special.h"
#include "maps/timer.h"
#include "maps/value_lock.h"
#include "maps/words.h"

/* Per-slot parts begin on lines of their own: two, since the prefetcher fetches pairs. */
#define SLOT_ALIGN 128u

#define ARRAY_FLAGS                                                                      \
	(TN_MAP_F_NUMA_NODE | TN_MAP_F_RDONLY | TN_MAP_F_WRONLY | TN_MAP_F_RDONLY_PROG | \
	 TN_MAP_F_WRONLY_PROG)

static unsigned char *value_at(struct tn_map *map, uint32_t index, uint32_t slot)
{
	return map->values + slot * map->slot_stride + (size_t)index * map->value_stride;
}

/* ---- Life ---- */

static int check_sizes(const struct tn_map *map)
{
	if (map->key_size != 4)
		return tn_map_err(map, -EINVAL, "key size is %u, an array's is 4", map->key_size);
	if (!map->value_size)
		return tn_map_err(map, -EINVAL, "value size is 0");
	if (!map->max_entries)
		return tn_map_err(map, -EINVAL, "max_entries is 0");
	return 0;
}

static int check_array(const struct tn_map *map)
{
	int err = check_sizes(map);

	if (!err)
		err = tn_map_check_flags(map, ARRAY_FLAGS | TN_MAP_F_MMAPABLE | TN_MAP_F_INNER_MAP);
	if (!err && map->value_size > INT_MAX)
		err = tn_map_err(map, -E2BIG, "value size %u is too large", map->value_size);
	return err;
}

static int check_percpu_array(const struct tn_map *map)
{
	int err = check_sizes(map);

	if (!err)
		err = tn_map_check_flags(map, ARRAY_FLAGS & ~TN_MAP_F_NUMA_NODE);
	if (!err && map->value_size > TN_MAP_MAX_SLOT_VALUE)
		err = tn_map_err(map, -E2BIG, "value size %u is too large for a per-slot map",
				 map->value_size);
	return err;
}

/* Reserve `size` bytes, already charged or to be charged by slots: then without huge pages that
 * would reach over many slots. */
static int reserve_values(struct tn_map *map, size_t size)
{
	bool small_parts = map->slot_stride && map->slot_stride < TN_HUGE_PAGE_BYTES;

	map->values = small_parts ? tn_pages_alloc(map->rt, size)
				  : tn_pages_alloc_table(map->rt, size);
	if (!map->values)
		return tn_map_err(map, -ENOMEM, "cannot reserve %zu bytes", size);
	map->values_size = size;
	return 0;
}

static int init_array(struct tn_map *map)
{
	size_t size;
	int err;

	map->value_stride = TN_ROUND_UP(map->value_size, 8u);
	size = (size_t)map->value_stride * map->max_entries;
	err = tn_map_charge(map, size);
	return err ? err : reserve_values(map, size);
}

static int size_slots(struct tn_map *map, size_t *size)
{
	map->value_stride = TN_ROUND_UP(map->value_size, 8u);
	map->slot_stride = TN_ROUND_UP((size_t)map->value_stride * map->max_entries, SLOT_ALIGN);
	if (__builtin_mul_overflow(map->slot_stride, map->nr_slots, size))
		return tn_map_err(map, -E2BIG, "%u values of %u bytes a slot are too large",
				  map->max_entries, map->value_size);
	return 0;
}

static int init_percpu_array(struct tn_map *map)
{
	size_t size;
	int err = size_slots(map, &size);

	return err ? err : reserve_values(map, size);
}

static void fini_array(struct tn_map *map)
{
	tn_pages_free(map->values, map->values_size);
}

/* ---- From programs ---- */

static void *lookup_array(struct tn_map *map, const void *key, uint32_t slot)
{
	uint32_t index = tn_index_of(key);

	(void)slot;
	return index < map->max_entries ? value_at(map, index, 0) : NULL;
}

static void *lookup_percpu_array(struct tn_map *map, const void *key, uint32_t slot)
{
	uint32_t index = tn_index_of(key);

	return index < map->max_entries ? value_at(map, index, slot) : NULL;
}

static int check_update(const struct tn_map *map, uint32_t index, uint64_t flags)
{
	if ((flags & ~(uint64_t)TN_MAP_F_LOCK) > TN_MAP_EXIST)
		return -EINVAL;
	if (index >= map->max_entries)
		return -E2BIG;
	if (flags & TN_MAP_NOEXIST)
		return -EEXIST;
	return flags & TN_MAP_F_LOCK && !tn_map_has_lock(map) ? -EINVAL : 0;
}

static int update_array(struct tn_map *map, const void *key, const void *value, uint64_t flags,
			uint32_t slot)
{
	uint32_t index = tn_index_of(key);
	int err = check_update(map, index, flags);

	if (!err && flags & TN_MAP_F_LOCK)
		err = tn_map_store_locked(map, value_at(map, index, 0), value);
	else if (!err)
		/* slot_stride is 0 for plain arrays. */
		tn_map_store_value(map, value_at(map, index, slot), value);
	if (!err)
		tn_map_drop_timers(map, value_at(map, index, slot));
	return err;
}

/* There is no removing; the kernel says EINVAL where other types say ENOTSUPP. */
static int del_array(struct tn_map *map, const void *key)
{
	(void)map;
	(void)key;
	return -EINVAL;
}

/* ---- From the host ---- */

static int host_lookup_array(struct tn_map *map, const void *key, void *value, uint64_t flags)
{
	uint32_t index = tn_index_of(key);

	if (index >= map->max_entries)
		return -ENOENT;
	if (flags & TN_MAP_F_LOCK)
		return tn_map_load_locked(map, value, value_at(map, index, 0));
	tn_map_load_value(map, value, value_at(map, index, 0));
	return 0;
}

static int host_lookup_percpu_array(struct tn_map *map, const void *key, void *value,
				    uint64_t flags)
{
	uint32_t index = tn_index_of(key);
	unsigned char *out = value;

	(void)flags;
	if (index >= map->max_entries)
		return -ENOENT;
	/* Parts of slots that are not in use read as zero, from the zero page. */
	for (uint32_t slot = 0; slot < map->nr_slots; slot++)
		tn_words_load(out + (size_t)slot * map->value_stride, value_at(map, index, slot),
			      map->value_stride);
	return 0;
}

static int host_update_array(struct tn_map *map, const void *key, const void *value, uint64_t flags)
{
	return update_array(map, key, value, flags, 0);
}

static int host_update_percpu_array(struct tn_map *map, const void *key, const void *value,
				    uint64_t flags)
{
	uint32_t index = tn_index_of(key);
	int err = check_update(map, index, flags);

	if (!err)
		err = tn_map_use_slots_for(map, value);
	for (uint32_t slot = 0; !err && slot < map->nr_slots; slot++)
		/* Where the slot is not in use this writes zeros, and only where there are none. */
		tn_words_change(value_at(map, index, slot),
				(const unsigned char *)value + (size_t)slot * map->value_stride,
				map->value_stride);
	return err;
}

static int host_delete_array(struct tn_map *map, const void *key, uint64_t flags)
{
	(void)flags;
	return del_array(map, key);
}

static uint32_t count_array(struct tn_map *map)
{
	return map->max_entries;
}

/* ---- In a segment: the same values. A slot is the segment's. ---- */

static int init_shared_array(struct tn_map *map)
{
	struct tn_segment_parts parts = { .table = 0 };
	int err;

	map->value_stride = TN_ROUND_UP(map->value_size, 8u);
	parts.table = (size_t)map->value_stride * map->max_entries;
	err = tn_segment_init(map, &parts);
	map->values = map->segment->table;
	map->values_size = parts.table;
	return err;
}

static int init_shared_percpu_array(struct tn_map *map)
{
	struct tn_segment_parts parts = { .table = 0 };
	int err = size_slots(map, &parts.slots);

	if (!err)
		err = tn_segment_init(map, &parts);
	map->values = map->segment->slots;
	map->values_size = parts.slots;
	return err;
}

static void fini_shared_array(struct tn_map *map)
{
	(void)map;
}

static void *lookup_my_slot(struct tn_map *map, const void *key, uint32_t slot)
{
	uint32_t mine = tn_segment_slot(map->segment, slot);

	return mine == TN_SEGMENT_NO_SLOT ? NULL : lookup_percpu_array(map, key, mine);
}

static int update_my_slot(struct tn_map *map, const void *key, const void *value, uint64_t flags,
			  uint32_t slot)
{
	uint32_t mine = tn_segment_slot(map->segment, slot);

	return mine == TN_SEGMENT_NO_SLOT ? -ENOMEM : update_array(map, key, value, flags, mine);
}

/* Other processes map it read-only. */
static int host_update_shared(struct tn_map *map, const void *key, const void *value,
			      uint64_t flags)
{
	if (!map->segment->writable)
		return -EPERM;
	return map->slot_stride ? host_update_percpu_array(map, key, value, flags)
				: host_update_array(map, key, value, flags);
}

static const struct tn_map_ops shared_array_ops = {
	.struct_size = sizeof(struct tn_map),
	.init = init_shared_array,
	.fini = fini_shared_array,
	.lookup = lookup_array,
	.update = update_array,
	.del = del_array,
	.host_lookup = host_lookup_array,
	.host_update = host_update_shared,
	.host_delete = host_delete_array,
	.next_key = tn_index_next_key,
	.count = count_array,
};

static const struct tn_map_ops shared_percpu_array_ops = {
	.struct_size = sizeof(struct tn_map),
	.init = init_shared_percpu_array,
	.fini = fini_shared_array,
	.lookup = lookup_my_slot,
	.lookup_slot = lookup_percpu_array,
	.update = update_my_slot,
	.del = del_array,
	.host_lookup = host_lookup_percpu_array,
	.host_update = host_update_shared,
	.host_delete = host_delete_array,
	.next_key = tn_index_next_key,
	.count = count_array,
};

const struct tn_map_ops tn_array_ops = {
	.shared = &shared_array_ops,
	.struct_size = sizeof(struct tn_map),
	.check = check_array,
	.init = init_array,
	.fini = fini_array,
	.lookup = lookup_array,
	.update = update_array,
	.del = del_array,
	.host_lookup = host_lookup_array,
	.host_update = host_update_array,
	.host_delete = host_delete_array,
	.next_key = tn_index_next_key,
	.count = count_array,
};

const struct tn_map_ops tn_percpu_array_ops = {
	.shared = &shared_percpu_array_ops,
	.struct_size = sizeof(struct tn_map),
	.check = check_percpu_array,
	.init = init_percpu_array,
	.fini = fini_array,
	.lookup = lookup_percpu_array,
	.update = update_array,
	.del = del_array,
	.host_lookup = host_lookup_percpu_array,
	.host_update = host_update_percpu_array,
	.host_delete = host_delete_array,
	.next_key = tn_index_next_key,
	.count = count_array,
};
