/* SPDX-License-Identifier: MIT */
/*
 * The host's types: every BTF that the host gave this runtime, in order. Plugins are relocated
 * against them, typed helpers and structures are read from them. The list only grows, and what is
 * in it lives until the runtime ends, so that pointers into it may be kept.
 */
#ifndef TN_HOST_HOST_BTF_H
#define TN_HOST_HOST_BTF_H

#include "host-api/runtime.h"
#include "vm/btf.h"

struct tn_ctx_type;

struct tn_host_btf {
	struct tn_host_btf *next;
	char *name; /* for messages: "host", "libfoo.so" */
	struct tn_btf *btf;
	const struct tn_host_btf *base; /* split BTF: what its ids begin behind */
};

/*
 * What CO-RE relocations are resolved against. *out: an array that the caller frees with tn_free();
 * what it points to lives as long as the runtime. The first *nr_whole are BTF of the host; those
 * behind were made of contexts and structures that the host declared field by field: they show
 * only what the host shows, and stand in where no whole BTF has a structure of that name.
 * 0, -ENOMEM. Takes rt.lock.
 */
int tn_host_btf_targets(struct tenon_runtime *rt, const struct tn_btf ***out, uint32_t *nr,
			uint32_t *nr_whole);

struct tn_ctx_entry;

/* declared_btf.c: BTF of a declared structure, NULL with errno and words; and whether it is a
 * target of relocations, under rt.lock. */
struct tn_btf *tn_btf_of_declared(struct tenon_runtime *rt, const struct tn_ctx_type *type);
bool tn_declared_wanted(const struct tenon_runtime *rt, const struct tn_ctx_entry *e);

/* The id of the type of that kind and name in the first BTF that has one, which is put into *btf;
 * 0: none has. Takes rt.lock. */
uint32_t tn_host_btf_find(struct tenon_runtime *rt, const char *name, enum tn_btf_kind kind,
			  const struct tn_btf **btf);

/* The name given with a BTF of the list. */
const char *tn_host_btf_name(struct tenon_runtime *rt, const struct tn_btf *btf);

void tn_host_btf_fini(struct tenon_runtime *rt);

#endif
