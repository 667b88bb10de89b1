/* SPDX-License-Identifier: MIT */
/* Calls: helpers and host functions by their signatures, subprograms, callbacks, tail calls, exit.
 */
#include "verifier/engine.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define HELPER_SNPRINTF 165
#define MAX_ROUNDS	((uint64_t)1 << 23)
#define MAX_MEM_ARG	((uint64_t)1 << 29)

/* Costs, in instructions: of a callee that enters the kernel, and how many bytes it moves in the
 * time of one. A region of the host may be of any size; it counts as a packet's at most. */
#define KERNEL_ENTRY_COST 64
#define BYTES_PER_COST	  8
#define REGION_COST_BYTES ((uint64_t)1 << 16)

struct callee {
	const char *name;
	const struct tn_sig *sig;
	uint32_t id;		   /* standard helper, 0: of the host */
	const struct tn_map *map;  /* argument */
	const struct tn_reg *size; /* CONST_SIZE argument */
	uint8_t releases;	   /* arguments that are given up: bit i is argument i */
	uint32_t func;		   /* callback, TN_NONE */
};

/* ---- Arguments ---- */

static int refuse_arg(struct tn_vf *vf, const struct callee *c, uint32_t i, const char *want)
{
	const struct tn_reg *r = tn_vf_reg(vf, TN_R1 + i);

	return tn_reject(vf, E_ARG, (int)(TN_R1 + i), "argument %u of %s must be %s, r%u is %s",
			 i + 1, c->name, want, TN_R1 + i, tn_reg_words(vf, r));
}

static bool is_null(const struct tn_reg *r)
{
	uint64_t c;

	return r->kind == TN_REG_SCALAR && tn_scalar_is_const(&r->v, &c) && !c;
}

static bool at_start(const struct tn_reg *r)
{
	uint64_t c;

	return tn_scalar_is_const(&r->v, &c) && !c;
}

static int check_sized_mem(struct tn_vf *vf, struct callee *c, uint32_t i, const struct tn_arg *arg)
{
	const struct tn_reg *r = tn_vf_reg(vf, TN_R1 + i), *size = r + 1;
	bool zero_ok = i + 1 < c->sig->nr_args && arg[1].kind == TN_ARG_SIZE_OR_ZERO;
	struct tn_mem_arg mem = {
		.reg = TN_R1 + i,
		.size_reg = size,
		.written = arg->kind == TN_ARG_WMEM,
		.fully = c->id != 0,
		.what = arg->kind == TN_ARG_WMEM ? "written by a call" : "read by a call",
	};
	int err = tn_need_scalar(vf, TN_R2 + i, "a size");

	if (err)
		return err;
	if (size->v.umax > MAX_MEM_ARG && !(r->kind == TN_REG_REGION)) {
		tn_reject(vf, E_ARG, (int)(TN_R2 + i),
			  "the size given to %s in r%u is %s, which has no useful bound", c->name,
			  TN_R2 + i, tn_scalar_words(vf, &size->v));
		return tn_advise(vf, "bound it before the call: if (size > %s) ...", "N");
	}
	if (!zero_ok && !size->v.umin)
		return tn_reject(vf, E_ARG, (int)(TN_R2 + i),
				 "the size given to %s in r%u may be 0 (%s)", c->name, TN_R2 + i,
				 tn_scalar_words(vf, &size->v));
	if ((arg->nullable || zero_ok) && is_null(r) && !size->v.umax)
		return 0;
	return tn_check_mem_arg(vf, &mem);
}

static int check_fixed_mem(struct tn_vf *vf, uint32_t i, uint64_t size, const char *what)
{
	struct tn_mem_arg mem = { .reg = TN_R1 + i, .size = size, .what = what };

	return tn_check_mem_arg(vf, &mem);
}

static bool is_map_update(uint32_t id)
{
	return id == TN_HELPER_map_update_elem || id == TN_HELPER_map_delete_elem;
}

