/* SPDX-License-Identifier: MIT */
/*
 * What a program meets when it runs under test: contexts of any type filled with chosen numbers,
 * each region and map value in pages of its own with untouchable pages at both sides, and host
 * functions. An accepted program runs in the interpreter under the oracle (embed.h) and, compiled,
 * with the guard pages alone; both must come to the same result.
 */
#ifndef TN_TESTS_VERIFIER_WORLD_H
#define TN_TESTS_VERIFIER_WORLD_H

#include "maps/map.h"
#include "verifier/embed.h"

#define WORLD_MAX_MAPS	   8
#define WORLD_MAX_INNER	   2
#define WORLD_NR_HELPERS   4
#define WORLD_MAX_HINTS	   64
#define WORLD_REGION_BYTES ((size_t)4 << 20)

/* The host functions, as externs of a program. */
enum { WORLD_MOVE, WORLD_OPEN, WORLD_CLOSE, WORLD_FILL };

struct world_map {
	struct tn_map *map;
	unsigned char *values; /* where they were made */
};

struct world {
	struct tn_rt *rt;
	struct tn_host_helper helpers[WORLD_NR_HELPERS];
	struct world_map maps[WORLD_MAX_MAPS]; /* moved between guard pages */
	uint32_t nr_maps;
	struct tn_map *inner[WORLD_MAX_INNER]; /* in maps of maps; borrowed */
	uint32_t nr_inner;
	bool at_start; /* memory begins at an edge, instead of ending at one */
	bool use_jit;
	bool visible; /* programs may see addresses, which differ from engine to engine */

	/* One run. */
	const struct tn_ctx_type *type;
	struct embed *embed; /* NULL: nobody watches */
	unsigned char *ctx;
	uint32_t nr_regions; /* pages handed out */
	uint32_t nr_shut;    /* of them, up to here, some can not be touched any more */
	uint64_t seed;
	int32_t hints[WORLD_MAX_HINTS]; /* the program's constants */
	uint32_t nr_hints;
	uint64_t nr_open, nr_held; /* given out by the host; not given back yet */
	int64_t fuel;

	/* Of all. */
	uint64_t runs, gave_up, unsound, steps, checks, values, accesses, facts;
	uint64_t compiled, compared, not_checked;
	char why[1024];
};

bool world_init(struct world *w, struct tn_rt *rt);
void world_fini(struct world *w);
/* Put an array's values between guard pages, at the edge that at_start says. */
void world_guard_map(struct world *w, struct tn_map *map);
/* An array that stands in a map of maps. */
void world_add_inner(struct world *w, struct tn_map *map);
void world_guard_edge(struct world *w, bool at_start);
/* The maps' own places again. */
void world_unguard_maps(struct world *w);
/* Give the program the host functions as its externs. */
bool world_add_helpers(struct world *w, struct tn_prog *prog);
/* Let the host function do what its signature allows, at random. Interpreted programs only. */
void world_play_helper(struct tn_host_helper *helper);

/* The accepted program, not rewritten yet, with what embed_observe() recorded: run it on `inputs`
 * contexts in every way. false: a finding, in w->why. */
bool world_run(struct world *w, struct tn_prog *prog, struct embed *e, uint32_t inputs,
	       uint64_t seed, int64_t fuel);

#endif
