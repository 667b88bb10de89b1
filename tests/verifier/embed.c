/* SPDX-License-Identifier: MIT */
/* The recorded states, and whether one of them contains the machine. */
#include "verifier/embed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "verifier/region.h"

/* What a state says about one register, or about the bytes of a spilled one. */
struct value {
	uint8_t frame, reg; /* NO_REG: a slot */
	uint8_t first, bytes;
	uint16_t slot;
	struct tn_reg is;
};

struct zeroes {
	uint8_t frame;
	uint8_t bytes; /* bit per byte */
	uint16_t slot;
};

#define NO_REG 0xff

struct embed_state {
	struct embed_state *next;
	uint32_t nr_frames, nr_values, nr_zeroes, nr_regions, nr_facts, nr_refs;
	bool locked;
	uint32_t root; /* subprogram of the first frame: 0, or a function that is proved alone */
	uint32_t *callsites, *rounds;
	struct value *values;
	struct zeroes *zeroes;
	struct tn_region_state *regions;
	struct tn_len_fact *facts;
};

/* ---- Recording ---- */

static void *must_alloc(size_t bytes)
{
	void *p = calloc(1, bytes ? bytes : 1);

	if (!p)
		abort();
	return p;
}

void embed_init(struct embed *e, struct tn_prog *prog)
{
	int nr;

	memset(e, 0, sizeof(*e));
	e->prog = prog;
	e->max_steps = 200000;
	e->code = must_alloc(prog->nr_insns * sizeof(e->code[0]));
	e->facts = must_alloc(prog->nr_insns * sizeof(e->facts[0]));
	e->states = must_alloc(prog->nr_insns * sizeof(e->states[0]));
	memcpy(e->code, prog->insns, prog->nr_insns * sizeof(e->code[0]));
	nr = prog->ctx_type ? tn_regions_find(prog->ctx_type, e->regions) : 0;
	e->nr_regions = nr < 0 ? 0 : (uint32_t)nr;
	e->low = UINT64_MAX;
}

static void drop_states(struct embed *e)
{
	for (uint32_t i = 0; i < e->prog->nr_insns; i++) {
		while (e->states[i]) {
			struct embed_state *s = e->states[i];

			e->states[i] = s->next;
			free(s);
		}
	}
	e->nr_states = 0;
	e->too_many = false;
}

void embed_fini(struct embed *e)
{
	drop_states(e);
	free(e->states);
	free(e->code);
	free(e->facts);
}

/* The bytes of the slot that hold its register: false where they are not in one piece. */
static bool spilled(const struct tn_slot *slot, uint8_t *first, uint8_t *bytes)
{
	uint8_t i = 0, n = 0;

	while (i < 8 && slot->b[i] != TN_BYTE_SPILL)
		i++;
	*first = i;
	while (i < 8 && slot->b[i] == TN_BYTE_SPILL) {
		i++;
		n++;
	}
	*bytes = n;
	return n != 0;
}

/* First counts, then fills. */
struct recording {
	struct embed_state *s;
	uint32_t nr_values, nr_zeroes;
};

static void record_value(struct recording *rec, const struct value *v)
{
	if (v->is.kind == TN_REG_UNINIT)
		return;
	if (rec->s)
		rec->s->values[rec->nr_values] = *v;
	rec->nr_values++;
}

static void record_slot(struct recording *rec, uint32_t frame, uint32_t i,
			const struct tn_slot *slot)
{
	struct value v = { .frame = (uint8_t)frame, .reg = NO_REG, .slot = (uint16_t)i };
	uint8_t zero = 0;

	if (spilled(slot, &v.first, &v.bytes)) {
		v.is = slot->reg;
		record_value(rec, &v);
	}
	for (uint32_t j = 0; j < 8; j++)
		zero |= (uint8_t)((slot->b[j] == TN_BYTE_ZERO) << j);
	if (!zero)
		return;
	if (rec->s)
		rec->s->zeroes[rec->nr_zeroes] = (struct zeroes){ (uint8_t)frame, zero,
								  (uint16_t)i };
	rec->nr_zeroes++;
}

