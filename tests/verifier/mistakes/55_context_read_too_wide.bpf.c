// SPDX-License-Identifier: MIT
// Two fields of four bytes are read as one of eight.
// expect: E_CTX "kind" "4 bytes"
#include "mistakes.h"

SEC("hook/request")
int on_request(struct request *req)
{
	return *(volatile __u64 *)&req->kind > 5; /* HERE */
}

char _license[] SEC("license") = "MIT";
