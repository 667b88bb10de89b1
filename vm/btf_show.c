/* SPDX-License-Identifier: MIT */
/*
 * A walk over the type, with the data beside it. Every step counts as work, so that neither arrays
 * of nothing nor long enumerations take long; depth is bounded by what the reader of BTF lets
 * through and here again.
 *
 * The text is the kernel's (6.18), but for arrays of structures, pointers or arrays: there the
 * kernel leaves out opening brackets and the names of members, and shows the first pointer in every
 * place.
 */
#include "vm/btf_show.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/atomic.h"
#include "base/compiler.h"

#define MAX_DEPTH   32u
#define CHUNK_BYTES 256u

struct walk {
	const struct tn_btf *btf;
	const struct tn_btf_show *show;	  /* NULL: parts alone */
	const struct tn_btf_parts *parts; /* NULL: text */
	uint64_t size;			  /* of all the data */
	uint32_t depth, work;
	int err;
	uint64_t chunk_off;
	uint32_t chunk_bytes;
	unsigned char chunk[CHUNK_BYTES];
};

/* A place in the data, of a type. */
struct place {
	uint32_t type;	     /* as it was declared */
	uint64_t bit;	     /* where it begins */
	uint32_t field_bits; /* bit fields, else 0 */
	const char *member;  /* its name; NULL: it is none */
	bool element;	     /* of an array, whose type is named before it */
};

static int fail(struct walk *w, int err)
{
	if (!w->err)
		w->err = err;
	return w->err;
}

static int spend(struct walk *w, uint32_t work)
{
	w->work += work;
	return w->work > TN_BTF_SHOW_MAX_WORK ? fail(w, -E2BIG) : w->err;
}

/* ---- Data ---- */

static int read_bytes(struct walk *w, uint64_t off, void *to, size_t size)
{
	if (w->err)
		return w->err;
	if (off > w->size || size > w->size - off)
		return fail(w, -EINVAL);
	if (off < w->chunk_off || off + size > w->chunk_off + w->chunk_bytes) {
		w->chunk_off = off;
		w->chunk_bytes = (uint32_t)TN_MIN(w->size - off, CHUNK_BYTES);
		if (w->show->read(w->show->user, w->chunk, off, w->chunk_bytes)) {
			w->chunk_bytes = 0;
			return fail(w, -EFAULT);
		}
	}
	memcpy(to, w->chunk + (off - w->chunk_off), size);
	return 0;
}

/* Up to 128 bits at any place, as the machine counts them (little end first). */
static int read_bits(struct walk *w, uint64_t bit, uint32_t nr, uint64_t out[2])
{
	unsigned char bytes[17] = { 0 };
	size_t size = (bit % 8 + nr + 7) / 8;
	uint32_t shift = bit % 8;

	out[0] = out[1] = 0;
	if (nr > 128 || read_bytes(w, bit / 8, bytes, size))
		return fail(w, -EINVAL);
	for (size_t i = 0; i < 17; i++) {
		for (uint32_t j = 0; j < 8; j++) {
			size_t at = i * 8 + j;

			if (at >= shift && at - shift < nr && bytes[i] >> j & 1)
				out[(at - shift) / 64] |= UINT64_C(1) << (at - shift) % 64;
		}
	}
	return 0;
}

/* ---- Text ---- */

static void put(struct walk *w, const char *text)
{
	size_t len = strlen(text);
	int err;

	if (w->err || !len)
		return;
	err = w->show->put(w->show->user, text, len);
	if (err)
		fail(w, err);
}

static bool has(const struct walk *w, uint32_t flag)
{
	return w->show->flags & flag;
}

static void put_indent(struct walk *w)
{
	for (uint32_t i = 0; i < w->depth && !has(w, TN_BTF_SHOW_COMPACT); i++)
		put(w, " ");
}

static void put_end(struct walk *w)
{
	if (w->depth)
		put(w, ",");
	if (!has(w, TN_BTF_SHOW_COMPACT))
		put(w, "\n");
}

/* How a type is named: through pointers, arrays and type definitions to what it comes to. Of
 * definitions the outermost gives the name. */
struct type_name {
	const char *prefix, *name;
	uint32_t stars, brackets;
};

static const char *prefix_of(const struct tn_btf_type *t)
{
	switch ((int)tn_btf_kind(t)) {
	case TN_BTF_STRUCT:
		return "struct";
	case TN_BTF_UNION:
		return "union";
	case TN_BTF_ENUM:
	case TN_BTF_ENUM64:
		return "enum";
	default:
		return "";
	}
}

