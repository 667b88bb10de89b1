/* SPDX-License-Identifier: MIT */
/* Functions of the host's BTF: as signatures of helpers, and as contexts of their arguments. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "host-api/btf_types.h"
#include "host-api/host_type.h"

/* ---- Where a prototype stands ---- */

int tn_proto_of_func(const struct tn_btf *btf, uint32_t func, struct tn_proto *out)
{
	const struct tn_btf_type *t = tn_btf_type(btf, func);

	if (!t || tn_btf_kind(t) != TN_BTF_FUNC)
		return tn_err(-EINVAL, "BTF: type %u is no function", func);
	*out = (struct tn_proto){ .btf = btf,
				  .name = tn_btf_str(btf, t->name_off),
				  .proto = t->size_or_type,
				  .tagged = func,
				  .member = TN_TAG_SELF };
	return 0;
}

int tn_proto_of_member(const struct tn_btf *btf, uint32_t type, uint32_t member,
		       struct tn_proto *out)
{
	const struct tn_btf_type *t = tn_btf_type(btf, type), *mt = NULL;
	const struct tn_btf_member *m;

	if (!t || !tn_btf_is_composite(t) || member >= tn_btf_vlen(t))
		return tn_err(-EINVAL, "BTF: type %u has no member %u", type, member);
	m = (const struct tn_btf_member *)tn_btf_extra(t) + member;
	mt = tn_btf_type(btf, tn_btf_skip_mods(btf, m->type));
	*out = (struct tn_proto){ .btf = btf,
				  .name = tn_btf_str(btf, m->name_off),
				  .tagged = type,
				  .member = (int32_t)member };
	if (tn_btf_kind(mt) == TN_BTF_PTR)
		out->proto = tn_btf_skip_mods(btf, mt->size_or_type);
	if (!out->proto || tn_btf_kind(tn_btf_type(btf, out->proto)) != TN_BTF_FUNC_PROTO)
		return tn_err(-EINVAL, "member '%s' of '%s' is no pointer to a function", out->name,
			      tn_btf_name(btf, type));
	return 0;
}

/* ---- What they have in common ---- */

struct reader {
	struct tenon_runtime *rt;
	const struct tn_proto *proto;
	const struct tn_btf *btf;
	struct tn_tags tags;
	const struct tn_btf_param *params;
	uint32_t nr; /* without the `...` */
	uint32_t ret;
	bool variadic;
	/* No compiler that keeps what is said of arguments has said so: nothing is guessed. */
	bool bare;
};

static int refuse_arg(const struct reader *r, uint32_t arg, const char *fmt, ...) TN_PRINTF(3, 4);

