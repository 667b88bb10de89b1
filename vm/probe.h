/* SPDX-License-Identifier: MIT */
/* Reading memory at an address that may be bad. */
#ifndef TN_VM_PROBE_H
#define TN_VM_PROBE_H

#include <stddef.h>
#include <stdint.h>

/* 0, or a negative errno (-EFAULT: not all of it can be read); then `to` is zeroed. */
int tn_probe_read(void *to, uint64_t from, size_t size);

#endif
