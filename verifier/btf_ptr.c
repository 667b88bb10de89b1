/* SPDX-License-Identifier: MIT */
/*
 * struct btf_ptr as an argument: memory that a callee shows as text, by a type that the program
 * names. The callee reads any address, so unless the host shows the program all of its memory
 * anyway, both halves must be known here: the pointer as it was stored in the stack, and the number
 * of the type. Then the bytes that the type has are held to what the program may read by itself:
 *
 *   own memory	the size of the type, as for any call that reads it;
 *   handles	each part that is shown is made of numbers that a plugin may read, or is an address
 *		where the host has a pointer that a plugin may read. That one must not become a
 *		number: it is shown scrambled, and asking for it as it is is refused.
 *
 * Both are read again at run time, from stack that nobody else writes between check and call. The
 * stack that the pointer leads to is not named by any register, so liveness takes all of it as
 *read.
 */
#include "vm/btf_ptr.h"
#include "verifier/callee.h"

#include <errno.h>
#include <string.h>

#include "vm/btf_show.h"

struct handle_parts {
	struct tn_vf *vf;
	const struct tn_callee *c;
	const struct tn_ctx_type *type;
	uint64_t at; /* where the handle points into the structure */
	bool shows_pointers;
};

static bool is_pointer_field(const struct tn_field *f, uint64_t off)
{
	return f && f->offset == off && f->size == 8 && f->kind == TN_FIELD_HANDLE;
}

static bool is_number(const struct tn_ctx_type *type, uint64_t off)
{
	const struct tn_field *f = tn_ctx_field_at(type, (uint32_t)off, 1);

	return f && f->kind == TN_FIELD_SCALAR && f->access & TN_ACC_R;
}

static int check_part(void *user, uint64_t off, uint64_t size, bool is_pointer)
{
	struct handle_parts *h = user;
	uint64_t at = h->at + off;

	if (at > h->type->size || size > h->type->size - at)
		return tn_reject(h->vf, E_BOUNDS, -1,
				 "%s would show %s at offset %llu of the structure '%s', which has "
				 "%s",
				 h->c->name, tn_bytes_words(h->vf, size), (unsigned long long)at,
				 h->type->name, tn_bytes_words(h->vf, h->type->size));
	if (is_pointer && is_pointer_field(tn_ctx_field_at(h->type, (uint32_t)at, 8), at)) {
		h->shows_pointers = true;
		return 0;
	}
	for (uint64_t i = 0; i < size; i++)
		if (!is_number(h->type, at + i))
			return tn_reject(
				h->vf, E_TYPE, -1,
				"%s would show bytes %llu..%llu of the structure '%s': not "
				"all of them belong to numbers that a plugin may read",
				h->c->name, (unsigned long long)at,
				(unsigned long long)(at + size - 1), h->type->name);
	return 0;
}

static int check_handle(struct tn_vf *vf, const struct tn_callee *c, const struct tn_reg *r,
			const struct tn_btf *btf, uint32_t type, const struct tn_reg *flags)
{
	struct handle_parts h = { .vf = vf, .c = c, .type = tn_handle_struct(vf, r->obj) };
	struct tn_btf_parts parts = { .btf = btf, .type = type, .part = check_part, .user = &h };
	int err;

	if (r->low || !tn_scalar_is_const(&r->v, &h.at) || !h.type)
		return tn_reject(vf, E_TYPE, -1,
				 "%s would read through %s: no place in a structure whose fields "
				 "the host shows",
				 c->name, tn_reg_words(vf, r));
	err = tn_btf_show_parts(&parts);
	if (err == -EINVAL || err == -E2BIG)
		return tn_reject(vf, E_TYPE, -1,
				 "%s is given a type that cannot be shown, or is too large",
				 c->name);
	/* The bit may be set where it is not known to be 0. */
	if (!err && h.shows_pointers &&
	    (flags->kind != TN_REG_SCALAR ||
	     (flags->v.t.value | flags->v.t.mask) & TN_BTF_SHOW_PTR_RAW))
		return tn_reject(vf, E_POLICY, -1,
				 "%s with BTF_F_PTR_RAW would show addresses of the host in the "
				 "structure '%s'",
				 c->name, h.type->name);
	return err;
}

