/* SPDX-License-Identifier: MIT */
/* Programs on the kernel's own engine, through bpf(2): the third opinion where the machine allows
 * it. */
#ifndef TN_TESTS_ISA_KERNEL_H
#define TN_TESTS_ISA_KERNEL_H

#include <stddef.h>
#include <stdint.h>

#include "vm/insn.h"

/* 0, or a negative errno: why this process may not load programs. */
int kernel_available(void);

/* Run once with r1 pointing to `size` bytes of memory, which are read and written back, and r2
 * their number. 0 with *r0; -EACCES: the kernel's verifier refused the program; other negative
 * errno. */
int kernel_run(const struct tn_insn *insns, uint32_t nr, void *mem, size_t size, uint64_t *r0);

#endif
