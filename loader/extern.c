/* SPDX-License-Identifier: MIT */
/*
 * What a plugin declares but does not define. Functions and variables of .ksyms are the host's and
 * are resolved above. Values of .kconfig are known here: they become one read-only map, filled from
 * the load option's text.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "loader/load.h"
#include "maps/map.h"

/* What LINUX_KERNEL_VERSION says: the kernel whose dialect Tenon speaks, 6.12.0. */
#define DIALECT_VERSION 0x060c00u

static int add_extern(struct tn_load *ld, enum tn_extern_kind kind, uint32_t id)
{
	const struct tn_btf *btf = ld->image->btf;
	const struct tn_btf_type *t = tn_btf_type(btf, id);
	struct tn_load_extern *ext;

	if (!tn_elf_name_fits(tn_btf_str(btf, t->name_off)))
		return tn_err(-EINVAL, "extern '%.40s...' has a name longer than %d",
			      tn_btf_str(btf, t->name_off), TN_ELF_MAX_NAME);
	ext = tn_vec_push(ld->rt, &ld->externs);
	if (!ext)
		return tn_err_nomem("externs");
	ext->name = tn_btf_str(btf, t->name_off);
	ext->btf_id = id;
	ext->kind = kind;
	if (tn_btf_kind(t) == TN_BTF_FUNC) {
		if (kind == TN_EXTERN_KCONFIG)
			return tn_err(-EINVAL, "section '.kconfig': '%s' is a function", ext->name);
		ext->kind = TN_EXTERN_KSYM_FUNC;
	}
	return 0;
}

static int add_section(struct tn_load *ld, const char *name, enum tn_extern_kind kind)
{
	uint32_t id = tn_btf_find(ld->image->btf, name, TN_BTF_DATASEC);
	const struct tn_btf_type *t = tn_btf_type(ld->image->btf, id);
	const struct tn_btf_var_secinfo *info;
	int err = 0;

	if (!id)
		return 0;
	info = tn_btf_extra(t);
	for (uint32_t i = 0; i < tn_btf_vlen(t) && !err; i++)
		err = add_extern(ld, kind, info[i].type);
	return err;
}

static int by_name(const void *a, const void *b)
{
	const struct tn_load_extern *x = a, *y = b;

	return strcmp(x->name, y->name);
}

const struct tn_load_extern *tn_load_find_extern(const struct tn_load *ld, const char *name)
{
	struct tn_load_extern key = { .name = name };

	if (!ld->externs.nr)
		return NULL;
	return bsearch(&key, ld->externs.v, ld->externs.nr, sizeof(key), by_name);
}

/* Weakness stands in the symbol, not in the BTF. */
static void mark_weak(struct tn_load *ld)
{
	for (uint32_t i = 1; i < ld->elf.nr_symbols; i++) {
		const struct tn_elf_symbol *sym = &ld->elf.symbols[i];
		const struct tn_load_extern *ext;

		if (sym->section != TN_ELF_UNDEF || !sym->is_weak)
			continue;
		ext = tn_load_find_extern(ld, sym->name);
		if (ext)
			ld->externs.v[ext - ld->externs.v].is_weak = true;
	}
}

/* ---- .kconfig ---- */

/* How a configuration value is stored. */
enum shape { SHAPE_INT, SHAPE_BOOL, SHAPE_CHAR, SHAPE_TRISTATE, SHAPE_STRING };
struct slot {
	enum shape shape;
	uint32_t size;
	bool is_signed;
};

static const char *const shape_words[] = {
	[SHAPE_INT] = "a number",
	[SHAPE_BOOL] = "y, n, 0 or 1",
	[SHAPE_CHAR] = "y, n, m or a number",
	[SHAPE_TRISTATE] = "y, n or m",
	[SHAPE_STRING] = "a string in double quotes",
};

