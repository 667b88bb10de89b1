// SPDX-License-Identifier: MIT
// An address does not fit an unsigned int.
// expect: E_POINTER_MATH "64 bits"
#include "mistakes.h"

SEC("hook/request")
int on_request(struct request *req)
{
	__u32 at = (__u32)(__u64)req->path;

	if (req->path_len < 1)
		return 0;
	return *(__u8 *)(__u64)at == '/'; /* HERE */
}

char _license[] SEC("license") = "MIT";
