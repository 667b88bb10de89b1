/* SPDX-License-Identifier: MIT */
/*
 * The writer keeps two growing byte arrays, records and strings, and an open-addressed table of the
 * strings written so far, since names such as "int" and "next" come again and again. The first
 * error sticks, and everything after it does nothing.
 */
#include "vm/btf_build.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/vec.h"

#define MAX_BYTES (64u << 20) /* of records and of strings each */

struct tn_btf_builder {
	struct tn_rt *rt;
	const struct tn_btf *base;
	TN_VEC(uint32_t) words;	  /* records */
	TN_VEC(uint32_t) offsets; /* of each own type in `words` */
	TN_VEC(char) strs;
	uint32_t *slots; /* offset in strs + 1 of a string, 0: free */
	uint32_t nr_slots, nr_strs;
	int err;
};

static void fail(struct tn_btf_builder *b, int err)
{
	if (!b->err)
		b->err = err;
}

struct tn_btf_builder *tn_btf_build_new(struct tn_rt *rt, const struct tn_btf *base)
{
	struct tn_btf_builder *b = tn_new(rt, struct tn_btf_builder);

	if (!b)
		return tn_err_null(-ENOMEM, "out of memory: BTF");
	b->rt = rt;
	b->base = base;
	/* Offset 0 is the empty string; of split BTF it is the base's. */
	if (!base && !tn_vec_push(rt, &b->strs))
		fail(b, tn_err_nomem("BTF"));
	return b;
}

void tn_btf_build_free(struct tn_btf_builder *b)
{
	if (!b)
		return;
	tn_vec_free(b->rt, &b->words);
	tn_vec_free(b->rt, &b->offsets);
	tn_vec_free(b->rt, &b->strs);
	tn_free(b->rt, b->slots);
	tn_free(b->rt, b);
}

static uint32_t first_type(const struct tn_btf_builder *b)
{
	return b->base ? b->base->nr_types : 1;
}

uint32_t tn_btf_build_next_id(const struct tn_btf_builder *b)
{
	return first_type(b) + b->offsets.nr;
}

/* ---- Strings ---- */

static uint32_t hash_str(const char *s)
{
	uint32_t h = 2166136261u;

	for (; *s; s++)
		h = (h ^ (unsigned char)*s) * 16777619u;
	return h ^ h >> 15;
}

/* The slot of `s`, or the free one where it belongs. */
static uint32_t *slot_of(const struct tn_btf_builder *b, const char *s)
{
	uint32_t i = hash_str(s) & (b->nr_slots - 1);

	while (b->slots[i] && strcmp(b->strs.v + b->slots[i] - 1, s) != 0)
		i = (i + 1) & (b->nr_slots - 1);
	return &b->slots[i];
}

/* At most half full. */
static bool grow_slots(struct tn_btf_builder *b)
{
	struct tn_btf_builder bigger = *b;

	if (b->nr_strs * 2 < b->nr_slots)
		return true;
	bigger.nr_slots = b->nr_slots ? b->nr_slots * 2 : 64;
	bigger.slots = tn_alloc_array(b->rt, bigger.nr_slots, sizeof(*bigger.slots));
	if (!bigger.slots)
		return false;
	for (uint32_t i = 0; i < b->nr_slots; i++)
		if (b->slots[i])
			*slot_of(&bigger, b->strs.v + b->slots[i] - 1) = b->slots[i];
	tn_free(b->rt, b->slots);
	b->slots = bigger.slots;
	b->nr_slots = bigger.nr_slots;
	return true;
}

static uint32_t add_str(struct tn_btf_builder *b, const char *s)
{
	uint32_t first = b->base ? b->base->end_str : 0, at = b->strs.nr, *slot;
	size_t len = s ? strlen(s) : 0;

	if (len == 0 || b->err)
		return 0;
	if (len >= MAX_BYTES - b->strs.nr) {
		fail(b, tn_err(-EINVAL, "BTF: more than %u bytes of strings", MAX_BYTES));
		return 0;
	}
	if (!grow_slots(b)) {
		fail(b, tn_err_nomem("BTF"));
		return 0;
	}
	slot = slot_of(b, s);
	if (*slot)
		return first + *slot - 1;
	if (tn_vec_reserve(b->rt, (void **)&b->strs.v, &b->strs.cap, at + (uint32_t)len + 1, 1)) {
		fail(b, tn_err_nomem("BTF"));
		return 0;
	}
	memcpy(b->strs.v + at, s, len + 1);
	b->strs.nr += (uint32_t)len + 1;
	*slot = at + 1;
	b->nr_strs++;
	return first + at;
}

/* ---- Records ---- */

