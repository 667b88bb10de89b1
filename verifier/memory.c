/* SPDX-License-Identifier: MIT */
/* Loads, stores and atomics: is the access inside, is it allowed, what does it give. */
#include "verifier/engine.h"
#include "verifier/trace.h"
#include "verifier/mutant.h"

#include <errno.h>
#include <string.h>

/* What may stand in so many bytes. */
static struct tn_scalar any_bytes(uint32_t size)
{
	return size < 8 ? tn_scalar_bits(size * 8) : tn_scalar_unknown(TN_W64);
}

static int need_usable(struct tn_vf *vf, uint32_t regno, const char *what)
{
	const struct tn_reg *r = tn_vf_reg(vf, regno);
	int err = tn_need_init(vf, regno);

	if (err)
		return err;
	if (r->kind == TN_REG_SCALAR)
		return tn_reject(vf, E_TYPE, (int)regno,
				 "%s through r%u, which is %s, not a pointer", what, regno,
				 tn_reg_words(vf, r));
	if (r->low)
		return tn_reject(vf, E_TYPE, (int)regno,
				 "%s through r%u, which is %s cut to 32 bits", what, regno,
				 tn_reg_words(vf, r));
	if (r->nullable) {
		tn_reject(vf, E_NULL, (int)regno,
			  "%s through r%u, which is %s and may be NULL here", what, regno,
			  tn_reg_words(vf, r));
		return tn_advise(vf, "test the pointer for NULL before this line");
	}
	return 0;
}

/* ---- Bounds ---- */

/* [lo, hi] of r + off as a number; false: not bounded in any useful way. */
static bool offset_range(const struct tn_reg *r, int64_t off, int64_t *lo, int64_t *hi)
{
	if (r->v.smin < -TN_OFFSET_MAX || r->v.smax > TN_OFFSET_MAX || off < -TN_OFFSET_MAX ||
	    off > TN_OFFSET_MAX)
		return false;
	*lo = r->v.smin + off;
	*hi = r->v.smax + off;
	return true;
}

static int refuse_bounds(struct tn_vf *vf, uint32_t regno, int64_t off, uint64_t size,
			 uint64_t total, bool write)
{
	const struct tn_reg *r = tn_vf_reg(vf, regno);
	uint64_t c;

	tn_reject(vf, E_BOUNDS, (int)regno, "%s of %s at %s of %s, which has %s",
		  write ? "a write" : "a read", tn_bytes_words(vf, size),
		  tn_offset_words(vf, r, off), tn_memory_words(vf, r), tn_bytes_words(vf, total));
	vf->diag.access = (struct tn_diag_access){ true, off, size, total };
	if (!tn_scalar_is_const(&r->v, &c) && total >= size && off >= 0 &&
	    total - size >= (uint64_t)off)
		return tn_advise(vf, "need 0..%llu there, have %s: test the index before this line",
				 (unsigned long long)(total - size), tn_offset_words(vf, r, off));
	return -EACCES;
}

static int check_fixed(struct tn_vf *vf, uint32_t regno, int64_t off, uint64_t size, uint64_t total,
		       bool write)
{
	int64_t lo, hi;

	if (!offset_range(tn_vf_reg(vf, regno), off, &lo, &hi) || lo < 0 || size > total ||
	    (uint64_t)hi > total - size + TN_MUT(VALUE_BOUND))
		return refuse_bounds(vf, regno, off, size, total, write);
	return 0;
}

/* r moved by off, as a register of its own: its ties move along. */
static struct tn_reg moved(const struct tn_reg *r, int64_t off)
{
	struct tn_scalar by = tn_scalar_const((uint64_t)off, TN_W64);
	struct tn_reg m = *r;

	m.v = tn_scalar_alu(TN_ADD, false, false, &r->v, &by, TN_W64);
	m.delta = (int64_t)((uint64_t)m.delta + (uint64_t)off);
	return m;
}

