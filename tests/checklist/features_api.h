/* SPDX-License-Identifier: MIT */
/* The API header of features.bpf.c's host: what its plugins see through CO-RE, and a table of
 * functions for them to fill. */
#ifndef TN_TESTS_FEATURES_API_H
#define TN_TESTS_FEATURES_API_H

#include <tenon/host.h>

enum shade { SHADE_LIGHT = 3, SHADE_DARK = 9 };

struct meter {
	uint64_t added_since;
	uint16_t step;
	uint32_t level : 5, kind : 3;
	int64_t total TENON_WRITABLE;
	enum shade shade;
};

struct meter_ops {
	uint32_t version;
	int64_t (*advance)(struct meter *m, uint32_t by);
	void (*reset)(struct meter *m);
	char name[8];
};

#endif
