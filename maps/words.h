/* SPDX-License-Identifier: MIT */
/*
 * Copies to and from shared map memory, word by word with relaxed atomics: other threads may read
 * and write it meanwhile, and every aligned word of 8 bytes is seen whole. Map memory is aligned
 * to 8 and padded to a multiple of 8; the other side is the caller's, of any alignment, and exactly
 * `size` bytes long. Padding is written as zero.
 */
#ifndef TN_MAPS_WORDS_H
#define TN_MAPS_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/atomic.h"
#include "base/compiler.h"

/* ThreadSanitizer does not follow the fences that order these words; in its build they are ordered
 * themselves. */
#if TN_TSAN
#define TN_WORD_LOAD(p)	    tn_load_acquire(p)
#define TN_WORD_STORE(p, v) tn_store_release(p, v)
#else
#define TN_WORD_LOAD(p)	    tn_load_relaxed(p)
#define TN_WORD_STORE(p, v) tn_store_relaxed(p, v)
#endif

/* Orders the reads before it against the reading of a number after it. */
static TN_ALWAYS_INLINE void tn_seq_read_fence(void)
{
#if !TN_TSAN
	atomic_thread_fence(memory_order_acquire);
#endif
}

/* Pairs with tn_seq_read_fence(): who sees a store after it sees the number stored before it. */
static TN_ALWAYS_INLINE void tn_seq_write_fence(void)
{
#if !TN_TSAN
	atomic_thread_fence(memory_order_release);
#endif
}

/* The last size % 8 bytes of a key or value as a word, padded with zeros. */
static TN_ALWAYS_INLINE uint64_t tn_words_tail(const unsigned char *p, size_t rest)
{
	uint64_t word = 0;

	memcpy(&word, p, rest);
	return word;
}

static TN_ALWAYS_INLINE void tn_words_store(void *to, const void *from, size_t size)
{
	_Atomic uint64_t *out = to;
	const unsigned char *in = from;
	uint64_t word;

	for (; size >= 8; size -= 8, in += 8) {
		memcpy(&word, in, 8);
		TN_WORD_STORE(out++, word);
	}
	if (size)
		TN_WORD_STORE(out, tn_words_tail(in, size));
}

static TN_ALWAYS_INLINE void tn_words_load(void *to, const void *from, size_t size)
{
	const _Atomic uint64_t *in = from;
	unsigned char *out = to;
	uint64_t word;

	for (; size >= 8; size -= 8, out += 8) {
		word = TN_WORD_LOAD(in++);
		memcpy(out, &word, 8);
	}
	if (size) {
		word = TN_WORD_LOAD(in);
		memcpy(out, &word, size);
	}
}

/* As tn_words_store(), size a multiple of 8, but touches only words that differ, so that untouched
 * pages stay so when they are to be zero. */
static inline void tn_words_change(void *to, const void *from, size_t size)
{
	_Atomic uint64_t *out = to;
	const unsigned char *in = from;
	uint64_t word;

	for (; size >= 8; size -= 8, in += 8, out++) {
		memcpy(&word, in, 8);
		if (TN_WORD_LOAD(out) != word)
			TN_WORD_STORE(out, word);
	}
}

static TN_ALWAYS_INLINE void tn_words_zero(void *to, size_t size)
{
	_Atomic uint64_t *out = to;

	for (; size >= 8; size -= 8)
		TN_WORD_STORE(out++, 0);
}

/* The first word decides where keys differ; of what is left all is compared, without branches. */
static TN_ALWAYS_INLINE bool tn_words_equal(const void *shared, const void *key, size_t size)
{
	const _Atomic uint64_t *in = shared;
	const unsigned char *p = key;
	uint64_t word, differ = 0;

	if (size <= 8)
		return TN_WORD_LOAD(in) == tn_words_tail(p, size);
	memcpy(&word, p, 8);
	if (TN_WORD_LOAD(in) != word)
		return false;
	for (size -= 8, p += 8; size >= 8; size -= 8, p += 8) {
		memcpy(&word, p, 8);
		differ |= TN_WORD_LOAD(++in) ^ word;
	}
	if (size)
		differ |= TN_WORD_LOAD(++in) ^ tn_words_tail(p, size);
	return !differ;
}

#endif
