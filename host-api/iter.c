/* SPDX-License-Identifier: MIT */
/*
 * Iterators: the hook iter/NAME, fired for each element of a map or for each object of the host's,
 * with the context that the kernel's programs of that section have. Elements of maps are looked up
 * by keys that were gathered before, so programs and other threads may delete meanwhile.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "host-api/hook.h"
#include "host-api/host_type.h"
#include "host-api/map_handle.h"
#include "host-api/runtime.h"
#include "maps/map.h"

#define PREFIX	    "bpf_iter__"
#define MAX_NAME    64
#define FIRST_BATCH 64u
/* No structure of a host is named so: it is the map itself, of which programs read nothing. */
#define MAP_HANDLE "&bpf_map"

/* What programs are given: of objects the first two. */
struct elem {
	struct tenon_iter_meta *meta;
	void *what; /* the map, or the object */
	void *key, *value;
};

_Static_assert(sizeof(struct tenon_iter_meta) == 24, "as struct bpf_iter_meta");

static int add_meta(struct tenon_runtime *rt)
{
	static const struct tenon_field fields[] = {
		{ .name = "seq",
		  .offset = 0,
		  .size = 8,
		  .kind = TENON_FIELD_HANDLE,
		  .handle = "tenon_seq_file",
		  .access = TENON_R },
		TENON_SCALAR(struct tenon_iter_meta, session_id, TENON_R),
		TENON_SCALAR(struct tenon_iter_meta, seq_num, TENON_R),
	};
	const struct tenon_struct_type meta = { .sz = sizeof(meta),
						.name = "bpf_iter_meta",
						.size = sizeof(struct tenon_iter_meta),
						.fields = fields,
						.nr_fields = TN_ARRAY_SIZE(fields),
						.field_size = sizeof(fields[0]) };

	return tenon_runtime_add_struct(rt, &meta);
}

static uint32_t handle_field(struct tenon_field *f, const char *name, uint32_t offset,
			     const char *type, uint32_t access)
{
	*f = (struct tenon_field){ .name = name,
				   .offset = offset,
				   .size = 8,
				   .kind = TENON_FIELD_HANDLE,
				   .handle = type,
				   .access = TENON_R | access };
	return 1;
}

static uint32_t bytes_field(struct tenon_field *f, const char *name, uint32_t offset, uint32_t size,
			    uint32_t access)
{
	*f = (struct tenon_field){ .name = name,
				   .offset = offset,
				   .size = 8,
				   .kind = TENON_FIELD_MEM,
				   .mem_size = size,
				   .access = access | TENON_NULLABLE | TENON_ALIGNED };
	return 1;
}

/* The context's name carries the sizes: one runtime may iterate over maps of several shapes. */
static void name_context(const struct tenon_iter_desc *desc, char name[static 2 * MAX_NAME])
{
	if (desc->type)
		snprintf(name, 2 * MAX_NAME, PREFIX "%s", desc->type);
	else if (desc->read_only)
		snprintf(name, 2 * MAX_NAME, PREFIX "bpf_map_elem:%u:%u:ro", desc->key_size,
			 desc->value_size);
	else
		snprintf(name, 2 * MAX_NAME, PREFIX "bpf_map_elem:%u:%u", desc->key_size,
			 desc->value_size);
}

static int add_hook(struct tenon_runtime *rt, struct tenon_hook *hook,
		    const struct tenon_iter_desc *desc)
{
	struct tenon_field fields[4];
	char name[2 * MAX_NAME];
	struct tenon_ctx_type ctx = {
		.sz = sizeof(ctx), .name = name, .fields = fields, .field_size = sizeof(fields[0])
	};
	const struct tenon_hook_desc want = { .sz = sizeof(want),
					      .name = desc->name,
					      .ctx = &ctx,
					      .ret_checked = true,
					      .ret_max = 1 };
	uint32_t nr = handle_field(&fields[0], "meta", 0, "bpf_iter_meta", 0);

	name_context(desc, name);
	if (desc->type) {
		nr += handle_field(&fields[nr], desc->type, offsetof(struct elem, what), desc->type,
				   TENON_NULLABLE);
		ctx.size = offsetof(struct elem, key);
	} else {
		nr += handle_field(&fields[nr], "map", offsetof(struct elem, what), MAP_HANDLE, 0);
		nr += bytes_field(&fields[nr], "key", offsetof(struct elem, key), desc->key_size,
				  TENON_R);
		nr += bytes_field(&fields[nr], "value", offsetof(struct elem, value),
				  desc->value_size, desc->read_only ? TENON_R : TENON_RW);
		ctx.size = sizeof(struct elem);
	}
	ctx.nr_fields = nr;
	return tenon_hook_register(rt, hook, &want);
}

