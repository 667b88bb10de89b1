/* SPDX-License-Identifier: MIT */
/*
 * BTF: reading the blob into a view, and looking things up in it. The blob is copied; its records
 * are walked once for the table of offsets, checked (vm/btf_check.c), and then entered into an
 * index of names, without which a kernel's 150,000 types would be searched one by one for each
 * CO-RE record.
 */
#include "vm/btf.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/vec.h"
#include "vm/btf_check.h"

#define BTF_MAGIC	  0xeb9f
#define BTF_MAGIC_SWAPPED 0x9feb

struct btf_header {
	uint16_t magic;
	uint8_t version;
	uint8_t flags;
	uint32_t hdr_len;
	uint32_t type_off, type_len;
	uint32_t str_off, str_len;
};

static const char *const kind_names[TN_BTF_NR_KINDS] = {
	"void", "int",	   "ptr",      "array",	   "struct",   "union",	 "enum",
	"fwd",	"typedef", "volatile", "const",	   "restrict", "func",	 "func_proto",
	"var",	"datasec", "float",    "decl_tag", "type_tag", "enum64",
};

const char *tn_btf_kind_name(enum tn_btf_kind kind)
{
	return (uint32_t)kind < TN_BTF_NR_KINDS ? kind_names[kind] : "unknown";
}

/* The one that holds this type: itself or a base. */
static const struct tn_btf *owner_of(const struct tn_btf *btf, uint32_t id)
{
	while (id < btf->first_type)
		btf = btf->base;
	return btf;
}

const struct tn_btf_type *tn_btf_type(const struct tn_btf *btf, uint32_t id)
{
	static const struct tn_btf_type void_type;

	if (id == 0)
		return &void_type;
	if (id >= btf->nr_types)
		return NULL;
	btf = owner_of(btf, id);
	/* The copy is aligned to 16 and the offset to 4: both were checked by parse. */
	return (const void *)(btf->types.data + btf->offsets[id - btf->first_type]);
}

const char *tn_btf_str(const struct tn_btf *btf, uint32_t off)
{
	if (off >= btf->end_str)
		return "";
	while (off < btf->first_str)
		btf = btf->base;
	return (const char *)btf->strs.data + (off - btf->first_str);
}

/* Where the record of each kind goes on after its 12 bytes; UINT64_MAX: unknown kind. */
static uint64_t extra_bytes(const struct tn_btf_type *t)
{
	uint64_t vlen = tn_btf_vlen(t);

	switch (tn_btf_kind(t)) {
	case TN_BTF_INT:
	case TN_BTF_VAR:
	case TN_BTF_DECL_TAG:
		return 4;
	case TN_BTF_ARRAY:
		return sizeof(struct tn_btf_array);
	case TN_BTF_STRUCT:
	case TN_BTF_UNION:
		return vlen * sizeof(struct tn_btf_member);
	case TN_BTF_ENUM:
		return vlen * sizeof(struct tn_btf_enum);
	case TN_BTF_ENUM64:
		return vlen * 12;
	case TN_BTF_FUNC_PROTO:
		return vlen * sizeof(struct tn_btf_param);
	case TN_BTF_DATASEC:
		return vlen * sizeof(struct tn_btf_var_secinfo);
	case TN_BTF_PTR:
	case TN_BTF_FWD:
	case TN_BTF_TYPEDEF:
	case TN_BTF_VOLATILE:
	case TN_BTF_CONST:
	case TN_BTF_RESTRICT:
	case TN_BTF_FUNC:
	case TN_BTF_FLOAT:
	case TN_BTF_TYPE_TAG:
		return 0;
	case TN_BTF_VOID:
	case TN_BTF_NR_KINDS:
		break;
	}
	return UINT64_MAX;
}

static int check_strings(const struct tn_btf *btf)
{
	struct tn_span s = btf->strs;

	/* The empty string of a split one is the base's. */
	if (btf->base && s.size == 0)
		return 0;
	if (s.size == 0 || s.data[s.size - 1] != 0 || (!btf->base && s.data[0] != 0))
		return tn_err(-EINVAL, "BTF: strings neither begin nor end with a zero byte");
	if ((uint64_t)btf->first_str + s.size > UINT32_MAX)
		return tn_err(-EINVAL,
			      "BTF: %u bytes of strings of the base and %zu own ones are "
			      "too many",
			      btf->first_str, s.size);
	return 0;
}

