/* SPDX-License-Identifier: MIT */
/*
 * From a plugin's structure to a table of native functions. Members are matched by name, so that
 * the host may move them: functions must have the prototype that the host's member has, data the
 * same size and kind. What the host does not have may only be zero.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "host-api/ffi.h"
#include "host-api/struct_ops.h"
#include "jit/thunk.h"
#include "loader/object.h"

#define MAX_DEPTH 8

/* ---- Data ---- */

/* A structure of the plugin and the host's of that name; `path` for messages. */
struct copy {
	const struct tn_btf *from_btf, *to_btf;
	const struct tn_btf_type *from_type, *to_type;
	const unsigned char *from;
	unsigned char *to;
	const char *path;
	uint32_t depth;
};

static bool all_zero(const unsigned char *p, uint64_t size)
{
	for (uint64_t i = 0; i < size; i++)
		if (p[i])
			return false;
	return true;
}

static int refuse(const struct copy *c, const char *member, const char *what)
{
	return tn_err(-ENOTSUP, "struct_ops '%s': the plugin sets member '%s', %s", c->path,
		      member[0] ? member : "(no name)", what);
}

static const struct tn_btf_member *
member_named(const struct tn_btf *btf, const struct tn_btf_type *t, const char *name, uint32_t *idx)
{
	const struct tn_btf_member *m = tn_btf_extra(t);

	for (*idx = 0; *idx < tn_btf_vlen(t); ++*idx)
		if (!strcmp(tn_btf_str(btf, m[*idx].name_off), name))
			return &m[*idx];
	return NULL;
}

/* Does any bit of [first, first + nr) stand? */
static bool bits_set(const unsigned char *p, uint32_t first, uint32_t nr)
{
	for (uint32_t i = first; i < first + nr; i++)
		if (p[i / 8] >> (i % 8) & 1)
			return true;
	return false;
}

static bool is_array(const struct tn_btf_type *t)
{
	return tn_btf_kind(t) == TN_BTF_ARRAY;
}

/* Numbers, and arrays of as many of them, of one size each. */
static bool same_numbers(const struct copy *c, uint32_t a, uint32_t b)
{
	a = tn_btf_skip_mods(c->from_btf, a);
	b = tn_btf_skip_mods(c->to_btf, b);
	for (uint32_t depth = 0; depth < MAX_DEPTH; depth++) {
		const struct tn_btf_type *x = tn_btf_type(c->from_btf, a);
		const struct tn_btf_type *y = tn_btf_type(c->to_btf, b);
		const struct tn_btf_array *xa = tn_btf_extra(x), *ya = tn_btf_extra(y);

		if (is_array(x) != is_array(y))
			return false;
		if (!is_array(x))
			return !tn_btf_is_composite(x) && !tn_btf_is_composite(y) &&
			       tn_btf_ctype(c->from_btf, a) == tn_btf_ctype(c->to_btf, b) &&
			       tn_btf_ctype(c->from_btf, a) < TN_C_PTR;
		if (xa->nelems != ya->nelems)
			return false;
		a = tn_btf_skip_mods(c->from_btf, xa->type);
		b = tn_btf_skip_mods(c->to_btf, ya->type);
	}
	return false;
}

static int copy_struct(const struct copy *c);

static int copy_member(const struct copy *c, const struct tn_btf_member *m, uint64_t off,
		       int64_t size)
{
	const char *name = tn_btf_str(c->from_btf, m->name_off);
	uint32_t idx, bits = tn_btf_member_bit_size(c->from_type, m);
	const struct tn_btf_member *host = member_named(c->to_btf, c->to_type, name, &idx);
	struct copy in = *c;
	int64_t host_size;

	if (!host || !name[0])
		return refuse(c, name, "which the host does not have");
	if (bits || tn_btf_member_bit_size(c->to_type, host) ||
	    tn_btf_old_bit_field(c->from_btf, m->type, NULL) ||
	    tn_btf_old_bit_field(c->to_btf, host->type, NULL))
		return refuse(c, name, "a bit field: these cannot be set");
	host_size = tn_btf_size_of(c->to_btf, host->type);
	in.from_type = tn_btf_type(c->from_btf, tn_btf_skip_mods(c->from_btf, m->type));
	in.to_type = tn_btf_type(c->to_btf, tn_btf_skip_mods(c->to_btf, host->type));
	in.from = c->from + off;
	in.to = c->to + tn_btf_member_bit_off(c->to_type, host) / 8;
	in.path = name;
	in.depth = c->depth + 1;
	if (tn_btf_kind(in.from_type) == TN_BTF_STRUCT && tn_btf_kind(in.to_type) == TN_BTF_STRUCT)
		return copy_struct(&in);
	if (size != host_size || !same_numbers(c, m->type, host->type))
		return tn_err(-ESTALE,
			      "struct_ops '%s': member '%s' has %lld bytes in the plugin, %lld in "
			      "the host, or is not of numbers of one type in both",
			      c->path, name, (long long)size, (long long)host_size);
	memcpy(in.to, in.from, (size_t)size);
	return 0;
}

