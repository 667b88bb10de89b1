/* SPDX-License-Identifier: MIT */
/*
 * Fields of map values that belong to their helpers are found by the names of their types, as the
 * kernel finds them, at any depth. Struct bpf_map is the kernel's: plugins that read a map's size
 * from it do so where their own BTF says that it is.
 */
#include "vm/map_fields.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "base/compiler.h"
#include "base/err.h"

/* Types nest no deeper where the kernel looks for these; and a type of more parts is refused, since
 * a small file can describe one that takes forever. */
#define MAX_DEPTH 8
#define MAX_STEPS 100000

static const struct {
	const char *name;
	uint8_t kind;
} special_types[] = {
	{ "bpf_spin_lock", TN_SPECIAL_LOCK },
	{ "bpf_timer", TN_SPECIAL_TIMER },
	{ "bpf_wq", TN_SPECIAL_WQ },
	{ "bpf_list_head", TN_SPECIAL_OTHER },
	{ "bpf_list_node", TN_SPECIAL_OTHER },
	{ "bpf_rb_root", TN_SPECIAL_OTHER },
	{ "bpf_rb_node", TN_SPECIAL_OTHER },
	{ "bpf_refcount", TN_SPECIAL_OTHER },
	{ "bpf_res_spin_lock", TN_SPECIAL_OTHER },
};

struct search {
	const struct tn_btf *btf;
	struct tn_map_special *out;
	uint32_t nr;
	uint32_t steps; /* types looked at */
};

static int add(struct search *s, uint64_t off, uint64_t size, uint8_t kind)
{
	uint32_t i = s->nr;

	if (s->nr == TN_MAP_MAX_SPECIALS)
		return tn_err(-E2BIG, "its value has more than %d locks, timers and references",
			      TN_MAP_MAX_SPECIALS);
	for (; i && s->out[i - 1].off > off; i--)
		s->out[i] = s->out[i - 1];
	s->out[i] = (struct tn_map_special){ .off = (uint32_t)off,
					     .size = (uint32_t)size,
					     .kind = kind };
	s->nr++;
	return 0;
}

static uint8_t special_kind(const struct tn_btf *btf, const struct tn_btf_type *t)
{
	const char *name = tn_btf_str(btf, t->name_off);

	if (tn_btf_kind(t) != TN_BTF_STRUCT)
		return 0;
	for (size_t i = 0; i < TN_ARRAY_SIZE(special_types); i++)
		if (!strcmp(special_types[i].name, name))
			return special_types[i].kind;
	return 0;
}

/* A pointer to something tagged "kptr", "kptr_untrusted", "percpu_kptr" or "uptr". */
static bool is_kptr(const struct tn_btf *btf, const struct tn_btf_type *t)
{
	const char *tag;

	if (tn_btf_kind(t) != TN_BTF_PTR)
		return false;
	t = tn_btf_type(btf, t->size_or_type);
	if (!t || tn_btf_kind(t) != TN_BTF_TYPE_TAG)
		return false;
	tag = tn_btf_str(btf, t->name_off);
	return strstr(tag, "kptr") || !strcmp(tag, "uptr");
}

static int look_at(struct search *s, uint32_t id, uint64_t off, uint32_t depth);

static int look_at_members(struct search *s, const struct tn_btf_type *t, uint64_t off,
			   uint32_t depth)
{
	const struct tn_btf_member *m = tn_btf_extra(t);
	bool kflag = t->info >> 31;
	int err = 0;

	for (uint32_t i = 0; i < tn_btf_vlen(t) && !err; i++)
		err = look_at(s, m[i].type,
			      off + (kflag ? m[i].offset & 0xffffff : m[i].offset) / 8, depth);
	return err;
}

/* Every element of a short array. In a long one, or one of many, the first that is found more often
 * than there is room for ends the search. */
