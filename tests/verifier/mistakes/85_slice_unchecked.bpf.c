// SPDX-License-Identifier: MIT
// A slice may be NULL.
// expect: E_NULL "bpf_dynptr_data" "may be NULL" "if (!e)"
#include "mistakes.h"

SEC("hook/request")
int on_request(struct request *req)
{
	struct bpf_dynptr record;
	struct event *e;

	bpf_ringbuf_reserve_dynptr(&events, sizeof(*e), 0, &record);
	e = bpf_dynptr_data(&record, 0, sizeof(*e));
	e->kind = req->kind; /* HERE */
	bpf_ringbuf_submit_dynptr(&record, 0);
	return 0;
}

char _license[] SEC("license") = "GPL";