static int check_region(struct tn_vf *vf, uint32_t regno, int64_t off, uint64_t size, bool write)
{
	const struct tn_reg *r = tn_vf_reg(vf, regno);
	const struct tn_region *g = &vf->regions[r->region];
	struct tn_reg m = moved(r, off);
	int64_t lo, hi, k;
	uint64_t c;

	if (write && !(g->access & TN_ACC_W))
		return tn_reject(vf, E_READONLY, (int)regno, "a write to %s, which is read-only",
				 tn_memory_words(vf, r));
	if (g->kind == TN_FIELD_MEM)
		return check_fixed(vf, regno, off, size, g->size, write);
	if (offset_range(r, off, &lo, &hi) && lo >= 0 && hi <= TN_OFFSET_MAX &&
	    tn_region_slack(vf->regions, &vf->s, r->region, &m, 1, &k) && size <= INT64_MAX &&
	    (int64_t)size <= k)
		return 0;
	tn_reject(vf, E_BOUNDS, (int)regno,
		  "%s of %s at %s of %s, which is only known to have %s here",
		  write ? "a write" : "a read", tn_bytes_words(vf, size),
		  tn_offset_words(vf, r, off), tn_memory_words(vf, r),
		  tn_bytes_words(vf, tn_region_min_bytes(vf->regions, &vf->s, r->region)));
	vf->diag.access = (struct tn_diag_access){ true, off, size, 0 };
	if (tn_scalar_is_const(&r->v, &c))
		return tn_advise(vf, "test that the size is at least %llu before this line",
				 (unsigned long long)(c + (uint64_t)off + size));
	return tn_advise(vf, "test that the offset + %llu is not beyond the end before this line",
			 (unsigned long long)((uint64_t)off + size));
}

static int check_value(struct tn_vf *vf, uint32_t regno, int64_t off, uint64_t size, bool write)
{
	const struct tn_reg *r = tn_vf_reg(vf, regno);
	const struct tn_map *map = r->obj;
	int err;

	if (write && !TN_MUT(CONST_MAP_WRITTEN) &&
	    (map->flags & TN_MAP_F_RDONLY_PROG || map->const_for_programs))
		return tn_reject(vf, E_READONLY, (int)regno, "a write to %s, which is read-only",
				 tn_memory_words(vf, r));
	/* A store into a copy would be lost, and the next lookup would overwrite it. A port's value
	 * is what the host has put in. */
	if (write && map->values_are_copies)
		return tn_reject(vf, E_READONLY, (int)regno, "a write to %s, %s",
				 tn_memory_words(vf, r),
				 map->kernel_type ? "a copy of what the kernel's map holds"
						  : "which only the host changes");
	if (!write && map->flags & TN_MAP_F_WRONLY_PROG)
		return tn_reject(vf, E_READONLY, (int)regno, "a read of %s, which is write-only",
				 tn_memory_words(vf, r));
	err = check_fixed(vf, regno, off, size, map->value_size, write);
	if (!err && map->nr_specials)
		err = tn_check_special(vf, regno, map, r->v.smin + off, r->v.smax + off, size);
	return err;
}

/* What is known about the address that offsets of *r count from: it stands `rest` bytes behind a
 * multiple of `unit`. */
static void base_alignment(const struct tn_vf *vf, const struct tn_reg *r, uint32_t *unit,
			   uint32_t *rest)
{
	*unit = 8;
	*rest = 0;
	/* A slice begins where the program asked for it, an argument of a global function where
	 * the caller's memory does. */
	if (r->kind == TN_REG_MEM)
		*unit = 1u << r->part;
	if (r->kind != TN_REG_REGION)
		return;
	if (vf->regions[r->region].access & TN_ACC_ALIGNED)
		return;
	*unit = vf->ctx->is_packet ? 4 : 1;
	*rest = vf->ctx->is_packet ? 2 : 0;
}

static int check_alignment(struct tn_vf *vf, uint32_t regno, int64_t off, uint32_t size)
{
	const struct tn_reg *r = tn_vf_reg(vf, regno);
	struct tn_reg m;
	uint32_t unit, rest;

	if (!vf->env->strict_alignment || r->kind == TN_REG_STACK || r->kind == TN_REG_CTX)
		return 0;
	base_alignment(vf, r, &unit, &rest);
	m = moved(r, off + rest);
	if (size <= unit && !((m.v.t.value | m.v.t.mask) & (size - 1)))
		return 0;
	return tn_reject(vf, E_ALIGN, (int)regno, "a misaligned access of %u bytes at %s of %s",
			 size, tn_offset_words(vf, r, off), tn_memory_words(vf, r));
}

