/* SPDX-License-Identifier: MIT */
/*
 * A table of chains. Readers go through it without a lock, inside an epoch section; who changes
 * anything holds the lock of base/thread.h under which threads come, end and fork, so that no value
 * is made for a thread that is just gone.
 *
 * Elements that are taken out wait for two epochs before they are used again or freed. A table that
 * became too small is replaced by one of twice the size over the same elements, which have a link
 * for either: readers that are still in the old one go through it as it was. Until they are gone it
 * is not replaced again.
 */
#include "maps/storage.h"

#include <errno.h>
#include <sched.h>
#include <string.h>

#include "base/epoch.h"
#include "base/thread.h"
#include "maps/special.h"

#define FIRST_BUCKETS 16u
#define MAX_VALUE     (65535u - 64u) /* of the kernel's element, which has 16 bits for its size */
#define LOCK_TRIES    100000u
#define TRIM_AT_ONCE  8u
#define ADVANCE_AFTER 64u	 /* elements that wait */
#define MOST_WAITING  (4u << 20) /* bytes of elements that wait, of few elements any */

struct element {
	uint64_t owner;
	_Atomic(struct element *) next[2]; /* by the side of the table */
	struct element *next_waiting;
	uint64_t stamp;
	TN_ALIGNED(8) unsigned char value[];
};

struct table {
	size_t bytes;
	uint64_t stamp; /* once it is replaced */
	uint32_t mask;
	uint8_t side;
	_Atomic(struct element *) buckets[];
};

struct storage {
	struct tn_map map;
	_Atomic(struct table *) table;
	struct table *old; /* readers may still be in it */
	_Atomic uint32_t nr;
	struct element *waiting, **last_waiting; /* oldest first */
	uint32_t nr_waiting, nr_taken;		 /* now; since the last advance of epochs */
	struct storage *next, **link;
};

static struct storage *storages;		 /* under the lock */
static _Atomic(const struct tn_thread *) holder; /* who has it for one of the functions below */

static struct storage *storage_of(const struct tn_map *map)
{
	return (struct storage *)(uintptr_t)map;
}

static size_t element_bytes(const struct storage *s)
{
	return sizeof(struct element) + s->map.value_stride;
}

/* ---- Table ---- */

static _Atomic(struct element *) *bucket_of(struct table *t, uint64_t owner)
{
	return &t->buckets[(owner * UINT64_C(0x9e3779b97f4a7c15) >> 32) & t->mask];
}

static struct element *find(const struct storage *s, uint64_t owner)
{
	/* Pairs with the release in use_table(), and those of the links with insert()'s. */
	struct table *t = tn_load_acquire(&s->table);
	struct element *e = tn_load_acquire(bucket_of(t, owner));

	while (e && e->owner != owner)
		e = tn_load_acquire(&e->next[t->side]);
	return e;
}

static void link_into(struct table *t, struct element *e)
{
	_Atomic(struct element *) *bucket = bucket_of(t, e->owner);

	tn_store_relaxed(&e->next[t->side], tn_load_relaxed(bucket));
	tn_store_release(bucket, e);
}

static struct table *new_table(struct storage *s, uint32_t buckets, uint8_t side)
{
	size_t bytes = sizeof(struct table) + buckets * sizeof(struct element *);
	struct table *t;

	if (tn_charge(s->map.rt, TN_CHARGE_MAPS, bytes))
		return NULL;
	t = tn_zalloc(s->map.rt, bytes);
	if (!t) {
		tn_uncharge(s->map.rt, TN_CHARGE_MAPS, bytes);
		return NULL;
	}
	s->map.charged += bytes;
	t->bytes = bytes;
	t->mask = buckets - 1;
	t->side = side;
	return t;
}

static void free_table(struct storage *s, struct table *t)
{
	if (!t)
		return;
	s->map.charged -= t->bytes;
	tn_uncharge(s->map.rt, TN_CHARGE_MAPS, t->bytes);
	tn_free(s->map.rt, t);
}

