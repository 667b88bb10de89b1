// SPDX-License-Identifier: MIT
// The hook takes 0 to 2.
// expect: E_RETURN "0..2"
#include "mistakes.h"

SEC("hook/request")
int on_request(struct request *req)
{
	if (req->kind == 4) /* HERE */
		return 7;
	return 0;
}

char _license[] SEC("license") = "MIT";
