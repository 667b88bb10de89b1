// SPDX-License-Identifier: MIT
// A record has a constant size.
// expect: E_ARG "bpf_ringbuf_reserve" "constant"
#include "mistakes.h"

SEC("hook/request")
int on_request(struct request *req)
{
	__u8 *e = bpf_ringbuf_reserve(&events, req->body_len, 0); /* HERE */

	if (e)
		bpf_ringbuf_discard(e, 0);
	return 0;
}

char _license[] SEC("license") = "MIT";