/* Without memory it stays as it is: chains grow longer. */
static void grow(struct storage *s)
{
	struct table *from = tn_load_relaxed(&s->table), *to;

	if (s->old && tn_epoch_passed(s->old->stamp)) {
		free_table(s, s->old);
		s->old = NULL;
	}
	if (s->old || tn_load_relaxed(&s->nr) <= from->mask || from->mask >= UINT32_MAX / 4)
		return;
	to = new_table(s, (from->mask + 1) * 2, !from->side);
	if (!to)
		return;
	for (uint32_t i = 0; i <= from->mask; i++)
		for (struct element *e = tn_load_relaxed(&from->buckets[i]); e;
		     e = tn_load_relaxed(&e->next[from->side]))
			link_into(to, e);
	tn_store_release(&s->table, to);
	s->old = from;
	from->stamp = tn_epoch_stamp();
}

/* ---- Elements: all of these under the lock ---- */

static void free_element(struct storage *s, struct element *e)
{
	s->map.charged -= element_bytes(s);
	tn_uncharge(s->map.rt, TN_CHARGE_MAPS, element_bytes(s));
	tn_free(s->map.rt, e);
}

/* The one that waits longest, if nobody can see it any more. */
static struct element *take_waiting(struct storage *s)
{
	struct element *e = s->waiting;

	if (!e || !tn_epoch_passed(e->stamp))
		return NULL;
	s->waiting = e->next_waiting;
	if (!s->waiting)
		s->last_waiting = &s->waiting;
	s->nr_waiting--;
	return e;
}

/* Those that wait are soon wanted again; of many the rest is given back. */
static void trim(struct storage *s)
{
	uint32_t most = ADVANCE_AFTER + tn_load_relaxed(&s->nr) / 8;

	/* More come than go at each call, and the lock is held for a bounded time. */
	for (uint32_t i = 0; i < TRIM_AT_ONCE && s->nr_waiting > most; i++) {
		struct element *e = take_waiting(s);

		if (!e)
			return;
		free_element(s, e);
	}
}

static struct element *make_element(struct storage *s, uint64_t owner, const void *value)
{
	struct element *e = take_waiting(s);
	size_t bytes = element_bytes(s);

	if (!e && !tn_charge(s->map.rt, TN_CHARGE_MAPS, bytes)) {
		e = tn_alloc(s->map.rt, bytes);
		if (e)
			s->map.charged += bytes;
		else
			tn_uncharge(s->map.rt, TN_CHARGE_MAPS, bytes);
	}
	if (!e)
		return NULL;
	e->owner = owner;
	/* Nobody holds the lock of one that was used before: the epochs are over. */
	tn_words_zero(e->value, s->map.value_stride);
	if (value)
		tn_map_store_value(&s->map, e->value, value);
	return e;
}

static void insert(struct storage *s, struct element *e)
{
	tn_add_relaxed(&s->nr, 1);
	grow(s);
	link_into(tn_load_relaxed(&s->table), e);
}

/* The owner's element, but not `keep`. Readers that stand on it go on from it. */
static bool take_out_but(struct storage *s, uint64_t owner, const struct element *keep)
{
	struct table *t = tn_load_relaxed(&s->table);
	_Atomic(struct element *) *link = bucket_of(t, owner);
	struct element *e = tn_load_relaxed(link);

	while (e && (e->owner != owner || e == keep)) {
		link = &e->next[t->side];
		e = tn_load_relaxed(link);
	}
	if (!e)
		return false;
	tn_store_release(link, tn_load_relaxed(&e->next[t->side]));
	tn_sub_acq_rel(&s->nr, 1);
	e->stamp = tn_epoch_stamp();
	e->next_waiting = NULL;
	*s->last_waiting = e;
	s->last_waiting = &e->next_waiting;
	s->nr_waiting++;
	s->nr_taken++;
	trim(s);
	return true;
}

static bool take_out(struct storage *s, uint64_t owner)
{
	return take_out_but(s, owner, NULL);
}

static void hold(void)
{
	tn_threads_lock();
	tn_store_relaxed(&holder, tn_thread_tls);
}

static void release(void)
{
	tn_store_relaxed(&holder, NULL);
	tn_threads_unlock();
}

/* After the lock: what waits comes nearer to its time. */
static void let_go(struct storage *s)
{
	bool many = s->nr_taken >= ADVANCE_AFTER;

	if (many)
		s->nr_taken = 0;
	release();
	if (many)
		tn_epoch_advance();
}

/* What a program takes out it cannot use again before it ends: it does not fill the memory with
 * values that nobody has. */
static bool too_many_wait(const struct storage *s)
{
	return s->nr_waiting > ADVANCE_AFTER &&
	       s->nr_waiting * (uint64_t)element_bytes(s) > MOST_WAITING &&
	       !tn_epoch_passed(s->waiting->stamp);
}

