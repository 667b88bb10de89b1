/* SPDX-License-Identifier: MIT */
/*
 * From an open object to programs that run: contexts, maps, externs, proof, rewriting, code. All or
 * nothing: where a step fails the object is failed, nothing of it can be attached, and closing it
 * frees what was made.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "host-api/hook.h"
#include "host-api/object.h"
#include "host-api/stale.h"
#include "host-api/pin.h"
#include "host-api/section_handler.h"
#include "host-api/struct_ops.h"
#include "host-api/var.h"
#include "jit/jit.h"
#include "loader/object.h"
#include "vm/helpers.h"
#include "vm/interp.h"
#include "vm/kfuncs.h"
#include "vm/rewrite.h"

/* ---- Contexts ---- */

static int use_hook(struct tenon_object *obj, struct tenon_program *program)
{
	const struct tn_hook *hook;
	int rc = 0;

	tn_lock(obj->rt);
	hook = tn_hook_find(obj->rt, program->hook);
	if (hook) {
		program->prog->ctx_type = hook->ctx;
		program->fuel = tn_hook_budget(hook);
		program->sig = (struct tn_prog_sig){
			.ctx = hook->ctx,
			.ret_checked = hook->ret_checked,
			.ret_int = hook->ret_int,
			.ret_min = hook->ret_min,
			.ret_max = hook->ret_max,
		};
	} else {
		rc = tn_err(-ENOENT, "section '%s': no hook '%s' is registered",
			    program->prog->section ? program->prog->section : "", program->hook);
	}
	tn_unlock(obj->rt);
	return rc ? rc : tn_stale_check_types(obj, program->prog->ctx_type);
}

/* A context known by its size alone: its programs take the size in r2. */
static int use_raw_ctx(struct tenon_object *obj, struct tenon_program *program)
{
	struct tn_unit *unit = obj->unit;

	if (!unit->raw_ctx)
		unit->raw_ctx = tn_ctx_type_raw(&obj->rt->rt, obj->ctx_size);
	if (!unit->raw_ctx)
		return tn_err_nomem("context");
	program->prog->ctx_type = unit->raw_ctx;
	program->prog->r2_is_ctx_size = true;
	program->sig.raw_size = obj->ctx_size;
	return 0;
}

/*
 * Sections of the kernel whose context is the host's to declare: the hook of that very name, for
 * "fentry.s/x" that of "fentry/x", is theirs. 0 also where there is none.
 */
static int find_named_hook(struct tenon_object *obj, struct tenon_program *program)
{
	const char *section = program->prog->section, *rest;
	size_t len;
	char *name;
	bool there;

	section += *section == '?';
	len = strcspn(section, "/");
	rest = section + len;
	if (len > 2 && !strncmp(section + len - 2, ".s", 2))
		len -= 2;
	name = tn_asprintf(&obj->rt->rt, "%.*s%s", (int)len, section, rest);
	if (!name)
		return tn_err_nomem("program");
	tn_lock(obj->rt);
	there = tn_hook_find(obj->rt, name) != NULL;
	tn_unlock(obj->rt);
	if (there)
		program->hook = name;
	else
		tn_free(&obj->rt->rt, name);
	return 0;
}

static int no_context(const struct tn_section_def *def, const char *section)
{
	if (!strncmp(section, "freplace", 8))
		return tn_err(-ENOTSUP,
			      "section '%s': functions of loaded objects cannot be replaced; use "
			      "tenon_object_replace() or tenon_link_update()",
			      section);
	if (def->kind == TN_SEC_KERNEL)
		return tn_err(-ENOENT,
			      "section '%s': its context is the host's to declare, and no hook "
			      "'%s' is registered; or map it with the open option `hooks`, or give "
			      "ctx_size",
			      section, section);
	return tn_err(-ENOENT,
		      "section '%s' names no hook and no context that Tenon has: map it "
		      "with the open option `hooks`, or give ctx_size",
		      section);
}

