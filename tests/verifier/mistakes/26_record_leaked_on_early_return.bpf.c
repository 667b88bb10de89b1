// SPDX-License-Identifier: MIT
// One way out forgets the record.
// expect: E_REFERENCE "bpf_ringbuf_reserve" "submit"
#include "mistakes.h"

SEC("hook/request")
int on_request(struct request *req)
{
	struct event *e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);

	if (!e)
		return 0;
	if (req->path_len > 1000) /* HERE */
		return 1;
	e->kind = req->kind;
	bpf_ringbuf_submit(e, 0);
	return 0;
}

char _license[] SEC("license") = "MIT";
