/* SPDX-License-Identifier: MIT */
/*
 * Whether two types are alike. "Compatible" is what type_exists asks: of the same kind, and
 * pointers, arrays and functions of compatible ones. "Matching" is what type_matches asks: all that
 * the plugin's type has is there by name, with the same sizes of numbers and arrays; behind a
 * pointer, names and kinds are enough.
 */
#include <errno.h>

#include "base/err.h"
#include "loader/core.h"

#define MAX_LEVEL 32

struct pair {
	struct tn_core *core;
	const struct tn_btf *a, *b; /* the plugin's, the host's */
};

/* Both to what their typedefs and qualifiers stand for. */
static void skip(const struct pair *p, uint32_t *ia, uint32_t *ib, const struct tn_btf_type **ta,
		 const struct tn_btf_type **tb)
{
	*ia = tn_btf_skip_mods(p->a, *ia);
	*ib = tn_btf_skip_mods(p->b, *ib);
	*ta = tn_btf_type(p->a, *ia);
	*tb = tn_btf_type(p->b, *ib);
}

static int too_deep(const struct pair *p, uint32_t id)
{
	return tn_err(-E2BIG, "CO-RE: type %u ('%.60s') nests deeper than %d", id,
		      tn_btf_name(p->a, id), MAX_LEVEL);
}

static uint32_t int_word(const struct tn_btf_type *t)
{
	return *(const uint32_t *)tn_btf_extra(t);
}

/* ---- Compatible ---- */

static int compat(const struct pair *p, uint32_t ia, uint32_t ib, int level);

static int params_compat(const struct pair *p, const struct tn_btf_type *ta,
			 const struct tn_btf_type *tb, int level)
{
	const struct tn_btf_param *pa = tn_btf_extra(ta), *pb = tn_btf_extra(tb);
	int same = tn_btf_vlen(ta) == tn_btf_vlen(tb);

	for (uint32_t i = 0; i < tn_btf_vlen(ta) && same > 0; i++)
		same = compat(p, pa[i].type, pb[i].type, level);
	return same;
}

static int compat(const struct pair *p, uint32_t ia, uint32_t ib, int level)
{
	for (;; level--) {
		const struct tn_btf_type *ta, *tb;
		int same = tn_core_count(p->core);

		skip(p, &ia, &ib, &ta, &tb);
		if (same)
			return same;
		if (level <= 0)
			return too_deep(p, ia);
		if (!tn_core_kinds_compat(ta, tb))
			return 0;
		switch ((int)tn_btf_kind(ta)) {
		case TN_BTF_VOID:
		case TN_BTF_STRUCT:
		case TN_BTF_UNION:
		case TN_BTF_ENUM:
		case TN_BTF_ENUM64:
		case TN_BTF_FWD:
			return 1;
		case TN_BTF_INT:
			return tn_btf_int_offset(int_word(ta)) == 0 &&
			       tn_btf_int_offset(int_word(tb)) == 0;
		case TN_BTF_PTR:
			ia = ta->size_or_type;
			ib = tb->size_or_type;
			break;
		case TN_BTF_ARRAY:
			ia = ((const struct tn_btf_array *)tn_btf_extra(ta))->type;
			ib = ((const struct tn_btf_array *)tn_btf_extra(tb))->type;
			break;
		case TN_BTF_FUNC_PROTO:
			same = params_compat(p, ta, tb, level - 1);
			if (same <= 0)
				return same;
			ia = ta->size_or_type;
			ib = tb->size_or_type;
			break;
		default:
			return 0;
		}
	}
}

int tn_core_types_compat(struct tn_core *core, uint32_t local_id, const struct tn_btf *btf,
			 uint32_t id)
{
	const struct pair p = { core, core->local, btf };

	if (!tn_core_kinds_compat(tn_btf_type(p.a, local_id), tn_btf_type(p.b, id)))
		return 0;
	return compat(&p, local_id, id, MAX_LEVEL);
}

/* ---- Matching ---- */

static int match(const struct pair *p, uint32_t ia, uint32_t ib, bool behind, int level);

static int enums_match(const struct pair *p, const struct tn_btf_type *ta,
		       const struct tn_btf_type *tb)
{
	uint32_t words_a = tn_btf_kind(ta) == TN_BTF_ENUM64 ? 3 : 2;
	uint32_t words_b = tn_btf_kind(tb) == TN_BTF_ENUM64 ? 3 : 2;
	const uint32_t *ea = tn_btf_extra(ta), *eb = tn_btf_extra(tb);

	if (ta->size_or_type != tb->size_or_type || tn_btf_vlen(ta) > tn_btf_vlen(tb))
		return 0;
	for (uint32_t i = 0; i < tn_btf_vlen(ta); i++) {
		const char *name = tn_btf_str(p->a, ea[i * words_a]);
		uint32_t n = 0;

		for (; n < tn_btf_vlen(tb); n++) {
			int err = tn_core_count(p->core);

			if (err)
				return err;
			if (tn_core_names_match(name, tn_btf_str(p->b, eb[n * words_b])))
				break;
		}
		if (n == tn_btf_vlen(tb))
			return 0;
	}
	return 1;
}

