/* SPDX-License-Identifier: MIT */
/*
 * Longest-prefix-match tries as a map type: lookup, and the calls of programs and of the host.
 * lpm.h has the layout, lpm_tree.c what happens to it. Memory comes with the elements, as the flag
 * NO_PREALLOC that they ask for says.
 */
#include "maps/lpm.h"

#include <errno.h>
#include <string.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "maps/special.h"

#define LPM_FLAGS                                                                        \
	(TN_MAP_F_NO_PREALLOC | TN_MAP_F_NUMA_NODE | TN_MAP_F_RDONLY | TN_MAP_F_WRONLY | \
	 TN_MAP_F_RDONLY_PROG | TN_MAP_F_WRONLY_PROG)
/* The kernel's: an element must come from one kmalloc, with the longest key and its own header. */
#define MAX_VALUE_BYTES ((4u << 20) - TN_LPM_MAX_BYTES - 40u)

static struct tn_lpm *lpm_of(const struct tn_map *map)
{
	return TN_CONTAINER_OF(map, struct tn_lpm, map);
}

static uint32_t prefixlen_of(const void *key)
{
	uint32_t len;

	memcpy(&len, key, sizeof(len));
	return len;
}

/* ---- Lookup: inside an epoch, without a lock ---- */

/* The key ends within the node's byte, or before it: the longest that is no longer than the key. */
static TN_NOINLINE uintptr_t find_partly(const struct tn_lpm *t, const struct tn_lpm_node *n,
					 const unsigned char *data, uint32_t len, uintptr_t best)
{
	int64_t longest = -1;

	for (uint32_t i = 0; i < n->nr_own; i++) {
		const struct tn_lpm_elem *e = tn_lpm_own_elem(n, i);

		if (e && e->prefixlen <= len && (int64_t)e->prefixlen > longest &&
		    tn_lpm_covers(t, e, data)) {
			longest = e->prefixlen;
			best = (uintptr_t)e;
		}
	}
	return best;
}

/* The first run that ends at the value or behind it. */
static TN_ALWAYS_INLINE uint32_t list_index(const struct tn_lpm_node *n, uint32_t byte)
{
#if defined(__SSE2__) && !TN_TSAN
	__m128i ends = _mm_loadu_si128((const __m128i *)n->ends);
	__m128i value = _mm_set1_epi8((char)byte);
	int reached = _mm_movemask_epi8(_mm_cmpeq_epi8(_mm_max_epu8(ends, value), ends));

	return (uint32_t)__builtin_ctz((unsigned)reached); /* the last one ends at 255 */
#else
	uint32_t i = 0;

	while (n->ends[i] < byte)
		i++;
	return i;
#endif
}

static TN_ALWAYS_INLINE uint32_t bits_index(const struct tn_lpm_node *n, uint32_t byte)
{
	uint64_t upto = n->bits.starts[byte / 64] << (63 - byte % 64);

	return n->bits.base[byte / 64] + (uint32_t)__builtin_popcountll(upto) - 1;
}

static TN_ALWAYS_INLINE tn_lpm_word *cell_at(const struct tn_lpm_node *n, uint32_t off, uint32_t i)
{
	return (tn_lpm_word *)((uintptr_t)n + off) + i;
}

static TN_ALWAYS_INLINE bool leads_to(const struct tn_lpm_node *n, const unsigned char *p)
{
	for (uint32_t i = 0; i < n->skip; i++) {
		if (p[i] != n->path[i])
			return false;
	}
	return true;
}

/* `full`: the key is as long as keys can be, so that it ends in no node's byte. Loads of words that
 * may be children acquire: they pair with the releases in lpm_tree.c. */
static TN_ALWAYS_INLINE uintptr_t find_from(const struct tn_lpm *t, const unsigned char *data,
					    uint32_t len, bool full)
{
	uintptr_t word = tn_load_acquire(&t->root), best = 0, here;
	const unsigned char *p = data;

	for (;;) {
		const struct tn_lpm_node *n = tn_lpm_node_of(word);

		if (word & TN_LPM_LEAF) {
			const struct tn_lpm_elem *e = tn_lpm_leaf_of(word);

			return (full || e->prefixlen <= len) && tn_lpm_covers(t, e, data)
				       ? (uintptr_t)e
				       : best;
		}
		if (!full && len < 8 * (uint32_t)n->depth + 8)
			return find_partly(t, n, data, len, best);
		if (word & TN_LPM_SKIPS) {
			if (!leads_to(n, p))
				return best;
			p += n->skip;
		}
		if (word & TN_LPM_IS_DENSE) {
			here = tn_load_relaxed(cell_at(n, TN_LPM_DENSE_CELLS, 2u * *p + 1));
			best = here ? here : best;
			word = tn_load_acquire(cell_at(n, TN_LPM_DENSE_CELLS, 2u * *p));
			if (!word)
				return best;
			p++;
			continue;
		}
		if (word & TN_LPM_IS_BITS)
			word = tn_load_acquire(cell_at(n, TN_LPM_BITS_CELLS, bits_index(n, *p)));
		else
			word = tn_load_acquire(cell_at(n, TN_LPM_LIST_CELLS, list_index(n, *p)));
		if (!(word & (TN_LPM_CHILD | TN_LPM_PAIR)))
			return word ? word : best;
		if (!(word & TN_LPM_CHILD)) {
			here = tn_load_relaxed(tn_lpm_pair(word) + 1);
			best = here ? here : best;
			word = tn_load_acquire(tn_lpm_pair(word));
			if (tn_unlikely(!word))
				return best;
		}
		p++;
	}
}