static int resolve_ctx(struct tenon_object *obj, struct tenon_program *program)
{
	int rc;
	struct tn_section_def def = { 0 };
	const char *section = program->prog->section ? program->prog->section : "";

	program->fuel = obj->rt->rt.limits.fuel;
	/* First: the table of functions calls it with the arguments of its member. */
	if (program->ops)
		return tn_ops_use(obj, program);
	if (program->hook)
		return use_hook(obj, program);
	if (tn_ops_wants(program) && !obj->raw_ctx)
		return tn_ops_use(obj, program);
	tn_section_parse(section, &def);
	if (def.kind == TN_SEC_KERNEL && def.ctx) {
		program->prog->ctx_type = tn_ctx_builtin(def.ctx);
		program->sig = (struct tn_prog_sig){
			.ctx = program->prog->ctx_type,
			.ret_checked = def.ret_checked,
			.ret_min = def.ret_checked ? def.ret_min : 0,
			.ret_max = def.ret_checked ? def.ret_max : 0,
		};
		if (program->prog->ctx_type)
			return 0;
	}
	if (def.kind == TN_SEC_KERNEL && !def.ctx) {
		rc = find_named_hook(obj, program);
		if (rc || program->hook)
			return rc ? rc : use_hook(obj, program);
	}
	return obj->raw_ctx ? use_raw_ctx(obj, program) : no_context(&def, section);
}

/* ---- Externs ---- */

static int resolve_extern(struct tenon_object *obj, struct tn_extern *ext, bool verify_only)
{
	if (ext->is_kconfig)
		return 0;
	if (!ext->is_func)
		return tn_var_resolve(obj->rt, obj->unit->image->btf, ext, verify_only);
	if (tn_kfunc_by_name(ext->name)) {
		ext->value = 1;
		return 0;
	}
	ext->helper = tn_host_helper_find(obj->rt, ext->name);
	/* What `if (function)` sees: is it there. Programs learn no address of the host. */
	ext->value = ext->helper != NULL;
	if (ext->helper && !ext->helper->fn && !verify_only)
		return tn_err(-ENOSYS, "helper '%s' is known by description only", ext->name);
	if (ext->helper)
		return tn_host_helper_check(ext->helper, obj->unit->image->btf, ext->btf_id);
	if (ext->is_weak)
		return 0;
	return tn_err(-ENOENT, "helper '%s' is not offered by the host", ext->name);
}

/* Host helpers called by number get an extern each; rewriting turns the calls into it. */
static int add_numbered(struct tenon_object *obj, struct tn_prog *prog, bool verify_only)
{
	struct tn_rt *rt = &obj->rt->rt;
	uint32_t i, k;

	for (i = 0; i < prog->nr_insns; i++) {
		const struct tn_insn *insn = &prog->insns[i];
		const struct tn_host_helper *helper;
		struct tn_extern *grown;

		if (tn_insn_is_lddw(insn)) {
			i++;
			continue;
		}
		if (insn->code != (TN_JMP | TN_CALL) || insn->src != TN_CALL_HELPER)
			continue;
		helper = tn_host_helper_by_id(obj->rt, (uint32_t)insn->imm);
		for (k = 0; helper && k < prog->nr_externs; k++) {
			if (prog->externs[k].helper == helper)
				helper = NULL;
		}
		if (!helper)
			continue;
		if (!helper->fn && !verify_only)
			return tn_err(-ENOSYS, "helper '%s' is known by description only",
				      helper->name);
		grown = tn_realloc_array(rt, prog->externs, prog->nr_externs + 1, sizeof(*grown));
		if (!grown)
			return tn_err_nomem("externs");
		prog->externs = grown;
		grown += prog->nr_externs;
		*grown = (struct tn_extern){ .name = tn_strdup(rt, helper->name),
					     .is_func = true,
					     .helper = helper };
		if (!grown->name)
			return tn_err_nomem("externs");
		prog->nr_externs++;
	}
	return 0;
}

