/* SPDX-License-Identifier: MIT */
/* The types that the CO-RE plugins of this folder are compiled with; core/target.c has what hosts
 * made of them. */
#ifndef TN_TESTS_LOADER_CORE_TYPES_H
#define TN_TESTS_LOADER_CORE_TYPES_H

#include <tenon/plugin.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct inner {
	u32 a;
	u64 b;
	s16 c[3];
};

enum state { ST_NEW, ST_OPEN = 5, ST_CLOSED = 9, ST_LOST = -2 };
enum state___gone { ST_FORGOTTEN___gone = 77 };
enum big { BIG_ONE = 1, BIG_HUGE = 0x123456789abcULL };
enum high { HIGH_BIT = 0x80000000u, HIGH_LOW = 3 };

typedef u32 port_t;
typedef const volatile port_t cv_port_t;
typedef int (*callback_t)(struct inner *, u32);

struct conn {
	u64 id;
	u32 len;
	s32 delta;
	u16 proto;
	u8 flag;
	char kind;
	bool on;
	char name[16];
	struct inner in[4];
	struct inner one;
	struct inner *peer;
	u32 bit1 : 1, bits3 : 3, bits28 : 28;
	s32 sbits : 5;
	u64 wide : 40;
	union {
		u32 v4;
		u8 v6[16];
	};
	struct {
		u32 anon_a;
		struct {
			u64 anon_b;
		};
		union {
			u16 anon_c;
			u32 anon_d[2];
		};
	};
	enum state state;
	cv_port_t port;
	callback_t call;
	u32 matrix[3][5];
	double ratio;
	u32 old_name;
	u32 tail[];
};

/* What another version may have. */
struct conn___v2 {
	u32 new_name;
	u32 extra;
	struct inner___v2 *next;
};

struct missing {
	u32 field;
};

struct small {
	u32 x;
};

union either {
	u32 first;
	u64 second;
};

#pragma clang attribute pop

#endif
