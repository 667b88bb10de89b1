// SPDX-License-Identifier: MIT
// As many bytes as the path has go into 32 bytes of stack.
// expect: E_STACK "stack" "req->path_len alone"
#include "mistakes.h"

SEC("hook/request")
int on_request(struct request *req)
{
	__u8 copy[32] = {};

#pragma clang loop unroll(disable)
	for (__u64 i = 0; i < req->path_len; i++)
		copy[i] = req->path[i]; /* HERE */
	return log_line(copy, sizeof(copy)) < 0;
}

char _license[] SEC("license") = "MIT";
