/* SPDX-License-Identifier: MIT */
/*
 * The access of a record, "0:2:1", as steps on the plugin's own types: the first number counts
 * whole objects behind the pointer, each further one is a member or an element. Unnamed structs
 * and unions are passed without a step of their own, since names are what is looked up later.
 */
#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "loader/core.h"

struct parse {
	const struct tn_btf *btf;
	const struct tn_core_record *rec;
	const char *at;
	struct tn_core_spec *spec;
	uint32_t id; /* the type reached */
};

static int malformed(const struct parse *p, const char *what)
{
	return tn_err(-EINVAL, "CO-RE record for '%.60s': access '%.60s': %s",
		      tn_btf_name(p->btf, p->rec->type_id), p->rec->access, what);
}

/* The next number, and the colon behind it. */
static bool next_index(struct parse *p, uint32_t *out)
{
	uint64_t n = 0;
	const char *s = p->at;

	if (*s < '0' || *s > '9')
		return false;
	for (; *s >= '0' && *s <= '9'; s++) {
		n = n * 10 + (uint64_t)(*s - '0');
		if (n > INT32_MAX)
			return false;
	}
	if (*s == ':' && s[1] == '\0')
		return false;
	if (*s && *s != ':')
		return false;
	p->at = s + (*s == ':');
	*out = (uint32_t)n;
	return true;
}

static struct tn_core_step *push_step(struct parse *p, uint32_t type_id, uint32_t index,
				      const char *name)
{
	struct tn_core_step *step = &p->spec->steps[p->spec->nr_steps++];

	*step = (struct tn_core_step){ type_id, index, name };
	return step;
}

/* Go on by `index` things of type `id`. */
static int add_elements(struct parse *p, uint32_t id, uint32_t index)
{
	int64_t size = tn_btf_size_of(p->btf, id);

	if (size < 0)
		return malformed(p, "it goes into a type without a size");
	if (!tn_core_advance(p->spec, index, (uint64_t)size))
		return malformed(p, "it lies too far behind the beginning");
	return 0;
}

/* An array without a size, at the end of a struct, has as many elements as memory has. */
static bool is_flexible(const struct tn_core_spec *spec, const struct tn_btf_array *array)
{
	const struct tn_core_step *last = &spec->steps[spec->nr_steps - 1];

	return array->nelems == 0 && last->name &&
	       last->index + 1 == tn_btf_vlen(tn_btf_type(spec->btf, last->type_id));
}

static int parse_element(struct parse *p, const struct tn_btf_type *t, uint32_t index)
{
	const struct tn_btf_array *array = tn_btf_extra(t);

	if (index >= array->nelems && !is_flexible(p->spec, array))
		return malformed(p, "it lies outside of an array");
	p->id = tn_btf_skip_mods(p->btf, array->type);
	push_step(p, p->id, index, NULL);
	return add_elements(p, p->id, index);
}

static int parse_member(struct parse *p, const struct tn_btf_type *t, uint32_t index)
{
	const struct tn_btf_member *m = (const struct tn_btf_member *)tn_btf_extra(t) + index;
	const char *name;

	if (index >= tn_btf_vlen(t))
		return malformed(p, "there is no such member");
	name = tn_btf_str(p->btf, m->name_off);
	p->spec->bit_off += tn_btf_member_bit_off(t, m);
	if (p->spec->bit_off > TN_CORE_MAX_BIT_OFF)
		return malformed(p, "it lies too far behind the beginning");
	if (*name)
		push_step(p, p->id, index, name);
	p->id = m->type;
	return 0;
}

static int parse_field(struct parse *p)
{
	int err = add_elements(p, p->id, p->spec->steps[0].index);

	while (*p->at && !err) {
		const struct tn_btf_type *t;
		uint32_t index;

		if (!next_index(p, &index))
			return malformed(p, "these are no numbers");
		if (++p->spec->depth > TN_CORE_MAX_STEPS)
			return malformed(p, "there are more than 64 steps");
		p->id = tn_btf_skip_mods(p->btf, p->id);
		t = tn_btf_type(p->btf, p->id);
		if (tn_btf_is_composite(t))
			err = parse_member(p, t, index);
		else if (tn_btf_kind(t) == TN_BTF_ARRAY)
			err = parse_element(p, t, index);
		else
			err = malformed(p, "it goes into what is neither a struct nor an array");
	}
	return err;
}

static int parse_enum(struct parse *p)
{
	const struct tn_btf_type *t = tn_btf_type(p->btf, p->id);
	uint32_t index = p->spec->steps[0].index, words;
	bool is_wide = tn_btf_kind(t) == TN_BTF_ENUM64;

	if (!is_wide && tn_btf_kind(t) != TN_BTF_ENUM)
		return malformed(p, "its type is no enum");
	if (*p->at || index >= tn_btf_vlen(t))
		return malformed(p, "there is no such enumerator");
	words = is_wide ? 3 : 2;
	p->spec->steps[0].name = tn_btf_str(p->btf,
					    ((const uint32_t *)tn_btf_extra(t))[index * words]);
	return 0;
}

int tn_core_parse(const struct tn_btf *btf, const struct tn_core_record *rec,
		  struct tn_core_spec *out)
{
	struct parse p = { .btf = btf, .rec = rec, .at = rec->access, .spec = out };
	uint32_t index;

	out->btf = btf;
	out->root_id = rec->type_id;
	out->nr_steps = out->depth = 0;
	out->bit_off = 0;
	if (rec->kind >= TN_CORE_NR_KINDS)
		return tn_err(-ENOTSUP, "CO-RE record of unknown kind %u for '%.60s'", rec->kind,
			      tn_btf_name(btf, rec->type_id));
	if (tn_core_is_type(rec->kind))
		return strcmp(rec->access, "0") == 0 ? 0 : malformed(&p, "a type has \"0\"");
	if (!next_index(&p, &index))
		return malformed(&p, "these are no numbers");
	p.id = tn_btf_skip_mods(btf, rec->type_id);
	push_step(&p, p.id, index, NULL);
	out->depth = 1;
	return tn_core_is_enum(rec->kind) ? parse_enum(&p) : parse_field(&p);
}