int tn_check_bounds(struct tn_vf *vf, uint32_t regno, int64_t off, uint64_t size, bool write)
{
	const struct tn_reg *r = tn_vf_reg(vf, regno);

	switch (r->kind) {
	case TN_REG_VALUE:
		return check_value(vf, regno, off, size, write);
	case TN_REG_REGION:
		return check_region(vf, regno, off, size, write);
	case TN_REG_MEM:
		if (write && r->rdonly)
			return tn_reject(vf, E_READONLY, (int)regno,
					 "a write to %s, which is read-only",
					 tn_memory_words(vf, r));
		return check_fixed(vf, regno, off, size, r->size, write);
	case TN_REG_RECORD:
		return check_fixed(vf, regno, off, size, r->size, write);
	default:
		return tn_reject(vf, E_TYPE, (int)regno, "%s through r%u, which is %s",
				 write ? "a write" : "a read", regno, tn_reg_words(vf, r));
	}
}

static bool is_rewritten(uint8_t kind)
{
	return kind == TN_REG_CTX || kind == TN_REG_MAP || kind == TN_REG_ARENA;
}

/* All paths must use one kind of pointer at an instruction that is rewritten for it. */
int tn_note_kind(struct tn_vf *vf, uint8_t kind)
{
	struct tn_insn_seen *seen = &vf->seen[vf->s.insn];

	if (seen->flags & TN_SEEN_MEM && seen->mem_kind != kind &&
	    (is_rewritten(kind) || is_rewritten(seen->mem_kind)))
		return tn_reject(
			vf, E_TYPE, -1,
			"this instruction uses the context or a map on one path and other memory "
			"on another");
	seen->flags |= TN_SEEN_MEM;
	seen->mem_kind = kind;
	return 0;
}

/* ---- The context ---- */

static int find_field(struct tn_vf *vf, uint32_t regno, int64_t off, uint32_t size, bool write,
		      const struct tn_field **field)
{
	const struct tn_reg *r = tn_vf_reg(vf, regno);
	uint64_t at;

	if (!tn_scalar_is_const(&r->v, &at) || (at && !vf->ctx_identity))
		return tn_reject(vf, E_CTX, (int)regno,
				 "the context is accessed through a moved pointer (%s)",
				 tn_offset_words(vf, r, 0));
	at += (uint64_t)off;
	if (at > vf->ctx->size || size > vf->ctx->size - at)
		return tn_reject(vf, E_CTX, (int)regno,
				 "%s at offset %lld of the context '%s', which has %u bytes",
				 tn_bytes_words(vf, size), (long long)at, vf->ctx->name,
				 vf->ctx->size);
	*field = tn_ctx_field_at(vf->ctx, (uint32_t)at, size);
	/* Of several fields where nothing is rewritten: the first stands for all. */
	if (!*field && !write && vf->ctx_identity && at % size == 0 &&
	    tn_ctx_numbers_at(vf->ctx, (uint32_t)at, size))
		*field = tn_ctx_field_at(vf->ctx, (uint32_t)at, 1);
	if (!*field)
		return tn_reject(
			vf, E_CTX, (int)regno,
			"bytes %llu..%llu of the context '%s' are in no single field that a "
			"plugin may see",
			(unsigned long long)at, (unsigned long long)at + size - 1, vf->ctx->name);
	/* One element of an array, or bytes. */
	if ((*field)->size <= 8 && at % size)
		return tn_reject(vf, E_ALIGN, (int)regno,
				 "misaligned access to field '%s' of the context", (*field)->name);
	if (!tn_field_takes(*field, (uint32_t)at, size, write))
		return tn_reject(vf, E_CTX, (int)regno,
				 "field '%s' of the context is not %s by %s at its offset %llu",
				 (*field)->name, write ? "written" : "read",
				 tn_bytes_words(vf, size),
				 (unsigned long long)at - (*field)->offset);
	/* Where both see one layout nothing is rewritten, and moved pointers are fine. */
	if (!vf->ctx_identity)
		vf->facts->insns[vf->s.insn].flags |= TN_FACT_CTX_REWRITE;
	return vf->env->layout ? tn_check_layout(vf, regno, vf->ctx, at, size) : 0;
}

