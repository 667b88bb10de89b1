/* SPDX-License-Identifier: MIT */
/*
 * Longest-prefix-match tries: the layout. A node looks at one byte of the key. It holds the
 * elements whose prefix ends in that byte and the children by its value; bytes in which nothing
 * parts are skipped. What holds for each value, the longest element of the node and the child, is
 * worked out when the node is built and kept as runs of equal values: a cell per run, found by the
 * ends of the runs (few), by counting bits, or by the value itself (many).
 *
 * A lookup is as fast as its cache misses: what kind of node comes next stands in the word that
 * leads there, so that a full node costs one line, a small one most often one, others two; elements
 * are not looked at, since the way to them says that they match.
 *
 * A published node never changes but for its children, which are replaced by newer builds of the
 * same subtree. Every change of the map builds anew the nodes that differ and publishes them with
 * one store, under the map's lock; what it replaced is freed by epoch. So a lookup finds, as in the
 * kernel, an element that was there at some time since it began, with a whole value, and no longer
 * prefix was there all the time. tests/models/lpm.pml checks this.
 */
#ifndef TN_MAPS_LPM_H
#define TN_MAPS_LPM_H

#include <pthread.h>
#include <string.h>

#include "maps/lpm_mem.h"
#include "maps/map.h"

#define TN_LPM_MAX_BYTES 256u /* of data in a key */
#define TN_LPM_MAX_SKIP	 7u   /* bytes; longer ways have nodes with one child */
#define TN_LPM_MAX_OWN	 511u /* prefixes of 0 to 8 bits */
#define TN_LPM_WORDS	 4u   /* of 64 bits: one bit per value of a byte */
#define TN_LPM_LIST_MAX	 16u  /* runs of which the ends are listed */
#define TN_LPM_BITS_MAX	 96u  /* runs that are found by counting bits */

/* Words of cells and of links: 0, an element that matches, a pair, or a child: a leaf, which is an
 * element of which the rest is to be compared, or a node with what leads through it. */
#define TN_LPM_CHILD	((uintptr_t)1)
#define TN_LPM_PAIR	((uintptr_t)2) /* no child */
#define TN_LPM_LEAF	((uintptr_t)2) /* a child */
#define TN_LPM_IS_BITS	((uintptr_t)4) /* neither: its ends are listed */
#define TN_LPM_IS_DENSE ((uintptr_t)8)
#define TN_LPM_SKIPS	((uintptr_t)16)
#define TN_LPM_TAGS	((uintptr_t)31)

/* What nodes and elements begin with. */
struct tn_lpm_block {
	struct tn_lpm_block *next; /* of those that wait to be freed */
};

/* In memory of its own. The data is as given; the value comes behind it, at t->value_off. */
struct tn_lpm_elem {
	struct tn_lpm_block block;
	uint32_t prefixlen;
	unsigned char data[];
};

struct tn_lpm_node {
	struct tn_lpm_block block;
	uint16_t nr_cells, nr_pairs, nr_own, nr_children;
	uint8_t depth; /* the byte of the data that it looks at */
	uint8_t kind;  /* TN_LPM_IS_... */
	uint16_t spare;
	uint32_t bytes;		      /* of its memory */
	struct tn_lpm_region *region; /* that it is in, NULL: none */
	/* A cache line begins here. */
	uint8_t path[TN_LPM_MAX_SKIP]; /* compared with the bytes before depth */
	uint8_t skip;
	union {
		uint8_t ends[TN_LPM_LIST_MAX]; /* last values of the runs; 255 from the last on */
		struct {
			uint8_t base[TN_LPM_WORDS]; /* bits in the words before */
			uint32_t spare;
			uint64_t starts[TN_LPM_WORDS]; /* first values of the runs */
		} bits;
	};
};
_Static_assert(offsetof(struct tn_lpm_node, path) == 32, "nodes are aligned to 32, not to 64");
_Static_assert(sizeof(struct tn_lpm_node) == 80, "the cells of the middle kind follow");

/* Where the cells begin. Dense: for each value the child or 0, then the element or 0. */
#define TN_LPM_LIST_CELLS  56u
#define TN_LPM_BITS_CELLS  80u
#define TN_LPM_DENSE_CELLS 96u
/* Behind the cells: pairs of child and element where a run has both; the node's own elements, those
 * within another before it, else by their bits. */

typedef _Atomic(uintptr_t) tn_lpm_word;

/* A node to be built. */
struct tn_lpm_shape {
	uint8_t depth, skip;
	uint8_t path[TN_LPM_MAX_SKIP];
	uint32_t nr_own, nr_children;
	struct tn_lpm_elem *own[TN_LPM_MAX_OWN];
	uint8_t bytes[256]; /* ascending */
	uintptr_t children[256];
};

struct tn_lpm_waiting {
	struct tn_lpm_block *elems, *nodes;
};

struct tn_lpm_step {
	tn_lpm_word *link; /* where the node hangs */
	struct tn_lpm_node *node;
};

/* The way to an element: the nodes are in t->path. */
struct tn_lpm_way {
	int last;	   /* number of the node that has it */
	tn_lpm_word *leaf; /* where it hangs, if not among the node's own */
};

