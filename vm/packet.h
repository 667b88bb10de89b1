/* SPDX-License-Identifier: MIT */
/* The host's side of packet contexts, for the helpers. They are told apart by their sizes, which
 * packet_edit.c asserts to differ. */
#ifndef TN_VM_PACKET_H
#define TN_VM_PACKET_H

#include "vm/ctx_type.h"
#include "vm/exec.h"
#include "vm/image.h"
#include "vm/interp.h"

#define TN_ETHERNET_BYTES 14u

static inline void *tn_exec_packet_ctx(const struct tn_exec *ex, uint64_t ctx, size_t host_size)
{
	const struct tn_ctx_type *type = ex->prog->ctx_type;

	return type && type->is_packet && type->host_size == host_size ? (void *)(uintptr_t)ctx
								       : NULL;
}

/* NULL: the running program's context is of the other kind, or no packet. */
static inline struct tn_xdp_host *tn_exec_xdp(const struct tn_exec *ex, uint64_t ctx)
{
	return tn_exec_packet_ctx(ex, ctx, sizeof(struct tn_xdp_host));
}

static inline struct tn_skb_host *tn_exec_skb(const struct tn_exec *ex, uint64_t ctx)
{
	return tn_exec_packet_ctx(ex, ctx, sizeof(struct tn_skb_host));
}

#endif
