// SPDX-License-Identifier: MIT
// %s would read any address.
// expect: E_ARG "%s"
#include "mistakes.h"

SEC("hook/request")
int on_request(struct request *req)
{
	char line[32];
	struct counter *c = counter_of(req->kind);

	if (!c)
		return 0;
	BPF_SNPRINTF(line, sizeof(line), "user %s", c->hits); /* HERE */
	return line[0] == 'u';
}

char _license[] SEC("license") = "MIT";
