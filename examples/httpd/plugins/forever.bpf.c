/* SPDX-License-Identifier: MIT */
/* Waits for a flag that nobody sets: safe for memory, so it is accepted, and ended by its fuel. */
#include <tenon/plugin.h>
#include "http_plugin.h"

volatile __u64 flag;

SEC("hook/request")
int wait_for_flag(struct http_request *ctx)
{
	while (!flag)
		;
	return 500;
}

char _license[] SEC("license") = "MIT";
