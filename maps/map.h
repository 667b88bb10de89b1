/* SPDX-License-Identifier: MIT */
/*
 * What a program remembers. A map has a type (its vtable), fixed sizes, and a reference count: the
 * object or host that made it, every program that uses it and every API handle hold one.
 *
 * Two faces: what a program does (pointers into the map, on the firing thread with its slot, inside
 * an epoch) and what the host does (copies, any thread). Errors are the kernel's, as numbers
 * without words: the public API adds them. Unlike public functions these do not check sizes.
 */
#ifndef TN_MAPS_MAP_H
#define TN_MAPS_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/epoch.h"
#include "base/rt.h"

struct tn_map;
struct tn_segment;
struct tn_segment_file;
struct tn_timer;

enum tn_map_type {
#define TN_MAP_TYPE(name, id, ops, words) TN_MAP_##name = (id),
#include "maps/types.def"
#undef TN_MAP_TYPE
	/* The kernel's own, see maps/kernel_map.h. 0 is no type in the kernel's numbers. */
	TN_MAP_KERNEL = 0,
	TN_MAP_KERNEL_PERCPU = 64,
	TN_MAP_KERNEL_RING = 65,
};

/* Update flags and map flags of linux/bpf.h, under our names: this header is read by files that do
 * not include it. map.c asserts that they agree. */
#define TN_MAP_ANY     0u
#define TN_MAP_NOEXIST 1u
#define TN_MAP_EXIST   2u
#define TN_MAP_F_LOCK  4u

#define TN_MAP_F_NO_PREALLOC   (1u << 0)
#define TN_MAP_F_NO_COMMON_LRU (1u << 1)
#define TN_MAP_F_NUMA_NODE     (1u << 2)
#define TN_MAP_F_RDONLY	       (1u << 3) /* host may not write */
#define TN_MAP_F_WRONLY	       (1u << 4)
#define TN_MAP_F_ZERO_SEED     (1u << 6)
#define TN_MAP_F_RDONLY_PROG   (1u << 7) /* programs may not write */
#define TN_MAP_F_WRONLY_PROG   (1u << 8)
#define TN_MAP_F_MMAPABLE      (1u << 10)
#define TN_MAP_F_INNER_MAP     (1u << 12) /* arrays: inner ones of any length */
#define TN_MAP_F_SEGV_ON_FAULT (1u << 17) /* arenas: no meaning here */
#define TN_MAP_F_NO_USER_CONV  (1u << 18)
#define TN_MAP_F_SHARED	       (1u << 29) /* ours: in a segment, see segment.h */

/* What a value may hold besides plain bytes: fields that only their helpers may touch. */
enum tn_special_kind {
	TN_SPECIAL_LOCK = 1, /* struct bpf_spin_lock */
	TN_SPECIAL_TIMER,
	TN_SPECIAL_WQ,
	TN_SPECIAL_KPTR,
	TN_SPECIAL_OTHER, /* lists, trees, their nodes, reference counts */
};

struct tn_map_special {
	uint32_t off, size;
	uint8_t kind; /* enum tn_special_kind */
	uint8_t spare[3];
};

/* As many as the kernel knows of in one type. */
#define TN_MAP_MAX_SPECIALS 11

#define TN_MAP_NAME_BYTES 64
#define TN_ENOTSUPP	  524 /* the kernel's, for operations a type lacks */

struct tn_map_ops {
	/* The type in a segment; NULL: it cannot be shared. */
	const struct tn_map_ops *shared;
	/* Shared types, under the segment's lock: whatever a writer that died left. NULL: nothing
	 * can be half done. */
	void (*repair)(struct tn_map *map);
	size_t struct_size; /* of the type's struct, which begins with struct tn_map and is zeroed
			     */
	/* Check attributes against the type: 0 or -EINVAL, with words. Called before alloc. */
	int (*check)(const struct tn_map *map);
	/* Make the storage; the struct's common part is filled. -ENOMEM, -E2BIG, with words. */
	int (*init)(struct tn_map *map);
	/* No program and no host uses it any more. */
	void (*fini)(struct tn_map *map);

	/* ---- from programs, inside an epoch section ---- */
	/* Pointer to the value (for per-slot types: of `slot`), or NULL. NULL member: unsupported.
	 */
	void *(*lookup)(struct tn_map *map, const void *key, uint32_t slot);
	/* LRU types: the same, but not counted as a use. NULL: lookup does not count. */
	void *(*look_at)(struct tn_map *map, const void *key, uint32_t slot);
	/* Shared per-slot types, where lookup takes the runtime's slot: by the segment's. */
	void *(*lookup_slot)(struct tn_map *map, const void *key, uint32_t slot);
	/* Per-slot types: updates the value of `slot` alone, as the kernel's helper does. */
	int (*update)(struct tn_map *map, const void *key, const void *value, uint64_t flags,
		      uint32_t slot);
	int (*del)(struct tn_map *map, const void *key);

