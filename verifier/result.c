/* SPDX-License-Identifier: MIT */
/* What a call gives back, and what it costs. */
#include "verifier/callee.h"
#include "verifier/mutant.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "vm/btf_show.h"
#include "vm/kfuncs.h"

/* The bytes that a callee moves in the time of one instruction. A region of the host may be of any
 * size; it counts as a packet's at most. */
#define BYTES_PER_COST	  8
#define REGION_COST_BYTES ((uint64_t)1 << 16)

/* ---- Results ---- */

static struct tn_scalar result_range(uint8_t ctype)
{
	switch ((enum tn_ctype)ctype) {
	case TN_C_BOOL:
		return tn_scalar_range(0, 1, TN_W64);
	case TN_C_U8:
		return tn_scalar_range(0, UINT8_MAX, TN_W64);
	case TN_C_U16:
		return tn_scalar_range(0, UINT16_MAX, TN_W64);
	case TN_C_U32:
	case TN_C_F32:
		return tn_scalar_range(0, UINT32_MAX, TN_W64);
	case TN_C_I8:
		return tn_scalar_srange(INT8_MIN, INT8_MAX, TN_W64);
	case TN_C_I16:
		return tn_scalar_srange(INT16_MIN, INT16_MAX, TN_W64);
	case TN_C_I32:
		return tn_scalar_srange(INT32_MIN, INT32_MAX, TN_W64);
	default:
		return tn_scalar_unknown(TN_W64);
	}
}

/* The key of this lookup, if it is 4 constant bytes. */
static bool const_key(struct tn_vf *vf, const struct tn_callee *c, uint64_t *key)
{
	return c->map && c->map->key_size == 4 && tn_stack_const(vf, tn_vf_reg(vf, TN_R2), 4, key);
}

void tn_note_key(struct tn_vf *vf, const struct tn_callee *c)
{
	struct tn_insn_seen *seen = &vf->seen[vf->s.insn];
	uint64_t key;

	if (!const_key(vf, c, &key)) {
		seen->key_varies = true;
		return;
	}
	seen->key_varies |= seen->flags & TN_SEEN_KEY && seen->key != key;
	seen->key = key;
	seen->flags |= TN_SEEN_KEY;
}

static bool lookup_surely_hits(struct tn_vf *vf, const struct tn_callee *c)
{
	uint64_t key;

	/* Of another slot's value it is not known whether there is such a slot; in a segment all
	 * slots may be taken by other processes. */
	return !(c->map->segment && c->map->slot_stride) &&
	       (c->map->type == TN_MAP_ARRAY || c->map->type == TN_MAP_PERCPU_ARRAY) &&
	       (!c->map->is_template || tn_map_size_is_known(c->map)) &&
	       c->id != TN_HELPER_map_lookup_percpu_elem && const_key(vf, c, &key) &&
	       key < c->map->max_entries + TN_MUT(KEY_OFF_BY_ONE);
}

static const struct tn_releaser *releaser_of(struct tn_vf *vf, const struct tn_reg *r)
{
	if (r->kind == TN_REG_RECORD)
		return &tn_release_record;
	return r->kind == TN_REG_HANDLE ? tn_handle_releaser(vf, r->obj) : NULL;
}

int tn_call_result(struct tn_vf *vf, const struct tn_callee *c, struct tn_reg *out)
{
	uint64_t n;

	tn_reg_set_const(out, 0);
	out->nullable = c->sig->flags & TN_SIG_RET_NULLABLE;
	switch ((enum tn_ret_kind)c->sig->ret) {
	case TN_RET_VOID:
		tn_reg_uninit(out);
		return 0;
	case TN_RET_SCALAR:
		tn_reg_set_scalar(out, result_range(c->sig->ret_ctype));
		return 0;
	case TN_RET_ITER_ELEM: /* iter.c */
	case TN_RET_SLICE:     /* dynptr.c */
	case TN_RET_NOTHING_RETURNS:
		tn_reg_set_unknown(out);
		return 0;
	case TN_RET_MAP_VALUE:
		if (!c->map)
			return tn_reject(vf, E_MAP, -1, "%s without a map", c->name);
		out->kind = TN_REG_VALUE;
		out->obj = c->map;
		out->nullable = !lookup_surely_hits(vf, c) &&
				!(TN_MUT(INNER_NULL) && c->map->inner);
		vf->seen[vf->s.insn].may_miss |= out->nullable;
		tn_name_value(vf, c->map, out);
		break;
	case TN_RET_RINGBUF_RECORD:
		if (!c->size || !tn_scalar_is_const(&c->size->v, &n))
			return tn_reject(vf, E_ARG, -1, "%s without a constant size", c->name);
		out->kind = TN_REG_RECORD;
		out->size = (uint32_t)n;
		out->nullable = true;
		break;
	case TN_RET_HANDLE:
		out->kind = TN_REG_HANDLE;
		out->obj = tn_handle_name(vf, c->sig->ret_handle);
		out->rdonly = c->sig->flags & TN_SIG_RET_RDONLY;
		for (uint32_t i = 0; c->sig->flags & TN_SIG_CAST; i++) {
			if (c->sig->args[i].kind != TN_ARG_HANDLE)
				continue;
			tn_handle_cast(tn_vf_reg(vf, TN_R1 + i), out);
			break;
		}
		if (c->sig->flags & TN_SIG_RET_UNTRUSTED)
			tn_probe_mark(out);
		break;
	}
	out->null_id = out->nullable ? vf->senv.next_id++ : 0;
	return c->sig->flags & TN_SIG_ACQUIRE ? tn_ref_acquire(vf, out, releaser_of(vf, out)) : 0;
}

