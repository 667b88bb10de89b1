/* SPDX-License-Identifier: MIT */
/* Arithmetic: numbers through verifier/scalar.h, pointers by addition and subtraction alone. */
#include "verifier/engine.h"
#include "verifier/mutant.h"

/* Keeps the tie of *dst through dst + c, dst * c where the machine's arithmetic is exact modulo
 * 2^64. */
static void tie_add(struct tn_reg *out, const struct tn_reg *a, uint64_t c)
{
	out->id = a->id;
	out->scale = a->scale;
	out->delta = (int64_t)((uint64_t)a->delta + c);
}

static void tie_mul(struct tn_reg *out, const struct tn_reg *a, uint64_t c)
{
	out->id = c ? a->id : 0;
	out->scale = a->scale * c;
	out->delta = (int64_t)((uint64_t)a->delta * c);
	if (!out->scale)
		out->id = 0;
}

static bool fits_half(const struct tn_scalar *v)
{
	return v->umax <= UINT32_MAX;
}

/* The 32-bit form gives what the 64-bit form gives: neither operand nor result uses the high half.
 * `b` is the constant, sign-extended as the 64-bit form takes it. */
static bool half_is_exact(unsigned op, const struct tn_scalar *a, uint64_t c)
{
	struct tn_scalar b = tn_scalar_const(c, TN_W64);
	struct tn_scalar r = tn_scalar_alu(op, false, false, a, &b, TN_W64);

	return fits_half(a) && fits_half(&r);
}

static void tie_result(struct tn_reg *out, const struct tn_reg *a, const struct tn_scalar *b,
		       unsigned op, bool half)
{
	uint64_t c;

	if (!a->id || !tn_scalar_is_const(b, &c))
		return;
	if (half && (op == TN_ADD || op == TN_SUB))
		c = (uint64_t)(int64_t)(int32_t)c;
	if (half && !half_is_exact(op, &a->v, c) && !TN_MUT(HALF_ADD_KEEPS_ID))
		return;
	switch (op) {
	case TN_ADD:
		tie_add(out, a, c);
		break;
	case TN_SUB:
		tie_add(out, a, 0 - c);
		break;
	case TN_MUL:
		tie_mul(out, a, c);
		break;
	case TN_LSH:
		if (c < (half ? 32 : 64))
			tie_mul(out, a, (uint64_t)1 << c);
		break;
	default:
		break;
	}
}

static bool same_value(const struct tn_reg *a, const struct tn_reg *b)
{
	return a->id && a->id == b->id && a->scale == b->scale && a->delta == b->delta;
}

/* Unsigned results that are at most the left operand. */
static bool shrinks(unsigned op, bool is_signed)
{
	return op == TN_AND || op == TN_RSH || ((op == TN_DIV || op == TN_MOD) && !is_signed);
}

/* A count of the width or more is masked by the machine, and undefined in C: nothing that a program
 * means should be proved by it. */
static bool is_oversized_shift(unsigned op, bool half, const struct tn_reg *count)
{
	return (op == TN_LSH || op == TN_RSH || op == TN_ARSH) && count->v.umin >= (half ? 32 : 64);
}

static void scalar_op(struct tn_vf *vf, struct tn_reg *dst, const struct tn_reg *src, unsigned op,
		      bool is_signed, bool half)
{
	struct tn_reg out, a = *dst;

	tn_reg_set_scalar(&out, tn_scalar_alu(op, is_signed, half, &a.v, &src->v, TN_W64));
	if (is_oversized_shift(op, half, src)) {
		struct tn_scalar any = tn_scalar_unknown(TN_W64);

		tn_reg_set_scalar(dst, half ? tn_scalar_zext(&any, 32, TN_W64) : any);
		return;
	}
	if ((op == TN_SUB || op == TN_XOR) && (src == dst || same_value(&a, src)))
		tn_reg_set_const(&out, 0);
	else if (op == TN_SUB && !half && a.id && a.id == src->id && a.scale == src->scale)
		tn_reg_set_const(&out, (uint64_t)a.delta - (uint64_t)src->delta);
	else if (src != dst)
		tie_result(&out, &a, &src->v, op, half);
	if (src != dst && op == TN_ADD && !out.id && tn_scalar_is_const(&a.v, NULL))
		tie_result(&out, src, &a.v, op, half);
	if (TN_MUT(SELF_ADD_KEEPS_ID) && src == dst && op == TN_ADD)
		tie_add(&out, &a, 0);
	if (tn_scalar_is_const(&out.v, NULL))
		out.id = 0;
	else if (a.id && !out.id && src != dst && shrinks(op, is_signed))
		tn_learn_shrunk(vf, &out, &a);
	*dst = out;
}

