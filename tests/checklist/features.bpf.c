/* SPDX-License-Identifier: MIT */
/*
 * One plugin that uses every feature of the loader. Each program does its part and says in `done`
 * what came out right, a bit for each thing; test_features.c asks for all of them.
 */
#include <tenon/plugin.h>

struct call {
	u32 number, verdict;
};

struct pair {
	u32 a, b;
};

/* What the host had in an older release; features_api.h is the newer one. */
enum shade { SHADE_LIGHT, SHADE_DARK };

struct meter {
	s64 total;
	u32 step;
	u32 kind : 3, level : 5;
	enum shade shade;
	u32 gone;
} __attribute__((preserve_access_index));

struct meter_ops___old {
	s64 (*advance)(struct meter *m, u32 by);
	u32 version;
	char name[8];
	int (*dropped)(void);
	void (*reset)(struct meter *m);
};

struct never {
	int x;
};

#if __clang_major__ >= 15
#define TAGGED __attribute__((btf_type_tag("tag_of_a_type")))
#else
#define TAGGED
#endif

/* ---- Maps ---- */

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, struct pair);
	__type(value, u64);
} by_type SEC(".maps");

static struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__uint(key_size, sizeof(u32));
	__uint(value_size, 16);
	__uint(map_flags, BPF_F_MMAPABLE);
} by_size SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u64);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} pinned SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 100);
} ring SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__uint(key_size, 4);
	__uint(value_size, 4);
} events SEC(".maps");

struct inner {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u64);
} inner_one SEC(".maps"), inner_two SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 3);
	__type(key, u32);
	__array(values, struct inner);
} outer SEC(".maps") = {
	.values = { [0] = &inner_one, [2] = &inner_two },
};

int tail(struct call *ctx);

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 4);
	__uint(key_size, sizeof(u32));
	__array(values, int(struct call *));
} jumps SEC(".maps") = {
	.values = { [3] = &tail },
};

/* As objects were written before BTF described maps. */
struct bpf_map_def {
	u32 type, key_size, value_size, max_entries, map_flags;
};
struct bpf_map_def SEC("maps") old_form = { BPF_MAP_TYPE_ARRAY, 4, 8, 1, 0 };

#ifdef __BPF_FEATURE_ADDR_SPACE_CAST
struct {
	__uint(type, BPF_MAP_TYPE_ARENA);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 2);
} arena SEC(".maps");

u64 __attribute__((address_space(1))) in_arena = 8;
#endif

/* ---- Variables ---- */

u64 done;
u64 TAGGED *tagged __attribute__((btf_decl_tag("tag_of_a_variable")));
int zeroed[4];
static volatile int zeroed_static;
__hidden int hidden_variable = 3;
static volatile int set_static = 7;
int set_by_host = 1;
const volatile int constant = 100;
const volatile int constant_of_host;
int custom SEC(".data.custom") = 5;
const volatile int custom_constant SEC(".rodata.custom") = 6;
int custom_zero SEC(".bss.custom");

/* ---- The host's ---- */

extern int LINUX_KERNEL_VERSION __kconfig;
extern bool LINUX_HAS_SYSCALL_WRAPPER __kconfig;
extern bool LINUX_HAS_BPF_COOKIE __kconfig;
extern bool CONFIG_FEATURE __kconfig;
extern bool CONFIG_ABSENT __kconfig __weak;
extern enum libbpf_tristate CONFIG_MODULE __kconfig;
extern char CONFIG_LETTER __kconfig;
extern int CONFIG_MINUS __kconfig;
extern u64 CONFIG_BIG __kconfig;
extern char CONFIG_NAME[12] __kconfig;

extern int host_add(int a, int b) __ksym;
extern int host_absent(int a) __ksym __weak;
extern const void host_object __ksym;
extern const void host_nowhere __ksym __weak;
extern const struct pair host_pair __ksym;
extern u64 host_counter __ksym;
extern const int host_missing __ksym __weak;

/* ---- Functions ---- */

static __noinline int leaf(int x)
{
	barrier_var(x);
	return x * 3 + zeroed_static;
}

static __noinline int middle(int x)
{
	barrier_var(x);
	return leaf(x) + leaf(x + 1);
}

__noinline int global_sub(int x)
{
	barrier_var(x);
	return middle(x) + hidden_variable;
}

__weak __noinline int weak_sub(int x)
{
	barrier_var(x);
	return x + set_static;
}

__hidden __noinline int hidden_sub(int x)
{
	barrier_var(x);
	return x + 1;
}

__noinline int with_ctx(struct call *ctx __arg_ctx, const struct pair *p __arg_nonnull)
{
	barrier_var(ctx);
	return ctx->number + p->a + p->b;
}

static int each(u32 i, void *sum)
{
	*(int *)sum += leaf(i);
	return 0;
}

#define CHECK(bit, what)                       \
	do {                                   \
		if (what)                      \
			done |= 1ull << (bit); \
	} while (0)

