// SPDX-License-Identifier: MIT
// The loop runs to i == 16 and includes it.
// expect: E_BOUNDS "sizes" "counters" "<="
#include "mistakes.h"

SEC("hook/request")
int on_request(struct request *req)
{
	struct counter *c = counter_of(req->kind);

	if (!c)
		return 0;
#pragma clang loop unroll(disable)
	for (__u32 i = 0; i <= 16; i++)
		c->sizes[i] += req->flags; /* HERE */
	return 0;
}

char _license[] SEC("license") = "MIT";