/* Standard functions have numbers, as helpers do, and are called by them. */
static void number_kfuncs(struct tn_prog *prog)
{
	for (uint32_t i = 0; i < prog->nr_insns; i++) {
		struct tn_insn *insn = &prog->insns[i];
		const struct tn_helper *kfunc;

		if (tn_insn_is_lddw(insn)) {
			i++;
			continue;
		}
		if (insn->code != (TN_JMP | TN_CALL) || insn->src != TN_CALL_EXTERN ||
		    (uint32_t)insn->imm >= prog->nr_externs)
			continue;
		kfunc = tn_kfunc_by_name(prog->externs[insn->imm].name);
		if (!kfunc)
			continue;
		insn->src = TN_CALL_HELPER;
		insn->imm = (int32_t)kfunc->id;
	}
}

static int resolve_externs(struct tenon_object *obj, struct tn_prog *prog, bool verify_only)
{
	uint32_t i;
	int rc = 0;

	number_kfuncs(prog);

	for (i = 0; i < prog->nr_externs && !rc; i++)
		rc = resolve_extern(obj, &prog->externs[i], verify_only);
	return rc ? rc : add_numbered(obj, prog, verify_only);
}

/* ---- Maps ---- */

static bool same_shape(const struct tn_map *map, const struct tenon_map *handle)
{
	const struct tn_map_decl *decl = handle->decl;

	/* The kernel's maps were put in by the host, whatever flags they have. */
	return tn_map_shown_type(map) == decl->type && map->key_size == decl->key_size &&
	       map->value_size == decl->value_size &&
	       map->max_entries == tn_map_decl_entries(handle->rt, decl) &&
	       (map->kernel_type || (map->flags == (decl->flags & ~TENON_MAP_SHARED) &&
				     !map->segment == !(decl->flags & TENON_MAP_SHARED)));
}

/* Maps declared by the plugin, not its globals: those of another build may lie differently. */
static void adopt_map(struct tenon_object *obj, struct tenon_map *handle)
{
	const struct tenon_object *from = obj->reuse_maps;
	uint32_t i;

	for (i = 0; i < from->nr_maps; i++) {
		struct tn_map *map = from->maps[i].map;

		if (map && !handle->decl->is_data && !strcmp(from->maps[i].name, handle->name) &&
		    same_shape(map, handle)) {
			handle->reused = tn_map_get(map);
			return;
		}
	}
}

static int load_maps(struct tenon_object *obj)
{
	uint32_t i;
	int rc = 0;

	for (i = 0; i < obj->nr_maps && !rc; i++) {
		struct tenon_map *handle = &obj->maps[i];

		if (!handle->decl || handle->left_out || handle->decl->ops)
			continue;
		if (obj->reuse_maps && !handle->reused)
			adopt_map(obj, handle);
		rc = tn_pin_reuse(handle);
		if (rc)
			break;
		/* It matters only to programs that use it: see connect_maps(). */
		if (!handle->reused && !tn_map_type_words(handle->decl->type))
			continue;
		rc = tn_map_handle_load(handle);
		if (!rc)
			rc = tn_pin_made(handle);
	}
	return rc;
}

/* The host's maps; those of an object became constant when they were made. */
static int freeze_raw_maps(struct tn_prog *prog)
{
	uint32_t i;
	int rc = 0;

	for (i = 0; i < prog->nr_maps && !rc; i++) {
		if (!prog->maps[i]->const_for_programs)
			rc = tn_map_make_const(prog->maps[i]);
	}
	return rc;
}

/* Give the program its references. Raw bytecode has them already. */
static int connect_maps(struct tenon_object *obj, struct tn_prog *prog)
{
	uint32_t i;

	if (!prog->map_decls)
		return freeze_raw_maps(prog);
	if (!prog->nr_maps)
		return 0;
	if (!prog->maps)
		prog->maps = tn_alloc_array(&obj->rt->rt, prog->nr_maps, sizeof(prog->maps[0]));
	if (!prog->maps)
		return tn_err_nomem("map references");
	for (i = 0; i < prog->nr_maps; i++) {
		struct tn_map *map = obj->maps[prog->map_decls[i]].map;

		/* The verifier refuses the programs that reach a reference to it. */
		if (!map && obj->maps[prog->map_decls[i]].left_out)
			continue;
		if (!map)
			return tn_map_refuse_type(obj->maps[prog->map_decls[i]].decl->type,
						  obj->maps[prog->map_decls[i]].name);
		prog->maps[i] = tn_map_get(map);
	}
	return 0;
}

