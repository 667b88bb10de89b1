/* SPDX-License-Identifier: MIT */
/* x86-64 encoder. Prefix order and ModRM forms: Intel SDM volume 2, chapter 2. */
#include "jit/x86_64/asm.h"

#define REX   0x40
#define REX_W 0x08
#define REX_R 0x04
#define REX_X 0x02
#define REX_B 0x01

static bool is_imm8(int32_t v)
{
	return v == (int8_t)v;
}

/* In these registers the low byte can only be named with a REX prefix: else it is ah, ch, dh, bh.
 */
static bool needs_rex8(uint8_t r)
{
	return r >= RSP && r <= RDI;
}

/* Opcodes of two and three bytes are written 0x0fXX and 0x0f38XX. */
static void put_opcode(struct tn_codebuf *b, uint32_t opcode)
{
	if (opcode > 0xffff)
		tn_put8(b, (uint8_t)(opcode >> 16));
	if (opcode > 0xff)
		tn_put8(b, (uint8_t)(opcode >> 8));
	tn_put8(b, (uint8_t)opcode);
}

/* Register to register: `reg` is ModRM.reg (or an /ext), `rm` ModRM.rm. */
static void put_rr_rex(struct tn_codebuf *b, uint8_t rex, uint32_t opcode, uint8_t reg, uint8_t rm)
{
	rex |= (uint8_t)((reg & 8 ? REX_R : 0) | (rm & 8 ? REX_B : 0));
	if (rex)
		tn_put8(b, (uint8_t)(REX | rex));
	put_opcode(b, opcode);
	tn_put8(b, (uint8_t)(0xc0 | (reg & 7) << 3 | (rm & 7)));
}

static void put_rr(struct tn_codebuf *b, bool w, uint32_t opcode, uint8_t reg, uint8_t rm)
{
	put_rr_rex(b, w ? REX_W : 0, opcode, reg, rm);
}

/* ModRM, SIB and displacement of a memory operand (SDM 2.1.5, tables 2-2 and 2-3). */
static void put_modrm_mem(struct tn_codebuf *b, uint8_t reg, struct tn_x86_mem m)
{
	uint8_t mod = 0x80, base = m.base & 7, field = (uint8_t)((reg & 7) << 3);

	if (m.base == TN_X86_NO_REG) {
		/* No base: mod 0 with base 5 in the SIB means a 32-bit displacement. */
		tn_put8(b, (uint8_t)(field | RSP));
		tn_put8(b, (uint8_t)(m.scale << 6 | (m.index & 7) << 3 | RBP));
		tn_put32(b, (uint32_t)m.disp);
		return;
	}
	if (m.disp == 0 && base != RBP)
		mod = 0;
	else if (is_imm8(m.disp))
		mod = 0x40;
	if (m.index != TN_X86_NO_REG) {
		tn_put8(b, (uint8_t)(mod | field | RSP));
		tn_put8(b, (uint8_t)(m.scale << 6 | (m.index & 7) << 3 | base));
	} else if (base == RSP) {
		tn_put8(b, (uint8_t)(mod | field | RSP));
		tn_put8(b, (uint8_t)(RSP << 3 | RSP));
	} else {
		tn_put8(b, (uint8_t)(mod | field | base));
	}
	if (mod == 0x40)
		tn_put8(b, (uint8_t)m.disp);
	else if (mod == 0x80)
		tn_put32(b, (uint32_t)m.disp);
}

/* `force`: a REX prefix even when empty, for byte registers. */
static void put_rm(struct tn_codebuf *b, bool w, bool force, uint32_t opcode, uint8_t reg,
		   struct tn_x86_mem m)
{
	uint8_t rex = (uint8_t)((w ? REX_W : 0) | (reg & 8 ? REX_R : 0));

	if (m.base != TN_X86_NO_REG && m.base & 8)
		rex |= REX_B;
	if (m.index != TN_X86_NO_REG && m.index & 8)
		rex |= REX_X;
	if (rex || force)
		tn_put8(b, (uint8_t)(REX | rex));
	put_opcode(b, opcode);
	put_modrm_mem(b, reg, m);
}

