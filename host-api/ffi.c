/* SPDX-License-Identifier: MIT */
/*
 * Marshalling through libffi. The JIT does the same conversions in line; both must agree: integers
 * narrower than a register are truncated to the C type, results are extended by their signedness,
 * a bool is 0 or 1, floating point travels as its IEEE-754 bits.
 */
#include "host-api/ffi.h"

#include <errno.h>
#include <ffi.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "vm/exec.h"

/* `user`, the fixed arguments, and for variadic functions the rest of r1..r5. */
#define MAX_ARGS (TN_SIG_MAX_ARGS + 1)

struct tn_ffi_call {
	ffi_cif cif;
	uint32_t nr_args; /* without `user` */
	ffi_type *types[MAX_ARGS];
	/* Struct arguments: a type of their own each. */
	ffi_type structs[TN_SIG_MAX_ARGS];
	ffi_type *members[TN_SIG_MAX_ARGS][TN_SIG_MAX_MEMBERS + 1];
};

struct tn_ffi_closure {
	ffi_closure *closure;
	void *entry;
	tn_ffi_callback callback;
	void *user;
	struct tn_sig sig;
	struct tn_ffi_call call;
};

/* One argument as C sees it. */
union value {
	uint64_t u64;
	uint32_t u32;
	uint16_t u16;
	uint8_t u8;
	void *ptr;
	ffi_arg word; /* libffi widens small results to this */
};

static ffi_type *type_of(uint8_t ctype)
{
	switch ((enum tn_ctype)ctype) {
	case TN_C_VOID:
		return &ffi_type_void;
	case TN_C_BOOL:
	case TN_C_U8:
		return &ffi_type_uint8;
	case TN_C_I8:
		return &ffi_type_sint8;
	case TN_C_I16:
		return &ffi_type_sint16;
	case TN_C_U16:
		return &ffi_type_uint16;
	case TN_C_I32:
		return &ffi_type_sint32;
	case TN_C_U32:
		return &ffi_type_uint32;
	case TN_C_I64:
		return &ffi_type_sint64;
	case TN_C_U64:
		return &ffi_type_uint64;
	case TN_C_F32:
		return &ffi_type_float;
	case TN_C_F64:
		return &ffi_type_double;
	case TN_C_PTR:
		return &ffi_type_pointer;
	case TN_C_STRUCT:
	case TN_C_NR:
		break;
	}
	return NULL;
}

/* `reg` as the 64 bits that a program holds for a value of this type. */
static uint64_t widen(uint8_t ctype, uint64_t reg)
{
	switch ((enum tn_ctype)ctype) {
	case TN_C_BOOL:
		return (uint8_t)reg != 0;
	case TN_C_I8:
		return (uint64_t)(int64_t)(int8_t)reg;
	case TN_C_U8:
		return (uint8_t)reg;
	case TN_C_I16:
		return (uint64_t)(int64_t)(int16_t)reg;
	case TN_C_U16:
		return (uint16_t)reg;
	case TN_C_I32:
		return (uint64_t)(int64_t)(int32_t)reg;
	case TN_C_U32:
	case TN_C_F32:
		return (uint32_t)reg;
	case TN_C_VOID:
		return 0;
	case TN_C_I64:
	case TN_C_U64:
	case TN_C_F64:
	case TN_C_PTR:
	case TN_C_STRUCT:
	case TN_C_NR:
		break;
	}
	return reg;
}

/* What libffi takes for an argument of this type, from a register. Little and big endian alike. */
static void narrow(uint8_t ctype, uint64_t reg, union value *out)
{
	uint64_t wide = widen(ctype, reg);

	switch ((enum tn_ctype)ctype) {
	case TN_C_BOOL:
	case TN_C_I8:
	case TN_C_U8:
		out->u8 = (uint8_t)wide;
		break;
	case TN_C_I16:
	case TN_C_U16:
		out->u16 = (uint16_t)wide;
		break;
	case TN_C_I32:
	case TN_C_U32:
	case TN_C_F32:
		out->u32 = (uint32_t)wide;
		break;
	case TN_C_PTR:
		out->ptr = (void *)(uintptr_t)wide;
		break;
	default:
		out->u64 = wide;
	}
}

static ffi_type *struct_type(struct tn_ffi_call *call, uint32_t idx, const struct tn_arg *arg)
{
	ffi_type *type = &call->structs[idx];
	uint32_t i;

	for (i = 0; i < arg->nr_members; i++)
		call->members[idx][i] = type_of(arg->members[i]);
	*type = (ffi_type){ .type = FFI_TYPE_STRUCT, .elements = call->members[idx] };
	return type;
}

static int prepare(struct tn_ffi_call *call, const struct tn_sig *sig, bool pass_user)
{
	uint32_t nr = 0, i;
	ffi_status status;

	if (pass_user)
		call->types[nr++] = &ffi_type_pointer;
	for (i = 0; i < sig->nr_args; i++) {
		const struct tn_arg *arg = &sig->args[i];

		call->types[nr++] = arg->ctype == TN_C_STRUCT ? struct_type(call, i, arg)
							      : type_of(arg->ctype);
	}
	call->nr_args = sig->nr_args;
	if (sig->flags & TN_SIG_VARIADIC) {
		uint32_t fixed = nr;

		/* How many the program passes is not known here; the callee reads no more than its
		 * format asks for, so the remaining registers go along as integers. */
		for (; call->nr_args < TN_SIG_MAX_ARGS; call->nr_args++)
			call->types[nr++] = &ffi_type_uint64;
		status = ffi_prep_cif_var(&call->cif, FFI_DEFAULT_ABI, fixed, nr,
					  type_of(sig->ret_ctype), call->types);
	} else {
		status = ffi_prep_cif(&call->cif, FFI_DEFAULT_ABI, nr, type_of(sig->ret_ctype),
				      call->types);
	}
	if (status != FFI_OK)
		return tn_err(-EINVAL, "libffi cannot call this signature (status %d)",
			      (int)status);
	return 0;
}

