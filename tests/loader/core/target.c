/* SPDX-License-Identifier: MIT */
/* What hosts made of the types of core/types.h: one version per case, of which only the BTF is
 * used. */
typedef unsigned char u8;
typedef signed char s8;
typedef unsigned short u16;
typedef short s16;
typedef unsigned int u32;
typedef int s32;
typedef unsigned long long u64;
typedef long long s64;

/* Keeps a type in the BTF. */
#define KEEP(type, name) type *keep_##name

#if defined(CASE_BASE)
struct inner {
	u32 a;
	u64 b;
	s16 c[3];
};
enum state { ST_NEW, ST_OPEN = 5, ST_CLOSED = 9, ST_LOST = -2 };
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
	_Bool on;
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
struct small {
	u32 x;
};
union either {
	u32 first;
	u64 second;
};
KEEP(struct inner, inner);
KEEP(enum state, state);
KEEP(struct conn, conn);
KEEP(union either, either);
KEEP(enum big, big);
KEEP(struct small, small);
KEEP(enum high, high);

#elif defined(CASE_MOVED)
struct inner {
	u64 before;
	s16 c[3];
	u64 b;
	u32 a;
};
enum state { ST_LOST = -7, ST_NEW = 3, ST_CLOSED = 1 << 20, ST_OPEN = 0 };
enum big { BIG_HUGE = -1, BIG_ONE = 1 << 30 };
enum high { HIGH_LOW = 1000 };
typedef u32 port_t;
typedef port_t cv_port_t;
typedef int (*callback_t)(struct inner *, u32);
struct conn {
	u32 tags[40];
	u32 old_name;
	double ratio;
	callback_t call;
	union {
		enum state state;
		u64 state_word;
	};
	cv_port_t port;
	u32 matrix[3][5];
	u64 wide : 40;
	s32 sbits : 5;
	u32 pad : 2, bits28 : 28, bits3 : 3, bit1 : 1;
	struct inner *peer;
	struct inner one;
	struct inner in[4];
	u32 anon_d[2];
	u16 anon_c;
	u64 anon_b;
	u32 anon_a;
	u8 v6[16];
	u32 v4;
	char name[16];
	_Bool on;
	char kind;
	u8 flag;
	u16 proto;
	s32 delta;
	u32 len;
	u64 id;
	u32 tail[];
};
struct small {
	u8 pad[12];
	u32 x;
};
union either {
	u64 second;
	u32 first[4];
};
KEEP(struct inner, inner);
KEEP(enum state, state);
KEEP(struct conn, conn);
KEEP(union either, either);
KEEP(enum big, big);
KEEP(struct small, small);
KEEP(enum high, high);

#elif defined(CASE_WIDENED)
struct inner {
	u64 a;
	u64 b;
	s32 c[8];
};
enum state { ST_NEW, ST_OPEN = 5, ST_CLOSED = 9, ST_LOST = -2, ST_HUGE = 1LL << 40 };
enum big { BIG_ONE = 1, BIG_HUGE = 0xfedcba9876543210ULL };
enum high { HIGH_BIT = 0x80000000u, HIGH_LOW = 0xfffffff0u };
typedef u64 port_t;
typedef const port_t cv_port_t;
typedef long (*callback_t)(struct inner *, u32);
struct conn {
	u64 id;
	u64 len;
	s64 delta;
	u32 proto;
	u16 flag;
	short kind;
	_Bool on;
	char name[64];
	struct inner in[8];
	struct inner one;
	struct inner *peer;
	u64 bit1 : 2, bits3 : 30, bits28 : 31;
	s64 sbits : 50;
	u64 wide : 64;
	union {
		u64 v4;
		u16 v6[16];
	};
	struct {
		u64 anon_a;
		struct {
			u64 anon_b;
		};
		union {
			u64 anon_c;
			u64 anon_d[4];
		};
	};
	enum state state;
	cv_port_t port;
	callback_t call;
	u64 matrix[4][7];
	long double ratio;
	u64 old_name;
	u64 tail[];
};
struct small {
	u64 x;
};
union either {
	u64 first;
	unsigned __int128 second;
};
KEEP(struct inner, inner);
KEEP(enum state, state);
KEEP(struct conn, conn);
KEEP(union either, either);
KEEP(enum big, big);
KEEP(struct small, small);
KEEP(enum high, high);

