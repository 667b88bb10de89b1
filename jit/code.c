/* SPDX-License-Identifier: MIT */
/*
 * Layout: jumps start short and only ever become long, so the search ends; the padding before
 * loops is computed anew in each round from the sizes of the last one, and kept from the last
 * round on that may still change it.
 */
#include <errno.h>

#include "jit/code.h"
#include "base/err.h"

#define CACHE_LINE	  64u
#define ROUNDS_OF_PADDING 6u
#define MAX_PADDING	  32u
#define FIRST_BYTES	  4096u
#define FIRST_ITEMS	  128u

void tn_codebuf_free(struct tn_codebuf *b)
{
	tn_free(b->rt, b->bytes);
	tn_free(b->rt, b->items);
	tn_free(b->rt, b->labels);
	tn_free(b->rt, b->externs);
	tn_free(b->rt, b->faults);
	memset(b, 0, sizeof(*b));
}

static int grow_array(struct tn_rt *rt, void **p, uint32_t *cap, uint32_t want, size_t size)
{
	uint32_t n = *cap;
	void *q;

	while (n < want)
		n *= 2;
	if (n == *cap)
		return 0;
	q = tn_realloc_array(rt, *p, n, size);
	if (!q)
		return tn_err_nomem("code under construction");
	*p = q;
	*cap = n;
	return 0;
}

int tn_codebuf_grow(struct tn_codebuf *b)
{
	int err;

	if (b->len > TN_CODE_MAX_BYTES)
		return tn_err(-E2BIG, "more than %u bytes of code", TN_CODE_MAX_BYTES);
	if (!b->cap) {
		b->bytes = tn_alloc(b->rt, FIRST_BYTES);
		b->items = tn_alloc_array(b->rt, FIRST_ITEMS, sizeof(b->items[0]));
		b->externs = tn_alloc_array(b->rt, FIRST_ITEMS, sizeof(b->externs[0]));
		if (!b->bytes || !b->items || !b->externs)
			return tn_err_nomem("code under construction");
		b->cap = FIRST_BYTES;
		b->cap_items = b->cap_externs = FIRST_ITEMS;
	}
	err = grow_array(b->rt, (void **)&b->bytes, &b->cap, b->len + TN_CODE_ROOM_BYTES, 1);
	if (!err)
		err = grow_array(b->rt, (void **)&b->items, &b->cap_items,
				 b->nr_items + TN_CODE_ROOM_ITEMS, sizeof(b->items[0]));
	if (!err)
		err = grow_array(b->rt, (void **)&b->externs, &b->cap_externs,
				 b->nr_externs + TN_CODE_ROOM_ITEMS, sizeof(b->externs[0]));
	return err;
}

int tn_codebuf_labels(struct tn_codebuf *b, uint32_t n, uint32_t *first)
{
	uint32_t want = b->nr_labels + n, i;

	if (want > b->cap_labels) {
		uint32_t cap = TN_MAX(want, 2 * b->cap_labels);
		void *p = tn_realloc_array(b->rt, b->labels, cap, sizeof(b->labels[0]));

		if (!p)
			return tn_err_nomem("labels of code");
		b->labels = p;
		b->cap_labels = cap;
	}
	for (i = b->nr_labels; i < want; i++)
		b->labels[i].off = TN_LABEL_UNBOUND;
	*first = b->nr_labels;
	b->nr_labels = want;
	return 0;
}

void tn_codebuf_bind(struct tn_codebuf *b, uint32_t label)
{
	tn_assert(b->labels[label].off == TN_LABEL_UNBOUND);
	b->labels[label].off = b->len;
	b->labels[label].item = b->nr_items;
}

void tn_codebuf_item(struct tn_codebuf *b, enum tn_item_kind kind, uint8_t cc, uint32_t target)
{
	struct tn_item *item = &b->items[b->nr_items++];

	*item = (struct tn_item){
		.off = b->len, .target = target, .kind = (uint8_t)kind, .cc = cc
	};
}

void tn_codebuf_extern(struct tn_codebuf *b, const void *fn)
{
	uint32_t i = b->nr_externs, stop = i > 16 ? i - 16 : 0;

	/* A program calls few functions, and the same ones again. */
	while (i > stop && b->externs[i - 1] != fn)
		i--;
	if (i == stop) {
		i = ++b->nr_externs;
		b->externs[i - 1] = fn;
	}
	tn_codebuf_item(b, TN_ITEM_EXTERN, 0, i - 1);
}

int tn_codebuf_fault(struct tn_codebuf *b, uint32_t from, uint8_t reg)
{
	if (b->nr_faults == b->cap_faults) {
		uint32_t cap = TN_MAX(16u, 2 * b->cap_faults);
		void *p = tn_realloc_array(b->rt, b->faults, cap, sizeof(b->faults[0]));

		if (!p)
			return tn_err_nomem("code under construction");
		b->faults = p;
		b->cap_faults = cap;
	}
	b->faults[b->nr_faults++] = (struct tn_code_fault){
		.off = from, .item = b->nr_items, .bytes = (uint8_t)(b->len - from), .reg = reg
	};
	return 0;
}

static uint32_t shift_of(const struct tn_codebuf *b, uint32_t item)
{
	return item < b->nr_items ? b->items[item].shift : b->items_bytes;
}

