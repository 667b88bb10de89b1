/* SPDX-License-Identifier: MIT */
/* Are the arguments of a call what its signature asks for? */
#include "verifier/callee.h"
#include "verifier/mutant.h"
#include "verifier/timer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "vm/kfuncs.h"

#define HELPER_SNPRINTF 165
#define MAX_MEM_ARG	((uint64_t)1 << 29)

/* ---- Arguments ---- */

int tn_refuse_arg(struct tn_vf *vf, const struct tn_callee *c, uint32_t i, const char *want)
{
	const struct tn_reg *r = tn_vf_reg(vf, TN_R1 + i);

	return tn_reject(vf, E_ARG, (int)(TN_R1 + i), "argument %u of %s must be %s, r%u is %s",
			 i + 1, c->name, want, TN_R1 + i, tn_reg_words(vf, r));
}

bool tn_reg_is_null(const struct tn_reg *r)
{
	uint64_t c;

	return r->kind == TN_REG_SCALAR && tn_scalar_is_const(&r->v, &c) && !c;
}

bool tn_reg_at_start(const struct tn_reg *r)
{
	uint64_t c;

	return tn_scalar_is_const(&r->v, &c) && !c;
}

/* The largest size that the callee's type for it holds: what is passed must arrive. */
static uint64_t largest_size(uint8_t ctype)
{
	switch ((enum tn_ctype)ctype) {
	case TN_C_I8:
		return INT8_MAX;
	case TN_C_U8:
		return UINT8_MAX;
	case TN_C_I16:
		return INT16_MAX;
	case TN_C_U16:
		return UINT16_MAX;
	case TN_C_I32:
		return INT32_MAX;
	case TN_C_U32:
		return UINT32_MAX;
	case TN_C_I64:
		return INT64_MAX;
	default:
		return UINT64_MAX;
	}
}

static int check_sized_mem(struct tn_vf *vf, struct tn_callee *c, uint32_t i,
			   const struct tn_arg *arg)
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
	if (size->v.umax > largest_size(arg[1].ctype))
		return tn_reject(vf, E_ARG, (int)(TN_R2 + i),
				 "the size given to %s in r%u is %s, its type holds up to %llu",
				 c->name, TN_R2 + i, tn_scalar_words(vf, &size->v),
				 (unsigned long long)largest_size(arg[1].ctype));
	if (!zero_ok && !size->v.umin)
		return tn_reject(vf, E_ARG, (int)(TN_R2 + i),
				 "the size given to %s in r%u may be 0 (%s)", c->name, TN_R2 + i,
				 tn_scalar_words(vf, &size->v));
	if (arg->nullable && tn_reg_is_null(r) && !size->v.umax)
		return 0;
	/* Standard helpers may read the packet while they fill their target. */
	if (mem.written && c->id && r->kind == TN_REG_REGION && vf->ctx->is_packet)
		return tn_refuse_arg(vf, c, i, "memory outside of the packet");
	return tn_check_mem_arg(vf, &mem);
}

static int check_fixed_mem(struct tn_vf *vf, uint32_t i, uint64_t size, const char *what)
{
	struct tn_mem_arg mem = { .reg = TN_R1 + i, .size = size, .what = what };

	return tn_check_mem_arg(vf, &mem);
}

/* All of it is written, also where the callee has nothing to give: see pop and peek of tn_map_ops.
 */
static int check_value_out(struct tn_vf *vf, uint32_t i, uint64_t size)
{
	struct tn_mem_arg mem = { .reg = TN_R1 + i,
				  .size = size,
				  .written = true,
				  .fully = true,
				  .what = "written by a call" };

	return tn_check_mem_arg(vf, &mem);
}

