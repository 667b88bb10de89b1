/* SPDX-License-Identifier: MIT */
/*
 * Maps from the host: sizes and existence are checked here, the rest is the map's own. Errors are
 * the kernel's numbers; the words are added here.
 */
#include <errno.h>
#include <string.h>

#include "base/epoch.h"
#include "host-api/map_handle.h"
#include "host-api/object.h"

/* The map behind an API call, or NULL with words. */
struct tn_map *tn_map_loaded(const struct tenon_map *handle)
{
	struct tn_map *map;

	if (!handle)
		return tn_err_null(-EINVAL, "map: NULL");
	map = tn_map_of(handle);
	if (!map)
		return tn_err_null(-EINVAL, "map '%s' does not exist before its object is loaded",
				   handle->name);
	return map;
}

int tn_map_said(int rc, const struct tn_map *map, const char *what)
{
	const char *why;

	if (rc >= 0)
		return rc;
	why = rc == -TN_ENOTSUPP ? "this type of map has no such operation" : strerror(-rc);
	return tn_err(rc, "map '%s': %s: %s", map->name, what, why);
}

int tn_map_check_sizes(const struct tn_map *map, const void *key, size_t key_size,
		       const void *value, size_t value_size, bool with_value)
{
	size_t want = tn_map_host_value_size(map);

	if (key_size != map->key_size || (key_size && !key))
		return tn_err(-EINVAL, "map '%s': the key has %zu bytes, expected %u", map->name,
			      key ? key_size : 0, map->key_size);
	if (with_value && (value_size != want || (want && !value)))
		return tn_err(-EINVAL, "map '%s': the value has %zu bytes, expected %zu", map->name,
			      value ? value_size : 0, want);
	return 0;
}

/* ---- Elements ---- */

int tenon_map_lookup_elem(const struct tenon_map *handle, const void *key, size_t key_size,
			  void *value, size_t value_size, uint64_t flags)
{
	struct tn_map *map = tn_map_loaded(handle);
	int rc;

	if (!map)
		return -EINVAL;
	rc = tn_map_check_sizes(map, key, key_size, value, value_size, true);
	return rc ? rc : tn_map_said(tn_map_host_lookup(map, key, value, flags), map, "lookup");
}

/* Maps and programs that elements held wait for an epoch. Whoever only changes elements would let
 * them pile up. */
static void free_replaced(const struct tn_map *map)
{
	if (map->inner || map->type == TN_MAP_PROG_ARRAY)
		tn_epoch_reclaim();
}

int tenon_map_update_elem(struct tenon_map *handle, const void *key, size_t key_size,
			  const void *value, size_t value_size, uint64_t flags)
{
	struct tn_map *map = tn_map_loaded(handle);
	int rc;

	if (!map)
		return -EINVAL;
	rc = tn_map_check_sizes(map, key, key_size, value, value_size, true);
	if (!rc)
		rc = tn_map_said(tn_map_host_update(map, key, value, flags), map, "update");
	free_replaced(map);
	return rc;
}

int tenon_map_delete_elem(struct tenon_map *handle, const void *key, size_t key_size,
			  uint64_t flags)
{
	struct tn_map *map = tn_map_loaded(handle);
	int rc;

	if (!map)
		return -EINVAL;
	rc = tn_map_check_sizes(map, key, key_size, NULL, 0, false);
	if (!rc)
		rc = tn_map_said(tn_map_host_delete(map, key, flags), map, "delete");
	free_replaced(map);
	return rc;
}

int tenon_map_lookup_and_delete_elem(struct tenon_map *handle, const void *key, size_t key_size,
				     void *value, size_t value_size, uint64_t flags)
{
	struct tn_map *map = tn_map_loaded(handle);
	int rc;

	if (!map)
		return -EINVAL;
	rc = tn_map_check_sizes(map, key, key_size, value, value_size, true);
	if (!rc)
		rc = tn_map_said(tn_map_host_lookup_and_delete(map, key, value, flags), map,
				 "lookup and delete");
	return rc;
}

int tenon_map_get_next_key(const struct tenon_map *handle, const void *key, void *next,
			   size_t key_size)
{
	struct tn_map *map = tn_map_loaded(handle);
	int rc;

	if (!map)
		return -EINVAL;
	rc = tn_map_check_sizes(map, next, key_size, NULL, 0, false);
	return rc ? rc : tn_map_said(tn_map_next_key(map, key, next), map, "next key");
}

/* ---- Information ---- */

