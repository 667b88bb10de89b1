/* SPDX-License-Identifier: MIT */
/*
 * The programs of list.txt, judged by Tenon and by the running kernel, each in a process of its
 * own: one that brings the judge down is a row like any other.
 *
 *   linux_parity --list FILE --objects DIR [--reasons FILE] [--only PREFIX] [-v FILE/PROGRAM]
 *                [--no-kernel] [--markdown] [--results FILE]
 */
#include <bpf/libbpf.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "parity.h"

#define MAX_PROGRAMS	  2048
#define MIN_AGREE	  1010
#define SECONDS_A_PROGRAM 30

struct options {
	const char *list, *objects, *reasons, *only, *one, *results;
	bool no_kernel, markdown;
};

static struct subject subjects[MAX_PROGRAMS];
static size_t nr_subjects;

static int usage(void)
{
	fprintf(stderr, "usage: linux_parity --list FILE --objects DIR [--reasons FILE] "
			"[--only PREFIX] [-v FILE/PROGRAM] [--no-kernel] [--markdown] "
			"[--results FILE]\n");
	return 2;
}

static int read_options(struct options *o, char **argv)
{
	const struct {
		const char *name;
		const char **to;
	} named[] = {
		{ "--list", &o->list },
		{ "--objects", &o->objects },
		{ "--reasons", &o->reasons },
		{ "--only", &o->only },
		{ "-v", &o->one },
		{ "--results", &o->results },
	};

	for (argv++; *argv; argv++) {
		bool known = false;

		for (size_t i = 0; i < sizeof(named) / sizeof(named[0]); i++) {
			if (strcmp(*argv, named[i].name) == 0 && argv[1]) {
				*named[i].to = *++argv;
				known = true;
				break;
			}
		}
		if (!known && strcmp(*argv, "--no-kernel") == 0)
			known = o->no_kernel = true;
		if (!known && strcmp(*argv, "--markdown") == 0)
			known = o->markdown = true;
		if (!known)
			return -1;
	}
	return o->list && o->objects ? 0 : -1;
}

static bool is_wanted(const struct options *o, const char *name)
{
	if (o->one)
		return strcmp(o->one, name) == 0;
	return !o->only || strncmp(o->only, name, strlen(o->only)) == 0;
}

static int read_list(const struct options *o)
{
	FILE *f = fopen(o->list, "r");
	char line[256], tier[4], name[200];

	if (!f) {
		fprintf(stderr, "linux_parity: %s: %s\n", o->list, strerror(errno));
		return -1;
	}
	while (fgets(line, sizeof(line), f) && nr_subjects < MAX_PROGRAMS) {
		struct subject *s = &subjects[nr_subjects];
		char *slash;

		if (line[0] == '#' || sscanf(line, "%3s %199s", tier, name) != 2 ||
		    !is_wanted(o, name))
			continue;
		slash = strchr(name, '/');
		if (!slash)
			continue;
		*slash = 0;
		snprintf(s->tier, sizeof(s->tier), "%s", tier);
		snprintf(s->file, sizeof(s->file), "%.60s", name);
		snprintf(s->program, sizeof(s->program), "%.90s", slash + 1);
		snprintf(s->object, sizeof(s->object), "%s/%s.o", o->objects, name);
		nr_subjects++;
	}
	fclose(f);
	return 0;
}

static int by_name(const void *a, const void *b)
{
	const struct subject *x = a, *y = b;
	int file = strcmp(x->file, y->file);

	return file ? file : strcmp(x->program, y->program);
}

/* Lines "file/program class: reason". A reason that names no program is an error: it is stale. */
static int read_reasons(const struct options *o)
{
	FILE *f = o->reasons ? fopen(o->reasons, "r") : NULL;
	char line[1024];
	int rc = 0;

	while (f && fgets(line, sizeof(line), f)) {
		char name[200], class[32];
		int at = 0;
		bool found = false;

		line[strcspn(line, "\n")] = 0;
		if (line[0] == '#' || !line[0])
			continue;
		if (sscanf(line, "%199s %31[a-z-]: %n", name, class, &at) != 2 || !at) {
			fprintf(stderr, "linux_parity: %s: not understood: %s\n", o->reasons, line);
			rc = -1;
			continue;
		}
		for (size_t i = 0; i < nr_subjects; i++) {
			struct subject *s = &subjects[i];
			size_t len = strlen(s->file);

			if (strncmp(name, s->file, len) != 0 || name[len] != '/' ||
			    strcmp(name + len + 1, s->program) != 0)
				continue;
			s->class = strdup(class);
			s->reason = strdup(line + at);
			found = true;
		}
		if (!found && !o->only && !o->one) {
			fprintf(stderr, "linux_parity: %s: no program %s\n", o->reasons, name);
			rc = -1;
		}
	}
	if (f)
		fclose(f);
	return rc;
}

/* What a child hands back. */
struct answer {
	struct expectation expect;
	char section[64];
	struct verdict tenon;
	enum judged kernel;
};

