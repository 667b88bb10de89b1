// SPDX-License-Identifier: MIT
// The length that is tested is that of the body.
// expect: E_BOUNDS "path" "path_len" "body_len"
#include "mistakes.h"

SEC("hook/request")
int on_request(struct request *req)
{
	if (req->body_len < 4)
		return 0;
	return req->path[3] == '/'; /* HERE */
}

char _license[] SEC("license") = "MIT";
