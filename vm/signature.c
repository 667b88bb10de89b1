/* SPDX-License-Identifier: MIT */
/*
 * The text form of a signature, "i32(ctx, mem, size)": read by recursive descent, one function per
 * rule, the cursor in struct parser. The grammar stands at tenon_runtime_add_helper() in tenon.h.
 */
#include "vm/signature.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/compiler.h"
#include "base/err.h"

struct parser {
	const char *text, *at;
	struct tn_sig *sig;
};

static const struct {
	const char *word;
	uint8_t size;
} ctypes[TN_C_NR] = {
	[TN_C_VOID] = { "void", 0 }, [TN_C_BOOL] = { "bool", 1 }, [TN_C_I8] = { "i8", 1 },
	[TN_C_U8] = { "u8", 1 },     [TN_C_I16] = { "i16", 2 },	  [TN_C_U16] = { "u16", 2 },
	[TN_C_I32] = { "i32", 4 },   [TN_C_U32] = { "u32", 4 },	  [TN_C_I64] = { "i64", 8 },
	[TN_C_U64] = { "u64", 8 },   [TN_C_F32] = { "f32", 4 },	  [TN_C_F64] = { "f64", 8 },
};

static int refuse(const struct parser *p, const char *at, const char *fmt, ...) TN_PRINTF(3, 4);

static int refuse(const struct parser *p, const char *at, const char *fmt, ...)
{
	char words[160];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(words, sizeof(words), fmt, ap);
	va_end(ap);
	return tn_err(-EINVAL, "signature '%s': column %d: %s", p->text, (int)(at - p->text) + 1,
		      words);
}

static void skip_blanks(struct parser *p)
{
	while (*p->at == ' ' || *p->at == '\t')
		p->at++;
}

static bool take(struct parser *p, char c)
{
	skip_blanks(p);
	if (*p->at != c)
		return false;
	p->at++;
	return true;
}

/* The word at the cursor, without moving it; its length, 0: none. */
static size_t peek_word(struct parser *p)
{
	size_t len = 0;

	skip_blanks(p);
	while (isalnum((unsigned char)p->at[len]) || p->at[len] == '_')
		len++;
	return len;
}

static bool word_is(const char *at, size_t len, const char *word)
{
	return strlen(word) == len && !memcmp(at, word, len);
}

/* Reads the word if it is `word`. */
static bool take_word(struct parser *p, const char *word)
{
	size_t len = peek_word(p);

	if (!len || !word_is(p->at, len, word))
		return false;
	p->at += len;
	return true;
}

/* A number's type; TN_C_NR: the word is none. Moves the cursor when it is. */
static enum tn_ctype take_ctype(struct parser *p)
{
	size_t len = peek_word(p);

	for (int i = 0; i < TN_C_NR; i++) {
		if (ctypes[i].word && word_is(p->at, len, ctypes[i].word)) {
			p->at += len;
			return (enum tn_ctype)i;
		}
	}
	return TN_C_NR;
}

/* ":NAME" after handle, acquire or release. */
static int take_handle_name(struct parser *p, char name[TN_SIG_HANDLE_BYTES])
{
	size_t len;

	if (!take(p, ':'))
		return refuse(p, p->at, "expected ':' and the name of the handle's type");
	len = peek_word(p);
	if (!len)
		return refuse(p, p->at, "expected the name of the handle's type");
	if (len >= TN_SIG_HANDLE_BYTES)
		return refuse(p, p->at, "the name is longer than %d characters",
			      TN_SIG_HANDLE_BYTES - 1);
	memcpy(name, p->at, len);
	name[len] = 0;
	p->at += len;
	return 0;
}

