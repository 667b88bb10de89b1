/* SPDX-License-Identifier: MIT */
/* Records of types: existence, size, number, likeness. */
#include "core/types.h"

enum { EXISTS, SIZE, MATCHES };
enum { LOCAL, TARGET };

#if __clang_major__ >= 15
#define MATCH(type) __builtin_preserve_type_info(*(type *)0, MATCHES)
#else
#define MATCH(type) 0
#endif

#define TYPE(name, type)                                                        \
	SEC("core") u64 type_##name(void *ctx)                                  \
	{                                                                       \
		u64 sum = __builtin_preserve_type_info(*(type *)0, EXISTS);     \
                                                                                \
		barrier_var(sum);                                               \
		sum = sum * 3 + __builtin_preserve_type_info(*(type *)0, SIZE); \
		barrier_var(sum);                                               \
		sum = sum * 3 + MATCH(type);                                    \
		barrier_var(sum);                                               \
		sum = sum * 3 + __builtin_btf_type_id(*(type *)0, LOCAL);       \
		barrier_var(sum);                                               \
		return sum;                                                     \
	}
/* Several host types of one name have several numbers: only where there is one. */
#define NUMBER(name, type)                                        \
	SEC("number") u64 number_##name(void *ctx)                \
	{                                                         \
		return __builtin_btf_type_id(*(type *)0, TARGET); \
	}

typedef struct {
	int x;
	char y[4];
} unnamed_t;
typedef int (*function_t)(struct conn *, const char *, u64);
typedef u32 array_t[7];
typedef struct small *small_ptr_t;

struct with_pointers {
	struct conn *conn;
	struct missing *missing;
	function_t call;
	const char *text;
	int (*other)(struct with_pointers *);
	u32 array[4];
	enum state state;
	struct small small;
};
struct small___v3 {
	u32 x;
};
struct only_here {
	int x;
};
struct only_declared;
struct holds_declared {
	struct only_declared *p;
};

TYPE(conn, struct conn)
TYPE(inner, struct inner)
TYPE(small, struct small)
TYPE(small_v3, struct small___v3)
TYPE(either, union either)
TYPE(missing, struct missing)
TYPE(only_here, struct only_here)
TYPE(state, enum state)
TYPE(big, enum big)
TYPE(port, port_t)
TYPE(cv_port, cv_port_t)
TYPE(callback, callback_t)
TYPE(function, function_t)
TYPE(array, array_t)
TYPE(unnamed, unnamed_t)
TYPE(small_ptr, small_ptr_t)
TYPE(pointers, struct with_pointers)
TYPE(declared, struct holds_declared)
TYPE(u32, u32)

NUMBER(inner, struct inner)
NUMBER(missing, struct missing)
NUMBER(port, port_t)
NUMBER(either, union either)

char _license[] SEC("license") = "MIT";
