/* SPDX-License-Identifier: MIT */
/*
 * Between the API's map handles and the maps themselves: creation from declarations, reuse, and
 * what prog arrays must know of programs.
 */
#include "host-api/map_handle.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/pages.h"
#include "host-api/host_type.h"
#include "host-api/object.h"
#include "host-api/pin.h"
#include "host-api/pin_file.h"
#include "host-api/program.h"
#include "maps/arena.h"
#include "maps/prog_array.h"
#include "maps/special.h"
#include "maps/timer.h"
#include "maps/segment.h"
#include "vm/map_fields.h"

#define PERF_EVENT_ARRAY 4u /* BPF_MAP_TYPE_PERF_EVENT_ARRAY */

const char tn_map_tag = 'm';

struct tn_map *tn_map_of(const struct tenon_map *map)
{
	if (map->tag == &tn_map_tag)
		return map->map;
	return (struct tn_map *)(uintptr_t)map;
}

static const struct tn_prog_array_host prog_array_host = {
	.get = tn_program_get_by_id,
	.put = tn_program_put_opaque,
	.id = tn_program_id_of,
	.fits = tn_program_fits,
};

int tn_map_handle_set(struct tenon_map *handle, struct tn_map *map)
{
	struct tenon_runtime *rt = handle->rt;
	struct tn_map_share *share;

	tn_lock(rt);
	share = map->owner;
	if (!share) {
		share = tn_new(&rt->rt, struct tn_map_share);
		map->owner = share;
	}
	if (share) {
		if (!share->handles++)
			tn_timers_set_open(map, true);
		handle->map = map;
	}
	tn_unlock(rt);
	if (!share) {
		tn_map_put(map);
		return tn_err_nomem("map");
	}
	if (map->type == TN_MAP_PROG_ARRAY)
		tn_prog_array_set_host(map, &prog_array_host);
	return 0;
}

void tn_map_handle_clear(struct tenon_map *handle)
{
	struct tn_map *map = handle->map;
	struct tn_map_share *share, *last = NULL;

	if (!map)
		return;
	tn_lock(handle->rt);
	share = map->owner;
	if (--share->handles == 0) {
		last = share;
		map->owner = NULL;
		tn_timers_set_open(map, false);
	}
	handle->map = NULL;
	tn_unlock(handle->rt);
	if (last && map->type == TN_MAP_PROG_ARRAY)
		tn_prog_array_clear(map);
	tn_free(&handle->rt->rt, last);
	tn_map_put(map);
}

struct tenon_map *tn_map_handle_new(struct tenon_runtime *rt, struct tn_map *map)
{
	struct tenon_map *handle = tn_new(&rt->rt, struct tenon_map);
	int rc;

	if (!handle) {
		tn_map_put(map);
		return tn_err_null(-ENOMEM, "out of memory: map '%s'", map->name);
	}
	handle->tag = &tn_map_tag;
	handle->rt = rt;
	handle->name = map->name;
	rc = tn_map_handle_set(handle, map);
	if (rc) {
		tn_free(&rt->rt, handle);
		return tn_null(rc);
	}
	tn_lock(rt);
	handle->next = rt->maps;
	rt->maps = handle;
	tn_unlock(rt);
	return handle;
}

static int fill_data(struct tn_map *map, const struct tn_map_decl *decl)
{
	/* Locks, timers and pointers begin as zeros, whatever the object says. */
	if (decl->data)
		tn_map_store_value(map, map->values, decl->data);
	return decl->is_rodata ? tn_map_freeze(map) : 0;
}

/* As libbpf: a plugin need not know the page size, nor how many processors there are. */
uint32_t tn_map_decl_entries(const struct tenon_runtime *rt, const struct tn_map_decl *decl)
{
	uint32_t size = (uint32_t)tn_page_size();

	if (decl->type == PERF_EVENT_ARRAY && !decl->max_entries)
		return rt->rt.max_slots;
	if (decl->type != TN_MAP_RINGBUF && decl->type != TN_MAP_USER_RINGBUF)
		return decl->max_entries;
	while (size < decl->max_entries && size < 1u << 31)
		size *= 2;
	/* Of 0, or beyond all that fits, the map itself tells. */
	return !decl->max_entries || size < decl->max_entries ? decl->max_entries : size;
}

static int refuse_value(const struct tn_map_decl *decl, int code)
{
	const struct tn_err_record *why = tn_err_last();

	return tn_err(code, "map '%s': %s", decl->name, why->msg);
}

/* A shared map has its types in its file, for tools that know nothing of the plugin. */
static void add_btf(struct tn_map_attr *attr, const struct tenon_map *handle)
{
	const struct tn_btf *btf = handle->obj->unit->image->btf;

	if (!btf || btf->base || btf->size > TN_MAX_SHARED_BTF_BYTES || !handle->decl->btf_value_id)
		return;
	attr->btf = btf->data;
	attr->btf_bytes = (uint32_t)btf->size;
	attr->btf_key_id = handle->decl->btf_key_id;
	attr->btf_value_id = handle->decl->btf_value_id;
}

static int fill(struct tn_map *map, const struct tn_map_decl *decl)
{
	int rc = decl->is_data ? fill_data(map, decl) : 0;

	if (!rc && decl->arena_bytes)
		rc = tn_arena_fill(map, decl->data, decl->arena_bytes);
	return rc;
}

