// SPDX-License-Identifier: MIT
// Two lookups, and the first is tested twice.
// expect: E_NULL "counters" "if (!b)" "another pointer"
#include "mistakes.h"

SEC("hook/request")
int on_request(struct request *req)
{
	struct counter *a = counter_of(1);
	struct counter *b = counter_of(2);

	if (!a || !a)
		return 0;
	b->hits++; /* HERE */
	return 0;
}

char _license[] SEC("license") = "MIT";
