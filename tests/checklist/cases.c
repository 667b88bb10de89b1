/* SPDX-License-Identifier: MIT */
/*
 * Small plugins, one per CASE_...: what each row of the checklist asks for, and what it refuses.
 * Not named .bpf.c, since it is compiled once per case (CMakeLists.txt) and not by itself.
 */
#include <tenon/plugin.h>

struct call {
	u32 number, verdict;
};

#define PROG(...)                                   \
	SEC("hook/call") int prog(struct call *ctx) \
	{                                           \
		__VA_ARGS__;                        \
	}

#ifndef CASE_NO_LICENSE
char _license[] SEC("license") = "GPL";
#endif

#if defined(CASE_PLAIN)
int zero_global;
PROG(return zero_global + ctx->number)

#elif defined(CASE_NO_LICENSE)
PROG(bpf_printk("needs GPL"); return 0)

#elif defined(CASE_FOUR_IN_ONE)
PROG(return 1)
SEC("hook/call") int prog2(struct call *ctx)
{
	return 2;
}
SEC("hook/call") int prog3(struct call *ctx)
{
	return 3;
}
SEC("hook/call") int prog4(struct call *ctx)
{
	return 4;
}

#elif defined(CASE_JUMPS)
int second(struct call *ctx);
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 4);
	__uint(key_size, sizeof(u32));
	__array(values, int(struct call *));
} jumps SEC(".maps") = { .values = { [2] = &second } };
PROG(bpf_tail_call(ctx, &jumps, ctx->number); return 1)
SEC("hook/call") int second(struct call *ctx)
{
	return 20;
}

#elif defined(CASE_UNKNOWN_SECTION)
SEC("nothing/known") int prog(void *ctx)
{
	return 0;
}

#elif defined(CASE_OLD_MAPS)
struct {
	u32 type, key_size, value_size, max_entries, map_flags;
} first SEC("maps") = { BPF_MAP_TYPE_ARRAY, 4, 8, 1, 0 }, second SEC("maps") = { BPF_MAP_TYPE_HASH,
										 4, 8, 4, 0 };
PROG(u32 k = 0; u64 v = 7, *p; bpf_map_update_elem(&first, &k, &v, 0);
     bpf_map_update_elem(&second, &k, &v, 0); p = bpf_map_lookup_elem(&second, &k);
     return p ? *p : 0)

#elif defined(CASE_OLD_MAPS_LONG)
struct {
	u32 type, key_size, value_size, max_entries, map_flags, inner, numa;
} first SEC("maps") = { BPF_MAP_TYPE_ARRAY, 4, 8, 1, 0, 0, 0 };
PROG(u32 k = 0; return bpf_map_lookup_elem(&first, &k) != NULL)

#elif defined(CASE_OLD_MAPS_SET)
struct {
	u32 type, key_size, value_size, max_entries, map_flags, inner, numa;
} first SEC("maps") = { BPF_MAP_TYPE_ARRAY, 4, 8, 1, 0, 0, 9 };
PROG(u32 k = 0; return bpf_map_lookup_elem(&first, &k) != NULL)

#elif defined(CASE_OLD_MAPS_SHORT)
u32 SEC("maps") first[3] = { BPF_MAP_TYPE_ARRAY, 4, 8 };

#elif defined(CASE_PIN)
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u64);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} shared SEC(".maps");
PROG(u32 k = 0; u64 *v = bpf_map_lookup_elem(&shared, &k); return v ? ++*v : 0)

#elif defined(CASE_PIN_OTHER)
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__uint(value_size, 24);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} shared SEC(".maps");
PROG(u32 k = 0; return bpf_map_lookup_elem(&shared, &k) != NULL)

#elif defined(CASE_PIN_REJECTED)
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u64);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} shared SEC(".maps");
PROG(u32 k = ctx->number; u64 *v = bpf_map_lookup_elem(&shared, &k); return *v)

#elif defined(CASE_STATIC_AND_HIDDEN)
static volatile int one = 1, two = 2;
__hidden int three = 3;
PROG(return one + two * 10 + three * 100)

