/* SPDX-License-Identifier: MIT */
#include "loader/probe_target.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/compiler.h"
#include "base/err.h"

static const struct row {
	const char *prefix;
	enum tn_probe_kind kind;
	bool at_return;
} rows[] = {
	{ "uprobe", TN_PROBE_FUNC, false },
	{ "uprobe.s", TN_PROBE_FUNC, false },
	{ "uretprobe", TN_PROBE_FUNC, true },
	{ "uretprobe.s", TN_PROBE_FUNC, true },
	{ "uprobe.multi", TN_PROBE_PATTERN, false },
	{ "uprobe.multi.s", TN_PROBE_PATTERN, false },
	{ "uretprobe.multi", TN_PROBE_PATTERN, true },
	{ "uretprobe.multi.s", TN_PROBE_PATTERN, true },
	{ "uprobe.session", TN_PROBE_PATTERN, false },
	{ "uprobe.session.s", TN_PROBE_PATTERN, false },
	{ "usdt", TN_PROBE_USDT, false },
	{ "usdt.s", TN_PROBE_USDT, false },
};

static const struct row *row_of(const char *section, size_t len)
{
	for (size_t i = 0; i < TN_ARRAY_SIZE(rows); i++)
		if (strlen(rows[i].prefix) == len && !memcmp(rows[i].prefix, section, len))
			return &rows[i];
	return NULL;
}

/* Cuts `text` at the first `sep` into what stands before, and what behind it; false: none. */
static bool cut(struct tn_span *text, char sep, struct tn_span *before)
{
	const unsigned char *at = text->size ? memchr(text->data, sep, text->size) : NULL;
	size_t len;

	if (!at)
		return false;
	len = (size_t)(at - text->data);
	*before = tn_span_make(text->data, len);
	*text = tn_span_make(at + 1, text->size - len - 1);
	return true;
}

static bool is_digit(unsigned char c)
{
	return c >= '0' && c <= '9';
}

/* Names of symbols, versions, providers: as assemblers write them without quotes. */
static bool is_name(struct tn_span text, const char *besides)
{
	for (size_t i = 0; i < text.size; i++) {
		unsigned char c = text.data[i];

		if (!is_digit(c) && !((c | 0x20) >= 'a' && (c | 0x20) <= 'z') &&
		    !(c && (strchr("_.$", c) || strchr(besides, c))))
			return false;
	}
	return text.size > 0;
}

static int read_number(const char *section, struct tn_span text, uint64_t *out)
{
	uint64_t base = 10, value = 0;
	size_t i = 0;

	if (text.size > 2 && text.data[0] == '0' && (text.data[1] | 0x20) == 'x') {
		base = 16;
		i = 2;
	}
	if (i == text.size)
		return tn_err(-EINVAL, "section '%s': no offset behind '+'", section);
	for (; i < text.size; i++) {
		unsigned char c = text.data[i], low = c | 0x20;
		uint64_t digit = is_digit(c)		    ? (uint64_t)(c - '0')
				 : low >= 'a' && low <= 'f' ? (uint64_t)(low - 'a' + 10)
							    : base;

		if (digit >= base)
			return tn_err(-EINVAL, "section '%s': offset '%.*s' is no number", section,
				      (int)text.size, (const char *)text.data);
		if (__builtin_mul_overflow(value, base, &value) ||
		    __builtin_add_overflow(value, digit, &value) || value > INT64_MAX)
			return tn_err(-EINVAL, "section '%s': offset '%.*s' exceeds 2^63 - 1",
				      section, (int)text.size, (const char *)text.data);
	}
	*out = value;
	return 0;
}

static int bad_name(const char *section, const char *what, struct tn_span text)
{
	if (!text.size)
		return tn_err(-EINVAL, "section '%s': %s is empty", section, what);
	return tn_err(-EINVAL, "section '%s': %s '%.*s' is no name", section, what, (int)text.size,
		      (const char *)text.data);
}

static int parse_pattern(const char *section, struct tn_span text, struct tn_probe_target *out)
{
	if (!is_name(text, "*?"))
		return bad_name(section, "pattern of functions", text);
	out->func = text;
	return 0;
}

