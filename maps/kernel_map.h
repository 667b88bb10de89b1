/* SPDX-License-Identifier: MIT */
/*
 * Maps of the kernel, handed in by descriptor, so that kernel programs and plugins share data.
 *
 * - Arrays with BPF_F_MMAPABLE are mapped: to programs and to the host they are arrays like any
 *   other (type ARRAY), in memory that kernel programs use too.
 * - Other arrays, hash tables, LRU tables and tries are TN_MAP_KERNEL: every call is a system call.
 *   A program's lookup gives a copy, which it may read and not write.
 * - Those with a value for each CPU are TN_MAP_KERNEL_PERCPU: for the host alone, since a thread
 *   slot is no CPU.
 * - Ring buffers are TN_MAP_KERNEL_RING: consumed through the kernel's mapping, by the host alone.
 *
 * The types are numbers of their own, so that nobody takes such a map for the memory of a map type
 * here: TN_MAP_KERNEL stands in the masks of helpers, the others are beyond all of them.
 */
#ifndef TN_MAPS_KERNEL_MAP_H
#define TN_MAPS_KERNEL_MAP_H

#include "maps/map.h"

/* A map upon the kernel's; `fd` is duplicated. name: NULL, the kernel's. NULL, errno and words:
 * EBADF (no map), EPERM, ENOTSUP (a type or a value that cannot be shared), ENOMEM, E2BIG. */
struct tn_map *tn_kernel_map(struct tn_rt *rt, int fd, const char *name);

/* The descriptor behind a TN_MAP_KERNEL... map: a ring's is readable when there is something to
 * consume. Borrowed. */
int tn_kernel_map_fd(const struct tn_map *map);

/* As tn_ringbuf_consume(). -EPROTO: the positions make no sense, somebody else wrote them. */
int tn_kernel_ring_consume(struct tn_map *map, int (*fn)(void *user, void *data, size_t size),
			   void *user);

#endif
