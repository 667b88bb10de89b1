// SPDX-License-Identifier: MIT
// A negative error of a host function becomes the result.
// expect: E_RETURN "0..2"
#include "mistakes.h"

SEC("hook/request")
int on_request(struct request *req)
{
	return log_line("hello", 5); /* HERE */
}

char _license[] SEC("license") = "MIT";