static void add_words(struct tn_btf_builder *b, const uint32_t *words, uint32_t nr)
{
	if (b->err)
		return;
	if (b->words.nr + nr > MAX_BYTES / 4)
		fail(b, tn_err(-EINVAL, "BTF: more than %u bytes of types", MAX_BYTES));
	else if (tn_vec_reserve(b->rt, (void **)&b->words.v, &b->words.cap, b->words.nr + nr, 4))
		fail(b, tn_err_nomem("BTF"));
	if (b->err)
		return;
	memcpy(b->words.v + b->words.nr, words, (size_t)nr * 4);
	b->words.nr += nr;
}

static uint32_t add_type(struct tn_btf_builder *b, enum tn_btf_kind kind, const char *name,
			 uint32_t vlen, uint32_t size_or_type)
{
	uint32_t words[3] = { add_str(b, name), (uint32_t)kind << 24 | vlen, size_or_type };
	uint32_t at = b->words.nr, *offset;

	add_words(b, words, 3);
	if (b->err)
		return 0;
	offset = tn_vec_push(b->rt, &b->offsets);
	if (!offset) {
		fail(b, tn_err_nomem("BTF"));
		return 0;
	}
	*offset = at;
	return tn_btf_build_next_id(b) - 1;
}

/* The three words of the type added last, one more record behind it; NULL: failed. */
static uint32_t *last_type(struct tn_btf_builder *b, const char *what)
{
	uint32_t *t;

	if (b->err)
		return NULL;
	if (!b->offsets.nr) {
		fail(b, tn_err(-EINVAL, "BTF: a %s before any type", what));
		return NULL;
	}
	t = b->words.v + b->offsets.v[b->offsets.nr - 1];
	if ((t[1] & 0xffff) == 0xffff) {
		fail(b, tn_err(-EINVAL, "BTF: more than 65535 times a %s", what));
		return NULL;
	}
	return t;
}

uint32_t tn_btf_add_int_word(struct tn_btf_builder *b, const char *name, uint32_t size,
			     uint32_t word)
{
	uint32_t id = add_type(b, TN_BTF_INT, name, 0, size);

	add_words(b, &word, 1);
	return id;
}

uint32_t tn_btf_add_int(struct tn_btf_builder *b, const char *name, uint32_t size,
			uint32_t encoding)
{
	return tn_btf_add_int_word(b, name, size, encoding << 24 | size * 8);
}

uint32_t tn_btf_add_float(struct tn_btf_builder *b, const char *name, uint32_t size)
{
	return add_type(b, TN_BTF_FLOAT, name, 0, size);
}

uint32_t tn_btf_add_ptr(struct tn_btf_builder *b, uint32_t to)
{
	return add_type(b, TN_BTF_PTR, NULL, 0, to);
}

uint32_t tn_btf_add_mod(struct tn_btf_builder *b, enum tn_btf_kind kind, uint32_t to)
{
	return add_type(b, kind, NULL, 0, to);
}

uint32_t tn_btf_add_typedef(struct tn_btf_builder *b, const char *name, uint32_t to)
{
	return add_type(b, TN_BTF_TYPEDEF, name, 0, to);
}

uint32_t tn_btf_add_type_tag(struct tn_btf_builder *b, const char *tag, uint32_t to)
{
	return add_type(b, TN_BTF_TYPE_TAG, tag, 0, to);
}

uint32_t tn_btf_add_fwd(struct tn_btf_builder *b, const char *name, bool is_union)
{
	return add_type(b, TN_BTF_FWD, name, (uint32_t)is_union << 31, 0);
}

uint32_t tn_btf_add_array(struct tn_btf_builder *b, uint32_t elem, uint32_t index, uint32_t nelems)
{
	uint32_t id = add_type(b, TN_BTF_ARRAY, NULL, 0, 0);
	uint32_t words[3] = { elem, index, nelems };

	add_words(b, words, 3);
	return id;
}

uint32_t tn_btf_add_struct(struct tn_btf_builder *b, enum tn_btf_kind kind, const char *name,
			   uint32_t size)
{
	return add_type(b, kind, name, 0, size);
}

/* With the kind flag offsets have 24 bits, those of earlier members too. */
static bool make_bit_fields(uint32_t *t)
{
	uint32_t vlen = t[1] & 0xffff;

	for (uint32_t i = 0; i < vlen; i++)
		if (t[3 + i * 3 + 2] >> 24)
			return t[1] >> 31; /* set already: the byte is a size */
	t[1] |= 1u << 31;
	return true;
}

void tn_btf_add_member(struct tn_btf_builder *b, const char *name, uint32_t type, uint32_t bit_off,
		       uint32_t bit_size)
{
	uint32_t words[3] = { add_str(b, name), type, bit_size << 24 | bit_off };
	uint32_t *t = last_type(b, "member");

	if (!t)
		return;
	if ((bit_size && !make_bit_fields(t)) || bit_size > 255 ||
	    (t[1] >> 31 && bit_off > 0xffffff)) {
		fail(b, tn_err(-EINVAL, "BTF: member '%s' of %u bits at bit %u has no encoding",
			       name ? name : "", bit_size, bit_off));
		return;
	}
	t[1]++;
	add_words(b, words, 3);
}

