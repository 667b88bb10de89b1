/* SPDX-License-Identifier: MIT */
/*
 * The ring buffer. Without wake-ups the consumer takes the records between batches, outside the
 * clock; a live one waits on another core, and the time ends when it has seen the last record.
 */
#include <stdio.h>
#include <stdlib.h>

#include "harness.h"
#include "kernel.h"
#include "map_cases.h"
#include "map_side.h"
#include "map_table.h"
#include "pair.h"
#include "tenon_side.h"

/* Records that fit: 64 bytes and 8 of header each, in a MiB. */
#define BATCH (MAP_OPS * 200)

struct ring_run {
	struct map_run run; /* first: map_run_tenon() and map_run_kernel() take it */
	struct map_side *side;
	struct tenon_ring_buffer *consumer;
};

static int ignore_sample(void *user, void *data, size_t size)
{
	(void)user;
	(void)data;
	(void)size;
	return 0;
}

static double time_tenon(void *arg, uint64_t n)
{
	struct ring_run *ring = arg;
	double sum = 0;

	for (; n; n -= BATCH) {
		sum += map_time_tenon(&ring->run, BATCH);
		tenon_ring_buffer_consume(ring->consumer);
	}
	return sum;
}

static double time_kernel(void *arg, uint64_t n)
{
	struct ring_run *ring = arg;
	double sum = 0;

	for (; n; n -= BATCH) {
		sum += map_time_kernel(&ring->run, BATCH);
		kernel_drain(ring->side->kernel, "map", false);
	}
	return sum;
}

/* Half a batch on each of the threads. */
static double time_tenon_pair(void *arg, uint64_t n)
{
	struct ring_run *ring = arg;
	double sum = 0;

	for (; n; n -= BATCH)
		for (int half = 0; half < 2; half++) {
			sum += map_time_tenon_pair(&ring->run, BATCH / 2);
			tenon_ring_buffer_consume(ring->consumer);
		}
	return sum;
}

static double time_kernel_pair(void *arg, uint64_t n)
{
	struct ring_run *ring = arg;
	double sum = 0;

	for (; n; n -= BATCH)
		for (int half = 0; half < 2; half++) {
			sum += map_time_kernel_pair(&ring->run, BATCH / 2);
			kernel_drain(ring->side->kernel, "map", false);
		}
	return sum;
}

static void consume_tenon(void *arg, uint64_t n)
{
	struct ring_run *ring = arg;

	for (uint64_t seen = 0; seen < n;) {
		int got = tenon_ring_buffer_poll(ring->consumer, 100);

		if (got < 0)
			side_die("ring buffer");
		seen += (uint64_t)got;
	}
}

static void consume_kernel(void *arg, uint64_t n)
{
	struct ring_run *ring = arg;

	for (uint64_t seen = 0; seen < n;)
		seen += kernel_drain(ring->side->kernel, "map", true);
}

static double time_tenon_live(void *arg, uint64_t n)
{
	double sum = 0;

	for (; n; n -= BATCH)
		sum += pair_run_two(map_run_tenon, consume_tenon, arg, BATCH);
	return sum;
}

static double time_kernel_live(void *arg, uint64_t n)
{
	double sum = 0;

	for (; n; n -= BATCH)
		sum += pair_run_two(map_run_kernel, consume_kernel, arg, BATCH);
	return sum;
}

static struct map_rows add_op(const char *name, const struct map_op *op, struct ring_run *ring,
			      const struct map_rows *base)
{
	struct map_rows_desc desc = {
		.name = name,
		.timed = { { time_tenon, time_tenon_pair }, { time_kernel, time_kernel_pair } },
		.arg = ring,
		.step = BATCH,
		.base = base,
		.why = { ring->side->no_tenon, ring->side->no_kernel },
	};

	if (op->single) {
		desc.timed[0][0] = pair_possible() ? time_tenon_live : NULL;
		desc.timed[1][0] = pair_possible() ? time_kernel_live : NULL;
		desc.timed[0][1] = desc.timed[1][1] = NULL;
		desc.base = NULL;
	}
	for (int threads = 0; threads < 2; threads++) {
		if (!ring->run.prog)
			desc.timed[0][threads] = NULL;
		if (!ring->run.kernel)
			desc.timed[1][threads] = NULL;
	}
	return map_rows_add(&desc);
}

#define MAX_OPS 4

void map_measure_ring(const char *dir, const struct map_type *type, const struct map_group *group,
		      uint32_t key, uint32_t entries)
{
	struct map_rows base, rows[MAX_OPS];
	struct ring_run rings[MAX_OPS];
	struct map_side side;
	struct ring_run loop = { .side = &side };
	struct tenon_ring_buffer *consumer = NULL;
	char name[128];
	int nr = 0;

	map_side_open(&side, side_path(dir, "bench_map_ringbuf"), entries, 1000);
	if (side.object) {
		consumer = tenon_ring_buffer_new(tenon_object_find_map(side.object, "map"),
						 ignore_sample, NULL);
		if (!consumer)
			side_die("ring buffer");
	}
	map_side_program(&side, "loop", &loop.run);
	loop.consumer = consumer;
	base = map_rows_add(
		&(struct map_rows_desc){ .name = "loop",
					 .timed = { { loop.run.prog ? time_tenon : NULL,
						      loop.run.prog ? time_tenon_pair : NULL },
						    { loop.run.kernel ? time_kernel : NULL,
						      loop.run.kernel ? time_kernel_pair : NULL } },
					 .arg = &loop,
					 .step = BATCH,
					 .hidden = true });
	for (const struct map_op *op = group->ops; op->name; op++) {
		if (!map_is_wanted(type, op, key, entries))
			continue;
		rings[nr] = (struct ring_run){ .side = &side, .consumer = consumer };
		map_side_program(&side, op->program, &rings[nr].run);
		map_case_name(name, sizeof(name), type, op, key, entries);
		rows[nr] = add_op(name, op, &rings[nr], &base);
		nr++;
	}
	bench_measure(map_rounds());
	nr = 0;
	for (const struct map_op *op = group->ops; op->name; op++) {
		if (!map_is_wanted(type, op, key, entries))
			continue;
		map_case_name(name, sizeof(name), type, op, key, entries);
		map_rows_print(name, &rows[nr++]);
	}
	tenon_ring_buffer_free(consumer);
	map_side_close(&side);
}
