/* SPDX-License-Identifier: MIT */
/*
 * The interpreter: one label per opcode, reached by a computed goto on the code byte. The table of
 * labels is made from opcodes.def, so a new row without a label here does not compile. Forms that
 * share a code (signed division, sign-extending moves, atomic operations) are told apart inside
 * their label.
 *
 * A call of a subprogram is a C call of run(): the frame of the BPF function lies in the C frame.
 * It runs proved programs (or, in the conformance adapter, trusted ones) and checks nothing.
 */
#include "vm/interp.h"

#include <alloca.h>
#include <errno.h>
#include <string.h>

#include "base/atomic.h"
#include "base/compiler.h"
#include "maps/arena.h"
#include "vm/helpers.h"
#include "vm/image.h"
#include "vm/probe.h"
#include "vm/trace.h"

#define DEFAULT_FRAME_BYTES 512

/* What a program does to memory that it shares is the program's business: ThreadSanitizer is to
 * look at the host. */
#if TN_TSAN
#define PLUGIN_ACCESS __attribute__((no_sanitize("thread")))
#else
#define PLUGIN_ACCESS
#endif

/* ---- Arithmetic that C leaves open. RFC 9669 4.1: division by zero gives 0, its remainder is the
 * dividend; the overflow of signed division wraps. ---- */

static inline uint64_t div64(uint64_t a, uint64_t b)
{
	return b ? a / b : 0;
}

static inline uint64_t mod64(uint64_t a, uint64_t b)
{
	return b ? a % b : a;
}

static inline uint64_t sdiv64(uint64_t a, uint64_t b)
{
	if (b == 0)
		return 0;
	return b == UINT64_MAX ? 0 - a : (uint64_t)((int64_t)a / (int64_t)b);
}

static inline uint64_t smod64(uint64_t a, uint64_t b)
{
	if (b == 0)
		return a;
	return b == UINT64_MAX ? 0 : (uint64_t)((int64_t)a % (int64_t)b);
}

static inline uint32_t div32(uint32_t a, uint32_t b)
{
	return b ? a / b : 0;
}

static inline uint32_t mod32(uint32_t a, uint32_t b)
{
	return b ? a % b : a;
}

static inline uint32_t sdiv32(uint32_t a, uint32_t b)
{
	if (b == 0)
		return 0;
	return b == UINT32_MAX ? 0 - a : (uint32_t)((int32_t)a / (int32_t)b);
}

static inline uint32_t smod32(uint32_t a, uint32_t b)
{
	if (b == 0)
		return a;
	return b == UINT32_MAX ? 0 : (uint32_t)((int32_t)a % (int32_t)b);
}

static inline uint64_t sign_extend(uint64_t value, int16_t bits)
{
	if (bits == 8)
		return (uint64_t)(int8_t)value;
	return bits == 16 ? (uint64_t)(int16_t)value : (uint64_t)(int32_t)value;
}

static uint64_t swap_bytes(uint64_t value, int32_t bits)
{
	if (bits == 16)
		return __builtin_bswap16((uint16_t)value);
	return bits == 32 ? __builtin_bswap32((uint32_t)value) : __builtin_bswap64(value);
}

static uint64_t truncate(uint64_t value, int32_t bits)
{
	if (bits == 16)
		return (uint16_t)value;
	return bits == 32 ? (uint32_t)value : value;
}

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define to_le truncate
#define to_be swap_bytes
#else
#define to_le swap_bytes
#define to_be truncate
#endif

/* ---- Memory, not necessarily aligned ---- */

#define LOADER(name, type, result)                                            \
	PLUGIN_ACCESS static inline uint64_t name(uint64_t addr)              \
	{                                                                     \
		type value;                                                   \
                                                                              \
		memcpy(&value, (const void *)(uintptr_t)addr, sizeof(value)); \
		return (result)value;                                         \
	}
LOADER(load8, uint8_t, uint64_t)
LOADER(load16, uint16_t, uint64_t)
LOADER(load32, uint32_t, uint64_t)
LOADER(load64, uint64_t, uint64_t)
LOADER(load8s, int8_t, uint64_t)
LOADER(load16s, int16_t, uint64_t)
LOADER(load32s, int32_t, uint64_t)

#define STORER(name, type)                                                   \
	PLUGIN_ACCESS static inline void name(uint64_t addr, uint64_t value) \
	{                                                                    \
		type narrow = (type)value;                                   \
                                                                             \
		memcpy((void *)(uintptr_t)addr, &narrow, sizeof(narrow));    \
	}
