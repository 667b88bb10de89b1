/* SPDX-License-Identifier: MIT */
/*
 * What a record comes to on given types: the 13 results. Calculated twice, on the plugin's types
 * and on the host's: the first must be what the instruction holds, the second is put there.
 */
#include <errno.h>

#include "base/err.h"
#include "loader/core.h"

/* The member that the access ends at, with the integer that a load of it reads. */
struct field {
	const struct tn_btf_type *type; /* without modifiers */
	uint32_t type_id;
	uint64_t bit_off, bit_size;   /* of the value */
	uint64_t byte_off, byte_size; /* of the memory */
	bool is_bits;
};

static int no_sense(const struct tn_core_spec *spec, const char *what)
{
	return tn_err(-EDOM, "CO-RE record for '%.60s': %s", tn_btf_name(spec->btf, spec->root_id),
		      what);
}

/* The smallest aligned integer that holds all bits of a bit field, from its own type's size on. */
static int place_bits(const struct tn_core_spec *spec, struct field *f)
{
	f->byte_size = f->type->size_or_type;
	if (tn_btf_kind(f->type) != TN_BTF_INT && tn_btf_kind(f->type) != TN_BTF_ENUM &&
	    tn_btf_kind(f->type) != TN_BTF_ENUM64)
		return no_sense(spec, "a bit field of what is no integer");
	for (;; f->byte_size *= 2) {
		if (f->byte_size > 8)
			return no_sense(spec, "no integer of 8 bytes holds all of the bit field");
		f->byte_off = f->bit_off / 8 / f->byte_size * f->byte_size;
		if (f->bit_off + f->bit_size <= (f->byte_off + f->byte_size) * 8)
			return 0;
	}
}

static int find_field(const struct tn_core_spec *spec, struct field *f)
{
	const struct tn_core_step *last = &spec->steps[spec->nr_steps - 1];
	const struct tn_btf_type *outer = tn_btf_type(spec->btf, last->type_id);
	const struct tn_btf_member *m = (const struct tn_btf_member *)tn_btf_extra(outer) +
					last->index;
	int64_t size;

	f->type_id = tn_btf_skip_mods(spec->btf, m->type);
	f->type = tn_btf_type(spec->btf, f->type_id);
	f->bit_off = spec->bit_off;
	f->bit_size = tn_btf_member_bit_size(outer, m);
	f->is_bits = f->bit_size != 0;
	if (f->is_bits)
		return place_bits(spec, f);
	size = tn_btf_size_of(spec->btf, f->type_id);
	if (size < 0)
		return no_sense(spec, "the field has no size");
	f->byte_size = (uint64_t)size;
	f->byte_off = f->bit_off / 8;
	f->bit_size = f->byte_size * 8;
	return 0;
}

static bool is_signed(const struct tn_btf_type *t)
{
	if (tn_btf_kind(t) == TN_BTF_INT)
		return tn_btf_int_encoding(*(const uint32_t *)tn_btf_extra(t)) & TN_BTF_INT_SIGNED;
	return (tn_btf_kind(t) == TN_BTF_ENUM || tn_btf_kind(t) == TN_BTF_ENUM64) &&
	       tn_btf_kflag(t);
}

static int calc_member(const struct tn_core_record *rec, const struct tn_core_spec *spec,
		       struct tn_core_value *out)
{
	struct field f = { 0 };
	int err = find_field(spec, &f);

	if (err)
		return err;
	/* Compilers may choose another integer around a bit field. */
	out->exact = !f.is_bits;
	switch ((int)rec->kind) {
	case TN_CORE_FIELD_BYTE_OFF:
		out->value = f.byte_off;
		if (!f.is_bits) {
			out->size = (uint32_t)f.byte_size;
			out->type_id = f.type_id;
		}
		return 0;
	case TN_CORE_FIELD_BYTE_SIZE:
		out->value = f.byte_size;
		return 0;
	case TN_CORE_FIELD_SIGNED:
		out->value = is_signed(f.type);
		out->exact = true;
		return 0;
	default:
		break;
	}
	/* Shifts of the loaded integer: left, so that the value's highest bit is at bit 63, then
	 * right, so that its lowest is at bit 0. */
	if (f.byte_size > 8)
		return no_sense(spec, "the shifts of a field that is larger than 8 bytes");
	if (rec->kind == TN_CORE_FIELD_LSHIFT) {
		out->value = 64 - (f.bit_off + f.bit_size - f.byte_off * 8);
	} else {
		out->value = 64 - f.bit_size;
		out->exact = true;
	}
	return 0;
}

