/* SPDX-License-Identifier: MIT */
/*
 * BTF as C that compiles. What a type needs is written before it: a complete definition where it
 * lies inside (members, elements), a forward declaration where only its name is used (behind a
 * pointer). Each need is met once and remembered, so that the work is linear.
 *
 * Layout: the place that a compiler for eBPF would give to each member is computed along the way;
 * where it is not the member's, padding is written as unnamed bit fields, which leave no trace in
 * BTF. A struct whose members C would not place so is packed; one that C cannot express at all
 * (members that overlap) becomes an array of bytes of its size.
 *
 * The input may be hostile, and a small file can describe an exponential text: depth and length are
 * bounded, and what exceeds them is an error.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/vec.h"
#include "vm/btf_decl.h"
#include "vm/btf_dump.h"
#include "vm/btf_names.h"

/* Types within types. The kernel's need less than 40. */
#define MAX_DEPTH 200
/* Text for each byte of BTF; the kernel's needs less than 1. */
#define BYTES_PER_BYTE 64
/* A gap of more bits than this is an array, not a row of bit fields. */
#define MAX_BIT_PADDING 512

enum { WEAK = 1, STRONG = 2, OPEN = 4, FORWARD = 8, REFERRED = 16, LENT = 32 };

struct dump {
	const struct tn_btf *btf;
	tn_btf_line_fn line;
	void *user;
	const char *func_suffix;
	uint8_t *flags;	   /* of each type */
	uint32_t *numbers; /* of each type's name: 0 none yet, 1 plain, n ___n */
	struct tn_c_names names;
	TN_VEC(char) text; /* of the line being written */
	uint64_t budget;   /* bytes that may still be written */
	struct tn_btf_decl *decl;
	uint32_t depth, need_depth, indent;
	uint32_t naming; /* the typedef that is being written */
	uint32_t floats; /* sizes for which there is a stand-in, as bits */
	int err;
};

static int fail(struct dump *d, int err)
{
	if (!d->err)
		d->err = err;
	return d->err;
}

static int inexpressible(struct dump *d, uint32_t id, const char *why)
{
	const struct tn_btf_type *t = tn_btf_type(d->btf, id);

	if (d->err)
		return d->err;
	return fail(d,
		    tn_err(-EINVAL, "BTF: type %u (%s '%.128s') has no form in C: %s", id,
			   tn_btf_kind_name(tn_btf_kind(t)), tn_btf_str(d->btf, t->name_off), why));
}

/* ---- Text ---- */

static void put_byte(struct dump *d, char c)
{
	char *slot;

	if (!d->budget--) {
		fail(d, tn_err(-EINVAL, "BTF: its text in C is out of proportion"));
		return;
	}
	slot = tn_vec_push(d->btf->rt, &d->text);
	if (!slot) {
		fail(d, tn_err_nomem("BTF dump"));
		return;
	}
	*slot = c == '\n' ? '\0' : c;
	if (c == '\n') {
		d->text.nr = 0;
		fail(d, d->line(d->user, d->text.v));
	}
}

static void put(void *user, const char *text, size_t len)
{
	struct dump *d = user;

	for (; len && !d->err; len--)
		put_byte(d, *text++);
	/* What would be written after an error can be exponential too. */
	if (d->err && d->decl)
		d->decl->too_deep = true;
}

static void puts_(struct dump *d, const char *text)
{
	put(d, text, strlen(text));
}

static void putf(struct dump *d, const char *fmt, ...) TN_PRINTF(2, 3);

static void putf(struct dump *d, const char *fmt, ...)
{
	char buf[128];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	puts_(d, buf);
}

static void put_indent(struct dump *d)
{
	for (uint32_t i = 0; i < d->indent; i++)
		puts_(d, "\t");
}

/* ---- Names ---- */

static void put_identifier(void *user, const char *name)
{
	struct dump *d = user;
	const char *id = tn_c_identifier(&d->names, name);

	if (id)
		puts_(d, id);
	else
		fail(d, tn_err_nomem("BTF dump"));
}

static bool is_enum(const struct tn_btf_type *t)
{
	return tn_btf_kind(t) == TN_BTF_ENUM || tn_btf_kind(t) == TN_BTF_ENUM64;
}