static int load_pointer_field(struct tn_vf *vf, uint32_t index, struct tn_reg *out)
{
	const struct tn_field *f = &vf->ctx->fields[index];
	int region;

	tn_reg_set_const(out, 0);
	switch (f->kind) {
	case TN_FIELD_HANDLE:
		out->kind = TN_REG_HANDLE;
		out->obj = tn_handle_name(vf, f->handle);
		out->nullable = f->access & TN_ACC_NULLABLE;
		out->null_id = out->nullable ? vf->senv.next_id++ : 0;
		out->rdonly = f->access & TN_ACC_CONST;
		if (f->access & TN_ACC_UNTRUSTED)
			tn_probe_mark(out);
		return 0;
	case TN_FIELD_REGION_END:
		region = f->peer < 0 ? -1 : tn_vf_region_of(vf, (uint32_t)f->peer);
		out->kind = TN_REG_END;
		break;
	default:
		region = tn_vf_region_of(vf, index);
		out->kind = TN_REG_REGION;
	}
	if (region < 0)
		return tn_reject(vf, E_CTX, -1, "field '%s' of the context has no region", f->name);
	out->region = (uint32_t)region;
	if (out->kind == TN_REG_REGION && vf->regions[region].end >= 0)
		vf->facts->reads_meta = 1;
	if (out->kind == TN_REG_REGION && f->access & TN_ACC_NULLABLE) {
		if (vf->s.regions[region].null == TN_NULL_YES) {
			tn_reg_set_const(out, 0);
			return 0;
		}
		out->nullable = vf->s.regions[region].null == TN_NULL_UNKNOWN;
		out->null_id = out->nullable ? vf->regions[region].null_id : 0;
	}
	return 0;
}

/* The length of a SIZED pair: tied to the region. */
static void load_length(struct tn_vf *vf, const struct tn_field *f, struct tn_reg *out)
{
	int region = f->peer < 0 ? -1 : tn_vf_region_of(vf, (uint32_t)f->peer);
	struct tn_scalar v = any_bytes(f->size);

	if (region < 0 || !tn_scalar_meet(&v, &vf->s.regions[region].len, TN_W64)) {
		tn_reg_set_scalar(out, v);
		return;
	}
	tn_reg_set_scalar(out, v);
	if (!tn_scalar_is_const(&v, NULL))
		out->id = vf->regions[region].len_id;
}

static int load_ctx(struct tn_vf *vf, uint32_t regno, int64_t off, uint32_t size, bool sext,
		    struct tn_reg *out)
{
	const struct tn_field *f = NULL;
	int err = find_field(vf, regno, off, size, false, &f);

	if (err)
		return err;
	if (f->kind == TN_FIELD_SCALAR) {
		if (!(f->access & TN_ACC_R))
			return tn_reject(vf, E_CTX, (int)regno,
					 "field '%s' of the context may not be read", f->name);
		tn_reg_set_scalar(out, any_bytes(size));
		return 0;
	}
	if (f->kind == TN_FIELD_SIZED_LEN) {
		if (size == f->size)
			load_length(vf, f, out);
		else
			tn_reg_set_scalar(out, any_bytes(size));
		return 0;
	}
	if (size != f->size || sext)
		return tn_reject(vf, E_CTX, (int)regno,
				 "field '%s' of the context is a pointer and must be read whole",
				 f->name);
	return load_pointer_field(vf, (uint32_t)(f - vf->ctx->fields), out);
}

static int store_ctx(struct tn_vf *vf, uint32_t regno, int64_t off, uint32_t size)
{
	const struct tn_field *f = NULL;
	int err = find_field(vf, regno, off, size, true, &f);

	if (err)
		return err;
	if (!TN_MUT(CTX_WRITE) && (f->kind != TN_FIELD_SCALAR || !(f->access & TN_ACC_W)))
		return tn_reject(vf, E_CTX, (int)regno,
				 "field '%s' of the context may not be written", f->name);
	return 0;
}

/* ---- Loads and stores ---- */

/* A constant of read-only data: what stands there now stands there for good. */
static bool load_constant(const struct tn_reg *r, int64_t off, uint32_t size, uint64_t *value)
{
	const struct tn_map *map = r->obj;
	uint64_t at;

	if (r->kind != TN_REG_VALUE || !map->const_for_programs || !map->values ||
	    map->type != TN_MAP_ARRAY || map->max_entries != 1 || !tn_scalar_is_const(&r->v, &at))
		return false;
	*value = 0;
	memcpy(value, map->values + at + off, size);
	return true;
}

static int load(struct tn_vf *vf, uint32_t regno, int64_t off, uint32_t size, bool sext,
		struct tn_reg *out)
{
	const struct tn_reg *r = tn_vf_reg(vf, regno);
	uint64_t c;
	int err;

