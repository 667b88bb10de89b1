// SPDX-License-Identifier: MIT
// The function for throws is called by hand as well.
// expect: E_CALL "exception callback" "function of its own"
#include "mistakes.h"

__noinline int give_up(__u64 why)
{
	return why & 1;
}

SEC("hook/request") __exception_cb(give_up) int on_request(struct request *req)
{
	if (req->kind > 9)
		bpf_throw(1);
	return give_up(req->kind); /* HERE */
}

char _license[] SEC("license") = "GPL";
