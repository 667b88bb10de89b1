// SPDX-License-Identifier: MIT
// A const volatile variable belongs to the loader.
// expect: E_READONLY "limit"
#include "mistakes.h"

const volatile __u32 limit = 10;

SEC("hook/request")
int on_request(struct request *req)
{
	*(volatile __u32 *)&limit = req->kind; /* HERE */
	return 0;
}

char _license[] SEC("license") = "MIT";
