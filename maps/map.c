/* SPDX-License-Identifier: MIT */
/*
 * What all maps share: the table of types, creation, references, the host's calls with the checks
 * that do not depend on the type, and the accounting of per-slot parts.
 *
 * The order of the checks is the kernel's (bpf(2) first, then the type), so that a call with two
 * faults gives the same number in both places; tests/maps/test_parity.c compares them.
 */
#include "maps/map.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/pages.h"
#include "maps/segment.h"
#include "maps/timer.h"
#include "maps/value_lock.h"

_Static_assert(TN_MAP_ANY == BPF_ANY && TN_MAP_NOEXIST == BPF_NOEXIST &&
		       TN_MAP_EXIST == BPF_EXIST && TN_MAP_F_LOCK == BPF_F_LOCK,
	       "update flags");
_Static_assert(TN_MAP_F_NO_PREALLOC == BPF_F_NO_PREALLOC &&
		       TN_MAP_F_NO_COMMON_LRU == BPF_F_NO_COMMON_LRU &&
		       TN_MAP_F_NUMA_NODE == BPF_F_NUMA_NODE && TN_MAP_F_RDONLY == BPF_F_RDONLY &&
		       TN_MAP_F_WRONLY == BPF_F_WRONLY && TN_MAP_F_ZERO_SEED == BPF_F_ZERO_SEED &&
		       TN_MAP_F_RDONLY_PROG == BPF_F_RDONLY_PROG &&
		       TN_MAP_F_WRONLY_PROG == BPF_F_WRONLY_PROG &&
		       TN_MAP_F_MMAPABLE == BPF_F_MMAPABLE,
	       "map flags");

#define TN_MAP_TYPE(name, id, ops_name, words) extern const struct tn_map_ops ops_name;
#include "maps/types.def"
#undef TN_MAP_TYPE

struct map_type {
	uint32_t id;
	const struct tn_map_ops *ops;
	const char *words;
};

#define TN_MAP_TYPE(name, id, ops, words) { (id), &ops, words },
static const struct map_type map_types[] = {
#include "maps/types.def"
};
#undef TN_MAP_TYPE

/* Every per-slot map of the process, and every map. The lock is taken inside a writer section, so
 * that fork(2) never finds it held by another thread. Nests inside everything, holds nothing. */
static struct {
	pthread_mutex_t lock;
	struct tn_map *first;
	struct tn_map *maps; /* all of them, for tn_map_get_by_id() */
} per_slot = { .lock = PTHREAD_MUTEX_INITIALIZER };

static struct tn_thread *lock_per_slot(void)
{
	struct tn_thread *t = tn_thread_self();

	tn_writer_enter(t);
	pthread_mutex_lock(&per_slot.lock);
	return t;
}

static void unlock_per_slot(struct tn_thread *t)
{
	pthread_mutex_unlock(&per_slot.lock);
	tn_writer_leave(t);
}

static const struct map_type *find_type(uint32_t id)
{
	for (size_t i = 0; i < TN_ARRAY_SIZE(map_types); i++) {
		if (map_types[i].id == id)
			return &map_types[i];
	}
	return NULL;
}

/* Types of the kernel that hold what a process has not, or that come about in another way here. */
static const struct {
	uint32_t type;
	const char *name, *why;
} elsewhere[] = {
	{ 8, "cgroup_array", "control groups are the kernel's" },
	{ 15, "sockmap", "sockets are the kernel's" },
	{ 18, "sockhash", "sockets are the kernel's" },
	{ 19, "cgroup_storage", "control groups are the kernel's; see sk_storage" },
	{ 20, "reuseport_sockarray", "sockets are the kernel's" },
	{ 21, "percpu_cgroup_storage", "control groups are the kernel's; see sk_storage" },
	{ 26, "struct_ops", "it is made of the object's section .struct_ops" },
	{ 28, "inode_storage", "inodes are the kernel's; see sk_storage" },
	{ 32, "cgrp_storage", "control groups are the kernel's; see sk_storage" },
	{ 34, "insn_array", "tables of jumps are made of the object's code" },
};

