/* SPDX-License-Identifier: MIT */
/* Calls of the host's C functions from r1..r5, by their signatures. */
#ifndef TN_JIT_X86_64_MARSHAL_H
#define TN_JIT_X86_64_MARSHAL_H

#include "jit/x86_64/asm.h"
#include "vm/signature.h"

static inline bool tn_marshal_is_direct(const struct tn_host_helper *helper)
{
	return helper->fn && tn_sig_is_direct(&helper->sig, helper->pass_user);
}

/* Straight into the registers that C expects (tn_marshal_is_direct()); the result in r0. */
void tn_marshal_direct(struct tn_codebuf *b, const struct tn_host_helper *helper);
/* Through helper->invoke(), with r1..r5 in an array on the stack. */
void tn_marshal_invoke(struct tn_codebuf *b, const struct tn_host_helper *helper, uint8_t ex);

#endif
