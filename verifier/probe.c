/* SPDX-License-Identifier: MIT */
/*
 * Untrusted pointers: handles that nobody vouches for, to which anything may have happened.
 *
 * They come from fields and helpers that are declared so, and from every pointer that is read
 * through one. They may be NULL, without a test; they stand for no reference, so that nothing takes
 * them away: what they point to may be gone, and then something else may stand there, of the host,
 * or nothing at all. Hence what is read through one is any number, or another untrusted pointer,
 * even where the host vouches for that field in an object that is there; the read is marked, and
 * the engines give 0 where no memory is. Nothing is written through one, and no function of the
 * host gets one where it asks for a handle.
 *
 * bpf_probe_read_kernel() and its kin read through handles too, what a load of the program's own
 * might: whole numbers and parts of them, and a pointer into a slot of the stack, where it is an
 * untrusted pointer again. So the address itself is never a number that the program has.
 */
#include "verifier/callee.h"

#include <string.h>

#include "base/fault.h"
#include "verifier/mutant.h"

int tn_probe_load(struct tn_vf *vf, uint32_t regno)
{
	int err = vf->rt->fault_handler ? 0 : tn_fault_check_slow();

	if (err)
		return tn_reject(vf, E_POLICY, (int)regno,
				 "a read through r%u, which is %s: the kernel refuses "
				 "process_vm_readv(2) here (%s), and the host has no fault handler",
				 regno, tn_reg_words(vf, tn_vf_reg(vf, regno)), strerror(-err));
	if (!TN_MUT(PROBE_NOT_MARKED))
		vf->facts->insns[vf->s.insn].flags |= TN_FACT_PROBE;
	/* Where nothing is, it takes a signal; without a handler a call of the kernel anyway. */
	tn_note_more_cost(vf, TN_KERNEL_ENTRY_COST);
	return 0;
}

void tn_probe_mark(struct tn_reg *out)
{
	out->untrusted = true;
	out->rdonly = false; /* nothing is written through one anyway */
	out->nullable = false;
	out->null_id = 0;
	out->ref = 0;
	out->share = TN_SHARE_OWN;
}

static bool is_string_helper(uint32_t id)
{
	return id == TN_HELPER_probe_read_str || id == TN_HELPER_probe_read_user_str ||
	       id == TN_HELPER_probe_read_kernel_str;
}

/* Every byte of [off, off + size) belongs to a number that a plugin may read. */
static bool is_all_numbers(const struct tn_ctx_type *type, uint64_t off, uint64_t size)
{
	while (size) {
		const struct tn_field *f = tn_ctx_field_at(type, (uint32_t)off, 1);
		uint64_t n;

		if (!f || f->kind != TN_FIELD_SCALAR || !(f->access & TN_ACC_R))
			return false;
		n = TN_MIN(size, f->offset + f->size - off);
		off += n;
		size -= n;
	}
	return true;
}

/* The pointer member that is read as a whole; NULL: none. */
static const struct tn_field *pointer_read(const struct tn_ctx_type *type, uint64_t off,
					   const struct tn_reg *size)
{
	const struct tn_field *f = tn_ctx_field_at(type, (uint32_t)off, 8);
	uint64_t n;

	return f && f->kind == TN_FIELD_HANDLE && f->offset == off && f->size == 8 &&
			       tn_scalar_is_const(&size->v, &n) && n == 8
		       ? f
		       : NULL;
}

int tn_probe_source(struct tn_vf *vf, struct tn_callee *c, uint32_t i)
{
	const struct tn_reg *r = tn_vf_reg(vf, TN_R1 + i), *size = tn_vf_reg(vf, TN_R2);
	const struct tn_ctx_type *type = tn_handle_struct(vf, r->obj);
	uint64_t off, max = size->v.umax;

	if (!tn_scalar_is_const(&r->v, &off))
		return tn_refuse_arg(vf, c, i, "at one place of what it points to");
	/* Its length is in itself, as that of any string. */
	if (is_string_helper(c->id) && !strcmp(r->obj, TN_HANDLE_STRING))
		return 0;
	if (!type)
		return tn_reject(vf, E_TYPE, (int)(TN_R1 + i),
				 "%s reads through r%u, which is %s: the host shows no fields of "
				 "it",
				 c->name, TN_R1 + i, tn_reg_words(vf, r));
	if (off > type->size || max > type->size - off)
		return tn_reject(vf, E_BOUNDS, (int)(TN_R1 + i),
				 "%s reads up to %s at offset %lld of the structure '%s', which "
				 "has %s",
				 c->name, tn_bytes_words(vf, max), (long long)off, type->name,
				 tn_bytes_words(vf, type->size));
	if (!is_string_helper(c->id))
		c->probed = pointer_read(type, off, size);
	if (!c->probed && !is_all_numbers(type, off, max))
		return tn_reject(
			vf, E_TYPE, (int)(TN_R1 + i),
			"%s reads bytes %llu..%llu of the structure '%s': not all of them "
			"belong to numbers that a plugin may read; a pointer is read alone",
			c->name, (unsigned long long)off, (unsigned long long)off + max - 1,
			type->name);
	return 0;
}

int tn_probe_pointer(struct tn_vf *vf, const struct tn_callee *c)
{
	const struct tn_reg *to = tn_vf_reg(vf, TN_R1);
	struct tn_reg p;
	uint64_t at;

	if (!c->probed)
		return 0;
	if (to->kind != TN_REG_STACK || !tn_scalar_is_const(&to->v, &at) || at % 8)
		return tn_reject(vf, E_LEAK, TN_R1,
				 "%s reads the pointer '%s', an address, to %s; it can only go to "
				 "an aligned place in the stack",
				 c->name, c->probed->name, tn_memory_words(vf, to));
	tn_reg_set_const(&p, 0);
	p.kind = TN_REG_HANDLE;
	p.obj = tn_handle_name(vf, c->probed->handle);
	tn_probe_mark(&p);
	return tn_stack_store(vf, to, TN_R1, 0, 8, &p);
}
