/* SPDX-License-Identifier: MIT */
/*
 * One for one, so that instruction numbers, facts and line records stay what they are. All that can
 * fail is done first.
 */
#include "vm/rewrite.h"

#include <errno.h>

#include "base/compiler.h"
#include "base/err.h"
#include "base/mem.h"
#include "maps/arena.h"
#include "maps/map.h"
#include "vm/image.h"

static int make_funcs(struct tn_prog *prog)
{
	if (prog->funcs)
		return 0;
	prog->funcs = tn_alloc_array(prog->rt, prog->nr_subprogs, sizeof(*prog->funcs));
	if (!prog->funcs)
		return tn_err_nomem("function table");
	for (uint32_t i = 0; i < prog->nr_subprogs; i++) {
		prog->funcs[i].prog = prog;
		prog->funcs[i].subprog = i;
	}
	return 0;
}

/* A reference becomes a number. */
static void rewrite_lddw(struct tn_prog *prog, uint32_t idx)
{
	struct tn_insn *insn = &prog->insns[idx];
	uint32_t ref = (uint32_t)insn->imm;
	uint64_t value;

	switch (insn->src) {
	case TN_LDDW_MAP:
		value = (uintptr_t)prog->maps[ref];
		break;
	case TN_LDDW_MAP_VALUE:
		if (prog->maps[ref]->type == TN_MAP_ARENA)
			value = tn_arena_view(prog->maps[ref])->start;
		else
			value = (uintptr_t)prog->maps[ref]->values;
		value += (uint32_t)insn[1].imm;
		break;
	case TN_LDDW_BTF_ID:
		value = prog->externs[ref].value;
		break;
	case TN_LDDW_FUNC:
		value = (uintptr_t)&prog->funcs[tn_prog_subprog_at(prog, idx + 1 + ref)];
		break;
	default:
		return;
	}
	tn_insn_set_imm64(insn, value);
	insn->src = TN_LDDW_IMM;
}

/* A host helper with a number of its own comes before the standard one of that number. */
static void rewrite_call(struct tn_prog *prog, struct tn_insn *insn)
{
	if (insn->src != TN_CALL_HELPER)
		return;
	for (uint32_t i = 0; i < prog->nr_externs; i++) {
		const struct tn_host_helper *helper = prog->externs[i].helper;

		if (helper && helper->id && helper->id == (uint32_t)insn->imm) {
			insn->src = TN_CALL_EXTERN;
			insn->imm = (int32_t)i;
			return;
		}
	}
}

static void set_size(struct tn_insn *insn, uint32_t bytes)
{
	uint8_t size = bytes == 8 ? TN_DW : bytes == 4 ? TN_W : bytes == 2 ? TN_H : TN_B;

	insn->code = (uint8_t)((insn->code & ~TN_SIZE(0xff)) | size);
}

/* The plugin's layout becomes the host's. A u32 that stands for a pointer is loaded whole; parts of
 * a number are at the same place within it. */
static void rewrite_ctx(const struct tn_prog *prog, struct tn_insn *insn)
{
	uint32_t off = (uint32_t)(int32_t)insn->off, bytes = tn_insn_bytes(insn->code);
	const struct tn_field *field = tn_ctx_field_at(prog->ctx_type, off, bytes);

	tn_assert(field != NULL);
	if (field->host_size != field->size) {
		tn_assert(off == field->offset && bytes == field->size);
		set_size(insn, field->host_size);
	}
	insn->off = (int16_t)(field->host_offset + (off - field->offset));
}

/* A conditional jump whose outcome is known. One never taken charges nothing. */
static void rewrite_branch(struct tn_insn *insn, struct tn_insn_fact *fact)
{
	if (fact->flags & TN_FACT_BRANCH_NEVER) {
		insn->off = 0;
		fact->fuel = 0;
	}
	/* The outcome was that of the condition; what stands here now always jumps. */
	fact->flags &= (uint16_t) ~(TN_FACT_BRANCH_ALWAYS | TN_FACT_BRANCH_NEVER);
	insn->code = TN_JMP | TN_JA;
	insn->dst = 0;
	insn->src = 0;
	insn->imm = 0;
}

/* Code that no path reaches was not proved: if it ran after all it would end the program. */
static void rewrite_dead(struct tn_insn *insn)
{
	*insn = (struct tn_insn){ .code = TN_JMP | TN_EXIT };
}

/* Pointers into the arena are numbers below 2^32: a cast to one is a 32-bit move, a sum a 32-bit
 * sum. A cast back puts the upper half, which stands in imm, before all but NULL. */
static void rewrite_arena(struct tn_prog *prog, struct tn_insn *insn)
{
	if (TN_CLASS(insn->code) != TN_ALU64) {
		insn->code = (uint8_t)((insn->code & ~TN_MODE(0xff)) | TN_MEM_ARENA);
	} else if (TN_OP(insn->code) == TN_MOV && insn->imm == TN_CAST_FROM_ARENA) {
		insn->imm = (int32_t)(tn_arena_view(prog->arena)->start >> 32);
	} else {
		insn->code = (uint8_t)((insn->code & ~TN_CLASS(0xff)) | TN_ALU);
		if (TN_OP(insn->code) == TN_MOV)
			insn->imm = insn->off = 0;
	}
}

/* Paths that need no probe may come here too: it reads the same for them. */
static void rewrite_probe(struct tn_insn *insn)
{
	bool sext = TN_MODE(insn->code) == TN_MEMSX;

	tn_assert(TN_CLASS(insn->code) == TN_LDX);
	insn->code = (uint8_t)((insn->code & ~TN_MODE(0xff)) |
			       (sext ? TN_MEMSX_PROBE : TN_MEM_PROBE));
}

static void rewrite_by_fact(struct tn_prog *prog, uint32_t idx)
{
	struct tn_insn *insn = &prog->insns[idx];
	struct tn_insn_fact *fact = &prog->facts->insns[idx];

	if (!(fact->flags & TN_FACT_REACHED)) {
		if (tn_insn_is_lddw(insn))
			rewrite_dead(&insn[1]);
		rewrite_dead(insn);
	} else if (fact->flags & (TN_FACT_BRANCH_ALWAYS | TN_FACT_BRANCH_NEVER)) {
		rewrite_branch(insn, fact);
	} else if (fact->flags & TN_FACT_ARENA) {
		rewrite_arena(prog, insn);
	} else if (fact->flags & TN_FACT_PROBE) {
		rewrite_probe(insn);
	} else if (fact->flags & TN_FACT_MAP_FIELD) {
		insn->off = (int16_t)fact->value;
	} else if (fact->flags & TN_FACT_CTX_REWRITE) {
		rewrite_ctx(prog, insn);
	}
}

int tn_rewrite(struct tn_prog *prog)
{
	uint32_t next;
	int err;

	if (prog->rewritten)
		return 0;
	err = make_funcs(prog);
	if (err)
		return err;
	for (uint32_t i = 0; prog->maps && i < prog->nr_maps && !prog->arena; i++)
		if (prog->maps[i] && prog->maps[i]->type == TN_MAP_ARENA)
			prog->arena = prog->maps[i];
	for (uint32_t i = 0; i < prog->nr_insns; i = next) {
		struct tn_insn *insn = &prog->insns[i];

		next = i + (tn_insn_is_lddw(insn) ? 2 : 1);
		if (prog->facts)
			rewrite_by_fact(prog, i);
		if (tn_insn_is_lddw(insn))
			rewrite_lddw(prog, i);
		else if (insn->code == (TN_JMP | TN_CALL))
			rewrite_call(prog, insn);
	}
	prog->rewritten = true;
	return 0;
}
