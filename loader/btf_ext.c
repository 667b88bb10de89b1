/* SPDX-License-Identifier: MIT */
/*
 * .BTF and .BTF.ext. The compiler leaves offsets of variables to the linker, so the relocations of
 * .BTF are applied first and the sizes of data sections filled in afterwards. .BTF.ext says,
 * section by section, which function type, source line and CO-RE record belongs to which
 * instruction; records longer than known are of newer compilers and are read by their known
 * beginning.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "loader/load.h"

#define BTF_EXT_MAGIC 0xeb9f

/* ---- .BTF ---- */

static int relocate_btf(struct tn_load *ld, unsigned char *bytes, size_t size)
{
	const struct tn_load_section *s = &ld->sections[ld->btf_section];

	for (uint32_t i = 0; i < s->nr_relocs; i++) {
		const struct tn_elf_reloc *rel = &s->relocs[i];
		uint32_t word;

		if (rel->type != TN_R_BPF_64_NODYLD32 && rel->type != TN_R_BPF_64_ABS32 &&
		    rel->type != TN_R_BPF_64_32)
			return tn_err(-EINVAL, "section '.BTF': relocation %u is of type %u (%s)",
				      rel->entry, rel->type, tn_elf_reloc_name(rel->type));
		if (rel->off > size || size - rel->off < sizeof(word))
			return tn_err(-EINVAL, "section '.BTF': relocation %u at byte %llu of %zu",
				      rel->entry, (unsigned long long)rel->off, size);
		memcpy(&word, bytes + rel->off, sizeof(word));
		word += (uint32_t)ld->elf.symbols[rel->symbol].value;
		memcpy(bytes + rel->off, &word, sizeof(word));
	}
	return 0;
}

struct symbol_order {
	const struct tn_load *ld;
	uint32_t *v; /* global symbols of data and maps, by section and name */
	uint32_t nr;
};

static int compare_symbols(const struct tn_elf_symbol *x, uint32_t section, const char *name)
{
	if (x->section != section)
		return x->section < section ? -1 : 1;
	/* Longer ones are refused elsewhere; one long string may be the name of all. */
	return strncmp(x->name, name, TN_ELF_MAX_NAME + 1);
}

static int by_section_name(const void *a, const void *b, void *arg)
{
	const struct tn_elf_symbol *v = ((const struct tn_load *)arg)->elf.symbols;
	const struct tn_elf_symbol *y = &v[*(const uint32_t *)b];

	return compare_symbols(&v[*(const uint32_t *)a], y->section, y->name);
}

/* A tool that dropped the relocations of .BTF left the places of global variables at 0; those of
 * static ones are in place. */
static int order_symbols(struct tn_load *ld, struct symbol_order *order)
{
	*order = (struct symbol_order){ .ld = ld };
	if (ld->sections[ld->btf_section].nr_relocs)
		return 0;
	order->v = tn_alloc_array(ld->rt, ld->elf.nr_symbols + 1u, sizeof(*order->v));
	if (!order->v)
		return tn_err_nomem("BTF");
	for (uint32_t i = 1; i < ld->elf.nr_symbols; i++) {
		const struct tn_elf_symbol *sym = &ld->elf.symbols[i];

		if (!sym->is_local && !sym->is_section && sym->section != TN_ELF_UNDEF &&
		    sym->section != TN_ELF_NOWHERE && !tn_load_is_code(ld, sym->section))
			order->v[order->nr++] = i;
	}
	qsort_r(order->v, order->nr, sizeof(*order->v), by_section_name, ld);
	return 0;
}

