/* SPDX-License-Identifier: MIT */
/* Whether the host has a structure's field where the plugin was compiled to have it. */
#ifndef TN_LOADER_CORE_LAYOUT_H
#define TN_LOADER_CORE_LAYOUT_H

#include "loader/object.h"

/* Of struct `name`, bytes [off, off + size) as the plugin's BTF `local` has it, against the
 * targets of `opts`: 1: the same field in the same place, or nobody knows; 0: not, `words` say
 * what is where. Else a negative errno, with words. */
int tn_core_same_at(struct tn_rt *rt, const struct tn_load_opts *opts, const struct tn_btf *local,
		    const char *name, uint32_t off, uint32_t size, char *words, size_t words_size);

#endif
