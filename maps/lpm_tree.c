/* SPDX-License-Identifier: MIT */
/*
 * Longest-prefix-match tries: where prefixes are put, how they are taken out, and their order. All
 * with the map's lock held.
 */
#include <errno.h>
#include <string.h>

#include "maps/lpm.h"

/* ---- Finding ---- */

static struct tn_lpm_node *node_at(tn_lpm_word *link)
{
	return tn_lpm_node_of(tn_load_relaxed(link));
}

/* The first byte from the end of the node's parent on in which the way to the node and the data
 * part, or that the prefix ends in; the node's own depth where neither is the case. */
static uint32_t parting(const struct tn_lpm_node *n, const unsigned char *data, uint32_t target)
{
	uint32_t start = (uint32_t)n->depth - n->skip;

	for (uint32_t d = start; d < n->depth; d++) {
		if (d == target || data[d] != n->path[d - start])
			return d;
	}
	return n->depth;
}

/* Walk to the node of a prefix's depth, t->path says how. The number of the last step; -1: there is
 * no such node. */
static int walk(struct tn_lpm *t, const unsigned char *data, uint32_t target)
{
	tn_lpm_word *link = &t->root;
	struct tn_lpm_node *n = node_at(link);

	for (int steps = 0;; steps++) {
		if (parting(n, data, target) < n->depth)
			return -1;
		t->path[steps] = (struct tn_lpm_step){ link, n };
		if (n->depth == target)
			return steps;
		link = tn_lpm_child(n, data[n->depth]);
		if (!link)
			return -1;
		n = node_at(link);
	}
}

static bool same_range(const struct tn_lpm_elem *e, const unsigned char *data, uint32_t prefixlen,
		       uint32_t depth)
{
	uint32_t lo, hi, lo2, hi2;

	if (e->prefixlen != prefixlen)
		return false;
	tn_lpm_range(e->data, prefixlen, depth, &lo, &hi);
	tn_lpm_range(data, prefixlen, depth, &lo2, &hi2);
	return lo == lo2;
}

struct tn_lpm_elem *tn_lpm_find_exact(struct tn_lpm *t, const unsigned char *data,
				      uint32_t prefixlen)
{
	int last = walk(t, data, tn_lpm_depth_of(prefixlen));
	const struct tn_lpm_node *n;

	if (last < 0)
		return NULL;
	n = t->path[last].node;
	for (uint32_t i = 0; i < n->nr_own; i++) {
		struct tn_lpm_elem *e = tn_lpm_own_elem(n, i);

		if (e && same_range(e, data, prefixlen, n->depth))
			return e;
	}
	return NULL;
}

/* ---- Putting in ---- */

/* In a node: what ends first comes first, of those that end together the longer prefix. */
static bool is_before(uint32_t hi1, uint32_t len1, uint32_t hi2, uint32_t len2)
{
	return hi1 != hi2 ? hi1 < hi2 : len1 > len2;
}

static uint32_t end_of(const struct tn_lpm_elem *e, uint32_t depth)
{
	uint32_t lo, hi;

	tn_lpm_range(e->data, e->prefixlen, depth, &lo, &hi);
	return hi;
}

/* Returns what it took the place of. */
static struct tn_lpm_elem *add_own(struct tn_lpm_shape *s, struct tn_lpm_elem *e)
{
	uint32_t i = 0, hi = end_of(e, s->depth);
	struct tn_lpm_elem *old;

	while (i < s->nr_own &&
	       is_before(end_of(s->own[i], s->depth), s->own[i]->prefixlen, hi, e->prefixlen))
		i++;
	if (i < s->nr_own && same_range(s->own[i], e->data, e->prefixlen, s->depth)) {
		old = s->own[i];
		s->own[i] = e;
		return old;
	}
	memmove(&s->own[i + 1], &s->own[i], (s->nr_own - i) * sizeof(s->own[0]));
	s->own[i] = e;
	s->nr_own++;
	return NULL;
}

static void add_child(struct tn_lpm_shape *s, uint8_t byte, const struct tn_lpm_node *child)
{
	uint32_t i = 0;

	while (i < s->nr_children && s->bytes[i] < byte)
		i++;
	memmove(&s->bytes[i + 1], &s->bytes[i], s->nr_children - i);
	memmove(&s->children[i + 1], &s->children[i],
		(s->nr_children - i) * sizeof(s->children[0]));
	s->bytes[i] = byte;
	s->children[i] = tn_lpm_word_of(child);
	s->nr_children++;
}

static void start_shape(struct tn_lpm_shape *s, const unsigned char *data, uint32_t start,
			uint32_t depth)
{
	s->depth = (uint8_t)depth;
	s->skip = (uint8_t)(depth - start);
	s->nr_own = s->nr_children = 0;
	memset(s->path, 0, sizeof(s->path));
	memcpy(s->path, data + start, depth - start);
}

