/* SPDX-License-Identifier: MIT */
/*
 * Hash tables of all four kinds: MAP_TYPE is HASH, PERCPU_HASH, LRU_HASH or LRU_PERCPU_HASH, KEY
 * the bytes of a key.
 */
#include "map_loop.h"

struct {
	__uint(type, PASTE(BPF_MAP_TYPE_, MAP_TYPE));
	__uint(max_entries, 1000);
	__type(key, struct key);
	__type(value, __u64);
} map SEC(".maps");

BENCH_PROGRAM(loop)
{
	struct key key = {};

	FOR_RANDOM(x)
	{
		SET_KEY(key, INDEX(x));
		STORED(key);
	}
	return x;
}

static __u32 filled;

BENCH_PROGRAM(fill)
{
	struct key key = {};
	__u32 at = filled;

	for (int i = 0; i < OPS && at < nr_keys; i++, at++) {
		__u64 one = 1;

		SET_KEY(key, at);
		bpf_map_update_elem(&map, &key, &one, BPF_ANY);
	}
	filled = at;
	return 0;
}

BENCH_PROGRAM(lookup)
{
	struct key key = {};
	__u64 sum = 0;

	FOR_RANDOM(x)
	{
		__u64 *value;

		SET_KEY(key, INDEX(x));
		value = bpf_map_lookup_elem(&map, &key);
		if (value)
			sum += *value;
	}
	return sum;
}

/* For the check that lookups find what they look for; not timed. */
BENCH_PROGRAM(hits)
{
	struct key key = {};
	__u32 hits = 0;

	FOR_RANDOM(x)
	{
		SET_KEY(key, INDEX(x));
		hits += bpf_map_lookup_elem(&map, &key) != NULL;
	}
	return hits;
}

BENCH_PROGRAM(miss)
{
	struct key key = {};
	__u64 sum = 0;

	FOR_RANDOM(x)
	{
		__u64 *value;

		SET_KEY(key, INDEX(x) | ABSENT);
		value = bpf_map_lookup_elem(&map, &key);
		if (value)
			sum += *value;
	}
	return sum;
}

BENCH_PROGRAM(update)
{
	struct key key = {};
	__u64 one = 1;

	FOR_RANDOM(x)
	{
		SET_KEY(key, INDEX(x));
		bpf_map_update_elem(&map, &key, &one, BPF_ANY);
	}
	return 0;
}

BENCH_PROGRAM(cycle)
{
	struct key key = {};
	__u64 one = 1;

	FOR_RANDOM(x)
	{
		SET_KEY(key, INDEX(x));
		bpf_map_delete_elem(&map, &key);
		bpf_map_update_elem(&map, &key, &one, BPF_ANY);
	}
	return 0;
}

/* Nine lookups, one update. */
BENCH_PROGRAM(mixed)
{
	struct key key = {};
	__u64 one = 1, sum = 0;

	FOR_RANDOM(x)
	{
		__u64 *value;

		SET_KEY(key, INDEX(x));
		if (i % 10 == 9) {
			bpf_map_update_elem(&map, &key, &one, BPF_ANY);
			continue;
		}
		value = bpf_map_lookup_elem(&map, &key);
		if (value)
			sum += *value;
	}
	return sum;
}

/* Of all possible keys: next to all are new, and each drops an old one. */
BENCH_PROGRAM(insert)
{
	struct key key = {};
	__u64 one = 1;

	FOR_RANDOM(x)
	{
		SET_KEY(key, x);
		bpf_map_update_elem(&map, &key, &one, BPF_ANY);
	}
	return 0;
}

/* A flow table with a third more flows than fit: those unknown are put in. */
BENCH_PROGRAM(flow)
{
	struct key key = {};
	__u64 one = 1;

	FOR_RANDOM(x)
	{
		__u64 *value;

		SET_KEY(key, (__u64)x * (n_ + n_ / 2) >> 32);
		value = bpf_map_lookup_elem(&map, &key);
		if (value)
			*value += 1;
		else
			bpf_map_update_elem(&map, &key, &one, BPF_ANY);
	}
	return 0;
}

char _license[] SEC("license") = "MIT";
