/* SPDX-License-Identifier: MIT */
/*
 * Handles: pointers of the host, opaque but for the fields that the host declares of their type.
 *
 * What a handle points to is there while the handle is: for good within the firing where it comes
 * from the context or was returned without a reference (until a helper that invalidates the
 * context), else until its reference is released. A pointer that was made from another one, by a
 * cast or by reading a field, carries the reference of that one (tn_reg.share) and goes with it.
 * Handles move by constants alone, to reach what is nested, and are whole again when they are back
 * at the start: so a field is a constant offset. Those that nobody vouches for: probe.c.
 *
 * A pointer to const is a handle that is read-only: nothing is written through it, and a function
 * gets it where it takes a pointer to const. States that differ in it are kept apart, as those that
 * differ in the type.
 */
#include "verifier/engine.h"
#include "verifier/mutant.h"

#include <errno.h>
#include <string.h>

const char *tn_handle_name(struct tn_vf *vf, const char *name)
{
	const char **kept;

	for (uint32_t i = 0; i < vf->handle_names.nr; i++)
		if (!strcmp(vf->handle_names.v[i], name))
			return vf->handle_names.v[i];
	kept = tn_vec_push(vf->rt, &vf->handle_names);
	if (kept)
		*kept = name;
	return name;
}

const struct tn_ctx_type *tn_handle_struct(const struct tn_vf *vf, const char *name)
{
	return vf->env->struct_of ? vf->env->struct_of(vf->env->user, name) : NULL;
}

bool tn_handle_serves(const struct tn_vf *vf, const char *have, const char *want)
{
	/* A base is declared before what has it: no circles. */
	while (have && strcmp(have, want) != 0) {
		const struct tn_ctx_type *type = tn_handle_struct(vf, have);

		have = type ? type->base : NULL;
	}
	return have != NULL;
}

const struct tn_releaser *tn_handle_releaser(const struct tn_vf *vf, const char *name)
{
	const struct tn_releaser *found = NULL;

	while (name && !found && vf->env->releaser) {
		const struct tn_ctx_type *type = tn_handle_struct(vf, name);

		found = vf->env->releaser(vf->env->user, name);
		name = type ? type->base : NULL;
	}
	return found;
}

/* The field that is accessed. */
static int find_field(struct tn_vf *vf, uint32_t regno, int64_t off, uint32_t size, bool write,
		      const struct tn_field **field)
{
	const struct tn_reg *r = tn_vf_reg(vf, regno);
	const struct tn_ctx_type *type = tn_handle_struct(vf, r->obj);
	const char *what = write ? "a write" : "a read";
	uint64_t at;

	if (!type)
		return tn_reject(vf, E_TYPE, (int)regno,
				 "%s through r%u, which is %s: the host shows no fields of it",
				 what, regno, tn_reg_words(vf, r));
	if (!tn_scalar_is_const(&r->v, &at))
		return tn_reject(vf, E_TYPE, (int)regno,
				 "%s at %s of the structure '%s': not one place on every path",
				 what, tn_offset_words(vf, r, off), type->name);
	off = (int64_t)(at + (uint64_t)off);
	if (off < 0 || off > type->size || size > type->size - (uint64_t)off)
		return tn_reject(vf, E_BOUNDS, (int)regno,
				 "%s of %s at offset %lld of the structure '%s', which has %s",
				 what, tn_bytes_words(vf, size), (long long)off, type->name,
				 tn_bytes_words(vf, type->size));
	*field = tn_ctx_field_at(type, (uint32_t)off, size);
	if (!*field && !write && off % size == 0 && tn_ctx_numbers_at(type, (uint32_t)off, size))
		*field = tn_ctx_field_at(type, (uint32_t)off, 1);
	if (!*field)
		return tn_reject(vf, E_TYPE, (int)regno,
				 "bytes %lld..%lld of the structure '%s' are in no single field "
				 "that a plugin may see",
				 (long long)off, (long long)off + size - 1, type->name);
	if ((*field)->size <= 8 && off % size)
		return tn_reject(vf, E_ALIGN, (int)regno,
				 "misaligned access to field '%s' of the structure '%s'",
				 (*field)->name, type->name);
	if (!tn_field_takes(*field, (uint32_t)off, size, write))
		return tn_reject(vf, E_TYPE, (int)regno,
				 "field '%s' of the structure '%s' is not %s by %s at its offset "
				 "%lld",
				 (*field)->name, type->name, write ? "written" : "read",
				 tn_bytes_words(vf, size), (long long)off - (*field)->offset);
	return vf->env->layout ? tn_check_layout(vf, regno, type, (uint64_t)off, size) : 0;
}

int tn_handle_load(struct tn_vf *vf, uint32_t regno, int64_t off, uint32_t size, bool sext,
		   struct tn_reg *out)
{
	const struct tn_reg *r = tn_vf_reg(vf, regno);
	struct tn_scalar any = tn_scalar_unknown(TN_W64);
	const struct tn_field *f = NULL;
	int err = find_field(vf, regno, off, size, false, &f);

	if (!err && r->untrusted)
		err = tn_probe_load(vf, regno);
	if (err)
		return err;
	if (f->kind != TN_FIELD_HANDLE) {
		tn_reg_set_scalar(out, tn_scalar_zext(&any, size * 8, TN_W64));
		return 0;
	}
	if (size != f->size || sext)
		return tn_reject(vf, E_TYPE, (int)regno,
				 "field '%s' is a pointer and must be read whole", f->name);
	/* Each read may give another object: neither is it known to be the same as what was read
	 * before, nor is it what is to be released. */
	tn_reg_set_const(out, 0);
	out->kind = TN_REG_HANDLE;
	out->obj = tn_handle_name(vf, f->handle);
	out->nullable = f->access & TN_ACC_NULLABLE;
	out->null_id = out->nullable ? vf->senv.next_id++ : 0;
	out->ref = r->ref;
	out->share = r->ref ? TN_SHARE_PART : TN_SHARE_OWN;
	/* That the host does not change an object says nothing of those that it points to. */
	out->rdonly = f->access & TN_ACC_CONST;
	/* What a stale object holds is as stale, whatever the host says of a live one. */
	if ((r->untrusted && !TN_MUT(PROBE_MADE_TRUSTED)) || f->access & TN_ACC_UNTRUSTED)
		tn_probe_mark(out);
	return 0;
}

int tn_handle_store(struct tn_vf *vf, uint32_t regno, int64_t off, uint32_t size)
{
	const struct tn_field *f = NULL;
	int err;

	if (tn_vf_reg(vf, regno)->untrusted || tn_vf_reg(vf, regno)->rdonly)
		return tn_reject(vf, E_READONLY, (int)regno,
				 "a write through r%u, which is %s: it can only be read", regno,
				 tn_reg_words(vf, tn_vf_reg(vf, regno)));
	err = find_field(vf, regno, off, size, true, &f);
	if (err)
		return err;
	if (f->kind != TN_FIELD_SCALAR || !(f->access & TN_ACC_W))
		return tn_reject(vf, E_READONLY, (int)regno,
				 "field '%s' of a structure of the host may not be written",
				 f->name);
	return 0;
}

void tn_handle_cast(const struct tn_reg *from, struct tn_reg *out)
{
	if (from->kind != TN_REG_HANDLE)
		return; /* NULL */
	out->nullable = out->nullable || from->nullable;
	out->rdonly = out->rdonly || from->rdonly;
	out->ref = from->ref;
	if (from->ref)
		out->share = from->share == TN_SHARE_PART ? TN_SHARE_PART : TN_SHARE_CAST;
}