static int check_map(struct tn_vf *vf, struct callee *c, uint32_t i, const struct tn_arg *arg)
{
	const struct tn_reg *r = tn_vf_reg(vf, TN_R1 + i);
	struct tn_insn_seen *seen = &vf->seen[vf->s.insn];

	if (r->kind != TN_REG_MAP)
		return refuse_arg(vf, c, i, "a map");
	c->map = r->obj;
	if (arg->map_types && (c->map->type > 31 || !(arg->map_types >> c->map->type & 1)))
		return tn_reject(vf, E_MAP, (int)(TN_R1 + i), "%s on map '%s', which is of type %s",
				 c->name, c->map->name,
				 tn_map_type_words(c->map->type) ? tn_map_type_words(c->map->type)
								 : "unknown");
	if (is_map_update(c->id) &&
	    (c->map->flags & TN_MAP_F_RDONLY_PROG || c->map->const_for_programs))
		return tn_reject(vf, E_READONLY, (int)(TN_R1 + i), "%s on read-only map '%s'",
				 c->name, c->map->name);
	if (c->id == TN_HELPER_map_lookup_elem && c->map->flags & TN_MAP_F_WRONLY_PROG)
		return tn_reject(vf, E_READONLY, (int)(TN_R1 + i), "%s on write-only map '%s'",
				 c->name, c->map->name);
	if (i == 0) {
		seen->map_varies |= seen->map && seen->map != c->map;
		seen->map = c->map;
	}
	return 0;
}

/* Conversions that read memory at an address given as a number. Into a log that is the host's
 * business; into the program's own memory it would show it all of the host's. */
static bool format_reads_memory(const char *s)
{
	for (; *s; s++) {
		if (*s != '%')
			continue;
		s += 1 + strspn(s + 1, "-+ #0123456789.l");
		if (*s == 's' || (*s == 'p' && (s[1] == 'i' || s[1] == 'I')))
			return true;
		if (!*s)
			return false;
	}
	return false;
}

static int check_str(struct tn_vf *vf, struct callee *c, uint32_t i)
{
	const struct tn_reg *r = tn_vf_reg(vf, TN_R1 + i);
	const struct tn_map *map = r->obj;
	uint64_t at;

	/* Of a map of several values it is not known which one. */
	if (r->kind != TN_REG_VALUE || r->nullable || !map->const_for_programs || !map->values ||
	    map->type != TN_MAP_ARRAY || map->max_entries != 1 || !tn_scalar_is_const(&r->v, &at))
		return refuse_arg(vf, c, i, "a string in constant read-only data");
	if (at >= map->value_size || !memchr(map->values + at, 0, map->value_size - at))
		return tn_reject(vf, E_ARG, (int)(TN_R1 + i),
				 "argument %u of %s is a string without its NUL", i + 1, c->name);
	if (c->id == HELPER_SNPRINTF && format_reads_memory((const char *)map->values + at))
		return tn_reject(vf, E_ARG, (int)(TN_R1 + i),
				 "the format given to %s reads memory at an address (%%s, %%pi4)",
				 c->name);
	return 0;
}

static int check_handle(struct tn_vf *vf, struct callee *c, uint32_t i, const struct tn_arg *arg)
{
	const struct tn_reg *r = tn_vf_reg(vf, TN_R1 + i);
	char want[TN_SIG_HANDLE_BYTES + 32];

	if (arg->nullable && !arg->release && is_null(r))
		return 0;
	snprintf(want, sizeof(want), "a handle of type %s", arg->handle);
	if (r->kind != TN_REG_HANDLE || !r->obj || strcmp(r->obj, arg->handle))
		return refuse_arg(vf, c, i, want);
	if (r->nullable && !(arg->nullable && !arg->release))
		return tn_reject(vf, E_NULL, (int)(TN_R1 + i),
				 "argument %u of %s may be NULL here (r%u is %s)", i + 1, c->name,
				 TN_R1 + i, tn_reg_words(vf, r));
	if (arg->release) {
		if (!r->ref)
			return tn_reject(vf, E_REFERENCE, (int)(TN_R1 + i),
					 "argument %u of %s is not a reference that was acquired",
					 i + 1, c->name);
		c->releases |= (uint8_t)(1u << i);
	}
	return 0;
}

static int check_record(struct tn_vf *vf, struct callee *c, uint32_t i)
{
	const struct tn_reg *r = tn_vf_reg(vf, TN_R1 + i);

	if (r->kind != TN_REG_RECORD || !at_start(r))
		return refuse_arg(vf, c, i, "the start of a reserved record");
	if (r->nullable)
		return tn_reject(vf, E_NULL, (int)(TN_R1 + i),
				 "argument %u of %s may be NULL here: test the reservation first",
				 i + 1, c->name);
	c->releases |= (uint8_t)(1u << i);
	return 0;
}

