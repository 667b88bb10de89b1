/* SPDX-License-Identifier: MIT */
/* The host's devices, for the helpers of packet programs. */
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
	};
	return 0;
}