/* The same for 1, 2, 4 or 8 bytes: `opcode` is the form of 2 to 8, one less that of 1. */
static void put_rm_sized(struct tn_codebuf *b, uint8_t bytes, uint32_t opcode, uint8_t reg,
			 struct tn_x86_mem m)
{
	if (bytes == 2)
		tn_put8(b, 0x66);
	put_rm(b, bytes == 8, bytes == 1 && needs_rex8(reg), bytes == 1 ? opcode - 1 : opcode, reg,
	       m);
}

/* VEX with three bytes (SDM 2.3.5); map 2 is 0f38, 3 is 0f3a; pp 1 is 66, 2 f3, 3 f2. */
static void put_vex(struct tn_codebuf *b, bool w, uint8_t map, uint8_t pp, uint8_t opcode,
		    uint8_t reg, uint8_t vvvv, uint8_t rm)
{
	tn_put8(b, 0xc4);
	tn_put8(b, (uint8_t)((reg & 8 ? 0 : 0x80) | 0x40 | (rm & 8 ? 0 : 0x20) | map));
	tn_put8(b, (uint8_t)((w ? 0x80 : 0) | (~vvvv & 15) << 3 | pp));
	tn_put8(b, opcode);
	tn_put8(b, (uint8_t)(0xc0 | (reg & 7) << 3 | (rm & 7)));
}

void tn_x86_mov_rr(struct tn_codebuf *b, bool w, uint8_t dst, uint8_t src)
{
	put_rr(b, w, 0x89, src, dst);
}

void tn_x86_mov_ri(struct tn_codebuf *b, uint8_t dst, uint64_t imm)
{
	if (imm == 0) {
		tn_x86_alu_rr(b, X86_XOR, false, dst, dst);
	} else if (imm <= UINT32_MAX) {
		if (dst & 8)
			tn_put8(b, REX | REX_B);
		tn_put8(b, (uint8_t)(0xb8 | (dst & 7)));
		tn_put32(b, (uint32_t)imm);
	} else if ((int64_t)imm == (int32_t)imm) {
		put_rr(b, true, 0xc7, 0, dst);
		tn_put32(b, (uint32_t)imm);
	} else {
		tn_put8(b, (uint8_t)(REX | REX_W | (dst & 8 ? REX_B : 0)));
		tn_put8(b, (uint8_t)(0xb8 | (dst & 7)));
		tn_put64(b, imm);
	}
}

void tn_x86_alu_rr(struct tn_codebuf *b, enum tn_x86_alu op, bool w, uint8_t dst, uint8_t src)
{
	put_rr(b, w, (uint32_t)op << 3 | 1, src, dst);
}

void tn_x86_alu_ri(struct tn_codebuf *b, enum tn_x86_alu op, bool w, uint8_t dst, int32_t imm)
{
	if (is_imm8(imm)) {
		put_rr(b, w, 0x83, (uint8_t)op, dst);
		tn_put8(b, (uint8_t)imm);
		return;
	}
	if (dst == RAX) {
		if (w)
			tn_put8(b, REX | REX_W);
		tn_put8(b, (uint8_t)(op << 3 | 5));
	} else {
		put_rr(b, w, 0x81, (uint8_t)op, dst);
	}
	tn_put32(b, (uint32_t)imm);
}

void tn_x86_alu_mi(struct tn_codebuf *b, enum tn_x86_alu op, uint8_t bytes, struct tn_x86_mem m,
		   int32_t imm)
{
	if (bytes == 2)
		tn_put8(b, 0x66);
	if (bytes == 1 || is_imm8(imm)) {
		put_rm(b, bytes == 8, false, bytes == 1 ? 0x80 : 0x83, (uint8_t)op, m);
		tn_put8(b, (uint8_t)imm);
		return;
	}
	put_rm(b, bytes == 8, false, 0x81, (uint8_t)op, m);
	if (bytes == 2)
		tn_put16(b, (uint16_t)imm);
	else
		tn_put32(b, (uint32_t)imm);
}