static int check_const_size(struct tn_vf *vf, struct callee *c, uint32_t i)
{
	const struct tn_reg *r = tn_vf_reg(vf, TN_R1 + i);
	uint64_t n;

	if (r->kind != TN_REG_SCALAR || !tn_scalar_is_const(&r->v, &n))
		return refuse_arg(vf, c, i, "a constant size");
	if (n > UINT32_MAX)
		return tn_reject(vf, E_ARG, (int)(TN_R1 + i), "the size given to %s is too large",
				 c->name);
	c->size = r;
	return 0;
}

static int check_ctx(struct tn_vf *vf, struct callee *c, uint32_t i)
{
	const struct tn_reg *r = tn_vf_reg(vf, TN_R1 + i);

	if (r->kind != TN_REG_CTX || !at_start(r))
		return refuse_arg(vf, c, i, "the context, unmodified");
	return 0;
}

/* A pointer that is only handed on to the callback. */
static int check_callback_ctx(struct tn_vf *vf, struct callee *c, uint32_t i)
{
	const struct tn_reg *r = tn_vf_reg(vf, TN_R1 + i);

	if (is_null(r))
		return 0;
	if (!tn_reg_is_pointer(r) || r->nullable || r->ref || r->low)
		return refuse_arg(vf, c, i, "a pointer to the stack or to a map's value, or 0");
	return 0;
}

static int check_arg(struct tn_vf *vf, struct callee *c, uint32_t i)
{
	const struct tn_arg *arg = &c->sig->args[i];
	const struct tn_reg *r = tn_vf_reg(vf, TN_R1 + i);
	int err = tn_need_init(vf, TN_R1 + i);

	if (err)
		return err;
	switch ((enum tn_arg_kind)arg->kind) {
	case TN_ARG_NONE:
	case TN_ARG_ANY:
		return 0;
	case TN_ARG_SCALAR:
	case TN_ARG_SIZE: /* checked with the memory before it */
	case TN_ARG_SIZE_OR_ZERO:
		return r->kind == TN_REG_SCALAR ? 0 : refuse_arg(vf, c, i, "a number");
	case TN_ARG_CTX:
		return check_ctx(vf, c, i);
	case TN_ARG_MAP:
		return check_map(vf, c, i, arg);
	case TN_ARG_MAP_KEY:
		return c->map ? check_fixed_mem(vf, i, c->map->key_size, "read as a key by a call")
			      : refuse_arg(vf, c, i, "a key after its map");
	case TN_ARG_MAP_VALUE:
		return c->map ? check_fixed_mem(vf, i, c->map->value_size,
						"read as a value by a call")
			      : refuse_arg(vf, c, i, "a value after its map");
	case TN_ARG_MEM:
	case TN_ARG_WMEM:
		return check_sized_mem(vf, c, i, arg);
	case TN_ARG_CONST_SIZE:
		return check_const_size(vf, c, i);
	case TN_ARG_STR:
		return check_str(vf, c, i);
	case TN_ARG_FUNC:
		if (r->kind != TN_REG_FUNC)
			return refuse_arg(vf, c, i, "a function of the program");
		c->func = r->region;
		return 0;
	case TN_ARG_STACK_OR_NULL:
		return check_callback_ctx(vf, c, i);
	case TN_ARG_HANDLE:
		return check_handle(vf, c, i, arg);
	case TN_ARG_STRUCT:
		return check_fixed_mem(vf, i, arg->struct_size, "read as a struct by a call");
	case TN_ARG_RINGBUF_RECORD:
		return check_record(vf, c, i);
	}
	return tn_reject(vf, E_UNSUPPORTED, -1, "argument %u of %s is of an unknown kind", i + 1,
			 c->name);
}

/* Behind the `...` a callee gets whatever the other registers hold: numbers, and 0 where the
 * program did not set one on some path. The host takes integers alone there. */
static int check_variadic(struct tn_vf *vf, const struct callee *c)
{
	struct tn_insn_fact *fact = &vf->facts->insns[vf->s.insn];

	for (uint32_t i = c->sig->nr_args; i < TN_SIG_MAX_ARGS; i++) {
		const struct tn_reg *r = tn_vf_reg(vf, TN_R1 + i);

		if (r->kind == TN_REG_UNINIT)
			fact->zero_regs |= (uint16_t)(1u << (TN_R1 + i));
		else if (!c->id && r->kind != TN_REG_SCALAR)
			return refuse_arg(vf, c, i, "a number");
	}
	return 0;
}

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
static bool const_key(struct tn_vf *vf, const struct callee *c, uint64_t *key)
{
	return c->map && c->map->key_size == 4 && tn_stack_const(vf, tn_vf_reg(vf, TN_R2), 4, key);
}

