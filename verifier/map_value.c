/* SPDX-License-Identifier: MIT */
/* Maps as objects: what a lookup names, what may be read of a map itself, and the fields of values
 * that only helpers may touch. */
#include <errno.h>

#include "verifier/callee.h"
#include "vm/map_fields.h"

void tn_name_value(struct tn_vf *vf, const struct tn_map *map, struct tn_reg *out)
{
	if (map->inner) {
		/* All that is known of an inner map is the shape that all of them have; see fits()
		 * in maps/map_in_map.c. */
		out->kind = TN_REG_MAP;
		out->obj = map->inner;
		out->inst = vf->senv.next_id++;
	} else if (tn_map_special_of(map, TN_SPECIAL_LOCK)) {
		out->inst = vf->senv.next_id++;
	}
}

int tn_load_map_field(struct tn_vf *vf, uint32_t regno, int64_t off, uint32_t size,
		      struct tn_reg *out)
{
	const struct tn_reg *r = tn_vf_reg(vf, regno);
	const struct tn_btf *btf = vf->prog->image ? vf->prog->image->btf : NULL;
	const struct tn_map *map = r->obj;
	struct tn_insn_fact *fact = &vf->facts->insns[vf->s.insn];
	struct tn_scalar any = tn_scalar_unknown(TN_W64);
	bool is_pointer = false;
	int32_t at = -1;

	if (off >= 0 && off <= INT16_MAX && tn_reg_at_start(r))
		at = tn_map_field_of(btf, (uint32_t)off, size, &is_pointer);
	if (at < 0)
		return tn_reject(
			vf, E_TYPE, (int)regno,
			"a read of %u bytes at offset %lld of map '%s' itself, where no field "
			"of struct bpf_map is that plugins may read",
			size, (long long)off, map->name);
	fact->flags |= TN_FACT_MAP_FIELD;
	fact->value = (uint64_t)at;
	if (is_pointer) {
		/* The host's own: it can be compared and handed on, and nothing else. */
		tn_reg_set_const(out, 0);
		out->kind = TN_REG_HANDLE;
		/* No type of a host is named so: no function of its takes it for its own. */
		out->obj = "&bpf_map_ops";
	} else {
		tn_reg_set_scalar(out, tn_scalar_zext(&any, size * 8, TN_W64));
	}
	return 0;
}

int tn_check_special(struct tn_vf *vf, uint32_t regno, const struct tn_map *map, int64_t lo,
		     int64_t hi, uint64_t size)
{
	const struct tn_map_special *s = tn_map_special_at(map, (uint64_t)lo,
							   (uint64_t)(hi - lo) + size);

	if (!s)
		return 0;
	return tn_reject(vf, E_TYPE, (int)regno,
			 "bytes %u..%u of the value of map '%s' are a %s, which cannot be accessed "
			 "directly; this access is to %s",
			 s->off, s->off + s->size - 1, map->name, tn_map_special_words(s->kind),
			 tn_offset_words(vf, tn_vf_reg(vf, regno), 0));
}