STORER(store8, uint8_t)
STORER(store16, uint16_t)
STORER(store32, uint32_t)
STORER(store64, uint64_t)

/* ---- Arenas ---- */

static uint64_t cast_from_arena(uint64_t addr, uint32_t upper)
{
	return (uint32_t)addr ? (uint64_t)upper << 32 | (uint32_t)addr : 0;
}

/* Where no page is, a load gives 0 and a store does nothing. */
PLUGIN_ACCESS static void access_arena(const struct tn_prog *prog, const struct tn_insn *insn,
				       uint64_t *r)
{
	bool is_load = TN_CLASS(insn->code) == TN_LDX;
	uint64_t base = (uint32_t)r[is_load ? insn->src : insn->dst], value = 0;
	uint32_t bytes = tn_insn_bytes(insn->code);
	void *at = tn_arena_place(tn_arena_view(prog->arena), (int64_t)base + insn->off, bytes);

	if (is_load) {
		if (at)
			memcpy(&value, at, bytes);
		r[insn->dst] = value;
	} else if (at) {
		value = TN_CLASS(insn->code) == TN_ST ? (uint64_t)insn->imm : r[insn->src];
		memcpy(at, &value, bytes);
	}
}

/* ---- Untrusted pointers ---- */

static void load_probe(const struct tn_prog *prog, const struct tn_insn *insn, uint64_t *r)
{
	uint32_t bytes = tn_insn_bytes(insn->code);
	uint64_t v = tn_probe_load(prog->rt, r[insn->src] + (uint64_t)insn->off, bytes);

	if (TN_MODE(insn->code) == TN_MEMSX_PROBE)
		v = sign_extend(v, (int16_t)(bytes * 8));
	r[insn->dst] = v;
}

/* ---- Atomic operations, RFC 9669 5.3. Those of 4 and 8 bytes are told apart by imm; loads and
 * stores of all sizes come newer. ---- */

#define ATOMIC_LOAD_STORE(type)                                                               \
	case TN_LOAD_ACQ:                                                                     \
		r[insn->dst] = __atomic_load_n((type *)(uintptr_t)(r[insn->src] + off),       \
					       __ATOMIC_ACQUIRE);                             \
		return;                                                                       \
	case TN_STORE_REL:                                                                    \
		__atomic_store_n((type *)(uintptr_t)(r[insn->dst] + off), (type)r[insn->src], \
				 __ATOMIC_RELEASE);                                           \
		return;

#define ATOMIC_OP(op, builtin)                                       \
	case op:                                                     \
		builtin(at, value, __ATOMIC_SEQ_CST);                \
		return;                                              \
	case (op) | TN_FETCH:                                        \
		r[insn->src] = builtin(at, value, __ATOMIC_SEQ_CST); \
		return;

#define ATOMIC(name, type)                                                                         \
	PLUGIN_ACCESS static void name(const struct tn_insn *insn, uint64_t *r)                    \
	{                                                                                          \
		uint64_t off = (uint64_t)insn->off;                                                \
		type *at = (type *)(uintptr_t)(r[insn->dst] + off);                                \
		type value = (type)r[insn->src], expected = (type)r[TN_R0];                        \
                                                                                                   \
		switch (insn->imm) {                                                               \
			ATOMIC_OP(TN_ADD, __atomic_fetch_add)                                      \
			ATOMIC_OP(TN_OR, __atomic_fetch_or)                                        \
			ATOMIC_OP(TN_AND, __atomic_fetch_and)                                      \
			ATOMIC_OP(TN_XOR, __atomic_fetch_xor)                                      \
		case TN_XCHG:                                                                      \
			r[insn->src] = __atomic_exchange_n(at, value, __ATOMIC_SEQ_CST);           \
			return;                                                                    \
		case TN_CMPXCHG:                                                                   \
			__atomic_compare_exchange_n(at, &expected, value, false, __ATOMIC_SEQ_CST, \
						    __ATOMIC_SEQ_CST);                             \
			r[TN_R0] = expected;                                                       \
			return;                                                                    \
			ATOMIC_LOAD_STORE(type)                                                    \
		}                                                                                  \
	}
ATOMIC(atomic32, uint32_t)
ATOMIC(atomic64, uint64_t)

