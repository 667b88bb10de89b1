/* SPDX-License-Identifier: MIT */
/* The same work on two threads at once, the second one on a core of its own. */
#ifndef BENCH_PAIR_H
#define BENCH_PAIR_H

#include <stdbool.h>
#include <stdint.h>

/* False: the machine has one core. */
bool pair_possible(void);

/* Both threads do run(arg, n) from a common start; nanoseconds until the slower one is done. */
double pair_run(void (*run)(void *arg, uint64_t n), void *arg, uint64_t n);

/* Each its own: the caller `run`, the other thread `other`, which is to end by itself. */
double pair_run_two(void (*run)(void *arg, uint64_t n), void (*other)(void *arg, uint64_t n),
		    void *arg, uint64_t n);

#endif