/* A forward declaration goes by the name of the type it announces, if that is there. */
static uint32_t announced(const struct tn_btf *btf, uint32_t id)
{
	const struct tn_btf_type *t = tn_btf_type(btf, id);
	uint32_t whole;

	if (tn_btf_kind(t) != TN_BTF_FWD)
		return id;
	whole = tn_btf_find(btf, tn_btf_str(btf, t->name_off),
			    tn_btf_kflag(t) ? TN_BTF_UNION : TN_BTF_STRUCT);
	return whole ? whole : id;
}

/* An identifier taken in a name space, with the number that makes it the only one. */
static uint32_t put_taken(struct dump *d, enum tn_c_space space, const char *name, uint32_t number)
{
	const char *id = tn_c_identifier(&d->names, name);

	if (id && !number)
		number = tn_c_names_take(&d->names, space, id);
	if (!id || !number) {
		fail(d, tn_err_nomem("BTF dump"));
		return 0;
	}
	puts_(d, id);
	if (number > 1)
		putf(d, "___%u", number);
	return number;
}

static void put_type_name(struct dump *d, uint32_t id)
{
	enum tn_c_space space = TN_C_TAGS;

	id = announced(d->btf, id);
	if (tn_btf_kind(tn_btf_type(d->btf, id)) == TN_BTF_TYPEDEF)
		space = TN_C_ORDINARY;
	d->numbers[id] = put_taken(d, space, tn_btf_name(d->btf, id), d->numbers[id]);
}

/* ---- Numbers of the machine ---- */

static const char *int_name(const struct tn_btf *btf, const struct tn_btf_type *t)
{
	static const struct {
		const char *name;
		uint32_t size;
	} known[] = {
		{ "char", 1 },
		{ "signed char", 1 },
		{ "unsigned char", 1 },
		{ "short", 2 },
		{ "short int", 2 },
		{ "unsigned short", 2 },
		{ "short unsigned int", 2 },
		{ "unsigned short int", 2 },
		{ "int", 4 },
		{ "unsigned int", 4 },
		{ "long", 8 },
		{ "long int", 8 },
		{ "unsigned long", 8 },
		{ "long unsigned int", 8 },
		{ "unsigned long int", 8 },
		{ "long long", 8 },
		{ "long long int", 8 },
		{ "unsigned long long", 8 },
		{ "long long unsigned int", 8 },
		{ "unsigned long long int", 8 },
		{ "_Bool", 1 },
		{ "__int128", 16 },
		{ "unsigned __int128", 16 },
		{ "__int128 unsigned", 16 },
	};
	static const char *const plain[2][5] = {
		{ "unsigned char", "unsigned short", "unsigned int", "unsigned long long",
		  "unsigned __int128" },
		{ "signed char", "short", "int", "long long", "__int128" },
	};
	const char *name = tn_btf_str(btf, t->name_off);
	uint32_t encoding = tn_btf_int_encoding(*(const uint32_t *)tn_btf_extra(t)), log = 0;

	for (size_t i = 0; i < TN_ARRAY_SIZE(known); i++)
		if (known[i].size == t->size_or_type && !strcmp(known[i].name, name))
			return name;
	if (encoding == TN_BTF_INT_BOOL && t->size_or_type == 1)
		return "_Bool";
	while (1u << log < t->size_or_type)
		log++;
	return plain[encoding == TN_BTF_INT_SIGNED][log];
}

/* eBPF has no others; a stand-in keeps their place. */
static bool is_c_float(const struct tn_btf_type *t)
{
	return t->size_or_type == 4 || t->size_or_type == 8;
}

static void need_float(struct dump *d, const struct tn_btf_type *t)
{
	uint32_t size = t->size_or_type;

	if (is_c_float(t) || d->floats & 1u << size)
		return;
	d->floats |= 1u << size;
	putf(d, "typedef struct {\n\tunsigned char bytes[%u];\n", size);
	putf(d, "} __attribute__((aligned(%u))) __tenon_float%u;\n\n", size == 12 ? 4 : size, size);
}

