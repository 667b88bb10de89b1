/* SPDX-License-Identifier: MIT */
/* The registry of pinned maps, see pin.h. An entry has a handle of its own, so that what hangs on
 * handles (the programs of a prog array) lives on. */
#include "host-api/pin.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "host-api/object.h"
#include "host-api/pin_file.h"
#include "maps/segment.h"
#include "vm/map_fields.h"

#define DEFAULT_ROOT   "/sys/fs/bpf"
#define MAX_PATH_BYTES 4096u

struct tn_pin {
	struct tn_pin *next;
	char *path;
	struct tenon_map handle;
};

/* Under rt.lock. */
static struct tn_pin **find_pin(struct tenon_runtime *rt, const char *path)
{
	struct tn_pin **at = &rt->pins;

	while (*at && strcmp((*at)->path, path) != 0)
		at = &(*at)->next;
	return at;
}

static void pin_free(struct tenon_runtime *rt, struct tn_pin *pin)
{
	if (!pin)
		return;
	tn_map_handle_clear(&pin->handle);
	tn_free(&rt->rt, pin->path);
	tn_free(&rt->rt, pin);
}

static int check_path(const char *path)
{
	size_t len = strlen(path);

	if (len == 0 || len >= MAX_PATH_BYTES)
		return tn_err(-EINVAL, "pin path '%.40s': it has 1 to %u characters", path,
			      MAX_PATH_BYTES - 1);
	return 0;
}

static int add_pin(struct tenon_runtime *rt, struct tn_map *map, const char *path)
{
	struct tn_pin *pin = tn_new(&rt->rt, struct tn_pin), **at;
	bool taken;
	int rc;

	if (!pin)
		return tn_err_nomem("pin");
	pin->path = tn_strdup(&rt->rt, path);
	pin->handle.tag = &tn_map_tag;
	pin->handle.rt = rt;
	pin->handle.name = map->name;
	rc = pin->path ? tn_map_handle_set(&pin->handle, tn_map_get(map)) : tn_err_nomem("pin");
	if (rc) {
		pin_free(rt, pin);
		return rc;
	}
	tn_lock(rt);
	at = find_pin(rt, path);
	taken = *at;
	if (!taken)
		*at = pin;
	tn_unlock(rt);
	if (!taken)
		return 0;
	pin_free(rt, pin);
	return tn_err(-EEXIST, "map '%s': '%s' is pinned already", map->name, path);
}

/* A reference to the map that is pinned there, or NULL. */
static struct tn_map *get_pinned(struct tenon_runtime *rt, const char *path)
{
	struct tn_map *map = NULL;
	struct tn_pin *pin;

	tn_lock(rt);
	pin = *find_pin(rt, path);
	if (pin)
		map = tn_map_get(pin->handle.map);
	tn_unlock(rt);
	return map;
}

static int drop_pin(struct tenon_runtime *rt, const char *path, const struct tn_map *map)
{
	struct tn_pin **at, *pin;

	tn_lock(rt);
	at = find_pin(rt, path);
	pin = *at && (!map || (*at)->handle.map == map) ? *at : NULL;
	if (pin)
		*at = pin->next;
	tn_unlock(rt);
	if (!pin)
		return tn_err(-ENOENT, "no such map is pinned at '%s'", path);
	pin_free(rt, pin);
	return 0;
}

/* ---- When an object is loaded ---- */

static int differs(const struct tenon_map *handle, const char *what, uint64_t pinned, uint64_t want)
{
	return tn_err(-EINVAL, "map '%s': the map pinned at '%s' has %s %llu, the plugin's %llu",
		      handle->name, handle->pin_path, what, (unsigned long long)pinned,
		      (unsigned long long)want);
}