PLUGIN_ACCESS static void atomic8(const struct tn_insn *insn, uint64_t *r)
{
	uint64_t off = (uint64_t)insn->off;

	switch (insn->imm) {
		ATOMIC_LOAD_STORE(uint8_t)
	}
}

PLUGIN_ACCESS static void atomic16(const struct tn_insn *insn, uint64_t *r)
{
	uint64_t off = (uint64_t)insn->off;

	switch (insn->imm) {
		ATOMIC_LOAD_STORE(uint16_t)
	}
}

/* ---- Calls ---- */

static uint64_t call_helper(const struct tn_prog *prog, uint32_t pc, const uint64_t *r,
			    struct tn_exec *ex)
{
	const struct tn_helper *helper = tn_helper_by_id((uint32_t)prog->insns[pc].imm);

	if (!helper || !helper->fn) /* not proved: the adapter's programs alone */
		return (uint64_t)-EINVAL;
	if (helper->sig.flags & TN_SIG_CALLBACK)
		ex->callback_fuel = prog->facts ? prog->facts->insns[pc].fuel : 0;
	return helper->fn(r[1], r[2], r[3], r[4], r[5], ex);
}

static uint64_t call_extern(const struct tn_prog *prog, uint32_t index, const uint64_t *r,
			    struct tn_exec *ex)
{
	const struct tn_host_helper *helper = prog->externs[index].helper;
	uint64_t r0;

	if (!helper)
		return (uint64_t)-EINVAL;
	ex->can_abort = helper->sig.flags & TN_SIG_MAY_ABORT;
	r0 = helper->invoke(helper, r + 1, ex);
	ex->can_abort = 0;
	return r0;
}

/* What a variadic callee must not see. */
static TN_COLD void clear_regs(uint64_t *r, uint32_t regs)
{
	for (; regs; regs &= regs - 1)
		r[__builtin_ctz(regs)] = 0;
}

static const struct tn_sig *callee_sig(const struct tn_prog *prog, const struct tn_insn *insn)
{
	const struct tn_host_helper *host;
	const struct tn_helper *helper;

	if (insn->src == TN_CALL_EXTERN) {
		host = prog->externs[insn->imm].helper;
		return host ? &host->sig : NULL;
	}
	helper = tn_helper_by_id((uint32_t)insn->imm);
	return helper ? &helper->sig : NULL;
}

static TN_COLD void give_up_args(const struct tn_prog *prog, const struct tn_insn *insn,
				 const uint64_t *r, struct tn_exec *ex)
{
	const struct tn_sig *sig = callee_sig(prog, insn);

	if (sig)
		tn_held_drop_args(r + 1, ex, sig);
}

static TN_COLD void note_held(const struct tn_prog *prog, const struct tn_insn_fact *fact,
			      uint64_t r0, struct tn_exec *ex)
{
	tn_held_add((void *)(uintptr_t)r0, ex, prog->facts->releasers[fact->releaser]);
}

/* ---- Frames ---- */

static uint32_t frame_bytes(const struct tn_prog *prog, uint32_t subprog)
{
	if (prog->facts)
		return prog->facts->subprogs[subprog].stack_bytes;
	return prog->rt ? prog->rt->limits.frame_bytes : DEFAULT_FRAME_BYTES;
}

/* What a path may read before it wrote it; all of it where nothing was proved. */
static void clear_frame(const struct tn_prog *prog, uint32_t subprog, unsigned char *top)
{
	if (!prog->facts) {
		uint32_t bytes = frame_bytes(prog, subprog);

		memset(top - bytes, 0, bytes);
		return;
	}
	for (uint32_t word = 0; word < TN_SLOT_WORDS; word++) {
		uint64_t bits = prog->facts->subprogs[subprog].zero_slots[word];

		for (; bits; bits &= bits - 1) {
			uint32_t slot = word * 64 + (uint32_t)__builtin_ctzll(bits);

			memset(top - 8 * (slot + 1), 0, 8);
		}
	}
}

#define DST	  r[insn->dst]
#define SRC	  r[insn->src]
#define IMM	  ((uint64_t)insn->imm)
#define DST32	  ((uint32_t)DST)
#define SRC32	  ((uint32_t)SRC)
#define IMM32	  ((uint32_t)insn->imm)
#define SIGN(x)	  ((int64_t)(x))
#define SIGN32(x) ((int32_t)(x))
#define DST_ADDR  (DST + (uint64_t)insn->off)
#define SRC_ADDR  (SRC + (uint64_t)insn->off)

