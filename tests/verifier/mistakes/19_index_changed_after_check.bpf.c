// SPDX-License-Identifier: MIT
// The index is tested, then moved.
// expect: E_BOUNDS "sizes" "line 14 changes it"
#include "mistakes.h"

SEC("hook/request")
int on_request(struct request *req)
{
	struct counter *c = counter_of(req->kind);
	__u32 i = req->flags;

	if (!c || i >= 16)
		return 0;
	i += 1;
	c->sizes[i]++; /* HERE */
	return 0;
}

char _license[] SEC("license") = "MIT";
