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

static bool is_prefix(const struct tn_lpm *t, const struct tn_lpm_elem *e,
		      const unsigned char *data, uint32_t prefixlen)
{
	return e->prefixlen == prefixlen && tn_lpm_covers(t, e, data);
}

static struct tn_lpm_elem *own_of(const struct tn_lpm_node *n, const unsigned char *data,
				  uint32_t prefixlen)
{
	for (uint32_t i = 0; i < n->nr_own; i++) {
		struct tn_lpm_elem *e = tn_lpm_own_elem(n, i);

		if (e && same_range(e, data, prefixlen, n->depth))
			return e;
	}
	return NULL;
}

static struct tn_lpm_elem *walk(struct tn_lpm *t, const unsigned char *data, uint32_t prefixlen,
				struct tn_lpm_way *way)
{
	uint32_t target = tn_lpm_depth_of(prefixlen);
	tn_lpm_word *link = &t->root;
	struct tn_lpm_node *n;

	for (way->last = 0;; way->last++) {
		n = node_at(link);
		if (parting(n, data, target) < n->depth)
			return NULL;
		t->path[way->last] = (struct tn_lpm_step){ link, n };
		way->leaf = NULL;
		if (n->depth == target)
			return own_of(n, data, prefixlen);
		link = tn_lpm_child(n, data[n->depth]);
		if (!link)
			return NULL;
		if (tn_lpm_is_leaf(tn_load_relaxed(link))) {
			struct tn_lpm_elem *e = tn_lpm_leaf_of(tn_load_relaxed(link));

			way->leaf = link;
			return is_prefix(t, e, data, prefixlen) ? e : NULL;
		}
	}
}

