/* SPDX-License-Identifier: MIT */
/*
 * Links: a program at a hook. What changes chains goes through the two phases of hook.h: build
 * everything, then publish.
 */
#include <errno.h>
#include <string.h>

#include "host-api/hook.h"
#include "host-api/object.h"
#include "host-api/section_handler.h"
#include "host-api/struct_ops.h"

static bool results_fit(const struct tenon_program *program, const struct tn_hook *hook)
{
	const struct tn_facts *facts = program->prog->facts;
	const struct tn_prog_sig *sig = &program->sig;

	if (!hook->ret_checked)
		return true;
	/* A tail call's result is another program's: only what the array promises is known. */
	if (program->tail_calls)
		return sig->ret_checked && sig->ret_int == hook->ret_int &&
		       sig->ret_min >= hook->ret_min && sig->ret_max <= hook->ret_max;
	if (facts && hook->ret_int)
		return facts->int_min >= hook->ret_min && facts->int_max <= hook->ret_max;
	return facts && facts->ret_min >= hook->ret_min && facts->ret_max <= hook->ret_max;
}

int tn_link_check(const struct tenon_program *program, const struct tn_hook *hook)
{
	const struct tn_prog *prog = program->prog;

	if (!program->ready)
		return tn_err(-EINVAL, "program '%s' is not loaded", prog->name);
	if (program->rt != hook->rt)
		return tn_err(-EINVAL, "program '%s' and hook '%s' belong to different runtimes",
			      prog->name, hook->name);
	if (prog->ctx_type != hook->ctx)
		return tn_err(-EINVAL,
			      "program '%s' was verified for context '%s', hook '%s' has "
			      "'%s'",
			      prog->name, prog->ctx_type->name ? prog->ctx_type->name : "(bytes)",
			      hook->name, hook->ctx->name);
	if (!results_fit(program, hook))
		return tn_err(-EINVAL,
			      "program '%s' may return what hook '%s' does not allow "
			      "(%lld to %lld)",
			      prog->name, hook->name, (long long)hook->ret_min,
			      (long long)hook->ret_max);
	if (prog->facts && prog->facts->proved_cost > tn_hook_budget(hook))
		return tn_err(-EINVAL,
			      "program '%s' takes up to %llu instructions, hook '%s' has "
			      "fuel for %llu",
			      prog->name, (unsigned long long)prog->facts->proved_cost, hook->name,
			      (unsigned long long)tn_hook_budget(hook));
	return 0;
}

struct tenon_link *tn_link_new(struct tenon_program *program, const struct tenon_attach_opts *opts)
{
	struct tenon_link *link = tn_new(&program->rt->rt, struct tenon_link);

	if (!link)
		return tn_err_null(-ENOMEM, "out of memory: link");
	link->rt = program->rt;
	link->program = program;
	link->priority = opts->priority;
	link->cookie = opts->cookie;
	tn_program_get(program);
	return link;
}

static void link_reclaim(struct tn_deferred *d)
{
	struct tenon_link *link = TN_CONTAINER_OF(d, struct tenon_link, deferred);
	struct tenon_runtime *rt = link->rt;

	tn_free(&rt->rt, link);
	tn_sub_acq_rel(&rt->nr_pending, 1);
}

void tn_link_free(struct tenon_link *link)
{
	struct tenon_link **at;

	if (link->owner) {
		for (at = &link->owner->links; *at != link; at = &(*at)->next_owned)
			;
		*at = link->next_owned;
	}
	if (link->ops)
		tn_ops_unregister(link);
	else
		tn_program_put(link->program);
	/* Firings under way may still count on it. */
	tn_add_relaxed(&link->rt->nr_pending, 1);
	tn_epoch_defer(&link->deferred, link_reclaim);
}

static void log_link(const struct tenon_link *link, const char *what)
{
	if (link->hook)
		tn_logf(&link->rt->rt, TN_LOG_INFO, "program '%s' %s hook '%s'",
			link->program->prog->name, what, link->hook->name);
}

