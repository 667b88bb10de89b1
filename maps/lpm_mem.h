/* SPDX-License-Identifier: MIT */
/*
 * Where tries have their elements and nodes: in regions of pages, which grow with the trie up to
 * the size of huge pages (a random lookup in a large trie waits for the TLB more than for anything
 * else otherwise). Elements are all of one size; nodes are powers of two that split and join, so
 * that what small nodes gave back serves larger ones. Memory is charged by the region and kept
 * until the trie goes: there is as much as was ever in use at once. Large nodes are from the heap.
 */
#ifndef TN_MAPS_LPM_MEM_H
#define TN_MAPS_LPM_MEM_H

#include <stddef.h>
#include <stdint.h>

struct tn_map;

#define TN_LPM_MIN_NODE 64u
#define TN_LPM_MAX_NODE 2048u /* of those in regions */
#define TN_LPM_ORDERS	6u    /* sizes from the one to the other */

struct tn_lpm_region {
	struct tn_lpm_region *next;
	size_t bytes;
	unsigned char *blocks; /* of nodes: where they begin */
	/* Of nodes: for each TN_LPM_MIN_NODE bytes, the order of the free block that begins there
	 * and one, else 0. */
	uint8_t free_order[];
};

struct tn_lpm_free {
	struct tn_lpm_free *next, **link; /* what points to it; nodes only */
	struct tn_lpm_region *region;
};

struct tn_lpm_mem {
	struct tn_map *map;
	struct tn_lpm_region *regions;
	size_t elem_stride, elem_bytes, node_bytes; /* in regions, of either sort */
	struct tn_lpm_free *elems, *nodes[TN_LPM_ORDERS];
	unsigned char *elem_next, *elem_end; /* never used yet */
};

void tn_lpm_mem_init(struct tn_lpm_mem *m, struct tn_map *map, size_t elem_bytes);
void tn_lpm_mem_fini(struct tn_lpm_mem *m); /* all of the regions; what is from the heap is not */
void *tn_lpm_elem_alloc(struct tn_lpm_mem *m); /* not zeroed; NULL */
void tn_lpm_elem_free(struct tn_lpm_mem *m, void *elem);
/* `bytes` from an address that is 32 less than a multiple of 64, not zeroed. NULL: none. */
void *tn_lpm_node_alloc(struct tn_lpm_mem *m, size_t bytes, struct tn_lpm_region **region);
void tn_lpm_node_free(struct tn_lpm_mem *m, void *node, size_t bytes, struct tn_lpm_region *region);

#endif