static int copy_struct(const struct copy *c)
{
	const struct tn_btf_member *m = tn_btf_extra(c->from_type);
	int rc = 0;

	if (c->depth > MAX_DEPTH)
		return tn_err(-ENOTSUP, "struct_ops '%s': structures are nested too deep", c->path);
	for (uint32_t i = 0; i < tn_btf_vlen(c->from_type) && !rc; i++) {
		uint32_t first = tn_btf_member_bit_off(c->from_type, &m[i]);
		uint32_t bits = tn_btf_member_bit_size(c->from_type, &m[i]);
		int64_t size = tn_btf_size_of(c->from_btf, m[i].type);

		if (size < 0 ||
		    first / 8 + (bits ? 0 : (uint64_t)size) > c->from_type->size_or_type ||
		    ((uint64_t)first + bits + 7) / 8 > c->from_type->size_or_type)
			return tn_err(-EINVAL, "struct_ops '%s': member %u does not fit into it",
				      c->path, i);
		if (bits ? !bits_set(c->from, first, bits)
			 : all_zero(c->from + first / 8, (uint64_t)size))
			continue;
		rc = copy_member(c, &m[i], first / 8, size);
	}
	return rc;
}

/* ---- Functions ---- */

static int bad_func(const struct tn_ops_type *type, const char *name, int code, const char *what)
{
	return tn_err(code, "struct_ops '%s': member '%s' %s", type->name, name, what);
}

/* The function `from` of the plugin's structure into `fn`. */
static int bind_func(struct tenon_object *obj, struct tn_ops_table *table,
		     const struct tn_map_decl *decl, const struct tn_ops_func *from)
{
	const struct tn_btf *btf = obj->unit->image->btf;
	const struct tn_ops_type *type = table->type;
	const struct tn_btf_type *t = tn_btf_type(btf, decl->ops->btf_id);
	const struct tn_btf_type *host = tn_btf_type(type->btf, type->id);
	struct tenon_program *program = obj->programs[from->prog];
	const struct tn_btf_member *members = tn_btf_extra(t);
	const char *name = tn_btf_str(btf, members[from->member].name_off);
	struct tn_ops_fn *fn = &table->fns[table->nr_fns];
	struct tn_proto plugin;
	int rc;

	if (!member_named(type->btf, host, name, &fn->member))
		return bad_func(type, name, -ENOTSUP, "is a function that the host does not have");
	rc = tn_proto_of_member(btf, decl->ops->btf_id, from->member, &plugin);
	if (!rc)
		rc = tn_proto_of_member(type->btf, type->id, fn->member, &fn->proto);
	if (!rc)
		rc = tn_proto_check_member(&plugin, &fn->proto, type->name);
	if (rc)
		return rc;
	if (!program->prog->autoload)
		return 0;
	if (program->hook || !tn_ops_wants(program))
		return bad_func(type, name, -EINVAL,
				"has a program that is not in a section struct_ops");
	if (program->ops && (program->ops != type || program->ops_member != fn->member))
		return bad_func(type, name, -EINVAL,
				"has a program that stands for another member already");
	program->ops = type;
	program->ops_member = fn->member;
	fn->program = program;
	tn_program_get(program);
	table->nr_fns++;
	return 0;
}

static int check_required(const struct tn_ops_table *table)
{
	const struct tn_ops_type *type = table->type;

	for (uint32_t i = 0; i < type->nr_members; i++) {
		bool found = !type->members[i].required;

		for (uint32_t k = 0; k < table->nr_fns && !found; k++)
			found = !strcmp(table->fns[k].proto.name, type->members[i].name);
		if (!found)
			return bad_func(type, type->members[i].name, -EINVAL,
					"is required, and the plugin leaves it out");
	}
	return 0;
}

static struct tn_ops_table *table_new(struct tn_ops_type *type, const struct tn_ops_decl *ops)
{
	struct tn_rt *rt = &type->rt->rt;
	struct tn_ops_table *table = tn_zalloc(rt, sizeof(*table) + type->size);

	if (!table)
		return NULL;
	table->type = type;
	table->link = ops->link;
	table->refs = 1;
	table->fns = tn_alloc_array(rt, TN_MAX(ops->nr_funcs, 1u), sizeof(table->fns[0]));
	if (table->fns)
		return table;
	tn_free(rt, table);
	return NULL;
}