static void place_variables(const struct symbol_order *order, uint32_t section,
			    const struct tn_btf_type *t)
{
	const struct tn_btf *btf = order->ld->image->btf;
	struct tn_btf_var_secinfo *info = (void *)(uintptr_t)tn_btf_extra(t);

	for (uint32_t i = 0; i < tn_btf_vlen(t); i++) {
		const struct tn_btf_type *var = tn_btf_type(btf, info[i].type);
		uint32_t lo = 0, hi = order->nr;
		const struct tn_elf_symbol *sym;

		if (tn_btf_kind(var) != TN_BTF_VAR || *(const uint32_t *)tn_btf_extra(var) == 0)
			continue;
		while (lo < hi) {
			uint32_t mid = lo + (hi - lo) / 2;

			if (compare_symbols(&order->ld->elf.symbols[order->v[mid]], section,
					    tn_btf_str(btf, var->name_off)) < 0)
				lo = mid + 1;
			else
				hi = mid;
		}
		sym = lo < order->nr ? &order->ld->elf.symbols[order->v[lo]] : NULL;
		if (sym && !compare_symbols(sym, section, tn_btf_str(btf, var->name_off)) &&
		    sym->value <= UINT32_MAX)
			info[i].offset = (uint32_t)sym->value;
	}
}

/* Give the DATASEC its section's size; its variables must fit. */
static int complete_datasec(struct tn_load *ld, const struct symbol_order *order, uint32_t id)
{
	/* The copy is the image's own, and nobody else has seen it yet. */
	struct tn_btf_type *t = (struct tn_btf_type *)(uintptr_t)tn_btf_type(ld->image->btf, id);
	const char *name = tn_btf_str(ld->image->btf, t->name_off);
	const struct tn_btf_var_secinfo *info = tn_btf_extra(t);
	const struct tn_elf_section *s;
	uint32_t section;

	if (!strcmp(name, ".ksyms") || !strcmp(name, ".kconfig"))
		return 0;
	section = tn_load_find_section(ld, name);
	s = &ld->elf.sections[section];
	if (!section || s->size > UINT32_MAX)
		return 0;
	if (ld->sections[section].datasec)
		return tn_err(-EINVAL, "section '%s' is described twice: by BTF types %u and %u",
			      name, ld->sections[section].datasec, id);
	ld->sections[section].datasec = id;
	/* A linker that gave it a size put everything in place. */
	if (t->size_or_type == 0)
		place_variables(order, section, t);
	t->size_or_type = (uint32_t)s->size;
	for (uint32_t i = 0; i < tn_btf_vlen(t); i++)
		if ((uint64_t)info[i].offset + info[i].size > s->size)
			return tn_err(-EINVAL,
				      "section '%s': variable %u at byte %u, %u long, does not fit "
				      "into its %llu bytes",
				      name, i, info[i].offset, info[i].size,
				      (unsigned long long)s->size);
	return 0;
}

int tn_load_btf(struct tn_load *ld)
{
	const struct tn_elf_section *s = &ld->elf.sections[ld->btf_section];
	struct symbol_order order;
	struct tn_btf *btf;
	unsigned char *copy;
	int err;

	if (!ld->btf_section || s->data.size == 0)
		return 0;
	copy = tn_memdup(ld->rt, s->data.data, s->data.size);
	if (!copy)
		return tn_err_nomem("BTF");
	err = relocate_btf(ld, copy, s->data.size);
	if (!err) {
		ld->image->btf = tn_btf_parse(ld->rt, tn_span_make(copy, s->data.size));
		err = ld->image->btf ? 0 : -errno;
	}
	tn_free(ld->rt, copy);
	if (err)
		return err;
	btf = ld->image->btf;
	err = order_symbols(ld, &order);
	for (uint32_t id = 1; id < btf->nr_types && !err; id++)
		if (tn_btf_kind(tn_btf_type(btf, id)) == TN_BTF_DATASEC)
			err = complete_datasec(ld, &order, id);
	tn_free(ld->rt, order.v);
	return err;
}

/* ---- .BTF.ext ---- */

struct ext_header {
	uint16_t magic;
	uint8_t version;
	uint8_t flags;
	uint32_t hdr_len;
	uint32_t func_off, func_len;
	uint32_t line_off, line_len;
	uint32_t core_off, core_len; /* where hdr_len reaches that far */
};
#define EXT_HEADER_MIN 24

/* One of the three parts: what a record holds at least, and what to do with one. */
struct part {
	const char *words;
	uint32_t min_record;
	int (*add)(struct tn_load *ld, uint32_t section, const unsigned char *record, uint32_t n);
	int (*begin)(struct tn_load *ld, uint32_t section);
};

