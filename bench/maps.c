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
#include "map_table.h"
#include "tenon_side.h"

#define QUICK_MOST     100000
#define MOST_OF_A_TURN 500000

static double (*const timers[2][2])(void *arg, uint64_t n) = {
	{ map_time_tenon, map_time_tenon_pair },
	{ map_time_kernel, map_time_kernel_pair },
};

bool map_is_wanted(const struct map_type *type, const struct map_op *op, uint32_t key,
		   uint32_t entries)
{
	char name[128];

	map_case_name(name, sizeof(name), type, op, key, entries);
	return map_case_matches(name, bench_options.filter);
}

/* What stays out unless the filter names a size: larger maps and other keys with --quick, and what
 * takes longer to fill than to measure. */
static bool is_left_out(const struct map_type *type, const struct map_group *group, uint32_t key,
			uint32_t entries)
{
	if (map_filter_names_entries(bench_options.filter))
		return false;
	if (bench_options.quick &&
	    (key != type->quick_key || (entries > QUICK_MOST && !type->measure)))
		return true;
	return group->most_of_all_keys && entries > group->most_of_all_keys &&
	       key != type->quick_key;
}

static bool any_wanted(const struct map_type *type, const struct map_group *group, uint32_t key,
		       uint32_t entries)
{
	if (is_left_out(type, group, key, entries))
		return false;
	for (const struct map_op *op = group->ops; op->name; op++)
		if (map_is_wanted(type, op, key, entries))
			return true;
	return false;
}

/* Sides take turns, and each finds the caches full of what the other left. A turn is long enough
 * for what follows to count: each element is used twice or so, of large maps as many as that. */
static uint64_t least_operations(uint32_t entries)
{
	return 2 * (uint64_t)(entries < MOST_OF_A_TURN ? entries : MOST_OF_A_TURN);
}

static struct map_rows add_rows(const char *name, struct map_side *side, struct map_run *run,
				const struct map_op *op, const struct map_rows *base,
				uint32_t entries)
{
	struct map_rows_desc desc = { .name = name,
				      .arg = run,
				      .step = MAP_OPS,
				      .least = least_operations(entries),
				      .base = base,
				      .hidden = !base,
				      .why = { side->no_tenon, side->no_kernel } };

	for (int threads = 0; threads < (op->single ? 1 : 2); threads++) {
		desc.timed[0][threads] = run->prog ? timers[0][threads] : NULL;
		desc.timed[1][threads] = run->kernel ? timers[1][threads] : NULL;
	}
	return map_rows_add(&desc);
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
			printf("  (%s: %.1f %% of the lookups hit)\n", map_engines[engine],
			       100.0 * (double)hits[engine] / (runs * MAP_OPS));
}

#define MAX_OPS 8

static void measure(const char *dir, const struct map_type *type, const struct map_group *group,
		    uint32_t key, uint32_t entries)
{
	uint32_t nr_keys = (uint32_t)((uint64_t)entries * group->percent / 100);
	struct map_run loop, runs[MAX_OPS];
	struct map_rows base, rows[MAX_OPS];
	struct map_side side;
	char name[128], object[64];
	int nr = 0;

	map_object_name(object, sizeof(object), type, key);
	map_side_open(&side, side_path(dir, object), entries, nr_keys);
	if (type->prepare)
		type->prepare(&side, key, nr_keys);
	fill(&side, "fill", nr_keys);
	fill(&side, group->warm, entries);
	if (!map_side_program(&side, "loop", &loop))
		memset(&loop, 0, sizeof(loop));
	base = add_rows("loop", &side, &loop, group->ops, NULL, entries);
	for (const struct map_op *op = group->ops; op->name; op++) {
		if (!map_is_wanted(type, op, key, entries))
			continue;
		if (!map_side_program(&side, op->program, &runs[nr]))
			memset(&runs[nr], 0, sizeof(runs[nr]));
		map_case_name(name, sizeof(name), type, op, key, entries);
		rows[nr] = add_rows(name, &side, &runs[nr], op, &base, entries);
		nr++;
	}
	bench_measure(map_rounds());
	nr = 0;
	for (const struct map_op *op = group->ops; op->name; op++) {
		if (!map_is_wanted(type, op, key, entries))
			continue;
		map_case_name(name, sizeof(name), type, op, key, entries);
		map_rows_print(name, &rows[nr]);
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
static unsigned int measure_type(const char *dir, const struct map_type *type)
{
	static const char *headed; /* several types may go by one name */
	unsigned int nr = 0;

	for (const uint32_t *key = type->keys; *key != MAP_KEYS_END; key++)
		for (const uint32_t *entries = type->entries; *entries; entries++)
			for (const struct map_group *group = type->groups; group->ops; group++) {
				if (!any_wanted(type, group, *key, *entries))
					continue;
				nr++;
				if (!headed || strcmp(headed, type->name) != 0)
					map_rows_head(type->name);
				headed = type->name;
				if (!map_case_fits(type, *key, *entries))
					printf("%s, %u-byte keys, %u entries: not enough memory\n",
					       type->name, *key, *entries);
				else if (type->measure)
					type->measure(dir, type, group, *key, *entries);
				else
					measure(dir, type, group, *key, *entries);
			}
	return nr;
}

void bench_maps(const char *dir)
{
	unsigned int nr = 0;

	printf("\nns per operation, minima, the loop around it subtracted; two threads: of both "
	       "together.\nratio: kernel / jit. scaling: rate of two threads / rate of one.\n");
	for (const struct map_type *type = map_types; type->name; type++)
		nr += measure_type(dir, type);
	if (!nr) {
		fprintf(stderr,
			"bench: no case matches '%s'; they are <type>/<operation>/<key "
			"bytes>/<entries>\n",
			bench_options.filter);
		exit(2);
	}
}