/* What a program's tail calls rely on is settled before it is verified. */
static int bind_prog_arrays(struct tenon_object *obj, struct tenon_program *program)
{
	struct tn_prog *prog = program->prog;
	uint32_t i;
	int rc = 0;

	for (i = 0; i < prog->nr_maps && !rc; i++) {
		if (!prog->maps[i] || prog->maps[i]->type != TN_MAP_PROG_ARRAY)
			continue;
		program->tail_calls = true;
		rc = tn_map_bind_sig(obj->rt, prog->maps[i], &program->sig);
	}
	return rc;
}

static bool is_loaded(const struct tenon_program *program)
{
	return program->prog->autoload;
}

/* The values that stand in the file go to keys 0, 1, ..., of 4 bytes, and are ids of 4 bytes. */
static int check_initialised(const struct tn_map *map, bool with_progs)
{
	const char *what = with_progs ? "programs" : "maps";
	bool fits = map->type == TN_MAP_PROG_ARRAY;

	if (!with_progs)
		fits = map->type == TN_MAP_ARRAY_OF_MAPS || map->type == TN_MAP_HASH_OF_MAPS;
	if (fits && map->key_size == 4 && map->value_size == 4)
		return 0;
	return tn_err(-EINVAL, "map '%s' of type %s, keys of %u bytes, cannot begin with %s",
		      map->name, tn_map_type_words(map->type), map->key_size, what);
}

/* Maps that the plugin put into its maps of maps. */
static int fill_map_arrays(struct tenon_object *obj)
{
	int rc = 0;

	for (uint32_t i = 0; i < obj->nr_maps && !rc; i++) {
		const struct tn_map_decl *decl = obj->maps[i].decl;

		for (uint32_t k = 0; decl && obj->maps[i].map && k < decl->nr_init_maps && !rc;
		     k++) {
			const struct tn_map *inner;

			if (decl->init_maps[k] < 0)
				continue;
			inner = obj->maps[decl->init_maps[k]].map;
			if (!inner)
				return tn_err(-EINVAL,
					      "map '%s': '%s', which it holds, is not created",
					      decl->name, obj->maps[decl->init_maps[k]].name);
			rc = check_initialised(obj->maps[i].map, false);
			if (rc)
				return rc;
			rc = tn_map_host_update(obj->maps[i].map, &k, &inner->id, 0);
			if (rc)
				tn_err(rc,
				       "map '%s': '%s' does not have the shape of its inner maps",
				       decl->name, obj->maps[decl->init_maps[k]].name);
		}
	}
	return rc;
}

/* Programs that the plugin put into its prog arrays; those left out leave their element empty. */
static int fill_prog_arrays(struct tenon_object *obj)
{
	uint32_t i, k;
	int rc = 0;

	for (i = 0; i < obj->nr_maps; i++) {
		const struct tn_map_decl *decl = obj->maps[i].decl;

		for (k = 0; decl && obj->maps[i].map && k < decl->nr_init_progs; k++) {
			uint32_t id;

			if (decl->init_progs[k] < 0 ||
			    !is_loaded(obj->programs[decl->init_progs[k]]))
				continue;
			id = obj->programs[decl->init_progs[k]]->prog->id;
			rc = check_initialised(obj->maps[i].map, true);
			if (!rc)
				rc = tn_map_host_update(obj->maps[i].map, &k, &id, 0);
			if (rc)
				return rc;
		}
	}
	return rc;
}

/* ---- Proof ---- */

static const struct tn_host_helper *helper_by_id(void *user, uint32_t id)
{
	return tn_host_helper_by_id(user, id);
}

