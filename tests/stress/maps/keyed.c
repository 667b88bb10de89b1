/* SPDX-License-Identifier: MIT */
/*
 * Maps with keys. There are as many keys as elements, so that tables are full:
 *   owned    one thread inserts, replaces and deletes it, and knows at any time what is there;
 *   shared   all threads write and delete it;
 *   standing all threads replace it, nobody deletes it: iteration must see it.
 * LRU maps may lose any element, but never give back an older version or a deleted one. Per-slot
 * maps are written by programs, each to its own part, and by the host, which writes all parts.
 */
#include "run.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "host-api/map_handle.h"
#include "maps/hash.h"

enum { UPDATE, LOOKUP, DELETE, ADD };

#define NR_OWNED    384u /* below it: thread i has those of i modulo NR_THREADS */
#define NR_STANDING 64u	 /* those behind; the rest are shared */
#define MAX_SLOTS   16u

static bool is_array(const struct run *run)
{
	return strstr(run->kind->name, "array") != NULL;
}

static bool is_lru(const struct run *run)
{
	return !strncmp(run->kind->name, "lru", 3);
}

static bool is_trie(const struct run *run)
{
	return !strcmp(run->kind->name, "lpm_trie");
}

/* Two keys of a trie are nested where they differ in the lowest bit: odd ones are the shorter. */
static void set_key(const struct run *run, struct stress_op *op, uint32_t id)
{
	memset(&op->key, 0, sizeof(op->key));
	op->index = id;
	op->key.bits = !is_trie(run) ? id * 0x9e3779b1u : id & 1 ? 64 : 96;
	op->key.data[0] = (unsigned char)((id >> 1) * 37);
	op->key.data[5] = (unsigned char)(id >> 1);
	op->key.data[7] = (unsigned char)(id >> 9);
	if (!(id & 1) || !is_trie(run))
		op->key.data[11] = (unsigned char)(1 + id);
}

static const void *key_of(const struct run *run, const struct stress_op *op, size_t *size)
{
	*size = is_array(run) ? 4 : sizeof(op->key);
	return is_array(run) ? (const void *)&op->index : (const void *)&op->key;
}

/* Host and programs by turns: 0, or a negative errno. */
static int do_update(struct worker *w, struct stress_op *op, uint64_t flags)
{
	size_t size;
	const void *key = key_of(w->run, op, &size);

	op->flags = (u32_t)flags;
	if (pick(w, 3))
		return fire(w, UPDATE, op);
	return tenon_map_update_elem(w->run->map, key, size, op->value, VALUE_WORDS * 8, flags);
}

static int do_delete(struct worker *w, struct stress_op *op)
{
	size_t size;
	const void *key = key_of(w->run, op, &size);
	u64_t value[VALUE_WORDS];

	switch (pick(w, 4)) {
	case 0:
		return tenon_map_delete_elem(w->run->map, key, size, 0);
	case 1:
		if (!is_trie(w->run))
			return tenon_map_lookup_and_delete_elem(w->run->map, key, size, value,
								sizeof(value), 0);
		/* fallthrough */
	default:
		return fire(w, DELETE, op);
	}
}

static int host_lookup(struct worker *w, struct stress_op *op)
{
	size_t size;
	const void *key = key_of(w->run, op, &size);

	return tenon_map_lookup_elem(w->run->map, key, size, op->value, VALUE_WORDS * 8, 0);
}

/* ---- Steps ---- */

/* What the thread's own key must be: of the version that it wrote last, or not there. */
static void check_owned(struct worker *w, struct stress_op *op, uint32_t id)
{
	uint32_t last = w->version[id], found;
	/* Of an LRU map, an element that a program holds may become another one's. */
	bool by_host = is_lru(w->run) || pick(w, 2);
	int rc = by_host ? host_lookup(w, op) : fire(w, LOOKUP, op);

	if (rc == -ENOENT && is_lru(w->run)) {
		w->version[id] = 0;
		return;
	}
	if (rc == 0 && is_trie(w->run) && !(id & 1) && !last) {
		/* The shorter prefix around it, which another thread may replace while a program
		 * reads it in place. */
		if (by_host && !version_of(op->value, VALUE_WORDS, id | 1, true))
			wrong(w->run, "key %u: a value of neither it nor its parent", id);
		return;
	}
	if (rc != (last ? 0 : -ENOENT)) {
		wrong(w->run, "own key %u: lookup gives %d, last version %u", id, rc, last);
		return;
	}
	found = rc ? 0 : version_of(op->value, VALUE_WORDS, id, true);
	if (found != last)
		wrong(w->run, "own key %u: version %u, expected %u", id, found, last);
}

