/* SPDX-License-Identifier: MIT */
#include "map_cases.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct map_op table_ops[] = {
	{ .name = "lookup", .program = "lookup", .hits = true },
	{ .name = "miss", .program = "miss" },
	{ .name = "update", .program = "update" },
	{ .name = "delete+insert", .program = "cycle" },
	{ .name = "mixed", .program = "mixed" },
	{ 0 },
};
static const struct map_op insert_op[] = { { .name = "insert", .program = "insert" }, { 0 } };
static const struct map_op flow_op[] = { { .name = "flow", .program = "flow" }, { 0 } };

static const struct map_group hash_groups[] = { { .ops = table_ops, .percent = 100 }, { 0 } };

/* An LRU map of the kernel drops elements before it is full. */
static const struct map_group lru_groups[] = {
	{ .ops = table_ops, .percent = 90 },
	{ .ops = insert_op, .percent = 100, .warm = "insert" },
	{ .ops = flow_op, .percent = 90, .warm = "flow" },
	{ 0 },
};

static const uint32_t all_keys[] = { 4, 8, 16, 64, MAP_KEYS_END };
static const uint32_t all_sizes[] = { 1000, 10000, 100000, 1000000, 10000000, 0 };

#define TABLE(type_name, type_groups, element)                                                    \
	{                                                                                         \
		.name = type_name, .object = "bench_map_%s_%u", .keys = all_keys, .quick_key = 8, \
		.entries = all_sizes, .bytes = element, .groups = type_groups                     \
	}

const struct map_type map_types[] = {
	TABLE("hash", hash_groups, 150),
	TABLE("percpu_hash", hash_groups, 200),
	TABLE("lru_hash", lru_groups, 180),
	TABLE("lru_percpu_hash", lru_groups, 230),
	{ 0 },
};

void map_case_name(char *out, size_t size, const struct map_type *type, const struct map_op *op,
		   uint32_t key, uint32_t entries)
{
	snprintf(out, size, "%s/%s/%u/%u", type->name, op->name, key, entries);
}

/* "10k" is 10000, "1M" 1000000. */
static bool number_matches(const char *part, size_t length, const char *want, size_t want_length)
{
	char *end;
	unsigned long long n = strtoull(want, &end, 10), scale = 1;

	if (end == want || end >= want + want_length)
		return false;
	if (*end == 'k')
		scale = 1000;
	else if (*end == 'M')
		scale = 1000000;
	return end + 1 == want + want_length && strtoull(part, NULL, 10) == n * scale && length;
}

bool map_case_matches(const char *name, const char *filter)
{
	while (filter && *filter && *name) {
		size_t length = strcspn(name, "/"), want = strcspn(filter, "/");
		bool all = want == 0 || (want == 1 && *filter == '*');

		if (!all && !(length == want && memcmp(name, filter, want) == 0) &&
		    !number_matches(name, length, filter, want))
			return false;
		name += length + (name[length] == '/');
		filter += want + (filter[want] == '/');
	}
	return true;
}

static uint64_t available_bytes(void)
{
	FILE *f = fopen("/proc/meminfo", "r");
	unsigned long long kib = 0;
	char line[128];

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "MemAvailable: %llu kB", &kib) == 1)
			break;
	if (f)
		fclose(f);
	return kib ? kib * 1024 : UINT64_MAX;
}

bool map_case_fits(const struct map_type *type, uint32_t key, uint32_t entries)
{
	uint64_t bytes = (uint64_t)entries * (type->bytes + 2 * (uint64_t)key);

	/* A third is left to the others on the machine. */
	return bytes < available_bytes() / 3 * 2;
}