static int parse_header(struct tn_btf *btf, struct tn_span blob)
{
	struct btf_header h;

	if (!tn_span_read(blob, 0, &h, sizeof(h)))
		return tn_err(-EINVAL, "BTF: %zu bytes are too few for its header", blob.size);
	if (h.magic == BTF_MAGIC_SWAPPED)
		return tn_err(-EINVAL, "BTF: it is of the other byte order");
	if (h.magic != BTF_MAGIC)
		return tn_err(-EINVAL, "BTF: magic is 0x%x, expected 0xeb9f", h.magic);
	if (h.version != 1)
		return tn_err(-EINVAL, "BTF: version is %u, expected 1", h.version);
	if (h.flags)
		return tn_err(-EINVAL, "BTF: header flags are 0x%x, expected 0", h.flags);
	if (h.hdr_len < sizeof(h) || h.hdr_len > blob.size)
		return tn_err(-EINVAL, "BTF: header length is %u of %zu bytes", h.hdr_len,
			      blob.size);
	if (!tn_span_sub(blob, (uint64_t)h.hdr_len + h.type_off, h.type_len, &btf->types))
		return tn_err(-EINVAL, "BTF: types at byte %u, %u long, leave the blob", h.type_off,
			      h.type_len);
	if (!tn_span_sub(blob, (uint64_t)h.hdr_len + h.str_off, h.str_len, &btf->strs))
		return tn_err(-EINVAL, "BTF: strings at byte %u, %u long, leave the blob",
			      h.str_off, h.str_len);
	if (((uint64_t)h.hdr_len + h.type_off) % 4)
		return tn_err(-EINVAL, "BTF: types at byte %u are not aligned to 4", h.type_off);
	/* Types and strings must not share bytes: the loader completes sections in place. */
	if (btf->types.data < btf->strs.data + btf->strs.size &&
	    btf->strs.data < btf->types.data + btf->types.size)
		return tn_err(-EINVAL, "BTF: types and strings overlap");
	return check_strings(btf);
}

/* One record at `off`: its size into *bytes. */
static int measure(const struct tn_btf *btf, uint32_t id, uint64_t off, uint64_t *bytes)
{
	struct tn_btf_type t;
	struct tn_span whole;
	uint64_t extra;

	if (!tn_span_read(btf->types, off, &t, sizeof(t)))
		return tn_err(-EINVAL, "BTF: type %u at byte %llu is cut off", id,
			      (unsigned long long)off);
	extra = extra_bytes(&t);
	if (extra == UINT64_MAX)
		return tn_err(-EINVAL, "BTF: type %u at byte %llu has unknown kind %u", id,
			      (unsigned long long)off, (unsigned)tn_btf_kind(&t));
	if (!tn_span_sub(btf->types, off, sizeof(t) + extra, &whole))
		return tn_err(-EINVAL, "BTF: type %u (%s) at byte %llu is cut off", id,
			      kind_names[tn_btf_kind(&t)], (unsigned long long)off);
	*bytes = sizeof(t) + extra;
	return 0;
}

/* Fill btf->offsets. */
static int index_types(struct tn_btf *btf)
{
	TN_VEC(uint32_t) offsets = { 0 };
	uint64_t off = 0, bytes = 0;
	uint32_t *slot;
	int err = 0;

	if (!btf->base && !tn_vec_push(btf->rt, &offsets)) /* void */
		err = tn_err_nomem("BTF");
	while (!err && off < btf->types.size) {
		uint64_t id = (uint64_t)btf->first_type + offsets.nr;

		if (id >= UINT32_MAX)
			err = tn_err(-EINVAL, "BTF: %llu types are too many",
				     (unsigned long long)id);
		if (!err)
			err = measure(btf, (uint32_t)id, off, &bytes);
		if (err)
			break;
		slot = tn_vec_push(btf->rt, &offsets);
		if (!slot) {
			err = tn_err_nomem("BTF");
			break;
		}
		*slot = (uint32_t)off;
		off += bytes;
	}
	btf->offsets = offsets.v; /* freed with the rest where this failed */
	btf->nr_types = btf->first_type + offsets.nr;
	return err;
}