int tn_map_refuse_type(uint32_t type, const char *map_name)
{
	for (size_t i = 0; i < TN_ARRAY_SIZE(elsewhere); i++)
		if (elsewhere[i].type == type)
			return tn_err(-EINVAL, "map '%s': type %u (%s) is not supported: %s",
				      map_name, type, elsewhere[i].name, elsewhere[i].why);
	return tn_err(-EINVAL, "map '%s': type %u is not supported", map_name, type);
}

const char *tn_map_type_words(uint32_t type)
{
	const struct map_type *t = find_type(type);

	return t ? t->words : NULL;
}

uint32_t tn_map_shown_type(const struct tn_map *map)
{
	return map->kernel_type ? map->kernel_type : map->type;
}

const char *tn_map_words(const struct tn_map *map)
{
	const char *words = tn_map_type_words(map->type);

	if (map->type == TN_MAP_KERNEL_RING)
		return "ringbuf of the kernel";
	if (map->type == TN_MAP_KERNEL_PERCPU)
		return "per-CPU map of the kernel";
	if (map->type == TN_MAP_KERNEL)
		return "map of the kernel";
	return words ? words : "unknown";
}

int tn_map_err(const struct tn_map *map, int code, const char *fmt, ...)
{
	char words[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(words, sizeof(words), fmt, ap);
	va_end(ap);
	return tn_err(code, "map '%s': %s", map->name, words);
}

int tn_map_check_flags(const struct tn_map *map, uint32_t allowed)
{
	const uint32_t host = TN_MAP_F_RDONLY | TN_MAP_F_WRONLY;
	const uint32_t prog = TN_MAP_F_RDONLY_PROG | TN_MAP_F_WRONLY_PROG;

	if (map->flags & ~allowed)
		return tn_map_err(map, -EINVAL, "flags 0x%x are not supported by type %s",
				  map->flags & ~allowed, tn_map_type_words(map->type));
	if ((map->flags & host) == host || (map->flags & prog) == prog)
		return tn_map_err(map, -EINVAL, "read-only and write-only exclude each other");
	return 0;
}

int tn_map_charge(struct tn_map *map, size_t bytes)
{
	int err = tn_charge(map->rt, TN_CHARGE_MAPS, bytes);

	if (err)
		return tn_map_err(map, err, "%zu bytes exceed the runtime's limit for maps", bytes);
	map->charged += bytes;
	return 0;
}

bool tn_map_is_per_slot(const struct tn_map *map)
{
	return map->slot_used != NULL;
}

size_t tn_map_host_value_size(const struct tn_map *map)
{
	if (map->type == TN_MAP_KERNEL_PERCPU)
		return TN_ROUND_UP((size_t)map->value_size, 8) * map->kernel_cpus;
	if (!tn_map_is_per_slot(map))
		return map->value_size;
	return TN_ROUND_UP((size_t)map->value_size, 8) * map->nr_slots;
}

/* ---- Per-slot parts ---- */

static void mark_slot_used(struct tn_map *map, uint32_t slot)
{
	map->charged += map->slot_stride;
	atomic_fetch_or_explicit(&map->slot_bits[slot / 64], UINT64_C(1) << slot % 64,
				 memory_order_release);
	tn_store_release(&map->slot_used[slot], 1);
}

int tn_map_use_slot(struct tn_map *map, uint32_t slot)
{
	struct tn_thread *t;
	int err = 0;

	if (tn_map_slot_used(map, slot))
		return 0;
	t = lock_per_slot();
	if (!tn_map_slot_used(map, slot)) {
		err = tn_charge(map->rt, TN_CHARGE_MAPS, map->slot_stride);
		if (!err)
			mark_slot_used(map, slot);
	}
	unlock_per_slot(t);
	return err;
}

int tn_map_use_slots_for(struct tn_map *map, const void *values)
{
	size_t size = TN_ROUND_UP((size_t)map->value_size, 8);
	const unsigned char *value = values;

	for (uint32_t slot = 0; slot < map->nr_slots; slot++, value += size) {
		/* All equal to the first byte, and that is zero. */
		if (!value[0] && !memcmp(value, value + 1, size - 1))
			continue;
		if (tn_map_use_slot(map, slot))
			return -ENOMEM;
	}
	return 0;
}

int tn_maps_slot_taken(struct tn_rt *rt, uint32_t slot)
{
	struct tn_thread *t = lock_per_slot();
	struct tn_map *map;
	size_t bytes = 0;
	int err;

	for (map = per_slot.first; map; map = map->next_per_slot) {
		if (map->rt == rt && !tn_map_slot_used(map, slot))
			bytes += map->slot_stride;
	}
	err = tn_charge(rt, TN_CHARGE_MAPS, bytes);
	for (map = err ? NULL : per_slot.first; map; map = map->next_per_slot) {
		if (map->rt == rt && !tn_map_slot_used(map, slot))
			mark_slot_used(map, slot);
	}
	unlock_per_slot(t);
	return err;
}

/* The map's storage stands; give every slot that is in use its part and join the registry. In this
 * order under the lock: a slot that is handed out meanwhile is seen here, or sees the map there. */
static int add_per_slot(struct tn_map *map)
{
	struct tn_rt *rt = map->rt;
	struct tn_thread *t;
	uint32_t slot, nr = 0;
	int err;

	map->slot_used = tn_zalloc(rt, rt->max_slots);
	if (!map->slot_used)
		return tn_map_err(map, -ENOMEM, "out of memory");
	t = lock_per_slot();
	/* Set, then look at the slots; slot.c marks a slot, then looks here: one sees the other. */
	atomic_exchange_explicit(&rt->slot_taken, tn_maps_slot_taken, memory_order_seq_cst);
	for (slot = 0; slot < rt->max_slots; slot++)
		nr += tn_slot_was_taken(rt, slot);
	err = tn_charge(rt, TN_CHARGE_MAPS, nr * map->slot_stride);
	if (err) {
		unlock_per_slot(t);
		return tn_map_err(map, err,
				  "%u slots of %zu bytes exceed the runtime's limit for maps", nr,
				  map->slot_stride);
	}
	for (slot = 0; nr; slot++) {
		if (tn_slot_was_taken(rt, slot)) {
			mark_slot_used(map, slot);
			nr--;
		}
	}
	map->next_per_slot = per_slot.first;
	per_slot.first = map;
	unlock_per_slot(t);
	return 0;
}

/* Of maps in segments, and copies of them, that the runtime's slots have no part in. */
static _Atomic uint8_t all_used[TN_MAX_SLOTS] = { [0 ... TN_MAX_SLOTS - 1] = 1 };

static void mark_all_used(struct tn_map *map)
{
	map->slot_used = all_used;
	for (uint32_t slot = 0; slot < map->nr_slots; slot++)
		map->slot_bits[slot / 64] |= UINT64_C(1) << slot % 64;
}

static int use_all_slots(struct tn_map *map)
{
	mark_all_used(map);
	return tn_map_charge(map, map->nr_slots * map->slot_stride);
}

static void remove_per_slot(struct tn_map *map)
{
	struct tn_thread *t;
	struct tn_map **link;

	if (!map->slot_used || map->slot_used == all_used)
		return;
	t = lock_per_slot();
	for (link = &per_slot.first; *link; link = &(*link)->next_per_slot) {
		if (*link == map) {
			*link = map->next_per_slot;
			break;
		}
	}
	unlock_per_slot(t);
	tn_free(map->rt, (void *)map->slot_used);
}

/* ---- Life ---- */

static void register_map(struct tn_map *map)
{
	struct tn_thread *t = lock_per_slot();

	map->next_map = per_slot.maps;
	map->map_link = &per_slot.maps;
	if (map->next_map)
		map->next_map->map_link = &map->next_map;
	per_slot.maps = map;
	unlock_per_slot(t);
}

static void unregister_map(struct tn_map *map)
{
	/* A neighbour that comes or goes writes map_link: it is looked at under the lock alone. */
	struct tn_thread *t = lock_per_slot();

	if (map->map_link)
		*map->map_link = map->next_map;
	if (map->map_link && map->next_map)
		map->next_map->map_link = map->map_link;
	unlock_per_slot(t);
}

static void destroy_map(struct tn_map *map)
{
	unregister_map(map);
	tn_timers_drop_map(map);
	remove_per_slot(map);
	map->ops->fini(map);
	tn_segment_fini(map);
	tn_uncharge(map->rt, TN_CHARGE_MAPS, map->charged);
	tn_free(map->rt, map->inner);
	tn_free(map->rt, map);
}

static struct tn_map *alloc_map(struct tn_rt *rt, const struct tn_map_attr *attr,
				const struct tn_map_ops *ops)
{
	static _Atomic uint32_t last_id;
	struct tn_map *map = tn_zalloc(rt, ops->struct_size);

	if (!map)
		return NULL;
	map->ops = ops;
	map->rt = rt;
	map->type = attr->type;
	map->key_size = attr->key_size;
	map->value_size = attr->value_size;
	map->max_entries = attr->max_entries;
	map->flags = attr->flags & ~TN_MAP_F_SHARED;
	map->nr_slots = attr->nr_slots ? attr->nr_slots : rt->max_slots;
	map->is_copy = attr->nr_slots != 0;
	map->id = tn_add_relaxed(&last_id, 1) + 1;
	tn_store_relaxed(&map->refs, 1);
	snprintf(map->name, sizeof(map->name), "%s", attr->name ? attr->name : "");
	map->extra = attr->extra;
	map->nr_specials = TN_MIN(attr->nr_specials, (uint32_t)TN_MAP_MAX_SPECIALS);
	if (map->nr_specials)
		memcpy(map->specials, attr->specials, map->nr_specials * sizeof(map->specials[0]));
	return map;
}

static bool may_be_inner(uint32_t type)
{
	switch (type) {
	case TN_MAP_HASH:
	case TN_MAP_ARRAY:
	case TN_MAP_PERCPU_HASH:
	case TN_MAP_PERCPU_ARRAY:
	case TN_MAP_LRU_HASH:
	case TN_MAP_LRU_PERCPU_HASH:
	case TN_MAP_LPM_TRIE:
	case TN_MAP_QUEUE:
	case TN_MAP_STACK:
	case TN_MAP_RINGBUF:
		return true;
	default:
		return false;
	}
}

/* What a lookup in a map with a template gives is taken for a map. */
static bool holds_maps(uint32_t type)
{
	return type == TN_MAP_ARRAY_OF_MAPS || type == TN_MAP_HASH_OF_MAPS;
}

/* The shape of a map, without storage. */
static int make_template(struct tn_map *map, const struct tn_map_attr *attr)
{
	const struct map_type *type = find_type(attr->type);
	struct tn_map_attr named = *attr;
	char name[TN_MAP_NAME_BYTES];
	int err;

	if (!holds_maps(map->type))
		return tn_map_err(map, -EINVAL, "maps of type %s hold no maps",
				  tn_map_type_words(map->type));
	snprintf(name, sizeof(name), "%.*s.inner", TN_MAP_NAME_BYTES - 8, map->name);
	named.name = name;
	if (!type || !may_be_inner(attr->type))
		return tn_map_err(map, -EINVAL, "maps of type %u cannot be inner maps", attr->type);
	map->inner = alloc_map(map->rt, &named, type->ops);
	if (!map->inner)
		return tn_map_err(map, -ENOMEM, "out of memory");
	map->inner->is_template = true;
	err = type->ops->check(map->inner);
	return err ? err : tn_map_check_specials(map->inner);
}

/* Everything is charged and in use from the start. */
static int init_shared(struct tn_map *map, const struct tn_map_attr *attr)
{
	int err;

	if (!map->ops->shared)
		return tn_map_err(map, -EINVAL, "maps of type %s cannot be shared",
				  tn_map_type_words(map->type));
	if (map->nr_specials)
		return tn_map_err(map, -EINVAL, "%s in values of a shared map is not supported",
				  tn_map_special_words(map->specials[0].kind));
	map->ops = map->ops->shared;
	err = tn_segment_new(map, attr);
	if (!err)
		err = map->ops->init(map);
	if (!err && map->slot_stride)
		mark_all_used(map);
	return err ? err : tn_segment_start(map);
}

struct tn_map *tn_map_create_as(struct tn_rt *rt, const struct tn_map_attr *attr,
				const struct tn_map_ops *ops)
{
	const char *name = attr->name ? attr->name : "";
	struct tn_map *map;
	int err;

	tn_assert(ops->struct_size >= sizeof(struct tn_map));
	map = alloc_map(rt, attr, ops);
	if (!map)
		return tn_err_null(-ENOMEM, "map '%s': out of memory", name);
	err = attr->inner ? make_template(map, attr->inner) : 0;
	if (!err)
		err = map->ops->check(map);
	if (!err)
		err = tn_map_check_specials(map);
	if (err) {
		tn_free(rt, map->inner);
		tn_free(rt, map);
		errno = -err;
		return NULL;
	}
	map->has_timers = tn_map_special_of(map, TN_SPECIAL_TIMER) ||
			  tn_map_special_of(map, TN_SPECIAL_WQ);
	err = map->has_timers ? tn_timers_make(rt) : 0;
	if (!err && attr->flags & TN_MAP_F_SHARED)
		err = init_shared(map, attr);
	else if (!err)
		err = map->ops->init(map);
	if (!err && map->slot_stride && attr->nr_slots)
		err = use_all_slots(map);
	else if (!err && map->slot_stride && !map->segment)
		err = add_per_slot(map);
	if (err) {
		/* Copes with an init that stopped half-way: the struct began as zeros. */
		destroy_map(map);
		errno = -err;
		return NULL;
	}
	register_map(map);
	return map;
}

struct tn_map *tn_map_create(struct tn_rt *rt, const struct tn_map_attr *attr)
{
	const struct map_type *type = find_type(attr->type);
	const char *name = attr->name ? attr->name : "";

	if (!type) {
		errno = -tn_map_refuse_type(attr->type, name);
		return NULL;
	}
	if (attr->extra && attr->type != TN_MAP_BLOOM_FILTER && attr->type != TN_MAP_ARENA)
		return tn_err_null(-EINVAL, "map '%s': map_extra is 0x%llx, expected none", name,
				   (unsigned long long)attr->extra);
	return tn_map_create_as(rt, attr, type->ops);
}

struct tn_map *tn_map_get_by_id(struct tn_rt *rt, uint32_t id)
{
	struct tn_thread *t = lock_per_slot();
	struct tn_map *map;
	uint32_t refs = 0;

	for (map = per_slot.maps; map; map = map->next_map)
		if (map->rt == rt && map->id == id)
			break;
	/* Without references it waits to be freed. It cannot be while the lock is held. */
	if (map)
		refs = tn_load_relaxed(&map->refs);
	while (refs && !tn_cas_acq_rel(&map->refs, &refs, refs + 1))
		;
	unlock_per_slot(t);
	return refs ? map : NULL;
}

struct tn_map *tn_map_get(struct tn_map *map)
{
	tn_add_relaxed(&map->refs, 1);
	return map;
}

static void free_deferred(struct tn_deferred *d)
{
	destroy_map(TN_CONTAINER_OF(d, struct tn_map, deferred));
}

void tn_map_put(struct tn_map *map)
{
	/* Acquire and release: what every holder did to the map is done before it is freed. */
	if (map && tn_sub_acq_rel(&map->refs, 1) == 1)
		tn_epoch_defer(&map->deferred, free_deferred);
}

/* ---- The host's calls ---- */

static bool host_may_read(const struct tn_map *map)
{
	return !(map->flags & TN_MAP_F_WRONLY);
}

static bool host_may_write(struct tn_map *map)
{
	return !(map->flags & TN_MAP_F_RDONLY) && !tn_load_acquire(&map->frozen) &&
	       !(map->segment && tn_load_acquire(&map->segment->live->frozen));
}

int tn_map_host_may(struct tn_map *map, bool read, bool write)
{
	return (!read || host_may_read(map)) && (!write || host_may_write(map)) ? 0 : -EPERM;
}

int tn_map_host_lookup(struct tn_map *map, const void *key, void *value, uint64_t flags)
{
	if (flags & ~(uint64_t)TN_MAP_F_LOCK)
		return -EINVAL;
	if (!host_may_read(map))
		return -EPERM;
	if (flags && !tn_map_has_lock(map))
		return -EINVAL;
	return map->ops->host_lookup ? map->ops->host_lookup(map, key, value, flags) : -TN_ENOTSUPP;
}

int tn_map_host_update(struct tn_map *map, const void *key, const void *value, uint64_t flags)
{
	if (!host_may_write(map))
		return -EPERM;
	if (flags & TN_MAP_F_LOCK && !tn_map_has_lock(map))
		return -EINVAL;
	return map->ops->host_update ? map->ops->host_update(map, key, value, flags) : -TN_ENOTSUPP;
}

int tn_map_host_delete(struct tn_map *map, const void *key, uint64_t flags)
{
	if (flags)
		return -EINVAL;
	if (!host_may_write(map))
		return -EPERM;
	return map->ops->host_delete ? map->ops->host_delete(map, key, flags) : -TN_ENOTSUPP;
}

int tn_map_host_lookup_and_delete(struct tn_map *map, const void *key, void *value, uint64_t flags)
{
	if (flags & ~(uint64_t)TN_MAP_F_LOCK)
		return -EINVAL;
	if (!host_may_read(map) || !host_may_write(map))
		return -EPERM;
	if (flags && !tn_map_has_lock(map))
		return -EINVAL;
	if (!map->ops->host_lookup_and_delete)
		return -TN_ENOTSUPP;
	return map->ops->host_lookup_and_delete(map, key, value, flags);
}

int tn_map_next_key(struct tn_map *map, const void *key, void *next)
{
	if (!host_may_read(map))
		return -EPERM;
	return map->ops->next_key ? map->ops->next_key(map, key, next) : -TN_ENOTSUPP;
}

int tn_map_next_after(struct tn_map *map, const void *key, void *next)
{
	if (!key || !map->ops->next_after)
		return tn_map_next_key(map, key, next);
	return host_may_read(map) ? map->ops->next_after(map, key, next) : -EPERM;
}

int tn_map_freeze(struct tn_map *map)
{
	if (!host_may_write(map))
		return -EPERM;
	if (map->ops->freeze)
		return map->ops->freeze(map);
	if (map->segment && !map->segment->writable)
		return -EPERM;
	if (map->segment)
		tn_store_release(&map->segment->live->frozen, 1);
	tn_store_release(&map->frozen, 1);
	return 0;
}

int tn_map_make_const(struct tn_map *map)
{
	int err;

	/* Others may write to a segment. */
	if (!map->values || map->slot_stride || map->segment || !tn_load_acquire(&map->frozen) ||
	    !(map->flags & TN_MAP_F_RDONLY_PROG))
		return 0;
	err = tn_pages_protect_read(map->values, map->values_size);
	if (err)
		return tn_map_err(map, err, "cannot make it read-only: %s", strerror(-err));
	map->const_for_programs = true;
	return 0;
}
