/* SPDX-License-Identifier: MIT */
/*
 * A plugin's declaration of a function against the host's. Calls are proved against the host's
 * alone: what is compared here is whether the plugin's author and compiler meant the same function.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "host-api/btf_types.h"
#include "vm/btf_decl.h"

#define MAX_DEPTH  8
#define MAX_VISITS 4096
#define MAX_TEXT   400

/* ---- C text ---- */

static bool is_struct(enum tn_btf_kind kind)
{
	return kind == TN_BTF_STRUCT || kind == TN_BTF_UNION || kind == TN_BTF_FWD;
}

static bool is_union(const struct tn_btf_type *t)
{
	return tn_btf_kind(t) == TN_BTF_UNION || (tn_btf_kind(t) == TN_BTF_FWD && tn_btf_kflag(t));
}

static bool is_enum(enum tn_btf_kind kind)
{
	return kind == TN_BTF_ENUM || kind == TN_BTF_ENUM64;
}

struct text {
	struct tn_btf_decl decl;
	char buf[MAX_TEXT];
	size_t len;
};

/* What does not fit is left out, and not worked on any more. */
static void put(void *user, const char *text, size_t len)
{
	struct text *t = user;

	if (len >= sizeof(t->buf) - t->len) {
		t->decl.too_deep = true;
		return;
	}
	memcpy(t->buf + t->len, text, len);
	t->len += len;
	t->buf[t->len] = 0;
}

static void put_base(void *user, uint32_t id)
{
	struct text *t = user;
	const struct tn_btf_type *type = tn_btf_type(t->decl.btf, id);
	enum tn_btf_kind kind = tn_btf_kind(type);

	if (kind == TN_BTF_VOID) {
		tn_btf_decl_put(&t->decl, "void");
		return;
	}
	if (is_struct(kind))
		tn_btf_decl_put(&t->decl, is_union(type) ? "union " : "struct ");
	else if (is_enum(kind))
		tn_btf_decl_put(&t->decl, "enum ");
	tn_btf_decl_put(&t->decl, tn_btf_str(t->decl.btf, type->name_off));
}

static void declare(struct text *t, const struct tn_btf *btf, uint32_t id, const char *name)
{
	*t = (struct text){ .decl = { .btf = btf, .put = put, .base = put_base, .user = t } };
	tn_btf_print_decl(&t->decl, id, name);
	if (t->decl.too_deep && t->len + 4 < sizeof(t->buf))
		strcpy(t->buf + t->len, "...");
}

static const char *const ctype_words[TN_C_NR] = {
	[TN_C_VOID] = "void",	   [TN_C_BOOL] = "bool",
	[TN_C_I8] = "signed char", [TN_C_U8] = "unsigned char",
	[TN_C_I16] = "short",	   [TN_C_U16] = "unsigned short",
	[TN_C_I32] = "int",	   [TN_C_U32] = "unsigned int",
	[TN_C_I64] = "long long",  [TN_C_U64] = "unsigned long long",
	[TN_C_F32] = "float",	   [TN_C_F64] = "double",
	[TN_C_PTR] = "void *",	   [TN_C_STRUCT] = "struct",
};

static void arg_text(const struct tn_arg *arg, char *to, size_t size)
{
	switch ((int)arg->kind) {
	case TN_ARG_HANDLE:
		snprintf(to, size, "struct %s *", arg->handle);
		break;
	case TN_ARG_STR:
		snprintf(to, size, "const char *");
		break;
	case TN_ARG_MEM:
		snprintf(to, size, "const void *");
		break;
	case TN_ARG_WMEM_FIXED:
	case TN_ARG_MEM_FIXED:
		snprintf(to, size, "%s%s *", arg->kind == TN_ARG_MEM_FIXED ? "const " : "",
			 arg->nr_members ? ctype_words[arg->members[0]] : "void");
		break;
	case TN_ARG_STRUCT:
		snprintf(to, size, "const void *");
		break;
	default:
		snprintf(to, size, "%s", ctype_words[arg->ctype]);
	}
}