void tn_x86_alu_rm(struct tn_codebuf *b, enum tn_x86_alu op, bool w, uint8_t dst,
		   struct tn_x86_mem m)
{
	put_rm(b, w, false, (uint32_t)op << 3 | 3, dst, m);
}

void tn_x86_test_rr(struct tn_codebuf *b, bool w, uint8_t r, uint8_t s)
{
	put_rr(b, w, 0x85, s, r);
}

void tn_x86_test_ri(struct tn_codebuf *b, bool w, uint8_t r, int32_t imm)
{
	/* A mask of the low seven bits: the sign bit of the byte stays out of it, so that the flags
	 * are the same. */
	if (imm >= 0 && imm <= 0x7f) {
		if (r == RAX)
			tn_put8(b, 0xa8);
		else
			put_rr_rex(b, needs_rex8(r) ? REX : 0, 0xf6, 0, r);
		tn_put8(b, (uint8_t)imm);
		return;
	}
	put_rr(b, w && imm < 0, 0xf7, 0, r);
	tn_put32(b, (uint32_t)imm);
}

void tn_x86_unary(struct tn_codebuf *b, enum tn_x86_unary op, bool w, uint8_t r)
{
	put_rr(b, w, 0xf7, (uint8_t)op, r);
}

void tn_x86_cqo(struct tn_codebuf *b, bool w)
{
	if (w)
		tn_put8(b, REX | REX_W);
	tn_put8(b, 0x99);
}

void tn_x86_imul_rr(struct tn_codebuf *b, bool w, uint8_t dst, uint8_t src)
{
	put_rr(b, w, 0x0faf, dst, src);
}

void tn_x86_imul_rri(struct tn_codebuf *b, bool w, uint8_t dst, uint8_t src, int32_t imm)
{
	put_rr(b, w, is_imm8(imm) ? 0x6b : 0x69, dst, src);
	if (is_imm8(imm))
		tn_put8(b, (uint8_t)imm);
	else
		tn_put32(b, (uint32_t)imm);
}

void tn_x86_shift_ri(struct tn_codebuf *b, enum tn_x86_shift op, bool w, uint8_t r, uint8_t imm)
{
	put_rr(b, w, imm == 1 ? 0xd1 : 0xc1, (uint8_t)op, r);
	if (imm != 1)
		tn_put8(b, imm);
}

void tn_x86_shift_cl(struct tn_codebuf *b, enum tn_x86_shift op, bool w, uint8_t r)
{
	put_rr(b, w, 0xd3, (uint8_t)op, r);
}

void tn_x86_rol16_ri(struct tn_codebuf *b, uint8_t r, uint8_t imm)
{
	tn_put8(b, 0x66);
	put_rr(b, false, 0xc1, X86_ROL, r);
	tn_put8(b, imm);
}

void tn_x86_shiftx(struct tn_codebuf *b, enum tn_x86_shift op, bool w, uint8_t dst, uint8_t src,
		   uint8_t count)
{
	/* shlx: 66, sarx: f3, shrx: f2 */
	uint8_t pp = op == X86_SHL ? 1 : op == X86_SAR ? 2 : 3;

	put_vex(b, w, 2, pp, 0xf7, dst, count, src);
}

void tn_x86_rorx(struct tn_codebuf *b, bool w, uint8_t dst, uint8_t src, uint8_t imm)
{
	put_vex(b, w, 3, 3, 0xf0, dst, 0, src);
	tn_put8(b, imm);
}

void tn_x86_mulx_high(struct tn_codebuf *b, bool w, uint8_t dst, uint8_t src)
{
	/* Where both destinations are one register, it gets the upper half. */
	put_vex(b, w, 2, 3, 0xf6, dst, dst, src);
}

