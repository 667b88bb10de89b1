/* SPDX-License-Identifier: MIT */
/* What BTF says of map values and of struct bpf_map. */
#ifndef TN_VM_MAP_FIELDS_H
#define TN_VM_MAP_FIELDS_H

#include "maps/map.h"
#include "vm/btf.h"

/* The fields of type `id` that only helpers may touch: spin locks, timers, references. How many
 * (out has room for TN_MAP_MAX_SPECIALS), by offset; or -E2BIG with words. id 0: none. */
int tn_value_specials(const struct tn_btf *btf, uint32_t id, struct tn_map_special *out);

/* What programs may read of a map itself: `off` bytes into the plugin's struct bpf_map, `size`
 * long. The place within struct tn_map, or -1. *is_pointer: an address of the host. */
int32_t tn_map_field_of(const struct tn_btf *btf, uint32_t off, uint32_t size, bool *is_pointer);

#endif
