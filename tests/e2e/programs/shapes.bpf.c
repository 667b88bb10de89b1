// SPDX-License-Identifier: MIT
/*
 * Programs written against vmlinux.h of the running kernel, with its types and relocations: what
 * they see of packets and contexts must be the same in the kernel and in Tenon, whose host has no
 * BTF at all here.
 */
#include "vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define ETH_P_IP      0x0800
#define TC_ACT_OK     0
#define TC_ACT_SHOT   2
#define XDP_MOST_SEEN 16

char LICENSE[] SEC("license") = "GPL";

struct flow {
	__u32 src, dst;
	__u16 sport, dport;
	__u8 proto, pad[3];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, XDP_MOST_SEEN);
	__type(key, struct flow);
	__type(value, __u64);
} flows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, __u64);
} seen SEC(".maps");

static __always_inline void note(__u32 key, __u64 value)
{
	__u64 *slot = bpf_map_lookup_elem(&seen, &key);

	if (slot)
		*slot += value;
}

SEC("xdp")
int xdp_flow(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	struct iphdr *ip = (void *)(eth + 1);
	struct udphdr *udp;
	struct flow flow = {};
	__u64 one = 1, *nr;

	if ((void *)(ip + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;
	udp = (void *)ip + ip->ihl * 4;
	if (ip->version != 4 || (void *)(udp + 1) > end)
		return XDP_DROP;
	flow.src = ip->saddr;
	flow.dst = ip->daddr;
	flow.proto = ip->protocol;
	flow.sport = udp->source;
	flow.dport = udp->dest;
	nr = bpf_map_lookup_elem(&flows, &flow);
	if (nr)
		*nr += 1;
	else
		bpf_map_update_elem(&flows, &flow, &one, BPF_ANY);
	note(0, bpf_ntohs(ip->tot_len));
	ip->ttl--;
	return ip->protocol == IPPROTO_TCP ? XDP_TX : XDP_PASS;
}

SEC("xdp")
int xdp_relocated(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct iphdr *ip = data + bpf_core_type_size(struct ethhdr);

	if ((void *)ip + bpf_core_type_size(struct iphdr) > end)
		return XDP_ABORTED;
	note(1, bpf_core_field_offset(struct iphdr, daddr));
	note(2, BPF_CORE_READ_BITFIELD(ip, ihl));
	return bpf_core_field_exists(struct iphdr, protocol) ? XDP_PASS : XDP_DROP;
}

SEC("tc")
int tc_marks(struct __sk_buff *skb)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	struct iphdr *ip = data + sizeof(struct ethhdr);

	if ((void *)(ip + 1) > end)
		return TC_ACT_SHOT;
	skb->mark = ip->protocol;
	skb->cb[1] = skb->len;
	note(3, skb->len + skb->mark + skb->cb[1] + skb->protocol);
	ip->tos = 0x10;
	return ip->protocol == IPPROTO_UDP ? TC_ACT_OK : TC_ACT_SHOT;
}

SEC("socket")
int tc_socket(struct __sk_buff *skb)
{
	struct iphdr ip;

	if (bpf_skb_load_bytes_relative(skb, 0, &ip, sizeof(ip), BPF_HDR_START_NET))
		return 0;
	note(4, ip.protocol);
	skb->cb[0] = ip.ttl;
	return ip.ihl * 4 + skb->cb[0];
}