void tn_x86_bswap(struct tn_codebuf *b, bool w, uint8_t r)
{
	if (w || r & 8)
		tn_put8(b, (uint8_t)(REX | (w ? REX_W : 0) | (r & 8 ? REX_B : 0)));
	tn_put8(b, 0x0f);
	tn_put8(b, (uint8_t)(0xc8 | (r & 7)));
}

void tn_x86_movzx_rr(struct tn_codebuf *b, uint8_t bytes, uint8_t dst, uint8_t src)
{
	if (bytes == 4)
		tn_x86_mov_rr(b, false, dst, src);
	else if (bytes == 2)
		put_rr(b, false, 0x0fb7, dst, src);
	else
		put_rr_rex(b, needs_rex8(src) ? REX : 0, 0x0fb6, dst, src);
}

void tn_x86_movsx_rr(struct tn_codebuf *b, bool w, uint8_t bytes, uint8_t dst, uint8_t src)
{
	if (bytes == 4)
		put_rr(b, w, w ? 0x63 : 0x8b, dst, src);
	else if (bytes == 2)
		put_rr(b, w, 0x0fbf, dst, src);
	else
		put_rr_rex(b, (uint8_t)((w ? REX_W : 0) | (needs_rex8(src) ? REX : 0)), 0x0fbe, dst,
			   src);
}

void tn_x86_lea(struct tn_codebuf *b, bool w, uint8_t dst, struct tn_x86_mem m)
{
	put_rm(b, w, false, 0x8d, dst, m);
}

void tn_x86_setcc(struct tn_codebuf *b, uint8_t cc, uint8_t r)
{
	put_rr_rex(b, needs_rex8(r) ? REX : 0, 0x0f90u | cc, 0, r);
}

void tn_x86_cmov(struct tn_codebuf *b, bool w, uint8_t cc, uint8_t dst, uint8_t src)
{
	put_rr(b, w, 0x0f40u | cc, dst, src);
}

void tn_x86_load(struct tn_codebuf *b, uint8_t bytes, uint8_t dst, struct tn_x86_mem m)
{
	if (bytes >= 4)
		put_rm(b, bytes == 8, false, 0x8b, dst, m);
	else
		put_rm(b, false, false, bytes == 2 ? 0x0fb7 : 0x0fb6, dst, m);
}

void tn_x86_load_sx(struct tn_codebuf *b, uint8_t bytes, uint8_t dst, struct tn_x86_mem m)
{
	put_rm(b, true, false, bytes == 4 ? 0x63 : bytes == 2 ? 0x0fbf : 0x0fbe, dst, m);
}

void tn_x86_store(struct tn_codebuf *b, uint8_t bytes, struct tn_x86_mem m, uint8_t src)
{
	put_rm_sized(b, bytes, 0x89, src, m);
}

void tn_x86_store_i(struct tn_codebuf *b, uint8_t bytes, struct tn_x86_mem m, int32_t imm)
{
	put_rm_sized(b, bytes, 0xc7, 0, m);
	if (bytes == 1)
		tn_put8(b, (uint8_t)imm);
	else if (bytes == 2)
		tn_put16(b, (uint16_t)imm);
	else
		tn_put32(b, (uint32_t)imm);
}

static void movbe(struct tn_codebuf *b, uint32_t opcode, uint8_t bytes, uint8_t reg,
		  struct tn_x86_mem m)
{
	if (bytes == 2)
		tn_put8(b, 0x66);
	put_rm(b, bytes == 8, false, opcode, reg, m);
}

void tn_x86_movbe_load(struct tn_codebuf *b, uint8_t bytes, uint8_t dst, struct tn_x86_mem m)
{
	movbe(b, 0x0f38f0, bytes, dst, m);
}

void tn_x86_movbe_store(struct tn_codebuf *b, uint8_t bytes, struct tn_x86_mem m, uint8_t src)
{
	movbe(b, 0x0f38f1, bytes, src, m);
}

