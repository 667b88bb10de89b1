/* SPDX-License-Identifier: MIT */
/*
 * Things that a callee keeps in the program's stack: iterators and dynptrs. Each of their 8-byte
 * slots holds a spilled register of a kind of its own, which no register ever holds: so
 * containment, merging and renaming of references treat it like any spilled pointer. The program
 * can neither read it nor, while it stands for something that must be given back, write to it.
 */
#ifndef TN_VERIFIER_STACK_OBJECT_H
#define TN_VERIFIER_STACK_OBJECT_H

#include "verifier/engine.h"

/* Where register `regno` points to: a place for `size` bytes, at a constant multiple of 8. */
struct tn_stack_place {
	struct tn_frame *frame;
	uint32_t slot; /* of the first 8 bytes; the next ones have lower numbers */
	uint32_t nr;
	int64_t off; /* from r10 */
};
int tn_object_place(struct tn_vf *vf, uint32_t regno, uint32_t size, const char *what,
		    struct tn_stack_place *out);
/* The object's first slot, if the place holds one whole object of this kind; NULL: no. */
struct tn_reg *tn_object_at(const struct tn_stack_place *place, uint8_t kind);
/* -EACCES where something that must be given back stands in the place already. */
int tn_object_free_place(struct tn_vf *vf, uint32_t regno, const struct tn_stack_place *place);
void tn_object_put(const struct tn_stack_place *place, const struct tn_reg *first);
/* It is gone, and its bytes are zero. */
void tn_object_remove(const struct tn_stack_place *place);

static inline bool tn_reg_is_object(const struct tn_reg *r)
{
	return r->kind == TN_REG_ITER || r->kind == TN_REG_DYNPTR;
}

#endif
