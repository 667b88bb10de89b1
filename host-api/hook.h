/* SPDX-License-Identifier: MIT */
/*
 * Hooks, their links, and the chain that a firing walks.
 *
 * A chain is immutable. Writers (under rt.lock) mark hooks dirty, build every new chain first and
 * then publish all of them, so that attaching, replacing and detaching are all or nothing. The old
 * chains are freed after an epoch. Firings read the chain inside an epoch section and take no lock
 * but the shared last slot's.
 */
#ifndef TN_HOST_HOOK_H
#define TN_HOST_HOOK_H

#include "host-api/program.h"
#include "vm/exec.h"

struct tn_chain_entry {
	tn_native_fn fn;
	const struct tn_prog *prog;
	struct tenon_program *program; /* counters */
	struct tenon_link *link;       /* valid while inside an epoch section */
	uint64_t cookie;
	int64_t cost;	 /* charged at entry: the proved instruction count */
	int64_t reserve; /* kept back for the programs behind this one */
	int64_t charge;	 /* plain chains: cost, reserve, and the cost of leaves just before */
	bool leaf;	 /* see tenon_program.leaf */
};

/* How fire.c walks the chain when the firing is not nested; those of leaves come last. */
enum tn_chain_path {
	TN_PATH_ANY = 0, /* everything is looked at */
	TN_PATH_PLAIN,	 /* nothing is counted, and the fuel suffices to begin each entry */
	TN_PATH_ONE,	 /* plain, one entry */
	TN_PATH_LEAF,	 /* plain, one entry, a leaf */
	TN_PATH_LEAVES,	 /* plain, leaves alone */
};

struct tn_chain {
	/* ---- read by firings ---- */
	uint32_t rt_id;
	uint32_t last_slot; /* the one that threads may share */
	uint64_t fallback;
	uint64_t until, keep, instead; /* the rule as masks, see fire.c */
	struct tn_exec first;	       /* how a plain firing begins, with entries[0] */
	struct tenon_runtime *rt;
	int64_t fuel;
	uint64_t ctx_size;
	uint32_t nr;
	bool stats;
	bool walks_stack;  /* only with TN_PATH_ANY: it notes where the hook was fired */
	bool settles_meta; /* tn_packet_settle_meta() comes first; only with TN_PATH_ANY */
	uint8_t early_end; /* enum tenon_early_end */
	uint32_t detach_after;
	uint8_t path; /* enum tn_chain_path */

	/* ---- writers ---- */
	uint32_t room;		  /* entries that fit */
	struct tn_chain *reserve; /* next in tn_hook.reserves */
	struct tn_deferred deferred;

	struct tn_chain_entry entries[];
};

struct tenon_link {
	struct tenon_runtime *rt;
	struct tn_hook *hook; /* NULL: the hook is gone */
	struct tenon_program *program;
	struct tenon_program *next_program; /* being exchanged: takes the place of `program` */
	int32_t priority;
	uint64_t cookie;
	struct tenon_link *next;       /* of the hook: by priority, then attach order */
	struct tenon_object *owner;    /* object that closes it; NULL: the caller */
	struct tenon_link *next_owned; /* of the owner */
	/* Of a table of functions (struct_ops.h), without hook and program; NULL: of a program. */
	struct tn_ops_table *ops;
	struct tenon_link *next_ops; /* of the table's type */

	/* ---- by firings ---- */
	_Atomic uint64_t last_good; /* where the hook wants it; the fallback at first */
	_Atomic uint32_t early_ends;
	struct tn_deferred deferred;
};

struct tn_hook {
	struct tn_hook *next;
	struct tenon_runtime *rt;
	struct tenon_hook *pub;
	char *name;
	const struct tn_ctx_type *ctx;
	enum tenon_chain rule;
	uint64_t fuel; /* 0: the runtime's */
	bool ret_checked, ret_int;
	bool owned; /* `pub` is ours: it came from a description */
	int64_t ret_min, ret_max;
	uint64_t fallback;
	enum tenon_early_end early_end;
	uint32_t detach_after;
	struct tenon_link *links;
	/* Chains for detaching, which may not fail: with n links, one each of room 0 .. n - 1, the
	 * largest first. */
	struct tn_chain *reserves;

	bool dirty;
	struct tn_chain *next_chain;
};

/* All of these under rt.lock. */
struct tn_hook *tn_hook_find(struct tenon_runtime *rt, const char *name);
/* Build the next chain of every dirty hook. 0, or -ENOMEM: nothing is built; the marks stay. */
int tn_hooks_build(struct tenon_runtime *rt);
/* Publish what was built, retire what it replaces, clear the marks, move links to their new
 * programs. References of old programs are dropped. */
void tn_hooks_publish(struct tenon_runtime *rt);
/* Detach one link without failing; it is out of the hook's list and has no hook afterwards. */
void tn_hook_detach_link(struct tenon_link *link);
/* Put a link into the hook's list. -ENOMEM. Not visible to firings before it is published. */
int tn_hook_insert_link(struct tn_hook *hook, struct tenon_link *link);
/* Undo an insert that was not published. */
void tn_hook_remove_link(struct tenon_link *link);

uint64_t tn_hook_budget(const struct tn_hook *hook);

/* Register with a hook of our own, for descriptions. Takes rt.lock. */
int tn_hook_register(struct tenon_runtime *rt, struct tenon_hook *pub,
		     const struct tenon_hook_desc *desc, bool owned);

/* The chain of a hook with this program alone, which nothing detaches; the caller frees it with
 * tn_free(). NULL: out of memory. */
struct tn_chain *tn_chain_of_one(struct tenon_program *program, uint64_t fallback);

/* Unregister all, without waiting. Takes rt.lock. */
void tn_hooks_fini(struct tenon_runtime *rt);

/* Fuel as the engines count it: no limit is the largest number. */
static inline int64_t tn_fuel(uint64_t fuel)
{
	return fuel > INT64_MAX ? INT64_MAX : (int64_t)fuel;
}

/* link.c. Under rt.lock: may the program run at the hook? 0, -EINVAL with words. */
int tn_link_check(const struct tenon_program *program, const struct tn_hook *hook);
struct tenon_link *tn_link_new(struct tenon_program *program, const struct tenon_attach_opts *opts);
/* Under rt.lock: take it out of its owner's list and free it, after an epoch. It must be off its
 * hook. */
void tn_link_free(struct tenon_link *link);

/* early.c. The entry's program ended early: count it, and give what it counts as. `fair`: it had
 * the fuel that the hook promises. Inside an epoch section. */
uint64_t tn_ended_early(const struct tn_chain *chain, const struct tn_chain_entry *e,
			struct tn_exec *ex, bool fair) TN_COLD;
/* The part that single runs share: the program's own counters. */
void tn_count_early_end(struct tenon_program *program, const struct tn_exec *ex);

#endif