/* A number or structure that the callee writes or reads: aligned, in the stack too. */
static int check_aligned(struct tn_vf *vf, const struct tn_callee *c, uint32_t i,
			 const struct tn_arg *arg)
{
	const struct tn_reg *r = tn_vf_reg(vf, TN_R1 + i);
	uint32_t align = arg->align ? arg->align : arg->struct_size;
	bool written = arg->kind == TN_ARG_WMEM_FIXED;
	struct tn_mem_arg mem = { .reg = TN_R1 + i,
				  .size = arg->struct_size,
				  .written = written,
				  .fully = c->id != 0,
				  .what = written ? "written by a call" : "read by a call" };
	int err;

	if (tn_reg_is_pointer(r) && (r->v.t.value | r->v.t.mask) & (align - 1))
		return tn_reject(vf, E_ALIGN, (int)(TN_R1 + i),
				 "argument %u of %s must be aligned to %u bytes, r%u is %s", i + 1,
				 c->name, align, TN_R1 + i, tn_reg_words(vf, r));
	if (!c->id && ((r->kind == TN_REG_REGION && align > 1) ||
		       (r->kind == TN_REG_MEM && align > 1u << r->part)))
		return tn_refuse_arg(vf, c, i, "memory whose alignment is known");
	err = arg->in_out ? check_fixed_mem(vf, i, arg->struct_size, "read by a call") : 0;
	return err ? err : tn_check_mem_arg(vf, &mem);
}

static bool changes_map(uint32_t id)
{
	return id == TN_HELPER_map_update_elem || id == TN_HELPER_map_delete_elem ||
	       id == TN_HELPER_map_push_elem || id == TN_HELPER_map_pop_elem;
}

/* Gives a copy of a value, which no later access is checked for. */
static bool copies_value(uint32_t id)
{
	return id == TN_HELPER_map_pop_elem || id == TN_HELPER_map_peek_elem;
}

static int check_map(struct tn_vf *vf, struct tn_callee *c, uint32_t i, const struct tn_arg *arg)
{
	const struct tn_reg *r = tn_vf_reg(vf, TN_R1 + i);
	struct tn_insn_seen *seen = &vf->seen[vf->s.insn];

	if (r->kind != TN_REG_MAP || r->low)
		return tn_refuse_arg(vf, c, i, "a map");
	if (r->nullable) {
		tn_reject(vf, E_NULL, (int)(TN_R1 + i),
			  "argument %u of %s may be NULL here (r%u is %s)", i + 1, c->name,
			  TN_R1 + i, tn_reg_words(vf, r));
		return tn_advise(vf, "test the inner map for NULL before this line");
	}
	c->map = r->obj;
	if (arg->map_types && (c->map->type > 31 || !(arg->map_types >> c->map->type & 1)))
		return tn_reject(vf, E_MAP, (int)(TN_R1 + i), "%s on map '%s', which is of type %s",
				 c->name, c->map->name, tn_map_words(c->map));
	if (copies_value(c->id) && c->map->flags & TN_MAP_F_WRONLY_PROG)
		return tn_reject(vf, E_READONLY, (int)(TN_R1 + i), "%s on write-only map '%s'",
				 c->name, c->map->name);
	if (changes_map(c->id) &&
	    (c->map->flags & TN_MAP_F_RDONLY_PROG || c->map->const_for_programs))
		return tn_reject(vf, E_READONLY, (int)(TN_R1 + i), "%s on read-only map '%s'",
				 c->name, c->map->name);
	if (i == 0) {
		/* A template stands for all inner maps: which one it is, only the run tells. */
		seen->map_varies |= c->map->is_template || (seen->map && seen->map != c->map);
		seen->map = c->map;
	}
	return 0;
}

