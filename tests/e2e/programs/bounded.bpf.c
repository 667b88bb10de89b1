/* SPDX-License-Identifier: MIT */
/*
 * Programs that would run for years: three nested loops of 2^23, three nested bpf_loop callbacks,
 * and a chain of tail calls around such loops. Fuel ends them. And a bare self tail call, which
 * ends by itself after 33.
 */
#include <tenon/plugin.h>

#define ROUNDS (1u << 23)

struct work {
	__u64 rounds;
};

int tail_loops(struct work *ctx);
int tail_self(struct work *ctx);
int tail_chain(struct work *ctx);

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 4);
	__uint(key_size, sizeof(__u32));
	__array(values, int(void *));
} next SEC(".maps") = {
	.values = { [0] = (void *)&tail_loops,
		    [1] = (void *)&tail_self,
		    [2] = (void *)&tail_chain },
};

SEC("hook/work")
int nested_loops(struct work *ctx)
{
	__u64 rounds = 0;

	for (__u32 i = 0; i < ROUNDS; i++)
		for (__u32 j = 0; j < ROUNDS; j++)
			for (__u32 k = 0; k < ROUNDS; k++) {
				rounds++;
				barrier_var(rounds);
			}
	ctx->rounds = rounds;
	return 1;
}

static long count(__u32 i, void *p)
{
	*(__u64 *)p += 1;
	return 0;
}

static long inner(__u32 i, void *p)
{
	bpf_loop(ROUNDS, count, p, 0);
	return 0;
}

static long outer(__u32 i, void *p)
{
	bpf_loop(ROUNDS, inner, p, 0);
	return 0;
}

SEC("hook/work")
int nested_callbacks(struct work *ctx)
{
	__u64 rounds = 0;

	bpf_loop(ROUNDS, outer, &rounds, 0);
	ctx->rounds = rounds;
	return 1;
}

/* Each program of the chain has a long loop of its own; one budget spans them all. */
SEC("hook/work")
int tail_loops(struct work *ctx)
{
	__u64 rounds = 0;

	for (__u32 i = 0; i < ROUNDS; i++)
		for (__u32 j = 0; j < ROUNDS; j++) {
			rounds++;
			barrier_var(rounds);
		}
	ctx->rounds += rounds;
	bpf_tail_call(ctx, &next, 0);
	return 2;
}

/* A loop that fits the budget alone, and would not 33 times. */
SEC("hook/work")
int tail_chain(struct work *ctx)
{
	__u64 rounds = 0;

	for (__u32 i = 0; i < 4000000; i++) {
		rounds++;
		barrier_var(rounds);
	}
	ctx->rounds += rounds;
	bpf_tail_call(ctx, &next, 2);
	return 3;
}

SEC("hook/work")
int tail_self(struct work *ctx)
{
	ctx->rounds++;
	bpf_tail_call(ctx, &next, 1);
	return 4;
}

char _license[] SEC("license") = "GPL";
