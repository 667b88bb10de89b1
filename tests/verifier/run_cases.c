/* SPDX-License-Identifier: MIT */
/*
 * Runs verifier cases (case.h): `verifier_cases FILE|DIR...`. With -v each verdict is printed, with
 * -l the verifier's log too. Fails when a verdict, a message or a result is not as expected.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/epoch.h"
#include "base/err.h"
#include "maps/timer.h"
#include "verifier/case.h"
#include "vm/interp.h"
#include "vm/rewrite.h"

static int verbose, log_level;
static unsigned nr_run, nr_failed;

static void fail(const struct tn_case *c, const char *what, const char *detail)
{
	nr_failed++;
	printf("FAIL %s: %s\n%s\n", c->name, what, detail ? detail : "");
}

static bool zeroes(const struct tn_facts *f, uint32_t slot)
{
	return f->subprogs[0].zero_slots[slot / 64] >> slot % 64 & 1;
}

static void check_facts(const struct tn_case *c)
{
	const struct tn_facts *f = c->prog->facts;

	for (uint32_t i = 0; i < c->nr_facts; i++) {
		const char *want = c->facts[i];
		bool ok = false;

		if (!strcmp(want, "fuel"))
			ok = f->has_fuel;
		else if (!strcmp(want, "nofuel"))
			ok = !f->has_fuel;
		else if (!strncmp(want, "zero ", 5))
			ok = zeroes(f, (uint32_t)atoi(want + 5));
		else if (!strncmp(want, "cost<=", 6))
			ok = f->proved_cost <= strtoull(want + 6, NULL, 0);
		else if (!strncmp(want, "cost>=", 6))
			ok = f->proved_cost >= strtoull(want + 6, NULL, 0);
		if (!ok) {
			char got[96];

			snprintf(got, sizeof(got), "have fuel %d, cost %llu, zero %llx",
				 f->has_fuel, (unsigned long long)f->proved_cost,
				 (unsigned long long)f->subprogs[0].zero_slots[0]);
			fail(c, want, got);
		}
	}
}

static void check_run(struct tn_case *c)
{
	uint64_t r0;
	char got[64];

	if (tn_rewrite(c->prog)) {
		fail(c, "cannot rewrite", tn_err_last()->msg);
		return;
	}
	c->prog->entry = tn_interp_entry;
	r0 = case_run(c);
	snprintf(got, sizeof(got), "r0 is 0x%llx, expected 0x%llx", (unsigned long long)r0,
		 (unsigned long long)c->r0);
	if (r0 != c->r0)
		fail(c, "wrong result", got);
}

static void check_verdict(struct tn_case *c, int err, const struct tn_verdict *v)
{
	if (verbose)
		printf("%s: %s, %llu steps, %llu states, %llu bytes, %llu us\n%s%s\n", c->name,
		       err ? "rejected" : "accepted", (unsigned long long)v->steps,
		       (unsigned long long)v->states, (unsigned long long)v->peak_bytes,
		       (unsigned long long)v->ns / 1000, v->msg ? v->msg : "",
		       log_level && v->log ? v->log : "");
	if (c->expect_accept) {
		if (err) {
			fail(c, "rejected, should be accepted", v->msg);
			return;
		}
		check_facts(c);
		if (c->has_run)
			check_run(c);
		return;
	}
	if (!err)
		fail(c, "accepted, should be rejected", c->code);
	else if (!v->code_name || strcmp(v->code_name, c->code))
		fail(c, "rejected with another code", v->msg);
	else if (c->fragment[0] && !strstr(v->msg, c->fragment))
		fail(c, "the message lacks the expected words", v->msg);
}

static void run_file(struct tn_rt *rt, const char *path)
{
	struct tn_case c;
	struct tn_verdict v;
	size_t before = tn_load_relaxed(&rt->mem.bytes[TN_CHARGE_HEAP]);
	int err;

	nr_run++;
	if (!case_open(&c, rt, path)) {
		fail(&c, "cannot be read", tn_err_last()->msg);
		case_close(&c);
		return;
	}
	c.env.log_level = log_level;
	err = tn_verify(c.prog, &c.env, &v);
	check_verdict(&c, err, &v);
	tn_verdict_free(rt, &v);
	case_close(&c);
	if (tn_epoch_drain())
		tn_epoch_reclaim();
	if (tn_load_relaxed(&rt->mem.bytes[TN_CHARGE_HEAP]) != before)
		fail(&c, "memory is leaked", NULL);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_case(const struct dirent *e)
{
	size_t n = strlen(e->d_name);

	return n > 3 && !strcmp(e->d_name + n - 3, ".tn");
}

static void run_path(struct tn_rt *rt, const char *path)
{
	struct dirent **names;
	struct stat st;
	int n;

	if (stat(path, &st) || !S_ISDIR(st.st_mode)) {
		run_file(rt, path);
		return;
	}
	n = scandir(path, &names, is_case, by_name);
	for (int i = 0; i < n; i++) {
		char file[1024];

		snprintf(file, sizeof(file), "%s/%s", path, names[i]->d_name);
		run_file(rt, file);
		free(names[i]);
	}
	if (n >= 0)
		free(names);
}

int main(int argc, char **argv)
{
	static struct tn_rt rt;

	/* The timers of a runtime stay, once there is a map that has some. */
	if (tn_rt_init(&rt, NULL) || tn_timers_make(&rt))
		return 1;
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "-v"))
			verbose = 1;
		else if (!strcmp(argv[i], "-l"))
			verbose = log_level = 2;
		else
			run_path(&rt, argv[i]);
	}
	printf("%u cases, %u failed\n", nr_run, nr_failed);
	tn_rt_fini(&rt);
	return nr_failed != 0;
}