/* "{i32,f64}": offsets as a C compiler lays the struct out. */
static int parse_struct(struct parser *p, struct tn_arg *arg)
{
	uint32_t off = 0, align = 1;

	do {
		const char *at = (skip_blanks(p), p->at);
		enum tn_ctype member = take_ctype(p);
		uint32_t size;

		if (member == TN_C_NR || member == TN_C_VOID)
			return refuse(p, at, "expected a number type as struct member");
		if (arg->nr_members == TN_SIG_MAX_MEMBERS)
			return refuse(p, at, "more than %d struct members", TN_SIG_MAX_MEMBERS);
		size = ctypes[member].size;
		arg->members[arg->nr_members++] = (uint8_t)member;
		off = TN_ROUND_UP(off, size) + size;
		align = TN_MAX(align, size);
	} while (take(p, ','));
	if (!take(p, '}'))
		return refuse(p, p->at, "expected ',' or '}'");
	arg->kind = TN_ARG_STRUCT;
	arg->ctype = TN_C_STRUCT;
	arg->struct_size = (uint16_t)TN_ROUND_UP(off, align);
	return 0;
}

static int parse_handle(struct parser *p, struct tn_arg *arg, bool nullable, bool release)
{
	arg->kind = TN_ARG_HANDLE;
	arg->ctype = TN_C_PTR;
	arg->nullable = nullable;
	arg->release = release;
	return take_handle_name(p, arg->handle);
}

/* After '?' and "const". */
static int parse_marked_handle(struct parser *p, struct tn_arg *arg, bool nullable)
{
	arg->rdonly = take_word(p, "const");
	if (take_word(p, "handle"))
		return parse_handle(p, arg, nullable, false);
	if (nullable || !take_word(p, "release"))
		return refuse(p, p->at, "'%s' goes with handle:NAME", nullable ? "?" : "const");
	return parse_handle(p, arg, false, true);
}

/* `size` belongs to the memory just before it. */
static int parse_size(struct parser *p, struct tn_arg *arg, const char *at)
{
	uint8_t idx = p->sig->nr_args;
	uint8_t before = idx ? p->sig->args[idx - 1].kind : TN_ARG_NONE;

	if (before != TN_ARG_MEM && before != TN_ARG_WMEM)
		return refuse(p, at, "'size' must follow 'mem' or 'wmem'");
	arg->kind = TN_ARG_SIZE_OR_ZERO;
	arg->ctype = TN_C_U64;
	return 0;
}

/* A decimal number of at most `max` at the cursor; 0: none. */
static uint32_t take_number(struct parser *p, uint32_t max)
{
	size_t len = peek_word(p);
	uint32_t n = 0;

	for (size_t i = 0; i < len; i++) {
		if (!isdigit((unsigned char)p->at[i]) || n > max)
			return 0;
		n = n * 10 + (uint32_t)(p->at[i] - '0');
	}
	if (n > max)
		return 0;
	p->at += n ? len : 0;
	return n;
}

/* ":NAME:BYTES" of an iterator in the stack. */
static int parse_iter(struct parser *p, struct tn_arg *arg, uint8_t kind, bool release)
{
	int err;

	arg->kind = kind;
	arg->ctype = TN_C_PTR;
	arg->release = release;
	err = take_handle_name(p, arg->handle);
	if (err)
		return err;
	if (take(p, ':'))
		arg->struct_size = (uint16_t)take_number(p, TN_ITER_MAX_BYTES);
	if (!arg->struct_size)
		return refuse(p, p->at, "expected ':' and the iterator's bytes, up to %u",
			      TN_ITER_MAX_BYTES);
	return 0;
}

/* ":BYTES:ALIGN" */
static int parse_bytes(struct parser *p, struct tn_arg *arg)
{
	const char *at = p->at;
	uint32_t size = take_number(p, UINT16_MAX), align = 0;

	if (size && take(p, ':'))
		align = take_number(p, 8);
	if (!align || align & (align - 1))
		return refuse(p, at,
			      "expected a number type, or BYTES:ALIGN, aligned to 1, 2, 4 "
			      "or 8");
	arg->struct_size = (uint16_t)size;
	arg->align = (uint8_t)align;
	return 0;
}

