/* SPDX-License-Identifier: MIT */
/*
 * Values under BPF_F_LOCK, values with timers, ports of redirects, pages of arenas.
 */
#include "run.h"

#include <errno.h>
#include <linux/bpf.h>
#include <string.h>

/* ---- BPF_F_LOCK: nobody sees two versions of one value, also in an array ---- */

struct locked {
	uint32_t lock, spare;
	u64_t words[VALUE_WORDS];
};

static void begin_lock_flag(struct run *run)
{
	struct locked value = { 0 };

	for (uint32_t i = 0; i < 8; i++) {
		fill(value.words, VALUE_WORDS, i, 1);
		if (tenon_map_update_elem(run->map, &i, 4, &value, sizeof(value), BPF_F_LOCK))
			wrong(run, "%s", tenon_last_error()->msg);
	}
}

static void work_lock_flag(struct worker *w)
{
	struct stress_op op = { .index = pick(w, 8) };
	struct locked value = { 0 };
	bool by_host = pick(w, 2), write = pick(w, 2);
	int rc;

	if (write)
		fill(by_host ? value.words : op.value, VALUE_WORDS, op.index,
		     1 + pick(w, 1u << 30));
	if (!by_host)
		rc = fire(w, write, &op);
	else if (write)
		rc = tenon_map_update_elem(w->run->map, &op.index, 4, &value, sizeof(value),
					   BPF_F_LOCK);
	else
		rc = tenon_map_lookup_elem(w->run->map, &op.index, 4, &value, sizeof(value),
					   BPF_F_LOCK);
	if (rc)
		wrong(w->run, "element %u: %d", op.index, rc);
	if (!write && !version_of(by_host ? value.words : op.value, VALUE_WORDS, op.index, true))
		wrong(w->run, "element %u is torn for %s", op.index,
		      by_host ? "the host" : "a program");
}

/* ---- Timers: two threads call what is due, the others start, cancel, replace and delete ---- */

static struct tenon_map *table_of(struct run *run, uint32_t which)
{
	return tenon_object_find_map(run->obj[0], which == 1 ? "timer_hash" : "timer_lru");
}

static uint64_t timer_calls(struct run *run)
{
	struct {
		uint64_t calls, bad;
	} out = { 0 };
	uint32_t zero = 0;

	if (tenon_map_lookup_elem(tenon_object_find_map(run->obj[0], "timer_out"), &zero, 4, &out,
				  sizeof(out), 0))
		wrong(run, "%s", tenon_last_error()->msg);
	if (out.bad)
		wrong(run, "%llu calls were given the wrong element", (unsigned long long)out.bad);
	return out.calls;
}

struct timed {
	uint64_t index, calls, timer[2];
};

static void replace_timed(struct run *run, uint32_t index)
{
	struct timed value = { .index = index };

	if (tenon_map_update_elem(run->map, &index, 4, &value, sizeof(value), 0))
		wrong(run, "%s", tenon_last_error()->msg);
}

static void begin_timers(struct run *run)
{
	if (tenon_runtime_timers_fd(run->rt) < 0)
		wrong(run, "%s", tenon_last_error()->msg);
	for (uint32_t i = 0; i < NR_TIMED; i++)
		replace_timed(run, i);
}

/* What one of the others did to the timer meanwhile: it has none, has one, or no callback. */
static bool may_be(int rc)
{
	return rc >= 0 || rc == -ENOENT || rc == -EBUSY || rc == -EINVAL || rc == -EDEADLK ||
	       rc == -EPERM;
}

static void work_timers(struct worker *w)
{
	struct stress_op op = { .index = pick(w, NR_TIMED),
				.flags = pick(w, 4),
				.arg = pick(w, 2) ? 0 : pick(w, 100000) };
	uint32_t which = pick(w, 3); /* array, table, LRU table */
	int rc = 0;

	if (w->id < 2) {
		rc = tenon_runtime_timers_run(w->run->rt);
		if (rc < 0)
			wrong(w->run, "run: %d", rc);
	} else if (pick(w, 8)) {
		rc = fire(w, which, &op);
		if (!may_be(rc))
			wrong(w->run, "step %u of element %u: %d", op.flags, op.index, rc);
	} else if (which) {
		rc = tenon_map_delete_elem(table_of(w->run, which), &op.index, 4, 0);
		if (rc && rc != -ENOENT)
			wrong(w->run, "delete: %d", rc);
	} else {
		replace_timed(w->run, op.index);
	}
}

