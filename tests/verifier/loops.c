/* SPDX-License-Identifier: MIT */
/*
 * Programs with loops: `loops [-v] CLANG INCLUDE-DIR DIR [FILE...]`. Every *.bpf.c of the directory
 * is compiled for several -mcpu, against the host that loops.host describes, and judged. Its header
 * says what must come out:
 *
 *	// verdict: free COST	accepted, no fuel; the worst case is COST instructions for
 *				the -mcpu that needs most, and a third of it or more for the other
 *	// verdict: pays		accepted, with fuel
 *	// verdict: rejected E_CODE
 *	// v2 pays			whatever the verdict of v3 is
 *	// result: N			of a run on the bytes below; both engines must agree anyway
 *
 * With -v the verdicts are printed, with the time of the proof.
 */
#include "cprogs.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define BYTES 200

/* What the header of the program at hand says. */
struct loop {
	char verdict[16], code[32];
	uint64_t cost;
	bool has_result, v2_pays;
	uint64_t result;
};
static struct loop want;

/* The context of loops.host. */
struct scan {
	const unsigned char *buf;
	uint32_t len, count;
	unsigned char *out;
	uint64_t out_len;
	const unsigned char *first, *last;
	uint32_t flags, limit;
};

static bool read_loop(const struct cprog *p, FILE *f, const char **why)
{
	char line[1024];

	(void)p;
	*why = "has no expectation";
	memset(&want, 0, sizeof(want));
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "// verdict: rejected %31s", want.code) == 1)
			strcpy(want.verdict, "rejected");
		else if (sscanf(line, "// verdict: free %" SCNu64, &want.cost) == 1)
			strcpy(want.verdict, "free");
		else if (!strncmp(line, "// verdict: pays", 16))
			strcpy(want.verdict, "pays");
		else if (!strncmp(line, "// v2 pays", 10))
			want.v2_pays = true;
		else if (sscanf(line, "// result: %" SCNu64, &want.result) == 1)
			want.has_result = true;
	}
	return want.verdict[0];
}

/* ---- Running ---- */

static bool run_in(const struct cprog *p, struct tenon_program *prog, enum tenon_engine engine,
		   uint64_t *result)
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
		cprog_fail(p, "does not run: %s", tenon_last_error()->msg);
		return false;
	}
	if (opts.ended != TENON_ENDED_NORMALLY) {
		cprog_fail(p, "ended early");
		return false;
	}
	*result = (uint32_t)opts.retval;
	return true;
}

static void run_both(const struct cprog *p, struct tenon_program *prog)
{
	uint64_t a, b;

	if (!run_in(p, prog, TENON_ENGINE_INTERP, &a) || !run_in(p, prog, TENON_ENGINE_AUTO, &b))
		return;
	if (cprog_verbose)
		printf("\tresult %" PRIu64 "\n", a);
	if (a != b)
		cprog_fail(p, "%" PRIu64 " when interpreted, %" PRIu64 " compiled", a, b);
	else if (want.has_result && a != want.result)
		cprog_fail(p, "result %" PRIu64 ", expected %" PRIu64, a, want.result);
}

/* ---- Judging ---- */

/* A number of the report's JSON. */
static uint64_t figure(const char *json, const char *name)
{
	const char *at = strstr(json, name);

	return at ? strtoull(at + strlen(name), NULL, 10) : UINT64_MAX;
}

static void check_accepted(const struct cprog *p, const struct tenon_report *r)
{
	bool pays = strstr(r->json, "\"has_fuel\":true") != NULL;
	uint64_t cost = figure(r->json, "\"proved_cost\":");

	if (cprog_verbose)
		printf("\tcost %" PRIu64 "\n", cost);
	if (!strcmp(want.verdict, "rejected"))
		cprog_fail(p, "accepted, expected %s", want.code);
	else if (pays != !strcmp(want.verdict, "pays"))
		cprog_fail(p, "%s", pays ? "pays fuel, should be free" : "is free, should pay");
	else if (!pays && (cost > want.cost || cost < want.cost / 3))
		cprog_fail(p, "%" PRIu64 " instructions proved, expected %" PRIu64 "%s", cost,
			   want.cost, cost > want.cost ? " at most" : " or a third of it at least");
}

static void judge(struct tenon_runtime *rt, const struct cprog *p, const char *object)
{
	struct tenon_object *obj = tenon_object_open_file(rt, object, NULL);
	struct tenon_report r = { .sz = sizeof(r) };
	struct tenon_program_stats stats = { .sz = sizeof(stats) };
	struct tenon_program *prog = obj ? tenon_object_next_program(obj, NULL) : NULL;
	int err;

	if (want.v2_pays && !strcmp(p->cpu, "v2"))
		strcpy(want.verdict, "pays");
	if (!prog) {
		cprog_fail(p, "cannot open: %s", tenon_last_error()->msg);
		return;
	}
	err = tenon_object_load(obj);
	if (tenon_program_report(prog, &r)) {
		cprog_fail(p, "no report: %s", tenon_last_error()->msg);
	} else if (r.code) {
		if (cprog_verbose)
			printf("%s (%s): %s\n%s\n", p->file, p->cpu, r.code_name, r.msg);
		if (strcmp(want.verdict, "rejected") || strcmp(r.code_name, want.code))
			cprog_fail(p, "rejected\n%s", r.msg);
	} else if (err) {
		cprog_fail(p, "does not load: %s", tenon_last_error()->msg);
	} else {
		tenon_program_stats(prog, &stats);
		if (cprog_verbose)
			printf("%s (%s): %" PRIu64 " steps, %.3f ms\n", p->file, p->cpu, r.steps,
			       (double)stats.verify_ns / 1e6);
		check_accepted(p, &r);
		run_both(p, prog);
	}
	tenon_object_close(obj);
}

int main(int argc, char **argv)
{
	static const struct cprog_set loops = {
		.what = "loops",
		.at_least = 30,
		.cpus = { "v3", "v2" },
		.read = read_loop,
		.judge = judge,
	};

	return cprog_main(&loops, argc, argv);
}
