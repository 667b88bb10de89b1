/* SPDX-License-Identifier: MIT */
/*
 * Trip counts. Before the walk, each loop's body is followed once with symbols: what stands in a
 * register, or in a place of the stack, is the value that another had at the loop's head plus
 * something between two constants, modulo 2^64, or modulo 2^32 where 32-bit forms are involved.
 *What at every back edge is its own value at the head plus [lo, hi], both of one sign and not zero,
 *is a counter: its values at successive arrivals at the head, since the loop was entered, are
 *
 *	v, v + c1, v + c1 + c2, ...	with lo <= ck <= hi, modulo the width
 *
 * The walk's states contain every concrete arrival, so the union of its ranges over all states that
 * arrived from outside contains v, and the union over those that came by back edges contains the
 * others: [min, max], as unsigned or as signed numbers of that width, or of the lower half alone;
 * each reading is an argument of its own. Upwards: if max + hi and (v's largest) + hi do not leave
 *the width, no step wraps, so v + k * lo <= max after k rounds, and the head is reached at most
 *(max - v_min) / lo + 1 times per entry. Downwards the same.
 *
 * Stack: cells at a constant distance of r10. A store that may touch one in another way, and a call
 * that may write the frame, make it unknown; so do inner loops that move it.
 */
#include "verifier/counter.h"

#include <string.h>

#include "verifier/mutant.h"

#define CELLS	   4u
#define PLACES	   (TN_R10 + CELLS)
#define HULL_PASS  4		      /* passes in which an interval may still grow */
#define MOVE_MAX   ((int64_t)1 << 40) /* of a symbol */
#define MAX_VISITS 400000u	      /* of blocks, for all loops */

struct cell {
	int16_t off;
	uint8_t size; /* 4 or 8; 0: none */
};

struct counter {
	uint8_t place; /* register, or TN_R10 + cell */
	struct cell cell;
	bool low, usable;
	int64_t lo, hi;
	bool entered, came_back;
	struct bounds {
		uint64_t umin, umax, hmin, hmax;
		int64_t smin, smax, hsmin, hsmax;
	} entry, back;
};

struct tn_counters {
	struct counter *v; /* grouped by loop */
	uint32_t nr;
	uint32_t *first; /* per loop; nr_loops + 1 */
};

/* ---- Following a body ---- */

/* SHIFTED: the lower half of what is said, times 2^32. */
enum sym_kind { SYM_UNSEEN = 0, SYM_KNOWN, SYM_SHIFTED, SYM_OTHER };

/* The value of `of` at the head + [lo, hi], modulo 2^64 or, `low`, modulo 2^32. */
struct sym {
	uint8_t kind, of;
	bool low;
	int64_t lo, hi;
};

struct syms {
	struct sym v[PLACES];
};

struct finder {
	const struct tn_structure *s;
	const struct tn_liveness *live;
	uint32_t loop;
	struct cell cells[CELLS];
	struct syms *in; /* per block */
	struct syms latch;
	uint32_t visits;
};

static const struct sym other = { .kind = SYM_OTHER };

static void lose_cells(const struct finder *f, struct syms *v, int32_t off, int32_t size)
{
	for (uint32_t i = 0; i < CELLS; i++)
		if (f->cells[i].size && off < f->cells[i].off + f->cells[i].size &&
		    f->cells[i].off < off + size)
			v->v[TN_R10 + i] = other;
}

static int find_cell(const struct finder *f, int16_t off, uint32_t size)
{
	for (uint32_t i = 0; i < CELLS; i++)
		if (f->cells[i].size == size && f->cells[i].off == off)
			return (int)i;
	return -1;
}

static struct sym to_low(struct sym s)
{
	if (s.kind != SYM_KNOWN)
		return other;
	s.low = true;
	return s;
}

static struct sym moved(struct sym s, bool low, int64_t by)
{
	if (s.kind != SYM_KNOWN)
		return other;
	s.low |= low;
	s.lo += by;
	s.hi += by;
	return s.lo < -MOVE_MAX || s.hi > MOVE_MAX ? other : s;
}

