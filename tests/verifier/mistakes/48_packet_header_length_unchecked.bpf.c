// SPDX-License-Identifier: MIT
// The IP header says how long it is; nothing says that the frame goes on.
// expect: E_BOUNDS "data" "data_end"
#include <tenon/plugin.h>

#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/udp.h>

SEC("xdp")
int on_frame(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct iphdr *ip = data + sizeof(struct ethhdr);
	struct udphdr *udp;

	if ((void *)(ip + 1) > end)
		return XDP_PASS;
	udp = (void *)ip + ip->ihl * 4;
	return udp->dest == bpf_htons(53) ? XDP_DROP : XDP_PASS; /* HERE */
}

char _license[] SEC("license") = "MIT";
