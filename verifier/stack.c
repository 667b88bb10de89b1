/* SPDX-License-Identifier: MIT */
/*
 * Stack bytes. A register spilled whole comes back whole; everything else is bytes. Addresses never
 * turn into numbers: bytes of a torn address are poisoned.
 */
#include "verifier/stack_object.h"
#include "verifier/mutant.h"

#include <errno.h>
#include <string.h>

static uint32_t slot_of(int64_t off)
{
	return (uint32_t)((-off - 1) / 8);
}

static uint32_t byte_of(int64_t off)
{
	return (uint32_t)off & 7;
}

static void note_depth(struct tn_vf *vf, uint32_t subprog, int64_t off)
{
	uint32_t bytes = (uint32_t)TN_ROUND_UP(-off, 8);

	if (bytes > vf->frame_bytes[subprog])
		vf->frame_bytes[subprog] = bytes;
}

static void zero_at_entry(struct tn_vf *vf, uint32_t subprog, uint32_t slot)
{
	vf->facts->subprogs[subprog].zero_slots[slot / 64] |= (uint64_t)!TN_MUT(ZERO_SLOTS)
							      << slot % 64;
}

/* The frame that `base` points into, and the bounds of base + off; rejects what leaves it. */
static struct tn_frame *find_range(struct tn_vf *vf, const struct tn_reg *base, uint32_t regno,
				   int64_t off, uint64_t size, int64_t *lo, int64_t *hi)
{
	int64_t max = (int64_t)vf->senv.max_slots * 8, smin = base->v.smin, smax = base->v.smax;
	struct tn_frame *f = &vf->s.frames[base->frame];

	if (smin < -2 * max || smax > 2 * max || off < -2 * max || off > 2 * max ||
	    smin + off < -max || smax + off + (int64_t)size > 8 * TN_MUT(STACK_BOUND) ||
	    size > (uint64_t)max) {
		tn_reject(vf, E_STACK, (int)regno,
			  "%s at %s of the stack, which has the offsets -%lld to -1",
			  tn_bytes_words(vf, size), tn_offset_words(vf, base, off), (long long)max);
		vf->diag.access = (struct tn_diag_access){ true, off, size, 0 };
		return NULL;
	}
	*lo = smin + off;
	*hi = smax + off + (int64_t)size; /* one past the last byte */
	note_depth(vf, f->subprog, *lo);
	return f;
}

static bool slot_is_address(const struct tn_slot *slot, uint32_t j)
{
	return slot->b[j] == TN_BYTE_SPILL && tn_slot_is_address(slot);
}

/* Bytes [lo, hi) are read, or written: not those of a callee's object, unless it is one that nobody
 * has to give back and it is overwritten; that tears it. */
static int check_objects(struct tn_vf *vf, const struct tn_frame *f, uint32_t regno, int64_t lo,
			 int64_t hi, bool write)
{
	for (uint32_t i = slot_of(hi - 1); lo < hi && i <= slot_of(lo) && i < f->nr_slots; i++) {
		const struct tn_slot *slot = &f->slots[i];

		if (!tn_reg_is_object(&slot->reg) || (write && !slot->reg.ref) ||
		    !memchr(slot->b, TN_BYTE_SPILL, sizeof(slot->b)))
			continue;
		return tn_reject(vf, E_STACK, (int)regno,
				 "the stack bytes at %lld belong to %s and may not be %s",
				 -8 * ((long long)i + 1), tn_memory_words(vf, &slot->reg),
				 write ? "overwritten" : "read");
	}
	return 0;
}

int tn_stack_reserve(struct tn_vf *vf, uint32_t regno, uint32_t size)
{
	int64_t lo, hi;

	return find_range(vf, tn_vf_reg(vf, regno), regno, 0, size, &lo, &hi) ? 0 : -EACCES;
}

/* The spill that stands in exactly these bytes, or in more of which these are the low ones. */
static bool load_spill(const struct tn_slot *slot, uint32_t first, uint32_t size,
		       struct tn_reg *out)
{
	uint32_t n = 0;

	if (first && slot->b[first - 1] == TN_BYTE_SPILL)
		return false;
	while (first + n < 8 && slot->b[first + n] == TN_BYTE_SPILL)
		n++;
	if (n < size && !TN_MUT(SPILL_READ_WIDE))
		return false;
	*out = slot->reg;
	/* A number of which no bit is cut off stays tied; of an address the caller takes all or
	 * nothing. */
	if (size < 8 && !tn_slot_is_address(slot) && out->v.umax >> (size * 8)) {
		tn_reg_set_scalar(out, tn_scalar_zext(&slot->reg.v, size * 8, TN_W64));
		out->id = TN_MUT(SPILL_ID_KEPT) ? slot->reg.id : 0;
	}
	return true;
}

