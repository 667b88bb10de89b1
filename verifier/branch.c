/* SPDX-License-Identifier: MIT */
/*
 * Compares: which outcomes are possible, and what each says about the operands, all that is tied to
 * them, and the sizes of regions.
 */
#include "verifier/engine.h"
#include "verifier/mutant.h"

#include <errno.h>

struct operands {
	const struct tn_insn *insn;
	struct tn_reg *a, *b; /* b may be imm */
	struct tn_reg imm;
	unsigned op;
	bool half;
};

static void get_operands(struct tn_vf *vf, struct operands *o)
{
	o->insn = tn_vf_insn(vf);
	o->op = TN_OP(o->insn->code);
	o->half = TN_CLASS(o->insn->code) == TN_JMP32;
	o->a = tn_vf_reg(vf, o->insn->dst);
	if (TN_SRC(o->insn->code)) {
		o->b = tn_vf_reg(vf, o->insn->src);
	} else {
		tn_reg_set_const(&o->imm, (uint64_t)(int64_t)o->insn->imm);
		o->b = &o->imm;
	}
}

static bool same_number(const struct tn_reg *a, const struct tn_reg *b)
{
	return a == b || (a->id && a->id == b->id && a->scale == b->scale && a->delta == b->delta);
}

static bool holds_for_equals(unsigned op)
{
	return op == TN_JEQ || op == TN_JGE || op == TN_JLE || op == TN_JSGE || op == TN_JSLE;
}

static bool refine(const struct operands *o, bool taken, struct tn_scalar *a, struct tn_scalar *b)
{
	return tn_scalar_branch(o->op, o->half && !TN_MUT(BRANCH_WIDTH), taken, a, b, TN_W64);
}

static void number_outcomes(const struct operands *o, struct tn_outcomes *out)
{
	if (o->op != TN_JSET && same_number(o->a, o->b)) {
		out->taken = holds_for_equals(o->op);
		out->fall = !out->taken;
		return;
	}
	out->known = true;
	for (unsigned taken = 0; taken < 2; taken++) {
		out->a[taken] = o->a->v;
		out->b[taken] = o->b->v;
	}
	out->fall = refine(o, false, &out->a[0], &out->b[0]);
	out->taken = refine(o, true, &out->a[1], &out->b[1]);
}

/* ---- Which outcomes ---- */

static bool is_zero(const struct tn_reg *r)
{
	uint64_t c;

	return r->kind == TN_REG_SCALAR && tn_scalar_is_const(&r->v, &c) && !c;
}

/* Not 0 for sure: an address below its base, or far above it, could be any number. Stacks stand
 * high. */
static bool stays_near(const struct tn_reg *p)
{
	int64_t near = (int64_t)1 << 31;

	return p->v.smin >= (p->kind == TN_REG_STACK ? -near : 0) && p->v.smax <= near;
}

static bool same_memory(const struct tn_vf *vf, const struct tn_reg *a, const struct tn_reg *b)
{
	bool ra = a->kind == TN_REG_REGION || a->kind == TN_REG_END;
	bool rb = b->kind == TN_REG_REGION || b->kind == TN_REG_END;

	if (ra && rb)
		return a->region == b->region || vf->regions[a->region].end == (int)b->region ||
		       vf->regions[b->region].end == (int)a->region;
	return a->kind == b->kind && a->kind != TN_REG_MEM && a->obj == b->obj &&
	       a->frame == b->frame && a->ref == b->ref && !a->untrusted && !b->untrusted;
}

/* A compare whose outcome says something that we understand, an address taken for an address. */
static bool is_plain_compare(const struct tn_vf *vf, const struct operands *o)
{
	const struct tn_reg *a = o->a, *b = o->b;

	if (!tn_reg_is_pointer(a) && !tn_reg_is_pointer(b))
		return true;
	if (o->half || a->low || b->low || o->op == TN_JSET)
		return false;
	if (!tn_reg_is_pointer(a) || !tn_reg_is_pointer(b))
		return (o->op == TN_JEQ || o->op == TN_JNE) &&
		       is_zero(tn_reg_is_pointer(a) ? b : a);
	return o->op == TN_JEQ || o->op == TN_JNE ||
	       (!a->nullable && !b->nullable && same_memory(vf, a, b));
}

