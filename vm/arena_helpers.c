/* SPDX-License-Identifier: MIT */
/* bpf_arena_alloc_pages() and bpf_arena_free_pages(). */
#include "maps/arena.h"
#include "vm/helper_body.h"

/* map, address or 0, number of pages, NUMA node, flags */
TN_HELPER_BODY(, tn_kfunc_arena_alloc_pages)
{
	struct tn_map *map = (struct tn_map *)(uintptr_t)r1;

	if (map->type != TN_MAP_ARENA || r5)
		return 0;
	return tn_arena_alloc(map, r2, (uint32_t)r3);
}

TN_HELPER_BODY(, tn_kfunc_arena_free_pages)
{
	struct tn_map *map = (struct tn_map *)(uintptr_t)r1;

	if (map->type == TN_MAP_ARENA)
		tn_arena_release(map, r2, (uint32_t)r3);
	return 0;
}
