// SPDX-License-Identifier: MIT
/* Servers in turn. */
#include <tenon/plugin.h>

#include "balance.h"

SEC("struct_ops/pick")
u32 BPF_PROG(pick, struct balance *b)
{
	return b->turn++ % NR_SERVERS;
}

SEC("struct_ops/tell")
u32 BPF_PROG(tell)
{
	return 1;
}

SEC(".struct_ops.link")
struct balance_ops round_robin = {
	.name = "round robin",
	.version = 1,
	.pick = (void *)pick,
	.tell = (void *)tell,
};

char _license[] SEC("license") = "MIT";
