// SPDX-License-Identifier: MIT
// A field of the context that the host may leave empty.
// expect: E_NULL "user" "if (!req->user)"
#include "mistakes.h"

SEC("hook/request")
int on_request(struct request *req)
{
	return req->user[0] == 'r'; /* HERE */
}

char _license[] SEC("license") = "MIT";
