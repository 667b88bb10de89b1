// SPDX-License-Identifier: MIT
// path_len - 4 wraps where the path is shorter than 4 bytes.
// expect: E_BOUNDS "path" "path_len"
#include "mistakes.h"

SEC("hook/request")
int on_request(struct request *req)
{
	__u32 found = 0;

#pragma clang loop unroll(disable)
	for (__u64 i = 0; i < req->path_len - 4; i++)
		if (req->path[i + 3] == '.') /* HERE */
			found++;
	return found > 1;
}

char _license[] SEC("license") = "MIT";
