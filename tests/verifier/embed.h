/* SPDX-License-Identifier: MIT */
/*
 * The soundness oracle. It records the states of a walk and then watches the accepted program run
 * in the interpreter (vm/trace.h): before every instruction one of the states recorded there must
 * contain the machine's registers and stack with all relations between them; every access must stay
 * in memory that the program may touch, of what the stack holds only what was written; calls get
 * what their signatures ask for; and what the facts promise to the engines must be so.
 *
 * A kind of register or argument that is not known here is a finding, not something to skip.
 */
#ifndef TN_TESTS_VERIFIER_EMBED_H
#define TN_TESTS_VERIFIER_EMBED_H

#include <setjmp.h>

#include "maps/map.h"
#include "verifier/state.h"
#include "verifier/verify.h"

#define EMBED_MAX_AREAS	 256
#define EMBED_MAX_FRAMES (TN_MAX_FRAMES + 1)
/* Recorded states of one program; beyond that it is not checked, and counted. */
#define EMBED_MAX_STATES 200000

/* Memory that a program may touch: `size` bytes, or with a stride the first `each` bytes of every
 * `stride`. */
struct embed_area {
	uint64_t base, size, stride, each;
	bool readable, writable;
	const void *obj; /* the map that it is a value of, or NULL; others stay as well */
	bool held;	 /* a reference: to be released */
	bool slice;	 /* of a dynptr */
};

struct embed_state; /* what is live of a state */

struct embed_frame {
	uint64_t *r;
	uint64_t top; /* r10 */
	uint32_t bytes, subprog, callsite;
	uint32_t insn;	 /* that was executed last here */
	bool in_call;	 /* insn is a call whose result was not seen yet */
	bool foreign;	 /* another program, by a tail call */
	uint32_t stack;	 /* number of its memory */
	uint32_t rounds; /* of callbacks that the call here has run */
	uint64_t args[6];
	unsigned char written[TN_MAX_FRAME_BYTES];
};

struct embed {
	struct tn_prog *prog;
	struct tn_insn *code; /* as it was verified */
	struct tn_insn_fact *facts;
	struct tn_region regions[TN_MAX_REGIONS];
	uint32_t nr_regions;
	struct embed_state **states; /* per instruction */
	uint32_t nr_states;
	bool too_many;
	bool visible;		     /* the program may see addresses */
	struct tn_map *const *inner; /* what the maps of maps hold */
	uint32_t nr_inner;

	/* One run. */
	unsigned char *ctx;
	struct embed_area areas[EMBED_MAX_AREAS];
	uint32_t nr_areas, nr_fixed; /* the fixed ones stay from run to run */
	uint64_t low, high;	     /* of all areas */
	struct embed_frame frames[EMBED_MAX_FRAMES];
	uint32_t nr_frames;
	uint32_t next_stack;
	bool locked;   /* a spin lock is held */
	uint32_t base; /* frame that a state's first one stands for, while it is looked at */
	uint64_t seed;
	uint64_t nr_steps, max_steps;
	bool unsound, gave_up;
	char why[768];
	jmp_buf leave;

	/* Of all runs. */
	uint64_t nr_checks, nr_values, nr_accesses, nr_facts;
};

/* Before tn_verify(), with embed_observe() as its `observe`. */
void embed_init(struct embed *e, struct tn_prog *prog);
void embed_fini(struct embed *e);
void embed_observe(void *user, struct tn_state_env *senv, const struct tn_state *s, bool fresh);
/* After it and before tn_rewrite(): keep the facts as they are handed out. */
bool embed_accepted(struct embed *e);

void embed_area_add(struct embed *e, const struct embed_area *area);
/* Not a map's, nor anything else that stays and says so by its `obj`. */
void embed_area_drop(struct embed *e, uint64_t base);
/* The values of a map that has them in one piece. */
void embed_area_map(struct embed *e, const struct tn_map *map);

enum embed_result { EMBED_OK, EMBED_UNSOUND, EMBED_GAVE_UP };
/* Run the rewritten program in the interpreter. ex is filled, but for what entering needs. */
enum embed_result embed_run(struct embed *e, void *ctx, struct tn_exec *ex, uint64_t *r0);

/* ---- Between embed.c (states) and trace.c (the machine) ---- */

/* Does a state recorded at insn contain the machine? */
bool embed_contains(struct embed *e, uint32_t insn);
/* Is this the address of something that the program can reach? */
bool embed_is_address(const struct embed *e, uint64_t value);
uint64_t embed_field(const struct embed *e, uint32_t field);

#endif
