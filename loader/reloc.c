/* SPDX-License-Identifier: MIT */
/*
 * From functions to programs. A program begins with its entry function; each function that it
 * calls, or whose address it takes, is appended once, and what refers to it is turned into a
 * distance within the program. References to maps, variables and externs become indexes into the
 * program's own lists.
 */
#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "loader/load.h"

/* One object may not stand for more instructions than this many full programs: each entry has a
 * copy of every subprogram that it uses. */
#define MAX_FULL_PROGRAMS 4
/* What an appended function costs besides its instructions, in instructions. */
#define FUNC_OVERHEAD 64

struct build {
	struct tn_load *ld;
	struct tn_prog *prog;
	uint32_t insns_cap, subprogs_cap, lines_cap, cores_cap;
	bool own_defect; /* what failed concerns this program alone, whatever the number */
	TN_VEC(struct tn_load_func *) funcs; /* as prog->subprogs */
	TN_VEC(uint32_t) maps;		     /* prog->map_decls */
	TN_VEC(struct tn_extern) externs;    /* prog->externs */
};

/* Where in the object an instruction came from, for messages. */
struct site {
	const struct tn_load_func *fn;
	uint32_t insn;			/* within fn */
	const struct tn_elf_reloc *rel; /* NULL: none applies to it */
};

static int bad_site(struct build *b, const struct site *at, int code, const char *what)
{
	const struct tn_load *ld = b->ld;
	const char *section = ld->elf.sections[at->fn->section].name;

	if (at->rel)
		return tn_err(
			code,
			"section '%s': relocation %u at byte %llu (%s, symbol '%s'), function "
			"'%s': %s",
			section, at->rel->entry, (unsigned long long)at->rel->off,
			tn_elf_reloc_name(at->rel->type), ld->elf.symbols[at->rel->symbol].name,
			at->fn->name, what);
	b->own_defect = true;
	return tn_err(code, "section '%s': function '%s', instruction %u: %s", section,
		      at->fn->name, at->insn, what);
}

/* ---- Functions ---- */

static int copy_lines(struct build *b, const struct tn_load_func *fn)
{
	const struct tn_load *ld = b->ld;
	const struct tn_load_section *s = &ld->sections[fn->section];
	uint32_t lo = s->first_line, hi = s->first_line + s->nr_lines, end = hi, nr = 0;
	struct tn_prog *prog = b->prog;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (ld->lines.v[mid].insn < fn->start)
			lo = mid + 1;
		else
			hi = mid;
	}
	while (lo + nr < end && ld->lines.v[lo + nr].insn - fn->start < fn->nr_insns)
		nr++;
	if (!nr)
		return 0;
	if (tn_vec_reserve(ld->rt, (void **)&prog->lines, &b->lines_cap, prog->nr_lines + nr,
			   sizeof(*prog->lines)))
		return tn_err_nomem("line info");
	for (uint32_t i = 0; i < nr; i++) {
		const struct tn_load_line *from = &ld->lines.v[lo + i];

		prog->lines[prog->nr_lines++] = (struct tn_line){
			.insn = from->insn - fn->start + fn->placed,
			.line = from->line_col >> 10,
			.column = from->line_col & 0x3ff,
			.file = tn_btf_str(ld->image->btf, from->file_off),
			.text = tn_btf_str(ld->image->btf, from->line_off),
		};
	}
	return 0;
}

/* Append `fn` to the program unless it is there. */
static int place(struct build *b, struct tn_load_func *fn)
{
	struct tn_load *ld = b->ld;
	struct tn_prog *prog = b->prog;
	struct tn_subprog *sub;
	struct tn_load_func **slot;
	uint64_t nr = (uint64_t)prog->nr_insns + fn->nr_insns;

	if (fn->stamp == ld->building)
		return 0;
	if (nr > ld->rt->limits.max_insns)
		return tn_err(-E2BIG, "program '%s' has more than %u instructions", prog->name,
			      ld->rt->limits.max_insns);
	ld->total_insns += (uint64_t)fn->nr_insns + FUNC_OVERHEAD;
	if (ld->total_insns > (uint64_t)ld->rt->limits.max_insns * MAX_FULL_PROGRAMS)
		return tn_err(-E2BIG, "the object's programs have more than %llu instructions",
			      (unsigned long long)ld->rt->limits.max_insns * MAX_FULL_PROGRAMS);
	slot = tn_vec_push(ld->rt, &b->funcs);
	if (!slot ||
	    tn_vec_reserve(ld->rt, (void **)&prog->subprogs, &b->subprogs_cap,
			   prog->nr_subprogs + 1, sizeof(*sub)) ||
	    tn_vec_reserve(ld->rt, (void **)&prog->insns, &b->insns_cap, (uint32_t)nr,
			   sizeof(*prog->insns)))
		return tn_err_nomem("instructions");
	*slot = fn;
	sub = &prog->subprogs[prog->nr_subprogs++];
	*sub = (struct tn_subprog){
		.start = prog->nr_insns,
		.end = (uint32_t)nr,
		.name = tn_strdup(ld->rt, fn->name),
		.btf_func_id = fn->btf_id,
		.is_global = fn->is_global,
	};
	if (!sub->name)
		return tn_err_nomem("subprograms");
	/* The bytes were checked to be there when the function was found. */
	memcpy(prog->insns + prog->nr_insns,
	       ld->elf.sections[fn->section].data.data + (size_t)fn->start * 8,
	       (size_t)fn->nr_insns * 8);
	fn->stamp = ld->building;
	fn->placed = prog->nr_insns;
	fn->is_callback = false;
	prog->nr_insns = (uint32_t)nr;
	return copy_lines(b, fn);
}