/* What is left of an address, as bytes. */
static int refuse_address(struct tn_vf *vf, uint32_t regno, int64_t off)
{
	return tn_reject(
		vf, E_LEAK, (int)regno,
		"the stack bytes at %lld hold part of an address, which may not be read as "
		"a number",
		(long long)off);
}

/* Bytes [lo, hi) are read as a number; *zero: they are all 0. */
static int read_bytes(struct tn_vf *vf, struct tn_frame *f, uint32_t regno, int64_t lo, int64_t hi,
		      bool *zero)
{
	*zero = true;
	for (int64_t off = lo; off < hi; off++) {
		uint32_t i = slot_of(off), j = byte_of(off);
		uint8_t b = i < f->nr_slots ? f->slots[i].b[j] : TN_BYTE_UNINIT;

		if ((b == TN_BYTE_POISON ||
		     (b == TN_BYTE_SPILL && slot_is_address(&f->slots[i], j))) &&
		    !vf->env->addresses_visible)
			return refuse_address(vf, regno, off);
		if (b == TN_BYTE_UNINIT)
			zero_at_entry(vf, f->subprog, i);
		if (b != TN_BYTE_ZERO)
			*zero = false;
	}
	return 0;
}

int tn_stack_load(struct tn_vf *vf, const struct tn_reg *base, uint32_t regno, int64_t off,
		  uint32_t size, struct tn_reg *out)
{
	int64_t lo, hi;
	struct tn_frame *f = find_range(vf, base, regno, off, size, &lo, &hi);
	bool zero;
	int err;

	if (!f || check_objects(vf, f, regno, lo, hi, false))
		return -EACCES;
	if (hi - lo == (int64_t)size) {
		if (lo % (int64_t)size)
			return tn_reject(vf, E_ALIGN, (int)regno,
					 "misaligned stack access: %u bytes at %lld", size,
					 (long long)lo);
		if (slot_of(lo) < f->nr_slots &&
		    load_spill(&f->slots[slot_of(lo)], byte_of(lo), size, out)) {
			if (out->kind != TN_REG_SCALAR && size < 8)
				return refuse_address(vf, regno, lo);
			return 0;
		}
	}
	err = read_bytes(vf, f, regno, lo, hi, &zero);
	if (err)
		return err;
	if (zero) {
		tn_reg_set_const(out, 0);
	} else {
		tn_reg_set_scalar(out,
				  size < 8 ? tn_scalar_bits(size * 8) : tn_scalar_unknown(TN_W64));
	}
	return 0;
}

/* Bytes [first, first + n) of the slot are about to be overwritten: what else stands there stays
 * readable as bytes, or becomes poison. */
static void tear(struct tn_slot *slot, uint32_t first, uint32_t n)
{
	bool hit = false, pointer = tn_slot_is_address(slot);

	for (uint32_t j = first; j < first + n; j++)
		hit = hit || slot->b[j] == TN_BYTE_SPILL;
	if (!hit)
		return;
	for (uint32_t j = 0; j < 8; j++)
		if (slot->b[j] == TN_BYTE_SPILL)
			slot->b[j] = pointer ? TN_BYTE_POISON : TN_BYTE_MISC;
	tn_reg_uninit(&slot->reg);
}

static void store_exact(struct tn_frame *f, int64_t lo, uint32_t size, const struct tn_reg *value)
{
	struct tn_slot *slot = tn_frame_slot(f, slot_of(lo));
	uint32_t first = byte_of(lo);
	uint64_t c;
	bool zero = value->kind == TN_REG_SCALAR && tn_scalar_is_const(&value->v, &c) &&
		    (size == 8 ? c : c & (((uint64_t)1 << size * 8) - 1)) == 0;
	bool other = false;

	tear(slot, first, size);
	for (uint32_t j = 0; j < 8; j++)
		other = other || slot->b[j] == TN_BYTE_SPILL;
	if (zero) {
		memset(slot->b + first, TN_BYTE_ZERO, size);
		return;
	}
	if (other) {
		/* One register a slot: the newer one counts. The older is a number here. */
		for (uint32_t j = 0; j < 8; j++)
			if (slot->b[j] == TN_BYTE_SPILL)
				slot->b[j] = TN_BYTE_MISC;
	}
	memset(slot->b + first, TN_BYTE_SPILL, size);
	slot->reg = *value;
	if (size < 8 && value->v.umax >> (size * 8) && !TN_MUT(SPILL_NARROW))
		tn_reg_set_scalar(&slot->reg, tn_scalar_zext(&value->v, size * 8, TN_W64));
}

