/* SPDX-License-Identifier: MIT */
/* Memory of longest-prefix-match tries, with their lock held. */
#include "maps/lpm_mem.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "base/pages.h"
#include "maps/map.h"

#define LINE	   64u
#define MIN_REGION (16u << 10)
#define MAX_REGION (4u << 20)

/* ---- Regions ---- */

/* As large as half of those that there are. */
static struct tn_lpm_region *add_region(struct tn_lpm_mem *m, size_t *sort)
{
	size_t bytes = MIN_REGION;
	struct tn_lpm_region *r;

	while (bytes < MAX_REGION && bytes < *sort / 2)
		bytes *= 2;
	if (tn_charge(m->map->rt, TN_CHARGE_MAPS, bytes)) {
		errno = E2BIG;
		return NULL;
	}
	r = tn_pages_alloc(m->map->rt, bytes);
	if (!r) {
		tn_uncharge(m->map->rt, TN_CHARGE_MAPS, bytes);
		return NULL;
	}
	if (bytes == MAX_REGION)
		tn_pages_advise_huge(r, bytes);
	m->map->charged += bytes;
	*sort += bytes;
	r->bytes = bytes;
	r->next = m->regions;
	m->regions = r;
	return r;
}

void tn_lpm_mem_init(struct tn_lpm_mem *m, struct tn_map *map, size_t elem_bytes)
{
	m->map = map;
	/* One that fits into a line is in one. */
	m->elem_stride = elem_bytes <= LINE / 2 ? LINE / 2
			 : elem_bytes <= LINE	? LINE
						: TN_ROUND_UP(elem_bytes, (size_t)16);
}

/* The charge goes with the map's. */
void tn_lpm_mem_fini(struct tn_lpm_mem *m)
{
	struct tn_lpm_region *r, *next;

	for (r = m->regions; r; r = next) {
		next = r->next;
		tn_pages_free(r, r->bytes);
	}
	m->regions = NULL;
}

/* ---- Elements ---- */

static bool is_large(const struct tn_lpm_mem *m)
{
	return m->elem_stride > MIN_REGION / 4;
}

static void *alloc_from_heap(struct tn_lpm_mem *m, size_t bytes)
{
	void *p;

	if (tn_charge(m->map->rt, TN_CHARGE_MAPS, bytes)) {
		errno = E2BIG;
		return NULL;
	}
	p = tn_alloc(m->map->rt, bytes);
	if (!p) {
		tn_uncharge(m->map->rt, TN_CHARGE_MAPS, bytes);
		return NULL;
	}
	m->map->charged += bytes;
	return p;
}

static void free_to_heap(struct tn_lpm_mem *m, void *p, size_t bytes)
{
	tn_uncharge(m->map->rt, TN_CHARGE_MAPS, bytes);
	m->map->charged -= bytes;
	tn_free(m->map->rt, p);
}

void *tn_lpm_elem_alloc(struct tn_lpm_mem *m)
{
	struct tn_lpm_free *f = m->elems;
	unsigned char *p;

	if (is_large(m))
		return alloc_from_heap(m, m->elem_stride);
	if (tn_mem_should_fail(m->map->rt))
		return NULL;
	if (f) {
		m->elems = f->next;
		return f;
	}
	if ((size_t)(m->elem_end - m->elem_next) < m->elem_stride) {
		struct tn_lpm_region *r = add_region(m, &m->elem_bytes);

		if (!r)
			return NULL;
		m->elem_next = (unsigned char *)r + TN_ROUND_UP(sizeof(*r), LINE);
		m->elem_end = (unsigned char *)r + r->bytes;
	}
	p = m->elem_next;
	m->elem_next += m->elem_stride;
	return p;
}

void tn_lpm_elem_free(struct tn_lpm_mem *m, void *elem)
{
	struct tn_lpm_free *f = elem;

	if (is_large(m)) {
		free_to_heap(m, elem, m->elem_stride);
		return;
	}
	f->next = m->elems;
	m->elems = f;
}