static TN_ALWAYS_INLINE void *find(const struct tn_lpm *t, const void *key)
{
	const unsigned char *data = (const unsigned char *)key + 4;
	uint32_t len = prefixlen_of(key);
	uintptr_t e;

	if (tn_likely(len == t->max_prefixlen))
		e = find_from(t, data, len, true);
	else
		e = len < t->max_prefixlen ? find_from(t, data, len, false) : 0;
	return e ? (void *)(e + t->value_off) : NULL;
}

static void *lookup(struct tn_map *map, const void *key, uint32_t slot)
{
	(void)slot;
	return find(lpm_of(map), key);
}

#if defined(__x86_64__)
/* Counts bits by one instruction; all processors since 2008 have it. */
__attribute__((target("popcnt"))) static void *lookup_popcnt(struct tn_map *map, const void *key,
							     uint32_t slot)
{
	(void)slot;
	return find(lpm_of(map), key);
}
#endif

/* ---- Changes ---- */

/* NULL: this thread is in the middle of a change of this map, from which something fired. */
static struct tn_thread *lock(struct tn_lpm *t)
{
	struct tn_thread *self = tn_thread_self();

	if (tn_load_relaxed(&t->owner) == (uintptr_t)self)
		return NULL;
	tn_writer_enter(self);
	pthread_mutex_lock(&t->lock);
	tn_store_relaxed(&t->owner, (uintptr_t)self);
	return self;
}

static void unlock(struct tn_lpm *t, struct tn_thread *self)
{
	tn_lpm_free_passed(t);
	tn_store_relaxed(&t->owner, 0);
	pthread_mutex_unlock(&t->lock);
	tn_writer_leave(self);
}

/* In the kernel's order: memory first, then whether the flags and the count allow it. */
static int update_locked(struct tn_lpm *t, const void *key, const void *value, uint64_t flags)
{
	struct tn_lpm_elem *e = tn_lpm_new_elem(t, key, value), *old;
	uint32_t count = tn_load_relaxed(&t->count);
	int err = 0;

	if (!e)
		return -ENOMEM;
	/* The key may change meanwhile: what counts is the copy. */
	if (e->prefixlen > t->max_prefixlen) {
		tn_lpm_discard_elem(t, e);
		return -EINVAL;
	}
	old = tn_lpm_find_exact(t, e->data, e->prefixlen);
	if (old && flags == TN_MAP_NOEXIST)
		err = -EEXIST;
	else if (!old && flags == TN_MAP_EXIST)
		err = -ENOENT;
	else if (!old && count >= t->map.max_entries)
		err = -ENOSPC;
	if (!err)
		err = tn_lpm_insert(t, e, &old);
	if (err) {
		tn_lpm_discard_elem(t, e);
		return err;
	}
	if (old)
		tn_lpm_retire_elem(t, old);
	else
		tn_store_relaxed(&t->count, count + 1);
	return 0;
}

static int update(struct tn_map *map, const void *key, const void *value, uint64_t flags,
		  uint32_t slot)
{
	struct tn_lpm *t = lpm_of(map);
	struct tn_thread *self;
	int err;

	(void)slot;
	if (flags > TN_MAP_EXIST || prefixlen_of(key) > t->max_prefixlen)
		return -EINVAL;
	self = lock(t);
	if (!self)
		return -EDEADLK;
	err = update_locked(t, key, value, flags);
	unlock(t, self);
	return err;
}

static int del(struct tn_map *map, const void *key)
{
	struct tn_lpm *t = lpm_of(map);
	uint32_t len = prefixlen_of(key);
	struct tn_lpm_elem *e;
	struct tn_thread *self;

	if (len > t->max_prefixlen)
		return -EINVAL;
	self = lock(t);
	if (!self)
		return -EDEADLK;
	e = tn_lpm_find_exact(t, (const unsigned char *)key + 4, len);
	if (e) {
		tn_lpm_remove(t, e);
		tn_store_relaxed(&t->count, tn_load_relaxed(&t->count) - 1);
	}
	unlock(t, self);
	return e ? 0 : -ENOENT;
}