/* ---- Pointers ---- */

static bool may_move(uint8_t kind)
{
	return kind == TN_REG_STACK || kind == TN_REG_CTX || kind == TN_REG_VALUE ||
	       kind == TN_REG_REGION || kind == TN_REG_END || kind == TN_REG_RECORD ||
	       kind == TN_REG_MEM || kind == TN_REG_HANDLE;
}

/* Two handles of a type may be two objects. */
static bool has_distance(uint8_t kind)
{
	return may_move(kind) && kind != TN_REG_HANDLE;
}

static bool is_region(const struct tn_reg *r)
{
	return r->kind == TN_REG_REGION || r->kind == TN_REG_END;
}

/* What has a fixed size is far smaller than this: farther away, a pointer is lost. */
#define TN_FAR ((uint64_t)1 << 29)

/* Moved so far by a constant that only a mistake can explain it; the kernel refuses it, too. */
static bool moves_too_far(const struct tn_reg *p, const struct tn_reg *by)
{
	uint64_t c;

	return !is_region(p) && tn_scalar_is_const(&by->v, &c) &&
	       (by->v.smin >= (int64_t)TN_FAR || by->v.smin <= -(int64_t)TN_FAR);
}

static int check_move(struct tn_vf *vf, uint32_t regno, const struct tn_reg *p,
		      const struct tn_reg *by)
{
	uint64_t c;

	if (p->nullable)
		return tn_reject(vf, E_NULL, (int)regno,
				 "r%u is %s that may be NULL; arithmetic on it needs a test first",
				 regno, tn_reg_words(vf, p));
	/* A map stays where it is. */
	if (p->kind == TN_REG_MAP && !p->low && by->kind == TN_REG_SCALAR &&
	    tn_scalar_is_const(&by->v, &c) && !c)
		return 0;
	if (!may_move(p->kind) || p->low)
		return tn_reject(vf, E_POINTER_MATH, (int)regno, "arithmetic on r%u, which is %s",
				 regno, tn_reg_words(vf, p));
	if ((p->kind == TN_REG_CTX || p->kind == TN_REG_END || p->kind == TN_REG_HANDLE) &&
	    !tn_scalar_is_const(&by->v, NULL))
		return tn_reject(vf, E_POINTER_MATH, (int)regno,
				 "r%u is %s, which moves by constants alone; the offset is %s",
				 regno, tn_reg_words(vf, p), tn_scalar_words(vf, &by->v));
	if (moves_too_far(p, by))
		return tn_reject(vf, E_POINTER_MATH, (int)regno,
				 "r%u is %s, and would be moved by %s bytes, farther than it has",
				 regno, tn_reg_words(vf, p), tn_scalar_words(vf, &by->v));
	return 0;
}

/* p + n, or p - n. */
static void move_pointer(struct tn_vf *vf, struct tn_reg *out, const struct tn_reg *p,
			 struct tn_reg *n, bool sub)
{
	struct tn_reg r = *p;
	uint64_t c;

	r.v = tn_scalar_alu(sub ? TN_SUB : TN_ADD, false, false, &p->v, &n->v, TN_W64);
	if (tn_scalar_is_const(&n->v, &c)) {
		if (r.id)
			tie_add(&r, p, sub ? 0 - c : c);
	} else if (!sub && tn_scalar_is_const(&p->v, &c)) {
		/* From now on a compare of the number says something about the pointer too. */
		tn_reg_make_id(&vf->senv, n);
		tie_add(&r, n, c);
	} else {
		r.id = 0;
		r.scale = 1;
		r.delta = 0;
		tn_reg_make_id(&vf->senv, &r);
	}
	*out = r;
}

/* b ends where region `r` does: b is `end + *off`. */
static bool ends_region(const struct tn_vf *vf, const struct tn_reg *b, uint32_t region,
			int64_t *off)
{
	uint64_t c;

	if (b->kind == TN_REG_END
		    ? b->region != region
		    : b->kind != TN_REG_REGION || vf->regions[region].end != (int)b->region)
		return false;
	if (!tn_scalar_is_const(&b->v, &c))
		return false;
	*off = (int64_t)c;
	return true;
}

