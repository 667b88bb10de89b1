/* SPDX-License-Identifier: MIT */
/* Section names of the host's own, see section_handler.h. */
#include "host-api/section_handler.h"

#include <errno.h>
#include <string.h>

#include "host-api/object.h"

#define MAX_SECTION_BYTES 128u

static void entry_free(struct tenon_runtime *rt, struct tn_section_entry *e)
{
	if (!e)
		return;
	tn_free(&rt->rt, (char *)(uintptr_t)e->h.section);
	tn_free(&rt->rt, (char *)(uintptr_t)e->h.hook);
	tn_free(&rt->rt, e);
}

static int check_handler(const struct tenon_section_handler *h)
{
	size_t len = h->section ? strlen(h->section) : 0;

	if (h->section && (len == 0 || len >= MAX_SECTION_BYTES || !strcmp(h->section, "+") ||
			   h->section[0] == '.' || h->section[0] == '?'))
		return tn_err(-EINVAL,
			      "section handler '%.40s': a name has 1 to %u characters and begins "
			      "with neither '.' nor '?'",
			      h->section, MAX_SECTION_BYTES - 1);
	if (!h->hook && !h->setup)
		return tn_err(-EINVAL,
			      "section handler '%s': neither `hook` nor `setup` says what its "
			      "programs are given",
			      h->section ? h->section : "(fallback)");
	return 0;
}

static struct tn_section_entry *entry_new(struct tenon_runtime *rt,
					  const struct tenon_section_handler *h)
{
	struct tn_section_entry *e = tn_new(&rt->rt, struct tn_section_entry);
	size_t len = h->section ? strlen(h->section) : 0;

	if (!e)
		return NULL;
	e->h = *h;
	e->prefix = len && h->section[len - 1] == '+';
	e->h.section = h->section ? tn_strndup(&rt->rt, h->section, len - e->prefix) : NULL;
	e->h.hook = h->hook ? tn_strdup(&rt->rt, h->hook) : NULL;
	if ((e->h.section || !h->section) && (e->h.hook || !h->hook))
		return e;
	entry_free(rt, e);
	return NULL;
}

static bool same_name(const struct tn_section_entry *a, const struct tn_section_entry *b)
{
	if (!a->h.section || !b->h.section)
		return a->h.section == b->h.section;
	return a->prefix == b->prefix && !strcmp(a->h.section, b->h.section);
}

/* Under rt.lock: at the end, so that what was added first comes first. */
static int add_entry(struct tenon_runtime *rt, struct tn_section_entry *e)
{
	struct tn_section_entry **at;
	int id = 1;

	for (at = &rt->sections; *at; at = &(*at)->next) {
		if (!(*at)->removed && same_name(*at, e))
			return tn_err(-EEXIST, "section handler '%s%s' is there already",
				      e->h.section ? e->h.section : "(fallback)",
				      e->prefix ? "+" : "");
		id = (*at)->id + 1;
	}
	e->id = id;
	*at = e;
	return id;
}

int tenon_runtime_add_section(struct tenon_runtime *rt, const struct tenon_section_handler *handler)
{
	struct tenon_section_handler want;
	struct tn_section_entry *e;
	int rc;

	if (!rt || !handler)
		return tn_err(-EINVAL, "tenon_runtime_add_section: an argument is NULL");
	rc = tn_opts_read("tenon_section_handler", handler, &want, sizeof(want));
	if (!rc)
		rc = check_handler(&want);
	if (rc)
		return rc;
	e = entry_new(rt, &want);
	if (!e)
		return tn_err_nomem("section handler");
	tn_lock(rt);
	rc = add_entry(rt, e);
	tn_unlock(rt);
	if (rc < 0)
		entry_free(rt, e);
	return rc;
}

int tenon_runtime_remove_section(struct tenon_runtime *rt, int id)
{
	struct tn_section_entry *e;
	int rc = 0;

	if (!rt)
		return tn_err(-EINVAL, "tenon_runtime_remove_section: no runtime");
	tn_lock(rt);
	for (e = rt->sections; e && (e->id != id || e->removed); e = e->next)
		;
	if (e)
		e->removed = true;
	else
		rc = tn_err(-ENOENT, "there is no section handler %d", id);
	tn_unlock(rt);
	return rc;
}

static bool matches(const struct tn_section_entry *e, const char *section)
{
	size_t len = strlen(e->h.section);

	if (strncmp(section, e->h.section, len) != 0)
		return false;
	if (section[len] == '\0')
		return true;
	return e->prefix && section[len] == '/' && section[len + 1];
}

const struct tn_section_entry *tn_section_handler(struct tenon_runtime *rt, const char *section,
						  bool fallback)
{
	const struct tn_section_entry *e;

	tn_lock(rt);
	for (e = rt->sections; e; e = e->next) {
		if (e->removed)
			continue;
		if (fallback ? !e->h.section : e->h.section && matches(e, section))
			break;
	}
	tn_unlock(rt);
	return e;
}

/* The host's own words, if its function left some, stand behind ours. */
static int refused(const struct tenon_program *program, const char *what, int rc)
{
	return tn_err(rc, "section '%s': the host's %s refuses program '%s' (%s)",
		      program->prog->section, what, program->prog->name, strerror(-rc));
}

int tn_section_setup(struct tenon_program *program)
{
	const struct tn_section_entry *e = program->handler;
	int rc = 0;

	if (e && e->h.setup)
		rc = e->h.setup(e->h.user, program, e->h.cookie);
	return rc < 0 ? refused(program, "setup", rc) : 0;
}

int tn_section_prepare(struct tenon_program *program)
{
	const struct tn_section_entry *e = program->handler;
	int rc = 0;

	if (e && e->h.prepare)
		rc = e->h.prepare(e->h.user, program, e->h.cookie);
	return rc < 0 ? refused(program, "prepare", rc) : 0;
}

int tn_section_attach(struct tenon_program *program, struct tenon_link **link)
{
	const struct tn_section_entry *e = program->handler;
	int rc;

	*link = NULL;
	rc = e->h.attach(e->h.user, program, e->h.cookie, link);
	return rc < 0 ? refused(program, "attach", rc) : 0;
}

void tn_section_handlers_fini(struct tenon_runtime *rt)
{
	while (rt->sections) {
		struct tn_section_entry *e = rt->sections;

		rt->sections = e->next;
		entry_free(rt, e);
	}
}

int tenon_program_set_hook(struct tenon_program *program, const char *hook)
{
	char *copy = NULL;

	if (!program)
		return tn_err(-EINVAL, "tenon_program_set_hook: no program");
	if (!program->obj || program->obj->state != TN_OBJECT_OPEN)
		return tn_err(-EALREADY, "program '%s': its object is loaded already",
			      program->prog->name);
	if (hook) {
		copy = tn_strdup(&program->rt->rt, hook);
		if (!copy)
			return tn_err_nomem("hook name");
	}
	tn_free(&program->rt->rt, program->hook);
	program->hook = copy;
	return 0;
}
