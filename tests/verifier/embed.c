/* SPDX-License-Identifier: MIT */
#include "verifier/embed.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "maps/map.h"
#include "verifier/packed.h"
#include "verifier/region.h"
#include "vm/disasm.h"
#include "vm/helpers.h"

#define FRAMES	    8
#define FRAME_BYTES 512

struct machine {
	uint64_t r[FRAMES][TN_NR_REGS];
	unsigned char stack[FRAMES][FRAME_BYTES];
	uint32_t callsite[FRAMES];
	bool callback[FRAMES];
	uint64_t rounds[FRAMES]; /* done, of the callback in this frame */
	uint32_t depth;
	uint32_t insn;
};

/* ---- States from the walk ---- */

bool embed_init(struct embed *e, struct tn_prog *prog)
{
	static struct tn_region regions[TN_MAX_REGIONS];
	int nr;

	memset(e, 0, sizeof(*e));
	e->prog = prog;
	e->senv.rt = prog->rt;
	e->senv.max_frames = FRAMES;
	e->senv.max_slots = FRAME_BYTES / 8;
	e->max_steps = 2000;
	e->first = tn_alloc_array(prog->rt, prog->nr_insns, sizeof(e->first[0]));
	nr = prog->ctx_type ? tn_regions_find(prog->ctx_type, regions) : 0;
	e->regions = regions;
	e->nr_regions = nr < 0 ? 0 : (uint32_t)nr;
	return !tn_state_init(&e->senv, &e->s);
}

static void drop_states(struct embed *e)
{
	for (uint32_t i = 0; i < e->nr_states; i++)
		tn_packed_free(&e->senv, e->states[i]);
	e->nr_states = 0;
	memset(e->first, 0, e->prog->nr_insns * sizeof(e->first[0]));
}

void embed_fini(struct embed *e)
{
	drop_states(e);
	tn_free(e->prog->rt, e->states);
	tn_free(e->prog->rt, e->next);
	tn_free(e->prog->rt, e->first);
	tn_state_fini(&e->senv, &e->s);
}

void embed_observe(void *user, struct tn_state_env *senv, const struct tn_state *s, bool fresh)
{
	struct embed *e = user;
	uint64_t bytes = senv->bytes, peak = senv->peak_bytes;

	if (fresh) {
		drop_states(e);
		return;
	}
	if (e->nr_states == e->cap) {
		uint32_t cap = e->cap ? e->cap * 2 : 256;

		e->states = tn_realloc_array(e->prog->rt, e->states, cap, sizeof(e->states[0]));
		e->next = tn_realloc_array(e->prog->rt, e->next, cap, sizeof(e->next[0]));
		e->cap = cap;
	}
	e->states[e->nr_states] = tn_state_pack(senv, s);
	if (e->states[e->nr_states]) {
		e->next[e->nr_states] = e->first[s->insn];
		e->first[s->insn] = ++e->nr_states;
	}
	senv->bytes = bytes;
	senv->peak_bytes = peak;
}

void embed_area(struct embed *e, void *base, uint64_t size, bool writable)
{
	if (e->nr_areas < EMBED_MAX_AREAS)
		e->areas[e->nr_areas++] = (struct embed_area){ base, size, writable };
}

/* ---- Does a state contain the machine? ---- */

static uint64_t field_at(const struct embed *e, uint32_t field)
{
	const struct tn_field *f = &e->prog->ctx_type->fields[field];
	uint64_t v = 0;

	memcpy(&v, e->ctx + f->host_offset, f->host_size);
	return v;
}

static bool in_value(const struct tn_reg *r, uint64_t value)
{
	const struct tn_map *map = r->obj;

	if (map->values)
		for (uint32_t i = 0; i < map->max_entries; i++) {
			uint64_t base = (uintptr_t)map->values + (uint64_t)i * map->value_stride;

			if (tn_scalar_contains(&r->v, value - base, TN_W64))
				return true;
		}
	return !map->values;
}

