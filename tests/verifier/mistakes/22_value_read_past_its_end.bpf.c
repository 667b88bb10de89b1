// SPDX-License-Identifier: MIT
// The value has 80 bytes; the struct that it is read as is longer.
// expect: E_BOUNDS "counters" "80 bytes"
#include "mistakes.h"

struct wide {
	struct counter c;
	__u64 more;
};

SEC("hook/request")
int on_request(struct request *req)
{
	struct wide *w = (struct wide *)counter_of(req->kind);

	if (!w)
		return 0;
	w->more++; /* HERE */
	return 0;
}

char _license[] SEC("license") = "MIT";
