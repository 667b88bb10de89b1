/* SPDX-License-Identifier: MIT */
/*
 * Memory that does not come from the heap: pages of map elements, reserved and touched on use, and
 * private mappings of code. Code memory is written first and flipped to read-execute once, before
 * it is published; it is never mapped shared, so that after fork(2) a child can change neither its
 * parent's code nor be changed by it.
 */
#ifndef TN_BASE_PAGES_H
#define TN_BASE_PAGES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"

struct tn_rt;

size_t tn_page_size(void);

/* ---- Data: zeroed, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE. Sizes are rounded up to pages.
 * NULL: out of memory. Not charged: the caller charges what it uses. ---- */
void *tn_pages_alloc(struct tn_rt *rt, size_t size) TN_WARN_UNUSED;
/* The same for what is read here and there all over: huge pages, where it is large enough to have
 * one and the system gives them. Each is still touched on use, but as a whole. */
#define TN_HUGE_PAGE_BYTES ((size_t)2 << 20)
void *tn_pages_alloc_table(struct tn_rt *rt, size_t size) TN_WARN_UNUSED;
void tn_pages_free(void *p, size_t size);
/* Make whole pages read-only (.rodata, frozen maps). 0 or -errno. */
int tn_pages_protect_read(void *p, size_t size) TN_WARN_UNUSED;
/* Large areas that are read at random may be of huge pages, where there are such. */
void tn_pages_advise_huge(void *p, size_t size);
/* Give the memory of whole pages back; they read as zero. */
void tn_pages_discard(void *p, size_t size);

/* ---- Code ---- */
struct tn_code {
	unsigned char *base; /* writable until tn_code_seal(), then read-execute */
	size_t size;	     /* bytes mapped */
	bool sealed;
};

/* Does this process get executable memory at all? Probes once (map, write, flip, run); where it is
 * refused the words of tn_err_last() name the reason. 0, or -EACCES/-EPERM. */
int tn_code_probe(void);
/* 0, -ENOMEM, -E2BIG (limit of the runtime). Charged to TN_CHARGE_CODE. */
int tn_code_alloc(struct tn_rt *rt, size_t size, struct tn_code *code) TN_WARN_UNUSED;
/* The same, within reach of a 32-bit distance from `near` where there is room. NULL: anywhere. */
int tn_code_alloc_near(struct tn_rt *rt, size_t size, const void *near,
		       struct tn_code *code) TN_WARN_UNUSED;
int tn_code_seal(struct tn_rt *rt, struct tn_code *code) TN_WARN_UNUSED;
/* Write into sealed code through /proc/self/mem. Not atomic: code that may be running changes one
 * byte, then tn_code_sync(). -errno where it is refused. */
int tn_code_patch(struct tn_code *code, size_t off, const void *bytes, size_t size) TN_WARN_UNUSED;
int tn_code_sync(void); /* membarrier SYNC_CORE */
void tn_code_free(struct tn_rt *rt, struct tn_code *code);

#endif