/* ---- Enumerations ---- */

static void put_enum_value(struct dump *d, const struct tn_btf_type *t, const uint32_t *e)
{
	bool is_long = tn_btf_kind(t) == TN_BTF_ENUM64;
	uint64_t value = is_long ? (uint64_t)e[2] << 32 | e[1] : e[1];

	if (!is_long && tn_btf_kflag(t))
		value = (uint64_t)(int64_t)(int32_t)e[1];
	if (!tn_btf_kflag(t))
		putf(d, " = %" PRIu64 "%s", value, is_long ? "ULL" : "");
	else if (value == (uint64_t)INT64_MIN)
		puts_(d, " = -9223372036854775807LL - 1");
	else
		putf(d, " = %" PRId64 "%s", (int64_t)value, is_long ? "LL" : "");
}

/* What makes a compiler choose the size. An enum is as large as an int or as its values ask for. */
static const char *enum_mode(const struct tn_btf_type *t)
{
	switch (t->size_or_type) {
	case 1:
		return " __attribute__((mode(QI)))";
	case 2:
		return " __attribute__((mode(HI)))";
	case 8:
		return " __attribute__((mode(DI)))";
	default:
		return "";
	}
}

static void put_enum_body(struct dump *d, uint32_t id)
{
	const struct tn_btf_type *t = tn_btf_type(d->btf, id);
	const char *name = tn_btf_str(d->btf, t->name_off);
	uint32_t words = tn_btf_kind(t) == TN_BTF_ENUM64 ? 3 : 2, nr = tn_btf_vlen(t);
	const uint32_t *e = tn_btf_extra(t);

	puts_(d, "enum ");
	if (*name) {
		put_type_name(d, id);
		puts_(d, " ");
	}
	puts_(d, "{\n");
	d->indent++;
	for (uint32_t i = 0; i < nr && !d->err; i++, e += words) {
		put_indent(d);
		put_taken(d, TN_C_ORDINARY, tn_btf_str(d->btf, e[0]), 0);
		put_enum_value(d, t, e);
		puts_(d, ",\n");
	}
	if (nr == 0) { /* C has no enum without values */
		put_indent(d);
		put_taken(d, TN_C_ORDINARY, "__tenon_no_value", 0);
		puts_(d, ",\n");
	}
	d->indent--;
	put_indent(d);
	puts_(d, "}");
	puts_(d, enum_mode(t));
}

/* ---- Structs: where a compiler puts members ---- */

struct placing {
	uint64_t at; /* bits that are taken; a union's: its largest */
	uint32_t align;
	bool is_union, is_packed;
};

/* Bits of a bit field, of the new form or the old; 0: none. */
static uint32_t field_bits(const struct tn_btf *btf, const struct tn_btf_type *t,
			   const struct tn_btf_member *m, uint32_t *off)
{
	uint32_t bits = tn_btf_member_bit_size(t, m), inside = 0;

	*off = tn_btf_member_bit_off(t, m);
	if (!bits) {
		bits = tn_btf_old_bit_field(btf, m->type, &inside);
		*off += bits ? inside : 0;
	}
	return bits;
}

static struct placing begin_placing(const struct tn_btf *btf, uint32_t id)
{
	const struct tn_btf_type *t = tn_btf_type(btf, id);
	const struct tn_btf_member *m = tn_btf_extra(t);
	struct placing p = { .align = 1, .is_union = tn_btf_kind(t) == TN_BTF_UNION };

	for (uint32_t i = 0; i < tn_btf_vlen(t); i++)
		p.align = TN_MAX(p.align, tn_btf_align_of(btf, m[i].type));
	if (tn_btf_align_of(btf, id) < p.align) {
		p.is_packed = true;
		p.align = 1;
	}
	return p;
}

static uint64_t round_up(uint64_t n, uint64_t to)
{
	return (n + to - 1) / to * to;
}

