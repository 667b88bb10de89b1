/* SPDX-License-Identifier: MIT */
/*
 * What must be released: each reference is held by the path, not by a register.
 *
 * Where a program can end early (a jump that pays fuel, a helper that aborts, a packet load) it may
 * hold references; then they are released at run time. The walk notes at each jump and call which
 * acquiring instructions what is held came from, and at each releasing call what it may release.
 * Once it is known which jumps pay, tn_refs_finish() marks
 *
 *	every acquiring call of which something may be held where the program can end,
 *	every releasing call that may release something of a marked one, and
 *	every other acquiring call of which such a releasing call may release something,
 *
 * until nothing changes. The last rule makes the list at run time exact: calls that are not marked
 * neither add to it nor take off it, though the same address may be acquired twice; and whatever is
 * acquired by a marked call is taken off by the call that releases it. Two entries of one address
 * and type are as good as each other. So the list holds, at each place where the program can end,
 * what the path holds there (and perhaps more of it than that place needs, never something that was
 * released).
 *
 * It has room: a walk holds TN_MAX_REFS at once at most. Global functions are walks of their own;
 * each is on the path of calls once at most, and each but the last of them holds no more than what
 * is held at some call.
 */
#include "verifier/engine.h"
#include "verifier/global.h"
#include "verifier/trace.h"
#include "verifier/mutant.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

_Static_assert(TN_MAX_REFS <= TN_MAX_HELD, "what is held fits");

/* Sets have 64 bits; what comes after the 63rd shares one. */
static uint64_t bit_of(uint32_t number)
{
	return (uint64_t)1 << TN_MIN(number, 63u);
}

static uint64_t set_held(const struct tn_vf *vf)
{
	uint64_t set = 0;

	for (uint32_t i = 0; i < vf->s.nr_refs; i++)
		set |= bit_of(vf->seen[vf->s.refs[i].insn].acquire - 1);
	return set;
}

void tn_ref_note_held(struct tn_vf *vf, bool ends)
{
	struct tn_insn_seen *seen = &vf->seen[vf->s.insn];

	seen->lock_held |= vf->s.locked;
	if (!vf->s.nr_refs)
		return;
	*(ends ? &seen->held_end : &seen->held) |= set_held(vf);
	if (ends)
		vf->most_refs_at_ends = TN_MAX(vf->most_refs_at_ends, vf->s.nr_refs);
}

static uint32_t callback_depth(const struct tn_state *s)
{
	uint32_t depth = 0;

	for (uint32_t i = 0; i < s->nr_frames; i++)
		depth += s->frames[i].callback;
	return depth;
}

int tn_ref_acquire(struct tn_vf *vf, struct tn_reg *r, const struct tn_releaser *how)
{
	struct tn_state *s = &vf->s;
	struct tn_insn_seen *seen = &vf->seen[s->insn];

	if (s->nr_refs == TN_MAX_REFS)
		return tn_reject(vf, E_LIMIT, -1, "more than %u references are held at once",
				 TN_MAX_REFS);
	if (!seen->acquire) {
		struct tn_acquire *a = tn_vec_push(vf->rt, &vf->acquires);

		if (!a)
			return -ENOMEM;
		*a = (struct tn_acquire){ .insn = s->insn, .how = how };
		seen->acquire = vf->acquires.nr;
	}
	r->ref = vf->senv.next_id++;
	s->refs[s->nr_refs++] = (struct tn_ref){ r->ref, s->insn, callback_depth(s) };
	vf->most_refs = TN_MAX(vf->most_refs, s->nr_refs);
	return 0;
}

static void forget(struct tn_vf *vf, uint32_t ref)
{
	struct tn_state *s = &vf->s;

	for (uint32_t i = 0; i < s->nr_refs; i++) {
		if (s->refs[i].id != ref)
			continue;
		for (; i + 1 < s->nr_refs; i++)
			s->refs[i] = s->refs[i + 1];
		s->nr_refs--;
		return;
	}
}

struct kill {
	const struct tn_vf *vf;
	uint32_t ref;
};

static void kill_one(void *user, struct tn_reg *r)
{
	const struct kill *k = user;

	if (!tn_reg_is_pointer(r) || r->ref != k->ref)
		return;
	/* What was an address is a number now, where numbers may be addresses. Else, in the stack,
	 * this leaves a spill of nothing, which can be neither used nor read as bytes. */
	if (!tn_as_number(k->vf, r))
		tn_reg_uninit(r);
}

void tn_ref_drop(struct tn_vf *vf, uint32_t ref)
{
	struct kill k = { vf, ref };

	forget(vf, ref);
	if (TN_MUT(RELEASED_TWICE))
		return;
	/* What was made from it is none either. */
	tn_state_each_reg(&vf->s, kill_one, &k);
}

