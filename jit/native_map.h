/* SPDX-License-Identifier: MIT */
/* Which code belongs to which instruction; lives as long as the code. */
#ifndef TN_JIT_NATIVE_MAP_H
#define TN_JIT_NATIVE_MAP_H

#include <stdint.h>

struct tn_native_map {
	uint32_t nr;
	const uint32_t *off; /* from the program's start; never falling */
};

#endif
