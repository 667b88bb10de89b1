/* SPDX-License-Identifier: MIT */
/* Maps of stack traces: programs put in where they were called from and get a number, the host
 * looks the addresses up by it. */
#ifndef TN_MAPS_STACK_TRACE_H
#define TN_MAPS_STACK_TRACE_H

#include "maps/map.h"

/* The kernel's default, sysctl kernel.perf_event_max_stack. */
#define TN_STACK_MAX_DEPTH 127u

/* Flags of bpf_get_stackid() and bpf_get_stack(). */
#define TN_STACK_SKIP	  0xffu /* innermost frames to leave out */
#define TN_STACK_USER	  (1u << 8)
#define TN_STACK_FAST_CMP (1u << 9) /* equal hashes will do */
#define TN_STACK_REUSE	  (1u << 10)
#define TN_STACK_BUILD_ID (1u << 11)

/* The number of a trace of 1..value_size / 8 addresses. -EEXIST: another has it, and flags lack
 * TN_STACK_REUSE; -ENOMEM: the map is full. From programs. */
int64_t tn_stack_trace_put(struct tn_map *map, const uint64_t *ips, uint32_t nr, uint64_t flags);

#endif