/* ---- What it costs ---- */

static bool enters_kernel(uint32_t id)
{
	switch (id) {
	case TN_HELPER_trace_printk:
	case TN_HELPER_trace_vprintk:
	case TN_HELPER_probe_read:
	case TN_HELPER_probe_read_str:
	case TN_HELPER_probe_read_user:
	case TN_HELPER_probe_read_kernel:
	case TN_HELPER_probe_read_user_str:
	case TN_HELPER_probe_read_kernel_str:
	case TN_HELPER_copy_from_user:
	case TN_HELPER_get_current_pid_tgid:
	case TN_HELPER_get_current_uid_gid:
	case TN_HELPER_get_current_comm:
	case TN_HELPER_get_ns_current_pid_tgid:
	case TN_HELPER_get_numa_node_id:
	case TN_HELPER_clone_redirect:
	case TN_HELPER_seq_printf:
	case TN_HELPER_seq_write:
	case TN_HELPER_perf_event_output:
	case TN_HELPER_skb_output:
	case TN_HELPER_xdp_output:
	case TN_HELPER_get_stack:
	case TN_HELPER_get_stackid:
	case TN_HELPER_ringbuf_output:
	case TN_HELPER_ringbuf_submit:
	case TN_HELPER_ringbuf_discard:
	case TN_KFUNC_iter_bits_new:
	/* Locks of the runtime or process, memory, at times the timer's descriptor. */
	case TN_HELPER_sk_storage_get:
	case TN_HELPER_sk_storage_delete:
	case TN_HELPER_task_storage_get:
	case TN_HELPER_task_storage_delete:
	case TN_HELPER_timer_init:
	case TN_HELPER_timer_set_callback:
	case TN_HELPER_timer_start:
	case TN_HELPER_timer_cancel:
		return true;
	default:
		return false;
	}
}

/* Moves the ends of the packet, and clears what comes in; or copies from it. */
static bool moves_ends(uint32_t id)
{
	return id == TN_HELPER_perf_event_output || id == TN_HELPER_skb_output ||
	       id == TN_HELPER_xdp_output || id == TN_HELPER_skb_adjust_room ||
	       id == TN_HELPER_skb_change_tail || id == TN_HELPER_skb_change_head ||
	       id == TN_HELPER_xdp_adjust_head || id == TN_HELPER_xdp_adjust_tail;
}

/* Bytes that the callee may move for its argument i. */
static uint64_t moved_bytes(struct tn_vf *vf, const struct tn_callee *c, uint32_t i)
{
	const struct tn_arg *arg = &c->sig->args[i];
	const struct tn_reg *r = tn_vf_reg(vf, TN_R1 + i);

	switch ((enum tn_arg_kind)arg->kind) {
	case TN_ARG_MAP_KEY:
		return c->map->key_size;
	case TN_ARG_MAP_VALUE:
	case TN_ARG_MAP_VALUE_OUT:
		return c->map->value_size;
	case TN_ARG_MEM:
	case TN_ARG_WMEM:
		return r->kind == TN_REG_REGION ? TN_MIN(r[1].v.umax, REGION_COST_BYTES)
						: r[1].v.umax;
	case TN_ARG_STRUCT:
	case TN_ARG_MEM_FIXED:
		return arg->struct_size;
	case TN_ARG_BTF_PTR: /* each step is some printing */
		return BYTES_PER_COST * 16 * (uint64_t)TN_BTF_SHOW_MAX_WORK;
	case TN_ARG_WMEM_FIXED: /* a number is no work */
		return arg->struct_size > 8 ? arg->struct_size : 0;
	case TN_ARG_ANY: /* of the others the target tells */
		return c->id == TN_KFUNC_iter_bits_new ? TN_ITER_BITS_MAX_WORDS * 8 : 0;
	case TN_ARG_STR: /* checked: its NUL is there. Each character is looked at. */
		return BYTES_PER_COST *
		       strlen((const char *)((const struct tn_map *)r->obj)->values + r->v.umin);
	default:
		return 0;
	}
}

void tn_note_more_cost(struct tn_vf *vf, uint64_t cost)
{
	struct tn_insn_seen *seen = &vf->seen[vf->s.insn];

	seen->cost = TN_MAX(seen->cost, cost);
}

/* Time is bounded in instructions: a call is as many as its work takes. */
void tn_note_cost(struct tn_vf *vf, const struct tn_callee *c)
{
	uint64_t bytes = moves_ends(c->id) ? REGION_COST_BYTES : 0;

	for (uint32_t i = 0; i < c->sig->nr_args; i++)
		bytes += moved_bytes(vf, c, i);
	/* Pages are sought one by one, and given back by the kernel. */
	if (c->map && c->map->type == TN_MAP_ARENA)
		bytes += BYTES_PER_COST *
			 (TN_KERNEL_ENTRY_COST + (uint64_t)c->map->max_entries / 2);
	tn_note_more_cost(vf, bytes / BYTES_PER_COST +
				      (enters_kernel(c->id) ? TN_KERNEL_ENTRY_COST : 0));
}
