/* SPDX-License-Identifier: MIT */
/* Queue and stack (MAP_TYPE): values of 8 bytes, pushed and popped. */
#include "map_loop.h"

struct {
	__uint(type, PASTE(BPF_MAP_TYPE_, MAP_TYPE));
	__uint(max_entries, 1000);
	__type(value, __u64);
} map SEC(".maps");

BENCH_PROGRAM(loop)
{
	FOR_RANDOM(x)
	{
		__u64 value = x;

		STORED(value);
	}
	return x;
}

BENCH_PROGRAM(fill)
{
	FOR_RANDOM(x)
	{
		__u64 value = x;

		bpf_map_push_elem(&map, &value, BPF_ANY);
	}
	return 0;
}

BENCH_PROGRAM(cycle)
{
	__u64 sum = 0;

	FOR_RANDOM(x)
	{
		__u64 value = x;

		bpf_map_push_elem(&map, &value, BPF_ANY);
		bpf_map_pop_elem(&map, &value);
		sum += value;
	}
	return sum;
}

BENCH_PROGRAM(peek)
{
	__u64 sum = 0;

	FOR_RANDOM(x)
	{
		__u64 value = x;

		bpf_map_peek_elem(&map, &value);
		sum += value;
	}
	return sum;
}

char _license[] SEC("license") = "MIT";
