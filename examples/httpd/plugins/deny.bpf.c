/* SPDX-License-Identifier: MIT */
/* Denies requests whose path begins with one of the prefixes that the host wrote into the map. */
#include <tenon/plugin.h>
#include "http_plugin.h"

#define PREFIX_BYTES 32
#define NR_PREFIXES  8

struct prefix {
	__u32 len; /* 0: unused */
	char text[PREFIX_BYTES];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, NR_PREFIXES);
	__type(key, __u32);
	__type(value, struct prefix);
} denied SEC(".maps");

static int begins_with(const char *path, __u64 path_len, const struct prefix *prefix)
{
	__u32 len = prefix->len;

	if (len == 0 || len > PREFIX_BYTES)
		return 0;
	for (__u32 i = 0; i < PREFIX_BYTES; i++) {
		if (i >= len)
			return 1;
		if (i >= path_len || path[i] != prefix->text[i])
			return 0;
	}
	return 1;
}

SEC("hook/request")
int deny_prefix(struct http_request *ctx)
{
	const char *path = ctx->path;
	__u64 path_len = ctx->path_len;

	for (__u32 i = 0; i < NR_PREFIXES; i++) {
		__u32 key = i;
		const struct prefix *prefix = bpf_map_lookup_elem(&denied, &key);

		if (prefix && begins_with(path, path_len, prefix)) {
			http_deny(ctx, 403);
			return 403;
		}
	}
	return 0;
}

char _license[] SEC("license") = "MIT";
