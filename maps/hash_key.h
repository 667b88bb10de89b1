/* SPDX-License-Identifier: MIT */
/*
 * The hash of a key: 64-bit words are mixed by a widening multiply whose halves are folded, as in
 * the family of multiply-and-fold hashes. Both seeds are secret to the map, so that keys from
 * outside cannot be chosen to collide. The home group comes from the high half, the control byte
 * from the lowest seven bits.
 */
#ifndef TN_MAPS_HASH_KEY_H
#define TN_MAPS_HASH_KEY_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/compiler.h"

/* The fractional parts of the square roots of 2, 3 and 5. The third is made even: xored into an odd
 * seed it gives another odd multiplier. */
#define TN_HASH_MIX1 UINT64_C(0x6a09e667f3bcc909)
#define TN_HASH_MIX2 UINT64_C(0xbb67ae8584caa73b)
#define TN_HASH_MIX3 UINT64_C(0x3c6ef372fe94f82a)

static TN_ALWAYS_INLINE uint64_t tn_hash_fold(uint64_t a, uint64_t b)
{
	__extension__ unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static TN_ALWAYS_INLINE uint64_t tn_hash_read(const void *p, size_t size)
{
	uint64_t word = 0;

	memcpy(&word, p, size);
	return word;
}

/* Up to 8 bytes. One multiply by a secret odd number spreads well upwards; the fold brings the
 * high half down. The second one is for keys that differ in few high bits only. */
static TN_ALWAYS_INLINE uint64_t tn_hash_short(const uint64_t seed[2], uint64_t word)
{
	uint64_t x = tn_hash_fold(word ^ seed[0], seed[1]);

	return tn_hash_fold(x ^ TN_HASH_MIX1, TN_HASH_MIX2);
}

static TN_ALWAYS_INLINE uint64_t tn_hash_two(const uint64_t seed[2], uint64_t a, uint64_t b)
{
	uint64_t x = tn_hash_fold(a ^ seed[0], seed[1]);

	/* The first word is mixed before the second meets it: no pair of words cancels. */
	return tn_hash_fold((x + b) ^ seed[0] ^ TN_HASH_MIX1, seed[1] ^ TN_HASH_MIX3);
}

/* Any size: words in turn into two chains, which the machine works at side by side; the last word
 * is padded with zeros, since the size is fixed per map. */
static TN_ALWAYS_INLINE uint64_t tn_hash_long(const uint64_t seed[2], const unsigned char *p,
					      size_t size)
{
	uint64_t x = seed[0], y = seed[0] ^ TN_HASH_MIX2;
	uint64_t times_x = seed[1], times_y = seed[1] ^ TN_HASH_MIX3;

	for (; size >= 16; size -= 16, p += 16) {
		x = tn_hash_fold(x ^ tn_hash_read(p, 8), times_x);
		y = tn_hash_fold(y ^ tn_hash_read(p + 8, 8), times_y);
	}
	if (size >= 8) {
		x = tn_hash_fold(x ^ tn_hash_read(p, 8), times_x);
		if (size > 8)
			y = tn_hash_fold(y ^ tn_hash_read(p + 8, size - 8), times_y);
	} else if (size) {
		x = tn_hash_fold(x ^ tn_hash_read(p, size), times_x);
	}
	return tn_hash_two(seed, x, y);
}

/* `size` is a constant where it matters: 4, 8, 16 and 64 become straight code.
 * jit/x86_64/emit_hash.c does the same. */
static TN_ALWAYS_INLINE uint64_t tn_hash_key(const uint64_t seed[2], const void *key, size_t size)
{
	const unsigned char *p = key;

	if (size == 4 || size == 8)
		return tn_hash_short(seed, tn_hash_read(p, size));
	if (size == 16)
		return tn_hash_two(seed, tn_hash_read(p, 8), tn_hash_read(p + 8, 8));
	return tn_hash_long(seed, p, size);
}

#endif
