/* SPDX-License-Identifier: MIT */
/* Maps of the kernel for the host and its plugins; the bridge itself is maps/kernel_map.c. */
#include <errno.h>

#include "host-api/map_handle.h"
#include "host-api/runtime.h"
#include "maps/kernel_map.h"

struct tenon_map *tenon_map_from_kernel_fd(struct tenon_runtime *rt, int fd, const char *name)
{
	struct tn_map *map;

	if (!rt)
		return tn_err_null(-EINVAL, "tenon_map_from_kernel_fd: no runtime");
	map = tn_kernel_map(&rt->rt, fd, name);
	return map ? tn_map_handle_new(rt, map) : NULL;
}
