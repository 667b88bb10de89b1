// SPDX-License-Identifier: MIT
// The host does not let plugins change the kind.
// expect: E_CTX "kind"
#include "mistakes.h"

SEC("hook/request")
int on_request(struct request *req)
{
	*(volatile __u32 *)&req->kind = 1; /* HERE */
	return 0;
}

char _license[] SEC("license") = "MIT";
