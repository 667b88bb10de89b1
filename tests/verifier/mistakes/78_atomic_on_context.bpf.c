// SPDX-License-Identifier: MIT
// The context is private; an add to it needs no atomic, and has none.
// expect: E_TYPE "atomic"
#include "mistakes.h"

SEC("hook/request")
int on_request(struct request *req)
{
	__sync_fetch_and_add(&req->verdict, 1); /* HERE */
	return 0;
}

char _license[] SEC("license") = "MIT";
