/* SPDX-License-Identifier: MIT */
/* Empty programs: what a hook costs. */
#include <tenon/plugin.h>

struct bench_ctx {
	__u64 a, b;
};

SEC("hook/one") int empty1(struct bench_ctx *ctx)
{
	return 0;
}
SEC("hook/one") int empty2(struct bench_ctx *ctx)
{
	return 0;
}
SEC("hook/one") int empty3(struct bench_ctx *ctx)
{
	return 0;
}
SEC("hook/one") int empty4(struct bench_ctx *ctx)
{
	return 0;
}

SEC("hook/one")
int asks_slot(struct bench_ctx *ctx)
{
	return bpf_get_smp_processor_id() == 9999;
}

char _license[] SEC("license") = "MIT";
