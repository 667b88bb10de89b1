/* SPDX-License-Identifier: MIT */
/* Many elements in one call. Each stands for itself: others may write in between. */
#include <errno.h>
#include <linux/bpf.h>
#include <string.h>

#include "base/epoch.h"
#include "host-api/map_handle.h"

enum op { LOOKUP = 1, UPDATE = 2, DELETE = 4, TAKE = 8 };

/* One call's arrays; `done` elements of them. */
struct batch {
	struct tn_map *map;
	char *keys, *values;
	size_t key_size, value_size;
	uint32_t want, done;
};

static char *key_of(const struct batch *b)
{
	return b->keys + b->done * b->key_size;
}

static char *value_of(const struct batch *b)
{
	return b->values ? b->values + b->done * b->value_size : NULL;
}

/* What the kernel has for each type, so that a host may move from one to the other. */
static unsigned int ops_of(const struct tn_map *map)
{
	switch (tn_map_shown_type(map)) {
	case TN_MAP_HASH:
	case TN_MAP_PERCPU_HASH:
	case TN_MAP_LRU_HASH:
	case TN_MAP_LRU_PERCPU_HASH:
		return LOOKUP | UPDATE | DELETE | TAKE;
	case TN_MAP_HASH_OF_MAPS:
	case TN_MAP_LPM_TRIE:
		return LOOKUP | UPDATE | DELETE;
	/* Keys that are indices are always there. */
	case TN_MAP_ARRAY:
	case TN_MAP_PERCPU_ARRAY:
	case TN_MAP_ARRAY_OF_MAPS:
		return LOOKUP | UPDATE;
	default:
		return 0;
	}
}

/* In the kernel's order: access, the operation, flags; only then, how many. */
static int begin(struct batch *b, const struct tenon_map *handle, enum op op, uint64_t flags,
		 uint32_t *count)
{
	int rc;

	b->map = tn_map_loaded(handle);
	if (!b->map)
		return -EINVAL;
	if (!count)
		return tn_err(-EINVAL, "map '%s': batch: count is NULL", b->map->name);
	b->want = *count;
	*count = 0;
	rc = tn_map_check_sizes(b->map, b->keys, b->key_size, b->values, b->value_size,
				op != DELETE);
	if (rc)
		return rc;
	rc = tn_map_host_may(b->map, op == LOOKUP || op == TAKE, op != LOOKUP);
	if (!rc && !(ops_of(b->map) & op))
		rc = -TN_ENOTSUPP;
	if (!rc && flags)
		return tn_err(-EINVAL, "map '%s': batch: flags are 0x%llx, expected 0",
			      b->map->name, (unsigned long long)flags);
	return tn_map_said(rc, b->map, "batch");
}

/* Maps that elements held wait for an epoch: they would pile up. */
static int end(const struct batch *b, uint32_t *count, int rc)
{
	*count = b->done;
	if (b->map->inner)
		tn_epoch_reclaim();
	return tn_map_said(rc, b->map, "batch");
}

/* An element that is deleted before it is read is passed over. */
static int read_on(struct batch *b, const void *prev, bool take)
{
	int rc = 0;

	while (!rc && b->done < b->want) {
		rc = tn_map_next_after(b->map, prev, key_of(b));
		if (rc)
			break;
		rc = take ? tn_map_host_lookup_and_delete(b->map, key_of(b), value_of(b), 0)
			  : tn_map_host_lookup(b->map, key_of(b), value_of(b), 0);
		/* Where it was is known as long as nothing else is written over it. */
		prev = key_of(b);
		if (!rc)
			b->done++;
		else if (rc == -ENOENT)
			rc = 0;
	}
	return rc;
}

int tenon_map_lookup_batch(const struct tenon_map *handle, const void *prev_key, void *keys,
			   size_t key_size, void *values, size_t value_size, uint32_t *count)
{
	struct batch b = {
		.keys = keys, .values = values, .key_size = key_size, .value_size = value_size
	};
	int rc = begin(&b, handle, LOOKUP, 0, count);

	return rc ? rc : end(&b, count, read_on(&b, prev_key, false));
}

int tenon_map_lookup_and_delete_batch(struct tenon_map *handle, const void *prev_key, void *keys,
				      size_t key_size, void *values, size_t value_size,
				      uint32_t *count)
{
	struct batch b = {
		.keys = keys, .values = values, .key_size = key_size, .value_size = value_size
	};
	int rc = begin(&b, handle, TAKE, 0, count);

	return rc ? rc : end(&b, count, read_on(&b, prev_key, true));
}

int tenon_map_update_batch(struct tenon_map *handle, const void *keys, size_t key_size,
			   const void *values, size_t value_size, uint32_t *count, uint64_t flags)
{
	struct batch b = { .keys = (char *)(uintptr_t)keys,
			   .values = (char *)(uintptr_t)values,
			   .key_size = key_size,
			   .value_size = value_size };
	int rc = begin(&b, handle, UPDATE, flags, count);

	if (rc)
		return rc;
	for (; !rc && b.done < b.want; b.done += !rc)
		rc = tn_map_host_update(b.map, key_of(&b), value_of(&b), BPF_ANY);
	return end(&b, count, rc);
}

int tenon_map_delete_batch(struct tenon_map *handle, const void *keys, size_t key_size,
			   uint32_t *count)
{
	struct batch b = { .keys = (char *)(uintptr_t)keys, .key_size = key_size };
	int rc = begin(&b, handle, DELETE, 0, count);

	if (rc)
		return rc;
	for (; !rc && b.done < b.want; b.done += !rc)
		rc = tn_map_host_delete(b.map, key_of(&b), 0);
	return end(&b, count, rc);
}
