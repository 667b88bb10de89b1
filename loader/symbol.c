/* SPDX-License-Identifier: MIT */
#include "loader/symbol.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "loader/elf_file.h"

/* glibc's elf.h has the version records, and not these parts of an index. */
#define VERSION_INDEX  0x7fffu
#define VERSION_HIDDEN 0x8000u
#define NO_VERSION     UINT32_MAX

struct finder {
	const struct tn_elf_file *elf;
	const struct tn_probe_target *target;
	/* Of the table that is being read. */
	struct tn_span symbols, strings;
	struct tn_span versions;	  /* an index for each dynamic symbol, or empty */
	struct tn_span defs, def_strings; /* definitions of versions, or empty */
	uint32_t wanted;		  /* the target's */
	/* The best so far. */
	Elf64_Sym best;
	int rank; /* 0: none */
	bool ambiguous, other_version;
};

/* A section by type; its bytes, and those of the section that it links to (names). */
static int table_of(const struct tn_elf_file *elf, uint32_t type, const char *words,
		    struct tn_span *bytes, struct tn_span *linked)
{
	*bytes = *linked = (struct tn_span){ 0 };
	for (uint64_t i = 1; i < elf->nr_sections; i++) {
		Elf64_Shdr s = tn_elf_file_section(elf, i), link;
		int err;

		if (s.sh_type != type)
			continue;
		if (s.sh_link >= elf->nr_sections)
			return tn_err(-EINVAL,
				      "section '%s': its names stand in section %u of %llu", words,
				      s.sh_link, (unsigned long long)elf->nr_sections);
		link = tn_elf_file_section(elf, s.sh_link);
		err = tn_elf_file_bytes(elf, &s, words, bytes);
		return err ? err : tn_elf_file_bytes(elf, &link, words, linked);
	}
	return 0;
}

static bool same(struct tn_span text, const char *name, size_t len)
{
	return text.size == len && !memcmp(text.data, name, len);
}

/* The index of the wanted version; -ENOENT without words: it is not defined. Indexes have 15 bits,
 * so longer chains are no definitions. */
static int find_version(struct finder *f)
{
	Elf64_Verdaux aux;
	Elf64_Verdef def;
	uint64_t at = 0;

	f->wanted = NO_VERSION;
	for (uint32_t n = 0; n <= VERSION_INDEX && f->target->version.size; n++) {
		const char *name = NULL;

		if (!tn_span_read(f->defs, at, &def, sizeof(def)))
			return tn_err(-EINVAL, "section '.gnu.version_d': entry %u is cut off", n);
		if (tn_span_read(f->defs, at + def.vd_aux, &aux, sizeof(aux)))
			name = tn_span_str(f->def_strings, aux.vda_name);
		if (!name)
			return tn_err(-EINVAL, "section '.gnu.version_d': entry %u has no name", n);
		if (same(f->target->version, name, strlen(name)))
			f->wanted = def.vd_ndx & VERSION_INDEX;
		if (f->wanted != NO_VERSION || !def.vd_next)
			break;
		at += def.vd_next;
	}
	return 0;
}

/* Does the symbol have the wanted version, if there is one? *is_default: it is what is meant where
 * none is wanted. Names of .symtab may carry theirs, as NAME@VERSION or NAME@@VERSION. */
static bool version_fits(struct finder *f, uint64_t i, const char *suffix, bool *is_default)
{
	struct tn_span wanted = f->target->version;
	uint16_t index = 1;

	*is_default = true;
	if (*suffix == '@') {
		*is_default = suffix[1] == '@';
		suffix += 1 + *is_default;
		return !wanted.size || same(wanted, suffix, strlen(suffix));
	}
	if (f->versions.size && tn_span_read(f->versions, i * sizeof(index), &index, sizeof(index)))
		*is_default = !(index & VERSION_HIDDEN);
	if (!wanted.size)
		return true;
	return (index & VERSION_INDEX) == f->wanted;
}

static int rank_of(const Elf64_Sym *sym, bool is_default)
{
	int bind = ELF64_ST_BIND(sym->st_info);

	return (is_default ? 3 : 0) + (bind == STB_GLOBAL ? 3 : bind == STB_WEAK ? 2 : 1);
}

