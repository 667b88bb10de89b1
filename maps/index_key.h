/* SPDX-License-Identifier: MIT */
/* Keys of array-like maps: a u32 below max_entries, of any alignment. */
#ifndef TN_MAPS_INDEX_KEY_H
#define TN_MAPS_INDEX_KEY_H

#include <errno.h>
#include <string.h>

#include "maps/map.h"

static inline uint32_t tn_index_of(const void *key)
{
	uint32_t index;

	memcpy(&index, key, sizeof(index));
	return index;
}

/* The next_key of tn_map_ops. As in the kernel, a key that is out of range starts anew. */
static inline int tn_index_next_key(struct tn_map *map, const void *key, void *next)
{
	uint32_t index = key ? tn_index_of(key) : UINT32_MAX;

	if (index < map->max_entries && index == map->max_entries - 1)
		return -ENOENT;
	index = index >= map->max_entries ? 0 : index + 1;
	memcpy(next, &index, sizeof(index));
	return 0;
}

#endif
