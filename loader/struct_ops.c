/* SPDX-License-Identifier: MIT */
/*
 * Structures of functions that a plugin fills: each variable of a section .struct_ops or
 * .struct_ops.link becomes a declaration with its bytes and its programs. What the host makes of
 * them is the host's side (host-api/struct_ops.h): here only the plugin's own types count.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "loader/load.h"

/* Members of one structure. */
#define MAX_MEMBERS 1024

/* A variable whose relocations are being read. */
struct ops_var {
	uint32_t section, off;
	const struct tn_btf_type *type;
	struct tn_map_decl *decl;
};

static int bad_init(const struct tn_load *ld, const struct ops_var *var,
		    const struct tn_elf_reloc *rel, int code, const char *member, const char *what)
{
	return tn_err(code,
		      "section '%s': variable '%s', member '%s' (relocation %u, symbol '%s') %s",
		      ld->elf.sections[var->section].name, var->decl->name, member, rel->entry,
		      ld->elf.symbols[rel->symbol].name, what);
}

/* The member that stands at `byte`; UINT32_MAX: none begins there. */
static uint32_t member_at(const struct tn_btf_type *t, uint64_t byte)
{
	const struct tn_btf_member *m = tn_btf_extra(t);

	for (uint32_t i = 0; i < tn_btf_vlen(t); i++)
		if (tn_btf_member_bit_off(t, &m[i]) == byte * 8 &&
		    !tn_btf_member_bit_size(t, &m[i]))
			return i;
	return UINT32_MAX;
}

static bool is_function(const struct tn_btf *btf, uint32_t id)
{
	const struct tn_btf_type *t = tn_btf_type(btf, tn_btf_skip_mods(btf, id));

	if (tn_btf_kind(t) != TN_BTF_PTR)
		return false;
	t = tn_btf_type(btf, tn_btf_skip_mods(btf, t->size_or_type));
	return tn_btf_kind(t) == TN_BTF_FUNC_PROTO;
}

/* The program that `rel` puts into the variable. */
static int set_member(struct tn_load *ld, const struct ops_var *var, const struct tn_elf_reloc *rel)
{
	const struct tn_elf_symbol *sym = &ld->elf.symbols[rel->symbol];
	const struct tn_btf_member *members = tn_btf_extra(var->type);
	uint32_t idx = member_at(var->type, rel->off - var->off);
	struct tn_ops_decl *ops = var->decl->ops;
	struct tn_load_func *fn = NULL;
	const char *name = "";
	uint64_t addend;

	if (idx != UINT32_MAX)
		name = tn_btf_str(ld->image->btf, members[idx].name_off);
	if (idx == UINT32_MAX || !is_function(ld->image->btf, members[idx].type))
		return bad_init(ld, var, rel, -ENOTSUP, name,
				"is no pointer to a function, and nothing else can be an address");
	if (rel->type != TN_R_BPF_64_ABS64 && rel->type != TN_R_BPF_64_64)
		return bad_init(ld, var, rel, -EINVAL, name, "has a relocation of another type");
	if (!tn_span_read(ld->elf.sections[var->section].data, rel->off, &addend, 8))
		return bad_init(ld, var, rel, -EINVAL, name, "is cut off");
	addend += sym->value;
	if (sym->section != TN_ELF_UNDEF && sym->section != TN_ELF_NOWHERE && addend % 8 == 0 &&
	    tn_load_is_code(ld, sym->section))
		fn = tn_load_func_at(ld, sym->section, addend / 8);
	if (!fn || fn->prog == TN_NO_INDEX)
		return bad_init(ld, var, rel, -EINVAL, name, "does not name a program");
	/* Relocations of a section stand at different places, so that no member has two. */
	ops->funcs[ops->nr_funcs++] = (struct tn_ops_func){ .member = idx, .prog = fn->prog };
	memset(var->decl->data + (rel->off - var->off), 0, 8);
	return tn_load_note_reloc(ld, var->section, rel);
}

/* The relocations in the variable's bytes; those of a section are sorted. */
static int set_members(struct tn_load *ld, const struct ops_var *var)
{
	const struct tn_load_section *s = &ld->sections[var->section];
	uint64_t end = (uint64_t)var->off + var->decl->value_size;
	uint32_t first = 0, hi = s->nr_relocs, nr = 0;
	int err = 0;

	while (first < hi) {
		uint32_t mid = first + (hi - first) / 2;

		if (s->relocs[mid].off < var->off)
			first = mid + 1;
		else
			hi = mid;
	}
	while (first + nr < s->nr_relocs && s->relocs[first + nr].off < end)
		nr++;
	if (!nr)
		return 0;
	var->decl->ops->funcs = tn_alloc_array(ld->rt, nr, sizeof(struct tn_ops_func));
	if (!var->decl->ops->funcs)
		return tn_err_nomem("struct_ops");
	for (uint32_t i = 0; i < nr && !err; i++)
		err = set_member(ld, var, &s->relocs[first + i]);
	return err;
}

