/* SPDX-License-Identifier: MIT */
/*
 * User ring buffers: samples from the host to programs. Any thread of the host reserves, fills and
 * submits; a program drains them in order, one firing at a time.
 */
#ifndef TN_MAPS_USER_RINGBUF_H
#define TN_MAPS_USER_RINGBUF_H

#include "maps/map.h"

/* Of one drain, as in the kernel. */
#define TN_URB_MAX_SAMPLES (128u * 1024)

/* For producers. `size` bytes aligned to 8, or NULL, errno E2BIG (never fits) or ENOSPC (not now).
 * What is reserved is submitted or discarded, with the map it came from. In a forked child, what
 * other threads than the forking one had reserved is discarded: not by anybody there. */
void *tn_user_ringbuf_reserve(struct tn_map *map, uint32_t size);
void tn_user_ringbuf_submit(struct tn_map *map, void *sample, bool discard);

/* For a firing: take hold of the reading side; -EBUSY: another one has it; -ENOMEM: no record for
 * the thread. */
int tn_user_ringbuf_begin(struct tn_map *map);
/* The oldest sample and its size; NULL: there is none that is finished. It stays in place until
 * tn_user_ringbuf_next(). Those that were discarded are skipped. */
void *tn_user_ringbuf_peek(struct tn_map *map, uint32_t *size);
void tn_user_ringbuf_next(struct tn_map *map);
void tn_user_ringbuf_end(struct tn_map *map);

#endif
