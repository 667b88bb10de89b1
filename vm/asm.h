/* SPDX-License-Identifier: MIT */
/*
 * Text to code, for tests: the disassembler's syntax plus labels ("loop:", "goto loop"), comments
 * (";" or "#" or "//" to the end of the line), helper calls by name or number, "call NAME" of a
 * label for local calls, "r1 = map[0] ll", "r1 = map_value[0]+8 ll", "r2 = func NAME ll".
 */
#ifndef TN_VM_ASM_H
#define TN_VM_ASM_H

#include "vm/insn.h"

struct tn_rt;

/* *out: tn_free() it. 0, -EINVAL with words that name line and column, -ENOMEM. */
int tn_asm(struct tn_rt *rt, const char *text, struct tn_insn **out, uint32_t *nr);

#endif
