/* SPDX-License-Identifier: MIT */
/*
 * For the verify bench: counters in maps. Every rule copies what it looked up into a table on the
 * stack and decides on it; so there are many null checks, spilled pointers and live stack slots.
 */
#include <tenon/plugin.h>

#define RULES 46

struct counter {
	__u64 packets, bytes, last;
	__u32 limit, flags;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u64);
	__type(value, struct counter);
} flows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, struct counter);
} ports SEC(".maps");

struct table {
	__u32 hits[16];
	__u64 bytes[8];
};

static __always_inline void one_rule(struct table *t, __u8 *p, __u32 n, __u32 size)
{
	__u64 key = (__u64)p[n] << 32 | p[(n * 7 + 3) & 63];
	__u32 port = p[(n * 5 + 1) & 63];
	struct counter *flow, *c;

	if (port < n)
		key ^= n;
	flow = bpf_map_lookup_elem(&flows, &key);
	if (flow) {
		flow->packets++;
		flow->bytes += size;
		if (flow->flags & 1)
			t->hits[n % 16]++;
		else if (flow->limit && flow->bytes > flow->limit)
			t->hits[(n + 1) % 16] += 2;
	}
	c = bpf_map_lookup_elem(&ports, &port);
	if (c) {
		c->packets++;
		if (c->last > c->bytes)
			t->bytes[n % 8] += c->last - c->bytes;
		else if (c->last == size)
			t->bytes[(n + 3) % 8] = 0;
		else
			t->bytes[(n + 5) % 8] ^= c->packets;
		c->last = size;
	}
	if (flow && c && flow->limit > c->limit)
		t->hits[(n + 9) % 16] = flow->limit - c->limit;
}

SEC("xdp") int ledger(struct xdp_md *ctx)
{
	__u8 *p = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct table t = { 0 };
	__u64 sum = 0;

	if (p + 64 > end)
		return XDP_PASS;
#pragma unroll
	for (__u32 n = 0; n < RULES; n++)
		one_rule(&t, p, n, (__u32)(end - p));
	for (int i = 0; i < 16; i++)
		sum += t.hits[i];
	for (int i = 0; i < 8; i++)
		sum ^= t.bytes[i];
	return sum & 1 ? XDP_DROP : XDP_PASS;
}

char _license[] SEC("license") = "MIT";