static uint64_t invoke(const struct tn_host_helper *self, const uint64_t args[5],
		       struct tn_exec *ex)
{
	struct tn_ffi_call *call = self->cif;
	union value values[TN_SIG_MAX_ARGS];
	void *pointers[MAX_ARGS];
	void *user = self->user;
	union value result = { 0 };
	uint32_t nr = 0, i;

	(void)ex;
	if (self->pass_user)
		pointers[nr++] = &user;
	for (i = 0; i < call->nr_args; i++) {
		bool fixed = i < self->sig.nr_args;

		if (fixed && self->sig.args[i].ctype == TN_C_STRUCT) {
			pointers[nr++] = (void *)(uintptr_t)args[i];
			continue;
		}
		narrow(fixed ? self->sig.args[i].ctype : TN_C_U64, args[i], &values[i]);
		pointers[nr++] = &values[i];
	}
	ffi_call(&call->cif, FFI_FN(self->fn), &result, pointers);
	if (self->sig.ret_ctype == TN_C_F32)
		return result.u32;
	return widen(self->sig.ret_ctype, result.u64);
}

int tn_ffi_prepare(struct tn_rt *rt, struct tn_host_helper *helper)
{
	struct tn_ffi_call *call = tn_new(rt, struct tn_ffi_call);

	if (!call)
		return tn_err_nomem("helper");
	helper->cif = call;
	helper->invoke = invoke;
	return prepare(call, &helper->sig, helper->pass_user);
}

void tn_ffi_release(struct tn_rt *rt, struct tn_host_helper *helper)
{
	tn_free(rt, helper->cif);
	helper->cif = NULL;
}

/* ---- Programs as C functions ---- */

static uint64_t load_arg(uint8_t ctype, const void *at)
{
	const union value *v = at;

	switch ((enum tn_ctype)ctype) {
	case TN_C_BOOL:
	case TN_C_I8:
	case TN_C_U8:
		return widen(ctype, v->u8);
	case TN_C_I16:
	case TN_C_U16:
		return widen(ctype, v->u16);
	case TN_C_I32:
	case TN_C_U32:
	case TN_C_F32:
		return widen(ctype, v->u32);
	case TN_C_PTR:
		return (uintptr_t)v->ptr;
	default:
		return v->u64;
	}
}

static void on_call(ffi_cif *cif, void *ret, void **args, void *user)
{
	struct tn_ffi_closure *c = user;
	uint64_t regs[TN_SIG_MAX_ARGS], result;
	uint32_t i;

	(void)cif;
	for (i = 0; i < c->sig.nr_args; i++)
		regs[i] = load_arg(c->sig.args[i].ctype, args[i]);
	result = widen(c->sig.ret_ctype, c->callback(c->user, regs, c->sig.nr_args));
	switch ((enum tn_ctype)c->sig.ret_ctype) {
	case TN_C_VOID:
		break;
	case TN_C_F32:
		memcpy(ret, &(uint32_t){ (uint32_t)result }, sizeof(uint32_t));
		break;
	case TN_C_F64:
		memcpy(ret, &result, sizeof(result));
		break;
	default:
		*(ffi_arg *)ret = (ffi_arg)result;
	}
}

struct tn_ffi_closure *tn_ffi_closure_new(struct tn_rt *rt, const struct tn_sig *sig,
					  tn_ffi_callback callback, void *user)
{
	struct tn_ffi_closure *c;
	int rc;
	uint32_t i;

	for (i = 0; i < sig->nr_args; i++) {
		if (sig->args[i].ctype == TN_C_STRUCT || sig->args[i].ctype == TN_C_VOID)
			return tn_err_null(-EINVAL,
					   "callback: argument %u is not an integer, "
					   "pointer or floating point",
					   i + 1);
	}
	if (sig->flags & TN_SIG_VARIADIC)
		return tn_err_null(-EINVAL, "callback: a variadic function cannot be made");
	c = tn_new(rt, struct tn_ffi_closure);
	if (!c)
		return tn_err_null(-ENOMEM, "out of memory: callback");
	c->callback = callback;
	c->user = user;
	c->sig = *sig;
	rc = prepare(&c->call, sig, false);
	if (!rc) {
		c->closure = ffi_closure_alloc(sizeof(ffi_closure), &c->entry);
		if (!c->closure)
			rc = tn_err(-EACCES, "callback: libffi got no executable memory");
	}
	if (!rc && ffi_prep_closure_loc(c->closure, &c->call.cif, on_call, c, c->entry) != FFI_OK)
		rc = tn_err(-EINVAL, "callback: libffi cannot make a function of this signature");
	if (rc) {
		tn_ffi_closure_free(rt, c);
		errno = -rc;
		return NULL;
	}
	return c;
}

tn_host_fn tn_ffi_closure_fn(const struct tn_ffi_closure *closure)
{
	return FFI_FN(closure->entry);
}

void tn_ffi_closure_free(struct tn_rt *rt, struct tn_ffi_closure *closure)
{
	if (!closure)
		return;
	if (closure->closure)
		ffi_closure_free(closure->closure);
	tn_free(rt, closure);
}
