// SPDX-License-Identifier: MIT
// The index is signed and only its upper end is tested.
// expect: E_BOUNDS "sizes" "negative"
#include "mistakes.h"

SEC("hook/request")
int on_request(struct request *req)
{
	struct counter *c = counter_of(req->kind);
	int i = (int)req->flags;

	if (!c || i >= 16)
		return 0;
	c->sizes[i]++; /* HERE */
	return 0;
}

char _license[] SEC("license") = "MIT";
