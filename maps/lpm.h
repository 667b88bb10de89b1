/* SPDX-License-Identifier: MIT */
/*
 * Longest-prefix-match tries: the layout. A node looks at one byte of the key. It holds the
 * elements whose prefix ends in that byte and the children by its value; bytes in which nothing
 * parts are skipped. Which element is the longest of the node for each value is worked out when
 * the node is built and kept as runs of equal values, found by counting bits.
 *
 * A published node never changes but for its children, which are replaced by newer builds of the
 * same subtree. Every change of the map builds anew the nodes that differ and publishes them with
 * one store, under the map's lock; what it replaced is freed by epoch. So a reader takes effect at
 * its last load, or just before the first node of its path was replaced.
 */
#ifndef TN_MAPS_LPM_H
#define TN_MAPS_LPM_H

#include <pthread.h>

#include "maps/map.h"

#define TN_LPM_MAX_BYTES 256u /* of data in a key */
#define TN_LPM_MAX_SKIP	 8u   /* bytes; longer ways have nodes with one child */
#define TN_LPM_MAX_OWN	 511u /* prefixes of 0 to 8 bits */
#define TN_LPM_WORDS	 4u   /* of 64 bits: one bit per value of a byte */

/* What nodes and elements begin with. */
struct tn_lpm_block {
	struct tn_lpm_block *next; /* of those that wait to be freed, by stamp */
	uint64_t stamp;
	size_t bytes;
};

/* In memory of its own, followed by the value, padded to 8, and the data of its key as given. */
struct tn_lpm_elem {
	struct tn_lpm_block block;
	uint32_t prefixlen;
	uint32_t spare;
};

struct tn_lpm_node {
	struct tn_lpm_block block;
	uint8_t depth; /* the byte of the data that it looks at */
	uint8_t skip;  /* bytes before it that are compared with `path` */
	uint16_t nr_results, nr_children, nr_own;
	uint8_t path[TN_LPM_MAX_SKIP];
	uint8_t run_base[TN_LPM_WORDS], child_base[TN_LPM_WORDS]; /* bits in the words before */
	uint64_t runs[TN_LPM_WORDS];	 /* values at which a run begins; 0 always */
	uint64_t children[TN_LPM_WORDS]; /* values with a child */
	/* nr_results elements, NULL where a run has none; the children; the own elements, those
	 * within another before it, else by their bits. */
	_Atomic(void *) slots[];
};

/* A node to be built. */
struct tn_lpm_shape {
	uint8_t depth, skip;
	uint8_t path[TN_LPM_MAX_SKIP];
	uint32_t nr_own, nr_children;
	struct tn_lpm_elem *own[TN_LPM_MAX_OWN];
	uint8_t bytes[256]; /* ascending */
	struct tn_lpm_node *children[256];
};

struct tn_lpm_step {
	_Atomic(void *) *link; /* where the node hangs */
	struct tn_lpm_node *node;
};

struct tn_lpm {
	struct tn_map map;
	struct tn_map_ops ops;
	_Atomic(void *) root; /* looks at byte 0; always there */
	uint32_t max_prefixlen;
	uint32_t data_off; /* in an element */
	_Atomic uint32_t count;
	pthread_mutex_t lock;
	bool has_lock;
	_Atomic uintptr_t owner; /* of the lock: its thread, 0: none */
	/* Of the holder of the lock: */
	struct tn_lpm_block *waiting, **last; /* to be freed once their stamps passed */
	uint32_t nr_fresh;		      /* that wait, since the epoch was moved on */
	struct tn_lpm_shape shape;
	struct tn_lpm_step path[TN_LPM_MAX_BYTES + 1];
	uint16_t painted[256];
};

static inline const unsigned char *tn_lpm_data(const struct tn_lpm *t, const struct tn_lpm_elem *e)
{
	return (const unsigned char *)e + t->data_off;
}

static inline struct tn_lpm_elem *tn_lpm_own(const struct tn_lpm_node *n, uint32_t i)
{
	return tn_load_relaxed(&n->slots[(uint32_t)n->nr_results + n->nr_children + i]);
}

/* The node that looks at the last byte of a prefix. */
static inline uint32_t tn_lpm_depth_of(uint32_t prefixlen)
{
	return prefixlen ? (prefixlen - 1) / 8 : 0;
}

/* The values [lo, hi] of the byte at `depth` that a prefix ending there covers. */
static inline void tn_lpm_range(const unsigned char *data, uint32_t prefixlen, uint32_t depth,
				uint32_t *lo, uint32_t *hi)
{
	uint32_t rest = 0xffu >> (prefixlen - 8 * depth);

	*lo = data[depth] & ~rest & 0xffu;
	*hi = *lo | rest;
}

/* lpm_node.c: with the lock held. */
struct tn_lpm_node *tn_lpm_build(struct tn_lpm *t, const struct tn_lpm_shape *s);
void tn_lpm_take_apart(struct tn_lpm_shape *s, const struct tn_lpm_node *n);
struct tn_lpm_elem *tn_lpm_new_elem(struct tn_lpm *t, const void *key, const void *value);
void tn_lpm_discard(struct tn_lpm *t, struct tn_lpm_block *b); /* was never published */
void tn_lpm_retire(struct tn_lpm *t, struct tn_lpm_block *b);  /* after it was replaced */
void tn_lpm_free_passed(struct tn_lpm *t);
void tn_lpm_free_all(struct tn_lpm *t);				     /* nobody reads any more */
_Atomic(void *) *tn_lpm_child(struct tn_lpm_node *n, uint32_t byte); /* NULL: none */

/* lpm_tree.c: with the lock held. */
struct tn_lpm_elem *tn_lpm_find_exact(struct tn_lpm *t, const unsigned char *data,
				      uint32_t prefixlen);
/* -ENOMEM: nothing changed. *replaced: what the element took the place of, or NULL. */
int tn_lpm_insert(struct tn_lpm *t, struct tn_lpm_elem *e, struct tn_lpm_elem **replaced);
/* Never fails: what is left over for lack of memory is found by the next change there. */
void tn_lpm_remove(struct tn_lpm *t, struct tn_lpm_elem *e);
/* The element after `e` (NULL: the first): those within another before it, else by their bits. */
struct tn_lpm_elem *tn_lpm_next(struct tn_lpm *t, const struct tn_lpm_elem *e);

#endif
