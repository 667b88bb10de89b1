// SPDX-License-Identifier: MIT
/* A plugin whose maps outlive the process: it counts by key, in all and by slot. */
#include <tenon/plugin.h>

enum color { RED, GREEN = 3 };

struct flow {
	u32 addr;
	u16 port;
};

struct count {
	u64 packets;
	s32 last;
	enum color color;
	char name[8];
	u8 bits : 3;
	u8 rest : 5;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__uint(map_flags, TENON_MAP_SHARED);
	__type(key, struct flow);
	__type(value, struct count);
} flows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 2);
	__uint(map_flags, TENON_MAP_SHARED);
	__type(key, u32);
	__type(value, u64);
} runs SEC(".maps");

SEC("xdp")
int count(void *ctx)
{
	struct flow key = { .addr = 0x7f000001, .port = 80 };
	struct count first = { .packets = 1, .last = -2, .color = GREEN, .name = "web", .bits = 5 };
	struct count *c = bpf_map_lookup_elem(&flows, &key);
	u32 index = 1;
	u64 *n = bpf_map_lookup_elem(&runs, &index);

	if (n)
		++*n;
	if (c)
		__sync_fetch_and_add(&c->packets, 1);
	else
		bpf_map_update_elem(&flows, &key, &first, BPF_NOEXIST);
	return 2;
}

char _license[] SEC("license") = "MIT";
