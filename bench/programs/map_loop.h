/* SPDX-License-Identifier: MIT */
/*
 * What the programs of the map bench share: OPS operations a run on pseudo-random elements of a map
 * filled with `nr_keys` of them. One object serves all sizes: the host sets max_entries and
 * nr_keys before it loads. Nothing is written between the runs, so that two threads may run one
 * program and share nothing but the map.
 */
#ifndef BENCH_MAP_LOOP_H
#define BENCH_MAP_LOOP_H

#include <tenon/plugin.h>

#define OPS 60 /* bench/map_side.h has the same; mixed programs want a multiple of 10 */

#define BENCH_PROGRAM(name) SEC("tc") int name(struct __sk_buff *skb)

const volatile __u32 nr_keys = 1000;

/* The upper bits are good enough, and multiply-shift takes the place of a remainder: the generator
 * must not cost more than a lookup. */
static __always_inline __u32 next(__u32 x)
{
	return x * 1664525u + 1013904223u;
}

#define FOR_RANDOM(x)                                  \
	__u32 x = bpf_get_prandom_u32(), n_ = nr_keys; \
	(void)n_;                                      \
	for (int i = 0; i < OPS; i++, x = next(x))

#define INDEX(x) ((__u32)((__u64)(x)*n_ >> 32))

/* What the loop alone costs is measured with the stores of its keys. */
#define STORED(key) __asm__ volatile("" : : "r"(&(key)) : "memory")

#define PASTE_(a, b) a##b
#define PASTE(a, b)  PASTE_(a, b)

#ifdef KEY /* bytes of a key */
#if KEY == 4
struct key {
	__u32 first;
};
#define SET_KEY(key, at) ((key).first = (at))
#elif KEY == 8
struct key {
	__u64 first;
};
#define SET_KEY(key, at) ((key).first = (at))
#else
struct key {
	__u64 first, middle[KEY / 8 - 2], last;
};
#define SET_KEY(key, at) ((key).first = (at), (key).last = (key).first << 7)
#endif
#endif

/* Keys that no fill puts in: fills stay below. */
#define ABSENT 0x80000000u

#endif
