/* SPDX-License-Identifier: MIT */
/* Nodes and elements of longest-prefix-match tries: how they are built, charged and freed. */
#include <string.h>

#include "maps/lpm.h"
#include "maps/special.h"

/* So much more waits before the epoch is moved on, which costs a system call. */
#define FRESH_BLOCKS 64u
#define FRESH_BYTES  (128u << 10)

/* Full nodes that have fewer children and elements are built anew when they lose one. */
#define DENSE_MIN 24

void tn_lpm_discard_elem(struct tn_lpm *t, struct tn_lpm_elem *e)
{
	tn_lpm_elem_free(&t->mem, e);
}

void tn_lpm_discard_node(struct tn_lpm *t, struct tn_lpm_node *n)
{
	tn_lpm_node_free(&t->mem, n, n->bytes, n->region);
}

/* ---- What waits for an epoch: `fresh` until all of `waiting` was freed, which has one stamp ----
 */

void tn_lpm_retire_elem(struct tn_lpm *t, struct tn_lpm_elem *e)
{
	e->block.next = t->fresh.elems;
	t->fresh.elems = &e->block;
	t->nr_fresh++;
	t->fresh_bytes += t->mem.elem_stride;
}

void tn_lpm_retire_node(struct tn_lpm *t, struct tn_lpm_node *n)
{
	n->block.next = t->fresh.nodes;
	t->fresh.nodes = &n->block;
	t->nr_fresh++;
	t->fresh_bytes += n->bytes;
}

static void free_waiting(struct tn_lpm *t)
{
	struct tn_lpm_block *b, *next;

	for (b = t->waiting.elems; b; b = next) {
		next = b->next;
		tn_lpm_discard_elem(t, TN_CONTAINER_OF(b, struct tn_lpm_elem, block));
	}
	for (b = t->waiting.nodes; b; b = next) {
		next = b->next;
		tn_lpm_discard_node(t, TN_CONTAINER_OF(b, struct tn_lpm_node, block));
	}
	t->waiting = (struct tn_lpm_waiting){ 0 };
}

void tn_lpm_free_passed(struct tn_lpm *t)
{
	if (t->nr_fresh < FRESH_BLOCKS && t->fresh_bytes < FRESH_BYTES)
		return;
	t->nr_fresh = 0;
	t->fresh_bytes = 0;
	tn_epoch_advance();
	if ((t->waiting.elems || t->waiting.nodes) && !tn_epoch_passed(t->stamp))
		return;
	free_waiting(t);
	t->waiting = t->fresh;
	t->fresh = (struct tn_lpm_waiting){ 0 };
	t->stamp = tn_epoch_stamp();
}

/* A node is listed, a leaf freed. */
static void list_child(struct tn_lpm *t, struct tn_lpm_block **list, uintptr_t word)
{
	struct tn_lpm_node *n;

	if (!(word & TN_LPM_CHILD))
		return;
	if (tn_lpm_is_leaf(word)) {
		tn_lpm_discard_elem(t, tn_lpm_leaf_of(word));
		return;
	}
	n = tn_lpm_node_of(word);
	n->block.next = *list;
	*list = &n->block;
}

static void list_children(struct tn_lpm *t, struct tn_lpm_block **list, const struct tn_lpm_node *n)
{
	tn_lpm_word *cells = tn_lpm_cells(n);

	for (uint32_t i = 0; i < n->nr_cells + 2u * n->nr_pairs; i++)
		list_child(t, list, tn_load_relaxed(&cells[i]));
}

