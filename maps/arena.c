/* SPDX-License-Identifier: MIT */
/* What arena.h describes. */
#include "maps/arena.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "base/err.h"
#include "base/fork.h"
#include "base/pages.h"

#define PAGE	    ((size_t)1 << TN_ARENA_PAGE_SHIFT)
#define MAX_PAGES   ((uint64_t)1 << 20)
#define TABLE_GUARD 16 /* pages that a 16-bit offset reaches beyond either end, and then some */

/* Where pointers begin if map_extra does not say: no address of this process. The low half is not 0
 * but where the arena needs all of it: casts take a pointer whose low half is 0 for NULL. */
#define DEFAULT_START ((uint64_t)1 << 44)
#define DEFAULT_LOW   ((uint64_t)16)

/* Beyond TN_ARENA_ALLOCATED: never used; freed, and perhaps not zero. */
enum { NEVER = 0, FREED = 2 };

#define ALLOWED_FLAGS (TN_MAP_F_MMAPABLE | TN_MAP_F_SEGV_ON_FAULT | TN_MAP_F_NO_USER_CONV)

struct arena {
	struct tn_map map;
	struct tn_arena_view view;
	unsigned char *table; /* with its guards */
	unsigned char *mine;  /* bytes of this arena's pages in it */
	/* Taken inside a writer section, holds nothing. Protects what follows, and changes of
	 * `mine`. */
	pthread_mutex_t lock;
	uint32_t lowest; /* no page below it is free */
	uint32_t nr_allocated;
};

static struct arena *arena_of(const struct tn_map *map)
{
	return TN_CONTAINER_OF(map, struct arena, map);
}

static uint64_t start_of(const struct tn_map *map)
{
	if (map->extra)
		return map->extra;
	return DEFAULT_START +
	       (map->max_entries + DEFAULT_LOW <= MAX_PAGES ? DEFAULT_LOW * PAGE : 0);
}

static struct tn_thread *lock_arena(struct arena *a)
{
	struct tn_thread *t = tn_thread_self();

	tn_writer_enter(t);
	pthread_mutex_lock(&a->lock);
	return t;
}

static void unlock_arena(struct arena *a, struct tn_thread *t)
{
	pthread_mutex_unlock(&a->lock);
	tn_writer_leave(t);
}

/* ---- Life ---- */

static int check(const struct tn_map *map)
{
	uint64_t start = start_of(map), last;

	if (map->key_size || map->value_size)
		return tn_map_err(map, -EINVAL, "an arena has neither keys nor values");
	if (!map->max_entries)
		return tn_map_err(map, -EINVAL, "max_entries is 0");
	if (!(map->flags & TN_MAP_F_MMAPABLE) || map->flags & ~ALLOWED_FLAGS)
		return tn_map_err(map, -EINVAL, "flags are 0x%x, an arena's are BPF_F_MMAPABLE",
				  map->flags);
	if (start % PAGE)
		return tn_map_err(map, -EINVAL, "map_extra 0x%llx is not at a page",
				  (unsigned long long)start);
	if (map->max_entries > MAX_PAGES)
		return tn_map_err(map, -E2BIG, "%u pages are more than 4 GiB", map->max_entries);
	last = start + (uint64_t)map->max_entries * PAGE - 1;
	if (start >> 32 != last >> 32)
		return tn_map_err(map, -ERANGE, "its addresses cross a multiple of 4 GiB");
	return 0;
}

static int init(struct tn_map *map)
{
	struct arena *a = arena_of(map);
	uint32_t first = (uint32_t)start_of(map) >> TN_ARENA_PAGE_SHIFT;
	int err;

	pthread_mutex_init(&a->lock, NULL);
	/* The table's pages are touched where the arena's are. */
	err = tn_map_charge(map, TN_ROUND_UP((size_t)map->max_entries, PAGE) + PAGE);
	if (err)
		return err;
	map->values_size = (size_t)map->max_entries * PAGE;
	map->values = tn_pages_alloc(map->rt, map->values_size);
	a->table = tn_pages_alloc(map->rt, MAX_PAGES + 2 * TABLE_GUARD);
	if (!map->values || !a->table)
		return tn_map_err(map, -ENOMEM, "cannot reserve %zu bytes", map->values_size);
	a->mine = a->table + TABLE_GUARD + first;
	a->view = (struct tn_arena_view){
		.pages = a->table + TABLE_GUARD,
		.bias = (uintptr_t)map->values - ((uintptr_t)first << TN_ARENA_PAGE_SHIFT),
		.start = start_of(map),
	};
	return 0;
}

static void fini(struct tn_map *map)
{
	struct arena *a = arena_of(map);

	tn_pages_free(map->values, map->values_size);
	tn_pages_free(a->table, MAX_PAGES + 2 * TABLE_GUARD);
	pthread_mutex_destroy(&a->lock);
}

