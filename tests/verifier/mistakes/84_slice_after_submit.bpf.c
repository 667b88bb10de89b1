// SPDX-License-Identifier: MIT
// The record is submitted before its last member is set.
// expect: E_REFERENCE "released at line" "bpf_ringbuf_submit_dynptr"
#include "mistakes.h"

SEC("hook/request")
int on_request(struct request *req)
{
	struct bpf_dynptr record;
	struct event *e;

	bpf_ringbuf_reserve_dynptr(&events, sizeof(*e), 0, &record);
	e = bpf_dynptr_data(&record, 0, sizeof(*e));
	if (!e) {
		bpf_ringbuf_discard_dynptr(&record, 0);
		return 0;
	}
	e->kind = req->kind;
	bpf_ringbuf_submit_dynptr(&record, 0);
	e->time = 1; /* HERE */
	return 0;
}

char _license[] SEC("license") = "GPL";
