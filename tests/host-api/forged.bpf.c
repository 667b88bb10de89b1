// SPDX-License-Identifier: MIT
// A timer and a lock that the object's file fills with bytes of its own.
#include <tenon/plugin.h>
#include "request.h"

struct bpf_timer forged = { .opaque = { 0x4141414141414140ull, 1 } };

SEC("hook/timers")
int timers(struct request *req)
{
	return bpf_timer_cancel(&forged);
}

char _license[] SEC("license") = "GPL";
