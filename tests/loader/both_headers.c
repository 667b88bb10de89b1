/* SPDX-License-Identifier: MIT */
/* tenon/plugin.h behind libbpf's headers: it must compile, and add what they lack. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>
#include <tenon/plugin.h>

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u64);
} map SEC(".maps");

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	u32 key = 0;
	u64 *value = bpf_map_lookup_elem(&map, &key);

	while (value && *value) {
		cond_break;
		*value -= 1;
	}
	bpf_printk("%d", bpf_htons(ctx->rx_queue_index));
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
