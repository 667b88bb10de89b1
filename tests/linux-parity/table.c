/* SPDX-License-Identifier: MIT */
/* The published table, the list of differences, and one line for each program. */
#include <string.h>

#include "parity.h"

#define MAX_GROUPS 128

static const char *const judged_words[] = { "no verdict", "rejected", "accepted", "crashed" };

enum outcome outcome_of(const struct subject *s)
{
	bool fails = s->expect.fails;

	if (s->tenon.judged != ACCEPTED && s->tenon.judged != REJECTED)
		return NO_VERDICT;
	if (fails == (s->tenon.judged == REJECTED))
		return AGREE;
	if (!fails)
		return FALSE_REJECT;
	if (!s->class)
		return UNSAFE_ACCEPT;
	if (strcmp(s->class, "fuel") == 0)
		return s->tenon.fuelled ? ACCEPT_FUEL : UNSAFE_ACCEPT;
	return ACCEPT_REASON;
}

struct group {
	char name[64];
	unsigned int nr, of[NR_OUTCOMES], runs, wrong_runs, kernel_differs, kernel_asked;
};

static void count(struct group *g, const struct subject *s)
{
	g->nr++;
	g->of[outcome_of(s)]++;
	for (int e = 0; e < 2; e++) {
		g->runs += s->tenon.run[e] != NOT_RUN;
		g->wrong_runs += s->tenon.run[e] == RUN_DIFFERS || s->tenon.run[e] == RUN_FAILED;
	}
	if (s->kernel == ACCEPTED || s->kernel == REJECTED) {
		g->kernel_asked++;
		g->kernel_differs += s->expect.fails != (s->kernel == REJECTED);
	}
}

static void print_row(FILE *f, const struct group *g, bool kernel, bool markdown)
{
	const char *bar = markdown ? " |" : "";
	char asked[48] = "not asked";

	if (kernel)
		snprintf(asked, sizeof(asked), "%u of %u", g->kernel_asked - g->kernel_differs,
			 g->kernel_asked);
	fprintf(f, markdown ? "| %s |" : "%-34s", g->name);
	fprintf(f, "%6u%s%6u%s%6u%s%6u%s%6u%s%6u%s%6u%s%5u/%u%s  %s%s\n", g->nr, bar, g->of[AGREE],
		bar, g->of[FALSE_REJECT], bar, g->of[ACCEPT_FUEL], bar, g->of[ACCEPT_REASON], bar,
		g->of[UNSAFE_ACCEPT], bar, g->of[NO_VERDICT], bar, g->runs - g->wrong_runs, g->runs,
		bar, asked, bar);
}

void table_print(FILE *f, const struct subject *list, size_t nr, bool kernel, bool markdown)
{
	struct group groups[MAX_GROUPS], all = { .name = "all" };
	size_t nr_groups = 0;

	for (size_t i = 0; i < nr; i++) {
		if (!nr_groups || strcmp(groups[nr_groups - 1].name, list[i].file) != 0) {
			if (nr_groups == MAX_GROUPS)
				return;
			memset(&groups[nr_groups], 0, sizeof(groups[0]));
			snprintf(groups[nr_groups++].name, sizeof(groups[0].name), "%s",
				 list[i].file);
		}
		count(&groups[nr_groups - 1], &list[i]);
		count(&all, &list[i]);
	}
	if (markdown)
		fprintf(f, "| group | programs | agree | false reject | accept: fuel | accept: "
			   "reason | unsafe | no verdict | runs equal | kernel agrees |\n"
			   "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n");
	else
		fprintf(f, "%-34s%6s%6s%6s%6s%6s%6s%6s%7s  kernel agrees\n", "group", "nr", "agree",
			"f.rej", "fuel", "reason", "UNSAFE", "none", "runs");
	for (size_t i = 0; i < nr_groups; i++)
		print_row(f, &groups[i], kernel, markdown);
	print_row(f, &all, kernel, markdown);
}

static const char *const outcome_words[NR_OUTCOMES] = {
	[AGREE] = "agree",
	[FALSE_REJECT] = "false reject",
	[ACCEPT_FUEL] = "accept with fuel",
	[ACCEPT_REASON] = "accept with reason",
	[UNSAFE_ACCEPT] = "UNSAFE ACCEPT",
	[NO_VERDICT] = "no verdict",
};

static const char *said(const struct subject *s)
{
	return s->tenon.message[0] ? s->tenon.message : "";
}

void differences_print(FILE *f, const struct subject *list, size_t nr, bool markdown)
{
	if (markdown)
		fprintf(f, "\n| program | difference | reason |\n| --- | --- | --- |\n");
	for (size_t i = 0; i < nr; i++) {
		const struct subject *s = &list[i];
		enum outcome outcome = outcome_of(s);

		if (outcome == AGREE)
			continue;
		if (markdown) {
			fprintf(f, "| %s/%s | %s | %s |\n", s->file, s->program,
				outcome_words[outcome], s->reason ? s->reason : said(s));
			continue;
		}
		fprintf(f, "%s: %s/%s\n", outcome_words[outcome], s->file, s->program);
		if (s->expect.fails)
			fprintf(f, "    kernel: %s\n", s->expect.message);
		if (said(s)[0])
			fprintf(f, "    tenon:  %s %s\n", s->tenon.code, said(s));
		if (s->reason)
			fprintf(f, "    reason: %s\n", s->reason);
	}
	for (size_t i = 0; i < nr && !markdown; i++) {
		const struct verdict *v = &list[i].tenon;

		for (int e = 0; e < 2; e++) {
			if (v->run[e] == RUN_DIFFERS)
				fprintf(f, "WRONG RESULT: %s/%s: %d in the %s, expected %d\n",
					list[i].file, list[i].program, v->retval[e],
					e ? "JIT" : "interpreter", list[i].expect.retval);
			else if (v->run[e] == RUN_FAILED)
				fprintf(f, "NO RUN: %s/%s, %s: %s\n", list[i].file, list[i].program,
					e ? "JIT" : "interpreter", v->run_message);
		}
	}
}

void results_print(FILE *f, const struct subject *list, size_t nr)
{
	for (size_t i = 0; i < nr; i++) {
		const struct subject *s = &list[i];

		fprintf(f, "%s %s/%s: %s; expected %s, tenon %s%s %s", s->tier, s->file, s->program,
			outcome_words[outcome_of(s)], s->expect.fails ? "reject" : "accept",
			judged_words[s->tenon.judged], s->tenon.fuelled ? " with fuel" : "",
			s->tenon.code);
		if (s->tenon.message[0])
			fprintf(f, " [%s]", s->tenon.message);
		fprintf(f, " {kernel %s: %s}%s\n", judged_words[s->kernel], s->expect.message,
			rejected_otherwise(s) ? " for another reason" : "");
	}
}
