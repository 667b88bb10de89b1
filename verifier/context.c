/* SPDX-License-Identifier: MIT */
/* Helpers that only some contexts can serve: refused where the program's has nothing for them. */
#include <string.h>

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

/* Of __sk_buff in its forms, or what `other` is called. */
static bool has_socket(const struct tn_ctx_type *ctx, const char *other)
{
	return ctx->builtin && ((other && !strcmp(ctx->name, other)) ||
				!strcmp(ctx->name, "__sk_buff") || !strcmp(ctx->name, "sk_skb"));
}

/* Helpers of sockets, by what the kernel gives them to; and all others. */
static const char *lacks_socket(const struct tn_ctx_type *ctx, const struct tn_callee *c)
{
	switch (c->id) {
	case TN_HELPER_get_socket_cookie:
		return has_socket(ctx, "bpf_sock_ops") ? NULL : "has no socket";
	case TN_HELPER_get_socket_uid:
		return has_socket(ctx, NULL) ? NULL : "is no __sk_buff with a socket";
	case TN_HELPER_setsockopt:
	case TN_HELPER_getsockopt:
	case TN_HELPER_sock_ops_cb_flags_set:
		return ctx->builtin && !strcmp(ctx->name, "bpf_sock_ops") ? NULL
									  : "is no bpf_sock_ops";
	case TN_HELPER_msg_apply_bytes:
	case TN_HELPER_msg_cork_bytes:
	case TN_HELPER_msg_pull_data:
		return ctx->builtin && !strcmp(ctx->name, "sk_msg_md") ? NULL : "is no sk_msg_md";
	default:
		return keeps_packet(ctx, c) ? "has a packet that is only read" : NULL;
	}
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
	case TN_HELPER_get_stack:
		/* The map of traces is for the host to look into: its numbers are no addresses. */
		return vf->env->addresses_visible
			       ? 0
			       : tn_reject(vf, E_POLICY, -1,
					   "%s shows addresses of the host; bpf_get_stackid gives "
					   "their number, or the host sets addresses_visible",
					   c->name);
	case TN_HELPER_get_func_ret:
		lacks = ctx->has_ret ? NULL : "has no result of a function";
		break;
	case TN_HELPER_redirect_map:
		/* As the helper asks: that context alone has a place for where to. */
		lacks = ctx->is_packet && ctx->host_size == sizeof(struct tn_xdp_host)
				? NULL
				: "is no xdp_md, which says where to";
		break;
	case TN_HELPER_get_retval:
		lacks = has_retval(ctx, false) ? NULL : "has no number 'retval'";
		break;
	case TN_HELPER_set_retval:
	case TN_HELPER_override_return:
		lacks = has_retval(ctx, true) ? NULL : "has no number 'retval' that may be written";
		break;
	default:
		lacks = lacks_socket(ctx, c);
	}
	return lacks ? tn_reject(vf, E_HELPER, -1, "%s cannot serve here: context '%s' %s", c->name,
				 ctx->name, lacks)
		     : 0;
}
