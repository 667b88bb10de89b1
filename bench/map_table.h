/* SPDX-License-Identifier: MIT */
/* The rows of a case of the map bench, by engine and threads, and the line that shows them. */
#ifndef BENCH_MAP_TABLE_H
#define BENCH_MAP_TABLE_H

#include <stdbool.h>
#include <stdint.h>

/* [0] Tenon, [1] the kernel. */
extern const char *const map_engines[2];

/* Of the harness, by engine and threads: [0] one, [1] two. */
struct map_rows {
	int of[2][2];
};

struct map_rows_desc {
	const char *name;			      /* copied */
	double (*timed[2][2])(void *arg, uint64_t n); /* NULL: no figure */
	void *arg;				      /* as long as the rows are measured */
	uint64_t n; /* operations a round; 0: found, a multiple of `step` */
	uint32_t step;
	uint64_t least;		     /* where n is 0 */
	const struct map_rows *base; /* what is subtracted, or NULL */
	bool hidden;
	const char *why[2]; /* by engine: why there is no figure; NULL: it makes no sense */
};

struct map_rows map_rows_add(const struct map_rows_desc *desc);

unsigned int map_rounds(void);

void map_rows_head(const char *type);
void map_rows_print(const char *name, const struct map_rows *rows);

#endif