#define DISPATCH()                                                    \
	do {                                                          \
		TN_TRACE_STEP(prog, (uint32_t)(insn - insns), r, ex); \
		goto *labels[insn->code];                             \
	} while (0)
#define NEXT()              \
	do {                \
		insn++;     \
		DISPATCH(); \
	} while (0)

/* An operation on registers and immediates, in both widths: a is the destination, b the other. */
#define ALU(name, expr64, expr32)              \
	op_##name##64_imm:                     \
	{                                      \
		uint64_t a = DST, b = IMM;     \
		DST = (expr64);                \
		NEXT();                        \
	}                                      \
	op_##name##64_reg:                     \
	{                                      \
		uint64_t a = DST, b = SRC;     \
		DST = (expr64);                \
		NEXT();                        \
	}                                      \
	op_##name##32_imm:                     \
	{                                      \
		uint32_t a = DST32, b = IMM32; \
		DST = (uint32_t)(expr32);      \
		NEXT();                        \
	}                                      \
	op_##name##32_reg:                     \
	{                                      \
		uint32_t a = DST32, b = SRC32; \
		DST = (uint32_t)(expr32);      \
		NEXT();                        \
	}

/* Every taken jump passes here, so that the charge of its fact is never missed. */
#define TAKE(distance)                                            \
	do {                                                      \
		if (facts) {                                      \
			uint32_t fuel = facts[insn - insns].fuel; \
                                                                  \
			if (fuel && (ex->fuel -= fuel) < 0)       \
				goto out_of_fuel;                 \
		}                                                 \
		insn += 1 + (distance);                           \
		DISPATCH();                                       \
	} while (0)

#define JUMP(name, cast64, cast32, cmp)                                           \
	op_##name##_imm : if (cast64(DST) cmp cast64(IMM)) TAKE(insn->off);       \
	NEXT();                                                                   \
	op_##name##_reg : if (cast64(DST) cmp cast64(SRC)) TAKE(insn->off);       \
	NEXT();                                                                   \
	op_##name##32_imm : if (cast32(DST32) cmp cast32(IMM32)) TAKE(insn->off); \
	NEXT();                                                                   \
	op_##name##32_reg : if (cast32(DST32) cmp cast32(SRC32)) TAKE(insn->off); \
	NEXT();

