// SPDX-License-Identifier: MIT
// A helper of the kernel that this host does not have.
// expect: E_HELPER "35" "bpf_get_current_task"
#include "mistakes.h"

static void *(*const bpf_get_current_task)(void) = (void *)35;

SEC("hook/request")
int on_request(struct request *req)
{
	return bpf_get_current_task() != 0; /* HERE */
}

char _license[] SEC("license") = "MIT";