static int bad_record(const struct tn_load *ld, const char *words, uint32_t section, uint32_t n,
		      const char *what)
{
	return tn_err(-EINVAL, "section '.BTF.ext': %s %u of section '%s' %s", words, n,
		      ld->elf.sections[section].name, what);
}

static int begin_funcs(struct tn_load *ld, uint32_t section)
{
	(void)ld;
	(void)section;
	return 0;
}

static int add_func(struct tn_load *ld, uint32_t section, const unsigned char *record, uint32_t n)
{
	const struct tn_btf_type *t;
	struct tn_load_func *fn;
	uint32_t r[2];

	memcpy(r, record, sizeof(r));
	t = tn_btf_type(ld->image->btf, r[1]);
	if (!t || tn_btf_kind(t) != TN_BTF_FUNC)
		return bad_record(ld, "function", section, n, "is of no function type");
	fn = r[0] % 8 ? NULL : tn_load_func_at(ld, section, r[0] / 8);
	if (!fn)
		return bad_record(ld, "function", section, n, "does not begin where one does");
	fn->btf_id = r[1];
	/* As the linker would: what no other object may see is static. The copy is the image's. */
	if (ld->elf.symbols[fn->symbol].is_hidden)
		((struct tn_btf_type *)(uintptr_t)t)->info &= ~0xffffu;
	return 0;
}

static int begin_lines(struct tn_load *ld, uint32_t section)
{
	if (ld->sections[section].has_lines)
		return bad_record(ld, "lines", section, 0, "come twice");
	ld->sections[section].has_lines = true;
	ld->sections[section].first_line = ld->lines.nr;
	return 0;
}

static int add_line(struct tn_load *ld, uint32_t section, const unsigned char *record, uint32_t n)
{
	struct tn_load_section *s = &ld->sections[section];
	struct tn_load_line *line;
	uint32_t r[4];

	memcpy(r, record, sizeof(r));
	if (r[0] % 8 || r[0] >= ld->elf.sections[section].size)
		return bad_record(ld, "line", section, n, "is at no instruction");
	if (!tn_btf_has_str(ld->image->btf, r[1]) || !tn_btf_has_str(ld->image->btf, r[2]))
		return bad_record(ld, "line", section, n, "has a text outside of the strings");
	if (s->nr_lines) {
		uint32_t last = ld->lines.v[ld->lines.nr - 1].insn;

		if (r[0] / 8 < last)
			return bad_record(ld, "line", section, n, "goes back");
		if (r[0] / 8 == last)
			return 0; /* the first of several lines at one instruction stays */
	}
	line = tn_vec_push(ld->rt, &ld->lines);
	if (!line)
		return tn_err_nomem("line info");
	*line = (struct tn_load_line){ r[0] / 8, r[1], r[2], r[3] };
	s->nr_lines++;
	return 0;
}

static int begin_cores(struct tn_load *ld, uint32_t section)
{
	if (ld->sections[section].has_core)
		return bad_record(ld, "CO-RE records", section, 0, "come twice");
	ld->sections[section].has_core = true;
	ld->sections[section].first_core = ld->cores.nr;
	return 0;
}

static int add_core(struct tn_load *ld, uint32_t section, const unsigned char *record, uint32_t n)
{
	struct tn_load_section *s = &ld->sections[section];
	struct tn_load_core *core;
	uint32_t r[4];

	memcpy(r, record, sizeof(r));
	if (r[0] % 8 || r[0] >= ld->elf.sections[section].size)
		return bad_record(ld, "CO-RE record", section, n, "is at no instruction");
	if (r[1] >= ld->image->btf->nr_types)
		return bad_record(ld, "CO-RE record", section, n, "is of no known type");
	if (!tn_btf_has_str(ld->image->btf, r[2]))
		return bad_record(ld, "CO-RE record", section, n,
				  "has an access outside of the strings");
	if (s->nr_core && r[0] / 8 < ld->cores.v[ld->cores.nr - 1].insn)
		return bad_record(ld, "CO-RE record", section, n, "goes back");
	core = tn_vec_push(ld->rt, &ld->cores);
	if (!core)
		return tn_err_nomem("CO-RE records");
	*core = (struct tn_load_core){ section, r[0] / 8, r[1], r[2], r[3] };
	s->nr_core++;
	return 0;
}

