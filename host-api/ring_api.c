/* SPDX-License-Identifier: MIT */
/*
 * Consumers of ring buffer maps: one epoll descriptor over the maps' eventfds. A ring buffer object
 * is used by one thread at a time.
 *
 * fork(2): an epoll descriptor is shared with the parent and goes on watching the parent's
 * eventfds, so the child makes one of its own, under the same number. The child's eventfds are new
 * by then (maps/ringbuf.c), also under their old numbers.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/epoch.h"
#include "base/fork.h"
#include "base/vec.h"
#include "host-api/map_handle.h"
#include "maps/kernel_map.h"
#include "maps/ringbuf.h"

struct ring {
	struct tn_map *map; /* a reference */
	tenon_sample_fn fn;
	void *user;
};

struct tenon_ring_buffer {
	struct tenon_runtime *rt;
	int epoll_fd;		   /* -1: none could be made */
	TN_VEC(struct ring) rings; /* changed under rt.lock, so that a child finds it whole */
	struct tn_fork_ops fork;
};

static int watch(struct tenon_ring_buffer *rb, struct tn_map *map)
{
	struct epoll_event ev = { .events = EPOLLIN };
	bool of_kernel = map->type == TN_MAP_KERNEL_RING;
	int fd = of_kernel ? tn_kernel_map_fd(map) : tn_ringbuf_fd(map);

	if (fd < 0)
		return tn_err(fd, "map '%s': no eventfd: %s", map->name, strerror(-fd));
	if (epoll_ctl(rb->epoll_fd, EPOLL_CTL_ADD, fd, &ev))
		return tn_err(-errno, "map '%s': epoll: %s", map->name, strerror(errno));
	return 0;
}

/* The only thread of the child; the old number is free to be had again. */
static void renew_in_child(struct tn_fork_ops *ops)
{
	struct tenon_ring_buffer *rb = TN_CONTAINER_OF(ops, struct tenon_ring_buffer, fork);
	int number = rb->epoll_fd, fd;
	uint32_t i;

	if (number < 0)
		return;
	close(number);
	fd = epoll_create1(EPOLL_CLOEXEC);
	rb->epoll_fd = fd < 0 ? -1 : number;
	if (fd >= 0 && fd != number) {
		if (dup3(fd, number, O_CLOEXEC) < 0)
			rb->epoll_fd = -1;
		close(fd);
	}
	for (i = 0; i < rb->rings.nr && rb->epoll_fd >= 0; i++) {
		if (!watch(rb, rb->rings.v[i].map))
			continue;
		close(number);
		rb->epoll_fd = -1;
	}
}

/* Under rt.lock. */
static int add_ring(struct tenon_ring_buffer *rb, const struct ring *ring)
{
	int rc = tn_vec_reserve(&rb->rt->rt, (void **)&rb->rings.v, &rb->rings.cap,
				rb->rings.nr + 1, sizeof(rb->rings.v[0]));

	if (rc)
		return tn_err_nomem("ring buffer");
	rc = watch(rb, ring->map);
	if (rc)
		return rc;
	rb->rings.v[rb->rings.nr++] = *ring;
	tn_map_get(ring->map);
	return 0;
}

int tenon_ring_buffer_add(struct tenon_ring_buffer *rb, struct tenon_map *handle,
			  tenon_sample_fn fn, void *user)
{
	struct tn_map *map = handle ? tn_map_of(handle) : NULL;
	struct ring ring = { map, fn, user };
	int rc;

	if (!rb || !fn)
		return tn_err(-EINVAL, "tenon_ring_buffer_add: an argument is NULL");
	if (!map || tn_map_shown_type(map) != TN_MAP_RINGBUF || map->rt != &rb->rt->rt)
		return tn_err(-EINVAL,
			      "tenon_ring_buffer_add: not a loaded ring buffer map of this "
			      "runtime");
	tn_lock(rb->rt);
	rc = add_ring(rb, &ring);
	tn_unlock(rb->rt);
	return rc;
}

