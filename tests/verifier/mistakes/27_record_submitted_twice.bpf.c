// SPDX-License-Identifier: MIT
// The record is gone after the first submit.
// expect: E_REFERENCE "second time" "line 14"
#include "mistakes.h"

SEC("hook/request")
int on_request(struct request *req)
{
	struct event *e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);

	if (!e)
		return 0;
	e->kind = req->kind;
	bpf_ringbuf_submit(e, 0);
	if (req->flags & 1)
		bpf_ringbuf_discard(e, 0); /* HERE */
	return 0;
}

char _license[] SEC("license") = "MIT";