#elif defined(CASE_NARROWED)
struct inner {
	u16 a;
	u32 b;
	s8 c[2];
};
enum __attribute__((packed)) state { ST_NEW, ST_OPEN = 5, ST_CLOSED = 9, ST_LOST = -2 };
enum big { BIG_ONE = 1, BIG_HUGE = 2 };
enum high { HIGH_BIT = 1 };
typedef u16 port_t;
typedef port_t cv_port_t;
typedef void (*callback_t)(struct inner *);
struct conn {
	u32 id;
	u16 len;
	s16 delta;
	u8 proto;
	u8 flag;
	s8 kind;
	_Bool on;
	char name[8];
	struct inner in[2];
	struct inner one;
	struct inner *peer;
	u8 bit1 : 1, bits3 : 3;
	u16 bits28 : 12;
	s8 sbits : 5;
	u32 wide : 20;
	union {
		u16 v4;
		u8 v6[4];
	};
	struct {
		u16 anon_a;
		struct {
			u32 anon_b;
		};
		union {
			u8 anon_c;
			u16 anon_d[1];
		};
	};
	enum state state;
	cv_port_t port;
	callback_t call;
	u16 matrix[2][2];
	float ratio;
	u8 old_name;
	u8 tail[];
};
struct small {
	u8 x;
};
union either {
	u8 first;
	u16 second;
};
KEEP(struct inner, inner);
KEEP(enum state, state);
KEEP(struct conn, conn);
KEEP(union either, either);
KEEP(enum big, big);
KEEP(struct small, small);
KEEP(enum high, high);

#elif defined(CASE_RENAMED)
struct inner {
	u32 aa;
	u64 b;
};
enum state { ST_FRESH, ST_OPEN = 5, ST_FORGOTTEN = 78 };
enum big { BIG_TWO = 2 };
enum high { HIGH_LOW___kept = 12 };
typedef u32 door_t;
struct conn {
	u32 new_name;
	u32 extra;
	struct inner *next;
	door_t door;
	u64 id;
};
struct small {
	u32 y;
};
union either {
	u32 third;
};
KEEP(struct inner, inner);
KEEP(enum state, state);
KEEP(struct conn, conn);
KEEP(union either, either);
KEEP(enum big, big);
KEEP(struct small, small);
KEEP(enum high, high);

#elif defined(CASE_SIGNS)
struct inner {
	s32 a;
	s64 b;
	u16 c[3];
};
enum state { ST_NEW, ST_OPEN = 5, ST_CLOSED = 9, ST_LOST = 11 };
enum high { HIGH_LOW = -3 };
typedef s32 port_t;
typedef const volatile port_t cv_port_t;
typedef int (*callback_t)(struct inner *, s32);
struct conn {
	s64 id;
	s64 len;
	u64 delta;
	s32 proto;
	s8 flag;
	u16 kind;
	int on;
	s8 name[16];
	s32 bit1 : 1, bits3 : 3, bits28 : 28;
	u32 sbits : 5;
	s64 wide : 40;
	s32 v4;
	enum state state;
	cv_port_t port;
};
struct small {
	s32 x;
};
KEEP(struct inner, inner);
KEEP(enum state, state);
KEEP(struct conn, conn);
KEEP(struct small, small);
KEEP(enum high, high);

#elif defined(CASE_KINDS)
/* The same names for other things. */
union inner {
	u32 a;
	void *b;
	s16 *c;
};
struct state {
	int x;
};
enum small { SMALL };
struct port_t {
	u32 x;
};
typedef u32 callback_t;
struct conn {
	void *id;
	float len;
	u32 delta[2];
	struct {
		u16 x;
	} proto;
	enum { FLAG } flag;
	char *kind;
	union inner in[4];
	u64 peer;
	void *name;
	int *matrix[3][5];
	struct state state;
	u32 v4[4];
	u32 v6;
	struct inner_one {
		u32 a;
	} one;
	u64 call;
};
struct either {
	u8 pad;
	u32 first;
	u64 second;
};
KEEP(union inner, inner);
KEEP(struct state, state);
KEEP(enum small, small);
KEEP(struct port_t, port_t);
KEEP(callback_t, callback_t);
KEEP(struct either, either);
KEEP(struct conn, conn);

#elif defined(CASE_FLAVOURS)
/* Several of a name: alike, or only one with what is asked for. */
struct inner {
	u32 a;
	u64 b;
};
struct inner___old {
	u32 a;
	u64 b;
};
struct conn {
	u64 pad;
	u64 id;
	struct inner *peer;
};
struct conn___old {
	u64 pad, id;
	struct inner___old *peer;
	u32 len;
	s32 delta;
};
struct conn___odd___name {
	u16 proto;
};
struct conn____not {
	u32 len;
};
enum state { ST_NEW = 1, ST_OPEN };
enum state___b { ST_CLOSED___b = 6 };
struct small___v1 {
	u32 x;
};
struct small___v2 {
	u32 x;
};
KEEP(struct inner___old, inner_old);
KEEP(struct conn___old, conn_old);
KEEP(struct conn___odd___name, conn_odd);
KEEP(struct conn____not, conn_not);
KEEP(enum state___b, state_b);
KEEP(struct small___v1, small_v1);
KEEP(struct small___v2, small_v2);
KEEP(struct inner, inner);
KEEP(enum state, state);
KEEP(struct conn, conn);

