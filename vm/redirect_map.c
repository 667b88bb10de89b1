/* SPDX-License-Identifier: MIT */
/* bpf_redirect_map(): where to is noted in the context, which the host reads. */
#include "maps/port_map.h"
#include "vm/helper_body.h"
#include "vm/image.h"
#include "vm/packet.h"

#define BODY(name) TN_HELPER_BODY(, name)

enum { VERDICT_ABORTED = 0, VERDICT_REDIRECT = 4 };
/* Flags: the verdict where nothing is found, to all of them, not back to where it came from. */
enum { ON_MISS = 3, BROADCAST = 8, EXCLUDE_INGRESS = 16 };

/* map, key, flags: a verdict */
BODY(tn_helper_redirect_map)
{
	struct tn_map *map = (struct tn_map *)(uintptr_t)r1;
	struct tn_xdp_host *xdp = tn_exec_xdp(ex, (uintptr_t)ex->ctx);
	bool devices = map->type == TN_MAP_DEVMAP || map->type == TN_MAP_DEVMAP_HASH;
	uint64_t known = ON_MISS | (devices ? BROADCAST | EXCLUDE_INGRESS : 0);
	uint32_t value = 0;

	if (!xdp || r3 & ~known)
		return VERDICT_ABORTED;
	if (!tn_port_map_find(map, (uint32_t)r2, &value) && !(r3 & BROADCAST))
		return r3 & ON_MISS;
	xdp->redirect_ifindex = r3 & BROADCAST ? 0 : value;
	xdp->redirect_map_id = map->id;
	xdp->redirect_key = (uint32_t)r2;
	xdp->redirect_flags = r3 & BROADCAST ? (uint32_t)r3 & ~(uint32_t)ON_MISS : 0;
	return VERDICT_REDIRECT;
}
