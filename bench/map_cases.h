/* SPDX-License-Identifier: MIT */
/* What the map bench measures: types, key sizes, sizes and operations, as tables. */
#ifndef BENCH_MAP_CASES_H
#define BENCH_MAP_CASES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MAP_KEYS_END UINT32_MAX

struct map_side;

struct map_op {
	const char *name;    /* "delete+insert"; NULL ends a table */
	const char *program; /* of the object */
	bool hits;	     /* every lookup should hit: say so where not */
	bool single;	     /* one thread alone makes sense */
};

/* Operations that are measured on one map, since each leaves it as it found it. */
struct map_group {
	const struct map_op *ops; /* NULL ends a table */
	uint32_t percent;	  /* of max_entries: what the fill puts in */
	const char *warm;	  /* a program to run max_entries times after the fill; or NULL */
	/* Larger maps are measured with the type's quick_key alone, unless the filter names the
	 * size: filling them takes longer than measuring. 0: no such limit. */
	uint32_t most_of_all_keys;
};

struct map_type {
	const char *name;
	bool has_keys;		 /* an object for each key size; else one for all */
	const uint32_t *keys;	 /* bytes, ended by MAP_KEYS_END */
	uint32_t quick_key;	 /* the one of them for --quick */
	const uint32_t *entries; /* ended by 0 */
	uint32_t bytes;		 /* an element without its key, about, on both sides together */
	const struct map_group *groups;

	const char *suffix; /* of the objects' name, or NULL */
	/* NULL, or what the host puts in before the fill. */
	void (*prepare)(struct map_side *side, uint32_t key, uint32_t nr_keys);
	/* NULL, or what takes the place of the measuring that most types share. */
	void (*measure)(const char *dir, const struct map_type *type, const struct map_group *group,
			uint32_t key, uint32_t entries);
};

/* Ended by a NULL name. */
extern const struct map_type map_types[];

/* Of types with a way of their own. */
void map_prepare_inner(struct map_side *side, uint32_t key, uint32_t nr_keys);
void map_measure_ring(const char *dir, const struct map_type *type, const struct map_group *group,
		      uint32_t key, uint32_t entries);

/* The filter names this case. */
bool map_is_wanted(const struct map_type *type, const struct map_op *op, uint32_t key,
		   uint32_t entries);

void map_case_name(char *out, size_t size, const struct map_type *type, const struct map_op *op,
		   uint32_t key, uint32_t entries);

/* Without the directory and ".bpf.o". */
void map_object_name(char *out, size_t size, const struct map_type *type, uint32_t key);

/* Part by part; a part that is missing, empty or "*" matches all, and 10k and 1M are numbers.
 * NULL matches. */
bool map_case_matches(const char *name, const char *filter);

/* The filter has a part for the entries. */
bool map_filter_names_entries(const char *filter);

/* False: the machine has not the memory for such a map on both sides. */
bool map_case_fits(const struct map_type *type, uint32_t key, uint32_t entries);

#endif
