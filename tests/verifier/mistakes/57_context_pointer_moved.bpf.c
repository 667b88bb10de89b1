// SPDX-License-Identifier: MIT
// A helper wants the context itself, not a member of it.
// expect: E_ARG "bpf_get_attach_cookie" "context"
#include "mistakes.h"

SEC("hook/request")
int on_request(struct request *req)
{
	return bpf_get_attach_cookie(&req->verdict) == 1; /* HERE */
}

char _license[] SEC("license") = "MIT";
