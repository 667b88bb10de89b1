/* SPDX-License-Identifier: MIT */
/* Values with locks and the like: which maps may have them, and how they are copied. */
#include "maps/special.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"

/* Plain bytes [at, end) of the value. A lock is 4 bytes, so words of 8 are cut there: what is
 * aligned to 4 or less is stored in pieces of that size. */
static void store_run(unsigned char *to, const unsigned char *from, uint32_t at, uint32_t end)
{
	while (at < end) {
		if (at % 8 == 0 && end - at >= 8) {
			tn_words_store(to + at, from + at, 8);
			at += 8;
		} else if (at % 4 == 0 && end - at >= 4) {
			uint32_t word;

			memcpy(&word, from + at, 4);
			tn_store_relaxed((_Atomic uint32_t *)(void *)(to + at), word);
			at += 4;
		} else {
			tn_store_relaxed((_Atomic uint8_t *)(to + at), from[at]);
			at++;
		}
	}
}

void tn_map_store_around(const struct tn_map *map, void *to, const void *from)
{
	uint32_t at = 0;

	for (uint32_t i = 0; i < map->nr_specials; i++) {
		store_run(to, from, at, map->specials[i].off);
		at = map->specials[i].off + map->specials[i].size;
	}
	store_run(to, from, at, map->value_size);
}

void tn_map_load_around(const struct tn_map *map, void *to, const void *from)
{
	tn_words_load(to, from, map->value_size);
	for (uint32_t i = 0; i < map->nr_specials; i++)
		memset((unsigned char *)to + map->specials[i].off, 0, map->specials[i].size);
}

const struct tn_map_special *tn_map_special_at(const struct tn_map *map, uint64_t off,
					       uint64_t size)
{
	for (uint32_t i = 0; i < map->nr_specials; i++) {
		const struct tn_map_special *s = &map->specials[i];

		if (off < (uint64_t)s->off + s->size && s->off < off + size)
			return s;
	}
	return NULL;
}

const struct tn_map_special *tn_map_special_of(const struct tn_map *map, uint8_t kind)
{
	for (uint32_t i = 0; i < map->nr_specials; i++)
		if (map->specials[i].kind == kind)
			return &map->specials[i];
	return NULL;
}

const char *tn_map_special_words(uint8_t kind)
{
	switch ((enum tn_special_kind)kind) {
	case TN_SPECIAL_LOCK:
		return "bpf_spin_lock";
	case TN_SPECIAL_TIMER:
		return "bpf_timer";
	case TN_SPECIAL_WQ:
		return "bpf_wq";
	case TN_SPECIAL_KPTR:
		return "kptr";
	case TN_SPECIAL_OTHER:
		break;
	}
	return "special";
}

static bool may_hold(uint32_t type, uint8_t kind)
{
	switch (type) {
	case TN_MAP_HASH:
	case TN_MAP_ARRAY:
		return true;
	/* What is evicted ends its timers as what is deleted does. */
	case TN_MAP_LRU_HASH:
		return kind == TN_SPECIAL_TIMER || kind == TN_SPECIAL_WQ;
	case TN_MAP_TASK_STORAGE:
	case TN_MAP_SK_STORAGE:
		return kind == TN_SPECIAL_LOCK;
	default:
		return false;
	}
}

/* Sorted, apart, inside the value, in a type whose copies know of them. */
int tn_map_check_specials(const struct tn_map *map)
{
	uint64_t end = 0;
	uint32_t locks = 0;

	for (uint32_t i = 0; i < map->nr_specials; i++)
		if (!may_hold(map->type, map->specials[i].kind))
			return tn_map_err(map, -EOPNOTSUPP, "values of type %s cannot hold a %s",
					  tn_map_type_words(map->type),
					  tn_map_special_words(map->specials[i].kind));
	/* Helpers write to them. */
	if (map->nr_specials && map->flags & (TN_MAP_F_RDONLY_PROG | TN_MAP_F_WRONLY_PROG))
		return tn_map_err(map, -EACCES,
				  "its values hold a %s, and programs may only %s them",
				  tn_map_special_words(map->specials[0].kind),
				  map->flags & TN_MAP_F_RDONLY_PROG ? "read" : "write");
	for (uint32_t i = 0; i < map->nr_specials; i++) {
		const struct tn_map_special *s = &map->specials[i];

		if (s->off < end || !s->size || (uint64_t)s->off + s->size > map->value_size)
			return tn_map_err(map, -EINVAL, "its %s at byte %u has no place of its own",
					  tn_map_special_words(s->kind), s->off);
		if (s->kind == TN_SPECIAL_LOCK && s->off % 4)
			return tn_map_err(map, -EINVAL, "its bpf_spin_lock is misaligned");
		if ((s->kind == TN_SPECIAL_TIMER || s->kind == TN_SPECIAL_WQ) &&
		    (s->off % 8 || s->size < 8))
			return tn_map_err(map, -EINVAL, "its %s is misaligned",
					  tn_map_special_words(s->kind));
		end = (uint64_t)s->off + s->size;
		locks += s->kind == TN_SPECIAL_LOCK;
	}
	if (locks > 1)
		return tn_map_err(map, -E2BIG, "its value has %u spin locks, one is possible",
				  locks);
	return 0;
}
