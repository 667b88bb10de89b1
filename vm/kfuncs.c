/* SPDX-License-Identifier: MIT */
/* The table of kfuncs.def. */
#include "vm/kfuncs.h"

#include <string.h>

#include "base/compiler.h"
#include "vm/helper_body.h"

#define RET_NONE  .ret = TN_RET_VOID
#define RET_INT	  .ret = TN_RET_SCALAR, .ret_ctype = TN_C_I32
#define RET_U32	  .ret = TN_RET_SCALAR, .ret_ctype = TN_C_U32
#define RET_U64	  .ret = TN_RET_SCALAR, .ret_ctype = TN_C_U64
#define RET_BOOL  .ret = TN_RET_SCALAR, .ret_ctype = TN_C_BOOL
#define RET_SLICE .ret = TN_RET_SLICE, .ret_ctype = TN_C_PTR
#define RET_ELEM  .ret = TN_RET_ITER_ELEM, .ret_ctype = TN_C_PTR

#define ARG(kind_, ctype_, ...)                                             \
	{                                                                   \
		.kind = TN_ARG_##kind_, .ctype = TN_C_##ctype_, __VA_ARGS__ \
	}
#define ANY		    ARG(ANY, U64, )
#define U64		    ARG(SCALAR, U64, )
#define CTX		    ARG(CTX, PTR, )
#define MAP		    ARG(MAP, PTR, )
#define WQ		    ARG(TIMER, PTR, )
#define FUNC		    ARG(FUNC, PTR, )
#define CONST_SIZE	    ARG(CONST_SIZE, U64, )
#define DYNPTR		    ARG(DYNPTR, PTR, )
#define DYNPTR_NEW	    ARG(DYNPTR_NEW, PTR, )
#define I32		    ARG(SCALAR, I32, )
#define U32		    ARG(SCALAR, U32, )
#define NEW(name, size)	    ARG(ITER_NEW, PTR, .struct_size = (size), .handle = #name)
#define NEXT(name, size)    ARG(ITER, PTR, .struct_size = (size), .handle = #name)
#define DESTROY(name, size) ARG(ITER, PTR, .struct_size = (size), .handle = #name, .release = true)

#define NR_ARGS(...) (sizeof((struct tn_arg[]){ { 0 }, __VA_ARGS__ }) / sizeof(struct tn_arg) - 1)

/* The program ends with this result, whatever function of it runs. */
TN_HELPER_BODY(, tn_helper_throw)
{
	ex->thrown = r1;
	ex->abort = TN_ABORT_THROW;
	return 0;
}

/* In the kernel all of them are for GPL-compatible programs. */
static const struct tn_helper kfuncs[] = {
#define TN_KFUNC(name_, fn_, ret_, flags_, ...)                                           \
	{ .id = TN_KFUNC_##name_,                                                         \
	  .name = #name_,                                                                 \
	  .full_name = "bpf_" #name_,                                                     \
	  .fn = fn_,                                                                      \
	  .sig = { ret_, .nr_args = NR_ARGS(__VA_ARGS__), .flags = (flags_) | TN_SIG_GPL, \
		   .args = { __VA_ARGS__ } } },
#include "vm/kfuncs.def"
};

const struct tn_helper *tn_kfunc_by_id(uint32_t id)
{
	uint32_t row = id - TN_KFUNC_BASE;

	return row < TN_ARRAY_SIZE(kfuncs) ? &kfuncs[row] : NULL;
}

const struct tn_helper *tn_kfunc_by_name(const char *name)
{
	for (size_t i = 0; i < TN_ARRAY_SIZE(kfuncs); i++)
		if (!strcmp(kfuncs[i].full_name, name))
			return &kfuncs[i];
	return NULL;
}
