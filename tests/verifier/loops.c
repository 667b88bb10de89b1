/* SPDX-License-Identifier: MIT */
/*
 * Programs with loops: `loops [-v] CLANG INCLUDE-DIR DIR [FILE...]`. Every *.bpf.c of the directory
 * is compiled for several -mcpu, against the host that loops.host describes, and judged. Its header
 * says what must come out:
 *
 *	// verdict: free COST		accepted, no fuel; the worst case is COST instructions for
 *the -mcpu that needs most, and a third of it or more for the other
 *	// verdict: pays		accepted, with fuel
 *	// verdict: rejected E_CODE
 *	// v2 pays			whatever the verdict of v3 is
 *	// result: N			of a run on the bytes below; both engines must agree anyway
 *
 * With -v the verdicts are printed, with the time of the proof.
 */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <tenon/tenon.h>
#include <unistd.h>

#define BYTES 200

extern char **environ;

struct loop {
	const char *file; /* base name */
	char path[512];
	char verdict[16], code[32];
	uint64_t cost;
	bool has_result, v2_pays;
	uint64_t result;
};

/* The context of loops.host. */
struct scan {
	const unsigned char *buf;
	uint32_t len, count;
	unsigned char *out;
	uint64_t out_len;
	const unsigned char *first, *last;
	uint32_t flags, limit;
};

static const char *clang, *include_dir, *dir;
static char object[256];
static bool verbose;
static unsigned int nr_run, nr_failed;

static void fail(const struct loop *l, const char *cpu, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static void fail(const struct loop *l, const char *cpu, const char *fmt, ...)
{
	va_list ap;

	nr_failed++;
	printf("FAIL %s (%s): ", l->file, cpu);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
}

static bool read_loop(struct loop *l, const char *file)
{
	char line[1024];
	FILE *f;

	memset(l, 0, sizeof(*l));
	l->file = file;
	snprintf(l->path, sizeof(l->path), "%s/%s", dir, file);
	f = fopen(l->path, "r");
	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "// verdict: rejected %31s", l->code) == 1)
			strcpy(l->verdict, "rejected");
		else if (sscanf(line, "// verdict: free %" SCNu64, &l->cost) == 1)
			strcpy(l->verdict, "free");
		else if (!strncmp(line, "// verdict: pays", 16))
			strcpy(l->verdict, "pays");
		else if (!strncmp(line, "// v2 pays", 10))
			l->v2_pays = true;
		else if (sscanf(line, "// result: %" SCNu64, &l->result) == 1)
			l->has_result = true;
	}
	if (f)
		fclose(f);
	return l->verdict[0];
}