static int bind_table(struct tenon_object *obj, struct tenon_map *handle)
{
	const struct tn_map_decl *decl = handle->decl;
	const struct tn_btf *btf = obj->unit->image->btf;
	const char *name = tn_btf_name(btf, decl->ops->btf_id);
	struct tn_ops_type *type = tn_ops_find(obj->rt, name);
	struct tn_ops_table *table;
	struct copy copy;
	int rc = 0;

	if (!type)
		return tn_err(-ENOENT, "'%s': the host declares no struct_ops '%s'", handle->name,
			      name);
	table = handle->ops = table_new(type, decl->ops);
	if (!table)
		return tn_err_nomem("struct_ops");
	copy = (struct copy){ .from_btf = btf,
			      .to_btf = type->btf,
			      .from_type = tn_btf_type(btf, decl->ops->btf_id),
			      .to_type = tn_btf_type(type->btf, type->id),
			      .from = decl->data,
			      .to = table->data,
			      .path = type->name };
	for (uint32_t i = 0; i < decl->ops->nr_funcs && !rc; i++)
		rc = bind_func(obj, table, decl, &decl->ops->funcs[i]);
	if (!rc)
		rc = copy_struct(&copy);
	return rc ? rc : check_required(table);
}

/* Programs follow the structures that they are in: the host may want one that its section's '?'
 * leaves out, and leave out another. */
static void follow_tables(struct tenon_object *obj, bool wanted)
{
	for (uint32_t i = 0; i < obj->nr_maps; i++) {
		const struct tn_map_decl *decl = obj->maps[i].decl;

		if (!decl || !decl->ops || obj->maps[i].left_out == wanted)
			continue;
		/* The host may have left out a program on its own. */
		if (wanted && !decl->no_autocreate)
			continue;
		for (uint32_t k = 0; k < decl->ops->nr_funcs; k++)
			obj->programs[decl->ops->funcs[k].prog]->prog->autoload = wanted;
	}
}

/* A program of a structure that is left out, and of one that is not. */
static bool shares_programs(const struct tenon_object *obj, const struct tn_ops_decl *left_out)
{
	for (uint32_t i = 0; i < obj->nr_maps; i++) {
		const struct tn_map_decl *decl = obj->maps[i].decl;

		if (!decl || !decl->ops || obj->maps[i].left_out)
			continue;
		for (uint32_t k = 0; k < decl->ops->nr_funcs; k++)
			for (uint32_t n = 0; n < left_out->nr_funcs; n++)
				if (decl->ops->funcs[k].prog == left_out->funcs[n].prog)
					return true;
	}
	return false;
}

int tn_ops_bind(struct tenon_object *obj)
{
	bool any_out = false;
	int rc = 0;

	for (uint32_t i = 0; i < obj->nr_maps; i++) {
		const struct tn_map_decl *decl = obj->maps[i].decl;

		if (decl && decl->ops && obj->maps[i].left_out && !decl->no_autocreate)
			any_out |= !shares_programs(obj, decl->ops);
	}
	if (any_out)
		follow_tables(obj, false);
	follow_tables(obj, true);
	for (uint32_t i = 0; i < obj->nr_maps && !rc; i++) {
		const struct tn_map_decl *decl = obj->maps[i].decl;

		if (decl && decl->ops && !obj->maps[i].left_out)
			rc = bind_table(obj, &obj->maps[i]);
	}
	return rc;
}

/* ---- Programs ---- */

bool tn_ops_wants(const struct tenon_program *program)
{
	const char *section = program->prog->section ? program->prog->section : "";
	size_t len = strcspn(section, "/");

	return (len == 10 && !strncmp(section, "struct_ops", len)) ||
	       (len == 12 && !strncmp(section, "struct_ops.s", len));
}

int tn_ops_use(struct tenon_object *obj, struct tenon_program *program)
{
	const struct tn_ops_type *type = program->ops;
	struct tn_proto proto;
	enum tn_ctype ret;
	char name[512];
	int rc;

	if (!type)
		return tn_err(-EINVAL,
			      "section '%s': no structure in .struct_ops that is loaded has "
			      "program '%s' as a member",
			      program->prog->section, program->prog->name);
	rc = tn_proto_of_member(type->btf, type->id, program->ops_member, &proto);
	if (rc)
		return rc;
	ret = tn_btf_ctype(proto.btf, tn_btf_type(proto.btf, proto.proto)->size_or_type);
	if (ret >= TN_C_PTR)
		return bad_func(type, proto.name, -ENOTSUP,
				"returns neither a number nor nothing: a plugin cannot make that");
	/* No name of a structure has a '/'. */
	if (snprintf(name, sizeof(name), "%s/%s", type->name, proto.name) >= (int)sizeof(name))
		return tn_err(-E2BIG, "struct_ops '%.64s': its names are too long", type->name);
	rc = tn_ctx_type_of_proto(obj->rt, &proto, name, 0, &program->prog->ctx_type);
	program->sig = (struct tn_prog_sig){ .ctx = rc ? NULL : program->prog->ctx_type };
	program->no_result = ret == TN_C_VOID;
	return rc;
}