/* ":TYPE" or ":BYTES:ALIGN" after in, out: memory of a size that the callee reads or fills. */
static int parse_fixed(struct parser *p, struct tn_arg *arg, uint8_t kind)
{
	const char *at = p->at;
	enum tn_ctype ctype;

	if (!take(p, ':'))
		return refuse(p, at, "expected ':' and a number type after 'in' or 'out'");
	arg->kind = kind;
	arg->ctype = TN_C_PTR;
	ctype = take_ctype(p);
	if (ctype == TN_C_NR)
		return parse_bytes(p, arg);
	if (ctype == TN_C_VOID)
		return refuse(p, at, "expected ':' and a number type after 'in' or 'out'");
	arg->struct_size = ctypes[ctype].size;
	arg->members[0] = (uint8_t)ctype;
	arg->nr_members = 1;
	return 0;
}

static const struct {
	const char *word;
	uint8_t kind;
} pointer_words[] = {
	{ "ctx", TN_ARG_CTX }, { "map", TN_ARG_MAP },	{ "str", TN_ARG_STR },
	{ "mem", TN_ARG_MEM }, { "wmem", TN_ARG_WMEM },
};

static int parse_arg(struct parser *p, struct tn_arg *arg)
{
	const char *at = (skip_blanks(p), p->at);
	enum tn_ctype ctype;

	if (take(p, '{'))
		return parse_struct(p, arg);
	if (take(p, '?'))
		return parse_marked_handle(p, arg, true);
	if (word_is(p->at, peek_word(p), "const"))
		return parse_marked_handle(p, arg, false);
	if (take_word(p, "handle"))
		return parse_handle(p, arg, false, false);
	if (take_word(p, "release"))
		return parse_handle(p, arg, false, true);
	if (take_word(p, "newiter"))
		return parse_iter(p, arg, TN_ARG_ITER_NEW, false);
	if (take_word(p, "iter"))
		return parse_iter(p, arg, TN_ARG_ITER, false);
	if (take_word(p, "enditer"))
		return parse_iter(p, arg, TN_ARG_ITER, true);
	if (take_word(p, "acquire"))
		return refuse(p, at, "'acquire' is for results");
	if (take_word(p, "cast"))
		return refuse(p, at, "'cast' is for results");
	if (take_word(p, "out"))
		return parse_fixed(p, arg, TN_ARG_WMEM_FIXED);
	if (take_word(p, "in"))
		return parse_fixed(p, arg, TN_ARG_MEM_FIXED);
	if (take_word(p, "size"))
		return parse_size(p, arg, at);
	for (size_t i = 0; i < TN_ARRAY_SIZE(pointer_words); i++) {
		if (take_word(p, pointer_words[i].word)) {
			arg->kind = pointer_words[i].kind;
			arg->ctype = TN_C_PTR;
			return 0;
		}
	}
	ctype = take_ctype(p);
	if (ctype == TN_C_NR || ctype == TN_C_VOID)
		return refuse(p, at, "'%.*s' is no argument type", (int)peek_word(p), at);
	arg->kind = TN_ARG_SCALAR;
	arg->ctype = (uint8_t)ctype;
	return 0;
}

static bool take_ellipsis(struct parser *p)
{
	skip_blanks(p);
	if (strncmp(p->at, "...", 3))
		return false;
	p->at += 3;
	return true;
}

/* Memory without a size could not be checked. */
static int check_sized(const struct parser *p)
{
	uint8_t kind = p->sig->nr_args ? p->sig->args[p->sig->nr_args - 1].kind : TN_ARG_NONE;

	if (kind == TN_ARG_MEM || kind == TN_ARG_WMEM)
		return refuse(p, p->at, "'size' must follow 'mem' and 'wmem'");
	return 0;
}

