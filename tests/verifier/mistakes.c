/* SPDX-License-Identifier: MIT */
/*
 * Classic mistakes of plugin authors: `mistakes CLANG INCLUDE-DIR DIR [FILE...]`. Every *.bpf.c of
 * the directory is compiled as an author would, for several -mcpu, against the host that
 * mistakes.host describes. Its header says what the one message must be:
 *
 *	// expect: E_CODE "words" "words" ...
 *	// option: termination_proved
 *
 * and the line that the message must name carries the marker HERE in a comment. The JSON report is
 * parsed and compared with the message; the listing must say the same at the place, the graph be
 * in the DOT language, and a second run give the same bytes. With -v as first argument the messages
 * are printed.
 */
#include "cprogs.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#define MAX_WORDS 8

/* What the header of the program at hand says. */
struct mistake {
	char code[32];
	char words[MAX_WORDS][64];
	unsigned int nr_words, line;
	bool termination_proved;
};
static struct mistake want;

static void read_expectation(const char *text)
{
	sscanf(text, "%31s", want.code);
	while ((text = strchr(text, '"')) && want.nr_words < MAX_WORDS) {
		const char *end = strchr(++text, '"');

		if (!end)
			return;
		snprintf(want.words[want.nr_words++], sizeof(want.words[0]), "%.*s",
			 (int)(end - text), text);
		text = end + 1;
	}
}

static bool read_mistake(const struct cprog *p, FILE *f, const char **why)
{
	static const char expect[] = "// expect: ", option[] = "// option: termination_proved";
	char line[1024];

	(void)p;
	*why = "has no expectation or no line marked HERE";
	memset(&want, 0, sizeof(want));
	for (unsigned int n = 1; fgets(line, sizeof(line), f); n++) {
		if (!strncmp(line, expect, sizeof(expect) - 1))
			read_expectation(line + sizeof(expect) - 1);
		if (!strncmp(line, option, sizeof(option) - 1))
			want.termination_proved = true;
		if (strstr(line, "/* HERE */"))
			want.line = n;
	}
	return want.code[0] && want.line;
}

/* ---- Judging ---- */

static unsigned int count(const char *text, const char *word)
{
	unsigned int n = 0;

	while ((text = strstr(text, word))) {
		n++;
		text += strlen(word);
	}
	return n;
}

static const char *member(struct json_object *j, const char *name)
{
	struct json_object *v;

	return json_object_object_get_ex(j, name, &v) ? json_object_get_string(v) : "";
}

static void check_json(const struct cprog *p, const struct tenon_report *r)
{
	static const char *const members[] = { "program", "accepted", "code",	   "name",
					       "insn",	  "message",  "file",	   "line",
					       "source",  "why",      "steps",	   "states",
					       "loops",	  "facts",    "peak_bytes" };
	struct json_object *j = json_tokener_parse(r->json), *v;

	if (!j) {
		cprog_fail(p, "the report is no JSON: %s", r->json);
		return;
	}
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
		if (!json_object_object_get_ex(j, members[i], &v))
			cprog_fail(p, "the JSON report has no '%s'", members[i]);
	if (strcmp(member(j, "name"), want.code) || strcmp(member(j, "file"), p->file) ||
	    strtoul(member(j, "line"), NULL, 10) != want.line)
		cprog_fail(p, "the JSON report says something else: %s", r->json);
	if (!strstr(r->msg, member(j, "message")))
		cprog_fail(p, "the JSON message is not the headline: %s", member(j, "message"));
	if (strstr(r->msg, "fix: ") && !strstr(r->msg, member(j, "fix")))
		cprog_fail(p, "the JSON fix is another");
	json_object_put(j);
}

/* Strings and braces of the DOT language close where they should, and every statement ends. */
static bool is_dot(const char *g)
{
	bool quoted = false;
	int depth = 0;

	if (strncmp(g, "digraph \"", 9))
		return false;
	for (; *g; g++) {
		if (quoted && *g == '\\') {
			if (!*++g)
				return false;
		} else if (*g == '"') {
			quoted = !quoted;
		} else if (!quoted && *g == '{') {
			depth++;
		} else if (!quoted && *g == '}') {
			if (--depth < 0)
				return false;
		} else if (!quoted && *g == '\n' && !strchr("{};", g[-1])) {
			return false;
		}
	}
	return !quoted && !depth;
}

