// SPDX-License-Identifier: MIT
// The consumer may read the record already.
// expect: E_REFERENCE "released" "line"
#include "mistakes.h"

SEC("hook/request")
int on_request(struct request *req)
{
	struct event *e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);

	if (!e)
		return 0;
	e->kind = req->kind;
	bpf_ringbuf_submit(e, 0);
	return e->kind > 2; /* HERE */
}

char _license[] SEC("license") = "MIT";