static void kill_part(void *user, struct tn_reg *r)
{
	if (tn_reg_is_pointer(r) && r->share == TN_SHARE_PART)
		kill_one(user, r);
}

void tn_ref_drop_parts(struct tn_vf *vf, uint32_t ref)
{
	struct kill k = { vf, ref };

	tn_state_each_reg(&vf->s, kill_part, &k);
}

int tn_ref_check_releaser(struct tn_vf *vf, uint32_t ref, const char *type)
{
	for (uint32_t i = 0; i < vf->s.nr_refs; i++) {
		const struct tn_acquire *a;

		if (vf->s.refs[i].id != ref)
			continue;
		a = &vf->acquires.v[vf->seen[vf->s.refs[i].insn].acquire - 1];
		if (a->how && strcmp(a->how->type, type) != 0)
			return tn_reject(vf, E_REFERENCE, -1,
					 "what was acquired at instruction %u is released as %s, "
					 "not as %s",
					 a->insn, a->how->type, type);
	}
	return 0;
}

int tn_ref_release(struct tn_vf *vf, uint32_t ref)
{
	const struct tn_ref *held = NULL;

	for (uint32_t i = 0; i < vf->s.nr_refs; i++)
		if (vf->s.refs[i].id == ref)
			held = &vf->s.refs[i];
	if (!held)
		return TN_MUT(RELEASED_TWICE) ? 0
					      : tn_reject(vf, E_REFERENCE, -1,
							  "the reference was released already");
	/* The next round would not have it any more. */
	if (held->depth != callback_depth(&vf->s))
		return tn_reject(vf, E_REFERENCE, -1,
				 "a callback may not release what its caller acquired (at "
				 "instruction %u)",
				 held->insn);
	vf->seen[vf->s.insn].released |= bit_of(vf->seen[held->insn].acquire - 1);
	tn_ref_drop(vf, ref);
	return 0;
}

/* " (line 12)" of an instruction, or nothing. */
static const char *line_words(const struct tn_vf *vf, uint32_t insn, char words[32])
{
	const struct tn_line *line = tn_prog_line(vf->prog, insn);

	words[0] = 0;
	if (line)
		snprintf(words, 32, " (line %u)", line->line);
	return words;
}

static int advise_release(struct tn_vf *vf, const char *name, const struct tn_releaser *how)
{
	size_t len = strlen(name);

	if (how && how->by_helper && how != &tn_release_dynptr)
		return tn_advise(vf, "destroy the iterator on this path too, before that: %s()",
				 TN_CONTAINER_OF(how, const struct tn_host_helper, releaser)->name);
	if (!strncmp(name, "bpf_iter_", 9) && len > 4 && !strcmp(name + len - 4, "_new"))
		return tn_advise(vf,
				 "destroy the iterator on this path too, before that: "
				 "%.*s_destroy()",
				 (int)len - 4, name);
	if (strstr(name, "_dynptr"))
		return tn_advise(vf, "give the dynptr back on this path too, also where there was "
				     "no room for it: bpf_ringbuf_submit_dynptr() or "
				     "bpf_ringbuf_discard_dynptr()");
	return tn_advise(vf, "release it on this path too, before that: bpf_ringbuf_submit() or "
			     "bpf_ringbuf_discard() for a record, the host's function for anything "
			     "else");
}

static int still_held(struct tn_vf *vf, const struct tn_ref *ref, const char *where)
{
	const struct tn_line *line = tn_prog_line(vf->prog, ref->insn);
	char at[32];

	snprintf(at, sizeof(at), line ? "line %u" : "instruction %u",
		 line ? line->line : ref->insn);
	tn_reject(vf, E_REFERENCE, -1, "what %s gave at %s is still held %s",
		  tn_callee_name(vf, ref->insn), at, where);
	return advise_release(vf, tn_callee_name(vf, ref->insn),
			      vf->acquires.v[vf->seen[ref->insn].acquire - 1].how);
}

int tn_ref_none_held(struct tn_vf *vf, const char *where)
{
	return vf->s.nr_refs ? still_held(vf, &vf->s.refs[0], where) : 0;
}

int tn_ref_none_of_callback(struct tn_vf *vf)
{
	uint32_t depth = callback_depth(&vf->s);

	for (uint32_t i = 0; i < vf->s.nr_refs; i++)
		if (vf->s.refs[i].depth == depth)
			return still_held(vf, &vf->s.refs[i], "when a callback returns");
	return 0;
}

/* ---- After the walk ---- */

