/* SPDX-License-Identifier: MIT */
/* What the load balancer lets plugins decide; read by it, and by clang for its BTF. */
#ifndef BALANCE_H
#define BALANCE_H

#include <tenon/host.h>

#define NR_SERVERS 4

TENON_TYPES_BEGIN
struct server {
	uint32_t weight;
	uint32_t open; /* connections */
};

struct balance {
	struct server servers[NR_SERVERS];
	uint64_t turn TENON_WRITABLE;
};

struct balance_ops {
	char name[16];
	uint32_t version;
	/* Which server gets the next connection. */
	uint32_t (*pick)(struct balance *b);
	/* The version again, for this example: functions and data must be of one plugin. */
	uint32_t (*tell)(void);
	/* May be left out. */
	void (*closed)(struct balance *b, uint32_t server);
};
TENON_TYPES_END

#endif
