/* SPDX-License-Identifier: MIT */
/*
 * Elements are replaced by an exchange, so a firing that reads one inside an epoch section finds a
 * whole pointer; the program behind it stays because put() frees only after an epoch. The lock
 * orders updates against the binding to an owner: what is in a bound array fits it.
 *
 * Programs cannot look into the array or change it (the verifier refuses); their tail calls go
 * through tn_prog_array_at().
 */
#include "maps/index_key.h"
#include "maps/prog_array.h"

#include <errno.h>
#include <string.h>

#include "base/pages.h"

#define ALLOWED_FLAGS (TN_MAP_F_NUMA_NODE | TN_MAP_F_RDONLY | TN_MAP_F_WRONLY)

struct prog_array {
	struct tn_map map;
	const struct tn_prog_array_host *host; /* NULL until tn_prog_array_set_host() */
	const void *owner_sig;		       /* NULL: unbound; under the lock */
	/* Taken inside a writer section, holds nothing but the callback `fits`. */
	pthread_mutex_t lock;
	_Atomic(void *) *progs;
};

static struct prog_array *array_of(const struct tn_map *map)
{
	return TN_CONTAINER_OF(map, struct prog_array, map);
}

static size_t bytes_of(const struct tn_map *map)
{
	return (size_t)map->max_entries * sizeof(void *);
}

static struct tn_thread *lock_array(struct prog_array *array)
{
	struct tn_thread *t = tn_thread_self();

	tn_writer_enter(t);
	pthread_mutex_lock(&array->lock);
	return t;
}

static void unlock_array(struct prog_array *array, struct tn_thread *t)
{
	pthread_mutex_unlock(&array->lock);
	tn_writer_leave(t);
}

/* ---- Life ---- */

static int check(const struct tn_map *map)
{
	if (map->key_size != 4 || map->value_size != 4)
		return tn_map_err(map, -EINVAL,
				  "key and value size are %u and %u, expected 4 and 4",
				  map->key_size, map->value_size);
	if (!map->max_entries)
		return tn_map_err(map, -EINVAL, "max_entries is 0");
	return tn_map_check_flags(map, ALLOWED_FLAGS);
}

static int init(struct tn_map *map)
{
	struct prog_array *array = array_of(map);
	int err;

	pthread_mutex_init(&array->lock, NULL);
	err = tn_map_charge(map, bytes_of(map));
	if (err)
		return err;
	array->progs = tn_pages_alloc(map->rt, bytes_of(map));
	if (!array->progs)
		return tn_map_err(map, -ENOMEM, "cannot reserve %zu bytes", bytes_of(map));
	return 0;
}

static void fini(struct tn_map *map)
{
	struct prog_array *array = array_of(map);

	tn_prog_array_clear(map);
	tn_pages_free(array->progs, bytes_of(map));
	pthread_mutex_destroy(&array->lock);
}

/* ---- Who may be in it ---- */

void tn_prog_array_set_host(struct tn_map *map, const struct tn_prog_array_host *host)
{
	array_of(map)->host = host;
}

/* Under the lock. */
static int all_fit(const struct prog_array *array, const void *owner_sig)
{
	int err = 0;

	for (uint32_t i = 0; i < array->map.max_entries && !err; i++) {
		const void *prog = tn_load_relaxed(&array->progs[i]);

		if (prog)
			err = array->host->fits(prog, owner_sig);
	}
	return err;
}

int tn_prog_array_bind(struct tn_map *map, const void *owner_sig)
{
	struct prog_array *array = array_of(map);
	struct tn_thread *t = lock_array(array);
	int err = 0;

	if (!array->owner_sig) {
		err = all_fit(array, owner_sig);
		if (!err)
			array->owner_sig = owner_sig;
	} else if (array->owner_sig != owner_sig) {
		err = tn_map_err(map, -EINVAL, "it belongs to programs of another kind");
	}
	unlock_array(array, t);
	return err;
}

/* Put `prog` (NULL: none) in place of what is there, which is returned in *old. */
static int replace(struct prog_array *array, uint32_t index, void *prog, void **old)
{
	struct tn_thread *t = lock_array(array);
	int err = 0;

	*old = NULL;
	if (prog && array->owner_sig)
		err = array->host->fits(prog, array->owner_sig);
	if (!err)
		/* Pairs with the acquire in tn_prog_array_at(): the program is complete. */
		*old = tn_exchange_acq_rel(&array->progs[index], prog);
	unlock_array(array, t);
	return err;
}

void tn_prog_array_clear(struct tn_map *map)
{
	struct prog_array *array = array_of(map);
	void *old;

	for (uint32_t i = 0; array->progs && i < map->max_entries; i++) {
		/* Read first: writing would touch every page of a large empty array. */
		if (!tn_load_relaxed(&array->progs[i]))
			continue;
		replace(array, i, NULL, &old);
		if (old)
			array->host->put(old);
	}
}

/* ---- From programs ---- */

const void *tn_prog_array_at(const struct tn_map *map, uint64_t index)
{
	/* Pairs with the exchange in replace(). */
	return index < map->max_entries ? tn_load_acquire(&array_of(map)->progs[index]) : NULL;
}

/* ---- From the host ---- */

static int host_lookup(struct tn_map *map, const void *key, void *value, uint64_t flags)
{
	struct prog_array *array = array_of(map);
	struct tn_thread *t = tn_thread_self();
	const void *prog;
	uint32_t id;

	(void)flags;
	if (!t)
		return -ENOMEM;
	tn_epoch_enter(t);
	prog = tn_prog_array_at(map, tn_index_of(key));
	id = prog ? array->host->id(prog) : 0;
	tn_epoch_leave(t);
	if (!prog)
		return -ENOENT;
	memcpy(value, &id, sizeof(id));
	return 0;
}

static int host_update(struct tn_map *map, const void *key, const void *value, uint64_t flags)
{
	struct prog_array *array = array_of(map);
	uint32_t index = tn_index_of(key), id;
	void *prog, *old;
	int err;

	if (flags != TN_MAP_ANY)
		return -EINVAL;
	if (index >= map->max_entries)
		return -E2BIG;
	if (!array->host)
		return -EINVAL;
	memcpy(&id, value, sizeof(id));
	prog = array->host->get(map->rt, id);
	if (!prog)
		return -errno;
	err = replace(array, index, prog, &old);
	if (err)
		old = prog;
	if (old)
		array->host->put(old);
	return err;
}

static int host_delete(struct tn_map *map, const void *key, uint64_t flags)
{
	struct prog_array *array = array_of(map);
	uint32_t index = tn_index_of(key);
	void *old;

	(void)flags;
	if (index >= map->max_entries)
		return -E2BIG;
	replace(array, index, NULL, &old);
	if (!old)
		return -ENOENT;
	array->host->put(old);
	return 0;
}

static uint32_t count(struct tn_map *map)
{
	const struct prog_array *array = array_of(map);
	uint32_t nr = 0;

	for (uint32_t i = 0; i < map->max_entries; i++)
		nr += tn_load_relaxed(&array->progs[i]) != NULL;
	return nr;
}

const struct tn_map_ops tn_prog_array_ops = {
	.struct_size = sizeof(struct prog_array),
	.check = check,
	.init = init,
	.fini = fini,
	.host_lookup = host_lookup,
	.host_update = host_update,
	.host_delete = host_delete,
	.next_key = tn_index_next_key,
	.count = count,
};
