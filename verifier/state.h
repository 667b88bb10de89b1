/* SPDX-License-Identifier: MIT */
/*
 * The abstract machine: what is known about every register, stack byte and region at one point of
 * one path. A state stands for a set of concrete machine states; every operation here keeps each
 * concrete state inside (or drops it only when it is impossible).
 *
 * A scalar or pointer offset may be tied to others by an id: its concrete value is
 * x * scale + delta modulo 2^64, where x is one unknown number per id. The relation is exact, so
 * that what a compare says about one of them holds for all.
 */
#ifndef TN_VERIFIER_STATE_H
#define TN_VERIFIER_STATE_H

#include <stddef.h>
#include <string.h>

#include "vm/image.h"
#include "verifier/liveness.h"
#include "verifier/pool.h"
#include "verifier/scalar.h"

struct tn_map;

enum tn_reg_kind {
	TN_REG_UNINIT = 0,
	TN_REG_SCALAR,
	/* Pointers. `v` is the offset from the start of what they point into. */
	TN_REG_STACK, /* from r10 of `frame` */
	TN_REG_CTX,
	TN_REG_MAP,    /* the map object `obj`, never dereferenced */
	TN_REG_VALUE,  /* a value of the map `obj`, or of a data section */
	TN_REG_REGION, /* what the context's pointer field number `region` (struct tn_regions) gives
			*/
	TN_REG_END,    /* the end of that region; `v` is relative to it */
	TN_REG_RECORD, /* a ring buffer record of `size` bytes, held by `ref` */
	TN_REG_HANDLE, /* opaque, type name `obj` */
	TN_REG_FUNC,   /* subprogram number `region` */
	TN_REG_ARENA,  /* a number below 2^32 that goes through the arena's table, see arena.c */
	TN_REG_MEM,    /* `size` bytes of what `obj` names in words, never NULL. `frame`: gone when
			* that frame is left, 0: stays. `ref`: gone with that reference */
	TN_REG_DYNPTR_ARG, /* pointer to a dynptr that is an argument; as DYNPTR */
	/* Never in a register: what a callee keeps in the stack, see stack_object.h. */
	TN_REG_ITER,   /* iterator of type name `obj`, `drained`; gives at most `v` elements */
	TN_REG_DYNPTR, /* of what `region` says, see dynptr.h */
};

/* How a pointer stands to the reference in `ref`. All are gone when it is released. */
enum tn_share {
	TN_SHARE_OWN = 0, /* what was acquired; NULL means that there is nothing to release */
	TN_SHARE_CAST,	  /* the same object as another type: may be released in its place */
	TN_SHARE_PART,	  /* found in the object: may not */
};

struct tn_reg {
	/* What it is. Two registers are the same kind of thing if these words are equal:
	 * containment and merging compare them as one piece, so that a field added here is taken
	 * care of there. No padding: take a new field from the spare ones. */
	union {
		struct {
			uint8_t kind; /* enum tn_reg_kind */
			uint8_t frame;
			bool low : 1;	    /* the low 32 bits of the address alone: good for a
					       distance, nothing else */
			bool rdonly : 1;    /* MEM; HANDLE: pointer to const */
			bool untrusted : 1; /* HANDLE: maybe NULL, stale or wrong; carries no
					       reference */
			uint8_t spare : 5;  /* 0 */
			uint8_t spare2;	    /* 0 */
			uint32_t region;
			const void *obj; /* borrowed: struct tn_map or handle name */
			uint32_t size;
			uint8_t share; /* enum tn_share */
			uint8_t part;  /* ITER, DYNPTR: which of its slots;
					* MEM: 1 << part divides its address */
			bool drained;  /* ITER */
			bool of_ctx;   /* MEM: gone when what the context points to may move */
		};
		uint64_t what[3];
	};
	bool nullable;
	/* Names of things, which differ from path to path: names_cover() and names_merge() of
	 * merge.c say how each is renamed. */
	uint32_t ref;	  /* reference that this pointer stands for, 0: none */
	uint32_t null_id; /* nullable pointers that are NULL together; 0: alone */
	uint32_t inst;	  /* pointers with the same one point to the same object; different ones
			     may too. Fresh per call that gives an object; 0: none */
	uint32_t id;	  /* of `v`, 0: tied to nothing */
	uint64_t scale;
	int64_t delta;
	struct tn_scalar v;
};

_Static_assert(offsetof(struct tn_reg, nullable) == 3 * sizeof(uint64_t),
	       "what a register is has no padding");

static inline bool tn_reg_same_what(const struct tn_reg *a, const struct tn_reg *b)
{
	return !((a->what[0] ^ b->what[0]) | (a->what[1] ^ b->what[1]) | (a->what[2] ^ b->what[2]));
}

