/* SPDX-License-Identifier: MIT */
/* Wrong on purpose: `<=` reads one byte past the path. The verifier must say so. */
#include <tenon/plugin.h>
#include "http_plugin.h"

SEC("hook/request")
int count_slashes(struct http_request *ctx)
{
	const char *path = ctx->path;
	int slashes = 0;

	for (__u64 i = 0; i <= ctx->path_len; i++) {
		if (i > 255)
			break;
		if (path[i] == '/')
			slashes++;
	}
	return slashes > 64 ? 414 : 0;
}

char _license[] SEC("license") = "MIT";