static int same_specials(const struct tenon_map *handle, const struct tn_map *map)
{
	const struct tn_btf *btf = handle->obj->unit->image->btf;
	struct tn_map_special want[TN_MAP_MAX_SPECIALS];
	int nr = tn_value_specials(btf, handle->decl->btf_value_id, want);

	if (nr < 0)
		return nr;
	if ((uint32_t)nr != map->nr_specials)
		return differs(handle, "special fields in its value:", map->nr_specials,
			       (uint64_t)nr);
	for (int i = 0; i < nr; i++)
		if (want[i].off != map->specials[i].off || want[i].kind != map->specials[i].kind)
			return differs(handle, "another special field in its value at byte",
				       map->specials[i].off, want[i].off);
	return 0;
}

static int same_inner(const struct tenon_map *handle, const struct tn_map *map)
{
	const struct tn_map_decl *want = handle->decl->inner;
	const struct tn_map *have = map->inner;

	if (!want || !have)
		return !want == !have ? 0
				      : differs(handle, "inner maps:", have != NULL, want != NULL);
	if (have->type != want->type)
		return differs(handle, "inner maps of type", have->type, want->type);
	if (have->key_size != want->key_size)
		return differs(handle, "inner key_size", have->key_size, want->key_size);
	if (have->value_size != want->value_size)
		return differs(handle, "inner value_size", have->value_size, want->value_size);
	if (have->max_entries != want->max_entries)
		return differs(handle, "inner max_entries", have->max_entries, want->max_entries);
	if (have->flags != want->flags)
		return differs(handle, "inner map_flags", have->flags, want->flags);
	return 0;
}

static int check_same(const struct tenon_map *handle, const struct tn_map *map)
{
	const struct tn_map_decl *decl = handle->decl;
	uint32_t flags = (decl->flags & ~TENON_MAP_SHARED) |
			 (decl->is_rodata ? TN_MAP_F_RDONLY_PROG : 0);
	bool shared = decl->flags & TENON_MAP_SHARED;
	uint32_t entries = tn_map_decl_entries(handle->rt, decl);
	int rc;

	if (map->for_host_alone)
		return tn_err(-EACCES, "map '%s': what is pinned at '%s' is for the host to read",
			      handle->name, handle->pin_path);
	if (tn_map_shown_type(map) != decl->type)
		return differs(handle, "type", tn_map_shown_type(map), decl->type);
	if (map->key_size != decl->key_size)
		return differs(handle, "key_size", map->key_size, decl->key_size);
	if (map->value_size != decl->value_size)
		return differs(handle, "value_size", map->value_size, decl->value_size);
	if (map->max_entries != entries)
		return differs(handle, "max_entries", map->max_entries, entries);
	if (map->flags != flags)
		return differs(handle, "map_flags", map->flags, flags);
	if (!map->segment == shared)
		return differs(handle, "TENON_MAP_SHARED", map->segment != NULL, shared);
	if (map->extra != decl->map_extra)
		return differs(handle, "map_extra", map->extra, decl->map_extra);
	rc = same_inner(handle, map);
	return rc ? rc : same_specials(handle, map);
}

/* "root/name", where the plugin or the host asks for it. */
static int settle_path(struct tenon_map *handle)
{
	const char *root = handle->obj->pin_root;

	if (handle->pin_path || !handle->decl->pinning)
		return 0;
	handle->pin_path = tn_asprintf(&handle->rt->rt, "%s/%s", root ? root : DEFAULT_ROOT,
				       handle->name);
	return handle->pin_path ? 0 : tn_err_nomem("pin path");
}

int tn_pin_reuse(struct tenon_map *handle)
{
	struct tn_map *map;
	int rc = settle_path(handle);

	if (rc || !handle->pin_path || handle->reused)
		return rc;
	map = get_pinned(handle->rt, handle->pin_path);
	if (!map && handle->decl->flags & TENON_MAP_SHARED) {
		map = tn_pin_file_open(handle->rt, handle->pin_path);
		if (!map && errno != ENOENT)
			return -errno;
	}
	if (!map)
		return 0;
	rc = check_same(handle, map);
	if (rc)
		tn_map_put(map);
	else
		handle->reused = map;
	return rc;
}

