// SPDX-License-Identifier: MIT
// "if (len < 7)" lets a length of 7 through, and byte 7 is read.
// expect: E_BOUNDS "path_len" "at least 8"
#include "mistakes.h"

SEC("hook/request")
int on_request(struct request *req)
{
	if (req->path_len < 7)
		return 0;
	return req->path[7] == '/'; /* HERE */
}

char _license[] SEC("license") = "MIT";
