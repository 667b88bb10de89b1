// SPDX-License-Identifier: MIT
// Reserved for the pointer, not for the struct.
// expect: E_BOUNDS "record" "8 bytes"
#include "mistakes.h"

SEC("hook/request")
int on_request(struct request *req)
{
	struct event *e = bpf_ringbuf_reserve(&events, sizeof(e), 0);

	if (!e)
		return 0;
	e->time = bpf_ktime_get_ns(); /* HERE */
	bpf_ringbuf_submit(e, 0);
	return 0;
}

char _license[] SEC("license") = "MIT";