static const struct tn_releaser *releaser(void *user, const char *type)
{
	return tn_host_releaser(user, type);
}

static const struct tn_ctx_type *struct_of(void *user, const char *name)
{
	return tn_struct_find(user, name);
}

/* The end of a longer log is kept: that is where the reason stands. */
static void append_log(struct tenon_object *obj, const char *text)
{
	size_t len = text ? strlen(text) : 0, room, drop;

	if (!len || obj->log_size < 2)
		return;
	room = obj->log_size - 1;
	if (len > room) {
		text += len - room;
		len = room;
	}
	if (obj->log_used + len > room) {
		drop = obj->log_used + len - room;
		memmove(obj->log_buf, obj->log_buf + drop, obj->log_used - drop);
		obj->log_used -= drop;
	}
	memcpy(obj->log_buf + obj->log_used, text, len);
	obj->log_used += len;
	obj->log_buf[obj->log_used] = 0;
}

static int note_source(struct tenon_program *program)
{
	struct tn_rt *rt = &program->rt->rt;
	const struct tn_line *line;
	const char *file;

	if (program->verdict.insn < 0)
		return 0;
	line = tn_prog_line(program->prog, (uint32_t)program->verdict.insn);
	if (!line || !line->file)
		return 0;
	file = strrchr(line->file, '/');
	program->source = tn_asprintf(rt, "%s:%u", file ? file + 1 : line->file, line->line);
	return program->source ? 0 : tn_err_nomem("report");
}

static int run_verifier(struct tenon_object *obj, struct tenon_program *program,
			struct tn_verify_env *env)
{
	struct tn_stale stale;
	int rc = tn_stale_init(&stale, obj->rt, obj->unit->image->btf);

	if (rc)
		return rc;
	if (tn_stale_knows(&stale)) {
		env->layout = tn_stale_check;
		env->layout_user = &stale;
	}
	rc = tn_verify(program->prog, env, &program->verdict);
	tn_stale_fini(&stale);
	return rc;
}

static int verify(struct tenon_object *obj, struct tenon_program *program)
{
	struct tn_verify_env env = {
		.ret_checked = program->sig.ret_checked,
		.ret_int = program->sig.ret_int,
		.ret_min = program->sig.ret_min,
		.ret_max = program->sig.ret_max,
		.no_result = program->no_result,
		.fuel = program->fuel,
		.termination_proved = obj->termination_proved,
		.addresses_visible = obj->addresses_visible,
		.strict_alignment = obj->strict_alignment,
		.license = (enum tn_license_policy)obj->license,
		.gpl_only = (const char *const *)obj->gpl_only,
		.log_level = obj->log_level,
		.explain = obj->explain,
		.helper_by_id = helper_by_id,
		.observe = obj->rt->observe,
		.observe_user = obj->rt->observe_user,
		.releaser = releaser,
		.struct_of = struct_of,
		.user = obj->rt,
	};
	uint64_t start = tn_clock_ns();
	int rc = run_verifier(obj, program, &env);

	program->verify_ns = tn_clock_ns() - start;
	program->verified = rc != -ENOMEM;
	append_log(obj, program->verdict.log);
	if (!rc && !program->prog->facts)
		return tn_err(-EACCES, "program '%s': the verifier gave no facts",
			      program->prog->name);
	if (!program->verified)
		return rc;
	if (note_source(program))
		return rc ? rc : -ENOMEM;
	return rc;
}

/* What the object's other programs took counts, too: many small ones take no longer than few. */
static int check_steps(const struct tenon_object *obj, const struct tenon_program *program)
{
	uint64_t most = 2 * (uint64_t)obj->rt->rt.limits.max_verifier_steps, steps = 0;
	uint32_t i;

	for (i = 0; i < obj->nr_programs; i++)
		steps += obj->programs[i]->verdict.work;
	if (steps < most)
		return 0;
	return tn_err(
		-E2BIG,
		"program '%s' is not verified: those before it took the work of %llu steps, an "
		"object may take %llu, twice limits.max_verifier_steps",
		program->prog->name, (unsigned long long)steps, (unsigned long long)most);
}

