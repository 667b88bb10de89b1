/* SPDX-License-Identifier: MIT */
/* Maps of maps: the host puts the object's map "inner" in under every key. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "kernel.h"
#include "map_cases.h"
#include "map_side.h"
#include "tenon_side.h"

void map_prepare_inner(struct map_side *side, uint32_t key, uint32_t nr_keys)
{
	unsigned char *keys = calloc(nr_keys, key);

	for (uint32_t i = 0; keys && i < nr_keys; i++)
		memcpy(keys + (size_t)i * key, &i, sizeof(i));
	if (keys && side->object) {
		struct tenon_map *map = tenon_object_find_map(side->object, "map");
		uint32_t id = tenon_map_id(tenon_object_find_map(side->object, "inner"));

		for (uint32_t i = 0; i < nr_keys; i++)
			if (tenon_map_update_elem(map, keys + (size_t)i * key, key, &id, sizeof(id),
						  0))
				side_die("inner map");
	}
	if (keys && side->kernel)
		kernel_put_inner(side->kernel, keys, nr_keys);
	free(keys);
}
