/* SPDX-License-Identifier: MIT */
/*
 * Plugins as tables of functions. The host names a structure of its BTF (struct tn_ops_type); a
 * plugin's variable of that structure, once loaded, is a table of native functions (struct
 * tn_ops_table); a link registers it. Of the registered ones the newest serves.
 *
 * A table is counted: by its object, its links and whoever took it. Who takes the current one reads
 * its pointer inside an epoch section and counts himself in unless the count is zero; the memory
 * goes an epoch after the count came to zero, so that the count can be looked at in between.
 */
#ifndef TN_HOST_STRUCT_OPS_H
#define TN_HOST_STRUCT_OPS_H

#include "base/pages.h"
#include "host-api/btf_types.h"
#include "host-api/hook.h"
#include "host-api/object.h"

struct tn_ffi_closure;

/* What the host said of a member that is a function. */
struct tn_ops_member {
	char *name;
	bool required;
	uint64_t fallback;
};

/* Lives as long as the runtime; but for `regs` and `current` it does not change. */
struct tn_ops_type {
	struct tn_ops_type *next;
	struct tenon_runtime *rt;
	char *name;
	const struct tn_btf *btf; /* of the host */
	uint32_t id;		  /* the structure in it */
	uint32_t size;
	struct tn_ops_member *members;
	uint32_t nr_members;
	int (*validate)(void *user, const void *ops);
	void *user;

	struct tenon_link *regs;      /* under rt.lock; the newest first */
	struct tn_ops_table *current; /* atomic; of the newest */
	_Atomic uint64_t held;	      /* tables that the host took and has not given back */
};

/* A function of a table. */
struct tn_ops_fn {
	struct tenon_hook pub; /* its chain is one program, its own */
	struct tenon_program *program;
	uint32_t member; /* of the host's structure */
	struct tn_proto proto;
	struct tn_ffi_closure *closure; /* where arguments are more than integers; NULL */
};

struct tn_ops_table {
	struct tn_ops_type *type;
	_Atomic uint64_t refs;
	struct tn_deferred deferred;
	struct tn_code code; /* entries of the functions */
	struct tn_ops_fn *fns;
	uint32_t nr_fns;
	bool link;			   /* ".struct_ops.link" */
	_Alignas(16) unsigned char data[]; /* the host's structure */
};

/* ---- struct_ops.c ---- */

/* The type of that name, compared up to its flavour; NULL: the host declared none. */
struct tn_ops_type *tn_ops_find(struct tenon_runtime *rt, const char *name);
const struct tn_ops_member *tn_ops_member(const struct tn_ops_type *type, const char *name);
void tn_ops_table_put(struct tn_ops_table *table);
/* All under rt.lock. A link on the table that is not registered yet; NULL, errno, with words. */
struct tenon_link *tn_ops_link_new(struct tn_ops_table *table);
void tn_ops_register(struct tenon_link *link);
/* For tn_link_free(): take it out, if it is in, and drop its table. */
void tn_ops_unregister(struct tenon_link *link);
bool tn_ops_is_registered(const struct tn_ops_table *table);
/* Make the link serve another table, which is counted for it. */
void tn_ops_exchange(struct tenon_link *link, struct tn_ops_table *table);
/* Are tables still with the host? 0 or -EBUSY with words. */
int tn_ops_check_idle(struct tenon_runtime *rt);
void tn_ops_fini(struct tenon_runtime *rt);

/* ---- struct_ops_load.c ---- */

/* Before programs are prepared: tables of the object with their data, without their functions; its
 * programs know what they stand for. */
int tn_ops_bind(struct tenon_object *obj);
/* Is the program in a section struct_ops? */
bool tn_ops_wants(const struct tenon_program *program);
/* Context and results of a program that stands for a function. */
int tn_ops_use(struct tenon_object *obj, struct tenon_program *program);
/* Behind compilation: the functions. */
int tn_ops_finish(struct tenon_object *obj);

/* ---- struct_ops_attach.c: all but the last under rt.lock ---- */

/* Links for what tenon_object_attach() registers, chained by next_owned; NULL, 0: nothing. */
int tn_ops_links(struct tenon_object *obj, struct tenon_link **out);
void tn_ops_links_free(struct tenon_link *links);
void tn_ops_links_own(struct tenon_object *obj, struct tenon_link *links);
/* For tenon_object_replace(): can each registered table of `from` be exchanged? And do it. */
int tn_ops_replace_check(struct tenon_object *from, struct tenon_object *to);
void tn_ops_replace(struct tenon_object *from, struct tenon_object *to);

#endif
