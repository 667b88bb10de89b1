// SPDX-License-Identifier: MIT
// Nothing in the loop can end it.
// expect: E_LOOP "never end"
#include "mistakes.h"

SEC("hook/request")
int on_request(struct request *req)
{
	for (;;) /* HERE */
		req->verdict++;
	return 0;
}

char _license[] SEC("license") = "MIT";
