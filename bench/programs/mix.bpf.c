/* SPDX-License-Identifier: MIT */
/* A keyed hash in the manner of SipHash: rotates, adds and xors on words read byte by byte. */
#include "work.h"

#define ROTL(x, b) (((x) << (b)) | ((x) >> (64 - (b))))

static inline __attribute__((always_inline)) __u64 load_le(const __u8 *p)
{
	__u64 v = 0;

#pragma unroll
	for (int i = 0; i < 8; i++)
		v |= (__u64)p[i] << (8 * i);
	return v;
}

WORK(mix)
{
	__u64 a = 0x736f6d6570736575ull, b = 0x646f72616e646f6dull;
	__u64 c = 0x6c7967656e657261ull, d = 0x7465646279746573ull;

	for (int i = 0; i < WORK_BYTES; i += 8) {
		__u64 m = load_le(data + i);

		d ^= m;
		a += b;
		c += d;
		b = ROTL(b, 13) ^ a;
		d = ROTL(d, 16) ^ c;
		a = ROTL(a, 32) + d;
		c = ROTL(c, 21) + b;
		a ^= m;
	}
	return (__u32)(a ^ b ^ c ^ d);
}
