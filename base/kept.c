/* SPDX-License-Identifier: MIT */
#include "base/kept.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"

/* Under a sanitizer a use after the end must stay one. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define KEEPS false
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define KEEPS false
#else
#define KEEPS true
#endif
#else
#define KEEPS true
#endif

void tn_kept_init(struct tn_kept *k)
{
	memset(k->first, 0, sizeof(k->first));
	k->bytes = 0;
	atomic_flag_clear_explicit(&k->busy, memory_order_relaxed);
}

void tn_kept_fini(struct tn_kept *k)
{
	for (unsigned i = 0; i < TN_KEPT_CLASSES; i++) {
		while (k->first[i]) {
			void *block = k->first[i];

			memcpy(&k->first[i], block, sizeof(block));
			free(block);
		}
	}
	k->bytes = 0;
}

/* Number of the class that `size`, one of theirs, is of: 0 is the smallest. */
static unsigned class_of(size_t size)
{
	unsigned top = 63 - (unsigned)__builtin_clzll(size);

	return 4 * (top - (unsigned)__builtin_ctzll(TN_KEPT_MIN_BYTES)) +
	       (unsigned)(size >> (top - 2) & 3);
}

size_t tn_kept_size(size_t bytes)
{
	size_t step;

	if (!KEEPS || bytes > TN_KEPT_MAX_BYTES || bytes < TN_KEPT_MIN_BYTES)
		return 0;
	/* A quarter of the power of two below. */
	step = (size_t)1 << (61 - __builtin_clzll(bytes));
	return TN_ROUND_UP(bytes, step);
}

static bool enter(struct tn_kept *k)
{
	return !atomic_flag_test_and_set_explicit(&k->busy, memory_order_acquire);
}

static void leave(struct tn_kept *k)
{
	atomic_flag_clear_explicit(&k->busy, memory_order_release);
}

void *tn_kept_take(struct tn_kept *k, size_t size)
{
	void **first = &k->first[class_of(size)], *block;

	if (!enter(k))
		return NULL;
	block = *first;
	if (block) {
		memcpy(first, block, sizeof(block));
		k->bytes -= size;
	}
	leave(k);
	return block;
}

void tn_kept_put(struct tn_kept *k, void *block, size_t size)
{
	void **first = &k->first[class_of(size)];
	bool room;

	if (!enter(k)) {
		free(block);
		return;
	}
	room = k->bytes + size <= TN_KEPT_BYTES;
	if (room) {
		memcpy(block, first, sizeof(block));
		*first = block;
		k->bytes += size;
	}
	leave(k);
	if (!room)
		free(block);
}
