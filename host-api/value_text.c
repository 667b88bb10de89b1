/* SPDX-License-Identifier: MIT */
#include "host-api/value_text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

#define MAX_DEPTH 32u
/* Types, members and elements of one value: unions in unions need few bytes for many of them. */
#define MAX_WORK 65536u

void tn_text_put(struct tn_text *t, const char *fmt, ...)
{
	size_t cap = TN_MAX(t->cap, (size_t)256);
	va_list ap, again;
	int n;
	char *s;

	va_start(ap, fmt);
	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	while (n >= 0 && cap - t->len <= (size_t)n)
		cap *= 2;
	if (!t->failed && cap != t->cap) {
		s = tn_realloc_array(t->rt, t->s, cap, 1);
		t->failed = !s;
		t->s = s ? s : t->s;
		t->cap = s ? cap : t->cap;
	}
	if (!t->failed && n >= 0)
		t->len += (size_t)vsnprintf(t->s + t->len, t->cap - t->len, fmt, again);
	va_end(again);
}

void tn_text_free(struct tn_text *t)
{
	tn_free(t->rt, t->s);
	*t = (struct tn_text){ .rt = t->rt };
}

struct printer {
	struct tn_text *t;
	const struct tn_btf *btf;
	const unsigned char *data;
	bool json;
	uint32_t work; /* left */
};

static void put_bytes(struct tn_text *t, const unsigned char *data, size_t size, bool json)
{
	tn_text_put(t, json ? "[" : "");
	for (size_t i = 0; i < size; i++)
		tn_text_put(t, json ? "%s\"0x%02x\"" : "%s%02x", i ? (json ? "," : " ") : "",
			    data[i]);
	tn_text_put(t, json ? "]" : "");
}

/* `bits` bits from bit `at` on, as little-endian machines number them; at most 64. */
static uint64_t read_bits(const unsigned char *data, uint64_t at, uint32_t bits)
{
	uint64_t v = 0;

	for (uint32_t i = 0; i < bits; i++)
		v |= (uint64_t)(data[(at + i) / 8] >> (at + i) % 8 & 1) << i;
	return v;
}

static int64_t extend(uint64_t v, uint32_t bits)
{
	return bits && bits < 64 ? (int64_t)(v << (64 - bits)) >> (64 - bits) : (int64_t)v;
}

static void put_wide(struct printer *p, const unsigned char *data, int64_t bytes)
{
	tn_text_put(p->t, p->json ? "\"0x" : "0x");
	for (int64_t i = bytes; i--;)
		tn_text_put(p->t, "%02x", data[i]);
	tn_text_put(p->t, p->json ? "\"" : "");
}

static void put_int(struct printer *p, const struct tn_btf_type *type, uint64_t at, uint32_t bits)
{
	uint32_t word = *(const uint32_t *)tn_btf_extra(type);
	uint32_t encoding = tn_btf_int_encoding(word);
	uint64_t v;

	at += tn_btf_int_offset(word);
	bits = bits ? bits : tn_btf_int_bits(word);
	if (bits > 64) {
		put_wide(p, p->data + at / 8, (int64_t)bits / 8);
		return;
	}
	v = read_bits(p->data, at, bits);
	if (encoding & TN_BTF_INT_BOOL)
		tn_text_put(p->t, "%s", v ? "true" : "false");
	else if (encoding & TN_BTF_INT_SIGNED)
		tn_text_put(p->t, "%" PRId64, extend(v, bits));
	else
		tn_text_put(p->t, "%" PRIu64, v);
}

/* Whatever BTF from elsewhere calls it. */
static void put_name(struct printer *p, const char *name)
{
	for (; *name; name++)
		tn_text_put(p->t, "%c",
			    *name > ' ' && *name <= '~' && *name != '"' && *name != '\\' ? *name
											 : '?');
}

static void put_enum(struct printer *p, const struct tn_btf_type *type, uint64_t at, uint32_t bits)
{
	bool wide = tn_btf_kind(type) == TN_BTF_ENUM64;
	const uint32_t *e = tn_btf_extra(type);
	uint64_t v;

	bits = bits ? bits : 8 * type->size_or_type;
	v = read_bits(p->data, at, TN_MIN(bits, 64u));
	for (uint32_t i = 0; i < tn_btf_vlen(type); i++, e += wide ? 3 : 2) {
		uint64_t have = wide ? e[1] | (uint64_t)e[2] << 32 : e[1];

		if (bits < 64)
			have &= (UINT64_C(1) << bits) - 1;
		if (have == v) {
			tn_text_put(p->t, p->json ? "\"" : "");
			put_name(p, tn_btf_str(p->btf, e[0]));
			tn_text_put(p->t, p->json ? "\"" : "");
			return;
		}
	}
	if (tn_btf_kflag(type))
		tn_text_put(p->t, "%" PRId64, extend(v, bits));
	else
		tn_text_put(p->t, "%" PRIu64, v);
}

