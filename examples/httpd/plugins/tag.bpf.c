/* SPDX-License-Identifier: MIT */
/* Marks each request with a header; /echo shows it. TAG differs between the two builds that the
 * demo replaces one by the other. */
#include <tenon/plugin.h>
#include "http_plugin.h"

#ifndef TAG
#define TAG "v1"
#endif

SEC("hook/request")
int tag_request(struct http_request *ctx)
{
	char value[] = TAG;

	http_set_header(ctx, "X-Plugin", value, sizeof(value) - 1);
	return 0;
}

char _license[] SEC("license") = "MIT";
