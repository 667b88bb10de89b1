// SPDX-License-Identifier: MIT
/* Four programs of the same length. */
#include <tenon/plugin.h>

struct xdp_md;

#define PROG(name)                                 \
	SEC("xdp") int name(struct xdp_md *ctx)    \
	{                                          \
		u64 sum = 0;                       \
                                                   \
		sum += bpf_get_prandom_u32();      \
		sum ^= bpf_get_prandom_u32() << 3; \
		sum -= bpf_get_prandom_u32() >> 5; \
		sum += bpf_get_prandom_u32() * 7;  \
		return sum & 1;                    \
	}

PROG(first)
PROG(second)
PROG(third)
PROG(fourth)
