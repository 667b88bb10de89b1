/* SPDX-License-Identifier: MIT */
/*
 * Values that are known but not yet computed. Inside a block, a copy, a sum, a shift or a load does
 * not become code until something needs it in its register; by then it may have become an operand:
 *
 *   r4 = r1; r4 += r2; r5 = *(u8 *)(r4 + 1)    one load with a scaled address
 *   r5 = p[0] | p[1] << 8 | ...                one load of 2, 4 or 8 bytes, or a swapping one
 *   r2 = r1; r2 <<= 13; r1 >>= 51; r1 |= r2    one rotate
 *
 * Rules that keep this right: a value names machine registers that hold what they held when it was
 * made (writing one computes those that name it first); at a jump everything is computed that is
 * live at its target. A load is never done twice, never moves across a store or a call, and not
 * across another load: programs rely on the order that x86 gives them. Exempt are loads joined from
 * several, which nobody can mean to be atomic, and the frame, which nobody else sees.
 */
#ifndef TN_JIT_X86_64_LAZY_H
#define TN_JIT_X86_64_LAZY_H

#include "jit/x86_64/asm.h"
#include "vm/insn.h"

struct tn_emit;

enum tn_lazy_kind {
	TN_LAZY_SUM,   /* base + (index << scale) + disp */
	TN_LAZY_SHIFT, /* src shifted by n: X86_SHL or X86_SHR */
	TN_LAZY_ROT,   /* src rotated left by n */
	TN_LAZY_LOAD,  /* `bytes` bytes at m, zero-extended, shifted left by n */
};

struct tn_lazy {
	uint8_t kind;
	bool w;		/* 64 bits, else the low 32, zero-extended. Loads: always true */
	bool is_be;	/* LOAD: the first byte is the most significant; false for single bytes */
	bool is_joined; /* LOAD: of several */
	uint8_t bytes;
	uint8_t src, op, n;
	uint32_t age;	     /* LOAD: its instruction */
	struct tn_x86_mem m; /* SUM, LOAD; base may be TN_X86_NO_REG in sums */
};

/* Machine register that holds eBPF register r, computed now if need be. */
uint8_t tn_lazy_use(struct tn_emit *e, unsigned r);
/* r is about to be written, and what it held is not needed: compute what names its register. */
void tn_lazy_def(struct tn_emit *e, unsigned r);
/* The same, but for the value of `keep`, which is about to be an operand. */
void tn_lazy_def_but(struct tn_emit *e, unsigned r, unsigned keep);
/* May another register take over v? Not if it names one that waits, other than `except` (a mask):
 * the taker, and the giver where it dies. */
bool tn_lazy_may_move(const struct tn_emit *e, const struct tn_lazy *v, uint32_t except);
/* Compute those of `regs` that wait. */
void tn_lazy_flush(struct tn_emit *e, uint32_t regs);
/* Compute the loads that wait: memory is about to change. */
void tn_lazy_flush_loads(struct tn_emit *e);
/* Those among them that stand before a load done now. */
void tn_lazy_order(struct tn_emit *e, uint32_t age);
/* Everything that instruction i reads into registers; what it writes, free to be written. */
void tn_lazy_settle(struct tn_emit *e, uint32_t i);

/* Address of off(r), without computing r where it is a sum. */
struct tn_x86_mem tn_lazy_address(struct tn_emit *e, unsigned r, int16_t off);
/* Is r a waiting load of just these bytes that nobody reads after instruction i? If so those before
 * it are computed now; NULL where that computed it too. */
const struct tn_lazy *tn_lazy_operand(struct tn_emit *e, uint32_t i, unsigned r, uint8_t bytes);
/* Take the waiting value of r away: it became an operand. */
void tn_lazy_take(struct tn_emit *e, unsigned r);

/* Arithmetic and loads: did instruction i become a waiting value, or code through one? */
bool tn_lazy_alu(struct tn_emit *e, uint32_t i);
bool tn_lazy_load(struct tn_emit *e, uint32_t i);

#endif