/* ---- From programs: a signal handler may have come while its thread held the lock ---- */

static bool try_to_hold(void)
{
	for (uint32_t tries = 0; tries < LOCK_TRIES; tries++) {
		if (tn_threads_trylock()) {
			tn_store_relaxed(&holder, tn_thread_tls);
			return true;
		}
		if (tn_load_relaxed(&holder) == tn_thread_tls)
			return false;
		sched_yield();
	}
	return false;
}

void *tn_storage_get(struct tn_map *map, uint64_t owner, const void *initial, uint64_t flags)
{
	struct storage *s = storage_of(map);
	struct element *e;

	if (flags & ~(uint64_t)TN_STORAGE_CREATE || !owner)
		return NULL;
	e = find(s, owner);
	if (tn_likely(e != NULL) || !flags)
		return e ? e->value : NULL;
	if (!try_to_hold())
		return NULL;
	e = find(s, owner);
	if (!e && too_many_wait(s)) {
		s->nr_taken = ADVANCE_AFTER;
	} else if (!e) {
		e = make_element(s, owner, initial);
		if (e)
			insert(s, e);
	}
	let_go(s);
	return e ? e->value : NULL;
}

int tn_storage_delete(struct tn_map *map, uint64_t owner)
{
	struct storage *s = storage_of(map);
	bool found;

	if (!owner)
		return -EINVAL;
	if (!find(s, owner))
		return -ENOENT;
	if (!try_to_hold())
		return -EBUSY;
	found = take_out(s, owner);
	let_go(s);
	return found ? 0 : -ENOENT;
}

/* ---- From the host ---- */

int tn_storage_host_lookup(struct tn_map *map, uint64_t owner, void *value)
{
	struct tn_thread *self = tn_thread_self();
	struct element *e;

	if (!self)
		return -ENOMEM;
	tn_epoch_enter(self);
	e = find(storage_of(map), owner);
	if (e)
		tn_map_load_value(map, value, e->value);
	tn_epoch_leave(self);
	return e ? 0 : -ENOENT;
}

/* A new element instead of the old one: copies never mix two values. It comes first, so that
 * nobody misses both. */
static int update_locked(struct storage *s, uint64_t owner, const void *value, uint64_t flags)
{
	bool there = find(s, owner) != NULL;
	struct element *e;

	if (there && flags == TN_MAP_NOEXIST)
		return -EEXIST;
	if (!there && flags == TN_MAP_EXIST)
		return -ENOENT;
	e = make_element(s, owner, value);
	if (!e)
		return -ENOMEM;
	insert(s, e);
	if (there)
		take_out_but(s, owner, e);
	return 0;
}

int tn_storage_host_update(struct tn_map *map, uint64_t owner, const void *value, uint64_t flags)
{
	struct storage *s = storage_of(map);
	int err;

	if (flags > TN_MAP_EXIST || !owner)
		return -EINVAL;
	if (!tn_thread_self())
		return -ENOMEM;
	hold();
	err = update_locked(s, owner, value, flags);
	let_go(s);
	return err;
}

int tn_storage_host_delete(struct tn_map *map, uint64_t owner)
{
	struct storage *s = storage_of(map);
	bool found;

	if (!tn_thread_self())
		return -ENOMEM;
	hold();
	found = take_out(s, owner);
	let_go(s);
	return found ? 0 : -ENOENT;
}

uint32_t tn_storage_forget(struct tn_rt *rt, uint64_t owner)
{
	uint32_t nr = 0;
	bool many = false;

	hold();
	for (struct storage *s = storages; s; s = s->next) {
		if (s->map.rt != rt || s->map.type != TN_MAP_SK_STORAGE)
			continue;
		nr += take_out(s, owner);
		many |= s->nr_taken >= ADVANCE_AFTER;
		s->nr_taken %= ADVANCE_AFTER;
	}
	release();
	if (many)
		tn_epoch_advance();
	return nr;
}

/* Under the lock. */
static void thread_ends(struct tn_thread *t)
{
	for (struct storage *s = storages; s; s = s->next)
		if (s->map.type == TN_MAP_TASK_STORAGE)
			take_out(s, tn_storage_thread(t));
}

/* ---- The host's calls by key: threads alone have one, their id ---- */

