/* SPDX-License-Identifier: MIT */
/*
 * The control-flow graph in the DOT language: a node for each block with its source lines and the
 * registers that are known and needed where it begins, an edge for each way on. Blocks that no path
 * reaches are grey, edges that pay fuel are labelled, the block of a rejection is red.
 */
#include <stdio.h>
#include <string.h>

#include "verifier/summary.h"
#include "vm/disasm.h"

/* Inside of a quoted DOT string; \l ends a line and sets it flush left. */
static void add_quoted(struct tn_rt *rt, struct tn_log_buf *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			tn_text_add(rt, out, "\\%c", *text);
		else if ((unsigned char)*text >= 0x20)
			tn_text_add(rt, out, "%c", *text);
		else
			tn_text_add(rt, out, " ");
	}
}

static void add_line(struct tn_rt *rt, struct tn_log_buf *out, const char *text)
{
	add_quoted(rt, out, text);
	tn_text_add(rt, out, "\\l");
}

static void add_known(struct tn_summary *s, uint32_t insn, struct tn_log_buf *out)
{
	char words[192], name[128], text[384];
	uint32_t live = tn_live_regs(s->vf->live, insn);

	for (uint32_t r = 0; r < TN_R10; r++) {
		const struct tn_known *k = &s->regs[insn * TN_R10 + r];

		if (!(live >> r & 1) || !*tn_known_words(s->vf, k, words, sizeof(words)))
			continue;
		tn_summary_name(s, insn, r, name, sizeof(name));
		snprintf(text, sizeof(text), "r%u: %s%s%s", r, name, *name ? " = " : "", words);
		add_line(s->vf->rt, out, text);
	}
}

static void add_code(struct tn_summary *s, const struct tn_block *b, struct tn_log_buf *out)
{
	const struct tn_prog *prog = s->vf->prog;
	const struct tn_line *before = NULL;
	char code[128], text[320];

	for (uint32_t i = b->start; i < b->end; i++) {
		const struct tn_line *line = tn_prog_line(prog, i);

		if (s->vf->structure->sites[i].flags & TN_SITE_LDDW_HIGH)
			continue;
		if (line && line->text && (!before || line->line != before->line)) {
			before = line;
			snprintf(text, sizeof(text), "%u: %.200s", line->line,
				 line->text + strspn(line->text, " \t"));
			add_line(s->vf->rt, out, text);
		}
		tn_disasm(prog, &prog->insns[i], i, code, sizeof(code));
		snprintf(text, sizeof(text), "   %u: %s", i, code);
		add_line(s->vf->rt, out, text);
	}
}

static void add_node(struct tn_summary *s, uint32_t n, struct tn_log_buf *out)
{
	const struct tn_vf *vf = s->vf;
	const struct tn_block *b = &vf->structure->blocks[n];
	bool failed = !vf->accepted && vf->diag.code && vf->diag.insn >= b->start &&
		      vf->diag.insn < b->end;
	char text[64];

	tn_text_add(vf->rt, out, "\t\tb%u [label=\"", n);
	add_known(s, b->start, out);
	snprintf(text, sizeof(text), "---- %u visits", s->visits[b->start]);
	add_line(vf->rt, out, text);
	add_code(s, b, out);
	if (failed)
		add_line(vf->rt, out, vf->diag.text);
	tn_text_add(vf->rt, out, "\"%s];\n",
		    failed		   ? ", color=red"
		    : !s->visits[b->start] ? ", color=grey, fontcolor=grey"
					   : "");
}

static void add_edges(struct tn_summary *s, uint32_t n, struct tn_log_buf *out)
{
	struct tn_vf *vf = s->vf;
	const struct tn_block *b = &vf->structure->blocks[n];
	const struct tn_insn *last = &vf->prog->insns[b->end - 1];
	bool conditional = tn_insn_is_jump(last) && !tn_insn_is_ja(last);
	uint32_t fuel = vf->accepted ? vf->facts->insns[b->end - 1].fuel : 0;

	for (int k = 0; k < 2; k++) {
		bool taken = k == 1 || (!conditional && tn_insn_is_jump(last));

		if (b->succ[k] == TN_NONE)
			continue;
		tn_text_add(vf->rt, out, "\tb%u -> b%u", n, b->succ[k]);
		if (taken && fuel)
			tn_text_add(vf->rt, out, " [label=\"%spays %u\"]", k ? "taken, " : "",
				    fuel);
		else if (conditional)
			tn_text_add(vf->rt, out, " [label=\"%s\"]", k ? "taken" : "else");
		tn_text_add(vf->rt, out, ";\n");
	}
}

int tn_graph(struct tn_summary *s, struct tn_log_buf *out)
{
	const struct tn_vf *vf = s->vf;
	const struct tn_structure *g = vf->structure;

	tn_text_add(vf->rt, out, "digraph \"");
	add_quoted(vf->rt, out, vf->prog->name ? vf->prog->name : "program");
	tn_text_add(vf->rt, out, "\" {\n\tnode [shape=box, fontname=\"monospace\"];\n");
	for (uint32_t p = 0; p < vf->prog->nr_subprogs; p++) {
		tn_text_add(vf->rt, out, "\tsubgraph cluster_%u {\n\t\tlabel=\"", p);
		add_quoted(vf->rt, out,
			   vf->prog->subprogs[p].name ? vf->prog->subprogs[p].name : "program");
		tn_text_add(vf->rt, out, "\";\n");
		for (uint32_t i = 0; i < g->nr_blocks; i++)
			if (g->blocks[i].subprog == p)
				add_node(s, i, out);
		tn_text_add(vf->rt, out, "\t}\n");
	}
	for (uint32_t i = 0; i < g->nr_blocks; i++)
		add_edges(s, i, out);
	tn_text_add(vf->rt, out, "}\n");
	return out->full ? -1 : 0;
}
