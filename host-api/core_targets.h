/* SPDX-License-Identifier: MIT */
/* The types that a plugin is relocated against when it is opened. */
#ifndef TN_HOST_CORE_TARGETS_H
#define TN_HOST_CORE_TARGETS_H

#include "host-api/runtime.h"
#include "loader/object.h"

struct tn_core_targets {
	const struct tn_btf **btf; /* borrowed, but for `file` */
	const char **names;
	uint32_t nr, nr_whole;
	struct tn_btf *file; /* read from a file that the caller named, in place of the host's */
};

/* path NULL: the host's. 0 or a negative errno with words. */
int tn_core_targets_get(struct tenon_runtime *rt, const char *path, struct tn_core_targets *out);
void tn_core_targets_put(struct tenon_runtime *rt, struct tn_core_targets *t);
void tn_core_targets_use(const struct tn_core_targets *t, struct tn_load_opts *load);

#endif