/* Under rt.lock. */
static struct tenon_link *attach(struct tenon_program *program,
				 const struct tenon_attach_opts *opts)
{
	struct tenon_runtime *rt = program->rt;
	const char *name = opts->hook ? opts->hook : program->hook;
	struct tenon_link *link;
	struct tn_hook *hook;
	int rc;

	if (!name)
		return tn_err_null(-ENOENT, "program '%s': its section '%s' names no hook",
				   program->prog->name, program->prog->section);
	hook = tn_hook_find(rt, name);
	if (!hook)
		return tn_err_null(-ENOENT, "no hook '%s' is registered", name);
	rc = tn_link_check(program, hook);
	if (rc)
		return tn_null(rc);
	link = tn_link_new(program, opts);
	if (!link)
		return NULL;
	rc = tn_hook_insert_link(hook, link);
	if (!rc) {
		hook->dirty = true;
		rc = tn_hooks_build(rt);
		if (rc) {
			hook->dirty = false;
			tn_hook_remove_link(link);
		}
	}
	if (rc) {
		tn_link_free(link);
		return tn_null(rc);
	}
	tn_hooks_publish(rt);
	log_link(link, "attached to");
	return link;
}

static void attach_place(const struct tenon_program *program)
{
	tn_err_at(TN_STAGE_ATTACH, NULL, program->prog->name, -1, NULL);
}

struct tenon_link *tenon_program_attach(struct tenon_program *program,
					const struct tenon_attach_opts *opts)
{
	struct tenon_attach_opts want;
	struct tenon_link *link = NULL;
	int rc;

	if (!program)
		return tn_err_null(-EINVAL, "tenon_program_attach: no program");
	rc = tn_opts_read("tenon_attach_opts", opts, &want, sizeof(want));
	if (rc)
		return tn_null(rc);
	tn_lock(program->rt);
	link = attach(program, &want);
	if (link)
		program->rt->nr_links++;
	tn_unlock(program->rt);
	if (!link) {
		rc = errno;
		attach_place(program);
		errno = rc;
		return NULL;
	}
	tn_epoch_reclaim();
	return link;
}

int tenon_link_update(struct tenon_link *link, struct tenon_program *program)
{
	int rc;

	if (!link || !program)
		return tn_err(-EINVAL, "tenon_link_update: an argument is NULL");
	if (program->rt != link->rt)
		return tn_err(-EINVAL, "program '%s' belongs to another runtime",
			      program->prog->name);
	tn_lock(link->rt);
	if (!link->hook)
		rc = tn_err(-ENOENT, "link: it was detached, or its hook unregistered");
	else
		rc = tn_link_check(program, link->hook);
	if (!rc) {
		link->next_program = program;
		link->hook->dirty = true;
		rc = tn_hooks_build(link->rt);
		if (rc) {
			link->next_program = NULL;
			link->hook->dirty = false;
		} else {
			tn_program_get(program);
			tn_hooks_publish(link->rt);
		}
	}
	tn_unlock(link->rt);
	if (rc)
		attach_place(program);
	else
		tn_epoch_reclaim();
	return rc;
}

void tenon_link_detach(struct tenon_link *link)
{
	struct tenon_runtime *rt;

	if (!link)
		return;
	rt = link->rt;
	tn_lock(rt);
	log_link(link, "detached from");
	tn_hook_detach_link(link);
	if (!link->owner)
		rt->nr_links--;
	tn_link_free(link);
	tn_unlock(rt);
}

int tenon_link_destroy(struct tenon_link *link)
{
	int rc;

	if (!link)
		return 0;
	rc = tn_check_outside("tenon_link_destroy");
	if (rc)
		return rc;
	tenon_link_detach(link);
	return tn_epoch_drain();
}

/* ---- All links of an object ---- */