/* Under the lock: the thread does not end meanwhile, nor does another one take its record over. */
static uint64_t thread_of(const void *key)
{
	int32_t tid;

	memcpy(&tid, key, sizeof(tid));
	for (struct tn_thread *t = tn_threads_first(); t; t = t->next)
		if (tn_load_acquire(&t->used) && t->tid == tid)
			return tn_storage_thread(t);
	return 0;
}

static int host_lookup(struct tn_map *map, const void *key, void *value, uint64_t flags)
{
	struct element *e = NULL;
	uint64_t owner;

	(void)flags;
	if (!tn_thread_self())
		return -ENOMEM;
	hold();
	owner = thread_of(key);
	if (owner)
		e = find(storage_of(map), owner);
	/* Nothing is used again or freed without the lock. */
	if (e)
		tn_map_load_value(map, value, e->value);
	release();
	return e ? 0 : -ENOENT;
}

static int host_update(struct tn_map *map, const void *key, const void *value, uint64_t flags)
{
	struct storage *s = storage_of(map);
	uint64_t owner;
	int err = -ESRCH;

	if (flags > TN_MAP_EXIST)
		return -EINVAL;
	if (!tn_thread_self())
		return -ENOMEM;
	hold();
	owner = thread_of(key);
	if (owner)
		err = update_locked(s, owner, value, flags);
	let_go(s);
	return err;
}

static int host_delete(struct tn_map *map, const void *key, uint64_t flags)
{
	struct storage *s = storage_of(map);
	uint64_t owner;
	bool found;

	(void)flags;
	if (!tn_thread_self())
		return -ENOMEM;
	hold();
	owner = thread_of(key);
	found = owner && take_out(s, owner);
	let_go(s);
	return found ? 0 : -ENOENT;
}

static uint32_t count(struct tn_map *map)
{
	return tn_load_relaxed(&storage_of(map)->nr);
}

/* ---- Life ---- */

static int check(const struct tn_map *map)
{
	if (!(map->flags & TN_MAP_F_NO_PREALLOC))
		return tn_map_err(map, -EINVAL, "map_flags lack BPF_F_NO_PREALLOC (1)");
	if (map->max_entries)
		return tn_map_err(map, -EINVAL, "max_entries is %u, expected 0", map->max_entries);
	if (map->key_size != 4)
		return tn_map_err(map, -EINVAL, "key size is %u, expected 4", map->key_size);
	if (!map->value_size)
		return tn_map_err(map, -EINVAL, "value size is 0");
	if (map->value_size > MAX_VALUE)
		return tn_map_err(map, -E2BIG, "value size is %u, expected %u at most",
				  map->value_size, MAX_VALUE);
	return tn_map_check_flags(map, TN_MAP_F_NO_PREALLOC);
}

static int init(struct tn_map *map)
{
	struct storage *s = storage_of(map);
	struct table *t;

	map->value_stride = TN_ROUND_UP(map->value_size, 8u);
	s->last_waiting = &s->waiting;
	t = new_table(s, FIRST_BUCKETS, 0);
	if (!t)
		return tn_map_err(map, -ENOMEM, "out of memory");
	tn_store_relaxed(&s->table, t);
	tn_threads_lock();
	tn_threads_on_end(thread_ends);
	s->next = storages;
	s->link = &storages;
	if (s->next)
		s->next->link = &s->next;
	storages = s;
	tn_threads_unlock();
	return 0;
}

static void fini(struct tn_map *map)
{
	struct storage *s = storage_of(map);
	struct table *t = tn_load_relaxed(&s->table);
	struct element *e, *next;

	if (!t)
		return;
	tn_threads_lock();
	*s->link = s->next;
	if (s->next)
		s->next->link = s->link;
	tn_threads_unlock();
	for (uint32_t i = 0; i <= t->mask; i++)
		for (e = tn_load_relaxed(&t->buckets[i]); e; e = next) {
			next = tn_load_relaxed(&e->next[t->side]);
			free_element(s, e);
		}
	for (e = s->waiting; e; e = next) {
		next = e->next_waiting;
		free_element(s, e);
	}
	free_table(s, s->old);
	free_table(s, t);
}

#define COMMON_OPS                                                                         \
	.struct_size = sizeof(struct storage), .check = check, .init = init, .fini = fini, \
	.count = count

const struct tn_map_ops tn_task_storage_ops = { COMMON_OPS, .host_lookup = host_lookup,
						.host_update = host_update,
						.host_delete = host_delete };
const struct tn_map_ops tn_sk_storage_ops = { COMMON_OPS };
