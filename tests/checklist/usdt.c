/* SPDX-License-Identifier: MIT */
/* A program of a USDT probe as libbpf's headers make it: its arguments come out of two maps that
 * who attaches it fills. */
#define __TARGET_ARCH_x86
#include <linux/bpf.h>
#include <linux/ptrace.h>
#include <stdbool.h>

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/usdt.bpf.h>

__u64 sum;

SEC("usdt/libprobed.so:tenon:forms")
int BPF_USDT(on_forms, int first, __u64 second)
{
	sum += first + second + bpf_usdt_arg_cnt(ctx);
	return 0;
}

char _license[] SEC("license") = "GPL";