/* Nothing was lost: each element's timer is called once when it is started now. */
static void end_timers(struct run *run)
{
	struct worker w = { .run = run, .random = 1 };
	uint64_t before;

	for (uint32_t i = 0; i < NR_TIMED; i++) {
		tenon_map_delete_elem(table_of(run, 1), &i, 4, 0);
		tenon_map_delete_elem(table_of(run, 2), &i, 4, 0);
		replace_timed(run, i);
	}
	if (tenon_runtime_timers_run(run->rt))
		wrong(run, "a timer of an element that is gone was called");
	before = timer_calls(run);
	if (!before)
		wrong(run, "no timer was ever called");
	for (uint32_t i = 0; i < NR_TIMED; i++)
		for (uint32_t step = TIMER_INIT; step <= TIMER_START; step++)
			if (fire(&w, 0, &(struct stress_op){ .index = i, .flags = step }))
				wrong(run, "step %u of element %u fails at the end", step, i);
	if (tenon_runtime_timers_run(run->rt) != NR_TIMED || timer_calls(run) != before + NR_TIMED)
		wrong(run, "%llu of %u timers were called at the end",
		      (unsigned long long)(timer_calls(run) - before), NR_TIMED);
}

/* ---- Ports: the one that is told belongs to the key ---- */

static uint32_t port_of(struct worker *w, uint32_t key)
{
	return 1 + key + NR_PORT_KEYS * pick(w, 1000);
}

static void work_ports(struct worker *w)
{
	uint32_t key = pick(w, NR_PORT_KEYS), port;
	struct tenon_xdp_md xdp = { .rx_queue_index = key };
	int rc;

	switch (pick(w, 8)) {
	case 0:
		port = port_of(w, key);
		if (tenon_map_update_elem(w->run->map, &key, 4, &port, 4, 0))
			wrong(w->run, "%s", tenon_last_error()->msg);
		return;
	case 1:
		rc = tenon_map_delete_elem(w->run->map, &key, 4, 0);
		if (rc && rc != -ENOENT)
			wrong(w->run, "delete: %d", rc);
		return;
	case 2:
		rc = tenon_map_lookup_elem(w->run->map, &key, 4, &port, 4, 0);
		if ((rc && rc != -ENOENT) || (!rc && (port - 1) % NR_PORT_KEYS != key))
			wrong(w->run, "key %u has port %u: %d", key, port, rc);
		return;
	default:
		rc = (int)tenon_hook_fire(&w->run->hooks[pick(w, 2)][0], &xdp);
		if (rc == XDP_PASS)
			return;
		if (rc != XDP_REDIRECT || xdp.redirect_key != key ||
		    (xdp.redirect_ifindex - 1) % NR_PORT_KEYS != key)
			wrong(w->run, "key %u: verdict %d, to %u", key, rc, xdp.redirect_ifindex);
	}
}

/* ---- Storage: threads know what they have, objects are everybody's ---- */

#define NR_OBJECTS 200u

static char objects[NR_OBJECTS];

static void work_threads(struct worker *w)
{
	struct stress_op op = { .flags = pick(w, 2) };
	uint32_t last = w->version[0], next = 1 + pick(w, 1u << 30);
	int rc;

	if (pick(w, 4) == 0) {
		rc = fire(w, 1, &op);
		if (rc == -EBUSY)
			return;
		if (rc != (last ? 0 : -ENOENT))
			wrong(w->run, "thread %u: delete gives %d", w->id, rc);
		w->version[0] = 0;
		return;
	}
	fill(op.value, VALUE_WORDS, w->id, next);
	rc = fire(w, 0, &op);
	if (rc == -ENOENT && op.flags && !last)
		return; /* all is locked for too long */
	if (rc != (last || op.flags ? 0 : -ENOENT))
		wrong(w->run, "thread %u: get gives %d", w->id, rc);
	if (!rc && version_of(op.value, VALUE_WORDS, w->id, true) != (last ? last : next))
		wrong(w->run, "thread %u: another's value, or torn", w->id);
	if (!rc)
		w->version[0] = last ? last : next;
}