static void change_owned(struct worker *w, struct stress_op *op, uint32_t id)
{
	uint32_t next = (uint32_t)w->ops * 2 + 1;
	uint64_t flags = w->version[id] ? BPF_EXIST : BPF_NOEXIST;
	int rc;

	fill(op->value, VALUE_WORDS, id, next);
	if (!is_array(w->run) && w->version[id] && pick(w, 2)) {
		rc = do_delete(w, op);
		w->version[id] = 0;
		if (rc && !(rc == -ENOENT && is_lru(w->run)))
			wrong(w->run, "own key %u: delete gives %d", id, rc);
		return;
	}
	if (is_array(w->run))
		flags = BPF_EXIST;
	if (is_lru(w->run))
		flags = BPF_ANY;
	rc = do_update(w, op, flags);
	w->version[id] = next;
	if (rc)
		wrong(w->run, "own key %u: update with flags %u gives %d", id, (unsigned)flags, rc);
}

static void use_shared(struct worker *w, struct stress_op *op, uint32_t id)
{
	bool standing = id >= NR_ENTRIES - NR_STANDING;
	int rc;

	switch (pick(w, standing || is_array(w->run) ? 3 : 4)) {
	case 0:
		fill(op->value, VALUE_WORDS, id, (uint32_t)w->ops * 16 + w->id + 1);
		rc = do_update(w, op, BPF_ANY);
		if (rc)
			wrong(w->run, "shared key %u: update gives %d", id, rc);
		break;
	case 3:
		rc = do_delete(w, op);
		if (rc && rc != -ENOENT)
			wrong(w->run, "shared key %u: delete gives %d", id, rc);
		break;
	default:
		rc = host_lookup(w, op);
		if (rc && (rc != -ENOENT || (standing && !is_lru(w->run))))
			wrong(w->run, "shared key %u: lookup gives %d", id, rc);
		else if (!rc && !version_of(op->value, VALUE_WORDS, id, !is_array(w->run)) &&
			 !(is_trie(w->run) && !(id & 1) &&
			   version_of(op->value, VALUE_WORDS, id | 1, true)))
			wrong(w->run, "shared key %u: torn", id);
		break;
	}
}

static uint32_t id_of_key(const struct run *run, const void *key)
{
	struct stress_op op;

	if (is_array(run))
		return *(const u32_t *)key;
	for (uint32_t id = 0; id < NR_ENTRIES; id++) {
		set_key(run, &op, id);
		if (!memcmp(&op.key, key, sizeof(op.key)))
			return id;
	}
	return NR_ENTRIES;
}

/* Every standing key is seen, by keys or by batches. A walk that starts over is bounded. */
static void iterate(struct worker *w)
{
	struct stress_key key, next;
	bool seen[NR_ENTRIES + 1] = { false };
	bool first = true;
	uint32_t steps = 0;
	size_t size = is_array(w->run) ? 4 : sizeof(key);
	int rc;

	while (!(rc = tenon_map_get_next_key(w->run->map, first ? NULL : &key, &next, size))) {
		first = false;
		key = next;
		seen[id_of_key(w->run, &key)] = true;
		/* A trie's cursor that is deleted begins anew, as the kernel's does. */
		if (++steps > 200 * NR_ENTRIES) {
			wrong(w->run, "iteration does not end");
			return;
		}
	}
	if (rc != -ENOENT)
		wrong(w->run, "iteration ends with %d", rc);
	if (seen[NR_ENTRIES])
		wrong(w->run, "iteration gives a key that was never there");
	for (uint32_t id = NR_ENTRIES - NR_STANDING; id < NR_ENTRIES && !is_lru(w->run); id++)
		if (!seen[id])
			wrong(w->run, "iteration of %u steps did not see key %u", steps, id);
}

static uint32_t own_id(struct worker *w)
{
	return pick(w, NR_OWNED / NR_THREADS) * NR_THREADS + w->id;
}

