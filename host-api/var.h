/* SPDX-License-Identifier: MIT */
/* Host variables: what `extern ... __ksym` names besides functions. They live as long as the
 * runtime. */
#ifndef TN_HOST_VAR_H
#define TN_HOST_VAR_H

#include "host-api/runtime.h"
#include "vm/image.h"

struct tn_var_entry {
	struct tn_var_entry *next;
	struct tn_host_var var;
};

/* Point an extern variable at what the host offers. 0 (also where a weak one is missing), -ENOENT,
 * -ESTALE (the sizes differ), -EPROTO (the types do), -ENOSYS (known by description only; not with
 * `verify_only`). */
int tn_var_resolve(struct tenon_runtime *rt, const struct tn_btf *btf, struct tn_extern *ext,
		   bool verify_only);
/* tenon_runtime_add_var(); `addr` NULL: known by description only. `align` divides the address. */
int tn_var_add(struct tenon_runtime *rt, const char *name, void *addr, size_t size, uint32_t align,
	       const struct tenon_var_opts *opts);
void tn_vars_fini(struct tenon_runtime *rt);

#endif