/* Free a chain that was not published, not its element. NULL is fine. */
static void discard_chain(struct tn_lpm *t, struct tn_lpm_node *n)
{
	struct tn_lpm_node *next;

	for (; n; n = next) {
		/* What is not the last has one child, most often of more than one run. */
		tn_lpm_word *cells = tn_lpm_cells(n);

		next = NULL;
		for (uint32_t i = 0; i < n->nr_cells && !next; i++) {
			if (tn_load_relaxed(&cells[i]) & TN_LPM_CHILD)
				next = node_at(&cells[i]);
		}
		tn_lpm_discard_node(t, n);
	}
}

/* New nodes from byte `start` to the one of the element, most often one. */
static struct tn_lpm_node *build_chain(struct tn_lpm *t, uint32_t start, struct tn_lpm_elem *e)
{
	const unsigned char *data = e->data;
	uint32_t depth = tn_lpm_depth_of(e->prefixlen);
	struct tn_lpm_node *n = NULL, *below;

	for (;;) {
		uint32_t from = depth - TN_MIN(depth - start, TN_LPM_MAX_SKIP);

		start_shape(&t->shape, data, from, depth);
		if (n)
			add_child(&t->shape, data[depth], n);
		else
			add_own(&t->shape, e);
		below = n;
		n = tn_lpm_build(t, &t->shape);
		if (!n) {
			discard_chain(t, below);
			return NULL;
		}
		if (from == start)
			return n;
		depth = from - 1;
	}
}

static void publish(struct tn_lpm *t, const struct tn_lpm_step *at, struct tn_lpm_node *n)
{
	/* Pairs with the acquire of readers: who sees the node sees what is in it. */
	tn_store_release(at->link, tn_lpm_word_of(n));
	tn_lpm_retire_node(t, at->node);
}

static int insert_own(struct tn_lpm *t, const struct tn_lpm_step *at, struct tn_lpm_elem *e,
		      struct tn_lpm_elem **replaced)
{
	struct tn_lpm_elem *old;
	struct tn_lpm_node *n;

	tn_lpm_take_apart(&t->shape, at->node);
	old = add_own(&t->shape, e);
	n = tn_lpm_build(t, &t->shape);
	if (!n)
		return -ENOMEM;
	publish(t, at, n);
	*replaced = old;
	return 0;
}

static int insert_child(struct tn_lpm *t, const struct tn_lpm_step *at, struct tn_lpm_elem *e)
{
	struct tn_lpm_node *chain = build_chain(t, at->node->depth + 1u, e), *n;
	tn_lpm_word *place;

	if (!chain)
		return -ENOMEM;
	place = tn_lpm_place_for(at->node, e->data[at->node->depth]);
	if (place) {
		/* As in publish(). */
		tn_store_release(place, tn_lpm_word_of(chain));
		return 0;
	}
	tn_lpm_take_apart(&t->shape, at->node);
	add_child(&t->shape, e->data[at->node->depth], chain);
	n = tn_lpm_build(t, &t->shape);
	if (!n) {
		discard_chain(t, chain);
		return -ENOMEM;
	}
	publish(t, at, n);
	return 0;
}

/* Part the way to a node at byte `depth` of it. */
static int insert_above(struct tn_lpm *t, const struct tn_lpm_step *at, uint32_t depth,
			struct tn_lpm_elem *e)
{
	uint32_t start = (uint32_t)at->node->depth - at->node->skip, cut = depth - start + 1;
	const unsigned char *data = e->data;
	struct tn_lpm_node *moved, *chain = NULL, *n = NULL;
	bool ends_here = depth == tn_lpm_depth_of(e->prefixlen);

	tn_lpm_take_apart(&t->shape, at->node);
	t->shape.skip = (uint8_t)(t->shape.skip - cut);
	memmove(t->shape.path, t->shape.path + cut, t->shape.skip);
	moved = tn_lpm_build(t, &t->shape);
	if (moved && !ends_here)
		chain = build_chain(t, depth + 1, e);
	if (moved && (chain || ends_here)) {
		start_shape(&t->shape, data, start, depth);
		add_child(&t->shape, at->node->path[cut - 1], moved);
		if (ends_here)
			add_own(&t->shape, e);
		else
			add_child(&t->shape, data[depth], chain);
		n = tn_lpm_build(t, &t->shape);
	}
	if (n) {
		publish(t, at, n);
		return 0;
	}
	discard_chain(t, chain);
	if (moved)
		tn_lpm_discard_node(t, moved);
	return -ENOMEM;
}

int tn_lpm_insert(struct tn_lpm *t, struct tn_lpm_elem *e, struct tn_lpm_elem **replaced)
{
	uint32_t target = tn_lpm_depth_of(e->prefixlen), depth;
	const unsigned char *data = e->data;
	struct tn_lpm_step at = { &t->root, node_at(&t->root) };
	tn_lpm_word *link;

	*replaced = NULL;
	for (;;) {
		depth = parting(at.node, data, target);
		if (depth < at.node->depth)
			return insert_above(t, &at, depth, e);
		if (depth == target)
			return insert_own(t, &at, e, replaced);
		link = tn_lpm_child(at.node, data[depth]);
		if (!link)
			return insert_child(t, &at, e);
		at = (struct tn_lpm_step){ link, node_at(link) };
	}
}

