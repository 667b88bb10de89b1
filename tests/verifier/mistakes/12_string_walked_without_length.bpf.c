// SPDX-License-Identifier: MIT
// The path is no C string: nothing ends it.
// expect: E_BOUNDS "path" "in each round"
#include "mistakes.h"

SEC("hook/request")
int on_request(struct request *req)
{
	const __u8 *p = req->path;
	__u32 n = 0;

#pragma clang loop unroll(disable)
	while (*p++) /* HERE */
		n++;
	return n > 100;
}

char _license[] SEC("license") = "MIT";