static bool reg_contains(const struct embed *e, const struct machine *m, const struct tn_reg *r,
			 uint64_t value)
{
	const struct tn_region *g;

	if (tn_reg_is_pointer(r) && r->nullable && !value)
		return true;
	if (r->low)
		return true;
	switch ((enum tn_reg_kind)r->kind) {
	case TN_REG_UNINIT:
		return true;
	case TN_REG_SCALAR:
		return tn_scalar_contains(&r->v, value, TN_W64);
	case TN_REG_STACK:
		return tn_scalar_contains(
			&r->v, value - (uintptr_t)(m->stack[r->frame] + FRAME_BYTES), TN_W64);
	case TN_REG_CTX:
		return tn_scalar_contains(&r->v, value - (uintptr_t)e->ctx, TN_W64);
	case TN_REG_MAP:
		return value == (uintptr_t)r->obj;
	case TN_REG_VALUE:
		return in_value(r, value);
	case TN_REG_REGION:
		return tn_scalar_contains(&r->v, value - field_at(e, e->regions[r->region].field),
					  TN_W64);
	case TN_REG_END:
		g = &e->regions[r->region];
		return tn_scalar_contains(
			&r->v,
			value - field_at(e, (uint32_t)e->prog->ctx_type->fields[g->field].peer),
			TN_W64);
	default:
		return true;
	}
}

struct ties {
	struct {
		uint32_t id;
		uint64_t scale, base;
	} v[64];
	uint32_t nr;
};

/* What the register's id stands for, from the register's own value. */
static bool tie_holds(const struct embed *e, const struct machine *m, struct ties *t,
		      const struct tn_reg *r, uint64_t value)
{
	uint64_t base;

	if (!r->id || r->low || r->kind == TN_REG_UNINIT || (r->nullable && !value))
		return true;
	if (r->kind == TN_REG_STACK)
		value -= (uintptr_t)(m->stack[r->frame] + FRAME_BYTES);
	else if (r->kind == TN_REG_REGION)
		value -= field_at(e, e->regions[r->region].field);
	else if (r->kind != TN_REG_SCALAR)
		return true;
	base = value - (uint64_t)r->delta;
	for (uint32_t i = 0; i < t->nr; i++)
		if (t->v[i].id == r->id && t->v[i].scale == r->scale)
			return t->v[i].base == base;
	if (t->nr < 64) {
		t->v[t->nr].id = r->id;
		t->v[t->nr].scale = r->scale;
		t->v[t->nr++].base = base;
	}
	return true;
}

static uint64_t region_len(const struct embed *e, uint32_t i)
{
	const struct tn_region *g = &e->regions[i];
	const struct tn_field *f = &e->prog->ctx_type->fields[g->field];

	if (g->kind == TN_FIELD_SIZED)
		return field_at(e, (uint32_t)f->peer);
	return field_at(e, (uint32_t)f->peer) - field_at(e, g->field);
}

/* Lengths, and the facts on ids that were met. */
static bool regions_contain(const struct embed *e, const struct tn_state *s, const struct ties *t)
{
	for (uint32_t i = 0; i < s->nr_regions; i++)
		if (e->regions[i].kind != TN_FIELD_MEM &&
		    !tn_scalar_contains(&s->regions[i].len, region_len(e, i), TN_W64))
			return false;
	for (uint32_t i = 0; i < t->nr; i++)
		for (uint32_t j = 0; j < s->nr_regions; j++)
			if (t->v[i].id == e->regions[j].len_id && t->v[i].scale == 1 &&
			    t->v[i].base != region_len(e, j))
				return false;
	return true;
}

static bool slot_contains(const struct embed *e, const struct machine *m, struct ties *t,
			  uint32_t frame, uint32_t i, const struct tn_slot *slot)
{
	const unsigned char *at = m->stack[frame] + FRAME_BYTES - 8 * (i + 1);
	uint64_t value = 0;
	uint32_t n = 0;

	for (uint32_t j = 0; j < 8; j++) {
		if (slot->b[j] == TN_BYTE_ZERO && at[j])
			return false;
		if (slot->b[j] == TN_BYTE_SPILL)
			value |= (uint64_t)at[j] << 8 * n++;
	}
	return !n ||
	       (reg_contains(e, m, &slot->reg, value) && tie_holds(e, m, t, &slot->reg, value));
}

