/* SPDX-License-Identifier: MIT */
/*
 * struct btf_ptr of linux/bpf.h: data and its type, for helpers that show it. Type numbers are what
 * CO-RE records give: bpf_core_type_id_kernel() a type of the host, in whichever BTF it was found;
 * bpf_core_type_id_local() | TN_BTF_LOCAL one of the plugin's own.
 */
#ifndef TN_VM_BTF_PTR_H
#define TN_VM_BTF_PTR_H

#include "base/rt.h"
#include "vm/btf.h"

struct tn_btf_ptr {
	uint64_t ptr;
	uint32_t type_id;
	uint32_t flags; /* of no meaning, as in the kernel */
};

#define TN_BTF_LOCAL	    (1u << 31)
#define TN_BTF_TARGET_SHIFT 24 /* above: which BTF of the host, 0 the first */

/* Numbers of BTF of the host. Those that a host declared field by field have none. */
#define TN_BTF_TARGET_NONE    0x3eu
#define TN_BTF_TARGET_BUILTIN 0x3fu

/* The BTF that the number means, and the type in it, which may not exist. NULL: there is none. Any
 * thread, without locks; what it gives lives as long as the runtime and `own`. */
const struct tn_btf *tn_btf_ptr_type(const struct tn_rt *rt, const struct tn_btf *own, uint32_t id,
				     uint32_t *type);

#endif
