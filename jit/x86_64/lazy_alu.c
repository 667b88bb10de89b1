/* SPDX-License-Identifier: MIT */
/* How arithmetic and loads make waiting values, and join them. */
#include "jit/x86_64/emit.h"
#include "jit/x86_64/lazy.h"

static bool waits(const struct tn_emit *e, unsigned r)
{
	return e->waiting & 1u << r;
}

static void wait(struct tn_emit *e, unsigned r, const struct tn_lazy *v)
{
	e->lazy[r] = *v;
	e->waiting |= 1u << r;
}

static bool dies(const struct tn_emit *e, uint32_t i, unsigned r)
{
	return !(e->flow.live[i] & TN_LIVE(r));
}

static struct tn_lazy copy_of(uint8_t reg, bool w)
{
	return (struct tn_lazy){ .kind = TN_LAZY_SUM, .w = w, .m = tn_x86_at(reg, 0) };
}

/* Registers that do not wait any more once `to` took over what waits in `from`. */
static uint32_t takers(const struct tn_emit *e, uint32_t i, unsigned from, unsigned to)
{
	return 1u << to | (dies(e, i, from) ? 1u << from : 0);
}

/* r as a sum for `to`: the one that waits, or a copy of its register. */
static struct tn_lazy as_sum(struct tn_emit *e, uint32_t i, unsigned r, unsigned to)
{
	if (waits(e, r) && e->lazy[r].kind == TN_LAZY_SUM &&
	    (r == to || tn_lazy_may_move(e, &e->lazy[r], takers(e, i, r, to))))
		return e->lazy[r];
	return copy_of(tn_lazy_use(e, r), true);
}

static bool is_copy(const struct tn_lazy *v)
{
	return v->kind == TN_LAZY_SUM && v->m.index == TN_X86_NO_REG && !v->m.disp;
}

/* The register that r is a copy of, as far as `w` wide results need it; else r's own. */
static uint8_t source(struct tn_emit *e, unsigned r, bool w)
{
	if (waits(e, r) && is_copy(&e->lazy[r]) && (e->lazy[r].w || !w))
		return e->lazy[r].m.base;
	return tn_lazy_use(e, r);
}

/* ---- Moves and sums ---- */

static bool move(struct tn_emit *e, uint32_t i, const struct tn_insn *insn, bool w)
{
	struct tn_lazy v;

	if (insn->src == insn->dst)
		return false;
	if (waits(e, insn->src) && dies(e, i, insn->src) &&
	    tn_lazy_may_move(e, &e->lazy[insn->src], takers(e, i, insn->src, insn->dst))) {
		v = e->lazy[insn->src];
		/* Cutting off the upper half: of sums later, of loads that have none never. */
		if (w || v.kind == TN_LAZY_SUM || !v.w ||
		    (v.kind == TN_LAZY_LOAD && 8 * v.bytes + v.n <= 32)) {
			if (v.kind == TN_LAZY_SUM)
				v.w = v.w && w;
			tn_lazy_take(e, insn->src);
			wait(e, insn->dst, &v);
			return true;
		}
	}
	v = copy_of(tn_lazy_use(e, insn->src), w);
	wait(e, insn->dst, &v);
	return true;
}

static bool add_imm(struct tn_emit *e, uint32_t i, const struct tn_insn *insn, bool w, int32_t imm)
{
	struct tn_lazy v = as_sum(e, i, insn->dst, insn->dst);

	if (w && !v.w)
		v = copy_of(tn_lazy_use(e, insn->dst), true);
	if (!w)
		v.m.disp = (int32_t)((uint32_t)v.m.disp + (uint32_t)imm);
	else if (__builtin_add_overflow(v.m.disp, imm, &v.m.disp))
		return false;
	v.w = w;
	wait(e, insn->dst, &v);
	return true;
}

/* Both sums in one, if an address can express it. */
static bool join_sums(const struct tn_lazy *a, const struct tn_lazy *b, bool w, struct tn_lazy *out)
{
	struct tn_x86_mem x = a->m, y = b->m;

	if (w && (!a->w || !b->w))
		return false;
	/* What has an index, first; then the other has at most a base to give. */
	if (y.index != TN_X86_NO_REG) {
		x = b->m;
		y = a->m;
	}
	if (y.index != TN_X86_NO_REG)
		return false;
	if (x.index == TN_X86_NO_REG) {
		x.index = y.base;
		x.scale = 0;
	} else if (x.base == TN_X86_NO_REG) {
		x.base = y.base;
	} else {
		return false;
	}
	if (!w)
		x.disp = (int32_t)((uint32_t)x.disp + (uint32_t)y.disp);
	else if (__builtin_add_overflow(x.disp, y.disp, &x.disp))
		return false;
	*out = (struct tn_lazy){ .kind = TN_LAZY_SUM, .w = w, .m = x };
	return true;
}