/* What a stack byte holds. */
enum tn_byte {
	TN_BYTE_UNINIT = 0, /* maybe never written: zeroed at frame entry once it is read */
	TN_BYTE_MISC,
	TN_BYTE_ZERO,
	TN_BYTE_SPILL,	/* part of slot->reg */
	TN_BYTE_POISON, /* part of an address that was torn: never readable */
};

/* [r10 - 8 * (i + 1), r10 - 8 * i). The bytes that are SPILL hold reg, little-endian; 8 of them for
 * a pointer, else 1, 2, 4 or 8 in a row. */
struct tn_slot {
	uint8_t b[8];
	struct tn_reg reg;
};

static inline bool tn_slot_has_spill(const struct tn_slot *slot)
{
	uint64_t all, low = 0x0101010101010101u;

	/* A byte of 3 among bytes below 8: its exclusive or with 3 alone has no bit set. */
	_Static_assert(TN_BYTE_SPILL == 3 && TN_BYTE_POISON < 8, "kinds of bytes");
	memcpy(&all, slot->b, sizeof(all));
	all ^= low * TN_BYTE_SPILL;
	return (all | all >> 1 | all >> 2 | ~low) != UINT64_MAX;
}

/* Of a slot's SPILL bytes: an address, or what is left of one that has become invalid. */
static inline bool tn_slot_is_address(const struct tn_slot *slot)
{
	return slot->reg.kind != TN_REG_SCALAR;
}

struct tn_frame {
	struct tn_reg r[TN_NR_REGS];
	uint32_t callsite; /* call instruction in the frame below; TN_NONE: main */
	uint32_t subprog;
	bool callback;	   /* entered by the helper at callsite: its exit goes back there */
	uint32_t rounds;   /* of callbacks that the call in progress here has run at least */
	uint32_t nr_slots; /* slots beyond are all UNINIT */
	struct tn_slot *slots;
};

/* Per pointer field of the context: fixed for the verification. */
struct tn_region {
	uint32_t field; /* of the context type */
	uint8_t kind;	/* enum tn_field_kind */
	uint8_t access;
	uint32_t unit;	  /* bytes per element of the length */
	uint32_t size;	  /* MEM: bytes */
	uint64_t max_len; /* largest length that the host can state */
	int32_t end;	  /* region that begins where this one ends (data_meta, data); -1 */
	uint32_t len_id;  /* reserved scalar id of the length */
	uint32_t null_id; /* reserved null id */
};

#define TN_MAX_REGIONS 32

/* What is known about one region now. */
enum { TN_NULL_UNKNOWN = 0, TN_NULL_NO, TN_NULL_YES };
struct tn_region_state {
	struct tn_scalar len; /* in elements; of no meaning for MEM */
	uint8_t null;
};

/* x * scale + delta <= bytes of the region, x the number behind `id`; see region.c. */
struct tn_len_fact {
	uint32_t id;
	uint32_t region;
	uint64_t scale;
	int64_t delta;
};

#define TN_MAX_FACTS 32
#define TN_MAX_REFS  16

struct tn_ref {
	uint32_t id;
	uint32_t insn;	/* where it was acquired */
	uint32_t depth; /* of callbacks then */
};

/* The spin lock that is held. */
struct tn_lock {
	uint32_t inst; /* of the object that it stands in */
	uint32_t insn; /* where it was taken, for messages */
	const void *obj;
};

/* How this path came here, newest first; for messages and for the choice of what to unroll. */
enum tn_trail_kind {
	TN_TRAIL_BRANCH,
	TN_TRAIL_TAKEN,
	TN_TRAIL_WIDEN,
	TN_TRAIL_JOIN,
	TN_TRAIL_CALLBACK,
	TN_TRAIL_STOP,
	TN_TRAIL_TAIL
};
struct tn_trail {
	const struct tn_trail *prev;
	uint32_t insn;
	uint8_t kind; /* enum tn_trail_kind */
};

struct tn_state {
	uint32_t insn;
	uint32_t nr_frames;
	struct tn_frame *frames; /* rt->limits.max_frames, with all their slots */
	uint32_t nr_regions;
	struct tn_region_state regions[TN_MAX_REGIONS];
	uint32_t nr_facts;
	struct tn_len_fact facts[TN_MAX_FACTS];
	uint32_t nr_refs;
	struct tn_ref refs[TN_MAX_REFS];
	bool locked;
	struct tn_lock lock; /* zero unless locked */
	const struct tn_trail *trail;
};

/* A state put away: what is live of it, in one block of memory. */
struct tn_packed;

