// SPDX-License-Identifier: MIT
// An unsigned number is never below 0.
// expect: E_LOOP "never end"
#include "mistakes.h"

SEC("hook/request")
int on_request(struct request *req)
{
	volatile __u32 *verdict = &req->verdict;
	__u32 i = 10;

	do {
		*verdict = i; /* HERE */
		i--;
	} while (i <= 0xffffffff);
	return 0;
}

char _license[] SEC("license") = "MIT";