static int check_str(struct tn_vf *vf, struct tn_callee *c, uint32_t i)
{
	const struct tn_reg *r = tn_vf_reg(vf, TN_R1 + i);
	const struct tn_map *map = r->obj;
	uint64_t at;

	/* Of a map of several values it is not known which one. */
	if (r->kind != TN_REG_VALUE || r->nullable || !map->const_for_programs || !map->values ||
	    map->type != TN_MAP_ARRAY || map->max_entries != 1 || !tn_scalar_is_const(&r->v, &at))
		return tn_refuse_arg(vf, c, i, "a string in constant read-only data");
	if (at >= map->value_size || !memchr(map->values + at, 0, map->value_size - at))
		return tn_reject(vf, E_ARG, (int)(TN_R1 + i),
				 "argument %u of %s is a string without its NUL", i + 1, c->name);
	if (c->id == HELPER_SNPRINTF && tn_format_reads_memory((const char *)map->values + at))
		return tn_reject(vf, E_ARG, (int)(TN_R1 + i),
				 "the format given to %s reads memory at an address (%%s, %%pi4)",
				 c->name);
	return 0;
}

static int check_handle(struct tn_vf *vf, struct tn_callee *c, uint32_t i, const struct tn_arg *arg)
{
	const struct tn_reg *r = tn_vf_reg(vf, TN_R1 + i);
	char want[TN_SIG_HANDLE_BYTES + 96];
	int err;

	if (arg->nullable && !arg->release && tn_reg_is_null(r))
		return 0;
	snprintf(want, sizeof(want), "a%s handle of type %s%s%s", r->untrusted ? " trusted" : "",
		 arg->handle, r->kind == TN_REG_HANDLE && !tn_reg_at_start(r) ? ", not moved" : "",
		 r->kind == TN_REG_HANDLE && r->rdonly && !arg->rdonly
			 ? ", which may be written through"
			 : "");
	if (r->kind != TN_REG_HANDLE || r->low || !tn_reg_at_start(r) ||
	    (r->untrusted && !TN_MUT(PROBE_SERVES)) || (r->rdonly && !arg->rdonly) ||
	    !tn_handle_serves(vf, r->obj, arg->handle))
		return tn_refuse_arg(vf, c, i, want);
	if (r->nullable && !(arg->nullable && !arg->release))
		return tn_reject(vf, E_NULL, (int)(TN_R1 + i),
				 "argument %u of %s may be NULL here (r%u is %s)", i + 1, c->name,
				 TN_R1 + i, tn_reg_words(vf, r));
	if (arg->release) {
		if (!r->ref || r->share == TN_SHARE_PART)
			return tn_reject(vf, E_REFERENCE, (int)(TN_R1 + i),
					 "argument %u of %s is not a reference that was acquired",
					 i + 1, c->name);
		err = tn_ref_check_releaser(vf, r->ref, arg->handle);
		if (err)
			return err;
		c->releases |= (uint8_t)(1u << i);
	}
	return 0;
}

/* Only the address counts, so that it may be of any type; but somebody must vouch for it, or
 * programs could make values for addresses without end. */
static int check_object(struct tn_vf *vf, struct tn_callee *c, uint32_t i)
{
	const struct tn_reg *r = tn_vf_reg(vf, TN_R1 + i);

	if (r->kind != TN_REG_HANDLE || r->low || !tn_reg_at_start(r) || r->untrusted)
		return tn_refuse_arg(vf, c, i, "a trusted handle of an object, not moved");
	if (r->nullable)
		return tn_reject(vf, E_NULL, (int)(TN_R1 + i),
				 "argument %u of %s may be NULL here (r%u is %s)", i + 1, c->name,
				 TN_R1 + i, tn_reg_words(vf, r));
	return 0;
}

static int check_record(struct tn_vf *vf, struct tn_callee *c, uint32_t i)
{
	const struct tn_reg *r = tn_vf_reg(vf, TN_R1 + i);

	if (r->kind != TN_REG_RECORD || !tn_reg_at_start(r))
		return tn_refuse_arg(vf, c, i, "the start of a reserved record");
	if (r->nullable)
		return tn_reject(vf, E_NULL, (int)(TN_R1 + i),
				 "argument %u of %s may be NULL here: test the reservation first",
				 i + 1, c->name);
	c->releases |= (uint8_t)(1u << i);
	return 0;
}

