// SPDX-License-Identifier: MIT
// The index may be equal to the length.
// expect: E_BOUNDS "path" "path_len" "<="
#include "mistakes.h"

SEC("hook/request")
int on_request(struct request *req)
{
	__u32 slashes = 0;

#pragma clang loop unroll(disable)
	for (__u64 i = 0; i <= req->path_len; i++)
		if (req->path[i] == '/') /* HERE */
			slashes++;
	return slashes > 2;
}

char _license[] SEC("license") = "MIT";
