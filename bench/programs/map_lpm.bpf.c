/* SPDX-License-Identifier: MIT */
/*
 * Routes. LPM_KEY 8: IPv4, prefixes of 16 to 24 bits, more than half of them /24, as in the
 * Internet's tables; LPM_KEY 20: IPv6, of 40 to 48 bits. Route i is a multiple of an odd constant,
 * so that routes spread over the address space; an address of route i has random bits behind the
 * prefix.
 */
#include "map_loop.h"

#define LONGEST (LPM_KEY == 8 ? 24 : 48)

struct lpm_key {
	__u32 prefixlen;
	__u8 addr[LPM_KEY - 4];
} __attribute__((aligned(4)));

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1000);
	__type(key, struct lpm_key);
	__type(value, __u64);
} map SEC(".maps");

/* How much shorter than LONGEST each of sixteen routes in turn is, in four bits each. */
#define SHORTER 0x8432211000000000ull

static __always_inline __u32 length_of(__u32 i)
{
	return LONGEST - (SHORTER >> (i & 15) * 4 & 15);
}

/* Host bits from `rest`; in network order. */
static __always_inline void set_addr(struct lpm_key *key, __u32 i, __u32 rest)
{
#if LPM_KEY == 8
	*(__u32 *)key->addr = __builtin_bswap32(i * 0x9e3779b1u ^ (rest & 0xff));
#else
	__u64 high = i * 0x9e3779b97f4a7c15ull;

	((__u32 *)key->addr)[0] = __builtin_bswap32(high >> 32);
	((__u32 *)key->addr)[1] = __builtin_bswap32(high ^ (rest & 0xffff));
	((__u32 *)key->addr)[2] = rest;
	((__u32 *)key->addr)[3] = rest;
#endif
}

BENCH_PROGRAM(loop)
{
	struct lpm_key key = { .prefixlen = 8 * (LPM_KEY - 4) };

	FOR_RANDOM(x)
	{
		set_addr(&key, INDEX(x), x);
		STORED(key);
	}
	return x;
}

static __u32 filled;

BENCH_PROGRAM(fill)
{
	struct lpm_key key = {};
	__u32 at = filled;

	for (int i = 0; i < OPS && at < nr_keys; i++, at++) {
		__u64 one = 1;

		key.prefixlen = length_of(at);
		set_addr(&key, at, 0);
		bpf_map_update_elem(&map, &key, &one, BPF_ANY);
	}
	filled = at;
	return 0;
}

BENCH_PROGRAM(lookup)
{
	struct lpm_key key = { .prefixlen = 8 * (LPM_KEY - 4) };
	__u64 sum = 0;

	FOR_RANDOM(x)
	{
		__u64 *value;

		set_addr(&key, INDEX(x), x);
		value = bpf_map_lookup_elem(&map, &key);
		if (value)
			sum += *value;
	}
	return sum;
}

BENCH_PROGRAM(hits)
{
	struct lpm_key key = { .prefixlen = 8 * (LPM_KEY - 4) };
	__u32 hits = 0;

	FOR_RANDOM(x)
	{
		set_addr(&key, INDEX(x), x);
		hits += bpf_map_lookup_elem(&map, &key) != NULL;
	}
	return hits;
}

/* Any address: with few routes most have none. */
BENCH_PROGRAM(miss)
{
	struct lpm_key key = { .prefixlen = 8 * (LPM_KEY - 4) };
	__u64 sum = 0;

	FOR_RANDOM(x)
	{
		__u64 *value;

		set_addr(&key, x | ABSENT, x);
		value = bpf_map_lookup_elem(&map, &key);
		if (value)
			sum += *value;
	}
	return sum;
}

BENCH_PROGRAM(update)
{
	struct lpm_key key = {};
	__u64 one = 1;

	FOR_RANDOM(x)
	{
		key.prefixlen = length_of(INDEX(x));
		set_addr(&key, INDEX(x), 0);
		bpf_map_update_elem(&map, &key, &one, BPF_ANY);
	}
	return 0;
}

/* Nine lookups, one update. */
BENCH_PROGRAM(mixed)
{
	struct lpm_key key = {};
	__u64 one = 1, sum = 0;

	FOR_RANDOM(x)
	{
		__u64 *value;

		key.prefixlen = 8 * (LPM_KEY - 4);
		if (i % 10 == 9) {
			key.prefixlen = length_of(INDEX(x));
			set_addr(&key, INDEX(x), 0);
			bpf_map_update_elem(&map, &key, &one, BPF_ANY);
			continue;
		}
		set_addr(&key, INDEX(x), x);
		value = bpf_map_lookup_elem(&map, &key);
		if (value)
			sum += *value;
	}
	return sum;
}

char _license[] SEC("license") = "MIT";