/* ---- Tables ---- */

static uint64_t call_closure(void *user, const uint64_t *args, uint32_t nr)
{
	struct tn_ops_fn *fn = user;
	uint64_t array[TN_SIG_MAX_ARGS] = { 0 };

	memcpy(array, args, nr * sizeof(args[0]));
	return tenon_hook_run(&fn->pub, array);
}

static void read_thunk(struct tn_ops_fn *fn, struct tn_thunk *out)
{
	const struct tn_btf_type *t = tn_btf_type(fn->proto.btf, fn->proto.proto);
	const struct tn_btf_param *p = tn_btf_extra(t);

	*out = (struct tn_thunk){ .call = (const void *)(uintptr_t)tenon_hook_run,
				  .self = &fn->pub,
				  .nr_args = (uint8_t)tn_btf_vlen(t),
				  .ret = (uint8_t)tn_btf_ctype(fn->proto.btf, t->size_or_type) };
	for (uint32_t i = 0; i < out->nr_args; i++)
		out->args[i] = (uint8_t)tn_btf_ctype(fn->proto.btf, p[i].type);
}

/* Floating point, or a machine without a JIT. */
static int make_closure(struct tn_ops_table *table, struct tn_ops_fn *fn,
			const struct tn_thunk *thunk)
{
	struct tn_sig sig = { .nr_args = thunk->nr_args, .ret_ctype = thunk->ret };

	if (thunk->nr_args > TN_SIG_MAX_ARGS)
		return bad_func(table->type, fn->proto.name, -ENOTSUP,
				"has more than 5 arguments, of which some are no integers");
	for (uint32_t i = 0; i < thunk->nr_args; i++)
		sig.args[i].ctype = thunk->args[i];
	fn->closure = tn_ffi_closure_new(&table->type->rt->rt, &sig, call_closure, fn);
	return fn->closure ? 0 : -errno;
}

static void set_member(struct tn_ops_table *table, const struct tn_ops_fn *fn, uintptr_t address)
{
	const struct tn_btf_type *t = tn_btf_type(table->type->btf, table->type->id);
	const struct tn_btf_member *m = tn_btf_extra(t);

	memcpy(table->data + tn_btf_member_bit_off(t, &m[fn->member]) / 8, &address,
	       sizeof(address));
}

static int make_thunks(struct tn_ops_table *table, struct tn_thunk *thunks)
{
	struct tn_rt *rt = &table->type->rt->rt;
	uint32_t nr = 0, i;
	int rc = 0;

	for (i = 0; i < table->nr_fns && !rc; i++) {
		read_thunk(&table->fns[i], &thunks[nr]);
		if (tn_thunk_fits(&thunks[nr]))
			nr++;
		else
			rc = make_closure(table, &table->fns[i], &thunks[nr]);
	}
	if (!rc && nr)
		rc = tn_thunks_make(rt, thunks, nr, &table->code);
	for (i = 0, nr = 0; i < table->nr_fns && !rc; i++) {
		const struct tn_ops_fn *fn = &table->fns[i];

		set_member(table, fn,
			   fn->closure ? (uintptr_t)tn_ffi_closure_fn(fn->closure)
				       : (uintptr_t)table->code.base + thunks[nr++].off);
	}
	return rc;
}

static int finish_table(struct tn_ops_table *table)
{
	const struct tn_ops_type *type = table->type;
	struct tn_thunk *thunks;
	int rc;

	for (uint32_t i = 0; i < table->nr_fns; i++) {
		struct tn_ops_fn *fn = &table->fns[i];
		const struct tn_ops_member *member = tn_ops_member(type, fn->proto.name);

		fn->pub.fallback = member ? member->fallback : 0;
		fn->pub.chain = tn_chain_of_one(fn->program, fn->pub.fallback);
		if (!fn->pub.chain)
			return tn_err_nomem("struct_ops");
	}
	thunks = tn_alloc_array(&type->rt->rt, TN_MAX(table->nr_fns, 1u), sizeof(thunks[0]));
	rc = thunks ? make_thunks(table, thunks) : tn_err_nomem("struct_ops");
	tn_free(&type->rt->rt, thunks);
	if (!rc && type->validate)
		rc = type->validate(type->user, table->data);
	if (rc > 0)
		rc = -EINVAL;
	return rc;
}

int tn_ops_finish(struct tenon_object *obj)
{
	int rc = 0;

	for (uint32_t i = 0; i < obj->nr_maps && !rc; i++) {
		if (!obj->maps[i].ops)
			continue;
		rc = finish_table(obj->maps[i].ops);
		if (rc)
			tn_err_at(TN_STAGE_COMPILE, obj->name, NULL, -1, NULL);
	}
	return rc;
}
