// SPDX-License-Identifier: MIT
// The start of the frame is checked, the moved pointer is read.
// expect: E_BOUNDS "data" "+ 1) > data_end"
#include <tenon/plugin.h>

SEC("xdp")
int on_frame(struct xdp_md *ctx)
{
	__u8 *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u8 *option = data + 40;

	if (data + 20 > end)
		return XDP_PASS;
	option += data[0] & 15;
	return *option == 1 ? XDP_DROP : XDP_PASS; /* HERE */
}

char _license[] SEC("license") = "MIT";