void tn_lpm_free_all(struct tn_lpm *t)
{
	struct tn_lpm_block *list = NULL;

	list_child(t, &list, tn_load_relaxed(&t->root));
	while (list) {
		struct tn_lpm_node *n = TN_CONTAINER_OF(list, struct tn_lpm_node, block);

		list = list->next;
		list_children(t, &list, n);
		for (uint32_t i = 0; i < n->nr_own; i++) {
			if (tn_lpm_own_elem(n, i))
				tn_lpm_discard_elem(t, tn_lpm_own_elem(n, i));
		}
		tn_lpm_discard_node(t, n);
	}
	free_waiting(t);
	t->waiting = t->fresh;
	free_waiting(t);
	tn_lpm_mem_fini(&t->mem);
}

struct tn_lpm_elem *tn_lpm_new_elem(struct tn_lpm *t, const void *key, const void *value)
{
	struct tn_lpm_elem *e = tn_lpm_elem_alloc(&t->mem);

	if (!e)
		return NULL;
	memcpy(&e->prefixlen, key, 4);
	memcpy(e->data, (const unsigned char *)key + 4, t->map.key_size - 4);
	tn_words_store((unsigned char *)e + t->value_off, value, t->map.value_size);
	return e;
}

/* ---- Building ---- */

/* What a node is going to hold for each value: its element's number and one in t->painted. Own
 * elements come after those within them, so from the end the longer overwrite the shorter. */
static void paint(struct tn_lpm *t, const struct tn_lpm_shape *s)
{
	uint32_t lo, hi;

	memset(t->painted, 0, sizeof(t->painted));
	for (uint32_t i = s->nr_own; i-- > 0;) {
		tn_lpm_range(s->own[i]->data, s->own[i]->prefixlen, s->depth, &lo, &hi);
		for (uint32_t b = lo; b <= hi; b++)
			t->painted[b] = (uint16_t)(i + 1);
	}
}

struct runs {
	uint64_t starts[TN_LPM_WORDS];
	uint32_t nr, pairs;
};

static void start_run(struct runs *r, uint32_t value)
{
	if (value < 256)
		r->starts[value / 64] |= UINT64_C(1) << value % 64;
}

/* A child is a run of its own. */
static struct runs find_runs(const struct tn_lpm *t, const struct tn_lpm_shape *s)
{
	struct runs r = { .starts = { 1 } };

	for (uint32_t b = 1; b < 256; b++) {
		if (t->painted[b] != t->painted[b - 1])
			start_run(&r, b);
	}
	for (uint32_t i = 0; i < s->nr_children; i++) {
		start_run(&r, s->bytes[i]);
		start_run(&r, s->bytes[i] + 1u);
		r.pairs += t->painted[s->bytes[i]] != 0;
	}
	for (uint32_t i = 0; i < TN_LPM_WORDS; i++)
		r.nr += (uint32_t)__builtin_popcountll(r.starts[i]);
	return r;
}

static struct tn_lpm_node *alloc_node(struct tn_lpm *t, size_t bytes)
{
	struct tn_lpm_region *region;
	struct tn_lpm_node *n = tn_lpm_node_alloc(&t->mem, bytes, &region);

	if (!n)
		return NULL;
	memset(n, 0, bytes);
	n->bytes = (uint32_t)bytes;
	n->region = region;
	return n;
}

static uintptr_t painted_elem(const struct tn_lpm *t, const struct tn_lpm_shape *s, uint32_t b)
{
	return t->painted[b] ? (uintptr_t)s->own[t->painted[b] - 1] : 0;
}

static void fill_dense(const struct tn_lpm *t, const struct tn_lpm_shape *s, struct tn_lpm_node *n)
{
	tn_lpm_word *cells = tn_lpm_cells(n);

	for (uint32_t b = 0; b < 256; b++)
		tn_store_relaxed(&cells[2 * b + 1], painted_elem(t, s, b));
	for (uint32_t i = 0; i < s->nr_children; i++)
		tn_store_relaxed(&cells[2u * s->bytes[i]], s->children[i]);
}

static void fill_bits(struct tn_lpm_node *n, const struct runs *r)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < TN_LPM_WORDS; i++) {
		n->bits.base[i] = (uint8_t)sum;
		n->bits.starts[i] = r->starts[i];
		sum += (uint32_t)__builtin_popcountll(r->starts[i]);
	}
}