/* The room of one frame, and the states' fixed surroundings. */
struct tn_state_env {
	struct tn_rt *rt;
	const struct tn_structure *structure;
	const struct tn_liveness *live;
	uint32_t max_frames, max_slots;
	uint32_t next_id;
	uint32_t fixed_ids; /* ids below are the same thing in every state */
	const struct tn_region *regions;
	uint64_t *places; /* registers and slots looked at in comparisons so far */
	struct tn_pool pool;
};

int tn_state_init(struct tn_state_env *env, struct tn_state *s);
void tn_state_fini(struct tn_state_env *env, struct tn_state *s);

static inline struct tn_frame *tn_state_top(struct tn_state *s)
{
	return &s->frames[s->nr_frames - 1];
}

/* Make frame `nr_frames` the top one: all registers uninitialised but r10, no slots. */
struct tn_frame *tn_state_push_frame(struct tn_state *s, uint32_t subprog, uint32_t callsite);

/* A slot to write to; grows the frame. `slot` is below max_slots. */
struct tn_slot *tn_frame_slot(struct tn_frame *f, uint32_t slot);

static inline bool tn_reg_is_pointer(const struct tn_reg *r)
{
	return r->kind > TN_REG_SCALAR;
}

void tn_reg_uninit(struct tn_reg *r);

/* `v` may be within *r. */
static inline void tn_reg_set_scalar(struct tn_reg *r, struct tn_scalar v)
{
	memset(r, 0, offsetof(struct tn_reg, v));
	r->kind = TN_REG_SCALAR;
	r->scale = 1;
	r->v = v;
}

static inline void tn_reg_set_const(struct tn_reg *r, uint64_t value)
{
	tn_reg_set_scalar(r, tn_scalar_const(value, TN_W64));
}

static inline void tn_reg_set_unknown(struct tn_reg *r)
{
	tn_reg_set_scalar(r, tn_scalar_unknown(TN_W64));
}

/* Tie `r` to an id of its own if it has none. */
void tn_reg_make_id(struct tn_state_env *env, struct tn_reg *r);

/* Call fn for every register and spilled register of all frames. */
typedef void (*tn_reg_fn)(void *user, struct tn_reg *r);
void tn_state_each_reg(struct tn_state *s, tn_reg_fn fn, void *user);

/* What of frame `frame` is live before s->insn. */
uint32_t tn_state_live_regs(const struct tn_state_env *env, const struct tn_state *s,
			    uint32_t frame);
bool tn_state_live_slot(const struct tn_state_env *env, const struct tn_state *s, uint32_t frame,
			uint32_t slot);
/* Forget what is dead. */
void tn_state_clean(const struct tn_state_env *env, struct tn_state *s);

/* forget.c: forget numbers that decide nothing. true: something was. */
bool tn_state_forget(const struct tn_state_env *env, struct tn_state *s);

/* Put away what is live before s->insn. NULL: out of memory, or over the limit (see
 * tn_pool_get). */
struct tn_packed *tn_state_pack(struct tn_state_env *env, const struct tn_state *s);
void tn_packed_free(struct tn_state_env *env, struct tn_packed *p);
void tn_state_unpack(const struct tn_packed *p, struct tn_state *s);

/* ---- merge.c ---- */

/* Same frames and references: may be compared and merged. */
bool tn_packed_same_shape(const struct tn_packed *p, const struct tn_state *s);
/* The registers that hold a constant in one hold the same in the other: the same round of a loop.
 */
bool tn_packed_same_constants(const struct tn_packed *p, const struct tn_state *s);
/* Every concrete state of `s` is one of `p`, as far as live. *hint begins with 0 and belongs to p.
 */
bool tn_packed_covers(const struct tn_state_env *env, const struct tn_packed *p,
		      const struct tn_state *s, uint32_t *hint);

/* Of a register or spilled one where a comparison failed: most that come later fail there, which is
 * seen without a look at the state itself. */
struct tn_glance {
	uint64_t what, umin, umax;
	uint64_t spilled; /* of a slot: 1 in each byte that is */
	uint16_t frame, place;
	bool set;
};

struct tn_glance tn_packed_glance(const struct tn_packed *p, uint32_t hint);
/* false: tn_packed_covers() will be. */
bool tn_glance_passes(const struct tn_glance *g, const struct tn_state *s);

enum tn_merge_how { TN_MERGE_JOIN, TN_MERGE_WIDEN };
/* s, of the same shape and cleaned, becomes a state that contains both. false: kinds differ and can
 * not be merged; `s` is then of no use. */
bool tn_state_merge(struct tn_state_env *env, const struct tn_state *old, struct tn_state *s,
		    enum tn_merge_how how, const int64_t *thresholds, uint32_t nr_thresholds);

#endif
