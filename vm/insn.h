/* SPDX-License-Identifier: MIT */
/*
 * One eBPF instruction (RFC 9669, section 3), its fields, and what opcodes.def says about it. The
 * constants carry our own names because Debian 12's linux/bpf.h stops at 6.1.
 */
#ifndef TN_VM_INSN_H
#define TN_VM_INSN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tn_insn {
	uint8_t code;
	uint8_t dst : 4;
	uint8_t src : 4;
	int16_t off;
	int32_t imm;
};
_Static_assert(sizeof(struct tn_insn) == 8, "an instruction is 8 bytes");

/* RFC 9669 3.1: classes */
enum { TN_LD, TN_LDX, TN_ST, TN_STX, TN_ALU, TN_JMP, TN_JMP32, TN_ALU64 };
#define TN_CLASS(code) ((code)&0x07)
#define TN_SRC(code)   ((code)&0x08) /* 0: K (imm), 8: X (register) */
#define TN_OP(code)    ((code)&0xf0)
#define TN_SIZE(code)  ((code)&0x18)
#define TN_MODE(code)  ((code)&0xe0)
#define TN_K	       0x00
#define TN_X	       0x08

/* Arithmetic, section 4.1 */
#define TN_ADD	0x00
#define TN_SUB	0x10
#define TN_MUL	0x20
#define TN_DIV	0x30
#define TN_OR	0x40
#define TN_AND	0x50
#define TN_LSH	0x60
#define TN_RSH	0x70
#define TN_NEG	0x80
#define TN_MOD	0x90
#define TN_XOR	0xa0
#define TN_MOV	0xb0
#define TN_ARSH 0xc0
#define TN_END	0xd0

/* Jumps, section 4.3 */
#define TN_JA	 0x00
#define TN_JEQ	 0x10
#define TN_JGT	 0x20
#define TN_JGE	 0x30
#define TN_JSET	 0x40
#define TN_JNE	 0x50
#define TN_JSGT	 0x60
#define TN_JSGE	 0x70
#define TN_CALL	 0x80
#define TN_EXIT	 0x90
#define TN_JLT	 0xa0
#define TN_JLE	 0xb0
#define TN_JSLT	 0xc0
#define TN_JSLE	 0xd0
#define TN_JCOND 0xe0 /* may_goto: imm 0, src 0 */

/* Sizes and modes, section 5 */
#define TN_W	 0x00
#define TN_H	 0x08
#define TN_B	 0x10
#define TN_DW	 0x18
#define TN_IMM	 0x00
#define TN_ABS	 0x20
#define TN_IND	 0x40
#define TN_MEM	 0x60
#define TN_MEMSX 0x80
/* As TN_MEM through an arena pointer; vm/rewrite.c makes it, and no file may contain it. */
#define TN_MEM_ARENA 0xa0
/* Likewise: as TN_MEM and TN_MEMSX in loads, 0 where no memory is. */
#define TN_MEM_PROBE   0x20
#define TN_MEMSX_PROBE 0x40
#define TN_ATOMIC      0xc0

/* addr_space_cast: a 64-bit move with off 1. What it becomes stands in vm/rewrite.c. */
#define TN_CAST_OFF	   1
#define TN_CAST_TO_ARENA   1 /* imm */
#define TN_CAST_FROM_ARENA 0x10000

/* Atomic operations in imm, section 5.3; the last two are newer than the RFC */
#define TN_FETCH     0x01
#define TN_XCHG	     (0xe0 | TN_FETCH)
#define TN_CMPXCHG   (0xf0 | TN_FETCH)
#define TN_LOAD_ACQ  0x100
#define TN_STORE_REL 0x110

/* src of CALL */
#define TN_CALL_HELPER 0 /* imm: helper number */
#define TN_CALL_LOCAL  1 /* imm: offset in instructions, from the next one */
#define TN_CALL_EXTERN 2 /* imm: index into tn_prog.externs */

/* src of lddw, section 5.4 */
#define TN_LDDW_IMM	  0
#define TN_LDDW_MAP	  1 /* imm: index into tn_prog.maps */
#define TN_LDDW_MAP_VALUE 2 /* the same; the second imm is the offset in the value */
#define TN_LDDW_BTF_ID	  3 /* extern variable or function: imm: index into tn_prog.externs */
#define TN_LDDW_FUNC	  4 /* imm: offset in instructions, as CALL_LOCAL */
/* As MAP and MAP_VALUE; raw bytecode alone, which becomes those when it is taken. */
#define TN_LDDW_MAP_IDX	      5
#define TN_LDDW_MAP_IDX_VALUE 6

