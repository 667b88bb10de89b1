/* SPDX-License-Identifier: MIT */
/* Several BTFs as one, and the part of a BTF that somebody needs. */
#ifndef TN_VM_BTF_MERGE_H
#define TN_VM_BTF_MERGE_H

#include "vm/btf.h"

/* All types of `list`; split BTF may stand on others of the list or not. A named type that an
 * earlier one has with the same parts is not repeated; one of another layout is kept beside it.
 * NULL with words: out of memory, too large. */
struct tn_btf *tn_btf_merge(struct tn_rt *rt, const struct tn_btf *const *list, uint32_t nr);

/* What `wanted` has of `btf` (an array by id): the types whose byte is not 0 and all that those
 * refer to, other than structs and unions behind pointers, which become forward declarations where
 * they are not wanted themselves. members: by id, NULL or bits of the members that are wanted
 * of a struct (vlen bits, 8 a byte); others are left out. */
struct tn_btf *tn_btf_subset(struct tn_rt *rt, const struct tn_btf *btf,
			     const unsigned char *wanted, unsigned char *const *members);

#endif
