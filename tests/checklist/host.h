/* SPDX-License-Identifier: MIT */
/* What the tests of this folder share: a host with a hook, functions and variables, and objects by
 * name. */
#ifndef TN_TESTS_CHECKLIST_HOST_H
#define TN_TESTS_CHECKLIST_HOST_H

/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tenon/tenon.h"

#define NR(a) (sizeof(a) / sizeof((a)[0]))

struct call {
	uint32_t number, verdict;
};
struct pair {
	uint32_t a, b;
};

static struct tenon_runtime *rt;
static struct tenon_hook hook, never;
static struct pair host_pair = { 4, 5 };
static uint64_t host_counter;
static int host_object;

#define assert_ok(call)                                                              \
	do {                                                                         \
		int rc_ = (call);                                                    \
		if (rc_)                                                             \
			fail_msg("%s: %d: %s", #call, rc_, tenon_last_error()->msg); \
	} while (0)

#define assert_words(fragment)                                                             \
	do {                                                                               \
		if (!strstr(tenon_last_error()->msg, fragment))                            \
			fail_msg("'%s' is not in: %s", fragment, tenon_last_error()->msg); \
	} while (0)

static inline int32_t host_add(int32_t a, int32_t b)
{
	return a + b;
}

static inline void add_surface(void)
{
	static const struct tenon_field fields[] = {
		TENON_SCALAR(struct call, number, TENON_R),
		TENON_SCALAR(struct call, verdict, TENON_RW),
	};
	static const struct tenon_ctx_type type = TENON_CTX_TYPE(call, fields);
	const struct tenon_hook_desc desc = { .sz = sizeof(desc), .name = "call", .ctx = &type };
	const struct tenon_hook_desc none = { .sz = sizeof(none), .name = "never", .ctx = &type };
	TENON_OPTS(tenon_var_opts, writable, .writable = true);

	assert_ok(tenon_hook_register(rt, &hook, &desc));
	assert_ok(tenon_hook_register(rt, &never, &none));
	assert_ok(tenon_runtime_add_helper(rt, "host_add", "i32(i32, i32)", TENON_FN(host_add),
					   NULL));
	assert_ok(
		tenon_runtime_add_var(rt, "host_object", &host_object, sizeof(host_object), NULL));
	assert_ok(tenon_runtime_add_var(rt, "host_pair", &host_pair, sizeof(host_pair), NULL));
	assert_ok(tenon_runtime_add_var(rt, "host_counter", &host_counter, sizeof(host_counter),
					&writable));
}

/* Each test has a runtime of its own. */
static inline int setup(void **state)
{
	(void)state;
	rt = tenon_runtime_new(NULL);
	memset(&hook, 0, sizeof(hook));
	memset(&never, 0, sizeof(never));
	host_counter = 0;
	if (!rt)
		return -1;
	add_surface();
	return 0;
}

static inline int teardown(void **state)
{
	(void)state;
	return tenon_runtime_free(rt);
}

static inline struct tenon_object *open_path(const char *path,
					     const struct tenon_object_open_opts *opts)
{
	return tenon_object_open_file(rt, path, opts);
}

/* <name>.bpf.o of this folder; NULL with the error. */
static inline struct tenon_object *open_named(const char *name,
					      const struct tenon_object_open_opts *opts)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s.bpf.o", TN_TEST_OBJECTS, name);
	return open_path(path, opts);
}

static inline struct tenon_object *must_open(const char *name,
					     const struct tenon_object_open_opts *opts)
{
	struct tenon_object *obj = open_named(name, opts);

	if (!obj)
		fail_msg("%s: %s", name, tenon_last_error()->msg);
	return obj;
}

static inline struct tenon_object *must_load(const char *name,
					     const struct tenon_object_open_opts *opts)
{
	struct tenon_object *obj = must_open(name, opts);

	if (tenon_object_load(obj))
		fail_msg("%s: %s", name, tenon_last_error()->msg);
	return obj;
}

static inline bool is_built(const char *name)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s.bpf.o", TN_TEST_OBJECTS, name);
	return access(path, R_OK) == 0;
}

static inline struct tenon_map *map_of(struct tenon_object *obj, const char *name)
{
	struct tenon_map *map = tenon_object_find_map(obj, name);

	if (!map)
		fail_msg("%s", tenon_last_error()->msg);
	return map;
}

/* The map of a section of globals: ".bss" and the like, whatever stands in front. */
static inline struct tenon_map *globals(struct tenon_object *obj, const char *section)
{
	struct tenon_map *map = NULL;

	while ((map = tenon_object_next_map(obj, map))) {
		struct tenon_map_info info = { .sz = sizeof(info) };
		size_t len;

		assert_ok(tenon_map_info(map, &info));
		len = strlen(info.name);
		if (info.global_data && len >= strlen(section) &&
		    !strcmp(info.name + len - strlen(section), section))
			return map;
	}
	fail_msg("no globals %s", section);
	return NULL;
}

/* The only program of the object, run on a call of this number. */
static inline uint64_t run_call(struct tenon_object *obj, const char *name, uint32_t number)
{
	struct call ctx = { .number = number };
	struct tenon_test_run_opts opts = { .sz = sizeof(opts),
					    .ctx = &ctx,
					    .ctx_size = sizeof(ctx) };
	struct tenon_program *prog = name ? tenon_object_find_program(obj, name)
					  : tenon_object_next_program(obj, NULL);

	assert_non_null(prog);
	assert_ok(tenon_program_test_run(prog, &opts));
	return opts.retval;
}

#endif