	if (r->kind == TN_REG_STACK)
		return tn_stack_load(vf, r, regno, off, size, out);
	if (r->kind == TN_REG_CTX)
		return load_ctx(vf, regno, off, size, sext, out);
	if (r->kind == TN_REG_HANDLE)
		return tn_handle_load(vf, regno, off, size, sext, out);
	if (r->kind == TN_REG_ARENA) {
		tn_reg_set_scalar(out, any_bytes(size));
		return tn_arena_access(vf);
	}
	if (r->kind == TN_REG_MAP)
		return sext ? tn_reject(vf, E_TYPE, (int)regno, "a sign-extending read of a map")
			    : tn_load_map_field(vf, regno, off, size, out);
	err = tn_check_bounds(vf, regno, off, size, false);
	if (!err)
		err = check_alignment(vf, regno, off, size);
	if (err)
		return err;
	if (load_constant(r, off, size, &c))
		tn_reg_set_const(out, c);
	else
		tn_reg_set_scalar(out, any_bytes(size));
	return 0;
}

int tn_do_load(struct tn_vf *vf)
{
	const struct tn_insn *insn = tn_vf_insn(vf);
	bool sext = TN_MODE(insn->code) == TN_MEMSX;
	uint32_t size = tn_insn_bytes(insn->code);
	struct tn_reg out;
	int err = tn_need_writable(vf, insn->dst);

	if (!err)
		err = need_usable(vf, insn->src, "a read");
	if (!err)
		err = tn_note_kind(vf, tn_vf_reg(vf, insn->src)->kind);
	if (!err)
		err = load(vf, insn->src, insn->off, size, sext, &out);
	if (err)
		return err;
	if (sext && tn_reg_is_pointer(&out))
		return tn_reject(vf, E_LEAK, insn->src, "a sign-extending read of an address");
	if (sext && out.v.umax >> (size * 8 - 1) && !TN_MUT(LOAD_SEXT_DROPPED))
		tn_reg_set_scalar(&out, tn_scalar_sext(&out.v, size * 8, false, TN_W64));
	*tn_vf_reg(vf, insn->dst) = out;
	return 0;
}

static int store(struct tn_vf *vf, uint32_t regno, int64_t off, uint32_t size,
		 const struct tn_reg *value, int value_reg)
{
	const struct tn_reg *r = tn_vf_reg(vf, regno);
	int err;

	if (r->kind == TN_REG_STACK)
		return tn_stack_store(vf, r, regno, off, size, value);
	if (r->kind == TN_REG_ARENA && value->kind == TN_REG_SCALAR)
		return tn_arena_access(vf);
	if (tn_reg_is_pointer(value) && !vf->env->addresses_visible)
		return tn_reject(vf, E_LEAK, value_reg,
				 "an address (%s) would be stored in %s, outside of the stack",
				 tn_reg_words(vf, value), tn_memory_words(vf, r));
	if (r->kind == TN_REG_CTX)
		return store_ctx(vf, regno, off, size);
	if (r->kind == TN_REG_HANDLE)
		return tn_handle_store(vf, regno, off, size);
	err = tn_check_bounds(vf, regno, off, size, true);
	return err ? err : check_alignment(vf, regno, off, size);
}

int tn_do_store(struct tn_vf *vf)
{
	const struct tn_insn *insn = tn_vf_insn(vf);
	bool imm = TN_CLASS(insn->code) == TN_ST;
	struct tn_reg value;
	int err = need_usable(vf, insn->dst, "a write");

	if (!err && !imm)
		err = tn_need_init(vf, insn->src);
	if (!err)
		err = tn_note_kind(vf, tn_vf_reg(vf, insn->dst)->kind);
	if (err)
		return err;
	if (imm) {
		tn_reg_set_const(&value, (uint64_t)(int64_t)insn->imm);
	} else {
		struct tn_reg *src = tn_vf_reg(vf, insn->src);

		/* What is loaded back is the same number. */
		if (src->kind == TN_REG_SCALAR && tn_vf_reg(vf, insn->dst)->kind == TN_REG_STACK)
			tn_reg_make_id(&vf->senv, src);
		value = *src;
		/* Whole in the stack it stays what it is. */
		if (tn_vf_reg(vf, insn->dst)->kind != TN_REG_STACK ||
		    tn_insn_bytes(insn->code) != 8)
			tn_arena_as_number(&value);
	}
	return store(vf, insn->dst, insn->off, tn_insn_bytes(insn->code), &value,
		     imm ? -1 : insn->src);
}

/* ---- Atomics ---- */

