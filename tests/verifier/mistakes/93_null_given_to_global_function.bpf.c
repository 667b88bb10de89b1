// SPDX-License-Identifier: MIT
// The function says that it does not expect NULL.
// expect: E_NULL "may be NULL" "if (!pointer)"
#include "mistakes.h"

__noinline __u64 hits_of(struct counter *c __arg_nonnull)
{
	return c->hits;
}

SEC("hook/request")
int on_request(struct request *req)
{
	return hits_of(counter_of(req->kind)) > 4; /* HERE */
}

char _license[] SEC("license") = "GPL";