static bool add_reg(struct tn_emit *e, uint32_t i, const struct tn_insn *insn, bool w)
{
	struct tn_lazy src = as_sum(e, i, insn->src, insn->dst),
		       dst = as_sum(e, i, insn->dst, insn->dst), sum;

	/* Computing one may have computed what the other was made of. */
	src = as_sum(e, i, insn->src, insn->dst);
	if (!join_sums(&dst, &src, w, &sum)) {
		src = copy_of(tn_lazy_use(e, insn->src), true);
		dst = as_sum(e, i, insn->dst, insn->dst);
		if (!join_sums(&dst, &src, w, &sum)) {
			dst = copy_of(tn_lazy_use(e, insn->dst), true);
			join_sums(&dst, &src, w, &sum);
		}
	}
	wait(e, insn->dst, &sum);
	return true;
}

/* ---- Shifts and rotates ---- */

static bool shift_imm(struct tn_emit *e, const struct tn_insn *insn, bool w, uint8_t op)
{
	uint8_t n = (uint8_t)(insn->imm & (w ? 63 : 31));
	struct tn_lazy *v = &e->lazy[insn->dst], shifted;
	uint8_t src;

	if (!n)
		return false;
	if (op == TN_LSH && waits(e, insn->dst) && v->kind == TN_LAZY_LOAD &&
	    v->n + n + 8 * v->bytes <= (w ? 64 : 32)) {
		v->n = (uint8_t)(v->n + n);
		return true;
	}
	src = source(e, insn->dst, w);
	if (op == TN_LSH && n <= 3) {
		shifted = copy_of(TN_X86_NO_REG, w);
		shifted.m.index = src;
		shifted.m.scale = n;
	} else {
		shifted = (struct tn_lazy){ .kind = TN_LAZY_SHIFT, .w = w, .src = src, .n = n };
		shifted.op = op == TN_LSH ? X86_SHL : X86_SHR;
	}
	wait(e, insn->dst, &shifted);
	return true;
}

/* Is r a waiting shift? Short ones to the left wait as sums. */
static bool as_shift(const struct tn_emit *e, unsigned r, struct tn_lazy *out)
{
	*out = e->lazy[r];
	if (!waits(e, r))
		return false;
	if (out->kind == TN_LAZY_SUM && out->m.base == TN_X86_NO_REG && !out->m.disp) {
		out->kind = TN_LAZY_SHIFT;
		out->op = X86_SHL;
		out->src = out->m.index;
		out->n = out->m.scale;
	}
	return out->kind == TN_LAZY_SHIFT;
}

static bool join_rotate(struct tn_emit *e, const struct tn_insn *insn, bool w)
{
	struct tn_lazy a, b;

	if (!as_shift(e, insn->dst, &a) || !as_shift(e, insn->src, &b))
		return false;
	if (a.src != b.src || a.op == b.op || a.w != w || b.w != w || a.n + b.n != (w ? 64 : 32))
		return false;
	a.n = a.op == X86_SHL ? a.n : b.n;
	a.kind = TN_LAZY_ROT;
	wait(e, insn->dst, &a);
	return true;
}

/* ---- Loads ---- */

/* `low` and `high`: by address. */
static bool join_adjacent(const struct tn_lazy *low, const struct tn_lazy *high,
			  struct tn_lazy *out)
{
	if (low->m.base != high->m.base || low->m.index != high->m.index ||
	    low->m.scale != high->m.scale || (int64_t)low->m.disp + low->bytes != high->m.disp ||
	    low->bytes + high->bytes > 8)
		return false;
	*out = *low;
	out->is_joined = true;
	out->bytes = (uint8_t)(low->bytes + high->bytes);
	out->is_be = high->n + 8 * high->bytes == low->n;
	if (out->is_be) {
		out->n = high->n;
		return (low->bytes == 1 || low->is_be) && (high->bytes == 1 || high->is_be);
	}
	return low->n + 8 * low->bytes == high->n && !low->is_be && !high->is_be;
}

/* dst | src, dst + src, dst ^ src: the same where no bit is in both. */
static bool join_loads(struct tn_emit *e, uint32_t i, const struct tn_insn *insn, bool w)
{
	const struct tn_lazy *a = &e->lazy[insn->dst], *b = &e->lazy[insn->src];
	struct tn_lazy joined;

	if (!waits(e, insn->dst) || !waits(e, insn->src) || insn->dst == insn->src ||
	    a->kind != TN_LAZY_LOAD || b->kind != TN_LAZY_LOAD || !dies(e, i, insn->src))
		return false;
	if (!join_adjacent(a, b, &joined) && !join_adjacent(b, a, &joined))
		return false;
	if (!w && joined.n + 8 * joined.bytes > 32)
		return false;
	tn_lazy_take(e, insn->src);
	wait(e, insn->dst, &joined);
	return true;
}