static int check_const_size(struct tn_vf *vf, struct tn_callee *c, uint32_t i)
{
	const struct tn_reg *r = tn_vf_reg(vf, TN_R1 + i);
	uint64_t n;

	if (r->kind != TN_REG_SCALAR || !tn_scalar_is_const(&r->v, &n))
		return tn_refuse_arg(vf, c, i, "a constant size");
	if (n > UINT32_MAX)
		return tn_reject(vf, E_ARG, (int)(TN_R1 + i), "the size given to %s is too large",
				 c->name);
	c->size = r;
	return 0;
}

/* The structure behind the context: where programs see another one than the host. */
static const char *host_struct(const struct tn_ctx_type *ctx)
{
	if (!ctx->is_packet)
		return ctx->name;
	return !strcmp(ctx->name, "xdp_md") ? "tenon_xdp_md" : "tenon_sk_buff";
}

/* Where both layouts are known the name alone says nothing. */
static bool is_context(const struct tn_vf *vf, const struct tn_arg *arg,
		       const struct tn_ctx_type *want)
{
	if (!arg->handle[0])
		return true;
	if (want && !vf->ctx->builtin)
		return tn_ctx_type_serves(vf->ctx, want);
	return !strcmp(arg->handle, host_struct(vf->ctx)) && vf->ctx->host_size >= arg->struct_size;
}

static int check_ctx(struct tn_vf *vf, struct tn_callee *c, uint32_t i)
{
	const struct tn_reg *r = tn_vf_reg(vf, TN_R1 + i);
	const struct tn_arg *arg = &c->sig->args[i];
	const struct tn_host_helper *host = c->id ? NULL : tn_vf_host(vf, vf->s.insn);
	const char *name = host_struct(vf->ctx);

	if (r->kind != TN_REG_CTX || !tn_reg_at_start(r))
		return tn_refuse_arg(vf, c, i, "the context, unmodified");
	if (is_context(vf, arg, host ? host->ctx_layout : NULL))
		return 0;
	return tn_reject(vf, E_ARG, (int)(TN_R1 + i),
			 "%s takes the context 'struct %s' of %u bytes in r%u, and this hook's is "
			 "'%s' of %u%s",
			 c->name, arg->handle, arg->struct_size, TN_R1 + i, name,
			 vf->ctx->host_size,
			 !strcmp(arg->handle, name) ? ", whose members are others" : "");
}

/* A pointer that is only handed on to the callback. */
static int check_callback_ctx(struct tn_vf *vf, struct tn_callee *c, uint32_t i)
{
	const struct tn_reg *r = tn_vf_reg(vf, TN_R1 + i);

	if (tn_reg_is_null(r))
		return 0;
	if (!tn_reg_is_pointer(r) || r->nullable || r->ref || r->low)
		return tn_refuse_arg(vf, c, i, "a pointer to the stack or to a map's value, or 0");
	return 0;
}

/* Numbers of a kernel context, as BPF_CORE_READ() takes them. The host's structure stands behind
 * the register, so that only what stands there as the program sees it is what it asks for; and no
 * pointer, nor anything that the program could not load by itself, is in reach. Only contexts that
 * Tenon brings: what a host declares is read field by field. */
static bool reads_numbers_of_ctx(const struct tn_vf *vf, const struct tn_reg *r,
				 const struct tn_reg *size)
{
	const struct tn_ctx_type *ctx = vf->ctx;
	const struct tn_field *f;
	uint64_t at;

	if (!ctx || !ctx->builtin || r->kind != TN_REG_CTX || !tn_scalar_is_const(&r->v, &at))
		return false;
	if (at >= ctx->size || size->kind != TN_REG_SCALAR || size->v.umax > ctx->size - at)
		return false;
	f = tn_ctx_field_at(ctx, (uint32_t)at, (uint32_t)TN_MAX(size->v.umax, UINT64_C(1)));
	return f && f->kind == TN_FIELD_SCALAR && (f->access & TN_ACC_R) &&
	       f->host_offset == f->offset && f->host_size == f->size;
}

