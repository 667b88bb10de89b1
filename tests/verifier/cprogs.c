/* SPDX-License-Identifier: MIT */
#include "cprogs.h"

#include <dirent.h>
#include <errno.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

bool cprog_verbose;

static const char *clang, *include_dir, *dir;
static char object[256];
static unsigned int nr_run, nr_failed;

void cprog_fail(const struct cprog *p, const char *fmt, ...)
{
	va_list ap;

	nr_failed++;
	printf("FAIL %s (%s): ", p->file, p->cpu);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
}

static bool compile(const struct cprog *p)
{
	char mcpu[32], include[600];
	char *argv[] = { (char *)clang, "-target",
			 "bpf",		mcpu,
			 "-O2",		"-g",
			 "-w",		include,
			 "-idirafter",	"/usr/include/" MULTIARCH,
			 "-c",		(char *)p->path,
			 "-o",		object,
			 NULL };
	int status = -1;
	pid_t pid;

	snprintf(mcpu, sizeof(mcpu), "-mcpu=%s", p->cpu);
	snprintf(include, sizeof(include), "-I%s", include_dir);
	if (posix_spawnp(&pid, clang, NULL, NULL, argv, environ))
		return false;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool read_expectation(const struct cprog_set *set, const struct cprog *p)
{
	FILE *f = fopen(p->path, "r");
	const char *why = "cannot be read";
	bool ok = f && set->read(p, f, &why);

	if (f)
		fclose(f);
	if (!ok)
		cprog_fail(p, "%s", why);
	return ok;
}

static void run(const struct cprog_set *set, struct tenon_runtime *rt, const char *file)
{
	struct cprog p = { .file = file, .cpu = "-" };

	snprintf(p.path, sizeof(p.path), "%s/%s", dir, file);
	if (!read_expectation(set, &p))
		return;
	for (size_t i = 0; i < sizeof(set->cpus) / sizeof(set->cpus[0]); i++) {
		nr_run++;
		p.cpu = set->cpus[i];
		if (compile(&p))
			set->judge(rt, &p, object);
		else
			cprog_fail(&p, "clang does not compile it");
	}
}

static int is_program(const struct dirent *e)
{
	size_t n = strlen(e->d_name);

	return n > 6 && !strcmp(e->d_name + n - 6, ".bpf.c");
}

static void run_all(const struct cprog_set *set, struct tenon_runtime *rt)
{
	struct dirent **names;
	int n = scandir(dir, &names, is_program, alphasort);

	for (int i = 0; i < n; i++) {
		run(set, rt, names[i]->d_name);
		free(names[i]);
	}
	if (n >= 0)
		free(names);
	printf("%d %s\n", n, set->what);
	if (n < (int)set->at_least) {
		printf("FAIL: %u or more were expected\n", set->at_least);
		nr_failed++;
	}
}

int cprog_main(const struct cprog_set *set, int argc, char **argv)
{
	struct tenon_runtime_opts opts = { .sz = sizeof(opts) };
	char host[512];
	struct tenon_runtime *rt;

	if (argc > 1 && !strcmp(argv[1], "-v")) {
		cprog_verbose = true;
		argv++;
		argc--;
	}
	if (argc < 4) {
		fprintf(stderr, "usage: %s [-v] CLANG INCLUDE-DIR DIR [FILE...]\n", set->what);
		return 2;
	}
	clang = argv[1];
	include_dir = argv[2];
	dir = argv[3];
	snprintf(object, sizeof(object), "%s.%d.bpf.o", set->what, (int)getpid());
	snprintf(host, sizeof(host), "%s/%s.host", dir, set->what);
	rt = tenon_runtime_new(&opts);
	if (!rt || tenon_runtime_add_description(rt, host)) {
		fprintf(stderr, "%s\n", tenon_last_error()->msg);
		return 2;
	}
	if (argc == 4)
		run_all(set, rt);
	for (int i = 4; i < argc; i++)
		run(set, rt, argv[i]);
	unlink(object);
	tenon_runtime_free(rt);
	printf("%u runs, %u failures\n", nr_run, nr_failed);
	return nr_failed != 0;
}