static void note_key(struct tn_vf *vf, const struct callee *c)
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

static bool lookup_surely_hits(struct tn_vf *vf, const struct callee *c)
{
	uint64_t key;

	return (c->map->type == TN_MAP_ARRAY || c->map->type == TN_MAP_PERCPU_ARRAY) &&
	       const_key(vf, c, &key) && key < c->map->max_entries;
}

static int set_result(struct tn_vf *vf, const struct callee *c, struct tn_reg *out)
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
	case TN_RET_NOTHING_RETURNS:
		tn_reg_set_unknown(out);
		return 0;
	case TN_RET_MAP_VALUE:
		if (!c->map)
			return tn_reject(vf, E_MAP, -1, "%s without a map", c->name);
		out->kind = TN_REG_VALUE;
		out->obj = c->map;
		out->nullable = !lookup_surely_hits(vf, c);
		vf->seen[vf->s.insn].may_miss |= out->nullable;
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
		out->obj = c->sig->ret_handle;
		break;
	}
	out->null_id = out->nullable ? vf->senv.next_id++ : 0;
	return c->sig->flags & TN_SIG_ACQUIRE ? tn_ref_acquire(vf, out) : 0;
}

/* ---- What it costs ---- */

static bool enters_kernel(uint32_t id)
{
	switch (id) {
	case TN_HELPER_trace_printk:
	case TN_HELPER_trace_vprintk:
	case TN_HELPER_get_current_pid_tgid:
	case TN_HELPER_get_current_uid_gid:
	case TN_HELPER_get_current_comm:
	case TN_HELPER_ringbuf_output:
	case TN_HELPER_ringbuf_submit:
	case TN_HELPER_ringbuf_discard:
		return true;
	default:
		return false;
	}
}

/* Bytes that the callee may move for its argument i. */
static uint64_t moved_bytes(struct tn_vf *vf, const struct callee *c, uint32_t i)
{
	const struct tn_arg *arg = &c->sig->args[i];
	const struct tn_reg *r = tn_vf_reg(vf, TN_R1 + i);

	switch ((enum tn_arg_kind)arg->kind) {
	case TN_ARG_MAP_KEY:
		return c->map->key_size;
	case TN_ARG_MAP_VALUE:
		return c->map->value_size;
	case TN_ARG_MEM:
	case TN_ARG_WMEM:
		return r->kind == TN_REG_REGION ? TN_MIN(r[1].v.umax, REGION_COST_BYTES)
						: r[1].v.umax;
	case TN_ARG_STRUCT:
		return arg->struct_size;
	case TN_ARG_STR: /* checked: its NUL is there. Each character is looked at. */
		return BYTES_PER_COST *
		       strlen((const char *)((const struct tn_map *)r->obj)->values + r->v.umin);
	default:
		return 0;
	}
}

/* Time is bounded in instructions: a call is as many as its work takes. */
static void note_cost(struct tn_vf *vf, const struct callee *c)
{
	struct tn_insn_seen *seen = &vf->seen[vf->s.insn];
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < c->sig->nr_args; i++)
		bytes += moved_bytes(vf, c, i);
	seen->cost = TN_MAX(seen->cost, bytes / BYTES_PER_COST +
						(enters_kernel(c->id) ? KERNEL_ENTRY_COST : 0));
}

/* ---- After effects ---- */

static void clobber(struct tn_vf *vf)
{
	for (uint32_t r = TN_R0; r <= TN_R5; r++)
		tn_reg_uninit(tn_vf_reg(vf, r));
}

static void forget_region(void *user, struct tn_reg *r)
{
	struct tn_vf *vf = user;

	if (r->kind == TN_REG_REGION || r->kind == TN_REG_END ||
	    (r->kind == TN_REG_HANDLE && !r->ref))
		tn_reg_uninit(r);
	else if (r->id && r->id < vf->senv.fixed_ids)
		r->id = 0;
}

/* What the context points to may have moved or be freed: pointers into it are gone, and what was
 * known. So are handles, of which nobody can tell whether they came from there, unless the program
 * holds a reference. */
static void invalidate_regions(struct tn_vf *vf)
{
	tn_state_each_reg(&vf->s, forget_region, vf);
	tn_regions_reset(vf->regions, &vf->s);
}