/* The pointer that stands first in it, checked as if it were the argument. */
static int check_memory(struct tn_vf *vf, const struct tn_callee *c, uint32_t i,
			const struct tn_reg *p, uint64_t size)
{
	struct tn_mem_arg mem = { .reg = TN_R1 + i, .size = size, .what = "shown by a call" };
	struct tn_reg *r = tn_vf_reg(vf, TN_R1 + i), saved = *r;
	int err;

	switch ((enum tn_reg_kind)p->kind) {
	case TN_REG_STACK:
	case TN_REG_VALUE:
	case TN_REG_REGION:
	case TN_REG_RECORD:
	case TN_REG_MEM:
		break;
	default:
		return tn_reject(vf, E_POLICY, (int)(TN_R1 + i),
				 "%s would read memory of the host at any address: the pointer in "
				 "struct btf_ptr is %s",
				 c->name, tn_reg_words(vf, p));
	}
	*r = *p;
	err = tn_check_mem_arg(vf, &mem);
	*r = saved;
	return err;
}

/* The number of the type as it stands in the stack behind the pointer. */
static int find_type(struct tn_vf *vf, const struct tn_callee *c, uint32_t i,
		     const struct tn_btf **btf, uint32_t *type)
{
	const struct tn_image *image = vf->prog->image;
	struct tn_reg behind = *tn_vf_reg(vf, TN_R1 + i), word;
	struct tn_scalar by = tn_scalar_const(8, TN_W64);
	uint64_t id;
	int err = tn_stack_load(vf, &behind, TN_R1 + i, 8, 8, &word);

	if (err)
		return err;
	behind.v = tn_scalar_alu(TN_ADD, false, false, &behind.v, &by, TN_W64);
	if (word.kind != TN_REG_SCALAR || !tn_stack_const(vf, &behind, 4, &id))
		return tn_refuse_arg(vf, c, i, "a struct btf_ptr with a constant type_id");
	*btf = tn_btf_ptr_type(vf->rt, image ? image->btf : NULL, (uint32_t)id, type);
	if (!id || !*btf || !tn_btf_type(*btf, *type))
		return tn_reject(vf, E_TYPE, (int)(TN_R1 + i),
				 "%s is given type number 0x%x, which nobody has", c->name,
				 (uint32_t)id);
	return 0;
}

int tn_check_btf_ptr(struct tn_vf *vf, const struct tn_callee *c, uint32_t i)
{
	struct tn_mem_arg mem = { .reg = TN_R1 + i,
				  .size = sizeof(struct tn_btf_ptr),
				  .what = "read by a call" };
	const struct tn_reg *r = tn_vf_reg(vf, TN_R1 + i), *size = r + 1, *flags = r + 2;
	const struct tn_btf *btf = NULL;
	uint32_t type = 0;
	struct tn_reg p;
	int64_t bytes;
	uint64_t n;
	int err;

	if (size->kind != TN_REG_SCALAR || !tn_scalar_is_const(&size->v, &n) || n != mem.size)
		return tn_refuse_arg(vf, c, i + 1, "the size of struct btf_ptr, 16");
	if (vf->env->addresses_visible)
		return tn_check_mem_arg(vf, &mem);
	if (r->kind != TN_REG_STACK || r->low || !tn_scalar_is_const(&r->v, &n) || n % 8)
		return tn_refuse_arg(vf, c, i, "a struct btf_ptr at a known place in the stack");
	err = tn_stack_load(vf, r, TN_R1 + i, 0, 8, &p);
	if (!err)
		err = find_type(vf, c, i, &btf, &type);
	if (err)
		return err;
	if (p.kind == TN_REG_HANDLE)
		return check_handle(vf, c, &p, btf, type, flags);
	bytes = tn_btf_size_of(btf, type);
	if (bytes < 0)
		return tn_reject(vf, E_TYPE, (int)(TN_R1 + i),
				 "%s is given a type that has no size", c->name);
	return check_memory(vf, c, i, &p, (uint64_t)bytes);
}