static void record(struct recording *rec, const struct tn_state_env *senv, const struct tn_state *s)
{
	for (uint32_t i = 0; i < s->nr_frames; i++) {
		const struct tn_frame *f = &s->frames[i];
		uint32_t live = tn_state_live_regs(senv, s, i);

		for (uint32_t r = 0; r < TN_R10; r++) {
			struct value v = { .frame = (uint8_t)i, .reg = (uint8_t)r, .is = f->r[r] };

			if (live >> r & 1)
				record_value(rec, &v);
		}
		for (uint32_t j = 0; j < f->nr_slots; j++)
			if (tn_state_live_slot(senv, s, i, j))
				record_slot(rec, i, j, &f->slots[j]);
	}
}

void embed_observe(void *user, struct tn_state_env *senv, const struct tn_state *s, bool fresh)
{
	struct embed *e = user;
	struct recording rec = { 0 };
	struct embed_state *n;

	if (fresh) {
		drop_states(e);
		return;
	}
	if (e->nr_states == EMBED_MAX_STATES) {
		e->too_many = true;
		return;
	}
	record(&rec, senv, s);
	n = must_alloc(sizeof(*n) + rec.nr_values * sizeof(n->values[0]) +
		       s->nr_regions * sizeof(n->regions[0]) + s->nr_facts * sizeof(n->facts[0]) +
		       2 * s->nr_frames * sizeof(n->callsites[0]) +
		       rec.nr_zeroes * sizeof(n->zeroes[0]));
	n->nr_frames = s->nr_frames;
	n->nr_values = rec.nr_values;
	n->nr_zeroes = rec.nr_zeroes;
	n->nr_regions = s->nr_regions;
	n->nr_facts = s->nr_facts;
	n->nr_refs = s->nr_refs;
	/* Widest alignment first. */
	n->values = (struct value *)(n + 1);
	n->regions = (struct tn_region_state *)(n->values + n->nr_values);
	n->facts = (struct tn_len_fact *)(n->regions + n->nr_regions);
	n->callsites = (uint32_t *)(n->facts + n->nr_facts);
	n->rounds = n->callsites + n->nr_frames;
	n->zeroes = (struct zeroes *)(n->rounds + n->nr_frames);
	n->locked = s->locked;
	n->root = s->frames[0].subprog;
	rec = (struct recording){ .s = n };
	record(&rec, senv, s);
	for (uint32_t i = 0; i < s->nr_frames; i++) {
		n->callsites[i] = s->frames[i].callsite;
		n->rounds[i] = s->frames[i].rounds;
	}
	memcpy(n->regions, s->regions, s->nr_regions * sizeof(n->regions[0]));
	memcpy(n->facts, s->facts, s->nr_facts * sizeof(n->facts[0]));
	n->next = e->states[s->insn];
	e->states[s->insn] = n;
	e->nr_states++;
}

bool embed_accepted(struct embed *e)
{
	memcpy(e->facts, e->prog->facts->insns, e->prog->nr_insns * sizeof(e->facts[0]));
	return !e->too_many;
}

/* ---- Memory ---- */

void embed_area_add(struct embed *e, const struct embed_area *area)
{
	struct embed_area *a = NULL;

	for (uint32_t i = 0; i < e->nr_areas && !a; i++)
		if (e->areas[i].base == area->base && e->areas[i].obj == area->obj)
			a = &e->areas[i];
	if (!a && e->nr_areas == EMBED_MAX_AREAS)
		abort();
	if (!a)
		a = &e->areas[e->nr_areas++];
	*a = *area;
	e->low = TN_MIN(e->low, area->base);
	e->high = TN_MAX(e->high, area->base + area->size);
}

void embed_area_drop(struct embed *e, uint64_t base)
{
	for (uint32_t i = 0; i < e->nr_areas; i++)
		if (e->areas[i].base == base && !e->areas[i].obj)
			e->areas[i--] = e->areas[--e->nr_areas];
}

void embed_area_map(struct embed *e, const struct tn_map *map)
{
	embed_area_add(e,
		       &(struct embed_area){ .base = (uintptr_t)map->values,
					     .size = (uint64_t)map->max_entries * map->value_stride,
					     .stride = map->value_stride,
					     .each = map->value_size,
					     .readable = !(map->flags & TN_MAP_F_WRONLY_PROG),
					     .writable = !(map->flags & TN_MAP_F_RDONLY_PROG) &&
							 !map->const_for_programs,
					     .obj = map });
}

