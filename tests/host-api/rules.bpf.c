// SPDX-License-Identifier: MIT
// Two programs, globals of each kind, a map, a host function.
#include <tenon/plugin.h>
#include "request.h"

const volatile unsigned int limit = 10;
unsigned int seen;
unsigned int step = 2;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, unsigned int);
	__type(value, unsigned long long);
	__uint(max_entries, 16);
} counts SEC(".maps");

extern int twice(unsigned int x) __ksym;
extern int missing(void) __ksym __weak;

SEC("hook/request")
int judge(struct request *req)
{
	unsigned int kind = req->kind;
	unsigned long long one = 1, *count = bpf_map_lookup_elem(&counts, &kind);

	if (count)
		__sync_fetch_and_add(count, 1);
	else
		bpf_map_update_elem(&counts, &kind, &one, BPF_ANY);
	seen += step;
	req->verdict = missing ? missing() : twice(kind);
	return kind > limit;
}

SEC("hook/log")
int note(struct request *req)
{
	return req->kind + 1000;
}

char _license[] SEC("license") = "MIT";
