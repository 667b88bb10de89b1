/* SPDX-License-Identifier: MIT */
/*
 * BTF as bpftool prints it, in text and in JSON. Both are made by the same calls: a type is a head
 * with attributes and a list of parts with attributes; text puts each on a line of its own.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/vec.h"
#include "vm/btf_dump.h"

struct raw {
	const struct tn_btf *btf;
	tn_btf_line_fn line;
	void *user;
	bool json;
	TN_VEC(char) text;
	uint32_t nr_parts;
	int err;
};

static void put(struct raw *r, const char *s, size_t len)
{
	if (!r->err && tn_vec_reserve(r->btf->rt, (void **)&r->text.v, &r->text.cap,
				      r->text.nr + (uint32_t)len + 1, 1))
		r->err = tn_err_nomem("BTF dump");
	if (r->err)
		return;
	memcpy(r->text.v + r->text.nr, s, len);
	r->text.nr += (uint32_t)len;
	r->text.v[r->text.nr] = 0;
}

static void putf(struct raw *r, const char *fmt, ...) TN_PRINTF(2, 3);

static void putf(struct raw *r, const char *fmt, ...)
{
	char buf[128];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	put(r, buf, (size_t)n);
}

static void put_line(struct raw *r)
{
	if (!r->err && r->text.nr)
		r->err = r->line(r->user, r->text.v);
	r->text.nr = 0;
}

/* A name: 'int', or with JSON's quotes. Tags may hold control characters, which a line does not. */
static void put_name(struct raw *r, const char *name)
{
	if (!*name)
		name = "(anon)";
	put(r, r->json ? "\"" : "'", 1);
	for (const char *c = name; *c; c++) {
		if ((unsigned char)*c < ' ' || *c == 0x7f) {
			putf(r, "\\u%04x", (unsigned int)*c);
			continue;
		}
		if (r->json && (*c == '"' || *c == '\\'))
			put(r, "\\", 1);
		put(r, c, 1);
	}
	put(r, r->json ? "\"" : "'", 1);
}

static void num(struct raw *r, const char *key, uint64_t value)
{
	putf(r, r->json ? ",\"%s\":%" PRIu64 : " %s=%" PRIu64, key, value);
}

static void word(struct raw *r, const char *key, const char *value)
{
	putf(r, r->json ? ",\"%s\":\"%s\"" : " %s=%s", key, value);
}

/* ---- Parts: members, values, parameters, variables ---- */

static void begin_part(struct raw *r, const char *list)
{
	if (r->json) {
		if (r->nr_parts++)
			put(r, ",{", 2);
		else
			putf(r, ",\"%s\":[{", list);
		return;
	}
	put_line(r);
	put(r, "\t", 1);
}

static void end_part(struct raw *r)
{
	if (r->json)
		put(r, "}", 1);
}

static void part_name(struct raw *r, const char *name)
{
	if (r->json)
		put(r, "\"name\":", 7);
	put_name(r, name);
}

static void put_members(struct raw *r, const struct tn_btf_type *t)
{
	const struct tn_btf_member *m = tn_btf_extra(t);

	num(r, "size", t->size_or_type);
	num(r, "vlen", tn_btf_vlen(t));
	for (uint32_t i = 0; i < tn_btf_vlen(t); i++) {
		begin_part(r, "members");
		part_name(r, tn_btf_str(r->btf, m[i].name_off));
		num(r, "type_id", m[i].type);
		num(r, "bits_offset", tn_btf_member_bit_off(t, &m[i]));
		if (tn_btf_member_bit_size(t, &m[i]))
			num(r, "bitfield_size", tn_btf_member_bit_size(t, &m[i]));
		end_part(r);
	}
}

static void put_value(struct raw *r, uint64_t value, bool is_signed, bool is_long)
{
	const char *suffix = r->json || !is_long ? "" : is_signed ? "LL" : "ULL";

	if (is_signed)
		putf(r, "%" PRId64 "%s", (int64_t)value, suffix);
	else
		putf(r, "%" PRIu64 "%s", value, suffix);
}

static void put_values(struct raw *r, const struct tn_btf_type *t)
{
	bool is_long = tn_btf_kind(t) == TN_BTF_ENUM64, is_signed = tn_btf_kflag(t);
	const uint32_t *e = tn_btf_extra(t);

	word(r, "encoding", is_signed ? "SIGNED" : "UNSIGNED");
	num(r, "size", t->size_or_type);
	num(r, "vlen", tn_btf_vlen(t));
	for (uint32_t i = 0; i < tn_btf_vlen(t); i++) {
		uint64_t value = e[1];

		if (is_long)
			value |= (uint64_t)e[2] << 32;
		else if (is_signed)
			value = (uint64_t)(int64_t)(int32_t)e[1];
		begin_part(r, "values");
		part_name(r, tn_btf_str(r->btf, e[0]));
		putf(r, r->json ? ",\"val\":" : " val=");
		put_value(r, value, is_signed, is_long);
		end_part(r);
		e += is_long ? 3 : 2;
	}
}

static void put_params(struct raw *r, const struct tn_btf_type *t)
{
	const struct tn_btf_param *p = tn_btf_extra(t);

	num(r, "ret_type_id", t->size_or_type);
	num(r, "vlen", tn_btf_vlen(t));
	for (uint32_t i = 0; i < tn_btf_vlen(t); i++) {
		begin_part(r, "params");
		part_name(r, tn_btf_str(r->btf, p[i].name_off));
		num(r, "type_id", p[i].type);
		end_part(r);
	}
}

