// SPDX-License-Identifier: MIT
// The fourth byte from the end, of a path that may be shorter than that.
// expect: E_BOUNDS "path" "wraps below 0" "(req->path_len < 4)"
#include "mistakes.h"

SEC("hook/request")
int on_request(struct request *req)
{
	req->verdict = req->path[req->path_len - 4]; /* HERE */
	return 0;
}

char _license[] SEC("license") = "MIT";
