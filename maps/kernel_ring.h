/* SPDX-License-Identifier: MIT */
/* A ring buffer of the kernel, seen by its consumer: two mappings of the map's descriptor. */
#ifndef TN_MAPS_KERNEL_RING_H
#define TN_MAPS_KERNEL_RING_H

#include "maps/map.h"

struct tn_kernel_ring {
	_Atomic uint64_t *cons;	   /* a page that the consumer writes */
	const unsigned char *prod; /* a page with the producers' position, then the ring twice */
	uint64_t mask;
	size_t prod_bytes;
	_Atomic uint32_t busy; /* somebody consumes */
};

/* 0 or -errno with words; then tn_kernel_ring_fini(). All zero: fini does nothing. */
int tn_kernel_ring_init(struct tn_kernel_ring *ring, struct tn_map *map, int fd);
void tn_kernel_ring_fini(struct tn_kernel_ring *ring);

/* As tn_kernel_ring_consume(). */
int tn_kernel_ring_take(struct tn_kernel_ring *ring, int (*fn)(void *user, void *data, size_t size),
			void *user);

#endif
