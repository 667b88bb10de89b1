/* SPDX-License-Identifier: MIT */
/*
 * One verification: what the transfer functions (alu.c, memory.c, stack.c, branch.c, call.c) and
 * the walk (walk.c) share. Transfer functions change vf->s, the state before the instruction
 * vf->s.insn, into the state after it. They return 0, or the negative errno of tn_reject().
 */
#ifndef TN_VERIFIER_ENGINE_H
#define TN_VERIFIER_ENGINE_H

#include "base/vec.h"
#include "maps/map.h"
#include "verifier/explain.h"
#include "verifier/loop.h"
#include "verifier/region.h"
#include "verifier/verify.h"
#include "vm/helpers.h"

/* What the walk saw at an instruction: edges that some path takes, and what is needed to tell that
 * all paths agree. */
enum { TN_SEEN_FALL = 1, TN_SEEN_TAKEN = 2, TN_SEEN_MEM = 4, TN_SEEN_CALL = 8, TN_SEEN_KEY = 16 };

/* What is done about other states before an instruction; the walk asks at each step. */
enum {
	TN_MEETS_CHECKPOINT = 1, /* paths meet, or a callback comes back */
	TN_MEETS_BLOCK = 2,	 /* a block begins */
	TN_MEETS_SUBPROG = 4,	 /* a subprogram begins: a checkpoint where it was called */
};

struct tn_insn_seen {
	uint8_t flags;
	uint8_t mem_kind; /* kind of the pointer used here */
	bool map_varies, key_varies;
	bool may_miss; /* a lookup here may give NULL */
	const struct tn_map *map;
	uint64_t key;
	uint64_t cost;	   /* of the callee here at most, in instructions */
	uint32_t callback; /* subprogram called back here, the last one seen; TN_NONE */
	bool unroll;	   /* loop head: no widening in this attempt */
	bool no_join;
	uint16_t joins; /* made here */
	/* Sets of acquiring calls, see reference.c. */
	uint32_t acquire;  /* the number of the one here, from 1 */
	uint64_t held;	   /* at the jump or call here */
	uint64_t held_end; /* where the call here ends the program */
	uint64_t released; /* here */
	bool lock_held;	   /* at the jump or call here */
};

/* An instruction that acquires, and how it is undone where the program ends early. */
struct tn_acquire {
	uint32_t insn;
	const struct tn_releaser *how; /* NULL: nobody knows */
};

/* A call that makes an iterator, or asks one for its next element. */
struct tn_iter_site {
	uint32_t insn;
	bool seen, is_new;
	bool varies;   /* not always the same place of the own frame */
	bool drained;  /* next: came here with a drained one */
	int64_t off;   /* place in the frame */
	uint64_t most; /* next: elements in the iterator's life */
};

/* States kept at an instruction. */
struct tn_saved {
	struct tn_saved *next;
	struct tn_packed *state;
	uint32_t hint; /* of tn_packed_covers() */
	bool back;     /* came by a back edge, or out of one that did */
	struct tn_glance glance;
};

struct tn_saved_list {
	struct tn_saved *first;
	uint32_t nr, nr_back;
};

/* What is to be done when a state that was put away is taken up again. */
enum tn_resume {
	TN_RESUME_AT,
	TN_RESUME_TAKEN,
	TN_RESUME_FALL,
	TN_RESUME_STOP,
	TN_RESUME_TAIL,
	TN_RESUME_NULL, /* the call gives NULL */
};

struct tn_pending {
	struct tn_packed *state; /* NULL: among the newest, see pending.c */
	uint8_t how;		 /* enum tn_resume */
};

struct tn_fresh;
#define TN_MAX_FRESH 8

struct tn_vf {
	struct tn_rt *rt;
	struct tn_prog *prog;
	const struct tn_verify_env *env;
	const struct tn_ctx_type *ctx;
	bool ctx_identity; /* plugin and host see the same layout */
	bool has_arena;
	struct tn_structure *structure;
	struct tn_liveness *live;
	struct tn_facts *facts;
	struct tn_region regions[TN_MAX_REGIONS];
	uint32_t nr_regions;

