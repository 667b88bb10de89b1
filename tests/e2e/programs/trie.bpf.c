/* SPDX-License-Identifier: MIT */
/*
 * Routes in tries of IPv4 and IPv6 addresses: the kernel and Tenon must choose the same ones and
 * return the same numbers. The runner (same_as_kernel.c) calls each program on every frame, in
 * order, and compares the tries at the end, with the order of their keys.
 */
#include <tenon/plugin.h>

struct key4 {
	__u32 len;
	__u8 addr[4];
};
struct key6 {
	__u32 len;
	__u8 addr[16];
};
struct route {
	__u64 hits;
	__u32 via;
	__u32 len;
};

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 200);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct key4);
	__type(value, struct route);
} routes4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 1000);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct key6);
	__type(value, struct route);
} routes6 SEC(".maps");

__u32 random = 1;

static __u32 next(void)
{
	random = random * 1664525 + 1013904223;
	return random >> 8;
}

/* Few different bytes, so that prefixes contain each other. */
static __u8 some_byte(void)
{
	__u32 r = next();

	return r & 4 ? r >> 8 : (r >> 3 & 1) * 128;
}

static void some_key4(struct key4 *k)
{
	k->len = next() % 34; /* 33 is too long */
	k->addr[0] = 10;
	k->addr[1] = some_byte();
	k->addr[2] = some_byte();
	k->addr[3] = some_byte();
}

static void some_key6(struct key6 *k)
{
	k->len = next() % 130;
	for (int i = 0; i < 16; i++)
		k->addr[i] = some_byte();
}

/* Sums of what was returned. */
SEC("xdp")
int xdp_fill4(struct xdp_md *ctx)
{
	struct key4 k;
	int sum = 0;

	for (__u32 i = 0; i < 150; i++) {
		struct route r = { .via = i };

		some_key4(&k);
		r.len = k.len;
		sum = sum * 31 + bpf_map_update_elem(&routes4, &k, &r, i % 7 ? BPF_ANY : i % 3);
		if (i % 3 == 0) {
			some_key4(&k);
			sum = sum * 31 + bpf_map_delete_elem(&routes4, &k);
		}
	}
	return sum;
}

SEC("xdp")
int xdp_ask4(struct xdp_md *ctx)
{
	struct key4 k;
	int sum = 0;

	for (__u32 i = 0; i < 200; i++) {
		struct route *r;

		some_key4(&k);
		if (i % 2)
			k.len = 32;
		r = bpf_map_lookup_elem(&routes4, &k);
		sum = sum * 31 + (r ? r->via * 64 + r->len : 999);
		if (r)
			r->hits++;
	}
	return sum;
}

SEC("xdp")
int xdp_address_of_frame(struct xdp_md *ctx)
{
	__u8 *data = (__u8 *)(long)ctx->data, *end = (__u8 *)(long)ctx->data_end;
	struct key4 k = { .len = 32 };
	struct route *r;

	if (data + 34 > end)
		return -1;
	__builtin_memcpy(k.addr, data + 30, 4);
	r = bpf_map_lookup_elem(&routes4, &k);
	return r ? r->via : -2;
}

SEC("xdp")
int xdp_fill6(struct xdp_md *ctx)
{
	struct key6 k;
	int sum = 0;

	for (__u32 i = 0; i < 100; i++) {
		struct route r = { .via = i };

		some_key6(&k);
		r.len = k.len;
		sum = sum * 31 + bpf_map_update_elem(&routes6, &k, &r, BPF_ANY);
		k.len = next() % 129;
		sum = sum * 31 + bpf_map_update_elem(&routes6, &k, &r, BPF_NOEXIST);
		if (i % 3 == 0)
			sum = sum * 31 + bpf_map_delete_elem(&routes6, &k);
	}
	return sum;
}

SEC("xdp")
int xdp_ask6(struct xdp_md *ctx)
{
	struct key6 k;
	int sum = 0;

	for (__u32 i = 0; i < 100; i++) {
		struct route *r;

		some_key6(&k);
		r = bpf_map_lookup_elem(&routes6, &k);
		sum = sum * 31 + (r ? r->via * 256 + r->len : 999);
		if (r)
			r->hits++;
	}
	return sum;
}

char LICENSE[] SEC("license") = "GPL";