static bool state_contains(const struct embed *e, const struct machine *m, const struct tn_state *s)
{
	struct ties t = { .nr = 0 };

	if (s->nr_frames != m->depth + 1)
		return false;
	for (uint32_t i = 1; i < s->nr_frames; i++)
		if (s->frames[i].callsite != m->callsite[i])
			return false;
	for (uint32_t i = 0; i < s->nr_frames; i++) {
		const struct tn_frame *f = &s->frames[i];

		for (uint32_t r = 0; r < TN_R10; r++)
			if (!reg_contains(e, m, &f->r[r], m->r[i][r]) ||
			    !tie_holds(e, m, &t, &f->r[r], m->r[i][r]))
				return false;
		for (uint32_t j = 0; j < f->nr_slots; j++)
			if (!slot_contains(e, m, &t, i, j, &f->slots[j]))
				return false;
	}
	return regions_contain(e, s, &t);
}

static bool embedded(struct embed *e, const struct machine *m)
{
	for (uint32_t i = e->first[m->insn]; i; i = e->next[i - 1]) {
		tn_state_unpack(e->states[i - 1], &e->s);
		if (state_contains(e, m, &e->s))
			return true;
	}
	return false;
}

/* ---- The machine ---- */

static bool allowed(struct embed *e, const struct machine *m, uint64_t at, uint64_t size,
		    bool write)
{
	for (uint32_t i = 0; i < e->nr_areas; i++) {
		uint64_t base = (uintptr_t)e->areas[i].base;

		if (at >= base && at - base <= e->areas[i].size &&
		    size <= e->areas[i].size - (at - base))
			return !write || e->areas[i].writable;
	}
	for (uint32_t i = 0; i <= m->depth; i++) {
		uint64_t base = (uintptr_t)m->stack[i];

		if (at >= base && at - base <= FRAME_BYTES && size <= FRAME_BYTES - (at - base))
			return true;
	}
	snprintf(e->why, sizeof(e->why), "insn %u: %s of %" PRIu64 " bytes out of bounds", m->insn,
		 write ? "write" : "read", size);
	return false;
}

static uint64_t alu(unsigned op, bool is_signed, bool half, uint64_t a, uint64_t b)
{
	if (half) {
		a = (uint32_t)a;
		b = (uint32_t)b;
	}
	unsigned bits = half ? 32 : 64;
	int64_t sa = half ? (int32_t)a : (int64_t)a, sb = half ? (int32_t)b : (int64_t)b;
	uint64_t r = 0;

	switch (op) {
	case TN_ADD:
		r = a + b;
		break;
	case TN_SUB:
		r = a - b;
		break;
	case TN_MUL:
		r = a * b;
		break;
	case TN_DIV:
		if (!is_signed)
			r = b ? a / b : 0;
		else
			r = !sb ? 0 : sb == -1 ? 0 - (uint64_t)sa : (uint64_t)(sa / sb);
		break;
	case TN_MOD:
		if (!is_signed)
			r = b ? a % b : a;
		else
			r = !sb ? (uint64_t)sa : sb == -1 ? 0 : (uint64_t)(sa % sb);
		break;
	case TN_OR:
		r = a | b;
		break;
	case TN_AND:
		r = a & b;
		break;
	case TN_XOR:
		r = a ^ b;
		break;
	case TN_LSH:
		r = a << (b & (bits - 1));
		break;
	case TN_RSH:
		r = a >> (b & (bits - 1));
		break;
	case TN_ARSH:
		r = (uint64_t)(sa >> (b & (bits - 1)));
		break;
	case TN_MOV:
		r = b;
		break;
	default:
		break;
	}
	return half ? (uint32_t)r : r;
}

static bool compare(unsigned op, bool half, uint64_t a, uint64_t b)
{
	int64_t sa = half ? (int32_t)a : (int64_t)a, sb = half ? (int32_t)b : (int64_t)b;

	if (half) {
		a = (uint32_t)a;
		b = (uint32_t)b;
	}
	switch (op) {
	case TN_JEQ:
		return a == b;
	case TN_JNE:
		return a != b;
	case TN_JGT:
		return a > b;
	case TN_JGE:
		return a >= b;
	case TN_JLT:
		return a < b;
	case TN_JLE:
		return a <= b;
	case TN_JSET:
		return (a & b) != 0;
	case TN_JSGT:
		return sa > sb;
	case TN_JSGE:
		return sa >= sb;
	case TN_JSLT:
		return sa < sb;
	default:
		return sa <= sb;
	}
}

static uint64_t random_next(struct embed *e)
{
	e->seed ^= e->seed << 13;
	e->seed ^= e->seed >> 7;
	e->seed ^= e->seed << 17;
	return e->seed;
}

