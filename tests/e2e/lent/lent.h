/* SPDX-License-Identifier: MIT */
/* The API header of a small host: what its plugins see. */
#ifndef LENT_H
#define LENT_H

#include <tenon/host.h>

enum lent_mood { LENT_CALM = 3, LENT_BUSY = -2 };

TENON_TYPES_BEGIN
struct lent_user {
	uint8_t level;
	uint32_t id;
	unsigned int admin : 1, guest : 1;
	char name[12];
};

struct lent_ctx {
	struct lent_user *user TENON_NONNULL;
	uint16_t port;
	uint64_t bytes;
};
TENON_TYPES_END

typedef struct {
	int32_t x, y;
} lent_point;

TENON_HELPER uint32_t lent_weigh(struct lent_user *user, enum lent_mood mood, uint64_t bytes);

#endif
