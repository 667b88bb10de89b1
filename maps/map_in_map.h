/* SPDX-License-Identifier: MIT */
/*
 * What maps of maps have in common: which maps may be put in. The verifier knows the template
 * alone, so everything that it derives from a map's shape is compared here.
 */
#ifndef TN_MAPS_MAP_IN_MAP_H
#define TN_MAPS_MAP_IN_MAP_H

#include "maps/map.h"

/* The map whose id is at `value`, if it has the shape of outer's inner maps: *out with a new
 * reference. 0, -EBADF (no such map), -EINVAL (another shape). */
int tn_map_get_inner(const struct tn_map *outer, const void *value, struct tn_map **out);

#endif