static void work_keyed(struct worker *w)
{
	struct stress_op op;
	uint32_t id;

	if (pick(w, 2000) == 0) {
		iterate(w);
		return;
	}
	id = pick(w, 2) ? own_id(w) : NR_OWNED + pick(w, NR_ENTRIES - NR_OWNED);
	set_key(w->run, &op, id);
	if (id >= NR_OWNED)
		use_shared(w, &op, id);
	else if (pick(w, 2))
		check_owned(w, &op, id);
	else
		change_owned(w, &op, id);
}

static void begin_keyed(struct run *run)
{
	struct stress_op op;
	size_t size;

	for (uint32_t id = is_array(run) ? 0 : NR_ENTRIES - NR_STANDING; id < NR_ENTRIES; id++) {
		const void *key;

		set_key(run, &op, id);
		key = key_of(run, &op, &size);
		fill(op.value, VALUE_WORDS, id, 1);
		if (tenon_map_update_elem(run->map, key, size, op.value, VALUE_WORDS * 8, 0))
			wrong(run, "key %u: %s", id, tenon_last_error()->msg);
		if (id < NR_OWNED)
			run->workers[id % NR_THREADS].version[id] = 1;
	}
}

static void check_table(struct run *run)
{
	struct tn_map *map = tn_map_of(run->map);

	if (strstr(run->kind->name, "hash") && !tn_hash_is_valid(map, NULL))
		wrong(run, "%s", tn_err_last()->msg);
}

/* What each thread knows, and the count, against a walk. */
static void end_keyed(struct run *run)
{
	struct tenon_map_info info = { .sz = sizeof(info) };
	struct stress_key key;
	bool there[NR_ENTRIES + 1] = { false };
	size_t size = is_array(run) ? 4 : sizeof(key);
	uint32_t nr = 0;
	int rc = tenon_map_get_next_key(run->map, NULL, &key, size);

	for (; !rc; rc = tenon_map_get_next_key(run->map, &key, &key, size)) {
		uint32_t id = id_of_key(run, &key);

		if (there[id])
			wrong(run, "key %u is there twice", id);
		there[id] = true;
		nr++;
	}
	for (uint32_t id = 0; id < NR_OWNED; id++) {
		uint32_t last = run->workers[id % NR_THREADS].version[id];

		if (there[id] != !!last && !(is_lru(run) && last))
			wrong(run, "key %u at the end: %s", id, there[id] ? "came back" : "lost");
	}
	if (tenon_map_info(run->map, &info) || info.nr_entries != nr)
		wrong(run, "%u entries are counted, %u are there", info.nr_entries, nr);
	check_table(run);
}

/* ---- Per-slot maps ---- */

/* Is this version in any part? */
static int find_part(struct worker *w, struct stress_op *op, uint32_t version)
{
	u64_t values[VALUE_WORDS * MAX_SLOTS];
	uint32_t nr = w->run->kind->max_slots ? w->run->kind->max_slots : NR_THREADS + 4;
	size_t size;
	const void *key = key_of(w->run, op, &size);
	int rc = tenon_map_lookup_elem(w->run->map, key, size, values, nr * VALUE_WORDS * 8, 0);

	memset(op->value, 0, sizeof(op->value));
	for (uint32_t slot = 0; slot < nr && !rc; slot++)
		if (values[slot * VALUE_WORDS] >> 32 == version)
			memcpy(op->value, values + slot * VALUE_WORDS, VALUE_WORDS * 8);
	return rc;
}

static void check_own_part(struct worker *w, struct stress_op *op, uint32_t id)
{
	uint32_t last = w->version[id];
	int rc = is_lru(w->run) || pick(w, 2) ? find_part(w, op, last) : fire(w, LOOKUP, op);

	if (rc == -ENOENT && is_lru(w->run))
		w->version[id] = 0;
	else if (rc != (last || is_array(w->run) ? 0 : -ENOENT))
		wrong(w->run, "own key %u: lookup gives %d, last version %u", id, rc, last);
	else if (!rc && last && version_of(op->value, VALUE_WORDS, id, true) != last)
		wrong(w->run, "own key %u: not version %u", id, last);
}

/* Owned: programs of the owner write their own part, which nobody else does. Shared: each program
 * counts in its own part of a key that stands; the sum of the parts must be the sum of the counts.
 */
