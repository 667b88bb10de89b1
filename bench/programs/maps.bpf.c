/* SPDX-License-Identifier: MIT */
/* OPS map operations a run, on keys from a small generator; the same object runs in the kernel. */
#include <tenon/plugin.h>

#define OPS 64

#define HASH_MAP(name, n)                        \
	struct {                                 \
		__uint(type, BPF_MAP_TYPE_HASH); \
		__uint(max_entries, n);          \
		__type(key, __u64);              \
		__type(value, __u64);            \
	} name SEC(".maps")

HASH_MAP(hash_1k, 1000);
HASH_MAP(hash_10k, 10000);
HASH_MAP(hash_100k, 100000);

#define LRU_MAP(name, n)                             \
	struct {                                     \
		__uint(type, BPF_MAP_TYPE_LRU_HASH); \
		__uint(max_entries, n);              \
		__type(key, __u64);                  \
		__type(value, __u64);                \
	} name SEC(".maps")

/* One a case: cases take turns. */
LRU_MAP(lru_10k, 10000);
LRU_MAP(lru_insert_10k, 10000);
LRU_MAP(lru_mixed_10k, 10000);

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, __u64);
} array SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1024 * 1024);
} ring SEC(".maps");

__u32 state = 1;

static __always_inline __u32 next(__u32 x)
{
	return x * 1664525u + 1013904223u;
}

#define FILL(map, n)                                                      \
	SEC("xdp") int fill_##map(struct xdp_md *ctx)                     \
	{                                                                 \
		static __u32 at_##map;                                    \
		for (int i = 0; i < OPS; i++) {                           \
			__u64 key = at_##map++ % n, value = key;          \
			bpf_map_update_elem(&map, &key, &value, BPF_ANY); \
		}                                                         \
		return 1;                                                 \
	}
FILL(hash_1k, 1000)
FILL(hash_10k, 10000)
FILL(hash_100k, 100000)
FILL(lru_10k, 9000)

/* Multiply-shift instead of a remainder: the generator must not cost more than the lookup. */
#define LOOKUP(map, n)                                                  \
	SEC("xdp") int lookup_##map(struct xdp_md *ctx)                 \
	{                                                               \
		__u32 x = state;                                        \
		__u64 sum = 0;                                          \
		for (int i = 0; i < OPS; i++) {                         \
			__u64 key = (__u64)(x = next(x)) * n >> 32;     \
			__u64 *value = bpf_map_lookup_elem(&map, &key); \
			if (value)                                      \
				sum += *value;                          \
		}                                                       \
		state = x;                                              \
		return (__u32)sum;                                      \
	}
LOOKUP(hash_1k, 1000)
LOOKUP(hash_10k, 10000)
LOOKUP(hash_100k, 100000)
LOOKUP(lru_10k, 9000)

SEC("xdp") int update_hash_10k(struct xdp_md *ctx)
{
	__u32 x = state;

	for (int i = 0; i < OPS; i++) {
		__u64 key = (__u64)(x = next(x)) * 10000 >> 32;

		bpf_map_update_elem(&hash_10k, &key, &key, BPF_ANY);
	}
	state = x;
	return 1;
}

/* New keys for ever: each drops one. */
SEC("xdp") int insert_lru_10k(struct xdp_md *ctx)
{
	static __u64 at;

	for (int i = 0; i < OPS; i++) {
		__u64 key = at++;

		bpf_map_update_elem(&lru_insert_10k, &key, &key, BPF_ANY);
	}
	return 1;
}

/* As a flow table: two in three are known, else a new one is put in. */
SEC("xdp") int mixed_lru_10k(struct xdp_md *ctx)
{
	__u32 x = state;

	for (int i = 0; i < OPS; i++) {
		__u64 key = (__u64)(x = next(x)) * 13000 >> 32;
		__u64 *value = bpf_map_lookup_elem(&lru_mixed_10k, &key);

		if (value)
			*value += 1;
		else
			bpf_map_update_elem(&lru_mixed_10k, &key, &key, BPF_ANY);
	}
	state = x;
	return 1;
}

SEC("xdp") int lookup_array(struct xdp_md *ctx)
{
	__u32 x = state;
	__u64 sum = 0;

	for (int i = 0; i < OPS; i++) {
		__u32 key = (x = next(x)) >> 22;
		__u64 *value = bpf_map_lookup_elem(&array, &key);

		if (value)
			sum += *value;
	}
	state = x;
	return (__u32)sum;
}

/* The consumer drains the ring between runs. */
SEC("xdp") int ring_submit(struct xdp_md *ctx)
{
	for (int i = 0; i < OPS; i++) {
		__u64 *record = bpf_ringbuf_reserve(&ring, 64, 0);

		if (!record)
			return 0;
		*record = i;
		bpf_ringbuf_submit(record, BPF_RB_NO_WAKEUP);
	}
	return 1;
}

/* The loop and generator alone. */
SEC("xdp") int loop_only(struct xdp_md *ctx)
{
	__u32 x = state;
	__u64 sum = 0;

	for (int i = 0; i < OPS; i++) {
		volatile __u64 key = (__u64)(x = next(x)) * 10000 >> 32;

		sum += key;
	}
	state = x;
	return (__u32)sum;
}

char _license[] SEC("license") = "MIT";