bool embed_is_address(const struct embed *e, uint64_t value)
{
	if (e->visible)
		return false;
	for (uint32_t i = 0; i < e->nr_frames; i++)
		if (value - (e->frames[i].top - e->frames[i].bytes) < e->frames[i].bytes)
			return true;
	if (value < e->low || value >= e->high)
		return false;
	for (uint32_t i = 0; i < e->nr_areas; i++)
		if (value - e->areas[i].base < e->areas[i].size)
			return true;
	return false;
}

uint64_t embed_field(const struct embed *e, uint32_t field)
{
	const struct tn_field *f = &e->prog->ctx_type->fields[field];
	uint64_t v = 0;

	memcpy(&v, e->ctx + f->host_offset, f->host_size);
	return v;
}

/* ---- Does a state contain the machine? ---- */

/* What is said about numbers of one id, nullable pointers of one id, objects of one name. */
struct tie {
	uint32_t id;
	uint64_t scale, base;
};

struct ties {
	struct tie v[96], nulls[32], objects[32];
	uint32_t nr, nr_nulls, nr_objects;
};

static bool agree(struct tie *v, uint32_t *nr, uint32_t max, uint32_t id, uint64_t scale,
		  uint64_t base)
{
	for (uint32_t i = 0; i < *nr; i++)
		if (v[i].id == id && v[i].scale == scale)
			return v[i].base == base;
	if (*nr < max)
		v[(*nr)++] = (struct tie){ id, scale, base };
	return true;
}

static bool in_element(const struct embed_area *a, const struct tn_reg *r, uint64_t value)
{
	uint64_t n = a->stride ? a->size / a->stride : 1;
	uint64_t at = a->stride ? (value - a->base) / a->stride : 0;

	if (at < n && tn_scalar_contains(&r->v, value - a->base - at * a->stride, TN_W64))
		return true;
	/* Moved out of its element, but not used yet. */
	for (uint64_t i = 0; i < n && i < 4096; i++)
		if (tn_scalar_contains(&r->v, value - a->base - i * a->stride, TN_W64))
			return true;
	return false;
}

/* Is `map` what the walk calls obj: the map itself, or one in a map of maps of this shape? */
static bool is_map(const struct embed *e, const void *obj, const void *map)
{
	bool shape = false, inner = false;

	if (map == obj)
		return true;
	for (uint32_t i = 0; i < e->prog->nr_maps; i++)
		shape |= e->prog->maps[i]->inner && e->prog->maps[i]->inner == obj;
	for (uint32_t i = 0; i < e->nr_inner; i++)
		inner |= e->inner[i] == map;
	return shape && inner;
}

static bool in_value(const struct embed *e, const struct tn_reg *r, uint64_t value)
{
	for (uint32_t i = 0; i < e->nr_areas; i++)
		if (is_map(e, r->obj, e->areas[i].obj) && in_element(&e->areas[i], r, value))
			return true;
	return false;
}

static bool in_record(const struct embed *e, const struct tn_reg *r, uint64_t value)
{
	for (uint32_t i = 0; i < e->nr_areas; i++)
		if (e->areas[i].held && e->areas[i].size == r->size &&
		    tn_scalar_contains(&r->v, value - e->areas[i].base, TN_W64))
			return true;
	return false;
}

/* Memory that something else owns: in one piece, with what is claimed of it. */
static bool in_mem(const struct embed *e, const struct tn_reg *r, uint64_t value)
{
	uint64_t at;

	for (uint32_t i = 0; tn_scalar_is_const(&r->v, &at) && i < e->nr_frames; i++)
		if (value - at >= e->frames[i].top - e->frames[i].bytes &&
		    value - at + r->size <= e->frames[i].top)
			return true;
	for (uint32_t i = 0; i < e->nr_areas; i++)
		if (e->areas[i].readable && (r->rdonly || e->areas[i].writable) &&
		    e->areas[i].size >= r->size &&
		    tn_scalar_contains(&r->v, value - e->areas[i].base, TN_W64))
			return true;
	return false;
}

/* The first 8 bytes of an iterator over numbers are the one before the next, and the end. The one
 * before the smallest number is the largest. */
static bool is_iterator(const struct tn_reg *r, uint64_t value)
{
	int32_t next = (int32_t)((uint32_t)value + 1);
	int64_t left = (int64_t)(int32_t)(value >> 32) - next;

	if (strcmp(r->obj, "num") != 0 || r->size != 8)
		return true;
	if (!value)
		return true;
	return !r->drained && left >= 0 && (uint64_t)left <= r->v.umax;
}