static void check_pictures(const struct cprog *p, const struct tenon_report *r)
{
	char mark[64];

	/* Of code without a shape there is none. */
	if (!strcmp(want.code, "E_STRUCTURE"))
		return;
	snprintf(mark, sizeof(mark), ">>> %s: ", want.code);
	if (count(r->listing, mark) != 1)
		cprog_fail(p, "the listing does not say it once:\n%s", r->listing);
	if (!is_dot(r->graph) || count(r->graph, "color=red") != 1)
		cprog_fail(p, "the graph is not as it should be:\n%s", r->graph);
}

static void check_report(const struct cprog *p, const struct tenon_report *r)
{
	char place[300];

	snprintf(place, sizeof(place), "%s:%u", p->file, want.line);
	if (strcmp(r->code_name, want.code)) {
		cprog_fail(p, "%s, expected %s\n%s", r->code_name, want.code, r->msg);
		return;
	}
	if (!r->source || strcmp(r->source, place))
		cprog_fail(p, "line %s, expected %u\n%s", r->source ? r->source : "none", want.line,
			   r->msg);
	if (count(r->msg, "[E_") != 1 || count(r->msg, "  fix: ") > 1)
		cprog_fail(p, "more than one message\n%s", r->msg);
	if (count(r->msg, "\n  why: ") > 6)
		cprog_fail(p, "more than six WHY lines\n%s", r->msg);
	for (unsigned int i = 0; i < want.nr_words; i++)
		if (!strstr(r->msg, want.words[i]))
			cprog_fail(p, "the message lacks '%s'\n%s", want.words[i], r->msg);
	check_json(p, r);
	check_pictures(p, r);
}

static bool same_report(const struct tenon_report *a, const struct tenon_report *b)
{
	return !strcmp(a->msg, b->msg) && !strcmp(a->json, b->json) &&
	       !strcmp(a->listing, b->listing) && !strcmp(a->graph, b->graph);
}

/* The object verified; NULL: it could not be opened. */
static struct tenon_object *verify(struct tenon_runtime *rt, const struct cprog *p,
				   const char *object, struct tenon_report *r)
{
	struct tenon_object_open_opts opts = { .sz = sizeof(opts),
					       .termination_proved = want.termination_proved,
					       .explain = true };
	struct tenon_object *obj = tenon_object_open_file(rt, object, &opts);

	*r = (struct tenon_report){ .sz = sizeof(*r) };
	if (!obj) {
		cprog_fail(p, "cannot open: %s", tenon_last_error()->msg);
		return NULL;
	}
	tenon_object_verify(obj);
	if (tenon_program_report(tenon_object_next_program(obj, NULL), r))
		cprog_fail(p, "no report: %s", tenon_last_error()->msg);
	return obj;
}

static void judge(struct tenon_runtime *rt, const struct cprog *p, const char *object)
{
	struct tenon_report r, again;
	struct tenon_object *first = verify(rt, p, object, &r),
			    *second = verify(rt, p, object, &again);

	if (first && second && r.msg && again.msg) {
		if (cprog_verbose)
			printf("%s (%s): %s\n%s\n", p->file, p->cpu, r.code_name, r.msg);
		if (!r.code)
			cprog_fail(p, "accepted, expected %s", want.code);
		else
			check_report(p, &r);
		if (!same_report(&r, &again))
			cprog_fail(p, "a second run says something else");
	}
	tenon_object_close(first);
	tenon_object_close(second);
}

int main(int argc, char **argv)
{
	static const struct cprog_set mistakes = {
		.what = "mistakes",
		.at_least = 40,
		.cpus = { "v3", "v1" },
		.read = read_mistake,
		.judge = judge,
	};

	return cprog_main(&mistakes, argc, argv);
}