/* A context is not either, but who tests it wants both ways looked at. */
static bool is_never_null(const struct tn_reg *p)
{
	return !p->nullable && !p->untrusted && stays_near(p) && p->kind != TN_REG_CTX;
}

static int against_number(struct tn_vf *vf, const struct operands *o, bool *fall, bool *taken)
{
	const struct tn_reg *p = tn_reg_is_pointer(o->a) ? o->a : o->b;
	const struct tn_reg *n = p == o->a ? o->b : o->a;
	uint32_t regno = p == o->a ? o->insn->dst : o->insn->src;

	if (o->half || (o->op != TN_JEQ && o->op != TN_JNE) || !is_zero(n))
		return tn_reject(
			vf, E_POINTER_MATH, (int)regno,
			"r%u is %s; it can be compared with 0 or with pointers into the same "
			"memory, not with %s",
			regno, tn_reg_words(vf, p), tn_scalar_words(vf, &n->v));
	*fall = *taken = true;
	if (is_never_null(p)) {
		*taken = o->op == TN_JNE;
		*fall = !*taken;
	}
	return 0;
}

int tn_branch_outcomes(struct tn_vf *vf, struct tn_outcomes *out)
{
	struct operands o;
	int err;

	out->fall = out->taken = true;
	out->known = false;
	get_operands(vf, &o);
	if (o.op == TN_JCOND)
		return 0;
	err = tn_need_init(vf, o.insn->dst);
	if (!err && o.b != &o.imm)
		err = tn_need_init(vf, o.insn->src);
	if (err)
		return err;
	if (o.a->kind == TN_REG_ARENA || o.b->kind == TN_REG_ARENA)
		return tn_arena_compare(vf, o.a, o.b);
	if (vf->env->addresses_visible && !is_plain_compare(vf, &o))
		return 0;
	if (o.a->low || o.b->low)
		return tn_reject(vf, E_POINTER_MATH, o.insn->dst,
				 "an address cut to 32 bits is compared");
	if (!tn_reg_is_pointer(o.a) && !tn_reg_is_pointer(o.b)) {
		number_outcomes(&o, out);
		return 0;
	}
	if (!tn_reg_is_pointer(o.a) || !tn_reg_is_pointer(o.b))
		return against_number(vf, &o, &out->fall, &out->taken);
	if (o.half || o.op == TN_JSET)
		return tn_reject(vf, E_POINTER_MATH, o.insn->dst, "r%u is %s, compared as a number",
				 o.insn->dst, tn_reg_words(vf, o.a));
	if (o.op != TN_JEQ && o.op != TN_JNE &&
	    (o.a->nullable || o.b->nullable || !same_memory(vf, o.a, o.b)))
		return tn_reject(
			vf, E_POINTER_MATH, o.insn->dst,
			"r%u is %s and the other side is %s: the order of different memory "
			"means nothing",
			o.insn->dst, tn_reg_words(vf, o.a), tn_reg_words(vf, o.b));
	return 0;
}

/* ---- Spreading what was learnt ---- */

static struct tn_scalar shifted(const struct tn_scalar *v, uint64_t mult, uint64_t add)
{
	struct tn_scalar m = tn_scalar_const(mult, TN_W64), d = tn_scalar_const(add, TN_W64);
	struct tn_scalar r = *v;

	if (mult != 1)
		r = tn_scalar_alu(TN_MUL, false, false, &r, &m, TN_W64);
	return add ? tn_scalar_alu(TN_ADD, false, false, &r, &d, TN_W64) : r;
}

static bool spread_one(const struct tn_reg *from, struct tn_reg *r)
{
	struct tn_scalar v;

	if (r->scale == from->scale || TN_MUT(SPREAD_SCALE)) {
		v = shifted(&from->v, 1, (uint64_t)r->delta - (uint64_t)from->delta);
	} else if (from->scale == 1) {
		v = shifted(&from->v, 1, 0 - (uint64_t)from->delta);
		v = shifted(&v, r->scale, (uint64_t)r->delta);
	} else {
		return true;
	}
	return tn_scalar_meet(&r->v, &v, TN_W64);
}

