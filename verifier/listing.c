/* SPDX-License-Identifier: MIT */
/*
 * The source with what is known at each line, merged over all paths:
 *
 *	on_request: accepted, 21 instructions, 25 steps, 2 states
 *	plugin.bpf.c
 *	  12: if (i >= 16)
 *	      r1: req->flags = 0..4294967295
 *
 * Lines stand in the order of the code, which clang may have moved; registers are those that are
 * needed there or later. Where the program was rejected the message stands under its line.
 */
#include <stdio.h>
#include <string.h>

#include "verifier/summary.h"

static const char *skip_space(const char *text)
{
	return text ? text + strspn(text, " \t") : "";
}

static void list_known(struct tn_summary *s, uint32_t insn, struct tn_log_buf *out)
{
	char words[192], name[128];
	uint32_t live = tn_live_regs(s->vf->live, insn);

	for (uint32_t r = 0; r < TN_R10; r++) {
		const struct tn_known *k = &s->regs[insn * TN_R10 + r];

		if (!(live >> r & 1) || !*tn_known_words(s->vf, k, words, sizeof(words)))
			continue;
		tn_summary_name(s, insn, r, name, sizeof(name));
		tn_text_add(s->vf->rt, out, "        r%u: %s%s%s\n", r, name, *name ? " = " : "",
			    words);
	}
}

static bool same_place(const struct tn_line *a, const struct tn_line *b)
{
	return a && b && a->line == b->line && a->file && b->file && !strcmp(a->file, b->file);
}

static void list_line(struct tn_summary *s, const struct tn_line *line, const char **file,
		      struct tn_log_buf *out)
{
	if (line->file && (!*file || strcmp(*file, line->file))) {
		const char *slash = strrchr(line->file, '/');

		tn_text_add(s->vf->rt, out, "%s\n", slash ? slash + 1 : line->file);
		*file = line->file;
	}
	tn_text_add(s->vf->rt, out, "%5u: %s\n", line->line, skip_space(line->text));
}

static void list_failure(struct tn_summary *s, uint32_t insn, struct tn_log_buf *out)
{
	const struct tn_diag *d = &s->vf->diag;

	if (s->vf->accepted || !d->code || d->insn != insn)
		return;
	tn_text_add(s->vf->rt, out, "    >>> %s: %s\n", tn_verr_name(d->code), d->text);
	if (d->advice[0])
		tn_text_add(s->vf->rt, out, "    >>> fix: %s\n", d->advice);
}

static void list_function(struct tn_summary *s, uint32_t p, struct tn_log_buf *out)
{
	const struct tn_prog *prog = s->vf->prog;
	const struct tn_subprog *sub = &prog->subprogs[p];
	const struct tn_line *before = NULL;
	const char *file = NULL;

	if (p)
		tn_text_add(s->vf->rt, out, "\nfunction %s\n", sub->name ? sub->name : "?");
	for (uint32_t i = sub->start; i < sub->end; i++) {
		const struct tn_line *line = tn_prog_line(prog, i);

		if (line && line->insn == i && !same_place(line, before)) {
			list_line(s, line, &file, out);
			if (!s->visits[i])
				tn_text_add(s->vf->rt, out, "        never reached\n");
			list_known(s, i, out);
			before = line;
		}
		if (!prog->nr_lines) {
			tn_text_add(s->vf->rt, out, "insn %u:\n", i);
			list_known(s, i, out);
		}
		list_failure(s, i, out);
	}
}

int tn_listing(struct tn_summary *s, struct tn_log_buf *out)
{
	struct tn_vf *vf = s->vf;

	tn_text_add(vf->rt, out, "%s: %s, %u instructions, %llu steps, %llu states\n",
		    vf->prog->name ? vf->prog->name : "program",
		    vf->accepted ? "accepted" : "rejected", vf->prog->nr_insns,
		    (unsigned long long)vf->steps, (unsigned long long)vf->nr_states);
	for (uint32_t p = 0; p < vf->prog->nr_subprogs; p++)
		list_function(s, p, out);
	tn_usage_list(vf, out);
	return out->full ? -1 : 0;
}
