/* SPDX-License-Identifier: MIT */
/* Types that are hard to write down again from their BTF. Compiled for eBPF by test_btf_dump.c. */
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

#define packed	   __attribute__((packed))
#define aligned(n) __attribute__((aligned(n)))

struct forward;
union forward_union;

struct self {
	struct self *next;
	const struct self *const *table;
	struct self *(*walk)(struct self *me, struct forward *f, union forward_union *u, ...);
};

struct gaps {
	u8 a;
	u64 b;
	u16 c;
	u32 d aligned(32);
	u8 e aligned(256);
	u8 f;
} aligned(512);

struct packed_one {
	u8 a;
	u32 b;
	u64 c;
	u16 d;
} packed;

struct packed_tail {
	u64 a;
	u8 b;
} packed;

struct holds_packed {
	u8 a;
	struct packed_one one;
	struct packed_tail tails[3];
	u32 z;
};

struct bits {
	u32 a : 3;
	u32 b : 29;
	u32 c : 4;
	u32 : 0;
	u32 d : 5;
	u64 e : 40;
	u8 f : 1;
	u8 : 2;
	u8 g : 3;
	_Bool h : 1;
	u16 i : 9;
	int j : 31;
	u8 k;
	u32 l : 12;
};

struct packed_bits {
	u8 a : 3;
	u32 b : 30;
	u64 c : 47;
	u16 d;
	u32 e : 7;
} packed;

struct wide_gap {
	u8 a : 2;
	u8 : 6;
	u64 : 64;
	u64 : 50;
	u64 b : 7;
};

enum tiny { TINY_A, TINY_B = 200 } packed;
enum half { HALF_A = -300, HALF_B = 300 } packed;
enum plain { PLAIN_A = -1, PLAIN_B = 7 };
enum big { BIG_A = 1, BIG_B = 0x123456789abcULL };
enum huge { HUGE_A = -5, HUGE_B = 0x7fffffffffffffffLL };

struct enums {
	enum tiny tiny;
	enum half half;
	enum plain plain : 4;
	enum big big;
	enum huge huge;
	enum { INLINE_A, INLINE_B } inlined;
};

struct nested {
	int before;
	union {
		struct {
			u8 x, y;
		};
		struct {
			u16 xy;
		} pair;
		u64 whole;
	};
	struct {
		struct {
			u8 deep;
			u64 deeper;
		} packed inner;
		int arr[2][3][4];
	} outer[5];
	union {
		u8 bytes[13];
		u32 word;
	} packed odd;
	char tail[];
};

typedef struct {
	int x, y;
} point_t;

typedef point_t *point_ptr_t;
typedef int (*compare_t)(const point_t *a, const point_t *b);
typedef int matrix_t[3][3];
typedef void handler_t(int, void *);

struct declarators {
	int (*array_of_functions[4])(int, char **);
	int (*(*function_that_returns_one)(void))(u8);
	int (*pointer_to_array)[7];
	char *(*const *const qualified)(volatile int *, const char *restrict);
	const volatile u32 *const volatile both;
	handler_t *handler;
	compare_t compare[2];
	matrix_t *matrices;
	point_ptr_t points;
	void *nothing;
	float f;
	double g;
	__int128 wide;
};

struct empty {
};

struct holds_empty {
	struct empty first;
	u32 second;
	struct empty last[4];
};

union over_aligned {
	u32 a;
	u8 b[5];
} aligned(64);

struct conflict {
	int a;
};
typedef struct conflict *conflict_t;

/* Named here, so that the compiler writes them. */
#define KEEP(type, n) type *keep_##n
KEEP(struct self, 0);
KEEP(struct gaps, 1);
KEEP(struct holds_packed, 2);
KEEP(struct bits, 3);
KEEP(struct packed_bits, 4);
KEEP(struct wide_gap, 5);
KEEP(struct enums, 6);
KEEP(struct nested, 7);
KEEP(struct declarators, 8);
KEEP(struct holds_empty, 9);
KEEP(union over_aligned, 10);
KEEP(conflict_t, 11);