enum { TN_R0, TN_R1, TN_R2, TN_R3, TN_R4, TN_R5, TN_R6, TN_R7, TN_R8, TN_R9, TN_R10, TN_NR_REGS };

static inline bool tn_insn_is_lddw(const struct tn_insn *insn)
{
	return insn->code == (TN_LD | TN_IMM | TN_DW);
}

/* The value of an lddw: two instructions. */
static inline uint64_t tn_insn_imm64(const struct tn_insn *insn)
{
	return (uint32_t)insn[0].imm | (uint64_t)(uint32_t)insn[1].imm << 32;
}

static inline void tn_insn_set_imm64(struct tn_insn *insn, uint64_t value)
{
	insn[0].imm = (int32_t)(uint32_t)value;
	insn[1].imm = (int32_t)(uint32_t)(value >> 32);
}

/* Bytes moved by a load or store: 1, 2, 4 or 8. */
static inline uint32_t tn_insn_bytes(uint8_t code)
{
	static const uint8_t bytes[4] = { 4, 2, 1, 8 };

	return bytes[TN_SIZE(code) >> 3];
}

/* Is this a jump with a target inside the program (not CALL, EXIT)? */
static inline bool tn_insn_is_jump(const struct tn_insn *insn)
{
	uint8_t cls = TN_CLASS(insn->code), op = TN_OP(insn->code);

	return (cls == TN_JMP || cls == TN_JMP32) && op != TN_CALL && op != TN_EXIT;
}

/* Unconditional: JA with off, or JMP32 JA (gotol) with imm. */
static inline bool tn_insn_is_ja(const struct tn_insn *insn)
{
	return insn->code == (TN_JMP | TN_JA) || insn->code == (TN_JMP32 | TN_JA);
}

/* The distance of a jump, relative to the next instruction. */
static inline int32_t tn_insn_jump_off(const struct tn_insn *insn)
{
	return insn->code == (TN_JMP32 | TN_JA) ? insn->imm : insn->off;
}

/*
 * What opcodes.def says: one row per (code, src, off, imm) form. Returns NULL for an encoding that
 * is not an instruction (unknown opcode, reserved field not zero).
 */
enum tn_opcode_group {
	TN_GROUP_BASE32,
	TN_GROUP_BASE64,
	TN_GROUP_DIVMUL32,
	TN_GROUP_DIVMUL64,
	TN_GROUP_ATOMIC32,
	TN_GROUP_ATOMIC64,
	TN_GROUP_PACKET,
	TN_GROUP_NEWER,
};

/* What a register field of a form holds: a reserved value below TN_OPND_READ, else a register. */
#define TN_OPND_READ  16
#define TN_OPND_WRITE 17	/* written, perhaps read too: never r10 */
#define TN_OPND_ANY   INT32_MAX /* off, imm: no constraint */

struct tn_opcode {
	const char *name; /* "add64_imm" */
	const char *text; /* how the disassembler writes it, see opcodes.def */
	uint8_t code;
	uint8_t group;	  /* enum tn_opcode_group */
	uint8_t dst, src; /* TN_OPND_... */
	int32_t off, imm;
};
const struct tn_opcode *tn_insn_lookup(const struct tn_insn *insn);
/* Every row, in the order of opcodes.def. */
extern const struct tn_opcode tn_opcodes[];
extern const uint32_t tn_nr_opcodes;

/*
 * Check the encoding of a whole program: every instruction known, reserved fields zero, registers
 * at most r10 and r10 never written, jump targets inside and not in the middle of an lddw, calls
 * well formed, the end not fallen through. Words name the instruction. 0 or -EINVAL. Needs no
 * subprogram table: local calls are checked for range only.
 */
int tn_insns_check(const struct tn_insn *insns, uint32_t nr);
/* The same, but r10 may be written: for the verifier, which refuses that where a path comes there.
 */
int tn_insns_check_form(const struct tn_insn *insns, uint32_t nr);
bool tn_insn_writes_r10(const struct tn_insn *insn);

#endif
