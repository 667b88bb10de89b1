/* SPDX-License-Identifier: MIT */
/* What the tests of the JIT share: programs from instructions, run through both engines. */
#ifndef TN_TESTS_JIT_TEST_H
#define TN_TESTS_JIT_TEST_H

#include <errno.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/rt.h"
#include "jit/jit.h"
#include "vm/helpers.h"
#include "vm/image.h"
#include "vm/interp.h"
#include "vm/rewrite.h"

/* ---- Instructions ---- */
#define I(c, d, s, o, i)                         \
	((struct tn_insn){ .code = (uint8_t)(c), \
			   .dst = (d)&15,        \
			   .src = (s)&15,        \
			   .off = (int16_t)(o),  \
			   .imm = (int32_t)(i) })
#define ALU64_K(op, d, i)	  I(TN_ALU64 | (op), d, 0, 0, i)
#define ALU64_X(op, d, s)	  I(TN_ALU64 | TN_X | (op), d, s, 0, 0)
#define ALU32_K(op, d, i)	  I(TN_ALU | (op), d, 0, 0, i)
#define ALU32_X(op, d, s)	  I(TN_ALU | TN_X | (op), d, s, 0, 0)
#define MOV_K(d, i)		  ALU64_K(TN_MOV, d, i)
#define MOV_X(d, s)		  ALU64_X(TN_MOV, d, s)
#define LOAD(size, d, s, o)	  I(TN_LDX | TN_MEM | (size), d, s, o, 0)
#define LOADSX(size, d, s, o)	  I(TN_LDX | TN_MEMSX | (size), d, s, o, 0)
#define STORE(size, d, o, s)	  I(TN_STX | TN_MEM | (size), d, s, o, 0)
#define STORE_K(size, d, o, i)	  I(TN_ST | TN_MEM | (size), d, 0, o, i)
#define ATOMIC(size, d, o, s, op) I(TN_STX | TN_ATOMIC | (size), d, s, o, op)
#define JMP_K(op, d, i, o)	  I(TN_JMP | (op), d, 0, o, i)
#define JMP_X(op, d, s, o)	  I(TN_JMP | TN_X | (op), d, s, o, 0)
#define JMP32_K(op, d, i, o)	  I(TN_JMP32 | (op), d, 0, o, i)
#define JMP32_X(op, d, s, o)	  I(TN_JMP32 | TN_X | (op), d, s, o, 0)
#define GOTO(o)			  I(TN_JMP | TN_JA, 0, 0, o, 0)
#define CALL(id)		  I(TN_JMP | TN_CALL, 0, TN_CALL_HELPER, 0, id)
#define CALL_SUB(o)		  I(TN_JMP | TN_CALL, 0, TN_CALL_LOCAL, 0, o)
#define CALL_EXT(idx)		  I(TN_JMP | TN_CALL, 0, TN_CALL_EXTERN, 0, idx)
#define LDDW(d, v)                                                   \
	I(TN_LD | TN_IMM | TN_DW, d, 0, 0, (uint32_t)(uint64_t)(v)), \
		I(0, 0, 0, 0, (uint32_t)((uint64_t)(v) >> 32))
#define LDDW_FUNC(d, o) I(TN_LD | TN_IMM | TN_DW, d, TN_LDDW_FUNC, 0, o), I(0, 0, 0, 0, 0)
#define EXIT()		I(TN_JMP | TN_EXIT, 0, 0, 0, 0)
#define MAY_GOTO(o)	I(TN_JMP | TN_JCOND, 0, 0, o, 0)

struct jit_test {
	struct tn_rt rt;
	struct tn_prog *prog;
	struct tn_code *code;
	struct tn_exec ex;
};

static inline struct jit_test *jit_test_new(void)
{
	struct jit_test *t = calloc(1, sizeof(*t));

	assert_non_null(t);
	assert_int_equal(tn_rt_init(&t->rt, NULL), 0);
	return t;
}

static inline void jit_test_drop(struct jit_test *t)
{
	tn_jit_code_free(&t->rt, t->code);
	t->code = NULL;
	tn_prog_free(t->prog);
	t->prog = NULL;
}

static inline void jit_test_free(struct jit_test *t)
{
	jit_test_drop(t);
	tn_rt_fini(&t->rt);
	free(t);
}

/* A program that is ready for both engines but not compiled: facts may still be added. */
static inline void jit_test_load(struct jit_test *t, const struct tn_insn *insns, uint32_t nr)
{
	jit_test_drop(t);
	t->prog = tn_prog_new(&t->rt, "test");
	assert_non_null(t->prog);
	assert_int_equal(tn_prog_set_insns(t->prog, insns, nr), 0);
	assert_int_equal(tn_insns_check(insns, nr), 0);
	assert_int_equal(tn_prog_find_subprogs(t->prog), 0);
}

static inline void jit_test_compile(struct jit_test *t)
{
	int err;

	assert_int_equal(tn_rewrite(t->prog), 0);
	err = tn_jit_compile(&t->rt, &t->prog, 1, &t->code);
	if (err)
		fail_msg("%s", tn_err_last()->msg);
}

static inline void jit_test_arm(struct jit_test *t)
{
	memset(&t->ex, 0, sizeof(t->ex));
	t->ex.fuel = 1 << 20;
	t->ex.prog = t->ex.first = t->prog;
	t->ex.rt = &t->rt;
}

static inline uint64_t jit_test_native(struct jit_test *t, void *ctx)
{
	jit_test_arm(t);
	return t->prog->entry(ctx, &t->ex);
}

static inline uint64_t jit_test_interp(struct jit_test *t, void *ctx)
{
	jit_test_arm(t);
	return tn_interp_entry(ctx, &t->ex);
}

/* Both engines give `expected` with this context. */
#define expect_result(t, ctx, expected)                                    \
	do {                                                               \
		assert_int_equal(jit_test_interp((t), (ctx)), (expected)); \
		assert_int_equal(jit_test_native((t), (ctx)), (expected)); \
	} while (0)

#define LOAD_AND_COMPILE(t, ...)                                                \
	do {                                                                    \
		const struct tn_insn insns_[] = { __VA_ARGS__ };                \
		jit_test_load((t), insns_, sizeof(insns_) / sizeof(insns_[0])); \
		jit_test_compile((t));                                          \
	} while (0)

#endif
