// SPDX-License-Identifier: MIT
// An index from the request selects an element.
// expect: E_BOUNDS "sizes" "counters" "> 15"
#include "mistakes.h"

SEC("hook/request")
int on_request(struct request *req)
{
	struct counter *c = counter_of(req->kind);

	if (!c)
		return 0;
	c->sizes[req->flags]++; /* HERE */
	return 0;
}

char _license[] SEC("license") = "MIT";