/* end - start: the region's length, tied to it. */
static void set_length(struct tn_vf *vf, struct tn_reg *out, uint32_t region, int64_t off)
{
	const struct tn_region *g = &vf->regions[region];
	struct tn_scalar unit = tn_scalar_const(g->unit, TN_W64);
	struct tn_scalar add = tn_scalar_const((uint64_t)off, TN_W64);
	struct tn_scalar v = vf->s.regions[region].len;

	v = tn_scalar_alu(TN_MUL, false, false, &v, &unit, TN_W64);
	tn_reg_set_scalar(out, tn_scalar_alu(TN_ADD, false, false, &v, &add, TN_W64));
	out->id = g->len_id;
	out->scale = g->unit;
	out->delta = off;
}

/* Into one region, or into two of which one begins where the other ends. How far the host's other
 * memory is away is nothing that a program may know. */
static bool one_memory(const struct tn_vf *vf, const struct tn_reg *a, const struct tn_reg *b)
{
	return a->region == b->region || vf->regions[a->region].end == (int)b->region ||
	       vf->regions[b->region].end == (int)a->region;
}

/* Is what lies between them something that the program may know? */
static bool makes_distance(const struct tn_vf *vf, const struct tn_reg *dst,
			   const struct tn_reg *src)
{
	if (dst->nullable || src->nullable || !has_distance(dst->kind) || !has_distance(src->kind))
		return false;
	return (dst->kind == src->kind && dst->kind != TN_REG_MEM && dst->frame == src->frame &&
		dst->region == src->region && dst->obj == src->obj && dst->ref == src->ref) ||
	       (dst->kind == TN_REG_VALUE && src->kind == TN_REG_VALUE && dst->obj == src->obj) ||
	       (is_region(dst) && is_region(src) && one_memory(vf, dst, src));
}

static int sub_pointers(struct tn_vf *vf, uint32_t d, struct tn_reg *dst, const struct tn_reg *src)
{
	struct tn_reg out;
	int64_t off;
	uint64_t c;

	if (dst->nullable || src->nullable || !has_distance(dst->kind) || !has_distance(src->kind))
		return tn_reject(vf, E_POINTER_MATH, (int)d, "subtraction of %s from %s",
				 tn_reg_words(vf, src), tn_reg_words(vf, dst));
	if (src->kind == TN_REG_REGION && tn_scalar_is_const(&src->v, &c) &&
	    ends_region(vf, dst, src->region, &off)) {
		set_length(vf, &out, src->region, off - (int64_t)c);
		*dst = out;
		return 0;
	}
	tn_reg_set_unknown(&out);
	if (dst->kind == src->kind && dst->frame == src->frame && dst->region == src->region &&
	    dst->obj == src->obj && dst->kind != TN_REG_VALUE && dst->kind != TN_REG_MEM &&
	    dst->ref == src->ref) {
		out.v = tn_scalar_alu(TN_SUB, false, false, &dst->v, &src->v, TN_W64);
		if (dst->id && dst->id == src->id && dst->scale == src->scale)
			tn_reg_set_const(&out, (uint64_t)dst->delta - (uint64_t)src->delta);
	} else if (!(dst->kind == TN_REG_VALUE && src->kind == TN_REG_VALUE &&
		     dst->obj == src->obj) &&
		   !(is_region(dst) && is_region(src) && one_memory(vf, dst, src))) {
		return tn_reject(vf, E_POINTER_MATH, (int)d,
				 "subtraction of %s from %s: they point to different things",
				 tn_reg_words(vf, src), tn_reg_words(vf, dst));
	}
	*dst = out;
	return 0;
}

/* A difference that takes an address for a number: of addresses into different things, or in 32
 * bits. *out is the result; false: it is no such, or the host does not want it. */
static bool difference_of_numbers(struct tn_vf *vf, const struct tn_reg *dst,
				  const struct tn_reg *src, unsigned op, bool half,
				  struct tn_reg *out)
{
	struct tn_scalar any = tn_scalar_unknown(TN_W64);

	if (!vf->env->addresses_visible || op != TN_SUB || (!half && !tn_reg_is_pointer(dst)) ||
	    (!half && !tn_reg_is_pointer(src)))
		return false;
	tn_reg_set_scalar(out, half ? tn_scalar_zext(&any, 32, TN_W64) : any);
	return true;
}