/* A text signature as C. */
static void sig_text(const struct tn_sig *sig, const char *name, char *to, size_t size)
{
	char one[64];
	size_t len;

	if (sig->ret == TN_RET_HANDLE)
		snprintf(one, sizeof(one), "struct %s *", sig->ret_handle);
	else
		snprintf(one, sizeof(one), "%s ", ctype_words[sig->ret_ctype]);
	len = (size_t)snprintf(to, size, "%s%.64s(%s", one, name,
			       sig->nr_args || sig->flags & TN_SIG_VARIADIC ? "" : "void");
	for (uint32_t i = 0; i < sig->nr_args && len + 1 < size; i++) {
		arg_text(&sig->args[i], one, sizeof(one));
		len += (size_t)snprintf(to + len, size - len, "%s%s", i ? ", " : "", one);
	}
	if (sig->flags & TN_SIG_VARIADIC && len + 1 < size)
		len += (size_t)snprintf(to + len, size - len, "%s...", sig->nr_args ? ", " : "");
	if (len + 1 < size)
		snprintf(to + len, size - len, ")");
}

/* ---- Two types ---- */

struct pair {
	const struct tn_btf *a, *b; /* the plugin's and the host's */
	uint32_t left;		    /* visits */
};

static bool same_name(const struct pair *p, const struct tn_btf_type *a,
		      const struct tn_btf_type *b)
{
	const char *x = tn_btf_str(p->a, a->name_off), *y = tn_btf_str(p->b, b->name_off);
	size_t len = tn_btf_essential_len(x);

	return len == tn_btf_essential_len(y) && !memcmp(x, y, len);
}

static uint32_t encoding(const struct tn_btf_type *t)
{
	uint32_t word;

	memcpy(&word, tn_btf_extra(t), sizeof(word));
	return tn_btf_int_encoding(word) & (TN_BTF_INT_SIGNED | TN_BTF_INT_BOOL);
}

/* Programs hold floating point as the number that its bits are. */
static bool is_bits_of(const struct tn_btf_type *a, const struct tn_btf_type *b)
{
	return tn_btf_kind(a) == TN_BTF_INT && tn_btf_kind(b) == TN_BTF_FLOAT &&
	       !(encoding(a) & TN_BTF_INT_BOOL) && a->size_or_type == b->size_or_type;
}

static bool agree(struct pair *p, uint32_t a, uint32_t b, uint32_t depth);

static bool protos_agree(struct pair *p, const struct tn_btf_type *a, const struct tn_btf_type *b,
			 uint32_t depth)
{
	const struct tn_btf_param *pa = tn_btf_extra(a), *pb = tn_btf_extra(b);

	if (tn_btf_vlen(a) != tn_btf_vlen(b) || !agree(p, a->size_or_type, b->size_or_type, depth))
		return false;
	for (uint32_t i = 0; i < tn_btf_vlen(a); i++) {
		/* The type of `...` is 0, too. */
		if (!agree(p, pa[i].type, pb[i].type, depth))
			return false;
	}
	return true;
}

/* Qualifiers and typedefs are no difference, nor is an enum for a number of its size. */
static bool agree(struct pair *p, uint32_t a, uint32_t b, uint32_t depth)
{
	const struct tn_btf_type *x = tn_btf_type(p->a, tn_btf_skip_mods(p->a, a));
	const struct tn_btf_type *y = tn_btf_type(p->b, tn_btf_skip_mods(p->b, b));
	enum tn_btf_kind kx = tn_btf_kind(x), ky = tn_btf_kind(y);

	if (depth > MAX_DEPTH || !p->left)
		return false;
	p->left--;
	if (is_struct(kx) && is_struct(ky))
		return is_union(x) == is_union(y) && same_name(p, x, y);
	if (is_enum(kx) && is_enum(ky))
		return x->size_or_type == y->size_or_type && same_name(p, x, y);
	if ((is_enum(kx) && ky == TN_BTF_INT) || (kx == TN_BTF_INT && is_enum(ky)))
		return x->size_or_type == y->size_or_type;
	if (is_bits_of(x, y))
		return true;
	if (kx != ky)
		return false;
	switch ((int)kx) {
	case TN_BTF_VOID:
		return true;
	case TN_BTF_INT:
		return x->size_or_type == y->size_or_type && encoding(x) == encoding(y);
	case TN_BTF_FLOAT:
		return x->size_or_type == y->size_or_type;
	case TN_BTF_PTR:
		return agree(p, x->size_or_type, y->size_or_type, depth + 1);
	case TN_BTF_ARRAY:
		return ((const struct tn_btf_array *)tn_btf_extra(x))->nelems ==
			       ((const struct tn_btf_array *)tn_btf_extra(y))->nelems &&
		       agree(p, ((const struct tn_btf_array *)tn_btf_extra(x))->type,
			     ((const struct tn_btf_array *)tn_btf_extra(y))->type, depth + 1);
	case TN_BTF_FUNC_PROTO:
		return protos_agree(p, x, y, depth + 1);
	default:
		return false;
	}
}

