/* SPDX-License-Identifier: MIT */
/* Data pages; code.c has the executable ones. */
#include "base/pages.h"

#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/mem.h"

size_t tn_page_size(void)
{
	static _Atomic size_t cached;
	size_t size = tn_load_relaxed(&cached);

	if (!size) {
		size = (size_t)sysconf(_SC_PAGESIZE);
		tn_store_relaxed(&cached, size);
	}
	return size;
}

/* `size` in whole pages; 0 where that overflows. */
static size_t round_to_pages(size_t size)
{
	size_t page = tn_page_size();

	return size > SIZE_MAX - page ? 0 : TN_ROUND_UP(size, page);
}

static void *map_data(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

void *tn_pages_alloc(struct tn_rt *rt, size_t size)
{
	size_t bytes = round_to_pages(size);

	return !bytes || tn_mem_should_fail(rt) ? NULL : map_data(bytes);
}

/* `bytes` at a multiple of `align`, both in whole pages: more is reserved and its ends given back.
 */
static void *map_aligned(size_t bytes, size_t align)
{
	size_t reserved, before;
	unsigned char *p;

	if (__builtin_add_overflow(bytes, align - tn_page_size(), &reserved))
		return NULL;
	p = map_data(reserved);
	if (!p)
		return NULL;
	before = (size_t)(-(uintptr_t)p & (align - 1));
	if (before)
		munmap(p, before);
	if (reserved - before > bytes)
		munmap(p + before + bytes, reserved - before - bytes);
	return p + before;
}

void *tn_pages_alloc_table(struct tn_rt *rt, size_t size)
{
	size_t bytes = round_to_pages(size);
	void *p;

	if (bytes < TN_HUGE_PAGE_BYTES)
		return tn_pages_alloc(rt, size);
	if (tn_mem_should_fail(rt))
		return NULL;
	p = map_aligned(bytes, TN_HUGE_PAGE_BYTES);
	/* The kernel may have none, or be told to give none: then it is slower. */
	if (p)
		(void)madvise(p, bytes, MADV_HUGEPAGE);
	return p;
}

void tn_pages_free(void *p, size_t size)
{
	if (p)
		munmap(p, round_to_pages(size));
}

int tn_pages_protect_read(void *p, size_t size)
{
	return mprotect(p, round_to_pages(size), PROT_READ) ? -errno : 0;
}

void tn_pages_advise_huge(void *p, size_t size)
{
	(void)madvise(p, size, MADV_HUGEPAGE); /* nothing is lost where it is refused */
}

void tn_pages_discard(void *p, size_t size)
{
	/* Refused (locked pages): zero them, which is what the caller is promised. */
	if (madvise(p, round_to_pages(size), MADV_DONTNEED))
		__builtin_memset(p, 0, round_to_pages(size));
}
