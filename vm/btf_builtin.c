/* SPDX-License-Identifier: MIT */
/*
 * The builtin types: rows of btf_builtin.def, laid out as a C compiler would. A struct's members
 * are collected until its end is read, since types inside it must be written first.
 */
#include "vm/btf_builtin.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "base/rt.h"
#include "vm/btf_build.h"

enum op { OP_INT, OP_TYPEDEF, OP_BEGIN, OP_MEMBER, OP_PTR, OP_SKIP, OP_END };

struct row {
	enum op op;
	const char *type; /* of a member; of a typedef */
	const char *name;
	uint32_t nr;   /* bytes of an int or gap, elements of an array */
	uint32_t kind; /* what begins; an int's encoding; bits of a bit field */
	bool is_array;
};

static const struct row rows[] = {
#define INT(name_, size_, encoding_) \
	{ .op = OP_INT, .name = (name_), .nr = (size_), .kind = (encoding_) },
#define TYPEDEF(name_, of_) { .op = OP_TYPEDEF, .type = (of_), .name = (name_) },
#define STRUCT(name_)	    { .op = OP_BEGIN, .name = (name_), .kind = TN_BTF_STRUCT },
#define ANON_STRUCT	    { .op = OP_BEGIN, .kind = TN_BTF_STRUCT },
#define ANON_UNION	    { .op = OP_BEGIN, .kind = TN_BTF_UNION },
#define F(type_, name_)	    { .op = OP_MEMBER, .type = (type_), .name = (name_), .nr = 1 },
#define B(type_, name_, bits_) \
	{ .op = OP_MEMBER, .type = (type_), .name = (name_), .nr = 1, .kind = (bits_) },
#define A(type_, name_, nr_) \
	{ .op = OP_MEMBER, .type = (type_), .name = (name_), .nr = (nr_), .is_array = true },
#define P(type_, name_) { .op = OP_PTR, .type = (type_), .name = (name_), .nr = 1 },
#define SKIP(bytes_)	{ .op = OP_SKIP, .nr = (bytes_) },
#define END		{ .op = OP_END },
#define END_AS(name_)	{ .op = OP_END, .name = (name_) },
#include "vm/btf_builtin.def"
};

#define MAX_NAMED   128
#define MAX_MEMBERS 64
#define MAX_LEVELS  4

struct layout {
	uint32_t id, size, align;
};

struct level {
	const char *name;
	uint32_t kind, bits, align; /* bits: where the next member may begin; a union's size */
	uint32_t nr;
	struct {
		const char *name;
		uint32_t type, bit_off, bit_size;
	} members[MAX_MEMBERS];
};

struct maker {
	struct tn_btf_builder *b;
	struct {
		const char *name;
		struct layout layout;
	} named[MAX_NAMED];
	uint32_t nr_named;
	struct level levels[MAX_LEVELS];
	uint32_t depth;
};

static void name_type(struct maker *m, const char *name, struct layout layout)
{
	tn_assert(m->nr_named < MAX_NAMED);
	m->named[m->nr_named].name = name;
	m->named[m->nr_named++].layout = layout;
}

static struct layout find_type(const struct maker *m, const char *name)
{
	for (uint32_t i = 0; i < m->nr_named; i++)
		if (!strcmp(m->named[i].name, name))
			return m->named[i].layout;
	tn_assert(!strcmp(name, "void"));
	return (struct layout){ 0, 1, 1 };
}

static uint32_t round_up(uint32_t n, uint32_t to)
{
	return (n + to - 1) / to * to;
}

/* Place a member of this layout; bits 0: a whole one. */
static void place(struct maker *m, const char *name, struct layout of, uint32_t bits)
{
	struct level *l = &m->levels[m->depth - 1];
	uint32_t at = l->kind == TN_BTF_UNION ? 0 : l->bits, unit = of.size * 8;

	tn_assert(l->nr < MAX_MEMBERS);
	/* A bit field does not cross a unit of its type. */
	if (!bits || at / unit != (at + bits - 1) / unit)
		at = round_up(at, of.align * 8);
	l->members[l->nr].name = name;
	l->members[l->nr].type = of.id;
	l->members[l->nr].bit_off = at;
	l->members[l->nr++].bit_size = bits;
	at += bits ? bits : unit;
	l->bits = TN_MAX(l->bits, at);
	l->align = TN_MAX(l->align, of.align);
}

static void begin(struct maker *m, const struct row *r)
{
	struct level *l = &m->levels[m->depth++];

	tn_assert(m->depth <= MAX_LEVELS);
	l->name = r->name;
	l->kind = r->kind;
	l->bits = l->nr = 0;
	l->align = 1;
}

static void end(struct maker *m, const struct row *r)
{
	const struct level *l = &m->levels[m->depth - 1];
	uint32_t size = round_up(l->bits, l->align * 8) / 8;
	struct layout done = { 0, size, l->align };

	done.id = tn_btf_add_struct(m->b, (enum tn_btf_kind)l->kind, l->name, size);
	for (uint32_t i = 0; i < l->nr; i++)
		tn_btf_add_member(m->b, l->members[i].name, l->members[i].type,
				  l->members[i].bit_off, l->members[i].bit_size);
	m->depth--;
	if (m->depth)
		place(m, r->name, done, 0);
	else
		name_type(m, l->name, done);
}

static void add_row(struct maker *m, const struct row *r)
{
	struct layout of = r->type ? find_type(m, r->type) : (struct layout){ 0, r->nr, r->nr };

	switch (r->op) {
	case OP_INT:
		of.id = tn_btf_add_int(m->b, r->name, r->nr, r->kind);
		name_type(m, r->name, of);
		break;
	case OP_TYPEDEF:
		of.id = tn_btf_add_typedef(m->b, r->name, of.id);
		name_type(m, r->name, of);
		break;
	case OP_BEGIN:
		begin(m, r);
		break;
	case OP_MEMBER:
		if (r->is_array) {
			of.id = tn_btf_add_array(m->b, of.id, find_type(m, "unsigned int").id,
						 r->nr);
			of.size *= r->nr;
		}
		place(m, r->name, of, r->kind);
		break;
	case OP_PTR:
		place(m, r->name, (struct layout){ tn_btf_add_ptr(m->b, of.id), 8, 8 }, 0);
		break;
	case OP_SKIP:
		m->levels[m->depth - 1].bits += r->nr * 8;
		break;
	case OP_END:
		end(m, r);
		break;
	}
}

static struct tn_btf *make(struct tn_rt *rt)
{
	struct maker *m = tn_new(rt, struct maker);
	struct tn_btf *btf = NULL;

	if (m)
		m->b = tn_btf_build_new(rt, NULL);
	if (!m || !m->b) {
		tn_free(rt, m);
		return tn_err_null(-ENOMEM, "out of memory: builtin BTF");
	}
	for (size_t i = 0; i < TN_ARRAY_SIZE(rows); i++)
		add_row(m, &rows[i]);
	tn_assert(m->depth == 0);
	btf = tn_btf_build_finish(m->b);
	tn_free(rt, m);
	return btf;
}

const struct tn_btf *tn_btf_builtin(struct tn_rt *rt)
{
	/* Pairs with the exchange below: the types are filled before they are seen. */
	struct tn_btf *there = tn_load_acquire(&rt->builtin_btf), *made;

	if (there)
		return there;
	made = make(rt);
	if (!made)
		return NULL;
	tn_store_relaxed(&rt->free_builtin_btf, tn_btf_free);
	if (tn_cas_acq_rel(&rt->builtin_btf, &there, made))
		return made;
	tn_btf_free(made);
	return there;
}