const struct tn_arena_view *tn_arena_view(const struct tn_map *map)
{
	return &arena_of(map)->view;
}

/* ---- Pages. Under the lock. ---- */

static bool all_free(const struct arena *a, uint32_t first, uint32_t nr)
{
	for (uint32_t i = 0; i < nr; i++)
		if (a->mine[first + i] == TN_ARENA_ALLOCATED)
			return false;
	return true;
}

/* The lowest place of `nr` free pages in a row; max_entries: none. */
static uint32_t find_free(struct arena *a, uint32_t nr)
{
	uint32_t max = a->map.max_entries, run = 0;

	while (a->lowest < max && a->mine[a->lowest] == TN_ARENA_ALLOCATED)
		a->lowest++;
	for (uint32_t i = a->lowest; i < max; i++) {
		run = a->mine[i] == TN_ARENA_ALLOCATED ? 0 : run + 1;
		if (run == nr)
			return i + 1 - nr;
	}
	return max;
}

static int take_pages(struct arena *a, uint32_t first, uint32_t nr)
{
	uint32_t fresh = 0, freed = 0;

	for (uint32_t i = first; i < first + nr; i++) {
		fresh += a->mine[i] == NEVER;
		freed += a->mine[i] == FREED;
	}
	if (tn_charge(a->map.rt, TN_CHARGE_MAPS, fresh * PAGE))
		return -ENOMEM;
	a->map.charged += fresh * PAGE;
	/* What an access that raced with the release left there. */
	if (freed)
		tn_pages_discard(a->map.values + first * PAGE, nr * PAGE);
	/* Pairs with the acquire in tn_arena_place(): the page is zero. */
	for (uint32_t i = first; i < first + nr; i++)
		__atomic_store_n(&a->mine[i], TN_ARENA_ALLOCATED, __ATOMIC_RELEASE);
	a->nr_allocated += nr;
	return 0;
}

static uint32_t page_of(const struct arena *a, uint64_t at)
{
	return ((uint32_t)at - (uint32_t)a->view.start) >> TN_ARENA_PAGE_SHIFT;
}

uint64_t tn_arena_alloc(struct tn_map *map, uint64_t at, uint32_t nr)
{
	struct arena *a = arena_of(map);
	struct tn_thread *t;
	uint64_t found = 0;
	uint32_t first;

	if (!nr || nr > map->max_entries || at % PAGE)
		return 0;
	t = lock_arena(a);
	first = at ? page_of(a, at) : find_free(a, nr);
	if (first <= map->max_entries - nr && all_free(a, first, nr) && !take_pages(a, first, nr))
		found = a->view.start + first * PAGE;
	unlock_arena(a, t);
	return found;
}

void tn_arena_release(struct tn_map *map, uint64_t at, uint32_t nr)
{
	struct arena *a = arena_of(map);
	uint32_t first = page_of(a, at), end;
	struct tn_thread *t;

	if (!nr || first >= map->max_entries)
		return;
	end = first + TN_MIN(nr, map->max_entries - first);
	t = lock_arena(a);
	for (uint32_t i = first; i < end; i++) {
		if (a->mine[i] != TN_ARENA_ALLOCATED)
			continue;
		__atomic_store_n(&a->mine[i], FREED, __ATOMIC_RELEASE);
		a->nr_allocated--;
	}
	/* One call of the kernel, whatever lies in between. */
	tn_pages_discard(map->values + first * PAGE, (end - first) * PAGE);
	a->lowest = TN_MIN(a->lowest, first);
	unlock_arena(a, t);
}

int tn_arena_fill(struct tn_map *map, const void *data, size_t size)
{
	struct arena *a = arena_of(map);
	size_t nr = TN_ROUND_UP(size, PAGE) / PAGE;
	struct tn_thread *t;
	int err;

	if (nr > map->max_entries)
		return tn_map_err(map, -E2BIG, "%zu bytes of globals do not fit into %u pages",
				  size, map->max_entries);
	t = lock_arena(a);
	err = nr && !all_free(a, 0, (uint32_t)nr) ? -EBUSY : take_pages(a, 0, (uint32_t)nr);
	unlock_arena(a, t);
	if (err)
		return tn_map_err(map, err, "no pages for %zu bytes of globals", size);
	if (data)
		memcpy(map->values, data, size);
	return 0;
}

static uint32_t count(struct tn_map *map)
{
	return __atomic_load_n(&arena_of(map)->nr_allocated, __ATOMIC_RELAXED);
}

const struct tn_map_ops tn_arena_ops = {
	.struct_size = sizeof(struct arena),
	.check = check,
	.init = init,
	.fini = fini,
	.count = count,
};