static int calc_field(const struct tn_core_record *rec, const struct tn_core_spec *spec,
		      struct tn_core_value *out)
{
	const struct tn_core_step *last;
	int64_t size;

	if (rec->kind == TN_CORE_FIELD_EXISTS) {
		out->value = spec != NULL;
		return 0;
	}
	out->missing = !spec;
	if (!spec)
		return 0;
	last = &spec->steps[spec->nr_steps - 1];
	if (last->name)
		return calc_member(rec, spec, out);
	size = tn_btf_size_of(spec->btf, last->type_id);
	if (size < 0)
		return no_sense(spec, "the element has no size");
	if (rec->kind == TN_CORE_FIELD_BYTE_OFF) {
		out->value = spec->bit_off / 8;
		out->size = (uint32_t)size;
		out->type_id = last->type_id;
	} else if (rec->kind == TN_CORE_FIELD_BYTE_SIZE) {
		out->value = (uint64_t)size;
	} else {
		return no_sense(spec, "the sign or the shifts of an element");
	}
	return 0;
}

static int calc_type(const struct tn_core_record *rec, const struct tn_core_spec *spec,
		     struct tn_core_value *out)
{
	int64_t size;

	if (!spec)
		return 0; /* what is not there is 0 */
	switch ((int)rec->kind) {
	case TN_CORE_TARGET_TYPE_ID:
		out->value = spec->root_id;
		out->exact = false; /* linking several objects renumbers types */
		return 0;
	case TN_CORE_TYPE_SIZE:
		size = tn_btf_size_of(spec->btf, spec->root_id);
		if (size < 0)
			return no_sense(spec, "the type has no size");
		out->value = (uint64_t)size;
		return 0;
	default:
		out->value = 1;
		return 0;
	}
}

static int calc_enum(const struct tn_core_record *rec, const struct tn_core_spec *spec,
		     struct tn_core_value *out)
{
	const struct tn_btf_type *t;
	const uint32_t *e;

	if (rec->kind == TN_CORE_ENUM_EXISTS) {
		out->value = spec != NULL;
		return 0;
	}
	out->missing = !spec;
	if (!spec)
		return 0;
	t = tn_btf_type(spec->btf, spec->steps[0].type_id);
	e = tn_btf_extra(t);
	if (tn_btf_kind(t) == TN_BTF_ENUM64) {
		e += 3 * (size_t)spec->steps[0].index;
		out->value = e[1] | (uint64_t)e[2] << 32;
	} else {
		/* The flag for a sign came late; libbpf takes every 32-bit enum for a signed one.
		 */
		out->value = (uint64_t)(int32_t)e[2 * (size_t)spec->steps[0].index + 1];
	}
	return 0;
}

int tn_core_calc(const struct tn_core_record *rec, const struct tn_core_spec *spec,
		 struct tn_core_value *out)
{
	*out = (struct tn_core_value){ .exact = true };
	if (tn_core_is_field(rec->kind))
		return calc_field(rec, spec, out);
	if (tn_core_is_enum(rec->kind))
		return calc_enum(rec, spec, out);
	return calc_type(rec, spec, out);
}

bool tn_core_same_width(const struct tn_core_spec *local, const struct tn_core_value *from,
			const struct tn_core_spec *host, const struct tn_core_value *to)
{
	const struct tn_btf_type *a, *b;

	if (from->size == to->size)
		return true;
	a = tn_btf_type(local->btf, from->type_id);
	b = tn_btf_type(host->btf, to->type_id);
	if (tn_btf_kind(a) == TN_BTF_PTR && tn_btf_kind(b) == TN_BTF_PTR)
		return true;
	/* A load sets what is above it to zero, which is right for numbers without a sign alone. */
	return tn_btf_kind(a) == TN_BTF_INT && tn_btf_kind(b) == TN_BTF_INT &&
	       tn_btf_int_encoding(*(const uint32_t *)tn_btf_extra(a)) != TN_BTF_INT_SIGNED &&
	       tn_btf_int_encoding(*(const uint32_t *)tn_btf_extra(b)) != TN_BTF_INT_SIGNED;
}