/* The load of src becomes the operand. */
static bool operate_on_memory(struct tn_emit *e, uint32_t i, const struct tn_insn *insn, bool w)
{
	uint8_t dst;
	const struct tn_lazy *v;
	struct tn_x86_mem m;

	if (insn->src == insn->dst || !tn_lazy_operand(e, i, insn->src, w ? 8 : 4))
		return false;
	dst = tn_lazy_use(e, insn->dst);
	tn_lazy_def_but(e, insn->dst, insn->src);
	/* That may have computed the load. */
	v = tn_lazy_operand(e, i, insn->src, w ? 8 : 4);
	if (!v)
		return false;
	m = v->m;
	tn_lazy_take(e, insn->src);
	tn_x86_alu_rm(e->b, tn_emit_alu_op(TN_OP(insn->code)), w, dst, m);
	tn_emit_flags_of(e, dst, w);
	return true;
}

/* ---- Forms with three operands ---- */

static bool mask(struct tn_emit *e, const struct tn_insn *insn)
{
	uint8_t src, bytes = insn->imm == 0xff ? 1 : 2;

	if (insn->imm != 0xff && insn->imm != 0xffff)
		return false;
	src = source(e, insn->dst, false);
	tn_lazy_def(e, insn->dst);
	tn_x86_movzx_rr(e->b, bytes, tn_reg(insn->dst), src);
	return true;
}

static bool multiply(struct tn_emit *e, const struct tn_insn *insn, bool w)
{
	struct tn_insn shift = *insn;
	uint8_t src;

	if (insn->imm > 1 && !(insn->imm & (insn->imm - 1))) {
		shift.imm = __builtin_ctz((unsigned)insn->imm);
		return shift_imm(e, &shift, w, TN_LSH);
	}
	src = source(e, insn->dst, w);
	tn_lazy_def(e, insn->dst);
	tn_x86_imul_rri(e->b, w, tn_reg(insn->dst), src, insn->imm);
	return true;
}

static bool shift_reg(struct tn_emit *e, const struct tn_insn *insn, bool w, uint8_t op)
{
	enum tn_x86_shift machine = op == TN_LSH ? X86_SHL : op == TN_RSH ? X86_SHR : X86_SAR;
	uint8_t src, count;

	if (!e->has_bmi2)
		return false;
	count = tn_lazy_use(e, insn->src);
	src = source(e, insn->dst, w);
	tn_lazy_def(e, insn->dst);
	tn_x86_shiftx(e->b, machine, w, tn_reg(insn->dst), src, count);
	return true;
}

/* ---- By instruction ---- */

static bool alu_imm(struct tn_emit *e, uint32_t i, const struct tn_insn *insn, bool w)
{
	switch (TN_OP(insn->code)) {
	case TN_ADD:
		return add_imm(e, i, insn, w, insn->imm);
	case TN_SUB:
		return insn->imm != INT32_MIN && add_imm(e, i, insn, w, -insn->imm);
	case TN_LSH:
	case TN_RSH:
		return shift_imm(e, insn, w, TN_OP(insn->code));
	case TN_AND:
		return mask(e, insn);
	case TN_MUL:
		return multiply(e, insn, w);
	default:
		return false;
	}
}

static bool alu_reg(struct tn_emit *e, uint32_t i, const struct tn_insn *insn, bool w)
{
	uint8_t op = TN_OP(insn->code);

	switch (op) {
	case TN_MOV:
		return !insn->off && move(e, i, insn, w);
	case TN_ADD:
		return join_loads(e, i, insn, w) || join_rotate(e, insn, w) ||
		       operate_on_memory(e, i, insn, w) || add_reg(e, i, insn, w);
	case TN_OR:
	case TN_XOR:
		return join_loads(e, i, insn, w) || join_rotate(e, insn, w) ||
		       operate_on_memory(e, i, insn, w);
	case TN_SUB:
	case TN_AND:
		return operate_on_memory(e, i, insn, w);
	case TN_LSH:
	case TN_RSH:
	case TN_ARSH:
		return shift_reg(e, insn, w, op);
	default:
		return false;
	}
}

bool tn_lazy_alu(struct tn_emit *e, uint32_t i)
{
	const struct tn_insn *insn = &e->prog->insns[i];
	bool w = TN_CLASS(insn->code) == TN_ALU64;

	if (TN_OP(insn->code) == TN_END || TN_OP(insn->code) == TN_NEG)
		return false;
	return TN_SRC(insn->code) == TN_K ? alu_imm(e, i, insn, w) : alu_reg(e, i, insn, w);
}

bool tn_lazy_load(struct tn_emit *e, uint32_t i)
{
	const struct tn_insn *insn = &e->prog->insns[i];
	struct tn_lazy v = { .kind = TN_LAZY_LOAD, .w = true, .age = i };

	v.bytes = (uint8_t)tn_insn_bytes(insn->code);
	v.m = tn_lazy_address(e, insn->src, insn->off);
	if (!tn_lazy_may_move(e, &v, takers(e, i, insn->src, insn->dst)))
		v.m = tn_x86_at(tn_lazy_use(e, insn->src), insn->off);
	wait(e, insn->dst, &v);
	return true;
}