/* Registers and slots that hold none have id 0. */
static bool spread_in_frame(struct tn_frame *f, const struct tn_reg *from)
{
	for (uint32_t i = 0; i < TN_R10; i++)
		if (f->r[i].id == from->id && &f->r[i] != from && !spread_one(from, &f->r[i]))
			return false;
	for (uint32_t i = 0; i < f->nr_slots; i++)
		if (f->slots[i].reg.id == from->id && tn_slot_has_spill(&f->slots[i]) &&
		    !spread_one(from, &f->slots[i].reg))
			return false;
	return true;
}

bool tn_spread_scalar(struct tn_vf *vf, const struct tn_reg *r)
{
	if (!r->id)
		return true;
	for (uint32_t i = 0; i < vf->s.nr_frames; i++)
		if (!spread_in_frame(&vf->s.frames[i], r))
			return false;
	for (uint32_t i = 0; i < vf->nr_regions; i++) {
		struct tn_scalar v;

		if (vf->regions[i].len_id != r->id || r->scale != 1)
			continue;
		v = shifted(&r->v, 1, 0 - (uint64_t)r->delta);
		if (!tn_scalar_meet(&vf->s.regions[i].len, &v, TN_W64))
			return false;
	}
	return true;
}

/* The region has at least `bytes`, and what is tied to its length has grown with it. false: it can
 * not have. */
static bool grow_region(struct tn_vf *vf, uint32_t region, uint64_t bytes)
{
	uint64_t had = vf->s.regions[region].len.umin;
	struct tn_reg len;

	if (!tn_region_learn_min(vf->regions, &vf->s, region, bytes))
		return false;
	if (vf->regions[region].kind == TN_FIELD_MEM || vf->s.regions[region].len.umin == had)
		return true;
	tn_reg_set_scalar(&len, vf->s.regions[region].len);
	len.id = vf->regions[region].len_id;
	return tn_spread_scalar(vf, &len);
}

/* ---- Order ---- */

struct order { /* x + k <= y */
	struct tn_reg *x, *y;
	int64_t k;
};

/* The orders that an outcome states, for numbers that compare alike signed and unsigned, or for
 * unsigned compares. Returns how many (0 to 2). */
static uint32_t orders(const struct operands *o, bool taken, struct order out[2])
{
	unsigned op = o->op;

	switch (op) {
	case TN_JEQ:
	case TN_JNE:
		if ((op == TN_JEQ) != taken)
			return 0;
		out[0] = (struct order){ o->a, o->b, 0 };
		out[1] = (struct order){ o->b, o->a, 0 };
		return 2;
	case TN_JLT:
	case TN_JSLT:
		out[0] = taken ? (struct order){ o->a, o->b, 1 } : (struct order){ o->b, o->a, 0 };
		return 1;
	case TN_JLE:
	case TN_JSLE:
		out[0] = taken ? (struct order){ o->a, o->b, 0 } : (struct order){ o->b, o->a, 1 };
		return 1;
	case TN_JGT:
	case TN_JSGT:
		out[0] = taken ? (struct order){ o->b, o->a, 1 }
			       : (struct order){ o->a, o->b, TN_MUT(LENGTH_NOT_STRICT) };
		return 1;
	case TN_JGE:
	case TN_JSGE:
		out[0] = taken ? (struct order){ o->b, o->a, 0 } : (struct order){ o->a, o->b, 1 };
		return 1;
	default:
		return 0;
	}
}

static bool is_signed(unsigned op)
{
	return op == TN_JSGT || op == TN_JSGE || op == TN_JSLT || op == TN_JSLE;
}

/* The compare's verdict is that of the integers 0 .. 2^48 behind both operands. */
static bool plain_order(const struct operands *o)
{
	uint64_t max = (uint64_t)TN_OFFSET_MAX;

	if (o->half)
		max = is_signed(o->op) ? INT32_MAX : UINT32_MAX;
	return o->a->v.umax <= max && o->b->v.umax <= max;
}

