/* SPDX-License-Identifier: MIT */
/*
 * struct tenon_map as the API hands it out: a handle on a map that may not exist yet (a declaration
 * in an object that is open but not loaded), or on a map of the host.
 *
 * A host function with a `map` argument is given the program's map itself. Such a pointer works as
 * a struct tenon_map too: the first word tells them apart (see tn_map_of()).
 */
#ifndef TN_HOST_MAP_HANDLE_H
#define TN_HOST_MAP_HANDLE_H

#include "host-api/runtime.h"
#include "maps/map.h"
#include "vm/image.h"

struct tenon_map {
	const void *tag; /* tn_map_tag; a struct tn_map has its ops here */
	struct tenon_runtime *rt;
	struct tn_map *map; /* NULL before load */
	const char *name;   /* of the declaration or the map */

	/* Objects only. */
	struct tenon_object *obj;
	struct tn_map_decl *decl; /* borrowed from the image */
	struct tn_map *reused;	  /* set before load: takes the place of a new map */
	char *pin_path;		  /* owned; NULL: not pinned */
	bool pinned_here;	  /* by this load, see tn_pin_undo() */
	bool made_file;		  /* of a shared map that is pinned */
	bool left_out;		  /* the host does not want it created */
	struct tn_ops_table *ops; /* of a structure of functions, see struct_ops.h */

	/* Host's own maps only. */
	struct tenon_map *next;
	struct tn_btf *btf; /* of a file; owned, NULL: none. map->btf_..._id are its types */
};

/* Hangs on tn_map.owner: what all handles of one map share. */
struct tn_map_share {
	uint32_t handles;	       /* under rt.lock */
	const struct tn_prog_sig *sig; /* prog arrays: what their programs have in common */
};

extern const char tn_map_tag;

/* No shared map has more than this of BTF in its file. */
#define TN_MAX_SHARED_BTF_BYTES (1u << 20)

/* The map behind `map`: of a handle (NULL: not loaded) or itself. */
struct tn_map *tn_map_of(const struct tenon_map *map);

/* For API calls: the map, or NULL with words; a result with words of what failed; sizes that are
 * the map's, or -EINVAL with words. */
struct tn_map *tn_map_loaded(const struct tenon_map *handle);
int tn_map_said(int rc, const struct tn_map *map, const char *what);
int tn_map_check_sizes(const struct tn_map *map, const void *key, size_t key_size,
		       const void *value, size_t value_size, bool with_value);

/* Point the handle at `map` (takes over one reference). 0 or -ENOMEM; then the reference is
 * dropped. The last handle of a prog array to go empties it, which breaks the cycle between the
 * array and the programs that use it. */
int tn_map_handle_set(struct tenon_map *handle, struct tn_map *map);
void tn_map_handle_clear(struct tenon_map *handle);

/* Create the map that `handle->decl` asks for, or adopt handle->reused; sets initial values. */
int tn_map_handle_load(struct tenon_map *handle);

/* A handle of the host's own on `map` (takes over one reference). NULL, errno, with words. */
struct tenon_map *tn_map_handle_new(struct tenon_runtime *rt, struct tn_map *map);

/* The same, with the types that stand in a shared map's file (map_shared_api.c). */
struct tenon_map *tn_map_handle_with_btf(struct tenon_runtime *rt, struct tn_map *map);

/* max_entries as the map will have them: whole pages of rings, a slot's element for each slot. */
uint32_t tn_map_decl_entries(const struct tenon_runtime *rt, const struct tn_map_decl *decl);

/* A program whose tail calls go through `map` has signature `sig`: remember it, or check that the
 * array's programs give what it needs. 0, -EINVAL, -ENOMEM. */
int tn_map_bind_sig(struct tenon_runtime *rt, struct tn_map *map, const struct tn_prog_sig *sig);
const struct tn_prog_sig *tn_map_sig(const struct tn_map *map);

#endif
