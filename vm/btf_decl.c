/* SPDX-License-Identifier: MIT */
/*
 * A declaration is written from both sides: `left` writes the specifier and the stars down to the
 * name, `right` the brackets and parameters behind it. Pointers to arrays and to functions need
 * parentheses in between.
 */
#include "vm/btf_decl.h"

#include <stdio.h>
#include <string.h>

#include "vm/btf_dump.h"

/* Pointers, arrays and functions within one declaration. The parser bounds all but pointers and
 * parameters. */
#define MAX_DEPTH 100

enum { Q_CONST = 1, Q_VOLATILE = 2, Q_RESTRICT = 4 };

static void left(struct tn_btf_decl *d, uint32_t id, unsigned int quals);
static void right(struct tn_btf_decl *d, uint32_t id);

void tn_btf_decl_put(struct tn_btf_decl *d, const char *text)
{
	size_t len = strlen(text);

	if (!len)
		return;
	d->put(d->user, text, len);
	d->last = text[len - 1];
}

static bool enter(struct tn_btf_decl *d)
{
	if (d->depth == MAX_DEPTH)
		d->too_deep = true;
	else
		d->depth++;
	return !d->too_deep;
}

static void space(struct tn_btf_decl *d)
{
	if (d->last != '*' && d->last != '(')
		tn_btf_decl_put(d, " ");
}

static void put_quals(struct tn_btf_decl *d, unsigned int quals, bool behind)
{
	static const char *const words[] = { "const", "volatile", "restrict" };

	for (unsigned int i = 0; i < 3; i++) {
		if (!(quals & 1u << i))
			continue;
		if (behind)
			space(d);
		tn_btf_decl_put(d, words[i]);
		if (!behind)
			tn_btf_decl_put(d, " ");
	}
}

/* Is this an array or function, whose brackets bind closer than a star? */
static bool binds_closer(const struct tn_btf *btf, uint32_t id)
{
	for (;;) {
		const struct tn_btf_type *t = tn_btf_type(btf, id);

		switch ((int)tn_btf_kind(t)) {
		case TN_BTF_CONST:
		case TN_BTF_VOLATILE:
		case TN_BTF_RESTRICT:
		case TN_BTF_TYPE_TAG:
			id = t->size_or_type;
			break;
		case TN_BTF_ARRAY:
		case TN_BTF_FUNC_PROTO:
			return true;
		default:
			return false;
		}
	}
}

static void left_pointer(struct tn_btf_decl *d, uint32_t to, unsigned int quals)
{
	left(d, to, 0);
	if (binds_closer(d->btf, to)) {
		tn_btf_decl_put(d, " (*");
	} else {
		space(d);
		tn_btf_decl_put(d, "*");
	}
	put_quals(d, quals, true);
}

static void left(struct tn_btf_decl *d, uint32_t id, unsigned int quals)
{
	const struct tn_btf_type *t = tn_btf_type(d->btf, id);

	if (!enter(d))
		return;
	switch ((int)tn_btf_kind(t)) {
	case TN_BTF_CONST:
		left(d, t->size_or_type, quals | Q_CONST);
		break;
	case TN_BTF_VOLATILE:
		left(d, t->size_or_type, quals | Q_VOLATILE);
		break;
	case TN_BTF_RESTRICT:
		left(d, t->size_or_type, quals | Q_RESTRICT);
		break;
	case TN_BTF_TYPE_TAG:
		left(d, t->size_or_type, quals);
		break;
	case TN_BTF_PTR:
		left_pointer(d, t->size_or_type, quals);
		break;
	case TN_BTF_ARRAY: /* qualifiers are the elements' */
		left(d, ((const struct tn_btf_array *)tn_btf_extra(t))->type, quals);
		break;
	case TN_BTF_FUNC_PROTO:
		left(d, t->size_or_type, 0);
		break;
	default:
		/* Only pointers can be restrict. */
		put_quals(d, quals & ~(unsigned int)Q_RESTRICT, false);
		d->base(d->user, id);
	}
	d->depth--;
}

static void put_name(struct tn_btf_decl *d, const char *name)
{
	if (!*name)
		return;
	space(d);
	if (d->name)
		d->name(d->user, name);
	else
		tn_btf_decl_put(d, name);
	d->last = 'x';
}

