// SPDX-License-Identifier: MIT
// A byte is below 256, the array has 16 elements.
// expect: E_BOUNDS "sizes" "req->path[0] > 15" "0..255"
#include "mistakes.h"

SEC("hook/request")
int on_request(struct request *req)
{
	struct counter *c = counter_of(req->kind);

	if (!c || req->path_len < 1)
		return 0;
	c->sizes[req->path[0]]++; /* HERE */
	return 0;
}

char _license[] SEC("license") = "MIT";
