/* SPDX-License-Identifier: MIT */
/*
 * Classic BPF to our instructions, see cbpf.h. A is r0, X is r7, the context r6, the 16 words of
 * M[] the lowest 64 bytes of the stack's top. Numbers have 32 bits throughout. Jumps go forward
 * only, so one pass from the first instruction to the last sees every path.
 */
#include "loader/cbpf.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "base/vec.h"

/* linux/filter.h, linux/bpf_common.h: what is not the same in both dialects. */
#define LEN   0x80
#define MSH   0xa0
#define RET   0x06
#define MISC  0x07
#define RET_A 0x10
#define TXA   0x80
#define WORDS 16u
#define A     TN_R0
#define X     TN_R7
#define SAVED TN_R8
#define CTX   TN_R6

/* Behind a load at 0xfffff000 and up stand facts about the packet that are not its bytes. */
#define ANCILLARY 0xfffff000u

enum {
	AD_PROTOCOL = 0,
	AD_PKTTYPE = 4,
	AD_IFINDEX = 8,
	AD_NLATTR = 12,
	AD_NLATTR_NEST = 16,
	AD_MARK = 20,
	AD_QUEUE = 24,
	AD_HATYPE = 28,
	AD_RXHASH = 32,
	AD_CPU = 36,
	AD_ALU_XOR_X = 40,
	AD_VLAN_TAG = 44,
	AD_VLAN_TAG_PRESENT = 48,
	AD_PAY_OFFSET = 52,
	AD_RANDOM = 56,
	AD_VLAN_TPID = 60,
};

/* Offsets in struct __sk_buff, and helper numbers, of linux/bpf.h. */
enum {
	SKB_LEN = 0,
	SKB_PKT_TYPE = 4,
	SKB_MARK = 8,
	SKB_QUEUE_MAPPING = 12,
	SKB_PROTOCOL = 16,
	SKB_VLAN_PRESENT = 20,
	SKB_VLAN_TCI = 24,
	SKB_VLAN_PROTO = 28,
	SKB_IFINDEX = 40,
	SKB_HASH = 68,
	GET_PRANDOM_U32 = 7,
	GET_SMP_PROCESSOR_ID = 8,
};

struct translation {
	struct tn_rt *rt;
	const struct tn_cbpf_insn *in;
	uint32_t nr;
	bool seccomp;
	uint32_t at;	  /* in `in` */
	uint32_t *start;  /* of each, in `out`; nr + 1 of them */
	uint16_t *stored; /* words of M[] that hold something on every path to it */
	TN_VEC(struct tn_insn) out;
	bool failed; /* out of memory */
};

static int bad(const struct translation *t, int code, const char *what)
{
	const struct tn_cbpf_insn *f = &t->in[t->at];

	return tn_err(code,
		      "classic filter: instruction %u (code 0x%02x, jt %u, jf %u, k 0x%x): %s",
		      t->at, f->code, f->jt, f->jf, f->k, what);
}

static void emit(struct translation *t, uint8_t code, uint8_t dst, uint8_t src, int16_t off,
		 uint32_t imm)
{
	struct tn_insn *insn = tn_vec_push(t->rt, &t->out);

	if (!insn) {
		t->failed = true;
		return;
	}
	insn->code = code;
	insn->dst = (uint32_t)dst & 0xfu;
	insn->src = (uint32_t)src & 0xfu;
	insn->off = off;
	insn->imm = (int32_t)imm;
}

static void emit_mov(struct translation *t, uint8_t dst, uint8_t src)
{
	emit(t, TN_ALU | TN_MOV | TN_X, dst, src, 0, 0);
}

static void emit_const(struct translation *t, uint8_t dst, uint32_t value)
{
	emit(t, TN_ALU | TN_MOV | TN_K, dst, 0, 0, value);
}

static void emit_exit(struct translation *t)
{
	emit(t, TN_JMP | TN_EXIT, 0, 0, 0, 0);
}

static void emit_ctx_word(struct translation *t, uint8_t dst, int16_t off)
{
	emit(t, TN_LDX | TN_MEM | TN_W, dst, CTX, off, 0);
}

static int16_t word_off(uint32_t k)
{
	return (int16_t)((int)k * 4 - (int)WORDS * 4);
}

/* ---- Loads ---- */

