/* SPDX-License-Identifier: MIT */
/* Where the steps went: by outermost loop, and by function for what is in no loop. */
#include <stdio.h>
#include <string.h>

#include "verifier/engine.h"

#define MAX_NAMED 3

struct share {
	uint64_t steps;
	uint32_t loop;	  /* or TN_NONE */
	uint32_t subprog; /* where it is in no loop */
};

static uint32_t outermost(const struct tn_structure *s, uint32_t loop)
{
	while (loop != TN_NONE && s->loops[loop].parent != TN_NONE)
		loop = s->loops[loop].parent;
	return loop;
}

uint64_t tn_usage_of_loop(const struct tn_vf *vf, uint32_t loop)
{
	const struct tn_structure *s = vf->structure;
	const struct tn_loop *l = &s->loops[loop];
	uint64_t steps = 0;

	for (uint32_t i = 0; i < l->nr_members; i++) {
		const struct tn_block *b = &s->blocks[s->members[l->first_member + i]];

		for (uint32_t j = b->start; j < b->end; j++)
			steps += vf->visits[j];
	}
	return steps;
}

static uint64_t usage_of_function(const struct tn_vf *vf, uint32_t p)
{
	const struct tn_subprog *sub = &vf->prog->subprogs[p];
	uint64_t steps = 0;

	for (uint32_t i = sub->start; i < sub->end; i++)
		if (vf->structure->sites[i].loop == TN_NONE)
			steps += vf->visits[i];
	return steps;
}

/* The largest, sorted, into top[]. */
static void offer(struct share top[MAX_NAMED], struct share x)
{
	for (int i = 0; i < MAX_NAMED; i++) {
		struct share was = top[i];

		if (x.steps <= was.steps)
			continue;
		top[i] = x;
		x = was;
	}
}

void tn_usage_words(struct tn_vf *vf, char *buf, size_t size, uint32_t *insn)
{
	const struct tn_structure *s = vf->structure;
	struct share top[MAX_NAMED] = { 0 };
	size_t len = 0;

	for (uint32_t i = 0; i < s->nr_loops; i++)
		if (outermost(s, i) == i)
			offer(top, (struct share){ tn_usage_of_loop(vf, i), i, 0 });
	for (uint32_t i = 0; i < vf->prog->nr_subprogs; i++)
		offer(top, (struct share){ usage_of_function(vf, i), TN_NONE, i });
	buf[0] = '\0';
	for (int i = 0; i < MAX_NAMED && top[i].steps && len < size; i++) {
		const struct tn_line *line =
			top[i].loop == TN_NONE
				? NULL
				: tn_prog_line(vf->prog, s->loops[top[i].loop].head_insn);
		int n;

		if (line)
			n = snprintf(buf + len, size - len, "%s%llu in the loop at line %u",
				     len ? ", " : "", (unsigned long long)top[i].steps, line->line);
		else if (top[i].loop != TN_NONE)
			n = snprintf(buf + len, size - len, "%s%llu in the loop at instruction %u",
				     len ? ", " : "", (unsigned long long)top[i].steps,
				     s->loops[top[i].loop].head_insn);
		else
			n = snprintf(buf + len, size - len, "%s%llu outside of loops in '%s'",
				     len ? ", " : "", (unsigned long long)top[i].steps,
				     vf->prog->subprogs[top[i].subprog].name
					     ? vf->prog->subprogs[top[i].subprog].name
					     : "the program");
		len += n > 0 ? (size_t)n : 0;
	}
	if (top[0].steps && top[0].loop != TN_NONE)
		*insn = s->loops[top[0].loop].head_insn;
}

/* ---- Loops, as text and as JSON ---- */

static bool is_reached(const struct tn_vf *vf, uint32_t loop)
{
	return vf->visits[vf->structure->loops[loop].head_insn] != 0;
}

void tn_usage_list(struct tn_vf *vf, struct tn_log_buf *out)
{
	const struct tn_structure *s = vf->structure;

	for (uint32_t i = 0; i < s->nr_loops; i++) {
		uint32_t head = s->loops[i].head_insn;
		const struct tn_line *line = tn_prog_line(vf->prog, head);

		if (!is_reached(vf, i))
			continue;
		tn_text_add(vf->rt, out, "%sloop at %s %u: ", i ? "" : "\n",
			    line ? "line" : "instruction", line ? line->line : head);
		if (vf->trips && vf->trips[i] != TN_TRIPS_UNKNOWN)
			tn_text_add(vf->rt, out, "at most %llu rounds, ",
				    (unsigned long long)vf->trips[i]);
		else
			tn_text_add(vf->rt, out, "no bound proved, ");
		if (vf->accepted && vf->pays)
			tn_text_add(vf->rt, out, "%s, ", vf->pays[i] ? "pays fuel" : "free");
		tn_text_add(vf->rt, out, "%llu steps\n",
			    (unsigned long long)tn_usage_of_loop(vf, i));
	}
}

void tn_usage_json(struct tn_vf *vf, struct tn_log_buf *out)
{
	const struct tn_structure *s = vf->structure;
	const char *comma = "";

	tn_text_add(vf->rt, out, ",\"loops\":[");
	for (uint32_t i = 0; s && vf->visits && i < s->nr_loops; i++) {
		const struct tn_loop *l = &s->loops[i];
		const struct tn_line *line = tn_prog_line(vf->prog, l->head_insn);

		if (!is_reached(vf, i))
			continue;
		tn_text_add(vf->rt, out, "%s{\"insn\":%u", comma, l->head_insn);
		if (line)
			tn_text_add(vf->rt, out, ",\"line\":%u", line->line);
		tn_text_add(vf->rt, out, ",\"depth\":%u,\"steps\":%llu", l->depth,
			    (unsigned long long)tn_usage_of_loop(vf, i));
		if (vf->trips && vf->trips[i] != TN_TRIPS_UNKNOWN)
			tn_text_add(vf->rt, out, ",\"trips\":%llu",
				    (unsigned long long)vf->trips[i]);
		else
			tn_text_add(vf->rt, out, ",\"trips\":null");
		if (vf->accepted && vf->pays)
			tn_text_add(vf->rt, out, ",\"pays\":%s", vf->pays[i] ? "true" : "false");
		tn_text_add(vf->rt, out, "}");
		comma = ",";
	}
	tn_text_add(vf->rt, out, "]");
}
