/* SPDX-License-Identifier: MIT */
/*
 * What the helpers that change packets give back and leave behind must be the same in the kernel
 * and in Tenon: the runner (same_as_kernel.c) compares results, frames and maps.
 */
#include <tenon/plugin.h>

#define MAX_RESULTS 64

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MAX_RESULTS);
	__type(key, __u32);
	__type(value, __s64);
} results SEC(".maps");

static __always_inline void keep(__u32 key, __s64 value)
{
	bpf_map_update_elem(&results, &key, &value, 0);
}

SEC("tc")
int tc_store(struct __sk_buff *skb)
{
	char text[8] = "abcdefg";

	keep(0, bpf_skb_store_bytes(skb, 20, text, 8, 0));
	keep(1, bpf_skb_store_bytes(skb, 4000, text, 8, 0));
	keep(2, bpf_skb_store_bytes(skb, 20, text, 8, 0x100));
	keep(3, bpf_skb_store_bytes(skb, 30, text, 4, 2));
	keep(4, bpf_skb_pull_data(skb, 34));
	keep(5, bpf_csum_update(skb, 7));
	return 0;
}

SEC("tc")
int tc_sums(struct __sk_buff *skb)
{
	keep(10, bpf_l3_csum_replace(skb, 24, 0x1234, 0x4321, 2));
	keep(11, bpf_l3_csum_replace(skb, 24, 0x12345678, 0x9abcdef0, 4));
	keep(12, bpf_l3_csum_replace(skb, 24, 0, 0xffff1234, 0));
	keep(13, bpf_l3_csum_replace(skb, 24, 1, 0x1234, 0));
	keep(14, bpf_l3_csum_replace(skb, 25, 0, 0x1234, 2));
	keep(15, bpf_l3_csum_replace(skb, 24, 0, 0x1234, 3));
	keep(16, bpf_l3_csum_replace(skb, 24, 0, 0x1234, 0x12));
	keep(17, bpf_l3_csum_replace(skb, 2000, 0, 0x1234, 2));
	return 0;
}

SEC("tc")
int tc_sums_of_all(struct __sk_buff *skb)
{
	__u32 off = 26;

	/* Towards and away from zero, whose two forms must come out alike. */
	keep(20, bpf_l3_csum_replace(skb, off, 0xffff, 0, 2));
	keep(21, bpf_l3_csum_replace(skb, off, 0, 0xffff, 2));
	keep(22, bpf_l3_csum_replace(skb, off + 2, 0xffffffff, 0, 4));
	keep(23, bpf_l3_csum_replace(skb, off + 2, 0, 0xffffffff, 4));
	keep(24, bpf_l4_csum_replace(skb, off + 4, 0xffff, 0, 2));
	keep(25, bpf_l4_csum_replace(skb, off + 4, 0, 0xffff, 0x22));
	keep(26, bpf_l4_csum_replace(skb, off + 6, 0x1234, 0x1234, 0x34));
	keep(27, bpf_l4_csum_replace(skb, off + 6, 0, 0xffff, 0x60));
	keep(28, bpf_l4_csum_replace(skb, off + 6, 0, 0xffff, 0x100));
	return 0;
}

SEC("tc")
int tc_tail(struct __sk_buff *skb)
{
	keep(30, bpf_skb_change_tail(skb, skb->len + 12, 0));
	keep(31, skb->len);
	keep(32, bpf_skb_change_tail(skb, skb->len - 20, 0));
	keep(33, skb->len);
	keep(34, bpf_skb_change_tail(skb, skb->len, 1));
	return 0;
}

SEC("xdp")
int xdp_head(struct xdp_md *ctx)
{
	keep(40, bpf_xdp_adjust_head(ctx, -20));
	keep(41, bpf_xdp_adjust_head(ctx, -300));
	keep(42, bpf_xdp_adjust_head(ctx, 10));
	keep(43, bpf_xdp_adjust_head(ctx, 2000));
	keep(44, (long)ctx->data_end - (long)ctx->data);
	return 2;
}

SEC("xdp")
int xdp_meta(struct xdp_md *ctx)
{
	char *meta, *data;

	keep(50, bpf_xdp_adjust_meta(ctx, -8));
	keep(51, bpf_xdp_adjust_meta(ctx, -3));
	keep(52, bpf_xdp_adjust_meta(ctx, 40));
	keep(53, bpf_xdp_adjust_meta(ctx, -1000));
	meta = (char *)(long)ctx->data_meta;
	data = (char *)(long)ctx->data;
	if (meta + 8 > data)
		return 1;
	for (int i = 0; i < 8; i++)
		meta[i] = (char)i;
	keep(54, bpf_xdp_adjust_head(ctx, -12));
	meta = (char *)(long)ctx->data_meta;
	data = (char *)(long)ctx->data;
	keep(55, data - meta);
	if (meta + 8 > data)
		return 1;
	return meta[7];
}

SEC("xdp")
int xdp_tail(struct xdp_md *ctx)
{
	keep(60, bpf_xdp_adjust_tail(ctx, 16));
	keep(61, bpf_xdp_adjust_tail(ctx, 8000));
	keep(62, bpf_xdp_adjust_tail(ctx, -3));
	keep(63, bpf_xdp_adjust_tail(ctx, -3000));
	return 2;
}

char _license[] SEC("license") = "GPL";
