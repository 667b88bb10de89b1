/* SPDX-License-Identifier: MIT */
/*
 * The ring buffer: many producers (programs), one consumer thread. A record that starts near the
 * end of the ring runs on into a second, equally large area, so that every record is contiguous
 * without mapping any page twice (a shared mapping would not be private after fork).
 */
#ifndef TN_MAPS_RINGBUF_H
#define TN_MAPS_RINGBUF_H

#include "maps/map.h"

/* Wakeup flags of linux/bpf.h for submit, discard and output. */
#define TN_RB_NO_WAKEUP	   1u
#define TN_RB_FORCE_WAKEUP 2u
/* What tn_ringbuf_query() answers. */
enum { TN_RB_AVAIL_DATA = 0, TN_RB_RING_SIZE, TN_RB_CONS_POS, TN_RB_PROD_POS };

/* From programs. reserve: `size` bytes aligned to 8, or NULL (full, too large, flags). */
void *tn_ringbuf_reserve(struct tn_map *map, uint64_t size, uint64_t flags);
void tn_ringbuf_submit(void *sample, uint64_t flags);
void tn_ringbuf_discard(void *sample, uint64_t flags);
int tn_ringbuf_output(struct tn_map *map, const void *data, uint64_t size, uint64_t flags);
uint64_t tn_ringbuf_query(struct tn_map *map, uint64_t flags);
/* Records that found no room, since the map was made. Those that could never fit are not counted.
 */
uint64_t tn_ringbuf_dropped(struct tn_map *map);

/* For the consumer: one thread at a time. fn < 0 stops and is returned; else the number consumed.
 */
int tn_ringbuf_consume(struct tn_map *map, int (*fn)(void *user, void *data, size_t size),
		       void *user);
/* An eventfd that becomes readable when data arrives; made on first use. -errno. */
int tn_ringbuf_fd(struct tn_map *map);

#endif