static int prepare(struct tenon_object *obj, struct tenon_program *program, bool verify_only)
{
	struct tn_prog *prog = program->prog;
	enum tn_stage stage = TN_STAGE_RESOLVE;
	int rc;

	if (prog->defect)
		rc = tn_err(prog->defect_code, "%s", prog->defect);
	else if ((rc = tn_section_prepare(program)) < 0)
		stage = TN_STAGE_RESOLVE;
	else if (prog->nr_insns > obj->rt->rt.limits.max_insns)
		rc = tn_err(-E2BIG, "program '%s' has %u instructions, the limit is %u", prog->name,
			    prog->nr_insns, obj->rt->rt.limits.max_insns);
	else
		rc = resolve_ctx(obj, program);
	if (!rc)
		rc = resolve_externs(obj, prog, verify_only);
	if (!rc)
		rc = connect_maps(obj, prog);
	if (!rc)
		rc = bind_prog_arrays(obj, program);
	if (!rc)
		rc = check_steps(obj, program);
	if (!rc) {
		stage = TN_STAGE_VERIFY;
		rc = verify(obj, program);
	}
	if (rc) {
		tn_err_at(stage, obj->name, prog->name, -1, program->source);
		/* For the report of a program that did not come as far as a verdict. */
		program->failure = tn_strdup(&obj->rt->rt, tn_err_last()->msg);
	}
	return rc;
}

/* ---- Code ---- */

static void warn_interpreter(struct tenon_runtime *rt)
{
	bool first;

	tn_lock(rt);
	first = !rt->rt.jit_warned;
	rt->rt.jit_warned = true;
	tn_unlock(rt);
	if (first)
		tn_logf(&rt->rt, TN_LOG_WARN, "the interpreter serves: %s", tn_err_last()->msg);
}

static int compile_all(struct tenon_object *obj, struct tn_prog **progs, uint32_t nr)
{
	bool fall_back = obj->engine == TENON_ENGINE_AUTO;
	/* A load that succeeds leaves no error behind. */
	const struct tn_err_record before = *tn_err_last();
	uint64_t start = tn_clock_ns();
	uint32_t i;
	int rc;

	if (obj->engine == TENON_ENGINE_INTERP || !nr)
		return 0;
	rc = tn_jit_available();
	if (!rc)
		rc = tn_jit_compile(&obj->rt->rt, progs, nr, &obj->unit->code);
	if (!rc && obj->rt->perf_map && tn_jit_perf_map(progs, nr))
		tn_logf(&obj->rt->rt, TN_LOG_WARN, "perf does not see object '%s': %s", obj->name,
			tn_err_last()->msg);
	if (!rc)
		*tn_err_last() = before;
	for (i = 0; i < nr; i++)
		((struct tenon_program *)progs[i]->host)->compile_ns = (tn_clock_ns() - start) / nr;
	if (fall_back && (rc == -ENOTSUP || rc == -EACCES || rc == -EPERM)) {
		warn_interpreter(obj->rt);
		*tn_err_last() = before;
		return 0;
	}
	return rc;
}

static int make_code(struct tenon_object *obj)
{
	struct tn_prog **progs;
	uint32_t nr = 0, i;
	int rc = 0;

	progs = tn_alloc_array(&obj->rt->rt, TN_MAX(obj->nr_programs, 1u), sizeof(progs[0]));
	if (!progs)
		return tn_err_nomem("program list");
	for (i = 0; i < obj->nr_programs && !rc; i++) {
		struct tn_prog *prog = obj->programs[i]->prog;

		if (!is_loaded(obj->programs[i]))
			continue;
		rc = tn_rewrite(prog);
		prog->entry = tn_interp_entry;
		progs[nr++] = prog;
	}
	if (!rc)
		rc = compile_all(obj, progs, nr);
	for (i = 0; i < nr; i++) {
		if (!progs[i]->facts->holds)
			continue;
		progs[i]->inner_entry = progs[i]->entry;
		progs[i]->entry = tn_held_entry;
	}
	tn_free(&obj->rt->rt, progs);
	if (rc)
		tn_err_at(TN_STAGE_COMPILE, obj->name, NULL, -1, NULL);
	return rc;
}