/* Where any address will do, the callee asks nobody who owns the memory. So unless the host shows
 * addresses anyway, that is held to what the program may read by itself. An iterator looks again
 * later, unless one word is all: only a map's value stays, and has no address put into it. */
static int check_host_read(struct tn_vf *vf, struct tn_callee *c, uint32_t i)
{
	const struct tn_reg *r = tn_vf_reg(vf, TN_R1 + i), *size = tn_vf_reg(vf, TN_R2);
	struct tn_mem_arg mem = { .reg = TN_R1 + i, .size_reg = size, .what = "read by a call" };

	if (!(c->sig->flags & TN_SIG_READS_HOST) || vf->env->addresses_visible)
		return 0;
	if (c->id == TN_KFUNC_iter_bits_new) {
		size = tn_vf_reg(vf, TN_R3);
		mem.size_reg = NULL;
		mem.size = TN_MIN(size->v.umax, TN_ITER_BITS_MAX_WORDS) * 8;
	}
	switch ((enum tn_reg_kind)r->kind) {
	case TN_REG_HANDLE:
		if (!mem.size_reg)
			break;
		return tn_probe_source(vf, c, i);
	case TN_REG_VALUE:
		return tn_check_mem_arg(vf, &mem);
	case TN_REG_STACK:
	case TN_REG_REGION:
	case TN_REG_RECORD:
	case TN_REG_MEM:
		if (mem.size_reg || mem.size <= 8)
			return tn_check_mem_arg(vf, &mem);
		break;
	case TN_REG_CTX:
		if (mem.size_reg && reads_numbers_of_ctx(vf, r, size))
			return 0;
		break;
	default:
		break;
	}
	tn_reject(vf, E_POLICY, (int)(TN_R1 + i),
		  "%s would read memory of the host at any address: r%u is %s", c->name, TN_R1 + i,
		  tn_reg_words(vf, r));
	return tn_advise(vf, "give it memory that the program may read; or the host sets "
			     "addresses_visible, which shows the program all of its memory");
}

