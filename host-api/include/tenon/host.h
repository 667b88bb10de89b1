/* SPDX-License-Identifier: MIT */
/*
 * host.h - for the header in which a host says what plugins may use: its structures and functions.
 *
 * One header, read by three compilers: the host's own, where the words below mean nothing;
 * `clang -target bpf -g` when the host is built, which puts them into the host's BTF (see
 * tenon_host_btf() of the CMake package and tenon_runtime_add_btf()); and a plugin's, where they
 * also make the declarations that a plugin needs.
 *
 *	#include <tenon/host.h>
 *
 *	TENON_TYPES_BEGIN
 *	struct conn {
 *		uint32_t peer;
 *		uint64_t bytes TENON_WRITABLE;
 *		struct conn *next;
 *		char name[16];
 *	};
 *	struct request {                                the context of a hook
 *		struct conn *conn TENON_NONNULL;
 *		const uint8_t *body TENON_SIZE_IS(body_len);
 *		uint32_t body_len;
 *	};
 *	TENON_TYPES_END
 *
 *	TENON_HELPER int conn_send(struct conn *c, const void *data TENON_SIZE_IS(len), uint32_t
 *len); TENON_HELPER TENON_ACQUIRE struct conn *conn_get(uint32_t id); TENON_HELPER TENON_RELEASE
 *void conn_put(struct conn *c);
 *
 * and in the host, for each function that is lent out, one line:
 *
 *	tenon_runtime_add_helper(rt, "conn_send", NULL, TENON_FN(conn_send), NULL);
 *
 * What is not said is read strictly: members can be read and not written, pointers in structures
 * may point anywhere, what the host hands out may be NULL, and what it takes may not.
 */
#ifndef TENON_HOST_H
#define TENON_HOST_H

#ifndef __bpf__
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#else
/* The C library's headers are not for this target. */
typedef __INT8_TYPE__ int8_t;
typedef __UINT8_TYPE__ uint8_t;
typedef __INT16_TYPE__ int16_t;
typedef __UINT16_TYPE__ uint16_t;
typedef __INT32_TYPE__ int32_t;
typedef __UINT32_TYPE__ uint32_t;
typedef __INT64_TYPE__ int64_t;
typedef __UINT64_TYPE__ uint64_t;
typedef __INTPTR_TYPE__ intptr_t;
typedef __UINTPTR_TYPE__ uintptr_t;
typedef __SIZE_TYPE__ size_t;
#ifndef bool
#define bool _Bool
#define true 1
#define false 0
#endif
#ifndef NULL
#define NULL ((void *)0)
#endif
#endif

#if defined(__bpf__) && defined(__has_attribute)
#if __has_attribute(btf_decl_tag)
#define TENON_TAG_(text) __attribute__((btf_decl_tag("tenon:" text)))
#endif
#endif
#ifndef TENON_TAG_
#define TENON_TAG_(text)
#endif

/* ---- Functions, in front of the declaration ---------------------------------------- */

/* This function is lent out to plugins. Its arguments and result:
 *
 *   integers, bool, enums   as they are; float and double: as their bits
 *   struct x *              an object of the host, which the plugin was given; not NULL
 *   const struct x *        the same, of which the plugin may have a pointer to const alone
 *   const char *            a constant string of the plugin; not beside integers, which may be its
 *                           length: then TENON_STR
 *   T *, const T *          one number of the plugin's that the host fills, or reads; not beside
 *                           integers, which may be the length of an array
 *   others                  need one of the words below
 *   ...                     is refused: what it reads, a format of the plugin's would say
 *
 * Memory of plugins is aligned to 8 bytes at most. Structures that need more are refused where BTF
 * shows it (__int128); it does not show __attribute__((aligned)), which they may not have.
 *
 * Compilers before clang 19 drop what is said of arguments of functions: with these, say it of the
 * function, as in TENON_ARG(2, str). What they drop is never guessed. */
#ifdef __bpf__
#if defined(__clang_major__) && __clang_major__ >= 19
#define TENON_HELPER extern __attribute__((section(".ksyms"))) TENON_TAG_("helper")
#else
#define TENON_HELPER extern __attribute__((section(".ksyms"))) TENON_TAG_("bare_helper")
#endif
#else
#define TENON_HELPER
#endif

