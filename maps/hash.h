/* SPDX-License-Identifier: MIT */
/*
 * The hash table of hash, LRU hash, and their per-slot maps: open addressing in groups of 16 slots,
 * sized once, elements in place, readers without locks. hash.c has the protocol;
 * tests/models/hash.pml checks it.
 *
 * A key's probe path: home group = key's hash scaled to nr_groups, then steps whose size is a hash
 * of the home group: homes that overflow spread apart, and all keys of one home share one path,
 * which iteration relies on. The number of groups is prime, so that every step visits all.
 *
 * An element lies in some group of its path, and every group before it counts it. A search ends at
 * a group that counts no element that could be its key's, so no tombstones are needed. There are
 * eight counts, chosen by three bits of the hash: with one, a third of all misses in a table that
 * was in use for long would look on for nothing; with eight, one in twenty does.
 *
 * Three other bits of the hash say in which cache line of its group's elements a new one goes if
 * there is room, as there is for four of five of 16 bytes: a lookup fetches that line together with
 * the control bytes, before it knows.
 *
 * The layout stands here so that compiled code may look up by itself: an array of groups, and an
 * array of elements, element (group * 16 + i) belonging to ctrl[i]. map->ops->lookup is a function
 * made for the map's key size and may be called directly.
 */
#ifndef TN_MAPS_HASH_H
#define TN_MAPS_HASH_H

#include "maps/map.h"

#define TN_HASH_GROUP_SLOTS 16u
#define TN_HASH_CLASSES	    8u
#define TN_HASH_LINE_BYTES  64u
#define TN_HASH_NEAR_SHIFT  10 /* of the hash: behind the control byte's bits and the class */

/* A removed element is reused only when nr_spares others were removed after it: an eighth of
 * max_entries and at least 64, or as many as fit into 256 KiB where that are fewer, but 4. Only
 * where nothing else is free near its home, because one key is updated again and again, is it
 * reused earlier, yet not before min_age others were removed. */
#define TN_HASH_MIN_SPARES   64u
#define TN_HASH_LEAST_SPARES 4u
#define TN_HASH_SPARE_BYTES  (256u << 10)
/* Tickets that a thread draws before it tells; one where there are few spares. See draw_ticket().
 */
#define TN_HASH_MAX_BATCH 16u

/* ctrl bytes. Zeroed pages are an empty table. Only live ones have the top bit set. */
#define TN_HASH_EMPTY 0x00u /* never used */
/* 0x01 to 0x7e: removed, but a program may still hold a pointer (see hash.c): the low bits of the
 * removal's ticket, in units of 1 << wait_shift. The whole ticket stands in the element, in place
 * of the first 8 bytes of the key. */
#define TN_HASH_WAITING 0x01u
#define TN_HASH_NO_SLOT 0x7fu /* has no element: fills the last groups up */
#define TN_HASH_LIVE	0x80u /* | the low 7 bits of the key's hash */

/* 32 bytes, so that a group never crosses a cache line. */
struct TN_ALIGNED(32) tn_hash_group {
	union {
		_Atomic uint8_t ctrl[TN_HASH_GROUP_SLOTS];
		_Atomic uint64_t ctrl_words[TN_HASH_GROUP_SLOTS / 8];
	};
	/* Live elements, of any group, whose probe passed this one, by tn_hash_class(). Atomic,
	 * under no lock. A count that reaches 255 stays: searches are then longer, never wrong. */
	_Atomic uint8_t passed[TN_HASH_CLASSES];
	/* Odd while the set of live slots changes: what was read from the group between two equal
	 * even values is true of one moment. Written under the lock. */
	_Atomic uint32_t seq;
	/* Bit 0: the lock. It protects ctrl and seq of this group and, for keys at home here,
	 * everything about the key. Further groups are only tried while one is held. The other bits
	 * are as seq, for values that per-slot maps change in place. */
	_Atomic uint32_t lock;
};
_Static_assert(sizeof(struct tn_hash_group) == 32, "two groups a cache line");

/* How lately the elements of a group were used, in LRU maps: TN_HASH_USE_... A hint, under no lock.
 */
struct TN_ALIGNED(16) tn_hash_use {
	union {
		_Atomic uint8_t level[TN_HASH_GROUP_SLOTS];
		_Atomic uint64_t words[TN_HASH_GROUP_SLOTS / 8];
	};
};

#define TN_HASH_USE_NONE 0u /* the first to go */
#define TN_HASH_USE_NEW	 1u /* inserted since the hand passed */
#define TN_HASH_USE_SEEN 2u /* looked up or updated since */

/* Written by inserts, deletes and replaces; a line for each, wherever the first begins. */
struct tn_hash_tally {
	_Atomic uint32_t count; /* live elements, at most max_entries */
	char pad1[TN_HASH_LINE_BYTES - 4];
	/* Elements ever removed or replaced, but for fewer than `batch` a thread, which it counts
	 * for itself. */
	_Atomic uint64_t ticket;
	char pad2[TN_HASH_LINE_BYTES - 8];
	_Atomic uint32_t hand; /* LRU maps: the group that gives up elements */
	char pad3[TN_HASH_LINE_BYTES - 4];
};

struct tn_hash {
	struct tn_map map;
	struct tn_map_ops ops; /* the type's, with the lookup for this key size */
	struct tn_hash_group *groups;
	unsigned char *elems;
	struct tn_hash_use *use; /* of each group; LRU maps, NULL for others */
	uint32_t nr_groups;	 /* prime */
	uint32_t elem_stride;	 /* bytes; the key is at 0, padded with zeros to 8 */
	uint32_t value_off;	 /* of the value in the element; per-slot maps: unused */
	uint32_t nr_slots;	 /* with an element: the first ones */
	uint32_t nr_spares;	 /* see TN_HASH_MIN_SPARES */
	uint32_t min_age;
	uint8_t near_mask;  /* see tn_hash_near() */
	uint8_t batch;	    /* tickets that a thread draws before it tells */
	uint8_t wait_shift; /* of tickets in control bytes */
	uint8_t wait_age;   /* nr_spares as a difference of control bytes, at most 17 */
	uint64_t seed[2];   /* seed[1] is odd */
	/* Per-slot maps: value of `slot` = slot_values + slot * map.slot_stride + index *
	 * map.value_stride. NULL for others. */
	unsigned char *slot_values;
	size_t table_bytes, slot_bytes; /* of the two mappings: groups + elems + use; slot_values */

	struct tn_hash_tally *tally; /* `own`, or that of the segment */

	/* Kept a line away from what readers need. */
	char pad[64];
	struct tn_hash_tally own;
};

/* The table behind a map, where compiled code may do its lookup: read its home group as hash.c
 * does, and call map->ops->lookup for what that does not settle. NULL: another type, or a table
 * whose lookup does more. The table's addresses and sizes stay the same while the map lives. */
const struct tn_hash *tn_hash_for_code(const struct tn_map *map);

struct tn_hash_stats {
	uint32_t live, waiting, empty; /* empty: free for reuse, too */
	uint32_t max_probe;	       /* groups that the worst key's search visits */
	double mean_probe;	       /* over all live keys */
	double mean_miss; /* the same for absent keys, over all home groups and classes */
};

/* Check every invariant that holds while nobody writes; false, and words in tn_err_last(), where
 * one does not. Costs a pass over the table. `out` may be NULL. */
bool tn_hash_is_valid(struct tn_map *map, struct tn_hash_stats *out);

#endif
