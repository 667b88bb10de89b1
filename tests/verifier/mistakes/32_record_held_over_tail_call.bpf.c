// SPDX-License-Identifier: MIT
// The next program does not know of the record.
// expect: E_REFERENCE "tail call" "submit"
#include "mistakes.h"

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u32);
} next SEC(".maps");

SEC("hook/request")
int on_request(struct request *req)
{
	struct event *e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);

	if (!e)
		return 0;
	e->kind = req->kind;
	bpf_tail_call(req, &next, 1); /* HERE */
	bpf_ringbuf_submit(e, 0);
	return 0;
}

char _license[] SEC("license") = "MIT";