struct tenon_ring_buffer *tenon_ring_buffer_new(struct tenon_map *handle, tenon_sample_fn fn,
						void *user)
{
	struct tn_map *map = handle ? tn_map_of(handle) : NULL;
	struct tenon_ring_buffer *rb;
	struct tenon_runtime *rt;
	int rc;

	if (!map)
		return tn_err_null(-EINVAL, "tenon_ring_buffer_new: the map is not loaded");
	rt = TN_CONTAINER_OF(map->rt, struct tenon_runtime, rt);
	rb = tn_new(&rt->rt, struct tenon_ring_buffer);
	if (!rb)
		return tn_err_null(-ENOMEM, "out of memory: ring buffer");
	rb->rt = rt;
	tn_lock(rt);
	rt->nr_ring_buffers++;
	tn_unlock(rt);
	rb->epoll_fd = -1;
	rb->fork.child = renew_in_child;
	tn_fork_register(&rb->fork);
	rb->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (rb->epoll_fd < 0)
		rc = tn_err(-errno, "ring buffer: epoll: %s", strerror(errno));
	else
		rc = tenon_ring_buffer_add(rb, handle, fn, user);
	if (rc) {
		tenon_ring_buffer_free(rb);
		return tn_null(rc);
	}
	return rb;
}

static int consume_one(const struct ring *ring)
{
	if (ring->map->type == TN_MAP_KERNEL_RING)
		return tn_kernel_ring_consume(ring->map, ring->fn, ring->user);
	return tn_ringbuf_consume(ring->map, ring->fn, ring->user);
}

int tenon_ring_buffer_consume(struct tenon_ring_buffer *rb)
{
	uint32_t i;
	int total = 0;

	if (!rb)
		return tn_err(-EINVAL, "tenon_ring_buffer_consume: NULL");
	for (i = 0; i < rb->rings.nr; i++) {
		struct ring *ring = &rb->rings.v[i];
		int rc = consume_one(ring);

		if (rc < 0)
			return rc;
		total = total > INT32_MAX - rc ? INT32_MAX : total + rc;
	}
	return total;
}

int tenon_ring_buffer_poll(struct tenon_ring_buffer *rb, int timeout_ms)
{
	struct epoll_event ev;
	int rc;

	if (!rb)
		return tn_err(-EINVAL, "tenon_ring_buffer_poll: NULL");
	/* What is there already needs no waiting, and its wakeup may be gone. */
	rc = tenon_ring_buffer_consume(rb);
	if (rc || !timeout_ms)
		return rc;
	rc = epoll_wait(rb->epoll_fd, &ev, 1, timeout_ms);
	if (rc < 0)
		return tn_err(-errno, "ring buffer: epoll: %s", strerror(errno));
	return rc ? tenon_ring_buffer_consume(rb) : 0;
}

int tenon_ring_buffer_fd(const struct tenon_ring_buffer *rb)
{
	if (!rb)
		return tn_err(-EINVAL, "tenon_ring_buffer_fd: NULL");
	if (rb->epoll_fd < 0)
		return tn_err(-EBADF, "ring buffer: this forked child could make no epoll");
	return rb->epoll_fd;
}

int tenon_map_ring_info(const struct tenon_map *handle, struct tenon_ring_info *info)
{
	struct tn_map *map = handle ? tn_map_of(handle) : NULL;
	struct tenon_ring_info out;
	int rc;

	if (!map || map->type != TN_MAP_RINGBUF || !info)
		return tn_err(-EINVAL, "tenon_map_ring_info: %s",
			      info ? "not a loaded ring buffer map" : "no place for the answer");
	rc = tn_opts_read("tenon_ring_info", info, &out, sizeof(out));
	if (rc)
		return rc;
	out.size = (size_t)tn_ringbuf_query(map, TN_RB_RING_SIZE);
	/* In this order, so that it is not negative. */
	out.consumer_pos = tn_ringbuf_query(map, TN_RB_CONS_POS);
	out.producer_pos = tn_ringbuf_query(map, TN_RB_PROD_POS);
	out.avail = TN_MIN((size_t)(out.producer_pos - out.consumer_pos), out.size);
	out.dropped = tn_ringbuf_dropped(map);
	tn_opts_write(info, &out, sizeof(out));
	return 0;
}

void tenon_ring_buffer_free(struct tenon_ring_buffer *rb)
{
	struct tenon_runtime *rt;
	uint32_t i;

	if (!rb)
		return;
	rt = rb->rt;
	tn_fork_unregister(&rb->fork);
	for (i = 0; i < rb->rings.nr; i++)
		tn_map_put(rb->rings.v[i].map);
	tn_vec_free(&rt->rt, &rb->rings);
	if (rb->epoll_fd >= 0)
		close(rb->epoll_fd);
	tn_lock(rt);
	rt->nr_ring_buffers--;
	tn_unlock(rt);
	tn_free(&rt->rt, rb);
	tn_epoch_reclaim();
}
