// SPDX-License-Identifier: MIT
// The ring may be full.
// expect: E_NULL "record" "if (!e)"
#include "mistakes.h"

SEC("hook/request")
int on_request(struct request *req)
{
	struct event *e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);

	e->kind = req->kind; /* HERE */
	bpf_ringbuf_submit(e, 0);
	return 0;
}

char _license[] SEC("license") = "MIT";
