/* SPDX-License-Identifier: MIT */
/*
 * Spin locks. A path holds one at most, known by the name of the object that it stands in
 * (tn_reg.inst) and that object's map. Pointers of one name point to one object, always; so a lock
 * is given back where, and only where, the pointer has the name that was locked. Names are fresh
 * for every lookup, and globals have one each that is the same everywhere.
 *
 * While a lock is held the program does nothing that could end it or take unbounded time: no calls
 * but those of its own static functions, no packet loads, and no loop that pays fuel (that one
 * reference.c checks when it is known which loops pay). Two locks would wait for each other.
 */
#include <errno.h>
#include <stdio.h>

#include "verifier/callee.h"
#include "verifier/mutant.h"

static const char *line_words(struct tn_vf *vf, uint32_t insn, char buf[32])
{
	const struct tn_line *line = tn_prog_line(vf->prog, insn);

	snprintf(buf, 32, line ? "line %u" : "instruction %u", line ? line->line : insn);
	return buf;
}

int tn_lock_none_held(struct tn_vf *vf, const char *where)
{
	char at[32];

	if (!vf->s.locked || TN_MUT(LOCK_LEFT))
		return 0;
	tn_reject(vf, E_LOCK, -1, "the lock that was taken at %s is still held %s",
		  line_words(vf, vf->s.lock.insn, at), where);
	return tn_advise(vf, "call bpf_spin_unlock() on every path before that");
}

int tn_lock_check_call(struct tn_vf *vf)
{
	const struct tn_insn *insn = tn_vf_insn(vf);
	uint32_t callee = vf->structure->sites[vf->s.insn].callee;
	char at[32];

	if (!vf->s.locked)
		return 0;
	if (insn->src == TN_CALL_HELPER && insn->imm == TN_HELPER_spin_unlock)
		return 0;
	if (insn->src == TN_CALL_LOCAL &&
	    (callee == TN_NONE || !vf->prog->subprogs[callee].is_global))
		return 0;
	if (insn->src == TN_CALL_HELPER && insn->imm == TN_HELPER_spin_lock) {
		tn_reject(
			vf, E_LOCK, -1,
			"a second lock is taken while the one of %s is held: two programs that do "
			"so could wait for each other",
			line_words(vf, vf->s.lock.insn, at));
		return tn_advise(vf, "release the first lock before the second is taken");
	}
	tn_reject(vf, E_LOCK, -1,
		  "calls are not allowed while a lock is held, other than bpf_spin_unlock() and "
		  "static functions; the lock was taken at %s",
		  line_words(vf, vf->s.lock.insn, at));
	return tn_advise(vf, "call it before the lock is taken, or after it was released");
}

/* r points to the lock of a value whose name is known. */
int tn_check_lock_arg(struct tn_vf *vf, struct tn_callee *c, uint32_t i)
{
	const struct tn_reg *r = tn_vf_reg(vf, TN_R1 + i);
	const struct tn_map_special *lock;
	uint64_t at;

	if (r->kind != TN_REG_VALUE || r->low || r->nullable)
		return tn_refuse_arg(vf, c, i, "the spin lock of a map's value");
	lock = tn_map_special_of(r->obj, TN_SPECIAL_LOCK);
	if (!lock)
		return tn_refuse_arg(
			vf, c, i,
			"the struct bpf_spin_lock of a value, and this map's value has "
			"none that its BTF tells of");
	if (!tn_scalar_is_const(&r->v, &at) || at != lock->off)
		return tn_reject(vf, E_LOCK, (int)(TN_R1 + i),
				 "the lock of %s is at offset %u, r%u points to %s",
				 tn_memory_words(vf, r), lock->off, TN_R1 + i,
				 tn_offset_words(vf, r, 0));
	if (!r->inst)
		return tn_reject(
			vf, E_LOCK, (int)(TN_R1 + i),
			"which value r%u points to differs between the paths that lead here",
			TN_R1 + i);
	return 0;
}

int tn_lock_take(struct tn_vf *vf)
{
	const struct tn_reg *r = tn_vf_reg(vf, TN_R1);

	/* A second one: tn_lock_check_call() refused it. */
	vf->s.locked = true;
	vf->s.lock = (struct tn_lock){ .inst = r->inst, .insn = vf->s.insn, .obj = r->obj };
	return 0;
}

int tn_lock_release(struct tn_vf *vf)
{
	const struct tn_reg *r = tn_vf_reg(vf, TN_R1);
	char at[32];

	if (!vf->s.locked)
		return tn_reject(vf, E_LOCK, TN_R1, "bpf_spin_unlock() without a lock being held");
	if (r->inst != vf->s.lock.inst || r->obj != vf->s.lock.obj)
		return tn_reject(vf, E_LOCK, TN_R1,
				 "bpf_spin_unlock() of another lock than the one that was taken at "
				 "%s, or of one that is not known to be the same",
				 line_words(vf, vf->s.lock.insn, at));
	vf->s.locked = false;
	vf->s.lock = (struct tn_lock){ 0 };
	return 0;
}