static void put_float(struct printer *p, uint64_t at, uint32_t size)
{
	double d;
	float f;

	if (size == sizeof(d)) {
		memcpy(&d, p->data + at / 8, sizeof(d));
	} else if (size == sizeof(f)) {
		memcpy(&f, p->data + at / 8, sizeof(f));
		d = (double)f;
	} else {
		put_wide(p, p->data + at / 8, size);
		return;
	}
	/* JSON knows no infinities. */
	if (d - d == 0)
		tn_text_put(p->t, "%.17g", d);
	else
		tn_text_put(p->t, p->json ? "\"%g\"" : "%g", d);
}

/* char[]: text up to its NUL where it is text, and zeros after it. */
static bool is_text(const struct printer *p, const struct tn_btf_array *array,
		    const unsigned char *data)
{
	const struct tn_btf_type *type = tn_btf_type(p->btf, tn_btf_skip_mods(p->btf, array->type));
	uint32_t len = 0;

	if (tn_btf_kind(type) != TN_BTF_INT || type->size_or_type != 1 ||
	    strcmp(tn_btf_str(p->btf, type->name_off), "char") != 0)
		return false;
	while (len < array->nelems && data[len] >= ' ' && data[len] <= '~')
		len++;
	if (len == array->nelems)
		return len != 0;
	while (len < array->nelems && !data[len])
		len++;
	return len == array->nelems;
}

static void put_text(struct printer *p, const unsigned char *s, uint32_t max)
{
	tn_text_put(p->t, "\"");
	for (uint32_t i = 0; i < max && s[i]; i++)
		tn_text_put(p->t, s[i] == '"' || s[i] == '\\' ? "\\%c" : "%c", s[i]);
	tn_text_put(p->t, "\"");
}

static void put_type(struct printer *p, uint32_t id, uint64_t at, uint32_t bits, uint32_t depth);

static void put_array(struct printer *p, const struct tn_btf_array *array, uint64_t at,
		      uint32_t depth)
{
	int64_t size = tn_btf_size_of(p->btf, array->type);

	if (is_text(p, array, p->data + at / 8)) {
		put_text(p, p->data + at / 8, array->nelems);
		return;
	}
	tn_text_put(p->t, p->json ? "[" : "{ ");
	for (uint32_t i = 0; i < array->nelems && size > 0 && p->work && !p->t->failed; i++) {
		tn_text_put(p->t, "%s", i ? (p->json ? "," : ", ") : "");
		put_type(p, array->type, at + 8 * (uint64_t)size * i, 0, depth + 1);
	}
	tn_text_put(p->t, p->json ? "]" : " }");
}

static void put_members(struct printer *p, const struct tn_btf_type *type, uint64_t at,
			uint32_t depth)
{
	const struct tn_btf_member *m = tn_btf_extra(type);
	uint32_t unnamed = 0;

	tn_text_put(p->t, p->json ? "{" : "{ ");
	for (uint32_t i = 0; i < tn_btf_vlen(type) && p->work && !p->t->failed; i++) {
		const char *name = tn_btf_str(p->btf, m[i].name_off);
		uint32_t bits = tn_btf_kflag(type) ? tn_btf_member_bit_size(type, &m[i]) : 0;

		tn_text_put(p->t, "%s", i ? (p->json ? "," : ", ") : "");
		tn_text_put(p->t, p->json ? "\"" : *name ? "." : "");
		if (p->json && !*name)
			tn_text_put(p->t, "(unnamed%u)", unnamed++);
		put_name(p, name);
		tn_text_put(p->t, p->json ? "\":" : *name ? " = " : "");
		put_type(p, m[i].type, at + tn_btf_member_bit_off(type, &m[i]), bits, depth + 1);
	}
	tn_text_put(p->t, p->json ? "}" : " }");
}

static void put_type(struct printer *p, uint32_t id, uint64_t at, uint32_t bits, uint32_t depth)
{
	const struct tn_btf_type *type;

	id = tn_btf_skip_mods(p->btf, id);
	type = tn_btf_type(p->btf, id);
	if (depth > MAX_DEPTH || !p->work) {
		tn_text_put(p->t, p->json ? "null" : "...");
		return;
	}
	p->work--;
	switch ((int)tn_btf_kind(type)) {
	case TN_BTF_INT:
		put_int(p, type, at, bits);
		return;
	case TN_BTF_ENUM:
	case TN_BTF_ENUM64:
		put_enum(p, type, at, bits);
		return;
	case TN_BTF_PTR:
		tn_text_put(p->t, p->json ? "\"0x%" PRIx64 "\"" : "0x%" PRIx64,
			    read_bits(p->data, at, 64));
		return;
	case TN_BTF_FLOAT:
		put_float(p, at, type->size_or_type);
		return;
	case TN_BTF_ARRAY:
		put_array(p, tn_btf_extra(type), at, depth);
		return;
	case TN_BTF_STRUCT:
	case TN_BTF_UNION:
		put_members(p, type, at, depth);
		return;
	default:
		tn_text_put(p->t, p->json ? "null" : "?");
	}
}

void tn_text_value(struct tn_text *t, const struct tn_btf *btf, uint32_t id, const void *data,
		   size_t size, bool json)
{
	struct printer p = { .t = t, .btf = btf, .data = data, .json = json, .work = MAX_WORK };

	if (btf && id && id < btf->nr_types && tn_btf_size_of(btf, id) == (int64_t)size)
		put_type(&p, id, 0, 0, 0);
	else
		put_bytes(t, data, size, json);
}