#elif defined(CASE_RODATA_STRINGS)
PROG(char out[16]; return BPF_SNPRINTF(out, sizeof(out), "%d rooms", 12))

#elif defined(CASE_CONFIG)
extern int CONFIG_NUMBER __kconfig __weak;
extern u8 CONFIG_BYTE __kconfig __weak;
extern s8 CONFIG_SIGNED __kconfig __weak;
extern u64 CONFIG_BIG __kconfig __weak;
extern bool CONFIG_BOOL __kconfig __weak;
extern char CONFIG_CHAR __kconfig __weak;
extern enum libbpf_tristate CONFIG_TRI __kconfig __weak;
extern char CONFIG_TEXT[4] __kconfig __weak;
PROG(switch (ctx->number) {
case 0:
	return CONFIG_NUMBER;
case 1:
	return CONFIG_BYTE;
case 2:
	return CONFIG_SIGNED;
case 3:
	return CONFIG_BIG >> 32;
case 4:
	return CONFIG_BOOL;
case 5:
	return CONFIG_CHAR;
case 6:
	return CONFIG_TRI;
case 7:
	return CONFIG_TEXT[0] << 16 | CONFIG_TEXT[2] << 8 | CONFIG_TEXT[3];
} return 0)

#elif defined(CASE_CONFIG_STRONG)
extern int CONFIG_STRONG __kconfig;
PROG(return CONFIG_STRONG)

#elif defined(CASE_CONFIG_TEXT_VERSION)
extern char LINUX_KERNEL_VERSION[256] __kconfig;
PROG(return LINUX_KERNEL_VERSION[0])

#elif defined(CASE_KSYM_VAR)
extern const struct {
	u32 a, b;
} host_pair __ksym;
PROG(return host_pair.a * 10 + host_pair.b)

#elif defined(CASE_KSYM_STRUCT)
struct pair {
	u32 a, b;
};
extern const struct pair typed_pair __ksym;
extern u64 pair_sum(const struct pair *p) __ksym;
PROG(return typed_pair.a * 100 + pair_sum(&typed_pair))

#elif defined(CASE_KSYM_STRUCT_WRITE)
struct pair {
	u32 a, b;
};
extern struct pair typed_pair __ksym;
PROG(typed_pair.a = 6; return typed_pair.a)

#elif defined(CASE_KSYM_STRUCT_HIDDEN)
struct pair {
	u32 a, b;
};
extern const struct pair typed_pair __ksym;
PROG(return typed_pair.b)

#elif defined(CASE_KSYM_VAR_LARGER)
extern const struct {
	u32 a, b, c;
} host_pair __ksym;
PROG(return host_pair.c)

#elif defined(CASE_KSYM_VAR_OUTSIDE)
extern const u32 host_pair __ksym;
PROG(return *(&host_pair + 2 + (ctx->number & 1)))

#elif defined(CASE_KSYM_VAR_WRITE)
extern u64 host_pair __ksym;
PROG(host_pair = 1; return 0)

#elif defined(CASE_KSYM_VAR_POINTER)
extern u64 host_counter __ksym;
PROG(host_counter = (u64)ctx; return 0)

#elif defined(CASE_KSYM_ADDRESS)
extern const void host_object __ksym;
PROG(return (u64)&host_object)

#elif defined(CASE_KSYM_ADDRESS_READ)
extern const void host_object __ksym;
PROG(return *(const u8 *)&host_object)

#elif defined(CASE_KSYM_MISSING)
extern const int host_nowhere __ksym;
PROG(return host_nowhere)

#elif defined(CASE_KSYM_WEAK)
extern const int host_nowhere __ksym __weak;
extern int host_nothing(int) __ksym __weak;
extern int host_add(int, int) __ksym __weak;
PROG(if (&host_nowhere) return host_nowhere; if (host_nothing) return host_nothing(1);
     return host_add ? host_add(40, 2) : 0)

