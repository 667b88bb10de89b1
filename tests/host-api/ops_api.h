/* SPDX-License-Identifier: MIT */
/* The API header of a host whose plugins are tables of functions. */
#ifndef TN_TESTS_OPS_API_H
#define TN_TESTS_OPS_API_H

#include <tenon/host.h>

struct lb {
	uint32_t nr, next;
	uint64_t load[4];
	uint64_t done TENON_WRITABLE;
};

struct policy_limits {
	uint16_t high, low;
};

struct policy_ops {
	uint32_t (*pick)(struct lb *lb, uint32_t n);
	uint32_t version;
	char name[16];
	int8_t (*narrow)(int8_t a, uint8_t b, int16_t c, uint16_t d, int32_t e, uint32_t f,
			 int64_t g, bool h);
	bool (*flag)(uint64_t x);
	void (*done)(struct lb *lb, uint32_t id);
	int64_t (*spin)(uint64_t n);
	uint64_t (*real)(double a, uint32_t b);
	struct lb *(*pointer)(struct lb *lb);
	struct policy_limits limits;
	uint32_t wide;
	unsigned int bits : 3;
};

#endif