static int bad_value(const struct tn_load_extern *ext, const char *value, const char *what)
{
	return tn_err(-EINVAL, "configuration value '%s': '%.40s' %s", ext->name, value, what);
}

static int find_slot(const struct tn_btf *btf, const struct tn_load_extern *ext, struct slot *out)
{
	const struct tn_btf_type *var = tn_btf_type(btf, ext->btf_id);
	const struct tn_btf_type *t = tn_btf_type(btf, tn_btf_skip_mods(btf, var->size_or_type));
	const struct tn_btf_array *array;
	uint32_t encoding;

	out->size = t->size_or_type;
	out->is_signed = false;
	switch ((int)tn_btf_kind(t)) {
	case TN_BTF_INT:
		encoding = *(const uint32_t *)tn_btf_extra(t) >> 24;
		out->is_signed = encoding & 1;
		out->shape = encoding & 4	    ? SHAPE_BOOL
			     : t->size_or_type == 1 ? SHAPE_CHAR
						    : SHAPE_INT;
		if (out->size <= 8)
			return 0;
		break;
	case TN_BTF_ENUM:
		out->shape = SHAPE_TRISTATE;
		if (out->size <= 8 && !strcmp(tn_btf_str(btf, t->name_off), "libbpf_tristate"))
			return 0;
		break;
	case TN_BTF_ARRAY:
		array = tn_btf_extra(t);
		out->shape = SHAPE_STRING;
		out->size = array->nelems;
		if (tn_btf_size_of(btf, array->type) == 1 && array->nelems > 0 &&
		    array->nelems <= 4096)
			return 0;
		break;
	default:
		break;
	}
	return tn_err(-ENOTSUP,
		      "extern '%s' is of kind %s; a configuration value is an integer, bool, "
		      "enum libbpf_tristate or array of char",
		      ext->name, tn_btf_kind_name(tn_btf_kind(t)));
}

/* `value` without the sign that `text` begins with. */
static int store_number(const struct tn_load_extern *ext, const struct slot *slot, const char *text,
			uint64_t value, unsigned char *to)
{
	uint32_t bits = slot->size * 8;
	bool minus = *text == '-';
	bool fits;

	if (slot->shape == SHAPE_STRING || slot->shape == SHAPE_TRISTATE)
		return tn_err(-EINVAL, "extern '%s' is a number, but its variable is not",
			      ext->name);
	if (slot->is_signed)
		fits = minus ? value - 1 < UINT64_C(1) << (bits - 1) || value == 0
			     : value < UINT64_C(1) << (bits - 1);
	else
		fits = value == 0 || (!minus && (bits == 64 || value >> bits == 0));
	if (!fits)
		return tn_err(-EINVAL,
			      "configuration value '%s': '%.40s' does not fit into its variable of "
			      "%u %s bits",
			      ext->name, text, bits, slot->is_signed ? "signed" : "unsigned");
	if (slot->shape == SHAPE_BOOL && value > 1)
		return bad_value(ext, text, "is neither y, n, 0 nor 1");
	value = minus ? 0 - value : value;
	memcpy(to, &value, slot->size); /* little-endian, as the object */
	return 0;
}

/* y, n, m */
static int store_letter(const struct tn_load_extern *ext, const struct slot *slot, char letter,
			unsigned char *to)
{
	const char text[2] = { letter, 0 };

	switch (slot->shape) {
	case SHAPE_BOOL:
		if (letter == 'm')
			break;
		to[0] = letter == 'y';
		return 0;
	case SHAPE_TRISTATE:
		to[0] = letter == 'y' ? 1 : letter == 'm' ? 2 : 0;
		return 0;
	case SHAPE_CHAR:
		to[0] = (unsigned char)letter;
		return 0;
	case SHAPE_INT:
	case SHAPE_STRING:
		break;
	}
	return tn_err(-EINVAL, "configuration value '%s': '%s' does not fit its type, expected %s",
		      ext->name, text, shape_words[slot->shape]);
}