/* Make instruction `pos` refer to the function at `insn` of `section`. */
static int refer_to_func(struct build *b, const struct site *at, uint32_t pos, uint32_t section,
			 int64_t insn, bool is_callback)
{
	struct tn_load *ld = b->ld;
	struct tn_load_func *fn = NULL;
	int err;

	if (insn >= 0 && tn_load_is_code(ld, section))
		fn = tn_load_func_at(ld, section, (uint64_t)insn);
	if (!fn)
		return bad_site(b, at, -EINVAL, "no function begins where it points");
	err = place(b, fn);
	if (err)
		return err;
	fn->is_callback |= is_callback;
	b->prog->insns[pos].imm = (int32_t)fn->placed - (int32_t)pos - 1;
	return 0;
}

/* ---- Maps and variables ---- */

static int map_index(struct build *b, uint32_t decl, int32_t *out)
{
	struct tn_load *ld = b->ld;
	struct tn_load_slot *known = &ld->map_slots[decl];

	if (known->stamp != ld->building) {
		uint32_t *slot = tn_vec_push(ld->rt, &b->maps);

		if (!slot)
			return tn_err_nomem("maps");
		*slot = decl;
		known->stamp = ld->building;
		known->idx = b->maps.nr - 1;
		ld->image->maps[decl].unused = false;
	}
	*out = (int32_t)known->idx;
	return 0;
}

/* The distance from the symbol that an lddw of the object file holds. The compiler writes the low
 * half alone, so it is signed. */
static uint64_t addend_of(const struct tn_insn *insn)
{
	return (uint64_t)(int64_t)insn[0].imm;
}

static int refer_to_map(struct build *b, const struct site *at, struct tn_insn *insn)
{
	const struct tn_elf_symbol *sym = &b->ld->elf.symbols[at->rel->symbol];
	const struct tn_load_map *map = tn_load_map_at(b->ld, sym->section,
						       sym->value + addend_of(insn));

	if (!map)
		return bad_site(b, at, -EINVAL, "no map begins where it points");
	insn[0].src = TN_LDDW_MAP;
	insn[1].imm = 0;
	return map_index(b, map->decl, &insn[0].imm);
}

static int refer_to_value(struct build *b, const struct site *at, struct tn_insn *insn,
			  uint32_t decl, uint64_t off)
{
	const struct tn_map_decl *map = &b->ld->image->maps[decl];

	if (off >= (map->arena_bytes ? map->arena_bytes : map->value_size))
		return bad_site(b, at, -EINVAL, "it points outside of the section");
	insn[0].src = TN_LDDW_MAP_VALUE;
	insn[1].imm = (int32_t)(uint32_t)off;
	return map_index(b, decl, &insn[0].imm);
}

/* ---- Externs ---- */

static int extern_index(struct build *b, const struct tn_load_extern *ext, int32_t *out)
{
	struct tn_load *ld = b->ld;
	struct tn_load_slot *known = &ld->extern_slots[ext - ld->externs.v];

	if (known->stamp != ld->building) {
		struct tn_extern *slot = tn_vec_push(ld->rt, &b->externs);

		if (!slot)
			return tn_err_nomem("externs");
		slot->is_func = ext->kind == TN_EXTERN_KSYM_FUNC;
		slot->is_weak = ext->is_weak;
		slot->btf_id = ext->btf_id;
		slot->name = tn_strdup(ld->rt, ext->name);
		if (!slot->name)
			return tn_err_nomem("externs");
		known->stamp = ld->building;
		known->idx = b->externs.nr - 1;
	}
	*out = (int32_t)known->idx;
	return 0;
}

