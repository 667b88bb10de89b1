/* SPDX-License-Identifier: MIT */
/*
 * Arenas: memory in pages that programs allocate, with pointers of 32 significant bits.
 *
 * A program's pointers are numbers: start + offset, start being what map_extra asked for (or a
 * fixed number), never an address of this process. Accesses take the low 32 bits of such a number,
 * add the instruction's offset, and reach memory only where both ends of the access lie in pages
 * that are allocated; else a load gives 0 and a store does nothing, as in the kernel, without a
 * fault: the engines look into a table of one byte a page. Freed pages stay mapped, so an access
 * that races with their release hits memory of the arena in any case; they are zeroed when they are
 * allocated again, and stay charged, so that such an access cannot take memory that nobody pays
 * for.
 */
#ifndef TN_MAPS_ARENA_H
#define TN_MAPS_ARENA_H

#include "maps/map.h"

#define TN_ARENA_PAGE_SHIFT 12
#define TN_ARENA_ALLOCATED  1 /* in the table; everything else is not */

struct tn_arena_view {
	/* Indexed by (low 32 bits of the pointer + offset) >> 12: -8 to 2^20 + 8. */
	const unsigned char *pages;
	/* Memory is at bias + (low 32 bits + offset). */
	uintptr_t bias;
	uint64_t start; /* the first pointer */
};

/* Fixed while the map lives. */
const struct tn_arena_view *tn_arena_view(const struct tn_map *map);

/* bpf_arena_alloc_pages, bpf_arena_free_pages: 0 where there are none. */
uint64_t tn_arena_alloc(struct tn_map *map, uint64_t at, uint32_t nr);
void tn_arena_release(struct tn_map *map, uint64_t at, uint32_t nr);
/* Globals: allocate the first pages for `size` bytes and fill them (NULL: with zeros). -ENOMEM,
 * -E2BIG, with words. */
int tn_arena_fill(struct tn_map *map, const void *data, size_t size);

/* The place of an access of `size` bytes at `at` (low half and offset), or NULL. */
static inline void *tn_arena_place(const struct tn_arena_view *view, int64_t at, uint32_t size)
{
	if (__atomic_load_n(&view->pages[at >> TN_ARENA_PAGE_SHIFT], __ATOMIC_ACQUIRE) !=
		    TN_ARENA_ALLOCATED ||
	    __atomic_load_n(&view->pages[(at + size - 1) >> TN_ARENA_PAGE_SHIFT],
			    __ATOMIC_ACQUIRE) != TN_ARENA_ALLOCATED)
		return NULL;
	return (void *)(view->bias + (uintptr_t)at);
}

#endif
