/* SPDX-License-Identifier: MIT */
/*
 * Readers of perf event arrays: one buffer opens the rings of one map and waits on its one eventfd,
 * which is renewed in a forked child by maps/perf_array.c. Used by one thread at a time.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "base/epoch.h"
#include "base/pages.h"
#include "host-api/map_handle.h"
#include "maps/perf_array.h"

#define MAX_PAGES (1u << 18)

struct tenon_perf_buffer {
	struct tenon_runtime *rt;
	struct tn_map *map; /* a reference */
	struct tn_perf_reader reader;
	int fd; /* the map's */
};

static int check(const struct tn_map *map, size_t page_cnt, tenon_perf_sample_fn sample)
{
	if (!map || map->type != TN_MAP_PERF_EVENT_ARRAY || !sample)
		return tn_err(-EINVAL, "tenon_perf_buffer_new: %s",
			      sample ? "not a loaded map of type perf_event_array"
				     : "no function for samples");
	if (!page_cnt || page_cnt & (page_cnt - 1) || page_cnt > MAX_PAGES)
		return tn_err(-EINVAL, "map '%s': %zu pages, expected a power of two up to %u",
			      map->name, page_cnt, MAX_PAGES);
	return 0;
}

struct tenon_perf_buffer *tenon_perf_buffer_new(struct tenon_map *handle, size_t page_cnt,
						tenon_perf_sample_fn sample,
						tenon_perf_lost_fn lost, void *user,
						const struct tenon_perf_buffer_opts *opts)
{
	struct tn_map *map = handle ? tn_map_of(handle) : NULL;
	struct tenon_perf_buffer_opts want;
	struct tenon_perf_buffer *pb;
	struct tenon_runtime *rt;
	int rc;

	rc = tn_opts_read("tenon_perf_buffer_opts", opts, &want, sizeof(want));
	rc = rc ? rc : check(map, page_cnt, sample);
	if (rc)
		return tn_null(rc);
	rt = TN_CONTAINER_OF(map->rt, struct tenon_runtime, rt);
	pb = tn_new(&rt->rt, struct tenon_perf_buffer);
	if (!pb)
		return tn_err_null(-ENOMEM, "out of memory: perf buffer");
	pb->rt = rt;
	pb->map = map;
	pb->reader = (struct tn_perf_reader){ sample, lost, user };
	pb->fd = tn_perf_fd(map);
	rc = pb->fd < 0
		     ? tn_err(pb->fd, "map '%s': no eventfd: %s", map->name, strerror(-pb->fd))
		     : tn_perf_open(map, page_cnt * tn_page_size(),
				    &(struct tn_perf_options){ want.overwrite, want.wakeup_events,
							       want.wakeup_bytes });
	if (rc) {
		tn_free(&rt->rt, pb);
		return tn_null(rc);
	}
	tn_map_get(map);
	tn_lock(rt);
	rt->nr_ring_buffers++;
	tn_unlock(rt);
	return pb;
}

int tenon_perf_buffer_consume(struct tenon_perf_buffer *pb)
{
	int rc;

	if (!pb)
		return tn_err(-EINVAL, "tenon_perf_buffer_consume: NULL");
	rc = tn_perf_consume(pb->map, &pb->reader);
	return rc < 0 ? tn_err(rc, "map '%s': consume: %s", pb->map->name, strerror(-rc)) : rc;
}

int tenon_perf_buffer_poll(struct tenon_perf_buffer *pb, int timeout_ms)
{
	struct pollfd fd = { .events = POLLIN };
	int rc;

	/* What is there already needs no waiting, and its wakeup may be gone. */
	rc = tenon_perf_buffer_consume(pb);
	if (rc || !timeout_ms)
		return rc;
	fd.fd = pb->fd;
	rc = poll(&fd, 1, timeout_ms);
	if (rc < 0)
		return tn_err(-errno, "perf buffer: poll: %s", strerror(errno));
	return rc ? tenon_perf_buffer_consume(pb) : 0;
}

int tenon_perf_buffer_fd(const struct tenon_perf_buffer *pb)
{
	return pb ? pb->fd : tn_err(-EINVAL, "tenon_perf_buffer_fd: NULL");
}

void tenon_perf_buffer_free(struct tenon_perf_buffer *pb)
{
	struct tenon_runtime *rt;

	if (!pb)
		return;
	rt = pb->rt;
	tn_perf_close(pb->map);
	tn_map_put(pb->map);
	tn_lock(rt);
	rt->nr_ring_buffers--;
	tn_unlock(rt);
	tn_free(&rt->rt, pb);
	tn_epoch_reclaim();
}
