// SPDX-License-Identifier: MIT
// The test comes after the first use.
// expect: E_NULL "counters" "if (!c)"
#include "mistakes.h"

SEC("hook/request")
int on_request(struct request *req)
{
	struct counter *c = counter_of(req->kind);
	__u64 hits = *(volatile __u64 *)&c->hits; /* HERE */

	if (!c)
		return 0;
	return hits > 100;
}

char _license[] SEC("license") = "MIT";