static int translate_ancillary(struct translation *t, uint32_t what)
{
	switch (what) {
	case AD_PROTOCOL:
	case AD_VLAN_TPID:
		emit_ctx_word(t, A, what == AD_PROTOCOL ? SKB_PROTOCOL : SKB_VLAN_PROTO);
		emit(t, TN_ALU | TN_END | TN_X, A, 0, 0, 16); /* from the order of the wire */
		return 0;
	case AD_PKTTYPE:
		emit_ctx_word(t, A, SKB_PKT_TYPE);
		return 0;
	case AD_IFINDEX:
		emit_ctx_word(t, A, SKB_IFINDEX);
		return 0;
	case AD_MARK:
		emit_ctx_word(t, A, SKB_MARK);
		return 0;
	case AD_QUEUE:
		emit_ctx_word(t, A, SKB_QUEUE_MAPPING);
		return 0;
	case AD_RXHASH:
		emit_ctx_word(t, A, SKB_HASH);
		return 0;
	case AD_VLAN_TAG:
		emit_ctx_word(t, A, SKB_VLAN_TCI);
		return 0;
	case AD_VLAN_TAG_PRESENT:
		emit_ctx_word(t, A, SKB_VLAN_PRESENT);
		return 0;
	case AD_ALU_XOR_X:
		emit(t, TN_ALU | TN_XOR | TN_X, A, X, 0, 0);
		return 0;
	case AD_CPU:
		emit(t, TN_JMP | TN_CALL, 0, 0, 0, GET_SMP_PROCESSOR_ID);
		return 0;
	case AD_RANDOM:
		emit(t, TN_JMP | TN_CALL, 0, 0, 0, GET_PRANDOM_U32);
		return 0;
	case AD_NLATTR:
	case AD_NLATTR_NEST:
		return bad(t, -ENOTSUP, "netlink attributes (SKF_AD_NLATTR) are not supported");
	case AD_HATYPE:
		return bad(t, -ENOTSUP, "the device's type (SKF_AD_HATYPE) is not known");
	case AD_PAY_OFFSET:
		return bad(t, -ENOTSUP,
			   "the payload's offset (SKF_AD_PAY_OFFSET) is not supported");
	default:
		return bad(t, -EINVAL, "no ancillary load has this number");
	}
}

static int translate_seccomp_abs(struct translation *t, const struct tn_cbpf_insn *f)
{
	if (TN_SIZE(f->code) != TN_W || f->k % 4 || f->k >= TN_SECCOMP_BYTES)
		return bad(t, -EINVAL,
			   "a seccomp filter loads words of struct seccomp_data, which has 64 "
			   "bytes");
	emit_ctx_word(t, A, (int16_t)f->k);
	return 0;
}

static int translate_packet(struct translation *t, const struct tn_cbpf_insn *f)
{
	uint8_t code = (uint8_t)f->code, mode = TN_MODE(code), size = TN_SIZE(code);

	if (mode == TN_ABS && t->seccomp)
		return translate_seccomp_abs(t, f);
	if (t->seccomp)
		return bad(t, -EINVAL, "a seccomp filter has no packet to load from");
	if (mode == TN_ABS && f->k >= ANCILLARY)
		return translate_ancillary(t, f->k - ANCILLARY);
	if (f->k > INT32_MAX && mode != TN_IND)
		return bad(t, -ENOTSUP,
			   "offsets from the network or link header (SKF_NET_OFF, "
			   "SKF_LL_OFF) are not supported");
	if (mode != MSH) {
		emit(t, (uint8_t)(TN_LD | mode | size), 0, mode == TN_IND ? X : 0, 0, f->k);
		return 0;
	}
	/* The length of an IP header, in X; A stays. */
	emit_mov(t, SAVED, A);
	emit(t, TN_LD | TN_ABS | TN_B, 0, 0, 0, f->k);
	emit(t, TN_ALU | TN_AND | TN_K, A, 0, 0, 0xf);
	emit(t, TN_ALU | TN_LSH | TN_K, A, 0, 0, 2);
	emit_mov(t, X, A);
	emit_mov(t, A, SAVED);
	return 0;
}

static int check_word(const struct translation *t, bool load)
{
	uint32_t k = t->in[t->at].k;

	if (k >= WORDS)
		return bad(t, -EINVAL, "M[] has 16 words");
	if (load && !(t->stored[t->at] >> k & 1))
		return bad(t, -EINVAL, "this word of M[] was not stored on every path to here");
	return 0;
}

