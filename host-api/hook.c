/* SPDX-License-Identifier: MIT */
/*
 * Registration of hooks, and the writers' side of chains: build, publish, retire.
 */
#include "host-api/hook.h"

#include <errno.h>
#include <string.h>

#include "host-api/btf_types.h"
#include "host-api/host_btf.h"
#include "loader/object.h"
#include "vm/helpers.h"

/* ---- Chains ---- */

static struct tn_chain *chain_alloc(struct tenon_runtime *rt, uint32_t room)
{
	struct tn_chain *chain = tn_zalloc(&rt->rt,
					   sizeof(*chain) + room * sizeof(chain->entries[0]));

	if (chain) {
		chain->rt = rt;
		chain->room = room;
	}
	return chain;
}

static void chain_reclaim(struct tn_deferred *d)
{
	struct tn_chain *chain = TN_CONTAINER_OF(d, struct tn_chain, deferred);
	struct tenon_runtime *rt = chain->rt;

	tn_free(&rt->rt, chain);
	tn_sub_acq_rel(&rt->nr_pending, 1);
}

static void chain_retire(struct tn_chain *chain)
{
	if (!chain)
		return;
	tn_add_relaxed(&chain->rt->nr_pending, 1);
	tn_epoch_defer(&chain->deferred, chain_reclaim);
}

static struct tenon_program *link_program(const struct tenon_link *link)
{
	return link->next_program ? link->next_program : link->program;
}

static uint32_t count_links(const struct tn_hook *hook)
{
	const struct tenon_link *link;
	uint32_t nr = 0;

	for (link = hook->links; link; link = link->next)
		nr++;
	return nr;
}

/* What is kept back for a program that stands behind others: its proved cost, and where it may
 * need fuel beyond that, an equal share of the whole. */
static int64_t fuel_need(const struct tn_chain_entry *e, int64_t share)
{
	const struct tn_facts *facts = e->prog->facts;
	bool pays = !facts || facts->has_fuel || e->program->tail_calls;

	return pays ? share : TN_MIN(e->cost, share);
}

/* Does it ask where it was called from? Of programs that it calls by tail call nobody knows. */
static bool walks_stack(const struct tn_prog *prog)
{
	for (uint32_t i = 0; i < prog->nr_insns; i++) {
		const struct tn_insn *insn = &prog->insns[i];

		if (insn->code == (TN_JMP | TN_CALL) && insn->src == TN_CALL_HELPER &&
		    (insn->imm == TN_HELPER_get_stack || insn->imm == TN_HELPER_get_stackid))
			return true;
	}
	return false;
}

static uint8_t choose_path(const struct tn_chain *chain, int64_t share)
{
	bool leaves = true;
	uint32_t i;

	if (chain->stats || chain->settles_meta || chain->walks_stack ||
	    chain->early_end == TENON_EARLY_END_LAST_GOOD)
		return TN_PATH_ANY;
	for (i = 0; i < chain->nr; i++) {
		leaves = leaves && chain->entries[i].leaf;
		if (chain->entries[i].cost > share)
			return TN_PATH_ANY;
	}
	if (chain->nr > 1)
		return leaves ? TN_PATH_LEAVES : TN_PATH_PLAIN;
	return leaves ? TN_PATH_LEAF : TN_PATH_ONE;
}

/* A leaf costs what was proved, whatever it does: the next one that counts pays for it too. */
static void fill_charges(struct tn_chain *chain)
{
	int64_t leaves = 0;
	uint32_t i;

	for (i = 0; i < chain->nr; i++) {
		struct tn_chain_entry *e = &chain->entries[i];

		if (e->leaf) {
			leaves += e->cost;
			continue;
		}
		e->charge = leaves + e->cost + e->reserve;
		leaves = 0;
	}
}

static void fill_template(struct tn_chain *chain)
{
	const struct tn_chain_entry *e = &chain->entries[0];

	chain->first = (struct tn_exec){
		.fuel = chain->fuel - e->charge,
		.prog = e->prog,
		.first = e->prog,
		.ctx_size = chain->ctx_size,
		.cookie = e->cookie,
		.rt = &chain->rt->rt,
	};
}

