/* SPDX-License-Identifier: MIT */
/*
 * Tail-call targets. Elements are program pointers, replaced by release stores and read inside an
 * epoch section. The array holds a reference on each program. Its owner signature (context type,
 * return range, grants) is set by the first program that uses or enters it and checked at every
 * update; vm hands both in through callbacks, since maps knows nothing of programs.
 */
#ifndef TN_MAPS_PROG_ARRAY_H
#define TN_MAPS_PROG_ARRAY_H

#include "maps/map.h"

struct tn_prog_array_host {
	/* Program id -> program with a reference for the array, or NULL, errno. */
	void *(*get)(struct tn_rt *rt, uint32_t id);
	void (*put)(void *prog);
	uint32_t (*id)(const void *prog);
	/* 0, or -EINVAL with words: `prog` does not fit an array of this owner signature. */
	int (*fits)(const void *prog, const void *owner_sig);
};

void tn_prog_array_set_host(struct tn_map *map, const struct tn_prog_array_host *host);

/* Bind the array to an owner signature (borrowed for the map's life, compared by `fits`). */
int tn_prog_array_bind(struct tn_map *map, const void *owner_sig);

/* The program at `index`, or NULL. Inside an epoch section. */
const void *tn_prog_array_at(const struct tn_map *map, uint64_t index);

/* Drop every element: breaks the cycle program -> map -> program when the owner closes. */
void tn_prog_array_clear(struct tn_map *map);

#endif
