/* SPDX-License-Identifier: MIT */
/* Producers of user ring buffer maps. */
#include <errno.h>

#include "host-api/map_handle.h"
#include "maps/user_ringbuf.h"

struct tenon_user_ring_buffer {
	struct tn_map *map; /* a reference */
};

struct tenon_user_ring_buffer *tenon_user_ring_buffer_new(struct tenon_map *handle)
{
	struct tenon_user_ring_buffer *rb;
	struct tn_map *map = handle ? tn_map_of(handle) : NULL;

	if (!map)
		return tn_err_null(-EINVAL, "user ring buffer: the map does not exist yet");
	if (map->type != TN_MAP_USER_RINGBUF)
		return tn_err_null(-EINVAL, "map '%s' is no user ring buffer", map->name);
	rb = tn_new(map->rt, struct tenon_user_ring_buffer);
	if (!rb)
		return tn_err_null(-ENOMEM, "out of memory: user ring buffer");
	rb->map = tn_map_get(map);
	return rb;
}

void *tenon_user_ring_buffer_reserve(struct tenon_user_ring_buffer *rb, uint32_t size)
{
	return tn_user_ringbuf_reserve(rb->map, size);
}

void tenon_user_ring_buffer_submit(struct tenon_user_ring_buffer *rb, void *sample)
{
	tn_user_ringbuf_submit(rb->map, sample, false);
}

void tenon_user_ring_buffer_discard(struct tenon_user_ring_buffer *rb, void *sample)
{
	tn_user_ringbuf_submit(rb->map, sample, true);
}

void tenon_user_ring_buffer_free(struct tenon_user_ring_buffer *rb)
{
	struct tn_map *map;

	if (!rb)
		return;
	map = rb->map;
	tn_free(map->rt, rb);
	tn_map_put(map);
}
