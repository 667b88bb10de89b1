/* SPDX-License-Identifier: MIT */
/* What tools show: sections, relocations, helpers, disassembly, features. Nothing here changes. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "host-api/object.h"
#include "jit/jit.h"
#include "loader/object.h"
#include "vm/disasm.h"
#include "vm/helpers.h"

/* ---- Objects ---- */

int tenon_object_section(const struct tenon_object *obj, uint32_t idx,
			 struct tenon_section_info *info)
{
	const struct tn_section_info *from;
	struct tenon_section_info out;
	int rc;

	if (!obj || !info)
		return tn_err(-EINVAL, "tenon_object_section: an argument is NULL");
	rc = tn_opts_read("tenon_section_info", info, &out, sizeof(out));
	if (rc)
		return rc;
	if (idx >= obj->unit->image->nr_sections)
		return -ENOENT;
	from = &obj->unit->image->sections[idx];
	out = (struct tenon_section_info){ .name = from->name,
					   .size = from->size,
					   .what = from->what,
					   .nr_relocs = from->nr_relocs };
	tn_opts_write(info, &out, sizeof(out));
	return 0;
}

int tenon_object_reloc(const struct tenon_object *obj, uint32_t idx, struct tenon_reloc_info *info)
{
	const struct tn_reloc_info *from;
	struct tenon_reloc_info out;
	int rc;

	if (!obj || !info)
		return tn_err(-EINVAL, "tenon_object_reloc: an argument is NULL");
	rc = tn_opts_read("tenon_reloc_info", info, &out, sizeof(out));
	if (rc)
		return rc;
	if (idx >= obj->unit->image->nr_relocs)
		return -ENOENT;
	from = &obj->unit->image->relocs[idx];
	out = (struct tenon_reloc_info){ .section = from->section,
					 .off = from->off,
					 .type = from->type,
					 .symbol = from->symbol };
	tn_opts_write(info, &out, sizeof(out));
	return 0;
}

const char *tenon_object_license(const struct tenon_object *obj)
{
	return obj ? obj->unit->image->license : NULL;
}

/* ---- Programs ---- */

int tenon_program_info(const struct tenon_program *program, struct tenon_program_info *info)
{
	const struct tn_ctx_type *ctx;
	struct tenon_program_info out;
	struct tn_section_def section;
	const struct tn_prog *prog;
	int rc;

	if (!program || !info)
		return tn_err(-EINVAL, "tenon_program_info: an argument is NULL");
	rc = tn_opts_read("tenon_program_info", info, &out, sizeof(out));
	if (rc)
		return rc;
	prog = program->prog;
	ctx = prog->ctx_type;
	tn_section_parse(prog->section ? prog->section : "", &section);
	out = (struct tenon_program_info){
		.nr_insns = prog->nr_insns,
		.nr_subprogs = prog->nr_subprogs,
		.ctx = program->sig.ctx ? program->sig.ctx->name : NULL,
		.ctx_size = ctx ? ctx->host_size : 0,
		.autoload = prog->autoload,
		.loaded = program->ready,
		.packet = ctx && ctx->is_packet,
		.ctx_pointers = ctx && tn_ctx_has_pointers(ctx),
		.builtin_ctx = section.kind == TN_SEC_KERNEL && section.ctx,
	};
	if (program->ready)
		out.engine = prog->code ? TENON_ENGINE_JIT : TENON_ENGINE_INTERP;
	tn_opts_write(info, &out, sizeof(out));
	return 0;
}

static bool is_call(const struct tn_insn *insn)
{
	return insn->code == (TN_JMP | TN_CALL) && insn->src != TN_CALL_LOCAL;
}

/* Does an instruction before `at` call the same? */
static bool called_before(const struct tenon_program *program, uint32_t at)
{
	const struct tn_insn *insn = &program->insns[at];
	uint32_t i;

	for (i = 0; i < at; i++) {
		const struct tn_insn *other = &program->insns[i];

		if (tn_insn_is_lddw(other))
			i++;
		else if (is_call(other) && other->src == insn->src && other->imm == insn->imm)
			return true;
	}
	return false;
}

