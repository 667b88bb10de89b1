// SPDX-License-Identifier: MIT
// The frame may be shorter than its headers.
// expect: E_BOUNDS "data" "data_end"
#include <tenon/plugin.h>

#include <linux/if_ether.h>

SEC("xdp")
int on_frame(struct xdp_md *ctx)
{
	struct ethhdr *eth = (void *)(long)ctx->data;

	return eth->h_proto == bpf_htons(ETH_P_IP) ? XDP_DROP : XDP_PASS; /* HERE */
}

char _license[] SEC("license") = "MIT";