/* The chain for the hook as its links stand. `chain` has room. */
static void chain_fill(struct tn_chain *chain, const struct tn_hook *hook)
{
	struct tenon_link *link;
	int64_t share, reserve = 0;
	uint32_t i;

	chain->fallback = hook->fallback;
	chain->keep = hook->rule == TENON_CHAIN_ALL ? 0 : UINT64_MAX;
	chain->until = hook->rule == TENON_CHAIN_UNTIL_SET ? UINT64_MAX : 0;
	chain->instead = hook->rule == TENON_CHAIN_ALL ? hook->fallback : 0;
	/* What is above a C int is whatever the program left there: it decides nothing. */
	if (hook->ret_int) {
		chain->keep &= UINT32_MAX;
		chain->until &= UINT32_MAX;
	}
	chain->fuel = tn_fuel(tn_hook_budget(hook));
	chain->ctx_size = hook->ctx->host_size;
	chain->rt_id = tn_rt_id(&hook->rt->rt);
	chain->last_slot = hook->rt->rt.max_slots - 1;
	chain->stats = hook->rt->stats;
	chain->early_end = (uint8_t)hook->early_end;
	chain->detach_after = hook->detach_after;
	chain->settles_meta = false;
	chain->walks_stack = false;
	chain->nr = 0;
	for (link = hook->links; link; link = link->next) {
		struct tenon_program *program = link_program(link);
		struct tn_prog *prog = program->prog;
		uint64_t cost = prog->facts ? prog->facts->proved_cost : 0;

		chain->entries[chain->nr++] = (struct tn_chain_entry){
			.fn = prog->entry,
			.prog = prog,
			.program = program,
			.link = link,
			.cookie = link->cookie,
			.cost = tn_fuel(cost),
			.leaf = program->leaf,
		};
		chain->settles_meta |= tn_program_wants_meta(program);
		chain->walks_stack |= walks_stack(prog);
	}
	share = chain->nr ? chain->fuel / chain->nr : 0;
	for (i = chain->nr; i-- > 0;) {
		chain->entries[i].reserve = reserve;
		reserve += fuel_need(&chain->entries[i], share);
	}
	chain->path = choose_path(chain, share);
	fill_charges(chain);
	if (chain->path == TN_PATH_ONE || chain->path == TN_PATH_PLAIN)
		fill_template(chain);
}

struct tn_chain *tn_chain_of_one(struct tenon_program *program, uint64_t fallback)
{
	struct tenon_link link = { .rt = program->rt, .program = program };
	const struct tn_hook hook = {
		.rt = program->rt,
		.ctx = program->prog->ctx_type,
		.rule = TENON_CHAIN_LAST,
		.fallback = fallback,
		.links = &link,
	};
	struct tn_chain *chain = chain_alloc(program->rt, 1);

	if (!chain)
		return NULL;
	chain_fill(chain, &hook);
	/* Only chains that detach, or remember results, look at it. */
	chain->entries[0].link = NULL;
	return chain;
}

/* Pairs with the acquire in tenon_hook_run(): the entries are filled before. */
static void publish(struct tn_hook *hook, struct tn_chain *chain)
{
	struct tn_chain *old = (struct tn_chain *)(uintptr_t)hook->pub->chain;

	__atomic_store_n(&hook->pub->chain, chain, __ATOMIC_RELEASE);
	chain_retire(old);
}

int tn_hooks_build(struct tenon_runtime *rt)
{
	struct tn_hook *hook, *undo;
	uint32_t nr;

	for (hook = rt->hooks; hook; hook = hook->next) {
		if (!hook->dirty)
			continue;
		nr = count_links(hook);
		hook->next_chain = nr ? chain_alloc(rt, nr) : NULL;
		if (nr && !hook->next_chain)
			break;
		if (nr)
			chain_fill(hook->next_chain, hook);
	}
	if (!hook)
		return 0;
	for (undo = rt->hooks; undo != hook; undo = undo->next) {
		tn_free(&rt->rt, undo->next_chain);
		undo->next_chain = NULL;
	}
	return tn_err_nomem("chain of a hook");
}

void tn_hooks_publish(struct tenon_runtime *rt)
{
	struct tn_hook *hook;
	struct tenon_link *link;

	for (hook = rt->hooks; hook; hook = hook->next) {
		if (!hook->dirty)
			continue;
		publish(hook, hook->next_chain);
		hook->next_chain = NULL;
		hook->dirty = false;
		for (link = hook->links; link; link = link->next) {
			if (!link->next_program)
				continue;
			/* Firings that still run the old one are inside an epoch section, which the
			 * program's own release waits for. */
			tn_program_put(link->program);
			link->program = link->next_program;
			link->next_program = NULL;
			tn_store_relaxed(&link->early_ends, 0);
		}
	}
}

/* ---- Links of a hook ---- */

int tn_hook_insert_link(struct tn_hook *hook, struct tenon_link *link)
{
	struct tn_chain *reserve = NULL;
	struct tenon_link **at;
	uint32_t nr = 0;

	for (at = &hook->links; *at; at = &(*at)->next)
		nr++;
	reserve = chain_alloc(hook->rt, nr);
	if (!reserve)
		return tn_err_nomem("link");
	reserve->reserve = hook->reserves;
	hook->reserves = reserve;
	for (at = &hook->links; *at && (*at)->priority <= link->priority; at = &(*at)->next)
		;
	link->next = *at;
	*at = link;
	link->hook = hook;
	tn_store_relaxed(&link->last_good, hook->fallback);
	return 0;
}