static int parse_args(struct parser *p)
{
	int err;

	if (take_word(p, "void") || take(p, ')')) {
		if (p->at[-1] != ')' && !take(p, ')'))
			return refuse(p, p->at, "'void' stands alone");
		return 0;
	}
	do {
		struct tn_sig *sig = p->sig;

		if (take_ellipsis(p)) {
			sig->flags |= TN_SIG_VARIADIC;
			break;
		}
		if (sig->nr_args == TN_SIG_MAX_ARGS)
			return refuse(p, p->at, "more than %d arguments", TN_SIG_MAX_ARGS);
		if (peek_word(p) != 4 || strncmp(p->at, "size", 4)) {
			err = check_sized(p);
			if (err)
				return err;
		}
		err = parse_arg(p, &sig->args[sig->nr_args]);
		if (err)
			return err;
		sig->nr_args++;
	} while (take(p, ','));
	err = check_sized(p);
	if (err)
		return err;
	if (!take(p, ')'))
		return refuse(p, p->at, "expected ',' or ')'");
	return 0;
}

static int parse_ret(struct parser *p)
{
	const char *at = (skip_blanks(p), p->at);
	struct tn_sig *sig = p->sig;
	bool nullable = take(p, '?'), rdonly = take_word(p, "const");
	enum tn_ctype ctype;

	if (take(p, '{'))
		return refuse(p, at, "a struct cannot be the result; pass wmem, size");
	if (take_word(p, "acquire"))
		sig->flags |= TN_SIG_ACQUIRE;
	else if (take_word(p, "cast"))
		sig->flags |= TN_SIG_CAST;
	else if (take_word(p, "untrusted"))
		sig->flags |= TN_SIG_RET_UNTRUSTED;
	else if (!take_word(p, "handle")) {
		if (nullable || rdonly)
			return refuse(p, p->at,
				      "'%s' goes with handle:NAME, acquire:NAME and cast:NAME",
				      nullable ? "?" : "const");
		ctype = take_ctype(p);
		if (ctype == TN_C_NR)
			return refuse(p, at, "'%.*s' is no result type", (int)peek_word(p), at);
		sig->ret = ctype == TN_C_VOID ? TN_RET_VOID : TN_RET_SCALAR;
		sig->ret_ctype = (uint8_t)ctype;
		return 0;
	}
	if (nullable && sig->flags & TN_SIG_RET_UNTRUSTED)
		return refuse(p, at, "what is untrusted may be NULL anyway: no '?'");
	sig->ret = TN_RET_HANDLE;
	sig->ret_ctype = TN_C_PTR;
	if (nullable)
		sig->flags |= TN_SIG_RET_NULLABLE;
	if (rdonly && !(sig->flags & TN_SIG_RET_UNTRUSTED))
		sig->flags |= TN_SIG_RET_RDONLY;
	return take_handle_name(p, sig->ret_handle);
}

/* A cast is of something, which it does not take away. */
static int check_cast(const struct parser *p)
{
	const struct tn_sig *sig = p->sig;

	if (!(sig->flags & TN_SIG_CAST))
		return 0;
	for (int i = 0; i < sig->nr_args; i++) {
		if (sig->args[i].kind == TN_ARG_HANDLE)
			return sig->args[i].release
				       ? refuse(p, p->text, "what is cast may not be released")
				       : 0;
	}
	return refuse(p, p->text, "'cast' needs an argument handle:NAME");
}

enum tn_iter_role tn_sig_iter_role(const struct tn_sig *sig)
{
	if (!sig->nr_args)
		return TN_ITER_NONE;
	if (sig->args[0].kind == TN_ARG_ITER_NEW)
		return TN_ITER_NEW;
	if (sig->args[0].kind != TN_ARG_ITER)
		return TN_ITER_NONE;
	return sig->args[0].release ? TN_ITER_END : TN_ITER_NEXT;
}