/* Under rt.lock. Drop what object_attach inserted and did not publish. */
static void undo_attach(struct tenon_object *obj, struct tenon_link *until)
{
	while (obj->links != until) {
		struct tenon_link *link = obj->links;

		link->hook->dirty = false;
		tn_hook_remove_link(link);
		tn_link_free(link);
	}
}

static bool is_attached(const struct tenon_program *program)
{
	const struct tn_hook *hook;
	const struct tenon_link *link;

	for (hook = program->rt->hooks; hook; hook = hook->next) {
		for (link = hook->links; link; link = link->next) {
			if (link->program == program)
				return true;
		}
	}
	return false;
}

static int insert_owned(struct tenon_object *obj, struct tenon_program *program)
{
	const struct tenon_attach_opts defaults = {
		.sz = sizeof(defaults),
		.cookie = program->handler ? program->handler->h.cookie : 0,
	};
	struct tn_hook *hook = tn_hook_find(obj->rt, program->hook);
	struct tenon_link *link;
	int rc;

	if (!hook)
		return tn_err(-ENOENT, "no hook '%s' is registered", program->hook);
	rc = tn_link_check(program, hook);
	if (rc)
		return rc;
	link = tn_link_new(program, &defaults);
	if (!link)
		return -ENOMEM;
	rc = tn_hook_insert_link(hook, link);
	if (rc) {
		tn_link_free(link);
		return rc;
	}
	hook->dirty = true;
	link->owner = obj;
	link->next_owned = obj->links;
	obj->links = link;
	return 0;
}

static bool is_own_business(const struct tenon_program *program)
{
	return program->handler && program->handler->h.attach;
}

/* What the host's handlers attach, each by itself; their links become the object's. */
static int attach_by_handlers(struct tenon_object *obj, struct tenon_link **out)
{
	int rc = 0;

	for (uint32_t i = 0; i < obj->nr_programs && !rc; i++) {
		struct tenon_program *program = obj->programs[i];
		struct tenon_link *link = NULL;

		if (!program->ready || !is_own_business(program) || program->attached_by_host)
			continue;
		program->attached_by_host = true;
		rc = tn_section_attach(program, &link);
		if (rc) {
			program->attached_by_host = false;
			attach_place(program);
			break;
		}
		if (link && link->rt == obj->rt && !link->owner) {
			link->next_owned = *out;
			*out = link;
		}
	}
	return rc;
}

static void detach_all(struct tenon_link *links)
{
	while (links) {
		struct tenon_link *next = links->next_owned;

		links->program->attached_by_host = false;
		links->next_owned = NULL;
		tenon_link_detach(links);
		links = next;
	}
}

/* Under rt.lock. */
static void own_all(struct tenon_object *obj, struct tenon_link *links)
{
	while (links) {
		struct tenon_link *next = links->next_owned;

		obj->rt->nr_links--;
		links->owner = obj;
		links->next_owned = obj->links;
		obj->links = links;
		links = next;
	}
}

static int attach_object(struct tenon_object *obj)
{
	struct tenon_link *before = obj->links, *link;
	uint32_t i;
	int rc = 0;

	for (i = 0; i < obj->nr_programs && !rc; i++) {
		struct tenon_program *program = obj->programs[i];

		if (!program->hook || !program->ready || is_own_business(program) ||
		    is_attached(program))
			continue;
		rc = insert_owned(obj, program);
		if (rc)
			attach_place(program);
	}
	if (!rc)
		rc = tn_hooks_build(obj->rt);
	if (rc) {
		undo_attach(obj, before);
		return rc;
	}
	tn_hooks_publish(obj->rt);
	for (link = obj->links; link != before; link = link->next_owned)
		log_link(link, "attached to");
	return 0;
}