/* Version 2 of the instruction set cuts to 32 bits by two shifts. */
static struct sym shifted(struct sym s, bool left)
{
	if (s.kind != (left ? SYM_KNOWN : SYM_SHIFTED))
		return other;
	s.kind = left ? SYM_SHIFTED : SYM_KNOWN;
	s.low = true;
	return s;
}

static void follow_alu(const struct tn_insn *insn, struct syms *v)
{
	bool half = TN_CLASS(insn->code) == TN_ALU, reg = TN_SRC(insn->code) == TN_X;
	struct sym *d = &v->v[insn->dst];

	if (insn->dst >= TN_R10)
		return;
	switch (TN_OP(insn->code)) {
	case TN_MOV:
		*d = !reg || insn->off || insn->src >= TN_R10 ? other : v->v[insn->src];
		if (half)
			*d = to_low(*d);
		break;
	case TN_ADD:
		*d = reg ? other : moved(*d, half, insn->imm);
		break;
	case TN_SUB:
		*d = reg ? other : moved(*d, half, -(int64_t)insn->imm);
		break;
	case TN_LSH:
	case TN_RSH:
	case TN_ARSH:
		*d = reg || half || insn->imm != 32 ? other
						    : shifted(*d, TN_OP(insn->code) == TN_LSH);
		break;
	default:
		*d = other;
	}
}

static void follow_store(const struct finder *f, uint32_t i, struct syms *v)
{
	const struct tn_insn *insn = &f->s->prog->insns[i];
	uint32_t size = tn_insn_bytes(insn->code);
	bool plain = TN_MODE(insn->code) == TN_MEM;
	int cell;

	if (insn->dst != TN_R10) {
		if (f->live->writes_frame[i])
			lose_cells(f, v, INT16_MIN, 2 * INT16_MAX);
		return;
	}
	lose_cells(f, v, insn->off, (int32_t)size);
	cell = find_cell(f, insn->off, size);
	if (cell < 0 || !plain || TN_CLASS(insn->code) != TN_STX || insn->src >= TN_R10)
		return;
	v->v[TN_R10 + cell] = v->v[insn->src];
	if (size == 4)
		v->v[TN_R10 + cell] = to_low(v->v[insn->src]);
}

static void lose_regs(struct syms *v, uint32_t from, uint32_t to)
{
	for (uint32_t r = from; r <= to; r++)
		v->v[r] = other;
}

static void follow_insn(const struct finder *f, uint32_t i, struct syms *v)
{
	const struct tn_insn *insn = &f->s->prog->insns[i];
	int cell;

	switch (TN_CLASS(insn->code)) {
	case TN_ALU:
	case TN_ALU64:
		follow_alu(insn, v);
		break;
	case TN_LDX:
		cell = insn->src == TN_R10 && TN_MODE(insn->code) == TN_MEM
			       ? find_cell(f, insn->off, tn_insn_bytes(insn->code))
			       : -1;
		v->v[insn->dst] = cell < 0 ? other : v->v[TN_R10 + cell];
		break;
	case TN_ST:
		follow_store(f, i, v);
		break;
	case TN_STX:
		follow_store(f, i, v);
		/* Whatever an atomic operation may write. */
		if (TN_MODE(insn->code) == TN_ATOMIC) {
			v->v[TN_R0] = other;
			if (insn->dst < TN_R10)
				v->v[insn->dst] = other;
			if (insn->src < TN_R10)
				v->v[insn->src] = other;
		}
		break;
	case TN_LD:
		if (tn_insn_is_lddw(insn))
			v->v[insn->dst] = other;
		else
			lose_regs(v, TN_R0, TN_R5);
		break;
	default:
		if (TN_OP(insn->code) != TN_CALL || TN_CLASS(insn->code) != TN_JMP)
			break;
		lose_regs(v, TN_R0, TN_R5);
		if (f->live->writes_frame[i])
			lose_cells(f, v, INT16_MIN, 2 * INT16_MAX);
	}
}

