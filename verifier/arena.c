/* SPDX-License-Identifier: MIT */
/*
 * Arena pointers. What addr_space_cast gives is a number below 2^32 that loads and stores may go
 * through, whatever it is: the engines check each access against the arena's table of pages
 * (maps/arena.h). So there is nothing to prove about it, and nothing secret in it; anything but an
 * access, a move, a sum or a compare takes it for the number that it is.
 *
 * An access through such a pointer, and 64-bit sums of them, are other instructions than with plain
 * pointers and numbers. So all paths must agree at each of them, as for the context.
 */
#include <errno.h>

#include "verifier/callee.h"
#include "verifier/mutant.h"

struct tn_map *tn_prog_arena(const struct tn_prog *prog)
{
	for (uint32_t i = 0; prog->maps && i < prog->nr_maps; i++)
		if (prog->maps[i] && prog->maps[i]->type == TN_MAP_ARENA)
			return prog->maps[i];
	return NULL;
}

static struct tn_scalar any_low(void)
{
	struct tn_scalar any = tn_scalar_unknown(TN_W64);

	return tn_scalar_zext(&any, 32, TN_W64);
}

static void set_arena(struct tn_reg *r)
{
	tn_reg_set_scalar(r, any_low());
	r->kind = TN_REG_ARENA;
}

void tn_arena_as_number(struct tn_reg *r)
{
	if (r->kind == TN_REG_ARENA)
		tn_reg_set_scalar(r, any_low());
}

static int need_one_arena(struct tn_vf *vf)
{
	const struct tn_map *arena = tn_prog_arena(vf->prog);

	if (!arena)
		return tn_reject(vf, E_MAP, -1,
				 "addr_space_cast in a program that refers to no arena");
	for (uint32_t i = 0; i < vf->prog->nr_maps; i++)
		if (vf->prog->maps[i] && vf->prog->maps[i]->type == TN_MAP_ARENA &&
		    vf->prog->maps[i] != arena)
			return tn_reject(vf, E_MAP, -1,
					 "the program refers to two arenas, '%s' and '%s'; one is "
					 "possible",
					 arena->name, vf->prog->maps[i]->name);
	return 0;
}

int tn_do_arena_cast(struct tn_vf *vf)
{
	const struct tn_insn *insn = tn_vf_insn(vf);
	struct tn_reg *dst = tn_vf_reg(vf, insn->dst), src;
	int err = need_one_arena(vf);

	if (err)
		return err;
	src = *tn_vf_reg(vf, insn->src);
	tn_arena_as_number(&src);
	if (src.kind != TN_REG_SCALAR)
		return tn_need_scalar(vf, insn->src, "a cast to or from the arena");
	vf->facts->insns[vf->s.insn].flags |= TN_FACT_ARENA;
	/* To the program's side: an address with the arena's upper half, or NULL. */
	if (insn->imm == TN_CAST_TO_ARENA)
		set_arena(dst);
	else
		tn_reg_set_unknown(dst);
	return 0;
}

int tn_arena_alu(struct tn_vf *vf, unsigned op, bool half, bool *done)
{
	const struct tn_insn *insn = tn_vf_insn(vf);
	struct tn_reg *dst = tn_vf_reg(vf, insn->dst);
	struct tn_reg *src = TN_SRC(insn->code) ? tn_vf_reg(vf, insn->src) : NULL;
	bool moves = dst->kind == TN_REG_ARENA && (op == TN_ADD || op == TN_SUB);
	int err = 0;

	*done = false;
	if (moves && src && src->kind != TN_REG_SCALAR && src->kind != TN_REG_ARENA)
		return tn_reject(vf, E_POINTER_MATH, insn->src,
				 "r%u is %s, added to or subtracted from an arena pointer",
				 insn->src, tn_reg_words(vf, src));
	/* In 32 bits it stays below 2^32; the 64-bit form becomes that. */
	if (!half)
		err = tn_note_kind(vf, (uint8_t)(moves ? TN_REG_ARENA : TN_REG_SCALAR));
	if (err)
		return err;
	if (moves) {
		if (!half)
			vf->facts->insns[vf->s.insn].flags |= TN_FACT_ARENA;
		set_arena(dst);
		*done = true;
		return 0;
	}
	tn_arena_as_number(dst);
	if (src)
		tn_arena_as_number(src);
	return 0;
}

int tn_arena_access(struct tn_vf *vf)
{
	const struct tn_insn *insn = tn_vf_insn(vf);
	uint8_t mode = TN_MODE(insn->code);

	if (mode != TN_MEM)
		return tn_reject(vf, E_UNSUPPORTED, -1,
				 "an atomic or sign-extending access to the arena");
	if (!TN_MUT(ARENA_NOT_MARKED))
		vf->facts->insns[vf->s.insn].flags |= TN_FACT_ARENA;
	return 0;
}

/* A compare says nothing about either side. With an address of the host it would tell of that. */
int tn_arena_compare(struct tn_vf *vf, const struct tn_reg *a, const struct tn_reg *b)
{
	const struct tn_reg *other = a->kind == TN_REG_ARENA ? b : a;

	if (other->kind != TN_REG_SCALAR && other->kind != TN_REG_ARENA)
		return tn_reject(vf, E_POINTER_MATH, tn_vf_insn(vf)->dst,
				 "an arena pointer is compared with %s", tn_reg_words(vf, other));
	return 0;
}