/* Does compiled code of the program ever look at the firing's state? */
static bool is_leaf(const struct tn_prog *prog)
{
	uint32_t i;

	if (!prog->code || prog->r2_is_ctx_size || prog->facts->has_fuel || prog->facts->may_abort)
		return false;
	for (i = 0; i < prog->nr_insns; i++) {
		const struct tn_insn *insn = &prog->insns[i];
		uint8_t mode = TN_MODE(insn->code);

		if (tn_insn_is_lddw(insn)) {
			i++;
			continue;
		}
		if (insn->code == (TN_JMP | TN_CALL) && insn->src != TN_CALL_LOCAL)
			return false;
		if (TN_CLASS(insn->code) == TN_LD && (mode == TN_ABS || mode == TN_IND))
			return false;
	}
	return true;
}

static void set_ready(struct tenon_object *obj, bool ready)
{
	uint32_t i;

	tn_lock(obj->rt);
	for (i = 0; i < obj->nr_programs; i++) {
		struct tenon_program *program = obj->programs[i];

		program->ready = ready && is_loaded(program);
		program->leaf = program->ready && is_leaf(program->prog);
	}
	tn_unlock(obj->rt);
}

static int run_stages(struct tenon_object *obj, bool verify_only)
{
	uint32_t i;
	int rc = load_maps(obj);

	if (!rc)
		rc = fill_map_arrays(obj);
	if (!rc)
		rc = tn_ops_bind(obj);
	if (rc) {
		tn_err_at(TN_STAGE_RESOLVE, obj->name, NULL, -1, NULL);
		return rc;
	}
	for (i = 0; i < obj->nr_programs; i++) {
		int one = 0;

		if (is_loaded(obj->programs[i]))
			one = prepare(obj, obj->programs[i], verify_only);
		/* A check reports every program; a load ends at the first that fails. */
		if (one && !verify_only)
			return one;
		rc = rc ? rc : one;
	}
	if (rc || verify_only)
		return rc;
	rc = make_code(obj);
	if (rc)
		return rc;
	set_ready(obj, true);
	rc = tn_ops_finish(obj);
	if (!rc)
		rc = fill_prog_arrays(obj);
	if (rc) {
		set_ready(obj, false);
		tn_err_at(TN_STAGE_RESOLVE, obj->name, NULL, -1, NULL);
	}
	return rc;
}

int tn_object_load(struct tenon_object *obj, bool verify_only)
{
	int rc;

	if (obj->state == TN_OBJECT_FAILED)
		return tn_err(-EALREADY, "object '%s' failed to load; close it", obj->name);
	if (obj->state != TN_OBJECT_OPEN)
		return tn_err(-EALREADY, "object '%s' is loaded or verified already", obj->name);
	rc = run_stages(obj, verify_only);
	for (uint32_t i = 0; (rc || verify_only) && i < obj->nr_maps; i++)
		tn_pin_undo(&obj->maps[i]);
	if (rc)
		obj->state = TN_OBJECT_FAILED;
	else
		obj->state = verify_only ? TN_OBJECT_VERIFIED : TN_OBJECT_LOADED;
	if (!rc && !verify_only)
		tn_logf(&obj->rt->rt, TN_LOG_INFO, "object '%s': %u programs loaded", obj->name,
			obj->nr_programs);
	return rc;
}

int tenon_object_load(struct tenon_object *obj)
{
	if (!obj)
		return tn_err(-EINVAL, "tenon_object_load: no object");
	return tn_object_load(obj, false);
}

int tenon_object_verify(struct tenon_object *obj)
{
	if (!obj)
		return tn_err(-EINVAL, "tenon_object_verify: no object");
	return tn_object_load(obj, true);
}