const char *tn_sig_iter_fault(const struct tn_sig *sig)
{
	enum tn_iter_role role = tn_sig_iter_role(sig);
	const struct tn_arg *it = &sig->args[0];

	for (int i = 0; i < sig->nr_args; i++) {
		uint8_t kind = sig->args[i].kind;

		if (i && (kind == TN_ARG_ITER_NEW || kind == TN_ARG_ITER))
			return "an iterator is the first argument";
		if (i && role && sig->args[i].release)
			return "a function of an iterator releases nothing else";
	}
	if (!role)
		return NULL;
	/* Those of the library, of which the host knows nothing. */
	if (!strcmp(it->handle, "num") || !strcmp(it->handle, "bits"))
		return "iterators named 'num' and 'bits' are the library's own";
	if (!it->struct_size || it->struct_size % 8 || it->struct_size > TN_ITER_MAX_BYTES)
		return "an iterator has 8 to 64 bytes, a multiple of 8";
	if (sig->flags & (TN_SIG_VARIADIC | TN_SIG_ACQUIRE | TN_SIG_CAST | TN_SIG_RET_UNTRUSTED))
		return "a function of an iterator is not variadic, and its result neither "
		       "acquired, cast nor untrusted";
	if (role == TN_ITER_NEW)
		return sig->ret == TN_RET_SCALAR && sig->ret_ctype == TN_C_I32
			       ? NULL
			       : "what makes an iterator returns int: 0 or a negative error";
	if (sig->nr_args != 1)
		return "the iterator is its only argument";
	if (role == TN_ITER_END)
		return sig->ret == TN_RET_VOID ? NULL : "what destroys an iterator returns nothing";
	return sig->ret == TN_RET_HANDLE && sig->flags & TN_SIG_RET_NULLABLE
		       ? NULL
		       : "the next element is a pointer to a structure, NULL at the end";
}

static int check_iter(const struct parser *p)
{
	const char *fault = tn_sig_iter_fault(p->sig);

	return fault ? refuse(p, p->text, "%s", fault) : 0;
}

int tn_sig_parse(const char *text, struct tn_sig *out)
{
	struct parser p = { .text = text, .at = text, .sig = out };
	int err;

	memset(out, 0, sizeof(*out));
	err = parse_ret(&p);
	if (err)
		return err;
	if (!take(&p, '('))
		return refuse(&p, p.at, "expected '('");
	err = parse_args(&p);
	if (err)
		return err;
	skip_blanks(&p);
	if (*p.at)
		return refuse(&p, p.at, "nothing may follow the ')'");
	err = check_cast(&p);
	return err ? err : check_iter(&p);
}

/* ---- The other way ---- */

struct printer {
	char *buf;
	size_t size;
	int len;
};

static void put(struct printer *out, const char *fmt, ...) TN_PRINTF(2, 3);

static void put(struct printer *out, const char *fmt, ...)
{
	size_t used = TN_MIN((size_t)out->len, out->size);
	va_list ap;

	va_start(ap, fmt);
	out->len += vsnprintf(out->size ? out->buf + used : NULL, out->size - used, fmt, ap);
	va_end(ap);
}

static void print_struct(struct printer *out, const struct tn_arg *arg)
{
	put(out, "{");
	for (int i = 0; i < arg->nr_members; i++)
		put(out, "%s%s", i ? "," : "", ctypes[arg->members[i]].word);
	put(out, "}");
}

static void print_fixed(struct printer *out, const struct tn_arg *arg)
{
	put(out, "%s:", arg->kind == TN_ARG_WMEM_FIXED ? "out" : "in");
	if (arg->align)
		put(out, "%u:%u", arg->struct_size, arg->align);
	else
		put(out, "%s", ctypes[arg->nr_members ? arg->members[0] : TN_C_I64].word);
}

