// SPDX-License-Identifier: MIT
// The kind is tested, the flags are the index.
// expect: E_BOUNDS "sizes" "tests req->kind"
#include "mistakes.h"

SEC("hook/request")
int on_request(struct request *req)
{
	struct counter *c = counter_of(req->kind);
	__u32 kind = req->kind, i = req->flags;

	if (!c || kind >= 16)
		return 0;
	c->sizes[i] += kind; /* HERE */
	return 0;
}

char _license[] SEC("license") = "MIT";
