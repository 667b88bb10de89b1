// SPDX-License-Identifier: MIT
// Arguments of global functions are proved once, for every caller.
// expect: E_NULL "NULL" "__arg_nonnull"
#include "mistakes.h"

__noinline int size_of(struct event *e)
{
	return e->size; /* HERE */
}

SEC("hook/request")
int on_request(struct request *req)
{
	struct event e = { req->kind, 8, 0 };

	return size_of(&e) > 4;
}

char _license[] SEC("license") = "GPL";
