// SPDX-License-Identifier: MIT
// The order of two things in memory says nothing.
// expect: E_POINTER_MATH "counters"
#include "mistakes.h"

SEC("hook/request")
int on_request(struct request *req)
{
	struct counter *a = counter_of(1);

	if (!a)
		return 0;
	barrier_var(a);
	if ((void *)a > (void *)req->path) /* HERE */
		req->verdict = 1;
	return 0;
}

char _license[] SEC("license") = "MIT";
