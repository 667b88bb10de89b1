/* SPDX-License-Identifier: MIT */
/*
 * Queues and stacks: values without keys, in a ring of max_entries places. One lock for all of it,
 * held inside a writer section (base/fork.h) for the time of one copy, so that no forked child
 * finds it held. Nothing that could run a program is called under it.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "base/fork.h"
#include "base/pages.h"
#include "maps/keyless.h"
#include "maps/map.h"

#define ALLOWED_FLAGS                                                                    \
	(TN_MAP_F_NUMA_NODE | TN_MAP_F_RDONLY | TN_MAP_F_WRONLY | TN_MAP_F_RDONLY_PROG | \
	 TN_MAP_F_WRONLY_PROG)
/* The kernel's, KMALLOC_MAX_SIZE. */
#define MAX_VALUE_BYTES (4u << 20)

struct queue {
	struct tn_map map;
	unsigned char *values;
	size_t bytes;
	pthread_mutex_t lock;	/* of what follows and the values; holds nothing */
	uint32_t first;		/* the place of the oldest value */
	_Atomic uint32_t count; /* read without the lock for information alone */
};

static struct queue *queue_of(const struct tn_map *map)
{
	return TN_CONTAINER_OF(map, struct queue, map);
}

/* ---- Life ---- */

static int check(const struct tn_map *map)
{
	if (map->key_size)
		return tn_map_err(map, -EINVAL, "key size is %u, a %s has no keys", map->key_size,
				  tn_map_type_words(map->type));
	if (!map->value_size)
		return tn_map_err(map, -EINVAL, "value size is 0");
	if (!map->max_entries)
		return tn_map_err(map, -EINVAL, "max_entries is 0");
	if (map->value_size > MAX_VALUE_BYTES)
		return tn_map_err(map, -E2BIG, "value size %u is too large", map->value_size);
	return tn_map_check_flags(map, ALLOWED_FLAGS);
}

static int init(struct tn_map *map)
{
	struct queue *q = queue_of(map);
	int err;

	pthread_mutex_init(&q->lock, NULL);
	q->bytes = (size_t)map->value_size * map->max_entries;
	err = tn_map_charge(map, q->bytes);
	if (err)
		return err;
	q->values = tn_pages_alloc(map->rt, q->bytes);
	return q->values ? 0 : tn_map_err(map, -ENOMEM, "cannot reserve %zu bytes", q->bytes);
}

static void fini(struct tn_map *map)
{
	tn_pages_free(queue_of(map)->values, queue_of(map)->bytes);
	pthread_mutex_destroy(&queue_of(map)->lock);
}

/* ---- The ring ---- */

static struct tn_thread *lock(struct queue *q)
{
	struct tn_thread *t = tn_thread_self();

	tn_writer_enter(t);
	pthread_mutex_lock(&q->lock);
	return t;
}

static void unlock(struct queue *q, struct tn_thread *t)
{
	pthread_mutex_unlock(&q->lock);
	tn_writer_leave(t);
}

/* The value that is `nr` younger than the oldest. */
static unsigned char *value_at(struct queue *q, uint32_t nr)
{
	uint64_t place = ((uint64_t)q->first + nr) % q->map.max_entries;

	return q->values + place * q->map.value_size;
}

static void drop_oldest(struct queue *q)
{
	q->first = q->first + 1 == q->map.max_entries ? 0 : q->first + 1;
}

static int push(struct tn_map *map, const void *value, uint64_t flags)
{
	struct queue *q = queue_of(map);
	struct tn_thread *t;
	uint32_t count;
	int err = 0;

	if (flags > TN_MAP_EXIST || flags == TN_MAP_NOEXIST)
		return -EINVAL;
	t = lock(q);
	count = tn_load_relaxed(&q->count);
	if (count == map->max_entries && flags != TN_MAP_EXIST) {
		err = -E2BIG;
	} else {
		if (count == map->max_entries) {
			drop_oldest(q);
			count--;
		}
		memcpy(value_at(q, count), value, map->value_size);
		tn_store_relaxed(&q->count, count + 1);
	}
	unlock(q, t);
	return err;
}

/* The oldest of a queue, the youngest of a stack. The target is written in any case. */
static int take(struct tn_map *map, void *value, bool remove)
{
	struct queue *q = queue_of(map);
	struct tn_thread *t = lock(q);
	uint32_t count = tn_load_relaxed(&q->count);
	bool oldest = map->type == TN_MAP_QUEUE;

	if (count) {
		memcpy(value, value_at(q, oldest ? 0 : count - 1), map->value_size);
		if (remove && oldest)
			drop_oldest(q);
		tn_store_relaxed(&q->count, count - remove);
	} else {
		memset(value, 0, map->value_size);
	}
	unlock(q, t);
	return count ? 0 : -ENOENT;
}

static int pop(struct tn_map *map, void *value)
{
	return take(map, value, true);
}

static int peek(struct tn_map *map, void *value)
{
	return take(map, value, false);
}

/* ---- From the host: the calls for maps with keys, with none ---- */

static int host_delete(struct tn_map *map, const void *key, uint64_t flags)
{
	(void)map;
	(void)key;
	(void)flags;
	return -EINVAL;
}

static int host_lookup_and_delete(struct tn_map *map, const void *key, void *value, uint64_t flags)
{
	(void)key;
	(void)flags;
	return pop(map, value);
}

static int next_key(struct tn_map *map, const void *key, void *next)
{
	(void)map;
	(void)key;
	(void)next;
	return -EINVAL;
}

static uint32_t count(struct tn_map *map)
{
	return tn_load_relaxed(&queue_of(map)->count);
}

#define COMMON_OPS                                                                       \
	.struct_size = sizeof(struct queue), .check = check, .init = init, .fini = fini, \
	.push = push, .pop = pop, .peek = peek, .host_lookup = tn_keyless_lookup,        \
	.host_update = tn_keyless_update, .host_delete = host_delete,                    \
	.host_lookup_and_delete = host_lookup_and_delete, .next_key = next_key, .count = count

const struct tn_map_ops tn_queue_ops = { COMMON_OPS };
const struct tn_map_ops tn_stack_ops = { COMMON_OPS };
