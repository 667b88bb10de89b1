/* SPDX-License-Identifier: MIT */
/*
 * Helpers of socket programs. What a connection can do is the host's (struct tenon_socket_ops);
 * which contexts they serve is the verifier's to check (verifier/context.c), and looked at again
 * for programs that were not verified.
 */
#include <errno.h>
#include <string.h>

#include "base/rt.h"
#include "vm/ctx_socket.h"
#include "vm/helper_body.h"
#include "vm/image.h"
#include "vm/packet.h"

#define BODY(name)	TN_HELPER_BODY(, name)
#define KERNEL_ENOTSUPP 524u /* not in the C library's errno.h */
#define OVERFLOW_UID	65534u
#define KNOWN_CB_FLAGS	0x7fu /* BPF_SOCK_OPS_ALL_CB_FLAGS */

static uint64_t fails(unsigned int err)
{
	return (uint64_t) - (int64_t)err;
}

static uint64_t result(int rc)
{
	return (uint64_t)(int64_t)(rc < 0 ? rc : 0);
}

static bool is_ctx(const struct tn_exec *ex, const char *name)
{
	const struct tn_ctx_type *type = ex->prog->ctx_type;

	return type && type->builtin && !strcmp(type->name, name);
}

static struct tn_sock_ops_host *sock_ops_of(const struct tn_exec *ex, uint64_t ctx)
{
	return is_ctx(ex, "bpf_sock_ops") ? (struct tn_sock_ops_host *)(uintptr_t)ctx : NULL;
}

static struct tn_sk_msg_host *msg_of(const struct tn_exec *ex, uint64_t ctx)
{
	return is_ctx(ex, "sk_msg_md") ? (struct tn_sk_msg_host *)(uintptr_t)ctx : NULL;
}

static const struct tn_socket_ops *ops_of(const struct tn_exec *ex)
{
	static const struct tn_socket_ops none;

	return ex->rt ? &ex->rt->socket_ops : &none;
}

static struct tenon_sock *sock_of(const struct tn_exec *ex, uint64_t ctx)
{
	struct tn_sock_ops_host *ops = sock_ops_of(ex, ctx);
	struct tn_skb_host *skb = tn_exec_skb(ex, ctx);

	return (struct tenon_sock *)(ops ? ops->sk : skb ? skb->sk : NULL);
}

BODY(tn_helper_get_socket_cookie)
{
	const struct tn_socket_ops *ops = ops_of(ex);
	const struct tenon_sock *sk = sock_of(ex, r1);

	return sk && ops->cookie ? ops->cookie(ops->user, sk) : 0;
}

BODY(tn_helper_get_socket_uid)
{
	const struct tn_socket_ops *ops = ops_of(ex);
	const struct tenon_sock *sk = sock_of(ex, r1);

	return sk && ops->uid ? ops->uid(ops->user, sk) : OVERFLOW_UID;
}

/* ctx, level, option, value, its size */
BODY(tn_helper_setsockopt)
{
	const struct tn_socket_ops *ops = ops_of(ex);
	struct tenon_sock *sk = sock_of(ex, r1);

	if (!sk || !ops->setsockopt)
		return fails(KERNEL_ENOTSUPP);
	return result(ops->setsockopt(ops->user, sk, (int)r2, (int)r3, (const void *)(uintptr_t)r4,
				      (uint32_t)r5));
}

/* ctx, level, option, value, its size; filled in every case, as the verifier takes it. */
BODY(tn_helper_getsockopt)
{
	const struct tn_socket_ops *ops = ops_of(ex);
	struct tenon_sock *sk = sock_of(ex, r1);
	void *value = (void *)(uintptr_t)r4;
	int rc;

	memset(value, 0, r5);
	if (!sk || !ops->getsockopt)
		return fails(KERNEL_ENOTSUPP);
	rc = ops->getsockopt(ops->user, sk, (int)r2, (int)r3, value, (uint32_t)r5);
	if (rc < 0)
		memset(value, 0, r5);
	return result(rc);
}

/* ctx, flags; which of them nobody knows */
BODY(tn_helper_sock_ops_cb_flags_set)
{
	struct tn_sock_ops_host *ops = sock_ops_of(ex, r1);

	if (!ops || !ops->is_fullsock)
		return fails(EINVAL);
	ops->bpf_sock_ops_cb_flags = (uint32_t)r2 & KNOWN_CB_FLAGS;
	return (uint32_t)r2 & ~KNOWN_CB_FLAGS;
}

/* ---- Messages ---- */

BODY(tn_helper_msg_apply_bytes)
{
	const struct tn_socket_ops *ops = ops_of(ex);
	struct tn_sk_msg_host *msg = msg_of(ex, r1);

	if (!msg || !ops->msg_apply)
		return fails(KERNEL_ENOTSUPP);
	return result(ops->msg_apply(ops->user, (struct tenon_sk_msg *)msg, (uint32_t)r2));
}

BODY(tn_helper_msg_cork_bytes)
{
	const struct tn_socket_ops *ops = ops_of(ex);
	struct tn_sk_msg_host *msg = msg_of(ex, r1);

	if (!msg || !ops->msg_cork)
		return fails(KERNEL_ENOTSUPP);
	return result(ops->msg_cork(ops->user, (struct tenon_sk_msg *)msg, (uint32_t)r2));
}

/* ctx, start, end, flags */
BODY(tn_helper_msg_pull_data)
{
	const struct tn_socket_ops *ops = ops_of(ex);
	struct tn_sk_msg_host *msg = msg_of(ex, r1);

	if (r4 || (uint32_t)r3 <= (uint32_t)r2)
		return fails(EINVAL);
	if (!msg || !ops->msg_pull)
		return fails(KERNEL_ENOTSUPP);
	return result(
		ops->msg_pull(ops->user, (struct tenon_sk_msg *)msg, (uint32_t)r2, (uint32_t)r3));
}