PLUGIN_ACCESS static uint64_t run(const struct tn_prog *prog, uint32_t subprog,
				  const uint64_t args[5], struct tn_exec *ex)
{
	static const void *const labels[256] = {
#define TN_OPCODE(name, code, ...) [code] = &&op_##name,
#define TN_FORM(...)
#include "vm/opcodes.def"
		[TN_LDX | TN_MEM_ARENA | TN_B] = &&op_arena,
		[TN_LDX | TN_MEM_ARENA | TN_H] = &&op_arena,
		[TN_LDX | TN_MEM_ARENA | TN_W] = &&op_arena,
		[TN_LDX | TN_MEM_ARENA | TN_DW] = &&op_arena,
		[TN_LDX | TN_MEM_PROBE | TN_B] = &&op_probe,
		[TN_LDX | TN_MEM_PROBE | TN_H] = &&op_probe,
		[TN_LDX | TN_MEM_PROBE | TN_W] = &&op_probe,
		[TN_LDX | TN_MEM_PROBE | TN_DW] = &&op_probe,
		[TN_LDX | TN_MEMSX_PROBE | TN_B] = &&op_probe,
		[TN_LDX | TN_MEMSX_PROBE | TN_H] = &&op_probe,
		[TN_LDX | TN_MEMSX_PROBE | TN_W] = &&op_probe,
		[TN_ST | TN_MEM_ARENA | TN_B] = &&op_arena,
		[TN_ST | TN_MEM_ARENA | TN_H] = &&op_arena,
		[TN_ST | TN_MEM_ARENA | TN_W] = &&op_arena,
		[TN_ST | TN_MEM_ARENA | TN_DW] = &&op_arena,
		[TN_STX | TN_MEM_ARENA | TN_B] = &&op_arena,
		[TN_STX | TN_MEM_ARENA | TN_H] = &&op_arena,
		[TN_STX | TN_MEM_ARENA | TN_W] = &&op_arena,
		[TN_STX | TN_MEM_ARENA | TN_DW] = &&op_arena,
	};
	const struct tn_insn *insns, *insn;
	const struct tn_insn_fact *facts;
	uint32_t may_goto, stack_bytes, have_bytes = 0;
	/* r10 is no NULL where nothing lies below it either. */
	unsigned char empty[1], *stack = empty;
	uint64_t r[TN_NR_REGS] = { 0, args[0], args[1], args[2], args[3], args[4] };

enter:
	insns = prog->insns;
	insn = &insns[prog->subprogs[subprog].start];
	facts = prog->facts && prog->facts->has_fuel ? prog->facts->insns : NULL;
	may_goto = TN_MAY_GOTO_LIMIT;
	stack_bytes = frame_bytes(prog, subprog);
	/* A tail call reuses the frame where it is large enough: at most 33 times it is not. */
	if (stack_bytes > have_bytes) {
		stack = TN_TRACE_STACK(stack_bytes, alloca(stack_bytes + 16));
		stack += -(uintptr_t)stack % 16;
		have_bytes = stack_bytes;
	}
	r[TN_R10] = (uintptr_t)stack + stack_bytes;
	TN_TRACE_ENTER(prog, subprog, r, stack_bytes);
	if (stack_bytes)
		clear_frame(prog, subprog, stack + stack_bytes);
	DISPATCH();

	ALU(add, a + b, a + b)
	ALU(sub, a - b, a - b)
	ALU(mul, a * b, a * b)
	ALU(or, a | b, a | b)
	ALU(and, a & b, a & b)
	ALU(xor, a ^ b, a ^ b)
	ALU(lsh, a << (b & 63), a << (b & 31))
	ALU(rsh, a >> (b & 63), a >> (b & 31))
	ALU(arsh, SIGN(a) >> (b & 63), SIGN32(a) >> (b & 31))
	ALU(div, insn->off ? sdiv64(a, b) : div64(a, b), insn->off ? sdiv32(a, b) : div32(a, b))
	ALU(mod, insn->off ? smod64(a, b) : mod64(a, b), insn->off ? smod32(a, b) : mod32(a, b))

op_mov64_imm:
	DST = IMM;
	NEXT();
op_mov64_reg:
	if (insn->off == TN_CAST_OFF)
		DST = cast_from_arena(SRC, IMM32);
	else
		DST = insn->off ? sign_extend(SRC, insn->off) : SRC;
	NEXT();
op_mov32_imm:
	DST = IMM32;
	NEXT();
op_mov32_reg:
	DST = insn->off ? (uint32_t)sign_extend(SRC, insn->off) : SRC32;
	NEXT();
op_neg64:
	DST = 0 - DST;
	NEXT();
op_neg32:
	DST = 0 - DST32;
	NEXT();
op_le16:
	DST = to_le(DST, insn->imm);
	NEXT();
op_be16:
	DST = to_be(DST, insn->imm);
	NEXT();
op_bswap16:
	DST = swap_bytes(DST, insn->imm);
	NEXT();

	JUMP(jeq, , , ==)
	JUMP(jne, , , !=)
	JUMP(jgt, , , >)
	JUMP(jge, , , >=)
	JUMP(jlt, , , <)
	JUMP(jle, , , <=)
	JUMP(jset, , , &)
	JUMP(jsgt, SIGN, SIGN32, >)
	JUMP(jsge, SIGN, SIGN32, >=)
	JUMP(jslt, SIGN, SIGN32, <)
	JUMP(jsle, SIGN, SIGN32, <=)

op_ja:
	TAKE(insn->off);
op_gotol:
	TAKE(insn->imm);
op_may_goto:
	if (may_goto == 0)
		TAKE(insn->off);
	may_goto--;
	NEXT();

op_arena:
	access_arena(prog, insn, r);
	NEXT();
op_probe:
	load_probe(prog, insn, r);
	NEXT();
op_ldx_b:
	DST = load8(SRC_ADDR);
	NEXT();
op_ldx_h:
	DST = load16(SRC_ADDR);
	NEXT();
op_ldx_w:
	DST = load32(SRC_ADDR);
	NEXT();
op_ldx_dw:
	DST = load64(SRC_ADDR);
	NEXT();
op_ldsx_b:
	DST = load8s(SRC_ADDR);
	NEXT();
op_ldsx_h:
	DST = load16s(SRC_ADDR);
	NEXT();
op_ldsx_w:
	DST = load32s(SRC_ADDR);
	NEXT();
op_st_b:
	store8(DST_ADDR, IMM);
	NEXT();
op_st_h:
	store16(DST_ADDR, IMM);
	NEXT();
op_st_w:
	store32(DST_ADDR, IMM);
	NEXT();
op_st_dw:
	store64(DST_ADDR, IMM);
	NEXT();
op_stx_b:
	store8(DST_ADDR, SRC);
	NEXT();
op_stx_h:
	store16(DST_ADDR, SRC);
	NEXT();
op_stx_w:
	store32(DST_ADDR, SRC);
	NEXT();
op_stx_dw:
	store64(DST_ADDR, SRC);
	NEXT();
op_atomic64_add:
	atomic64(insn, r);
	NEXT();
op_atomic32_add:
	atomic32(insn, r);
	NEXT();
op_load_acquire_h:
	atomic16(insn, r);
	NEXT();
op_load_acquire_b:
	atomic8(insn, r);
	NEXT();
op_lddw:
	DST = tn_insn_imm64(insn);
	insn++;
	NEXT();

op_ld_abs_b:
op_ld_abs_h:
op_ld_abs_w:
	if (!tn_exec_ld_packet(prog, (const void *)(uintptr_t)r[TN_R6], insn->imm,
			       tn_insn_bytes(insn->code), &r[TN_R0]))
		return 0;
	NEXT();
op_ld_ind_b:
op_ld_ind_h:
op_ld_ind_w:
	/* As in the kernel the sum is taken in 32 bits. */
	if (!tn_exec_ld_packet(prog, (const void *)(uintptr_t)r[TN_R6], (int32_t)(SRC32 + IMM32),
			       tn_insn_bytes(insn->code), &r[TN_R0]))
		return 0;
	NEXT();

op_call_local:
	if (prog->facts && tn_unlikely(prog->facts->insns[insn - insns].zero_regs))
		clear_regs(r, prog->facts->insns[insn - insns].zero_regs);
	if (prog->facts && tn_unlikely(prog->facts->insns[insn - insns].flags & TN_FACT_UNTRACK))
		give_up_args(prog, insn, r, ex);
	if (insn->src == TN_CALL_LOCAL) {
		uint32_t callee = (uint32_t)(insn - insns + 1) + IMM32;

		r[TN_R0] = run(prog, tn_prog_subprog_at(prog, callee), r + 1, ex);
		ex->prog = prog; /* again, after a tail call in there */
	} else if (insn->src == TN_CALL_EXTERN) {
		r[TN_R0] = call_extern(prog, IMM32, r, ex);
	} else if (insn->imm == TN_HELPER_tail_call) {
		goto tail_call;
	} else {
		r[TN_R0] = call_helper(prog, (uint32_t)(insn - insns), r, ex);
	}
	if (tn_unlikely(ex->abort))
		return 0;
	if (prog->facts && tn_unlikely(prog->facts->insns[insn - insns].flags & TN_FACT_TRACK))
		note_held(prog, &prog->facts->insns[insn - insns], r[TN_R0], ex);
	NEXT();

tail_call : {
	const struct tn_prog *target = tn_exec_tail_call(ex, (void *)(uintptr_t)r[2], r[3]);

	if (target && target->entry != tn_interp_entry)
		return target->entry((void *)(uintptr_t)r[1], ex);
	if (target) {
		prog = target;
		subprog = 0;
		r[TN_R2] = prog->r2_is_ctx_size ? ex->ctx_size : 0;
		goto enter;
	}
	if (ex->abort)
		return 0;
	r[TN_R0] = TN_TAIL_CALL_MISS;
	NEXT();
}

op_exit:
	return r[TN_R0];

out_of_fuel:
	ex->abort = TN_ABORT_FUEL;
	return 0;
}

uint64_t tn_interp_call(const struct tn_prog *prog, uint32_t subprog, const uint64_t args[5],
			struct tn_exec *ex)
{
	return run(prog, subprog, args, ex);
}

uint64_t tn_interp_entry(void *ctx, struct tn_exec *ex)
{
	const struct tn_prog *prog = ex->prog;
	const uint64_t args[5] = { (uintptr_t)ctx, prog->r2_is_ctx_size ? ex->ctx_size : 0 };

	return run(prog, 0, args, ex);
}
