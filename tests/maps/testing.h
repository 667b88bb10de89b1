/* SPDX-License-Identifier: MIT */
/* What the tests of maps share: a runtime, maps made from one line, words for failures. */
#ifndef TN_TESTS_MAPS_TESTING_H
#define TN_TESTS_MAPS_TESTING_H

#include "base/testing.h"

#include "base/epoch.h"
#include "base/err.h"
#include "maps/hash.h"
#include "maps/map.h"

static struct tn_rt test_rt;

static inline int start_rt_with(const struct tn_rt_config *config)
{
	return tn_rt_init(&test_rt, config);
}

static inline int start_rt(void **state)
{
	struct tn_rt_config config = { .max_slots = 4 };

	(void)state;
	return start_rt_with(&config);
}

/* Fails the test where a map or a byte is left over. */
static inline int stop_rt(void **state)
{
	size_t maps;

	(void)state;
	if (tn_epoch_drain())
		return -1;
	maps = tn_load_relaxed(&test_rt.mem.bytes[TN_CHARGE_MAPS]);
	tn_rt_fini(&test_rt);
	return maps || tn_load_relaxed(&test_rt.mem.bytes[TN_CHARGE_HEAP]) ? -1 : 0;
}

static inline struct tn_map *try_map(uint32_t type, uint32_t key, uint32_t value, uint32_t max,
				     uint32_t flags)
{
	struct tn_map_attr attr = { .type = type,
				    .key_size = key,
				    .value_size = value,
				    .max_entries = max,
				    .flags = flags,
				    .name = "m" };

	return tn_map_create(&test_rt, &attr);
}

static inline struct tn_map *new_map(uint32_t type, uint32_t key, uint32_t value, uint32_t max)
{
	struct tn_map *map = try_map(type, key, value, max, 0);

	if (!map)
		fail_msg("%s", tn_err_last()->msg);
	return map;
}

static inline void assert_hash_valid(struct tn_map *map, struct tn_hash_stats *stats)
{
	if (!tn_hash_is_valid(map, stats))
		fail_msg("%s", tn_err_last()->msg);
}

/* xorshift: the same numbers in every run, printed seeds are not needed. */
static inline uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

#endif
