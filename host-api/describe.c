/* SPDX-License-Identifier: MIT */
/*
 * The host as a text file, written and read. One statement a line, words separated by blanks, "#"
 * begins a comment line; bytes of names that are not printable, blanks and '%' stand as %XX:
 *
 *   tenon-host 1                                    first line: the format's version
 *   btf NAME BYTES [split]                          types of the host (raw BTF); split: behind the
 *                                                   first. Its bytes follow:
 *   data BASE64
 *   ctx NAME SIZE                                   a context; its fields follow
 *   field NAME OFFSET SIZE scalar ACCESS
 *   field NAME OFFSET SIZE sized ACCESS LENGTH-OFFSET ELEMENT-BYTES
 *   field NAME OFFSET SIZE region ACCESS END-OFFSET
 *   field NAME OFFSET SIZE mem ACCESS BYTES
 *   field NAME OFFSET SIZE handle ACCESS TYPE
 *   struct NAME SIZE [BASE]                         a structure behind handles; its fields follow
 *   hook NAME CTX RULE FUEL FALLBACK [RET-MIN RET-MAX] [early-end RESULT DETACH-AFTER]
 *                                                   RULE: all, until-set, last
 *                                                   RESULT: fallback, last-good
 *   helper NAME NUMBER FLAGS SIGNATURE              FLAGS: names joined by ',', or -
 *   var NAME SIZE ALIGNMENT ACCESS [TYPE]           ALIGNMENT: bytes, up to 8; ACCESS: r, rw, rc
 *
 * With "typed" among its FLAGS, a helper's signature is that of its prototype in the BTF, and
 * SIGNATURE is for people.
 *
 * ACCESS is r, rw or -, with an 'a' behind it where the memory is aligned to 8 bytes, a 'c' where
 * it is a pointer to const, a 'u' where nobody vouches for it, and a '?' where it may be NULL.
 * Contexts come before the hooks that use them or are structures of the BTF; xdp_md and __sk_buff
 * are built in. The file is not trusted: what it says goes through the same registration as what a
 * host says.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/vec.h"
#include "host-api/base64.h"
#include "host-api/hook.h"
#include "host-api/host_btf.h"
#include "host-api/var.h"

#define MAX_FILE_BYTES ((size_t)32 << 20)
#define DATA_BYTES     57u /* a line */
#define MAX_NAME_BYTES 128u
#define MAX_WORDS      12u
#define FORMAT_VERSION "1"

static const char *const rule_words[] = { "all", "until-set", "last" };
static const char *const early_end_words[] = { "fallback", "last-good" };
static const char *const kind_words[] = { "scalar", "sized", "region", "mem", "handle" };
static const struct {
	const char *word;
	uint64_t flag;
} helper_flags[] = {
	{ "may-abort", TENON_MAY_ABORT }, { "invalidates-ctx", TENON_INVALIDATES_CTX },
	{ "may-fire", TENON_MAY_FIRE },	  { "pure", TENON_PURE },
	{ "cleanup", TENON_CLEANUP },
};

/* ---- Writing ---- */

struct text {
	struct tn_rt *rt;
	TN_VEC(char) buf;
	bool failed;
};

static void add(struct text *t, const char *fmt, ...) TN_PRINTF(2, 3);

static void add(struct text *t, const char *fmt, ...)
{
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (t->failed || len < 0 ||
	    tn_vec_reserve(t->rt, (void **)&t->buf.v, &t->buf.cap, t->buf.nr + (uint32_t)len + 1,
			   1)) {
		t->failed = true;
		return;
	}
	va_start(ap, fmt);
	vsnprintf(t->buf.v + t->buf.nr, (size_t)len + 1, fmt, ap);
	va_end(ap);
	t->buf.nr += (uint32_t)len;
}

static void add_name(struct text *t, const char *name)
{
	add(t, " ");
	for (; *name; name++) {
		unsigned char c = (unsigned char)*name;

		if (c > ' ' && c < 0x7f && c != '%')
			add(t, "%c", c);
		else
			add(t, "%%%02X", c);
	}
}

static void add_access(struct text *t, const struct tn_field *f)
{
	add(t, " %s%s%s%s%s",
	    f->access & TN_ACC_W   ? "rw"
	    : f->access & TN_ACC_R ? "r"
				   : "-",
	    f->access & TN_ACC_ALIGNED ? "a" : "", f->access & TN_ACC_CONST ? "c" : "",
	    f->access & TN_ACC_UNTRUSTED ? "u" : "", f->access & TN_ACC_NULLABLE ? "?" : "");
}