	struct tn_state_env senv;
	struct tn_state s, scratch, merged;
	uint32_t prev; /* instruction executed before s.insn on this path; TN_NONE */
	bool accepted;
	bool exact, forgot; /* this attempt forgets nothing; something was forgotten in it */
	bool again;	    /* an attempt has begun before: what `seen` has of it counts */
	bool ended;	    /* the path ends with this instruction */
	bool back_arrival;  /* a callback came back to its call */
	uint32_t *loop_of;  /* per instruction: the loop it heads, or TN_NONE */
	struct tn_insn_seen *seen;
	uint8_t *meets;		     /* per instruction: TN_MEETS_... */
	struct tn_saved_list *saved; /* per instruction */
	bool kept_large;	     /* some of it is larger than blocks of the pool's chunks */
	TN_VEC(struct tn_pending) pending;
	struct tn_fresh *fresh[TN_MAX_FRESH]; /* a ring: the newest of `pending` */
	uint32_t first_fresh, nr_fresh;
	struct tn_trail_arena *trails;
	struct tn_reg shifted; /* what the left shift at shifted_at was given, see alu.c */
	uint32_t shifted_at;
	struct tn_counters *counters;
	TN_VEC(struct tn_callback_site) callbacks;
	TN_VEC(struct tn_iter_site) iters;
	struct tn_global *globals; /* per subprogram */
	bool moves_known;	   /* what is in them of moved contexts */
	TN_VEC(struct tn_timer_root) timers;
	bool in_timer;	       /* the walk is in the function of one */
	bool exception_walked; /* the exception callback */
	bool *throws;	       /* per subprogram: it may throw, see throw.c */
	bool iters_foreign;    /* one was made in another frame's stack */
	TN_VEC(struct tn_acquire) acquires;
	uint32_t most_refs;	    /* held at once in one walk */
	uint32_t most_refs_at_ends; /* at a call that may end the program: of a global function too
				     */
	TN_VEC(const char *) handle_names; /* one pointer per name */
	uint32_t *frame_bytes;		   /* per subprogram */
	uint64_t steps, nr_states, pruned;
	uint64_t places;   /* of states kept and merged: time that steps do not count */
	uint64_t compared; /* places of kept states that were looked at: for tn_walk_work() alone */
	uint64_t kept_at;  /* step at which this path kept a state, or began */
	int64_t ret_min, ret_max;
	int64_t int_min, int_max; /* the same of the result as a C int */
	bool ret_seen;
	struct tn_diag diag;
	struct tn_log_buf log;
	/* For reports alone. */
	uint32_t *visits;	    /* per instruction: steps of this attempt */
	uint64_t *trips;	    /* per loop, after the walk: proved bounds; NULL before */
	bool *pays;		    /* per loop */
	struct tn_summary *summary; /* NULL: not asked for */
	const struct tn_verify_env *given; /* env without what a summary adds to it */
};

static inline struct tn_reg *tn_vf_reg(struct tn_vf *vf, uint32_t r)
{
	return &tn_state_top(&vf->s)->r[r];
}

static inline const struct tn_insn *tn_vf_insn(const struct tn_vf *vf)
{
	return &vf->prog->insns[vf->s.insn];
}

/* Fill the diagnosis: `reg` is the register it is about (-1: none). Returns -EACCES. */
int tn_reject(struct tn_vf *vf, enum tn_verr code, int reg, const char *fmt, ...)
	TN_PRINTF(4, 5) TN_COLD;
/* stale.c: 0 unless the plugin has another field at this place of `type` than the host has. Only
 * where env->layout is set. */
int tn_check_layout(struct tn_vf *vf, uint32_t regno, const struct tn_ctx_type *type, uint64_t at,
		    uint32_t size);

/* Add advice to the diagnosis: what would mend it. Returns -EACCES. */
int tn_advise(struct tn_vf *vf, const char *fmt, ...) TN_PRINTF(2, 3) TN_COLD;

/* Signature of the helper or host function that the call at `insn` names; NULL: none. */
const struct tn_sig *tn_vf_sig(const struct tn_vf *vf, uint32_t insn);
/* The host's function that the call there is of; NULL: it is none. */
const struct tn_host_helper *tn_vf_host(const struct tn_vf *vf, uint32_t at);

/* The instruction writes register r, which must not be the frame pointer. */
int tn_need_writable(struct tn_vf *vf, uint32_t r);
/* -EACCES unless r is initialised. */
int tn_need_init(struct tn_vf *vf, uint32_t r);
int tn_need_scalar(struct tn_vf *vf, uint32_t r, const char *what);
/* *r is about to be taken for a number. An address becomes one that nothing is known about, where
 * the host lets programs see addresses. false: it is no number, and does not become one. */
bool tn_as_number(const struct tn_vf *vf, struct tn_reg *r);

