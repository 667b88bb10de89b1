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
#include <dirent.h>
#include <errno.h>
#include <json-c/json.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <tenon/tenon.h>
#include <unistd.h>

#define MAX_WORDS 8

extern char **environ;

struct mistake {
	const char *file; /* base name */
	char path[512];
	char code[32];
	char words[MAX_WORDS][64];
	unsigned int nr_words, line;
	bool termination_proved;
};

static const char *clang, *include_dir, *dir;
static char object[256];
static bool verbose;
static unsigned int nr_run, nr_failed;

static void fail(const struct mistake *m, const char *cpu, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static void fail(const struct mistake *m, const char *cpu, const char *fmt, ...)
{
	va_list ap;

	nr_failed++;
	printf("FAIL %s (%s): ", m->file, cpu);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
}

/* ---- Reading what is expected ---- */

static void read_expectation(struct mistake *m, const char *text)
{
	sscanf(text, "%31s", m->code);
	while ((text = strchr(text, '"')) && m->nr_words < MAX_WORDS) {
		const char *end = strchr(++text, '"');

		if (!end)
			return;
		snprintf(m->words[m->nr_words++], sizeof(m->words[0]), "%.*s", (int)(end - text),
			 text);
		text = end + 1;
	}
}

static bool read_mistake(struct mistake *m, const char *file)
{
	static const char expect[] = "// expect: ", option[] = "// option: termination_proved";
	char line[1024];
	FILE *f;

	memset(m, 0, sizeof(*m));
	m->file = file;
	snprintf(m->path, sizeof(m->path), "%s/%s", dir, file);
	f = fopen(m->path, "r");
	for (unsigned int n = 1; f && fgets(line, sizeof(line), f); n++) {
		if (!strncmp(line, expect, sizeof(expect) - 1))
			read_expectation(m, line + sizeof(expect) - 1);
		if (!strncmp(line, option, sizeof(option) - 1))
			m->termination_proved = true;
		if (strstr(line, "/* HERE */"))
			m->line = n;
	}
	if (f)
		fclose(f);
	return m->code[0] && m->line;
}

/* ---- Compiling ---- */

static bool compile(const struct mistake *m, const char *cpu)
{
	char mcpu[32], include[600];
	char *argv[] = { (char *)clang, "-target",
			 "bpf",		mcpu,
			 "-O2",		"-g",
			 "-w",		include,
			 "-idirafter",	"/usr/include/" MULTIARCH,
			 "-c",		(char *)m->path,
			 "-o",		object,
			 NULL };
	int status = -1;
	pid_t pid;

	snprintf(mcpu, sizeof(mcpu), "-mcpu=%s", cpu);
	snprintf(include, sizeof(include), "-I%s", include_dir);
	if (posix_spawnp(&pid, clang, NULL, NULL, argv, environ))
		return false;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
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

static void check_json(const struct mistake *m, const char *cpu, const struct tenon_report *r)
{
	static const char *const members[] = { "program", "accepted", "code",	   "name",
					       "insn",	  "message",  "file",	   "line",
					       "source",  "why",      "steps",	   "states",
					       "loops",	  "facts",    "peak_bytes" };
	struct json_object *j = json_tokener_parse(r->json), *v;

	if (!j) {
		fail(m, cpu, "the report is no JSON: %s", r->json);
		return;
	}
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
		if (!json_object_object_get_ex(j, members[i], &v))
			fail(m, cpu, "the JSON report has no '%s'", members[i]);
	if (strcmp(member(j, "name"), m->code) || strcmp(member(j, "file"), m->file) ||
	    strtoul(member(j, "line"), NULL, 10) != m->line)
		fail(m, cpu, "the JSON report says something else: %s", r->json);
	if (!strstr(r->msg, member(j, "message")))
		fail(m, cpu, "the JSON message is not the headline: %s", member(j, "message"));
	if (strstr(r->msg, "fix: ") && !strstr(r->msg, member(j, "fix")))
		fail(m, cpu, "the JSON fix is another");
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

static void check_pictures(const struct mistake *m, const char *cpu, const struct tenon_report *r)
{
	char mark[64];

	/* Of code without a shape there is none. */
	if (!strcmp(m->code, "E_STRUCTURE"))
		return;
	snprintf(mark, sizeof(mark), ">>> %s: ", m->code);
	if (count(r->listing, mark) != 1)
		fail(m, cpu, "the listing does not say it once:\n%s", r->listing);
	if (!is_dot(r->graph) || count(r->graph, "color=red") != 1)
		fail(m, cpu, "the graph is not as it should be:\n%s", r->graph);
}

static void check_report(const struct mistake *m, const char *cpu, const struct tenon_report *r)
{
	char place[300];

	snprintf(place, sizeof(place), "%s:%u", m->file, m->line);
	if (strcmp(r->code_name, m->code)) {
		fail(m, cpu, "%s, expected %s\n%s", r->code_name, m->code, r->msg);
		return;
	}
	if (!r->source || strcmp(r->source, place))
		fail(m, cpu, "line %s, expected %u\n%s", r->source ? r->source : "none", m->line,
		     r->msg);
	if (count(r->msg, "[E_") != 1 || count(r->msg, "  fix: ") > 1)
		fail(m, cpu, "more than one message\n%s", r->msg);
	if (count(r->msg, "\n  why: ") > 6)
		fail(m, cpu, "more than six WHY lines\n%s", r->msg);
	for (unsigned int i = 0; i < m->nr_words; i++)
		if (!strstr(r->msg, m->words[i]))
			fail(m, cpu, "the message lacks '%s'\n%s", m->words[i], r->msg);
	check_json(m, cpu, r);
	check_pictures(m, cpu, r);
}

static bool same_report(const struct tenon_report *a, const struct tenon_report *b)
{
	return !strcmp(a->msg, b->msg) && !strcmp(a->json, b->json) &&
	       !strcmp(a->listing, b->listing) && !strcmp(a->graph, b->graph);
}

/* The object verified; NULL: it could not be opened. */
static struct tenon_object *verify(struct tenon_runtime *rt, const struct mistake *m,
				   const char *cpu, struct tenon_report *r)
{
	struct tenon_object_open_opts opts = { .sz = sizeof(opts),
					       .termination_proved = m->termination_proved,
					       .explain = true };
	struct tenon_object *obj = tenon_object_open_file(rt, object, &opts);

	*r = (struct tenon_report){ .sz = sizeof(*r) };
	if (!obj) {
		fail(m, cpu, "cannot open: %s", tenon_last_error()->msg);
		return NULL;
	}
	tenon_object_verify(obj);
	if (tenon_program_report(tenon_object_next_program(obj, NULL), r))
		fail(m, cpu, "no report: %s", tenon_last_error()->msg);
	return obj;
}

static void judge(struct tenon_runtime *rt, const struct mistake *m, const char *cpu)
{
	struct tenon_report r, again;
	struct tenon_object *first = verify(rt, m, cpu, &r), *second = verify(rt, m, cpu, &again);

	if (first && second && r.msg && again.msg) {
		if (verbose)
			printf("%s (%s): %s\n%s\n", m->file, cpu, r.code_name, r.msg);
		if (!r.code)
			fail(m, cpu, "accepted, expected %s", m->code);
		else
			check_report(m, cpu, &r);
		if (!same_report(&r, &again))
			fail(m, cpu, "a second run says something else");
	}
	tenon_object_close(first);
	tenon_object_close(second);
}

static void run(struct tenon_runtime *rt, const char *file)
{
	static const char *const cpus[] = { "v3", "v1" };
	struct mistake m;

	if (!read_mistake(&m, file)) {
		fail(&m, "-", "has no expectation or no line marked HERE");
		return;
	}
	for (size_t i = 0; i < sizeof(cpus) / sizeof(cpus[0]); i++) {
		nr_run++;
		if (compile(&m, cpus[i]))
			judge(rt, &m, cpus[i]);
		else
			fail(&m, cpus[i], "clang does not compile it");
	}
}

static int is_mistake(const struct dirent *e)
{
	size_t n = strlen(e->d_name);

	return n > 6 && !strcmp(e->d_name + n - 6, ".bpf.c");
}

static void run_all(struct tenon_runtime *rt)
{
	struct dirent **names;
	int n = scandir(dir, &names, is_mistake, alphasort);

	for (int i = 0; i < n; i++) {
		run(rt, names[i]->d_name);
		free(names[i]);
	}
	if (n >= 0)
		free(names);
	if (n < 40)
		nr_failed++;
	printf("%d mistakes\n", n);
}

int main(int argc, char **argv)
{
	struct tenon_runtime_opts opts = { .sz = sizeof(opts) };
	char host[512];
	struct tenon_runtime *rt;

	if (argc > 1 && !strcmp(argv[1], "-v")) {
		verbose = true;
		argv++;
		argc--;
	}
	if (argc < 4) {
		fprintf(stderr, "usage: mistakes [-v] CLANG INCLUDE-DIR DIR [FILE...]\n");
		return 2;
	}
	clang = argv[1];
	include_dir = argv[2];
	dir = argv[3];
	snprintf(object, sizeof(object), "mistake.%d.bpf.o", (int)getpid());
	snprintf(host, sizeof(host), "%s/mistakes.host", dir);
	rt = tenon_runtime_new(&opts);
	if (!rt || tenon_runtime_add_description(rt, host)) {
		fprintf(stderr, "%s\n", tenon_last_error()->msg);
		return 2;
	}
	if (argc == 4)
		run_all(rt);
	for (int i = 4; i < argc; i++)
		run(rt, argv[i]);
	unlink(object);
	tenon_runtime_free(rt);
	printf("%u runs, %u failures\n", nr_run, nr_failed);
	return nr_failed != 0;
}
