// SPDX-License-Identifier: MIT
// A pointer of the context is put away for the next firing.
// expect: E_LEAK "address" "counters"
#include "mistakes.h"

SEC("hook/request")
int on_request(struct request *req)
{
	struct counter *c = counter_of(req->kind);

	if (!c)
		return 0;
	c->hits = (__u64)req->path; /* HERE */
	return 0;
}

char _license[] SEC("license") = "MIT";
