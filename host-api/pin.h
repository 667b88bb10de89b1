/* SPDX-License-Identifier: MIT */
/* Maps under names: a pinned map is there until it is unpinned, whoever made it, and objects that
 * pin a map by the same name share it. The names live in the runtime. */
#ifndef TN_HOST_PIN_H
#define TN_HOST_PIN_H

#include "host-api/map_handle.h"

/* The map of an object that is loaded, where it has a pin path: takes the pinned one in handle's
 * reused. 0 (also where none is pinned), -EINVAL: it is not what the plugin declares. */
int tn_pin_reuse(struct tenon_map *handle);
/* Pin what was made for it. */
int tn_pin_made(struct tenon_map *handle);
/* The load failed: what it pinned is unpinned. */
void tn_pin_undo(struct tenon_map *handle);
void tn_pins_fini(struct tenon_runtime *rt);

#endif