	/* ---- from the host, any thread; they enter an epoch themselves ---- */
	/* Per-slot types: `value` holds nr_slots values, each rounded up to 8 bytes. */
	int (*host_lookup)(struct tn_map *map, const void *key, void *value, uint64_t flags);
	int (*host_update)(struct tn_map *map, const void *key, const void *value, uint64_t flags);
	int (*host_delete)(struct tn_map *map, const void *key, uint64_t flags);
	int (*host_lookup_and_delete)(struct tn_map *map, const void *key, void *value,
				      uint64_t flags);
	int (*next_key)(struct tn_map *map, const void *key, void *next);
	/* The same, but from a key that is gone it goes on where that was, while next_key starts
	 * over, as in the kernel. NULL: no key goes, or next_key it is. */
	int (*next_after)(struct tn_map *map, const void *key, void *next);
	/* NULL: marks the map. */
	int (*freeze)(struct tn_map *map);
	uint32_t (*count)(struct tn_map *map); /* elements now; approximate under writers */

	/* ---- values without keys, from programs and from the host ---- */
	int (*push)(struct tn_map *map, const void *value, uint64_t flags);
	/* Write all of `value`, zeros where there is none. A bloom filter's peek reads it. */
	int (*pop)(struct tn_map *map, void *value);
	int (*peek)(struct tn_map *map, void *value);
};

/* Common part; each type's struct begins with it. */
struct tn_map {
	const struct tn_map_ops *ops;
	struct tn_rt *rt;
	uint32_t type;
	uint32_t key_size, value_size; /* bytes, as declared */
	uint32_t max_entries;
	uint32_t flags;	       /* TN_MAP_F_... */
	uint32_t id;	       /* process-wide, never reused */
	uint32_t value_stride; /* bytes from one value to the next of the same slot; JIT: arrays */
	/* Arrays: element 0. The JIT inlines `values + index * value_stride`. For per-slot arrays
	 * slot s adds s * slot_stride. NULL for other types. */
	unsigned char *values;
	size_t values_size;
	size_t slot_stride;
	uint32_t nr_slots; /* values of an element of a per-slot map: the runtime's max_slots, or
			    * the segment's */
	struct tn_segment *segment; /* NULL: not shared */
	_Atomic uint32_t refs;
	_Atomic uint32_t frozen; /* host may not write any more */
	bool const_for_programs; /* pages are PROT_READ: verifier and JIT may read them as constants
				  */
	/* What programs look up are copies: they may read and not write them. Updating and deleting
	 * are calls, and allowed. */
	bool values_are_copies;
	/* Of the kernel's own maps: the type and the possible CPUs there. 0: a map of ours. */
	uint32_t kernel_type, kernel_cpus;
	_Atomic size_t charged; /* bytes against TN_CHARGE_MAPS */
	uint64_t extra;		/* as created with */
	char name[TN_MAP_NAME_BYTES];
	/* BTF type ids in the object's BTF, 0: none. For dumps. */
	uint32_t btf_key_id, btf_value_id;
	/* Maps of maps: the shape of the inner ones, a map without storage that is only looked at
	 * (is_template). NULL for other types. */
	struct tn_map *inner;
	bool is_template;
	bool is_copy;	      /* of a segment: laid out as there */
	bool for_host_alone;  /* mapped read-only from another process: no program may have it */
	uint32_t nr_specials; /* in each value, by offset */
	struct tn_map_special specials[TN_MAP_MAX_SPECIALS];
	void *owner; /* host-api: the object it came from, or NULL */
	/* Per-slot types: a slot is in use once its part is charged; what is not in use reads as
	 * zero. max_slots bytes, NULL for other types. */
	_Atomic uint8_t *slot_used;
	_Atomic uint64_t slot_bits[TN_MAX_SLOTS / 64]; /* the same, to be gone through */
	struct tn_map *next_per_slot; /* in the registries of map.c, under their lock */
	struct tn_map *next_map, **map_link;
	struct tn_deferred deferred;
	/* Values with timers or workqueues; theirs, and whether a handle is there (both under the
	 * lock of timer.c). */
	bool has_timers, timers_open;
	struct tn_timer *timers;
};

struct tn_map_attr {
	uint32_t type, key_size, value_size, max_entries, flags;
	const char *name;
	const struct tn_map_attr *inner; /* maps of maps: the shape of the inner ones */
	const struct tn_map_special *specials;
	uint32_t nr_specials;
	uint64_t extra; /* arena: the address that the program's pointers are to begin with */
	/* A copy of another runtime's map: values of an element of a per-slot map, all in use; 0:
	 * the runtime's slots. */
	uint32_t nr_slots;
	/* Shared maps: the file to use, NULL: a new memfd; its BTF, copied into it, or NULL. */
	const struct tn_segment_file *file;
	const void *btf;
	uint32_t btf_bytes, btf_key_id, btf_value_id;
};