static bool join_sym(struct sym *into, const struct sym *s, bool grow)
{
	struct sym was = *into;

	if (s->kind == SYM_UNSEEN || was.kind == SYM_OTHER)
		return false;
	if (was.kind == SYM_UNSEEN) {
		*into = *s;
		return true;
	}
	if (s->kind != was.kind || s->of != was.of) {
		*into = other;
		return true;
	}
	into->low |= s->low;
	into->lo = TN_MIN(was.lo, s->lo);
	into->hi = TN_MAX(was.hi, s->hi);
	if (into->lo == was.lo && into->hi == was.hi)
		return into->low != was.low;
	if (!grow)
		*into = other;
	return true;
}

static bool join_syms(struct syms *into, const struct syms *v, bool grow)
{
	bool changed = false;

	for (uint32_t i = 0; i < PLACES; i++)
		changed |= join_sym(&into->v[i], &v->v[i], grow);
	return changed;
}

static bool follow_block(struct finder *f, uint32_t b, bool grow)
{
	const struct tn_structure *s = f->s;
	const struct tn_block *block = &s->blocks[b];
	uint32_t head = s->sites[s->loops[f->loop].head_insn].block;
	struct syms v = f->in[b];
	bool changed = false;

	f->visits++;
	for (uint32_t i = block->start; i < block->end; i++)
		if (!(s->sites[i].flags & TN_SITE_LDDW_HIGH))
			follow_insn(f, i, &v);
	for (unsigned e = 0; e < 2; e++) {
		uint32_t succ = block->succ[e];

		if (succ == head)
			changed |= join_syms(&f->latch, &v, grow);
		else if (succ != TN_NONE &&
			 tn_structure_loop_within(s, s->blocks[succ].loop, f->loop))
			changed |= join_syms(&f->in[succ], &v, grow);
	}
	return changed;
}

/* Cells that the loop stores to. */
static void find_cells(struct finder *f)
{
	const struct tn_loop *l = &f->s->loops[f->loop];
	uint32_t nr = 0;

	memset(f->cells, 0, sizeof(f->cells));
	for (uint32_t i = 0; i < l->nr_members; i++) {
		const struct tn_block *b = &f->s->blocks[f->s->members[l->first_member + i]];

		for (uint32_t j = b->start; j < b->end && nr < CELLS; j++) {
			const struct tn_insn *insn = &f->s->prog->insns[j];
			uint32_t size = tn_insn_bytes(insn->code);

			if (insn->dst != TN_R10 || (size != 4 && size != 8) ||
			    TN_CLASS(insn->code) != TN_STX || TN_MODE(insn->code) != TN_MEM ||
			    f->s->sites[j].flags & TN_SITE_LDDW_HIGH ||
			    find_cell(f, insn->off, size) >= 0)
				continue;
			f->cells[nr++] = (struct cell){ insn->off, (uint8_t)size };
		}
	}
}

/* Every place holds what it holds at the head. */
static void begin_body(struct finder *f)
{
	const struct tn_structure *s = f->s;
	const struct tn_loop *l = &s->loops[f->loop];
	struct syms *head = &f->in[s->sites[l->head_insn].block];

	for (uint32_t i = 0; i < l->nr_members; i++)
		memset(&f->in[s->members[l->first_member + i]], 0, sizeof(f->in[0]));
	memset(&f->latch, 0, sizeof(f->latch));
	for (uint32_t i = 0; i < PLACES; i++)
		head->v[i] = (struct sym){ .kind = SYM_KNOWN, .of = (uint8_t)i };
	for (uint32_t i = 0; i < CELLS; i++) {
		if (f->cells[i].size == 4)
			head->v[TN_R10 + i].low = true;
		if (!f->cells[i].size)
			head->v[TN_R10 + i] = other;
	}
}

