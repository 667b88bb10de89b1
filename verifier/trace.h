/* SPDX-License-Identifier: MIT */
/*
 * What the failing path computed, for messages alone: nothing here has a say in a verdict. The path
 * is followed once more without states, and every value that it made gets a number; copies of a
 * value, also through the stack, are that value. So a message can say where a number came from, who
 * tested it, and what became of it in between.
 */
#ifndef TN_VERIFIER_TRACE_H
#define TN_VERIFIER_TRACE_H

#include "verifier/engine.h"

/* The end of the path is what matters. */
#define TN_TRACE_STEPS 4096

struct tn_trace_step {
	uint32_t insn;
	uint16_t depth;	 /* frames */
	uint8_t outcome; /* enum tn_trail_kind of a decision made here, or TN_NO_DECISION */
};

#define TN_NO_DECISION 0xff

/* Names and places that the message needs, each kept once: none is overwritten by a later one. */
#define TN_TRACE_TEXTS 64
#define TN_TRACE_TEXT  96

enum tn_val_op {
	TN_VAL_OTHER,	/* from before the part of the path that is known; anything else */
	TN_VAL_CTX,	/* the context */
	TN_VAL_FRAME,	/* r10 of frame `imm` */
	TN_VAL_CONST,	/* imm */
	TN_VAL_MAP,	/* map number `imm` of the program */
	TN_VAL_DATA,	/* value of map number `a`, offset imm */
	TN_VAL_LOAD,	/* size bytes at a + imm */
	TN_VAL_CALL,	/* result; a: its first argument */
	TN_VAL_ALU,	/* a `alu` b, or imm where b is TN_NONE */
	TN_VAL_CLEARED, /* r1 to r5 after a call */
	TN_VAL_INDEX,	/* first argument of a callback */
};

struct tn_val {
	uint8_t op, alu;
	bool half;
	uint32_t step; /* where it was made */
	uint32_t a, b;
	int64_t imm;
	uint32_t size;
	uint32_t gone; /* step of the call that released it, or TN_NONE */
};

/* A compare on the path and the relation that held: a `op` b, or imm where b is TN_NONE. */
struct tn_test {
	uint32_t step;
	uint32_t a, b;
	int64_t imm;
	uint8_t op; /* TN_JEQ ... as it held */
	bool half;
};

struct tn_trace {
	struct tn_vf *vf;
	struct tn_trace_step *steps; /* oldest first; the last one failed */
	uint32_t nr_steps;
	struct tn_val *vals;
	uint32_t nr_vals, max_vals;
	struct tn_test *tests; /* oldest first */
	uint32_t nr_tests;
	uint32_t *regs;	      /* [frame][TN_NR_REGS]: values now */
	uint32_t *slots;      /* [frame][max_slots]: values that were stored whole */
	uint32_t invalidated; /* last step that made pointers of the context stale, or TN_NONE */
	uint32_t nr_texts;
	char texts[TN_TRACE_TEXTS][TN_TRACE_TEXT];
};

/* NULL: out of memory, or there is no path. */
struct tn_trace *tn_trace_new(struct tn_vf *vf);
void tn_trace_free(struct tn_trace *t);

/* The value of a register of the failing frame; TN_NONE: not known. */
uint32_t tn_trace_reg(const struct tn_trace *t, uint32_t reg);

static inline const struct tn_val *tn_trace_val(const struct tn_trace *t, uint32_t v)
{
	return v == TN_NONE ? NULL : &t->vals[v];
}

/* Through copies, extensions and sums with constants, to the value that was read or given. */
uint32_t tn_trace_root(const struct tn_trace *t, uint32_t v);

/* An unknown number in a sum: root * scale + offset; from a pointer plus it, or from itself. */
struct tn_linear {
	uint32_t root; /* TN_NONE: a constant alone */
	uint32_t base; /* the pointer, TN_NONE: none */
	int64_t scale, offset;
};
struct tn_linear tn_trace_linear(const struct tn_trace *t, uint32_t v);

/* Is the load that of a pointer field of the context? */
bool tn_trace_is_ctx_pointer(const struct tn_trace *t, const struct tn_val *v);

const struct tn_line *tn_trace_line(const struct tn_trace *t, uint32_t step);
/* A copy that lives as long as the trace. */
const char *tn_trace_keep(struct tn_trace *t, const char *text);
/* "line 12", "host.h:12" where that is another file than the failing line's, "instruction 7" where
 * there are no lines. */
const char *tn_trace_place(struct tn_trace *t, uint32_t step);

/* ---- names.c ---- */

/* In C: "req->flags", "req->path[3]", "the result of bpf_ktime_get_ns()"; NULL: no words for
 * it, or more of them than an author would know again. */
const char *tn_trace_words(struct tn_trace *t, uint32_t v);
/* The pointer variable that the source uses at `step`: "c" of `c->hits`; NULL. */
const char *tn_trace_variable(struct tn_trace *t, uint32_t step);
/* What the program calls its context: "req", "ctx". */
const char *tn_context_name(const struct tn_vf *vf);
/* The callee of the call at an instruction: "bpf_ringbuf_submit"; never NULL. */
const char *tn_callee_name(const struct tn_vf *vf, uint32_t insn);
/* Member of the values of map number `map` that contains the byte at `off`: its name, and of an
 * array the bytes of an element and how many there are (0: no array). NULL: not known. */
struct tn_member {
	const char *name;
	uint32_t offset, elem_bytes, nr_elems;
};
bool tn_member_at(const struct tn_vf *vf, uint32_t map, uint64_t off, struct tn_member *out);
/* The number of `map` among the program's, TN_NONE. */
uint32_t tn_map_number(const struct tn_vf *vf, const void *map);

/* ---- cure.c ---- */

/* Better words for the diagnosis, and what would mend the program. */
void tn_cure(struct tn_trace *t);
/* What mends most programs that get this code, where nothing better was said. */
void tn_cure_in_general(struct tn_vf *vf);

#endif