static int pointer_op(struct tn_vf *vf, struct tn_reg *dst, struct tn_reg *src, unsigned op,
		      bool half)
{
	const struct tn_insn *insn = tn_vf_insn(vf);
	uint32_t d = insn->dst, s = TN_SRC(insn->code) ? insn->src : insn->dst;
	bool pd = tn_reg_is_pointer(dst), ps = tn_reg_is_pointer(src);
	uint32_t p = pd ? d : s;
	struct tn_reg number;
	int err;

	if (difference_of_numbers(vf, dst, src, op, half, &number) &&
	    !(pd && ps && makes_distance(vf, dst, src))) {
		*dst = number;
		return 0;
	}
	if ((op != TN_ADD && op != TN_SUB) || (op == TN_ADD && pd && ps) || (op == TN_SUB && !pd) ||
	    (half && !(pd && ps)))
		return tn_reject(vf, E_POINTER_MATH, (int)p,
				 "r%u is %s; pointers can be moved by 64-bit + and -, and compared",
				 p, tn_reg_words(vf, pd ? dst : src));
	if ((dst->low || src->low) && !half)
		return tn_reject(vf, E_POINTER_MATH, (int)p,
				 "64-bit arithmetic on an address cut to 32 bits");
	if (pd && ps) {
		err = sub_pointers(vf, d, dst, src);
		/* The low half of a distance is no address either. */
		if (!err && half && !fits_half(&dst->v))
			tn_reg_set_scalar(dst, tn_scalar_zext(&dst->v, 32, TN_W64));
		return err;
	}
	err = check_move(vf, p, pd ? dst : src, pd ? src : dst);
	if (err)
		return err;
	move_pointer(vf, dst, pd ? dst : src, pd ? src : dst, op == TN_SUB);
	return 0;
}

/* ---- Moves ---- */

static int do_mov(struct tn_vf *vf, const struct tn_insn *insn, bool half)
{
	struct tn_reg *dst = tn_vf_reg(vf, insn->dst), *src, a;
	int err;

	if (!TN_SRC(insn->code)) {
		tn_reg_set_const(dst, half ? (uint32_t)insn->imm : (uint64_t)(int64_t)insn->imm);
		return 0;
	}
	src = tn_vf_reg(vf, insn->src);
	if (!half && insn->off == TN_CAST_OFF)
		return tn_do_arena_cast(vf);
	if (!half && !insn->off) {
		err = tn_need_init(vf, insn->src);
		if (err)
			return err;
		if (src->kind == TN_REG_SCALAR)
			tn_reg_make_id(&vf->senv, src);
		*dst = *src;
		return 0;
	}
	if (half && !insn->off && is_region(src) && !src->nullable) {
		/* `w2 = w3; w2 -= w4` is how a compiler takes a distance as u32. */
		*dst = *src;
		dst->low = true;
		return 0;
	}
	a = *src;
	if (tn_reg_is_pointer(src) && tn_as_number(vf, &a)) {
		tn_reg_set_scalar(dst, half ? tn_scalar_zext(&a.v, 32, TN_W64) : a.v);
		return 0;
	}
	err = tn_need_scalar(vf, insn->src, half ? "a 32-bit move" : "a sign-extending move");
	if (err)
		return err;
	if (insn->off) {
		/* A number that the extension does not change stays tied. */
		struct tn_scalar v = tn_scalar_sext(&src->v, (unsigned)insn->off, half, TN_W64);

		if (src->v.umax < (uint64_t)1 << (insn->off - 1) || TN_MUT(MOVSX_AS_MOV)) {
			tn_reg_make_id(&vf->senv, src);
			*dst = *src;
		} else {
			tn_reg_set_scalar(dst, v);
		}
	} else if (fits_half(&src->v)) {
		tn_reg_make_id(&vf->senv, src);
		*dst = *src;
	} else {
		tn_reg_set_scalar(dst, tn_scalar_zext(&a.v, 32, TN_W64));
		tn_learn_shrunk(vf, dst, &a);
		if (TN_MUT(MOV32_AS_MOV))
			*dst = a;
	}
	return 0;
}

/*
 * `r <<= c; r >>= c` (or s>>=) one after the other: how code for -mcpu=v1 and v2 cuts or
 * sign-extends a number. A number that this does not change stays tied, and a shorter one stays
 * below what it was. The pair counts only where nothing can come in between: the second is no first
 * of its block.
 */
