/* SPDX-License-Identifier: MIT */
/* The part of a BTF that the records of objects ask for. */
#ifndef TN_HOST_API_BTF_MINIMIZE_H
#define TN_HOST_API_BTF_MINIMIZE_H

#include "vm/btf.h"

/* No file of BTF, or with it, is larger. */
#define TN_MAX_BTF_BYTES ((size_t)256 << 20)

/* NULL, errno with words: an object cannot be read or opened, out of memory. */
struct tn_btf *tn_btf_minimize(struct tn_rt *rt, const struct tn_btf *btf,
			       const char *const *objects, uint32_t nr);

#endif
