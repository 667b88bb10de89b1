/* SPDX-License-Identifier: MIT */
/* What must be released: each reference is held by the path, not by a register. */
#include "verifier/engine.h"

#include <stdio.h>

int tn_ref_acquire(struct tn_vf *vf, struct tn_reg *r)
{
	struct tn_state *s = &vf->s;

	if (s->nr_refs == TN_MAX_REFS)
		return tn_reject(vf, E_LIMIT, -1, "more than %u references are held at once",
				 TN_MAX_REFS);
	r->ref = vf->senv.next_id++;
	s->refs[s->nr_refs++] = (struct tn_ref){ r->ref, s->insn };
	return 0;
}

void tn_ref_drop(struct tn_vf *vf, uint32_t ref)
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
	uint32_t ref;
};

static void kill_one(void *user, struct tn_reg *r)
{
	const struct kill *k = user;

	/* In the stack this leaves a spill of nothing, which can be neither used nor read as bytes.
	 */
	if (tn_reg_is_pointer(r) && r->ref == k->ref)
		tn_reg_uninit(r);
}

int tn_ref_release(struct tn_vf *vf, uint32_t ref)
{
	struct kill k = { ref };
	bool held = false;

	for (uint32_t i = 0; i < vf->s.nr_refs; i++)
		held = held || vf->s.refs[i].id == ref;
	if (!held)
		return tn_reject(vf, E_REFERENCE, -1, "the reference was released already");
	tn_ref_drop(vf, ref);
	tn_state_each_reg(&vf->s, kill_one, &k);
	return 0;
}

int tn_ref_none_held(struct tn_vf *vf, const char *where)
{
	const struct tn_line *line;
	char place[32] = "";

	if (!vf->s.nr_refs)
		return 0;
	line = tn_prog_line(vf->prog, vf->s.refs[0].insn);
	if (line)
		snprintf(place, sizeof(place), " (line %u)", line->line);
	tn_reject(vf, E_REFERENCE, -1, "a reference is still held %s: acquired at instruction %u%s",
		  where, vf->s.refs[0].insn, place);
	return tn_advise(vf, "release it (submit or discard the record) on every path before that");
}