static bool license_is_gpl(const char *license)
{
	static const char *const names[] = {
		"GPL",		"GPL v2",	"GPL and additional rights",
		"Dual BSD/GPL", "Dual MIT/GPL", "Dual MPL/GPL"
	};

	for (size_t i = 0; i < TN_ARRAY_SIZE(names); i++)
		if (!strcmp(license, names[i]))
			return true;
	return false;
}

static int check_allowed(struct tn_vf *vf, const struct callee *c)
{
	const struct tn_image *image = vf->prog->image;

	if (c->sig->flags & TN_SIG_GPL && vf->env->license == TN_LICENSE_KERNEL && image &&
	    !license_is_gpl(image->license ? image->license : ""))
		return tn_reject(vf, E_LICENSE, -1,
				 "%s is for GPL-compatible programs; the license here is \"%s\"",
				 c->name, image->license ? image->license : "");
	if (vf->env->helper_allowed && vf->env->helper_allowed(vf->env->user, c->name))
		return tn_reject(vf, E_POLICY, -1, "%s is not allowed: %s", c->name,
				 tn_err_last()->msg);
	return 0;
}

static void note_abort(struct tn_vf *vf)
{
	vf->facts->insns[vf->s.insn].flags |= TN_FACT_MAY_ABORT;
	vf->facts->may_abort = 1;
}

/* ---- Callbacks ---- */

/*
 * bpf_loop(rounds, fn, ctx, flags). The call is the head of a loop: arriving there, by whatever
 * way, either no further round is run, or fn runs once and returns to the same call with the
 * caller's registers as they were and its stack as fn left it. The walk finds the fixpoint as for
 * any loop.
 */
static int do_callback(struct tn_vf *vf, const struct callee *c)
{
	struct tn_insn_seen *seen = &vf->seen[vf->s.insn];
	struct tn_frame *caller = tn_state_top(&vf->s), *f;
	uint64_t rounds = TN_MIN(caller->r[TN_R1].v.umax, MAX_ROUNDS);
	int err;

	if (c->id != TN_HELPER_loop || c->func >= vf->prog->nr_subprogs)
		return tn_reject(vf, E_UNSUPPORTED, -1, "callbacks of %s", c->name);
	err = tn_ref_none_held(vf, "at a helper that calls back and may end the program");
	if (err)
		return err;
	if (seen->callback != TN_NONE && seen->callback != c->func)
		return tn_reject(vf, E_UNSUPPORTED, -1,
				 "different functions are called back from one call");
	for (uint32_t i = 0; i < vf->s.nr_frames; i++)
		if (vf->s.frames[i].subprog == c->func)
			return tn_reject(vf, E_STRUCTURE, -1, "the callback calls itself");
	seen->callback = c->func;
	seen->rounds = TN_MAX(seen->rounds, rounds);
	note_abort(vf);
	if (!rounds)
		return tn_call_resume(vf, TN_RESUME_STOP);
	err = tn_walk_push(vf, TN_RESUME_STOP);
	if (!err)
		err = tn_walk_trail(vf, TN_TRAIL_CALLBACK);
	if (err)
		return err;
	if (vf->s.nr_frames == vf->senv.max_frames)
		return tn_reject(vf, E_CALL, -1, "more than %u frames of calls",
				 vf->senv.max_frames);
	f = tn_state_push_frame(&vf->s, c->func, vf->s.insn);
	f->callback = true;
	tn_reg_set_scalar(&f->r[TN_R1], tn_scalar_range(0, rounds - 1, TN_W64));
	f->r[TN_R2] = caller->r[TN_R3];
	vf->s.insn = vf->prog->subprogs[c->func].start;
	return 0;
}

static int do_tail_call(struct tn_vf *vf)
{
	int err = tn_ref_none_held(vf, "at a tail call");

	if (err)
		return err;
	for (uint32_t i = 0; i < vf->s.nr_frames; i++)
		if (vf->s.frames[i].callback)
			return tn_reject(vf, E_UNSUPPORTED, -1, "a tail call in a callback");
	/* In a subprogram a hit gives the target's result to the caller. */
	if (vf->s.nr_frames > 1)
		err = tn_walk_push(vf, TN_RESUME_TAIL);
	return err;
}

/* ---- Calls ---- */

