/* SPDX-License-Identifier: MIT */
/* A packet load past the packet's end ends the program, which holds a reference then; and global
 * functions, which are proved on their own. */
#include <tenon/plugin.h>

struct conn;
extern struct conn *must_get(__u32 kind) __ksym;
extern void put(struct conn *conn) __ksym;

__u64 load_byte(void *skb, __u64 off) __asm__("llvm.bpf.load.byte");

SEC("tc") int load_while_holding(struct __sk_buff *skb)
{
	struct conn *conn = must_get(1);
	__u64 byte = load_byte(skb, 80);

	put(conn);
	return (int)byte;
}

struct test_ctx {
	__u32 in, out;
};

__attribute__((noinline)) __u32 inner(__u32 rounds)
{
	struct conn *conn = must_get(2);
	__u32 odd = 0;

	for (__u32 i = 0; i < rounds; i++) {
		__asm__ volatile("" : "+r"(i));
		odd ^= i;
	}
	put(conn);
	return odd;
}

__attribute__((noinline)) __u32 outer(__u32 rounds)
{
	struct conn *conn = must_get(3);
	__u32 odd = inner(rounds) + inner(rounds + 1);

	put(conn);
	return odd;
}

SEC("hook/h") int hold_over_globals(struct test_ctx *ctx)
{
	struct conn *conn = must_get(1);

	ctx->out = outer(ctx->in);
	put(conn);
	return 0;
}

char _license[] SEC("license") = "MIT";