static int fire_for(struct worker *w, uint32_t hook, struct stress_op *op, const char *object)
{
	struct stress_ctx ctx = { op, (struct stress_object *)(uintptr_t)object };

	return (int)tenon_hook_fire(&w->run->hooks[pick(w, 2)][hook], &ctx);
}

static void work_objects(struct worker *w)
{
	struct stress_op op = { .index = pick(w, NR_OBJECTS), .flags = pick(w, 2) };
	const char *object = &objects[op.index];
	u64_t value[VALUE_WORDS];
	int rc;

	fill(op.value, VALUE_WORDS, op.index, 1 + pick(w, 1u << 30));
	memcpy(value, op.value, sizeof(value));
	switch (pick(w, 8)) {
	case 0:
		rc = fire_for(w, 1, &op, object);
		break;
	case 1:
		rc = tenon_runtime_forget_object(w->run->rt, object) > 1 ? -EINVAL : 0;
		break;
	case 2:
		rc = tenon_map_update_object(w->run->map, object, value, sizeof(value), pick(w, 3));
		break;
	case 3:
		rc = tenon_map_lookup_object(w->run->map, object, value, sizeof(value));
		if (!rc && !version_of(value, VALUE_WORDS, op.index, true))
			wrong(w->run, "object %u: a copy is torn", op.index);
		break;
	default:
		rc = fire_for(w, 0, &op, object);
		if (!rc && !version_of(op.value, VALUE_WORDS, op.index, true))
			wrong(w->run, "object %u: another's value, or torn", op.index);
	}
	if (rc && rc != -ENOENT && rc != -EEXIST && rc != -EBUSY)
		wrong(w->run, "object %u: %d", op.index, rc);
}

static void end_objects(struct run *run)
{
	struct tenon_map_info info = { .sz = sizeof(info) };

	for (uint32_t i = 0; i < NR_OBJECTS; i++)
		tenon_runtime_forget_object(run->rt, &objects[i]);
	if (tenon_map_info(run->map, &info) || info.nr_entries)
		wrong(run, "%llu values are left", (unsigned long long)info.nr_entries);
}

/* ---- Arena ---- */

static void work_arena(struct worker *w)
{
	struct stress_op op = { .index = pick(w, 2), .arg = (uint64_t)w->id << 32 | pick(w, 1000) };
	int rc = fire(w, 0, &op);

	if (rc && rc != -ENOMEM)
		wrong(w->run, "program: %d", rc);
	if (!rc && op.result)
		wrong(w->run, "%llu words of a page were another's", (unsigned long long)op.result);
}

/* Every page came back. */
static void end_arena(struct run *run)
{
	struct worker w = { .run = run, .random = 1 };

	for (uint32_t i = 0; i < 20; i++)
		if (fire(&w, 0, &(struct stress_op){ .index = 1, .arg = 1 }))
			wrong(run, "pages were lost");
}

const struct kind special_kinds[] = {
	{ "lock_flag", { "read", "write" }, .begin = begin_lock_flag, .work = work_lock_flag },
	{ "lock_flag_hash", { "read", "write" }, .begin = begin_lock_flag, .work = work_lock_flag },
	{ "timer",
	  { "go", "hash", "lru" },
	  .begin = begin_timers,
	  .work = work_timers,
	  .end = end_timers },
	{ "task_storage", { "make", "drop" }, .work = work_threads },
	{ "sk_storage", { "make", "drop" }, .work = work_objects, .end = end_objects },
	{ "devmap", { "to" }, .work = work_ports, .packets = true },
	{ "devmap_hash", { "to" }, .work = work_ports, .packets = true },
	{ "cpumap", { "to" }, .work = work_ports, .packets = true },
	{ "arena", { "own" }, .work = work_arena, .end = end_arena },
	{ 0 },
};