static void describe_call(const struct tenon_program *program, const struct tn_insn *insn,
			  struct tenon_helper_use *out)
{
	const struct tn_prog *prog = program->prog;
	const struct tn_host_helper *host;
	const struct tn_helper *std;

	*out = (struct tenon_helper_use){ 0 };
	if (insn->src == TN_CALL_EXTERN) {
		const struct tn_extern *ext = &prog->externs[insn->imm];

		out->name = ext->name;
		out->host = true;
		out->weak = ext->is_weak;
		return;
	}
	out->id = (uint32_t)insn->imm;
	host = tn_host_helper_by_id(program->rt, out->id);
	std = tn_helper_by_id(out->id);
	out->host = host != NULL;
	out->name = host ? host->name : std ? std->name : NULL;
}

int tenon_program_helper(const struct tenon_program *program, uint32_t idx,
			 struct tenon_helper_use *use)
{
	struct tenon_helper_use out;
	uint32_t i, nr = 0;
	int rc;

	if (!program || !use)
		return tn_err(-EINVAL, "tenon_program_helper: an argument is NULL");
	rc = tn_opts_read("tenon_helper_use", use, &out, sizeof(out));
	if (rc)
		return rc;
	for (i = 0; i < program->prog->nr_insns; i++) {
		const struct tn_insn *insn = &program->insns[i];

		if (tn_insn_is_lddw(insn)) {
			i++;
			continue;
		}
		if (!is_call(insn) || called_before(program, i) || nr++ != idx)
			continue;
		describe_call(program, insn, &out);
		tn_opts_write(use, &out, sizeof(out));
		return 0;
	}
	return -ENOENT;
}

/* ---- Disassembly ---- */

#define LINE_BYTES 512

struct printer {
	const struct tenon_program *program;
	uint32_t flags;
	tenon_line_fn fn;
	void *user;
	const struct tn_line *last; /* source line shown last */
};

static void print_source(struct printer *p, uint32_t idx)
{
	const struct tn_line *line = tn_prog_line(p->program->prog, idx);
	char buf[LINE_BYTES];
	const char *text;

	if (!line || line == p->last)
		return;
	p->last = line;
	text = line->text ? line->text : "";
	snprintf(buf, sizeof(buf), "; %s @ %s:%u", text + strspn(text, " \t"),
		 line->file ? line->file : "?", line->line);
	p->fn(p->user, buf);
}

static void print_insn(struct printer *p, uint32_t idx)
{
	char buf[LINE_BYTES];
	int len = snprintf(buf, sizeof(buf), "%4u: ", idx);

	tn_disasm(p->program->prog, &p->program->insns[idx], idx, buf + len,
		  sizeof(buf) - (size_t)len);
	p->fn(p->user, buf);
}

static void print_function(struct printer *p, uint32_t idx)
{
	const struct tn_prog *prog = p->program->prog;
	char buf[LINE_BYTES];
	uint32_t i;

	for (i = 0; i < prog->nr_subprogs; i++) {
		if (prog->subprogs[i].start != idx)
			continue;
		snprintf(buf, sizeof(buf), "%s:", prog->subprogs[i].name);
		p->fn(p->user, buf);
	}
}

/* 16 bytes a line, at their offset in the program's code. */
static void print_bytes(struct printer *p, uint32_t from, uint32_t to)
{
	const struct tn_prog *prog = p->program->prog;
	const unsigned char *code = prog->code->base + prog->code_off;
	char buf[LINE_BYTES];

	while (from < to) {
		int len = snprintf(buf, sizeof(buf), "      %6x: ", from);
		uint32_t i;

		for (i = 0; i < 16 && from < to; i++, from++)
			len += snprintf(buf + len, sizeof(buf) - (size_t)len, " %02x", code[from]);
		p->fn(p->user, buf);
	}
}

