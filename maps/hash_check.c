/* SPDX-License-Identifier: MIT */
/* The invariants of the hash table in code, for tests. They hold while nobody writes. */
#include <errno.h>
#include <string.h>

#include "maps/hash.h"
#include "maps/hash_group.h"
#include "maps/hash_key.h"

struct check {
	struct tn_hash *h;
	uint32_t (*passed)[TN_HASH_CLASSES]; /* what each group should say */
	struct tn_hash_stats stats;
	uint64_t probes;
};

/* The shared slot is always in use. */
static const void *expected_value(const struct tn_hash *h, uint32_t index)
{
	uint32_t slot = h->map.nr_slots - 1;

	if (!h->slot_values)
		return tn_hash_elem(h, index) + h->value_off;
	return h->slot_values + slot * h->map.slot_stride + (size_t)index * h->map.value_stride;
}

/* Not to be counted as a use. */
static const void *look_at(struct tn_map *map, const void *key, uint32_t slot)
{
	if (map->ops->lookup_slot)
		return map->ops->lookup_slot(map, key, slot);
	return map->ops->look_at ? map->ops->look_at(map, key, slot)
				 : map->ops->lookup(map, key, slot);
}

/* A live element is the one that a search for its key finds, after the groups that count it. */
static int check_elem(struct check *c, uint32_t index, uint8_t ctrl)
{
	struct tn_hash *h = c->h;
	const void *key = tn_hash_elem(h, index);
	uint64_t hash = tn_hash_key(h->seed, key, h->map.key_size);
	uint32_t home = tn_hash_home(h, hash), group = home, depth = 0;

	if (ctrl != tn_hash_ctrl(hash))
		return tn_map_err(&h->map, -EINVAL, "slot %u: control byte 0x%02x, expected 0x%02x",
				  index, ctrl, tn_hash_ctrl(hash));
	for (; group != index / TN_HASH_GROUP_SLOTS; group = tn_hash_next(h, home, group)) {
		if (++depth == h->nr_groups)
			return tn_map_err(&h->map, -EINVAL, "slot %u: not on its path", index);
		c->passed[group][tn_hash_class(hash)]++;
	}
	if (look_at(&h->map, key, h->map.nr_slots - 1) != expected_value(h, index))
		return tn_map_err(&h->map, -EINVAL, "slot %u: its key is found elsewhere, or not",
				  index);
	c->stats.live++;
	c->stats.max_probe = TN_MAX(c->stats.max_probe, depth + 1);
	c->probes += depth + 1;
	return 0;
}

/* A waiting element has a ticket that was drawn, of which its control byte tells. */
static int check_waiting(struct check *c, uint32_t index, uint8_t ctrl)
{
	const struct tn_hash *h = c->h;
	uint64_t ticket = tn_load_relaxed(tn_hash_ticket_at(h, index));

	if (ticket >= tn_load_relaxed(&h->tally->ticket) + h->batch - 1 ||
	    ctrl != tn_hash_wait_ctrl(h, ticket))
		return tn_map_err(&h->map, -EINVAL,
				  "slot %u: control byte 0x%02x, but removed with ticket %llu",
				  index, ctrl, (unsigned long long)ticket);
	if (tn_hash_is_free(h, index, h->nr_spares))
		c->stats.empty++;
	else
		c->stats.waiting++;
	return 0;
}

static int check_slot(struct check *c, uint32_t index)
{
	uint8_t ctrl = tn_load_relaxed(tn_hash_ctrl_at(c->h, index));

	if ((index >= c->h->nr_slots) != (ctrl == TN_HASH_NO_SLOT))
		return tn_map_err(&c->h->map, -EINVAL, "slot %u of %u: control byte 0x%02x", index,
				  c->h->nr_slots, ctrl);
	if (ctrl == TN_HASH_NO_SLOT)
		return 0;
	if (ctrl & TN_HASH_LIVE)
		return check_elem(c, index, ctrl);
	if (ctrl != TN_HASH_EMPTY)
		return check_waiting(c, index, ctrl);
	c->stats.empty++;
	return 0;
}

/* Where tickets are unique, no more than nr_spares slots wait; else a few more for each thread. */
static int check_slots(struct check *c)
{
	uint32_t nr = c->h->nr_groups * TN_HASH_GROUP_SLOTS;
	int err = 0;

	for (uint32_t i = 0; i < nr && !err; i++)
		err = check_slot(c, i);
	if (!err && c->stats.waiting > c->h->nr_spares + (c->h->batch - 1) * 64)
		err = tn_map_err(&c->h->map, -EINVAL, "%u slots wait, expected at most %u",
				 c->stats.waiting, c->h->nr_spares);
	return err;
}

/* How many groups a miss that starts at `home` visits, over all classes. */
static uint32_t miss_depths(const struct check *c, uint32_t home)
{
	uint32_t sum = 0;

	for (uint32_t class = 0; class < TN_HASH_CLASSES; class ++) {
		uint32_t at = home, depth = 1;

		for (; c->passed[at][class] && depth < c->h->nr_groups; depth++)
			at = tn_hash_next(c->h, home, at);
		sum += depth;
	}
	return sum;
}

/* Groups are at rest and count exactly the elements beyond them, up to where counts stay. */
static int check_groups(struct check *c)
{
	struct tn_hash *h = c->h;
	uint64_t misses = 0;

	for (uint32_t i = 0; i < h->nr_groups; i++) {
		struct tn_hash_group *g = &h->groups[i];

		for (uint32_t class = 0; class < TN_HASH_CLASSES; class ++) {
			uint32_t passed = tn_load_relaxed(&g->passed[class]);

			if (passed != c->passed[i][class] && passed != UINT8_MAX)
				return tn_map_err(&h->map, -EINVAL,
						  "group %u: passed by %u, expected %u", i, passed,
						  c->passed[i][class]);
		}
		if (tn_load_relaxed(&g->seq) & 1 ||
		    tn_load_relaxed(&g->lock) & (TN_GROUP_LOCKED | TN_GROUP_CHANGING))
			return tn_map_err(&h->map, -EINVAL, "group %u: locked or being changed", i);
		misses += miss_depths(c, i);
	}
	c->stats.mean_miss = (double)misses / h->nr_groups / TN_HASH_CLASSES;
	return 0;
}

bool tn_hash_is_valid(struct tn_map *map, struct tn_hash_stats *out)
{
	struct check c = { .h = (struct tn_hash *)(void *)map };
	int err;

	c.passed = tn_alloc_array(map->rt, c.h->nr_groups, sizeof(*c.passed));
	if (!c.passed)
		return !tn_map_err(map, -ENOMEM, "out of memory");
	err = check_slots(&c);
	if (!err)
		err = check_groups(&c);
	if (!err && (c.stats.live != map->ops->count(map) || c.stats.live > map->max_entries))
		err = tn_map_err(map, -EINVAL, "%u live elements, counted %u of at most %u",
				 c.stats.live, map->ops->count(map), map->max_entries);
	c.stats.mean_probe = c.stats.live ? (double)c.probes / c.stats.live : 0;
	if (out)
		*out = c.stats;
	tn_free(map->rt, c.passed);
	return !err;
}