static uint32_t next_start(const struct runs *r, uint32_t b)
{
	uint64_t word;

	for (b++; b < 256; b = b / 64 * 64 + 64) {
		word = r->starts[b / 64] >> b % 64;
		if (word)
			return b + (uint32_t)__builtin_ctzll(word);
	}
	return 256;
}

/* The cells of the runs, with the pairs behind them. */
static void fill_runs(const struct tn_lpm *t, const struct tn_lpm_shape *s, const struct runs *r,
		      struct tn_lpm_node *n)
{
	tn_lpm_word *cells = tn_lpm_cells(n), *pair = cells + r->nr;
	uint32_t run = 0, child = 0;

	for (uint32_t b = 0, end; b < 256; b = end, run++) {
		uintptr_t word = painted_elem(t, s, b);

		end = next_start(r, b);
		if (n->kind == 0 && run < TN_LPM_LIST_MAX)
			n->ends[run] = (uint8_t)(end - 1);
		if (child < s->nr_children && s->bytes[child] == b) {
			if (word) {
				tn_store_relaxed(&pair[0], s->children[child++]);
				tn_store_relaxed(&pair[1], word);
				word = (uintptr_t)pair | TN_LPM_PAIR;
				pair += 2;
			} else {
				word = s->children[child++];
			}
		}
		tn_store_relaxed(&cells[run], word);
	}
	for (; n->kind == 0 && run < TN_LPM_LIST_MAX; run++)
		n->ends[run] = 255;
	if (n->kind == TN_LPM_IS_BITS)
		fill_bits(n, r);
}

struct tn_lpm_node *tn_lpm_build(struct tn_lpm *t, const struct tn_lpm_shape *s)
{
	struct tn_lpm_node *n;
	struct runs r;
	uintptr_t kind;
	size_t off;

	paint(t, s);
	r = find_runs(t, s);
	kind = r.nr <= TN_LPM_LIST_MAX	 ? 0
	       : r.nr <= TN_LPM_BITS_MAX ? TN_LPM_IS_BITS
					 : TN_LPM_IS_DENSE;
	off = !kind		       ? TN_LPM_LIST_CELLS
	      : kind == TN_LPM_IS_BITS ? TN_LPM_BITS_CELLS
				       : TN_LPM_DENSE_CELLS;
	if (kind == TN_LPM_IS_DENSE) {
		r.nr = 512;
		r.pairs = 0;
	}
	n = alloc_node(t, off + ((size_t)r.nr + 2 * (size_t)r.pairs + s->nr_own) *
					  sizeof(tn_lpm_word));
	if (!n)
		return NULL;
	n->kind = (uint8_t)kind;
	n->depth = s->depth;
	n->skip = s->skip;
	memcpy(n->path, s->path, sizeof(n->path));
	n->nr_cells = (uint16_t)r.nr;
	n->nr_pairs = (uint16_t)r.pairs;
	n->nr_own = (uint16_t)s->nr_own;
	n->nr_children = (uint16_t)s->nr_children;
	if (kind == TN_LPM_IS_DENSE)
		fill_dense(t, s, n);
	else
		fill_runs(t, s, &r, n);
	for (uint32_t i = 0; i < s->nr_own; i++)
		tn_store_relaxed(tn_lpm_own(n, i), (uintptr_t)s->own[i]);
	return n;
}

/* ---- Looking into nodes ---- */

/* The cell that a value is found in; dense: its child's. */
static tn_lpm_word *cell_of(const struct tn_lpm_node *n, uint32_t byte)
{
	uint32_t i = 0;

	if (n->kind == TN_LPM_IS_DENSE)
		i = 2 * byte;
	else if (n->kind == TN_LPM_IS_BITS)
		i = n->bits.base[byte / 64] - 1u +
		    (uint32_t)__builtin_popcountll(n->bits.starts[byte / 64] << (63 - byte % 64));
	else
		while (n->ends[i] < byte)
			i++;
	return &tn_lpm_cells(n)[i];
}

