/* SPDX-License-Identifier: MIT */
/* The kernel's contexts that a host can declare hooks with. */
#include <stddef.h>
#include <string.h>

#include "base/compiler.h"
#include "host-api/host_type.h"
#include "vm/ctx_socket.h"

#define SAME(public, host, member) \
	(offsetof(struct public, member) == offsetof(struct host, member))
_Static_assert(sizeof(struct tenon_sock) == sizeof(struct tn_sock_host) &&
		       SAME(tenon_sock, tn_sock_host, src_ip4) &&
		       SAME(tenon_sock, tn_sock_host, dst_port) &&
		       SAME(tenon_sock, tn_sock_host, dst_ip4) &&
		       SAME(tenon_sock, tn_sock_host, rx_queue_mapping),
	       "tenon_sock");
_Static_assert(sizeof(struct tenon_sock_ops) == 224 &&
		       sizeof(struct tenon_sock_ops) == sizeof(struct tn_sock_ops_host) &&
		       SAME(tenon_sock_ops, tn_sock_ops_host, reply) &&
		       SAME(tenon_sock_ops, tn_sock_ops_host, family) &&
		       SAME(tenon_sock_ops, tn_sock_ops_host, bpf_sock_ops_cb_flags) &&
		       SAME(tenon_sock_ops, tn_sock_ops_host, sk_txhash) &&
		       SAME(tenon_sock_ops, tn_sock_ops_host, sk) &&
		       SAME(tenon_sock_ops, tn_sock_ops_host, skb_data_end) &&
		       SAME(tenon_sock_ops, tn_sock_ops_host, skb_hwtstamp),
	       "tenon_sock_ops");
_Static_assert(sizeof(struct tenon_sk_msg) == 80 &&
		       sizeof(struct tenon_sk_msg) == sizeof(struct tn_sk_msg_host) &&
		       SAME(tenon_sk_msg, tn_sk_msg_host, data_end) &&
		       SAME(tenon_sk_msg, tn_sk_msg_host, size) &&
		       SAME(tenon_sk_msg, tn_sk_msg_host, sk),
	       "tenon_sk_msg");
_Static_assert(sizeof(struct tenon_sk_reuseport) == 56 &&
		       sizeof(struct tenon_sk_reuseport) == sizeof(struct tn_sk_reuseport_host) &&
		       SAME(tenon_sk_reuseport, tn_sk_reuseport_host, hash) &&
		       SAME(tenon_sk_reuseport, tn_sk_reuseport_host, migrating_sk),
	       "tenon_sk_reuseport");
_Static_assert(sizeof(struct tenon_flow_keys) == 56 &&
		       sizeof(struct tenon_flow_keys) == sizeof(struct tn_flow_keys_host) &&
		       SAME(tenon_flow_keys, tn_flow_keys_host, n_proto) &&
		       SAME(tenon_flow_keys, tn_flow_keys_host, flags),
	       "tenon_flow_keys");
_Static_assert(SAME(tenon_sk_buff, tn_skb_host, flow_keys), "tenon_sk_buff");

enum { XDP, SKB, SOCK_OPS, SK_MSG, SK_REUSEPORT, FLOW_DISSECTOR, SK_SKB, NR_CONTEXTS };

#define CONTEXT(name_, host)                                                                      \
	{                                                                                         \
		.sz = sizeof(struct tenon_ctx_type), .name = (name_), .size = sizeof(struct host) \
	}

/* Under the keys of vm/ctx_types.def. */
static const struct tenon_ctx_type contexts[NR_CONTEXTS] = {
	[XDP] = CONTEXT("xdp_md", tenon_xdp_md),
	[SKB] = CONTEXT("__sk_buff", tenon_sk_buff),
	[SOCK_OPS] = CONTEXT("bpf_sock_ops", tenon_sock_ops),
	[SK_MSG] = CONTEXT("sk_msg_md", tenon_sk_msg),
	[SK_REUSEPORT] = CONTEXT("sk_reuseport_md", tenon_sk_reuseport),
	[FLOW_DISSECTOR] = CONTEXT("flow_dissector", tenon_sk_buff),
	[SK_SKB] = CONTEXT("sk_skb", tenon_sk_buff),
};

bool tn_ctx_is_builtin(const struct tenon_ctx_type *ctx)
{
	for (int i = 0; i < NR_CONTEXTS; i++)
		if (ctx == &contexts[i])
			return true;
	return false;
}

const struct tenon_ctx_type *tn_ctx_builtin_named(const char *name)
{
	for (int i = 0; i < NR_CONTEXTS; i++)
		if (!strcmp(name, contexts[i].name))
			return &contexts[i];
	return NULL;
}

const struct tenon_ctx_type *tenon_ctx_xdp(void)
{
	return &contexts[XDP];
}

const struct tenon_ctx_type *tenon_ctx_skb(void)
{
	return &contexts[SKB];
}

const struct tenon_ctx_type *tenon_ctx_sock_ops(void)
{
	return &contexts[SOCK_OPS];
}

const struct tenon_ctx_type *tenon_ctx_sk_msg(void)
{
	return &contexts[SK_MSG];
}

const struct tenon_ctx_type *tenon_ctx_sk_reuseport(void)
{
	return &contexts[SK_REUSEPORT];
}

const struct tenon_ctx_type *tenon_ctx_flow_dissector(void)
{
	return &contexts[FLOW_DISSECTOR];
}

const struct tenon_ctx_type *tenon_ctx_sk_skb(void)
{
	return &contexts[SK_SKB];
}