static uint64_t end_of(const struct embed *e, uint32_t region)
{
	const struct tn_field *f = &e->prog->ctx_type->fields[e->regions[region].field];

	return embed_field(e, (uint32_t)f->peer);
}

/* The address that r's offset counts from, where there is one. */
static bool base_of(const struct embed *e, const struct tn_reg *r, uint64_t *base)
{
	switch (r->kind) {
	case TN_REG_SCALAR:
		*base = 0;
		return true;
	case TN_REG_STACK:
		*base = e->frames[e->base + r->frame].top;
		return true;
	case TN_REG_CTX:
		*base = (uintptr_t)e->ctx;
		return true;
	case TN_REG_REGION:
		*base = embed_field(e, e->regions[r->region].field);
		return true;
	case TN_REG_END:
		*base = end_of(e, r->region);
		return true;
	default:
		return false;
	}
}

static bool value_is(struct embed *e, const struct tn_reg *r, uint64_t value)
{
	uint64_t base;

	if (tn_reg_is_pointer(r) && r->nullable && !value)
		return true;
	switch ((enum tn_reg_kind)r->kind) {
	case TN_REG_UNINIT:
		return true;
	case TN_REG_SCALAR:
		return tn_scalar_contains(&r->v, value, TN_W64) && !embed_is_address(e, value);
	case TN_REG_STACK:
	case TN_REG_CTX:
	case TN_REG_REGION:
	case TN_REG_END:
		if (!base_of(e, r, &base))
			return false;
		if (r->low) {
			struct tn_scalar low = tn_scalar_zext(&r->v, 32, TN_W64);

			return value >> 32 == 0 &&
			       (r->v.umin != r->v.umax ||
				tn_scalar_contains(&low, (uint32_t)(value - base), TN_W64));
		}
		return tn_scalar_contains(&r->v, value - base, TN_W64);
	case TN_REG_MAP:
		return is_map(e, r->obj, (void *)(uintptr_t)value);
	case TN_REG_VALUE:
		return in_value(e, r, value);
	case TN_REG_RECORD:
		return in_record(e, r, value);
	case TN_REG_HANDLE: /* its reads are checked as they are made */
		return r->untrusted || value != 0;
	case TN_REG_MEM:
		return in_mem(e, r, value);
	case TN_REG_ITER:
		return is_iterator(r, value);
	case TN_REG_ARENA: /* every access is checked as it is made */
		return tn_scalar_contains(&r->v, value, TN_W64);
	case TN_REG_DYNPTR_ARG:
		return value != 0;
	case TN_REG_DYNPTR: /* nothing that a program could read */
		return true;
	case TN_REG_FUNC:
		return e->prog->funcs && value == (uintptr_t)&e->prog->funcs[r->region];
	}
	snprintf(e->why, sizeof(e->why), "the oracle does not know registers of kind %u", r->kind);
	return false;
}

static bool ties_hold(const struct embed *e, struct ties *t, const struct tn_reg *r, uint64_t value)
{
	bool null = tn_reg_is_pointer(r) && r->nullable && !value;
	uint64_t base, at;

	if (tn_reg_is_pointer(r) && r->nullable && r->null_id &&
	    !agree(t->nulls, &t->nr_nulls, TN_ARRAY_SIZE(t->nulls), r->null_id, 0, null))
		return false;
	if (null || r->low)
		return true;
	if (r->inst && tn_scalar_is_const(&r->v, &at) &&
	    !agree(t->objects, &t->nr_objects, TN_ARRAY_SIZE(t->objects), r->inst, 0, value - at))
		return false;
	if (!r->id || !base_of(e, r, &base))
		return true;
	return agree(t->v, &t->nr, TN_ARRAY_SIZE(t->v), r->id, r->scale,
		     value - base - (uint64_t)r->delta);
}

static uint64_t region_len(const struct embed *e, uint32_t i)
{
	const struct tn_region *g = &e->regions[i];

	if (g->kind == TN_FIELD_SIZED)
		return end_of(e, i);
	return end_of(e, i) - embed_field(e, g->field);
}

