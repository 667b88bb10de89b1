/* SPDX-License-Identifier: MIT */
/* clang-format off */
/*
 * Verifier cases as data. A file is a header of comment lines and assembler text (vm/asm.h):
 *
 *	; ctx: xdp_md | __sk_buff | raw N | test | nodes | none
 *			what r1 points to (default: raw 64)
 *	; map: array key 4 value 16 entries 4 [rdonly] [wronly] [any_length] [const HEXBYTES]
 *			[lock OFF] [timer OFF] [wq OFF]
 *			map[0], map[1], ...
 *	; helper: NAME SIGNATURE [flags: may_abort invalidates]
 *			`call extern 0`, `call extern 1`, ...
 *	; var: BYTES [rw] [at N] [opaque]
 *			a variable of the host, N bytes behind a multiple of 8;
 *			extern[helpers], extern[helpers + 1], ...; byte i of the first is i
 *	; ret: 0..2	the hook checks results
 *	; license: MIT
 *	; fuel: N
 *	; proved	refuse what needs fuel
 *	; exception: N	subprogram N gets what is thrown
 *	; expect: accept | reject E_NAME "part of the message"
 *	; run: r0=5	also run it; may be left out
 *	; facts: fuel | nofuel | zero N | cost<=N | cost>=N
 *			after an accept, several lines allowed
 *
 * The context `test` has a field of each kind, `nodes` has handles of a structure, one of them
 * untrusted: see case.c.
 */
/* clang-format on */
#ifndef TN_TESTS_VERIFIER_CASE_H
#define TN_TESTS_VERIFIER_CASE_H

#include "maps/map.h"
#include "verifier/verify.h"

#define CASE_MAX_MAPS	 8
#define CASE_MAX_HELPERS 8
#define CASE_MAX_VARS	 4

struct tn_case {
	char name[128];
	struct tn_rt *rt;
	char *text;
	struct tn_prog *prog;
	struct tn_image image;
	struct tn_map *maps[CASE_MAX_MAPS];
	uint32_t nr_maps;
	struct tn_host_helper helpers[CASE_MAX_HELPERS];
	uint32_t nr_helpers;
	struct tn_host_var vars[CASE_MAX_VARS];
	bool opaque[CASE_MAX_VARS];
	uint32_t nr_vars;
	struct tn_ctx_type *raw;
	struct tn_verify_env env;
	bool expect_accept, has_expect, has_run;
	char code[32], fragment[160];
	uint64_t r0;
	char facts[8][32];
	uint32_t nr_facts;
};

/* Read and build the case; false: the file itself is wrong, tn_err_last() says how. */
bool case_open(struct tn_case *c, struct tn_rt *rt, const char *path);
void case_close(struct tn_case *c);
/* Run the accepted program on the interpreter with a context of its type; r0. */
uint64_t case_run(struct tn_case *c);

/* What stands behind handles of type `node`. */
struct case_node {
	uint64_t id;		 /*  0 */
	uint32_t flags;		 /*  8 */
	int8_t tiny;		 /* 12 */
	uint8_t kind;		 /* 13 */
	uint16_t port;		 /* 14 */
	struct case_node *next;	 /* 16 untrusted */
	struct case_node *owner; /* 24 never NULL */
	const char *label;	 /* 32 untrusted string */
	uint64_t counter;	 /* 40 writable */
	uint64_t hidden;	 /* 48 */
};

extern const struct tn_ctx_type case_test_ctx, case_nodes_ctx, case_node;
const struct tn_ctx_type *case_struct_of(void *user, const char *name);

#endif