/* x + k <= y, and y stands in a relation to a region: then so does x. */
static bool learn_order(struct tn_vf *vf, const struct order *r)
{
	uint64_t c;

	if (!r->y->id)
		return true;
	for (uint32_t g = 0; g < vf->nr_regions; g++) {
		uint64_t unit = vf->regions[g].unit;

		for (uint64_t mult = 1; mult <= unit; mult = mult < unit ? unit : unit + 1) {
			int64_t ky;

			if (vf->regions[g].kind == TN_FIELD_MEM ||
			    r->y->v.umax > (uint64_t)TN_OFFSET_MAX / mult ||
			    !tn_region_slack_tied(vf->regions, &vf->s, g, r->y, mult, &ky))
				continue;
			ky += r->k * (int64_t)mult;
			if (!tn_scalar_is_const(&r->x->v, &c)) {
				tn_reg_make_id(&vf->senv, r->x);
				tn_region_learn(vf->regions, &vf->s, g, r->x, mult, ky);
			} else if ((int64_t)(c * mult) + ky > 0) {
				if (!grow_region(vf, g, c * mult + (uint64_t)ky))
					return false;
			}
		}
	}
	return true;
}

/* x != y where y is a region's length (moved), and x <= y was known: x + 1 <= y. */
static bool learn_unequal(struct tn_vf *vf, struct tn_reg *x, const struct tn_reg *y)
{
	struct tn_scalar below;

	if (!x->id)
		return true;
	for (uint32_t g = 0; g < vf->nr_regions; g++) {
		uint64_t unit = vf->regions[g].unit;
		int64_t kx, ky;

		if (y->id != vf->regions[g].len_id || y->scale != 1 ||
		    vf->regions[g].kind == TN_FIELD_MEM ||
		    x->v.umax > (uint64_t)TN_OFFSET_MAX / unit ||
		    __builtin_mul_overflow(y->delta, -(int64_t)unit, &ky) ||
		    !tn_region_slack_tied(vf->regions, &vf->s, g, x, unit, &kx))
			continue;
		if (kx != ky)
			continue;
		below = tn_scalar_range(0, y->v.umax - (y->v.umax != 0), TN_W64);
		tn_region_learn(vf->regions, &vf->s, g, x, unit, kx + (int64_t)unit);
		return tn_scalar_meet(&x->v, &below, TN_W64) && tn_spread_scalar(vf, x);
	}
	return true;
}

static bool assume_numbers(struct tn_vf *vf, struct operands *o, bool taken,
			   const struct tn_outcomes *out)
{
	struct order r[2];
	uint32_t nr;

	if (o->op != TN_JSET && same_number(o->a, o->b))
		return taken == holds_for_equals(o->op);
	if (o->a == o->b)
		return true;
	if (out && out->known) {
		if (!(taken ? out->taken : out->fall))
			return false;
		o->a->v = out->a[taken];
		o->b->v = out->b[taken];
	} else if (!refine(o, taken, &o->a->v, &o->b->v)) {
		return false;
	}
	if (!tn_spread_scalar(vf, o->a) || (o->b != &o->imm && !tn_spread_scalar(vf, o->b)))
		return false;
	if (!vf->nr_regions || !plain_order(o))
		return true;
	nr = orders(o, taken, r);
	for (uint32_t i = 0; i < nr; i++)
		if (!learn_order(vf, &r[i]))
			return false;
	if ((o->op == TN_JNE) == taken && (o->op == TN_JNE || o->op == TN_JEQ))
		return learn_unequal(vf, o->a, o->b) && learn_unequal(vf, o->b, o->a);
	return true;
}

void tn_learn_shrunk(struct tn_vf *vf, struct tn_reg *out, const struct tn_reg *a)
{
	for (uint32_t g = 0; g < vf->nr_regions; g++) {
		uint64_t unit = vf->regions[g].unit;

		for (uint64_t mult = 1; mult <= unit; mult = mult < unit ? unit : unit + 1) {
			int64_t k;

			if (vf->regions[g].kind == TN_FIELD_MEM ||
			    a->v.umax > (uint64_t)TN_OFFSET_MAX / mult ||
			    !tn_region_slack_tied(vf->regions, &vf->s, g, a, mult, &k))
				continue;
			tn_reg_make_id(&vf->senv, out);
			tn_region_learn(vf->regions, &vf->s, g, out, mult, k);
		}
	}
}