SEC("hook/call")
int use_maps(struct call *ctx)
{
	struct pair k = { 1, 2 };
	u64 one = 1, *v;
	u32 zero = 0, two = 2;
	void *in;

	bpf_map_update_elem(&by_type, &k, &one, BPF_ANY);
	v = bpf_map_lookup_elem(&by_type, &k);
	CHECK(0, v && *v == 1);
	CHECK(1, bpf_map_lookup_elem(&by_size, &zero) != NULL);
	v = bpf_map_lookup_elem(&pinned, &zero);
	if (v)
		++*v;
	CHECK(2, v);
	CHECK(3, !bpf_ringbuf_output(&ring, &one, sizeof(one), 0));
	in = bpf_map_lookup_elem(&outer, &two);
	v = in ? bpf_map_lookup_elem(in, &zero) : NULL;
	if (v)
		*v = 22;
	v = bpf_map_lookup_elem(&inner_two, &zero);
	CHECK(4, v && *v == 22);
	v = bpf_map_lookup_elem(&old_form, &zero);
	if (v)
		*v = 33;
	CHECK(5, v);
	return 0;
}

SEC("hook/call")
int variables(struct call *ctx)
{
	CHECK(8, !zeroed[3] && !custom_zero);
	CHECK(9, hidden_variable == 3 && set_static == 7);
	CHECK(10, set_by_host == 11);
	CHECK(11, constant == 100 && constant_of_host == 200);
	CHECK(12, custom == 5 && custom_constant == 6);
	zeroed[1]++;
	return 0;
}

SEC("hook/call")
int configured(struct call *ctx)
{
	CHECK(16, LINUX_KERNEL_VERSION == 0x060c00);
	CHECK(17, !LINUX_HAS_SYSCALL_WRAPPER && LINUX_HAS_BPF_COOKIE);
	CHECK(18, CONFIG_FEATURE && !CONFIG_ABSENT);
	CHECK(19, CONFIG_MODULE == TRI_MODULE && CONFIG_LETTER == 'n');
	CHECK(20, CONFIG_MINUS == -5 && CONFIG_BIG == 0x123456789ab);
	CHECK(21, CONFIG_NAME[0] == 'h' && CONFIG_NAME[5] == 0);
	return 0;
}

SEC("hook/call")
int host_symbols(struct call *ctx)
{
	CHECK(24, host_add(2, 3) == 5);
	CHECK(25, !host_absent);
	if (host_absent)
		host_absent(1);
	CHECK(26, (long)&host_object != 0 && !&host_nowhere);
	CHECK(27, host_pair.a == 4 && host_pair.b == 5);
	host_counter += 2;
	CHECK(28, host_counter >= 2);
	CHECK(29, !&host_missing);
	return 0;
}

SEC("hook/call")
int functions(struct call *ctx)
{
	struct pair p = { 10, 20 };
	int sum = 0;

	CHECK(32, global_sub(1) == 3 + 6 + 3);
	CHECK(33, weak_sub(1) == 8 && hidden_sub(1) == 2);
	CHECK(34, with_ctx(ctx, &p) == (int)ctx->number + 30);
	bpf_loop(4, each, &sum, 0);
	CHECK(35, sum == 3 * (1 + 2 + 3));
	return 0;
}

SEC("hook/call")
int jump(struct call *ctx)
{
	bpf_tail_call(ctx, &jumps, 3);
	return 0;
}

SEC("hook/never")
int tail(struct call *ctx)
{
	CHECK(40, 1);
	return 0;
}

/* A name that the host made. */
SEC("my_hook/accept")
int own_section(struct call *ctx)
{
	CHECK(41, 1);
	return 0;
}

SEC("?hook/call")
int not_loaded(struct call *ctx)
{
	return host_missing;
}

SEC("xdp")
int packet(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;

	if (data + 14 > end)
		return XDP_DROP;
	CHECK(42, 1);
	return XDP_PASS;
}

/* ---- What the host's types are ---- */

SEC("hook/call")
int relocated(struct call *ctx)
{
	struct meter *m = NULL;

	CHECK(48, bpf_core_field_offset(m->total) == 16 && bpf_core_field_size(m->step) == 2);
	CHECK(49, bpf_core_field_exists(m->kind) && !bpf_core_field_exists(m->gone));
	CHECK(50, bpf_core_type_exists(struct meter) && !bpf_core_type_exists(struct never));
	CHECK(51, bpf_core_type_size(struct meter) == 32);
	CHECK(52, bpf_core_enum_value(enum shade, SHADE_DARK) == 9);
	CHECK(53, bpf_core_type_id_local(struct meter) && bpf_core_type_id_kernel(struct meter));
	if (bpf_core_field_exists(m->gone))
		return m->gone; /* poisoned, and never reached */
#ifdef __BPF_FEATURE_ADDR_SPACE_CAST
	CHECK(54, ++in_arena == 9);
#endif
	return 0;
}

SEC("struct_ops/advance")
s64 BPF_PROG(advance, struct meter *m, u32 by)
{
	m->total += by * m->step + BPF_CORE_READ_BITFIELD(m, level);
	return m->total;
}

SEC(".struct_ops.link")
struct meter_ops___old meters = {
	.advance = (void *)advance,
	.version = 7,
	.name = "older",
};

char _license[] SEC("license") = "Dual MIT/GPL";
u32 _version SEC("version") = 0x060c00;