int tenon_iter_register(struct tenon_runtime *rt, struct tenon_hook *hook,
			const struct tenon_iter_desc *desc)
{
	struct tenon_iter_desc want;
	int rc;

	if (!rt || !hook || !desc)
		return tn_err(-EINVAL, "tenon_iter_register: an argument is NULL");
	rc = tn_opts_read("tenon_iter_desc", desc, &want, sizeof(want));
	if (rc)
		return rc;
	if (!want.name)
		want.name = "iter/bpf_map_elem";
	if (want.type && (!want.type[0] || strlen(want.type) >= MAX_NAME))
		return tn_err(-EINVAL,
			      "iterator '%s': its type's name has %zu bytes, expected 1 to %u",
			      want.name, strlen(want.type), MAX_NAME - 1);
	if (want.type && (want.key_size || want.value_size))
		return tn_err(-EINVAL, "iterator '%s': objects have no key_size and no value_size",
			      want.name);
	if (!want.type && (!want.key_size || !want.value_size))
		return tn_err(-EINVAL,
			      "iterator '%s': key_size and value_size of its maps, or the type of "
			      "its objects, are missing",
			      want.name);
	rc = add_meta(rt);
	return rc ? rc : add_hook(rt, hook, &want);
}

/* ---- A session ---- */

struct session {
	struct tenon_hook *hook;
	const struct tenon_iter_opts *opts;
	struct tenon_seq_file seq;
	struct tenon_iter_meta meta;
	const struct tn_map *map; /* NULL: of objects */
	uint64_t elements;
	int err; /* the first of opts->write */
};

static int output(void *user, const void *data, size_t size)
{
	struct session *s = user;
	int err = s->opts->write ? s->opts->write(s->opts->write_user, data, size) : 0;

	if (err && !s->err)
		s->err = err;
	return err;
}

static void begin(struct session *s, struct tenon_hook *hook, const struct tenon_iter_opts *opts)
{
	static _Atomic uint64_t sessions;

	*s = (struct session){ .hook = hook, .opts = opts };
	s->seq = (struct tenon_seq_file){ .write = output, .user = s };
	s->meta.seq = &s->seq;
	s->meta.session_id = tn_add_relaxed(&sessions, 1) + 1;
}

static void show(struct session *s, void *what, void *key, void *value)
{
	struct elem e = { &s->meta, what, key, value };

	tenon_hook_fire(s->hook, &e);
	s->meta.seq_num++;
	s->elements += key || (what && what != s->map);
}

static int grow(struct tn_rt *rt, unsigned char **keys, uint32_t *room, size_t stride)
{
	uint32_t more = *room ? *room * 2 : FIRST_BATCH;
	unsigned char *bigger = more > *room ? tn_realloc_array(rt, *keys, more, stride) : NULL;

	if (!bigger)
		return tn_err_nomem("keys of an iterator");
	*keys = bigger;
	*room = more;
	return 0;
}

/* At most as many as there is room for in the map: deletions may begin the keys anew. */
static int gather(struct tn_map *map, size_t stride, unsigned char **keys, uint32_t *nr)
{
	uint32_t room = 0;
	int rc = 0;

	for (*nr = 0; *nr < map->max_entries; (*nr)++) {
		const void *last = *nr ? *keys + (*nr - 1) * stride : NULL;

		if (*nr == room) {
			rc = grow(map->rt, keys, &room, stride);
			if (rc)
				return rc;
			last = *nr ? *keys + (*nr - 1) * stride : NULL;
		}
		rc = tn_map_next_key(map, last, *keys + *nr * stride);
		if (rc)
			break;
	}
	return rc == -ENOENT ? 0 : rc;
}

/* The value itself; of per-slot maps a copy of all of them, in `copy`. */
static int show_key(struct session *s, struct tn_map *map, void *key, void *copy)
{
	struct tn_thread *t = tn_thread_self();
	void *value = copy;

	if (!t)
		return tn_err_nomem("thread record");
	tn_epoch_enter(t);
	if (copy && tn_map_host_lookup(map, key, copy, 0))
		value = NULL;
	if (!copy)
		value = map->ops->lookup(map, key, 0);
	if (value)
		show(s, map, key, value);
	tn_epoch_leave(t);
	return s->err;
}

