/* SPDX-License-Identifier: MIT */
/*
 * What the host told us about itself: context layouts, helpers, and the signatures that programs
 * must share to call each other by tail call. All of it lives as long as the runtime.
 */
#ifndef TN_HOST_HOST_TYPE_H
#define TN_HOST_HOST_TYPE_H

#include "host-api/runtime.h"
#include "vm/ctx_type.h"
#include "vm/image.h"
#include "vm/signature.h"

#define TN_MAX_CTX_BYTES  65536u
#define TN_MAX_CTX_FIELDS 4096u

struct tn_ctx_entry {
	struct tn_ctx_entry *next;
	struct tn_ctx_type *type;
	struct tn_btf *btf; /* of it, made when a plugin is first relocated; NULL: not yet */
};

struct tn_helper_entry {
	struct tn_helper_entry *next;
	struct tn_host_helper helper;
	uint64_t flags; /* as declared */
};

/* What a tail call relies on. Contexts known by size alone are equal when their sizes are. */
struct tn_prog_sig {
	struct tn_prog_sig *next;
	const struct tn_ctx_type *ctx; /* NULL: raw, of raw_size bytes */
	uint32_t raw_size;
	bool ret_checked, ret_int;
	int64_t ret_min, ret_max;
};

/* The checked, owned form of `ctx`, shared by equal declarations. 0, -EINVAL, -EEXIST (the name is
 * taken by another layout), -ENOMEM. Takes rt.lock. */
/* kernel_ctx.c: tenon_ctx_xdp() and the like; by the name that they are described with. */
bool tn_ctx_is_builtin(const struct tenon_ctx_type *ctx);
const struct tenon_ctx_type *tn_ctx_builtin_named(const char *name);

int tn_ctx_type_register(struct tenon_runtime *rt, const struct tenon_ctx_type *ctx,
			 const struct tn_ctx_type **out);

/* The plugin's own definition of the struct must agree with the host's fields: 0, or -ESTALE with
 * the field's name. Members that the host does not show, and structs of other names, pass. */
int tn_ctx_type_check_btf(const struct tn_ctx_type *type, const struct tn_btf *btf);

/* The same for a structure behind handles, whose base is declared already. */
int tn_struct_register(struct tenon_runtime *rt, const struct tenon_struct_type *desc);
/* NULL: no fields of such handles were declared. */
const struct tn_ctx_type *tn_struct_find(struct tenon_runtime *rt, const char *name);

/* Pointers that only a host can fill in; those to a packet's frame are not. */
bool tn_ctx_has_pointers(const struct tn_ctx_type *type);

/* tenon_runtime_add_helper() without its checks of pointers; `fn` NULL: known by description only.
 */
int tn_host_helper_add(struct tenon_runtime *rt, const char *name, const char *sig, tenon_fn fn,
		       const struct tenon_helper_opts *opts);

/* NULL: none of that name or number. */
const struct tn_host_helper *tn_host_helper_find(struct tenon_runtime *rt, const char *name);
const struct tn_host_helper *tn_host_helper_by_id(struct tenon_runtime *rt, uint32_t id);

/* Does the plugin's declaration, FUNC `func` of its BTF, agree with the host's? 0, or -EPROTO with
 * both. NULL or 0: it has none, and calls are held to the host's all the same. */
int tn_host_helper_check(const struct tn_host_helper *helper, const struct tn_btf *btf,
			 uint32_t func);

/* How references of a type are released when a program ends early: by the only helper that does
 * nothing else, or by the one that is named for it. NULL: none, or it is not clear which. */
const struct tn_releaser *tn_host_releaser(struct tenon_runtime *rt, const char *type);

/* The one signature equal to `want`; NULL: out of memory. Takes rt.lock. */
const struct tn_prog_sig *tn_prog_sig_intern(struct tenon_runtime *rt,
					     const struct tn_prog_sig *want);
bool tn_prog_sig_same_ctx(const struct tn_prog_sig *a, const struct tn_prog_sig *b);

/* host_type.c, for struct_type.c and btf_types.c: the layout of `ctx`, checked. */
int tn_ctx_type_make(struct tenon_runtime *rt, const struct tenon_ctx_type *ctx,
		     struct tn_ctx_type **out);
/* Adds a context's layout or finds its equal; takes `type` over in every case. -EEXIST, -ENOMEM. */
int tn_ctx_type_intern(struct tenon_runtime *rt, struct tn_ctx_type *type,
		       const struct tn_ctx_type **out);
bool tn_ctx_type_same_layout(const struct tn_ctx_type *a, const struct tn_ctx_type *b);

void tn_host_types_fini(struct tenon_runtime *rt);

#endif
