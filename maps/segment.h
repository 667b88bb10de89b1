/* SPDX-License-Identifier: MIT */
/*
 * Maps that several processes see: everything of the map stands in one file (a sealed memfd, or a
 * file that was pinned) at offsets, with no pointer in it. Forked writers inherit the mapping;
 * other processes map it read-only, or copy it.
 *
 * One lock for all writers of a map: a robust mutex, of which the kernel knows the owner. Who finds
 * it owned by the dead takes it over and repairs the map before anybody goes on. Readers take no
 * lock. There are no epochs in a segment: memory of elements never becomes anything else, and
 * removed ones are reused by their tickets (hash.h).
 *
 * A thread's slot in per-slot maps is the segment's, not the runtime's: processes have the same
 * numbers of their own. It is held by a lock on one byte of the file, through an open file
 * description that each process has for itself, so that the kernel gives the slots of dead
 * processes back. Their values stay.
 */
#ifndef TN_MAPS_SEGMENT_H
#define TN_MAPS_SEGMENT_H

#include <pthread.h>

#include "maps/hash.h"
#include "maps/map.h"

#define TN_SEGMENT_MAGIC  "TenonMap"
#define TN_SEGMENT_LAYOUT 1u

/* The file's first bytes. Written before the map is found by anybody, then constant. What can be
 * computed from the attributes stands here to be compared, never to be believed. */
struct tn_segment_header {
	char magic[8];
	uint32_t layout;       /* TN_SEGMENT_LAYOUT */
	uint32_t header_bytes; /* of this struct; live_bytes: of the next. They differ by machine */
	uint32_t live_bytes;
	uint32_t type, key_size, value_size, max_entries, flags; /* as created with */
	uint32_t nr_slots;					 /* of per-slot maps */
	uint32_t btf_key_id, btf_value_id; /* in the BTF that stands here, 0: none */
	uint32_t spare;
	uint64_t seed[2];
	uint64_t total_bytes;
	uint64_t live_off;
	uint64_t table_off, table_bytes;
	uint64_t slots_off, slots_bytes;
	uint64_t journal_off, journal_bytes;
	uint64_t btf_off, btf_bytes;
	char name[TN_MAP_NAME_BYTES];
};

/* A change in place of a per-slot map's values, to be done again by who takes over. */
struct tn_segment_journal {
	_Atomic uint32_t valid;
	uint32_t index;	    /* of the element */
	uint32_t slot;	    /* or */
	uint32_t all_slots; /* 1: each has its value below */
	unsigned char bytes[];
};

/* What writers change. */
struct tn_segment_live {
	pthread_mutex_t lock; /* robust, process-shared */
	/* Odd while somebody writes: what was read between two equal even values is true of one
	 * moment. */
	_Atomic uint64_t writes TN_ALIGNED(64);
	_Atomic uint64_t repairs; /* how often a dead writer was followed */
	_Atomic uint32_t frozen;  /* no host may write any more */
	struct tn_hash_tally tally TN_ALIGNED(64);
};

/* Bytes of the type's parts; each begins on a page. */
struct tn_segment_parts {
	size_t table, slots, journal;
};

struct tn_segment {
	struct tn_map *map;
	int fd;		       /* owned */
	_Atomic int reader_fd; /* the same file for others, who may not lock bytes; 0: none yet */
	bool writable;
	bool attached;			/* the file was there: nothing in it is initialised */
	bool started;			/* seen by forks */
	bool no_slots;			/* a forked child that got no description of its own */
	const struct tn_map_attr *attr; /* while the map is created */
	unsigned char *base;
	size_t bytes;
	struct tn_segment_header header; /* checked copy */
	struct tn_segment_live *live;
	unsigned char *table, *slots;
	struct tn_segment_journal *journal;
	_Atomic uint32_t *slot_of; /* of the runtime's slots: 1 + the segment's, 0: none yet */
	struct tn_fork_ops fork;
};

/* What a map is made on instead of a new memfd, see tn_map_attr. */
struct tn_segment_file {
	int fd;	       /* the caller's; duplicated */
	bool attach;   /* it holds a map; else it is empty */
	bool writable; /* attach: map it for writing */
};

/* A map in a segment is created in three steps: what the file says is read; the type's init has it
 * made, or compared with what the attributes ask for, charged in full and mapped; when the type has
 * filled it in, it starts: others may find it, or what the dead left in it is repaired. All: 0,
 * -ENOMEM, -E2BIG, -EINVAL, -errno of the system, with words; tn_segment_fini() copes with every
 * step. */
int tn_segment_new(struct tn_map *map, const struct tn_map_attr *attr) TN_WARN_UNUSED;
int tn_segment_init(struct tn_map *map, const struct tn_segment_parts *parts) TN_WARN_UNUSED;
int tn_segment_start(struct tn_map *map) TN_WARN_UNUSED;
void tn_segment_fini(struct tn_map *map);

/* Read and check the header of a file. 0; -EINVAL with what was found and expected; -errno. */
int tn_segment_read_header(int fd, struct tn_segment_header *out) TN_WARN_UNUSED;
/* The attributes of such a map; `attr` borrows from the header. */
void tn_segment_attr(const struct tn_segment_header *header, struct tn_map_attr *attr);

/* A private map with what the file holds, each element as it was at some moment. One that is
 * replaced meanwhile may be missed. Whatever the bytes are, the result is a valid map. NULL, errno,
 * with words. */
struct tn_map *tn_segment_copy(struct tn_rt *rt, int fd);

/* Enter as the only writer; inside a writer section (base/fork.h). -EIO: the file is of no use any
 * more, with words. */
int tn_segment_lock(struct tn_segment *s) TN_WARN_UNUSED;
void tn_segment_unlock(struct tn_segment *s);
/* A descriptor for other processes, which stays the segment's. -errno with words. */
int tn_segment_reader_fd(struct tn_segment *s);
/* Somebody waits long for a writer: if that is dead, follow it. */
void tn_segment_help(struct tn_segment *s);

/* The segment's slot for the runtime's `slot`, whose thread calls; TN_SEGMENT_NO_SLOT: all are
 * taken by other processes. */
#define TN_SEGMENT_NO_SLOT UINT32_MAX
uint32_t tn_segment_slot(struct tn_segment *s, uint32_t slot);

#endif
