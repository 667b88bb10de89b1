// SPDX-License-Identifier: MIT
// The value in the map may change between the test and the use.
// expect: E_BOUNDS "sizes" "again"
#include "mistakes.h"

SEC("hook/request")
int on_request(struct request *req)
{
	struct counter *c = counter_of(req->kind);

	if (!c || *(volatile __u32 *)&c->index >= 16)
		return 0;
	c->sizes[*(volatile __u32 *)&c->index]++; /* HERE */
	return 0;
}

char _license[] SEC("license") = "MIT";
