// SPDX-License-Identifier: MIT
/* Looks into the map that it iterates over, as if that were the host's own structure. */
#include <tenon/plugin.h>

struct bpf_map {
	u32 id;
};

struct bpf_iter__bpf_map_elem {
	void *meta;
	struct bpf_map *map;
	void *key, *value;
};

SEC("iter/bpf_map_elem")
int peek(struct bpf_iter__bpf_map_elem *ctx)
{
	return ctx->map->id & 1;
}

char _license[] SEC("license") = "GPL";
