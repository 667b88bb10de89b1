/* SPDX-License-Identifier: MIT */
/* Helpers that only some contexts can serve: refused where the program's has nothing for them. */
#include "verifier/callee.h"

static bool has_retval(const struct tn_ctx_type *ctx, bool write)
{
	const struct tn_field *f = tn_ctx_retval(ctx);

	return f && (!write || f->access & TN_ACC_W);
}

/* What a program may not write through pointers no helper writes for it. Helpers that change a
 * packet are those that may move it. */
static bool keeps_packet(const struct tn_ctx_type *ctx, const struct tn_callee *c)
{
	const struct tn_field *f;

	if (!c->id || !ctx->is_packet || !(c->sig->flags & TN_SIG_INVALIDATES_CTX))
		return false;
	f = tn_ctx_field_by_name(ctx, "data");
	return !f || !(f->access & TN_ACC_W);
}

int tn_check_context_serves(struct tn_vf *vf, const struct tn_callee *c)
{
	const struct tn_ctx_type *ctx = vf->ctx;
	const char *lacks = NULL;

	switch (c->id) {
	case TN_HELPER_get_func_arg:
	case TN_HELPER_get_func_arg_cnt:
		lacks = ctx->is_args ? NULL : "is not made of a function's arguments";
		break;
	case TN_HELPER_get_func_ret:
		lacks = ctx->has_ret ? NULL : "has no result of a function";
		break;
	case TN_HELPER_get_retval:
		lacks = has_retval(ctx, false) ? NULL : "has no number 'retval'";
		break;
	case TN_HELPER_set_retval:
	case TN_HELPER_override_return:
		lacks = has_retval(ctx, true) ? NULL : "has no number 'retval' that may be written";
		break;
	default:
		lacks = keeps_packet(ctx, c) ? "has a packet that is only read" : NULL;
	}
	return lacks ? tn_reject(vf, E_HELPER, -1, "%s cannot serve here: context '%s' %s", c->name,
				 ctx->name, lacks)
		     : 0;
}
