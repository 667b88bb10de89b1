/* SPDX-License-Identifier: MIT */
/*
 * A table without probing: a trace stands in the bucket of its hash, or nowhere. Most programs put
 * in what is there already, so that this takes no lock: the bucket has a sequence number, odd while
 * it is written, and a match counts only if it was even and is unchanged after the compare.
 * Writers hold a lock inside a writer section (base/fork.h), so that no forked child finds a bucket
 * half written. The number of traces is limited as in the kernel, where buckets are more.
 */
#include "maps/stack_trace.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/fork.h"
#include "base/pages.h"
#include "maps/hash_key.h"
#include "maps/index_key.h"
#include "maps/words.h"

#define ALLOWED_FLAGS (TN_MAP_F_NUMA_NODE | TN_MAP_F_RDONLY | TN_MAP_F_WRONLY)
#define MAX_BUCKETS   (1u << 31)

struct bucket {
	_Atomic uint64_t seq;
	_Atomic uint32_t hash;
	_Atomic uint32_t nr; /* addresses; 0: empty */
	uint64_t ips[];	     /* value_size bytes */
};

struct stack_trace {
	struct tn_map map;
	unsigned char *buckets;
	size_t stride, bytes;
	uint32_t nr_buckets; /* a power of two */
	uint64_t seed[2];
	pthread_mutex_t lock;  /* of writing buckets, and of `used`; holds nothing */
	_Atomic uint32_t used; /* read without the lock for information alone */
};

static struct stack_trace *traces_of(const struct tn_map *map)
{
	return TN_CONTAINER_OF(map, struct stack_trace, map);
}

static struct bucket *bucket_at(const struct stack_trace *s, uint32_t id)
{
	return (struct bucket *)(void *)(s->buckets + id * s->stride);
}

/* ---- Life ---- */

static int check(const struct tn_map *map)
{
	int err = tn_map_check_flags(map, ALLOWED_FLAGS);

	if (err)
		return err;
	if (!map->max_entries)
		return tn_map_err(map, -EINVAL, "max_entries is 0");
	if (map->key_size != 4)
		return tn_map_err(map, -EINVAL, "key size is %u, expected 4", map->key_size);
	if (!map->value_size || map->value_size % 8 || map->value_size / 8 > TN_STACK_MAX_DEPTH)
		return tn_map_err(
			map, -EINVAL,
			"value size is %u, expected 8 bytes for each of 1 to %u addresses",
			map->value_size, TN_STACK_MAX_DEPTH);
	if (map->max_entries > MAX_BUCKETS)
		return tn_map_err(map, -E2BIG, "max_entries %u is too large", map->max_entries);
	return 0;
}

static void draw_seed(struct stack_trace *s)
{
	if (getrandom(s->seed, sizeof(s->seed), GRND_NONBLOCK) != sizeof(s->seed)) {
		s->seed[0] = tn_clock_ns() * TN_HASH_MIX1;
		s->seed[1] = tn_hash_fold((uintptr_t)s, tn_clock_ns() | 1);
	}
	s->seed[1] |= 1;
}

static int init(struct tn_map *map)
{
	struct stack_trace *s = traces_of(map);
	int err;

	pthread_mutex_init(&s->lock, NULL);
	s->nr_buckets = 1;
	while (s->nr_buckets < map->max_entries)
		s->nr_buckets *= 2;
	s->stride = sizeof(struct bucket) + map->value_size;
	s->bytes = s->stride * s->nr_buckets;
	draw_seed(s);
	err = tn_map_charge(map, s->bytes);
	if (err)
		return err;
	s->buckets = tn_pages_alloc(map->rt, s->bytes);
	return s->buckets ? 0 : tn_map_err(map, -ENOMEM, "cannot reserve %zu bytes", s->bytes);
}

static void fini(struct tn_map *map)
{
	tn_pages_free(traces_of(map)->buckets, traces_of(map)->bytes);
	pthread_mutex_destroy(&traces_of(map)->lock);
}

/* ---- Buckets ---- */

static struct tn_thread *lock(struct stack_trace *s)
{
	struct tn_thread *t = tn_thread_self();

	tn_writer_enter(t);
	pthread_mutex_lock(&s->lock);
	return t;
}

static void unlock(struct stack_trace *s, struct tn_thread *t)
{
	pthread_mutex_unlock(&s->lock);
	tn_writer_leave(t);
}

/* nr 0: it is empty from now on. Under the lock. */
static void write_bucket(struct bucket *b, uint32_t hash, const uint64_t *ips, uint32_t nr)
{
	uint64_t seq = tn_load_relaxed(&b->seq);

	tn_store_relaxed(&b->seq, seq + 1);
	/* Pairs with the fence in matches(): who sees a word of the new trace sees the odd number.
	 */
	atomic_thread_fence(memory_order_release);
	TN_WORD_STORE(&b->hash, hash);
	TN_WORD_STORE(&b->nr, nr);
	tn_words_store(b->ips, ips, (size_t)nr * 8);
	/* Pairs with the acquire in matches(): all of it is there. */
	tn_store_release(&b->seq, seq + 2);
}