/* ---- From the host ---- */

/* An element's value is stored once, before it is published. */
static int host_lookup(struct tn_map *map, const void *key, void *value, uint64_t flags)
{
	struct tn_thread *self = tn_thread_self();
	void *from;

	(void)flags;
	if (!self)
		return -ENOMEM;
	tn_epoch_enter(self);
	from = find(lpm_of(map), key);
	if (from)
		tn_map_load_value(map, value, from);
	tn_epoch_leave(self);
	return from ? 0 : -ENOENT;
}

static int host_update(struct tn_map *map, const void *key, const void *value, uint64_t flags)
{
	return update(map, key, value, flags, 0);
}

static int host_delete(struct tn_map *map, const void *key, uint64_t flags)
{
	(void)flags;
	return del(map, key);
}

static int next_key(struct tn_map *map, const void *key, void *next)
{
	struct tn_lpm *t = lpm_of(map);
	uint32_t len = key ? prefixlen_of(key) : UINT32_MAX;
	struct tn_lpm_elem *e = NULL;
	struct tn_thread *self = lock(t);

	if (!self)
		return -EDEADLK;
	/* A key that is not there restarts. */
	if (len <= t->max_prefixlen)
		e = tn_lpm_find_exact(t, (const unsigned char *)key + 4, len);
	e = tn_lpm_next(t, e);
	if (e) {
		memcpy(next, &e->prefixlen, 4);
		memcpy((unsigned char *)next + 4, e->data, map->key_size - 4);
	}
	unlock(t, self);
	return e ? 0 : -ENOENT;
}

static uint32_t count(struct tn_map *map)
{
	return tn_load_relaxed(&lpm_of(map)->count);
}

/* ---- Life ---- */

static int check(const struct tn_map *map)
{
	if (map->key_size < 5 || map->key_size > 4 + TN_LPM_MAX_BYTES)
		return tn_map_err(map, -EINVAL,
				  "key size is %u, a trie's is 4 for the length and 1 to %u",
				  map->key_size, TN_LPM_MAX_BYTES);
	if (!map->value_size)
		return tn_map_err(map, -EINVAL, "value size is 0");
	if (map->value_size > MAX_VALUE_BYTES)
		return tn_map_err(map, -EINVAL, "value size %u is too large", map->value_size);
	if (!map->max_entries)
		return tn_map_err(map, -EINVAL, "max_entries is 0");
	if (!(map->flags & TN_MAP_F_NO_PREALLOC))
		return tn_map_err(map, -EINVAL, "an lpm_trie needs the flag BPF_F_NO_PREALLOC");
	return tn_map_check_flags(map, LPM_FLAGS);
}

static int init(struct tn_map *map)
{
	struct tn_lpm *t = lpm_of(map);
	struct tn_lpm_node *root;

	map->value_stride = TN_ROUND_UP(map->value_size, 8u);
	t->max_prefixlen = (map->key_size - 4) * 8;
	t->value_off = (uint32_t)TN_ROUND_UP(offsetof(struct tn_lpm_elem, data) + map->key_size - 4,
					     (size_t)8);
	t->by_words = map->key_size % 4 == 0;
	tn_lpm_mem_init(&t->mem, map, (size_t)t->value_off + map->value_stride);
	pthread_mutex_init(&t->lock, NULL);
	t->has_lock = true;
	t->ops = *map->ops;
#if defined(__x86_64__)
	if (__builtin_cpu_supports("popcnt"))
		t->ops.lookup = lookup_popcnt;
#endif
	map->ops = &t->ops;
	errno = ENOMEM;
	root = tn_lpm_build(t, &t->shape);
	if (!root)
		return tn_map_err(map, -errno, "%s",
				  errno == E2BIG ? "its root exceeds the runtime's limit for maps"
						 : "no memory for its root");
	tn_store_relaxed(&t->root, tn_lpm_word_of(root));
	return 0;
}

static void fini(struct tn_map *map)
{
	struct tn_lpm *t = lpm_of(map);

	tn_lpm_free_all(t);
	if (t->has_lock)
		pthread_mutex_destroy(&t->lock);
}

const struct tn_map_ops tn_lpm_trie_ops = {
	.struct_size = sizeof(struct tn_lpm),
	.check = check,
	.init = init,
	.fini = fini,
	.lookup = lookup,
	.update = update,
	.del = del,
	.host_lookup = host_lookup,
	.host_update = host_update,
	.host_delete = host_delete,
	.next_key = next_key,
	.count = count,
};
