/* SPDX-License-Identifier: MIT */
/*
 * BTF of what every host has without describing it: the kernel's contexts as plugins see them
 * (xdp_md, __sk_buff, pt_regs and so on) and packet headers (ethhdr, iphdr, tcphdr and so on), with
 * the kernel's names. Objects built with vmlinux.h carry CO-RE records for these.
 */
#ifndef TN_VM_BTF_BUILTIN_H
#define TN_VM_BTF_BUILTIN_H

#include "vm/btf.h"

/* Made on first use and kept until tn_rt_fini(). NULL with words: out of memory. Any thread. */
const struct tn_btf *tn_btf_builtin(struct tn_rt *rt);

#endif
