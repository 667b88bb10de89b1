// SPDX-License-Identifier: MIT
/* Programs at functions of the host, by the kernel's section names. */
#include <tenon/plugin.h>

#include "typed_api.h"

u64 entered_id, entered_other, left_result, traced;

SEC("fentry/t_conn_or")
int entered(u64 *ctx)
{
	struct conn *c = (struct conn *)ctx[0];

	if (c)
		entered_id = c->id;
	entered_other = ctx[1];
	return 0;
}

SEC("fexit.s/t_conn_or")
int left(u64 *ctx)
{
	left_result = ctx[2];
	return 0;
}

SEC("fmod_ret/t_conn_or")
int modified(u64 *ctx)
{
	return -(int)ctx[1];
}

SEC("lsm/t_conn_or")
int judged(u64 *ctx)
{
	return ctx[1] > 100 ? -13 : 0;
}

/* Results of any value, and arguments by name. */
SEC("tp_btf/t_conn_or")
int BPF_PROG(trace, struct conn *c, u32 other)
{
	traced += other + (c ? c->id : 0);
	return -7;
}
