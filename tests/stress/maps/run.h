/* SPDX-License-Identifier: MIT */
/*
 * One run of the stress test: one kind of map, its programs on both engines, threads that work on
 * it until the time is over, and what they found wrong.
 */
#ifndef TN_STRESS_MAPS_RUN_H
#define TN_STRESS_MAPS_RUN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stress.h"
#include "tenon/tenon.h"

#define NR_THREADS 6
#define MAX_HOOKS  5

struct run;

struct worker {
	struct run *run;
	uint32_t id;
	uint64_t random, ops;
	/* Of the kind: what this thread knows about the keys or samples that only it writes. */
	uint32_t version[NR_ENTRIES]; /* 0: it is not in the map */
	uint64_t sum, nr, lost, count[MAX_PRODUCERS];
};

struct kind {
	const char *name; /* also the map's */
	const char *hooks[MAX_HOOKS];
	uint32_t nr_threads; /* 0: NR_THREADS */
	uint32_t max_slots;  /* 0: more than threads */
	void (*begin)(struct run *run);
	void (*work)(struct worker *w); /* one step; called until the time is over */
	void (*stop)(struct worker *w); /* at its thread's end, or NULL */
	void (*end)(struct run *run);	/* threads are gone */
	bool packets;			/* its programs are given packets */
};

struct run {
	const struct kind *kind;
	struct tenon_runtime *rt;
	struct tenon_object *obj[2]; /* compiled, interpreted */
	struct tenon_hook hooks[2][MAX_HOOKS];
	struct tenon_map *map;
	struct worker *workers;
	uint32_t nr_threads;
	_Atomic int over, failed;
	void *own; /* of the kind */
};

extern const struct kind keyed_kinds[], ring_kinds[], other_kinds[],
	special_kinds[]; /* end: no name */

/* Print what is wrong and end the run. */
void wrong(struct run *run, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static inline uint32_t pick(struct worker *w, uint32_t n)
{
	w->random ^= w->random << 13;
	w->random ^= w->random >> 7;
	w->random ^= w->random << 17;
	return (uint32_t)((w->random >> 32) * n >> 32);
}

/* The kind's program of that number in its hooks, on one of the engines. */
static inline int fire(struct worker *w, uint32_t hook, struct stress_op *op)
{
	struct stress_ctx ctx = { op, NULL };

	return (int)tenon_hook_fire(&w->run->hooks[pick(w, 2)][hook], &ctx);
}

static inline void fill(u64_t *words, uint32_t nr, uint32_t key, uint32_t version)
{
	for (uint32_t i = 0; i < nr; i++)
		words[i] = stress_word(key, version, i);
}

/* Every word is of `key`; `whole`: and all of one version, which is returned; else that of the
 * first. 0: it is not so. */
static inline uint32_t version_of(const u64_t *words, uint32_t nr, uint32_t key, bool whole)
{
	uint32_t version = (uint32_t)(words[0] >> 32);

	for (uint32_t i = 0; i < nr; i++) {
		uint32_t v = (uint32_t)(words[i] >> 32);

		if (words[i] != stress_word(key, v, i) || (whole && v != version))
			return 0;
	}
	return version;
}

#endif
