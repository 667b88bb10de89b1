/* SPDX-License-Identifier: MIT */
/*
 * Programs whose results must be the same in the kernel and in Tenon: return value, frame, maps.
 * The runner (same_as_kernel.c) runs each on every frame, in order, and then compares all maps.
 */
#include <tenon/plugin.h>

struct eth {
	__u8 dst[6], src[6];
	__be16 proto;
} __attribute__((packed));
struct ip4 {
	__u8 vhl, tos;
	__be16 len;
	__u16 id, frag;
	__u8 ttl, proto;
	__u16 check;
	__be32 src, dst;
} __attribute__((packed));
struct udp {
	__be16 sport, dport, len;
	__u16 check;
} __attribute__((packed));

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, __u64);
} per_proto SEC(".maps");

struct flow {
	__u32 src, dst;
	__u16 sport, dport;
	__u32 proto;
};
struct flow_stats {
	__u64 packets, bytes;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8);
	__type(key, struct flow);
	__type(value, struct flow_stats);
} flows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u32);
} tiny SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u64);
} slots SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} ring SEC(".maps");

int xdp_tail_leaf(struct xdp_md *ctx);
int xdp_tail_self(struct xdp_md *ctx);

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 4);
	__uint(key_size, sizeof(__u32));
	__array(values, int(void *));
} targets SEC(".maps") = {
	.values = { [1] = (void *)&xdp_tail_leaf, [2] = (void *)&xdp_tail_self },
};

__u64 runs;		   /* .bss */
__u32 seeded = 0x12345678; /* .data */
const volatile __u32 magic = 7;

#define FRAME(ctx, data, end) \
	void *data = (void *)(long)(ctx)->data, *end = (void *)(long)(ctx)->data_end

/* 1. Parse down to UDP and filter by port. */
SEC("xdp") int xdp_port_filter(struct xdp_md *ctx)
{
	FRAME(ctx, data, end);
	struct eth *eth = data;
	struct ip4 *ip = (void *)(eth + 1);
	struct udp *udp;

	if ((void *)(ip + 1) > end || eth->proto != bpf_htons(0x0800))
		return XDP_PASS;
	if (ip->proto != 17)
		return XDP_PASS;
	udp = (void *)ip + (ip->vhl & 15) * 4;
	if ((void *)(udp + 1) > end)
		return XDP_ABORTED;
	return bpf_ntohs(udp->dport) == 53 ? XDP_DROP : XDP_PASS;
}

/* 2. Swap the addresses: the frame is written. */
SEC("xdp") int xdp_swap_mac(struct xdp_md *ctx)
{
	FRAME(ctx, data, end);
	struct eth *eth = data;
	__u8 t[6];

	if ((void *)(eth + 1) > end)
		return XDP_ABORTED;
	__builtin_memcpy(t, eth->dst, 6);
	__builtin_memcpy(eth->dst, eth->src, 6);
	__builtin_memcpy(eth->src, t, 6);
	return XDP_TX;
}

/* 3. Router: lower the TTL and mend the checksum. */
SEC("xdp") int xdp_ttl(struct xdp_md *ctx)
{
	FRAME(ctx, data, end);
	struct ip4 *ip = data + sizeof(struct eth);
	__u32 sum;

	if ((void *)(ip + 1) > end || ip->ttl <= 1)
		return XDP_DROP;
	sum = ip->check + bpf_htons(0x0100);
	ip->check = (__u16)(sum + (sum >= 0xffff));
	return --ip->ttl;
}

/* 4. Count per protocol. */
SEC("xdp") int xdp_count(struct xdp_md *ctx)
{
	FRAME(ctx, data, end);
	struct ip4 *ip = data + sizeof(struct eth);
	__u32 key = 0;
	__u64 *count;

	if ((void *)(ip + 1) <= end)
		key = ip->proto;
	count = bpf_map_lookup_elem(&per_proto, &key);
	if (!count)
		return XDP_ABORTED;
	__sync_fetch_and_add(count, 1);
	return (int)*count;
}

/* 5. A flow table: insert or update. */
SEC("xdp") int xdp_flows(struct xdp_md *ctx)
{
	FRAME(ctx, data, end);
	struct ip4 *ip = data + sizeof(struct eth);
	struct udp *udp = (void *)(ip + 1);
	struct flow_stats first = { 1, end - data }, *s;
	struct flow flow = {};

	if ((void *)(udp + 1) > end)
		return XDP_PASS;
	flow.src = ip->src;
	flow.dst = ip->dst;
	flow.sport = udp->sport;
	flow.dport = udp->dport;
	flow.proto = ip->proto;
	s = bpf_map_lookup_elem(&flows, &flow);
	if (!s)
		return bpf_map_update_elem(&flows, &flow, &first, BPF_NOEXIST) ? XDP_ABORTED
									       : XDP_PASS;
	s->packets++;
	s->bytes += end - data;
	return XDP_TX;
}

