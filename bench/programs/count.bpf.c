/* SPDX-License-Identifier: MIT */
/* For the verify bench: a loop of 13 instructions to a million, which has to be proved, not run. */
#include <tenon/plugin.h>

SEC("xdp") int count(struct xdp_md *ctx)
{
	__u8 *p = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u32 hash = 1;

	if (p + 64 > end)
		return XDP_PASS;
	for (__u32 i = 0; i < 1000000; i++) {
		hash = (hash ^ p[i & 63]) * 16777619;
		hash -= i;
		hash ^= 0x5bd1;
		hash += 9;
	}
	return hash & 1 ? XDP_DROP : XDP_PASS;
}

char _license[] SEC("license") = "MIT";