static struct tn_chain *unlink_from_hook(struct tenon_link *link)
{
	struct tn_hook *hook = link->hook;
	struct tn_chain *reserve = hook->reserves;
	struct tenon_link **at;

	for (at = &hook->links; *at != link; at = &(*at)->next)
		;
	*at = link->next;
	link->next = NULL;
	link->hook = NULL;
	hook->reserves = reserve->reserve;
	reserve->reserve = NULL;
	return reserve;
}

void tn_hook_remove_link(struct tenon_link *link)
{
	tn_free(&link->rt->rt, unlink_from_hook(link));
}

void tn_hook_detach_link(struct tenon_link *link)
{
	struct tn_hook *hook = link->hook;
	struct tn_chain *chain;

	if (!hook)
		return;
	chain = unlink_from_hook(link);
	if (hook->links) {
		tn_assert(chain->room >= count_links(hook));
		chain_fill(chain, hook);
		publish(hook, chain);
	} else {
		tn_free(&hook->rt->rt, chain);
		publish(hook, NULL);
	}
}

/* ---- Hooks ---- */

struct tn_hook *tn_hook_find(struct tenon_runtime *rt, const char *name)
{
	struct tn_hook *hook;

	for (hook = rt->hooks; hook && strcmp(hook->name, name); hook = hook->next)
		;
	return hook;
}

uint64_t tn_hook_budget(const struct tn_hook *hook)
{
	return hook->fuel ? hook->fuel : hook->rt->rt.limits.fuel;
}

static void hook_free(struct tn_hook *hook)
{
	if (!hook)
		return;
	if (hook->owned)
		tn_free(&hook->rt->rt, hook->pub);
	tn_free(&hook->rt->rt, hook->name);
	tn_free(&hook->rt->rt, hook);
}

static int check_desc(const struct tenon_hook_desc *desc)
{
	if (!desc->name || !desc->name[0])
		return tn_err(-EINVAL, "hook without a name");
	if (strlen(desc->name) >= TN_ERR_NAME_BYTES)
		return tn_err(-EINVAL, "hook '%.20s...': the name is longer than %d bytes",
			      desc->name, TN_ERR_NAME_BYTES - 1);
	if (desc->chain > TENON_CHAIN_LAST)
		return tn_err(-EINVAL, "hook '%s': unknown chain rule %d", desc->name,
			      (int)desc->chain);
	if (desc->early_end > TENON_EARLY_END_LAST_GOOD)
		return tn_err(-EINVAL, "hook '%s': unknown early_end %d", desc->name,
			      (int)desc->early_end);
	if (desc->ret_checked && desc->ret_min > desc->ret_max)
		return tn_err(-EINVAL, "hook '%s': ret_min %lld is above ret_max %lld", desc->name,
			      (long long)desc->ret_min, (long long)desc->ret_max);
	return 0;
}

static int add_hook(struct tenon_runtime *rt, struct tn_hook *hook)
{
	struct tn_hook **at;
	int rc = 0;

	tn_lock(rt);
	if (tn_hook_find(rt, hook->name)) {
		rc = tn_err(-EEXIST, "hook '%s' is registered already", hook->name);
	} else {
		for (at = &rt->hooks; *at; at = &(*at)->next)
			;
		*at = hook;
		__atomic_store_n(&hook->pub->chain, NULL, __ATOMIC_RELAXED);
		__atomic_store_n(&hook->pub->fallback, hook->fallback, __ATOMIC_RELAXED);
		hook->pub->impl = hook;
	}
	tn_unlock(rt);
	return rc;
}

/* One context for each function and form, whatever the hooks are called. */
static int func_ctx(struct tenon_runtime *rt, const struct tenon_hook_desc *desc,
		    const struct tn_ctx_type **out)
{
	const struct tn_btf *btf;
	uint32_t func = tn_host_btf_find(rt, desc->func, TN_BTF_FUNC, &btf);
	struct tn_proto proto;
	char *name;
	int rc;

	if (!func)
		return tn_err(-ENOENT, "hook '%s': no function '%s' in the host's BTF", desc->name,
			      desc->func);
	name = tn_asprintf(&rt->rt, "%s()%s", desc->func, desc->func_result ? ".result" : "");
	if (!name)
		return tn_err_nomem("hook");
	rc = tn_proto_of_func(btf, func, &proto);
	if (!rc)
		rc = tn_ctx_type_of_proto(rt, &proto, name, desc->func_result ? TN_PROTO_RESULT : 0,
					  out);
	tn_free(&rt->rt, name);
	return rc;
}

