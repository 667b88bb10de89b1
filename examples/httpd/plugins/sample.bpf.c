/* SPDX-License-Identifier: MIT */
/* Sends every n-th request to the host through a ring buffer. */
#include <tenon/plugin.h>
#include "http_plugin.h"
#include "sample.h"

const volatile __u64 every = 10; /* the host may set it before the load */
__u64 seen;

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 64 * 1024);
} samples SEC(".maps");

SEC("hook/request")
int sample_request(struct http_request *ctx)
{
	struct sample *s;
	const char *path = ctx->path;
	__u64 path_len = ctx->path_len;

	if (every == 0 || __sync_fetch_and_add(&seen, 1) % every)
		return 0;
	s = bpf_ringbuf_reserve(&samples, sizeof(*s), 0);
	if (!s)
		return 0;
	s->time_ns = bpf_ktime_get_ns();
	s->client = ctx->client;
	s->client_port = ctx->client_port;
	for (__u32 i = 0; i < SAMPLE_PATH_BYTES; i++)
		s->path[i] = i < path_len && i < SAMPLE_PATH_BYTES - 1 ? path[i] : 0;
	bpf_ringbuf_submit(s, 0);
	return 0;
}

char _license[] SEC("license") = "MIT";