static const struct tn_load_extern *find_extern(struct build *b, const struct site *at)
{
	const char *name = b->ld->elf.symbols[at->rel->symbol].name;
	const struct tn_load_extern *ext = tn_load_find_extern(b->ld, name);

	if (!ext)
		tn_err(-EINVAL,
		       "function '%s' needs '%s', which the object does not define; link it with the "
		       "object that does, or declare it __ksym if the host does",
		       at->fn->name, name);
	return ext;
}

static int call_extern(struct build *b, const struct site *at, struct tn_insn *insn)
{
	const struct tn_load_extern *ext = find_extern(b, at);

	if (!ext)
		return -EINVAL;
	if (ext->kind != TN_EXTERN_KSYM_FUNC)
		return bad_site(b, at, -EINVAL, "it calls an extern variable");
	insn->src = TN_CALL_EXTERN;
	return extern_index(b, ext, &insn->imm);
}

static int load_extern(struct build *b, const struct site *at, struct tn_insn *insn)
{
	const struct tn_load_extern *ext = find_extern(b, at);
	uint64_t addend = addend_of(insn);

	if (!ext)
		return -EINVAL;
	if (ext->kind == TN_EXTERN_KCONFIG)
		return refer_to_value(b, at, insn, b->ld->kconfig_map, ext->kconfig_off + addend);
	if (addend)
		return bad_site(b, at, -ENOTSUP, "an offset from an extern is not supported");
	insn[0].src = TN_LDDW_BTF_ID;
	insn[1].imm = 0;
	return extern_index(b, ext, &insn[0].imm);
}

/* ---- Instructions ---- */

static int relocate_lddw(struct build *b, const struct site *at, uint32_t pos)
{
	struct tn_insn *insn = &b->prog->insns[pos];
	const struct tn_elf_symbol *sym = &b->ld->elf.symbols[at->rel->symbol];
	uint64_t off = sym->value + addend_of(insn);

	if (at->rel->type != TN_R_BPF_64_64)
		return bad_site(b, at, -EINVAL, "this type does not belong to an lddw instruction");
	if (insn[0].src != 0)
		return bad_site(b, at, -EINVAL, "the lddw instruction is relocated already");
	if (sym->section == TN_ELF_UNDEF)
		return load_extern(b, at, insn);
	if (sym->section == TN_ELF_NOWHERE)
		return bad_site(b, at, -EINVAL, "the symbol is in no section");
	switch (b->ld->sections[sym->section].role) {
	case TN_ROLE_MAPS:
	case TN_ROLE_LEGACY_MAPS:
		return refer_to_map(b, at, insn);
	case TN_ROLE_PROGS:
	case TN_ROLE_TEXT:
		if (off % 8 || off > INT32_MAX)
			return bad_site(b, at, -EINVAL, "no function begins where it points");
		insn[0].src = TN_LDDW_FUNC;
		insn[1].imm = 0;
		return refer_to_func(b, at, pos, sym->section, (int64_t)(off / 8), true);
	case TN_ROLE_DATA:
	case TN_ROLE_RODATA:
	case TN_ROLE_BSS:
	case TN_ROLE_ARENA:
		if (b->ld->sections[sym->section].map == TN_NO_INDEX)
			return bad_site(b, at, -EINVAL, "it points into an empty section");
		return refer_to_value(b, at, insn, b->ld->sections[sym->section].map, off);
	case TN_ROLE_STRUCT_OPS:
		return bad_site(b, at, -ENOTSUP, "references to this section are not supported");
	default:
		return bad_site(b, at, -EINVAL, "a program cannot refer to this section");
	}
}

static int relocate_call(struct build *b, const struct site *at, uint32_t pos)
{
	struct tn_insn *insn = &b->prog->insns[pos];
	const struct tn_elf_symbol *sym = &b->ld->elf.symbols[at->rel->symbol];

	if (at->rel->type != TN_R_BPF_64_32)
		return bad_site(b, at, -EINVAL, "this type does not belong to a call");
	if (insn->src != TN_CALL_LOCAL)
		return bad_site(b, at, -EINVAL, "the call is not one of a function");
	if (sym->section == TN_ELF_UNDEF)
		return call_extern(b, at, insn);
	if (sym->section == TN_ELF_NOWHERE || sym->value % 8 || sym->value > INT32_MAX)
		return bad_site(b, at, -EINVAL, "no function begins where it points");
	return refer_to_func(b, at, pos, sym->section, (int64_t)(sym->value / 8) + insn->imm + 1,
			     false);
}

