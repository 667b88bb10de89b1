/* SPDX-License-Identifier: MIT */
/*
 * eBPF to x86-64, one program at a time, into a code buffer shared by the object.
 *
 *   r0 rax  r1 rdi  r2 rsi  r3 rdx  r4 rcx  r5 r8  r6 rbx  r7 r13  r8 r14  r9 r15  r10 rbp
 *
 * so that arguments stand where C wants them. r12 holds the firing (struct tn_exec) in programs
 * that need it; r9 the fuel in programs that pay, written back to the firing around every call of
 * C. r10 and r11 are scratch inside one instruction.
 *
 * A function is entered natively (main program: ctx in rdi, firing in rsi; callback: arguments,
 * firing in r9), from its own program (r12 and r9 as above), or both. Where one needs more than one
 * entry, or where an abort may have to leave several frames, native entries are wrappers around
 * the inner function; else the function's own prologue does the work.
 */
#ifndef TN_JIT_X86_64_EMIT_H
#define TN_JIT_X86_64_EMIT_H

#include "base/vec.h"
#include "jit/blocks.h"
#include "jit/x86_64/asm.h"
#include "jit/x86_64/lazy.h"

#define REG_EX	 R12
#define REG_FUEL R9

struct tn_fn {
	uint32_t start, end;
	uint32_t last; /* instruction that is reached */
	/* Labels. */
	uint32_t entry;	     /* for calls from this program */
	uint32_t main_entry; /* of a main program, from C */
	uint32_t func_entry; /* of a callback, from C */
	uint32_t leave;	     /* epilogue */
	uint32_t no_fuel;    /* sets the abort, then as below */
	uint32_t aborted;    /* ex->abort is set: ends with 0 */
	uint32_t ends_zero;  /* this function alone ends with 0 */
	/* What its instructions do. */
	bool uses_fp;
	bool calls_c, calls_local;
	bool tail_calls, may_goto, has_fuel;
	bool may_abort;	    /* alone or by what it calls */
	bool may_tail_call; /* likewise */
	uint16_t saved;	    /* eBPF registers of r6..r9 that it writes */
	uint32_t depth;	    /* of calls below it */
	/* How it is entered. */
	bool is_inner, is_callback;
	bool has_wrapper;
	/* Its frame: rbp is the eBPF frame pointer, slots below the eBPF stack. */
	bool has_frame;
	uint32_t stack_bytes, frame_bytes;
	int32_t goto_slot, ctx_slot;
	bool pad_stack; /* 8 bytes for alignment, without a frame */
	bool used_no_fuel, used_aborted, used_ends_zero, used_leave;
};

/* emit_hash.c: the lookup in a table, behind the program */
struct tn_hash_stub {
	const struct tn_map *map;
	uint32_t label; /* and four more */
};

struct tn_emit {
	struct tn_codebuf *b;
	const struct tn_prog *prog;
	const struct tn_facts *facts; /* may be NULL */
	struct tn_flow flow;
	struct tn_fn *fns; /* nr_subprogs */
	struct tn_fn *fn;  /* being emitted */
	uint32_t labels;   /* first of nr_insns labels, one per instruction */
	uint32_t after;	   /* likewise, behind the code of each */
	uint32_t unwind;   /* label: the wrappers' common exit */
	bool needs_ex, has_fuel;
	bool unwinds; /* an inner function may abort: wrappers save everything */
	bool has_bmi2, has_movbe;
	TN_VEC(struct tn_hash_stub) hash_stubs;
	/* Values that are known but not computed (lazy.h): which registers, and what. */
	uint32_t waiting;
	struct tn_lazy lazy[TN_NR_REGS];
	/* The code up to flags_len leaves the flags as a comparison of flags_reg with 0. */
	uint32_t flags_len;
	uint8_t flags_reg;
	bool flags_w;
	uint32_t skip; /* instruction whose code stands already, fused with the one before */
};

/* The machine register of an eBPF register. */
extern const uint8_t tn_x86_regs[TN_NR_REGS];

static inline uint8_t tn_reg(unsigned bpf)
{
	return tn_x86_regs[bpf];
}

static inline uint16_t tn_emit_fact_flags(const struct tn_emit *e, uint32_t i)
{
	return e->facts ? e->facts->insns[i].flags : 0;
}

/* The last instruction set the zero flag by `reg`. */
static inline void tn_emit_flags_of(struct tn_emit *e, uint8_t reg, bool w)
{
	e->flags_len = e->b->len;
	e->flags_reg = reg;
	e->flags_w = w;
}

static inline void tn_emit_no_flags(struct tn_emit *e)
{
	e->flags_len = UINT32_MAX;
}

static inline bool tn_emit_has_flags(const struct tn_emit *e, uint8_t reg, bool w)
{
	return e->flags_len == e->b->len && e->flags_reg == reg && (w || !e->flags_w);
}

/* functions.c: what functions need, prologues, epilogues, wrappers */
int tn_emit_survey(struct tn_emit *e);
int tn_emit_prologue(struct tn_emit *e);
/* `is_last`: no code of the function follows. */
void tn_emit_exit(struct tn_emit *e, bool is_last);
/* Restore the caller's registers; what follows is ret or a jump. */
void tn_emit_restore(struct tn_emit *e);
/* What stands behind the last instruction: epilogue, abort paths, wrappers. */
void tn_emit_tail(struct tn_emit *e);
/* Once, behind the last function. */
void tn_emit_unwind(struct tn_emit *e);
void tn_emit_save_fuel(struct tn_emit *e);
void tn_emit_load_fuel(struct tn_emit *e);
/* Leave when ex->abort is set. */
void tn_emit_test_abort(struct tn_emit *e);

/* The families. Each emits instruction `i`. */
int tn_emit_alu(struct tn_emit *e, uint32_t i);
/* Division and remainder, once the destination is computed. */
void tn_emit_division(struct tn_emit *e, const struct tn_insn *insn, bool w);
int tn_emit_memory(struct tn_emit *e, uint32_t i);
/* emit_probe.c */
int tn_emit_probe(struct tn_emit *e, uint32_t i);
/* emit_arena.c */
void tn_emit_arena(struct tn_emit *e, uint32_t i);
void tn_emit_cast(struct tn_emit *e, const struct tn_insn *insn);
int tn_emit_jump(struct tn_emit *e, uint32_t i);
int tn_emit_call(struct tn_emit *e, uint32_t i);
/* emit_hash.c: once before the first function; a call if it is such a lookup; behind the last
 * function. */
int tn_emit_hash_survey(struct tn_emit *e);
bool tn_emit_hash_lookup(struct tn_emit *e, uint32_t i);
int tn_emit_hash_stubs(struct tn_emit *e);
void tn_emit_array_lookup(struct tn_emit *e, uint32_t i);
const void *tn_emit_map_function(const struct tn_emit *e, uint32_t i);
void tn_emit_map_call(struct tn_emit *e, uint32_t i, const void *fn);
int tn_emit_ld_packet(struct tn_emit *e, uint32_t i);

/* One whole program into e->b: the caller fills in b and prog; fns and labels say afterwards where
 * things are, until tn_emit_free(). */
int tn_emit_prog(struct tn_emit *e);
void tn_emit_free(struct tn_emit *e);

/* emit_alu.c: the machine's form of TN_ADD, SUB, OR, AND, XOR. */
enum tn_x86_alu tn_emit_alu_op(uint8_t op);

#endif