static bool ends_shift_pair(const struct tn_vf *vf, const struct tn_insn *insn)
{
	uint32_t at = vf->s.insn;

	return vf->shifted_at != TN_NONE && vf->shifted_at + 1 == at &&
	       !(vf->structure->sites[at].flags & TN_SITE_BLOCK) && insn[-1].dst == insn->dst &&
	       insn[-1].imm == insn->imm && insn->imm > 0 && insn->imm < 64;
}

static void do_shift_pair(struct tn_vf *vf, struct tn_reg *dst, bool is_signed, unsigned bits)
{
	const struct tn_reg *a = &vf->shifted;
	uint64_t same = ((uint64_t)1 << (is_signed ? bits - 1 : bits)) - 1;

	if (a->v.umax <= same) {
		*dst = *a;
	} else if (is_signed) {
		tn_reg_set_scalar(dst, tn_scalar_sext(&a->v, bits, false, TN_W64));
	} else {
		tn_reg_set_scalar(dst, tn_scalar_zext(&a->v, bits, TN_W64));
		tn_learn_shrunk(vf, dst, a);
	}
}

static int do_end(struct tn_vf *vf, const struct tn_insn *insn)
{
	struct tn_reg *dst = tn_vf_reg(vf, insn->dst);
	bool swap = TN_CLASS(insn->code) == TN_ALU64 || TN_SRC(insn->code);
	int err = tn_as_number(vf, dst) ? 0 : tn_need_scalar(vf, insn->dst, "a byte swap");

	if (err)
		return err;
	if (swap)
		tn_reg_set_scalar(dst, tn_scalar_bswap(&dst->v, (unsigned)insn->imm));
	else if (insn->imm < 64)
		tn_reg_set_scalar(dst, tn_scalar_zext(&dst->v, (unsigned)insn->imm, TN_W64));
	return 0;
}

int tn_do_alu(struct tn_vf *vf)
{
	const struct tn_insn *insn = tn_vf_insn(vf);
	bool half = TN_CLASS(insn->code) == TN_ALU;
	unsigned op = TN_OP(insn->code);
	struct tn_reg *dst = tn_vf_reg(vf, insn->dst), *src, imm;
	int err;

	if (insn->dst == TN_R10)
		return tn_need_writable(vf, TN_R10);
	if (op == TN_MOV)
		return do_mov(vf, insn, half);
	if (op == TN_END)
		return do_end(vf, insn);
	err = tn_need_init(vf, insn->dst);
	if (!err && vf->has_arena) {
		bool done;

		err = tn_arena_alu(vf, op, half, &done);
		if (!err && done)
			return TN_SRC(insn->code) ? tn_need_init(vf, insn->src) : 0;
	}
	if (err)
		return err;
	if ((op == TN_DIV || op == TN_MOD) && !TN_SRC(insn->code) && !insn->imm)
		return tn_reject(vf, E_ENCODING, -1, "a division by the constant 0");
	if (op == TN_NEG) {
		err = tn_as_number(vf, dst) ? 0 : tn_need_scalar(vf, insn->dst, "a negation");
		if (!err)
			tn_reg_set_scalar(dst, tn_scalar_neg(half, &dst->v, TN_W64));
		return err;
	}
	if (!half && !TN_SRC(insn->code) && dst->kind == TN_REG_SCALAR) {
		if (op == TN_LSH) {
			tn_reg_make_id(&vf->senv, dst);
			vf->shifted = *dst;
			vf->shifted_at = vf->s.insn;
		} else if ((op == TN_RSH || op == TN_ARSH) && ends_shift_pair(vf, insn)) {
			do_shift_pair(vf, dst, op == TN_ARSH, 64 - (unsigned)insn->imm);
			return 0;
		}
	}
	if (TN_SRC(insn->code)) {
		err = tn_need_init(vf, insn->src);
		if (err)
			return err;
		src = tn_vf_reg(vf, insn->src);
	} else {
		tn_reg_set_const(&imm, half ? (uint32_t)insn->imm : (uint64_t)(int64_t)insn->imm);
		src = &imm;
	}
	if (tn_reg_is_pointer(dst) || tn_reg_is_pointer(src))
		return pointer_op(vf, dst, src, op, half);
	scalar_op(vf, dst, src, op, insn->off == 1, half);
	return 0;
}
