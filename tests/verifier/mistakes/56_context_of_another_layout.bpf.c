// SPDX-License-Identifier: MIT
// The plugin was compiled for a context with more fields.
// expect: E_CTX "request" "72 bytes"
#include "mistakes.h"

struct request_v2 {
	struct request old;
	__u64 deadline;
};

SEC("hook/request")
int on_request(struct request_v2 *req)
{
	return req->deadline > 5; /* HERE */
}

char _license[] SEC("license") = "MIT";
