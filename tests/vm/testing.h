/* SPDX-License-Identifier: MIT */
/* What every test of this folder needs: cmocka's includes, a runtime, programs from text. */
#ifndef TN_TESTS_VM_TESTING_H
#define TN_TESTS_VM_TESTING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/rt.h"
#include "vm/asm.h"
#include "vm/image.h"
#include "vm/interp.h"
#include "vm/rewrite.h"

/* Bytes that a runtime takes for itself. */
static size_t bytes_at_start;

static inline int start_rt(void **state)
{
	static struct tn_rt rt;

	assert_int_equal(tn_rt_init(&rt, NULL), 0);
	bytes_at_start = tn_load_relaxed(&rt.mem.bytes[TN_CHARGE_HEAP]);
	*state = &rt;
	return 0;
}

/* Every test gives back what it took. */
static inline int stop_rt(void **state)
{
	struct tn_rt *rt = *state;

	assert_int_equal(tn_load_relaxed(&rt->mem.bytes[TN_CHARGE_HEAP]), bytes_at_start);
	tn_rt_fini(rt);
	return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start_rt, stop_rt)

/* A program with its subprograms found, interpreted, not rewritten. */
static inline struct tn_prog *make_prog(struct tn_rt *rt, const char *text)
{
	struct tn_prog *prog = tn_prog_new(rt, "main");

	assert_non_null(prog);
	if (tn_asm(rt, text, &prog->insns, &prog->nr_insns))
		fail_msg("%s", tn_err_last()->msg);
	if (tn_insns_check(prog->insns, prog->nr_insns) || tn_prog_find_subprogs(prog))
		fail_msg("%s", tn_err_last()->msg);
	prog->entry = tn_interp_entry;
	return prog;
}

/* Facts that charge nothing: every frame of 512 bytes, every instruction reached. */
static inline void add_facts(struct tn_prog *prog)
{
	prog->facts = tn_facts_new(prog->rt, prog->nr_insns, prog->nr_subprogs);
	assert_non_null(prog->facts);
	for (uint32_t i = 0; i < prog->nr_insns; i++)
		prog->facts->insns[i].flags = TN_FACT_REACHED;
	for (uint32_t i = 0; i < prog->nr_subprogs; i++)
		prog->facts->subprogs[i].stack_bytes = 512;
}

static inline struct tn_exec make_exec(struct tn_prog *prog)
{
	return (struct tn_exec){ .fuel = INT64_MAX,
				 .prog = prog,
				 .first = prog,
				 .rt = prog->rt,
				 .thread = tn_thread_self() };
}

/* Is `words` part of the last error's sentence? */
static inline void assert_words(const char *words)
{
	if (!strstr(tn_err_last()->msg, words))
		fail_msg("'%s' does not say '%s'", tn_err_last()->msg, words);
}

#endif