int tn_pin_made(struct tenon_map *handle)
{
	struct tn_map *there;
	int rc = 0;

	if (!handle->pin_path || !handle->map)
		return 0;
	there = get_pinned(handle->rt, handle->pin_path);
	if (there != handle->map) {
		rc = add_pin(handle->rt, handle->map, handle->pin_path);
		handle->pinned_here = !rc;
	}
	tn_map_put(there);
	return rc;
}

void tn_pin_undo(struct tenon_map *handle)
{
	const struct tn_err_record before = *tn_err_last();

	if (handle->made_file && handle->map)
		tn_pin_file_remove(handle->pin_path, handle->map);
	handle->made_file = false;
	if (!handle->pinned_here)
		return;
	handle->pinned_here = false;
	/* The host may have unpinned it meanwhile. */
	drop_pin(handle->rt, handle->pin_path, handle->map);
	*tn_err_last() = before;
}

void tn_pins_fini(struct tenon_runtime *rt)
{
	struct tn_pin *pin;

	do {
		tn_lock(rt);
		pin = rt->pins;
		rt->pins = pin ? pin->next : NULL;
		tn_unlock(rt);
		pin_free(rt, pin);
	} while (pin);
}

/* ---- The host's calls ---- */

int tenon_map_set_pin_path(struct tenon_map *handle, const char *path)
{
	char *copy = NULL;
	int rc;

	if (!handle || handle->tag != &tn_map_tag || !handle->decl)
		return tn_err(-EINVAL, "pin path: not a map of an object");
	if (handle->obj->state != TN_OBJECT_OPEN)
		return tn_err(-EALREADY, "map '%s': pin path: its object is loaded already",
			      handle->name);
	rc = path ? check_path(path) : 0;
	if (rc)
		return rc;
	if (path) {
		copy = tn_strdup(&handle->rt->rt, path);
		if (!copy)
			return tn_err_nomem("pin path");
	}
	tn_free(&handle->rt->rt, handle->pin_path);
	handle->pin_path = copy;
	if (!path)
		handle->decl->pinning = 0;
	return 0;
}

int tenon_map_pin(struct tenon_map *handle, const char *path)
{
	struct tn_map *map = handle && handle->tag == &tn_map_tag ? handle->map : NULL;
	int rc;

	if (!map)
		return tn_err(-EINVAL, "pin: no map, or one whose object is not loaded");
	if (!path)
		path = handle->pin_path;
	if (!path)
		return tn_err(-EINVAL, "map '%s': it has no pin path of its own", map->name);
	rc = check_path(path);
	if (!rc && map->segment)
		return tn_err(-ENOTSUP,
			      "map '%s': a shared map stands in the file that it was created in: "
			      "give the path before",
			      map->name);
	return rc ? rc : add_pin(handle->rt, map, path);
}

/* Is there a pinned file, that is, one that looks like a map? */
static bool is_pinned_file(const char *path)
{
	struct tn_segment_header header;
	int fd = *path == '/' ? open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK) : -1;
	bool is = fd >= 0 && !tn_segment_read_header(fd, &header);

	if (fd >= 0)
		close(fd);
	return is;
}

int tenon_map_unpin(struct tenon_runtime *rt, const char *path)
{
	int rc, file = -ENOENT;

	if (!rt || !path)
		return tn_err(-EINVAL, "tenon_map_unpin: an argument is NULL");
	if (is_pinned_file(path))
		file = tn_pin_file_remove(path, NULL);
	rc = drop_pin(rt, path, NULL);
	if (file && file != -ENOENT)
		return tn_err(file, "cannot unpin '%s': %s", path, strerror(-file));
	return file ? rc : 0;
}

struct tenon_map *tenon_map_get_pinned(struct tenon_runtime *rt, const char *path)
{
	struct tn_map *map;

	if (!rt || !path)
		return tn_err_null(-EINVAL, "tenon_map_get_pinned: an argument is NULL");
	map = get_pinned(rt, path);
	if (!map && *path == '/') {
		map = tn_pin_file_open(rt, path);
		if (!map && errno != ENOENT)
			return NULL;
	}
	if (!map)
		return tn_err_null(-ENOENT, "no map is pinned at '%s'", path);
	return tn_map_handle_with_btf(rt, map);
}
