// SPDX-License-Identifier: MIT
// A reserved record is given back also where it was not got.
// expect: E_REFERENCE "dynptr" "bpf_ringbuf_discard_dynptr"
#include "mistakes.h"

SEC("hook/request")
int on_request(struct request *req)
{
	struct bpf_dynptr record;

	if (bpf_ringbuf_reserve_dynptr(&events, sizeof(struct event), 0, &record)) /* HERE */
		return 0;
	bpf_ringbuf_submit_dynptr(&record, 0);
	return 1;
}

char _license[] SEC("license") = "GPL";