/* Where this member goes by itself. */
static uint64_t natural_place(const struct placing *p, const struct tn_btf *btf, uint32_t type,
			      uint32_t bits)
{
	uint64_t at = p->is_union ? 0 : p->at;
	uint64_t unit = (uint64_t)tn_btf_size_of(btf, type) * 8;

	if (!bits)
		return round_up(at, p->is_packed ? 8 : tn_btf_align_of(btf, type) * 8);
	/* A bit field does not cross a unit of its type. */
	if (p->is_packed || at / unit == (at + bits - 1) / unit)
		return at;
	return round_up(at, unit);
}

/* Place member `m`: bits of padding in front into *gap, -1: padding would not bring it there. */
static bool place(struct placing *p, const struct tn_btf *btf, const struct tn_btf_type *t,
		  const struct tn_btf_member *m, uint64_t *gap)
{
	uint32_t off, bits = field_bits(btf, t, m, &off);
	uint64_t natural = natural_place(p, btf, m->type, bits), at = p->is_union ? 0 : p->at;
	uint64_t size = bits ? bits : (uint64_t)tn_btf_size_of(btf, m->type) * 8;
	struct placing behind = *p;

	*gap = 0;
	if (natural != off) {
		/* Padding goes up to the member, which must stay there then. */
		behind.at = off;
		if (off < at || p->is_union || natural_place(&behind, btf, m->type, bits) != off)
			return false;
		*gap = off - at;
	}
	p->at = TN_MAX(p->at, off + size);
	return true;
}

/* Can members of C stand where these do? */
static bool is_expressible(const struct tn_btf *btf, uint32_t id)
{
	const struct tn_btf_type *t = tn_btf_type(btf, id);
	const struct tn_btf_member *m = tn_btf_extra(t);
	struct placing p = begin_placing(btf, id);
	uint64_t gap;

	for (uint32_t i = 0; i < tn_btf_vlen(t); i++)
		if (!place(&p, btf, t, &m[i], &gap))
			return false;
	return round_up(p.at, p.align * 8) <= (uint64_t)t->size_or_type * 8;
}

/* Unnamed bit fields, none of which crosses its unit. */
static void put_padding(struct dump *d, uint64_t at, uint64_t gap)
{
	static const char *const types[] = { "char", "short", "int", "long long" };
	uint64_t end = at + gap;

	while (at < end && !d->err) {
		uint64_t bits = TN_MIN(8 - at % 8, end - at);
		uint32_t log = 0;

		put_indent(d);
		if (at % 8 == 0 && end - at > MAX_BIT_PADDING) {
			bits = (end - at) / 8 * 8;
			putf(d, "unsigned char __tenon_pad_%" PRIu64 "[%" PRIu64 "];\n", at / 8,
			     bits / 8);
			at += bits;
			continue;
		}
		while (log < 3 && at % (16u << log) == 0 && end - at >= 16u << log)
			bits = 8u << ++log;
		putf(d, "%s : %u;\n", types[log], (unsigned int)bits);
		at += bits;
	}
}

/* ---- Structs: text ---- */

static void put_body(struct dump *d, uint32_t id, bool with_name);

/* For tn_btf_decl: the specifier of a type. */
static void put_base(void *user, uint32_t id)
{
	struct dump *d = user;
	const struct tn_btf_type *t = tn_btf_type(d->btf, id);
	bool is_named = *tn_btf_str(d->btf, t->name_off);

	switch (tn_btf_kind(t)) {
	case TN_BTF_VOID:
		puts_(d, "void");
		break;
	case TN_BTF_INT:
		puts_(d, int_name(d->btf, t));
		break;
	case TN_BTF_FLOAT:
		if (is_c_float(t))
			puts_(d, t->size_or_type == 4 ? "float" : "double");
		else
			putf(d, "__tenon_float%u", t->size_or_type);
		break;
	case TN_BTF_TYPEDEF:
		put_type_name(d, id);
		break;
	case TN_BTF_FWD:
		puts_(d, tn_btf_kflag(t) ? "union " : "struct ");
		put_type_name(d, id);
		break;
	case TN_BTF_STRUCT:
	case TN_BTF_UNION:
	case TN_BTF_ENUM:
	case TN_BTF_ENUM64:
		if (!is_named) {
			put_body(d, id, false);
			break;
		}
		puts_(d, is_enum(t)			  ? "enum "
			 : tn_btf_kind(t) == TN_BTF_UNION ? "union "
							  : "struct ");
		put_type_name(d, id);
		break;
	case TN_BTF_PTR:
	case TN_BTF_ARRAY:
	case TN_BTF_VOLATILE:
	case TN_BTF_CONST:
	case TN_BTF_RESTRICT:
	case TN_BTF_TYPE_TAG:
	case TN_BTF_FUNC_PROTO: /* written by tn_btf_decl */
	case TN_BTF_FUNC:
	case TN_BTF_VAR:
	case TN_BTF_DATASEC:
	case TN_BTF_DECL_TAG: /* refused by the parser */
	case TN_BTF_NR_KINDS:
		inexpressible(d, id, "it is no type of data");
	}
	if (d->decl)
		d->decl->last = 'x';
}