uint32_t tenon_map_id(const struct tenon_map *handle)
{
	struct tn_map *map = handle ? tn_map_of(handle) : NULL;

	return map ? map->id : 0;
}

static void info_of_decl(const struct tenon_map *handle, struct tenon_map_info *out)
{
	const struct tn_map_decl *decl = handle->decl;

	*out = (struct tenon_map_info){
		.name = decl->name,
		.type = decl->type,
		.key_size = decl->key_size,
		.value_size = decl->value_size,
		.max_entries = decl->max_entries,
		.flags = decl->flags,
		.global_data = decl->is_data,
	};
}

static void info_of_map(const struct tenon_map *handle, struct tn_map *map,
			struct tenon_map_info *out)
{
	bool is_handle = handle->tag == &tn_map_tag;

	*out = (struct tenon_map_info){
		.name = is_handle ? handle->name : map->name,
		.type = tn_map_shown_type(map),
		.key_size = map->key_size,
		.value_size = map->value_size,
		.max_entries = map->max_entries,
		.flags = map->flags,
		.nr_entries = map->ops->count ? map->ops->count(map) : 0,
		.bytes = map->charged,
		.host_value_size = tn_map_host_value_size(map),
		.global_data = is_handle && handle->decl && handle->decl->is_data,
		.id = map->id,
	};
}

int tenon_map_info(const struct tenon_map *handle, struct tenon_map_info *info)
{
	struct tenon_map_info out;
	struct tn_map *map;
	int rc;

	if (!handle || !info)
		return tn_err(-EINVAL, "tenon_map_info: an argument is NULL");
	rc = tn_opts_read("tenon_map_info", info, &out, sizeof(out));
	if (rc)
		return rc;
	map = tn_map_of(handle);
	if (map)
		info_of_map(handle, map, &out);
	else
		info_of_decl(handle, &out);
	out.type_name = tn_map_type_words(out.type);
	tn_opts_write(info, &out, sizeof(out));
	return 0;
}

void *tenon_map_data(struct tenon_map *handle, size_t *size)
{
	struct tn_map *map = tn_map_loaded(handle);

	if (!map)
		return NULL;
	if (!map->values || map->slot_stride)
		return tn_err_null(-ENOTSUP,
				   "map '%s': only arrays and arenas lie open to the host",
				   map->name);
	if (map->nr_specials)
		return tn_err_null(-ENOTSUP,
				   "map '%s': its values hold a %s, which only helpers may touch",
				   map->name, tn_map_special_words(map->specials[0].kind));
	if (size)
		*size = map->type == TN_MAP_ARENA ? map->values_size
						  : (size_t)map->value_stride * map->max_entries;
	return map->values;
}

/* ---- The host's own maps ---- */

struct tenon_map *tenon_map_new(struct tenon_runtime *rt, uint32_t type, const char *name,
				uint32_t key_size, uint32_t value_size, uint32_t max_entries,
				const struct tenon_map_opts *opts)
{
	struct tenon_map_opts want;
	struct tn_map_attr attr, inner;
	struct tn_map *map;
	int rc;

	if (!rt)
		return tn_err_null(-EINVAL, "tenon_map_new: no runtime");
	rc = tn_opts_read("tenon_map_opts", opts, &want, sizeof(want));
	if (rc)
		return tn_null(rc);
	if (want.inner) {
		const struct tn_map *shape = tn_map_loaded(want.inner);

		if (!shape)
			return NULL;
		inner = (struct tn_map_attr){
			.type = shape->type,
			.key_size = shape->key_size,
			.value_size = shape->value_size,
			.max_entries = shape->max_entries,
			.flags = shape->flags,
			.specials = shape->specials,
			.nr_specials = shape->nr_specials,
		};
	}
	attr = (struct tn_map_attr){
		.type = type,
		.key_size = key_size,
		.value_size = value_size,
		.max_entries = max_entries,
		.flags = want.flags,
		.name = name ? name : "",
		.inner = want.inner ? &inner : NULL,
	};
	map = tn_map_create(&rt->rt, &attr);
	/* What was freed and waits for an epoch still counts. */
	if (!map && (errno == E2BIG || errno == ENOMEM) && tn_epoch_reclaim())
		map = tn_map_create(&rt->rt, &attr);
	if (!map)
		return NULL;
	return tn_map_handle_new(rt, map);
}