void tn_x86_lock_alu(struct tn_codebuf *b, enum tn_x86_alu op, bool w, struct tn_x86_mem m,
		     uint8_t src)
{
	tn_put8(b, 0xf0);
	put_rm(b, w, false, (uint32_t)op << 3 | 1, src, m);
}

void tn_x86_lock_xadd(struct tn_codebuf *b, bool w, struct tn_x86_mem m, uint8_t src)
{
	tn_put8(b, 0xf0);
	put_rm(b, w, false, 0x0fc1, src, m);
}

void tn_x86_xchg(struct tn_codebuf *b, bool w, struct tn_x86_mem m, uint8_t src)
{
	/* With memory it locks by itself. */
	put_rm(b, w, false, 0x87, src, m);
}

void tn_x86_lock_cmpxchg(struct tn_codebuf *b, bool w, struct tn_x86_mem m, uint8_t src)
{
	tn_put8(b, 0xf0);
	put_rm(b, w, false, 0x0fb1, src, m);
}

void tn_x86_push(struct tn_codebuf *b, uint8_t r)
{
	if (r & 8)
		tn_put8(b, REX | REX_B);
	tn_put8(b, (uint8_t)(0x50 | (r & 7)));
}

void tn_x86_push_m(struct tn_codebuf *b, struct tn_x86_mem m)
{
	put_rm(b, false, false, 0xff, 6, m);
}

void tn_x86_pop(struct tn_codebuf *b, uint8_t r)
{
	if (r & 8)
		tn_put8(b, REX | REX_B);
	tn_put8(b, (uint8_t)(0x58 | (r & 7)));
}

void tn_x86_pop_m(struct tn_codebuf *b, struct tn_x86_mem m)
{
	put_rm(b, false, false, 0x8f, 0, m);
}

void tn_x86_leave(struct tn_codebuf *b)
{
	tn_put8(b, 0xc9);
}

void tn_x86_ret(struct tn_codebuf *b)
{
	tn_put8(b, 0xc3);
}

void tn_x86_jmp_r(struct tn_codebuf *b, uint8_t r)
{
	put_rr(b, false, 0xff, 4, r);
}

void tn_x86_call_r(struct tn_codebuf *b, uint8_t r)
{
	put_rr(b, false, 0xff, 2, r);
}

void tn_x86_rep_stosq(struct tn_codebuf *b)
{
	tn_put8(b, 0xf3);
	tn_put8(b, REX | REX_W);
	tn_put8(b, 0xab);
}

void tn_x86_movq_xr(struct tn_codebuf *b, bool w, uint8_t xmm, uint8_t r)
{
	tn_put8(b, 0x66);
	put_rr(b, w, 0x0f6e, xmm, r);
}

void tn_x86_movq_rx(struct tn_codebuf *b, bool w, uint8_t r, uint8_t xmm)
{
	tn_put8(b, 0x66);
	put_rr(b, w, 0x0f7e, xmm, r);
}

void tn_x86_pshufd_0(struct tn_codebuf *b, uint8_t dst, uint8_t src)
{
	tn_put8(b, 0x66);
	put_rr(b, false, 0x0f70, dst, src);
	tn_put8(b, 0);
}

void tn_x86_pcmpeqb_m(struct tn_codebuf *b, uint8_t xmm, struct tn_x86_mem m)
{
	tn_put8(b, 0x66);
	put_rm(b, false, false, 0x0f74, xmm, m);
}

void tn_x86_pmovmskb(struct tn_codebuf *b, uint8_t r, uint8_t xmm)
{
	tn_put8(b, 0x66);
	put_rr(b, false, 0x0fd7, r, xmm);
}

/* Machines without BMI1 read this as bsf, which differs for 0 alone. */
void tn_x86_tzcnt(struct tn_codebuf *b, uint8_t dst, uint8_t src)
{
	tn_put8(b, 0xf3);
	put_rr(b, false, 0x0fbc, dst, src);
}

void tn_x86_prefetch(struct tn_codebuf *b, struct tn_x86_mem m)
{
	put_rm(b, false, false, 0x0f18, 1, m);
}