static void look_at(struct finder *f, uint64_t i)
{
	const struct tn_probe_target *t = f->target;
	bool is_default;
	const char *name;
	Elf64_Sym sym;
	int rank, type;

	if (!tn_span_read(f->symbols, i * sizeof(sym), &sym, sizeof(sym)))
		return;
	type = ELF64_ST_TYPE(sym.st_info);
	if ((type != STT_FUNC && type != STT_GNU_IFUNC) || sym.st_shndx == SHN_UNDEF)
		return;
	name = tn_span_str(f->strings, sym.st_name);
	if (!name || strncmp(name, (const char *)t->func.data, t->func.size) != 0 ||
	    (name[t->func.size] != '\0' && name[t->func.size] != '@'))
		return;
	if (!version_fits(f, i, name + t->func.size, &is_default)) {
		f->other_version = true;
		return;
	}
	rank = rank_of(&sym, is_default);
	if (rank == f->rank && sym.st_value != f->best.st_value)
		f->ambiguous = true;
	if (rank <= f->rank)
		return;
	f->rank = rank;
	f->best = sym;
	f->ambiguous = false;
}

/* Dynamic symbols first: only they have versions, and they are what others call. */
static int find_best(struct finder *f)
{
	struct tn_span none;
	int err = table_of(f->elf, SHT_DYNSYM, ".dynsym", &f->symbols, &f->strings);

	if (!err)
		err = table_of(f->elf, SHT_GNU_versym, ".gnu.version", &f->versions, &none);
	if (!err)
		err = table_of(f->elf, SHT_GNU_verdef, ".gnu.version_d", &f->defs, &f->def_strings);
	if (!err && f->defs.size)
		err = find_version(f);
	for (uint64_t i = 1; !err && i < f->symbols.size / sizeof(Elf64_Sym); i++)
		look_at(f, i);
	if (err || f->rank)
		return err;
	f->versions = (struct tn_span){ 0 };
	f->wanted = NO_VERSION;
	err = table_of(f->elf, SHT_SYMTAB, ".symtab", &f->symbols, &f->strings);
	for (uint64_t i = 1; !err && i < f->symbols.size / sizeof(Elf64_Sym); i++)
		look_at(f, i);
	return err;
}

static int place(const struct finder *f, struct tn_symbol_place *out)
{
	const struct tn_probe_target *t = f->target;
	const char *name = (const char *)t->func.data;
	int len = (int)t->func.size;

	if (!f->rank && f->other_version)
		return tn_err(-ENOENT, "function '%.*s' has no version '%.*s'", len, name,
			      (int)t->version.size, (const char *)t->version.data);
	if (!f->rank)
		return tn_err(-ENOENT, "no function '%.*s' in the file's symbols", len, name);
	if (f->ambiguous)
		return tn_err(-EADDRNOTAVAIL, "several functions are named '%.*s'", len, name);
	if (ELF64_ST_TYPE(f->best.st_info) == STT_GNU_IFUNC)
		return tn_err(-ENOTSUP,
			      "function '%.*s' is chosen at run time (IFUNC); name the one meant",
			      len, name);
	if (t->off && t->off >= f->best.st_size)
		return tn_err(-ENOENT, "function '%.*s' has %llu bytes, none at %llu", len, name,
			      (unsigned long long)f->best.st_size, (unsigned long long)t->off);
	/* st_size is the file's word: the sum may wrap, and is then in no segment or a wrong one.
	 */
	if (__builtin_add_overflow(f->best.st_value, t->off, &out->addr) ||
	    !tn_elf_file_offset(f->elf, out->addr, &out->file_off))
		return tn_err(-EINVAL, "function '%.*s' at 0x%llx is not in a loaded segment", len,
			      name, (unsigned long long)f->best.st_value);
	return 0;
}

int tn_symbol_find(struct tn_span file, const struct tn_probe_target *target,
		   struct tn_symbol_place *out)
{
	struct tn_elf_file elf;
	struct finder f = { .elf = &elf, .target = target, .wanted = NO_VERSION };
	int err = tn_elf_file_open(&elf, file);

	if (!err)
		err = tn_elf_file_check_native(&elf);
	if (err)
		return err;
	if (!target->func.size) {
		if (!tn_elf_file_address(&elf, target->off, &out->addr))
			return tn_err(-ENOENT, "byte %llu of the file is in no loaded segment",
				      (unsigned long long)target->off);
		out->file_off = target->off;
		return 0;
	}
	err = find_best(&f);
	return err ? err : place(&f, out);
}