void tenon_map_free(struct tenon_map *handle)
{
	struct tenon_runtime *rt;
	struct tenon_map **at;

	/* Maps of objects, and maps as helpers get them, are not the caller's to free. */
	if (!handle || handle->tag != &tn_map_tag || handle->obj)
		return;
	rt = handle->rt;
	tn_lock(rt);
	for (at = &rt->maps; *at && *at != handle; at = &(*at)->next)
		;
	if (*at)
		*at = handle->next;
	tn_unlock(rt);
	tn_map_handle_clear(handle);
	tn_btf_free(handle->btf);
	tn_free(&rt->rt, handle);
	tn_epoch_reclaim();
}

int tenon_map_freeze(struct tenon_map *handle)
{
	struct tn_map *map = tn_map_loaded(handle);

	return map ? tn_map_said(tn_map_freeze(map), map, "freeze") : -EINVAL;
}

/* ---- Before load ---- */

static int check_unloaded(const struct tenon_map *handle, const char *what)
{
	if (!handle || handle->tag != &tn_map_tag || !handle->decl)
		return tn_err(-EINVAL, "%s: not a map of an object", what);
	if (handle->obj->state != TN_OBJECT_OPEN)
		return tn_err(-EALREADY, "map '%s': %s: its object is loaded already", handle->name,
			      what);
	return 0;
}

int tenon_map_set_initial_value(struct tenon_map *handle, const void *data, size_t size)
{
	int rc = check_unloaded(handle, "initial value");
	struct tn_map_decl *decl;

	if (rc)
		return rc;
	decl = handle->decl;
	if (!decl->is_data)
		return tn_err(-EINVAL, "map '%s': only globals have an initial value",
			      handle->name);
	if (!data || size != decl->value_size)
		return tn_err(-EINVAL, "map '%s': %zu bytes, expected %u", handle->name,
			      data ? size : 0, decl->value_size);
	if (!decl->data)
		decl->data = tn_alloc(&handle->rt->rt, size);
	if (!decl->data)
		return tn_err_nomem("initial value");
	memcpy(decl->data, data, size);
	return 0;
}

const void *tenon_map_initial_value(const struct tenon_map *handle, size_t *size)
{
	if (!handle || handle->tag != &tn_map_tag || !handle->decl || !handle->decl->data)
		return tn_err_null(-ENOENT, "the map has no initial value");
	if (size)
		*size = handle->decl->value_size;
	return handle->decl->data;
}

int tenon_map_set_max_entries(struct tenon_map *handle, uint32_t n)
{
	int rc = check_unloaded(handle, "max_entries");

	if (rc)
		return rc;
	if (handle->decl->is_data)
		return tn_err(-EINVAL, "map '%s': globals have one entry", handle->name);
	handle->decl->max_entries = n;
	return 0;
}

int tenon_map_set_autocreate(struct tenon_map *handle, bool create)
{
	int rc = check_unloaded(handle, "autocreate");

	if (!rc)
		handle->left_out = !create;
	return rc;
}

static int same_number(const struct tn_map_decl *decl, const struct tn_map *map, const char *what,
		       uint32_t has, uint32_t wanted)
{
	if (has == wanted)
		return 0;
	return tn_err(-EINVAL, "map '%s': '%s' has %s %u, the plugin's %u", decl->name, map->name,
		      what, has, wanted);
}

static int same_shape(const struct tn_map_decl *decl, const struct tn_map *map)
{
	int rc = same_number(decl, map, "type", tn_map_shown_type(map), decl->type);

	if (!rc)
		rc = same_number(decl, map, "key_size", map->key_size, decl->key_size);
	if (!rc)
		rc = same_number(decl, map, "value_size", map->value_size, decl->value_size);
	if (!rc)
		rc = same_number(decl, map, "max_entries", map->max_entries, decl->max_entries);
	return rc;
}

int tenon_map_reuse(struct tenon_map *handle, struct tenon_map *from)
{
	int rc = check_unloaded(handle, "reuse");
	const struct tn_map_decl *decl;
	struct tn_map *map;

	if (rc)
		return rc;
	map = tn_map_loaded(from);
	if (!map)
		return -EINVAL;
	decl = handle->decl;
	if (map->rt != &handle->rt->rt)
		return tn_err(-EINVAL, "map '%s' belongs to another runtime", map->name);
	rc = same_shape(decl, map);
	if (!rc && map->for_host_alone)
		rc = tn_err(-EACCES, "map '%s' is another process's, for the host to read alone",
			    map->name);
	if (rc)
		return rc;
	tn_map_put(handle->reused);
	handle->reused = tn_map_get(map);
	return 0;
}