static int check_atomic_place(struct tn_vf *vf, uint32_t regno, int64_t off, uint32_t size)
{
	const struct tn_reg *r = tn_vf_reg(vf, regno);
	struct tn_reg m = moved(r, off);

	/* Stack, values and records begin at multiples of 8, and regions where the host says so; of
	 * a variable of the host the address is known. */
	if (r->kind != TN_REG_STACK && r->kind != TN_REG_VALUE && r->kind != TN_REG_RECORD &&
	    !(r->kind == TN_REG_REGION && vf->regions[r->region].access & TN_ACC_ALIGNED) &&
	    !(r->kind == TN_REG_MEM && size <= 1u << r->part))
		return tn_reject(
			vf, E_TYPE, (int)regno,
			"an atomic operation on %s; the stack, map values, records and memory that "
			"the host declares aligned allow them",
			tn_reg_words(vf, r));
	if ((m.v.t.value | m.v.t.mask) & (size - 1))
		return tn_reject(vf, E_ALIGN, (int)regno,
				 "a misaligned atomic operation: %u bytes at %s", size,
				 tn_offset_words(vf, r, off));
	return 0;
}

/* The place as a whole: read and written. */
static int touch_atomic(struct tn_vf *vf, uint32_t regno, int64_t off, uint32_t size, bool read,
			bool write)
{
	const struct tn_reg *r = tn_vf_reg(vf, regno);
	struct tn_reg old, any;
	int err = 0;

	tn_reg_set_unknown(&any);
	if (r->kind == TN_REG_STACK) {
		if (read)
			err = tn_stack_load(vf, r, regno, off, size, &old);
		/* What is left of an invalid address is none of the pointer kinds, nor a number. */
		if (!err && read && !tn_as_number(vf, &old))
			err = tn_reject(vf, E_LEAK, (int)regno,
					"an atomic operation on an address in the stack");
		return !err && write ? tn_stack_store(vf, r, regno, off, size, &any) : err;
	}
	if (read)
		err = tn_check_bounds(vf, regno, off, size, false);
	return !err && write ? tn_check_bounds(vf, regno, off, size, true) : err;
}

static int do_ordered(struct tn_vf *vf, const struct tn_insn *insn, uint32_t size)
{
	bool is_load = insn->imm == TN_LOAD_ACQ;
	uint32_t place = is_load ? insn->src : insn->dst;
	struct tn_reg out;
	int err = need_usable(vf, place, is_load ? "a read" : "a write");

	if (!err)
		err = tn_note_kind(vf, tn_vf_reg(vf, place)->kind);
	if (!err)
		err = check_atomic_place(vf, place, insn->off, size);
	if (err)
		return err;
	if (is_load) {
		err = tn_need_writable(vf, insn->dst);
		if (err)
			return err;
		err = load(vf, place, insn->off, size, false, &out);
		if (!err)
			*tn_vf_reg(vf, insn->dst) = out;
		return err;
	}
	err = tn_need_init(vf, insn->src);
	if (err)
		return err;
	out = *tn_vf_reg(vf, insn->src);
	return store(vf, place, insn->off, size, &out, insn->src);
}

static int need_operand(struct tn_vf *vf, uint32_t regno, const char *what)
{
	struct tn_reg copy = *tn_vf_reg(vf, regno);

	return tn_as_number(vf, &copy) ? 0 : tn_need_scalar(vf, regno, what);
}

int tn_do_atomic(struct tn_vf *vf)
{
	const struct tn_insn *insn = tn_vf_insn(vf);
	uint32_t size = tn_insn_bytes(insn->code);
	int err;

	if (insn->imm == TN_LOAD_ACQ || insn->imm == TN_STORE_REL)
		return do_ordered(vf, insn, size);
	err = need_usable(vf, insn->dst, "an atomic operation");
	if (!err)
		err = need_operand(vf, insn->src, "the operand of an atomic operation");
	if (!err && insn->imm == TN_CMPXCHG)
		err = need_operand(vf, TN_R0, "the comparand of cmpxchg");
	if (!err)
		err = tn_note_kind(vf, tn_vf_reg(vf, insn->dst)->kind);
	if (!err)
		err = check_atomic_place(vf, insn->dst, insn->off, size);
	if (!err)
		err = touch_atomic(vf, insn->dst, insn->off, size, true, true);
	if (err)
		return err;
	if (insn->imm & TN_FETCH && !TN_MUT(ATOMIC_FETCH)) {
		uint32_t out = insn->imm == TN_CMPXCHG ? TN_R0 : insn->src;

		err = tn_need_writable(vf, out);
		if (err)
			return err;
		tn_reg_set_scalar(tn_vf_reg(vf, out), any_bytes(size));
	}
	return 0;
}

/* ---- Constants ---- */