/* ---- A type and a text signature ---- */

static bool number_fits(const struct tn_btf_type *t, uint8_t ctype)
{
	static const uint8_t sizes[TN_C_NR] = {
		[TN_C_BOOL] = 1, [TN_C_I8] = 1,	 [TN_C_U8] = 1,	 [TN_C_I16] = 2,
		[TN_C_U16] = 2,	 [TN_C_I32] = 4, [TN_C_U32] = 4, [TN_C_I64] = 8,
		[TN_C_U64] = 8,	 [TN_C_F32] = 4, [TN_C_F64] = 8,
	};
	bool want_signed = ctype == TN_C_I8 || ctype == TN_C_I16 || ctype == TN_C_I32 ||
			   ctype == TN_C_I64;

	if (t->size_or_type != sizes[ctype])
		return false;
	if (is_enum(tn_btf_kind(t)) || ctype == TN_C_F32 || ctype == TN_C_F64)
		return is_enum(tn_btf_kind(t)) || tn_btf_kind(t) == TN_BTF_INT ||
		       tn_btf_kind(t) == TN_BTF_FLOAT;
	if (tn_btf_kind(t) != TN_BTF_INT)
		return false;
	/* A bool may be declared as the byte that it is. */
	return ctype == TN_C_BOOL || ((encoding(t) & TN_BTF_INT_SIGNED) != 0) == want_signed;
}

/* A pointer to the structure; to nothing in particular, or to one that stands for it. */
static bool handle_fits(const struct tn_btf *btf, const struct tn_btf_type *t, const char *name)
{
	const struct tn_btf_type *to;
	const char *have;
	bool is_const;

	if (tn_btf_kind(t) != TN_BTF_PTR)
		return false;
	to = tn_btf_type(btf, tn_btf_pointee(btf, t, &is_const));
	have = tn_btf_str(btf, to->name_off);
	if (tn_btf_kind(to) == TN_BTF_VOID)
		return true;
	return is_struct(tn_btf_kind(to)) && strlen(name) == tn_btf_essential_len(have) &&
	       !strncmp(name, have, strlen(name));
}

static bool arg_fits(const struct tn_btf *btf, uint32_t id, const struct tn_arg *arg)
{
	const struct tn_btf_type *t = tn_btf_type(btf, tn_btf_skip_mods(btf, id));

	switch ((int)arg->kind) {
	case TN_ARG_SCALAR:
		return number_fits(t, arg->ctype);
	case TN_ARG_SIZE:
	case TN_ARG_SIZE_OR_ZERO:
		return tn_btf_kind(t) == TN_BTF_INT || is_enum(tn_btf_kind(t));
	case TN_ARG_HANDLE:
		return handle_fits(btf, t, arg->handle);
	default:
		return tn_btf_kind(t) == TN_BTF_PTR;
	}
}

