/* SPDX-License-Identifier: MIT */
/* x86-64 encoder: one function per instruction form. `w` chooses 64 bits over 32. */
#ifndef TN_JIT_X86_64_ASM_H
#define TN_JIT_X86_64_ASM_H

#include "jit/code.h"

enum tn_x86_reg {
	RAX,
	RCX,
	RDX,
	RBX,
	RSP,
	RBP,
	RSI,
	RDI,
	R8,
	R9,
	R10,
	R11,
	R12,
	R13,
	R14,
	R15,
	TN_X86_NO_REG = 0xff,
};

/* Condition codes, as in the low four bits of jcc, setcc and cmovcc. */
enum tn_x86_cc {
	CC_O = 0,
	CC_B = 2,
	CC_AE,
	CC_E,
	CC_NE,
	CC_BE,
	CC_A,
	CC_S,
	CC_NS,
	CC_L = 12,
	CC_GE,
	CC_LE,
	CC_G,
};
#define TN_CC_NOT(cc) ((uint8_t)((cc) ^ 1))

/* Two-operand arithmetic: the number is the /ext of the immediate form, and 8 * it the opcode. */
enum tn_x86_alu { X86_ADD, X86_OR, X86_ADC, X86_SBB, X86_AND, X86_SUB, X86_XOR, X86_CMP };
/* The /ext of the shift group. */
enum tn_x86_shift { X86_ROL = 0, X86_ROR = 1, X86_SHL = 4, X86_SHR = 5, X86_SAR = 7 };
/* The /ext of group 3 (f7). */
enum tn_x86_unary {
	X86_NOT = 2,
	X86_NEG = 3,
	X86_MUL = 4,
	X86_IMUL = 5,
	X86_DIV = 6,
	X86_IDIV = 7
};

/* [base + index << scale + disp] */
struct tn_x86_mem {
	uint8_t base, index, scale;
	int32_t disp;
};
static inline struct tn_x86_mem tn_x86_at(uint8_t base, int32_t disp)
{
	return (struct tn_x86_mem){ base, TN_X86_NO_REG, 0, disp };
}

void tn_x86_mov_rr(struct tn_codebuf *b, bool w, uint8_t dst, uint8_t src);
/* The shortest of xor, mov r32, mov r64 sign-extended, mov r64. Changes no flag unless zero. */
void tn_x86_mov_ri(struct tn_codebuf *b, uint8_t dst, uint64_t imm);
void tn_x86_alu_rr(struct tn_codebuf *b, enum tn_x86_alu op, bool w, uint8_t dst, uint8_t src);
void tn_x86_alu_ri(struct tn_codebuf *b, enum tn_x86_alu op, bool w, uint8_t dst, int32_t imm);
/* `bytes` 1, 2, 4 or 8. */
void tn_x86_alu_mi(struct tn_codebuf *b, enum tn_x86_alu op, uint8_t bytes, struct tn_x86_mem m,
		   int32_t imm);
void tn_x86_alu_rm(struct tn_codebuf *b, enum tn_x86_alu op, bool w, uint8_t dst,
		   struct tn_x86_mem m);
void tn_x86_test_rr(struct tn_codebuf *b, bool w, uint8_t r, uint8_t s);
void tn_x86_test_ri(struct tn_codebuf *b, bool w, uint8_t r, int32_t imm);
void tn_x86_unary(struct tn_codebuf *b, enum tn_x86_unary op, bool w, uint8_t r);
void tn_x86_cqo(struct tn_codebuf *b, bool w);
void tn_x86_imul_rr(struct tn_codebuf *b, bool w, uint8_t dst, uint8_t src);
void tn_x86_imul_rri(struct tn_codebuf *b, bool w, uint8_t dst, uint8_t src, int32_t imm);
void tn_x86_shift_ri(struct tn_codebuf *b, enum tn_x86_shift op, bool w, uint8_t r, uint8_t imm);
void tn_x86_shift_cl(struct tn_codebuf *b, enum tn_x86_shift op, bool w, uint8_t r);
void tn_x86_rol16_ri(struct tn_codebuf *b, uint8_t r, uint8_t imm);
/* BMI2: dst = src shifted by count, flags untouched. */
void tn_x86_shiftx(struct tn_codebuf *b, enum tn_x86_shift op, bool w, uint8_t dst, uint8_t src,
		   uint8_t count);