/* ---- Names ---- */

size_t tn_btf_essential_len(const char *name)
{
	size_t len = strlen(name);

	/* Three underscores, no more, with something else on both sides; the last such place. */
	for (size_t i = len >= 5 ? len - 4 : 0; i >= 1; i--)
		if (name[i - 1] != '_' && !strncmp(name + i, "___", 3) && name[i + 3] != '_')
			return i;
	return len;
}

/* FNV-1a */
static uint32_t hash_name(const char *name, size_t len)
{
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < len; i++)
		h = (h ^ (unsigned char)name[i]) * 16777619u;
	return h ^ h >> 15;
}

static int index_names(struct tn_btf *btf)
{
	uint32_t nr = btf->nr_types - btf->first_type, nr_buckets = 1;

	while (nr_buckets < nr && nr_buckets < 1u << 20)
		nr_buckets *= 2;
	btf->buckets = tn_alloc_array(btf->rt, nr_buckets, sizeof(*btf->buckets));
	btf->chain = tn_alloc_array(btf->rt, nr ? nr : 1, sizeof(*btf->chain));
	if (!btf->buckets || !btf->chain)
		return tn_err_nomem("BTF");
	btf->bucket_mask = nr_buckets - 1;
	/* The highest first, each in front of the last: chains ascend. */
	for (uint32_t i = nr; i-- > (btf->base ? 0u : 1u);) {
		const char *name = tn_btf_name(btf, btf->first_type + i);
		uint32_t *head;

		if (!*name)
			continue;
		head = &btf->buckets[hash_name(name, tn_btf_essential_len(name)) &
				     btf->bucket_mask];
		btf->chain[i] = *head;
		*head = btf->first_type + i;
	}
	return 0;
}

static bool named(const struct tn_btf *btf, uint32_t id, const char *name, size_t len)
{
	const char *own = tn_btf_name(btf, id);

	return !strncmp(own, name, len) && tn_btf_essential_len(own) == len;
}

uint32_t tn_btf_next_named(const struct tn_btf *btf, const char *name, size_t len, uint32_t after)
{
	uint32_t hash = hash_name(name, len), id;

	if (len == 0)
		return 0;
	if (btf->base && after < btf->first_type) {
		id = tn_btf_next_named(btf->base, name, len, after);
		if (id)
			return id;
	}
	/* From the last hit on, where it is one of this name. */
	if (after && after >= btf->first_type && after < btf->nr_types &&
	    named(btf, after, name, len))
		id = btf->chain[after - btf->first_type];
	else
		id = btf->buckets[hash & btf->bucket_mask];
	for (; id; id = btf->chain[id - btf->first_type])
		if (id > after && named(btf, id, name, len))
			return id;
	return 0;
}

uint32_t tn_btf_find(const struct tn_btf *btf, const char *name, enum tn_btf_kind kind)
{
	size_t len = tn_btf_essential_len(name);
	uint32_t id = 0;

	while ((id = tn_btf_next_named(btf, name, len, id)))
		if (tn_btf_kind(tn_btf_type(btf, id)) == kind &&
		    !strcmp(tn_btf_name(btf, id), name))
			return id;
	return 0;
}

/* ---- Sizes ---- */

uint32_t tn_btf_skip_mods(const struct tn_btf *btf, uint32_t id)
{
	for (;;) {
		const struct tn_btf_type *t = tn_btf_type(btf, id);

		if (!t)
			return 0;
		switch ((int)tn_btf_kind(t)) {
		case TN_BTF_TYPEDEF:
		case TN_BTF_VOLATILE:
		case TN_BTF_CONST:
		case TN_BTF_RESTRICT:
		case TN_BTF_TYPE_TAG:
			id = t->size_or_type;
			break;
		default:
			return id;
		}
	}
}