static void add_counters(const struct finder *f, struct tn_counters *c)
{
	for (uint32_t i = 0; i < PLACES; i++) {
		const struct sym *s = &f->latch.v[i];

		if (s->kind != SYM_KNOWN || s->of != i || (s->lo <= 0 && s->hi >= 0))
			continue;
		c->v[c->nr++] = (struct counter){
			.place = (uint8_t)i, .low = s->low, .lo = s->lo, .hi = s->hi
		};
		if (i >= TN_R10)
			c->v[c->nr - 1].cell = f->cells[i - TN_R10];
	}
}

static void find_counters(struct finder *f, struct tn_counters *c)
{
	const struct tn_structure *s = f->s;
	const struct tn_loop *l = &s->loops[f->loop];
	bool changed = true;

	if (l->irreducible)
		return;
	find_cells(f);
	begin_body(f);
	/* Intervals stop growing after a few passes, then each place changes once more at most. */
	for (uint32_t pass = 0; changed; pass++) {
		changed = false;
		for (uint32_t i = 0; i < l->nr_members; i++) {
			if (f->visits >= MAX_VISITS)
				return;
			changed |= follow_block(f, s->members[l->first_member + i],
						pass < HULL_PASS);
		}
	}
	add_counters(f, c);
}

struct tn_counters *tn_counters_new(struct tn_rt *rt, const struct tn_structure *s,
				    const struct tn_liveness *live)
{
	struct tn_counters *c = tn_new(rt, struct tn_counters);
	struct finder f = { .s = s, .live = live };

	if (!c)
		return NULL;
	c->first = tn_alloc_array(rt, (size_t)s->nr_loops + 1, sizeof(c->first[0]));
	c->v = tn_alloc_array(rt, (size_t)s->nr_loops * PLACES + 1, sizeof(c->v[0]));
	f.in = tn_alloc_array(rt, s->nr_loops ? s->nr_blocks : 1, sizeof(f.in[0]));
	if (!c->first || !c->v || !f.in) {
		tn_free(rt, f.in);
		tn_counters_free(rt, c);
		return NULL;
	}
	for (f.loop = 0; f.loop < s->nr_loops; f.loop++) {
		c->first[f.loop] = c->nr;
		find_counters(&f, c);
	}
	c->first[s->nr_loops] = c->nr;
	tn_free(rt, f.in);
	return c;
}

void tn_counters_free(struct tn_rt *rt, struct tn_counters *c)
{
	if (!c)
		return;
	tn_free(rt, c->first);
	tn_free(rt, c->v);
	tn_free(rt, c);
}

/* ---- What the walk finds ---- */

void tn_counters_reset(struct tn_counters *c)
{
	for (uint32_t i = 0; i < c->nr; i++) {
		c->v[i].usable = true;
		c->v[i].entered = c->v[i].came_back = false;
	}
}

/* The number in a cell. false: not one that is known. */
static bool read_cell(const struct tn_frame *f, const struct cell *c, struct tn_scalar *v)
{
	uint32_t slot = (uint32_t)(-c->off - 1) / 8,
		 first = (uint32_t)(c->off + 8 * (int)(slot + 1));
	uint32_t spilled = 0, zero = 0;
	const struct tn_slot *s;

	if (c->off >= 0 || slot >= f->nr_slots || first + c->size > 8)
		return false;
	s = &f->slots[slot];
	for (uint32_t j = 0; j < 8; j++) {
		bool inside = j >= first && j < first + c->size;

		/* The spill is this cell exactly. */
		if (s->b[j] == TN_BYTE_SPILL && !inside)
			return false;
		spilled += s->b[j] == TN_BYTE_SPILL;
		zero += inside && s->b[j] == TN_BYTE_ZERO;
	}
	if (zero == c->size) {
		*v = tn_scalar_const(0, TN_W64);
		return true;
	}
	*v = s->reg.v;
	return spilled == c->size && s->reg.kind == TN_REG_SCALAR;
}

