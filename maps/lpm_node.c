/* SPDX-License-Identifier: MIT */
/* Nodes and elements of longest-prefix-match tries: how they are built, charged and freed. */
#include <string.h>

#include "base/mem.h"
#include "maps/lpm.h"
#include "maps/words.h"

/* So many more wait before the epoch is moved on, which costs a system call. */
#define FRESH_BLOCKS 64u

/* ---- Memory: from the heap, and counted against the limit for maps ---- */

static void *alloc_block(struct tn_lpm *t, size_t bytes)
{
	struct tn_lpm_block *b;

	if (tn_charge(t->map.rt, TN_CHARGE_MAPS, bytes))
		return NULL;
	b = tn_zalloc(t->map.rt, bytes);
	if (!b) {
		tn_uncharge(t->map.rt, TN_CHARGE_MAPS, bytes);
		return NULL;
	}
	b->bytes = bytes;
	t->map.charged += bytes;
	return b;
}

void tn_lpm_discard(struct tn_lpm *t, struct tn_lpm_block *b)
{
	tn_uncharge(t->map.rt, TN_CHARGE_MAPS, b->bytes);
	t->map.charged -= b->bytes;
	tn_free(t->map.rt, b);
}

void tn_lpm_retire(struct tn_lpm *t, struct tn_lpm_block *b)
{
	b->next = NULL;
	b->stamp = tn_epoch_stamp();
	*t->last = b;
	t->last = &b->next;
	t->nr_fresh++;
}

void tn_lpm_free_passed(struct tn_lpm *t)
{
	struct tn_lpm_block *b;

	if (t->nr_fresh >= FRESH_BLOCKS) {
		t->nr_fresh = 0;
		tn_epoch_advance();
	}
	while (t->waiting && tn_epoch_passed(t->waiting->stamp)) {
		b = t->waiting;
		t->waiting = b->next;
		if (!b->next)
			t->last = &t->waiting;
		tn_lpm_discard(t, b);
	}
}

struct tn_lpm_elem *tn_lpm_new_elem(struct tn_lpm *t, const void *key, const void *value)
{
	struct tn_lpm_elem *e = alloc_block(t, (size_t)t->data_off + t->map.key_size - 4);

	if (!e)
		return NULL;
	memcpy(&e->prefixlen, key, 4);
	memcpy((unsigned char *)e + t->data_off, (const unsigned char *)key + 4,
	       t->map.key_size - 4);
	tn_words_store(e + 1, value, t->map.value_size);
	return e;
}

void tn_lpm_free_all(struct tn_lpm *t)
{
	struct tn_lpm_node *n = tn_load_relaxed(&t->root);
	struct tn_lpm_block *list = n ? &n->block : NULL, *next;

	while (list) {
		n = TN_CONTAINER_OF(list, struct tn_lpm_node, block);
		list = n->block.next;
		for (uint32_t i = 0; i < n->nr_children; i++) {
			struct tn_lpm_node *child = tn_load_relaxed(&n->slots[n->nr_results + i]);

			child->block.next = list;
			list = &child->block;
		}
		for (uint32_t i = 0; i < n->nr_own; i++)
			tn_free(t->map.rt, tn_lpm_own(n, i));
		tn_free(t->map.rt, n);
	}
	for (list = t->waiting; list; list = next) {
		next = list->next;
		tn_free(t->map.rt, list);
	}
}

/* ---- Nodes ---- */

static void set_bit(uint64_t *words, uint32_t bit)
{
	words[bit / 64] |= UINT64_C(1) << bit % 64;
}

static void count_bits(const uint64_t *words, uint8_t *base)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < TN_LPM_WORDS; i++) {
		base[i] = (uint8_t)sum;
		sum += (uint32_t)__builtin_popcountll(words[i]);
	}
}

/* For each value of the byte the longest own element, as its number and one; how many runs. Own
 * elements come after those within them, so from the end the longer overwrite the shorter. */
static uint32_t paint(struct tn_lpm *t, const struct tn_lpm_shape *s)
{
	uint32_t lo, hi, runs = 1;

	memset(t->painted, 0, sizeof(t->painted));
	for (uint32_t i = s->nr_own; i-- > 0;) {
		tn_lpm_range(tn_lpm_data(t, s->own[i]), s->own[i]->prefixlen, s->depth, &lo, &hi);
		for (uint32_t b = lo; b <= hi; b++)
			t->painted[b] = (uint16_t)(i + 1);
	}
	for (uint32_t b = 1; b < 256; b++)
		runs += t->painted[b] != t->painted[b - 1];
	return runs;
}

static size_t node_bytes(uint32_t results, uint32_t children, uint32_t own)
{
	return sizeof(struct tn_lpm_node) +
	       ((size_t)results + children + own) * sizeof(_Atomic(void *));
}

struct tn_lpm_node *tn_lpm_build(struct tn_lpm *t, const struct tn_lpm_shape *s)
{
	uint32_t runs = paint(t, s), at = 0;
	struct tn_lpm_node *n = alloc_block(t, node_bytes(runs, s->nr_children, s->nr_own));

	if (!n)
		return NULL;
	n->depth = s->depth;
	n->skip = s->skip;
	memcpy(n->path, s->path, sizeof(n->path));
	n->nr_results = (uint16_t)runs;
	n->nr_children = (uint16_t)s->nr_children;
	n->nr_own = (uint16_t)s->nr_own;
	for (uint32_t b = 0; b < 256; b++) {
		uint32_t i = t->painted[b];

		if (b && i == t->painted[b - 1])
			continue;
		set_bit(n->runs, b);
		tn_store_relaxed(&n->slots[at++], i ? s->own[i - 1] : NULL);
	}
	for (uint32_t i = 0; i < s->nr_children; i++) {
		set_bit(n->children, s->bytes[i]);
		tn_store_relaxed(&n->slots[at++], s->children[i]);
	}
	for (uint32_t i = 0; i < s->nr_own; i++)
		tn_store_relaxed(&n->slots[at++], s->own[i]);
	count_bits(n->runs, n->run_base);
	count_bits(n->children, n->child_base);
	return n;
}

void tn_lpm_take_apart(struct tn_lpm_shape *s, const struct tn_lpm_node *n)
{
	uint32_t byte = 0;

	s->depth = n->depth;
	s->skip = n->skip;
	memcpy(s->path, n->path, sizeof(s->path));
	s->nr_own = 0;
	s->nr_children = n->nr_children;
	for (uint32_t i = 0; i < n->nr_children; i++, byte++) {
		while (!(n->children[byte / 64] >> byte % 64 & 1))
			byte++;
		s->bytes[i] = (uint8_t)byte;
		s->children[i] = tn_load_relaxed(&n->slots[n->nr_results + i]);
	}
	/* Where there was no memory to remove one, its place is empty. */
	for (uint32_t i = 0; i < n->nr_own; i++) {
		struct tn_lpm_elem *e = tn_lpm_own(n, i);

		if (e)
			s->own[s->nr_own++] = e;
	}
}

_Atomic(void *) *tn_lpm_child(struct tn_lpm_node *n, uint32_t byte)
{
	uint64_t word = n->children[byte / 64], bit = UINT64_C(1) << byte % 64;

	if (!(word & bit))
		return NULL;
	return &n->slots[n->nr_results + n->child_base[byte / 64] +
			 (uint32_t)__builtin_popcountll(word & (bit - 1))];
}