static void enter_frame(struct embed *e, struct machine *m, uint32_t subprog, uint32_t callsite)
{
	const struct tn_subprog_facts *f = &e->prog->facts->subprogs[subprog];

	m->depth++;
	m->callsite[m->depth] = callsite;
	m->callback[m->depth] = false;
	for (uint32_t i = 0; i < FRAME_BYTES; i++)
		m->stack[m->depth][i] = (unsigned char)random_next(e);
	for (uint32_t i = 0; i < FRAME_BYTES / 8; i++)
		if (f->zero_slots[i / 64] >> i % 64 & 1)
			memset(m->stack[m->depth] + FRAME_BYTES - 8 * (i + 1), 0, 8);
	for (uint32_t r = 0; r < TN_R10; r++)
		m->r[m->depth][r] = random_next(e);
	m->r[m->depth][TN_R10] = (uintptr_t)(m->stack[m->depth] + FRAME_BYTES);
	m->insn = e->prog->subprogs[subprog].start;
}

static void end_call(struct embed *e, struct machine *m, uint64_t r0)
{
	uint64_t *r = m->r[m->depth];

	for (uint32_t i = TN_R1; i <= TN_R5; i++)
		r[i] = random_next(e);
	r[TN_R0] = r0;
	m->insn++;
}

/* One round of a callback, or its end. */
static void loop_round(struct embed *e, struct machine *m, uint64_t done)
{
	uint64_t *r = m->r[m->depth];
	uint32_t site = m->insn, callee;
	uint64_t ctx = r[TN_R3];

	if (done >= (uint32_t)r[TN_R1]) {
		end_call(e, m, done);
		return;
	}
	callee = tn_prog_subprog_at(e->prog, (uint32_t)r[TN_R2]);
	enter_frame(e, m, callee, site);
	m->callback[m->depth] = true;
	m->rounds[m->depth] = done;
	m->r[m->depth][TN_R1] = done;
	m->r[m->depth][TN_R2] = ctx;
}

static bool call_helper(struct embed *e, struct machine *m, const struct tn_insn *insn)
{
	const struct tn_helper *h = tn_helper_by_id((uint32_t)insn->imm);
	uint64_t *r = m->r[m->depth], r0;
	struct tn_exec ex = { .prog = e->prog, .rt = e->prog->rt, .fuel = INT64_MAX };

	if (insn->imm == TN_HELPER_loop) {
		loop_round(e, m, 0);
		return true;
	}
	if (!h || !h->fn)
		return false;
	for (uint32_t i = 0; i < h->sig.nr_args; i++) {
		const struct tn_map *map = (const void *)(uintptr_t)r[TN_R1];

		if (h->sig.args[i].kind == TN_ARG_MAP_KEY &&
		    !allowed(e, m, r[TN_R1 + i], map->key_size, false))
			return false;
		if (h->sig.args[i].kind == TN_ARG_MAP_VALUE &&
		    !allowed(e, m, r[TN_R1 + i], map->value_size, false))
			return false;
		if (h->sig.args[i].kind == TN_ARG_MEM && r[TN_R2 + i] &&
		    !allowed(e, m, r[TN_R1 + i], r[TN_R2 + i], false))
			return false;
		if (h->sig.args[i].kind == TN_ARG_WMEM && r[TN_R2 + i] &&
		    !allowed(e, m, r[TN_R1 + i], r[TN_R2 + i], true))
			return false;
	}
	r0 = h->fn(r[1], r[2], r[3], r[4], r[5], &ex);
	end_call(e, m, r0);
	return true;
}

static bool load(struct embed *e, struct machine *m, const struct tn_insn *insn)
{
	uint64_t *r = m->r[m->depth], at = r[insn->src] + (uint64_t)(int64_t)insn->off, v = 0;
	uint32_t size = tn_insn_bytes(insn->code);
	const struct tn_ctx_type *type = e->prog->ctx_type;

	/* Contexts with a layout of their own are read as the rewrite does. */
	if (r[insn->src] == (uintptr_t)e->ctx && type->builtin) {
		const struct tn_field *f = tn_ctx_field_at(type, (uint32_t)insn->off, size);

		if (!f)
			return false;
		at = (uintptr_t)e->ctx + f->host_offset + ((uint32_t)insn->off - f->offset);
		if (f->host_size != f->size)
			size = f->host_size;
	}
	if (!allowed(e, m, at, size, false))
		return false;
	memcpy(&v, (void *)(uintptr_t)at, size);
	if (TN_MODE(insn->code) == TN_MEMSX)
		v = size == 1	? (uint64_t)(int8_t)v
		    : size == 2 ? (uint64_t)(int16_t)v
				: (uint64_t)(int32_t)v;
	r[insn->dst] = v;
	m->insn++;
	return true;
}