/* alu.c */
int tn_do_alu(struct tn_vf *vf);

/* What a compare of numbers says about them in each outcome. */
struct tn_outcomes {
	bool fall, taken;	     /* possible */
	bool known;		     /* what follows is set for those that are */
	struct tn_scalar a[2], b[2]; /* [taken] */
};

/* branch.c: which outcomes are possible, without changing the state. */
int tn_branch_outcomes(struct tn_vf *vf, struct tn_outcomes *out);
/* Assume one outcome. `out` is of this state, NULL: find out anew. false: it turned out impossible.
 */
bool tn_branch_assume(struct tn_vf *vf, bool taken, const struct tn_outcomes *out);
/* The scalar in *r was refined: carry it to all that are tied to it. false: impossible. */
bool tn_spread_scalar(struct tn_vf *vf, const struct tn_reg *r);

/* out is a number made from a that is never larger than a: what bounds a by a region bounds it. */
void tn_learn_shrunk(struct tn_vf *vf, struct tn_reg *out, const struct tn_reg *a);

/* memory.c */
int tn_do_load(struct tn_vf *vf);
int tn_do_store(struct tn_vf *vf);
int tn_do_atomic(struct tn_vf *vf);
int tn_do_lddw(struct tn_vf *vf);
int tn_do_ld_packet(struct tn_vf *vf);

/* Memory of a call's argument: `size` bytes, or as many as register `size_reg` says (NULL: none).
 * `written`: the callee writes it; `fully`: all of it. */
struct tn_mem_arg {
	uint32_t reg;
	uint64_t size;
	const struct tn_reg *size_reg;
	bool written, fully;
	const char *what;
};
int tn_check_mem_arg(struct tn_vf *vf, const struct tn_mem_arg *arg);
/* Are `size` bytes from off + r inside, may they be read or written? */
int tn_check_bounds(struct tn_vf *vf, uint32_t regno, int64_t off, uint64_t size, bool write);

/* stack.c */
int tn_stack_load(struct tn_vf *vf, const struct tn_reg *base, uint32_t regno, int64_t off,
		  uint32_t size, struct tn_reg *out);
int tn_stack_store(struct tn_vf *vf, const struct tn_reg *base, uint32_t regno, int64_t off,
		   uint32_t size, const struct tn_reg *value);
int tn_stack_mem_arg(struct tn_vf *vf, const struct tn_mem_arg *arg, uint64_t min, uint64_t max);
/* The bytes of the stack at a constant place, if they are known zero or a spilled constant. */
bool tn_stack_const(struct tn_vf *vf, const struct tn_reg *base, uint32_t size, uint64_t *value);

/* arena.c */
struct tn_map *tn_prog_arena(const struct tn_prog *prog); /* NULL: none */
void tn_arena_as_number(struct tn_reg *r);
int tn_do_arena_cast(struct tn_vf *vf);
/* Arithmetic in a program with an arena: *done where it moved an arena pointer; else such pointers
 * became numbers. */
int tn_arena_alu(struct tn_vf *vf, unsigned op, bool half, bool *done);
int tn_arena_access(struct tn_vf *vf);
int tn_arena_compare(struct tn_vf *vf, const struct tn_reg *a, const struct tn_reg *b);
/* memory.c: what kind of operand this instruction has on this path; the rewritten kinds must be the
 * same on all. */
int tn_note_kind(struct tn_vf *vf, uint8_t kind);

/* lock.c */
int tn_lock_none_held(struct tn_vf *vf, const char *where);
/* May the call at s.insn be made with the lock that is held? */
int tn_lock_check_call(struct tn_vf *vf);

/* map_value.c: what is special about maps and their values. */
/* What a lookup in `map` gives: a value, or an inner map; with a name of its own where it matters
 * which one it is. */
void tn_name_value(struct tn_vf *vf, const struct tn_map *map, struct tn_reg *out);
/* A read of a map itself, through struct bpf_map. */
int tn_load_map_field(struct tn_vf *vf, uint32_t regno, int64_t off, uint32_t size,
		      struct tn_reg *out);
/* Does [lo, hi + size) of a value leave out the fields that only helpers may touch? */
int tn_check_special(struct tn_vf *vf, uint32_t regno, const struct tn_map *map, int64_t lo,
		     int64_t hi, uint64_t size);

/* The frame of r becomes deep enough for `size` bytes there, or it is refused. */
int tn_stack_reserve(struct tn_vf *vf, uint32_t regno, uint32_t size);