/* id * scale modulo 2^64, where some register showed it. */
static bool tied(const struct ties *t, uint32_t id, uint64_t scale, uint64_t *value)
{
	for (uint32_t i = 0; i < t->nr; i++) {
		if (t->v[i].id != id || !t->v[i].scale || scale % t->v[i].scale)
			continue;
		*value = t->v[i].base * (scale / t->v[i].scale);
		return true;
	}
	return false;
}

static bool region_is(const struct embed *e, const struct tn_region_state *s, const struct ties *t,
		      uint32_t i)
{
	bool null = !embed_field(e, e->regions[i].field);
	uint64_t len, value;

	if ((s->null == TN_NULL_YES && !null) || (s->null == TN_NULL_NO && null))
		return false;
	for (uint32_t j = 0; j < t->nr_nulls; j++)
		if (t->nulls[j].id == e->regions[i].null_id && t->nulls[j].base != null)
			return false;
	if (e->regions[i].kind == TN_FIELD_MEM)
		return true;
	len = region_len(e, i);
	return tn_scalar_contains(&s->len, len, TN_W64) &&
	       (!tied(t, e->regions[i].len_id, 1, &value) || value == len);
}

/* x * scale + delta <= bytes of the region, in the integers: both sides are small. */
static bool fact_is(const struct embed *e, const struct tn_len_fact *f, const struct ties *t)
{
	uint64_t x;

	if (!tied(t, f->id, f->scale, &x))
		return true;
	return (int64_t)(x + (uint64_t)f->delta) <=
	       (int64_t)(region_len(e, f->region) * e->regions[f->region].unit);
}

static bool zeroes_are(const struct embed *e, const struct embed_state *s)
{
	for (uint32_t i = 0; i < s->nr_zeroes; i++) {
		const struct zeroes *z = &s->zeroes[i];
		const unsigned char *at =
			(void *)(uintptr_t)(e->frames[e->base + z->frame].top - 8 * (z->slot + 1u));

		for (uint32_t j = 0; j < 8; j++)
			if (z->bytes >> j & 1 && at[j])
				return false;
	}
	return true;
}

static uint64_t machine_value(const struct embed *e, const struct value *v)
{
	const struct embed_frame *f = &e->frames[e->base + v->frame];
	uint64_t value = 0;

	if (v->reg != NO_REG)
		return f->r[v->reg];
	memcpy(&value, (void *)(uintptr_t)(f->top - 8 * (v->slot + 1u) + v->first), v->bytes);
	return value;
}

static uint32_t nr_held(const struct embed *e)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < e->nr_areas; i++)
		n += e->areas[i].held;
	return n;
}

static bool state_contains(struct embed *e, const struct embed_state *s)
{
	struct ties t;

	if (s->nr_frames > e->nr_frames)
		return false;
	e->base = e->nr_frames - s->nr_frames;
	/* Of a function that is proved alone it is not known what its callers hold. */
	if (s->root ? e->frames[e->base].subprog != s->root
		    : e->base || s->nr_refs < nr_held(e) || s->locked != e->locked)
		return false;
	for (uint32_t i = 0; i < s->nr_frames; i++)
		if (s->rounds[i] > e->frames[e->base + i].rounds)
			return false;
	for (uint32_t i = 1; i < s->nr_frames; i++)
		if (s->callsites[i] != e->frames[e->base + i].callsite)
			return false;
	t.nr = t.nr_nulls = t.nr_objects = 0;
	for (uint32_t i = 0; i < s->nr_values; i++) {
		uint64_t value = machine_value(e, &s->values[i]);

		if (!value_is(e, &s->values[i].is, value) ||
		    !ties_hold(e, &t, &s->values[i].is, value))
			return false;
	}
	for (uint32_t i = 0; i < s->nr_regions; i++)
		if (!region_is(e, &s->regions[i], &t, i))
			return false;
	for (uint32_t i = 0; i < s->nr_facts; i++)
		if (!fact_is(e, &s->facts[i], &t))
			return false;
	e->nr_values += s->nr_values;
	return zeroes_are(e, s);
}

bool embed_contains(struct embed *e, uint32_t insn)
{
	struct embed_state **p = &e->states[insn], *s;

	e->nr_checks++;
	for (; (s = *p); p = &s->next) {
		if (!state_contains(e, s))
			continue;
		/* The next check at this place is likely to find the same one. */
		*p = s->next;
		s->next = e->states[insn];
		e->states[insn] = s;
		return true;
	}
	return false;
}
