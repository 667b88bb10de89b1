/* SPDX-License-Identifier: MIT */
/*
 * Short names for the explicit C11 atomics. A plain `=` on an _Atomic is a hidden seq_cst, so
 * every access in Tenon says its order. An order stronger than relaxed carries a comment that
 * names its partner.
 */
#ifndef TN_BASE_ATOMIC_H
#define TN_BASE_ATOMIC_H

#include <stdatomic.h>
#include <stdint.h>

#define tn_load_relaxed(p)	  atomic_load_explicit((p), memory_order_relaxed)
#define tn_load_acquire(p)	  atomic_load_explicit((p), memory_order_acquire)
#define tn_store_relaxed(p, v)	  atomic_store_explicit((p), (v), memory_order_relaxed)
#define tn_store_release(p, v)	  atomic_store_explicit((p), (v), memory_order_release)
#define tn_exchange_acq_rel(p, v) atomic_exchange_explicit((p), (v), memory_order_acq_rel)
#define tn_add_relaxed(p, v)	  atomic_fetch_add_explicit((p), (v), memory_order_relaxed)
#define tn_add_acq_rel(p, v)	  atomic_fetch_add_explicit((p), (v), memory_order_acq_rel)
#define tn_sub_acq_rel(p, v)	  atomic_fetch_sub_explicit((p), (v), memory_order_acq_rel)
#define tn_cas_acq_rel(p, expected, v)                                                      \
	atomic_compare_exchange_strong_explicit((p), (expected), (v), memory_order_acq_rel, \
						memory_order_acquire)
#define tn_fence_seq_cst() atomic_thread_fence(memory_order_seq_cst)

/* Keeps the compiler from moving memory accesses across; the CPU may. */
#define tn_compiler_barrier() atomic_signal_fence(memory_order_seq_cst)

#if defined(__SANITIZE_THREAD__)
#define TN_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define TN_TSAN 1
#endif
#endif
#ifndef TN_TSAN
#define TN_TSAN 0
#endif

#endif
