/* SPDX-License-Identifier: MIT */
/*
 * All allocation goes through here with the runtime as first argument, so that the host's
 * allocator, the byte limit and failure injection apply. Executable memory and map elements have
 * their own pages (base/pages.h) but are charged here too.
 */
#ifndef TN_BASE_MEM_H
#define TN_BASE_MEM_H

#include <stddef.h>
#include <stdint.h>

#include "base/atomic.h"
#include "base/compiler.h"
#include "base/kept.h"

struct tn_rt;

/* As lua_Alloc: nsize 0 frees `ptr` and returns NULL. */
typedef void *(*tn_alloc_fn)(void *user, void *ptr, size_t osize, size_t nsize);

/* What a byte limit is counted against. */
enum tn_charge { TN_CHARGE_HEAP = 0, TN_CHARGE_MAPS, TN_CHARGE_CODE, TN_CHARGE_NR };

struct tn_mem {
	tn_alloc_fn alloc; /* NULL: malloc */
	void *user;
	_Atomic size_t bytes[TN_CHARGE_NR];
	size_t limit[TN_CHARGE_NR]; /* 0: none */
	/* Failure injection, for tests: when positive, counts down on each allocation (heap, pages)
	 * and the one that brings it to 0 fails; then it stays at 0 and nothing fails. */
	_Atomic int64_t fail_after;
	struct tn_kept kept; /* used where `alloc` is NULL */
};

/* All return memory aligned to 16, NULL when it cannot be had (no error record is written: the
 * caller knows what it was for and calls tn_err_nomem()). Any thread. */
void *tn_alloc(struct tn_rt *rt, size_t size) TN_WARN_UNUSED;
void *tn_zalloc(struct tn_rt *rt, size_t size) TN_WARN_UNUSED;
/* NULL when n * size overflows. Zeroed. */
void *tn_alloc_array(struct tn_rt *rt, size_t n, size_t size) TN_WARN_UNUSED;
/* Grow or shrink; the new part is not zeroed; `ptr` may be NULL. On failure `ptr` is intact. */
void *tn_realloc_array(struct tn_rt *rt, void *ptr, size_t n, size_t size) TN_WARN_UNUSED;
void tn_free(struct tn_rt *rt, void *ptr);

char *tn_strdup(struct tn_rt *rt, const char *s) TN_WARN_UNUSED;
char *tn_strndup(struct tn_rt *rt, const char *s, size_t n) TN_WARN_UNUSED;
void *tn_memdup(struct tn_rt *rt, const void *p, size_t size) TN_WARN_UNUSED;
char *tn_asprintf(struct tn_rt *rt, const char *fmt, ...) TN_PRINTF(2, 3) TN_WARN_UNUSED;

#define tn_new(rt, T) ((T *)tn_zalloc((rt), sizeof(T)))

/* Count `bytes` against a limit: 0, or -E2BIG (no record written). */
int tn_charge(struct tn_rt *rt, enum tn_charge what, size_t bytes) TN_WARN_UNUSED;
void tn_uncharge(struct tn_rt *rt, enum tn_charge what, size_t bytes);

/* Should this allocation fail by injection? For allocators of other kinds (pages). */
int tn_mem_should_fail(struct tn_rt *rt);

#endif
