/* SPDX-License-Identifier: MIT */
/* MAP_TYPE is HASH_OF_MAPS or ARRAY_OF_MAPS: the lookup of a map, and of an element in it. The host
 * puts `inner` in under every key. */
#include "map_loop.h"

struct inner {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} inner SEC(".maps");

struct {
	__uint(type, PASTE(BPF_MAP_TYPE_, MAP_TYPE));
	__uint(max_entries, 1000);
	__type(key, struct key);
	__array(values, struct inner);
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

BENCH_PROGRAM(lookup)
{
	struct key key = {};
	__u64 sum = 0;

	FOR_RANDOM(x)
	{
		__u32 zero = 0;
		__u64 *value;
		void *found;

		SET_KEY(key, INDEX(x));
		found = bpf_map_lookup_elem(&map, &key);
		if (!found)
			continue;
		value = bpf_map_lookup_elem(found, &zero);
		if (value)
			sum += *value;
	}
	return sum;
}

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

char _license[] SEC("license") = "MIT";