static void put_decl(struct dump *d, uint32_t id, const char *name,
		     void (*put_name)(void *, const char *))
{
	struct tn_btf_decl decl = { .btf = d->btf,
				    .put = put,
				    .base = put_base,
				    .name = put_name,
				    .user = d },
			   *outer = d->decl;

	if (d->depth == MAX_DEPTH) {
		inexpressible(d, id, "it nests too deep");
		return;
	}
	d->depth++;
	d->decl = &decl;
	tn_btf_print_decl(&decl, id, name);
	d->decl = outer;
	d->depth--;
	if (decl.too_deep)
		inexpressible(d, id, "it nests too deep");
}

static void put_member(struct dump *d, const struct tn_btf_type *t, uint32_t i)
{
	const struct tn_btf_member *m = (const struct tn_btf_member *)tn_btf_extra(t) + i;
	const char *name = tn_btf_str(d->btf, m->name_off);
	uint32_t off, bits = field_bits(d->btf, t, m, &off);
	uint32_t plain = tn_btf_skip_mods(d->btf, m->type);
	char unnamed[32];

	put_indent(d);
	if (*name || bits) {
		put_decl(d, m->type, name, put_identifier);
		if (bits)
			putf(d, *name ? ": %u" : " : %u", bits);
	} else if (tn_btf_is_composite(tn_btf_type(d->btf, plain))) {
		/* Also where it has a tag: in C that alone would declare no member. */
		put_body(d, plain, false);
	} else {
		snprintf(unnamed, sizeof(unnamed), "__tenon_unnamed_%u", i);
		put_decl(d, m->type, unnamed, put_identifier);
	}
	puts_(d, ";\n");
}

static void put_members(struct dump *d, uint32_t id)
{
	const struct tn_btf_type *t = tn_btf_type(d->btf, id);
	const struct tn_btf_member *m = tn_btf_extra(t);
	struct placing p = begin_placing(d->btf, id);
	uint64_t end = (uint64_t)t->size_or_type * 8, gap;

	if (!is_expressible(d->btf, id)) {
		put_indent(d);
		putf(d, "unsigned char __tenon_bytes[%u];\n", t->size_or_type);
		return;
	}
	for (uint32_t i = 0; i < tn_btf_vlen(t) && !d->err; i++) {
		uint64_t at = p.at;

		place(&p, d->btf, t, &m[i], &gap);
		if (gap)
			put_padding(d, at, gap);
		put_member(d, t, i);
	}
	if (round_up(p.at, p.align * 8) == end)
		return;
	if (p.is_union) {
		put_indent(d);
		putf(d, "unsigned char __tenon_bytes[%u];\n", t->size_or_type);
	} else {
		put_padding(d, p.at, end - p.at);
	}
}

static void put_body(struct dump *d, uint32_t id, bool with_name)
{
	const struct tn_btf_type *t = tn_btf_type(d->btf, id);
	struct placing p;

	if (is_enum(t)) {
		put_enum_body(d, id);
		return;
	}
	if (d->depth == MAX_DEPTH) {
		inexpressible(d, id, "it nests too deep");
		return;
	}
	d->depth++;
	puts_(d, tn_btf_kind(t) == TN_BTF_UNION ? "union " : "struct ");
	if (with_name) {
		put_type_name(d, id);
		puts_(d, " ");
	}
	puts_(d, "{\n");
	d->indent++;
	put_members(d, id);
	d->indent--;
	put_indent(d);
	puts_(d, "}");
	p = begin_placing(d->btf, id);
	if (p.is_packed)
		puts_(d, " __attribute__((packed))");
	else if (p.align > 1 && !is_expressible(d->btf, id))
		putf(d, " __attribute__((aligned(%u)))", p.align);
	d->depth--;
}

