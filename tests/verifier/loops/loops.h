/* SPDX-License-Identifier: MIT */
/* What the loops see of the host that loops.host describes. */
#ifndef LOOPS_H
#define LOOPS_H

#include <tenon/plugin.h>

struct scan {
	const __u8 *buf;
	__u32 len, count;
	__u8 *out;
	__u64 out_len;
	const __u8 *first, *last; /* the same bytes again, by their end */
	__u32 flags, limit;
};

#define LOOP(ctx)                                 \
	char _license[] SEC("license") = LICENSE; \
	SEC("hook/scan") int loop(struct scan *ctx)
#define PACKET_LOOP(ctx)                          \
	char _license[] SEC("license") = LICENSE; \
	SEC("xdp") int loop(struct xdp_md *ctx)

#ifndef LICENSE
#define LICENSE "MIT"
#endif

/* Keep clang from computing the loop itself. */
#define OPAQUE(x) asm volatile("" : "+r"(x))

#endif
