// SPDX-License-Identifier: MIT
// The value of the map holds a number, not an address.
// expect: E_TYPE "number"
#include "mistakes.h"

SEC("hook/request")
int on_request(struct request *req)
{
	struct counter *c = counter_of(req->kind);

	if (!c)
		return 0;
	return *(__u8 *)c->hits; /* HERE */
}

char _license[] SEC("license") = "MIT";
