// SPDX-License-Identifier: MIT
/* Built against lent.h, or against the header that `tenon gen header` makes of the host. */
#include LENT_HEADER
#ifndef SEC
#define SEC(name) __attribute__((section(name), used))
#endif

SEC("hook/lent")
int weigh(struct lent_ctx *ctx)
{
	if (ctx->user->level != 1 || !ctx->user->guest || ctx->port != 80)
		return 0;
	return (int)lent_weigh(ctx->user, LENT_CALM, ctx->bytes);
}

char _license[] SEC("license") = "GPL";