/* ---- Order ---- */

static int need(struct dump *d, uint32_t id, bool strong);

/* What a struct or union needs: its members whole. One that only points to itself needs nothing. */
static int need_members(struct dump *d, uint32_t id)
{
	const struct tn_btf_type *t = tn_btf_type(d->btf, id);
	const struct tn_btf_member *m = tn_btf_extra(t);

	for (uint32_t i = 0; i < tn_btf_vlen(t) && !d->err; i++) {
		uint32_t of = tn_btf_skip_mods(d->btf, m[i].type);
		const struct tn_btf_type *to = tn_btf_type(d->btf, of);

		if (tn_btf_kind(to) == TN_BTF_PTR && to->size_or_type == id &&
		    *tn_btf_str(d->btf, t->name_off) && of == m[i].type)
			continue;
		need(d, m[i].type, true);
	}
	return d->err;
}

static int need_params(struct dump *d, const struct tn_btf_type *t)
{
	const struct tn_btf_param *p = tn_btf_extra(t);

	need(d, t->size_or_type, false);
	for (uint32_t i = 0; i < tn_btf_vlen(t) && !d->err; i++)
		need(d, p[i].type, false);
	return d->err;
}

static void declare_forward(struct dump *d, uint32_t id)
{
	const struct tn_btf_type *t = tn_btf_type(d->btf, id);
	bool is_union = tn_btf_kind(t) == TN_BTF_UNION;

	if (d->flags[id] & (FORWARD | STRONG))
		return;
	d->flags[id] |= FORWARD;
	if (tn_btf_kind(t) == TN_BTF_FWD)
		is_union = tn_btf_kflag(t);
	puts_(d, is_union ? "union " : "struct ");
	put_type_name(d, id);
	puts_(d, ";\n\n");
}

static int need_composite(struct dump *d, uint32_t id, bool strong)
{
	bool is_named = *tn_btf_name(d->btf, id);

	if (is_named && !strong) {
		declare_forward(d, id);
		return d->err;
	}
	if (d->flags[id] & OPEN)
		return inexpressible(d, id, "it needs itself to be complete");
	d->flags[id] |= OPEN;
	need_members(d, id);
	d->flags[id] &= (uint8_t)~OPEN;
	/* Without a name it is written where it is used. */
	if (is_named && !d->err) {
		put_body(d, id, true);
		puts_(d, ";\n\n");
	}
	return d->err;
}

/* Stands for the name of the typedef that is being written. */
static const char typedef_name[] = "typedef";

static void put_typedef_name(void *user, const char *name)
{
	struct dump *d = user;

	if (name == typedef_name)
		put_type_name(d, d->naming);
	else
		put_identifier(d, name);
}

static int need_typedef(struct dump *d, uint32_t id, bool strong)
{
	const struct tn_btf_type *t = tn_btf_type(d->btf, id);

	if (d->flags[id] & OPEN)
		return inexpressible(d, id, "it needs itself to be complete");
	if (!(d->flags[id] & WEAK)) {
		d->flags[id] |= OPEN;
		need(d, t->size_or_type, false);
		d->flags[id] &= (uint8_t)~OPEN;
		if (d->err)
			return d->err;
		d->flags[id] |= WEAK;
		puts_(d, "typedef ");
		d->naming = id;
		put_decl(d, t->size_or_type, typedef_name, put_typedef_name);
		puts_(d, ";\n\n");
	}
	return strong ? need(d, t->size_or_type, true) : d->err;
}

