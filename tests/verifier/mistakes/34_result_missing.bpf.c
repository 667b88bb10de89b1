// SPDX-License-Identifier: MIT
// The function ends without a result.
// expect: E_UNINIT "return"
#include "mistakes.h"

SEC("hook/request")
void on_request(struct request *req)
{
	req->verdict = req->kind;
} /* HERE */

char _license[] SEC("license") = "MIT";
