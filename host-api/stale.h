/* SPDX-License-Identifier: MIT */
/* Accesses of a plugin to the host's structures that are where the plugin was compiled to have
 * them, without a CO-RE record: is that where the host has them? */
#ifndef TN_HOST_STALE_H
#define TN_HOST_STALE_H

#include "base/vec.h"
#include "host-api/core_targets.h"
#include "host-api/object.h"

struct tn_stale {
	struct tenon_runtime *rt;
	const struct tn_btf *plugin;
	struct tn_core_targets targets;
	struct tn_load_opts opts;
	TN_VEC(struct tn_stale_answer) answers; /* a loop asks the same again and again */
};

struct tn_stale_answer {
	const struct tn_ctx_type *type;
	uint32_t off, size;
};

int tn_stale_init(struct tn_stale *s, struct tenon_runtime *rt, const struct tn_btf *plugin);
void tn_stale_fini(struct tn_stale *s);
/* Is there anything to compare with? */
bool tn_stale_knows(const struct tn_stale *s);
/* 0, -ESTALE with words, -ENOMEM. For struct tn_verify_env.layout. */
int tn_stale_check(void *stale, const struct tn_ctx_type *type, uint32_t off, uint32_t size);

/* Does a program of the object say by CO-RE records where fields of `type` are? What it accesses
 * without one the verifier then asks tn_stale_check() about. */
bool tn_stale_is_relocated(const struct tenon_object *obj, const char *type);
/* All structures of the host as the plugin has them: 0, or -ESTALE with the first field that is
 * elsewhere, of a structure that is not relocated. */
int tn_stale_check_types(const struct tenon_object *obj, const struct tn_ctx_type *ctx);

#endif
