/* SPDX-License-Identifier: MIT */
/*
 * Maps of where frames may go: DEVMAP, DEVMAP_HASH (ports by key), CPUMAP (workers: the key is the
 * worker, the value the length of its queue) and XSKMAP (sockets of the host). The host says which
 * ports there are (struct tn_packet_ops). bpf_redirect_map() finds the port; the frame is the
 * host's to send.
 */
#ifndef TN_MAPS_PORT_MAP_H
#define TN_MAPS_PORT_MAP_H

#include "maps/map.h"

/* From programs: is there an element, and what is in it? */
bool tn_port_map_find(struct tn_map *map, uint32_t key, uint32_t *value);

#endif
