// SPDX-License-Identifier: MIT
// The function that checks has its own copy, and says nothing of the range.
// expect: E_BOUNDS "sizes" "need req->flags in 0..15"
#include "mistakes.h"

static __noinline int allowed(__u32 i, volatile __u32 *seen)
{
	*seen = i;
	return i < 16 || i == 99;
}

SEC("hook/request")
int on_request(struct request *req)
{
	struct counter *c = counter_of(req->kind);
	__u32 seen, i = req->flags;

	if (!c || !allowed(i, &seen))
		return 0;
	c->sizes[i]++; /* HERE */
	return 0;
}

char _license[] SEC("license") = "MIT";
