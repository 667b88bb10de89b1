/* SPDX-License-Identifier: MIT */
/* Arrays: MAP_TYPE is ARRAY or PERCPU_ARRAY. */
#include "map_loop.h"

struct {
	__uint(type, PASTE(BPF_MAP_TYPE_, MAP_TYPE));
	__uint(max_entries, 1000);
	__type(key, __u32);
	__type(value, __u64);
} map SEC(".maps");

BENCH_PROGRAM(loop)
{
	FOR_RANDOM(x)
	{
		__u32 key = INDEX(x);

		STORED(key);
	}
	return x;
}

BENCH_PROGRAM(lookup)
{
	__u64 sum = 0;

	FOR_RANDOM(x)
	{
		__u32 key = INDEX(x);
		__u64 *value = bpf_map_lookup_elem(&map, &key);

		if (value)
			sum += *value;
	}
	return sum;
}

BENCH_PROGRAM(update)
{
	__u64 one = 1;

	FOR_RANDOM(x)
	{
		__u32 key = INDEX(x);

		bpf_map_update_elem(&map, &key, &one, BPF_ANY);
	}
	return 0;
}

char _license[] SEC("license") = "MIT";