uint32_t tn_x86_jcc8(struct tn_codebuf *b, uint8_t cc)
{
	tn_put8(b, (uint8_t)(0x70 | cc));
	tn_put8(b, 0);
	return b->len - 1;
}

uint32_t tn_x86_jmp8(struct tn_codebuf *b)
{
	tn_put8(b, 0xeb);
	tn_put8(b, 0);
	return b->len - 1;
}

void tn_x86_here(struct tn_codebuf *b, uint32_t at)
{
	uint32_t distance = b->len - (at + 1);

	tn_assert(distance < 128);
	b->bytes[at] = (uint8_t)distance;
}

void tn_x86_back(struct tn_codebuf *b, uint8_t cc, uint32_t to)
{
	uint32_t distance = b->len + 2 - to;

	tn_assert(distance <= 128);
	tn_put8(b, (uint8_t)(0x70 | cc));
	tn_put8(b, (uint8_t)-distance);
}

/* ---- Items (jit/code.h) ---- */

uint32_t tn_machine_item_bytes(const struct tn_item *item, int64_t distance, bool shortest)
{
	bool is_short = shortest || (distance - 2 >= INT8_MIN && distance - 2 <= INT8_MAX);

	switch (item->kind) {
	case TN_ITEM_JMP:
		return is_short ? 2 : 5;
	case TN_ITEM_JCC:
		return is_short ? 2 : 6;
	case TN_ITEM_CALL:
		return 5;
	case TN_ITEM_EXTERN:
		return 6;
	default:
		return 0;
	}
}

static void store32(uint8_t *at, int64_t v)
{
	int32_t v32 = (int32_t)v;

	tn_assert(v == v32);
	memcpy(at, &v32, 4);
}

void tn_machine_put_item(const struct tn_item *item, uint8_t *at, int64_t distance)
{
	int64_t rel = distance - item->bytes;

	if (item->bytes == 2) {
		tn_assert(rel == (int8_t)rel);
		at[0] = item->kind == TN_ITEM_JMP ? 0xeb : (uint8_t)(0x70 | item->cc);
		at[1] = (uint8_t)rel;
	} else if (item->kind == TN_ITEM_JCC) {
		at[0] = 0x0f;
		at[1] = (uint8_t)(0x80 | item->cc);
		store32(at + 2, rel);
	} else {
		at[0] = item->kind == TN_ITEM_JMP ? 0xe9 : 0xe8;
		store32(at + 1, rel);
	}
}

/* Both forms take six bytes, so that the choice moves nothing: a call with an idle prefix, and a
 * call through memory. */
void tn_machine_put_extern(uint8_t *at, const void *fn, const uint8_t *pool)
{
	int64_t rel = (int64_t)((uintptr_t)fn - (uintptr_t)(at + 6));

	if (rel == (int32_t)rel) {
		at[0] = 0x67;
		at[1] = 0xe8;
		store32(at + 2, rel);
	} else {
		at[0] = 0xff;
		at[1] = 0x15;
		store32(at + 2, pool - (at + 6));
	}
}

/* Multi-byte nops as the optimisation manuals recommend them: at most nine bytes each. */
void tn_machine_put_padding(uint8_t *at, uint32_t bytes)
{
	static const uint8_t nops[9][9] = {
		{ 0x90 },
		{ 0x66, 0x90 },
		{ 0x0f, 0x1f, 0x00 },
		{ 0x0f, 0x1f, 0x40, 0x00 },
		{ 0x0f, 0x1f, 0x44, 0x00, 0x00 },
		{ 0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00 },
		{ 0x0f, 0x1f, 0x80, 0x00, 0x00, 0x00, 0x00 },
		{ 0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00 },
		{ 0x66, 0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00 },
	};

	while (bytes) {
		uint32_t n = TN_MIN(bytes, 9u);

		memcpy(at, nops[n - 1], n);
		at += n;
		bytes -= n;
	}
}
