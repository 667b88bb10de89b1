// SPDX-License-Identifier: MIT
// The mask lets 16..31 through.
// expect: E_BOUNDS "sizes" "& 15"
#include "mistakes.h"

SEC("hook/request")
int on_request(struct request *req)
{
	struct counter *c = counter_of(req->kind);

	if (!c)
		return 0;
	c->sizes[req->flags & 31]++; /* HERE */
	return 0;
}

char _license[] SEC("license") = "MIT";
