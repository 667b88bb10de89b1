// SPDX-License-Identifier: MIT
// The frame is read where it is too short.
// expect: E_BOUNDS "data" "data_end"
#include <tenon/plugin.h>

#include <linux/if_ether.h>

SEC("xdp")
int on_frame(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;

	if ((void *)(eth + 1) < end)
		return XDP_PASS;
	return eth->h_proto == bpf_htons(ETH_P_IP) ? XDP_DROP : XDP_PASS; /* HERE */
}

char _license[] SEC("license") = "MIT";
