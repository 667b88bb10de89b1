/* SPDX-License-Identifier: MIT */
/* Kernel syntax: "r0 = *(u32 *)(r1 +4)", "if r1 > 0x7 goto pc+2". */
#ifndef TN_VM_DISASM_H
#define TN_VM_DISASM_H

#include <stddef.h>

#include "vm/image.h"

/* One instruction (lddw: both slots) as text; returns the length as snprintf does. `prog` gives
 * names of maps, helpers and subprograms; may be NULL. */
int tn_disasm(const struct tn_prog *prog, const struct tn_insn *insn, uint32_t idx, char *buf,
	      size_t size);

#endif