/* ---- Nodes: the buddy of a block is the one it was split from ---- */

static uint32_t order_of(size_t bytes)
{
	uint32_t order = 0;

	while ((size_t)TN_LPM_MIN_NODE << order < bytes)
		order++;
	return order;
}

static uint8_t *mark_of(struct tn_lpm_region *r, const void *block)
{
	size_t off = (size_t)((const unsigned char *)block - r->blocks);

	return &r->free_order[off / TN_LPM_MIN_NODE];
}

static void push_free(struct tn_lpm_mem *m, void *block, uint32_t order, struct tn_lpm_region *r)
{
	struct tn_lpm_free *f = block;

	f->region = r;
	f->next = m->nodes[order];
	f->link = &m->nodes[order];
	if (f->next)
		f->next->link = &f->next;
	m->nodes[order] = f;
	*mark_of(r, block) = (uint8_t)(order + 1);
}

static void take_free(struct tn_lpm_free *f)
{
	*f->link = f->next;
	if (f->next)
		f->next->link = f->link;
	*mark_of(f->region, f) = 0;
}

static bool add_nodes(struct tn_lpm_mem *m)
{
	struct tn_lpm_region *r = add_region(m, &m->node_bytes);
	size_t begin;

	if (!r)
		return false;
	begin = TN_ROUND_UP(sizeof(*r) + r->bytes / TN_LPM_MIN_NODE, LINE) + LINE / 2;
	r->blocks = (unsigned char *)r + begin;
	for (; begin + TN_LPM_MAX_NODE <= r->bytes; begin += TN_LPM_MAX_NODE)
		push_free(m, (unsigned char *)r + begin, TN_LPM_ORDERS - 1, r);
	return true;
}

static void *alloc_large_node(struct tn_lpm_mem *m, size_t bytes)
{
	unsigned char *raw = alloc_from_heap(m, bytes + LINE);
	size_t off;

	if (!raw)
		return NULL;
	/* Heap memory is aligned to 16: at least so much is before the node, the last byte says. */
	off = LINE - ((uintptr_t)raw + LINE / 2) % LINE;
	raw[off - 1] = (unsigned char)off;
	return raw + off;
}

void *tn_lpm_node_alloc(struct tn_lpm_mem *m, size_t bytes, struct tn_lpm_region **region)
{
	uint32_t order = order_of(bytes), from = order;
	struct tn_lpm_free *f;

	*region = NULL;
	if (bytes > TN_LPM_MAX_NODE)
		return alloc_large_node(m, bytes);
	if (tn_mem_should_fail(m->map->rt))
		return NULL;
	for (;;) {
		while (from < TN_LPM_ORDERS && !m->nodes[from])
			from++;
		if (from < TN_LPM_ORDERS)
			break;
		if (!add_nodes(m))
			return NULL;
		from = order;
	}
	f = m->nodes[from];
	take_free(f);
	*region = f->region;
	while (from > order) {
		from--;
		push_free(m, (unsigned char *)f + ((size_t)TN_LPM_MIN_NODE << from), from, *region);
	}
	return f;
}

void tn_lpm_node_free(struct tn_lpm_mem *m, void *node, size_t bytes, struct tn_lpm_region *region)
{
	unsigned char *block = node;
	uint32_t order = order_of(bytes);

	if (!region) {
		free_to_heap(m, block - block[-1], bytes + LINE);
		return;
	}
	for (; order < TN_LPM_ORDERS - 1; order++) {
		size_t size = (size_t)TN_LPM_MIN_NODE << order;
		size_t off = (size_t)(block - region->blocks);
		unsigned char *buddy = region->blocks + (off ^ size);

		if (*mark_of(region, buddy) != order + 1)
			break;
		take_free((struct tn_lpm_free *)buddy);
		block = region->blocks + (off & ~size);
	}
	push_free(m, block, order, region);
}
