/* SPDX-License-Identifier: MIT */
/*
 * ELF object in, image out. The order matters: types before maps, since .maps is described by them;
 * maps and functions before programs, since code refers to both; programs before the maps' initial
 * values, since those name programs.
 */
#include "loader/object.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "loader/load.h"

static bool has_prefix(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

/* "X" or "X.something". */
static bool is_named(const char *s, const char *name)
{
	size_t len = strlen(name);

	return strncmp(s, name, len) == 0 && (s[len] == '\0' || s[len] == '.');
}

static enum tn_role role_of(const struct tn_elf_section *s)
{
	if (s->type == SHT_SYMTAB || s->type == SHT_STRTAB)
		return TN_ROLE_TABLE;
	if (tn_elf_is_rel(s))
		return TN_ROLE_RELOCS;
	if (has_prefix(s->name, ".debug") || has_prefix(s->name, ".llvm") ||
	    has_prefix(s->name, ".eh_frame"))
		return TN_ROLE_DEBUG;
	if (!strcmp(s->name, ".BTF"))
		return TN_ROLE_BTF;
	if (!strcmp(s->name, ".BTF.ext"))
		return TN_ROLE_BTF_EXT;
	if (!strcmp(s->name, ".maps"))
		return TN_ROLE_MAPS;
	if (!strcmp(s->name, "maps"))
		return TN_ROLE_LEGACY_MAPS;
	if (!strcmp(s->name, "license"))
		return TN_ROLE_LICENSE;
	if (!strcmp(s->name, "version"))
		return TN_ROLE_VERSION;
	if (!strcmp(s->name + (*s->name == '?'), ".struct_ops") ||
	    !strcmp(s->name + (*s->name == '?'), ".struct_ops.link"))
		return TN_ROLE_STRUCT_OPS;
	if (has_prefix(s->name, ".addr_space"))
		return TN_ROLE_ARENA;
	if (s->type == SHT_PROGBITS && s->flags & SHF_EXECINSTR)
		return !strcmp(s->name, ".text") ? TN_ROLE_TEXT : TN_ROLE_PROGS;
	if (s->type == SHT_NOBITS && is_named(s->name, ".bss"))
		return TN_ROLE_BSS;
	if (s->type == SHT_PROGBITS && is_named(s->name, ".rodata"))
		return TN_ROLE_RODATA;
	if (s->type == SHT_PROGBITS && is_named(s->name, ".data"))
		return TN_ROLE_DATA;
	return TN_ROLE_OTHER;
}

static const char *const role_words[] = {
	[TN_ROLE_OTHER] = "other",
	[TN_ROLE_PROGS] = "programs",
	[TN_ROLE_TEXT] = "subprograms",
	[TN_ROLE_MAPS] = "maps",
	[TN_ROLE_DATA] = "data",
	[TN_ROLE_RODATA] = "read-only data",
	[TN_ROLE_BSS] = "zeroed data",
	[TN_ROLE_LICENSE] = "license",
	[TN_ROLE_VERSION] = "version",
	[TN_ROLE_BTF] = "types",
	[TN_ROLE_BTF_EXT] = "lines and functions",
	[TN_ROLE_RELOCS] = "relocations",
	[TN_ROLE_TABLE] = "symbols and names",
	[TN_ROLE_DEBUG] = "debug",
	[TN_ROLE_LEGACY_MAPS] = "maps, old form",
	[TN_ROLE_STRUCT_OPS] = "struct_ops",
	[TN_ROLE_ARENA] = "arena",
};

/* Sections of which an object has one. */
static int note_single(struct tn_load *ld, uint32_t i, uint32_t *slot)
{
	if (*slot)
		return tn_err(-EINVAL, "two sections are named '%s': %u and %u",
			      ld->elf.sections[i].name, *slot, i);
	*slot = i;
	return 0;
}

static int unsupported(const char *section, const char *what)
{
	return tn_err(-ENOTSUP, "section '%s': %s", section, what);
}

static int read_license(struct tn_load *ld, const struct tn_elf_section *s)
{
	const char *text = tn_span_str(s->data, 0);

	if (!text)
		return tn_err(-EINVAL, "section 'license': no string ends within its %zu bytes",
			      s->data.size);
	tn_free(ld->rt, ld->image->license);
	ld->image->license = tn_strdup(ld->rt, text);
	return ld->image->license ? 0 : tn_err_nomem("license");
}

static int classify_section(struct tn_load *ld, uint32_t i)
{
	const struct tn_elf_section *s = &ld->elf.sections[i];
	struct tn_load_section *out = &ld->sections[i];

	out->role = role_of(s);
	out->map = TN_NO_INDEX;
	switch ((int)out->role) {
	case TN_ROLE_MAPS:
		return note_single(ld, i, &ld->maps_section);
	case TN_ROLE_BTF:
		return note_single(ld, i, &ld->btf_section);
	case TN_ROLE_BTF_EXT:
		return note_single(ld, i, &ld->btf_ext_section);
	case TN_ROLE_LICENSE:
		return read_license(ld, s);
	case TN_ROLE_LEGACY_MAPS:
		return note_single(ld, i, &ld->old_maps_section);
	case TN_ROLE_PROGS:
	case TN_ROLE_TEXT:
		if (s->size % sizeof(struct tn_insn))
			return tn_err(-EINVAL,
				      "section '%s': %llu bytes are not a number of instructions",
				      s->name, (unsigned long long)s->size);
		return 0;
	default:
		return 0;
	}
}

static int compare_names(const void *a, const void *b, void *ctx)
{
	const struct tn_load *ld = ctx;
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	int order = strcmp(ld->elf.sections[x].name, ld->elf.sections[y].name);

	return order ? order : x < y ? -1 : x > y;
}

bool tn_load_is_code(const struct tn_load *ld, uint32_t section)
{
	return ld->sections[section].role == TN_ROLE_PROGS ||
	       ld->sections[section].role == TN_ROLE_TEXT;
}

static int sort_sections(struct tn_load *ld)
{
	uint32_t nr = ld->elf.nr_sections - 1;

	for (uint32_t i = 0; i < nr; i++)
		ld->by_name[i] = i + 1;
	qsort_r(ld->by_name, nr, sizeof(uint32_t), compare_names, ld);
	for (uint32_t i = 1; i < nr; i++) {
		uint32_t a = ld->by_name[i - 1], b = ld->by_name[i];

		/* .BTF.ext could not tell them apart. */
		if (tn_load_is_code(ld, b) &&
		    !strcmp(ld->elf.sections[a].name, ld->elf.sections[b].name))
			return tn_err(-EINVAL, "two sections are named '%s': %u and %u",
				      ld->elf.sections[a].name, a, b);
	}
	return 0;
}

uint32_t tn_load_find_section(const struct tn_load *ld, const char *name)
{
	uint32_t nr = ld->elf.nr_sections - 1, lo = 0, hi = nr;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (strcmp(ld->elf.sections[ld->by_name[mid]].name, name) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo < nr && !strcmp(ld->elf.sections[ld->by_name[lo]].name, name))
		return ld->by_name[lo];
	return 0;
}

/* Relocations of code and maps are read; those of debug sections and .BTF.ext are not needed; those
 * of data would have to be pointers, which have no value before the program runs. */
static int read_relocs(struct tn_load *ld, uint32_t rel)
{
	uint32_t target = ld->elf.sections[rel].info;
	const char *name = ld->elf.sections[target].name;
	struct tn_load_section *to = &ld->sections[target];

	switch ((int)to->role) {
	case TN_ROLE_DATA:
	case TN_ROLE_RODATA:
		if (ld->elf.sections[rel].size == 0)
			return 0;
		return unsupported(name, "variables that are initialised with an address are not "
					 "supported; assign it in the program");
	case TN_ROLE_PROGS:
	case TN_ROLE_TEXT:
	case TN_ROLE_MAPS:
	case TN_ROLE_STRUCT_OPS:
	case TN_ROLE_BTF:
		break;
	default:
		return 0;
	}
	if (to->rel_section)
		return tn_err(-EINVAL, "section '%s' is relocated twice: by sections %u and %u",
			      name, to->rel_section, rel);
	to->rel_section = rel;
	return tn_elf_relocs(&ld->elf, rel, &to->relocs, &to->nr_relocs);
}

static int classify(struct tn_load *ld)
{
	uint32_t nr = ld->elf.nr_sections;
	int err = 0;

	ld->sections = tn_alloc_array(ld->rt, nr, sizeof(*ld->sections));
	ld->by_name = tn_alloc_array(ld->rt, nr, sizeof(*ld->by_name));
	if (!ld->sections || !ld->by_name)
		return tn_err_nomem("sections");
	for (uint32_t i = 1; i < nr && !err; i++)
		err = classify_section(ld, i);
	if (!err)
		err = sort_sections(ld);
	for (uint32_t i = 1; i < nr && !err; i++)
		if (ld->sections[i].role == TN_ROLE_RELOCS)
			err = read_relocs(ld, i);
	return err;
}

static int describe_sections(struct tn_load *ld)
{
	uint32_t nr = ld->elf.nr_sections;
	struct tn_section_info *info = tn_alloc_array(ld->rt, nr, sizeof(*info));

	if (!info)
		return tn_err_nomem("sections");
	ld->image->sections = info;
	for (uint32_t i = 1; i < nr; i++, info++) {
		const struct tn_elf_section *s = &ld->elf.sections[i];

		info->name = tn_strdup(ld->rt, s->name);
		if (!info->name)
			return tn_err_nomem("sections");
		info->size = s->size;
		info->what = role_words[ld->sections[i].role];
		info->nr_relocs = ld->sections[i].nr_relocs;
		ld->image->nr_sections++;
	}
	return 0;
}

struct tn_map_decl *tn_load_add_map(struct tn_load *ld)
{
	struct tn_image *image = ld->image;
	struct tn_map_decl *decl;

	if (tn_vec_reserve(ld->rt, (void **)&image->maps, &ld->maps_cap, image->nr_maps + 1,
			   sizeof(*decl))) {
		tn_err_nomem("maps");
		return NULL;
	}
	decl = &image->maps[image->nr_maps++];
	memset(decl, 0, sizeof(*decl));
	return decl;
}

int tn_load_note_reloc(struct tn_load *ld, uint32_t section, const struct tn_elf_reloc *rel)
{
	struct tn_image *image = ld->image;
	struct tn_reloc_info *info;

	if (tn_vec_reserve(ld->rt, (void **)&image->relocs, &ld->relocs_cap, image->nr_relocs + 1,
			   sizeof(*info)))
		return tn_err_nomem("relocations");
	info = &image->relocs[image->nr_relocs];
	info->section = tn_strdup(ld->rt, ld->elf.sections[section].name);
	info->symbol = tn_strndup(ld->rt, ld->elf.symbols[rel->symbol].name, TN_ELF_MAX_NAME);
	info->off = rel->off;
	info->type = tn_elf_reloc_name(rel->type);
	image->nr_relocs++;
	return info->section && info->symbol ? 0 : tn_err_nomem("relocations");
}

static int load_all(struct tn_load *ld, struct tn_span file)
{
	int err = tn_elf_open(&ld->elf, ld->rt, file);

	if (!err)
		err = classify(ld);
	if (!err)
		err = describe_sections(ld);
	if (!err)
		err = tn_load_btf(ld);
	if (!err)
		err = tn_load_funcs(ld);
	if (!err)
		err = tn_load_btf_ext(ld);
	if (!err)
		err = tn_load_maps(ld);
	if (!err)
		err = tn_load_data(ld);
	if (!err)
		err = tn_load_externs(ld);
	if (!err)
		err = tn_load_resolve_core(ld);
	if (!err)
		err = tn_load_progs(ld);
	if (!err)
		err = tn_load_map_values(ld);
	if (!err)
		err = tn_load_struct_ops(ld);
	return err;
}

static void load_free(struct tn_load *ld)
{
	for (uint32_t i = 0; ld->sections && i < ld->elf.nr_sections; i++)
		tn_free(ld->rt, ld->sections[i].relocs);
	tn_free(ld->rt, ld->sections);
	tn_free(ld->rt, ld->by_name);
	tn_free(ld->rt, ld->map_slots);
	tn_free(ld->rt, ld->extern_slots);
	tn_vec_free(ld->rt, &ld->funcs);
	tn_vec_free(ld->rt, &ld->lines);
	tn_vec_free(ld->rt, &ld->cores);
	tn_free(ld->rt, ld->core_patches);
	tn_vec_free(ld->rt, &ld->maps);
	tn_vec_free(ld->rt, &ld->externs);
	tn_elf_close(&ld->elf);
}

struct tn_image *tn_loader_open(struct tn_rt *rt, struct tn_span file,
				const struct tn_load_opts *opts)
{
	struct tn_load ld = { .rt = rt, .opts = opts, .kconfig_map = TN_NO_INDEX };
	struct tn_image *image;
	int err;

	image = tn_image_new(rt, opts->name ? opts->name : "");
	if (!image) {
		err = tn_err_nomem("object");
		tn_err_at(TN_STAGE_OPEN, opts->name, NULL, -1, NULL);
		errno = -err;
		return NULL;
	}
	ld.image = image;
	err = load_all(&ld, file);
	load_free(&ld);
	if (!err)
		return image;
	tn_err_at(TN_STAGE_OPEN, opts->name, NULL, -1, NULL);
	tn_image_free(image);
	errno = -err;
	return NULL;
}