static int need_kind(struct dump *d, uint32_t id, bool strong)
{
	const struct tn_btf_type *t = tn_btf_type(d->btf, id);

	switch (tn_btf_kind(t)) {
	case TN_BTF_PTR:
		return need(d, t->size_or_type, false);
	case TN_BTF_VOLATILE:
	case TN_BTF_CONST:
	case TN_BTF_RESTRICT:
	case TN_BTF_TYPE_TAG:
		return need(d, t->size_or_type, strong);
	case TN_BTF_ARRAY: /* of incomplete elements: not even behind a pointer */
		return need(d, ((const struct tn_btf_array *)tn_btf_extra(t))->type, true);
	case TN_BTF_STRUCT:
	case TN_BTF_UNION:
		return need_composite(d, id, strong);
	case TN_BTF_FWD:
		declare_forward(d, id);
		return d->err;
	case TN_BTF_ENUM:
	case TN_BTF_ENUM64:
		if (*tn_btf_str(d->btf, t->name_off)) {
			put_enum_body(d, id);
			puts_(d, ";\n\n");
		}
		return d->err;
	case TN_BTF_TYPEDEF:
		return need_typedef(d, id, strong);
	case TN_BTF_FUNC_PROTO:
		return need_params(d, t);
	case TN_BTF_FLOAT:
		need_float(d, t);
		return d->err;
	case TN_BTF_VOID:
	case TN_BTF_INT:
	case TN_BTF_FUNC:
	case TN_BTF_VAR:
	case TN_BTF_DATASEC:
	case TN_BTF_DECL_TAG:
	case TN_BTF_NR_KINDS:
		break;
	}
	return 0;
}

/* Is there more to do where the whole type is needed than where its name is? */
static bool has_weak_form(const struct tn_btf *btf, uint32_t id)
{
	const struct tn_btf_type *t = tn_btf_type(btf, id);

	switch ((int)tn_btf_kind(t)) {
	case TN_BTF_STRUCT:
	case TN_BTF_UNION:
		return *tn_btf_str(btf, t->name_off);
	case TN_BTF_TYPEDEF:
	case TN_BTF_VOLATILE:
	case TN_BTF_CONST:
	case TN_BTF_RESTRICT:
	case TN_BTF_TYPE_TAG:
		return true;
	default:
		return false;
	}
}

/* See to it that `id` can be used from here on: by name, or as something that has a size. */
static int need(struct dump *d, uint32_t id, bool strong)
{
	if (d->err)
		return d->err;
	id = announced(d->btf, id);
	if (d->flags[id] & STRONG || (!strong && d->flags[id] & WEAK))
		return 0;
	if (d->need_depth == MAX_DEPTH)
		return inexpressible(d, id, "it nests too deep");
	d->need_depth++;
	need_kind(d, id, strong);
	d->need_depth--;
	if (!d->err)
		d->flags[id] |= strong || !has_weak_form(d->btf, id) ? WEAK | STRONG : WEAK;
	return d->err;
}

/* ---- What to write ---- */

static void put_function(struct dump *d, uint32_t id)
{
	const struct tn_btf_type *t = tn_btf_type(d->btf, id);

	if (!d->func_suffix || need(d, t->size_or_type, false))
		return;
	puts_(d, "extern ");
	put_decl(d, t->size_or_type, tn_btf_str(d->btf, t->name_off), put_identifier);
	puts_(d, d->func_suffix);
	puts_(d, ";\n\n");
}

static void refer(struct dump *d, uint32_t id)
{
	if (is_enum(tn_btf_type(d->btf, id)))
		d->flags[id] |= REFERRED;
}

/* Enums without a name that nothing refers to: only their values are wanted. */
static void note_references(struct dump *d)
{
	for (uint32_t id = 1; id < d->btf->nr_types; id++) {
		const struct tn_btf_type *t = tn_btf_type(d->btf, id);
		const struct tn_btf_member *m = tn_btf_extra(t);
		const struct tn_btf_param *p = tn_btf_extra(t);
		enum tn_btf_kind kind = tn_btf_kind(t);

		if (kind == TN_BTF_ARRAY)
			refer(d, ((const struct tn_btf_array *)tn_btf_extra(t))->type);
		else if (tn_btf_is_composite(t))
			for (uint32_t i = 0; i < tn_btf_vlen(t); i++)
				refer(d, m[i].type);
		else if (kind == TN_BTF_PTR || kind == TN_BTF_TYPEDEF || kind == TN_BTF_CONST ||
			 kind == TN_BTF_VOLATILE || kind == TN_BTF_RESTRICT ||
			 kind == TN_BTF_TYPE_TAG || kind == TN_BTF_FUNC_PROTO)
			refer(d, t->size_or_type);
		for (uint32_t i = 0; kind == TN_BTF_FUNC_PROTO && i < tn_btf_vlen(t); i++)
			refer(d, p[i].type);
	}
}

