// SPDX-License-Identifier: MIT
// The size comes from the request.
// expect: E_ARG "log_line" "path_len > 64"
#include "mistakes.h"

SEC("hook/request")
int on_request(struct request *req)
{
	char text[64] = {};

	return log_line(text, req->path_len) < 0; /* HERE */
}

char _license[] SEC("license") = "MIT";