tn_lpm_word *tn_lpm_child(const struct tn_lpm_node *n, uint32_t byte)
{
	tn_lpm_word *cell = cell_of(n, byte);
	uintptr_t word = tn_load_relaxed(cell);

	if (word & TN_LPM_CHILD)
		return cell;
	/* Where there was no memory to remove a leaf, its place is empty. */
	return word & TN_LPM_PAIR && tn_load_relaxed(tn_lpm_pair(word)) ? tn_lpm_pair(word) : NULL;
}

bool tn_lpm_add_in_place(struct tn_lpm_node *n, uint32_t byte, uintptr_t child)
{
	if (n->kind != TN_LPM_IS_DENSE)
		return false;
	/* Pairs with the acquire of readers: what the child holds is there before. */
	tn_store_release(cell_of(n, byte), child);
	n->nr_children++;
	return true;
}

bool tn_lpm_drop_in_place(struct tn_lpm_node *n, tn_lpm_word *link)
{
	/* One that got sparse is built anew, as a smaller one. */
	if (n->kind != TN_LPM_IS_DENSE || n->nr_children + n->nr_own < DENSE_MIN)
		return false;
	tn_store_relaxed(link, 0);
	n->nr_children--;
	return true;
}

void tn_lpm_take_apart(struct tn_lpm_shape *s, const struct tn_lpm_node *n)
{
	s->depth = n->depth;
	s->skip = n->skip;
	memcpy(s->path, n->path, sizeof(s->path));
	s->nr_own = 0;
	s->nr_children = 0;
	for (uint32_t b = 0; b < 256; b++) {
		tn_lpm_word *link = tn_lpm_child(n, b);

		/* A cell with a child is that of one value. */
		if (!link)
			continue;
		s->bytes[s->nr_children] = (uint8_t)b;
		s->children[s->nr_children++] = tn_load_relaxed(link);
	}
	/* Where there was no memory to remove one, its place is empty. */
	for (uint32_t i = 0; i < n->nr_own; i++) {
		if (tn_lpm_own_elem(n, i))
			s->own[s->nr_own++] = tn_lpm_own_elem(n, i);
	}
}

/* The longest element of the node but `but` for one value of its byte. */
static uintptr_t longest_but(const struct tn_lpm_node *n, uint32_t byte,
			     const struct tn_lpm_elem *but)
{
	uint32_t lo, hi;

	for (uint32_t i = 0; i < n->nr_own; i++) {
		struct tn_lpm_elem *e = tn_lpm_own_elem(n, i);

		if (!e || e == but)
			continue;
		tn_lpm_range(e->data, e->prefixlen, n->depth, &lo, &hi);
		if (lo <= byte && byte <= hi)
			return (uintptr_t)e; /* those within another come first */
	}
	return 0;
}

void tn_lpm_remove_in_place(struct tn_lpm_node *n, const struct tn_lpm_elem *e)
{
	for (uint32_t b = 0; b < 256; b++) {
		tn_lpm_word *cell = cell_of(n, b);
		uintptr_t word = tn_load_relaxed(cell);

		if (n->kind == TN_LPM_IS_DENSE)
			cell++;
		else if ((word & (TN_LPM_CHILD | TN_LPM_PAIR)) == TN_LPM_PAIR)
			cell = tn_lpm_pair(word) + 1;
		if (tn_load_relaxed(cell) == (uintptr_t)e)
			tn_store_relaxed(cell, longest_but(n, b, e));
	}
	for (uint32_t i = 0; i < n->nr_own; i++) {
		if (tn_lpm_own_elem(n, i) == e)
			tn_store_relaxed(tn_lpm_own(n, i), 0);
	}
}