static void add_field(struct text *t, const struct tn_ctx_type *type, const struct tn_field *f)
{
	/* What registration made of a scalar is a scalar in the file, which is registered again. */
	uint8_t kind = f->kind > TN_FIELD_HANDLE ? TN_FIELD_SCALAR : f->kind;

	add(t, "field");
	add_name(t, f->name);
	add(t, " %u %u %s", f->offset, f->size, kind_words[kind]);
	add_access(t, f);
	switch (kind) {
	case TN_FIELD_SIZED:
		add(t, " %u %u", type->fields[f->peer].offset, f->mem_size);
		break;
	case TN_FIELD_REGION:
		add(t, " %u", type->fields[f->peer].offset);
		break;
	case TN_FIELD_MEM:
		add(t, " %u", f->mem_size);
		break;
	case TN_FIELD_HANDLE:
		add_name(t, f->handle);
		break;
	}
	add(t, "\n");
}

static void add_ctx(struct text *t, const struct tn_ctx_type *type)
{
	uint32_t i;

	add(t, "ctx");
	add_name(t, type->name);
	add(t, " %u\n", type->size);
	for (i = 0; i < type->nr_fields; i++)
		add_field(t, type, &type->fields[i]);
}

static void add_struct(struct text *t, const struct tn_ctx_type *type)
{
	uint32_t i;

	add(t, "struct");
	add_name(t, type->name);
	add(t, " %u", type->size);
	if (type->base)
		add_name(t, type->base);
	add(t, "\n");
	for (i = 0; i < type->nr_fields; i++)
		add_field(t, type, &type->fields[i]);
}

static void add_hook(struct text *t, const struct tn_hook *hook)
{
	add(t, "hook");
	add_name(t, hook->name);
	add_name(t, hook->ctx->name);
	add(t, " %s %" PRIu64 " %" PRIu64, rule_words[hook->rule], tn_hook_budget(hook),
	    hook->fallback);
	if (hook->ret_checked)
		add(t, " %" PRId64 " %" PRId64, hook->ret_min, hook->ret_max);
	if (hook->ret_int)
		add(t, " int");
	if (hook->early_end || hook->detach_after)
		add(t, " early-end %s %u", early_end_words[hook->early_end], hook->detach_after);
	add(t, "\n");
}

static void add_helper(struct text *t, const struct tn_helper_entry *e)
{
	const char *sep = "";
	char sig[512];
	size_t i;

	tn_sig_print(&e->helper.sig, sig, sizeof(sig));
	add(t, "helper");
	add_name(t, e->helper.name);
	add(t, " %u ", e->helper.id);
	if (e->helper.btf_func) {
		add(t, "typed");
		sep = ",";
	} else if (!e->flags) {
		add(t, "-");
	}
	for (i = 0; i < TN_ARRAY_SIZE(helper_flags); i++) {
		if (!(e->flags & helper_flags[i].flag))
			continue;
		add(t, "%s%s", sep, helper_flags[i].word);
		sep = ",";
	}
	add(t, " %s\n", sig);
}

static void add_var(struct text *t, const struct tn_host_var *var)
{
	add(t, "var");
	add_name(t, var->name);
	add(t, " %u %u %s", var->size, 1u << var->align_log2,
	    var->writable    ? "rw"
	    : var->read_only ? "rc"
			     : "r");
	if (var->type)
		add_name(t, var->type);
	add(t, "\n");
}

static void add_btf(struct text *t, const struct tn_host_btf *e)
{
	char line[TN_BASE64_CHARS(DATA_BYTES) + 1];

	add(t, "btf");
	add_name(t, e->name);
	add(t, " %zu%s\n", e->btf->size, e->base ? " split" : "");
	for (size_t at = 0; at < e->btf->size; at += DATA_BYTES) {
		tn_base64_encode(e->btf->data + at, TN_MIN(e->btf->size - at, (size_t)DATA_BYTES),
				 line);
		add(t, "data %s\n", line);
	}
}