/* ---- Pointers ---- */

struct nulls {
	uint32_t id;
	bool null;
};

static void settle(struct tn_reg *r, bool null)
{
	if (null) {
		tn_reg_set_const(r, 0);
	} else {
		r->nullable = false;
		r->null_id = 0;
	}
}

static void settle_one(void *user, struct tn_reg *r)
{
	const struct nulls *n = user;

	if (r->nullable && (r->null_id == n->id || TN_MUT(NULL_WRONG_ID)))
		settle(r, n->null);
}

static bool assume_null(struct tn_vf *vf, struct tn_reg *p, bool null)
{
	struct nulls n = { p->null_id, null };
	uint32_t ref = p->share == TN_SHARE_OWN ? p->ref : 0;

	if (!p->nullable)
		return !null || !is_never_null(p);
	settle(p, null);
	if (n.id)
		tn_state_each_reg(&vf->s, settle_one, &n);
	if (null && ref)
		tn_ref_drop(vf, ref);
	for (uint32_t i = 0; n.id && i < vf->nr_regions; i++)
		if (vf->regions[i].null_id == n.id)
			vf->s.regions[i].null = null ? TN_NULL_YES : TN_NULL_NO;
	return true;
}

/* y is the end of x's region, or past it by *off. */
static bool is_end_of(const struct tn_vf *vf, const struct tn_reg *y, const struct tn_reg *x,
		      int64_t *off)
{
	uint64_t c;

	if (x->kind != TN_REG_REGION || !tn_scalar_is_const(&y->v, &c))
		return false;
	if (y->kind == TN_REG_END
		    ? y->region != x->region
		    : y->kind != TN_REG_REGION || vf->regions[x->region].end != (int)y->region)
		return false;
	/* An end moved down could wrap around below address 0. */
	*off = (int64_t)c;
	return *off >= 0 && *off <= TN_OFFSET_MAX;
}

/* An offset that can not wrap the address around; see region.h. */
static bool offset_is_plain(const struct tn_reg *r)
{
	return r->v.smin >= 0 && r->v.smax <= TN_OFFSET_MAX;
}

/* x + k <= bytes <= 2^47 bounds x itself. */
static bool bound_by_end(struct tn_vf *vf, struct tn_reg *x, int64_t k)
{
	uint64_t max = TN_REGION_MAX_BYTES;
	struct tn_scalar v;

	if (k < 0 || (uint64_t)k > max || x->v.umax <= max - (uint64_t)k)
		return true;
	v = tn_scalar_range(0, max - (uint64_t)k, TN_W64);
	return tn_scalar_meet(&x->v, &v, TN_W64) && tn_spread_scalar(vf, x);
}

/* As in the kernel a first compare farther out tells nothing. A pointer that is known to be inside,
 * as one that walks through the packet, may go on. */
#define MAX_PACKET_OFF 0xffff

/* x + k <= end of its region. */
static bool below_end(struct tn_vf *vf, struct tn_reg *x, int64_t k)
{
	uint32_t g = x->region;
	int64_t slack;
	uint64_t c;

	if (!offset_is_plain(x) || (vf->ctx->is_packet && x->v.umax > MAX_PACKET_OFF &&
				    !tn_region_slack_tied(vf->regions, &vf->s, g, x, 1, &slack)))
		return true;
	k += TN_MUT(PACKET_OFF_BY_ONE);
	if (tn_scalar_is_const(&x->v, &c))
		return (int64_t)c + k <= 0 || grow_region(vf, g, c + (uint64_t)k);
	tn_reg_make_id(&vf->senv, x);
	tn_region_learn(vf->regions, &vf->s, g, x, 1, k);
	if (!bound_by_end(vf, x, k))
		return false;
	return k <= 0 || x->v.umin + (uint64_t)k <= x->v.umin ||
	       grow_region(vf, g, x->v.umin + (uint64_t)k);
}