/* What is given up is given once: the callee may free it before it looks at the other arguments. */
static int release_arguments(struct tn_vf *vf, const struct callee *c)
{
	const struct tn_reg *args = tn_vf_reg(vf, TN_R1);
	uint32_t refs[TN_SIG_MAX_ARGS];

	for (uint32_t i = 0; i < c->sig->nr_args; i++) {
		refs[i] = args[i].ref;
		for (uint32_t j = 0; j < c->sig->nr_args; j++)
			if (c->releases >> i & 1 && j != i && args[j].ref == refs[i])
				return tn_reject(
					vf, E_REFERENCE, (int)(TN_R1 + TN_MAX(i, j)),
					"argument %u of %s is a reference that the same call "
					"releases as argument %u",
					j + 1, c->name, i + 1);
	}
	for (uint32_t i = 0; i < c->sig->nr_args; i++) {
		int err = c->releases >> i & 1 ? tn_ref_release(vf, refs[i]) : 0;

		if (err)
			return err;
	}
	return 0;
}

static int call_by_sig(struct tn_vf *vf, struct callee *c)
{
	struct tn_reg out;
	int err = check_allowed(vf, c);

	vf->seen[vf->s.insn].flags |= TN_SEEN_CALL;
	for (uint32_t i = 0; i < c->sig->nr_args && !err; i++)
		err = check_arg(vf, c, i);
	if (!err && c->sig->flags & TN_SIG_VARIADIC)
		err = check_variadic(vf, c);
	if (err)
		return err;
	note_cost(vf, c);
	if (c->sig->flags & TN_SIG_CALLBACK)
		return do_callback(vf, c);
	if (c->id == TN_HELPER_tail_call) {
		err = do_tail_call(vf);
		if (err)
			return err;
	}
	if (c->sig->flags & TN_SIG_MAY_ABORT) {
		err = tn_ref_none_held(vf, "at a helper that may end the program");
		if (err)
			return err;
		note_abort(vf);
	}
	note_key(vf, c);
	err = release_arguments(vf, c);
	if (err)
		return err;
	err = set_result(vf, c, &out);
	if (err)
		return err;
	clobber(vf);
	if (c->sig->flags & TN_SIG_INVALIDATES_CTX)
		invalidate_regions(vf);
	*tn_vf_reg(vf, TN_R0) = out;
	vf->s.insn++;
	return 0;
}

static int call_host(struct tn_vf *vf, const struct tn_host_helper *h)
{
	struct callee c = { .name = h->name, .sig = &h->sig, .func = TN_NONE };

	return call_by_sig(vf, &c);
}

static int call_helper(struct tn_vf *vf, uint32_t id)
{
	const struct tn_host_helper *host = vf->env->helper_by_id
						    ? vf->env->helper_by_id(vf->env->user, id)
						    : NULL;
	const struct tn_helper *h = tn_helper_by_id(id);
	struct callee c = { .func = TN_NONE };

	if (host)
		return call_host(vf, host);
	if (!h)
		return tn_reject(vf, E_HELPER, -1, "helper number %u is not known here", id);
	c.name = h->name;
	c.sig = &h->sig;
	c.id = id;
	return call_by_sig(vf, &c);
}

static int call_extern(struct tn_vf *vf, uint32_t index)
{
	const struct tn_extern *e;

	if (index >= vf->prog->nr_externs)
		return tn_reject(vf, E_CALL, -1, "extern number %u does not exist", index);
	e = &vf->prog->externs[index];
	if (!e->helper)
		return tn_reject(
			vf, E_CALL, -1,
			"'%s' is not provided by the host; test its address before calling it",
			e->name);
	return call_host(vf, e->helper);
}

static int call_local(struct tn_vf *vf)
{
	uint32_t callee = vf->structure->sites[vf->s.insn].callee;
	struct tn_frame *caller = tn_state_top(&vf->s), *f;

	if (callee == TN_NONE)
		return tn_reject(vf, E_CALL, -1, "the call leads to no function");
	if (vf->s.nr_frames == vf->senv.max_frames)
		return tn_reject(vf, E_CALL, -1, "more than %u frames of calls",
				 vf->senv.max_frames);
	for (uint32_t i = 0; i < vf->s.nr_frames; i++)
		if (vf->s.frames[i].subprog == callee)
			return tn_reject(vf, E_STRUCTURE, -1, "recursive call of '%s'",
					 vf->prog->subprogs[callee].name);
	f = tn_state_push_frame(&vf->s, callee, vf->s.insn);
	for (uint32_t r = TN_R1; r <= TN_R5; r++)
		f->r[r] = caller->r[r];
	for (uint32_t r = TN_R0; r <= TN_R5; r++)
		tn_reg_uninit(&caller->r[r]);
	vf->s.insn = vf->prog->subprogs[callee].start;
	return 0;
}

