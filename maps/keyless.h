/* SPDX-License-Identifier: MIT */
/* The host's calls for maps with keys, of types that have none: push and peek under other names. */
#ifndef TN_MAPS_KEYLESS_H
#define TN_MAPS_KEYLESS_H

#include "maps/map.h"

static inline int tn_keyless_lookup(struct tn_map *map, const void *key, void *value,
				    uint64_t flags)
{
	(void)key;
	(void)flags;
	return map->ops->peek(map, value);
}

static inline int tn_keyless_update(struct tn_map *map, const void *key, const void *value,
				    uint64_t flags)
{
	(void)key;
	return map->ops->push(map, value, flags);
}

#endif
