/* SPDX-License-Identifier: MIT */
/* Regions of the context and what is known about their sizes; region.h has the argument. */
#include "verifier/region.h"
#include "verifier/mutant.h"

static bool is_region_kind(uint8_t kind)
{
	return kind == TN_FIELD_SIZED || kind == TN_FIELD_REGION || kind == TN_FIELD_MEM;
}

int tn_regions_find(const struct tn_ctx_type *type, struct tn_region *out)
{
	int nr = 0;

	for (uint32_t i = 0; i < type->nr_fields; i++) {
		const struct tn_field *f = &type->fields[i];

		if (!is_region_kind(f->kind))
			continue;
		if (nr == TN_MAX_REGIONS)
			return -1;
		out[nr] = (struct tn_region){
			.field = i,
			.kind = f->kind,
			.access = f->access,
			.unit = f->kind == TN_FIELD_SIZED && f->mem_size ? f->mem_size : 1,
			.size = f->kind == TN_FIELD_MEM ? f->mem_size : 0,
			.end = -1,
			.len_id = 1 + 2 * (uint32_t)nr,
			.null_id = 2 + 2 * (uint32_t)nr,
			.max_len = TN_REGION_MAX_BYTES,
		};
		if (f->kind == TN_FIELD_SIZED) {
			uint32_t bytes = f->peer < 0 ? 8 : type->fields[f->peer].size;

			out[nr].max_len /= out[nr].unit;
			if (bytes < 8 && out[nr].max_len > ((uint64_t)1 << bytes * 8) - 1)
				out[nr].max_len = ((uint64_t)1 << bytes * 8) - 1;
		}
		nr++;
	}
	/* data_meta ends where data begins: its peer is itself the start of a region. */
	for (int i = 0; i < nr; i++) {
		if (out[i].kind != TN_FIELD_REGION)
			continue;
		for (int j = 0; j < nr; j++)
			if (j != i && (int32_t)out[j].field == type->fields[out[i].field].peer)
				out[i].end = j;
	}
	return nr;
}

void tn_regions_reset(const struct tn_region *regions, struct tn_state *s)
{
	for (uint32_t i = 0; i < s->nr_regions; i++) {
		if (!TN_MUT(LENGTH_NOT_RESET) || !s->regions[i].len.umax)
			s->regions[i].len = tn_scalar_range(0, regions[i].max_len, TN_W64);
		s->regions[i].null = TN_NULL_UNKNOWN;
	}
	s->nr_facts = TN_MUT(FACTS_NOT_RESET) ? s->nr_facts : 0;
}

uint64_t tn_region_min_bytes(const struct tn_region *regions, const struct tn_state *s,
			     uint32_t region)
{
	const struct tn_region *r = &regions[region];

	/* At most 2^47: see tn_regions_reset(). */
	return r->kind == TN_FIELD_MEM ? r->size : s->regions[region].len.umin * r->unit;
}

static bool small(int64_t v)
{
	return v >= -TN_OFFSET_MAX && v <= TN_OFFSET_MAX;
}

/* Of facts on r's id; the region's own length has the fact len * unit <= S. */
bool tn_region_slack_tied(const struct tn_region *regions, const struct tn_state *s,
			  uint32_t region, const struct tn_reg *r, uint64_t mult, int64_t *k)
{
	int64_t delta = (int64_t)((uint64_t)r->delta * mult);
	uint64_t scale = r->scale * mult;
	bool found = false;

	if (!r->id || !small(delta))
		return false;
	if (r->id == regions[region].len_id && scale == regions[region].unit &&
	    regions[region].kind != TN_FIELD_MEM) {
		*k = -delta;
		found = true;
	}
	for (uint32_t i = 0; i < s->nr_facts; i++) {
		const struct tn_len_fact *f = &s->facts[i];

		if (f->id != r->id || f->region != region || f->scale != scale)
			continue;
		if (!found || f->delta - delta > *k)
			*k = f->delta - delta;
		found = true;
	}
	return found;
}

bool tn_region_slack(const struct tn_region *regions, const struct tn_state *s, uint32_t region,
		     const struct tn_reg *r, uint64_t mult, int64_t *k)
{
	int64_t by_range;
	bool found = tn_region_slack_tied(regions, s, region, r, mult, k);

	if (!mult || r->v.umax > (uint64_t)TN_OFFSET_MAX / mult)
		return found;
	by_range = (int64_t)tn_region_min_bytes(regions, s, region) - (int64_t)(r->v.umax * mult);
	if (!found || by_range > *k)
		*k = by_range;
	return true;
}

void tn_region_learn(const struct tn_region *regions, struct tn_state *s, uint32_t region,
		     const struct tn_reg *r, uint64_t mult, int64_t k)
{
	int64_t delta = (int64_t)((uint64_t)r->delta * mult);
	struct tn_len_fact fact = {
		.id = r->id, .region = region, .scale = r->scale * mult, .delta = delta + k
	};

	if (!r->id || !small(delta) || !small(k) || r->id == regions[region].len_id)
		return;
	for (uint32_t i = 0; i < s->nr_facts; i++) {
		struct tn_len_fact *f = &s->facts[i];

		if (f->id != fact.id || f->region != region || f->scale != fact.scale)
			continue;
		if (fact.delta > f->delta)
			f->delta = fact.delta;
		return;
	}
	/* The oldest goes when there is no room: forgetting is always sound. */
	if (s->nr_facts == TN_MAX_FACTS) {
		for (uint32_t i = 1; i < TN_MAX_FACTS; i++)
			s->facts[i - 1] = s->facts[i];
		s->nr_facts--;
	}
	s->facts[s->nr_facts++] = fact;
}

bool tn_region_learn_min(const struct tn_region *regions, struct tn_state *s, uint32_t region,
			 uint64_t bytes)
{
	uint32_t unit = regions[region].unit;
	struct tn_scalar floor;
	uint64_t n = bytes / unit + (bytes % unit != 0);

	if (regions[region].kind == TN_FIELD_MEM)
		return bytes <= regions[region].size;
	if (n > TN_REGION_MAX_BYTES)
		return false;
	if (n <= s->regions[region].len.umin)
		return true;
	floor = tn_scalar_range(n, TN_REGION_MAX_BYTES, TN_W64);
	return tn_scalar_meet(&s->regions[region].len, &floor, TN_W64);
}
