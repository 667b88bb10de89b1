/* SPDX-License-Identifier: MIT */
/*
 * ELF, read with suspicion. libelf decodes the file header and the section headers; it does not
 * promise that what they say fits the file, so each section's bytes are cut from the caller's span
 * here, and symbols and relocations are decoded from those.
 */
#include "loader/elf.h"

#include <elf.h>
#include <errno.h>
#include <gelf.h>
#include <libelf.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"

#ifndef EM_BPF
#define EM_BPF 247
#endif

static int check_header(struct tn_span file)
{
	Elf64_Ehdr h;

	if (file.size < EI_NIDENT || memcmp(file.data, ELFMAG, SELFMAG) != 0)
		return tn_err(-ENOEXEC, "not an ELF file: %zu bytes without its magic", file.size);
	if (file.data[EI_CLASS] != ELFCLASS64)
		return tn_err(-ENOEXEC, "ELF class is %u, expected 64-bit", file.data[EI_CLASS]);
	if (file.data[EI_DATA] != ELFDATA2LSB)
		return tn_err(-ENOEXEC, "%s object, expected little-endian (clang -target bpfel)",
			      file.data[EI_DATA] == ELFDATA2MSB ? "big-endian"
								: "object of unknown byte order");
	if (!tn_span_read(file, 0, &h, sizeof(h)))
		return tn_err(-ENOEXEC, "ELF header is cut off after %zu of %zu bytes", file.size,
			      sizeof(h));
	if (h.e_type != ET_REL)
		return tn_err(-ENOEXEC, "ELF type is %u, expected a relocatable object (1)",
			      h.e_type);
	/* clang before 5 left the machine at 0. */
	if (h.e_machine != EM_BPF && h.e_machine != EM_NONE)
		return tn_err(-ENOEXEC, "ELF machine is %u, expected eBPF (247)", h.e_machine);
	if (h.e_version != EV_CURRENT)
		return tn_err(-ENOEXEC, "ELF version is %u, expected 1", h.e_version);
	if (h.e_shoff == 0)
		return tn_err(-EINVAL, "ELF file has no section headers");
	if (h.e_shentsize != sizeof(Elf64_Shdr))
		return tn_err(-EINVAL, "ELF section headers are %u bytes each, expected 64",
			      h.e_shentsize);
	return 0;
}

/* How many section headers, all of them inside the file, and where their names stand. */
static int count_sections(struct tn_span file, Elf *elf, size_t *nr, size_t *names)
{
	struct tn_span table;
	Elf64_Ehdr h;

	tn_span_read(file, 0, &h, sizeof(h));
	if (!tn_span_sub(file, h.e_shoff, sizeof(Elf64_Shdr), &table))
		return tn_err(-EINVAL, "ELF section headers at byte %llu lie outside the file",
			      (unsigned long long)h.e_shoff);
	if (elf_getshdrnum(elf, nr) < 0 || elf_getshdrstrndx(elf, names) < 0)
		return tn_err(-EINVAL, "ELF section headers: %s", elf_errmsg(-1));
	if (*nr > file.size / sizeof(Elf64_Shdr) ||
	    !tn_span_sub(file, h.e_shoff, *nr * sizeof(Elf64_Shdr), &table))
		return tn_err(-EINVAL, "ELF section headers: %zu of them do not fit into the file",
			      *nr);
	if (*nr < 2 || *names >= *nr)
		return tn_err(-EINVAL, "ELF section names stand in section %zu of %zu", *names,
			      *nr);
	return 0;
}

/* The string at `off` of string table `section`, or NULL. That a table ends with a zero byte makes
 * this cheap: to look for the end of each name would take the square of the file's size. */
static const char *string_at(const struct tn_elf *elf, uint32_t section, uint32_t off)
{
	struct tn_span table;

	if (section >= elf->nr_sections || elf->sections[section].type != SHT_STRTAB)
		return NULL;
	table = elf->sections[section].data;
	if (off >= table.size || table.data[table.size - 1] != 0)
		return NULL;
	return (const char *)table.data + off;
}