static bool store(struct embed *e, struct machine *m, const struct tn_insn *insn)
{
	uint64_t *r = m->r[m->depth], at = r[insn->dst] + (uint64_t)(int64_t)insn->off;
	uint32_t size = tn_insn_bytes(insn->code);
	uint64_t v = TN_CLASS(insn->code) == TN_ST ? (uint64_t)(int64_t)insn->imm : r[insn->src];
	uint64_t old = 0;

	if (!allowed(e, m, at, size, true))
		return false;
	if (TN_CLASS(insn->code) == TN_STX && TN_MODE(insn->code) == TN_ATOMIC) {
		memcpy(&old, (void *)(uintptr_t)at, size);
		if (insn->imm == TN_XCHG)
			v = r[insn->src];
		else if (insn->imm == TN_CMPXCHG)
			v = old == (size == 4 ? (uint32_t)r[0] : r[0]) ? r[insn->src] : old;
		else
			v = alu(insn->imm & 0xf0, false, size == 4, old, r[insn->src]);
		if (insn->imm == TN_CMPXCHG)
			r[0] = old;
		else if (insn->imm & TN_FETCH)
			r[insn->src] = old;
	}
	memcpy((void *)(uintptr_t)at, &v, size);
	m->insn++;
	return true;
}

static bool do_alu(struct machine *m, const struct tn_insn *insn)
{
	uint64_t *r = m->r[m->depth];
	bool half = TN_CLASS(insn->code) == TN_ALU;
	unsigned op = TN_OP(insn->code);
	uint64_t b = TN_SRC(insn->code) ? r[insn->src] : (uint64_t)(int64_t)insn->imm;

	if (op == TN_END) {
		uint64_t v = r[insn->dst];
		bool swap = !half || TN_SRC(insn->code);

		if (insn->imm == 16)
			v = swap ? __builtin_bswap16((uint16_t)v) : (uint16_t)v;
		else if (insn->imm == 32)
			v = swap ? __builtin_bswap32((uint32_t)v) : (uint32_t)v;
		else
			v = swap ? __builtin_bswap64(v) : v;
		r[insn->dst] = v;
	} else if (op == TN_NEG) {
		r[insn->dst] = half ? (uint32_t)(0 - r[insn->dst]) : 0 - r[insn->dst];
	} else {
		if (op == TN_MOV && insn->off) {
			b = insn->off == 8    ? (uint64_t)(int8_t)b
			    : insn->off == 16 ? (uint64_t)(int16_t)b
					      : (uint64_t)(int32_t)b;
		}
		r[insn->dst] = alu(op, insn->off == 1 && op != TN_MOV, half, r[insn->dst], b);
	}
	m->insn++;
	return true;
}

static bool do_lddw(struct embed *e, struct machine *m, const struct tn_insn *insn)
{
	uint64_t v = tn_insn_imm64(insn);

	if (insn->src == TN_LDDW_MAP)
		v = (uintptr_t)e->prog->maps[insn->imm];
	else if (insn->src == TN_LDDW_MAP_VALUE)
		v = (uintptr_t)e->prog->maps[insn->imm]->values + (uint32_t)insn[1].imm;
	else if (insn->src == TN_LDDW_FUNC)
		v = m->insn + 1 + (uint32_t)insn->imm;
	m->r[m->depth][insn->dst] = v;
	m->insn += 2;
	return true;
}

