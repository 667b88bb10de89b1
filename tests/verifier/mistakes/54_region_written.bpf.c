// SPDX-License-Identifier: MIT
// The path is there to be read.
// expect: E_READONLY "path"
#include "mistakes.h"

SEC("hook/request")
int on_request(struct request *req)
{
	if (req->path_len < 1)
		return 0;
	*(volatile __u8 *)req->path = '/'; /* HERE */
	return 0;
}

char _license[] SEC("license") = "MIT";
