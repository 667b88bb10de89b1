/* SPDX-License-Identifier: MIT */
/*
 * The soundness oracle: runs an accepted program step by step on real memory, and before every
 * instruction checks that one of the states which the walk saw there contains the machine's
 * registers and stack, that every relation it claims holds, and that every access stays in memory
 * that the program may touch.
 */
#ifndef TN_TESTS_VERIFIER_EMBED_H
#define TN_TESTS_VERIFIER_EMBED_H

#include "verifier/state.h"
#include "verifier/verify.h"

#define EMBED_MAX_AREAS 32

struct embed_area {
	unsigned char *base;
	uint64_t size;
	bool writable;
};

struct embed {
	struct tn_prog *prog; /* not rewritten */
	const struct tn_region *regions;
	uint32_t nr_regions;
	/* States by instruction, from the walk. */
	struct tn_packed **states;
	uint32_t *next;	 /* of each: the next one at the same instruction, from 1; 0: none */
	uint32_t *first; /* per instruction, likewise */
	uint32_t nr_states, cap;
	struct tn_state_env senv; /* of our own, to unpack */
	struct tn_state s;

	struct embed_area areas[EMBED_MAX_AREAS];
	uint32_t nr_areas;
	unsigned char *ctx;
	uint64_t nr_steps, max_steps;
	uint64_t seed;
	char why[512]; /* what is wrong */
};

bool embed_init(struct embed *e, struct tn_prog *prog);
void embed_fini(struct embed *e);
/* For tn_verify_env.observe. */
void embed_observe(void *user, struct tn_state_env *senv, const struct tn_state *s, bool fresh);
void embed_area(struct embed *e, void *base, uint64_t size, bool writable);

enum embed_result { EMBED_OK, EMBED_UNSOUND, EMBED_GAVE_UP };
enum embed_result embed_run(struct embed *e, uint64_t *r0);

#endif