struct tn_lpm {
	struct tn_map map;
	struct tn_map_ops ops;
	tn_lpm_word root; /* looks at byte 0; always there */
	uint32_t max_prefixlen;
	uint32_t value_off; /* in an element */
	struct tn_lpm_mem mem;
	bool by_words; /* the data is so many words of 4 bytes */
	_Atomic uint32_t count;
	pthread_mutex_t lock;
	bool has_lock;
	_Atomic uintptr_t owner; /* of the lock: its thread, 0: none */
	/* Of the holder of the lock: what was replaced and when it may be freed (lpm_node.c). */
	struct tn_lpm_waiting fresh, waiting;
	uint64_t stamp; /* of those that wait */
	size_t nr_fresh, fresh_bytes;
	struct tn_lpm_shape shape;
	struct tn_lpm_step path[TN_LPM_MAX_BYTES + 1];
	uint16_t painted[256];
};

static inline struct tn_lpm_node *tn_lpm_node_of(uintptr_t word)
{
	return (struct tn_lpm_node *)(word & ~TN_LPM_TAGS);
}

static inline struct tn_lpm_elem *tn_lpm_leaf_of(uintptr_t word)
{
	return (struct tn_lpm_elem *)(word & ~(TN_LPM_CHILD | TN_LPM_LEAF));
}

static inline bool tn_lpm_is_leaf(uintptr_t word)
{
	return (word & (TN_LPM_CHILD | TN_LPM_LEAF)) == (TN_LPM_CHILD | TN_LPM_LEAF);
}

static inline uintptr_t tn_lpm_leaf_word(const struct tn_lpm_elem *e)
{
	return (uintptr_t)e | TN_LPM_CHILD | TN_LPM_LEAF;
}

static inline uintptr_t tn_lpm_word_of(const struct tn_lpm_node *n)
{
	return (uintptr_t)n | TN_LPM_CHILD | n->kind | (n->skip ? TN_LPM_SKIPS : 0);
}

static inline tn_lpm_word *tn_lpm_cells(const struct tn_lpm_node *n)
{
	uint32_t off = n->kind & TN_LPM_IS_DENSE  ? TN_LPM_DENSE_CELLS
		       : n->kind & TN_LPM_IS_BITS ? TN_LPM_BITS_CELLS
						  : TN_LPM_LIST_CELLS;

	return (tn_lpm_word *)((uintptr_t)n + off);
}

static inline tn_lpm_word *tn_lpm_pair(uintptr_t word)
{
	return (tn_lpm_word *)(word & ~TN_LPM_PAIR);
}

static inline tn_lpm_word *tn_lpm_own(const struct tn_lpm_node *n, uint32_t i)
{
	return tn_lpm_cells(n) + n->nr_cells + 2 * (uint32_t)n->nr_pairs + i;
}

static inline struct tn_lpm_elem *tn_lpm_own_elem(const struct tn_lpm_node *n, uint32_t i)
{
	return (struct tn_lpm_elem *)tn_load_relaxed(tn_lpm_own(n, i));
}

static inline uint32_t tn_lpm_be32(const unsigned char *p)
{
	uint32_t word;

	memcpy(&word, p, 4);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	word = __builtin_bswap32(word);
#endif
	return word;
}

/* Is the data within the element's prefix? */
static TN_ALWAYS_INLINE bool tn_lpm_covers(const struct tn_lpm *t, const struct tn_lpm_elem *e,
					   const unsigned char *data)
{
	uint32_t left = e->prefixlen, i = 0;

	if (tn_likely(t->by_words)) {
		for (; left >= 32; left -= 32, i += 4) {
			if (tn_lpm_be32(e->data + i) != tn_lpm_be32(data + i))
				return false;
		}
		return !left ||
		       !((tn_lpm_be32(e->data + i) ^ tn_lpm_be32(data + i)) >> (32 - left));
	}
	for (; left >= 8; left -= 8, i++) {
		if (e->data[i] != data[i])
			return false;
	}
	return !left || !((e->data[i] ^ data[i]) >> (8 - left));
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
/* Where the child for a value hangs; NULL: none. */
tn_lpm_word *tn_lpm_child(const struct tn_lpm_node *n, uint32_t byte);
/* With the children of a full node no other cell changes: put one in, or take one out, with one
 * store. False: the node has to be built anew. */
bool tn_lpm_add_in_place(struct tn_lpm_node *n, uint32_t byte, uintptr_t child);
bool tn_lpm_drop_in_place(struct tn_lpm_node *n, tn_lpm_word *link);
/* For lack of memory: take an own element out of a published node. Every result is right before and
 * after; the elements that take its place were there when the node was built. */
void tn_lpm_remove_in_place(struct tn_lpm_node *n, const struct tn_lpm_elem *e);

struct tn_lpm_elem *tn_lpm_new_elem(struct tn_lpm *t, const void *key, const void *value);
void tn_lpm_discard_elem(struct tn_lpm *t, struct tn_lpm_elem *e); /* was never published */
void tn_lpm_discard_node(struct tn_lpm *t, struct tn_lpm_node *n);
void tn_lpm_retire_elem(struct tn_lpm *t, struct tn_lpm_elem *e); /* after it was replaced */
void tn_lpm_retire_node(struct tn_lpm *t, struct tn_lpm_node *n);
void tn_lpm_free_passed(struct tn_lpm *t);
void tn_lpm_free_all(struct tn_lpm *t); /* nobody reads any more */

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
