// SPDX-License-Identifier: MIT
/* Data as text, traces, filters. */
#include <tenon/plugin.h>

struct test_ctx {
	u32 in, out;
};

struct point {
	int x, y;
	char name[8];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, char[256]);
} text SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_STACK_TRACE);
	__uint(max_entries, 64);
	__uint(key_size, 4);
	__uint(value_size, 8 * 32);
} traces SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_BLOOM_FILTER);
	__uint(max_entries, 100);
	__uint(map_extra, 3);
	__type(value, u64);
} seen SEC(".maps");

static char *text_of(void)
{
	u32 key = 0;

	return bpf_map_lookup_elem(&text, &key);
}

SEC("hook/test")
int show(struct test_ctx *ctx)
{
	struct point p = { .x = (int)ctx->in, .y = -1, .name = "here" };
	struct btf_ptr ptr = { .ptr = &p };
	char *to = text_of();

	ptr.type_id = __builtin_btf_type_id(*(struct point *)0, 0) | TENON_BTF_LOCAL;
	return to ? (int)bpf_snprintf_btf(to, 256, &ptr, sizeof(ptr), BTF_F_COMPACT) : -1;
}

/* A type that is larger than what is there. */
SEC("?hook/test")
int show_beyond(struct test_ctx *ctx)
{
	struct btf_ptr ptr = {};
	char *to = text_of();

	if (!to)
		return -1;
	ptr.ptr = to + 241;
	ptr.type_id = __builtin_btf_type_id(*(struct point *)0, 0) | TENON_BTF_LOCAL;
	return to ? (int)bpf_snprintf_btf(to, 256, &ptr, sizeof(ptr), BTF_F_COMPACT) : -1;
}

/* A number for an address. */
SEC("?hook/test")
int show_anywhere(struct test_ctx *ctx)
{
	struct btf_ptr ptr = { .ptr = (void *)(long)ctx->in };
	char *to = text_of();

	ptr.type_id = __builtin_btf_type_id(*(struct point *)0, 0) | TENON_BTF_LOCAL;
	return to ? (int)bpf_snprintf_btf(to, 256, &ptr, sizeof(ptr), BTF_F_COMPACT) : -1;
}

/* Which type, only the run tells. */
SEC("?hook/test")
int show_any_type(struct test_ctx *ctx)
{
	struct point p = { .x = 1 };
	struct btf_ptr ptr = { .ptr = &p };
	char *to = text_of();

	ptr.type_id = ctx->in;
	return to ? (int)bpf_snprintf_btf(to, 256, &ptr, sizeof(ptr), BTF_F_COMPACT) : -1;
}

/* Stack that holds an address, behind a pointer that stands in the stack. */
SEC("?hook/test")
int show_address(struct test_ctx *ctx)
{
	u64 words[2];
	struct btf_ptr ptr = { .ptr = words };
	char *to = text_of();

	*(void *volatile *)&words[0] = ctx;
	*(volatile u64 *)&words[1] = 0;
	ptr.type_id = __builtin_btf_type_id(*(struct point *)0, 0) | TENON_BTF_LOCAL;
	return to ? (int)bpf_snprintf_btf(to, 256, &ptr, sizeof(ptr), BTF_F_COMPACT) : -1;
}

SEC("?hook/test")
int trace(struct test_ctx *ctx)
{
	return (int)bpf_get_stackid(ctx, &traces, BPF_F_USER_STACK);
}

SEC("?hook/test")
int trace_again(struct test_ctx *ctx)
{
	return (int)bpf_get_stackid(ctx, &traces, BPF_F_USER_STACK | ctx->in);
}

SEC("?hook/test")
int stack(struct test_ctx *ctx)
{
	char *to = text_of();

	return to ? (int)bpf_get_stack(ctx, to, 256, BPF_F_USER_STACK) : -1;
}

SEC("?hook/test")
int was_seen(struct test_ctx *ctx)
{
	u64 value = ctx->in;
	int rc = (int)bpf_map_peek_elem(&seen, &value);

	bpf_map_push_elem(&seen, &value, 0);
	return rc;
}

char _license[] SEC("license") = "GPL";
