/* SPDX-License-Identifier: MIT */
/*
 * For the verify bench: a random forest. Every tree has 32 leaves with weights of their own, and
 * all of its paths meet before the next tree.
 */
#include <tenon/plugin.h>

#define FEATURES 64

/* A constant that depends on the node. */
#define MIX(n) ((__u32)(((n)*2654435761u) >> 7))
/* Read anew at every node: the paths know nothing of each other's tests. */
#define FEATURE(n) (*(volatile __u8 *)(p + MIX(n) % FEATURES))
#define LIMIT(n)   (MIX((n) + 7919) & 0xff)

#define LEAF(n)	 (score += (int)FEATURE((n) + 1) * ((int)(MIX(n) % 199) - 99))
#define N1(n)	 (FEATURE(n) > LIMIT(n) ? LEAF(2 * (n)) : LEAF(2 * (n) + 1))
#define N2(n)	 (FEATURE(n) > LIMIT(n) ? N1(2 * (n)) : N1(2 * (n) + 1))
#define N3(n)	 (FEATURE(n) > LIMIT(n) ? N2(2 * (n)) : N2(2 * (n) + 1))
#define N4(n)	 (FEATURE(n) > LIMIT(n) ? N3(2 * (n)) : N3(2 * (n) + 1))
#define TREE(at) (FEATURE(at) > LIMIT(at) ? N4((at) + 1000) : N4((at) + 2000))

SEC("xdp") int forest(struct xdp_md *ctx)
{
	__u8 *p = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	int score = 0;

	if (p + FEATURES > end)
		return XDP_PASS;
	TREE(11);
	TREE(23);
	TREE(37);
	TREE(41);
	TREE(59);
	TREE(61);
	TREE(73);
	TREE(89);
	TREE(97);
	TREE(101);
	TREE(113);
	TREE(127);
	TREE(139);
	TREE(149);
	TREE(151);
	TREE(163);
	TREE(173);
	TREE(181);
	TREE(191);
	TREE(197);
	TREE(211);
	TREE(223);
	TREE(227);
	TREE(229);
	TREE(233);
	TREE(239);
	TREE(241);
	TREE(251);
	TREE(257);
	TREE(263);
	TREE(269);
	TREE(271);
	return score > 0 ? XDP_DROP : XDP_PASS;
}

char _license[] SEC("license") = "MIT";
