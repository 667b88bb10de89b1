/* SPDX-License-Identifier: MIT */
/* The functions that plugins call by name, in the shape of helpers with numbers of their own. */
#ifndef TN_VM_KFUNCS_H
#define TN_VM_KFUNCS_H

#include "vm/helpers.h"

/* Above all numbers of helpers. */
#define TN_KFUNC_BASE 0x10000u

/* What bpf_iter_bits_new() takes. */
#define TN_ITER_BITS_MAX_WORDS 511u
/* Times that the search for the next bit enters the kernel, at most. */
#define TN_ITER_BITS_ENTRIES 2u

enum {
	TN_KFUNC_BEFORE_FIRST = TN_KFUNC_BASE - 1,
#define TN_KFUNC(name, ...) TN_KFUNC_##name,
#include "vm/kfuncs.def"
};

/* NULL: none; tn_helper_by_id() asks here too. */
const struct tn_helper *tn_kfunc_by_id(uint32_t id);
/* As the plugin calls it: "bpf_iter_num_new". */
const struct tn_helper *tn_kfunc_by_name(const char *name);

#endif