/* The code that ends where the next instruction's begins; what stands in front of the first
 * instruction is the program's entry. */
static void print_native(struct printer *p, uint32_t idx, uint32_t *off)
{
	const struct tn_prog *prog = p->program->prog;
	uint32_t from = *off, to = from;

	while (to < prog->code_bytes) {
		int32_t at = tn_jit_insn_at(prog, to);

		if (at >= 0 && (uint32_t)at > idx)
			break;
		to++;
	}
	print_bytes(p, from, to);
	*off = to;
}

int tenon_program_disasm(const struct tenon_program *program, uint32_t flags, tenon_line_fn fn,
			 void *user)
{
	struct printer p = { program, flags, fn, user, NULL };
	uint32_t i, off = 0;

	if (!program || !fn)
		return tn_err(-EINVAL, "tenon_program_disasm: an argument is NULL");
	if (flags & ~(uint32_t)(TENON_DISASM_SOURCE | TENON_DISASM_JITED))
		return tn_err(-EINVAL, "tenon_program_disasm: unknown flags 0x%x", flags);
	if (flags & TENON_DISASM_JITED && !program->prog->code)
		return tn_err(-ENOENT, "program '%s' has no native code", program->prog->name);
	for (i = 0; i < program->prog->nr_insns; i++) {
		print_function(&p, i);
		if (flags & TENON_DISASM_SOURCE)
			print_source(&p, i);
		print_insn(&p, i);
		if (flags & TENON_DISASM_JITED)
			print_native(&p, i, &off);
		if (tn_insn_is_lddw(&program->insns[i]))
			i++;
	}
	if (flags & TENON_DISASM_JITED)
		print_bytes(&p, off, program->prog->code_bytes);
	return 0;
}

/* ---- Features ---- */

static int engine_feature(uint32_t idx, struct tenon_feature *out)
{
	if (idx > 1)
		return -ENOENT;
	out->name = idx ? "jit" : "interpreter";
	out->available = !idx || !tn_jit_available();
	if (!out->available)
		out->why = tn_err_last()->msg;
	return 0;
}

static int map_feature(uint32_t idx, struct tenon_feature *out)
{
	static const uint32_t types[] = {
#define TN_MAP_TYPE(name, id, ops, words) (id),
#include "maps/types.def"
#undef TN_MAP_TYPE
	};

	if (idx >= TN_ARRAY_SIZE(types))
		return -ENOENT;
	out->id = types[idx];
	out->name = tn_map_type_words(types[idx]);
	out->available = true;
	return 0;
}

static int helper_feature(uint32_t idx, struct tenon_feature *out)
{
	const struct tn_helper *helper = tn_helper_next(NULL);

	while (helper && idx--)
		helper = tn_helper_next(helper);
	if (!helper)
		return -ENOENT;
	out->id = helper->id;
	out->name = helper->name;
	out->available = true;
	return 0;
}

int tenon_feature(enum tenon_feature_kind kind, uint32_t idx, struct tenon_feature *feature)
{
	struct tenon_feature out;
	int rc;

	if (!feature)
		return tn_err(-EINVAL, "tenon_feature: NULL");
	rc = tn_opts_read("tenon_feature", feature, &out, sizeof(out));
	if (rc)
		return rc;
	out = (struct tenon_feature){ 0 };
	switch (kind) {
	case TENON_FEATURE_ENGINE:
		rc = engine_feature(idx, &out);
		break;
	case TENON_FEATURE_MAP_TYPE:
		rc = map_feature(idx, &out);
		break;
	case TENON_FEATURE_HELPER:
		rc = helper_feature(idx, &out);
		break;
	default:
		return tn_err(-EINVAL, "unknown kind of feature %d", (int)kind);
	}
	if (!rc)
		tn_opts_write(feature, &out, sizeof(out));
	return rc;
}
