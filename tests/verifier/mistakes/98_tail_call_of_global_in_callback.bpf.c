// SPDX-License-Identifier: MIT
// The callback calls a global function, which makes a tail call: there is no frame for it to leave.
// expect: E_UNSUPPORTED "a tail call in a callback" "'jump'"
#include <tenon/plugin.h>

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 4);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} programs SEC(".maps");

__noinline int jump(struct xdp_md *ctx)
{
	bpf_tail_call(ctx, &programs, 0);
	return 0;
}

static long each(__u32 i, struct xdp_md **ctx)
{
	jump(*ctx); /* HERE */
	return 0;
}

SEC("xdp")
int on_frame(struct xdp_md *ctx)
{
	bpf_loop(3, each, &ctx, 0);
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