static int read_section(struct tn_elf *self, struct tn_span file, Elf *elf, uint32_t i,
			uint32_t *name_off)
{
	struct tn_elf_section *s = &self->sections[i];
	Elf_Scn *scn = elf_getscn(elf, i);
	GElf_Shdr h;

	if (!scn || !gelf_getshdr(scn, &h))
		return tn_err(-EINVAL, "ELF section %u: %s", i, elf_errmsg(-1));
	*name_off = h.sh_name;
	s->size = h.sh_size;
	s->type = h.sh_type;
	s->flags = h.sh_flags;
	s->link = h.sh_link;
	s->info = h.sh_info;
	s->has_bytes = h.sh_type != SHT_NOBITS && h.sh_type != SHT_NULL;
	if (s->has_bytes && !tn_span_sub(file, h.sh_offset, h.sh_size, &s->data))
		return tn_err(-EINVAL,
			      "ELF section %u: bytes %llu to %llu lie outside the file of %zu", i,
			      (unsigned long long)h.sh_offset,
			      (unsigned long long)(h.sh_offset + h.sh_size), file.size);
	return 0;
}

static int by_address(const void *a, const void *b)
{
	const struct tn_elf_section *x = *(const struct tn_elf_section *const *)a;
	const struct tn_elf_section *y = *(const struct tn_elf_section *const *)b;

	return x->data.data < y->data.data ? -1 : x->data.data > y->data.data;
}

/* Each byte of the file belongs to at most one section. Compilers keep to it, and a small file that
 * does not could otherwise stand for a huge object. */
static int check_overlaps(const struct tn_elf *elf)
{
	const struct tn_elf_section **order;
	uint32_t nr = 0;
	int err = 0;

	order = tn_alloc_array(elf->rt, elf->nr_sections, sizeof(*order));
	if (!order)
		return tn_err_nomem("ELF sections");
	for (uint32_t i = 1; i < elf->nr_sections; i++)
		if (elf->sections[i].data.size)
			order[nr++] = &elf->sections[i];
	qsort(order, nr, sizeof(*order), by_address);
	for (uint32_t i = 1; i < nr && !err; i++)
		if (order[i - 1]->data.data + order[i - 1]->data.size > order[i]->data.data)
			err = tn_err(-EINVAL, "ELF sections '%s' and '%s' overlap",
				     order[i - 1]->name, order[i]->name);
	tn_free(elf->rt, order);
	return err;
}

static int read_sections(struct tn_elf *self, struct tn_span file, Elf *elf)
{
	uint32_t *name_offs;
	size_t nr, names;
	int err = count_sections(file, elf, &nr, &names);

	if (err)
		return err;
	self->sections = tn_alloc_array(self->rt, nr, sizeof(*self->sections));
	name_offs = tn_alloc_array(self->rt, nr, sizeof(*name_offs));
	if (!self->sections || !name_offs) {
		err = tn_err_nomem("ELF sections");
		goto out;
	}
	self->nr_sections = (uint32_t)nr;
	self->sections[0].name = "";
	for (uint32_t i = 1; i < nr && !err; i++)
		err = read_section(self, file, elf, i, &name_offs[i]);
	for (uint32_t i = 1; i < nr && !err; i++) {
		self->sections[i].name = string_at(self, (uint32_t)names, name_offs[i]);
		if (!self->sections[i].name)
			err = tn_err(-EINVAL,
				     "ELF section %u: name at byte %u lies outside the names", i,
				     name_offs[i]);
		else if (!tn_elf_name_fits(self->sections[i].name))
			err = tn_err(-EINVAL, "ELF section %u: its name is longer than %d", i,
				     TN_ELF_MAX_NAME);
	}
	if (!err)
		err = check_overlaps(self);
out:
	tn_free(self->rt, name_offs);
	return err;
}

