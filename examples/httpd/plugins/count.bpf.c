/* SPDX-License-Identifier: MIT */
/* Counts answers per status code, each thread in a slot of its own: no atomics needed. */
#include <tenon/plugin.h>
#include "http_plugin.h"

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 600);
	__type(key, __u32);
	__type(value, __u64);
} per_status SEC(".maps");

SEC("hook/response")
int count_status(struct http_response *ctx)
{
	__u32 status = ctx->status;
	__u64 *count = bpf_map_lookup_elem(&per_status, &status);

	if (count)
		(*count)++;
	return 0;
}

char _license[] SEC("license") = "MIT";
