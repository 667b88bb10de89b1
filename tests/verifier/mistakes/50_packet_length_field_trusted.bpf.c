// SPDX-License-Identifier: MIT
// A length in the frame is used to copy from it.
// expect: E_STACK "ctx->data[1]" "64"
#include <tenon/plugin.h>

SEC("xdp")
int on_frame(struct xdp_md *ctx)
{
	__u8 *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u8 copy[64] = {};

	if (data + 2 > end || !data[1])
		return XDP_PASS;
	return bpf_xdp_load_bytes(ctx, 2, copy, data[1]) ? XDP_DROP : XDP_PASS; /* HERE */
}

char _license[] SEC("license") = "MIT";
