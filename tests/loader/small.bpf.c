/* SPDX-License-Identifier: MIT */
/* A small plugin with a map, a subprogram and data: every byte of its object is changed by
 * test_hostile.c. */
#include <tenon/plugin.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u32);
} map SEC(".maps");

int total;

static __noinline int add(int n)
{
	barrier_var(n);
	return total += n;
}

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	u32 key = 0, *value = bpf_map_lookup_elem(&map, &key);

	return value ? add(*value) : 0;
}

char _license[] SEC("license") = "MIT";
