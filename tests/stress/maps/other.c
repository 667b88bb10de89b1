/* SPDX-License-Identifier: MIT */
/*
 * Bloom filter: what was put in is found. Maps of maps: inner maps are made, put in, taken out and
 * freed while programs read and write them. Prog array: a tail call goes to one of the programs
 * that were there. Locks in values: all words change together. Stack traces: a trace that is there
 * is whole.
 */
#include "run.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>

#include "host-api/map_handle.h"

/* ---- Bloom filter ---- */

static void work_bloom(struct worker *w)
{
	struct stress_op op = { 0 };
	bool put = w->nr < 100000 / NR_THREADS && pick(w, 4) == 0;
	uint64_t nr = put ? w->nr : w->nr ? pick(w, (uint32_t)w->nr) : 0;
	int rc;

	op.value[0] = (uint64_t)w->id << 32 | nr;
	if (put)
		rc = pick(w, 2) ? fire(w, 0, &op)
				: tenon_map_update_elem(w->run->map, NULL, 0, op.value, 8, 0);
	else
		rc = pick(w, 2) ? fire(w, 1, &op)
				: tenon_map_lookup_elem(w->run->map, NULL, 0, op.value, 8, 0);
	if (rc && w->nr)
		wrong(w->run, "%s: %d", put ? "push" : "peek of what was put in", rc);
	w->nr += put;
}

/* ---- Maps of maps ---- */

#define NR_INNER 8u

static void put_inner(struct worker *w, uint32_t index, uint32_t version)
{
	struct tenon_map *inner;
	u64_t value[VALUE_WORDS];
	uint32_t id;
	int rc;

	inner = tenon_map_new(w->run->rt, BPF_MAP_TYPE_ARRAY, "inner", 4, sizeof(value), 2, NULL);
	if (!inner) {
		wrong(w->run, "inner map: %s", tenon_last_error()->msg);
		return;
	}
	id = tenon_map_id(inner);
	fill(value, VALUE_WORDS, index, version);
	rc = tenon_map_update_elem(inner, &(uint32_t){ 1 }, 4, value, sizeof(value), 0);
	if (!rc)
		rc = tenon_map_update_elem(w->run->map, &index, 4, &id, 4, 0);
	if (rc)
		wrong(w->run, "put in: %d", rc);
	tenon_map_free(inner);
}

static void work_outer(struct worker *w)
{
	struct stress_op op = { .index = pick(w, NR_INNER) };
	int rc;

	if (w->id < 2 && pick(w, 4) == 0) {
		op.index = op.index / 2 * 2 + w->id;
		if (pick(w, 4)) {
			put_inner(w, op.index, (uint32_t)w->ops * 2 + 2);
			return;
		}
		rc = tenon_map_delete_elem(w->run->map, &op.index, 4, 0);
		if (rc && rc != -ENOENT)
			wrong(w->run, "take out: %d", rc);
		return;
	}
	rc = fire(w, 0, &op);
	if (rc && rc != -ENOENT)
		wrong(w->run, "program: %d", rc);
	/* The value of a map is written once, and by programs as it is. */
	if (!rc && !version_of(op.value, VALUE_WORDS, op.index, true))
		wrong(w->run, "inner map %u holds another's value", op.index);
}

static void end_outer(struct run *run)
{
	for (uint32_t i = 0; i < NR_INNER; i++)
		tenon_map_delete_elem(run->map, &i, 4, 0);
}

/* ---- Prog array ---- */

enum { CALL, FIRST, SECOND };

static struct tenon_program *program_of(struct tenon_object *obj, const char *prefix)
{
	struct tenon_program *p = NULL;

	while ((p = tenon_object_next_program(obj, p)))
		if (!strncmp(tenon_program_name(p), prefix, strlen(prefix)))
			return p;
	return NULL;
}

/* Elements 0 and 1 always hold one program or the other, 2 and 3 at times none. Both engines of one
 * map: an array takes programs of one object alone. */
static void put_program(struct worker *w, uint32_t index)
{
	struct tenon_program *p = program_of(w->run->obj[0], pick(w, 2) ? "first" : "second");
	uint32_t id = tenon_program_id(p);
	int rc = tenon_map_update_elem(w->run->map, &index, 4, &id, 4, 0);

	if (rc)
		wrong(w->run, "put in: %s", tenon_last_error()->msg);
}

static void begin_progs(struct run *run)
{
	put_program(&(struct worker){ .run = run, .random = 1 }, 0);
	put_program(&(struct worker){ .run = run, .random = 1 }, 1);
}