/* Each byte of [lo, hi) may have been overwritten by some number. */
static void clobber(struct tn_frame *f, int64_t lo, int64_t hi, bool surely, bool zero)
{
	for (int64_t off = lo; off < hi; off++) {
		uint32_t i = slot_of(off), j = byte_of(off);
		struct tn_slot *slot;

		if (i >= f->nr_slots && !surely)
			continue;
		slot = tn_frame_slot(f, i);
		if (surely) {
			tear(slot, j, 1);
			slot->b[j] = zero ? TN_BYTE_ZERO : TN_BYTE_MISC;
			continue;
		}
		if (TN_MUT(STACK_WRITE_FORGOTTEN))
			continue;
		tear(slot, j, 1);
		if (slot->b[j] == TN_BYTE_ZERO && !zero)
			slot->b[j] = TN_BYTE_MISC;
	}
}

int tn_stack_store(struct tn_vf *vf, const struct tn_reg *base, uint32_t regno, int64_t off,
		   uint32_t size, const struct tn_reg *value)
{
	int64_t lo, hi;
	struct tn_frame *f = find_range(vf, base, regno, off, size, &lo, &hi);
	struct tn_reg number;
	uint64_t c;

	if (!f || check_objects(vf, f, regno, lo, hi, true))
		return -EACCES;
	/* Somewhere in the stack it can not be told from other bytes again. */
	if (hi - lo != (int64_t)size) {
		number = *value;
		if (tn_as_number(vf, &number))
			value = &number;
	}
	if (tn_reg_is_pointer(value) && (size != 8 || hi - lo != 8))
		return tn_reject(vf, E_STACK, (int)regno,
				 "an address can only be stored whole, at a constant offset");
	if ((value->kind == TN_REG_STACK || value->kind == TN_REG_MEM ||
	     value->kind == TN_REG_DYNPTR_ARG) &&
	    value->frame > base->frame)
		return tn_reject(vf, E_STACK, (int)regno,
				 "an address in this function's stack would outlive it in the "
				 "caller's stack");
	if (hi - lo == (int64_t)size) {
		if (lo % (int64_t)size)
			return tn_reject(vf, E_ALIGN, (int)regno,
					 "misaligned stack access: %u bytes at %lld", size,
					 (long long)lo);
		store_exact(f, lo, size, value);
		return 0;
	}
	clobber(f, lo, hi, false, tn_scalar_is_const(&value->v, &c) && !c);
	return 0;
}

int tn_stack_mem_arg(struct tn_vf *vf, const struct tn_mem_arg *arg, uint64_t min, uint64_t max)
{
	const struct tn_reg *base = tn_vf_reg(vf, arg->reg);
	int64_t lo, hi;
	struct tn_frame *f = find_range(vf, base, arg->reg, 0, max, &lo, &hi);
	bool zero, fixed;

	if (!f || check_objects(vf, f, arg->reg, lo, hi, arg->written))
		return -EACCES;
	if (!arg->written)
		return read_bytes(vf, f, arg->reg, lo, hi, &zero);
	fixed = base->v.smin == base->v.smax;
	/* What the callee may leave as it was must not be what the host's stack held. */
	for (int64_t off = lo; off < hi; off++) {
		uint32_t i = slot_of(off);
		bool surely = arg->fully && fixed && off < lo + (int64_t)min;

		if (!surely && (i >= f->nr_slots || f->slots[i].b[byte_of(off)] == TN_BYTE_UNINIT))
			zero_at_entry(vf, f->subprog, i);
	}
	/* An address that may still stand there afterwards must not be read as a number. */
	if (fixed)
		clobber(f, lo, lo + (int64_t)min, arg->fully, false);
	clobber(f, fixed ? lo + (int64_t)min : lo, hi, false, false);
	return 0;
}

bool tn_stack_const(struct tn_vf *vf, const struct tn_reg *base, uint32_t size, uint64_t *value)
{
	const struct tn_frame *f = &vf->s.frames[base->frame];
	const struct tn_slot *slot;
	struct tn_reg out;
	uint64_t at;
	int64_t off;

	if (base->kind != TN_REG_STACK || !tn_scalar_is_const(&base->v, &at))
		return false;
	off = (int64_t)at;
	if (off >= 0 || off % size || slot_of(off) >= f->nr_slots)
		return false;
	slot = &f->slots[slot_of(off)];
	if (load_spill(slot, byte_of(off), size, &out))
		return out.kind == TN_REG_SCALAR && tn_scalar_is_const(&out.v, value);
	for (uint32_t j = 0; j < size; j++)
		if (slot->b[byte_of(off) + j] != TN_BYTE_ZERO)
			return false;
	*value = 0;
	return true;
}