static int create(struct tenon_map *handle, const struct tn_map_attr *attr)
{
	struct tn_map *map = tn_map_create(&handle->rt->rt, attr);
	int rc;

	if (!map)
		return -errno;
	map->btf_key_id = handle->decl->btf_key_id;
	map->btf_value_id = handle->decl->btf_value_id;
	rc = tn_map_handle_set(handle, map);
	return rc ? rc : fill(map, handle->decl);
}

/* In a file that gets its name when all stands in it. -EEXIST: another process was first. */
static int create_in_file(struct tenon_map *handle, struct tn_map_attr *attr)
{
	int fd = tn_pin_file_make(handle->pin_path), rc;
	struct tn_segment_file file = { .fd = fd };

	if (fd < 0)
		return fd;
	attr->file = &file;
	rc = create(handle, attr);
	if (!rc)
		rc = tn_pin_file_name(fd, handle->pin_path);
	handle->made_file = !rc;
	close(fd);
	return rc;
}

static int load_new(struct tenon_map *handle)
{
	const struct tn_map_decl *decl = handle->decl, *in = decl->inner;
	const struct tn_btf *btf = handle->obj->unit->image->btf;
	struct tn_map_special specials[2][TN_MAP_MAX_SPECIALS];
	struct tn_map_attr inner = { 0 };
	struct tn_map_attr attr = {
		.type = decl->type,
		.key_size = decl->key_size,
		.value_size = decl->value_size,
		.max_entries = tn_map_decl_entries(handle->rt, decl),
		.flags = decl->flags | (decl->is_rodata ? TN_MAP_F_RDONLY_PROG : 0),
		.name = decl->name,
		.extra = decl->map_extra,
	};
	int rc;

	if (decl->map_extra && decl->type != TN_MAP_ARENA && decl->type != TN_MAP_BLOOM_FILTER)
		return tn_err(-ENOTSUP, "map '%s': map_extra is 0x%llx, expected none", decl->name,
			      (unsigned long long)decl->map_extra);
	rc = tn_value_specials(btf, decl->btf_value_id, specials[0]);
	if (rc < 0)
		return refuse_value(decl, rc);
	attr.specials = specials[0];
	attr.nr_specials = (uint32_t)rc;
	if (in) {
		rc = tn_value_specials(btf, in->btf_value_id, specials[1]);
		if (rc < 0)
			return refuse_value(decl, rc);
		inner = (struct tn_map_attr){
			.type = in->type,
			.key_size = in->key_size,
			.value_size = in->value_size,
			.max_entries = in->max_entries,
			.flags = in->flags,
			.specials = specials[1],
			.nr_specials = (uint32_t)rc,
		};
		attr.inner = &inner;
	}
	if (!(attr.flags & TENON_MAP_SHARED))
		return create(handle, &attr);
	add_btf(&attr, handle);
	return handle->pin_path ? create_in_file(handle, &attr) : create(handle, &attr);
}

/* Another process pinned its map meanwhile: ours has not been seen by anybody. */
static int load_theirs(struct tenon_map *handle)
{
	struct tn_map *map;
	int rc;

	tn_map_handle_clear(handle);
	rc = tn_pin_reuse(handle);
	map = handle->reused;
	handle->reused = NULL;
	if (rc || !map)
		return rc ? rc
			  : tn_err(-EAGAIN, "map '%s': '%s' comes and goes", handle->name,
				   handle->pin_path);
	return tn_map_handle_set(handle, map);
}

int tn_map_handle_load(struct tenon_map *handle)
{
	struct tn_map *map = handle->reused;
	int rc;

	if (map) {
		handle->reused = NULL;
		rc = tn_map_handle_set(handle, map);
	} else {
		rc = load_new(handle);
		if (rc == -EEXIST && handle->pin_path)
			rc = load_theirs(handle);
	}
	if (rc)
		return rc;
	map = handle->map;
	/* Does nothing to a map that is not frozen, or that programs may write. */
	return map->const_for_programs ? 0 : tn_map_make_const(map);
}

const struct tn_prog_sig *tn_map_sig(const struct tn_map *map)
{
	const struct tn_map_share *share = map->owner;

	return share ? share->sig : NULL;
}

/* Every result that the array's programs may give must be one that the caller may give. */
static bool results_within(const struct tn_prog_sig *array, const struct tn_prog_sig *caller)
{
	if (!caller->ret_checked)
		return true;
	return array->ret_checked && array->ret_int == caller->ret_int &&
	       array->ret_min >= caller->ret_min && array->ret_max <= caller->ret_max;
}

int tn_map_bind_sig(struct tenon_runtime *rt, struct tn_map *map, const struct tn_prog_sig *sig)
{
	const struct tn_prog_sig *interned = tn_prog_sig_intern(rt, sig), *old;
	struct tn_map_share *share;

	if (!interned)
		return tn_err_nomem("program signature");
	tn_lock(rt);
	share = map->owner;
	old = share ? share->sig : NULL;
	if (share && !old)
		share->sig = interned;
	tn_unlock(rt);
	if (!share)
		return tn_err(-EINVAL, "map '%s': its owner is gone", map->name);
	if (!old)
		return tn_prog_array_bind(map, interned);
	if (!tn_prog_sig_same_ctx(old, sig))
		return tn_err(-EINVAL, "map '%s' belongs to programs of another context",
			      map->name);
	if (!results_within(old, sig))
		return tn_err(-EINVAL,
			      "map '%s' belongs to programs with other results than "
			      "this one's hook allows",
			      map->name);
	return 0;
}
