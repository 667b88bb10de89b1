/* SPDX-License-Identifier: MIT */
/* Records of enumerators. */
#include "core/types.h"

enum { EXISTS, VALUE };

#define ENUM(type, name)                                                               \
	SEC("core") u64 enum_##name(void *ctx)                                         \
	{                                                                              \
		u64 sum = __builtin_preserve_enum_value(*(enum type *)name, EXISTS);   \
                                                                                       \
		barrier_var(sum);                                                      \
		return sum + __builtin_preserve_enum_value(*(enum type *)name, VALUE); \
	}

ENUM(state, ST_NEW)
ENUM(state, ST_OPEN)
ENUM(state, ST_CLOSED)
ENUM(state, ST_LOST)
ENUM(state___gone, ST_FORGOTTEN___gone)
#if __clang_major__ >= 15
ENUM(big, BIG_ONE)
ENUM(big, BIG_HUGE)
#endif
ENUM(high, HIGH_LOW)

char _license[] SEC("license") = "MIT";