int64_t tn_btf_size_of(const struct tn_btf *btf, uint32_t id)
{
	uint64_t elems = 1;

	for (;;) {
		const struct tn_btf_type *t = tn_btf_type(btf, tn_btf_skip_mods(btf, id));
		uint64_t size;

		if (!t)
			return -EINVAL;
		switch ((int)tn_btf_kind(t)) {
		case TN_BTF_ARRAY: {
			const struct tn_btf_array *array = tn_btf_extra(t);

			elems *= array->nelems;
			if (elems > TN_BTF_MAX_TYPE_BYTES)
				return -EINVAL;
			id = array->type;
			continue;
		}
		case TN_BTF_VAR:
			id = t->size_or_type;
			continue;
		case TN_BTF_PTR:
			size = 8;
			break;
		case TN_BTF_INT:
		case TN_BTF_STRUCT:
		case TN_BTF_UNION:
		case TN_BTF_ENUM:
		case TN_BTF_ENUM64:
		case TN_BTF_FLOAT:
		case TN_BTF_DATASEC:
			size = t->size_or_type;
			break;
		default:
			return -EINVAL;
		}
		/* Both factors are below 2^32. */
		size *= elems;
		return size > TN_BTF_MAX_TYPE_BYTES ? -EINVAL : (int64_t)size;
	}
}

uint32_t tn_btf_old_bit_field(const struct tn_btf *btf, uint32_t id, uint32_t *off)
{
	const struct tn_btf_type *t = tn_btf_type(btf, tn_btf_skip_mods(btf, id));
	uint32_t word;

	if (!t || tn_btf_kind(t) != TN_BTF_INT)
		return 0;
	word = *(const uint32_t *)tn_btf_extra(t);
	if (off)
		*off = tn_btf_int_offset(word);
	return tn_btf_int_bits(word) < t->size_or_type * 8 ? tn_btf_int_bits(word) : 0;
}

uint32_t tn_btf_align_of(const struct tn_btf *btf, uint32_t id)
{
	if (id == 0 || id >= btf->nr_types)
		return 1;
	btf = owner_of(btf, id);
	return btf->aligns[id - btf->first_type];
}

/* ---- Whole ones ---- */

static int parse(struct tn_btf *btf, struct tn_span blob)
{
	int err;

	btf->size = blob.size;
	btf->data = tn_alloc(btf->rt, blob.size ? blob.size : 1);
	if (!btf->data)
		return tn_err_nomem("BTF");
	if (blob.size)
		memcpy(btf->data, blob.data, blob.size);
	if (btf->base) {
		btf->first_type = btf->nr_types = btf->base->nr_types;
		btf->first_str = btf->base->end_str;
	}
	err = parse_header(btf, tn_span_make(btf->data, btf->size));
	if (err)
		return err;
	btf->end_str = btf->first_str + (uint32_t)btf->strs.size;
	err = index_types(btf);
	if (!err)
		err = tn_btf_check(btf);
	return err ? err : index_names(btf);
}

struct tn_btf *tn_btf_parse_split(struct tn_rt *rt, const struct tn_btf *base, struct tn_span blob)
{
	struct tn_btf *btf = tn_new(rt, struct tn_btf);
	int err;

	if (!btf)
		return tn_err_null(-ENOMEM, "out of memory: BTF");
	btf->rt = rt;
	btf->base = base;
	err = parse(btf, blob);
	if (!err)
		return btf;
	tn_btf_free(btf);
	errno = -err;
	return NULL;
}

struct tn_btf *tn_btf_parse(struct tn_rt *rt, struct tn_span blob)
{
	return tn_btf_parse_split(rt, NULL, blob);
}

void tn_btf_free(struct tn_btf *btf)
{
	if (!btf)
		return;
	tn_free(btf->rt, btf->offsets);
	tn_free(btf->rt, btf->buckets);
	tn_free(btf->rt, btf->chain);
	tn_free(btf->rt, btf->aligns);
	tn_free(btf->rt, btf->data);
	tn_free(btf->rt, btf);
}