static int lddw_map(struct tn_vf *vf, const struct tn_insn *insn, struct tn_reg *dst)
{
	uint32_t index = (uint32_t)insn->imm;
	struct tn_map *map;

	if (index >= vf->prog->nr_maps || !vf->prog->maps || !vf->prog->maps[index])
		return tn_reject(vf, E_MAP, -1, "map number %u does not exist", index);
	map = vf->prog->maps[index];
	tn_reg_set_const(dst, 0);
	dst->obj = map;
	dst->kind = TN_REG_MAP;
	if (insn->src == TN_LDDW_MAP)
		return 0;
	if (map->type == TN_MAP_ARENA) {
		/* The program's own address of a global in it, no address of the host. */
		tn_reg_set_unknown(dst);
		return 0;
	}
	if (map->type != TN_MAP_ARRAY || !map->values)
		return tn_reject(vf, E_MAP, -1, "the data address of map '%s', which is no array",
				 map->name);
	if ((uint32_t)insn[1].imm >= map->value_size)
		return tn_reject(vf, E_BOUNDS, -1,
				 "offset %u of map '%s', whose value has %u bytes",
				 (uint32_t)insn[1].imm, map->name, map->value_size);
	tn_reg_set_const(dst, (uint32_t)insn[1].imm);
	dst->kind = TN_REG_VALUE;
	dst->obj = map;
	/* The first value, always: its name is the same wherever it is loaded. */
	if (tn_map_special_of(map, TN_SPECIAL_LOCK))
		dst->inst = vf->senv.fixed_ids - vf->prog->nr_maps + index;
	return 0;
}

/* A variable of the host, which is there as long as the runtime. Its bytes are memory; a structure
 * is followed by its fields; of one that is declared as void the address alone is known, as a
 * handle of a type that nothing asks for, so that it can be compared and is no number. */
static void name_var(const struct tn_extern *e, struct tn_reg *dst)
{
	const struct tn_host_var *var = e->var;

	tn_reg_set_const(dst, 0);
	if (e->typeless || var->type) {
		dst->kind = TN_REG_HANDLE;
		dst->obj = e->typeless ? var->token : var->type;
		dst->rdonly = !e->typeless && var->read_only;
		return;
	}
	dst->kind = TN_REG_MEM;
	dst->obj = var->name;
	dst->size = var->size;
	dst->rdonly = !var->writable;
	dst->part = var->align_log2;
}

static int lddw_extern(struct tn_vf *vf, const struct tn_insn *insn, struct tn_reg *dst)
{
	const struct tn_extern *e;

	if ((uint32_t)insn->imm >= vf->prog->nr_externs)
		return tn_reject(vf, E_CALL, -1, "extern number %d does not exist", insn->imm);
	e = &vf->prog->externs[insn->imm];
	/* A function is compared with 0, is it there?, and resolved to 0 or 1. */
	if (e->is_func || e->is_kconfig || !e->value)
		tn_reg_set_const(dst, e->value);
	else if (e->var)
		name_var(e, dst);
	else
		tn_reg_set_unknown(dst);
	return 0;
}

int tn_do_lddw(struct tn_vf *vf)
{
	const struct tn_insn *insn = tn_vf_insn(vf);
	struct tn_reg *dst = tn_vf_reg(vf, insn->dst);
	int err = tn_need_writable(vf, insn->dst);

	if (err)
		return err;
	switch (insn->src) {
	case TN_LDDW_IMM:
		tn_reg_set_const(dst, tn_insn_imm64(insn));
		return 0;
	case TN_LDDW_MAP:
	case TN_LDDW_MAP_VALUE:
		return lddw_map(vf, insn, dst);
	case TN_LDDW_BTF_ID:
		return lddw_extern(vf, insn, dst);
	case TN_LDDW_FUNC:
		tn_reg_set_const(dst, 0);
		dst->kind = TN_REG_FUNC;
		dst->region = vf->structure->sites[vf->s.insn].callee;
		return 0;
	default:
		return tn_reject(vf, E_UNSUPPORTED, -1, "lddw of kind %u", insn->src);
	}
}