struct tn_lpm_elem *tn_lpm_find_exact(struct tn_lpm *t, const unsigned char *data,
				      uint32_t prefixlen)
{
	struct tn_lpm_way way;

	return walk(t, data, prefixlen, &way);
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

static void add_child(struct tn_lpm_shape *s, uint8_t byte, uintptr_t child)
{
	uint32_t i = 0;

	while (i < s->nr_children && s->bytes[i] < byte)
		i++;
	memmove(&s->bytes[i + 1], &s->bytes[i], s->nr_children - i);
	memmove(&s->children[i + 1], &s->children[i],
		(s->nr_children - i) * sizeof(s->children[0]));
	s->bytes[i] = byte;
	s->children[i] = child;
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

/* An element that ends in the node's byte or below it. */
static void put(struct tn_lpm_shape *s, struct tn_lpm_elem *e)
{
	if (tn_lpm_depth_of(e->prefixlen) == s->depth)
		add_own(s, e);
	else
		add_child(s, e->data[s->depth], tn_lpm_leaf_word(e));
}

/* Free a chain that was not published, not its elements. NULL is fine. */
static void discard_chain(struct tn_lpm *t, struct tn_lpm_node *n)
{
	struct tn_lpm_node *next;

	for (; n; n = next) {
		tn_lpm_word *cells = tn_lpm_cells(n);

		next = NULL;
		for (uint32_t i = 0; i < n->nr_cells && !next; i++) {
			uintptr_t word = tn_load_relaxed(&cells[i]);

			if (word & TN_LPM_CHILD && !tn_lpm_is_leaf(word))
				next = tn_lpm_node_of(word);
		}
		tn_lpm_discard_node(t, n);
	}
}

/* The byte from `start` on in which two prefixes part, or the first of them ends. */
static uint32_t fork_of(const struct tn_lpm_elem *a, const struct tn_lpm_elem *b, uint32_t start)
{
	uint32_t end = TN_MIN(tn_lpm_depth_of(a->prefixlen), tn_lpm_depth_of(b->prefixlen));

	while (start < end && a->data[start] == b->data[start])
		start++;
	return start;
}

/* A node with two elements that have everything before byte `start` in common, and those that lead
 * to it. */
static struct tn_lpm_node *build_fork(struct tn_lpm *t, uint32_t start, struct tn_lpm_elem *a,
				      struct tn_lpm_elem *b)
{
	uint32_t depth = fork_of(a, b, start);
	struct tn_lpm_node *n = NULL, *below;

	for (;;) {
		uint32_t from = depth - TN_MIN(depth - start, TN_LPM_MAX_SKIP);

		start_shape(&t->shape, a->data, from, depth);
		if (n) {
			add_child(&t->shape, a->data[depth], tn_lpm_word_of(n));
		} else {
			put(&t->shape, a);
			put(&t->shape, b);
		}
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

static int insert_leaf(struct tn_lpm *t, const struct tn_lpm_step *at, struct tn_lpm_elem *e)
{
	struct tn_lpm_node *n;

	if (tn_lpm_add_in_place(at->node, e->data[at->node->depth], tn_lpm_leaf_word(e)))
		return 0;
	tn_lpm_take_apart(&t->shape, at->node);
	put(&t->shape, e);
	n = tn_lpm_build(t, &t->shape);
	if (!n)
		return -ENOMEM;
	publish(t, at, n);
	return 0;
}

/* Where a leaf hangs. */
static int insert_beside(struct tn_lpm *t, tn_lpm_word *link, uint32_t start, struct tn_lpm_elem *e,
			 struct tn_lpm_elem **replaced)
{
	struct tn_lpm_elem *leaf = tn_lpm_leaf_of(tn_load_relaxed(link));
	struct tn_lpm_node *n;

	if (is_prefix(t, leaf, e->data, e->prefixlen)) {
		tn_store_release(link, tn_lpm_leaf_word(e)); /* as in publish() */
		*replaced = leaf;
		return 0;
	}
	n = build_fork(t, start, leaf, e);
	if (!n)
		return -ENOMEM;
	tn_store_release(link, tn_lpm_word_of(n)); /* as in publish() */
	return 0;
}

/* Part the way to a node at byte `depth` of it. */
static int insert_above(struct tn_lpm *t, const struct tn_lpm_step *at, uint32_t depth,
			struct tn_lpm_elem *e)
{
	uint32_t start = (uint32_t)at->node->depth - at->node->skip, cut = depth - start + 1;
	struct tn_lpm_node *moved, *n;

	tn_lpm_take_apart(&t->shape, at->node);
	t->shape.skip = (uint8_t)(t->shape.skip - cut);
	memmove(t->shape.path, t->shape.path + cut, t->shape.skip);
	moved = tn_lpm_build(t, &t->shape);
	if (!moved)
		return -ENOMEM;
	start_shape(&t->shape, e->data, start, depth);
	add_child(&t->shape, at->node->path[cut - 1], tn_lpm_word_of(moved));
	put(&t->shape, e);
	n = tn_lpm_build(t, &t->shape);
	if (!n) {
		tn_lpm_discard_node(t, moved);
		return -ENOMEM;
	}
	publish(t, at, n);
	return 0;
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
			return insert_leaf(t, &at, e);
		if (tn_lpm_is_leaf(tn_load_relaxed(link)))
			return insert_beside(t, link, at.node->depth + 1u, e, replaced);
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

static void remove_child(struct tn_lpm_shape *s, uintptr_t child)
{
	uint32_t i = 0;

	while (s->children[i] != child)
		i++;
	s->nr_children--;
	memmove(&s->bytes[i], &s->bytes[i + 1], s->nr_children - i);
	memmove(&s->children[i], &s->children[i + 1],
		(s->nr_children - i) * sizeof(s->children[0]));
}

/* A shape with nothing but a node as child becomes that, where the way fits. Returns the child. */
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

/* What is left of a node, if it is but one element, as a leaf; else 0. */
static uintptr_t only_leaf(const struct tn_lpm_shape *s)
{
	if (s->nr_own + s->nr_children != 1)
		return 0;
	if (s->nr_own)
		return tn_lpm_leaf_word(s->own[0]);
	return tn_lpm_is_leaf(s->children[0]) ? s->children[0] : 0;
}

static void retire_nodes(struct tn_lpm *t, int from, int to)
{
	for (; from <= to; from++)
		tn_lpm_retire_node(t, t->path[from].node);
}

/* t->shape is what is left of node `at` of the path. Go up as long as nothing is left, or a leaf of
 * a node that has nothing else. Returns the word to be put in place of the node `*at`, or 0: the
 * shape is to be built. */
static uintptr_t go_up(struct tn_lpm *t, int *at)
{
	struct tn_lpm_shape *s = &t->shape;

	for (; *at > 0; --*at) {
		struct tn_lpm_node *above = t->path[*at - 1].node;
		uintptr_t leaf = only_leaf(s);

		if (!s->nr_own && !s->nr_children) {
			tn_lpm_take_apart(s, above);
			remove_child(s, tn_lpm_word_of(t->path[*at].node));
			continue;
		}
		if (!leaf || *at == 1 || above->nr_own || above->nr_children != 1)
			return leaf;
		tn_lpm_take_apart(s, above);
		s->children[0] = leaf;
	}
	return 0;
}

/* In a published node, for lack of memory. */
static void remove_without_memory(struct tn_lpm_node *n, tn_lpm_word *leaf,
				  const struct tn_lpm_elem *e)
{
	if (!leaf) {
		tn_lpm_remove_in_place(n, e);
		return;
	}
	tn_store_relaxed(leaf, 0);
	n->nr_children--;
}

void tn_lpm_remove(struct tn_lpm *t, struct tn_lpm_elem *e)
{
	struct tn_lpm_node *joined = NULL, *n;
	struct tn_lpm_shape *s = &t->shape;
	struct tn_lpm_way way;
	uintptr_t word;
	int at;

	walk(t, e->data, e->prefixlen, &way);
	at = way.last;
	tn_lpm_retire_elem(t, e);
	if (way.leaf && tn_lpm_drop_in_place(t->path[at].node, way.leaf))
		return;
	tn_lpm_take_apart(s, t->path[at].node);
	if (way.leaf)
		remove_child(s, tn_lpm_leaf_word(e));
	else
		remove_own(s, e);
	word = go_up(t, &at);
	if (word) {
		tn_store_release(t->path[at].link, word); /* as in publish() */
		retire_nodes(t, at, way.last);
		return;
	}
	if (at > 0)
		joined = join_child(s);
	n = tn_lpm_build(t, s);
	if (!n) {
		remove_without_memory(t->path[way.last].node, way.leaf, e);
		return;
	}
	publish(t, &t->path[at], n);
	retire_nodes(t, at + 1, way.last);
	if (joined)
		tn_lpm_retire_node(t, joined);
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
	uint32_t hi = 0, len = 0, child;
	struct tn_lpm_way way = { 0 };
	bool all = !e;
	int at;

	if (e) {
		walk(t, e->data, e->prefixlen, &way);
		len = way.leaf ? CHILD : e->prefixlen;
		hi = way.leaf ? e->data[t->path[way.last].node->depth]
			      : end_of(e, t->path[way.last].node->depth);
	} else {
		t->path[0] = (struct tn_lpm_step){ &t->root, node_at(&t->root) };
	}
	for (at = way.last;;) {
		struct tn_lpm_node *n = t->path[at].node;
		struct tn_lpm_elem *found = first_after(n, hi, len, all, &child);

		if (found)
			return found;
		all = child < 256;
		if (all) {
			tn_lpm_word *link = tn_lpm_child(n, child);

			if (tn_lpm_is_leaf(tn_load_relaxed(link)))
				return tn_lpm_leaf_of(tn_load_relaxed(link));
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