/* Of what may be held at instruction i when it ends the program. */
static uint64_t lost_at(const struct tn_vf *vf, const uint32_t *fuel, uint32_t i)
{
	return vf->seen[i].held_end | (fuel[i] ? vf->seen[i].held : 0);
}

static uint64_t find_tracked(const struct tn_vf *vf, const uint32_t *fuel)
{
	uint64_t set = 0, before;

	for (uint32_t i = 0; i < vf->prog->nr_insns; i++)
		set |= lost_at(vf, fuel, i);
	do {
		before = set;
		for (uint32_t i = 0; i < vf->prog->nr_insns; i++)
			if (vf->seen[i].released & set)
				set |= vf->seen[i].released;
	} while (set != before);
	return set;
}

static int nobody_releases(struct tn_vf *vf, const struct tn_acquire *a, uint64_t bit,
			   const uint32_t *fuel)
{
	char place[32];

	vf->s.insn = a->insn;
	for (uint32_t i = vf->prog->nr_insns; i-- > 0;)
		if (lost_at(vf, fuel, i) & bit)
			vf->s.insn = i;
	tn_reject(vf, E_REFERENCE, -1,
		  "the program may end here (%s) while it holds the reference acquired at "
		  "instruction %u%s, and the host names no helper that would release it then",
		  fuel[vf->s.insn] ? "out of fuel" : "by the callee", a->insn,
		  line_words(vf, a->insn, place));
	return tn_advise(vf, "release it before that, or declare one helper void(release:NAME) "
			     "for its type");
}

/* Its number in the table. */
static int add_releaser(struct tn_vf *vf, const struct tn_releaser *how, uint32_t *nr, uint8_t *out)
{
	struct tn_facts *f = vf->facts;
	uint32_t i = 0;

	if (!f->releasers)
		f->releasers = tn_alloc_array(vf->rt, UINT8_MAX, sizeof(f->releasers[0]));
	if (!f->releasers)
		return -ENOMEM;
	while (i < *nr && f->releasers[i] != how)
		i++;
	if (i == UINT8_MAX)
		return tn_reject(vf, E_LIMIT, -1, "references of more than %u types are held",
				 UINT8_MAX);
	if (i == *nr)
		f->releasers[(*nr)++] = how;
	*out = (uint8_t)i;
	return 0;
}

static int mark_tracked(struct tn_vf *vf, uint64_t set, const uint32_t *fuel)
{
	struct tn_facts *f = vf->facts;
	uint32_t nr = 0;

	for (uint32_t i = 0; i < vf->acquires.nr; i++) {
		struct tn_acquire *a = &vf->acquires.v[i];
		struct tn_insn_fact *fact = &f->insns[a->insn];
		int err;

		if (!(set & bit_of(i)))
			continue;
		if (!a->how)
			return nobody_releases(vf, a, bit_of(i), fuel);
		if (!a->how->fn)
			continue;
		f->holds = 1;
		if (a->how->by_helper)
			continue;
		err = add_releaser(vf, a->how, &nr, &fact->releaser);
		if (err)
			return err;
		fact->flags |= TN_FACT_TRACK;
	}
	for (uint32_t i = 0; f->holds && i < vf->prog->nr_insns; i++)
		if (vf->seen[i].released & set)
			f->insns[i].flags |= TN_FACT_UNTRACK;
	return 0;
}

static int check_room(struct tn_vf *vf)
{
	uint32_t nr = 0;

	for (uint32_t i = 0; i < vf->prog->nr_subprogs; i++)
		nr += tn_global_was_called(vf, i);
	nr = TN_MIN(nr, vf->senv.max_frames - 1);
	if ((uint64_t)nr * vf->most_refs_at_ends + vf->most_refs <= TN_MAX_HELD)
		return 0;
	vf->s.insn = 0;
	return tn_reject(vf, E_LIMIT, -1,
			 "more than %u references may be held at once: %u in each of %u global "
			 "functions",
			 TN_MAX_HELD, vf->most_refs_at_ends, nr);
}

int tn_refs_finish(struct tn_vf *vf, const uint32_t *fuel)
{
	uint64_t set = find_tracked(vf, fuel);
	int err = set ? check_room(vf) : 0;

	if (err)
		return err;

	for (uint32_t i = 0; i < vf->prog->nr_insns; i++) {
		if (!fuel[i] || !vf->seen[i].lock_held)
			continue;
		vf->s.insn = i;
		return tn_reject(vf, E_LOCK, -1,
				 "a lock is held across a loop that pays fuel and may end the "
				 "program here");
	}
	return set ? mark_tracked(vf, set, fuel) : 0;
}