static int over_map(struct session *s, struct tn_map *map)
{
	size_t stride = (map->key_size + 7u) & ~(size_t)7;
	unsigned char *keys = NULL;
	void *copy = NULL;
	uint32_t nr = 0;
	int rc = 0;

	if (tn_map_is_per_slot(map)) {
		copy = tn_alloc(map->rt, tn_map_host_value_size(map));
		rc = copy ? 0 : tn_err_nomem("value of an iterator");
	}
	rc = rc ? rc : gather(map, stride, &keys, &nr);
	for (uint32_t i = 0; !rc && i < nr; i++)
		rc = show_key(s, map, keys + i * stride, copy);
	if (!rc) {
		show(s, map, NULL, NULL);
		rc = s->err;
	}
	tn_free(map->rt, keys);
	tn_free(map->rt, copy);
	return rc;
}

static int check_map(const struct tenon_hook *hook, const struct tn_map *map)
{
	const struct tn_hook *impl = hook->impl;
	const struct tn_field *key = tn_ctx_field_by_name(impl->ctx, "key");
	const struct tn_field *value = tn_ctx_field_by_name(impl->ctx, "value");

	if (!key || !value)
		return tn_err(-EINVAL, "hook '%s' does not iterate over maps", impl->name);
	if (map->for_host_alone)
		return tn_err(-EACCES, "map '%s' is another process's, for the host to read alone",
			      map->name);
	if (!map->ops->lookup || !map->ops->next_key || map->inner)
		return tn_err(-ENOTSUP, "map '%s': programs cannot iterate over this type of map",
			      map->name);
	if (map->nr_specials)
		return tn_err(
			-EACCES,
			"map '%s': its values hold what only helpers may touch (locks, timers, "
			"pointers)",
			map->name);
	if (key->mem_size != map->key_size || value->mem_size != tn_map_host_value_size(map))
		return tn_err(-EINVAL,
			      "map '%s' has keys of %u bytes and values of %zu, the iterator '%s' "
			      "was declared for %u and %u",
			      map->name, map->key_size, tn_map_host_value_size(map), impl->name,
			      key->mem_size, value->mem_size);
	if ((value->access & TN_ACC_W) && (map->const_for_programs || map->values_are_copies ||
					   (map->flags & TN_MAP_F_RDONLY_PROG)))
		return tn_err(-EACCES,
			      "map '%s': programs may not write its values; declare the iterator "
			      "'%s' read_only",
			      map->name, impl->name);
	if (map->flags & TN_MAP_F_WRONLY_PROG)
		return tn_err(-EACCES, "map '%s': programs may not read its values", map->name);
	return 0;
}

static int over_objects(struct session *s, const struct tenon_iter_opts *opts)
{
	void *obj = opts->next(opts->user, NULL);

	for (; obj && !s->err; obj = opts->next(opts->user, obj))
		show(s, obj, NULL, NULL);
	if (!s->err)
		show(s, NULL, NULL, NULL);
	return s->err;
}

int tenon_iter_run(struct tenon_hook *hook, struct tenon_iter_opts *opts)
{
	struct tenon_iter_opts want;
	struct session s;
	struct tn_map *map = NULL;
	int rc;

	if (!hook || !hook->impl || !opts)
		return tn_err(-EINVAL, "tenon_iter_run: an argument is NULL, or the hook is not "
				       "registered");
	rc = tn_opts_read("tenon_iter_opts", opts, &want, sizeof(want));
	if (rc)
		return rc;
	if (!want.map == !want.next)
		return tn_err(-EINVAL, "tenon_iter_run: expected a map, or next for objects");
	if (want.next && tn_ctx_field_by_name(((struct tn_hook *)hook->impl)->ctx, "key"))
		return tn_err(-EINVAL, "hook '%s' iterates over maps",
			      ((struct tn_hook *)hook->impl)->name);
	if (want.map) {
		map = tn_map_of(want.map);
		if (!map)
			return tn_err(-EINVAL, "tenon_iter_run: the map is not loaded");
		rc = check_map(hook, map);
	}
	if (rc)
		return rc;
	begin(&s, hook, &want);
	s.map = map;
	rc = map ? over_map(&s, map) : over_objects(&s, &want);
	want.elements = s.elements;
	tn_opts_write(opts, &want, sizeof(want));
	return rc;
}