static int members_match(const struct pair *p, const struct tn_btf_type *ta,
			 const struct tn_btf_type *tb, int level)
{
	const struct tn_btf_member *ma = tn_btf_extra(ta), *mb = tn_btf_extra(tb);

	if (tn_btf_vlen(ta) > tn_btf_vlen(tb))
		return 0;
	for (uint32_t i = 0; i < tn_btf_vlen(ta); i++) {
		const char *name = tn_btf_str(p->a, ma[i].name_off);
		int found = 0;

		for (uint32_t n = 0; n < tn_btf_vlen(tb) && !found; n++) {
			found = tn_core_count(p->core);
			if (!found && tn_core_names_match(name, tn_btf_str(p->b, mb[n].name_off)))
				found = match(p, ma[i].type, mb[n].type, false, level);
		}
		if (found <= 0)
			return found;
	}
	return 1;
}

static int params_match(const struct pair *p, const struct tn_btf_type *ta,
			const struct tn_btf_type *tb, bool behind, int level)
{
	const struct tn_btf_param *pa = tn_btf_extra(ta), *pb = tn_btf_extra(tb);
	int same = tn_btf_vlen(ta) == tn_btf_vlen(tb);

	for (uint32_t i = 0; i < tn_btf_vlen(ta) && same > 0; i++)
		same = match(p, pa[i].type, pb[i].type, behind, level);
	return same;
}

/* A forward declaration stands for the struct or union that its flag says. */
static bool fwd_matches(const struct tn_btf_type *fwd, const struct tn_btf_type *t, bool behind)
{
	if (tn_btf_kind(t) == TN_BTF_FWD)
		return tn_btf_kflag(fwd) == tn_btf_kflag(t);
	return behind && tn_btf_kind(t) == (tn_btf_kflag(fwd) ? TN_BTF_UNION : TN_BTF_STRUCT);
}

/* What needs no look at further types; -1: it does. */
static int match_plain(const struct pair *p, const struct tn_btf_type *ta,
		       const struct tn_btf_type *tb, bool behind)
{
	enum tn_btf_kind kind = tn_btf_kind(ta);

	if (kind == TN_BTF_FWD)
		return fwd_matches(ta, tb, behind);
	if (kind == TN_BTF_ENUM || kind == TN_BTF_ENUM64)
		return tn_core_kinds_compat(ta, tb) ? enums_match(p, ta, tb) : 0;
	if (tn_btf_is_composite(ta) && behind)
		return kind == tn_btf_kind(tb) ||
		       (tn_btf_kind(tb) == TN_BTF_FWD && fwd_matches(tb, ta, true));
	if (kind != tn_btf_kind(tb))
		return 0;
	if (kind == TN_BTF_INT)
		return ta->size_or_type == tb->size_or_type &&
		       !((tn_btf_int_encoding(int_word(ta)) ^ tn_btf_int_encoding(int_word(tb))) &
			 TN_BTF_INT_SIGNED);
	return kind == TN_BTF_VOID ? 1 : -1;
}

#define MORE 2

/* One level; MORE: go on with *ia and *ib. */
static int match_deep(const struct pair *p, uint32_t *ia, uint32_t *ib,
		      const struct tn_btf_type *ta, const struct tn_btf_type *tb, bool *behind,
		      int level)
{
	const struct tn_btf_array *aa = tn_btf_extra(ta), *ab = tn_btf_extra(tb);
	int same;

	switch ((int)tn_btf_kind(ta)) {
	case TN_BTF_STRUCT:
	case TN_BTF_UNION:
		return members_match(p, ta, tb, level - 1);
	case TN_BTF_PTR:
		*behind = true;
		*ia = ta->size_or_type;
		*ib = tb->size_or_type;
		return MORE;
	case TN_BTF_ARRAY:
		if (aa->nelems != ab->nelems)
			return 0;
		*ia = aa->type;
		*ib = ab->type;
		return MORE;
	case TN_BTF_FUNC_PROTO:
		same = params_match(p, ta, tb, *behind, level - 1);
		if (same <= 0)
			return same;
		*ia = ta->size_or_type;
		*ib = tb->size_or_type;
		return MORE;
	default:
		return 0;
	}
}

static int match(const struct pair *p, uint32_t ia, uint32_t ib, bool behind, int level)
{
	if (level <= 0)
		return too_deep(p, ia);
	for (int depth = 0; depth < MAX_LEVEL; depth++) {
		const struct tn_btf_type *ta, *tb;
		int same = tn_core_count(p->core);

		skip(p, &ia, &ib, &ta, &tb);
		if (same)
			return same;
		if (!tn_core_names_match(tn_btf_str(p->a, ta->name_off),
					 tn_btf_str(p->b, tb->name_off)))
			return 0;
		same = match_plain(p, ta, tb, behind);
		/* An error is below -1: all of them are. */
		if (same != -1)
			return same;
		same = match_deep(p, &ia, &ib, ta, tb, &behind, level);
		if (same != MORE)
			return same;
	}
	return too_deep(p, ia);
}

int tn_core_types_match(struct tn_core *core, uint32_t local_id, const struct tn_btf *btf,
			uint32_t id)
{
	const struct pair p = { core, core->local, btf };

	return match(&p, local_id, id, false, MAX_LEVEL);
}