static int refuse_arg(const struct reader *r, uint32_t arg, const char *fmt, ...)
{
	const char *name = arg < r->nr ? tn_btf_str(r->btf, r->params[arg].name_off) : "";
	char words[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(words, sizeof(words), fmt, ap);
	va_end(ap);
	return tn_err(-EINVAL, "function '%s': argument %u%s%s%s: %s", r->proto->name, arg + 1,
		      name[0] ? " ('" : "", name, name[0] ? "')" : "", words);
}

static int refuse_ret(const struct reader *r, const char *what)
{
	return tn_err(-EINVAL, "function '%s': its result: %s", r->proto->name, what);
}

static bool has(const struct reader *r, uint32_t arg, const char *word)
{
	return tn_tag_has_arg(&r->tags, r->proto->member, arg, word);
}

static bool self_has(const struct reader *r, const char *word)
{
	return tn_tag_has(&r->tags, r->proto->member, word);
}

static int reader_init(struct reader *r, struct tenon_runtime *rt, const struct tn_proto *proto)
{
	const struct tn_btf_type *t = tn_btf_type(proto->btf, proto->proto);
	int rc = 0;

	*r = (struct reader){ .rt = rt, .proto = proto, .btf = proto->btf };
	if (proto->tagged)
		rc = tn_tags_read(&rt->rt, proto->btf, proto->tagged, &r->tags);
	r->params = tn_btf_extra(t);
	r->nr = tn_btf_vlen(t);
	r->ret = t->size_or_type;
	if (r->nr && !r->params[r->nr - 1].type) {
		r->nr--;
		r->variadic = true;
	}
	r->bare = !self_has(r, "helper");
	return rc;
}

static const struct tn_btf_type *type_of(const struct reader *r, uint32_t id)
{
	return tn_btf_type(r->btf, tn_btf_skip_mods(r->btf, id));
}

static bool is_signed_enum(const struct tn_btf_type *t)
{
	const struct tn_btf_enum *e = tn_btf_extra(t);

	/* Older compilers do not say whether an enum is signed. */
	for (uint32_t i = 0; tn_btf_kind(t) == TN_BTF_ENUM && i < tn_btf_vlen(t); i++) {
		if (e[i].val < 0)
			return true;
	}
	return tn_btf_kflag(t);
}

static enum tn_ctype int_ctype(uint32_t size, bool is_signed)
{
	switch (size) {
	case 1:
		return is_signed ? TN_C_I8 : TN_C_U8;
	case 2:
		return is_signed ? TN_C_I16 : TN_C_U16;
	case 4:
		return is_signed ? TN_C_I32 : TN_C_U32;
	case 8:
		return is_signed ? TN_C_I64 : TN_C_U64;
	default:
		return TN_C_NR;
	}
}

/* A number; TN_C_NR: it is none that fits a register. */
static enum tn_ctype number_ctype(const struct tn_btf_type *t)
{
	uint32_t word;

	switch ((int)tn_btf_kind(t)) {
	case TN_BTF_INT:
		memcpy(&word, tn_btf_extra(t), sizeof(word));
		if (tn_btf_int_encoding(word) & TN_BTF_INT_BOOL && t->size_or_type == 1)
			return TN_C_BOOL;
		return int_ctype(t->size_or_type, tn_btf_int_encoding(word) & TN_BTF_INT_SIGNED);
	case TN_BTF_ENUM:
	case TN_BTF_ENUM64:
		return int_ctype(t->size_or_type, is_signed_enum(t));
	case TN_BTF_FLOAT:
		return t->size_or_type == 4 ? TN_C_F32 : t->size_or_type == 8 ? TN_C_F64 : TN_C_NR;
	default:
		return TN_C_NR;
	}
}

enum tn_ctype tn_btf_ctype(const struct tn_btf *btf, uint32_t id)
{
	const struct tn_btf_type *t = tn_btf_type(btf, tn_btf_skip_mods(btf, id));

	if (tn_btf_kind(t) == TN_BTF_VOID)
		return TN_C_VOID;
	return tn_btf_kind(t) == TN_BTF_PTR ? TN_C_PTR : number_ctype(t);
}

static bool is_integer(const struct reader *r, uint32_t id)
{
	enum tn_ctype c = number_ctype(type_of(r, id));

	return c != TN_C_NR && c != TN_C_F32 && c != TN_C_F64 && c != TN_C_BOOL;
}

/* The name of a structure that handles can be of, or NULL. */
static const char *struct_name(const struct reader *r, uint32_t id)
{
	const struct tn_btf_type *t = tn_btf_type(r->btf, id);
	const char *name = tn_btf_str(r->btf, t->name_off);

	if (tn_btf_kind(t) != TN_BTF_STRUCT && (tn_btf_kind(t) != TN_BTF_FWD || tn_btf_kflag(t)))
		return NULL;
	return name[0] ? name : NULL;
}

static bool is_char(const struct reader *r, uint32_t id)
{
	const struct tn_btf_type *t = tn_btf_type(r->btf, id);

	return tn_btf_kind(t) == TN_BTF_INT && t->size_or_type == 1 &&
	       !strcmp(tn_btf_str(r->btf, t->name_off), "char");
}

/* ---- Signatures ---- */

static int set_handle(const struct reader *r, uint32_t arg, const char *name,
		      char to[TN_SIG_HANDLE_BYTES])
{
	if (strlen(name) >= TN_SIG_HANDLE_BYTES)
		return refuse_arg(r, arg, "the name of 'struct %s' is longer than %d characters",
				  name, TN_SIG_HANDLE_BYTES - 1);
	strcpy(to, name);
	return 0;
}

static int read_sized(const struct reader *r, uint32_t i, uint32_t pointee, bool is_const,
		      struct tn_arg *arg)
{
	const char *next, *len;

	if (pointee && tn_btf_size_of(r->btf, pointee) != 1)
		return refuse_arg(r, i,
				  "its length must count bytes: make it a pointer to void or to "
				  "a type of one byte");
	if (i + 1 >= r->nr || !is_integer(r, r->params[i + 1].type))
		return refuse_arg(r, i, "its length must be the next argument, an integer");
	/* Where the BTF has names, they must agree. */
	next = tn_btf_str(r->btf, r->params[i + 1].name_off);
	len = tn_tag_value(&r->tags, (int32_t)i, "size_is");
	if (next[0] && len && len[0] && r->proto->member == TN_TAG_SELF && strcmp(next, len) != 0)
		return refuse_arg(r, i, "its length '%s' must be the next argument, which is '%s'",
				  len, next);
	arg->kind = is_const ? TN_ARG_MEM : TN_ARG_WMEM;
	arg->nullable = has(r, i, "maybe_null");
	return 0;
}

static int read_fixed(const struct reader *r, uint32_t i, uint32_t pointee, bool out,
		      struct tn_arg *arg)
{
	int64_t size = pointee ? tn_btf_size_of(r->btf, pointee) : -1;
	enum tn_ctype ctype = number_ctype(tn_btf_type(r->btf, pointee));

	if (size <= 0 || size > UINT16_MAX)
		return refuse_arg(r, i, "what it points to has no size, or one beyond 65535 bytes");
	/* The program would make pointers up, or read addresses. */
	if (!tn_btf_all_scalars(r->btf, pointee))
		return refuse_arg(r, i, "memory of the plugin may hold numbers alone, no pointers");
	arg->kind = out ? TN_ARG_WMEM_FIXED : TN_ARG_MEM_FIXED;
	arg->struct_size = (uint16_t)size;
	if (ctype != TN_C_NR) {
		arg->members[0] = (uint8_t)ctype;
		arg->nr_members = 1;
	} else {
		if (tn_btf_align_of(r->btf, pointee) > 8)
			return refuse_arg(r, i, "memory of plugins is aligned to 8 bytes at most");
		arg->align = (uint8_t)tn_btf_align_of(r->btf, pointee);
	}
	return 0;
}

static int read_text(const struct reader *r, uint32_t i, uint32_t pointee, bool is_const,
		     struct tn_arg *arg)
{
	if (!is_const || tn_btf_size_of(r->btf, pointee) != 1)
		return refuse_arg(r, i, "a string is a const char *");
	arg->kind = TN_ARG_STR;
	return 0;
}

static const char *iter_word(const struct reader *r)
{
	return self_has(r, "iter_new")	     ? "TENON_ITER_NEW"
	       : self_has(r, "iter_next")    ? "TENON_ITER_NEXT"
	       : self_has(r, "iter_destroy") ? "TENON_ITER_DESTROY"
					     : NULL;
}

/* The iterator that the function makes, asks or destroys: a place in the plugin's stack. */
static int read_iter(const struct reader *r, uint32_t i, uint32_t pointee, bool is_const,
		     struct tn_arg *arg)
{
	const char *name = struct_name(r, pointee);
	int64_t size = name ? tn_btf_size_of(r->btf, pointee) : -1;

	if (size <= 0 || size % 8 || size > TN_ITER_MAX_BYTES || is_const ||
	    tn_btf_align_of(r->btf, pointee) > 8)
		return refuse_arg(r, i,
				  "%s: its first argument is the iterator, a pointer to a "
				  "structure of 8 to %u bytes, a multiple of 8",
				  iter_word(r), TN_ITER_MAX_BYTES);
	arg->kind = self_has(r, "iter_new") ? TN_ARG_ITER_NEW : TN_ARG_ITER;
	arg->release = self_has(r, "iter_destroy");
	arg->struct_size = (uint16_t)size;
	return set_handle(r, i, name, arg->handle);
}

/* The context must be that structure, not only the hook's: void takes any. */
static int read_ctx(const struct reader *r, uint32_t i, uint32_t pointee, struct tn_arg *arg)
{
	const char *name = struct_name(r, pointee);
	int64_t size = name ? tn_btf_size_of(r->btf, pointee) : 0;

	arg->kind = TN_ARG_CTX;
	if (!pointee)
		return 0;
	if (!name)
		return refuse_arg(r, i, "a context is a pointer to a named structure or to void");
	if (size > UINT16_MAX)
		return refuse_arg(r, i, "a context has 65535 bytes at most");
	arg->struct_size = (uint16_t)TN_MAX(size, 0);
	return set_handle(r, i, name, arg->handle);
}

static int read_object(const struct reader *r, uint32_t i, const char *name, bool is_const,
		       struct tn_arg *arg)
{
	if (!strcmp(name, "tenon_map")) {
		arg->kind = TN_ARG_MAP;
		return 0;
	}
	arg->kind = TN_ARG_HANDLE;
	arg->nullable = has(r, i, "maybe_null");
	arg->release = has(r, i, "release");
	arg->rdonly = is_const;
	return set_handle(r, i, name, arg->handle);
}

/* An integer that is no memory's length as TENON_SIZE_IS says: whose else is not known. */
static bool has_free_integer(const struct reader *r)
{
	for (uint32_t i = 0; i < r->nr; i++) {
		if (is_integer(r, r->params[i].type) && (!i || !has(r, i - 1, "size_is")))
			return true;
	}
	return false;
}

/* What is said goes before what the type alone suggests. */
static int read_pointer(const struct reader *r, uint32_t i, const struct tn_btf_type *t,
			struct tn_arg *arg)
{
	bool is_const;
	uint32_t pointee = tn_btf_pointee(r->btf, t, &is_const);
	const char *name = struct_name(r, pointee);
	bool is_number = pointee && number_ctype(tn_btf_type(r->btf, pointee)) != TN_C_NR;

	arg->ctype = TN_C_PTR;
	if (!i && iter_word(r))
		return read_iter(r, i, pointee, is_const, arg);
	if (has(r, i, "ctx"))
		return read_ctx(r, i, pointee, arg);
	if (has(r, i, "map")) {
		arg->kind = TN_ARG_MAP;
		return 0;
	}
	if (has(r, i, "size_is"))
		return read_sized(r, i, pointee, is_const, arg);
	if (has(r, i, "str"))
		return read_text(r, i, pointee, is_const, arg);
	if (has(r, i, "in") || has(r, i, "out"))
		return has(r, i, "out") && is_const
			       ? refuse_arg(r, i, "TENON_OUT, but it points to const")
			       : read_fixed(r, i, pointee, has(r, i, "out"), arg);
	if (name)
		return read_object(r, i, name, is_const, arg);
	if (r->bare)
		return refuse_arg(r, i,
				  "this BTF does not tell what the pointer is for: say it with "
				  "TENON_HELPER and TENON_ARG(%u, ...), or give the signature as "
				  "text",
				  i + 1);
	/* Constant text and a number, or bytes and their length, in either order and others between
	 * them: the host would read beyond. */
	if (is_char(r, pointee) && is_const && has_free_integer(r))
		return refuse_arg(r, i,
				  "a pointer to char beside an integer: say TENON_STR if it is "
				  "text that ends with 0, TENON_SIZE_IS if that is its length");
	if (is_char(r, pointee) && is_const)
		return read_text(r, i, pointee, is_const, arg);
	/* In C this may as well be an array and its length, in either order and others between
	 * them, as one number and another. */
	if (is_number && has_free_integer(r))
		return refuse_arg(r, i,
				  "a pointer to numbers beside an integer: say TENON_IN or "
				  "TENON_OUT if it is one number, TENON_SIZE_IS for bytes");
	if (is_number && tn_btf_size_of(r->btf, pointee) > 1)
		return read_fixed(r, i, pointee, !is_const, arg);
	return refuse_arg(r, i,
			  "a pointer like this says nothing of its memory: give it TENON_SIZE_IS, "
			  "TENON_IN, TENON_OUT, TENON_CTX or TENON_MAP");
}

static int read_arg(const struct reader *r, uint32_t i, struct tn_sig *sig)
{
	const struct tn_btf_type *t = type_of(r, r->params[i].type);
	struct tn_arg *arg = &sig->args[i];
	uint8_t before = i ? sig->args[i - 1].kind : TN_ARG_NONE;
	enum tn_ctype ctype;

	if (before == TN_ARG_MEM || before == TN_ARG_WMEM) {
		/* The verifier bounds it by its type. */
		arg->kind = TN_ARG_SIZE_OR_ZERO;
		arg->ctype = (uint8_t)number_ctype(t);
		return 0;
	}
	if (tn_btf_kind(t) == TN_BTF_PTR)
		return read_pointer(r, i, t, arg);
	ctype = number_ctype(t);
	if (ctype == TN_C_NR)
		return refuse_arg(r, i, "a %s of this size cannot be passed",
				  tn_btf_kind_name(tn_btf_kind(t)));
	arg->kind = TN_ARG_SCALAR;
	arg->ctype = (uint8_t)ctype;
	return 0;
}

static int read_result_pointer(const struct reader *r, const struct tn_btf_type *t,
			       struct tn_sig *sig)
{
	bool is_const;
	const char *name = struct_name(r, tn_btf_pointee(r->btf, t, &is_const));

	if (!name)
		return refuse_ret(r, "a pointer to a named structure is all that plugins can use");
	if (strlen(name) >= TN_SIG_HANDLE_BYTES)
		return refuse_ret(r, "the name of the structure is too long");
	strcpy(sig->ret_handle, name);
	sig->ret = TN_RET_HANDLE;
	sig->ret_ctype = TN_C_PTR;
	if (self_has(r, "untrusted")) {
		sig->flags |= TN_SIG_RET_UNTRUSTED;
		return self_has(r, "acquire") ? refuse_ret(r, "untrusted and acquired") : 0;
	}
	if (is_const)
		sig->flags |= TN_SIG_RET_RDONLY;
	if (!self_has(r, "nonnull"))
		sig->flags |= TN_SIG_RET_NULLABLE;
	if (self_has(r, "acquire"))
		sig->flags |= TN_SIG_ACQUIRE;
	else if (self_has(r, "cast"))
		sig->flags |= TN_SIG_CAST;
	return 0;
}

static int read_result(const struct reader *r, struct tn_sig *sig)
{
	const struct tn_btf_type *t = type_of(r, r->ret);
	enum tn_ctype ctype;

	if (tn_btf_kind(t) == TN_BTF_PTR)
		return read_result_pointer(r, t, sig);
	if (self_has(r, "acquire") || self_has(r, "cast"))
		return refuse_ret(r, "TENON_ACQUIRE and TENON_CAST are for pointers to structures");
	if (tn_btf_kind(t) == TN_BTF_VOID)
		return 0;
	ctype = number_ctype(t);
	if (ctype == TN_C_NR)
		return refuse_ret(r, "it is neither void, a number nor a pointer to a structure");
	sig->ret = TN_RET_SCALAR;
	sig->ret_ctype = (uint8_t)ctype;
	return 0;
}

/* TENON_RELEASE and TENON_CAST speak of the first object. */
static int read_roles(const struct reader *r, struct tn_sig *sig)
{
	const char *fault = tn_sig_iter_fault(sig);
	uint32_t i = 0;

	if (fault)
		return tn_err(-EINVAL, "function '%s': %s", r->proto->name, fault);
	if (iter_word(r) && !tn_sig_iter_role(sig))
		return tn_err(-EINVAL, "function '%s': %s, but its first argument is no iterator",
			      r->proto->name, iter_word(r));
	if (iter_word(r) && (self_has(r, "release") || self_has(r, "acquire")))
		return tn_err(-EINVAL,
			      "function '%s': %s says what is acquired and released, beside it "
			      "nothing is",
			      r->proto->name, iter_word(r));
	if (!self_has(r, "release") && !(sig->flags & TN_SIG_CAST))
		return 0;
	while (i < sig->nr_args && sig->args[i].kind != TN_ARG_HANDLE)
		i++;
	if (i == sig->nr_args)
		return tn_err(-EINVAL,
			      "function '%s': TENON_RELEASE or TENON_CAST, but no argument is an "
			      "object of the host",
			      r->proto->name);
	if (self_has(r, "release"))
		sig->args[i].release = true;
	if (sig->args[i].release && sig->flags & TN_SIG_CAST)
		return refuse_arg(r, i, "what is cast may not be released");
	return 0;
}

static int read_flags(const struct reader *r, uint64_t *flags)
{
	static const struct {
		const char *word;
		uint64_t flag;
	} words[] = {
		{ "MAY_ABORT", TENON_MAY_ABORT }, { "INVALIDATES_CTX", TENON_INVALIDATES_CTX },
		{ "MAY_FIRE", TENON_MAY_FIRE },	  { "PURE", TENON_PURE },
		{ "CLEANUP", TENON_CLEANUP },
	};
	const char *at = tn_tag_value(&r->tags, r->proto->member, "flags");

	*flags = 0;
	while (at && *at) {
		size_t len = strcspn(at, " ,"), i;

		for (i = 0; len && i < TN_ARRAY_SIZE(words); i++) {
			if (strlen(words[i].word) == len && !strncmp(at, words[i].word, len))
				break;
		}
		if (len && i == TN_ARRAY_SIZE(words))
			return tn_err(-EINVAL, "function '%s': unknown flag '%.*s'", r->proto->name,
				      (int)TN_MIN(len, (size_t)32), at);
		*flags |= len ? words[i].flag : 0;
		at += len + strspn(at + len, " ,");
	}
	return 0;
}

static int read_sig(struct reader *r, struct tn_sig *sig, uint64_t *flags)
{
	int rc;

	if (r->nr > TN_SIG_MAX_ARGS)
		return tn_err(-EINVAL, "function '%s' has %u arguments, plugins can pass %d",
			      r->proto->name, r->nr, TN_SIG_MAX_ARGS);
	/* What follows would be read as its format says, which may be the plugin's. */
	if (r->variadic)
		return tn_err(
			-EINVAL,
			"function '%s' has a '...', which plugins cannot be held to: declare "
			"one with a fixed list of arguments, or give the signature as text if "
			"integers are all that it takes there",
			r->proto->name);
	rc = read_result(r, sig);
	for (uint32_t i = 0; i < r->nr && !rc; i++) {
		rc = read_arg(r, i, sig);
		sig->nr_args++;
	}
	if (!rc)
		rc = read_roles(r, sig);
	return rc ? rc : read_flags(r, flags);
}

int tn_sig_of_proto(struct tenon_runtime *rt, const struct tn_proto *proto, struct tn_sig *out,
		    uint64_t *flags)
{
	struct reader r;
	int rc = reader_init(&r, rt, proto);

	memset(out, 0, sizeof(*out));
	*flags = 0;
	if (!rc)
		rc = read_sig(&r, out, flags);
	tn_tags_free(&rt->rt, &r.tags);
	return rc;
}

/* ---- Contexts ---- */

/* Fields of the slots, and what their names point to. */
struct slots {
	struct tenon_field fields[TN_PROTO_MAX_ARGS + 1];
	char names[TN_PROTO_MAX_ARGS + 1][24];
	uint32_t nr;
};

/* Memory of the host whose length is the next argument. */
static int add_sized_slot(const struct reader *r, uint32_t i, uint32_t pointee, bool is_const,
			  struct tenon_field *f)
{
	int rc = 1;

	if (i + 1 >= r->nr || !tn_btf_is_unsigned(r->btf, r->params[i + 1].type) ||
	    (pointee &&
	     (tn_btf_size_of(r->btf, pointee) <= 0 || !tn_btf_all_scalars(r->btf, pointee))))
		return refuse_arg(r, i,
				  "size_is is for memory of numbers whose length is "
				  "the next argument, unsigned");
	if (pointee)
		rc = tn_btf_all_shown(r->rt, r->btf, pointee);
	if (rc <= 0)
		return rc ? rc
			  : refuse_arg(r, i, "what it points to has members that are TENON_HIDDEN");
	f->kind = TENON_FIELD_SIZED;
	f->access = (is_const ? TENON_R : TENON_RW) | TENON_NULLABLE;
	f->mem_size = pointee ? (uint32_t)tn_btf_size_of(r->btf, pointee) : 1;
	f->end = f->offset + 8;
	return 0;
}

static int add_slot(const struct reader *r, uint32_t i, uint32_t id, uint32_t flags,
		    struct slots *out)
{
	const struct tn_btf_type *t = type_of(r, id);
	struct tenon_field *f = &out->fields[out->nr];
	bool is_result = i == r->nr, is_const = false;
	uint32_t pointee;
	const char *name;

	snprintf(out->names[out->nr], sizeof(out->names[0]), is_result ? "result" : "arg%u", i + 1);
	f->name = out->names[out->nr];
	f->offset = out->nr * 8;
	f->size = 8;
	out->nr++;
	if (tn_btf_kind(t) != TN_BTF_PTR) {
		f->access = TENON_R;
		return number_ctype(t) != TN_C_NR
			       ? 0
			       : refuse_arg(r, i, "a %s does not fit into a slot of 8 bytes",
					    tn_btf_kind_name(tn_btf_kind(t)));
	}
	pointee = tn_btf_pointee(r->btf, t, &is_const);
	name = struct_name(r, pointee);
	if (!is_result && has(r, i, "size_is") && !(flags & TN_PROTO_UNTRUSTED))
		return add_sized_slot(r, i, pointee, is_const, f);
	f->kind = TENON_FIELD_HANDLE;
	f->handle = name && strlen(name) < TN_SIG_HANDLE_BYTES ? name
		    : is_char(r, pointee)		       ? TN_HANDLE_STRING
							       : "void";
	if (f->handle != name || flags & TN_PROTO_UNTRUSTED ||
	    (is_result ? self_has(r, "untrusted") : has(r, i, "untrusted"))) {
		f->access = TN_ACC_UNTRUSTED;
		return 0;
	}
	if (is_result ? !self_has(r, "nonnull") : has(r, i, "maybe_null"))
		f->access = TENON_NULLABLE;
	if (is_const)
		f->access |= TENON_CONST;
	return 0;
}

static int make_slots(const struct reader *r, uint32_t flags, struct slots *out)
{
	int rc = 0;

	if (r->nr > TN_PROTO_MAX_ARGS || r->variadic)
		return tn_err(-EINVAL,
			      "function '%s' has %u arguments%s: a context of arguments takes a "
			      "fixed number of at most %d",
			      r->proto->name, r->nr, r->variadic ? " and more" : "",
			      TN_PROTO_MAX_ARGS);
	for (uint32_t i = 0; i < r->nr && !rc; i++)
		rc = add_slot(r, i, r->params[i].type, flags, out);
	if (!rc && flags & TN_PROTO_RESULT && tn_btf_skip_mods(r->btf, r->ret))
		rc = add_slot(r, r->nr, r->ret, flags, out);
	return rc;
}

int tn_ctx_type_of_proto(struct tenon_runtime *rt, const struct tn_proto *proto, const char *name,
			 uint32_t flags, const struct tn_ctx_type **out)
{
	struct slots slots = { .nr = 0 };
	struct tenon_ctx_type layout;
	struct tn_ctx_type *type;
	struct reader r;
	int rc = reader_init(&r, rt, proto);

	if (!rc)
		rc = make_slots(&r, flags, &slots);
	layout = (struct tenon_ctx_type){ .sz = sizeof(layout),
					  .name = name,
					  .size = TN_MAX(slots.nr, 1u) * 8,
					  .fields = slots.fields,
					  .nr_fields = slots.nr,
					  .field_size = sizeof(struct tenon_field) };
	if (!rc)
		rc = tn_ctx_type_make(rt, &layout, &type);
	if (!rc) {
		type->is_args = true;
		type->has_ret = slots.nr > r.nr;
		type->nr_args = (uint8_t)r.nr;
	}
	tn_tags_free(&rt->rt, &r.tags);
	return rc ? rc : tn_ctx_type_intern(rt, type, out);
}
