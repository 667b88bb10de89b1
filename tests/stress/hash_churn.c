/* SPDX-License-Identifier: MIT */
/*
 * hash_churn [PAIRS [ENTRIES]]: delete and insert random keys on a full hash map, PAIRS times, and
 * see that the table stays what it was: probe lengths, counts, invariants. Exit status 1 if not.
 *
 * Times of lookup, miss and insert on a fresh table and on the churned one are printed with their
 * ratio, and not judged. To measure: taskset -c 1 hash_churn 100000000
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/epoch.h"
#include "base/err.h"
#include "maps/hash.h"

/* Rounds are shorter than a time slice, so that on a busy machine some are not interrupted. */
#define LOOKUP_ROUNDS 1000
#define LOOKUPS	      5000u
#define INSERT_ROUNDS 50

/* The fresh table's own figures are about 1.06, 1.4 and 4 to 6. */
#define MEAN_PROBE_BOUND 1.25
#define MEAN_MISS_BOUND	 2.0
#define MAX_PROBE_BOUND	 12u

struct bench {
	struct tn_rt rt;
	struct tn_map *map;
	uint64_t *keys; /* those in the map; odd, so that an even key is a miss */
	uint32_t nr;
	uint64_t random;
};

struct times {
	double lookup, miss, insert; /* ns, the best round */
};

static uint64_t next_random(struct bench *b)
{
	b->random ^= b->random << 13;
	b->random ^= b->random >> 7;
	b->random ^= b->random << 17;
	return b->random;
}

static uint64_t new_key(struct bench *b)
{
	return next_random(b) | 1;
}

static void insert(struct bench *b, uint32_t i)
{
	uint64_t value = i;

	b->keys[i] = new_key(b);
	if (b->map->ops->update(b->map, &b->keys[i], &value, TN_MAP_NOEXIST, 0)) {
		fprintf(stderr, "insert failed\n");
		exit(1);
	}
}

static void erase(struct bench *b, uint32_t i)
{
	if (b->map->ops->del(b->map, &b->keys[i])) {
		fprintf(stderr, "delete failed\n");
		exit(1);
	}
}

static void fill(struct bench *b)
{
	struct tn_map_attr attr = { .type = TN_MAP_HASH,
				    .key_size = 8,
				    .value_size = 8,
				    .max_entries = b->nr,
				    .flags = 0,
				    .name = "churn" };

	b->map = tn_map_create(&b->rt, &attr);
	if (!b->map) {
		fprintf(stderr, "%s\n", tn_err_last()->msg);
		exit(1);
	}
	for (uint32_t i = 0; i < b->nr; i++)
		insert(b, i);
}

static void keep_least(double *best, uint64_t start, uint32_t n)
{
	double ns = (double)(tn_clock_ns() - start) / n;

	if (*best == 0 || ns < *best)
		*best = ns;
}

/* `sink` keeps the compiler from dropping the loops. */
static void time_lookups(struct bench *b, struct times *t, uint64_t *sink)
{
	uint64_t start = tn_clock_ns(), key;
	uint64_t *value;

	for (uint32_t i = 0; i < LOOKUPS; i++) {
		key = b->keys[(next_random(b) >> 32) * b->nr >> 32];
		value = b->map->ops->lookup(b->map, &key, 0);
		*sink += *value;
	}
	keep_least(&t->lookup, start, LOOKUPS);
	start = tn_clock_ns();
	for (uint32_t i = 0; i < LOOKUPS; i++) {
		key = next_random(b) & ~(uint64_t)1;
		*sink += b->map->ops->lookup(b->map, &key, 0) != NULL;
	}
	keep_least(&t->miss, start, LOOKUPS);
}

/* One of twenty elements is taken out and put back, the latter timed. */
static void time_inserts(struct bench *b, struct times *t)
{
	uint32_t first = (uint32_t)(next_random(b) % 20), n = 0;
	uint64_t start;

	for (uint32_t i = first; i < b->nr; i += 20)
		erase(b, i);
	start = tn_clock_ns();
	for (uint32_t i = first; i < b->nr; i += 20, n++)
		insert(b, i);
	if (n)
		keep_least(&t->insert, start, n);
}

/* Both in turn, so that whatever else the machine does meets both. */
static void measure(struct bench *fresh, struct bench *churned, struct times *f, struct times *c)
{
	uint64_t sink = 0;

	for (int round = 0; round < LOOKUP_ROUNDS; round++) {
		time_lookups(fresh, f, &sink);
		time_lookups(churned, c, &sink);
	}
	for (int round = 0; round < INSERT_ROUNDS; round++) {
		time_inserts(fresh, f);
		time_inserts(churned, c);
	}
	if (sink == 0)
		printf("nothing was found\n");
}

static bool check(struct bench *b, const char *when)
{
	struct tn_hash_stats s;

	if (!tn_hash_is_valid(b->map, &s)) {
		printf("%s: %s\n", when, tn_err_last()->msg);
		return false;
	}
	printf("%s: %u live, %u waiting, %u empty; groups per hit %.3f, per miss %.3f, at most %u\n",
	       when, s.live, s.waiting, s.empty, s.mean_probe, s.mean_miss, s.max_probe);
	return s.live == b->nr && s.mean_probe < MEAN_PROBE_BOUND &&
	       s.mean_miss < MEAN_MISS_BOUND && s.max_probe <= MAX_PROBE_BOUND;
}

static void churn(struct bench *b, uint64_t pairs)
{
	for (uint64_t i = 0; i < pairs; i++) {
		uint32_t at = (uint32_t)((next_random(b) >> 32) * b->nr >> 32);

		erase(b, at);
		insert(b, at);
	}
}

static void print_row(const char *what, double fresh, double churned)
{
	printf("%-8s fresh %7.2f ns, churned %7.2f ns, ratio %.2f\n", what, fresh, churned,
	       churned / fresh);
}

static void start(struct bench *b, uint32_t nr)
{
	*b = (struct bench){ .nr = nr, .random = 88172645463325252u };
	if (tn_rt_init(&b->rt, NULL))
		exit(1);
	b->keys = calloc(nr, sizeof(b->keys[0]));
	fill(b);
}

static void stop(struct bench *b)
{
	tn_map_put(b->map);
	free(b->keys);
	if (tn_epoch_drain())
		exit(1);
	tn_rt_fini(&b->rt);
}

int main(int argc, char **argv)
{
	uint64_t pairs = argc > 1 ? strtoull(argv[1], NULL, 10) : 2000000;
	uint32_t nr = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 10000;
	static struct bench fresh, churned;
	struct times f = { 0 }, c = { 0 };
	bool good;

	start(&churned, nr);
	churn(&churned, pairs);
	good = check(&churned, "churned");
	start(&fresh, nr);
	good = check(&fresh, "fresh") && good;
	measure(&fresh, &churned, &f, &c);
	print_row("lookup", f.lookup, c.lookup);
	print_row("miss", f.miss, c.miss);
	print_row("insert", f.insert, c.insert);
	stop(&fresh);
	stop(&churned);
	return good ? 0 : 1;
}
