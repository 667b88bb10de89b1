/* SPDX-License-Identifier: MIT */
/* One of everything that the loader knows, for tests/loader/test_object.c. */
#include <tenon/plugin.h>

struct key {
	u32 a, b;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, struct key);
	__type(value, u64);
} counts SEC(".maps");

static struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4);
	__uint(key_size, sizeof(u32));
	__uint(value_size, 24);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} hidden_array SEC(".maps");

int tail_target(struct xdp_md *ctx);

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 3);
	__uint(key_size, sizeof(u32));
	__array(values, int(struct xdp_md *));
} jumps SEC(".maps") = {
	.values = { [1] = &tail_target },
};

int zeroed[4];
static int zeroed_static;
int initialised = 42;
static volatile int initialised_static = 7;
const volatile int limit = 100;
int custom SEC(".data.custom") = 5;
const volatile int custom_constant SEC(".rodata.custom") = 6;

extern int host_add(int a, int b) __ksym;
extern int host_maybe(int a) __ksym __weak;
extern const void host_object __ksym;
extern const int host_typed __ksym;

extern int LINUX_KERNEL_VERSION __kconfig;
extern bool CONFIG_FEATURE __kconfig;
extern bool CONFIG_ABSENT __kconfig __weak;
extern enum libbpf_tristate CONFIG_MODULE __kconfig;
extern char CONFIG_LETTER __kconfig;
extern u64 CONFIG_BIG __kconfig;
extern char CONFIG_NAME[12] __kconfig;

static __noinline int leaf(int x)
{
	barrier_var(x);
	return x * 3 + zeroed_static++;
}

static __noinline int middle(int x)
{
	barrier_var(x);
	return leaf(x) + leaf(x + 1);
}

__noinline int global_sub(int x)
{
	barrier_var(x);
	return middle(x) ^ 5;
}

__weak __noinline int weak_sub(int x)
{
	barrier_var(x);
	return x + initialised_static;
}

static int callback(u32 i, void *ctx)
{
	*(int *)ctx += leaf(i);
	return 0;
}

SEC("xdp")
int first(struct xdp_md *ctx)
{
	struct key k = { 1, 2 };
	u64 *v = bpf_map_lookup_elem(&counts, &k);
	u32 zero = 0;

	if (v)
		*v += global_sub(ctx->ingress_ifindex);
	bpf_map_lookup_elem(&hidden_array, &zero);
	bpf_tail_call(ctx, &jumps, 1);
	return weak_sub(limit + initialised + zeroed[3]);
}

SEC("xdp")
int second(struct xdp_md *ctx)
{
	int sum = custom + custom_constant;

	bpf_loop(10, callback, &sum, 0);
	return sum + leaf(2) + host_add(sum, 1);
}

SEC("?hook/named")
int optional(void *ctx)
{
	char out[32];
	int got = (long)&host_object != 0;

	if (host_maybe)
		got += host_maybe(1);
	BPF_SNPRINTF(out, sizeof(out), "%s %d", "text", got);
	return got + out[0] + (long)&host_typed;
}

SEC("tc/ingress")
int configured(struct __sk_buff *skb)
{
	return LINUX_KERNEL_VERSION + CONFIG_FEATURE + CONFIG_ABSENT + CONFIG_MODULE +
	       CONFIG_LETTER + CONFIG_BIG + CONFIG_NAME[skb->len & 7] + global_sub(1);
}

SEC("xdp/tail")
int tail_target(struct xdp_md *ctx)
{
	bpf_printk("tail %d", ctx->rx_queue_index);
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual MIT/GPL";
u32 _version SEC("version") = 0x060c00;
