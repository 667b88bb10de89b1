/* SPDX-License-Identifier: MIT */
/*
 * Copies to and from values that hold more than plain bytes (spin locks, timers, references). Those
 * fields belong to their helpers: a copy into the map leaves them as they are, a copy out shows
 * zeros. Other threads may hold such a lock at the same time, so their words are not even written
 * with what they hold.
 */
#ifndef TN_MAPS_SPECIAL_H
#define TN_MAPS_SPECIAL_H

#include "maps/map.h"
#include "maps/words.h"

/* special.c: as the two below, where there are such fields. */
void tn_map_store_around(const struct tn_map *map, void *to, const void *from);
void tn_map_load_around(const struct tn_map *map, void *to, const void *from);

/* One value; `to` is in the map. */
static TN_ALWAYS_INLINE void tn_map_store_value(const struct tn_map *map, void *to,
						const void *from)
{
	if (tn_unlikely(map->nr_specials))
		tn_map_store_around(map, to, from);
	else
		tn_words_store(to, from, map->value_size);
}

/* One value; `from` is in the map. */
static TN_ALWAYS_INLINE void tn_map_load_value(const struct tn_map *map, void *to, const void *from)
{
	if (tn_unlikely(map->nr_specials))
		tn_map_load_around(map, to, from);
	else
		tn_words_load(to, from, map->value_size);
}

#endif