static bool fits(const struct tn_btf *btf, const struct tn_btf_type *proto,
		 const struct tn_sig *sig)
{
	const struct tn_btf_param *p = tn_btf_extra(proto);
	const struct tn_btf_type *ret = tn_btf_type(btf,
						    tn_btf_skip_mods(btf, proto->size_or_type));
	uint32_t nr = tn_btf_vlen(proto);

	if (nr && !p[nr - 1].type) {
		if (!(sig->flags & TN_SIG_VARIADIC))
			return false;
		nr--;
	}
	/* Behind `...` a plugin may declare what it passes. */
	if (nr != sig->nr_args && !(sig->flags & TN_SIG_VARIADIC && nr > sig->nr_args))
		return false;
	if (sig->ret == TN_RET_HANDLE ? !handle_fits(btf, ret, sig->ret_handle)
	    : sig->ret == TN_RET_VOID ? tn_btf_kind(ret) != TN_BTF_VOID
				      : !number_fits(ret, sig->ret_ctype))
		return false;
	for (uint32_t i = 0; i < sig->nr_args; i++) {
		if (!arg_fits(btf, p[i].type, &sig->args[i]))
			return false;
	}
	return true;
}

int tn_proto_check(const struct tn_btf *btf, uint32_t func, const struct tn_proto *host,
		   const struct tn_sig *sig, const char *name)
{
	const struct tn_btf_type *t = tn_btf_type(btf, func);
	struct pair pair = { .a = btf, .left = MAX_VISITS };
	struct text plugin_text, host_text;

	/* Without BTF nothing is declared. */
	if (!t || tn_btf_kind(t) != TN_BTF_FUNC)
		return 0;
	if (host) {
		pair.b = host->btf;
		if (agree(&pair, t->size_or_type, host->proto, 0))
			return 0;
		declare(&host_text, host->btf, host->proto, name);
	} else {
		if (fits(btf, tn_btf_type(btf, t->size_or_type), sig))
			return 0;
		sig_text(sig, name, host_text.buf, sizeof(host_text.buf));
	}
	declare(&plugin_text, btf, t->size_or_type, name);
	return tn_err(-EPROTO, "helper '%s': the plugin declares '%s', the host has '%s'", name,
		      plugin_text.buf, host_text.buf);
}

int tn_var_check(const struct tn_btf *btf, uint32_t var, const struct tn_btf *host,
		 uint32_t host_var, const char *name)
{
	const struct tn_btf_type *x = tn_btf_type(btf, var), *y = tn_btf_type(host, host_var);
	struct pair pair = { .a = btf, .b = host, .left = MAX_VISITS };
	struct text plugin_text, host_text;

	if (agree(&pair, x->size_or_type, y->size_or_type, 0))
		return 0;
	declare(&plugin_text, btf, x->size_or_type, name);
	declare(&host_text, host, y->size_or_type, name);
	return tn_err(-EPROTO, "variable '%s': the plugin declares '%s', the host has '%s'", name,
		      plugin_text.buf, host_text.buf);
}

int tn_var_check_struct(const struct tn_btf *btf, uint32_t var, const char *type, const char *name)
{
	const struct tn_btf_type *x = tn_btf_type(btf, var), *t;
	struct text plugin_text;

	t = tn_btf_type(btf, tn_btf_skip_mods(btf, x->size_or_type));
	if (is_struct(tn_btf_kind(t)) && !is_union(t)) {
		const char *have = tn_btf_str(btf, t->name_off);

		if (strlen(type) == tn_btf_essential_len(have) &&
		    !strncmp(type, have, strlen(type)))
			return 0;
	}
	declare(&plugin_text, btf, x->size_or_type, name);
	return tn_err(-EPROTO,
		      "variable '%s': the plugin declares '%s', the host has 'struct %s %s'", name,
		      plugin_text.buf, type, name);
}

int tn_proto_check_member(const struct tn_proto *plugin, const struct tn_proto *host,
			  const char *type)
{
	struct pair pair = { .a = plugin->btf, .b = host->btf, .left = MAX_VISITS };
	struct text plugin_text, host_text;

	if (agree(&pair, plugin->proto, host->proto, 0))
		return 0;
	declare(&plugin_text, plugin->btf, plugin->proto, host->name);
	declare(&host_text, host->btf, host->proto, host->name);
	return tn_err(-EPROTO,
		      "struct_ops '%s', member '%s': the plugin declares '%s', the host '%s'", type,
		      host->name, plugin_text.buf, host_text.buf);
}