/* Without a relocation only distances within the section make sense; numbers of maps and externs
 * would be the file's own invention. */
static int check_plain(struct build *b, const struct site *at, uint32_t pos)
{
	struct tn_insn *insn = &b->prog->insns[pos];
	int64_t next = (int64_t)at->fn->start + at->insn + 1;

	if (insn->code == (TN_JMP | TN_CALL)) {
		if (insn->src == TN_CALL_LOCAL)
			return refer_to_func(b, at, pos, at->fn->section, next + insn->imm, false);
		if (insn->src != TN_CALL_HELPER)
			return bad_site(b, at, -EINVAL, "a call of an extern has no relocation");
		return 0;
	}
	if (insn->src == TN_LDDW_IMM)
		return 0;
	if (insn->src != TN_LDDW_FUNC)
		return bad_site(b, at, -EINVAL, "an lddw of a map or variable has no relocation");
	return refer_to_func(b, at, pos, at->fn->section, next + insn->imm, true);
}

/* The first relocation of the function's section at or behind its first instruction. */
static uint32_t first_reloc(const struct tn_load_section *s, const struct tn_load_func *fn)
{
	uint32_t lo = 0, hi = s->nr_relocs;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (s->relocs[mid].off < (uint64_t)fn->start * 8)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static int relocate_insn(struct build *b, const struct site *at, uint32_t pos)
{
	uint8_t code = b->prog->insns[pos].code;

	if (code == (TN_LD | TN_IMM | TN_DW)) {
		if (at->insn + 1 == at->fn->nr_insns)
			return bad_site(b, at, -EINVAL, "the lddw instruction is cut off");
		return at->rel ? relocate_lddw(b, at, pos) : check_plain(b, at, pos);
	}
	if (code == (TN_JMP | TN_CALL))
		return at->rel ? relocate_call(b, at, pos) : check_plain(b, at, pos);
	if (at->rel)
		return bad_site(b, at, -EINVAL, "it applies to neither a call nor an lddw");
	return 0;
}

static int relocate_func(struct build *b, struct tn_load_func *fn)
{
	const struct tn_load_section *s = &b->ld->sections[fn->section];
	uint32_t next = first_reloc(s, fn), placed = fn->placed;
	int err = tn_load_apply_core(b->ld, fn, b->prog, &b->cores_cap, &b->own_defect);

	if (err)
		return err;
	for (uint32_t i = 0; i < fn->nr_insns; i++) {
		struct site at = { .fn = fn, .insn = i };
		uint64_t byte = ((uint64_t)fn->start + i) * 8;
		/* The second half of an lddw can have none of its own. */
		uint64_t end = byte + 8;

		if (next < s->nr_relocs && s->relocs[next].off < end) {
			at.rel = &s->relocs[next++];
			if (at.rel->off != byte)
				return bad_site(b, &at, -EINVAL,
						"it is not at the beginning of an instruction");
		}
		err = relocate_insn(b, &at, placed + i);
		if (!err && at.rel && !fn->is_seen)
			err = tn_load_note_reloc(b->ld, fn->section, at.rel);
		if (err)
			return err;
		if (tn_insn_is_lddw(&b->prog->insns[placed + i]))
			i++;
	}
	fn->is_seen = true;
	return 0;
}

/* ---- Programs ---- */

static int set_section(struct build *b, const char *name)
{
	b->prog->autoload = *name != '?';
	b->prog->section = tn_strdup(b->ld->rt, name + (*name == '?'));
	return b->prog->section ? 0 : tn_err_nomem("programs");
}

/* Other programs of the object may still be fine: keep the reason, and no code that refers to
 * anything. */
static int keep_defect(struct build *b, int err)
{
	struct tn_prog *prog = b->prog;

	prog->defect = tn_strdup(b->ld->rt, tn_err_last()->msg);
	if (!prog->defect)
		return tn_err_nomem("programs");
	prog->defect_code = err;
	for (uint32_t i = 1; i < prog->nr_subprogs; i++)
		tn_free(b->ld->rt, prog->subprogs[i].name);
	prog->nr_subprogs = 1;
	prog->exception_callback = 0;
	prog->subprogs[0].end = 1;
	prog->insns[0] = (struct tn_insn){ .code = TN_JMP | TN_EXIT };
	prog->nr_insns = 1;
	prog->nr_lines = 0;
	prog->nr_cores = 0;
	prog->nr_maps = 0;
	return 0;
}

static struct tn_load_func *find_global(struct tn_load *ld, const char *name)
{
	for (uint32_t i = 0; i < ld->funcs.nr; i++)
		if (ld->funcs.v[i].is_global && !strcmp(ld->funcs.v[i].name, name))
			return &ld->funcs.v[i];
	return NULL;
}

/* A tag of the entry names the function that runs when the program throws. Nothing else in the code
 * refers to it. */
static int place_exception_callback(struct build *b, const struct tn_load_func *entry)
{
	static const char prefix[] = "exception_callback:";
	const struct tn_btf *btf = b->ld->image->btf;
	struct site at = { .fn = entry };

	for (uint32_t id = 1; btf && entry->btf_id && id < btf->nr_types; id++) {
		const struct tn_btf_type *t = tn_btf_type(btf, id);
		const char *text = t ? tn_btf_str(btf, t->name_off) : "";
		struct tn_load_func *fn;
		int err;

		if (!t || tn_btf_kind(t) != TN_BTF_DECL_TAG || t->size_or_type != entry->btf_id ||
		    strncmp(text, prefix, sizeof(prefix) - 1))
			continue;
		if (b->prog->exception_callback)
			return bad_site(b, &at, -EINVAL, "it names two exception callbacks");
		fn = find_global(b->ld, text + sizeof(prefix) - 1);
		if (!fn || fn == entry)
			return bad_site(b, &at, -EINVAL,
					"its exception callback is no other global function");
		err = place(b, fn);
		if (err)
			return err;
		fn->is_callback = true;
		b->prog->exception_callback = b->prog->nr_subprogs - 1;
	}
	return 0;
}

static int build_prog(struct build *b, struct tn_load_func *entry)
{
	struct tn_load *ld = b->ld;
	int err = set_section(b, ld->elf.sections[entry->section].name);

	if (!err)
		err = place(b, entry);
	if (!err)
		err = place_exception_callback(b, entry);
	/* Grows while it is walked: what a function refers to is appended. */
	for (uint32_t i = 0; i < b->funcs.nr && !err; i++)
		err = relocate_func(b, b->funcs.v[i]);
	/* A callback's address may be taken after it was placed. */
	for (uint32_t i = 0; i < b->funcs.nr && !err; i++)
		b->prog->subprogs[i].is_callback = b->funcs.v[i]->is_callback;
	/* The program owns the lists from here, whole or not. */
	b->prog->map_decls = b->maps.v;
	b->prog->nr_maps = b->maps.nr;
	b->prog->externs = b->externs.v;
	b->prog->nr_externs = b->externs.nr;
	tn_vec_free(ld->rt, &b->funcs);
	if ((err == -ENOTSUP || b->own_defect) && b->prog->nr_insns)
		err = keep_defect(b, err);
	return err;
}

static int add_prog(struct tn_load *ld, struct tn_load_func *fn)
{
	struct tn_image *image = ld->image;
	struct build b = { .ld = ld };
	int err;

	if (image->nr_progs >= ld->rt->limits.max_programs)
		return tn_err(-E2BIG, "the object has more than %u programs",
			      ld->rt->limits.max_programs);
	if (tn_vec_reserve(ld->rt, (void **)&image->progs, &ld->progs_cap, image->nr_progs + 1,
			   sizeof(*image->progs)))
		return tn_err_nomem("programs");
	b.prog = tn_prog_new(ld->rt, fn->name);
	if (!b.prog)
		return tn_err_nomem("programs");
	b.prog->image = image;
	fn->prog = image->nr_progs;
	image->progs[image->nr_progs++] = b.prog;
	ld->building++;
	err = build_prog(&b, fn);
	if (err)
		tn_err_at(TN_STAGE_OPEN, NULL, fn->name, -1, NULL);
	return err;
}

int tn_load_progs(struct tn_load *ld)
{
	int err = 0;

	ld->map_slots = tn_alloc_array(ld->rt, ld->image->nr_maps + 1u, sizeof(*ld->map_slots));
	ld->extern_slots = tn_alloc_array(ld->rt, ld->externs.nr + 1u, sizeof(*ld->extern_slots));
	if (!ld->map_slots || !ld->extern_slots)
		return tn_err_nomem("programs");
	for (uint32_t i = 0; i < ld->funcs.nr && !err; i++)
		if (ld->funcs.v[i].prog != TN_NO_INDEX)
			err = add_prog(ld, &ld->funcs.v[i]);
	return err;
}