/* may_goto.c: after the walk. */
int tn_check_may_gotos(struct tn_vf *vf);

/* call.c */
int tn_do_call(struct tn_vf *vf);
int tn_do_exit(struct tn_vf *vf);
int tn_call_resume(struct tn_vf *vf, enum tn_resume how);

/* handle.c */
/* The one pointer for this name: registers compare names by it. */
const char *tn_handle_name(struct tn_vf *vf, const char *name);
/* May a handle of type `have` be given where `want` is asked for? */
bool tn_handle_serves(const struct tn_vf *vf, const char *have, const char *want);
/* How such handles are released, by their own type's releaser or that of a base. NULL: unknown. */
const struct tn_releaser *tn_handle_releaser(const struct tn_vf *vf, const char *name);
int tn_handle_load(struct tn_vf *vf, uint32_t regno, int64_t off, uint32_t size, bool sext,
		   struct tn_reg *out);
int tn_handle_store(struct tn_vf *vf, uint32_t regno, int64_t off, uint32_t size);
/* out, a result that is argument `from` seen as another type, shares its reference. */
void tn_handle_cast(const struct tn_reg *from, struct tn_reg *out);

/* The fields that the host shows of handles of this type; NULL: none. */
const struct tn_ctx_type *tn_handle_struct(const struct tn_vf *vf, const char *name);

/* probe.c */
/* The instruction here reads through regno, which is untrusted. */
int tn_probe_load(struct tn_vf *vf, uint32_t regno);
/* The handle in *out is untrusted. */
void tn_probe_mark(struct tn_reg *out);

/* reference.c */
/* *r stands for a new reference from here on. `how` it is released when the program ends early:
 * NULL where nobody knows, then it may not be held where that can happen. */
int tn_ref_acquire(struct tn_vf *vf, struct tn_reg *r, const struct tn_releaser *how);
int tn_ref_release(struct tn_vf *vf, uint32_t ref);
/* May a helper that takes release:`type` release it? At run time it is found by that name. */
int tn_ref_check_releaser(struct tn_vf *vf, uint32_t ref, const char *type);
/* The jump or call here may end the program for want of fuel: remember what is held. `ends`: it
 * may end it anyway. */
void tn_ref_note_held(struct tn_vf *vf, bool ends);
/* After the walk: mark what is to be noted at run time. fuel: the charge of each instruction. */
int tn_refs_finish(struct tn_vf *vf, const uint32_t *fuel);
/* The pointer is known to be NULL: there is nothing to release. */
void tn_ref_drop(struct tn_vf *vf, uint32_t ref);
/* What was found in the object may be gone: pointers to that, and what was made of them, are. */
void tn_ref_drop_parts(struct tn_vf *vf, uint32_t ref);
int tn_ref_none_held(struct tn_vf *vf, const char *where);
/* A callback is about to return: what it acquired is gone. */
int tn_ref_none_of_callback(struct tn_vf *vf);

/* verify.c: the current state has no frame, holds nothing and knows nothing. */
void tn_vf_begin(struct tn_vf *vf);

/* pending.c: take up the current state later. */
int tn_walk_push(struct tn_vf *vf, enum tn_resume how);
/* The same at a branch with these outcomes. */
int tn_walk_push_branch(struct tn_vf *vf, enum tn_resume how, const struct tn_outcomes *out);
/* The newest becomes the current state. *out: what its branch found out, or NULL; valid until the
 * next push. */
enum tn_resume tn_pending_take(struct tn_vf *vf, const struct tn_outcomes **out);
void tn_pending_clear(struct tn_vf *vf);
void tn_pending_fini(struct tn_vf *vf);

/* walk.c */
/* An allocation for a state failed: -ENOMEM, or the verifier's limit as a diagnosis. */
int tn_over_memory(struct tn_vf *vf);
int tn_walk_trail(struct tn_vf *vf, uint8_t kind);
int tn_walk(struct tn_vf *vf);
/* In steps, see struct tn_verdict. */
uint64_t tn_walk_work(const struct tn_vf *vf);
void tn_walk_free(struct tn_vf *vf);

/* Does the context's pointer field `field` (index) make a region? Its number or -1. */
static inline int tn_vf_region_of(const struct tn_vf *vf, uint32_t field)
{
	for (uint32_t i = 0; i < vf->nr_regions; i++)
		if (vf->regions[i].field == field)
			return (int)i;
	return -1;
}

#endif
