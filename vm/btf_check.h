/* SPDX-License-Identifier: MIT */
/* What a BTF must fulfil before anyone reads it: between vm/btf.c and vm/btf_check.c alone. */
#ifndef TN_VM_BTF_CHECK_H
#define TN_VM_BTF_CHECK_H

#include "vm/btf.h"

/* A type of more bytes than this is refused: no object of a plugin is that large, and sums of such
 * sizes cannot overflow 64 bits. */
#define TN_BTF_MAX_TYPE_BYTES UINT32_MAX

/* Checks every own type of `btf` (its base is checked) and fills btf->aligns. Headers, offsets and
 * nr_types stand. 0, -EINVAL with words, -ENOMEM. */
int tn_btf_check(struct tn_btf *btf);

#endif