void tn_x86_rorx(struct tn_codebuf *b, bool w, uint8_t dst, uint8_t src, uint8_t imm);
/* BMI2: dst = the upper half of rdx * src, flags untouched. */
void tn_x86_mulx_high(struct tn_codebuf *b, bool w, uint8_t dst, uint8_t src);
void tn_x86_bswap(struct tn_codebuf *b, bool w, uint8_t r);
/* dst = the low `bytes` (1, 2, 4) of src; zero-extended to 64 bits, or sign-extended to w. */
void tn_x86_movzx_rr(struct tn_codebuf *b, uint8_t bytes, uint8_t dst, uint8_t src);
void tn_x86_movsx_rr(struct tn_codebuf *b, bool w, uint8_t bytes, uint8_t dst, uint8_t src);
void tn_x86_lea(struct tn_codebuf *b, bool w, uint8_t dst, struct tn_x86_mem m);
void tn_x86_setcc(struct tn_codebuf *b, uint8_t cc, uint8_t r);
void tn_x86_cmov(struct tn_codebuf *b, bool w, uint8_t cc, uint8_t dst, uint8_t src);

/* Zero-extending, and sign-extending to 64 bits. */
void tn_x86_load(struct tn_codebuf *b, uint8_t bytes, uint8_t dst, struct tn_x86_mem m);
void tn_x86_load_sx(struct tn_codebuf *b, uint8_t bytes, uint8_t dst, struct tn_x86_mem m);
void tn_x86_store(struct tn_codebuf *b, uint8_t bytes, struct tn_x86_mem m, uint8_t src);
void tn_x86_store_i(struct tn_codebuf *b, uint8_t bytes, struct tn_x86_mem m, int32_t imm);
/* Byte-swapping: 2, 4 or 8 bytes; 2 leave the upper part of dst as it is. */
void tn_x86_movbe_load(struct tn_codebuf *b, uint8_t bytes, uint8_t dst, struct tn_x86_mem m);
void tn_x86_movbe_store(struct tn_codebuf *b, uint8_t bytes, struct tn_x86_mem m, uint8_t src);

void tn_x86_lock_alu(struct tn_codebuf *b, enum tn_x86_alu op, bool w, struct tn_x86_mem m,
		     uint8_t src);
void tn_x86_lock_xadd(struct tn_codebuf *b, bool w, struct tn_x86_mem m, uint8_t src);
void tn_x86_xchg(struct tn_codebuf *b, bool w, struct tn_x86_mem m, uint8_t src);
void tn_x86_lock_cmpxchg(struct tn_codebuf *b, bool w, struct tn_x86_mem m, uint8_t src);

void tn_x86_push(struct tn_codebuf *b, uint8_t r);
void tn_x86_push_m(struct tn_codebuf *b, struct tn_x86_mem m);
void tn_x86_pop(struct tn_codebuf *b, uint8_t r);
void tn_x86_pop_m(struct tn_codebuf *b, struct tn_x86_mem m);
void tn_x86_leave(struct tn_codebuf *b);
void tn_x86_ret(struct tn_codebuf *b);
void tn_x86_jmp_r(struct tn_codebuf *b, uint8_t r);
void tn_x86_call_r(struct tn_codebuf *b, uint8_t r);
void tn_x86_rep_stosq(struct tn_codebuf *b);

/* Between general and vector registers: movd/movq, by `w`. */
void tn_x86_movq_xr(struct tn_codebuf *b, bool w, uint8_t xmm, uint8_t r);
void tn_x86_movq_rx(struct tn_codebuf *b, bool w, uint8_t r, uint8_t xmm);
/* SSE2: all four words of dst = word 0 of src. */
void tn_x86_pshufd_0(struct tn_codebuf *b, uint8_t dst, uint8_t src);
/* Each byte all ones where it equals that in memory, which is aligned to 16, else 0. */
void tn_x86_pcmpeqb_m(struct tn_codebuf *b, uint8_t xmm, struct tn_x86_mem m);
/* r = the top bits of the 16 bytes. */
void tn_x86_pmovmskb(struct tn_codebuf *b, uint8_t r, uint8_t xmm);
/* The number of the lowest bit set of src, which is not 0. */
void tn_x86_tzcnt(struct tn_codebuf *b, uint8_t dst, uint8_t src);
void tn_x86_prefetch(struct tn_codebuf *b, struct tn_x86_mem m);

/*
 * Jumps of less than 128 bytes inside the code of one instruction, with no item between: returns
 * where the distance goes, for tn_x86_here(). tn_x86_back() jumps to a known place.
 */
uint32_t tn_x86_jcc8(struct tn_codebuf *b, uint8_t cc);
uint32_t tn_x86_jmp8(struct tn_codebuf *b);
void tn_x86_here(struct tn_codebuf *b, uint32_t at);
void tn_x86_back(struct tn_codebuf *b, uint8_t cc, uint32_t to);

#endif