/* 6. Every errno of a full hash map, folded into the result. */
SEC("xdp") int xdp_errnos(struct xdp_md *ctx)
{
	__u32 a = 1, b = 2, c = 3, v = 9;
	long r = 0;

	bpf_map_delete_elem(&tiny, &a);
	bpf_map_delete_elem(&tiny, &b);
	r = r * 31 + bpf_map_delete_elem(&tiny, &c);
	r = r * 31 + bpf_map_update_elem(&tiny, &a, &v, BPF_EXIST);
	r = r * 31 + bpf_map_update_elem(&tiny, &a, &v, BPF_NOEXIST);
	r = r * 31 + bpf_map_update_elem(&tiny, &a, &v, BPF_NOEXIST);
	r = r * 31 + bpf_map_update_elem(&tiny, &b, &v, BPF_ANY);
	r = r * 31 + bpf_map_update_elem(&tiny, &c, &v, BPF_ANY);
	r = r * 31 + bpf_map_update_elem(&tiny, &a, &b, BPF_EXIST);
	r = r * 31 + bpf_map_update_elem(&tiny, &a, &b, 99);
	return (int)r;
}

/* 7. Per-CPU values. */
SEC("xdp") int xdp_slots(struct xdp_md *ctx)
{
	__u32 key = 1;
	__u64 *v = bpf_map_lookup_elem(&slots, &key);

	if (!v)
		return XDP_ABORTED;
	*v += 3;
	return (int)*v;
}

/* 8. Tail calls: hit, miss, out of range. */
SEC("xdp") int xdp_tail_leaf(struct xdp_md *ctx)
{
	return 77;
}

SEC("xdp") int xdp_tail(struct xdp_md *ctx)
{
	FRAME(ctx, data, end);
	__u8 *first = data;

	if ((void *)(first + 1) > end)
		return 0;
	bpf_tail_call(ctx, &targets, *first & 7 ? 1 : 9);
	return 78;
}

/* 9. A bare self tail call: ends after 33. */
SEC("xdp") int xdp_tail_self(struct xdp_md *ctx)
{
	runs++;
	bpf_tail_call(ctx, &targets, 2);
	return (int)runs;
}

/* 10. Subprograms, static and global. */
static __noinline __u32 fold(__u32 a, __u32 b)
{
	return (a ^ b) * 2654435761u;
}

__noinline int sum_of_squares(int n)
{
	int sum = 0;

	for (int i = 0; i < 16; i++)
		if (i < n)
			sum += i * i;
	return sum;
}

SEC("xdp") int xdp_subprograms(struct xdp_md *ctx)
{
	FRAME(ctx, data, end);
	__u32 len = end - data;

	return (int)fold(fold(len, magic), (__u32)sum_of_squares(len & 15));
}

/* 11. bpf_loop with a callback that stops early. */
struct loop_ctx {
	__u64 sum, limit;
};

static long add_until(__u32 i, void *p)
{
	struct loop_ctx *c = p;

	c->sum += i;
	return c->sum > c->limit;
}

SEC("xdp") int xdp_loop(struct xdp_md *ctx)
{
	struct loop_ctx c = { 0, 1000 };
	long rounds = bpf_loop(10000, add_until, &c, 0);

	return (int)(rounds * 100000 + (long)c.sum);
}

/* 12. Globals and atomics. */
SEC("xdp") int xdp_globals(struct xdp_md *ctx)
{
	__u64 old = __sync_fetch_and_add(&runs, 5);
	__u32 was = __sync_lock_test_and_set(&seeded, (__u32)old);

	was ^= __sync_val_compare_and_swap(&seeded, (__u32)old, magic);
	__sync_fetch_and_or(&runs, 0x100);
	__sync_fetch_and_and(&runs, ~2ull);
	__sync_fetch_and_xor(&runs, 0x55);
	return (int)(was + (__u32)runs);
}

/* 13. Arithmetic on the frame's bytes, 32 and 64 bits, with division and shifts by data. */
SEC("xdp") int xdp_arithmetic(struct xdp_md *ctx)
{
	FRAME(ctx, data, end);
	__u8 *p = data;
	__u64 h = 1469598103934665603ull;
	__s32 s = -7;

	if (data + 32 > end)
		return 0;
	for (int i = 0; i < 32; i++) {
		__u32 d = p[i];

		h = (h ^ d) * 1099511628211ull;
		h += h / (d + 1) + h % (d | 1);
		s = (s << (d & 7)) ^ (s >> (d & 31));
		h ^= (__u64)(__s64)s >> (d & 63);
	}
	return (int)(h ^ h >> 32);
}

/* 14. A scan with a bound that only the data knows. */
SEC("xdp") int xdp_scan(struct xdp_md *ctx)
{
	FRAME(ctx, data, end);
	int zeros = 0;

	for (int i = 0; i < 64; i++) {
		__u8 *p = data + i;

		if ((void *)(p + 1) > end)
			break;
		if (!*p)
			zeros++;
	}
	return zeros;
}

/* 15. Ring buffer: what the ring says of itself. */
SEC("xdp") int xdp_ring(struct xdp_md *ctx)
{
	__u64 *r = bpf_ringbuf_reserve(&ring, 24, 0);
	__u64 before;

	if (!r)
		return -1;
	r[0] = r[1] = r[2] = 1;
	bpf_ringbuf_submit(r, BPF_RB_NO_WAKEUP);
	before = bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA);
	return (int)(before + bpf_ringbuf_query(&ring, BPF_RB_RING_SIZE));
}

/* 16. The socket buffer's fields, and its control block. */
SEC("tc") int tc_fields(struct __sk_buff *skb)
{
	FRAME(skb, data, end);
	__u8 *p = data;

	if (data + 20 > end)
		return 1;
	skb->cb[0] = p[12];
	skb->cb[4] = skb->len;
	skb->mark = 5;
	return (int)(skb->cb[0] * 1000 + skb->cb[4] + skb->mark);
}

char _license[] SEC("license") = "GPL";
