/* SPDX-License-Identifier: MIT */
#include "map_side.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kernel.h"
#include "pair.h"
#include "tenon_side.h"

static unsigned char frame[64];

/* It is called after the object: "bench_ma.rodata". */
static struct tenon_map *find_rodata(struct tenon_object *object)
{
	const char *const suffix = ".rodata";

	for (struct tenon_map *map = NULL; (map = tenon_object_next_map(object, map));) {
		struct tenon_map_info info = { .sz = sizeof(info) };
		size_t length;

		if (tenon_map_info(map, &info))
			continue;
		length = strlen(info.name);
		if (length >= strlen(suffix) &&
		    strcmp(info.name + length - strlen(suffix), suffix) == 0)
			return map;
	}
	return NULL;
}

static void open_tenon(struct map_side *side, const char *path, uint32_t max_entries,
		       uint32_t nr_keys)
{
	const struct tenon_limits limits = { .sz = sizeof(limits),
					     .fuel = UINT64_MAX,
					     .max_map_bytes = (size_t)64 << 30 };
	const struct tenon_runtime_opts opts = { .sz = sizeof(opts), .limits = &limits };
	struct tenon_map *map, *rodata;

	side->rt = tenon_runtime_new(&opts);
	side->object = side->rt ? tenon_object_open_file(side->rt, path, NULL) : NULL;
	if (!side->object)
		side_die(path);
	map = tenon_object_find_map(side->object, "map");
	rodata = find_rodata(side->object);
	if (!map || !rodata || tenon_map_set_initial_value(rodata, &nr_keys, sizeof(nr_keys)) ||
	    (max_entries && tenon_map_set_max_entries(map, max_entries)))
		side_die(path);
	if (!tenon_object_load(side->object))
		return;
	side->no_tenon = strdup(tenon_last_error()->msg);
	tenon_object_close(side->object);
	side->object = NULL;
}

void map_side_open(struct map_side *side, const char *path, uint32_t max_entries, uint32_t nr_keys)
{
	memset(side, 0, sizeof(*side));
	open_tenon(side, path, max_entries, nr_keys);
	side->kernel = kernel_load_sized(path, max_entries, nr_keys, &side->no_kernel);
}

void map_side_close(struct map_side *side)
{
	if (side->object)
		tenon_object_close(side->object);
	tenon_runtime_free(side->rt);
	kernel_unload(side->kernel);
	memset(side, 0, sizeof(*side));
}

bool map_side_program(struct map_side *side, const char *name, struct map_run *run)
{
	run->prog = side->object ? tenon_object_find_program(side->object, name) : NULL;
	run->kernel = side->kernel ? kernel_sibling(side->kernel, name) : NULL;
	return run->prog || run->kernel;
}

static uint32_t run_tenon(struct tenon_program *prog, uint64_t runs)
{
	struct tenon_test_run_opts opts = { .sz = sizeof(opts),
					    .data_in = frame,
					    .data_in_size = sizeof(frame) };

	while (runs) {
		opts.repeat = runs > 1000000 ? 1000000 : (uint32_t)runs;
		if (tenon_program_test_run(prog, &opts))
			side_die("test run");
		runs -= opts.repeat;
	}
	return (uint32_t)opts.retval;
}

void map_run_tenon(void *map_run, uint64_t n)
{
	run_tenon(((struct map_run *)map_run)->prog, n / MAP_OPS);
}

void map_run_kernel(void *map_run, uint64_t n)
{
	kernel_run(((struct map_run *)map_run)->kernel, frame, sizeof(frame), n / MAP_OPS, NULL);
}

uint32_t map_result_tenon(struct map_run *run)
{
	return run_tenon(run->prog, 1);
}

uint32_t map_result_kernel(struct map_run *run)
{
	return kernel_run(run->kernel, frame, sizeof(frame), 1, NULL);
}

/* The kernel's clock of a test run stops while another thread has the core: so does this one. */
static uint64_t thread_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

double map_time_tenon(void *map_run, uint64_t n)
{
	uint64_t start = thread_ns();

	map_run_tenon(map_run, n);
	return (double)(thread_ns() - start);
}

double map_time_kernel(void *map_run, uint64_t n)
{
	struct map_run *run = map_run;
	double ns = 0;

	kernel_run(run->kernel, frame, sizeof(frame), n / MAP_OPS, &ns);
	return ns;
}

double map_time_tenon_pair(void *map_run, uint64_t n)
{
	return pair_run(map_run_tenon, map_run, n) / 2;
}

double map_time_kernel_pair(void *map_run, uint64_t n)
{
	return pair_run(map_run_kernel, map_run, n) / 2;
}
