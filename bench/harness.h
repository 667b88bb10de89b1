/* SPDX-License-Identifier: MIT */
/*
 * One harness and one form for all benches. A bench adds cases; the harness pins the process, runs
 * every case in turn, round after round, so that a noisy moment hits all of them, and keeps minimum
 * and median. A case may name another one as its base, whose time is subtracted (loop or call
 * overhead): so minima are compared with minima of the same run.
 */
#ifndef BENCH_HARNESS_H
#define BENCH_HARNESS_H

#include <stdbool.h>
#include <stdint.h>

#define NO_BASE (-1)

struct bench_case {
	const char *bench;  /* "hooks", "jit", "maps", "helpers", "verify" */
	const char *name;   /* the case: "off", "checksum" */
	const char *engine; /* "interp", "jit", "kernel", "clang", ... */
	const char *unit;   /* "ns" per operation */
	/* Do the operation `n` times. The harness takes the time, unless `timed` gives the
	 * nanoseconds of all n itself (the kernel's own clock, without the set-up of a test run).
	 */
	void (*run)(void *arg, uint64_t n);
	double (*timed)(void *arg, uint64_t n);
	void *arg;
	uint64_t n;	 /* operations a round; 0: found so that a round takes about 2 ms */
	uint32_t step;	 /* where n is 0: it becomes a multiple of this; 0: 1 */
	uint64_t least;	 /* where n is 0: no fewer; 0: any */
	int base;	 /* index of the case to subtract, or NO_BASE */
	bool hidden;	 /* a base that is no result itself */
	const char *why; /* run and timed NULL: why there is no figure */
};

/* Returns the index, for `base`. Exits where memory is out: a bench, not a library. */
int bench_add(const struct bench_case *c);

/* Run every case added since the last call and append the rows; print the table. */
void bench_run(unsigned int rounds);

/* The same without the table: the bench prints its own with bench_result(). */
void bench_measure(unsigned int rounds);

struct bench_result {
	double min, median; /* without the base */
	bool valid;	    /* false: there is no figure */
};
struct bench_result bench_result(int index);

/* All rows of all benches. 0, or -1 with a message on standard error. */
int bench_write_json(const char *path);

/* A row that is not a time per operation (ratios): value given. */
void bench_note(const char *bench, const char *name, const char *engine, const char *unit,
		double value);

/* The minimum of a row of this run, or a negative number. */
double bench_min(const char *bench, const char *name, const char *engine);

uint64_t bench_now_ns(void);

/* What the command line says beyond the bench's name. */
struct bench_options {
	const char *filter;  /* NULL: all cases; the maps bench alone knows it */
	unsigned int rounds; /* 0: the bench's own number; the maps bench alone knows it */
	bool quick;
};
extern struct bench_options bench_options;

/* Each bench in its own file. `dir` holds the .bpf.o files. */
void bench_hooks(const char *dir);
void bench_jit(const char *dir);
void bench_maps(const char *dir);
void bench_helpers(const char *dir);
void bench_verify(const char *dir);

#endif
