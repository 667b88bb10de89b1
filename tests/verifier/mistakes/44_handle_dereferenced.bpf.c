// SPDX-License-Identifier: MIT
// A handle of the host is opaque.
// expect: E_TYPE "connection" "handle"
#include "mistakes.h"

SEC("hook/request")
int on_request(struct request *req)
{
	return *(__u32 *)req->conn > 1024; /* HERE */
}

char _license[] SEC("license") = "MIT";