void tn_btf_build_set_kflag(struct tn_btf_builder *b)
{
	uint32_t *t = last_type(b, "kind flag");

	if (t)
		t[1] |= 1u << 31;
}

void tn_btf_build_set_size(struct tn_btf_builder *b, uint32_t id, uint32_t size)
{
	uint32_t idx = id - first_type(b);

	if (!b->err && id >= first_type(b) && idx < b->offsets.nr)
		b->words.v[b->offsets.v[idx] + 2] = size;
}

uint32_t tn_btf_add_enum(struct tn_btf_builder *b, enum tn_btf_kind kind, const char *name,
			 uint32_t size, bool is_signed)
{
	return add_type(b, kind, name, (uint32_t)is_signed << 31, size);
}

void tn_btf_add_enum_value(struct tn_btf_builder *b, const char *name, uint64_t value)
{
	uint32_t words[3] = { add_str(b, name), (uint32_t)value, (uint32_t)(value >> 32) };
	uint32_t *t = last_type(b, "value");

	if (!t)
		return;
	t[1]++;
	add_words(b, words, (t[1] >> 24 & 0x1f) == TN_BTF_ENUM64 ? 3 : 2);
}

uint32_t tn_btf_add_func_proto(struct tn_btf_builder *b, uint32_t ret)
{
	return add_type(b, TN_BTF_FUNC_PROTO, NULL, 0, ret);
}

void tn_btf_add_param(struct tn_btf_builder *b, const char *name, uint32_t type)
{
	uint32_t words[2] = { add_str(b, name), type };
	uint32_t *t = last_type(b, "parameter");

	if (!t)
		return;
	t[1]++;
	add_words(b, words, 2);
}

uint32_t tn_btf_add_func(struct tn_btf_builder *b, const char *name, uint32_t proto,
			 enum tn_btf_linkage linkage)
{
	return add_type(b, TN_BTF_FUNC, name, (uint32_t)linkage, proto);
}

uint32_t tn_btf_add_var(struct tn_btf_builder *b, const char *name, uint32_t type,
			enum tn_btf_linkage linkage)
{
	uint32_t id = add_type(b, TN_BTF_VAR, name, 0, type), word = (uint32_t)linkage;

	add_words(b, &word, 1);
	return id;
}

uint32_t tn_btf_add_datasec(struct tn_btf_builder *b, const char *name, uint32_t size)
{
	return add_type(b, TN_BTF_DATASEC, name, 0, size);
}

void tn_btf_add_section_var(struct tn_btf_builder *b, uint32_t var, uint32_t off, uint32_t size)
{
	uint32_t words[3] = { var, off, size };
	uint32_t *t = last_type(b, "variable");

	if (!t)
		return;
	t[1]++;
	add_words(b, words, 3);
}

uint32_t tn_btf_add_decl_tag(struct tn_btf_builder *b, const char *tag, uint32_t target,
			     int32_t component)
{
	uint32_t id = add_type(b, TN_BTF_DECL_TAG, tag, 0, target), word = (uint32_t)component;

	add_words(b, &word, 1);
	return id;
}

/* ---- The end ---- */

/* Little-endian machines alone run Tenon: words are written as they are. */
static struct tn_btf *parse_whole(struct tn_btf_builder *b)
{
	uint32_t types = b->words.nr * 4;
	uint32_t header[6] = { 0x0001eb9f, 24, 0, types, types, b->strs.nr };
	size_t size = sizeof(header) + types + b->strs.nr;
	unsigned char *blob = tn_alloc(b->rt, size);
	struct tn_btf *btf;
	int err;

	if (!blob)
		return tn_err_null(-ENOMEM, "out of memory: BTF");
	memcpy(blob, header, sizeof(header));
	if (types)
		memcpy(blob + sizeof(header), b->words.v, types);
	if (b->strs.nr)
		memcpy(blob + sizeof(header) + types, b->strs.v, b->strs.nr);
	btf = tn_btf_parse_split(b->rt, b->base, tn_span_make(blob, size));
	err = errno;
	tn_free(b->rt, blob);
	errno = err;
	return btf;
}

struct tn_btf *tn_btf_build_finish(struct tn_btf_builder *b)
{
	struct tn_btf *btf = NULL;
	int err;

	if (!b)
		return NULL;
	err = b->err;
	if (!err) {
		btf = parse_whole(b);
		err = btf ? 0 : -errno;
	}
	tn_btf_build_free(b);
	if (err)
		errno = -err;
	return btf;
}