static void work_progs(struct worker *w)
{
	struct stress_op op = { .index = pick(w, 4) };
	struct stress_ctx ctx = { &op, NULL };
	int rc;

	if (w->id < 2 && pick(w, 4) == 0) {
		if (op.index < 2 || pick(w, 2)) {
			put_program(w, op.index);
			return;
		}
		rc = tenon_map_delete_elem(w->run->map, &op.index, 4, 0);
		if (rc && rc != -ENOENT)
			wrong(w->run, "take out: %d", rc);
		return;
	}
	rc = (int)tenon_hook_fire(&w->run->hooks[0][CALL], &ctx);
	if (rc != 100 && rc != 200 && !(rc == -2 && op.index > 1))
		wrong(w->run, "tail call of %u gives %d", op.index, rc);
	else if (op.arg != (rc < 0 ? 0 : (uint64_t)rc))
		wrong(w->run, "tail call of %u: another program ran than returned", op.index);
}

/* ---- Locks in values ---- */

struct locked {
	uint32_t lock, spare;
	u64_t words[VALUE_WORDS];
};

static void begin_locks(struct run *run)
{
	struct locked value = { 0 };

	for (uint32_t i = 0; i < 8; i++)
		if (tenon_map_update_elem(run->map, &i, 4, &value, sizeof(value), 0))
			wrong(run, "%s", tenon_last_error()->msg);
}

static void work_locks(struct worker *w)
{
	struct stress_op op = { .index = pick(w, 8) };
	int rc = fire(w, 0, &op);

	if (rc || op.arg)
		wrong(w->run, "lock: %d, words differ by %llx", rc, (unsigned long long)op.arg);
	w->count[op.index]++;
}

static void end_locks(struct run *run)
{
	for (uint32_t i = 0; i < 8; i++) {
		struct locked value;
		uint64_t counted = 0;

		for (uint32_t t = 0; t < run->nr_threads; t++)
			counted += run->workers[t].count[i];
		if (tenon_map_lookup_elem(run->map, &i, 4, &value, sizeof(value), 0) ||
		    value.words[0] != counted || value.words[VALUE_WORDS - 1] != counted)
			wrong(run, "value %u: %llu, expected %llu", i, value.words[0],
			      (unsigned long long)counted);
	}
}

/* ---- Stack traces ---- */

static void work_traces(struct worker *w)
{
	struct stress_op op = { 0 };
	uint64_t ips[16];
	uint32_t id;
	int rc;

	if (pick(w, 4) == 0) {
		id = pick(w, 64);
		rc = tenon_map_delete_elem(w->run->map, &id, 4, 0);
		if (rc && rc != -ENOENT)
			wrong(w->run, "delete: %d", rc);
		return;
	}
	op.flags = pick(w, 2) ? BPF_F_REUSE_STACKID : 0;
	op.flags |= pick(w, 2) ? BPF_F_USER_STACK : 0;
	op.flags |= pick(w, 4);
	rc = fire(w, 0, &op);
	if (rc < 0) {
		/* Another trace stands there, none could be taken, or all is in use. */
		if (rc != -EEXIST && rc != -EFAULT && rc != -ENOMEM)
			wrong(w->run, "get_stackid: %d", rc);
		return;
	}
	id = (uint32_t)rc;
	rc = tenon_map_lookup_elem(w->run->map, &id, 4, ips, sizeof(ips), 0);
	if (rc && rc != -ENOENT)
		wrong(w->run, "lookup: %d", rc);
	/* No address behind a 0: else two traces are mixed. */
	for (uint32_t i = 1; !rc && i < 16; i++)
		if (ips[i] && !ips[i - 1])
			wrong(w->run, "trace %u is torn", id);
}

const struct kind other_kinds[] = {
	{ "bloom_filter", { "push", "peek" }, 0, 0, NULL, work_bloom, NULL, NULL, false },
	{ "array_of_maps", { "inner" }, 0, 0, NULL, work_outer, NULL, end_outer, false },
	{ "hash_of_maps", { "inner" }, 0, 0, NULL, work_outer, NULL, end_outer, false },
	{ "prog_array",
	  { "call", "first", "second" },
	  0,
	  0,
	  begin_progs,
	  work_progs,
	  NULL,
	  NULL,
	  false },
	{ "spin_lock", { "add" }, 0, 0, begin_locks, work_locks, NULL, end_locks, false },
	{ "stack_trace", { "get" }, 0, 0, NULL, work_traces, NULL, NULL, false },
	{ 0 },
};
