// SPDX-License-Identifier: MIT
/* Counts jobs by client: one table for all workers, which outlives them. */
#include <tenon/plugin.h>
#include "job.h"

struct client {
	u32 id;
};

struct usage {
	u64 jobs;
	u64 bytes;
	u32 largest;
	char plan[8];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1000);
	__uint(map_flags, TENON_MAP_SHARED);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
	__type(key, struct client);
	__type(value, struct usage);
} clients SEC(".maps");

SEC("hook/job") int count_job(struct job_ctx *ctx)
{
	struct client who = { .id = ctx->client };
	struct usage *u = bpf_map_lookup_elem(&clients, &who);

	if (!u) {
		struct usage first = { .plan = "basic" };

		bpf_map_update_elem(&clients, &who, &first, BPF_NOEXIST);
		u = bpf_map_lookup_elem(&clients, &who);
		if (!u)
			return 0;
	}
	__sync_fetch_and_add(&u->jobs, 1);
	__sync_fetch_and_add(&u->bytes, ctx->bytes);
	if (ctx->bytes > u->largest)
		u->largest = ctx->bytes;
	return 0;
}
char _license[] SEC("license") = "MIT";