static bool compile(const struct loop *l, const char *cpu)
{
	char mcpu[32], include[600];
	char *argv[] = { (char *)clang, "-target",
			 "bpf",		mcpu,
			 "-O2",		"-g",
			 "-w",		include,
			 "-idirafter",	"/usr/include/" MULTIARCH,
			 "-c",		(char *)l->path,
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

/* ---- Running ---- */

static bool run_in(const struct loop *l, const char *cpu, struct tenon_program *prog,
		   enum tenon_engine engine, uint64_t *result)
{
	unsigned char bytes[BYTES], out[BYTES];
	struct scan s = { .buf = bytes,
			  .len = BYTES,
			  .count = 27,
			  .out = out,
			  .out_len = BYTES,
			  .first = bytes,
			  .last = bytes + BYTES,
			  .limit = 18 };
	struct tenon_test_run_opts opts = { .sz = sizeof(opts), .engine = engine };

	for (int i = 0; i < BYTES; i++)
		bytes[i] = out[i] = (unsigned char)(i * 37 + 11);
	if (!strcmp(tenon_program_section(prog), "xdp")) {
		opts.data_in = bytes;
		opts.data_in_size = sizeof(bytes);
	} else {
		opts.ctx = &s;
		opts.ctx_size = sizeof(s);
	}
	if (tenon_program_test_run(prog, &opts)) {
		fail(l, cpu, "does not run: %s", tenon_last_error()->msg);
		return false;
	}
	if (opts.ended != TENON_ENDED_NORMALLY) {
		fail(l, cpu, "ended early");
		return false;
	}
	*result = (uint32_t)opts.retval;
	return true;
}

static void run_both(const struct loop *l, const char *cpu, struct tenon_program *prog)
{
	uint64_t a, b;

	if (!run_in(l, cpu, prog, TENON_ENGINE_INTERP, &a) ||
	    !run_in(l, cpu, prog, TENON_ENGINE_AUTO, &b))
		return;
	if (verbose)
		printf("\tresult %" PRIu64 "\n", a);
	if (a != b)
		fail(l, cpu, "%" PRIu64 " when interpreted, %" PRIu64 " compiled", a, b);
	else if (l->has_result && a != l->result)
		fail(l, cpu, "result %" PRIu64 ", expected %" PRIu64, a, l->result);
}

/* ---- Judging ---- */

/* A number of the report's JSON. */
static uint64_t figure(const char *json, const char *name)
{
	const char *at = strstr(json, name);

	return at ? strtoull(at + strlen(name), NULL, 10) : UINT64_MAX;
}

static void check_accepted(const struct loop *l, const char *cpu, const struct tenon_report *r)
{
	bool pays = strstr(r->json, "\"has_fuel\":true") != NULL;
	uint64_t cost = figure(r->json, "\"proved_cost\":");

	if (verbose)
		printf("\tcost %" PRIu64 "\n", cost);
	if (!strcmp(l->verdict, "rejected"))
		fail(l, cpu, "accepted, expected %s", l->code);
	else if (pays != !strcmp(l->verdict, "pays"))
		fail(l, cpu, "%s", pays ? "pays fuel, should be free" : "is free, should pay");
	else if (!pays && (cost > l->cost || cost < l->cost / 3))
		fail(l, cpu, "%" PRIu64 " instructions proved, expected %" PRIu64 "%s", cost,
		     l->cost, cost > l->cost ? " at most" : " or a third of it at least");
}

static void judge(struct tenon_runtime *rt, const struct loop *l, const char *cpu)
{
	struct tenon_object *obj = tenon_object_open_file(rt, object, NULL);
	struct tenon_report r = { .sz = sizeof(r) };
	struct tenon_program_stats stats = { .sz = sizeof(stats) };
	struct tenon_program *prog = obj ? tenon_object_next_program(obj, NULL) : NULL;
	int err;

	if (!prog) {
		fail(l, cpu, "cannot open: %s", tenon_last_error()->msg);
		return;
	}
	err = tenon_object_load(obj);
	if (tenon_program_report(prog, &r)) {
		fail(l, cpu, "no report: %s", tenon_last_error()->msg);
	} else if (r.code) {
		if (verbose)
			printf("%s (%s): %s\n%s\n", l->file, cpu, r.code_name, r.msg);
		if (strcmp(l->verdict, "rejected") || strcmp(r.code_name, l->code))
			fail(l, cpu, "rejected\n%s", r.msg);
	} else if (err) {
		fail(l, cpu, "does not load: %s", tenon_last_error()->msg);
	} else {
		tenon_program_stats(prog, &stats);
		if (verbose)
			printf("%s (%s): %" PRIu64 " steps, %.3f ms\n", l->file, cpu, r.steps,
			       (double)stats.verify_ns / 1e6);
		check_accepted(l, cpu, &r);
		run_both(l, cpu, prog);
	}
	tenon_object_close(obj);
}

static void run(struct tenon_runtime *rt, const char *file)
{
	static const char *const cpus[] = { "v3", "v2" };
	struct loop l;

	if (!read_loop(&l, file)) {
		fail(&l, "-", "has no expectation");
		return;
	}
	for (size_t i = 0; i < sizeof(cpus) / sizeof(cpus[0]); i++) {
		nr_run++;
		if (l.v2_pays && !strcmp(cpus[i], "v2"))
			strcpy(l.verdict, "pays");
		if (compile(&l, cpus[i]))
			judge(rt, &l, cpus[i]);
		else
			fail(&l, cpus[i], "clang does not compile it");
	}
}

static int is_loop(const struct dirent *e)
{
	size_t n = strlen(e->d_name);

	return n > 6 && !strcmp(e->d_name + n - 6, ".bpf.c");
}

static void run_all(struct tenon_runtime *rt)
{
	struct dirent **names;
	int n = scandir(dir, &names, is_loop, alphasort);

	for (int i = 0; i < n; i++) {
		run(rt, names[i]->d_name);
		free(names[i]);
	}
	if (n >= 0)
		free(names);
	if (n < 30)
		nr_failed++;
	printf("%d loops\n", n);
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
		fprintf(stderr, "usage: loops [-v] CLANG INCLUDE-DIR DIR [FILE...]\n");
		return 2;
	}
	clang = argv[1];
	include_dir = argv[2];
	dir = argv[3];
	snprintf(object, sizeof(object), "loop.%d.bpf.o", (int)getpid());
	snprintf(host, sizeof(host), "%s/loops.host", dir);
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
