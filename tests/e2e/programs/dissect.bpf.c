/* SPDX-License-Identifier: MIT */
/* Flow dissectors, whose output is the keys, written against the running kernel's types. */
#include "vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

/* By the addresses: the kernel's test runs have no buffer that helpers could read. */
static int ip(void *data, void *end, struct bpf_flow_keys *keys)
{
	struct iphdr *ip = data + sizeof(struct ethhdr);
	__be16 *ports;

	if ((void *)(ip + 1) > end || ip->ihl < 5)
		return BPF_DROP;
	keys->addr_proto = 0x0800;
	keys->ip_proto = ip->protocol;
	keys->ipv4_src = ip->saddr;
	keys->ipv4_dst = ip->daddr;
	keys->thoff += ip->ihl * 4;
	ports = (void *)ip + ip->ihl * 4;
	if ((void *)(ports + 2) > end)
		return BPF_DROP;
	keys->sport = ports[0];
	keys->dport = ports[1];
	return BPF_OK;
}

SEC("flow_dissector")
int dissect(struct __sk_buff *skb)
{
	struct bpf_flow_keys *keys = skb->flow_keys;
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	struct ethhdr *eth = data;

	if ((void *)(eth + 1) > end || keys->n_proto != eth->h_proto)
		return BPF_DROP;
	if (keys->n_proto != bpf_htons(0x0800))
		return BPF_FLOW_DISSECTOR_CONTINUE;
	return ip(data, end, keys);
}

/* What lies outside of the frame is brought back into it. */
SEC("flow_dissector")
int beyond(struct __sk_buff *skb)
{
	struct bpf_flow_keys *keys = skb->flow_keys;

	keys->nhoff = 1;
	keys->thoff = 60000;
	__builtin_memset(&keys->ipv6_src, 0x55, sizeof(keys->ipv6_src));
	keys->flow_label = bpf_core_field_offset(struct bpf_flow_keys, flow_label);
	return (int)bpf_core_type_size(struct bpf_flow_keys);
}
