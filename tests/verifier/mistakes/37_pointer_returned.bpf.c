// SPDX-License-Identifier: MIT
// The address of the counter is returned instead of the count.
// expect: E_LEAK "address" "counters"
#include "mistakes.h"

SEC("hook/request")
__u64 on_request(struct request *req)
{
	struct counter *c = counter_of(req->kind);

	return (__u64)c; /* HERE */
}

char _license[] SEC("license") = "MIT";
