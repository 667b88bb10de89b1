/* SPDX-License-Identifier: MIT */
#include "map_table.h"

#include <stdio.h>
#include <string.h>

#include "harness.h"
#include "pair.h"

#define ROUNDS	     13
#define QUICK_ROUNDS 9

const char *const map_engines[2] = { "jit", "kernel" };

unsigned int map_rounds(void)
{
	if (bench_options.rounds)
		return bench_options.rounds;
	return bench_options.quick ? QUICK_ROUNDS : ROUNDS;
}

struct map_rows map_rows_add(const struct map_rows_desc *desc)
{
	struct map_rows rows;

	for (int threads = 0; threads < 2; threads++)
		for (int engine = 0; engine < 2; engine++) {
			const char *why = desc->why[engine];
			struct bench_case c = { .bench = "maps",
						.engine = map_engines[engine],
						.unit = "ns",
						.n = desc->n,
						.step = desc->step,
						.least = desc->least,
						.arg = desc->arg,
						.base = NO_BASE,
						.hidden = desc->hidden };
			char name[160];

			snprintf(name, sizeof(name), "%s%s", desc->name, threads ? "/2" : "");
			c.name = strdup(name);
			if (!threads || pair_possible())
				c.timed = desc->timed[engine][threads];
			else
				why = "one core";
			if (desc->base)
				c.base = desc->base->of[engine][threads];
			/* A case that there is not leaves no row. */
			c.hidden |= !c.timed && !why;
			c.why = why;
			rows.of[engine][threads] = bench_add(&c);
		}
	return rows;
}

static void print_figure(int row)
{
	struct bench_result result = bench_result(row);

	if (result.valid)
		printf(" %8.2f", result.min);
	else
		printf(" %8s", "-");
}

static double min_of(int row)
{
	struct bench_result result = bench_result(row);

	return result.valid && result.min > 0 ? result.min : 0;
}

/* Where a side costs nothing (in line, hidden behind the loop) a ratio would say nothing. */
static void print_ratio(int over, int under)
{
	double a = min_of(over), b = min_of(under);

	if (a > 0 && b >= 0.2)
		printf(" %7.2f", a / b);
	else
		printf(" %7s", "-");
}

void map_rows_head(const char *type)
{
	printf("\n%-36s %8s %8s %7s %8s %8s %7s %7s %7s\n", type, "jit", "kernel", "ratio",
	       "2: jit", "kernel", "ratio", "scaling", "kernel");
}

void map_rows_print(const char *name, const struct map_rows *rows)
{
	printf("%-36s", name);
	for (int threads = 0; threads < 2; threads++) {
		print_figure(rows->of[0][threads]);
		print_figure(rows->of[1][threads]);
		print_ratio(rows->of[1][threads], rows->of[0][threads]);
	}
	print_ratio(rows->of[0][0], rows->of[0][1]);
	print_ratio(rows->of[1][0], rows->of[1][1]);
	printf("\n");
	fflush(stdout);
}
