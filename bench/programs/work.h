/* SPDX-License-Identifier: MIT */
/*
 * The same source for every engine: as a plugin (an xdp program that works on a packet of
 * WORK_BYTES) and, with WORK_NATIVE, as a C function on the same bytes.
 */
#ifndef WORK_H
#define WORK_H

#define WORK_BYTES 256

#ifdef WORK_NATIVE
typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef unsigned long long __u64;
#define WORK(name)                                                                  \
	static inline __attribute__((always_inline)) __u32 work_##name(__u8 *data); \
	__u32 native_##name(__u8 *data);                                            \
	__u32 native_##name(__u8 *data)                                             \
	{                                                                           \
		return work_##name(data);                                           \
	}                                                                           \
	static inline __attribute__((always_inline)) __u32 work_##name(__u8 *data)
#else
#include <tenon/plugin.h>
#define WORK(name)                                                                        \
	static __always_inline __u32 work_##name(__u8 *data);                             \
	SEC("xdp") int name(struct xdp_md *ctx)                                           \
	{                                                                                 \
		void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end; \
		if (data + WORK_BYTES > end)                                              \
			return 0;                                                         \
		return work_##name(data);                                                 \
	}                                                                                 \
	char _license[] SEC("license") = "MIT";                                           \
	static __always_inline __u32 work_##name(__u8 *data)
#endif

#endif
