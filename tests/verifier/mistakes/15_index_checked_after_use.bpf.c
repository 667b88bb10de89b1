// SPDX-License-Identifier: MIT
// The test comes one line late.
// expect: E_BOUNDS "sizes" "before"
#include "mistakes.h"

SEC("hook/request")
int on_request(struct request *req)
{
	struct counter *c = counter_of(req->kind);
	__u32 i = req->flags, size;

	if (!c)
		return 0;
	size = *(volatile __u32 *)&c->sizes[i]; /* HERE */
	if (i >= 16)
		return 0;
	return size > 2;
}

char _license[] SEC("license") = "MIT";
