/* SPDX-License-Identifier: MIT */
/* Values of the host's objects: by address, for the host. */
#include <errno.h>

#include "base/epoch.h"
#include "host-api/map_handle.h"
#include "host-api/runtime.h"
#include "maps/storage.h"

static uint64_t owner_of(const void *object)
{
	return (uintptr_t)object;
}

/* The map, if it holds values of objects of that size. NULL: *rc. */
static struct tn_map *objects_map(const struct tenon_map *handle, const void *object,
				  size_t value_size, bool write, int *rc)
{
	struct tn_map *map = tn_map_loaded(handle);

	*rc = -EINVAL;
	if (!map)
		return NULL;
	if (map->type != TN_MAP_SK_STORAGE)
		*rc = tn_err(-EINVAL, "map '%s' is of type %s, values of objects are in sk_storage",
			     map->name, tn_map_type_words(map->type));
	else if (!object)
		*rc = tn_err(-EINVAL, "map '%s': object is NULL", map->name);
	else if (value_size != map->value_size)
		*rc = tn_err(-EINVAL, "map '%s': value is of %zu bytes, expected %u", map->name,
			     value_size, map->value_size);
	else
		*rc = tn_map_said(tn_map_host_may(map, !write, write), map,
				  write ? "update" : "lookup");
	return *rc ? NULL : map;
}

int tenon_map_lookup_object(const struct tenon_map *handle, const void *object, void *value,
			    size_t value_size)
{
	int rc;
	struct tn_map *map = objects_map(handle, object, value_size, false, &rc);

	return map ? tn_map_said(tn_storage_host_lookup(map, owner_of(object), value), map,
				 "lookup")
		   : rc;
}

int tenon_map_update_object(struct tenon_map *handle, const void *object, const void *value,
			    size_t value_size, uint64_t flags)
{
	int rc;
	struct tn_map *map = objects_map(handle, object, value_size, true, &rc);

	return map ? tn_map_said(tn_storage_host_update(map, owner_of(object), value, flags), map,
				 "update")
		   : rc;
}

int tenon_map_delete_object(struct tenon_map *handle, const void *object)
{
	int rc = -EINVAL;
	struct tn_map *map = tn_map_loaded(handle);

	map = map ? objects_map(handle, object, map->value_size, true, &rc) : NULL;
	if (!map)
		return rc;
	return tn_map_said(tn_storage_host_delete(map, owner_of(object)), map, "delete");
}

int tenon_runtime_forget_object(struct tenon_runtime *rt, const void *object)
{
	if (!rt || !object)
		return tn_err(-EINVAL, "tenon_runtime_forget_object: no %s",
			      rt ? "object" : "runtime");
	return tn_thread_self() ? (int)tn_storage_forget(&rt->rt, owner_of(object))
				: tn_err_nomem("thread record");
}