/* The words of enum tenon_helper_flags: TENON_HELPER_FLAGS(MAY_ABORT, PURE). */
#define TENON_HELPER_FLAGS(...) TENON_TAG_("flags=" #__VA_ARGS__)
#define TENON_ACQUIRE		TENON_TAG_("acquire")	/* the result must be released */
#define TENON_RELEASE		TENON_TAG_("release")	/* gives back its first object */
#define TENON_RETURNS_UNTRUSTED TENON_TAG_("untrusted") /* nobody vouches for what it points to */
/* The result is the first object, seen as another type; see "cast" at tenon_runtime_add_helper().
 */
#define TENON_CAST TENON_TAG_("cast")
/* An iterator over objects of the host: a structure of 8 to 64 bytes, a multiple of 8, and three
 * functions whose first argument points to it. The plugin has it in its stack and can neither read
 * nor write it, so that the host keeps what it likes there; the library keeps it in one place.
 *
 *	struct conn_iter { struct conn *at; };
 *	TENON_HELPER TENON_ITER_NEW int conn_iter_new(struct conn_iter *it, struct server *s);
 *	TENON_HELPER TENON_ITER_NEXT struct conn *conn_iter_next(struct conn_iter *it);
 *	TENON_HELPER TENON_ITER_DESTROY void conn_iter_destroy(struct conn_iter *it);
 *
 * What makes one takes further arguments as it likes and returns 0, or a negative error: then
 * nothing was begun, next() gives NULL and the host is asked for nothing more. It takes hold itself
 * of what it walks over: the plugin may give that up while the iterator lives. An element must be
 * there until the next one is asked for or the iterator is destroyed; the plugin cannot keep it
 * longer. Sooner or later NULL comes, after which nothing is asked; the plugin's loop pays fuel.
 * The iterator of a program that ends early is destroyed. 16 are open at once in a firing at most
 * (-ENOMEM). */
#define TENON_ITER_NEW	   TENON_TAG_("iter_new")
#define TENON_ITER_NEXT	   TENON_TAG_("iter_next")
#define TENON_ITER_DESTROY TENON_TAG_("iter_destroy")
/* Says `what` of argument `n`, from 1: maybe_null, size_is, str, in, out, ctx, map. Also behind a
 * member that is a pointer to a function. */
#define TENON_ARG(n, what) TENON_TAG_("arg" #n "=" #what)

/* ---- Arguments and members, behind the name ------------------------------------------- */

#define TENON_MAYBE_NULL TENON_TAG_("maybe_null") /* an argument that may be NULL */
#define TENON_NONNULL	 TENON_TAG_("nonnull") /* a member, or a function's result, that is not */

/* A pointer to memory whose length in elements (bytes of void) stands in a member or argument,
 * which of arguments is the next one. An argument that is no pointer to const is filled by the
 * host. Of members only in contexts, where both stay as they are during the firing; the length is
 * unsigned. */
#define TENON_SIZE_IS(len) TENON_TAG_("size_is=" #len)
/* A member that points to memory which ends where the pointer `end` points. */
#define TENON_END_IS(end) TENON_TAG_("end_is=" #end)

/* Arguments. */
#define TENON_STR TENON_TAG_("str") /* const char *: a constant string */
#define TENON_IN  TENON_TAG_("in")  /* struct x *: memory of the plugin that the host reads */
#define TENON_OUT TENON_TAG_("out") /* struct x *: memory of the plugin that the host fills */
#define TENON_CTX TENON_TAG_("ctx") /* the hook's context, as the plugin was given it */
#define TENON_MAP TENON_TAG_("map") /* void *: a map of the plugin, a struct tenon_map * */

/* Members. */
#define TENON_WRITABLE \
	TENON_TAG_("writable") /* plugins may store to it, or through it (contexts) */
/* struct x *: what it points to is there for as long as this structure is; functions take it. Such
 * pointers in a context are so anyway, unless TENON_UNTRUSTED_PTR. Through pointers to const
 * structures, as members and as results, plugins only read, and give them to functions that take
 * pointers to const. */
#define TENON_TRUSTED	    TENON_TAG_("trusted")
#define TENON_UNTRUSTED_PTR TENON_TAG_("untrusted")
#define TENON_HIDDEN	    TENON_TAG_("hidden") /* not for plugins */

/* Around structures that may change between releases of the host: plugins built against one find
 * the members in the other (CO-RE). */
#if defined(__bpf__) && defined(__clang__)
#define TENON_TYPES_BEGIN \
	_Pragma("clang attribute push(__attribute__((preserve_access_index)), apply_to = record)")
#define TENON_TYPES_END _Pragma("clang attribute pop")
#else
#define TENON_TYPES_BEGIN
#define TENON_TYPES_END
#endif

#endif /* TENON_HOST_H */
