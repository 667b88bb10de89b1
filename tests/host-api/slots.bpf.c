// SPDX-License-Identifier: MIT
/* Many branches that differ in an array of the stack, and a loop that reads it: to tell all of them
 * apart takes more memory than there is, and to tell none leaves the loop without a bound. */
#include <tenon/plugin.h>

#define SLOTS 48

SEC("xdp")
int newest(struct xdp_md *ctx)
{
	__u8 *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u64 seen[SLOTS] = { 0 }, sum = 0, at = ctx->rx_queue_index;

	if (data + 170 > end)
		return XDP_PASS;
#pragma clang loop unroll(full)
	for (int i = 0; i < 170; i++) {
		if (data[i] > 127)
			seen[i % SLOTS] = at;
		at++;
		asm volatile("" : "+r"(at) : : "memory");
	}
	for (int i = 0; i < SLOTS; i++)
		sum += seen[i] * (i + 1);
	asm volatile("" : : "r"(seen) : "memory");
	return sum & 1 ? XDP_DROP : XDP_PASS;
}