int tn_do_call(struct tn_vf *vf)
{
	const struct tn_insn *insn = tn_vf_insn(vf);

	vf->seen[vf->s.insn].ref_held |= vf->s.nr_refs != 0;
	switch (insn->src) {
	case TN_CALL_LOCAL:
		return call_local(vf);
	case TN_CALL_EXTERN:
		return call_extern(vf, (uint32_t)insn->imm);
	case TN_CALL_HELPER:
		return call_helper(vf, (uint32_t)insn->imm);
	default:
		return tn_reject(vf, E_UNSUPPORTED, -1, "a call of kind %u", insn->src);
	}
}

/* ---- Exit ---- */

static int exit_main(struct tn_vf *vf)
{
	const struct tn_reg *r0 = tn_vf_reg(vf, TN_R0);
	int err = tn_need_init(vf, TN_R0);

	if (err)
		return err;
	if (r0->kind != TN_REG_SCALAR)
		return tn_reject(vf, E_LEAK, TN_R0, "the program would return an address: r0 is %s",
				 tn_reg_words(vf, r0));
	err = tn_ref_none_held(vf, "at exit");
	if (err)
		return err;
	if (vf->env->ret_checked &&
	    (r0->v.smin < vf->env->ret_min || r0->v.smax > vf->env->ret_max)) {
		return tn_reject(vf, E_RETURN, TN_R0,
				 "the result is %s; this hook takes %lld..%lld",
				 tn_scalar_words(vf, &r0->v), (long long)vf->env->ret_min,
				 (long long)vf->env->ret_max);
	}
	vf->ret_min = vf->ret_seen ? TN_MIN(vf->ret_min, r0->v.smin) : r0->v.smin;
	vf->ret_max = vf->ret_seen ? TN_MAX(vf->ret_max, r0->v.smax) : r0->v.smax;
	vf->ret_seen = true;
	vf->ended = true;
	return 0;
}

static int exit_callback(struct tn_vf *vf)
{
	struct tn_frame *f = tn_state_top(&vf->s);
	int err = tn_need_scalar(vf, TN_R0, "a callback's result");

	if (err)
		return err;
	if (f->r[TN_R0].v.umax > 1)
		return tn_reject(vf, E_RETURN, TN_R0,
				 "a callback returns 0 to go on or 1 to stop, this one %s",
				 tn_scalar_words(vf, &f->r[TN_R0].v));
	err = tn_ref_none_held(vf, "when a callback returns");
	if (err)
		return err;
	vf->s.nr_frames--;
	vf->s.insn = f->callsite;
	vf->back_arrival = true;
	return 0;
}

/* The callee's frame goes; `r0` is what the caller gets. */
static void return_to_caller(struct tn_vf *vf, struct tn_reg r0)
{
	uint32_t callsite = tn_state_top(&vf->s)->callsite;

	vf->s.nr_frames--;
	*tn_vf_reg(vf, TN_R0) = r0;
	vf->prev = callsite;
	vf->s.insn = callsite + 1;
}

int tn_do_exit(struct tn_vf *vf)
{
	struct tn_frame *f = tn_state_top(&vf->s);

	if (vf->s.nr_frames == 1)
		return exit_main(vf);
	if (f->callback)
		return exit_callback(vf);
	if (f->r[TN_R0].kind == TN_REG_STACK && f->r[TN_R0].frame + 1u == vf->s.nr_frames)
		return tn_reject(vf, E_STACK, TN_R0,
				 "the function returns a pointer to its own stack");
	return_to_caller(vf, f->r[TN_R0]);
	return 0;
}

int tn_call_resume(struct tn_vf *vf, enum tn_resume how)
{
	struct tn_reg r0;

	if (how == TN_RESUME_STOP) {
		clobber(vf);
		tn_reg_set_unknown(tn_vf_reg(vf, TN_R0));
		vf->s.insn++;
		return 0;
	}
	/* A tail call was hit: another program ran in this frame's place. */
	tn_reg_set_unknown(&r0);
	invalidate_regions(vf);
	return_to_caller(vf, r0);
	return 0;
}