static void name_type(const struct tn_btf *btf, uint32_t id, struct type_name *out)
{
	const struct tn_btf_type *t = tn_btf_type(btf, id);
	const char *defined = NULL;

	*out = (struct type_name){ .prefix = "", .name = "" };
	for (uint32_t i = 0; t && i < MAX_DEPTH; i++) {
		switch ((int)tn_btf_kind(t)) {
		case TN_BTF_TYPEDEF:
			defined = defined ? defined : tn_btf_name(btf, id);
			break;
		case TN_BTF_CONST:
		case TN_BTF_VOLATILE:
		case TN_BTF_RESTRICT:
		case TN_BTF_TYPE_TAG:
			break;
		case TN_BTF_PTR:
			out->stars++;
			break;
		case TN_BTF_ARRAY:
			out->brackets++;
			id = ((const struct tn_btf_array *)tn_btf_extra(t))->type;
			t = tn_btf_type(btf, id);
			continue;
		default:
			out->prefix = defined ? "" : prefix_of(t);
			out->name = defined ? defined : tn_btf_name(btf, id);
			return;
		}
		id = t->size_or_type;
		t = tn_btf_type(btf, id);
	}
	out->name = defined ? defined : "";
}

static void put_times(struct walk *w, const char *text, uint32_t nr)
{
	while (nr--)
		put(w, text);
}

/* ".member = (struct type *[])" */
static void put_label(struct walk *w, const struct place *p)
{
	struct type_name n;

	if (p->element || has(w, TN_BTF_SHOW_NONAME))
		return;
	if (p->member && *p->member) {
		put(w, ".");
		put(w, p->member);
		put(w, " = ");
	}
	name_type(w->btf, p->type, &n);
	put(w, "(");
	put(w, n.prefix);
	if (*n.prefix && *n.name)
		put(w, " ");
	put(w, n.name);
	if (n.stars)
		put(w, " ");
	put_times(w, "*", n.stars);
	put_times(w, "[]", n.brackets);
	put(w, ")");
}

static void put_value(struct walk *w, const struct place *p, const char *text)
{
	put_indent(w);
	put_label(w, p);
	put(w, text);
	put_end(w);
}

static void open_group(struct walk *w, const struct place *p, const char *bracket)
{
	put_indent(w);
	put_label(w, p);
	put(w, bracket);
	if (!has(w, TN_BTF_SHOW_COMPACT))
		put(w, "\n");
	w->depth++;
}

static void close_group(struct walk *w, const char *bracket)
{
	w->depth--;
	put_indent(w);
	put(w, bracket);
	put_end(w);
}

/* ---- Values ---- */

#define VALUE_BYTES 64

/* SipHash-2-4 (Aumasson and Bernstein, 2012) of one word: without the key nobody tells from it what
 * the address was, nor from addresses of his own choice what others are. */
#define ROTATE(x, n) ((x) << (n) | (x) >> (64 - (n)))

static void sip_rounds(uint64_t v[4], int nr)
{
	while (nr--) {
		v[0] += v[1];
		v[1] = ROTATE(v[1], 13) ^ v[0];
		v[0] = ROTATE(v[0], 32);
		v[2] += v[3];
		v[3] = ROTATE(v[3], 16) ^ v[2];
		v[0] += v[3];
		v[3] = ROTATE(v[3], 21) ^ v[0];
		v[2] += v[1];
		v[1] = ROTATE(v[1], 17) ^ v[2];
		v[2] = ROTATE(v[2], 32);
	}
}

