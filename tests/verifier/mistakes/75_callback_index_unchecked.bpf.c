// SPDX-License-Identifier: MIT
// bpf_loop() gives the index; the array has 16 elements.
// expect: E_BOUNDS "counters" "> 15"
#include "mistakes.h"

struct walk {
	struct counter *c;
};

static long visit(__u32 i, void *ctx)
{
	struct walk *w = ctx;

	w->c->sizes[i] = 0; /* HERE */
	return 0;
}

SEC("hook/request")
int on_request(struct request *req)
{
	struct walk w = { counter_of(req->kind) };

	if (!w.c)
		return 0;
	bpf_loop(100, visit, &w, 0);
	return 0;
}

char _license[] SEC("license") = "MIT";
