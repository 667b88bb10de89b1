/* SPDX-License-Identifier: MIT */
/*
 * Code under construction: raw bytes, plus items whose length is only known when everything stands
 * (jumps, calls, loop alignment). tn_codebuf_layout() settles the lengths, tn_codebuf_write() puts
 * the result at its place. Emitters reserve room once per eBPF instruction and then write
 * unchecked.
 */
#ifndef TN_JIT_CODE_H
#define TN_JIT_CODE_H

#include <stdbool.h>
#include <string.h>

#include "base/compiler.h"
#include "base/mem.h"

struct tn_rt;

enum tn_item_kind {
	TN_ITEM_JMP,	/* to a label */
	TN_ITEM_JCC,	/* to a label, under condition `cc` */
	TN_ITEM_CALL,	/* of a label */
	TN_ITEM_EXTERN, /* call of a C function, through the pool where it is out of reach */
	TN_ITEM_LOOP,	/* a loop begins; `target` is the label of its end */
	TN_ITEM_ALIGN,	/* to a cache line */
};

struct tn_item {
	uint32_t off;	 /* in the raw bytes */
	uint32_t target; /* label, or index into externs */
	uint32_t shift;	 /* bytes of all items before this one */
	uint8_t kind;
	uint8_t cc;
	uint8_t bytes; /* settled so far */
};

struct tn_label {
	uint32_t off;  /* in the raw bytes; TN_LABEL_UNBOUND */
	uint32_t item; /* number of items before it */
};
#define TN_LABEL_UNBOUND UINT32_MAX

/* An instruction that may fault, in the raw bytes; see base/fault.h. */
struct tn_code_fault {
	uint32_t off;
	uint32_t item; /* number of items before it */
	uint8_t bytes, reg;
};

struct tn_codebuf {
	struct tn_rt *rt;
	uint8_t *bytes;
	uint32_t len, cap;
	struct tn_item *items;
	uint32_t nr_items, cap_items;
	struct tn_label *labels;
	uint32_t nr_labels, cap_labels;
	const void **externs;
	uint32_t nr_externs, cap_externs;
	struct tn_code_fault *faults;
	uint32_t nr_faults, cap_faults;
	uint32_t items_bytes; /* after layout */
	uint32_t pool_off;    /* after layout: of the addresses of externs */
	uint32_t size;	      /* after layout: everything */
};

/* Room that one eBPF instruction can need at most. */
#define TN_CODE_ROOM_BYTES 1024u
#define TN_CODE_ROOM_ITEMS 16u
/* Offsets are 32 bits and signed in the machine's code; stay far below. */
#define TN_CODE_MAX_BYTES (1u << 28)

void tn_codebuf_free(struct tn_codebuf *b);
int tn_codebuf_grow(struct tn_codebuf *b);

/* Once per instruction: 0, -ENOMEM, -E2BIG, with words. */
static inline int tn_codebuf_reserve(struct tn_codebuf *b)
{
	if (tn_likely(b->cap - b->len >= TN_CODE_ROOM_BYTES &&
		      b->cap_items - b->nr_items >= TN_CODE_ROOM_ITEMS &&
		      b->cap_externs - b->nr_externs >= TN_CODE_ROOM_ITEMS))
		return 0;
	return tn_codebuf_grow(b);
}

static inline void tn_put8(struct tn_codebuf *b, uint8_t v)
{
	b->bytes[b->len++] = v;
}

static inline void tn_put16(struct tn_codebuf *b, uint16_t v)
{
	memcpy(b->bytes + b->len, &v, 2);
	b->len += 2;
}

static inline void tn_put32(struct tn_codebuf *b, uint32_t v)
{
	memcpy(b->bytes + b->len, &v, 4);
	b->len += 4;
}

static inline void tn_put64(struct tn_codebuf *b, uint64_t v)
{
	memcpy(b->bytes + b->len, &v, 8);
	b->len += 8;
}

/* `n` new unbound labels, numbered from *first. -ENOMEM with words. */
int tn_codebuf_labels(struct tn_codebuf *b, uint32_t n, uint32_t *first);
void tn_codebuf_bind(struct tn_codebuf *b, uint32_t label);

/* The caller has reserved room. */
void tn_codebuf_item(struct tn_codebuf *b, enum tn_item_kind kind, uint8_t cc, uint32_t target);
void tn_codebuf_extern(struct tn_codebuf *b, const void *fn);

/* The instruction that begins at `from` and has just been put may fault; it loads `reg`. -ENOMEM
 * with words. */
int tn_codebuf_fault(struct tn_codebuf *b, uint32_t from, uint8_t reg);
/* Where it stands after layout. */
uint32_t tn_codebuf_fault_off(const struct tn_codebuf *b, const struct tn_code_fault *f);

/* Settle the lengths. Every label that an item names must be bound. */
void tn_codebuf_layout(struct tn_codebuf *b);
/* Where a bound label stands after layout. */
uint32_t tn_codebuf_label_off(const struct tn_codebuf *b, uint32_t label);
/* An address that most calls of C go near to; NULL: it does not matter. */
const void *tn_codebuf_near(const struct tn_codebuf *b);
/* Write b->size bytes to `out`, where they will run. */
void tn_codebuf_write(const struct tn_codebuf *b, uint8_t *out);

/* ---- What the machine's part provides ---- */

/* Length of an item, given the distance from its start to the target (jumps). */
uint32_t tn_machine_item_bytes(const struct tn_item *item, int64_t distance, bool shortest);
/* Write the item of item->bytes at `at`; `distance` as above. */
void tn_machine_put_item(const struct tn_item *item, uint8_t *at, int64_t distance);
/* Call `fn`, whose address also stands in the pool entry `pool`. */
void tn_machine_put_extern(uint8_t *at, const void *fn, const uint8_t *pool);
void tn_machine_put_padding(uint8_t *at, uint32_t bytes);

#endif
