/* SPDX-License-Identifier: MIT */
/*
 * One call of a helper or host function while it is checked. args.c fills in what the arguments
 * are, result.c says what comes back and what the call costs, callback.c runs functions that are
 * called back, call.c ties them together.
 */
#ifndef TN_VERIFIER_CALLEE_H
#define TN_VERIFIER_CALLEE_H

#include "verifier/engine.h"

/* Of a callee that enters the kernel, in instructions. */
#define TN_KERNEL_ENTRY_COST 64

struct tn_callee {
	const char *name;
	const struct tn_sig *sig;
	uint32_t id;		       /* standard helper, 0: of the host */
	const struct tn_map *map;      /* argument */
	const struct tn_reg *size;     /* CONST_SIZE argument */
	uint8_t releases;	       /* arguments that are given up: bit i is argument i */
	uint32_t func;		       /* callback, TN_NONE */
	const struct tn_field *probed; /* pointer member that the call reads, see probe.c */
};

/* args.c */
int tn_check_args(struct tn_vf *vf, struct tn_callee *c);
/* -EACCES: argument i is not what the callee wants. */
int tn_refuse_arg(struct tn_vf *vf, const struct tn_callee *c, uint32_t i, const char *want);
bool tn_reg_is_null(const struct tn_reg *r);
/* A pointer to the very start of its memory. */
bool tn_reg_at_start(const struct tn_reg *r);

/* btf_ptr.c: argument i, its size and the flags behind it. */
int tn_check_btf_ptr(struct tn_vf *vf, const struct tn_callee *c, uint32_t i);

/* context.c: is there in the program's context what the callee asks of it? */
int tn_check_context_serves(struct tn_vf *vf, const struct tn_callee *c);

/* lock.c */
int tn_check_lock_arg(struct tn_vf *vf, struct tn_callee *c, uint32_t i);
/* The pointer in r1 was checked: its lock is held from here on, or not any more. */
int tn_lock_take(struct tn_vf *vf);
int tn_lock_release(struct tn_vf *vf);

/* result.c */
void tn_note_key(struct tn_vf *vf, const struct tn_callee *c);
void tn_note_cost(struct tn_vf *vf, const struct tn_callee *c);
/* The call here may take `cost` instructions. */
void tn_note_more_cost(struct tn_vf *vf, uint64_t cost);
int tn_call_result(struct tn_vf *vf, const struct tn_callee *c, struct tn_reg *out);

/* probe.c */
/* Argument i is a handle, of which the callee reads as many bytes as r2 says. */
int tn_probe_source(struct tn_vf *vf, struct tn_callee *c, uint32_t i);
/* Arguments were checked: the pointer that was read is in the stack. */
int tn_probe_pointer(struct tn_vf *vf, const struct tn_callee *c);

/* callback.c */
/* Is it a map that stands for all those that another map may hold? */
bool tn_map_is_inner(const struct tn_vf *vf, const struct tn_map *map);
/* r1 to r3 of a function that is given an element: map, key, value. The key lives as long as the
 * frame. */
void tn_set_elem_args(struct tn_vf *vf, const struct tn_map *map, uint32_t frame, struct tn_reg *r);
int tn_do_callback(struct tn_vf *vf, const struct tn_callee *c);

/* call.c */
/* r is a result of the whole program: is it one that the hook takes? */
int tn_note_return(struct tn_vf *vf, uint32_t regno);
void tn_call_clobber(struct tn_vf *vf);
/* Is what is walked run by a helper, or by a timer? */
bool tn_in_callback(const struct tn_vf *vf);
void tn_call_note_abort(struct tn_vf *vf);
/* What the context points to may have moved. */
void tn_call_invalidate(struct tn_vf *vf);

#endif
