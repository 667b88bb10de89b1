/* SPDX-License-Identifier: MIT */
/*
 * What was known at each instruction, over all states that the walk stepped from there: for people,
 * never for a proof. Recorded only when asked for.
 */
#ifndef TN_VERIFIER_SUMMARY_H
#define TN_VERIFIER_SUMMARY_H

#include "verifier/engine.h"

struct tn_known {
	uint8_t kind; /* enum tn_reg_kind of all states; meaningless if it varies */
	bool seen, varies, nullable;
	const void *obj;
	uint32_t region, size;
	uint64_t umin, umax;
	int64_t smin, smax;
};

struct tn_summary {
	struct tn_vf *vf;
	struct tn_known *regs; /* [insn][TN_R10] */
	uint32_t *visits;      /* per instruction */
	uint32_t *defs;	       /* [insn][TN_R10]: the one instruction that set the register that
				* stands there before insn, or TN_DEF_... */
};

enum { TN_DEF_NONE = 0xffffffff, TN_DEF_ENTRY = 0xfffffffe, TN_DEF_MANY = 0xfffffffd };

/* NULL: out of memory. */
struct tn_summary *tn_summary_new(struct tn_vf *vf);
void tn_summary_free(struct tn_rt *rt, struct tn_summary *s);
/* As env->observe, user: struct tn_vf. */
void tn_summary_observe(void *user, struct tn_state_env *senv, const struct tn_state *s,
			bool fresh);

/* "a pointer to a value of map 'm' + 0..60, or NULL"; "" where nothing is known. */
const char *tn_known_words(struct tn_vf *vf, const struct tn_known *k, char *buf, size_t size);
/* The C expression that register `reg` holds before `insn`, as far as one can be told; "" else. */
const char *tn_summary_name(const struct tn_summary *s, uint32_t insn, uint32_t reg, char *buf,
			    size_t size);

/* ---- listing.c, graph.c: texts, owned by the caller. ---- */

/* The source with what is known at each line. */
int tn_listing(struct tn_summary *s, struct tn_log_buf *out);
/* The control-flow graph with states, in the DOT language. */
int tn_graph(struct tn_summary *s, struct tn_log_buf *out);

#endif