static void put_kind(struct raw *r, const struct tn_btf_type *t)
{
	for (const char *c = tn_btf_kind_name(tn_btf_kind(t)); *c; c++) {
		char upper = *c >= 'a' && *c <= 'z' ? (char)(*c - 'a' + 'A') : *c;

		put(r, &upper, 1);
	}
}

static void put_section_vars(struct raw *r, const struct tn_btf_type *t)
{
	const struct tn_btf_var_secinfo *v = tn_btf_extra(t);

	num(r, "size", t->size_or_type);
	num(r, "vlen", tn_btf_vlen(t));
	for (uint32_t i = 0; i < tn_btf_vlen(t); i++) {
		const struct tn_btf_type *of = tn_btf_type(r->btf, v[i].type);

		begin_part(r, "vars");
		putf(r, r->json ? "\"type_id\":%u" : "type_id=%u", v[i].type);
		num(r, "offset", v[i].offset);
		num(r, "size", v[i].size);
		if (!r->json) {
			put(r, " (", 2);
			put_kind(r, of);
			put(r, " ", 1);
			put_name(r, tn_btf_str(r->btf, of->name_off));
			put(r, ")", 1);
		}
		end_part(r);
	}
}

/* ---- Types ---- */

static const char *encoding_name(uint32_t encoding)
{
	switch (encoding) {
	case 0:
		return "(none)";
	case TN_BTF_INT_SIGNED:
		return "SIGNED";
	case TN_BTF_INT_CHAR:
		return "CHAR";
	case TN_BTF_INT_BOOL:
		return "BOOL";
	default:
		return "UNKN";
	}
}

static const char *linkage_name(uint32_t linkage)
{
	static const char *const names[] = { "static", "global", "extern" };

	return linkage < TN_ARRAY_SIZE(names) ? names[linkage] : "(unknown)";
}

static void put_int(struct raw *r, const struct tn_btf_type *t)
{
	uint32_t data = *(const uint32_t *)tn_btf_extra(t);

	num(r, "size", t->size_or_type);
	num(r, "bits_offset", tn_btf_int_offset(data));
	num(r, "nr_bits", tn_btf_int_bits(data));
	word(r, "encoding", encoding_name(tn_btf_int_encoding(data)));
}

static void put_attributes(struct raw *r, const struct tn_btf_type *t)
{
	const uint32_t *extra = tn_btf_extra(t);

	switch (tn_btf_kind(t)) {
	case TN_BTF_INT:
		put_int(r, t);
		break;
	case TN_BTF_ARRAY:
		num(r, "type_id", extra[0]);
		num(r, "index_type_id", extra[1]);
		num(r, "nr_elems", extra[2]);
		break;
	case TN_BTF_STRUCT:
	case TN_BTF_UNION:
		put_members(r, t);
		break;
	case TN_BTF_ENUM:
	case TN_BTF_ENUM64:
		put_values(r, t);
		break;
	case TN_BTF_FWD:
		word(r, "fwd_kind", tn_btf_kflag(t) ? "union" : "struct");
		break;
	case TN_BTF_FUNC:
		num(r, "type_id", t->size_or_type);
		word(r, "linkage", linkage_name(tn_btf_vlen(t)));
		break;
	case TN_BTF_FUNC_PROTO:
		put_params(r, t);
		break;
	case TN_BTF_VAR:
		num(r, "type_id", t->size_or_type);
		if (!r->json)
			put(r, ",", 1);
		word(r, "linkage", linkage_name(extra[0]));
		break;
	case TN_BTF_DATASEC:
		put_section_vars(r, t);
		break;
	case TN_BTF_FLOAT:
		num(r, "size", t->size_or_type);
		break;
	case TN_BTF_DECL_TAG:
		num(r, "type_id", t->size_or_type);
		putf(r, r->json ? ",\"component_idx\":%d" : " component_idx=%d", (int)extra[0]);
		break;
	case TN_BTF_PTR:
	case TN_BTF_TYPEDEF:
	case TN_BTF_VOLATILE:
	case TN_BTF_CONST:
	case TN_BTF_RESTRICT:
	case TN_BTF_TYPE_TAG:
		num(r, "type_id", t->size_or_type);
		break;
	case TN_BTF_VOID:
	case TN_BTF_NR_KINDS:
		break;
	}
}

static void put_type(struct raw *r, uint32_t id)
{
	const struct tn_btf_type *t = tn_btf_type(r->btf, id);

	r->nr_parts = 0;
	putf(r, r->json ? "{\"id\":%u,\"kind\":\"" : "[%u] ", id);
	put_kind(r, t);
	put(r, r->json ? "\",\"name\":" : " ", r->json ? 9 : 1);
	put_name(r, tn_btf_str(r->btf, t->name_off));
	put_attributes(r, t);
	if (r->json) {
		const char *list = tn_btf_is_composite(t) ? "members"
				   : tn_btf_kind(t) == TN_BTF_ENUM ||
						   tn_btf_kind(t) == TN_BTF_ENUM64
					   ? "values"
				   : tn_btf_kind(t) == TN_BTF_FUNC_PROTO ? "params"
				   : tn_btf_kind(t) == TN_BTF_DATASEC	 ? "vars"
									 : NULL;

		if (r->nr_parts)
			put(r, "]", 1);
		else if (list)
			putf(r, ",\"%s\":[]", list);
		put(r, "}", 1);
	}
	put_line(r);
}

int tn_btf_dump_raw(const struct tn_btf *btf, uint32_t first, uint32_t end, bool json,
		    tn_btf_line_fn line, void *user)
{
	struct raw r = { .btf = btf, .line = line, .user = user, .json = json };

	for (uint32_t id = first ? first : 1; id < end && id < btf->nr_types && !r.err; id++)
		put_type(&r, id);
	tn_vec_free(btf->rt, &r.text);
	return r.err;
}