static void add_bounds(struct bounds *b, bool seen, const struct tn_scalar *v)
{
	struct bounds now = { v->umin, v->umax, v->hmin,  v->hmax,
			      v->smin, v->smax, v->hsmin, v->hsmax };

	if (seen) {
		now.umin = TN_MIN(b->umin, now.umin);
		now.umax = TN_MAX(b->umax, now.umax);
		now.hmin = TN_MIN(b->hmin, now.hmin);
		now.hmax = TN_MAX(b->hmax, now.hmax);
		now.smin = TN_MIN(b->smin, now.smin);
		now.smax = TN_MAX(b->smax, now.smax);
		now.hsmin = TN_MIN(b->hsmin, now.hsmin);
		now.hsmax = TN_MAX(b->hsmax, now.hsmax);
	}
	*b = now;
}

void tn_counters_arrive(struct tn_counters *c, uint32_t loop, bool back, const struct tn_frame *f)
{
	for (uint32_t i = c->first[loop]; i < c->first[loop + 1]; i++) {
		struct counter *n = &c->v[i];
		bool *seen = back ? &n->came_back : &n->entered;
		struct tn_scalar v = tn_scalar_unknown(TN_W64);

		if (n->place < TN_R10) {
			n->usable = n->usable && f->r[n->place].kind == TN_REG_SCALAR;
			v = f->r[n->place].v;
		} else {
			n->usable = n->usable && read_cell(f, &n->cell, &v);
		}
		if (!n->usable)
			continue;
		add_bounds(back ? &n->back : &n->entry, *seen, &v);
		*seen = true;
	}
}

static uint64_t magnitude(int64_t v)
{
	return v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
}

static uint64_t rounds(uint64_t span, uint64_t step)
{
	return span / step + !TN_MUT(TRIPS_OFF_BY_ONE);
}

/* Of one reading: unsigned numbers, signed ones moved up by half of the width, so that order stays
 * order. `width` is the largest. */
struct reading {
	uint64_t entry_min, entry_max, back_min, back_max, width;
};

static uint64_t trips_in(const struct counter *n, const struct reading *r)
{
	uint64_t most = TN_MAX(magnitude(n->lo), magnitude(n->hi));
	uint64_t least = TN_MIN(magnitude(n->lo), magnitude(n->hi));

	if (most > r->width)
		return TN_TRIPS_UNKNOWN;
	if (n->lo > 0) {
		if (TN_MAX(r->back_max, r->entry_max) > r->width - most)
			return TN_TRIPS_UNKNOWN;
		return rounds(r->back_max > r->entry_min ? r->back_max - r->entry_min : 0, least);
	}
	if (TN_MIN(r->back_min, r->entry_min) < most)
		return TN_TRIPS_UNKNOWN;
	return rounds(r->entry_max > r->back_min ? r->entry_max - r->back_min : 0, least);
}

static uint64_t up(int64_t v, uint64_t width)
{
	return (uint64_t)v + (width / 2 + 1);
}

static uint64_t trips_of(const struct counter *n)
{
	const struct bounds *e = &n->entry, *b = &n->back;
	const uint64_t w = UINT64_MAX, h = UINT32_MAX;
	const struct reading readings[] = {
		/* Of the lower half, which moves like the whole does. */
		{ e->hmin, e->hmax, b->hmin, b->hmax, h },
		{ up(e->hsmin, h), up(e->hsmax, h), up(b->hsmin, h), up(b->hsmax, h), h },
		{ e->umin, e->umax, b->umin, b->umax, w },
		{ up(e->smin, w), up(e->smax, w), up(b->smin, w), up(b->smax, w), w },
	};
	uint64_t best = TN_TRIPS_UNKNOWN;

	if (!n->usable || !n->entered)
		return TN_TRIPS_UNKNOWN;
	if (!n->came_back)
		return 1;
	for (uint32_t i = 0; i < (n->low ? 2u : 4u); i++)
		best = TN_MIN(best, trips_in(n, &readings[i]));
	return best;
}

uint64_t tn_counters_trips(const struct tn_counters *c, uint32_t loop)
{
	uint64_t best = TN_TRIPS_UNKNOWN;

	for (uint32_t i = c->first[loop]; i < c->first[loop + 1]; i++)
		best = TN_MIN(best, trips_of(&c->v[i]));
	return best;
}
