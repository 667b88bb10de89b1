/* SPDX-License-Identifier: MIT */
/*
 * The functions of an object: which bytes of which section, and which of them are entries. An entry
 * is a global function outside .text; where an object has code in .text alone, its global functions
 * are.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/err.h"
#include "loader/load.h"

static int add_func(struct tn_load *ld, uint32_t symbol)
{
	const struct tn_elf_symbol *sym = &ld->elf.symbols[symbol];
	const struct tn_elf_section *s = &ld->elf.sections[sym->section];
	struct tn_load_func *fn;

	if (sym->size == 0 || sym->value % 8 || sym->size % 8 || sym->value > s->size ||
	    sym->size > s->size - sym->value)
		return tn_err(
			-EINVAL,
			"section '%s': function '%s' at byte %llu, %llu long, does not fit into "
			"its %llu bytes",
			s->name, sym->name, (unsigned long long)sym->value,
			(unsigned long long)sym->size, (unsigned long long)s->size);
	if (s->size / 8 > INT32_MAX)
		return tn_err(-EINVAL, "section '%s': too many instructions: %llu", s->name,
			      (unsigned long long)s->size / 8);
	if (!tn_elf_name_fits(sym->name))
		return tn_err(-EINVAL,
			      "section '%s': function '%.40s...' has a name longer than %d",
			      s->name, sym->name, TN_ELF_MAX_NAME);
	fn = tn_vec_push(ld->rt, &ld->funcs);
	if (!fn)
		return tn_err_nomem("functions");
	fn->name = sym->name;
	fn->section = sym->section;
	fn->start = (uint32_t)(sym->value / 8);
	fn->nr_insns = (uint32_t)(sym->size / 8);
	fn->symbol = symbol;
	fn->prog = TN_NO_INDEX;
	fn->is_global = !sym->is_local && !sym->is_hidden;
	return 0;
}

static int by_place(const void *a, const void *b)
{
	const struct tn_load_func *x = a, *y = b;

	if (x->section != y->section)
		return x->section < y->section ? -1 : 1;
	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	return x->symbol < y->symbol ? -1 : x->symbol > y->symbol;
}

static int index_funcs(struct tn_load *ld)
{
	for (uint32_t i = 0; i < ld->funcs.nr; i++) {
		struct tn_load_func *fn = &ld->funcs.v[i], *prev = fn - 1;
		struct tn_load_section *s = &ld->sections[fn->section];

		if (s->nr_funcs++ == 0)
			s->first_func = i;
		else if (prev->start + prev->nr_insns > fn->start)
			return tn_err(-EINVAL, "section '%s': functions '%s' and '%s' overlap",
				      ld->elf.sections[fn->section].name, prev->name, fn->name);
	}
	return 0;
}

static int mark_entries(struct tn_load *ld)
{
	bool text_only = true;

	for (uint32_t i = 0; i < ld->funcs.nr; i++)
		if (ld->sections[ld->funcs.v[i].section].role == TN_ROLE_PROGS)
			text_only = false;
	for (uint32_t i = 0; i < ld->funcs.nr; i++) {
		struct tn_load_func *fn = &ld->funcs.v[i];

		if (ld->sections[fn->section].role == TN_ROLE_TEXT) {
			if (text_only && fn->is_global)
				fn->prog = 0;
		} else if (ld->elf.symbols[fn->symbol].is_local) {
			return tn_err(-ENOTSUP,
				      "section '%s': function '%s' is static; a program must be "
				      "global, and a subprogram stands in .text",
				      ld->elf.sections[fn->section].name, fn->name);
		} else {
			fn->prog = 0;
		}
	}
	return 0;
}

int tn_load_funcs(struct tn_load *ld)
{
	int err = 0;

	for (uint32_t i = 1; i < ld->elf.nr_symbols && !err; i++) {
		const struct tn_elf_symbol *sym = &ld->elf.symbols[i];
		enum tn_role role;

		if (!sym->is_func || sym->section == TN_ELF_UNDEF || sym->section == TN_ELF_NOWHERE)
			continue;
		role = ld->sections[sym->section].role;
		if (role == TN_ROLE_PROGS || role == TN_ROLE_TEXT)
			err = add_func(ld, i);
	}
	if (err)
		return err;
	if (ld->funcs.nr)
		qsort(ld->funcs.v, ld->funcs.nr, sizeof(ld->funcs.v[0]), by_place);
	err = index_funcs(ld);
	return err ? err : mark_entries(ld);
}

struct tn_load_func *tn_load_func_at(const struct tn_load *ld, uint32_t section, uint64_t insn)
{
	const struct tn_load_section *s = &ld->sections[section];
	uint32_t lo = s->first_func, hi = s->first_func + s->nr_funcs;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (ld->funcs.v[mid].start < insn)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo < s->first_func + s->nr_funcs && ld->funcs.v[lo].start == insn)
		return &ld->funcs.v[lo];
	return NULL;
}