/* LD and LDX, apart from packets: an immediate, M[k], the length. */
static int translate_load(struct translation *t, const struct tn_cbpf_insn *f)
{
	uint8_t to = TN_CLASS(f->code) == TN_LDX ? X : A;
	uint8_t code = (uint8_t)f->code, mode = TN_MODE(code), size = TN_SIZE(code);
	int err;

	if (to == X ? f->code == (TN_LDX | MSH | TN_B)
		    : (mode == TN_ABS || mode == TN_IND) && size != TN_DW)
		return translate_packet(t, f);
	if (size != TN_W)
		return bad(t, -EINVAL, "unknown load");
	switch (mode) {
	case TN_IMM:
		emit_const(t, to, f->k);
		return 0;
	case TN_MEM:
		err = check_word(t, true);
		emit(t, TN_LDX | TN_MEM | TN_W, to, TN_R10, word_off(f->k % WORDS), 0);
		return err;
	case LEN:
		if (t->seccomp)
			emit_const(t, to, TN_SECCOMP_BYTES);
		else
			emit_ctx_word(t, to, SKB_LEN);
		return 0;
	default:
		return bad(t, -EINVAL, "unknown load");
	}
}

static int translate_store(struct translation *t, const struct tn_cbpf_insn *f)
{
	uint8_t from = TN_CLASS(f->code) == TN_STX ? X : A;
	int err = check_word(t, false);

	if (f->code != TN_ST && f->code != TN_STX)
		return bad(t, -EINVAL, "unknown store");
	if (err)
		return err;
	emit(t, TN_STX | TN_MEM | TN_W, TN_R10, from, word_off(f->k), 0);
	t->stored[t->at] |= (uint16_t)(1u << f->k);
	return 0;
}

/* ---- Arithmetic ---- */

static int translate_alu(struct translation *t, const struct tn_cbpf_insn *f)
{
	uint8_t code = (uint8_t)f->code, op = TN_OP(code), src = TN_SRC(code);
	bool divides = op == TN_DIV || op == TN_MOD;

	if (op > TN_XOR || f->code > 0xff || (op == TN_NEG && src))
		return bad(t, -EINVAL, "unknown arithmetic");
	if (op == TN_MOD && t->seccomp)
		return bad(t, -EINVAL, "a seccomp filter has no remainder operation");
	if (op == TN_NEG) {
		emit(t, TN_ALU | TN_NEG, A, 0, 0, 0);
		return 0;
	}
	if (src == TN_K && divides && f->k == 0)
		return bad(t, -EINVAL, "division by 0");
	if (src == TN_K && (op == TN_LSH || op == TN_RSH) && f->k >= 32)
		return bad(t, -EINVAL, "a shift by 32 bits or more");
	/* A division by 0 ends the filter with 0. */
	if (src == TN_X && divides) {
		emit(t, TN_JMP32 | TN_JNE | TN_K, X, 0, 2, 0);
		emit_const(t, A, 0);
		emit_exit(t);
	}
	emit(t, (uint8_t)(TN_ALU | op | src), A, src ? X : 0, 0, src ? 0 : f->k);
	return 0;
}

/* ---- Jumps ---- */

/* The words that are stored here are so where it goes, as far as they are on the other ways. */
static int check_target(struct translation *t, uint64_t distance)
{
	uint64_t to = t->at + 1 + distance;

	if (to >= t->nr)
		return bad(t, -EINVAL, "it jumps behind the last instruction");
	t->stored[to] &= t->stored[t->at];
	return 0;
}

/* The target is an instruction of the filter until all of them have their place. */
static void emit_jump(struct translation *t, uint8_t code, uint8_t src, uint32_t imm,
		      uint32_t distance)
{
	emit(t, code, code == (TN_JMP | TN_JA) ? 0 : A, src,
	     (int16_t)(uint16_t)(t->at + 1 + distance), imm);
}

