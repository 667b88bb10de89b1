// SPDX-License-Identifier: MIT
// The function cuts the packet short, and then writes to where it was.
// expect: E_ARG "memory of the context" "may move"
#include <tenon/plugin.h>

struct header {
	__u8 bytes[64];
};

__noinline int shrink_then_write(struct xdp_md *ctx, struct header *h __arg_nonnull)
{
	bpf_xdp_adjust_tail(ctx, -60);
	h->bytes[63] = 7;
	return h->bytes[63];
}

SEC("xdp")
int on_frame(struct xdp_md *ctx)
{
	struct bpf_dynptr packet;
	struct header *h;

	if (bpf_dynptr_from_xdp(ctx, 0, &packet))
		return XDP_PASS;
	h = bpf_dynptr_slice_rdwr(&packet, 0, 0, sizeof(*h));
	if (!h)
		return XDP_PASS;
	return shrink_then_write(ctx, h) & 1; /* HERE */
}

char _license[] SEC("license") = "GPL";
