/* SPDX-License-Identifier: MIT */
/* The host's devices and connections, for the helpers of packet and socket programs. */
#include <errno.h>

#include "host-api/runtime.h"

int tenon_runtime_set_packet_ops(struct tenon_runtime *rt, const struct tenon_packet_ops *ops)
{
	struct tenon_packet_ops want;
	int rc;

	if (!rt || !ops)
		return tn_err(-EINVAL, "tenon_runtime_set_packet_ops: an argument is NULL");
	rc = tn_opts_read("tenon_packet_ops", ops, &want, sizeof(want));
	if (rc)
		return rc;
	rt->rt.packet_ops = (struct tn_packet_ops){
		.clone_redirect = want.clone_redirect,
		.mtu = want.mtu,
		.user = want.user,
		.port = want.port,
	};
	return 0;
}

int tenon_runtime_set_socket_ops(struct tenon_runtime *rt, const struct tenon_socket_ops *ops)
{
	struct tenon_socket_ops want;
	int rc;

	if (!rt || !ops)
		return tn_err(-EINVAL, "tenon_runtime_set_socket_ops: an argument is NULL");
	rc = tn_opts_read("tenon_socket_ops", ops, &want, sizeof(want));
	if (rc)
		return rc;
	rt->rt.socket_ops = (struct tn_socket_ops){
		.cookie = want.cookie,
		.uid = want.uid,
		.setsockopt = want.setsockopt,
		.getsockopt = want.getsockopt,
		.msg_apply = want.msg_apply,
		.msg_cork = want.msg_cork,
		.msg_pull = want.msg_pull,
		.user = want.user,
	};
	return 0;
}
