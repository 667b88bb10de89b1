// SPDX-License-Identifier: MIT
// NULL where the helper writes.
// expect: E_ARG "bpf_get_current_comm" "NULL"
#include "mistakes.h"

SEC("hook/request")
int on_request(struct request *req)
{
	return bpf_get_current_comm(NULL, 16) < 0; /* HERE */
}

char _license[] SEC("license") = "MIT";
