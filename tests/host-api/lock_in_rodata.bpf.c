// SPDX-License-Identifier: MIT
// A lock where nothing can be written.
#include <tenon/plugin.h>
#include "request.h"

const volatile struct bpf_spin_lock lock SEC(".rodata");

SEC("hook/timers")
int timers(struct request *req)
{
	bpf_spin_lock((struct bpf_spin_lock *)&lock);
	bpf_spin_unlock((struct bpf_spin_lock *)&lock);
	return 0;
}

char _license[] SEC("license") = "GPL";