static void print_arg(struct printer *out, const struct tn_arg *arg)
{
	static const char *const words[] = {
		[TN_ARG_NONE] = "void",
		[TN_ARG_ANY] = "any",
		[TN_ARG_CTX] = "ctx",
		[TN_ARG_MAP] = "map",
		[TN_ARG_MAP_KEY] = "key",
		[TN_ARG_MAP_VALUE] = "value",
		[TN_ARG_MAP_VALUE_OUT] = "outvalue",
		[TN_ARG_MEM] = "mem",
		[TN_ARG_WMEM] = "wmem",
		[TN_ARG_SIZE] = "size",
		[TN_ARG_SIZE_OR_ZERO] = "size",
		[TN_ARG_CONST_SIZE] = "size",
		[TN_ARG_STR] = "str",
		[TN_ARG_FUNC] = "func",
		[TN_ARG_STACK_OR_NULL] = "?stack",
		[TN_ARG_RINGBUF_RECORD] = "record",
		[TN_ARG_SPIN_LOCK] = "lock",
		[TN_ARG_ITER_NEW] = "newiter",
		[TN_ARG_ITER] = "iter",
		[TN_ARG_DYNPTR_NEW] = "newdynptr",
		[TN_ARG_DYNPTR] = "dynptr",
		[TN_ARG_TIMER] = "timer",
		[TN_ARG_PACKET] = "packet",
		[TN_ARG_BTF_PTR] = "btfptr",
		[TN_ARG_OBJECT] = "object",
	};

	if (arg->kind == TN_ARG_SCALAR)
		put(out, "%s", ctypes[arg->ctype].word);
	else if (arg->kind == TN_ARG_STRUCT)
		print_struct(out, arg);
	else if (arg->kind == TN_ARG_WMEM_FIXED || arg->kind == TN_ARG_MEM_FIXED)
		print_fixed(out, arg);
	else if (arg->kind == TN_ARG_HANDLE)
		put(out, "%s%s%s:%s", arg->nullable ? "?" : "", arg->rdonly ? "const " : "",
		    arg->release ? "release" : "handle", arg->handle);
	else if (arg->kind == TN_ARG_ITER_NEW || arg->kind == TN_ARG_ITER)
		put(out, "%s:%s:%u", arg->release ? "enditer" : words[arg->kind], arg->handle,
		    arg->struct_size);
	else
		put(out, "%s", words[arg->kind]);
}

static void print_ret(struct printer *out, const struct tn_sig *sig)
{
	const char *nullable = sig->flags & TN_SIG_RET_NULLABLE ? "?" : "";

	if (sig->ret == TN_RET_SCALAR)
		put(out, "%s", ctypes[sig->ret_ctype].word);
	else if (sig->ret == TN_RET_HANDLE)
		put(out, "%s%s%s:%s", nullable, sig->flags & TN_SIG_RET_RDONLY ? "const " : "",
		    sig->flags & TN_SIG_ACQUIRE		? "acquire"
		    : sig->flags & TN_SIG_CAST		? "cast"
		    : sig->flags & TN_SIG_RET_UNTRUSTED ? "untrusted"
							: "handle",
		    sig->ret_handle);
	else if (sig->ret == TN_RET_MAP_VALUE)
		put(out, "?value");
	else if (sig->ret == TN_RET_RINGBUF_RECORD)
		put(out, "?record");
	else
		put(out, "void");
}

int tn_sig_print(const struct tn_sig *sig, char *buf, size_t size)
{
	struct printer out = { .buf = buf, .size = size };

	print_ret(&out, sig);
	put(&out, "(");
	for (int i = 0; i < sig->nr_args; i++) {
		put(&out, "%s", i ? ", " : "");
		print_arg(&out, &sig->args[i]);
	}
	if (sig->flags & TN_SIG_VARIADIC)
		put(&out, "%s...", sig->nr_args ? ", " : "");
	put(&out, ")");
	return out.len;
}

bool tn_sig_is_direct(const struct tn_sig *sig, bool pass_user)
{
	/* System V and AAPCS64 both pass at least six integers and eight floating point numbers in
	 * registers: five arguments and `user` always fit. */
	(void)pass_user;
	if (sig->flags & TN_SIG_VARIADIC || tn_sig_iter_role(sig))
		return false;
	for (int i = 0; i < sig->nr_args; i++) {
		if (sig->args[i].kind == TN_ARG_STRUCT)
			return false;
	}
	return true;
}
