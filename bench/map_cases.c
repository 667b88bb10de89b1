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
static const struct map_group percpu_hash_groups[] = {
	{ .ops = table_ops, .percent = 100, .most_of_all_keys = 1000000 },
	{ 0 },
};

/* An LRU map of the kernel drops elements before it is full. */
static const struct map_group lru_groups[] = {
	{ .ops = table_ops, .percent = 90, .most_of_all_keys = 1000000 },
	{ .ops = insert_op, .percent = 100, .warm = "insert", .most_of_all_keys = 100000 },
	{ .ops = flow_op, .percent = 90, .warm = "flow", .most_of_all_keys = 100000 },
	{ 0 },
};

static const uint32_t all_keys[] = { 4, 8, 16, 64, MAP_KEYS_END };
static const uint32_t all_sizes[] = { 1000, 10000, 100000, 1000000, 10000000, 0 };

/* Rule matching: one pseudo type, with a map of its own for each way. */
static const uint32_t rules_sizes[] = { 10, 1000, 10000, 0 };
#define RULES_OP(way)                                                        \
	static const struct map_op rules_##way##_op[] = {                    \
		{ .name = #way, .program = "classify", .hits = true }, { 0 } \
	};                                                                   \
	static const struct map_group rules_##way[] = {                      \
		{ .ops = rules_##way##_op, .percent = 100 }, { 0 }           \
	}
RULES_OP(hash);
RULES_OP(lpm_trie);
RULES_OP(list);
static const uint32_t packet_key[] = { 16, MAP_KEYS_END };
static const uint32_t prefix_key[] = { 8, MAP_KEYS_END };

#define TYPE(type_name, keyed, type_keys, quick, sizes, element, type_groups)        \
	.name = type_name, .has_keys = keyed, .keys = type_keys, .quick_key = quick, \
	.entries = sizes, .bytes = element, .groups = type_groups

static const struct map_op array_ops[] = {
	{ .name = "lookup", .program = "lookup" },
	{ .name = "update", .program = "update" },
	{ 0 },
};
static const struct map_group array_groups[] = { { .ops = array_ops }, { 0 } };
static const uint32_t index_key[] = { 4, MAP_KEYS_END };
static const uint32_t to_1m[] = { 1000, 10000, 100000, 1000000, 0 };

static const struct map_op keyless_ops[] = {
	{ .name = "push+pop", .program = "cycle" },
	{ .name = "peek", .program = "peek" },
	{ 0 },
};
static const struct map_group keyless_groups[] = { { .ops = keyless_ops, .percent = 50 }, { 0 } };
static const uint32_t no_key[] = { 0, MAP_KEYS_END };
static const uint32_t keyless_sizes[] = { 1000, 100000, 0 };

static const struct map_op bloom_ops[] = {
	{ .name = "lookup", .program = "lookup" },
	{ .name = "miss", .program = "miss" },
	{ .name = "update", .program = "update" },
	{ 0 },
};
static const struct map_group bloom_groups[] = { { .ops = bloom_ops, .percent = 100 }, { 0 } };

static const struct map_op inner_ops[] = {
	{ .name = "lookup", .program = "lookup", .hits = true },
	{ 0 },
};
static const struct map_group inner_groups[] = { { .ops = inner_ops, .percent = 100 }, { 0 } };
static const uint32_t inner_keys[] = { 4, 8, MAP_KEYS_END };
static const uint32_t inner_sizes[] = { 1000, 10000, 0 };

static const struct map_op lpm_ops[] = {
	{ .name = "lookup", .program = "lookup", .hits = true },
	{ .name = "miss", .program = "miss" },
	{ .name = "update", .program = "update" },
	{ .name = "mixed", .program = "mixed" },
	{ 0 },
};
static const struct map_group lpm_groups[] = { { .ops = lpm_ops, .percent = 100 }, { 0 } };
static const uint32_t lpm_keys[] = { 8, 20, MAP_KEYS_END };

static const struct map_op ring_ops[] = {
	{ .name = "reserve+submit", .program = "quiet" },
	{ .name = "output", .program = "output" },
	{ .name = "live", .program = "live", .single = true },
	{ 0 },
};
static const struct map_group ring_groups[] = { { .ops = ring_ops }, { 0 } };
static const uint32_t ring_sizes[] = { 1024 * 1024, 0 };

const struct map_type map_types[] = {
	{ TYPE("hash", true, all_keys, 8, all_sizes, 150, hash_groups) },
	{ TYPE("percpu_hash", true, all_keys, 8, all_sizes, 200, percpu_hash_groups) },
	{ TYPE("lru_hash", true, all_keys, 8, all_sizes, 180, lru_groups) },
	{ TYPE("lru_percpu_hash", true, all_keys, 8, all_sizes, 230, lru_groups) },
	{ TYPE("array", false, index_key, 4, all_sizes, 16, array_groups) },
	{ TYPE("percpu_array", false, index_key, 4, to_1m, 50, array_groups) },
	{ TYPE("lpm_trie", true, lpm_keys, 8, to_1m, 300, lpm_groups) },
	{ TYPE("hash_of_maps", true, inner_keys, 8, inner_sizes, 150, inner_groups),
	  .prepare = map_prepare_inner },
	{ TYPE("array_of_maps", false, index_key, 4, inner_sizes, 32, inner_groups),
	  .prepare = map_prepare_inner },
	{ TYPE("queue", false, no_key, 0, keyless_sizes, 16, keyless_groups) },
	{ TYPE("stack", false, no_key, 0, keyless_sizes, 16, keyless_groups) },
	{ TYPE("bloom_filter", true, all_keys, 8, all_sizes, 8, bloom_groups) },
	{ TYPE("ringbuf", false, no_key, 0, ring_sizes, 2, ring_groups),
	  .measure = map_measure_ring },
	{ TYPE("rules", false, packet_key, 16, rules_sizes, 150, rules_hash), .suffix = "_hash" },
	{ TYPE("rules", false, prefix_key, 8, rules_sizes, 300, rules_lpm_trie),
	  .suffix = "_lpm_trie" },
	{ TYPE("rules", false, index_key, 4, rules_sizes, 80, rules_list), .suffix = "_list" },
	{ 0 },
};

void map_case_name(char *out, size_t size, const struct map_type *type, const struct map_op *op,
		   uint32_t key, uint32_t entries)
{
	snprintf(out, size, "%s/%s/%u/%u", type->name, op->name, key, entries);
}

void map_object_name(char *out, size_t size, const struct map_type *type, uint32_t key)
{
	const char *suffix = type->suffix ? type->suffix : "";

	if (type->has_keys)
		snprintf(out, size, "bench_map_%s%s_%u", type->name, suffix, key);
	else
		snprintf(out, size, "bench_map_%s%s", type->name, suffix);
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

bool map_filter_names_entries(const char *filter)
{
	int slashes = 0;

	for (; filter && *filter; filter++)
		slashes += *filter == '/';
	return slashes >= 3;
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
