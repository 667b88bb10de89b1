/* SPDX-License-Identifier: MIT */
/* The same types as the host has them now. */
#ifndef CORE_NEW_H
#define CORE_NEW_H

#include <tenon/host.h>

enum colour { GREY = 100, BLUE, GREEN, RED };

struct part {
	uint32_t weight;
	uint32_t price;
};

struct thing {
	uint32_t id;
	enum colour colour;
	uint64_t count;
	uint32_t kind : 12;
	int32_t level : 9;
	char name[12];
	struct part parts[3];
};

struct event {
	uint64_t when;
	struct thing *thing TENON_NONNULL;
	uint32_t ask;
};

#endif
