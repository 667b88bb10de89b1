/* SPDX-License-Identifier: MIT */
/*
 * libffi, here alone: calls of host functions for the interpreter and for what compiled code does
 * not marshal itself (structs by value, variadic functions), and programs as plain C functions.
 */
#ifndef TN_HOST_FFI_H
#define TN_HOST_FFI_H

#include "vm/signature.h"

struct tn_rt;

/* Build helper->cif and set helper->invoke. 0, -EINVAL, -ENOMEM. */
int tn_ffi_prepare(struct tn_rt *rt, struct tn_host_helper *helper);
void tn_ffi_release(struct tn_rt *rt, struct tn_host_helper *helper);

struct tn_ffi_closure;

/* The arguments of a C call, each widened to 64 bits as a program would hold it. */
typedef uint64_t (*tn_ffi_callback)(void *user, const uint64_t *args, uint32_t nr);

/* A C function of signature `sig` that calls `callback`. NULL: errno ENOMEM, EINVAL, EACCES
 * (executable memory refused), with words. */
struct tn_ffi_closure *tn_ffi_closure_new(struct tn_rt *rt, const struct tn_sig *sig,
					  tn_ffi_callback callback, void *user);
tn_host_fn tn_ffi_closure_fn(const struct tn_ffi_closure *closure);
void tn_ffi_closure_free(struct tn_rt *rt, struct tn_ffi_closure *closure);

#endif
