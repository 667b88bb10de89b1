/* SPDX-License-Identifier: MIT */
/*
 * After the proof, before the engines: one instruction for one, in place. Context loads and stores
 * take the host's offsets and sizes, map references and data addresses become numbers, functions
 * become struct tn_func pointers, resolved externs become addresses, number-called host helpers
 * become TN_CALL_EXTERN (where prog->externs holds a helper with that id: it comes before a
 * standard one), jumps whose outcome is known become unconditional, unreached code becomes `exit`.
 */
#ifndef TN_VM_REWRITE_H
#define TN_VM_REWRITE_H

struct tn_prog;

/* 0, -ENOMEM. Idempotent: prog->rewritten. Without facts only references are resolved. */
int tn_rewrite(struct tn_prog *prog);

#endif