static void answer_in_child(const struct subject *s, bool kernel, FILE *details, int fd)
{
	struct subject work = *s;
	struct rlimit cpu = { SECONDS_A_PROGRAM, SECONDS_A_PROGRAM };
	struct rlimit core = { 0, 0 };
	struct answer a = { 0 };

	setrlimit(RLIMIT_CPU, &cpu);
	setrlimit(RLIMIT_CORE, &core);
	if (tags_read(&work) == 0) {
		a.expect = work.expect;
		if (kernel)
			a.kernel = kernel_judge(&work, details);
		/* Written before the verdict too: what is expected survives a crash. */
		a.tenon.judged = CRASHED;
		snprintf(a.tenon.message, sizeof(a.tenon.message), "the judge crashed");
		if (write(fd, &a, sizeof(a)) != (ssize_t)sizeof(a))
			_exit(1);
		memset(&a.tenon, 0, sizeof(a.tenon));
		tenon_judge(&work, &a.tenon, details);
		memcpy(a.section, work.section, sizeof(a.section));
	} else {
		snprintf(a.tenon.message, sizeof(a.tenon.message), "no such program");
	}
	if (write(fd, &a, sizeof(a)) != (ssize_t)sizeof(a))
		_exit(1);
	if (details)
		fflush(details);
	_exit(0);
}

static int judge_one(struct subject *s, bool kernel, FILE *details)
{
	struct answer a;
	int fds[2];
	pid_t pid;

	if (pipe(fds))
		return -1;
	fflush(NULL);
	pid = fork();
	if (pid < 0)
		return -1;
	if (pid == 0)
		answer_in_child(s, kernel, details, fds[1]);
	close(fds[1]);
	while (read(fds[0], &a, sizeof(a)) == (ssize_t)sizeof(a)) {
		s->expect = a.expect;
		memcpy(s->section, a.section, sizeof(s->section));
		s->tenon = a.tenon;
		s->kernel = a.kernel;
	}
	close(fds[0]);
	waitpid(pid, NULL, 0);
	return 0;
}

static int no_words(enum libbpf_print_level level, const char *format, va_list ap)
{
	(void)level;
	(void)format;
	(void)ap;
	return 0;
}

static int print_one(const struct subject *s)
{
	printf("---- %s/%s, section %s, flags %#x: expected %s", s->file, s->program, s->section,
	       s->expect.flags, s->expect.fails ? "rejection: " : "success");
	printf("%s", s->expect.message);
	if (s->expect.has_retval)
		printf(", result %d", s->expect.retval);
	printf("\n");
	results_print(stdout, s, 1);
	differences_print(stdout, s, 1, false);
	return outcome_of(s) != AGREE;
}

static int print_all(const struct options *o, bool kernel)
{
	unsigned int agree = 0, unsafe = 0, wrong = 0, stale = 0, unexplained = 0;

	for (size_t i = 0; i < nr_subjects; i++) {
		const struct subject *s = &subjects[i];

		agree += outcome_of(s) == AGREE;
		unsafe += outcome_of(s) == UNSAFE_ACCEPT;
		if (s->reason && outcome_of(s) == AGREE) {
			fprintf(stderr, "%s/%s agrees: its reason is stale\n", s->file, s->program);
			stale++;
		}
		/* A judge that died has no reason that could be given. */
		if (outcome_of(s) == NO_VERDICT || (outcome_of(s) != AGREE && !s->reason)) {
			fprintf(stderr, "%s/%s: %s\n", s->file, s->program,
				outcome_of(s) == NO_VERDICT ? "no verdict"
							    : "differs without a reason");
			unexplained++;
		}
		for (int e = 0; e < 2; e++)
			wrong += s->tenon.run[e] == RUN_DIFFERS || s->tenon.run[e] == RUN_FAILED;
	}
	if (o->results) {
		FILE *f = fopen(o->results, "w");

		if (f) {
			results_print(f, subjects, nr_subjects);
			fclose(f);
		}
	}
	table_print(stdout, subjects, nr_subjects, kernel, o->markdown);
	differences_print(stdout, subjects, nr_subjects, o->markdown);
	if (!o->markdown)
		printf("%u of %zu agree; %u unsafe; %u results differ\n", agree, nr_subjects,
		       unsafe, wrong);
	if (o->only)
		return agree != nr_subjects || wrong;
	return agree < MIN_AGREE || unsafe || wrong || stale || unexplained;
}

int main(int argc, char **argv)
{
	struct options o = { 0 };
	bool kernel;

	(void)argc;
	if (read_options(&o, argv))
		return usage();
	libbpf_set_print(no_words);
	if (read_list(&o))
		return 2;
	qsort(subjects, nr_subjects, sizeof(subjects[0]), by_name);
	if (read_reasons(&o))
		return 2;
	if (!nr_subjects) {
		fprintf(stderr, "linux_parity: no program is meant\n");
		return 2;
	}
	kernel = !o.no_kernel && kernel_available();
	if (!kernel && !o.markdown)
		printf("the kernel is not asked: %s\n",
		       o.no_kernel ? "--no-kernel" : "bpf(2) is refused here");
	for (size_t i = 0; i < nr_subjects; i++) {
		if (judge_one(&subjects[i], kernel, o.one ? stdout : NULL)) {
			perror("linux_parity");
			return 2;
		}
	}
	return o.one ? print_one(&subjects[0]) : print_all(&o, kernel);
}