static void put_params(struct tn_btf_decl *d, const struct tn_btf_type *t)
{
	const struct tn_btf_param *p = tn_btf_extra(t);
	uint32_t nr = tn_btf_vlen(t);

	tn_btf_decl_put(d, "(");
	if (nr == 0)
		tn_btf_decl_put(d, "void");
	/* Nothing but "..." is a declaration without a prototype. */
	for (uint32_t i = 0; i < nr && !(nr == 1 && p[0].type == 0) && !d->too_deep; i++) {
		if (i)
			tn_btf_decl_put(d, ", ");
		if (p[i].type == 0) {
			tn_btf_decl_put(d, "...");
			break;
		}
		tn_btf_print_decl(d, p[i].type, tn_btf_str(d->btf, p[i].name_off));
	}
	tn_btf_decl_put(d, ")");
}

static void right(struct tn_btf_decl *d, uint32_t id)
{
	const struct tn_btf_type *t = tn_btf_type(d->btf, id);
	const struct tn_btf_array *array;
	char text[16];

	if (!enter(d))
		return;
	switch ((int)tn_btf_kind(t)) {
	case TN_BTF_PTR:
		if (binds_closer(d->btf, t->size_or_type))
			tn_btf_decl_put(d, ")");
		right(d, t->size_or_type);
		break;
	case TN_BTF_CONST:
	case TN_BTF_VOLATILE:
	case TN_BTF_RESTRICT:
	case TN_BTF_TYPE_TAG:
		right(d, t->size_or_type);
		break;
	case TN_BTF_ARRAY:
		array = tn_btf_extra(t);
		snprintf(text, sizeof(text), "[%u]", array->nelems);
		tn_btf_decl_put(d, text);
		right(d, array->type);
		break;
	case TN_BTF_FUNC_PROTO:
		put_params(d, t);
		right(d, t->size_or_type);
		break;
	default:
		break;
	}
	d->depth--;
}

void tn_btf_print_decl(struct tn_btf_decl *d, uint32_t id, const char *name)
{
	if (!enter(d))
		return;
	left(d, id, 0);
	put_name(d, name);
	right(d, id);
	d->depth--;
}

/* ---- Into a buffer, for messages ---- */

struct buffer {
	struct tn_btf_decl decl;
	char *out;
	size_t used, size;
};

static void buffer_put(void *user, const char *text, size_t len)
{
	struct buffer *b = user;

	if (len > b->size - 1 - b->used)
		len = b->size - 1 - b->used;
	memcpy(b->out + b->used, text, len);
	b->used += len;
	b->out[b->used] = 0;
	/* Nothing more to see: a hostile prototype can be very long. */
	if (b->used == b->size - 1)
		b->decl.too_deep = true;
}

static void buffer_base(void *user, uint32_t id)
{
	struct buffer *b = user;
	const struct tn_btf_type *t = tn_btf_type(b->decl.btf, id);
	const char *name = tn_btf_str(b->decl.btf, t->name_off);
	enum tn_btf_kind kind = tn_btf_kind(t);
	const char *tag = "";

	if (kind == TN_BTF_STRUCT || (kind == TN_BTF_FWD && !tn_btf_kflag(t)))
		tag = "struct ";
	else if (kind == TN_BTF_UNION || kind == TN_BTF_FWD)
		tag = "union ";
	else if (kind == TN_BTF_ENUM || kind == TN_BTF_ENUM64)
		tag = "enum ";
	tn_btf_decl_put(&b->decl, tag);
	if (!*name)
		name = kind == TN_BTF_VOID ? "void" : *tag ? "{...}" : tn_btf_kind_name(kind);
	tn_btf_decl_put(&b->decl, name);
}

static const char *format(const struct tn_btf *btf, uint32_t id, const char *name, char *out,
			  size_t size)
{
	struct buffer b = { .decl = { .btf = btf, .put = buffer_put, .base = buffer_base },
			    .out = out,
			    .size = size };

	b.decl.user = &b;
	out[0] = 0;
	if (size > 1 && tn_btf_type(btf, id))
		tn_btf_print_decl(&b.decl, id, name);
	return out;
}

const char *tn_btf_format_decl(const struct tn_btf *btf, uint32_t id, const char *name, char *out,
			       size_t size)
{
	return format(btf, id, name, out, size);
}

const char *tn_btf_format_func(const struct tn_btf *btf, uint32_t proto, const char *name,
			       char *out, size_t size)
{
	const struct tn_btf_type *t = tn_btf_type(btf, proto);

	if (t && tn_btf_kind(t) == TN_BTF_FUNC) {
		if (!*name)
			name = tn_btf_str(btf, t->name_off);
		proto = t->size_or_type;
	}
	return format(btf, proto, name, out, size);
}