uint32_t tn_codebuf_fault_off(const struct tn_codebuf *b, const struct tn_code_fault *f)
{
	return f->off + shift_of(b, f->item);
}

uint32_t tn_codebuf_label_off(const struct tn_codebuf *b, uint32_t label)
{
	const struct tn_label *l = &b->labels[label];

	tn_assert(l->off != TN_LABEL_UNBOUND);
	return l->off + shift_of(b, l->item);
}

static bool has_label(const struct tn_item *item)
{
	return item->kind <= TN_ITEM_CALL;
}

static int64_t distance(const struct tn_codebuf *b, const struct tn_item *item)
{
	return (int64_t)tn_codebuf_label_off(b, item->target) - (item->off + item->shift);
}

/*
 * A loop that fits into a cache line must not lie across two: a short loop would run at half speed.
 * Longer loops begin where a fetch block does, if that is cheap.
 */
static uint32_t padding(const struct tn_codebuf *b, const struct tn_item *item, uint32_t at)
{
	uint32_t in_line = at % CACHE_LINE, begin, end, body;

	if (item->kind == TN_ITEM_ALIGN)
		return (CACHE_LINE - in_line) % CACHE_LINE;
	begin = item->off + item->shift + item->bytes;
	end = tn_codebuf_label_off(b, item->target);
	body = end > begin ? end - begin : 0;
	if (in_line + body <= CACHE_LINE)
		return 0;
	if (body <= CACHE_LINE || in_line >= CACHE_LINE - MAX_PADDING / 2)
		return CACHE_LINE - in_line;
	return 0;
}

/* One round: the shifts from the current lengths. Was some padding changed? */
static bool place_items(struct tn_codebuf *b, bool new_padding)
{
	uint32_t shift = 0, i;
	bool changed = false;

	for (i = 0; i < b->nr_items; i++) {
		struct tn_item *item = &b->items[i];
		uint32_t old = item->bytes;

		if (new_padding && (item->kind == TN_ITEM_LOOP || item->kind == TN_ITEM_ALIGN)) {
			item->bytes = (uint8_t)padding(b, item, item->off + shift);
			changed |= item->bytes != old;
		}
		item->shift = shift;
		shift += item->bytes;
	}
	b->items_bytes = shift;
	return changed;
}

static bool lengthen_jumps(struct tn_codebuf *b)
{
	bool changed = false;
	uint32_t i;

	for (i = 0; i < b->nr_items; i++) {
		struct tn_item *item = &b->items[i];
		uint32_t bytes;

		if (!has_label(item))
			continue;
		bytes = tn_machine_item_bytes(item, distance(b, item), false);
		if (bytes > item->bytes) {
			item->bytes = (uint8_t)bytes;
			changed = true;
		}
	}
	return changed;
}

void tn_codebuf_layout(struct tn_codebuf *b)
{
	uint32_t round = 0, i;
	bool changed = true;

	for (i = 0; i < b->nr_items; i++)
		b->items[i].bytes = (uint8_t)tn_machine_item_bytes(&b->items[i], 0, true);
	place_items(b, false);
	while (changed) {
		changed = place_items(b, round++ < ROUNDS_OF_PADDING);
		changed |= lengthen_jumps(b);
	}
	b->pool_off = TN_ROUND_UP(b->len + b->items_bytes, 8u);
	b->size = b->pool_off + 8 * b->nr_externs;
}

static bool is_near(const void *a, const void *b)
{
	uintptr_t x = (uintptr_t)a, y = (uintptr_t)b;

	return (x > y ? x - y : y - x) < (uintptr_t)1 << 30;
}

/* The library, near which mappings come to lie anyway, or the host's program. */
const void *tn_codebuf_near(const struct tn_codebuf *b)
{
	const void *own = (const void *)(uintptr_t)tn_codebuf_near, *host = NULL;
	uint32_t nr_own = 0, nr_host = 0;

	for (uint32_t i = 0; i < b->nr_items; i++) {
		const void *fn = b->items[i].kind == TN_ITEM_EXTERN ? b->externs[b->items[i].target]
								    : NULL;

		if (!fn)
			continue;
		if (is_near(fn, own)) {
			nr_own++;
			continue;
		}
		host = host ? host : fn;
		nr_host += is_near(fn, host);
	}
	return nr_host > nr_own ? host : NULL;
}

void tn_codebuf_write(const struct tn_codebuf *b, uint8_t *out)
{
	uint32_t from = 0, i;
	uint8_t *at = out;

	for (i = 0; i < b->nr_items; i++) {
		const struct tn_item *item = &b->items[i];

		memcpy(at, b->bytes + from, item->off - from);
		at += item->off - from;
		from = item->off;
		if (has_label(item))
			tn_machine_put_item(item, at, distance(b, item));
		else if (item->kind == TN_ITEM_EXTERN)
			tn_machine_put_extern(at, b->externs[item->target],
					      out + b->pool_off + 8 * item->target);
		else
			tn_machine_put_padding(at, item->bytes);
		at += item->bytes;
	}
	memcpy(at, b->bytes + from, b->len - from);
	at += b->len - from;
	tn_machine_put_padding(at, (uint32_t)(out + b->pool_off - at));
	if (b->nr_externs)
		memcpy(out + b->pool_off, b->externs, 8 * (size_t)b->nr_externs);
}