/* ---- Taking out ---- */

static void remove_own(struct tn_lpm_shape *s, const struct tn_lpm_elem *e)
{
	uint32_t i = 0;

	while (s->own[i] != e)
		i++;
	s->nr_own--;
	memmove(&s->own[i], &s->own[i + 1], (s->nr_own - i) * sizeof(s->own[0]));
}

static void remove_child(struct tn_lpm_shape *s, const struct tn_lpm_node *child)
{
	uint32_t i = 0;

	while (tn_lpm_node_of(s->children[i]) != child)
		i++;
	s->nr_children--;
	memmove(&s->bytes[i], &s->bytes[i + 1], s->nr_children - i);
	memmove(&s->children[i], &s->children[i + 1],
		(s->nr_children - i) * sizeof(s->children[0]));
}

/* A shape with nothing but a child becomes the child, where the way fits. Returns that child. */
static struct tn_lpm_node *join_child(struct tn_lpm_shape *s)
{
	struct tn_lpm_node *child;
	uint8_t path[2 * TN_LPM_MAX_SKIP + 1];
	uint32_t skip = s->skip;

	if (s->nr_own || s->nr_children != 1)
		return NULL;
	child = tn_lpm_node_of(s->children[0]);
	if (skip + 1 + child->skip > TN_LPM_MAX_SKIP)
		return NULL;
	memcpy(path, s->path, skip);
	path[skip++] = s->bytes[0];
	memcpy(path + skip, child->path, child->skip);
	skip += child->skip;
	tn_lpm_take_apart(s, child);
	s->skip = (uint8_t)skip;
	memcpy(s->path, path, skip);
	return child;
}

void tn_lpm_remove(struct tn_lpm *t, struct tn_lpm_elem *e)
{
	int last = walk(t, e->data, tn_lpm_depth_of(e->prefixlen)), at = last;
	struct tn_lpm_node *joined = NULL, *n;
	struct tn_lpm_shape *s = &t->shape;

	tn_lpm_take_apart(s, t->path[at].node);
	remove_own(s, e);
	for (; at > 0 && !s->nr_own && !s->nr_children; at--) {
		tn_lpm_take_apart(s, t->path[at - 1].node);
		remove_child(s, t->path[at].node);
	}
	if (at > 0)
		joined = join_child(s);
	n = tn_lpm_build(t, s);
	if (!n) {
		tn_lpm_remove_in_place(t->path[last].node, e);
		tn_lpm_retire_elem(t, e);
		return;
	}
	publish(t, &t->path[at], n);
	while (last > at)
		tn_lpm_retire_node(t, t->path[last--].node);
	if (joined)
		tn_lpm_retire_node(t, joined);
	tn_lpm_retire_elem(t, e);
}

/* ---- The order ---- */

#define CHILD UINT32_MAX /* longer than any of the node's own */

/* The first element or child of a node after what ends at `hi` with that length. NULL: none. */
static struct tn_lpm_elem *first_after(struct tn_lpm_node *n, uint32_t hi, uint32_t len, bool all,
				       uint32_t *child)
{
	uint32_t own_hi = 0;
	struct tn_lpm_elem *e = NULL;

	for (uint32_t i = 0; i < n->nr_own && !e; i++) {
		e = tn_lpm_own_elem(n, i);
		if (!e)
			continue;
		own_hi = end_of(e, n->depth);
		if (!all && !is_before(hi, len, own_hi, e->prefixlen))
			e = NULL;
	}
	*child = all ? 0 : hi + 1;
	while (*child < 256 && !tn_lpm_child(n, *child))
		++*child;
	/* A child comes before the elements around it. */
	if (e && own_hi < *child)
		*child = 256;
	return *child < 256 ? NULL : e;
}

struct tn_lpm_elem *tn_lpm_next(struct tn_lpm *t, const struct tn_lpm_elem *e)
{
	int at = e ? walk(t, e->data, tn_lpm_depth_of(e->prefixlen)) : 0;
	uint32_t hi = 0, len = 0, child;
	bool all = !e;

	if (e) {
		hi = end_of(e, t->path[at].node->depth);
		len = e->prefixlen;
	} else {
		t->path[0] = (struct tn_lpm_step){ &t->root, node_at(&t->root) };
	}
	for (;;) {
		struct tn_lpm_node *n = t->path[at].node;
		struct tn_lpm_elem *found = first_after(n, hi, len, all, &child);

		if (found)
			return found;
		all = child < 256;
		if (all) {
			tn_lpm_word *link = tn_lpm_child(n, child);

			t->path[++at] = (struct tn_lpm_step){ link, node_at(link) };
			continue;
		}
		if (!at)
			return NULL;
		/* Back up: what comes after this child. The byte it hangs at ends it. */
		at--;
		hi = 0;
		while (tn_lpm_child(t->path[at].node, hi) != t->path[at + 1].link)
			hi++;
		len = CHILD;
	}
}