static int check_arg(struct tn_vf *vf, struct tn_callee *c, uint32_t i)
{
	const struct tn_arg *arg = &c->sig->args[i];
	const struct tn_reg *r = tn_vf_reg(vf, TN_R1 + i);
	int err = tn_need_init(vf, TN_R1 + i);

	if (err)
		return err;
	switch ((enum tn_arg_kind)arg->kind) {
	case TN_ARG_NONE:
		return 0;
	case TN_ARG_ANY:
		return check_host_read(vf, c, i);
	case TN_ARG_SCALAR:
		return tn_as_number(vf, tn_vf_reg(vf, TN_R1 + i))
			       ? 0
			       : tn_refuse_arg(vf, c, i, "a number");
	case TN_ARG_SIZE: /* checked with the memory before it */
	case TN_ARG_SIZE_OR_ZERO:
		return r->kind == TN_REG_SCALAR ? 0 : tn_refuse_arg(vf, c, i, "a number");
	case TN_ARG_CTX:
		return check_ctx(vf, c, i);
	case TN_ARG_MAP:
		return check_map(vf, c, i, arg);
	case TN_ARG_MAP_KEY:
		return c->map ? check_fixed_mem(vf, i, c->map->key_size, "read as a key by a call")
			      : tn_refuse_arg(vf, c, i, "a key after its map");
	case TN_ARG_MAP_VALUE:
		if (arg->nullable && tn_reg_is_null(r))
			return 0;
		return c->map ? check_fixed_mem(vf, i, c->map->value_size,
						"read as a value by a call")
			      : tn_refuse_arg(vf, c, i, "a value after its map");
	case TN_ARG_MAP_VALUE_OUT:
		/* A filter is asked for that value. */
		if (c->map && c->map->type == TN_MAP_BLOOM_FILTER)
			return check_fixed_mem(vf, i, c->map->value_size,
					       "read as a value by a call");
		return c->map ? check_value_out(vf, i, c->map->value_size)
			      : tn_refuse_arg(vf, c, i, "a value after its map");
	case TN_ARG_MEM:
	case TN_ARG_WMEM:
		return check_sized_mem(vf, c, i, arg);
	case TN_ARG_CONST_SIZE:
		return check_const_size(vf, c, i);
	case TN_ARG_STR:
		return check_str(vf, c, i);
	case TN_ARG_FUNC:
		if (r->kind != TN_REG_FUNC)
			return tn_refuse_arg(vf, c, i, "a function of the program");
		c->func = r->region;
		return 0;
	case TN_ARG_STACK_OR_NULL:
		return check_callback_ctx(vf, c, i);
	case TN_ARG_HANDLE:
		return check_handle(vf, c, i, arg);
	case TN_ARG_STRUCT:
		return check_fixed_mem(vf, i, arg->struct_size, "read as a struct by a call");
	case TN_ARG_ITER_NEW: /* iter.c */
	case TN_ARG_ITER:
	case TN_ARG_DYNPTR_NEW: /* dynptr.c */
	case TN_ARG_DYNPTR:
		return 0;
	case TN_ARG_WMEM_FIXED:
	case TN_ARG_MEM_FIXED:
		return check_aligned(vf, c, i, arg);
	case TN_ARG_RINGBUF_RECORD:
		return check_record(vf, c, i);
	case TN_ARG_PACKET:
		return r->kind == TN_REG_CTX && vf->ctx->is_packet ? check_ctx(vf, c, i)
								   : check_handle(vf, c, i, arg);
	case TN_ARG_BTF_PTR:
		return tn_check_btf_ptr(vf, c, i);
	case TN_ARG_OBJECT:
		return check_object(vf, c, i);
	case TN_ARG_TIMER:
		return tn_check_timer_arg(vf, c, i);
	case TN_ARG_SPIN_LOCK:
		return tn_check_lock_arg(vf, c, i);
	}
	return tn_reject(vf, E_UNSUPPORTED, -1, "argument %u of %s is of an unknown kind", i + 1,
			 c->name);
}

/* Behind the `...` a callee gets whatever the other registers hold: numbers, and 0 where the
 * program did not set one on some path. The host takes integers alone there. */
static int check_variadic(struct tn_vf *vf, const struct tn_callee *c)
{
	struct tn_insn_fact *fact = &vf->facts->insns[vf->s.insn];

	for (uint32_t i = c->sig->nr_args; i < TN_SIG_MAX_ARGS; i++) {
		const struct tn_reg *r = tn_vf_reg(vf, TN_R1 + i);

		if (r->kind == TN_REG_UNINIT)
			fact->zero_regs |= (uint8_t)(1u << (TN_R1 + i));
		else if (!c->id && r->kind != TN_REG_SCALAR)
			return tn_refuse_arg(vf, c, i, "a number");
	}
	return 0;
}

static bool is_filled(const struct tn_arg *arg)
{
	return arg->kind == TN_ARG_WMEM || arg->kind == TN_ARG_WMEM_FIXED ||
	       arg->kind == TN_ARG_MAP_VALUE_OUT;
}

int tn_check_args(struct tn_vf *vf, struct tn_callee *c)
{
	int err = tn_check_context_serves(vf, c);

	/* What is read is what was there before the call: bytes that it fills are not yet so. */
	for (uint32_t i = 0; i < c->sig->nr_args && !err; i++)
		if (!is_filled(&c->sig->args[i]))
			err = check_arg(vf, c, i);
	for (uint32_t i = 0; i < c->sig->nr_args && !err; i++)
		if (is_filled(&c->sig->args[i]))
			err = check_arg(vf, c, i);
	if (!err && c->sig->flags & TN_SIG_VARIADIC)
		err = check_variadic(vf, c);
	return err;
}
