// SPDX-License-Identifier: MIT
// A lookup may find nothing; its result is used at once.
// expect: E_NULL "counters" "if (!c)"
#include "mistakes.h"

SEC("hook/request")
int on_request(struct request *req)
{
	struct counter *c = counter_of(req->kind);

	c->hits++; /* HERE */
	return 0;
}

char _license[] SEC("license") = "MIT";