static void add_all(struct text *t, struct tenon_runtime *rt)
{
	const struct tn_host_btf *btf;
	const struct tn_helper_entry *helper;
	const struct tn_ctx_entry *ctx;
	const struct tn_var_entry *var;
	const struct tn_hook *hook;

	add(t, "tenon-host %s\n", FORMAT_VERSION);
	tn_lock(rt);
	for (btf = rt->btfs; btf; btf = btf->next)
		add_btf(t, btf);
	/* Those of the BTF are made of it again. */
	for (ctx = rt->ctx_types; ctx; ctx = ctx->next) {
		if (!ctx->type->from_btf)
			add_ctx(t, ctx->type);
	}
	for (ctx = rt->structs; ctx; ctx = ctx->next) {
		if (!ctx->type->from_btf)
			add_struct(t, ctx->type);
	}
	for (hook = rt->hooks; hook; hook = hook->next)
		add_hook(t, hook);
	for (helper = rt->helpers; helper; helper = helper->next)
		add_helper(t, helper);
	for (var = rt->vars; var; var = var->next)
		add_var(t, &var->var);
	tn_unlock(rt);
}

static int write_all(int fd, const char *buf, size_t size)
{
	while (size) {
		ssize_t n = write(fd, buf, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		buf += n;
		size -= (size_t)n;
	}
	return 0;
}

/* Beside it first, so that a reader never sees half a file. */
static int write_file(struct text *t, const char *path)
{
	char *tmp = tn_asprintf(t->rt, "%s.%d.tmp", path, (int)getpid());
	int fd, rc;

	if (!tmp)
		return tn_err_nomem("file name");
	fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	rc = fd < 0 ? -errno : write_all(fd, t->buf.v, t->buf.nr);
	if (fd >= 0 && close(fd) && !rc)
		rc = -errno;
	if (!rc && rename(tmp, path))
		rc = -errno;
	if (rc && fd >= 0)
		unlink(tmp);
	tn_free(t->rt, tmp);
	return rc ? tn_err(rc, "cannot write '%s': %s", path, strerror(-rc)) : 0;
}

int tenon_runtime_describe(struct tenon_runtime *rt, const char *path)
{
	struct text t = { 0 };
	int rc;

	if (!rt || !path)
		return tn_err(-EINVAL, "tenon_runtime_describe: an argument is NULL");
	t.rt = &rt->rt;
	add_all(&t, rt);
	rc = t.failed ? tn_err_nomem("description") : write_file(&t, path);
	tn_vec_free(t.rt, &t.buf);
	return rc;
}

/* ---- Reading ---- */

struct reader {
	struct tenon_runtime *rt;
	const char *path;
	uint32_t line;
	char *words[MAX_WORDS];
	uint32_t nr;

	/* The context or structure whose fields are being read; names lie in the file's buffer. */
	struct tenon_ctx_type ctx;
	bool is_struct;
	const char *base;
	TN_VEC(struct tenon_field) fields;
	/* The BTF whose bytes are being read. */
	const char *btf_name;
	unsigned char *btf;
	uint64_t btf_size, btf_have;
	bool btf_split;
	/* Finished ones, for the hooks behind them. */
	TN_VEC(struct tenon_ctx_type) ctxs;
};

static int refuse(const struct reader *r, const char *fmt, ...) TN_PRINTF(2, 3);

static int refuse(const struct reader *r, const char *fmt, ...)
{
	char words[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(words, sizeof(words), fmt, ap);
	va_end(ap);
	return tn_err(-EINVAL, "%s:%u: %s", r->path, r->line, words);
}

/* Keep the reason of what was called, and say where it stands in the file. */
static int place(const struct reader *r, int rc)
{
	char words[400];

	if (!rc)
		return 0;
	snprintf(words, sizeof(words), "%.399s", tn_err_last()->msg);
	return tn_err(rc, "%s:%u: %s", r->path, r->line, words);
}

static int hex(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* In place: %XX to bytes. A NUL would end the name early and is refused. */
static bool unescape(char *s)
{
	char *to = s;

	for (; *s; s++) {
		if (*s != '%') {
			*to++ = *s;
			continue;
		}
		if (hex(s[1]) < 0 || hex(s[2]) < 0 || (s[1] == '0' && s[2] == '0'))
			return false;
		*to++ = (char)(hex(s[1]) * 16 + hex(s[2]));
		s += 2;
	}
	*to = 0;
	return true;
}

static int read_name(const struct reader *r, uint32_t idx, const char **out)
{
	char *word = r->words[idx];

	if (strlen(word) > MAX_NAME_BYTES * 3 || !unescape(word) || strlen(word) > MAX_NAME_BYTES)
		return refuse(r, "word %u is not a name of at most %u bytes", idx + 1,
			      MAX_NAME_BYTES);
	*out = word;
	return 0;
}

static int read_u64(const struct reader *r, uint32_t idx, uint64_t max, uint64_t *out)
{
	const char *word = r->words[idx];
	char *end;

	errno = 0;
	*out = strtoull(word, &end, 10);
	if (!isdigit((unsigned char)word[0]) || *end || errno || *out > max)
		return refuse(r, "'%.32s' is not a number of at most %" PRIu64, word, max);
	return 0;
}

static int read_u32(const struct reader *r, uint32_t idx, uint32_t *out)
{
	uint64_t value;
	int rc = read_u64(r, idx, UINT32_MAX, &value);

	*out = rc ? 0 : (uint32_t)value;
	return rc;
}

static int read_i64(const struct reader *r, uint32_t idx, int64_t *out)
{
	const char *word = r->words[idx];
	char *end;

	errno = 0;
	*out = strtoll(word, &end, 10);
	if (!isdigit((unsigned char)word[word[0] == '-']) || *end || errno)
		return refuse(r, "'%.32s' is not a number", word);
	return 0;
}

static int read_word(const struct reader *r, uint32_t idx, const char *const *set, uint32_t nr,
		     uint32_t *out)
{
	for (*out = 0; *out < nr; (*out)++) {
		if (!strcmp(r->words[idx], set[*out]))
			return 0;
	}
	return refuse(r, "unknown word '%.32s'", r->words[idx]);
}

static int read_access(const struct reader *r, uint32_t idx, uint32_t *out)
{
	char *word = r->words[idx];
	size_t len = strlen(word);

	*out = 0;
	if (len > 1 && word[len - 1] == '?') {
		*out = TENON_NULLABLE;
		word[--len] = 0;
	}
	if (len > 1 && word[len - 1] == 'u') {
		*out |= TENON_UNTRUSTED;
		word[--len] = 0;
	}
	if (len > 1 && word[len - 1] == 'c') {
		*out |= TENON_CONST;
		word[--len] = 0;
	}
	if (len > 1 && word[len - 1] == 'a') {
		*out |= TENON_ALIGNED;
		word[len - 1] = 0;
	}
	if (!strcmp(word, "r"))
		*out |= TENON_R;
	else if (!strcmp(word, "rw"))
		*out |= TENON_RW;
	else if (strcmp(word, "-"))
		return refuse(r, "unknown access '%.32s'", word);
	return 0;
}

static int expect_words(const struct reader *r, uint32_t nr)
{
	return r->nr == nr ? 0
			   : refuse(r, "'%s' takes %u words, here are %u", r->words[0], nr, r->nr);
}

static int finish_struct(struct reader *r)
{
	struct tenon_struct_type type = {
		.sz = sizeof(type),
		.name = r->ctx.name,
		.size = r->ctx.size,
		.fields = r->ctx.fields,
		.nr_fields = r->ctx.nr_fields,
		.field_size = r->ctx.field_size,
		.base = r->base,
	};
	int rc = place(r, tn_struct_register(r->rt, &type));

	r->fields.nr = 0;
	memset(&r->ctx, 0, sizeof(r->ctx));
	return rc;
}

/* The context is complete: check it, and keep it for the hooks. Its fields move along. */
static int finish_ctx(struct reader *r)
{
	const struct tn_ctx_type *registered;
	struct tenon_ctx_type *kept;
	int rc;

	if (!r->ctx.name)
		return 0;
	r->ctx.fields = r->fields.v;
	r->ctx.nr_fields = r->fields.nr;
	if (r->is_struct)
		return finish_struct(r);
	rc = place(r, tn_ctx_type_register(r->rt, &r->ctx, &registered));
	if (rc)
		return rc;
	kept = tn_vec_push(&r->rt->rt, &r->ctxs);
	if (!kept)
		return tn_err_nomem("description");
	*kept = r->ctx;
	memset(&r->fields, 0, sizeof(r->fields));
	memset(&r->ctx, 0, sizeof(r->ctx));
	return 0;
}

static int on_ctx(struct reader *r)
{
	uint64_t size = 0;
	int rc = finish_ctx(r);

	r->is_struct = !strcmp(r->words[0], "struct");
	r->base = NULL;
	if (!rc && !(r->is_struct && r->nr == 4))
		rc = expect_words(r, 3);
	if (!rc && r->nr == 4)
		rc = read_name(r, 3, &r->base);
	if (!rc)
		rc = read_u64(r, 2, 65536, &size);
	if (!rc)
		rc = read_name(r, 1, &r->ctx.name);
	r->ctx.sz = sizeof(r->ctx);
	r->ctx.size = (size_t)size;
	r->ctx.field_size = sizeof(struct tenon_field);
	return rc;
}

static int read_field_kind(const struct reader *r, struct tenon_field *f)
{
	int rc = 0;

	switch (f->kind) {
	case TENON_FIELD_SCALAR:
		return expect_words(r, 6);
	case TENON_FIELD_SIZED:
		rc = expect_words(r, 8);
		if (!rc)
			rc = read_u32(r, 6, &f->end);
		return rc ? rc : read_u32(r, 7, &f->mem_size);
	case TENON_FIELD_REGION:
		rc = expect_words(r, 7);
		return rc ? rc : read_u32(r, 6, &f->end);
	case TENON_FIELD_MEM:
		rc = expect_words(r, 7);
		return rc ? rc : read_u32(r, 6, &f->mem_size);
	case TENON_FIELD_HANDLE:
		rc = expect_words(r, 7);
		return rc ? rc : read_name(r, 6, &f->handle);
	}
	return rc;
}

static int on_field(struct reader *r)
{
	struct tenon_field *f;
	uint32_t kind = 0;
	int rc;

	if (!r->ctx.name)
		return refuse(r, "a field without a context");
	if (r->nr < 6)
		return refuse(r, "'field' takes at least 6 words, here are %u", r->nr);
	f = tn_vec_push(&r->rt->rt, &r->fields);
	if (!f)
		return tn_err_nomem("description");
	rc = read_name(r, 1, &f->name);
	if (!rc)
		rc = read_u32(r, 2, &f->offset);
	if (!rc)
		rc = read_u32(r, 3, &f->size);
	if (!rc)
		rc = read_word(r, 4, kind_words, TN_ARRAY_SIZE(kind_words), &kind);
	if (!rc)
		rc = read_access(r, 5, &f->access);
	f->kind = (enum tenon_field_kind)kind;
	return rc ? rc : read_field_kind(r, f);
}

static const struct tenon_ctx_type *find_ctx(const struct reader *r, const char *name)
{
	uint32_t i;

	if (tn_ctx_builtin_named(name))
		return tn_ctx_builtin_named(name);
	for (i = 0; i < r->ctxs.nr; i++) {
		if (!strcmp(r->ctxs.v[i].name, name))
			return &r->ctxs.v[i];
	}
	return NULL;
}

static int add_described_hook(struct reader *r, const struct tenon_hook_desc *desc)
{
	struct tenon_hook *pub = tn_new(&r->rt->rt, struct tenon_hook);
	int rc;

	if (!pub)
		return tn_err_nomem("hook");
	rc = place(r, tn_hook_register(r->rt, pub, desc, true));
	if (rc)
		tn_free(&r->rt->rt, pub);
	return rc;
}

/* The end of a hook's line, which may be absent; taken off. */
static int read_early_end(struct reader *r, struct tenon_hook_desc *desc)
{
	uint32_t idx = r->nr - 3, result = 0;
	int rc;

	if (r->nr < 9 || strcmp(r->words[idx], "early-end"))
		return 0;
	rc = read_word(r, idx + 1, early_end_words, TN_ARRAY_SIZE(early_end_words), &result);
	if (!rc)
		rc = read_u32(r, idx + 2, &desc->detach_after);
	desc->early_end = (enum tenon_early_end)result;
	r->nr = idx;
	return rc;
}

static int on_hook(struct reader *r)
{
	struct tenon_hook_desc desc = { .sz = sizeof(desc) };
	const struct tn_btf *btf;
	const char *ctx = NULL;
	uint32_t rule = 0;
	int rc = finish_ctx(r);

	if (!rc)
		rc = read_early_end(r, &desc);
	if (!rc && r->nr > 6 && !strcmp(r->words[r->nr - 1], "int")) {
		desc.ret_int = true;
		r->nr--;
	}
	if (!rc && r->nr != 8)
		rc = expect_words(r, 6);
	if (!rc)
		rc = read_name(r, 1, &desc.name);
	if (!rc)
		rc = read_name(r, 2, &ctx);
	if (!rc)
		rc = read_word(r, 3, rule_words, TN_ARRAY_SIZE(rule_words), &rule);
	if (!rc)
		rc = read_u64(r, 4, UINT64_MAX, &desc.fuel);
	if (!rc)
		rc = read_u64(r, 5, UINT64_MAX, &desc.fallback);
	if (!rc && r->nr == 8) {
		desc.ret_checked = true;
		rc = read_i64(r, 6, &desc.ret_min);
		if (!rc)
			rc = read_i64(r, 7, &desc.ret_max);
	}
	if (rc)
		return rc;
	desc.chain = (enum tenon_chain)rule;
	desc.ctx = find_ctx(r, ctx);
	if (!desc.ctx && tn_host_btf_find(r->rt, ctx, TN_BTF_STRUCT, &btf))
		desc.ctx_name = ctx;
	else if (!desc.ctx)
		return refuse(r, "hook '%s': no context '%s' before it", desc.name, ctx);
	return add_described_hook(r, &desc);
}

static int read_helper_flags(const struct reader *r, uint32_t idx, uint64_t *out, bool *typed)
{
	char *save = NULL, *word;
	size_t i;

	*out = 0;
	*typed = false;
	if (!strcmp(r->words[idx], "-"))
		return 0;
	for (word = strtok_r(r->words[idx], ",", &save); word; word = strtok_r(NULL, ",", &save)) {
		for (i = 0; i < TN_ARRAY_SIZE(helper_flags); i++) {
			if (!strcmp(word, helper_flags[i].word))
				break;
		}
		if (i < TN_ARRAY_SIZE(helper_flags))
			*out |= helper_flags[i].flag;
		else if (!strcmp(word, "typed"))
			*typed = true;
		else
			return refuse(r, "unknown helper flag '%.32s'", word);
	}
	return 0;
}

/* The signature is the rest of the line, blanks included: the last word holds all of it. */
static int on_helper(struct reader *r)
{
	struct tenon_helper_opts opts = { .sz = sizeof(opts) };
	const char *name = NULL;
	bool typed = false;
	int rc = finish_ctx(r);

	if (!rc)
		rc = expect_words(r, 5);
	if (!rc)
		rc = read_name(r, 1, &name);
	if (!rc)
		rc = read_u32(r, 2, &opts.id);
	if (!rc)
		rc = read_helper_flags(r, 3, &opts.flags, &typed);
	if (!rc)
		rc = place(r, tn_host_helper_add(r->rt, name, typed ? NULL : r->words[4], NULL,
						 &opts));
	return rc;
}

static int on_var(struct reader *r)
{
	struct tenon_var_opts opts = { .sz = sizeof(opts) };
	uint32_t size = 0, align = 0, access = 0;
	const char *name = NULL;
	int rc = finish_ctx(r);

	if (!rc && r->nr != 6)
		rc = expect_words(r, 5);
	if (!rc)
		rc = read_name(r, 1, &name);
	if (!rc)
		rc = read_u32(r, 2, &size);
	if (!rc)
		rc = read_u32(r, 3, &align);
	if (!rc && (align == 0 || align > 8 || align & (align - 1)))
		rc = refuse(r, "alignment %u is not 1, 2, 4 or 8", align);
	if (!rc)
		rc = read_access(r, 4, &access);
	if (!rc && access != TENON_R && access != TENON_RW && access != (TENON_R | TENON_CONST))
		rc = refuse(r, "variable '%s': access is r, rw or rc", name);
	if (!rc && r->nr == 6)
		rc = read_name(r, 5, &opts.type);
	opts.writable = access == TENON_RW;
	opts.read_only = access & TENON_CONST;
	return rc ? rc : place(r, tn_var_add(r->rt, name, NULL, size, align, &opts));
}

static void drop_btf(struct reader *r)
{
	tn_free(&r->rt->rt, r->btf);
	r->btf = NULL;
}

static int btf_is_short(const struct reader *r)
{
	return refuse(r, "BTF '%s' ends before its %" PRIu64 " bytes", r->btf_name, r->btf_size);
}

static int on_btf(struct reader *r)
{
	int rc = finish_ctx(r);

	if (!rc && r->btf)
		rc = btf_is_short(r);
	r->btf_split = r->nr == 4 && !strcmp(r->words[3], "split");
	if (!rc && !r->btf_split)
		rc = expect_words(r, 3);
	if (!rc)
		rc = read_name(r, 1, &r->btf_name);
	if (!rc)
		rc = read_u64(r, 2, MAX_FILE_BYTES, &r->btf_size);
	if (rc)
		return rc;
	r->btf_have = 0;
	r->btf = tn_alloc(&r->rt->rt, r->btf_size + 1);
	return r->btf ? 0 : tn_err_nomem("description");
}

static int on_data(struct reader *r)
{
	struct tenon_btf_opts opts = { .sz = sizeof(opts),
				       .name = r->btf_name,
				       .split = r->btf_split };
	int rc = expect_words(r, 2);
	ssize_t got;

	if (rc)
		return rc;
	if (!r->btf)
		return refuse(r, "'data' without BTF before it");
	got = tn_base64_decode(r->words[1], r->btf + r->btf_have, r->btf_size - r->btf_have);
	if (got < 0)
		return refuse(r, "not base64, or more than the %" PRIu64 " bytes of the BTF",
			      r->btf_size);
	r->btf_have += (uint64_t)got;
	if (r->btf_have < r->btf_size)
		return 0;
	rc = place(r, tenon_runtime_add_btf(r->rt, r->btf, r->btf_size, &opts));
	drop_btf(r);
	return rc;
}

/* Cut the line into words; of a helper's line the fifth word is all that is left. */
static int split(struct reader *r, char *line)
{
	r->nr = 0;
	for (;;) {
		line += strspn(line, " \t\r");
		if (!*line)
			return 0;
		if (r->nr == MAX_WORDS)
			return refuse(r, "more than %u words", MAX_WORDS);
		r->words[r->nr++] = line;
		if (r->nr == 5 && !strcmp(r->words[0], "helper"))
			return 0;
		line += strcspn(line, " \t\r");
		if (*line)
			*line++ = 0;
	}
}

static int read_line(struct reader *r, char *line)
{
	static const struct {
		const char *word;
		int (*fn)(struct reader *r);
	} statements[] = {
		{ "ctx", on_ctx },   { "struct", on_ctx },    { "field", on_field },
		{ "hook", on_hook }, { "helper", on_helper }, { "var", on_var },
		{ "btf", on_btf },   { "data", on_data },
	};
	size_t i;
	int rc;

	if (r->line == 1)
		return strcmp(line, "tenon-host " FORMAT_VERSION)
			       ? refuse(r, "expected 'tenon-host %s'", FORMAT_VERSION)
			       : 0;
	if (line[0] == '#')
		return 0;
	rc = split(r, line);
	if (rc || !r->nr)
		return rc;
	for (i = 0; i < TN_ARRAY_SIZE(statements); i++) {
		if (!strcmp(r->words[0], statements[i].word))
			return statements[i].fn(r);
	}
	return refuse(r, "unknown statement '%.32s'", r->words[0]);
}

static int read_lines(struct reader *r, char *text, size_t size)
{
	char *end = text + size, *line = text;
	int rc = 0;

	if (memchr(text, 0, size))
		return tn_err(-EINVAL, "%s: not a text file", r->path);
	while (line < end && !rc) {
		char *newline = memchr(line, '\n', (size_t)(end - line));

		if (newline)
			*newline = 0;
		r->line++;
		rc = read_line(r, line);
		line = newline ? newline + 1 : end;
	}
	if (!rc && !r->line)
		rc = tn_err(-EINVAL, "%s: the file is empty", r->path);
	if (!rc && r->btf)
		rc = btf_is_short(r);
	return rc ? rc : finish_ctx(r);
}

int tenon_runtime_add_description(struct tenon_runtime *rt, const char *path)
{
	struct reader r = { .rt = rt, .path = path };
	unsigned char *buf;
	size_t size;
	uint32_t i;
	int rc;

	if (!rt || !path)
		return tn_err(-EINVAL, "tenon_runtime_add_description: an argument is NULL");
	rc = tn_read_file(&rt->rt, path, MAX_FILE_BYTES, &buf, &size);
	if (rc)
		return rc;
	rc = read_lines(&r, (char *)buf, size);
	for (i = 0; i < r.ctxs.nr; i++)
		tn_free(&rt->rt, (void *)(uintptr_t)r.ctxs.v[i].fields);
	drop_btf(&r);
	tn_vec_free(&rt->rt, &r.ctxs);
	tn_vec_free(&rt->rt, &r.fields);
	tn_free(&rt->rt, buf);
	return rc;
}