static int find_ctx(struct tenon_runtime *rt, const struct tenon_hook_desc *desc,
		    const struct tn_ctx_type **out)
{
	if (!!desc->ctx + !!desc->ctx_name + !!desc->func > 1)
		return tn_err(-EINVAL, "hook '%s': two of ctx, ctx_name and func are given",
			      desc->name);
	if (desc->func)
		return func_ctx(rt, desc, out);
	return desc->ctx_name ? tn_ctx_from_btf(rt, desc->ctx_name, out)
			      : tn_ctx_type_register(rt, desc->ctx, out);
}

/* What the kernel takes of programs in sections of this name, where the host says nothing. */
static void set_results(struct tn_hook *hook, const struct tenon_hook_desc *desc)
{
	struct tn_section_def def;

	hook->ret_checked = desc->ret_checked;
	hook->ret_int = desc->ret_int;
	hook->ret_min = desc->ret_min;
	hook->ret_max = desc->ret_max;
	tn_section_parse(desc->name, &def);
	if (desc->func && !desc->ret_checked && def.kind == TN_SEC_KERNEL && def.ret_checked) {
		hook->ret_checked = true;
		hook->ret_int = true;
		hook->ret_min = def.ret_min;
		hook->ret_max = def.ret_max;
	}
	hook->fallback = hook->ret_int ? (uint32_t)desc->fallback : desc->fallback;
}

int tn_hook_register(struct tenon_runtime *rt, struct tenon_hook *pub,
		     const struct tenon_hook_desc *desc, bool owned)
{
	struct tn_hook *hook;
	int rc = check_desc(desc);

	if (rc)
		return rc;
	hook = tn_new(&rt->rt, struct tn_hook);
	if (!hook)
		return tn_err_nomem("hook");
	hook->rt = rt;
	hook->pub = pub;
	hook->rule = desc->chain;
	hook->fuel = desc->fuel;
	set_results(hook, desc);
	hook->early_end = desc->early_end;
	hook->detach_after = desc->detach_after;
	hook->name = tn_strdup(&rt->rt, desc->name);
	rc = hook->name ? find_ctx(rt, desc, &hook->ctx) : tn_err_nomem("hook");
	if (!rc)
		rc = add_hook(rt, hook);
	if (rc)
		hook_free(hook);
	else
		hook->owned = owned;
	return rc;
}

int tenon_hook_register(struct tenon_runtime *rt, struct tenon_hook *hook,
			const struct tenon_hook_desc *desc)
{
	struct tenon_hook_desc want;
	int rc;

	if (!rt || !hook || !desc)
		return tn_err(-EINVAL, "tenon_hook_register: an argument is NULL");
	if (hook->impl)
		return tn_err(-EEXIST, "hook '%s': this struct tenon_hook is registered already",
			      desc->name ? desc->name : "");
	rc = tn_opts_read("tenon_hook_desc", desc, &want, sizeof(want));
	if (!rc)
		rc = tn_hook_register(rt, hook, &want, false);
	if (rc)
		tn_err_at(TN_STAGE_RESOLVE, NULL, NULL, -1, NULL);
	return rc;
}

/* Under rt.lock: no firing begins after it; links lose the hook, object-owned ones go. */
static void unregister(struct tn_hook *hook)
{
	struct tenon_runtime *rt = hook->rt;
	struct tn_hook **at;

	publish(hook, NULL);
	__atomic_store_n(&hook->pub->fallback, 0, __ATOMIC_RELAXED);
	hook->pub->impl = NULL;
	while (hook->links) {
		struct tenon_link *link = hook->links;

		tn_hook_remove_link(link);
		if (link->owner)
			tn_link_free(link);
	}
	for (at = &rt->hooks; *at != hook; at = &(*at)->next)
		;
	*at = hook->next;
	hook_free(hook);
}

int tenon_hook_unregister(struct tenon_hook *pub)
{
	struct tn_hook *hook = pub ? pub->impl : NULL;
	struct tenon_runtime *rt;
	int rc;

	if (!hook)
		return 0;
	rc = tn_check_outside("tenon_hook_unregister");
	if (rc)
		return rc;
	rt = hook->rt;
	tn_lock(rt);
	unregister(hook);
	tn_unlock(rt);
	return tn_epoch_drain();
}

void tn_hooks_fini(struct tenon_runtime *rt)
{
	tn_lock(rt);
	while (rt->hooks)
		unregister(rt->hooks);
	tn_unlock(rt);
}