static void work_per_slot(struct worker *w)
{
	struct stress_op op;
	uint32_t id = own_id(w);
	int rc;

	if (pick(w, 3) == 0) {
		id = NR_ENTRIES - 1 - pick(w, 4);
		set_key(w->run, &op, id);
		rc = fire(w, ADD, &op);
		if (!rc)
			w->count[NR_ENTRIES - 1 - id]++;
		else if (!is_lru(w->run))
			wrong(w->run, "key %u: add gives %d", id, rc);
		return;
	}
	if (pick(w, 2000) == 0 && !is_array(w->run)) {
		iterate(w);
		return;
	}
	set_key(w->run, &op, id);
	if (pick(w, 2)) {
		check_own_part(w, &op, id);
		return;
	}
	if (w->version[id] && !is_array(w->run) && pick(w, 2)) {
		rc = pick(w, 2) ? fire(w, DELETE, &op)
				: tenon_map_delete_elem(w->run->map, &op.key, sizeof(op.key), 0);
		w->version[id] = 0;
		if (rc && !(rc == -ENOENT && is_lru(w->run)))
			wrong(w->run, "own key %u: delete gives %d", id, rc);
		return;
	}
	w->version[id] = (uint32_t)w->ops * 2 + 1;
	fill(op.value, VALUE_WORDS, id, w->version[id]);
	op.flags = BPF_ANY;
	rc = fire(w, UPDATE, &op);
	if (rc)
		wrong(w->run, "own key %u: update gives %d", id, rc);
}

static void begin_per_slot(struct run *run)
{
	static u64_t zeros[VALUE_WORDS * MAX_SLOTS];
	struct tenon_map_info info = { .sz = sizeof(info) };
	struct stress_op op;
	size_t size;

	tenon_map_info(run->map, &info);
	for (uint32_t id = NR_ENTRIES - NR_STANDING; id < NR_ENTRIES; id++) {
		const void *key;

		set_key(run, &op, id);
		key = key_of(run, &op, &size);
		if (tenon_map_update_elem(run->map, key, size, zeros, info.host_value_size, 0))
			wrong(run, "key %u: %s", id, tenon_last_error()->msg);
	}
}

static void end_per_slot(struct run *run)
{
	static u64_t values[VALUE_WORDS * MAX_SLOTS];
	struct tenon_map_info info = { .sz = sizeof(info) };
	struct stress_op op;
	size_t size;

	tenon_map_info(run->map, &info);
	for (uint32_t i = 0; i < 4 && !is_lru(run); i++) {
		uint64_t counted = 0, sum = 0;
		const void *key;

		set_key(run, &op, NR_ENTRIES - 1 - i);
		key = key_of(run, &op, &size);
		if (tenon_map_lookup_elem(run->map, key, size, values, info.host_value_size, 0))
			wrong(run, "counter %u: %s", i, tenon_last_error()->msg);
		for (uint32_t slot = 0; slot < info.host_value_size / (VALUE_WORDS * 8); slot++)
			sum += values[slot * VALUE_WORDS];
		for (uint32_t t = 0; t < run->nr_threads; t++)
			counted += run->workers[t].count[i];
		if (sum != counted)
			wrong(run, "counter %u: %llu, expected %llu", i, (unsigned long long)sum,
			      (unsigned long long)counted);
	}
	check_table(run);
}

#define HOOKS                                       \
	{                                           \
		"update", "lookup", "delete", "add" \
	}

const struct kind keyed_kinds[] = {
	{ "hash", HOOKS, 0, 0, begin_keyed, work_keyed, NULL, end_keyed, false },
	{ "lru_hash", HOOKS, 0, 0, begin_keyed, work_keyed, NULL, end_keyed, false },
	{ "lpm_trie", HOOKS, 0, 0, begin_keyed, work_keyed, NULL, end_keyed, false },
	{ "array", HOOKS, 0, 0, begin_keyed, work_keyed, NULL, end_keyed, false },
	{ "percpu_hash", HOOKS, 0, 0, begin_per_slot, work_per_slot, NULL, end_per_slot, false },
	{ "lru_percpu_hash", HOOKS, 0, 0, begin_per_slot, work_per_slot, NULL, end_per_slot,
	  false },
	/* Fewer slots than threads: the last one is shared. */
	{ "percpu_array", HOOKS, 0, 4, begin_per_slot, work_per_slot, NULL, end_per_slot, false },
	{ 0 },
};
