/* SPDX-License-Identifier: MIT */
/* Reading memory at an address that may be bad. */
#ifndef TN_VM_PROBE_H
#define TN_VM_PROBE_H

#include <stddef.h>
#include <stdint.h>

#include "base/fault.h"
#include "base/rt.h"

/* 0, or a negative errno (-EFAULT: not all of it can be read); then `to` is zeroed. `rt` may be
 * NULL: by the kernel. */
int tn_probe_read(const struct tn_rt *rt, void *to, uint64_t from, size_t size);

/* A load of 1, 2, 4 or 8 bytes, zero-extended; 0 where they can not be read. */
uint64_t tn_probe_load_slowly(uint64_t addr, uint32_t bytes);
static inline uint64_t tn_probe_load(const struct tn_rt *rt, uint64_t addr, uint32_t bytes)
{
	return rt && rt->fault_handler ? tn_fault_load(addr, bytes)
				       : tn_probe_load_slowly(addr, bytes);
}

#endif