static bool holds(const struct bucket *b, uint32_t hash, const uint64_t *ips, uint32_t nr,
		  uint64_t flags)
{
	uint32_t have = TN_WORD_LOAD(&b->nr);

	if (!have || TN_WORD_LOAD(&b->hash) != hash)
		return false;
	return flags & TN_STACK_FAST_CMP ||
	       (have == nr && tn_words_equal(b->ips, ips, (size_t)nr * 8));
}

/* Without the lock: false where it is not sure. */
static bool matches(const struct bucket *b, uint32_t hash, const uint64_t *ips, uint32_t nr,
		    uint64_t flags)
{
	/* Pairs with the release in write_bucket(). */
	uint64_t seq = tn_load_acquire(&b->seq);
	bool same;

	if (seq & 1)
		return false;
	same = holds(b, hash, ips, nr, flags);
	/* Pairs with the fence in write_bucket(). */
	atomic_thread_fence(memory_order_acquire);
	return same && tn_load_relaxed(&b->seq) == seq;
}

int64_t tn_stack_trace_put(struct tn_map *map, const uint64_t *ips, uint32_t nr, uint64_t flags)
{
	struct stack_trace *s = traces_of(map);
	uint32_t hash = (uint32_t)(tn_hash_long(s->seed, (const void *)ips, (size_t)nr * 8) >> 32);
	uint32_t id = hash & (s->nr_buckets - 1), used;
	struct bucket *b = bucket_at(s, id);
	struct tn_thread *t;
	int64_t ret = id;
	bool taken;

	if (matches(b, hash, ips, nr, flags))
		return id;
	t = lock(s);
	used = tn_load_relaxed(&s->used);
	taken = tn_load_relaxed(&b->nr);
	if (holds(b, hash, ips, nr, flags))
		goto out;
	if (taken && !(flags & TN_STACK_REUSE)) {
		ret = -EEXIST;
	} else if (used == map->max_entries) {
		/* As in the kernel, also where one would be replaced. */
		ret = -ENOMEM;
	} else {
		write_bucket(b, hash, ips, nr);
		tn_store_relaxed(&s->used, used + !taken);
	}
out:
	unlock(s, t);
	return ret;
}

/* ---- From the host ---- */

static int take(struct stack_trace *s, uint32_t id, void *value, bool remove)
{
	struct bucket *b = bucket_at(s, id);
	struct tn_thread *t = lock(s);
	uint32_t nr = tn_load_relaxed(&b->nr);

	if (value && nr) {
		memset(value, 0, s->map.value_size);
		tn_words_load(value, b->ips, (size_t)nr * 8);
	}
	if (remove && nr) {
		write_bucket(b, 0, NULL, 0);
		tn_store_relaxed(&s->used, tn_load_relaxed(&s->used) - 1);
	}
	unlock(s, t);
	return nr ? 0 : -ENOENT;
}

static int host_lookup(struct tn_map *map, const void *key, void *value, uint64_t flags)
{
	struct stack_trace *s = traces_of(map);
	uint32_t id = tn_index_of(key);

	(void)flags;
	return id < s->nr_buckets ? take(s, id, value, false) : -ENOENT;
}

static int host_update(struct tn_map *map, const void *key, const void *value, uint64_t flags)
{
	(void)map;
	(void)key;
	(void)value;
	(void)flags;
	return -EINVAL;
}

static int host_lookup_and_delete(struct tn_map *map, const void *key, void *value, uint64_t flags)
{
	struct stack_trace *s = traces_of(map);
	uint32_t id = tn_index_of(key);

	(void)flags;
	return id < s->nr_buckets ? take(s, id, value, true) : -ENOENT;
}

static int host_delete(struct tn_map *map, const void *key, uint64_t flags)
{
	struct stack_trace *s = traces_of(map);
	uint32_t id = tn_index_of(key);

	(void)flags;
	return id < s->nr_buckets ? take(s, id, NULL, true) : -E2BIG;
}

static int next_key(struct tn_map *map, const void *key, void *next)
{
	struct stack_trace *s = traces_of(map);
	uint32_t id = key ? tn_index_of(key) : UINT32_MAX;

	id = id >= s->nr_buckets ? 0 : id + 1;
	while (id < s->nr_buckets && !tn_load_relaxed(&bucket_at(s, id)->nr))
		id++;
	if (id >= s->nr_buckets)
		return -ENOENT;
	memcpy(next, &id, sizeof(id));
	return 0;
}

static uint32_t count(struct tn_map *map)
{
	return tn_load_relaxed(&traces_of(map)->used);
}

const struct tn_map_ops tn_stack_trace_ops = {
	.struct_size = sizeof(struct stack_trace),
	.check = check,
	.init = init,
	.fini = fini,
	.host_lookup = host_lookup,
	.host_update = host_update,
	.host_delete = host_delete,
	.host_lookup_and_delete = host_lookup_and_delete,
	.next_key = next_key,
	.count = count,
};
