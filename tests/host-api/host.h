/* SPDX-License-Identifier: MIT */
/* What the tests of this floor share: a runtime, a hook with a small context, programs from text.
 */
#ifndef TN_TESTS_HOST_H
#define TN_TESTS_HOST_H

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

#include "base/rt.h"
#include "tenon/tenon.h"
#include "vm/asm.h"

struct test_ctx {
	uint32_t in, out;
};

static const struct tenon_field test_fields[] = {
	TENON_SCALAR(struct test_ctx, in, TENON_R),
	TENON_SCALAR(struct test_ctx, out, TENON_RW),
};
static const struct tenon_ctx_type test_type = TENON_CTX_TYPE(test_ctx, test_fields);

/* A negative errno result with its words, where 0 is expected. */
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

static inline struct tenon_runtime *new_runtime(const struct tenon_runtime_opts *opts)
{
	struct tenon_runtime *rt = tenon_runtime_new(opts);

	if (!rt)
		fail_msg("runtime: %s", tenon_last_error()->msg);
	return rt;
}

static inline void add_hook(struct tenon_runtime *rt, struct tenon_hook *hook, const char *name,
			    enum tenon_chain chain, uint64_t fallback)
{
	struct tenon_hook_desc desc = { .sz = sizeof(desc),
					.name = name,
					.ctx = &test_type,
					.chain = chain,
					.fallback = fallback };

	memset(hook, 0, sizeof(*hook));
	assert_ok(tenon_hook_register(rt, hook, &desc));
}

/* An object of one program in assembler text, for `hook` or, NULL, for `ctx_size` bytes. */
static inline struct tenon_object *open_text(struct tenon_runtime *rt, const char *hook,
					     size_t ctx_size, struct tenon_map *const *maps,
					     size_t nr_maps, const char *text,
					     const struct tenon_object_open_opts *opts)
{
	struct tenon_insns code = { .sz = sizeof(code),
				    .maps = maps,
				    .nr_maps = nr_maps,
				    .hook = hook,
				    .ctx_size = ctx_size };
	struct tenon_object *obj;
	struct tn_insn *insns;
	uint32_t nr;

	if (tn_asm(NULL, text, &insns, &nr))
		fail_msg("assembler: %s", tenon_last_error()->msg);
	code.insns = insns;
	code.nr_insns = nr;
	obj = tenon_object_open_insns(rt, &code, opts);
	tn_free(NULL, insns);
	return obj;
}

static inline struct tenon_object *load_text(struct tenon_runtime *rt, const char *hook,
					     const char *text)
{
	struct tenon_object *obj = open_text(rt, hook, 0, NULL, 0, text, NULL);

	if (!obj || tenon_object_load(obj))
		fail_msg("load: %s", tenon_last_error()->msg);
	return obj;
}

static inline struct tenon_program *first_program(struct tenon_object *obj)
{
	return tenon_object_next_program(obj, NULL);
}

/* Loaded and attached. */
static inline struct tenon_object *plug_text(struct tenon_runtime *rt, const char *hook,
					     const char *text)
{
	struct tenon_object *obj = load_text(rt, hook, text);

	assert_ok(tenon_object_attach(obj));
	return obj;
}

static inline struct tenon_program_stats stats_of(const struct tenon_program *prog)
{
	struct tenon_program_stats stats = { .sz = sizeof(stats) };

	assert_ok(tenon_program_stats(prog, &stats));
	return stats;
}

/* Both engines, where there is a JIT. */
static inline enum tenon_engine engine_at(int idx)
{
	return idx ? TENON_ENGINE_AUTO : TENON_ENGINE_INTERP;
}

#define RETURN(n) "r0 = " #n "\nexit\n"

#endif