/* A part: the size of a record, then per section its name, a count and the records. */
static int read_part(struct tn_load *ld, const struct part *part, struct tn_span bytes)
{
	uint32_t record_size;
	uint64_t off = sizeof(record_size);

	if (bytes.size == 0)
		return 0;
	if (!tn_span_read(bytes, 0, &record_size, sizeof(record_size)) ||
	    record_size < part->min_record || record_size % 4)
		return tn_err(-EINVAL, "section '.BTF.ext': a %s record has %u bytes, expected %u",
			      part->words, bytes.size < 4 ? 0 : record_size, part->min_record);
	while (off < bytes.size) {
		uint32_t head[2], section;
		struct tn_span records;
		const char *name;
		int err = 0;

		if (!tn_span_read(bytes, off, head, sizeof(head)) ||
		    !tn_span_sub(bytes, off + sizeof(head), (uint64_t)head[1] * record_size,
				 &records))
			return tn_err(-EINVAL,
				      "section '.BTF.ext': %s records at byte %llu are cut "
				      "off",
				      part->words, (unsigned long long)off);
		name = tn_btf_str(ld->image->btf, head[0]);
		section = tn_load_find_section(ld, name);
		/* A section that a linker dropped leaves its records behind. */
		if (!tn_load_is_code(ld, section))
			section = 0;
		if (section)
			err = part->begin(ld, section);
		for (uint32_t i = 0; section && i < head[1] && !err; i++)
			err = part->add(ld, section, records.data + (size_t)i * record_size, i);
		if (err)
			return err;
		off += sizeof(head) + records.size;
	}
	return 0;
}

static const struct part func_part = { "function", 8, add_func, begin_funcs };
static const struct part line_part = { "line", 16, add_line, begin_lines };
static const struct part core_part = { "CO-RE", 16, add_core, begin_cores };

static int read_ext_header(struct tn_span s, struct ext_header *h)
{
	memset(h, 0, sizeof(*h));
	if (!tn_span_read(s, 0, h, EXT_HEADER_MIN))
		return tn_err(-EINVAL, "section '.BTF.ext': %zu bytes are too few for its header",
			      s.size);
	if (h->magic != BTF_EXT_MAGIC)
		return tn_err(-EINVAL, "section '.BTF.ext': magic is 0x%x, expected 0xeb9f",
			      h->magic);
	if (h->version != 1)
		return tn_err(-EINVAL, "section '.BTF.ext': version is %u, expected 1", h->version);
	if (h->hdr_len < EXT_HEADER_MIN || h->hdr_len > s.size)
		return tn_err(-EINVAL, "section '.BTF.ext': header length is %u of %zu bytes",
			      h->hdr_len, s.size);
	if (h->hdr_len >= sizeof(*h))
		tn_span_read(s, 0, h, sizeof(*h));
	return 0;
}

int tn_load_btf_ext(struct tn_load *ld)
{
	struct tn_span s, func, line, core;
	struct ext_header h;
	int err;

	if (!ld->btf_ext_section || !ld->image->btf)
		return 0;
	s = ld->elf.sections[ld->btf_ext_section].data;
	if (s.size == 0)
		return 0;
	err = read_ext_header(s, &h);
	if (err)
		return err;
	if (!tn_span_sub(s, (uint64_t)h.hdr_len + h.func_off, h.func_len, &func) ||
	    !tn_span_sub(s, (uint64_t)h.hdr_len + h.line_off, h.line_len, &line) ||
	    !tn_span_sub(s, (uint64_t)h.hdr_len + h.core_off, h.core_len, &core))
		return tn_err(-EINVAL, "section '.BTF.ext': a part leaves its %zu bytes", s.size);
	err = read_part(ld, &func_part, func);
	if (!err)
		err = read_part(ld, &line_part, line);
	if (!err)
		err = read_part(ld, &core_part, core);
	return err;
}
