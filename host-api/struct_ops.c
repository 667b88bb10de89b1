/* SPDX-License-Identifier: MIT */
/* Structures of functions that the host declared, and which table serves; see struct_ops.h. */
#include "host-api/struct_ops.h"

#include <errno.h>
#include <string.h>

#include "host-api/ffi.h"
#include "host-api/host_btf.h"

/* ---- Types ---- */

static void type_free(struct tn_ops_type *type)
{
	struct tn_rt *rt = &type->rt->rt;

	for (uint32_t i = 0; i < type->nr_members; i++)
		tn_free(rt, type->members[i].name);
	tn_free(rt, type->members);
	tn_free(rt, type->name);
	tn_free(rt, type);
}

/* Types are added in front and never leave, so that readers need no lock. */
static struct tn_ops_type *first_type(struct tenon_runtime *rt)
{
	return __atomic_load_n(&rt->ops_types, __ATOMIC_ACQUIRE);
}

struct tn_ops_type *tn_ops_find(struct tenon_runtime *rt, const char *name)
{
	size_t len = tn_btf_essential_len(name);
	struct tn_ops_type *type;

	for (type = first_type(rt); type; type = type->next) {
		if (strlen(type->name) == len && !memcmp(type->name, name, len))
			break;
	}
	return type;
}

const struct tn_ops_member *tn_ops_member(const struct tn_ops_type *type, const char *name)
{
	for (uint32_t i = 0; i < type->nr_members; i++)
		if (!strcmp(type->members[i].name, name))
			return &type->members[i];
	return NULL;
}

static bool has_function(const struct tn_btf *btf, uint32_t id, const char *name)
{
	const struct tn_btf_type *t = tn_btf_type(btf, id);
	const struct tn_btf_member *m = tn_btf_extra(t);
	struct tn_proto proto;

	for (uint32_t i = 0; i < tn_btf_vlen(t); i++) {
		if (name && strcmp(tn_btf_str(btf, m[i].name_off), name))
			continue;
		if (!tn_proto_of_member(btf, id, i, &proto))
			return true;
	}
	return false;
}

static int read_members(struct tn_ops_type *type, const struct tenon_struct_ops *desc)
{
	struct tn_rt *rt = &type->rt->rt;
	const struct tn_err_record before = *tn_err_last();

	if (!has_function(type->btf, type->id, NULL))
		return tn_err(-EINVAL, "struct_ops '%s': no member is a pointer to a function",
			      type->name);
	type->members = tn_alloc_array(rt, TN_MAX(desc->nr_members, 1u), sizeof(type->members[0]));
	if (!type->members)
		return tn_err_nomem("struct_ops");
	for (uint32_t i = 0; i < desc->nr_members; i++) {
		const struct tenon_struct_ops_member *m = &desc->members[i];

		if (!m->name || tn_ops_member(type, m->name) ||
		    !has_function(type->btf, type->id, m->name))
			return tn_err(-EINVAL,
				      "struct_ops '%s': '%s' is said of twice, or no member that "
				      "points to a function",
				      type->name, m->name ? m->name : "(null)");
		type->members[i].required = m->required;
		type->members[i].fallback = m->fallback;
		type->members[i].name = tn_strdup(rt, m->name);
		if (!type->members[i].name)
			return tn_err_nomem("struct_ops");
		type->nr_members++;
	}
	/* Members that are no functions were asked in passing. */
	*tn_err_last() = before;
	return 0;
}

static int read_type(struct tn_ops_type *type, const struct tenon_struct_ops *desc)
{
	type->id = tn_host_btf_find(type->rt, type->name, TN_BTF_STRUCT, &type->btf);
	if (!type->id)
		return tn_err(-ENOENT,
			      "struct_ops '%s': no BTF of the host has a structure of that name",
			      type->name);
	type->size = tn_btf_type(type->btf, type->id)->size_or_type;
	if (type->size != desc->size || type->size > TN_MAX_CTX_BYTES)
		return tn_err(-EINVAL,
			      "struct_ops '%s': size is %zu, the host's BTF says %u bytes (at most "
			      "%u)",
			      type->name, desc->size, type->size, TN_MAX_CTX_BYTES);
	type->validate = desc->validate;
	type->user = desc->user;
	return read_members(type, desc);
}

static int add_type(struct tenon_runtime *rt, struct tn_ops_type *type)
{
	int rc = 0;

	tn_lock(rt);
	if (tn_ops_find(rt, type->name)) {
		rc = tn_err(-EEXIST, "struct_ops '%s' is declared already", type->name);
	} else {
		type->next = rt->ops_types;
		__atomic_store_n(&rt->ops_types, type, __ATOMIC_RELEASE);
	}
	tn_unlock(rt);
	return rc;
}

int tenon_runtime_add_struct_ops(struct tenon_runtime *rt, const struct tenon_struct_ops *desc)
{
	struct tenon_struct_ops want;
	struct tn_ops_type *type;
	int rc;

	if (!rt || !desc)
		return tn_err(-EINVAL, "tenon_runtime_add_struct_ops: an argument is NULL");
	rc = tn_opts_read("tenon_struct_ops", desc, &want, sizeof(want));
	if (rc)
		return rc;
	if (!want.name || !want.name[0] || strlen(want.name) != tn_btf_essential_len(want.name) ||
	    (want.nr_members && !want.members))
		return tn_err(-EINVAL, "struct_ops '%.64s': name, members or nr_members is wrong",
			      want.name ? want.name : "");
	type = tn_new(&rt->rt, struct tn_ops_type);
	if (!type)
		return tn_err_nomem("struct_ops");
	type->rt = rt;
	type->name = tn_strdup(&rt->rt, want.name);
	rc = type->name ? read_type(type, &want) : tn_err_nomem("struct_ops");
	if (!rc)
		rc = add_type(rt, type);
	if (rc) {
		type_free(type);
		tn_err_at(TN_STAGE_RESOLVE, NULL, NULL, -1, NULL);
	}
	return rc;
}