#elif defined(CASE_AMBIGUOUS)
struct inner {
	u32 a;
};
struct inner___other {
	u32 pad, a;
};
struct conn {
	u64 id;
	u32 len;
};
struct conn___other {
	u32 len;
	u64 id;
};
enum state { ST_NEW = 1 };
enum state___other { ST_NEW___other = 2 };
struct small {
	u32 x;
};
struct small___other {
	u64 x;
};
KEEP(struct inner___other, inner_other);
KEEP(struct conn___other, conn_other);
KEEP(enum state___other, state_other);
KEEP(struct small___other, small_other);
KEEP(struct inner, inner);
KEEP(enum state, state);
KEEP(struct conn, conn);
KEEP(struct small, small);

#elif defined(CASE_FAR)
struct inner {
	u8 far[32767];
	u32 a;
	u64 b;
	s16 c[3];
};
enum state { ST_NEW };
struct conn {
	u8 far[32760];
	u32 len;
	u64 id;
};
KEEP(struct inner, inner);
KEEP(enum state, state);
KEEP(struct conn, conn);

#elif defined(CASE_LIKE)
/* For type_matches: more of everything, behind other typedefs, members in another order. */
typedef u32 word_t;
struct missing;
struct inner {
	u64 b;
	word_t a;
	s16 c[3];
	u32 more;
};
enum state { ST_MORE = 50, ST_NEW = 1, ST_OPEN = 6, ST_CLOSED = 10, ST_LOST = -2 };
enum big { BIG_ONE = 1, BIG_HUGE = 0x123456789abcULL, BIG_MORE = 7 };
typedef word_t port_t;
typedef volatile port_t cv_port_t;
typedef int (*callback_t)(struct inner *, word_t);
struct small {
	word_t x;
	u64 y;
};
union either {
	u64 second;
	u32 first;
};
struct conn;
struct with_pointers {
	int (*other)(struct with_pointers *);
	const char *text;
	int (*call)(struct conn *, const char *, u64);
	struct missing *missing;
	struct conn *conn;
	struct small small;
	u32 array[4];
	enum state state;
};
struct only_declared {
	u32 x;
};
struct holds_declared {
	struct only_declared *p;
};
typedef int (*function_t)(struct conn *, const char *, u64);
typedef u32 array_t[7];
typedef struct small *small_ptr_t;
typedef struct {
	int x;
	char y[4];
	int z;
} unnamed_t;
KEEP(struct with_pointers, with_pointers);
KEEP(struct holds_declared, holds_declared);
KEEP(function_t, function);
KEEP(array_t, array);
KEEP(small_ptr_t, small_ptr);
KEEP(unnamed_t, unnamed);
KEEP(cv_port_t, cv_port);
KEEP(callback_t, callback);
KEEP(struct inner, inner);
KEEP(enum state, state);
KEEP(struct conn, conn);
KEEP(union either, either);
KEEP(enum big, big);
KEEP(struct small, small);

#elif defined(CASE_UNLIKE)
/* For type_matches: each differs in one point. */
struct inner {
	u64 b;
	u32 a;
	s16 c[4];
};
enum state { ST_NEW, ST_OPEN, ST_CLOSED, ST_MISPLACED };
enum big { BIG_ONE = 1, BIG_TWO };
typedef s32 port_t;
typedef int (*callback_t)(struct inner *, u32, u32);
struct small {
	s32 x;
};
struct either {
	u64 second;
	u32 first;
};
union conn;
struct with_pointers {
	int (*other)(struct with_pointers *);
	const char *text;
	int (*call)(union conn *, const char *, u64);
	union conn *conn;
	struct small small;
	u32 array[4];
	enum state state;
	void *missing;
};
union only_declared;
struct holds_declared {
	union only_declared *p;
};
typedef int (*function_t)(union conn *, const char *, u64);
typedef u32 array_t[8];
typedef struct small **small_ptr_t;
typedef struct {
	int x;
	char y[5];
} unnamed_t;
KEEP(struct with_pointers, with_pointers);
KEEP(struct holds_declared, holds_declared);
KEEP(function_t, function);
KEEP(array_t, array);
KEEP(small_ptr_t, small_ptr);
KEEP(unnamed_t, unnamed);
KEEP(port_t, port);
KEEP(callback_t, callback);
KEEP(struct inner, inner);
KEEP(enum state, state);
KEEP(struct small, small);
KEEP(struct either, either);
KEEP(enum big, big);

#elif defined(CASE_EMPTY)
struct unrelated {
	int x;
};
KEEP(struct unrelated, unrelated);
#endif