static int parse_func(const char *section, struct tn_span text, struct tn_probe_target *out)
{
	struct tn_span func = text, before;
	int err = 0;

	if (text.size && is_digit(text.data[0])) {
		if (out->at_return)
			return tn_err(-EINVAL, "section '%s': a probe of returns needs a function",
				      section);
		return read_number(section, text, &out->off);
	}
	if (cut(&func, '+', &before)) {
		err = read_number(section, func, &out->off);
		func = before;
		if (!err && out->at_return && out->off)
			err = tn_err(-EINVAL, "section '%s': a probe of returns takes no offset",
				     section);
		if (err)
			return err;
	}
	if (cut(&func, '@', &before)) {
		/* @@, as tools show default versions. */
		if (func.size && func.data[0] == '@')
			func = tn_span_make(func.data + 1, func.size - 1);
		if (!is_name(func, ""))
			return bad_name(section, "version", func);
		out->version = func;
		func = before;
	}
	if (!is_name(func, ""))
		return bad_name(section, "function", func);
	out->func = func;
	return 0;
}

static int parse_usdt(const char *section, struct tn_span text, struct tn_probe_target *out)
{
	out->name = text;
	if (!cut(&out->name, ':', &out->provider))
		return tn_err(-EINVAL, "section '%s': expected usdt/PATH:PROVIDER:NAME", section);
	if (!is_name(out->provider, "-"))
		return bad_name(section, "provider", out->provider);
	if (!is_name(out->name, "-"))
		return bad_name(section, "probe", out->name);
	return 0;
}

int tn_probe_target_parse(const char *section, struct tn_probe_target *out)
{
	const char *start = section + (*section == '?'), *slash = strchr(start, '/');
	const struct row *row = slash ? row_of(start, (size_t)(slash - start)) : NULL;
	struct tn_span text;

	*out = (struct tn_probe_target){ .kind = TN_PROBE_NONE };
	if (!row)
		return 0;
	text = tn_span_make(slash + 1, strlen(slash + 1));
	if (!cut(&text, ':', &out->path))
		return 0;
	if (!out->path.size)
		return tn_err(-EINVAL, "section '%s': no file in front of ':'", section);
	out->kind = row->kind;
	out->at_return = row->at_return;
	switch (row->kind) {
	case TN_PROBE_FUNC:
		return parse_func(section, text, out);
	case TN_PROBE_PATTERN:
		return parse_pattern(section, text, out);
	case TN_PROBE_USDT:
		return parse_usdt(section, text, out);
	case TN_PROBE_NONE:
		break;
	}
	return 0;
}

/* ---- The file ---- */

#ifdef __aarch64__
#define ARCH "aarch64-linux-gnu"
#else
#define ARCH "x86_64-linux-gnu"
#endif

static const char lib_dirs[] = "/lib/" ARCH ":/usr/lib/" ARCH ":/lib64:/usr/lib64:/lib:/usr/lib:"
			       "/usr/local/lib/" ARCH ":/usr/local/lib";
static const char prog_dirs[] = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin";

static bool is_library(struct tn_span path)
{
	for (size_t i = 0; i + 3 <= path.size; i++)
		if (!memcmp(path.data + i, ".so", 3) &&
		    (i + 3 == path.size || path.data[i + 3] == '.'))
			return true;
	return false;
}

/* The first of `dirs`, parted by ':', that has the file. */
static bool find_in(const char *dirs, struct tn_span file, char *path, size_t size)
{
	while (dirs && *dirs) {
		size_t len = strcspn(dirs, ":");
		int n = snprintf(path, size, "%.*s/%.*s", (int)len, dirs, (int)file.size,
				 (const char *)file.data);

		if (len && n > 0 && (size_t)n < size && access(path, R_OK) == 0)
			return true;
		dirs += len + (dirs[len] == ':');
	}
	return false;
}

int tn_probe_target_file(const struct tn_probe_target *target, char *path, size_t size)
{
	const char *file = (const char *)target->path.data;
	int len = (int)target->path.size;
	bool library = is_library(target->path);

	if (memchr(file, '/', target->path.size)) {
		if (target->path.size >= size)
			return tn_err(-ENAMETOOLONG, "path '%.*s' is too long", len, file);
		memcpy(path, file, target->path.size);
		path[target->path.size] = '\0';
		return access(path, R_OK) == 0
			       ? 0
			       : tn_err(-ENOENT, "cannot read '%s': %s", path, strerror(errno));
	}
	if (find_in(secure_getenv(library ? "LD_LIBRARY_PATH" : "PATH"), target->path, path,
		    size) ||
	    find_in(library ? lib_dirs : prog_dirs, target->path, path, size))
		return 0;
	return tn_err(-ENOENT, "%s '%.*s' is not in %s nor in %s", library ? "library" : "program",
		      len, file, library ? "LD_LIBRARY_PATH" : "PATH",
		      library ? lib_dirs : prog_dirs);
}
