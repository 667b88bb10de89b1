// SPDX-License-Identifier: MIT
// bpf_printk() is for GPL-compatible programs.
// expect: E_LICENSE "GPL" "license"
#include "mistakes.h"

SEC("hook/request")
int on_request(struct request *req)
{
	bpf_printk("kind %d", req->kind); /* HERE */
	return 0;
}

char _license[] SEC("license") = "MIT";