static int look_at_elements(struct search *s, const struct tn_btf_type *t, uint64_t off,
			    uint32_t depth)
{
	const struct tn_btf_array *array = tn_btf_extra(t);
	int64_t size = tn_btf_size_of(s->btf, array->type);
	uint32_t before = s->nr;
	int err = 0;

	for (uint32_t i = 0; i < array->nelems && !err && size > 0; i++) {
		err = look_at(s, array->type, off + (uint64_t)i * (uint64_t)size, depth);
		/* All elements are alike. */
		if (s->nr == before)
			break;
	}
	return err;
}

static int look_at(struct search *s, uint32_t id, uint64_t off, uint32_t depth)
{
	const struct tn_btf_type *t = tn_btf_type(s->btf, tn_btf_skip_mods(s->btf, id));
	const struct tn_btf_var_secinfo *var;
	uint8_t kind = special_kind(s->btf, t);
	int err = 0;

	if (++s->steps > MAX_STEPS)
		return tn_err(-E2BIG, "its value's type has more than %d parts", MAX_STEPS);
	if (kind)
		return add(s, off, t->size_or_type, kind);
	if (is_kptr(s->btf, t))
		return add(s, off, 8, TN_SPECIAL_KPTR);
	if (depth == MAX_DEPTH)
		return 0;
	switch ((int)tn_btf_kind(t)) {
	case TN_BTF_STRUCT:
	case TN_BTF_UNION:
		return look_at_members(s, t, off, depth + 1);
	case TN_BTF_ARRAY:
		return look_at_elements(s, t, off, depth + 1);
	case TN_BTF_VAR:
		return look_at(s, t->size_or_type, off, depth + 1);
	case TN_BTF_DATASEC:
		var = tn_btf_extra(t);
		for (uint32_t i = 0; i < tn_btf_vlen(t) && !err; i++)
			err = look_at(s, var[i].type, off + var[i].offset, depth + 1);
		return err;
	default:
		return 0;
	}
}

int tn_value_specials(const struct tn_btf *btf, uint32_t id, struct tn_map_special *out)
{
	struct search s = { btf, out, 0, 0 };
	int err;

	memset(out, 0, TN_MAP_MAX_SPECIALS * sizeof(*out));
	if (!btf || !id)
		return 0;
	err = look_at(&s, id, 0, 0);
	return err ? err : (int)s.nr;
}

/* ---- struct bpf_map ---- */

static const struct {
	const char *name;
	uint32_t off, size;
	bool is_pointer;
} map_fields[] = {
#define FIELD(name, member)                                                                        \
	{                                                                                          \
		name, offsetof(struct tn_map, member), sizeof(((struct tn_map *)0)->member), false \
	}
	{ "ops", offsetof(struct tn_map, ops), sizeof(void *), true },
	FIELD("map_type", type),
	FIELD("key_size", key_size),
	FIELD("value_size", value_size),
	FIELD("max_entries", max_entries),
	FIELD("map_flags", flags),
	FIELD("id", id),
#undef FIELD
};

int32_t tn_map_field_of(const struct tn_btf *btf, uint32_t off, uint32_t size, bool *is_pointer)
{
	uint32_t id = btf ? tn_btf_find(btf, "bpf_map", TN_BTF_STRUCT) : 0;
	const struct tn_btf_type *t = id ? tn_btf_type(btf, id) : NULL;
	const char *name = NULL;

	/* The first member of every kernel's struct bpf_map. */
	if (!t && off == 0)
		name = "ops";
	for (uint32_t i = 0; t && i < tn_btf_vlen(t); i++) {
		const struct tn_btf_member *m = (const struct tn_btf_member *)tn_btf_extra(t) + i;

		/* Bit fields are none of those below: a size in the high bits does not match. */
		if (m->offset == (uint64_t)off * 8)
			name = tn_btf_str(btf, m->name_off);
	}
	for (size_t i = 0; name && i < TN_ARRAY_SIZE(map_fields); i++) {
		if (strcmp(map_fields[i].name, name) || map_fields[i].size != size)
			continue;
		*is_pointer = map_fields[i].is_pointer;
		return (int32_t)map_fields[i].off;
	}
	return -1;
}