static int read_symbol(struct tn_elf *self, uint32_t table, uint32_t i)
{
	const struct tn_elf_section *s = &self->sections[table];
	struct tn_elf_symbol *out = &self->symbols[i];
	Elf64_Sym sym;

	if (!tn_span_read(s->data, (uint64_t)i * sizeof(sym), &sym, sizeof(sym)))
		return tn_err(-EINVAL, "section '%s': symbol %u is cut off", s->name, i);
	out->name = string_at(self, s->link, sym.st_name);
	if (!out->name)
		return tn_err(-EINVAL, "section '%s': symbol %u: name at byte %u lies outside",
			      s->name, i, sym.st_name);
	if (sym.st_shndx == SHN_XINDEX)
		return tn_err(-ENOTSUP, "section '%s': symbol %u has an extended section index",
			      s->name, i);
	if (sym.st_shndx >= SHN_LORESERVE)
		out->section = TN_ELF_NOWHERE;
	else if (sym.st_shndx < self->nr_sections)
		out->section = sym.st_shndx;
	else
		return tn_err(-EINVAL, "section '%s': symbol %u ('%s') is in section %u of %u",
			      s->name, i, out->name, sym.st_shndx, self->nr_sections);
	out->value = sym.st_value;
	out->size = sym.st_size;
	out->is_section = ELF64_ST_TYPE(sym.st_info) == STT_SECTION;
	out->is_func = ELF64_ST_TYPE(sym.st_info) == STT_FUNC;
	out->is_local = ELF64_ST_BIND(sym.st_info) == STB_LOCAL;
	out->is_weak = ELF64_ST_BIND(sym.st_info) == STB_WEAK;
	out->is_hidden = ELF64_ST_VISIBILITY(sym.st_other) != STV_DEFAULT;
	if (out->is_section && out->section != TN_ELF_NOWHERE)
		out->name = self->sections[out->section].name;
	return 0;
}

static int read_symbols(struct tn_elf *self)
{
	uint32_t table = 0;
	int err = 0;

	for (uint32_t i = 1; i < self->nr_sections; i++) {
		if (self->sections[i].type != SHT_SYMTAB)
			continue;
		if (table)
			return tn_err(-EINVAL, "ELF file has two symbol tables: sections %u and %u",
				      table, i);
		table = i;
	}
	if (!table)
		return tn_err(-EINVAL, "ELF file has no symbol table; was it stripped?");
	if (self->sections[table].size % sizeof(Elf64_Sym) || self->sections[table].size == 0)
		return tn_err(-EINVAL, "section '%s': size %llu is not a number of symbols",
			      self->sections[table].name,
			      (unsigned long long)self->sections[table].size);
	/* Bounded by the size of the file. */
	self->nr_symbols = (uint32_t)TN_MIN(self->sections[table].size / sizeof(Elf64_Sym),
					    (uint64_t)UINT32_MAX);
	self->symbols = tn_alloc_array(self->rt, self->nr_symbols, sizeof(*self->symbols));
	if (!self->symbols)
		return tn_err_nomem("ELF symbols");
	for (uint32_t i = 0; i < self->nr_symbols && !err; i++)
		err = read_symbol(self, table, i);
	return err;
}

static int check_rel_targets(const struct tn_elf *self)
{
	for (uint32_t i = 1; i < self->nr_sections; i++) {
		const struct tn_elf_section *s = &self->sections[i];

		if (!tn_elf_is_rel(s))
			continue;
		if (s->info == 0 || s->info >= self->nr_sections)
			return tn_err(-EINVAL,
				      "section '%s': relocates section %u, of which there are %u",
				      s->name, s->info, self->nr_sections);
		if (s->link >= self->nr_sections || self->sections[s->link].type != SHT_SYMTAB)
			return tn_err(-EINVAL, "section '%s': section %u is no symbol table",
				      s->name, s->link);
	}
	return 0;
}

int tn_elf_open(struct tn_elf *self, struct tn_rt *rt, struct tn_span file)
{
	Elf *elf = NULL;
	int err;

	memset(self, 0, sizeof(*self));
	self->rt = rt;
	err = check_header(file);
	if (err)
		return err;
	if (elf_version(EV_CURRENT) == EV_NONE)
		return tn_err(-ENOTSUP, "libelf: %s", elf_errmsg(-1));
	/* Read only: libelf writes to the image only on elf_update(). */
	elf = elf_memory((char *)(uintptr_t)file.data, file.size);
	if (!elf)
		return tn_err(-EINVAL, "ELF file: %s", elf_errmsg(-1));
	err = read_sections(self, file, elf);
	if (!err)
		err = read_symbols(self);
	if (!err)
		err = check_rel_targets(self);
	elf_end(elf);
	if (err)
		tn_elf_close(self);
	return err;
}

