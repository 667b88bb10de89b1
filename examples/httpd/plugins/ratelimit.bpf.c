/* SPDX-License-Identifier: MIT */
/* At most LIMIT requests per client and window; then 429 until the window ends. */
#include <tenon/plugin.h>
#include "http_plugin.h"

#define WINDOW_NS 10000000000ull

const volatile __u32 limit = 100;

struct window {
	__u64 start_ns;
	__u32 count;
	__u32 refused;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, struct window);
} clients SEC(".maps");

SEC("hook/request")
int limit_rate(struct http_request *ctx)
{
	__u32 client = ctx->client;
	__u64 now = bpf_ktime_get_ns();
	struct window *w = bpf_map_lookup_elem(&clients, &client);

	if (!w) {
		struct window first = { .start_ns = now, .count = 1 };

		bpf_map_update_elem(&clients, &client, &first, BPF_ANY);
		return 0;
	}
	if (now - w->start_ns > WINDOW_NS) {
		w->start_ns = now;
		w->count = 0;
	}
	if (__sync_fetch_and_add(&w->count, 1) < limit)
		return 0;
	__sync_fetch_and_add(&w->refused, 1);
	return 429;
}

char _license[] SEC("license") = "MIT";