int tn_ops_check_idle(struct tenon_runtime *rt)
{
	for (struct tn_ops_type *type = first_type(rt); type; type = type->next) {
		uint64_t held = tn_load_relaxed(&type->held);

		if (held)
			return tn_err(-EBUSY,
				      "runtime: %llu tables of struct_ops '%s' are still held",
				      (unsigned long long)held, type->name);
	}
	return 0;
}

void tn_ops_fini(struct tenon_runtime *rt)
{
	while (rt->ops_types) {
		struct tn_ops_type *type = rt->ops_types;

		rt->ops_types = type->next;
		type_free(type);
	}
}

/* ---- Tables ---- */

static void table_reclaim(struct tn_deferred *d)
{
	struct tn_ops_table *table = TN_CONTAINER_OF(d, struct tn_ops_table, deferred);
	struct tenon_runtime *rt = table->type->rt;

	for (uint32_t i = 0; i < table->nr_fns; i++) {
		struct tn_ops_fn *fn = &table->fns[i];

		tn_ffi_closure_free(&rt->rt, fn->closure);
		tn_free(&rt->rt, (void *)(uintptr_t)fn->pub.chain);
		tn_program_put(fn->program);
	}
	if (table->code.base)
		tn_code_free(&rt->rt, &table->code);
	tn_free(&rt->rt, table->fns);
	tn_free(&rt->rt, table);
	tn_sub_acq_rel(&rt->nr_pending, 1);
}

void tn_ops_table_put(struct tn_ops_table *table)
{
	if (!table || tn_sub_acq_rel(&table->refs, 1) != 1)
		return;
	tn_add_relaxed(&table->type->rt->nr_pending, 1);
	tn_epoch_defer(&table->deferred, table_reclaim);
}

/* Inside an epoch section, so that the memory is there although the count may be zero. */
static bool try_get(struct tn_ops_table *table)
{
	uint64_t refs = tn_load_relaxed(&table->refs);

	while (refs) {
		if (__atomic_compare_exchange_n((uint64_t *)&table->refs, &refs, refs + 1, true,
						__ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
			return true;
	}
	return false;
}

const void *tenon_struct_ops_get(struct tenon_runtime *rt, const char *name)
{
	struct tn_ops_type *type = rt && name ? tn_ops_find(rt, name) : NULL;
	struct tn_thread *t = tn_thread_self();
	struct tn_ops_table *table;

	if (!type)
		return tn_err_null(-ENOENT, "struct_ops '%s' was not declared", name ? name : "");
	if (!t)
		return tn_err_null(-ENOMEM, "out of memory: thread record");
	tn_epoch_enter(t);
	do {
		table = __atomic_load_n(&type->current, __ATOMIC_ACQUIRE);
	} while (table && !try_get(table));
	tn_epoch_leave(t);
	if (!table) {
		errno = ENOENT;
		return NULL;
	}
	tn_add_relaxed(&type->held, 1);
	return table->data;
}

void tenon_struct_ops_put(const void *ops)
{
	struct tn_ops_table *table;

	if (!ops)
		return;
	table = (struct tn_ops_table *)((uintptr_t)ops - offsetof(struct tn_ops_table, data));
	tn_sub_acq_rel(&table->type->held, 1);
	tn_ops_table_put(table);
}

/* ---- Registration, under rt.lock ---- */

static void publish(struct tn_ops_type *type)
{
	__atomic_store_n(&type->current, type->regs ? type->regs->ops : NULL, __ATOMIC_RELEASE);
}

struct tenon_link *tn_ops_link_new(struct tn_ops_table *table)
{
	struct tenon_link *link = tn_new(&table->type->rt->rt, struct tenon_link);

	if (!link)
		return tn_err_null(-ENOMEM, "out of memory: link");
	link->rt = table->type->rt;
	link->ops = table;
	tn_add_relaxed(&table->refs, 1);
	return link;
}

void tn_ops_register(struct tenon_link *link)
{
	struct tn_ops_type *type = link->ops->type;

	link->next_ops = type->regs;
	type->regs = link;
	publish(type);
	tn_logf(&link->rt->rt, TN_LOG_INFO, "struct_ops '%s': registered", type->name);
}

void tn_ops_unregister(struct tenon_link *link)
{
	struct tn_ops_type *type = link->ops->type;
	struct tenon_link **at = &type->regs;

	while (*at && *at != link)
		at = &(*at)->next_ops;
	if (*at) {
		*at = link->next_ops;
		publish(type);
	}
	tn_ops_table_put(link->ops);
	link->ops = NULL;
}

bool tn_ops_is_registered(const struct tn_ops_table *table)
{
	const struct tenon_link *link = table->type->regs;

	while (link && link->ops != table)
		link = link->next_ops;
	return link != NULL;
}

void tn_ops_exchange(struct tenon_link *link, struct tn_ops_table *table)
{
	struct tn_ops_table *old = link->ops;

	tn_add_relaxed(&table->refs, 1);
	link->ops = table;
	publish(table->type);
	tn_ops_table_put(old);
}
