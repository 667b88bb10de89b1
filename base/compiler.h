/* SPDX-License-Identifier: MIT */
/* Attributes and small macros that every folder uses. */
#ifndef TN_BASE_COMPILER_H
#define TN_BASE_COMPILER_H

#include <assert.h>
#include <stddef.h>

#define TN_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define TN_WARN_UNUSED	     __attribute__((warn_unused_result))
#define TN_COLD		     __attribute__((cold, noinline))
#define TN_NOINLINE	     __attribute__((noinline))
#define TN_ALWAYS_INLINE     inline __attribute__((always_inline))
#define TN_ALIGNED(n)	     __attribute__((aligned(n)))
#define tn_likely(x)	     __builtin_expect(!!(x), 1)
#define tn_unlikely(x)	     __builtin_expect(!!(x), 0)

#define TN_ARRAY_SIZE(a)	  (sizeof(a) / sizeof((a)[0]))
#define TN_MIN(a, b)		  ((a) < (b) ? (a) : (b))
#define TN_MAX(a, b)		  ((a) > (b) ? (a) : (b))
#define TN_ROUND_UP(x, to)	  (((x) + (to)-1) / (to) * (to))
#define TN_CONTAINER_OF(p, T, mb) ((T *)(void *)((char *)(p)-offsetof(T, mb)))

/* tn_assert states what our own code guarantees; it is on unless NDEBUG. What a caller or a file
 * can violate is an error return instead. */
#define tn_assert(x) assert(x)
#ifdef TN_EXPENSIVE_ASSERTS
#define tn_assert_expensive(x) assert(x)
#else
#define tn_assert_expensive(x) ((void)0)
#endif

#endif
