/* SPDX-License-Identifier: MIT */
/*
 * Open-coded iterators: bpf_iter_num and bpf_iter_bits. An iterator lives in the program's stack,
 * where the verifier lets nobody else read or write it; it owns nothing, so that a program that
 * ends early leaves nothing behind.
 */
#include <errno.h>
#include <string.h>

#include "base/compiler.h"
#include "vm/helper_body.h"
#include "vm/kfuncs.h"
#include "vm/probe.h"

#define BODY(name) TN_HELPER_BODY(, name)

/* The kernel's bounds. */
#define MAX_NUM_STEPS (1u << 23)

/* Looked at before all others. */
#define FIRST_WORDS 8u

/* ---- Numbers: [cur + 1, end) is left ---- */

struct iter_num {
	int32_t cur, end;
};

_Static_assert(sizeof(struct iter_num) == 8, "the plugin's struct bpf_iter_num");

BODY(tn_iter_num_new)
{
	struct iter_num *it = (struct iter_num *)(uintptr_t)r1;
	int32_t start = (int32_t)r2, end = (int32_t)r3;
	int64_t steps = (int64_t)end - start;

	it->cur = it->end = 0;
	if (steps < 0)
		return (uint64_t)-EINVAL;
	if (steps > MAX_NUM_STEPS)
		return (uint64_t)-E2BIG;
	/* Unsigned: start may be the smallest number. */
	it->cur = (int32_t)((uint32_t)start - 1);
	it->end = end;
	return 0;
}

BODY(tn_iter_num_next)
{
	struct iter_num *it = (struct iter_num *)(uintptr_t)r1;
	int32_t next = (int32_t)((uint32_t)it->cur + 1);

	if (next >= it->end) {
		it->cur = it->end = 0;
		return 0;
	}
	it->cur = next;
	return (uintptr_t)&it->cur;
}

BODY(tn_iter_num_destroy)
{
	memset((void *)(uintptr_t)r1, 0, sizeof(struct iter_num));
	return 0;
}

/* ---- Bits of up to 511 words at an address that nobody proved ---- */

struct iter_bits {
	union {
		uint64_t word;	/* the only one */
		uint64_t words; /* address of several */
	};
	int32_t bit; /* the last one given out; -1 at first */
	uint32_t nr_words;
};

_Static_assert(sizeof(struct iter_bits) == 16, "the plugin's struct bpf_iter_bits");

BODY(tn_iter_bits_new)
{
	struct iter_bits *it = (struct iter_bits *)(uintptr_t)r1;
	uint64_t all[TN_ITER_BITS_MAX_WORDS];
	uint32_t nr = (uint32_t)r3;
	int err;

	*it = (struct iter_bits){ .bit = -1 };
	if (!r2 || !nr)
		return (uint64_t)-EINVAL;
	if (nr > TN_ITER_BITS_MAX_WORDS)
		return (uint64_t)-E2BIG;
	err = tn_probe_read(ex->rt, all, r2, nr * sizeof(all[0]));
	if (err)
		return (uint64_t)(int64_t)err;
	it->nr_words = nr;
	it->words = nr == 1 ? all[0] : r2;
	return 0;
}

/* The first bit from `bit` on that is set, or -1. What became unreadable counts as zero. */
static int32_t find_bit(const struct tn_rt *rt, const struct iter_bits *it, uint32_t bit)
{
	uint64_t buf[TN_ITER_BITS_MAX_WORDS];
	uint32_t at = bit / 64, first = at;

	while (at < it->nr_words) {
		uint32_t left = it->nr_words - at,
			 n = at == first ? TN_MIN(left, FIRST_WORDS) : left;

		if (it->nr_words == 1)
			buf[0] = it->word;
		else
			tn_probe_read(rt, buf, it->words + at * sizeof(buf[0]), n * sizeof(buf[0]));
		for (uint32_t i = 0; i < n; i++, at++) {
			uint64_t word = at == bit / 64 ? buf[i] & ~(uint64_t)0 << bit % 64 : buf[i];

			if (word)
				return (int32_t)(at * 64 + (uint32_t)__builtin_ctzll(word));
		}
	}
	return -1;
}

BODY(tn_iter_bits_next)
{
	struct iter_bits *it = (struct iter_bits *)(uintptr_t)r1;
	int32_t next = find_bit(ex->rt, it, (uint32_t)(it->bit + 1));

	if (next < 0) {
		it->nr_words = 0;
		return 0;
	}
	it->bit = next;
	return (uintptr_t)&it->bit;
}

BODY(tn_iter_bits_destroy)
{
	memset((void *)(uintptr_t)r1, 0, sizeof(struct iter_bits));
	return 0;
}
