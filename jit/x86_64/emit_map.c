/* SPDX-License-Identifier: MIT */
/*
 * Map helpers where the facts know the map: a lookup in an array is computed in place, other
 * operations call the map's own function without the helper in between.
 */
#include "jit/x86_64/emit.h"
#include "maps/map.h"
#include "vm/helpers.h"

/* dst = dst * stride */
static void scale(struct tn_emit *e, uint8_t dst, uint32_t stride)
{
	if (stride & (stride - 1))
		tn_x86_imul_rri(e->b, true, dst, dst, (int32_t)stride);
	else if (stride > 1)
		tn_x86_shift_ri(e->b, X86_SHL, true, dst, (uint8_t)__builtin_ctz(stride));
}

/* rax += the part of this thread's slot */
static void add_slot(struct tn_emit *e, const struct tn_map *map)
{
	if (!tn_map_is_per_slot(map))
		return;
	tn_x86_load(e->b, 4, RCX, tn_x86_at(REG_EX, offsetof(struct tn_exec, slot)));
	tn_x86_imul_rri(e->b, true, RCX, RCX, (int32_t)map->slot_stride);
	tn_x86_alu_rr(e->b, X86_ADD, true, RAX, RCX);
}

static void lookup_constant(struct tn_emit *e, const struct tn_map *map, uint32_t key)
{
	if (key >= map->max_entries) {
		tn_x86_mov_ri(e->b, RAX, 0);
		return;
	}
	tn_x86_mov_ri(e->b, RAX, (uintptr_t)map->values + (uint64_t)key * map->value_stride);
	add_slot(e, map);
}

/* rax: the result, rdx: the index, then its place. The call may write r0 to r5 in any case. */
void tn_emit_array_lookup(struct tn_emit *e, uint32_t i)
{
	const struct tn_map *map = tn_flow_map(e->prog, i);
	uint16_t facts = tn_emit_fact_flags(e, i);
	uint32_t outside = 0;

	tn_lazy_def(e, TN_R0);
	tn_lazy_def(e, TN_R3);
	tn_lazy_def(e, TN_R4);
	if (facts & TN_FACT_KEY_CONST) {
		lookup_constant(e, map, (uint32_t)e->facts->insns[i].value);
		return;
	}
	tn_x86_load(e->b, 4, RDX, tn_lazy_address(e, TN_R2, 0));
	if (!(facts & TN_FACT_NOT_NULL)) {
		tn_x86_mov_ri(e->b, RAX, 0);
		tn_x86_alu_ri(e->b, X86_CMP, false, RDX, (int32_t)map->max_entries);
		outside = tn_x86_jcc8(e->b, CC_AE);
	}
	scale(e, RDX, map->value_stride);
	tn_x86_mov_ri(e->b, RAX, (uintptr_t)map->values);
	add_slot(e, map);
	tn_x86_alu_rr(e->b, X86_ADD, true, RAX, RDX);
	if (!(facts & TN_FACT_NOT_NULL))
		tn_x86_here(e->b, outside);
}

/* The function of the map behind a helper call, NULL: the helper itself. */
const void *tn_emit_map_function(const struct tn_emit *e, uint32_t i)
{
	const struct tn_map *map = tn_flow_map(e->prog, i);

	if (!map)
		return NULL;
	switch (e->prog->insns[i].imm) {
	case TN_HELPER_map_lookup_elem:
		return (const void *)(uintptr_t)map->ops->lookup;
	case TN_HELPER_map_update_elem:
		return (const void *)(uintptr_t)map->ops->update;
	case TN_HELPER_map_delete_elem:
		return (const void *)(uintptr_t)map->ops->del;
	default:
		return NULL;
	}
}

/* lookup(map, key, slot), update(map, key, value, flags, slot), del(map, key): the arguments stand
 * where the helper wants them; the slot comes behind. */
void tn_emit_map_call(struct tn_emit *e, uint32_t i, const void *fn)
{
	struct tn_x86_mem slot = tn_x86_at(REG_EX, offsetof(struct tn_exec, slot));
	int32_t helper = e->prog->insns[i].imm;

	if (helper == TN_HELPER_map_lookup_elem)
		tn_x86_load(e->b, 4, RDX, slot);
	else if (helper == TN_HELPER_map_update_elem)
		tn_x86_load(e->b, 4, R8, slot);
	tn_codebuf_extern(e->b, fn);
	if (helper != TN_HELPER_map_lookup_elem)
		tn_x86_movsx_rr(e->b, true, 4, RAX, RAX);
}