/* false: an error in e->why, or not supported here. *done: the program ended. */
static bool jump(struct embed *e, struct machine *m, const struct tn_insn *insn, bool *done)
{
	uint64_t *r = m->r[m->depth];
	uint64_t b = TN_SRC(insn->code) ? r[insn->src] : (uint64_t)(int64_t)insn->imm;
	bool taken;

	if (tn_insn_is_ja(insn)) {
		m->insn += 1 + (uint32_t)tn_insn_jump_off(insn);
		return true;
	}
	if (tn_insn_is_jump(insn)) {
		taken = TN_OP(insn->code) == TN_JCOND
				? random_next(e) % 4 == 0
				: compare(TN_OP(insn->code), TN_CLASS(insn->code) == TN_JMP32,
					  r[insn->dst], b);
		m->insn += taken ? 1 + (uint32_t)(int32_t)insn->off : 1;
		return true;
	}
	if (TN_OP(insn->code) == TN_CALL) {
		uint64_t args[5];

		if (insn->src == TN_CALL_HELPER)
			return call_helper(e, m, insn);
		if (insn->src != TN_CALL_LOCAL)
			return false;
		memcpy(args, r + 1, sizeof(args));
		enter_frame(e, m, tn_prog_subprog_at(e->prog, m->insn + 1 + (uint32_t)insn->imm),
			    m->insn);
		memcpy(m->r[m->depth] + 1, args, sizeof(args));
		return true;
	}
	if (!m->depth) {
		*done = true;
		return true;
	}
	m->insn = m->callsite[m->depth];
	m->depth--;
	if (m->callback[m->depth + 1]) {
		uint64_t n = m->rounds[m->depth + 1] + 1;

		if (r[TN_R0])
			end_call(e, m, n);
		else
			loop_round(e, m, n);
		return true;
	}
	end_call(e, m, r[TN_R0]);
	return true;
}

static bool step(struct embed *e, struct machine *m, bool *done)
{
	const struct tn_insn *insn = &e->prog->insns[m->insn];

	switch (TN_CLASS(insn->code)) {
	case TN_ALU:
	case TN_ALU64:
		return do_alu(m, insn);
	case TN_LDX:
		return load(e, m, insn);
	case TN_ST:
	case TN_STX:
		return store(e, m, insn);
	case TN_LD:
		return tn_insn_is_lddw(insn) && do_lddw(e, m, insn);
	default:
		return jump(e, m, insn, done);
	}
}

enum embed_result embed_run(struct embed *e, uint64_t *r0)
{
	struct machine *m = tn_zalloc(e->prog->rt, sizeof(*m));
	enum embed_result result = EMBED_OK;
	bool done = false;
	char text[128];

	e->why[0] = '\0';
	m->depth = UINT32_MAX;
	enter_frame(e, m, 0, TN_NONE);
	m->r[0][TN_R1] = (uintptr_t)e->ctx;
	m->insn = 0;
	for (e->nr_steps = 0; !done && result == EMBED_OK; e->nr_steps++) {
		uint32_t at = m->insn;

		if (e->nr_steps == e->max_steps) {
			result = EMBED_GAVE_UP;
		} else if (!embedded(e, m)) {
			tn_disasm(e->prog, &e->prog->insns[at], at, text, sizeof(text));
			snprintf(
				e->why, sizeof(e->why),
				"before insn %u (%s): no state of the walk contains the machine's: r0 %" PRIx64
				" r1 %" PRIx64 " r2 %" PRIx64 " r3 %" PRIx64 " r4 %" PRIx64
				" r5 %" PRIx64 " r6 %" PRIx64 " r7 %" PRIx64 " r8 %" PRIx64
				" r9 %" PRIx64,
				at, text, m->r[m->depth][0], m->r[m->depth][1], m->r[m->depth][2],
				m->r[m->depth][3], m->r[m->depth][4], m->r[m->depth][5],
				m->r[m->depth][6], m->r[m->depth][7], m->r[m->depth][8],
				m->r[m->depth][9]);
			result = EMBED_UNSOUND;
		} else if (!step(e, m, &done)) {
			result = e->why[0] ? EMBED_UNSOUND : EMBED_GAVE_UP;
		}
	}
	/* Without fuel the proved cost is all that bounds the time. */
	if (result != EMBED_UNSOUND && !e->prog->facts->has_fuel &&
	    e->nr_steps > e->prog->facts->proved_cost) {
		snprintf(e->why, sizeof(e->why), "%" PRIu64 " steps, proved are %" PRIu64,
			 e->nr_steps, e->prog->facts->proved_cost);
		result = EMBED_UNSOUND;
	}
	*r0 = done ? m->r[0][TN_R0] : 0;
	tn_free(e->prog->rt, m);
	return result;
}