static int store_text(const struct tn_load_extern *ext, const struct slot *slot, const char *value,
		      size_t len, unsigned char *to)
{
	if (slot->shape != SHAPE_STRING)
		return bad_value(ext, value, "is a string, but its variable is not");
	if (len < 2 || value[len - 1] != '"')
		return bad_value(ext, value, "lacks its closing quote");
	/* As libbpf: what is too long is cut, the last byte is always 0. */
	memcpy(to, value + 1, TN_MIN(len - 2, (size_t)slot->size - 1));
	return 0;
}

static int store_value(const struct tn_load_extern *ext, const struct slot *slot, const char *value,
		       size_t len, unsigned char *to)
{
	char number[32], *digits, *end;
	uint64_t n;

	if (len == 1 && (*value == 'y' || *value == 'n' || *value == 'm'))
		return store_letter(ext, slot, *value, to);
	if (len && *value == '"')
		return store_text(ext, slot, value, len, to);
	memcpy(number, value, TN_MIN(len, sizeof(number) - 1));
	number[TN_MIN(len, sizeof(number) - 1)] = '\0';
	if (len == 0 || slot->shape == SHAPE_STRING || slot->shape == SHAPE_TRISTATE)
		return tn_err(-EINVAL,
			      "configuration value '%s': '%s' does not fit its type, expected %s",
			      ext->name, number, shape_words[slot->shape]);
	digits = number + (*number == '-');
	errno = 0;
	n = strtoull(digits, &end, 0);
	if (errno || *end || !isdigit((unsigned char)*digits) || len >= sizeof(number))
		return bad_value(ext, number, "is no number");
	return store_number(ext, slot, number, n, to);
}

/* The value of `name` in "NAME=value\n..."; *len of its characters; *value NULL: not there. */
static int find_config(const char *config, const char *name, const char **value, size_t *len)
{
	size_t name_len = strlen(name), line_len;

	*value = NULL;
	*len = 0;
	for (const char *line = config; line && *line;
	     line += line_len + (line[line_len] == '\n')) {
		const char *at = line + name_len + 1;
		size_t n;

		line_len = strcspn(line, "\n");
		if (line_len <= name_len || strncmp(line, name, name_len) != 0 ||
		    line[name_len] != '=')
			continue;
		n = line_len - name_len - 1;
		while (n && strchr("\r \t", at[n - 1]))
			n--;
		if (*value && (n != *len || memcmp(*value, at, n) != 0))
			return tn_err(-EINVAL,
				      "configuration value '%s' is given twice: '%.*s' and '%.*s'",
				      name, (int)TN_MIN(*len, (size_t)40), *value,
				      (int)TN_MIN(n, (size_t)40), at);
		*value = at;
		*len = n;
	}
	return 0;
}

/* Each line names a value, is a comment, or blank: a typing error does not go unseen. */
static int check_config(const char *config)
{
	uint32_t nr = 1;
	size_t len;

	for (const char *line = config; line && *line; line += len + (line[len] == '\n'), nr++) {
		size_t name = strcspn(line, "=\n#"), blank = strspn(line, " \t\r");

		len = strcspn(line, "\n");
		if (line[blank] == '\n' || line[blank] == '\0' || line[blank] == '#')
			continue;
		if (line[name] != '=' || name == 0 || strcspn(line, " \t") < name)
			return tn_err(-EINVAL,
				      "configuration: line %u, '%.*s', is not of the form "
				      "NAME=value",
				      nr, (int)TN_MIN(len, (size_t)40), line);
	}
	return 0;
}

