/* SPDX-License-Identifier: MIT */
/*
 * Small plugins, one per CASE_...: what the loader refuses, and a few odd ones that it takes. Not
 * named .bpf.c, since it is compiled once per case (CMakeLists.txt) and not by itself.
 */
#ifdef CASE_CORE_CONTEXT
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
struct xdp_md {
	__u32 data, data_end, data_meta, ingress_ifindex;
};
struct iphdr {
	__u8 ihl : 4, version : 4;
	__u8 tos;
	__u16 tot_len, id, frag_off;
	__u8 ttl, protocol;
	__u16 check;
	union {
		struct {
			__u32 saddr, daddr;
		};
	};
};
#pragma clang attribute pop
#define __LINUX_BPF_H__
#endif

#include <tenon/plugin.h>

char _license[] SEC("license") = "MIT";

#if defined(CASE_LEGACY_MAPS)
struct {
	u32 type, key_size, value_size, max_entries;
} old SEC("maps") = { 1, 4, 4, 1 };

#elif defined(CASE_PLAIN_CALL)
int elsewhere(int x);
SEC("xdp") int prog(void *ctx)
{
	return elsewhere(1);
}

#elif defined(CASE_PLAIN_VARIABLE)
extern int elsewhere;
SEC("xdp") int prog(void *ctx)
{
	return elsewhere;
}

#elif defined(CASE_STATIC_PROGRAM)
SEC("xdp") static int prog(void *ctx)
{
	return 0;
}

#elif defined(CASE_UNKNOWN_MEMBER)
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(entries, 1);
} odd SEC(".maps");

#elif defined(CASE_MANY_MEMBERS)
#define THREE(a)            \
	__uint(type##a, 1); \
	__uint(key##a, 1);  \
	__uint(value##a, 1)
#define NINE(a)      \
	THREE(a##0); \
	THREE(a##1); \
	THREE(a##2)
struct {
	NINE(0);
	NINE(1);
	NINE(2);
	NINE(3);
} odd SEC(".maps");

#elif defined(CASE_KEY_CONFLICT)
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(key_size, 8);
	__type(key, u32);
} odd SEC(".maps");

#elif defined(CASE_NO_TYPE)
struct {
	__uint(max_entries, 1);
} odd SEC(".maps");

#elif defined(CASE_NUMBER_WITHOUT_MACRO)
struct {
	int type;
} odd SEC(".maps");

#elif defined(CASE_PINNING)
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(pinning, 7);
} odd SEC(".maps");

#elif defined(CASE_INNER_INNER_MAP)
struct inner {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u32);
};
struct middle {
	__uint(type, 12);
	__uint(max_entries, 1);
	__type(key, u32);
	__array(values, struct inner);
};
struct {
	__uint(type, 12);
	__uint(max_entries, 1);
	__type(key, u32);
	__array(values, struct middle);
} outer SEC(".maps");

#elif defined(CASE_INNER_MAP_SLOT)
struct inner {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u32);
};
struct {
	__uint(type, 12);
	__uint(max_entries, 1);
	__type(key, u32);
	__array(values, struct inner);
} outer SEC(".maps") = { .values = { (void *)&outer } };

#elif defined(CASE_INNER_MAP)
struct inner {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u32);
} one SEC(".maps");
struct {
	__uint(type, 12);
	__uint(max_entries, 2);
	__type(key, u32);
	__array(values, struct inner);
} outer SEC(".maps") = { .values = { [1] = &one } };

#elif defined(CASE_EXTERN_MAP)
extern struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
} elsewhere SEC(".maps");
SEC("xdp") int prog(void *ctx)
{
	u32 key = 0;

	return bpf_map_delete_elem(&elsewhere, &key);
}

#elif defined(CASE_PROGRAM_SLOT)
int prog(void *ctx);
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 2);
	__type(key, u32);
	__array(values, int(void *));
} jumps SEC(".maps") = {
	.values = { [2] = prog },
};
SEC("xdp") int prog(void *ctx)
{
	return 0;
}

#elif defined(CASE_DATA_POINTER)
int target;
int *pointer = &target;
SEC("xdp") int prog(void *ctx)
{
	return *pointer;
}

#elif defined(CASE_STRUCT_OPS)
SEC("struct_ops/f") int f(void *ctx)
{
	return 0;
}
struct {
	int (*f)(void *);
} ops SEC(".struct_ops") = { f };

#elif defined(CASE_STRUCT_OPS_POINTER)
int target;
struct {
	void *p;
} ops SEC(".struct_ops") = { &target };

#elif defined(CASE_CONFIG_MISSING)
extern int CONFIG_NOWHERE __kconfig;
SEC("xdp") int prog(void *ctx)
{
	return CONFIG_NOWHERE;
}

#elif defined(CASE_CONFIG_SHAPE)
extern bool CONFIG_BIG __kconfig;
SEC("xdp") int prog(void *ctx)
{
	return CONFIG_BIG;
}

#elif defined(CASE_CONFIG_RANGE)
extern int CONFIG_BIG __kconfig;
SEC("xdp") int prog(void *ctx)
{
	return CONFIG_BIG;
}

#elif defined(CASE_CORE_UNKNOWN)
struct task_struct {
	int pid;
} __attribute__((preserve_access_index));
SEC("xdp") int prog(struct task_struct *task)
{
	return task->pid;
}

#elif defined(CASE_CORE_ASKS)
struct task_struct {
	int pid;
} __attribute__((preserve_access_index));
SEC("xdp") int prog(struct task_struct *task)
{
	return __builtin_preserve_field_info(task->pid, 2);
}

#elif defined(CASE_CORE_MOVED)
struct ethhdr {
	u16 h_proto;
} __attribute__((preserve_access_index));
SEC("xdp") int prog(struct ethhdr *eth)
{
	return eth->h_proto;
}

#elif defined(CASE_CORE_CONTEXT)
SEC("xdp") int prog(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct iphdr *ip = data;

	if (data + sizeof(*ip) > end)
		return 0;
	return ip->ihl + ip->saddr;
}

#elif defined(CASE_TEXT_ONLY)
__noinline int other(int x)
{
	barrier_var(x);
	return x;
}
int entry(void *ctx)
{
	return other(1);
}

#elif defined(CASE_CROSS_SECTION)
SEC("socket") __noinline int callee(struct __sk_buff *skb)
{
	barrier_var(skb);
	return skb->len;
}
SEC("tc") int caller(struct __sk_buff *skb)
{
	return callee(skb) + 1;
}

#elif defined(CASE_EMPTY)
#endif
