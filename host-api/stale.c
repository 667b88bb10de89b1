/* SPDX-License-Identifier: MIT */
/*
 * Layouts that the plugin was compiled with and the host no longer has. A structure without any
 * record is compared whole, so that the plugin is refused at once. Of one that is relocated the
 * accesses with a record are right, and the verifier asks about each that has none.
 */
#include "host-api/stale.h"

#include <errno.h>

#include "host-api/host_type.h"
#include "host-api/program.h"
#include "loader/core_layout.h"

#define MAX_ANSWERS 256

int tn_stale_init(struct tn_stale *s, struct tenon_runtime *rt, const struct tn_btf *plugin)
{
	memset(s, 0, sizeof(*s));
	s->rt = rt;
	s->plugin = plugin;
	if (!plugin)
		return 0;
	tn_core_targets_use(&s->targets, &s->opts);
	return tn_core_targets_get(rt, NULL, &s->targets);
}

void tn_stale_fini(struct tn_stale *s)
{
	tn_core_targets_put(s->rt, &s->targets);
	tn_vec_free(&s->rt->rt, &s->answers);
}

bool tn_stale_knows(const struct tn_stale *s)
{
	return s->plugin && s->targets.nr > 0;
}

int tn_stale_check(void *stale, const struct tn_ctx_type *type, uint32_t off, uint32_t size)
{
	struct tn_stale *s = stale;
	struct tn_stale_answer *answer;
	char words[TN_ERR_MSG_BYTES];
	int same;

	if (type->builtin || !type->name)
		return 0;
	for (uint32_t i = 0; i < s->answers.nr; i++) {
		answer = &s->answers.v[i];
		if (answer->type == type && answer->off == off && answer->size == size)
			return 0;
	}
	tn_core_targets_use(&s->targets, &s->opts);
	same = tn_core_same_at(&s->rt->rt, &s->opts, s->plugin, type->name, off, size, words,
			       sizeof(words));
	if (same == 0)
		return tn_err(-ESTALE, "%s; this access has no CO-RE record", words);
	if (same < 0)
		return same;
	answer = s->answers.nr < MAX_ANSWERS ? tn_vec_push(&s->rt->rt, &s->answers) : NULL;
	if (answer)
		*answer = (struct tn_stale_answer){ type, off, size };
	return 0;
}

/* Flavours are put aside on both sides. */
static bool same_name(const char *a, const char *b)
{
	size_t len = tn_btf_essential_len(a);

	return len == tn_btf_essential_len(b) && memcmp(a, b, len) == 0;
}

bool tn_stale_is_relocated(const struct tenon_object *obj, const char *type)
{
	for (uint32_t i = 0; i < obj->nr_programs; i++) {
		const struct tn_prog *prog = obj->programs[i]->prog;

		for (uint32_t n = 0; n < prog->nr_cores; n++)
			if (prog->cores[n].is_offset && same_name(prog->cores[n].type, type))
				return true;
	}
	return false;
}

static int check_one(const struct tenon_object *obj, const struct tn_ctx_type *type)
{
	int rc = type ? tn_ctx_type_check_btf(type, obj->unit->image->btf) : 0;

	return rc == -ESTALE && tn_stale_is_relocated(obj, type->name) ? 0 : rc;
}

int tn_stale_check_types(const struct tenon_object *obj, const struct tn_ctx_type *ctx)
{
	const struct tn_ctx_entry *e;
	int rc = check_one(obj, ctx);

	tn_lock(obj->rt);
	for (e = obj->rt->structs; e && !rc; e = e->next)
		rc = check_one(obj, e->type);
	tn_unlock(obj->rt);
	return rc;
}