static int find_value(const struct tn_load *ld, const struct tn_load_extern *ext,
		      const struct slot *slot, unsigned char *to)
{
	const char *value;
	size_t len;
	int err;

	if (!strcmp(ext->name, "LINUX_KERNEL_VERSION"))
		return store_number(ext, slot, "6.12.0", DIALECT_VERSION, to);
	/* Links have cookies. Calls are not wrapped as the kernel's system calls are. */
	if (!strcmp(ext->name, "LINUX_HAS_BPF_COOKIE"))
		return store_number(ext, slot, "1", 1, to);
	if (!strcmp(ext->name, "LINUX_HAS_SYSCALL_WRAPPER"))
		return 0;
	err = find_config(ld->opts->config, ext->name, &value, &len);
	if (err)
		return err;
	if (value)
		return store_value(ext, slot, value, len, to);
	if (ext->is_weak)
		return 0;
	return tn_err(-EINVAL,
		      "extern '%s' has no configuration value; give one or declare it __weak",
		      ext->name);
}

/* Give each value its place; *size of them all. */
static int place_kconfig(struct tn_load *ld, uint64_t *size)
{
	for (uint32_t i = 0; i < ld->externs.nr; i++) {
		struct tn_load_extern *ext = &ld->externs.v[i];
		struct slot slot;
		int err;

		if (ext->kind != TN_EXTERN_KCONFIG)
			continue;
		err = find_slot(ld->image->btf, ext, &slot);
		if (err)
			return err;
		ext->kconfig_off = (uint32_t)TN_ROUND_UP(*size, 8);
		*size = ext->kconfig_off + (uint64_t)slot.size;
		if (*size > INT32_MAX)
			return tn_err(-EINVAL, "section '.kconfig' is too large");
	}
	return 0;
}

static int fill_kconfig(const struct tn_load *ld, unsigned char *data)
{
	int err = 0;

	for (uint32_t i = 0; i < ld->externs.nr && !err; i++) {
		const struct tn_load_extern *ext = &ld->externs.v[i];
		struct slot slot;

		if (ext->kind != TN_EXTERN_KCONFIG)
			continue;
		err = find_slot(ld->image->btf, ext, &slot);
		if (!err)
			err = find_value(ld, ext, &slot, data + ext->kconfig_off);
	}
	return err;
}

static int load_kconfig(struct tn_load *ld)
{
	struct tn_map_decl *decl;
	uint64_t size = 0;
	int err = place_kconfig(ld, &size);

	if (!err && size)
		err = check_config(ld->opts->config);
	if (err || size == 0)
		return err;
	decl = tn_load_add_map(ld);
	if (!decl)
		return -ENOMEM;
	ld->kconfig_map = ld->image->nr_maps - 1;
	decl->type = TN_MAP_ARRAY;
	decl->key_size = 4;
	decl->value_size = (uint32_t)size;
	decl->max_entries = 1;
	decl->flags = TN_MAP_F_MMAPABLE | TN_MAP_F_RDONLY_PROG;
	decl->is_data = decl->is_rodata = decl->unused = true;
	decl->name = tn_load_data_name(ld, ".kconfig");
	decl->section = tn_strdup(ld->rt, ".kconfig");
	decl->data = tn_zalloc(ld->rt, size);
	if (!decl->name || !decl->section || !decl->data)
		return tn_err_nomem("configuration values");
	return fill_kconfig(ld, decl->data);
}

int tn_load_externs(struct tn_load *ld)
{
	int err;

	if (!ld->image->btf)
		return 0;
	err = add_section(ld, ".ksyms", TN_EXTERN_KSYM_VAR);
	if (!err)
		err = add_section(ld, ".kconfig", TN_EXTERN_KCONFIG);
	if (err || !ld->externs.nr)
		return err;
	qsort(ld->externs.v, ld->externs.nr, sizeof(ld->externs.v[0]), by_name);
	for (uint32_t i = 1; i < ld->externs.nr; i++)
		if (!strcmp(ld->externs.v[i - 1].name, ld->externs.v[i].name))
			return tn_err(-EINVAL, "extern '%s' is declared twice",
				      ld->externs.v[i].name);
	mark_weak(ld);
	return load_kconfig(ld);
}