static void put_one_of_all(struct dump *d, uint32_t id)
{
	const struct tn_btf_type *t = tn_btf_type(d->btf, id);
	bool is_named = *tn_btf_str(d->btf, t->name_off);

	if (is_enum(t) && !is_named && !(d->flags[id] & REFERRED) && tn_btf_vlen(t)) {
		put_enum_body(d, id);
		puts_(d, ";\n\n");
	} else if ((is_enum(t) || tn_btf_is_composite(t)) && is_named) {
		need(d, id, true);
	} else if (tn_btf_kind(t) == TN_BTF_TYPEDEF) {
		need(d, id, false);
	}
}

/* Is this function lent out to plugins? By a tag of tenon/host.h, or because the header only
 * declares it. */
static void note_lent(struct dump *d)
{
	for (uint32_t id = 1; id < d->btf->nr_types; id++) {
		const struct tn_btf_type *t = tn_btf_type(d->btf, id);
		const char *name = tn_btf_str(d->btf, t->name_off);

		if (tn_btf_kind(t) == TN_BTF_FUNC && tn_btf_vlen(t) == TN_BTF_EXTERN)
			d->flags[id] |= LENT;
		else if (tn_btf_kind(t) == TN_BTF_DECL_TAG &&
			 (!strcmp(name, "tenon:helper") || !strcmp(name, "tenon:bare_helper")))
			d->flags[t->size_or_type] |= LENT;
	}
}

static void put_all(struct dump *d)
{
	note_references(d);
	note_lent(d);
	for (uint32_t id = 1; id < d->btf->nr_types && !d->err; id++)
		put_one_of_all(d, id);
	for (uint32_t id = 1; id < d->btf->nr_types && !d->err; id++)
		if (d->flags[id] & LENT && tn_btf_kind(tn_btf_type(d->btf, id)) == TN_BTF_FUNC)
			put_function(d, id);
}

static void put_chosen(struct dump *d, const uint32_t *ids, uint32_t nr)
{
	for (uint32_t i = 0; i < nr && !d->err; i++) {
		const struct tn_btf_type *t = tn_btf_type(d->btf, ids[i]);

		if (!t)
			fail(d, tn_err(-EINVAL, "BTF: no type %u, it has %u", ids[i],
				       d->btf->nr_types));
		else if (tn_btf_kind(t) == TN_BTF_FUNC)
			put_function(d, ids[i]);
		else
			need(d, ids[i], true);
	}
}

int tn_btf_dump_c(const struct tn_btf *btf, const uint32_t *ids, uint32_t nr,
		  const char *func_suffix, tn_btf_line_fn line, void *user)
{
	struct dump d = { .btf = btf,
			  .line = line,
			  .user = user,
			  .func_suffix = func_suffix,
			  .names.rt = btf->rt,
			  .budget = 1 << 20 };

	for (const struct tn_btf *b = btf; b; b = b->base)
		d.budget += (uint64_t)b->size * BYTES_PER_BYTE;
	d.flags = tn_alloc_array(btf->rt, btf->nr_types, sizeof(*d.flags));
	d.numbers = tn_alloc_array(btf->rt, btf->nr_types, sizeof(*d.numbers));
	if (!d.flags || !d.numbers)
		fail(&d, tn_err_nomem("BTF dump"));
	else if (ids)
		put_chosen(&d, ids, nr);
	else
		put_all(&d);
	tn_free(btf->rt, d.flags);
	tn_free(btf->rt, d.numbers);
	tn_c_names_free(&d.names);
	tn_vec_free(btf->rt, &d.text);
	return d.err;
}
