/* SPDX-License-Identifier: MIT */
/*
 * Classic BPF, as socket filters (what tcpdump -dd prints) and seccomp filters are written: checked
 * as the kernel checks it, and translated into our instructions. The translation is verified as any
 * other program is; nothing rests on this file being right but what the filter means.
 */
#ifndef TN_LOADER_CBPF_H
#define TN_LOADER_CBPF_H

#include <stdbool.h>
#include <stdint.h>

#include "vm/insn.h"

struct tn_rt;

/* struct sock_filter of linux/filter.h */
struct tn_cbpf_insn {
	uint16_t code;
	uint8_t jt, jf;
	uint32_t k;
};
_Static_assert(sizeof(struct tn_cbpf_insn) == 8, "a classic instruction is 8 bytes");

#define TN_CBPF_MAX_INSNS 4096u
#define TN_SECCOMP_BYTES  64u /* sizeof(struct seccomp_data) */

/* The program's context is struct __sk_buff; with `seccomp` struct seccomp_data, of which words are
 * loaded. 0, -EINVAL (malformed: the instruction is named), -ENOTSUP (it asks for what the context
 * does not tell), -ENOMEM. The caller frees *out with tn_free(). */
int tn_cbpf_translate(struct tn_rt *rt, const struct tn_cbpf_insn *insns, uint32_t nr, bool seccomp,
		      struct tn_insn **out, uint32_t *nr_out);

#endif
