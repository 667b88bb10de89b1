// SPDX-License-Identifier: MIT
// The check covers the Ethernet header, the IP header is read.
// expect: E_BOUNDS "data" "data_end" "14 bytes"
#include <tenon/plugin.h>

#include <linux/if_ether.h>
#include <linux/ip.h>

SEC("xdp")
int on_frame(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	struct iphdr *ip = data + sizeof(*eth);

	if ((void *)(eth + 1) > end)
		return XDP_PASS;
	return ip->protocol == 17 ? XDP_DROP : XDP_PASS; /* HERE */
}

char _license[] SEC("license") = "MIT";
