/* SPDX-License-Identifier: MIT */
/*
 * Map operations from a program, in Tenon and in the kernel: the same objects, round by round in
 * turn, on one thread and on two. Cases are <type>/<operation>/<key bytes>/<entries>, with "/2" for
 * two threads. The loop with its key generator is measured as well and subtracted on both sides. A
 * map is loaded, filled, measured with all operations that leave it as it is, and freed before the
 * next one.
 */
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "map_cases.h"
#include "map_side.h"
#include "pair.h"
#include "tenon_side.h"

#define ROUNDS	     13
#define QUICK_ROUNDS 5
#define QUICK_MOST   100000

/* Engine by threads: [0] Tenon, [1] the kernel; [0] one thread, [1] two. */
struct rows {
	int of[2][2];
};

static const char *const engines[2] = { "jit", "kernel" };
static double (*const timers[2][2])(void *arg, uint64_t n) = {
	{ map_time_tenon, map_time_tenon_pair },
	{ map_time_kernel, map_time_kernel_pair },
};

static bool is_wanted(const struct map_type *type, const struct map_op *op, uint32_t key,
		      uint32_t entries)
{
	char name[128];

	map_case_name(name, sizeof(name), type, op, key, entries);
	return map_case_matches(name, bench_options.filter);
}

static bool any_wanted(const struct map_type *type, const struct map_group *group, uint32_t key,
		       uint32_t entries)
{
	if (bench_options.quick && (entries > QUICK_MOST || key != type->quick_key))
		return false;
	for (const struct map_op *op = group->ops; op->name; op++)
		if (is_wanted(type, op, key, entries))
			return true;
	return false;
}

static struct rows add_rows(const char *name, struct map_side *side, struct map_run *run,
			    const struct map_op *op, const struct rows *base)
{
	struct rows rows;

	for (int threads = 0; threads < 2; threads++)
		for (int engine = 0; engine < 2; engine++) {
			bool there = engine ? run->kernel != NULL : run->prog != NULL;
			bool can = there && !(threads && (!pair_possible() || op->single));
			struct bench_case c = { .bench = "maps",
						.engine = engines[engine],
						.unit = "ns",
						.step = MAP_OPS,
						.arg = run,
						.base = base ? base->of[engine][threads] : NO_BASE,
						.hidden = !base || (threads && op->single) };
			char text[160];

			snprintf(text, sizeof(text), "%s%s", name, threads ? "/2" : "");
			c.name = strdup(text);
			c.timed = can ? timers[engine][threads] : NULL;
			c.why = there ? "one core" : engine ? side->no_kernel : side->no_tenon;
			rows.of[engine][threads] = bench_add(&c);
		}
	return rows;
}

static void fill(struct map_side *side, const char *program, uint64_t n)
{
	struct map_run run;

	n = (n + MAP_OPS - 1) / MAP_OPS * MAP_OPS;
	if (!program || !map_side_program(side, program, &run))
		return;
	if (run.prog)
		map_run_tenon(&run, n);
	if (run.kernel)
		map_run_kernel(&run, n);
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

static void print_line(const char *name, const struct rows *rows)
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

static void print_head(const char *type)
{
	printf("\n%-36s %8s %8s %7s %8s %8s %7s %7s %7s\n", type, "jit", "kernel", "ratio",
	       "2: jit", "kernel", "ratio", "scaling", "kernel");
}

/* Of lookups that should all hit: where a side lost more than one in a hundred (an LRU map made
 * room early), the figures are not those of hits alone. */
static void check_hits(struct map_side *side)
{
	struct map_run run;
	uint64_t hits[2] = { 0, 0 };
	const int runs = 200;

	if (!map_side_program(side, "hits", &run))
		return;
	for (int i = 0; i < runs; i++) {
		hits[0] += run.prog ? map_result_tenon(&run) : MAP_OPS;
		hits[1] += run.kernel ? map_result_kernel(&run) : MAP_OPS;
	}
	for (int engine = 0; engine < 2; engine++)
		if (hits[engine] < (uint64_t)runs * MAP_OPS * 99 / 100)
			printf("  (%s: %.1f %% of the lookups hit)\n", engines[engine],
			       100.0 * (double)hits[engine] / (runs * MAP_OPS));
}

#define MAX_OPS 8

static void measure(const char *dir, const struct map_type *type, const struct map_group *group,
		    uint32_t key, uint32_t entries)
{
	uint32_t nr_keys = (uint32_t)((uint64_t)entries * group->percent / 100);
	struct map_run loop, runs[MAX_OPS];
	struct rows base, rows[MAX_OPS];
	struct map_side side;
	char name[128], object[64];
	int nr = 0;

	snprintf(object, sizeof(object), type->object, type->name, key);
	map_side_open(&side, side_path(dir, object), entries, nr_keys);
	fill(&side, "fill", nr_keys);
	fill(&side, group->warm, entries);
	if (!map_side_program(&side, "loop", &loop))
		memset(&loop, 0, sizeof(loop));
	base = add_rows("loop", &side, &loop, group->ops, NULL);
	for (const struct map_op *op = group->ops; op->name; op++) {
		if (!is_wanted(type, op, key, entries))
			continue;
		if (!map_side_program(&side, op->program, &runs[nr]))
			memset(&runs[nr], 0, sizeof(runs[nr]));
		map_case_name(name, sizeof(name), type, op, key, entries);
		rows[nr] = add_rows(name, &side, &runs[nr], op, &base);
		nr++;
	}
	bench_measure(bench_options.quick ? QUICK_ROUNDS : ROUNDS);
	nr = 0;
	for (const struct map_op *op = group->ops; op->name; op++) {
		if (!is_wanted(type, op, key, entries))
			continue;
		map_case_name(name, sizeof(name), type, op, key, entries);
		print_line(name, &rows[nr]);
		if (op->hits)
			check_hits(&side);
		nr++;
	}
	if (side.no_tenon)
		printf("  (jit: %s)\n", side.no_tenon);
	if (side.no_kernel)
		printf("  (kernel: %s)\n", side.no_kernel);
	map_side_close(&side);
}

/* One type: its key sizes, its sizes, its groups of operations. */
static void measure_type(const char *dir, const struct map_type *type)
{
	bool headed = false;

	for (const uint32_t *key = type->keys; *key != MAP_KEYS_END; key++)
		for (const uint32_t *entries = type->entries; *entries; entries++)
			for (const struct map_group *group = type->groups; group->ops; group++) {
				if (!any_wanted(type, group, *key, *entries))
					continue;
				if (!headed)
					print_head(type->name);
				headed = true;
				if (map_case_fits(type, *key, *entries))
					measure(dir, type, group, *key, *entries);
				else
					printf("%s, %u-byte keys, %u entries: not enough memory\n",
					       type->name, *key, *entries);
			}
}

void bench_maps(const char *dir)
{
	printf("\nns per operation, minima, the loop around it subtracted; two threads: of both "
	       "together.\nratio: kernel / jit. scaling: rate of two threads / rate of one.\n");
	for (const struct map_type *type = map_types; type->name; type++)
		measure_type(dir, type);
}
