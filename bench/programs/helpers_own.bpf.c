/* SPDX-License-Identifier: MIT */
/* Calls of the library alone: code is put near to what it calls most. */
#include <tenon/plugin.h>

#define CALLS 64

struct bench_ctx {
	__u64 a;
};

SEC("hook/helpers") int own_none(struct bench_ctx *ctx)
{
	__u64 sum = 0;

	for (__u32 i = 0; i < CALLS; i++) {
		__u64 x = i;

		__asm__ volatile("" : "+r"(x));
		sum += x;
	}
	return (int)sum;
}

SEC("hook/helpers") int own_standard(struct bench_ctx *ctx)
{
	__u64 sum = 0;

	for (__u32 i = 0; i < CALLS; i++)
		sum += bpf_get_smp_processor_id();
	return (int)sum;
}

char _license[] SEC("license") = "MIT";
