// SPDX-License-Identifier: MIT
// Programs that take far longer than any firing may: each must end with the hook's fallback.
#include <tenon/plugin.h>
#include "request.h"

#define ROUNDS (1u << 23)

unsigned int sink;

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 2);
	__type(key, unsigned int);
	__type(value, unsigned int);
} next SEC(".maps");

SEC("hook/nested_loops")
int nested_loops(struct request *req)
{
	volatile unsigned int i, j, k;

	for (i = 0; i < ROUNDS; i++)
		for (j = 0; j < ROUNDS; j++)
			for (k = 0; k < ROUNDS; k++)
				sink += req->kind;
	return 1;
}

static long innermost(unsigned int i, void *ctx)
{
	sink += i;
	return 0;
}

static long middle(unsigned int i, void *ctx)
{
	bpf_loop(ROUNDS, innermost, ctx, 0);
	return 0;
}

static long outermost(unsigned int i, void *ctx)
{
	bpf_loop(ROUNDS, middle, ctx, 0);
	return 0;
}

SEC("hook/nested_callbacks")
int nested_callbacks(struct request *req)
{
	bpf_loop(ROUNDS, outermost, (void *)0, 0);
	return 1;
}

SEC("hook/tail_calls")
int tail_calls(struct request *req)
{
	volatile unsigned int i;

	for (i = 0; i < ROUNDS; i++)
		sink += req->kind;
	req->verdict += 1;
	bpf_tail_call(req, &next, 0);
	return 1;
}

char _license[] SEC("license") = "MIT";