/* LD_ABS, LD_IND: a packet's bytes, or the program ends with 0. */
int tn_do_ld_packet(struct tn_vf *vf)
{
	const struct tn_insn *insn = tn_vf_insn(vf);
	struct tn_scalar any = tn_scalar_unknown(TN_W64);
	const struct tn_reg *r6 = tn_vf_reg(vf, TN_R6);
	uint64_t at;
	int err;

	if (!vf->ctx->is_packet)
		return tn_reject(vf, E_CTX, -1, "packet loads need a packet context, not '%s'",
				 vf->ctx->name);
	/* A function that is walked on its own has a frame of its own at run time, too. */
	if (vf->s.nr_frames > 1 || vf->s.frames[0].subprog || vf->in_timer)
		return tn_reject(vf, E_UNSUPPORTED, -1,
				 "packet loads in a subprogram: they end the whole program");
	if (r6->kind != TN_REG_CTX || !tn_scalar_is_const(&r6->v, &at) || at)
		return tn_reject(vf, E_ARG, TN_R6, "packet loads need the context in r6, not %s",
				 tn_reg_words(vf, r6));
	if (TN_MODE(insn->code) == TN_IND) {
		err = tn_need_scalar(vf, insn->src, "the offset of a packet load");
		if (err)
			return err;
	}
	err = tn_lock_none_held(vf, "at a packet load, which may end the program");
	if (err)
		return err;
	tn_ref_note_held(vf, true);
	if (vf->env->ret_checked && (vf->env->ret_min > 0 || vf->env->ret_max < 0))
		return tn_reject(
			vf, E_RETURN, -1,
			"a packet load may end the program with 0, which is not in %lld..%lld",
			(long long)vf->env->ret_min, (long long)vf->env->ret_max);
	vf->ret_min = vf->ret_seen ? TN_MIN(vf->ret_min, 0) : 0;
	vf->ret_max = vf->ret_seen ? TN_MAX(vf->ret_max, 0) : 0;
	vf->int_min = vf->ret_seen ? TN_MIN(vf->int_min, 0) : 0;
	vf->int_max = vf->ret_seen ? TN_MAX(vf->int_max, 0) : 0;
	vf->ret_seen = true;
	for (uint32_t r = TN_R1; r <= TN_R5; r++)
		tn_reg_uninit(tn_vf_reg(vf, r));
	tn_reg_set_scalar(tn_vf_reg(vf, TN_R0),
			  tn_scalar_zext(&any, tn_insn_bytes(insn->code) * 8, TN_W64));
	return 0;
}

/* ---- Arguments ---- */

/* ptr + size of a variable size in a region: the size's own ties tell. */
static bool region_covers(struct tn_vf *vf, const struct tn_reg *r, const struct tn_reg *size)
{
	uint64_t at;
	int64_t k;

	if (r->kind != TN_REG_REGION || vf->regions[r->region].kind == TN_FIELD_MEM ||
	    !tn_scalar_is_const(&r->v, &at) || at > (uint64_t)TN_OFFSET_MAX ||
	    size->v.umax > (uint64_t)TN_OFFSET_MAX)
		return false;
	return tn_region_slack(vf->regions, &vf->s, r->region, size, 1, &k) && (int64_t)at <= k;
}

int tn_check_mem_arg(struct tn_vf *vf, const struct tn_mem_arg *arg)
{
	const struct tn_reg *r = tn_vf_reg(vf, arg->reg);
	uint64_t min = arg->size_reg ? arg->size_reg->v.umin : arg->size;
	uint64_t max = !arg->size_reg		  ? arg->size
		       : TN_MUT(MEM_ARG_SMALLEST) ? arg->size_reg->v.umin
						  : arg->size_reg->v.umax;
	int err;

	if (r->kind == TN_REG_SCALAR || r->kind == TN_REG_MAP)
		return tn_reject(vf, E_ARG, (int)arg->reg,
				 "argument %u of %s must be a pointer to memory, r%u is %s",
				 arg->reg, tn_callee_name(vf, vf->s.insn), arg->reg,
				 tn_reg_words(vf, r));
	err = need_usable(vf, arg->reg, arg->what);
	if (err)
		return err;
	if (r->kind == TN_REG_CTX)
		return tn_reject(vf, E_ARG, (int)arg->reg,
				 "r%u is the context, which may not be %s", arg->reg, arg->what);
	if (r->kind == TN_REG_STACK)
		return tn_stack_mem_arg(vf, arg, min, max);
	if (arg->size_reg && region_covers(vf, r, arg->size_reg)) {
		if (arg->written && !(vf->regions[r->region].access & TN_ACC_W))
			return tn_reject(vf, E_READONLY, (int)arg->reg,
					 "%s would be written, which is read-only",
					 tn_memory_words(vf, r));
		return 0;
	}
	return tn_check_bounds(vf, arg->reg, 0, max, arg->written);
}
