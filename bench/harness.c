/* SPDX-License-Identifier: MIT */
/* Rounds, minima, the table and the JSON. */
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

#include <tenon/tenon.h>

#define MAX_ROUNDS   101
#define ROUND_TARGET 2000000u /* ns */

struct row {
	struct bench_case c;
	double times[MAX_ROUNDS]; /* ns per operation, base not subtracted */
	double min, median;
	unsigned int rounds;
};

static struct row *rows;
static int nr_rows, max_rows, first_new;

uint64_t bench_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static struct row *new_row(void)
{
	if (nr_rows == max_rows) {
		max_rows = max_rows ? 2 * max_rows : 256;
		rows = realloc(rows, (size_t)max_rows * sizeof(*rows));
		if (!rows) {
			perror("bench: rows");
			exit(1);
		}
	}
	memset(&rows[nr_rows], 0, sizeof(*rows));
	return &rows[nr_rows++];
}

int bench_add(const struct bench_case *c)
{
	struct row *row = new_row();

	row->c = *c;
	return (int)(row - rows);
}

void bench_note(const char *bench, const char *name, const char *engine, const char *unit,
		double value)
{
	struct row *row = new_row();

	*row = (struct row){ .c = { .bench = bench,
				    .name = name,
				    .engine = engine,
				    .unit = unit,
				    .base = NO_BASE },
			     .min = value,
			     .median = value,
			     .rounds = 1 };
	first_new = nr_rows;
	printf("%-8s %-22s %-11s %9.3f %s\n", bench, name, engine, value, unit);
}

/* Nanoseconds of a whole round. */
static double time_round(const struct row *row)
{
	uint64_t start;

	if (row->c.timed)
		return row->c.timed(row->c.arg, row->c.n);
	start = bench_now_ns();
	row->c.run(row->c.arg, row->c.n);
	return (double)(bench_now_ns() - start);
}

static bool has_figure(const struct row *row)
{
	return row->c.run || row->c.timed;
}

/* Double the count until a round is long enough to be measured, also at the second time: the first
 * one may pay for what later ones find done (pages, caches). */
static void calibrate(struct row *row)
{
	if (row->c.n || !has_figure(row))
		return;
	for (row->c.n = row->c.step ? row->c.step : 1; row->c.n < 1u << 30; row->c.n *= 2)
		if (row->c.n >= row->c.least && time_round(row) >= ROUND_TARGET &&
		    time_round(row) >= ROUND_TARGET)
			break;
}

static int compare_double(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void summarise(struct row *row)
{
	double base_min = 0, base_median = 0;

	if (!has_figure(row))
		return;
	qsort(row->times, row->rounds, sizeof(double), compare_double);
	if (row->c.base != NO_BASE) {
		base_min = rows[row->c.base].times[0];
		base_median = rows[row->c.base].times[rows[row->c.base].rounds / 2];
	}
	row->min = row->times[0] - base_min;
	row->median = row->times[row->rounds / 2] - base_median;
}

void bench_measure(unsigned int rounds)
{
	if (rounds > MAX_ROUNDS)
		rounds = MAX_ROUNDS;
	for (int i = first_new; i < nr_rows; i++)
		calibrate(&rows[i]);
	for (unsigned int r = 0; r < rounds; r++)
		for (int i = first_new; i < nr_rows; i++)
			if (has_figure(&rows[i]))
				rows[i].times[rows[i].rounds++] = time_round(&rows[i]) /
								  (double)rows[i].c.n;
	/* Bases stand before the cases that use them, and are read sorted. */
	for (int i = first_new; i < nr_rows; i++)
		summarise(&rows[i]);
	first_new = nr_rows;
}

void bench_run(unsigned int rounds)
{
	int first = first_new;

	bench_measure(rounds);
	printf("\n%-8s %-22s %-11s %9s %9s\n", "bench", "case", "engine", "min", "median");
	for (int i = first; i < nr_rows; i++) {
		const struct row *row = &rows[i];

		if (row->c.hidden)
			continue;
		if (!has_figure(row))
			printf("%-8s %-22s %-11s         -  (%s)\n", row->c.bench, row->c.name,
			       row->c.engine, row->c.why);
		else
			printf("%-8s %-22s %-11s %9.2f %9.2f %s\n", row->c.bench, row->c.name,
			       row->c.engine, row->min, row->median, row->c.unit);
	}
}

struct bench_result bench_result(int index)
{
	const struct row *row = &rows[index];

	return (struct bench_result){ row->min, row->median, row->rounds > 0 };
}

double bench_min(const char *bench, const char *name, const char *engine)
{
	for (int i = 0; i < nr_rows; i++)
		if (rows[i].rounds && strcmp(rows[i].c.bench, bench) == 0 &&
		    strcmp(rows[i].c.name, name) == 0 && strcmp(rows[i].c.engine, engine) == 0)
			return rows[i].min;
	return -1;
}

/* ---- JSON ---- */

static void cpu_model(char *out, size_t size)
{
	FILE *f = fopen("/proc/cpuinfo", "r");
	char line[256];

	snprintf(out, size, "unknown");
	while (f && fgets(line, sizeof(line), f))
		if (strncmp(line, "model name", 10) == 0 && strchr(line, ':')) {
			snprintf(out, size, "%s", strchr(line, ':') + 2);
			out[strcspn(out, "\n\"\\")] = 0;
			break;
		}
	if (f)
		fclose(f);
}

static void mitigation(const char *name, char *out, size_t size)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/vulnerabilities/%s", name);
	snprintf(out, size, "unknown");
	f = fopen(path, "r");
	if (f) {
		if (fgets(out, (int)size, f))
			out[strcspn(out, "\n\"\\")] = 0;
		fclose(f);
	}
}

int bench_write_json(const char *path)
{
	char cpu[128], spectre[128], srso[128];
	struct utsname uts;
	bool first = true;
	FILE *f = fopen(path, "w");

	if (!f) {
		perror(path);
		return -1;
	}
	uname(&uts);
	cpu_model(cpu, sizeof(cpu));
	mitigation("spectre_v2", spectre, sizeof(spectre));
	mitigation("spec_rstack_overflow", srso, sizeof(srso));
	fprintf(f,
		"{\"machine\": {\"cpu\": \"%s\", \"kernel\": \"%s\", \"spectre_v2\": \"%s\", "
		"\"spec_rstack_overflow\": \"%s\"},\n \"versions\": {\"tenon\": \"%s\", "
		"\"cc\": \"%s\"},\n \"rows\": [",
		cpu, uts.release, spectre, srso, tenon_version_string(), __VERSION__);
	for (int i = 0; i < nr_rows; i++) {
		const struct row *row = &rows[i];

		if (row->c.hidden)
			continue;
		fprintf(f,
			"%s\n  {\"bench\": \"%s\", \"case\": \"%s\", \"engine\": \"%s\", \"unit\": \"%s\", ",
			first ? "" : ",", row->c.bench, row->c.name, row->c.engine, row->c.unit);
		if (row->rounds)
			fprintf(f, "\"min\": %.4f, \"median\": %.4f, \"rounds\": %u}", row->min,
				row->median, row->rounds);
		else
			fprintf(f,
				"\"min\": null, \"median\": null, \"rounds\": 0, \"why\": \"%s\"}",
				row->c.why);
		first = false;
	}
	fprintf(f, "\n ]}\n");
	if (fclose(f)) {
		perror(path);
		return -1;
	}
	return 0;
}