static uint64_t sip_hash(const uint64_t key[2], uint64_t word)
{
	const uint64_t last = UINT64_C(8) << 56; /* the length */
	uint64_t v[4] = { key[0] ^ 0x736f6d6570736575u, key[1] ^ 0x646f72616e646f6du,
			  key[0] ^ 0x6c7967656e657261u, key[1] ^ 0x7465646279746573u };

	v[3] ^= word;
	sip_rounds(v, 2);
	v[0] ^= word;
	v[3] ^= last;
	sip_rounds(v, 2);
	v[0] ^= last;
	v[2] ^= 0xff;
	sip_rounds(v, 4);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* Half of it is kept, as in the kernel. Of the process: drawn once, by whoever comes first. No
 * randomness yet: nothing is shown. */
static void put_scrambled(char out[VALUE_BYTES], uint64_t addr)
{
	static _Atomic uint64_t key[2];
	uint64_t drawn[2], none = 0;

	for (int i = 0; i < 2; i++) {
		drawn[i] = tn_load_relaxed(&key[i]);
		if (drawn[i])
			continue;
		if (getrandom(&drawn[i], sizeof(drawn[i]), GRND_NONBLOCK) != sizeof(drawn[i])) {
			snprintf(out, VALUE_BYTES, "0x(____ptrval____)");
			return;
		}
		drawn[i] |= 1;
		none = 0;
		if (!tn_cas_acq_rel(&key[i], &none, drawn[i]))
			drawn[i] = none;
	}
	snprintf(out, VALUE_BYTES, "0x%016" PRIx64, sip_hash(drawn, addr) & UINT32_MAX);
}

static void say_hex(char out[VALUE_BYTES], const uint64_t value[2])
{
	if (value[1])
		snprintf(out, VALUE_BYTES, "0x%" PRIx64 "%016" PRIx64, value[1], value[0]);
	else
		snprintf(out, VALUE_BYTES, "0x%" PRIx64, value[0]);
}

static int64_t extend(uint64_t value, uint32_t bits)
{
	uint32_t rest = bits < 64 ? 64 - bits : 0;

	return (int64_t)(value << rest) >> rest;
}

static bool say_int(struct walk *w, const struct tn_btf_type *t, const struct place *p,
		    char out[VALUE_BYTES])
{
	uint32_t word = *(const uint32_t *)tn_btf_extra(t);
	uint32_t bits = p->field_bits ? p->field_bits : tn_btf_int_bits(word);
	uint32_t off = p->field_bits ? 0 : tn_btf_int_offset(word);
	uint64_t value[2];

	if (read_bits(w, p->bit + off, bits, value))
		return false;
	if (bits != t->size_or_type * 8 || p->bit % 8 || bits > 64 || p->field_bits)
		say_hex(out, value);
	else if (tn_btf_int_encoding(word) & TN_BTF_INT_SIGNED)
		snprintf(out, VALUE_BYTES, "%" PRId64, extend(value[0], bits));
	else
		snprintf(out, VALUE_BYTES, "%" PRIu64, value[0]);
	return value[0] || value[1];
}

/* The enumerator's name, or the number. A name counts as something to show, also that of 0. */
static bool say_enum(struct walk *w, const struct tn_btf_type *t, const struct place *p,
		     const char **name, char out[VALUE_BYTES])
{
	bool wide = tn_btf_kind(t) == TN_BTF_ENUM64;
	uint32_t bits = p->field_bits ? p->field_bits : TN_MIN(t->size_or_type, 8u) * 8;
	const struct tn_btf_enum64 *e64 = tn_btf_extra(t);
	const struct tn_btf_enum *e32 = tn_btf_extra(t);
	uint64_t value[2];

	*name = NULL;
	if (read_bits(w, p->bit, bits, value) || spend(w, tn_btf_vlen(t) / 8))
		return false;
	if (p->field_bits) {
		say_hex(out, value);
		return value[0];
	}
	for (uint32_t i = 0; i < tn_btf_vlen(t); i++) {
		uint64_t of = wide ? (uint64_t)e64[i].hi << 32 | e64[i].lo
				   : (uint64_t)(int64_t)e32[i].val;

		if (extend(of, bits) != extend(value[0], bits))
			continue;
		*name = tn_btf_str(w->btf, wide ? e64[i].name_off : e32[i].name_off);
		return true;
	}
	if (tn_btf_kflag(t))
		snprintf(out, VALUE_BYTES, "%" PRId64, extend(value[0], bits));
	else
		snprintf(out, VALUE_BYTES, "%" PRIu64, value[0]);
	return value[0];
}

static bool say_float(struct walk *w, const struct tn_btf_type *t, const struct place *p,
		      char out[VALUE_BYTES])
{
	uint64_t value[2];
	double d;
	float f;

	if (read_bits(w, p->bit, TN_MIN(t->size_or_type, 16u) * 8, value))
		return false;
	if (t->size_or_type == sizeof(f)) {
		memcpy(&f, value, sizeof(f));
		snprintf(out, VALUE_BYTES, "%.9g", (double)f);
	} else if (t->size_or_type == sizeof(d)) {
		memcpy(&d, value, sizeof(d));
		snprintf(out, VALUE_BYTES, "%.17g", d);
	} else {
		say_hex(out, value);
	}
	return value[0] || value[1];
}

static bool say_pointer(struct walk *w, const struct place *p, char out[VALUE_BYTES])
{
	uint64_t value[2];

	if (read_bits(w, p->bit, 64, value))
		return false;
	if (has(w, TN_BTF_SHOW_PTR_RAW) || !value[0])
		snprintf(out, VALUE_BYTES, "0x%016" PRIx64, value[0]);
	else
		put_scrambled(out, value[0]);
	return value[0];
}

/* What a place with a value holds, as text; false: zero. */
static bool say(struct walk *w, const struct tn_btf_type *t, const struct place *p,
		const char **name, char out[VALUE_BYTES])
{
	*name = NULL;
	switch ((int)tn_btf_kind(t)) {
	case TN_BTF_INT:
		return say_int(w, t, p, out);
	case TN_BTF_ENUM:
	case TN_BTF_ENUM64:
		return say_enum(w, t, p, name, out);
	case TN_BTF_FLOAT:
		return say_float(w, t, p, out);
	case TN_BTF_PTR:
		return say_pointer(w, p, out);
	default:
		fail(w, -EINVAL);
		return false;
	}
}

/* ---- The walk ---- */

static bool is_zero(struct walk *w, const struct place *p, uint32_t depth);
static void walk(struct walk *w, const struct place *p);

static const struct tn_btf_type *resolve(struct walk *w, const struct place *p, uint32_t *id)
{
	*id = tn_btf_skip_mods(w->btf, p->type);
	return tn_btf_type(w->btf, *id);
}

static struct place member_place(const struct walk *w, const struct tn_btf_type *t,
				 const struct tn_btf_member *m, const struct place *p)
{
	return (struct place){
		.type = m->type,
		.bit = p->bit + tn_btf_member_bit_off(t, m),
		.field_bits = tn_btf_member_bit_size(t, m),
		.member = tn_btf_str(w->btf, m->name_off),
	};
}

struct elements {
	uint32_t nr, bits;
	uint32_t type;
	bool text; /* shown as characters, up to the first NUL */
	bool numbers;
};

static int elements_of(struct walk *w, const struct tn_btf_type *t, struct elements *out)
{
	const struct tn_btf_array *a = tn_btf_extra(t);
	uint32_t id = tn_btf_skip_mods(w->btf, a->type);
	const struct tn_btf_type *elem = tn_btf_type(w->btf, id);
	int64_t size = tn_btf_size_of(w->btf, a->type);

	if (!elem || size < 0 || size > UINT32_MAX / 8)
		return fail(w, -EINVAL);
	*out = (struct elements){
		.nr = a->nelems,
		.bits = (uint32_t)size * 8,
		.type = a->type,
		.numbers = tn_btf_kind(elem) == TN_BTF_INT || tn_btf_kind(elem) == TN_BTF_FLOAT ||
			   tn_btf_kind(elem) == TN_BTF_ENUM || tn_btf_kind(elem) == TN_BTF_ENUM64,
		.text = tn_btf_kind(elem) == TN_BTF_INT && size == 1,
	};
	return 0;
}

static struct place element_place(const struct elements *e, const struct place *p, uint32_t i)
{
	return (struct place){
		.type = e->type,
		.bit = p->bit + (uint64_t)i * e->bits,
		.element = true,
	};
}

static bool is_nul(struct walk *w, const struct elements *e, const struct place *p)
{
	uint64_t value[2];

	return e->text && !read_bits(w, p->bit, 8, value) && !value[0];
}

static bool array_is_zero(struct walk *w, const struct tn_btf_type *t, const struct place *p,
			  uint32_t depth)
{
	struct elements e;

	if (elements_of(w, t, &e))
		return true;
	for (uint32_t i = 0; i < e.nr && !w->err; i++) {
		struct place at = element_place(&e, p, i);

		if (is_nul(w, &e, &at))
			return true;
		if (!is_zero(w, &at, depth + 1))
			return false;
	}
	return true;
}

/* Would nothing of it be shown? */
static bool is_zero(struct walk *w, const struct place *p, uint32_t depth)
{
	uint32_t id;
	const struct tn_btf_type *t = resolve(w, p, &id);
	const struct tn_btf_member *m = tn_btf_extra(t);
	char text[VALUE_BYTES];
	const char *name;

	if (depth > MAX_DEPTH)
		fail(w, -E2BIG);
	if (spend(w, 1))
		return true;
	if (tn_btf_kind(t) == TN_BTF_ARRAY)
		return array_is_zero(w, t, p, depth);
	if (!tn_btf_is_composite(t))
		return !say(w, t, p, &name, text);
	for (uint32_t i = 0; i < tn_btf_vlen(t); i++) {
		struct place at = member_place(w, t, &m[i], p);

		if (!is_zero(w, &at, depth + 1))
			return false;
	}
	return true;
}

/* An element is shown as a character where it can be. */
static void show_character(struct walk *w, const struct place *p)
{
	uint64_t value[2];
	char text[VALUE_BYTES];

	if (read_bits(w, p->bit, 8, value))
		return;
	if (value[0] < 0x7f && isprint((int)value[0])) {
		snprintf(text, sizeof(text), "'%c'", (int)value[0]);
		put_value(w, p, text);
	} else {
		walk(w, p);
	}
}

static void walk_array(struct walk *w, const struct tn_btf_type *t, const struct place *p)
{
	struct elements e;

	if (elements_of(w, t, &e))
		return;
	if (w->parts && (e.numbers || !e.bits)) {
		if (e.bits && e.nr)
			w->err = w->parts->part(w->parts->user, p->bit / 8,
						(uint64_t)e.nr * (e.bits / 8), false);
		return;
	}
	if (w->show)
		open_group(w, p, "[");
	else
		w->depth++;
	for (uint32_t i = 0; i < e.nr && !w->err; i++) {
		struct place at = element_place(&e, p, i);

		if (w->show && is_nul(w, &e, &at))
			break;
		spend(w, 1);
		if (w->show && e.text)
			show_character(w, &at);
		else
			walk(w, &at);
	}
	if (w->show)
		close_group(w, "]");
	else
		w->depth--;
}

static void walk_members(struct walk *w, const struct tn_btf_type *t, const struct place *p)
{
	const struct tn_btf_member *m = tn_btf_extra(t);

	if (w->show)
		open_group(w, p, "{");
	else
		w->depth++;
	for (uint32_t i = 0; i < tn_btf_vlen(t) && !w->err; i++) {
		struct place at = member_place(w, t, &m[i], p);

		walk(w, &at);
	}
	if (w->show)
		close_group(w, "}");
	else
		w->depth--;
}

static void walk_value(struct walk *w, const struct tn_btf_type *t, const struct place *p)
{
	char text[VALUE_BYTES];
	const char *name;
	bool shown;

	if (w->parts) {
		bool is_pointer = tn_btf_kind(t) == TN_BTF_PTR;
		uint64_t bits = is_pointer ? 64 : (uint64_t)t->size_or_type * 8;
		/* Bits are read by the bytes that hold them. */
		uint64_t end =
			(p->bit + (p->field_bits && !is_pointer ? p->field_bits : bits) + 7) / 8;

		w->err = w->parts->part(w->parts->user, p->bit / 8, end - p->bit / 8,
					is_pointer && p->bit % 8 == 0);
		return;
	}
	shown = say(w, t, p, &name, text);
	if (!w->err && (shown || !w->depth || has(w, TN_BTF_SHOW_ZERO)))
		put_value(w, p, name ? name : text);
}

static void walk(struct walk *w, const struct place *p)
{
	uint32_t id;
	const struct tn_btf_type *t = resolve(w, p, &id);

	if (spend(w, 1))
		return;
	if (w->depth > MAX_DEPTH) {
		fail(w, -E2BIG);
		return;
	}
	switch ((int)tn_btf_kind(t)) {
	case TN_BTF_STRUCT:
	case TN_BTF_UNION:
	case TN_BTF_ARRAY:
		if (w->show && w->depth && !has(w, TN_BTF_SHOW_ZERO) && is_zero(w, p, w->depth))
			return;
		if (tn_btf_kind(t) == TN_BTF_ARRAY)
			walk_array(w, t, p);
		else
			walk_members(w, t, p);
		return;
	case TN_BTF_INT:
	case TN_BTF_ENUM:
	case TN_BTF_ENUM64:
	case TN_BTF_FLOAT:
	case TN_BTF_PTR:
		walk_value(w, t, p);
		return;
	default:
		fail(w, -EINVAL);
	}
}

static int begin(struct walk *w, uint32_t type)
{
	struct place all = { .type = type };
	int64_t size = tn_btf_type(w->btf, type) ? tn_btf_size_of(w->btf, type) : -EINVAL;

	if (!type || size < 0)
		return -EINVAL;
	w->size = (uint64_t)size;
	walk(w, &all);
	return w->err;
}

int tn_btf_show(const struct tn_btf_show *show)
{
	struct walk w = { .btf = show->btf, .show = show };

	return begin(&w, show->type);
}

int tn_btf_show_parts(const struct tn_btf_parts *parts)
{
	struct walk w = { .btf = parts->btf, .parts = parts };

	return begin(&w, parts->type);
}
