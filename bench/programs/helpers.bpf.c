/* SPDX-License-Identifier: MIT */
/* CALLS calls a run of one callee: of the program, of the host directly, of the host through
 * libffi; a reference taken and given back; and reads through pointers, trusted and not. */
#include <tenon/plugin.h>

#include "helpers_api.h"

#define CALLS 64

struct bench_ctx {
	__u64 a, b;
	struct bench_node *node;
	struct bench_node *nothing; /* untrusted, and NULL */
};

struct pair {
	__u32 x, y;
};

extern long bench_direct(__u64 a, __u32 b) __ksym;
extern long bench_by_value(struct pair *pair) __ksym;
struct thing;
extern struct thing *bench_take(void) __ksym;
extern void bench_give(struct thing *thing) __ksym;
extern void bench_stop(void) __ksym;

static __attribute__((noinline)) __u64 subprogram(__u64 a)
{
	__asm__ volatile("" : "+r"(a));
	return a;
}

#define RUN(name, call)                                     \
	SEC("hook/helpers") int name(struct bench_ctx *ctx) \
	{                                                   \
		__u64 sum = 0;                              \
		struct pair pair = { 1, 2 };                \
		(void)pair;                                 \
		for (__u32 i = 0; i < CALLS; i++)           \
			sum += (call);                      \
		return (int)sum;                            \
	}

RUN(call_none, ({
	    __u64 x = i;
	    __asm__ volatile("" : "+r"(x));
	    x;
    }))
RUN(call_subprogram, subprogram(i))
RUN(call_direct, bench_direct(sum, i))
RUN(call_typed, bench_typed(ctx->node, i))
RUN(call_ffi, bench_by_value(&pair))
/* A reference; and one that is held where the program may end, so that it is noted. */
RUN(call_take_give, ({
	    struct thing *thing = bench_take();
	    bench_give(thing);
	    if (ctx->b == 77)
		    bench_stop();
	    0;
    }))
RUN(call_take_give_noted, ({
	    struct thing *thing = bench_take();
	    if (ctx->b == 77)
		    bench_stop();
	    bench_give(thing);
	    0;
    }))

/* One pointer leads to the next. */
#define WALK(name, first, member)                           \
	SEC("hook/helpers") int name(struct bench_ctx *ctx) \
	{                                                   \
		struct bench_node *node = ctx->first;       \
		for (__u32 i = 0; i < CALLS; i++)           \
			node = node->member;                \
		return (int)node->id;                       \
	}

WALK(read_trusted, node, owner)
WALK(read_untrusted, node, next)
WALK(read_nothing, nothing, next)

char _license[] SEC("license") = "MIT";