static bool order_pointers(struct tn_vf *vf, const struct order *r)
{
	int64_t off, k;

	if (is_end_of(vf, r->y, r->x, &off))
		return below_end(vf, r->x, r->k - off);
	/* x below another pointer into the same region, of which something is known. */
	if (r->x->kind == TN_REG_REGION && r->y->kind == TN_REG_REGION &&
	    r->x->region == r->y->region && offset_is_plain(r->x) && offset_is_plain(r->y) &&
	    tn_region_slack(vf->regions, &vf->s, r->x->region, r->y, 1, &k))
		return below_end(vf, r->x, r->k + k);
	return true;
}

/* x != end, where x <= end was known: x < end. */
static bool not_end(struct tn_vf *vf, struct tn_reg *x, const struct tn_reg *y)
{
	int64_t off, k;

	if (!is_end_of(vf, y, x, &off) || !offset_is_plain(x) ||
	    !tn_region_slack(vf->regions, &vf->s, x->region, x, 1, &k) || k != -off)
		return true;
	return below_end(vf, x, k + 1);
}

/* Surely offsets from one address. Two values of a map or two handles of a type are not: what names
 * them says of what kind they are, not which one. A reference held twice is one object. */
static bool same_base(const struct tn_reg *a, const struct tn_reg *b)
{
	if (a->kind != b->kind || a->region != b->region || a->frame != b->frame ||
	    a->ref != b->ref || a->obj != b->obj || a->size != b->size || a->low != b->low)
		return false;
	switch ((enum tn_reg_kind)a->kind) {
	case TN_REG_STACK:
	case TN_REG_CTX:
	case TN_REG_REGION:
	case TN_REG_END:
	case TN_REG_FUNC:
		return true;
	case TN_REG_MAP:
		/* Inner maps share the name of their shape. */
		return !((const struct tn_map *)a->obj)->is_template ||
		       (a->inst && a->inst == b->inst);
	case TN_REG_RECORD:
	case TN_REG_HANDLE:
		return a->ref != 0 && a->share == TN_SHARE_OWN && b->share == TN_SHARE_OWN;
	default:
		return false;
	}
}

static bool assume_pointers(struct tn_vf *vf, struct operands *o, bool taken)
{
	struct order r[2];
	uint32_t nr;

	if (o->a == o->b)
		return taken == holds_for_equals(o->op);
	if (o->a->nullable || o->b->nullable)
		return true;
	if (same_base(o->a, o->b) && offset_is_plain(o->a) && offset_is_plain(o->b)) {
		if (!tn_scalar_branch(o->op, false, taken, &o->a->v, &o->b->v, TN_W64))
			return false;
		if (!tn_spread_scalar(vf, o->a) || !tn_spread_scalar(vf, o->b))
			return false;
	}
	if (is_signed(o->op))
		return true;
	nr = orders(o, taken, r);
	for (uint32_t i = 0; i < nr; i++)
		if (!order_pointers(vf, &r[i]))
			return false;
	if ((o->op == TN_JNE) == taken && (o->op == TN_JNE || o->op == TN_JEQ))
		return not_end(vf, o->a, o->b) && not_end(vf, o->b, o->a);
	return true;
}

bool tn_branch_assume(struct tn_vf *vf, bool taken, const struct tn_outcomes *out)
{
	struct operands o;

	get_operands(vf, &o);
	if (o.op == TN_JCOND || o.a->kind == TN_REG_ARENA || o.b->kind == TN_REG_ARENA ||
	    !is_plain_compare(vf, &o))
		return true;
	if (!tn_reg_is_pointer(o.a) && !tn_reg_is_pointer(o.b))
		return assume_numbers(vf, &o, taken, out);
	if (tn_reg_is_pointer(o.a) && tn_reg_is_pointer(o.b))
		return assume_pointers(vf, &o, taken);
	return assume_null(vf, tn_reg_is_pointer(o.a) ? o.a : o.b, taken == (o.op == TN_JEQ));
}
