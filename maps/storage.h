/* SPDX-License-Identifier: MIT */
/*
 * Storage: a value for each owner that has one. Owners are threads (task storage) or objects of the
 * host, named by their addresses (socket storage in the kernel). An address is compared, nothing is
 * read there: an object that is gone leaves its value behind until the host says so, and where
 * another object comes to lie at its address before that, it finds that value, which is memory of
 * the map all the same.
 *
 * Values of a thread go when it ends, in forked children also those of the threads that they have
 * not.
 */
#ifndef TN_MAPS_STORAGE_H
#define TN_MAPS_STORAGE_H

#include "maps/map.h"

struct tn_thread;

#define TN_STORAGE_CREATE 1u /* BPF_LOCAL_STORAGE_GET_F_CREATE */

static inline bool tn_map_is_storage(const struct tn_map *map)
{
	return map->type == TN_MAP_TASK_STORAGE || map->type == TN_MAP_SK_STORAGE;
}

/* What a thread is named by. */
static inline uint64_t tn_storage_thread(const struct tn_thread *t)
{
	return (uintptr_t)t;
}

/* From programs, inside an epoch section. The owner's value, or NULL; with TN_STORAGE_CREATE a new
 * one, a copy of `initial` (NULL: zeros), where there is none. NULL too for other flags, an owner
 * 0, without memory, and where others make and drop values, or threads, all the time, or a signal
 * handler came in the middle of that. */
void *tn_storage_get(struct tn_map *map, uint64_t owner, const void *initial, uint64_t flags);
/* 0, -ENOENT, -EINVAL (no owner), -EBUSY as above. */
int tn_storage_delete(struct tn_map *map, uint64_t owner);

/* From the host. Lookups copy. 0, -ENOENT, -EEXIST, -ENOMEM, -EINVAL, and what a charge says. */
int tn_storage_host_lookup(struct tn_map *map, uint64_t owner, void *value);
int tn_storage_host_update(struct tn_map *map, uint64_t owner, const void *value, uint64_t flags);
int tn_storage_host_delete(struct tn_map *map, uint64_t owner);
/* The object is gone: its values in all maps of the runtime. Returns how many there were. */
uint32_t tn_storage_forget(struct tn_rt *rt, uint64_t owner);

#endif
