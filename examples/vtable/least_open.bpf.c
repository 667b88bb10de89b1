// SPDX-License-Identifier: MIT
/* The server with the fewest connections for its weight. */
#include <tenon/plugin.h>

#include "balance.h"

u64 closed_here;

SEC("struct_ops/pick")
u32 BPF_PROG(pick, struct balance *b)
{
	u64 open = b->servers[0].open, weight = b->servers[0].weight;
	u32 best = 0;

	/* Each place is a constant of its own: reads through `b` are proved by offset. */
#define TRY(i)                                                           \
	if (b->servers[i].open * weight < open * b->servers[i].weight) { \
		open = b->servers[i].open;                               \
		weight = b->servers[i].weight;                           \
		best = i;                                                \
	}
	TRY(1)
	TRY(2)
	TRY(3)
	return best;
}

SEC("struct_ops/tell")
u32 BPF_PROG(tell)
{
	return 2;
}

SEC("struct_ops/closed")
void BPF_PROG(closed, struct balance *b, u32 server)
{
	__sync_fetch_and_add(&closed_here, 1);
}

SEC(".struct_ops.link")
struct balance_ops least_open = {
	.name = "least open",
	.version = 2,
	.pick = (void *)pick,
	.tell = (void *)tell,
	.closed = (void *)closed,
};

char _license[] SEC("license") = "MIT";