int tenon_object_attach(struct tenon_object *obj)
{
	struct tenon_link *links = NULL, *ops = NULL;
	int rc;

	if (!obj)
		return tn_err(-EINVAL, "tenon_object_attach: no object");
	if (obj->state != TN_OBJECT_LOADED)
		return tn_err(-EINVAL, "object '%s' is not loaded", obj->name);
	rc = attach_by_handlers(obj, &links);
	tn_lock(obj->rt);
	if (!rc)
		rc = tn_ops_links(obj, &ops);
	if (!rc)
		rc = attach_object(obj);
	if (!rc) {
		own_all(obj, links);
		tn_ops_links_own(obj, ops);
	} else {
		tn_ops_links_free(ops);
	}
	tn_unlock(obj->rt);
	if (rc) {
		const struct tn_err_record why = *tn_err_last();

		detach_all(links);
		*tn_err_last() = why;
	}
	if (rc)
		tn_err_at(TN_STAGE_ATTACH, obj->name, NULL, -1, NULL);
	else
		tn_epoch_reclaim();
	return rc;
}

/* ---- Hot reload ---- */

static struct tenon_program *same_name(const struct tenon_object *obj, const char *name)
{
	uint32_t i;

	for (i = 0; i < obj->nr_programs; i++) {
		if (!strcmp(obj->programs[i]->prog->name, name))
			return obj->programs[i];
	}
	return NULL;
}

static int choose_replacement(struct tenon_link *link, const struct tenon_object *to)
{
	struct tenon_program *program = same_name(to, link->program->prog->name);
	int rc;

	if (!program)
		return tn_err(-ENOENT, "object '%s' has no program '%s'", to->name,
			      link->program->prog->name);
	rc = tn_link_check(program, link->hook);
	if (rc)
		return rc;
	link->next_program = program;
	link->hook->dirty = true;
	return 0;
}

static void undo_replace(struct tenon_runtime *rt)
{
	struct tn_hook *hook;
	struct tenon_link *link;

	for (hook = rt->hooks; hook; hook = hook->next) {
		hook->dirty = false;
		for (link = hook->links; link; link = link->next)
			link->next_program = NULL;
	}
}

/* The links that `from` owned belong to `to` from now on. */
static void hand_over(struct tenon_object *from, struct tenon_object *to)
{
	while (from->links) {
		struct tenon_link *link = from->links;

		from->links = link->next_owned;
		link->owner = to;
		link->next_owned = to->links;
		to->links = link;
	}
}

static int replace_object(struct tenon_object *from, struct tenon_object *to)
{
	struct tenon_runtime *rt = from->rt;
	struct tn_hook *hook;
	struct tenon_link *link;
	int rc = 0;

	for (hook = rt->hooks; hook && !rc; hook = hook->next) {
		for (link = hook->links; link && !rc; link = link->next) {
			if (link->program->obj == from)
				rc = choose_replacement(link, to);
		}
	}
	if (!rc)
		rc = tn_ops_replace_check(from, to);
	if (!rc)
		rc = tn_hooks_build(rt);
	if (rc) {
		undo_replace(rt);
		return rc;
	}
	for (hook = rt->hooks; hook; hook = hook->next) {
		for (link = hook->links; link; link = link->next) {
			if (link->next_program)
				tn_program_get(link->next_program);
		}
	}
	tn_hooks_publish(rt);
	tn_ops_replace(from, to);
	hand_over(from, to);
	return 0;
}

int tenon_object_replace(struct tenon_object *from, struct tenon_object *to)
{
	int rc;

	if (!from || !to || from->rt != to->rt || from == to)
		return tn_err(-EINVAL, "tenon_object_replace: two objects of one runtime");
	if (to->state != TN_OBJECT_LOADED)
		return tn_err(-EINVAL, "object '%s' is not loaded", to->name);
	tn_lock(from->rt);
	rc = replace_object(from, to);
	tn_unlock(from->rt);
	if (rc)
		tn_err_at(TN_STAGE_ATTACH, to->name, NULL, -1, NULL);
	else
		tn_epoch_reclaim();
	return rc;
}
