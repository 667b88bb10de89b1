/* SPDX-License-Identifier: MIT */
/*
 * The proof. Everything that a program does to memory, types and resources is proved safe before it
 * can be compiled or attached; what is not understood is rejected. Time is bounded by fuel, whose
 * charges are part of the facts.
 */
#ifndef TN_VERIFIER_VERIFY_H
#define TN_VERIFIER_VERIFY_H

#include "vm/image.h"

struct tn_state;
struct tn_state_env;

enum tn_license_policy { TN_LICENSE_KERNEL = 0, TN_LICENSE_OFF, TN_LICENSE_HOST_LIST };

struct tn_verify_env {
	/* prog->ctx_type, maps, externs are resolved already. */
	bool ret_checked;
	int64_t ret_min, ret_max;
	bool no_result; /* nobody looks at what the program returns: r0 may be anything */
	/* Results are C ints: whoever takes them looks at the low 32 bits alone, so that these,
	 * as a signed number, are what is held to ret_min..ret_max. */
	bool ret_int;
	uint64_t fuel;		 /* budget: loops proved within it are free */
	bool termination_proved; /* reject programs that need fuel */
	/* Addresses may become numbers: be returned, stored and computed with. */
	bool addresses_visible;
	bool strict_alignment; /* accesses stand at multiples of their size, outside the stack too
				*/
	enum tn_license_policy license;
	const char *const *gpl_only; /* HOST_LIST: names, NULL at the end */
	int log_level;
	/* Host helper called by number, or NULL: consulted before the standard ones. */
	const struct tn_host_helper *(*helper_by_id)(void *user, uint32_t id);
	/* How handles of a type are released where the program ends early; NULL: not at all. May be
	 * NULL. */
	const struct tn_releaser *(*releaser)(void *user, const char *type);
	/* The fields behind handles of a type; NULL: it is opaque. May be NULL. */
	const struct tn_ctx_type *(*struct_of)(void *user, const char *name);
	/* Does the plugin have bytes [off, off + size) of `type` where the host has them? 0,
	 * -ESTALE with words, -ENOMEM. Asked where no CO-RE record says so. May be NULL: nobody
	 * knows. */
	int (*layout)(void *user, const struct tn_ctx_type *type, uint32_t off, uint32_t size);
	void *layout_user;
	/* Policy: 0 or -EACCES with words. May be NULL. */
	int (*helper_allowed)(void *user, const char *name);
	void *user;
	/* For tests: each state that the walk steps from, before the instruction s->insn. An
	 * attempt that is repeated begins again at instruction 0 with `fresh`. May be NULL. */
	void (*observe)(void *user, struct tn_state_env *senv, const struct tn_state *s,
			bool fresh);
	void *observe_user;
	bool explain; /* fill verdict->listing and verdict->graph */
};

/* Stable codes, errors.def. 0: accepted. */
struct tn_verdict {
	int code;
	const char *code_name; /* "E_NULL" ; static */
	int32_t insn;	       /* -1: none */
	char *msg;	       /* headline, WHY lines, advice; "" if accepted */
	char *log;	       /* what log_level asked for */
	char *json;
	char *listing; /* env->explain: the source with what is known at each line */
	char *graph;   /* the control-flow graph in the DOT language */
	uint64_t steps, states, peak_bytes, ns;
	/* What the proof took, in steps: those that compare large states count for more, and a
	 * limit that was met is all that there is. */
	uint64_t work;
};

/*
 * 0: accepted, prog->facts is set. -EACCES: rejected; -E2BIG: a limit (steps, memory,
 * instructions); -ENOMEM. *verdict is filled in every case but -ENOMEM, its strings owned by the
 * caller (tn_verdict_free); tn_err_last() holds the headline with place. Thread-safe: no state
 * outside.
 */
int tn_verify(struct tn_prog *prog, const struct tn_verify_env *env, struct tn_verdict *verdict);
void tn_verdict_free(struct tn_rt *rt, struct tn_verdict *verdict);

#endif