#elif defined(CASE_KSYM_WEAK_REACHED)
extern const int host_nowhere __ksym __weak;
PROG(return host_nowhere)

#elif defined(CASE_KSYM_FUNC_MISSING)
extern int host_nothing(int) __ksym;
PROG(return host_nothing(1))

#elif defined(CASE_PLAIN_EXTERN)
extern int elsewhere;
PROG(return elsewhere)

#elif defined(CASE_CROSS)
__noinline int in_text(int x)
{
	barrier_var(x);
	return x + 1;
}
SEC("hook/other") __noinline int in_other(struct call *ctx)
{
	barrier_var(ctx);
	return ctx->number * 10;
}
PROG(return in_other(ctx) + in_text(1))

#elif defined(CASE_WEAK_FUNC)
__weak __noinline int maybe(int x)
{
	barrier_var(x);
	return x * 2;
}
PROG(return maybe(ctx->number))

#elif defined(CASE_CALLBACK)
static int each(u32 i, void *sum)
{
	*(u64 *)sum += i;
	return 0;
}
PROG(u64 sum = 0; bpf_loop(ctx->number & 7, each, &sum, 0); return sum)

#elif defined(CASE_LINES)
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u64);
} numbers SEC(".maps");
static __noinline int in_subprogram(u32 k)
{
	u64 *v = bpf_map_lookup_elem(&numbers, &k);

	barrier_var(k);
	return *v; /* the line of the mistake */
}
PROG(return in_subprogram(ctx->number))

#elif defined(CASE_AUTOLOAD)
PROG(return 1)
SEC("?hook/call") int off(struct call *ctx)
{
	return 2;
}
SEC("hook/call") int broken(struct call *ctx)
{
	u64 x = (u64)ctx;

	return *(int *)(x + 4096);
}

#elif defined(CASE_AUTOCREATE)
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1000000);
	__type(key, u32);
	__type(value, u64[64]);
} large SEC(".maps");
const volatile bool use_large;
PROG(u32 k = 0; if (use_large) return bpf_map_lookup_elem(&large, &k) != NULL; return 5)

#elif defined(CASE_ENTRIES)
struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__uint(key_size, 4);
	__uint(value_size, 4);
} events SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 5000);
} ring SEC(".maps");
PROG(return 0)

#elif defined(CASE_LINK_A)
extern int linked_variable;
int linked_function(int x);
static volatile int own = 5;
PROG(return linked_function(ctx->number) + linked_variable + own)

#elif defined(CASE_LINK_B)
int linked_variable = 1000;
static volatile int own = 70;
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u64);
} counts SEC(".maps");
__noinline int linked_function(int x)
{
	u32 k = 0;
	u64 *v = bpf_map_lookup_elem(&counts, &k);

	if (v)
		++*v;
	return x + own;
}

#elif defined(CASE_PROBES)
SEC("uprobe/libc.so.6:malloc@GLIBC_2.2.5+0x4") int in_file(void *ctx)
{
	return 0;
}
SEC("uretprobe/readline") int only_named(void *ctx)
{
	return 0;
}

#elif defined(CASE_PROBE_BAD)
SEC("uprobe/libc.so.6:malloc+0xg") int prog(void *ctx)
{
	return 0;
}

#elif defined(CASE_PROBE_USDT_BAD)
SEC("usdt/libc.so.6:libc") int prog(void *ctx)
{
	return 0;
}

#elif defined(CASE_TAGS)
struct pair {
	u32 a, b;
};
__noinline int with_ctx(void *ctx __arg_ctx, struct pair *p __arg_nonnull)
{
	barrier_var(ctx);
	return ((struct call *)ctx)->number + p->a;
}
PROG(struct pair p = { 7, 8 }; return with_ctx(ctx, &p))

#elif defined(CASE_NAMES)
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u64);
} a_map_with_a_name_longer_than_15 SEC(".maps");
int zero_global;
PROG(u32 k = 0; bpf_map_lookup_elem(&a_map_with_a_name_longer_than_15, &k); return zero_global)
#endif
