/* SPDX-License-Identifier: MIT */
/*
 * Reads at addresses that nobody vouches for: what is not there reads as 0.
 *
 * Two ways. Through the kernel (process_vm_readv(2) on the own process): needs nothing of the host,
 * 1.4 us. Or a plain load, and a handler of SIGSEGV and SIGBUS that knows which instructions may
 * fault and goes on behind them with a 0: as fast as any load where the memory is there. The second
 * only where the host permits the handler.
 *
 * The handler stands in front of what the host had installed, and passes on every signal that is
 * not for it: with the flags and the mask that the host's handler asked for, and by default action
 * where there is none. A host that installs a handler later passes on to the one it found, or
 * untrusted reads are crashes to it. The handler is installed with the first runtime that asks and
 * stays, passing everything on, when the last of them is gone: others may have kept its address to
 * pass on to, and between looking who is installed and restoring what was there before, another
 * thread may install its own.
 */
#ifndef TN_BASE_FAULT_H
#define TN_BASE_FAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

struct tn_thread;

/* Is there a handler for this machine? */
#if defined(__x86_64__) && defined(__linux__)
#define TN_FAULT_HANDLER 1
#else
#define TN_FAULT_HANDLER 0
#endif

/* Install the handler where it is not the installed one. 0; -ENOTSUP: not for this machine;
 * -EBUSY: too many others were installed after it, one by one. Any thread. */
int tn_fault_install(void) TN_WARN_UNUSED;

/* A fault whose signal is blocked kills the process, whatever the handler: unblock both signals for
 * the calling thread, once. */
void tn_fault_unblock(struct tn_thread *t);

/* 1, 2, 4 or 8 bytes, zero-extended; 0: not all of them are there. Only while the handler is
 * installed. */
uint64_t tn_fault_load(uint64_t addr, uint32_t bytes);
/* A copy, likewise. false: not all of it is there; part of it may be copied. */
bool tn_fault_copy(void *to, uint64_t from, size_t size);

/* By the kernel. 0, -EFAULT (part of it may be copied), or the errno of a sandbox. */
int tn_fault_copy_slowly(void *to, uint64_t from, size_t size);
/* Does the kernel let us? 0, or -EPERM and the like with words. Asks once it works no more. */
int tn_fault_check_slow(void);

/* ---- Compiled code ---- */

/* A load in compiled code that may fault. */
struct tn_fault_site {
	uint32_t off;	/* of the instruction, from the start of the code */
	uint16_t bytes; /* of the instruction */
	uint8_t reg;	/* machine register that it loads */
};

struct tn_fault_code;

/* Loads of the code at `base`, sorted by offset; they stay the caller's, until the code is removed.
 * Before any thread runs the code. NULL: out of memory. */
struct tn_fault_code *tn_fault_code_add(const void *base, size_t size,
					const struct tn_fault_site *sites, uint32_t nr);
/* No thread runs the code any more. NULL is fine. */
void tn_fault_code_remove(struct tn_fault_code *code);

#endif