void tn_elf_close(struct tn_elf *self)
{
	tn_free(self->rt, self->sections);
	tn_free(self->rt, self->symbols);
	self->sections = NULL;
	self->symbols = NULL;
	self->nr_sections = self->nr_symbols = 0;
}

bool tn_elf_name_fits(const char *name)
{
	return strnlen(name, TN_ELF_MAX_NAME + 1) <= TN_ELF_MAX_NAME;
}

bool tn_elf_is_rel(const struct tn_elf_section *section)
{
	return section->type == SHT_REL || section->type == SHT_RELA;
}

static int by_offset(const void *a, const void *b)
{
	const struct tn_elf_reloc *x = a, *y = b;

	if (x->off != y->off)
		return x->off < y->off ? -1 : 1;
	return x->entry < y->entry ? -1 : x->entry > y->entry;
}

int tn_elf_relocs(const struct tn_elf *self, uint32_t section, struct tn_elf_reloc **out,
		  uint32_t *out_nr)
{
	const struct tn_elf_section *s = &self->sections[section];
	const struct tn_elf_section *target = &self->sections[s->info];
	uint32_t nr = (uint32_t)TN_MIN(s->size / sizeof(Elf64_Rel), (uint64_t)UINT32_MAX);
	struct tn_elf_reloc *rel;
	int err = 0;

	if (s->type == SHT_RELA)
		return tn_err(-ENOTSUP, "section '%s': relocations with addends, expected REL",
			      s->name);
	if (s->size % sizeof(Elf64_Rel))
		return tn_err(-EINVAL, "section '%s': size %llu is not a number of relocations",
			      s->name, (unsigned long long)s->size);
	rel = tn_alloc_array(self->rt, nr ? nr : 1, sizeof(*rel));
	if (!rel)
		return tn_err_nomem("ELF relocations");
	for (uint32_t i = 0; i < nr && !err; i++) {
		Elf64_Rel r;

		tn_span_read(s->data, (uint64_t)i * sizeof(r), &r, sizeof(r));
		rel[i].off = r.r_offset;
		rel[i].type = (uint32_t)ELF64_R_TYPE(r.r_info);
		rel[i].symbol = (uint32_t)ELF64_R_SYM(r.r_info);
		rel[i].entry = i;
		if (rel[i].off >= target->size)
			err = tn_err(-EINVAL,
				     "section '%s': relocation %u: byte %llu is outside section "
				     "'%s' of %llu bytes",
				     s->name, i, (unsigned long long)rel[i].off, target->name,
				     (unsigned long long)target->size);
		else if (rel[i].symbol >= self->nr_symbols)
			err = tn_err(-EINVAL, "section '%s': relocation %u: symbol %u of %u",
				     s->name, i, rel[i].symbol, self->nr_symbols);
	}
	if (!err)
		qsort(rel, nr, sizeof(*rel), by_offset);
	for (uint32_t i = 1; i < nr && !err; i++)
		if (rel[i].off == rel[i - 1].off)
			err = tn_err(-EINVAL,
				     "section '%s': relocations %u and %u are both at byte %llu",
				     s->name, rel[i - 1].entry, rel[i].entry,
				     (unsigned long long)rel[i].off);
	if (err) {
		tn_free(self->rt, rel);
		return err;
	}
	*out = rel;
	*out_nr = nr;
	return 0;
}

const char *tn_elf_reloc_name(uint32_t type)
{
	switch (type) {
	case TN_R_BPF_64_64:
		return "R_BPF_64_64";
	case TN_R_BPF_64_ABS64:
		return "R_BPF_64_ABS64";
	case TN_R_BPF_64_ABS32:
		return "R_BPF_64_ABS32";
	case TN_R_BPF_64_NODYLD32:
		return "R_BPF_64_NODYLD32";
	case TN_R_BPF_64_32:
		return "R_BPF_64_32";
	default:
		return "R_BPF_unknown";
	}
}
