// SPDX-License-Identifier: MIT
// A buffer of 600 bytes; a frame has 512.
// expect: E_STACK "512"
#include "mistakes.h"

SEC("hook/request")
int on_request(struct request *req)
{
	__u64 far;

	__asm__ volatile("*(u64 *)(r10 - 600) = %1\n\t%0 = *(u64 *)(r10 - 600)" /* HERE */
			 : "=r"(far)
			 : "r"(req->path_len));
	return far > 100;
}

char _license[] SEC("license") = "MIT";
