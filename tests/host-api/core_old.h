/* SPDX-License-Identifier: MIT */
/* A host's types as they were when the plugins core*.bpf.c were written. */
#ifndef CORE_OLD_H
#define CORE_OLD_H

#include <tenon/host.h>

enum colour { RED, GREEN, BLUE, BROWN };

struct part {
	uint32_t weight;
	uint32_t price;
};

#ifndef CORE_PLAIN
TENON_TYPES_BEGIN
#endif
struct thing {
	uint32_t id;
	uint32_t count;
	int32_t level : 7;
	uint32_t kind : 9;
	struct part parts[2];
	uint64_t gone;
	enum colour colour;
};

struct event {
	uint32_t ask;
	struct thing *thing TENON_NONNULL;
};
#ifndef CORE_PLAIN
TENON_TYPES_END
#endif

#endif
