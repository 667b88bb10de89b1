// SPDX-License-Identifier: MIT
/* A variable of the host, as large as the host's and of another type. */
#include <tenon/plugin.h>

extern const u32 h_counter[2] __ksym;

SEC("hook/visit")
long first(void *ctx)
{
	return h_counter[0];
}

char _license[] SEC("license") = "GPL";
