/* SPDX-License-Identifier: MIT */
/*
 * Objects are opened against the whole BTF, and what their records find there is kept: types, and
 * of structures the members on the way to a field. A structure keeps its size in any case, and all
 * members where a record compares it (type_matches).
 */
#include "host-api/btf_minimize.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "host-api/host_btf.h"
#include "loader/core.h"
#include "vm/btf_merge.h"

/* What is known of a type. */
enum { NOT_WANTED, WANTED, WAITS, WANTED_WHOLE };
enum { LEADS = 1, LEADS_NOWHERE };

struct wanted {
	const struct tn_btf *btf;
	unsigned char *types;	 /* by id */
	unsigned char *leads;	 /* by id, of structs: keep_unnamed()'s answer; 0: not asked */
	unsigned char **members; /* by id, of structs: a bit for each member that is kept */
	unsigned char *bits;	 /* where those point to */
	uint32_t *pending;	 /* structs that are kept whole, and whose members are looked at */
};

static void keep_member(struct wanted *w, uint32_t id, uint32_t i)
{
	w->members[id][i / 8] |= (unsigned char)(1u << i % 8);
}

/* What stands behind names, qualifiers and arrays. BTF was checked to end here. */
static uint32_t element_of(const struct tn_btf *btf, uint32_t id)
{
	for (id = tn_btf_skip_mods(btf, id); tn_btf_kind(tn_btf_type(btf, id)) == TN_BTF_ARRAY;)
		id = tn_btf_skip_mods(btf, *(const uint32_t *)tn_btf_extra(tn_btf_type(btf, id)));
	return id;
}

/* All members of a struct, and of those that are in it; each waits in `pending` once. */
static void keep_whole(struct wanted *w, uint32_t root)
{
	uint32_t nr = 0;

	root = element_of(w->btf, root);
	w->pending[nr++] = root;
	while (nr) {
		uint32_t id = w->pending[--nr];
		const struct tn_btf_type *t = tn_btf_type(w->btf, id);
		const struct tn_btf_member *m = tn_btf_extra(t);

		if (!tn_btf_is_composite(t) || w->types[id] == WANTED_WHOLE)
			continue;
		w->types[id] = WANTED_WHOLE;
		for (uint32_t i = 0; i < tn_btf_vlen(t); i++) {
			uint32_t inside = element_of(w->btf, m[i].type);

			keep_member(w, id, i);
			if (w->types[inside] >= WAITS ||
			    !tn_btf_is_composite(tn_btf_type(w->btf, inside)))
				continue;
			w->types[inside] = WAITS;
			w->pending[nr++] = inside;
		}
	}
}

static void note_access(void *user, const struct tn_core_record *rec,
			const struct tn_core_spec *spec)
{
	struct wanted *w = user;

	if (spec->btf != w->btf)
		return;
	if (!w->types[spec->root_id])
		w->types[spec->root_id] = WANTED;
	if (rec->kind == TN_CORE_TYPE_MATCHES)
		keep_whole(w, spec->root_id);
	for (uint32_t i = 0; i < spec->nr_steps; i++) {
		const struct tn_core_step *step = &spec->steps[i];

		if (!w->types[step->type_id])
			w->types[step->type_id] = WANTED;
		if (step->name && w->members[step->type_id])
			keep_member(w, step->type_id, step->index);
	}
}

/* Members of unnamed structs are found through them, and no step says so. Does this one lead to a
 * type that is kept? Answered once for each type; unnamed structs nest as deep as the source was
 * written, and beyond the depth that records follow all is kept. */
static bool keep_unnamed(struct wanted *w, uint32_t id, uint32_t depth)
{
	const struct tn_btf_type *t = tn_btf_type(w->btf, id);
	const struct tn_btf_member *m = tn_btf_extra(t);
	bool any = w->types[id] != 0;

	if (w->leads[id] || depth > TN_CORE_MAX_STEPS)
		return w->leads[id] != LEADS_NOWHERE;
	for (uint32_t i = 0; i < tn_btf_vlen(t); i++) {
		uint32_t inside = element_of(w->btf, m[i].type);

		if (*tn_btf_str(w->btf, m[i].name_off) ||
		    !tn_btf_is_composite(tn_btf_type(w->btf, inside)) ||
		    !keep_unnamed(w, inside, depth + 1))
			continue;
		keep_member(w, id, i);
		any = true;
	}
	w->leads[id] = any ? LEADS : LEADS_NOWHERE;
	return any;
}

static int note_object(struct wanted *w, struct tn_rt *rt, const char *path)
{
	const struct tn_load_opts opts = { .name = path,
					   .targets = &w->btf,
					   .nr_targets = 1,
					   .nr_whole = 1,
					   .core_found = note_access,
					   .core_user = w };
	struct tn_image *image;
	unsigned char *buf;
	size_t size;
	int rc = tn_read_file(rt, path, TN_MAX_BTF_BYTES, &buf, &size);

	if (rc)
		return rc;
	image = tn_loader_open(rt, tn_span_make(buf, size), &opts);
	rc = image ? 0 : -errno;
	tn_image_free(image);
	tn_free(rt, buf);
	return rc;
}

static bool make_room(struct wanted *w, struct tn_rt *rt)
{
	const struct tn_btf *btf = w->btf;
	size_t bytes = 1, at = 0;

	for (uint32_t id = 1; id < btf->nr_types; id++)
		if (tn_btf_is_composite(tn_btf_type(btf, id)))
			bytes += tn_btf_vlen(tn_btf_type(btf, id)) / 8 + 1;
	w->types = tn_alloc_array(rt, btf->nr_types, 1);
	w->leads = tn_alloc_array(rt, btf->nr_types, 1);
	w->members = tn_alloc_array(rt, btf->nr_types, sizeof(*w->members));
	w->pending = tn_alloc_array(rt, btf->nr_types, sizeof(*w->pending));
	w->bits = tn_alloc_array(rt, bytes, 1);
	if (!w->types || !w->leads || !w->members || !w->pending || !w->bits)
		return false;
	for (uint32_t id = 1; id < btf->nr_types; id++) {
		const struct tn_btf_type *t = tn_btf_type(btf, id);

		if (!tn_btf_is_composite(t))
			continue;
		w->members[id] = w->bits + at;
		at += tn_btf_vlen(t) / 8 + 1;
	}
	return true;
}

struct tn_btf *tn_btf_minimize(struct tn_rt *rt, const struct tn_btf *btf,
			       const char *const *objects, uint32_t nr)
{
	struct wanted w = { .btf = btf };
	struct tn_btf *made = NULL;
	int rc = make_room(&w, rt) ? 0 : tn_err_nomem("BTF");

	for (uint32_t i = 0; i < nr && !rc; i++)
		rc = note_object(&w, rt, objects[i]);
	for (uint32_t id = 1; id < btf->nr_types && !rc; id++)
		if (w.types[id] && tn_btf_is_composite(tn_btf_type(btf, id)))
			keep_unnamed(&w, id, 0);
	if (!rc) {
		made = tn_btf_subset(rt, btf, w.types, w.members);
		rc = made ? 0 : -errno;
	}
	tn_free(rt, w.types);
	tn_free(rt, w.leads);
	tn_free(rt, w.members);
	tn_free(rt, w.pending);
	tn_free(rt, w.bits);
	errno = -rc;
	return made;
}
