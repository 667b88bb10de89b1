// SPDX-License-Identifier: MIT
// A timer's function calls a global one that throws: no program is there to be ended.
// expect: E_CALL "a timer's function does not throw" "'give_up'"
#include <tenon/plugin.h>

extern void bpf_throw(__u64 cookie) __ksym;

struct element {
	struct bpf_timer timer;
	__u64 count;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct element);
} elements SEC(".maps");

__noinline int give_up(__u64 count)
{
	if (count > 100)
		bpf_throw(1);
	return count & 1;
}

static int on_timer(void *map, __u32 *key, struct element *e)
{
	e->count += give_up(e->count); /* HERE */
	return 0;
}

SEC("xdp")
int on_frame(struct xdp_md *ctx)
{
	__u32 zero = 0;
	struct element *e = bpf_map_lookup_elem(&elements, &zero);

	if (!e)
		return XDP_PASS;
	bpf_timer_init(&e->timer, &elements, 1);
	bpf_timer_set_callback(&e->timer, on_timer);
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