static int translate_jump(struct translation *t, const struct tn_cbpf_insn *f)
{
	uint8_t code = (uint8_t)f->code, op = TN_OP(code), src = TN_SRC(code);
	int err;

	if (f->code == (TN_JMP | TN_JA)) {
		err = check_target(t, f->k);
		if (!err)
			emit_jump(t, TN_JMP | TN_JA, 0, 0, f->k);
		return err;
	}
	if (f->code > 0xff || (op != TN_JEQ && op != TN_JGT && op != TN_JGE && op != TN_JSET))
		return bad(t, -EINVAL, "unknown jump");
	err = check_target(t, f->jt);
	if (!err)
		err = check_target(t, f->jf);
	if (err)
		return err;
	emit_jump(t, (uint8_t)(TN_JMP32 | op | src), src ? X : 0, src ? 0 : f->k, f->jt);
	if (f->jf)
		emit_jump(t, TN_JMP | TN_JA, 0, 0, f->jf);
	return 0;
}

/* Distances, once it is known where everything stands; 4096 instructions of at most 6 are far below
 * what 16 bits hold. */
static void place_jumps(struct translation *t)
{
	uint32_t in = 0;

	for (uint32_t i = 0; i < t->out.nr; i++) {
		struct tn_insn *insn = &t->out.v[i];

		while (in < t->nr && t->start[in + 1] <= i)
			in++;
		if (i < t->start[0] || !tn_insn_is_jump(insn) || TN_CLASS(t->in[in].code) != TN_JMP)
			continue;
		insn->off = (int16_t)(t->start[(uint16_t)insn->off] - i - 1);
	}
}

/* ---- All of it ---- */

static int translate_insn(struct translation *t)
{
	const struct tn_cbpf_insn *f = &t->in[t->at];

	switch (TN_CLASS(f->code)) {
	case TN_LD:
	case TN_LDX:
		return f->code > 0xff ? bad(t, -EINVAL, "unknown load") : translate_load(t, f);
	case TN_ST:
	case TN_STX:
		return translate_store(t, f);
	case TN_ALU:
		return translate_alu(t, f);
	case TN_JMP:
		return translate_jump(t, f);
	case RET:
		if (f->code == (RET | TN_K))
			emit_const(t, A, f->k);
		else if (f->code != (RET | RET_A))
			return bad(t, -EINVAL, "unknown return");
		emit_exit(t);
		return 0;
	default:
		if (f->code != MISC && f->code != (MISC | TXA))
			return bad(t, -EINVAL, "unknown instruction");
		emit_mov(t, f->code == MISC ? X : A, f->code == MISC ? A : X);
		return 0;
	}
}

static int translate_all(struct translation *t)
{
	int err = 0;

	emit(t, TN_ALU64 | TN_MOV | TN_X, CTX, TN_R1, 0, 0);
	emit_const(t, A, 0);
	emit_const(t, X, 0);
	/* Nothing is stored at first; what no path has reached yet holds everything. */
	for (uint32_t i = 1; i < t->nr; i++)
		t->stored[i] = UINT16_MAX;
	for (; t->at < t->nr && !err; t->at++) {
		t->start[t->at] = t->out.nr;
		err = translate_insn(t);
		/* As the kernel: what stands behind a return is taken to follow it. */
		if (!err && t->at + 1 < t->nr && TN_CLASS(t->in[t->at].code) != TN_JMP)
			t->stored[t->at + 1] &= t->stored[t->at];
	}
	if (err)
		return err;
	t->start[t->nr] = t->out.nr;
	t->at = t->nr - 1;
	if (TN_CLASS(t->in[t->at].code) != RET)
		return bad(t, -EINVAL, "the last instruction is no return");
	if (t->failed)
		return tn_err_nomem("classic filter");
	place_jumps(t);
	return 0;
}

int tn_cbpf_translate(struct tn_rt *rt, const struct tn_cbpf_insn *insns, uint32_t nr, bool seccomp,
		      struct tn_insn **out, uint32_t *nr_out)
{
	struct translation t = { .rt = rt, .in = insns, .nr = nr, .seccomp = seccomp };
	int err;

	if (nr == 0 || nr > TN_CBPF_MAX_INSNS)
		return tn_err(-EINVAL, "classic filter: %u instructions, expected 1 to %u", nr,
			      TN_CBPF_MAX_INSNS);
	t.start = tn_alloc_array(rt, nr + 1, sizeof(*t.start));
	t.stored = tn_alloc_array(rt, nr, sizeof(*t.stored));
	err = t.start && t.stored ? translate_all(&t) : tn_err_nomem("classic filter");
	tn_free(rt, t.start);
	tn_free(rt, t.stored);
	if (err) {
		tn_vec_free(rt, &t.out);
		return err;
	}
	*out = t.out.v;
	*nr_out = t.out.nr;
	return 0;
}
