/* SPDX-License-Identifier: MIT */
/*
 * One object of the map bench loaded into Tenon and into the kernel, with the same sizes. Programs
 * do MAP_OPS operations a run on the map that is called "map".
 */
#ifndef BENCH_MAP_SIDE_H
#define BENCH_MAP_SIDE_H

#include <stdbool.h>
#include <stdint.h>

#define MAP_OPS 60 /* programs/map_loop.h */

struct map_side {
	struct tenon_runtime *rt;
	struct tenon_object *object; /* NULL: there is none, `no_tenon` says why */
	struct kernel_prog *kernel;  /* NULL: there is none, `no_kernel` says why */
	const char *no_tenon, *no_kernel;
};

/* A program of it: what the runs below take. */
struct map_run {
	struct tenon_program *prog;
	struct kernel_prog *kernel;
};

/* max_entries 0: as the object says. Ends the process where the object has a fault; a map that the
 * runtime or the kernel refuses is a reason in words. */
void map_side_open(struct map_side *side, const char *path, uint32_t max_entries, uint32_t nr_keys);
void map_side_close(struct map_side *side);

/* False: the object has no such program. */
bool map_side_program(struct map_side *side, const char *name, struct map_run *run);

/* `n` operations on one side. */
void map_run_tenon(void *map_run, uint64_t n);
void map_run_kernel(void *map_run, uint64_t n);
/* One run; what the program returns. */
uint32_t map_result_tenon(struct map_run *run);
uint32_t map_result_kernel(struct map_run *run);

/* Nanoseconds of n operations on one thread (the kernel's by its own clock: setting a test run up
 * does not count), and of n on each of two threads, divided by two. */
double map_time_tenon(void *map_run, uint64_t n);
double map_time_kernel(void *map_run, uint64_t n);
double map_time_tenon_pair(void *map_run, uint64_t n);
double map_time_kernel_pair(void *map_run, uint64_t n);

#endif