static int check_var(const struct tn_load *ld, uint32_t section,
		     const struct tn_btf_var_secinfo *info, const char *name,
		     const struct tn_btf_type *type)
{
	const struct tn_elf_section *s = &ld->elf.sections[section];

	if (!tn_elf_name_fits(name) || !name[0])
		return tn_err(-EINVAL, "section '%s': a variable's name is empty or too long",
			      s->name);
	if (tn_btf_kind(type) != TN_BTF_STRUCT)
		return tn_err(-EINVAL, "section '%s': variable '%s' is a %s, expected a structure",
			      s->name, name, tn_btf_kind_name(tn_btf_kind(type)));
	if (tn_btf_vlen(type) > MAX_MEMBERS)
		return tn_err(-E2BIG,
			      "section '%s': variable '%s' has %u members, at most %d are read",
			      s->name, name, tn_btf_vlen(type), MAX_MEMBERS);
	if (type->size_or_type != info->size || !info->size || info->size > INT32_MAX ||
	    info->offset > s->data.size || info->size > s->data.size - info->offset)
		return tn_err(-EINVAL,
			      "section '%s': variable '%s' at byte %u, %u long, of a type of %u "
			      "bytes, does not fit into its %zu bytes",
			      s->name, name, info->offset, info->size, type->size_or_type,
			      s->data.size);
	return 0;
}

static int add_var(struct tn_load *ld, uint32_t section, const struct tn_btf_var_secinfo *info)
{
	const struct tn_elf_section *s = &ld->elf.sections[section];
	const struct tn_btf *btf = ld->image->btf;
	const struct tn_btf_type *var = tn_btf_type(btf, info->type);
	const char *name = tn_btf_str(btf, var->name_off);
	uint32_t id = tn_btf_skip_mods(btf, var->size_or_type);
	struct ops_var v = { .section = section, .off = info->offset };
	int err;

	v.type = tn_btf_type(btf, id);
	err = check_var(ld, section, info, name, v.type);
	if (err)
		return err;
	v.decl = tn_load_add_map(ld);
	if (!v.decl)
		return -ENOMEM;
	v.decl->type = TN_DECL_STRUCT_OPS;
	v.decl->key_size = 4;
	v.decl->value_size = info->size;
	v.decl->max_entries = 1;
	v.decl->btf_value_id = id;
	v.decl->no_autocreate = s->name[0] == '?';
	v.decl->name = tn_strdup(ld->rt, name);
	v.decl->section = tn_strdup(ld->rt, s->name + v.decl->no_autocreate);
	v.decl->data = tn_memdup(ld->rt, s->data.data + info->offset, info->size);
	v.decl->ops = tn_new(ld->rt, struct tn_ops_decl);
	if (!v.decl->name || !v.decl->section || !v.decl->data || !v.decl->ops)
		return tn_err_nomem("struct_ops");
	v.decl->ops->btf_id = id;
	v.decl->ops->link = strstr(s->name, ".link") != NULL;
	return set_members(ld, &v);
}

static int by_offset(const void *a, const void *b)
{
	const struct tn_elf_reloc *x = a, *y = b;

	return x->off < y->off ? -1 : x->off > y->off;
}

static int load_section(struct tn_load *ld, uint32_t section)
{
	const struct tn_elf_section *s = &ld->elf.sections[section];
	struct tn_load_section *own = &ld->sections[section];
	const struct tn_btf_var_secinfo *info;
	const struct tn_btf_type *t;
	uint64_t bytes = 0, nr_relocs = 0;
	int err = 0;

	if (!s->size)
		return 0;
	if (!s->has_bytes)
		return tn_err(-EINVAL, "section '%s' has no bytes", s->name);
	if (!own->datasec)
		return tn_err(-EINVAL,
			      "section '%s' is not described by BTF; compile with clang -g",
			      s->name);
	if (own->nr_relocs)
		qsort(own->relocs, own->nr_relocs, sizeof(own->relocs[0]), by_offset);
	t = tn_btf_type(ld->image->btf, own->datasec);
	info = tn_btf_extra(t);
	for (uint32_t i = 0; i < tn_btf_vlen(t) && !err; i++) {
		bytes += info[i].size;
		if (bytes > s->size)
			return tn_err(-EINVAL, "section '%s': variables share bytes", s->name);
		err = add_var(ld, section, &info[i]);
		if (!err)
			nr_relocs += ld->image->maps[ld->image->nr_maps - 1].ops->nr_funcs;
	}
	if (!err && nr_relocs != own->nr_relocs)
		return tn_err(-EINVAL, "section '%s': of %u relocations %llu are in variables",
			      s->name, own->nr_relocs, (unsigned long long)nr_relocs);
	return err;
}

/* A program that is in structures alone which need not be there need not be there either. */
static int set_autoload(struct tn_load *ld)
{
	struct tn_image *image = ld->image;
	uint8_t *used = tn_alloc_array(ld->rt, image->nr_progs + 1u, 1);

	if (!used)
		return tn_err_nomem("struct_ops");
	for (uint32_t i = 0; i < image->nr_maps; i++) {
		const struct tn_map_decl *decl = &image->maps[i];

		for (uint32_t k = 0; decl->ops && k < decl->ops->nr_funcs; k++)
			used[decl->ops->funcs[k].prog] |= decl->no_autocreate ? 1 : 2;
	}
	for (uint32_t i = 0; i < image->nr_progs; i++)
		if (used[i] == 1)
			image->progs[i]->autoload = false;
	tn_free(ld->rt, used);
	return 0;
}

int tn_load_struct_ops(struct tn_load *ld)
{
	bool any = false;
	int err = 0;

	for (uint32_t i = 1; i < ld->elf.nr_sections && !err; i++) {
		if (ld->sections[i].role != TN_ROLE_STRUCT_OPS)
			continue;
		any = true;
		err = load_section(ld, i);
	}
	return err || !any ? err : set_autoload(ld);
}