/* A map with one reference: the caller's. NULL, errno as bpf(2) (EINVAL, E2BIG, ENOMEM) and words
 * that name the map. */
struct tn_map *tn_map_create(struct tn_rt *rt, const struct tn_map_attr *attr);
/* The same with operations that are no type's of types.def; attr->type is any number. */
struct tn_map *tn_map_create_as(struct tn_rt *rt, const struct tn_map_attr *attr,
				const struct tn_map_ops *ops);
struct tn_map *tn_map_get(struct tn_map *map);
void tn_map_put(struct tn_map *map); /* NULL is fine; frees after an epoch at 0 */
/* The runtime's map of that id with a new reference, or NULL. */
struct tn_map *tn_map_get_by_id(struct tn_rt *rt, uint32_t id);

/* special.c: the special field that the bytes [off, off + size) of a value touch; the value's field
 * of that kind; NULL: none. */
const struct tn_map_special *tn_map_special_at(const struct tn_map *map, uint64_t off,
					       uint64_t size);
const struct tn_map_special *tn_map_special_of(const struct tn_map *map, uint8_t kind);
const char *tn_map_special_words(uint8_t kind); /* "bpf_spin_lock"; static */
int tn_map_check_specials(const struct tn_map *map) TN_WARN_UNUSED;

bool tn_map_is_per_slot(const struct tn_map *map);
const char *tn_map_type_words(uint32_t type); /* NULL: unknown */
/* -EINVAL, with words that name the map and the type, and why the kernel's are not here. */
int tn_map_refuse_type(uint32_t type, const char *map_name);
/* The type as hosts and plugins know it; what it is called. */
uint32_t tn_map_shown_type(const struct tn_map *map);
const char *tn_map_words(const struct tn_map *map);
/* Size of one value as the host's calls copy it. */
size_t tn_map_host_value_size(const struct tn_map *map);

/* 0, or -EPERM: frozen, or the flags forbid it. */
int tn_map_host_may(struct tn_map *map, bool read, bool write);
/* The host's calls with everything but sizes checked: frozen (-EPERM), missing operations. */
int tn_map_host_lookup(struct tn_map *map, const void *key, void *value, uint64_t flags);
int tn_map_host_update(struct tn_map *map, const void *key, const void *value, uint64_t flags);
int tn_map_host_delete(struct tn_map *map, const void *key, uint64_t flags);
int tn_map_host_lookup_and_delete(struct tn_map *map, const void *key, void *value, uint64_t flags);
int tn_map_next_key(struct tn_map *map, const void *key, void *next);
int tn_map_next_after(struct tn_map *map, const void *key, void *next);
int tn_map_freeze(struct tn_map *map);
/* Are all maps that stand for this template, or the map itself, as long as it says? */
bool tn_map_size_is_known(const struct tn_map *map);

/* After load: a frozen map with TN_MAP_F_RDONLY_PROG becomes PROT_READ and constant. */
int tn_map_make_const(struct tn_map *map);

static inline bool tn_map_slot_used(const struct tn_map *map, uint32_t slot)
{
	return tn_load_acquire(&map->slot_used[slot]);
}

/* Give the new holder of `slot` its part of every per-slot map of the runtime: charge slot_stride
 * bytes each. 0, or -E2BIG and nothing changed. The runtime's slot_taken. */
int tn_maps_slot_taken(struct tn_rt *rt, uint32_t slot);

/* ---- For the map types ---- */

/* tn_err() with "map 'NAME': " in front. */
int tn_map_err(const struct tn_map *map, int code, const char *fmt, ...) TN_PRINTF(3, 4) TN_COLD;
/* Charge `bytes` more to the map. 0, or -E2BIG with words. */
int tn_map_charge(struct tn_map *map, size_t bytes) TN_WARN_UNUSED;
/* -EINVAL with words when the map has flags other than `allowed`, or two that exclude another. */
int tn_map_check_flags(const struct tn_map *map, uint32_t allowed) TN_WARN_UNUSED;
/* Per-slot types: account for `slot` before something other than zero is stored in its part. */
int tn_map_use_slot(struct tn_map *map, uint32_t slot) TN_WARN_UNUSED;
/* The same for every slot whose value in the host's `values` is not zero. -ENOMEM. */
int tn_map_use_slots_for(struct tn_map *map, const void *values) TN_WARN_UNUSED;

/* The kernel's limit for one value of a per-CPU map, PCPU_MIN_UNIT_SIZE. */
#define TN_MAP_MAX_SLOT_VALUE 32768u

#endif
