/* SPDX-License-Identifier: MIT */
/*
 * Maps as objects declared them before BTF: each variable of section "maps" is a struct bpf_map_def
 * of five numbers. How long the struct is follows from the section: loaders gave it fields of their
 * own at its end, which must be zero, or are ignored where the host says so.
 */
#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "loader/load.h"

struct old_def {
	uint32_t type, key_size, value_size, max_entries, flags;
};
#define OLD_DEF_MIN 16u /* without the flags */

static uint32_t count_symbols(const struct tn_load *ld)
{
	uint32_t nr = 0;

	for (uint32_t i = 1; i < ld->elf.nr_symbols; i++)
		nr += ld->elf.symbols[i].section == ld->old_maps_section &&
		      !ld->elf.symbols[i].is_section;
	return nr;
}

static int check_rest(const struct tn_load *ld, const char *name, struct tn_span bytes)
{
	if (ld->opts->relaxed_maps)
		return 0;
	for (size_t i = sizeof(struct old_def); i < bytes.size; i++)
		if (bytes.data[i])
			return tn_err(
				-ENOTSUP,
				"section 'maps': map '%s': byte %zu of its definition is set, "
				"expected 5 numbers and zeroes (the option relaxed_maps "
				"ignores the rest)",
				name, i);
	return 0;
}

static int add_old_map(struct tn_load *ld, const struct tn_elf_symbol *sym, uint32_t size)
{
	const struct tn_elf_section *s = &ld->elf.sections[ld->old_maps_section];
	struct old_def def = { 0 };
	struct tn_map_decl *decl;
	struct tn_load_map *map;
	struct tn_span bytes;
	int err;

	if (!*sym->name || !tn_elf_name_fits(sym->name))
		return tn_err(-EINVAL,
			      "section 'maps': the map at byte %llu has no name, or one "
			      "longer than %d",
			      (unsigned long long)sym->value, TN_ELF_MAX_NAME);
	if (!tn_span_sub(s->data, sym->value, size, &bytes))
		return tn_err(-EINVAL,
			      "section 'maps': map '%s' at byte %llu, %u long, does not "
			      "fit into its %llu bytes",
			      sym->name, (unsigned long long)sym->value, size,
			      (unsigned long long)s->size);
	err = check_rest(ld, sym->name, bytes);
	if (err)
		return err;
	memcpy(&def, bytes.data, TN_MIN(sizeof(def), bytes.size));
	map = tn_vec_push(ld->rt, &ld->maps);
	if (!map)
		return tn_err_nomem("maps");
	decl = tn_load_add_map(ld);
	if (!decl)
		return -ENOMEM;
	*map = (struct tn_load_map){ .decl = ld->image->nr_maps - 1,
				     .section = ld->old_maps_section,
				     .off = (uint32_t)sym->value,
				     .size = size,
				     .values_off = TN_NO_INDEX };
	decl->type = def.type;
	decl->key_size = def.key_size;
	decl->value_size = def.value_size;
	decl->max_entries = def.max_entries;
	decl->flags = def.flags;
	decl->name = tn_strdup(ld->rt, sym->name);
	decl->section = tn_strdup(ld->rt, "maps");
	return decl->name && decl->section ? 0 : tn_err_nomem("maps");
}

int tn_load_old_maps(struct tn_load *ld)
{
	const struct tn_elf_section *s = &ld->elf.sections[ld->old_maps_section];
	uint32_t nr;
	int err = 0;

	if (!ld->old_maps_section || s->size == 0)
		return 0;
	nr = count_symbols(ld);
	if (nr == 0 || !s->has_bytes || s->size > INT32_MAX || s->size % nr ||
	    s->size / nr < OLD_DEF_MIN || s->size / nr % 4)
		return tn_err(-EINVAL,
			      "section 'maps': %llu bytes are not %u definitions of equal size, "
			      "each %u bytes or more",
			      (unsigned long long)s->size, nr, OLD_DEF_MIN);
	for (uint32_t i = 1; i < ld->elf.nr_symbols && !err; i++) {
		const struct tn_elf_symbol *sym = &ld->elf.symbols[i];

		if (sym->section == ld->old_maps_section && !sym->is_section)
			err = add_old_map(ld, sym, (uint32_t)(s->size / nr));
	}
	return err;
}
