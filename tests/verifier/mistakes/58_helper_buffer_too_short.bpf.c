// SPDX-License-Identifier: MIT
// The size is that of another buffer.
// expect: E_STACK "16" "32"
#include "mistakes.h"

SEC("hook/request")
int on_request(struct request *req)
{
	char comm[16];

	bpf_get_current_comm(comm, 32); /* HERE */
	return comm[0] == 'x';
}

char _license[] SEC("license") = "MIT";
