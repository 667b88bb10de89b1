/* SPDX-License-Identifier: MIT */
/* Records in a function that several programs call. */
#include "core/types.h"

static __noinline u64 sum(struct conn *c)
{
	return c->id + c->len;
}

SEC("core") int calls_first(struct conn *c)
{
	return (int)sum(c);
}

SEC("core") int calls_again(struct conn *c)
{
	return (int)sum(c) + c->proto;
}

char _license[] SEC("license") = "MIT";
