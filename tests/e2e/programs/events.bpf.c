// SPDX-License-Identifier: MIT
// Queues, stacks, perf events without a reader, room in frames and what is known of them: the same
// results in the kernel and in Tenon.
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, 3);
	__type(value, __u64);
} queue SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_STACK);
	__uint(max_entries, 3);
	__type(value, __u32);
} stack SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__uint(key_size, 4);
	__uint(value_size, 4);
	__uint(max_entries, 2);
} events SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, long);
} results SEC(".maps");

// What a helper gave, at a place of its own.
static __always_inline void note(__u32 at, long result)
{
	bpf_map_update_elem(&results, &at, &result, BPF_ANY);
}

SEC("xdp")
int xdp_queue(struct xdp_md *ctx)
{
	__u64 value = ctx->data_end - ctx->data, out = 77;
	long sum = 0;

	note(0, bpf_map_pop_elem(&queue, &out));
	note(1, out);
	note(2, bpf_map_peek_elem(&queue, &out));
	for (int i = 0; i < 4; i++, value++)
		note(3 + i, bpf_map_push_elem(&queue, &value, 0));
	note(7, bpf_map_push_elem(&queue, &value, BPF_EXIST));
	note(8, bpf_map_push_elem(&queue, &value, BPF_NOEXIST));
	note(9, bpf_map_push_elem(&queue, &value, 5));
	for (int i = 0; i < 3; i++) {
		if (bpf_map_peek_elem(&queue, &out) == 0)
			sum = sum * 1000 + out;
		bpf_map_pop_elem(&queue, &out);
		sum = sum * 1000 + out;
	}
	note(10, sum);
	return bpf_map_pop_elem(&queue, &out) == 0 ? 1 : XDP_PASS;
}

SEC("xdp")
int xdp_stack(struct xdp_md *ctx)
{
	__u32 out = 77, value = ctx->data_end - ctx->data;
	long sum = 0;

	note(11, bpf_map_pop_elem(&stack, &out));
	note(12, out);
	for (int i = 0; i < 4; i++, value++)
		note(13 + i, bpf_map_push_elem(&stack, &value, 0));
	note(17, bpf_map_push_elem(&stack, &value, BPF_EXIST));
	for (int i = 0; i < 4; i++) {
		note(18 + i, bpf_map_pop_elem(&stack, &out));
		sum = sum * 1000 + out;
	}
	note(22, sum);
	return XDP_PASS;
}

SEC("xdp")
int xdp_events(struct xdp_md *ctx)
{
	__u64 sample = 5;

	note(23, bpf_perf_event_output(ctx, &events, 0, &sample, 8));
	note(24, bpf_perf_event_output(ctx, &events, 7, &sample, 8));
	note(25, bpf_perf_event_output(ctx, &events, 1ull << 60, &sample, 8));
	note(26, bpf_perf_event_output(ctx, &events, 1000ull << 32, &sample, 8));
	note(27, bpf_redirect(1, 1));
	return bpf_redirect(1, 0);
}

SEC("tc")
int tc_redirect(struct __sk_buff *skb)
{
	note(28, bpf_redirect(1, 2));
	note(29, bpf_redirect(1, BPF_F_INGRESS));
	note(30, bpf_csum_level(skb, 9));
	note(31, bpf_csum_level(skb, BPF_CSUM_LEVEL_QUERY));
	note(32, bpf_clone_redirect(skb, 12345, 0));
	note(33, bpf_clone_redirect(skb, 1, 8));
	return TC_ACT_OK;
}

SEC("tc")
int tc_load_relative(struct __sk_buff *skb)
{
	unsigned char part[4] = { 9, 9, 9, 9 };
	int sum;

	note(34, bpf_skb_load_bytes_relative(skb, 12, part, 4, BPF_HDR_START_NET));
	sum = part[0] + part[3] * 256;
	note(35, bpf_skb_load_bytes_relative(skb, 6, part, 4, BPF_HDR_START_MAC));
	sum += part[1] * 65536;
	note(36, bpf_skb_load_bytes_relative(skb, 0, part, 4, 2));
	note(37, bpf_skb_load_bytes_relative(skb, 60, part, 4, BPF_HDR_START_NET));
	return (sum + part[0]) & 0x7fffffff;
}

#define ROOM(name, at, diff, mode, flags)                              \
	SEC("tc") int tc_room_##name(struct __sk_buff *skb)            \
	{                                                              \
		note(at, bpf_skb_adjust_room(skb, diff, mode, flags)); \
		return skb->len;                                       \
	}
ROOM(net, 40, 8, BPF_ADJ_ROOM_NET, 0)
ROOM(mac, 41, 20, BPF_ADJ_ROOM_MAC, BPF_F_ADJ_ROOM_FIXED_GSO)
ROOM(net_less, 42, -4, BPF_ADJ_ROOM_NET, 0)
ROOM(mac_less, 43, -8, BPF_ADJ_ROOM_MAC, BPF_F_ADJ_ROOM_NO_CSUM_RESET)
ROOM(much_less, 44, -60, BPF_ADJ_ROOM_MAC, 0)
ROOM(far_too_much, 45, 5000, BPF_ADJ_ROOM_MAC, 0)
ROOM(bad_mode, 46, 4, 2, 0)
ROOM(bad_flags, 47, 4, BPF_ADJ_ROOM_MAC, 1ull << 40)
