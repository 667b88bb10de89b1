// SPDX-License-Identifier: MIT
// Maps without keys, samples to the host, maps of tenants, and helpers that ask about the context.
#include <tenon/plugin.h>
#include "events.h"

char _license[] SEC("license") = "GPL";

struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, 4);
	__type(value, unsigned int);
} work SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__uint(key_size, 4);
	__uint(value_size, 4);
} events SEC(".maps");

struct counter {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, unsigned int);
	__type(value, unsigned int);
} first SEC(".maps"), second SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH_OF_MAPS);
	__uint(max_entries, 8);
	__type(key, unsigned int);
	__array(values, struct counter);
} tenants SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, unsigned int);
	__type(value, unsigned int);
} parts SEC(".maps");

SEC("hook/push")
int push(struct event_ctx *ctx)
{
	unsigned int value = ctx->value;

	return (int)bpf_map_push_elem(&work, &value, 0);
}

SEC("hook/pop")
int pop(struct event_ctx *ctx)
{
	unsigned int value;
	long rc = bpf_map_pop_elem(&work, &value);

	return rc ? (int)rc : (int)value;
}

SEC("hook/emit")
int emit(struct event_ctx *ctx)
{
	unsigned int sample[2] = { ctx->tenant, ctx->value };

	return (int)bpf_perf_event_output(ctx, &events, BPF_F_CURRENT_CPU, sample, sizeof(sample));
}

SEC("hook/count")
int count(struct event_ctx *ctx)
{
	unsigned int tenant = ctx->tenant, zero = 0, *n;
	void *map = bpf_map_lookup_elem(&tenants, &tenant);

	if (!map)
		return -1;
	n = bpf_map_lookup_elem(map, &zero);
	return n ? (int)++*n : -2;
}

// Another slot's part, which nobody may have been in yet.
SEC("hook/elsewhere")
int elsewhere(struct event_ctx *ctx)
{
	unsigned int zero = 0, *n = bpf_map_lookup_percpu_elem(&parts, &zero, ctx->value);

	return n ? (int)++*n : -1;
}

SEC("hook/override")
int override(struct event_ctx *ctx)
{
	int before = bpf_get_retval();

	if (bpf_set_retval(before - 1))
		return -1;
	if (ctx->value)
		bpf_override_return(ctx, -(long)ctx->value);
	return before;
}

SEC("hook/print")
int print(struct event_ctx *ctx)
{
	static const char fmt[] = "tenant %u: %u\n";
	__u64 args[2] = { ctx->tenant, ctx->value };
	struct seq_file *seq = ctx->seq;
	long rc;

	if (!seq)
		return -1;
	rc = bpf_seq_printf(seq, fmt, sizeof(fmt), args, sizeof(args));
	return rc ? (int)rc : (int)bpf_seq_write(seq, "end", 3);
}

SEC("hook/self")
int self(struct event_ctx *ctx)
{
	struct bpf_pidns_info ids = { 1, 1 };
	long rc = bpf_get_ns_current_pid_tgid(0, 0, &ids, sizeof(ids));

	return rc == -22 && !ids.pid && bpf_get_numa_node_id() >= 0;
}

SEC("tc")
int send(struct __sk_buff *skb)
{
	unsigned int mtu = 0;
	long fits = bpf_check_mtu(skb, 3, &mtu, 0, 0);

	if (fits < 0)
		return (int)fits;
	if (bpf_perf_event_output(skb, &events, BPF_F_CURRENT_CPU | 6ull << 32, &mtu, 4))
		return -1;
	return bpf_clone_redirect(skb, 3, 1) ? -2 : (int)bpf_redirect(4, 1);
}

SEC("xdp")
int forward(struct xdp_md *xdp)
{
	return (int)bpf_redirect(9, 0);
}
