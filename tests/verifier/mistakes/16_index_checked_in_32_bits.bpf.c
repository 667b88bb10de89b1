// SPDX-License-Identifier: MIT
// The lower half of the index is tested, all of it is used.
// expect: E_BOUNDS "sizes" "32 bits"
#include "mistakes.h"

SEC("hook/request")
int on_request(struct request *req)
{
	struct counter *c = counter_of(req->kind);
	__u64 i = req->path_len;

	if (!c || (__u32)i >= 16)
		return 0;
	c->sizes[i]++; /* HERE */
	return 0;
}

char _license[] SEC("license") = "MIT";
