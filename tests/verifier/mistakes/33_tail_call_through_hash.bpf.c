// SPDX-License-Identifier: MIT
// A tail call goes through a program array.
// expect: E_MAP "bpf_tail_call" "counters" "type prog_array"
#include "mistakes.h"

SEC("hook/request")
int on_request(struct request *req)
{
	bpf_tail_call(req, &counters, 1); /* HERE */
	return 0;
}

char _license[] SEC("license") = "MIT";
