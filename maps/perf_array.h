/* SPDX-License-Identifier: MIT */
/*
 * Perf event arrays: element i is the ring of slot i, into which programs on that slot write
 * samples; the host reads all rings together. The rings exist while the host has them open.
 */
#ifndef TN_MAPS_PERF_ARRAY_H
#define TN_MAPS_PERF_ARRAY_H

#include <stdbool.h>

#include "maps/map.h"

/* flags of bpf_perf_event_output(). */
#define TN_PERF_INDEX	   0xffffffffu	      /* the low half: element; all ones: the slot's own */
#define TN_PERF_CTX_BYTES  (0xfffffull << 32) /* packets: bytes of the frame behind the sample */
#define TN_PERF_MAX_SAMPLE 65507u	      /* an event of the kernel has 16 bits of size */

/* A sample of two parts, the second may be empty. From programs, inside an epoch section. 0;
 * -EINVAL (flags), -E2BIG (index, size), -ENOENT (not open), -EOPNOTSUPP (another slot's element),
 * -ENOSPC (lost, and counted; in overwrite mode where it is larger than the ring). */
int tn_perf_output(struct tn_map *map, uint64_t flags, const void *data, uint64_t size,
		   const void *more, uint64_t more_size, uint32_t slot);

struct tn_perf_options {
	bool overwrite; /* a full ring takes further samples in place of the oldest */
	/* The eventfd is told of every so many samples or bytes of one ring (at most one of the two
	 * is not 0), and when a ring is full; both 0: of each that the reader may be waiting for.
	 */
	uint32_t wakeup_events, wakeup_bytes;
};
/* Make a ring of `bytes` (a power of two, pages) for each slot that has an element; options may be
 * NULL. -EBUSY: they are open already; -EINVAL, -E2BIG, -ENOMEM, with words. */
int tn_perf_open(struct tn_map *map, size_t bytes, const struct tn_perf_options *options);
void tn_perf_close(struct tn_map *map);

struct tn_perf_reader {
	void (*sample)(void *user, uint32_t slot, void *data, uint32_t size);
	void (*lost)(void *user, uint32_t slot, uint64_t count); /* or NULL */
	void *user;
};
/* What is there, slot by slot, each in order; one thread at a time, else -EBUSY. The number of
 * samples. Overwrite mode: the newest that are there when the slot's turn comes. */
int tn_perf_consume(struct tn_map *map, const struct tn_perf_reader *reader);
/* An eventfd that becomes readable when samples arrive; made on first use. -errno. */
int tn_perf_fd(struct tn_map *map);

#endif
