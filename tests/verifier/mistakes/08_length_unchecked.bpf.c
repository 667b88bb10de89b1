// SPDX-License-Identifier: MIT
// The path may be shorter than what is read.
// expect: E_BOUNDS "path" "path_len" "at least 5"
#include "mistakes.h"

SEC("hook/request")
int on_request(struct request *req)
{
	return req->path[4] == '/'; /* HERE */
}

char _license[] SEC("license") = "MIT";
