// SPDX-License-Identifier: MIT
/* A table of functions; the bench takes the host's types from this object too. */
#include <tenon/plugin.h>

struct bench_state {
	u64 value;
};

struct bench_ops {
	u32 (*empty)(struct bench_state *s, u32 n);
	u32 (*slot)(struct bench_state *s, u32 n);
};

SEC("struct_ops/empty")
u32 BPF_PROG(empty, struct bench_state *s, u32 n)
{
	return 0;
}

SEC("struct_ops/slot")
u32 BPF_PROG(slot, struct bench_state *s, u32 n)
{
	return bpf_get_smp_processor_id();
}

SEC(".struct_ops.link")
struct bench_ops table = { .empty = (void *)empty, .slot = (void *)slot };

char _license[] SEC("license") = "MIT";
