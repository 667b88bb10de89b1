/* SPDX-License-Identifier: MIT */
/*
 * A growable array: struct { T *v; uint32_t nr, cap; }. Declare one with TN_VEC(T), zero it, push
 * with tn_vec_push(); element pointers are valid until the next push.
 */
#ifndef TN_BASE_VEC_H
#define TN_BASE_VEC_H

#include "base/mem.h"

#define TN_VEC(T)                 \
	struct {                  \
		T *v;             \
		uint32_t nr, cap; \
	}

/* Make room for `want` elements of `size`; 0 or -ENOMEM (no record). */
int tn_vec_reserve(struct tn_rt *rt, void **v, uint32_t *cap, uint32_t want,
		   size_t size) TN_WARN_UNUSED;

/* A pointer to a new zeroed last element, or NULL: out of memory. */
#define tn_vec_push(rt, vec)                                                                       \
	(tn_vec_reserve((rt), (void **)&(vec)->v, &(vec)->cap, (vec)->nr + 1, sizeof((vec)->v[0])) \
		 ? NULL                                                                            \
		 : (memset(&(vec)->v[(vec)->nr], 0, sizeof((vec)->v[0])), &(vec)->v[(vec)->nr++]))

#define tn_vec_free(rt, vec)                \
	do {                                \
		tn_free((rt), (vec)->v);    \
		(vec)->v = NULL;            \
		(vec)->nr = (vec)->cap = 0; \
	} while (0)

#endif
