/* SPDX-License-Identifier: MIT */
/* The kernel's side, through libbpf: programs for test runs alone, closed at the end. */
#ifndef BENCH_KERNEL_H
#define BENCH_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct kernel_prog;

/* NULL: `*why` says why (no libbpf, bpf(2) refused, the verifier's words). */
struct kernel_prog *kernel_load(const char *object, const char *program, const char **why);

/* A whole object, to be used with kernel_sibling(): every map that is called "map" gets
 * `max_entries` (0: as it stands), and .rodata, which is one word, `nr_keys`. */
struct kernel_prog *kernel_load_sized(const char *object, uint32_t max_entries, uint32_t nr_keys,
				      const char **why);

/* Another program of the same loaded object, borrowed from `prog`; NULL: there is none. */
struct kernel_prog *kernel_sibling(struct kernel_prog *prog, const char *program);

/* The object's map "inner" into its map "map", under each of nr_keys keys that stand in a row. */
void kernel_put_inner(struct kernel_prog *prog, void *keys, uint32_t nr_keys);

/* Run it `repeat` times on a frame; the result of the last run. *ns (may be NULL): what the
 * kernel's own clock says of all runs; setting a test run up takes milliseconds that are not
 * counted. */
uint32_t kernel_run(struct kernel_prog *prog, const void *frame, size_t size, uint64_t repeat,
		    double *ns);
/* Consume everything in the ring buffer `map` of its object; with `wait` for some, wait until there
 * is something. Returns how many records that were. */
uint64_t kernel_drain(struct kernel_prog *prog, const char *map, bool wait);
/* Instructions that the kernel's verifier went through; 0: unknown. */
uint32_t kernel_verified(struct kernel_prog *prog);
/* What the kernel's log says that verifying the programs of an object took, in microseconds, of
 * `n` loads the shortest; 0: unknown. */
double kernel_verify_us(const char *object, int n);
/* Instructions of the object's first program where two or more edges of the control flow arrive, as
 * libbpf reads it; 0: unknown. */
uint32_t kernel_joins(const char *object);
void kernel_unload(struct kernel_prog *prog);

#endif
