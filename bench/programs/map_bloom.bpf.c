/* SPDX-License-Identifier: MIT */
/* Bloom filters of values of KEY bytes. */
#include "map_loop.h"

struct {
	__uint(type, BPF_MAP_TYPE_BLOOM_FILTER);
	__uint(max_entries, 1000);
	__type(value, struct key);
} map SEC(".maps");

static __u32 filled;

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

BENCH_PROGRAM(fill)
{
	struct key key = {};
	__u32 at = filled;

	for (int i = 0; i < OPS && at < nr_keys; i++, at++) {
		SET_KEY(key, at);
		bpf_map_push_elem(&map, &key, BPF_ANY);
	}
	filled = at;
	return 0;
}

BENCH_PROGRAM(lookup)
{
	struct key key = {};
	__u32 hits = 0;

	FOR_RANDOM(x)
	{
		SET_KEY(key, INDEX(x));
		hits += bpf_map_peek_elem(&map, &key) == 0;
	}
	return hits;
}

BENCH_PROGRAM(miss)
{
	struct key key = {};
	__u32 hits = 0;

	FOR_RANDOM(x)
	{
		SET_KEY(key, INDEX(x) | ABSENT);
		hits += bpf_map_peek_elem(&map, &key) == 0;
	}
	return hits;
}

/* Of values that are in it: it stays as full as it is. */
BENCH_PROGRAM(update)
{
	struct key key = {};

	FOR_RANDOM(x)
	{
		SET_KEY(key, INDEX(x));
		bpf_map_push_elem(&map, &key, BPF_ANY);
	}
	return 0;
}

char _license[] SEC("license") = "MIT";
