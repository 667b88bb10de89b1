// SPDX-License-Identifier: MIT
/* The shapes of tracing programs, written against vmlinux.h: arguments by position and register. */
#include "vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "GPL";

struct seen {
	__u64 parms[5];
	__u64 sum, calls;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 5);
	__type(key, __u32);
	__type(value, struct seen);
} seen SEC(".maps");

SEC("raw_tp")
int raw_args(struct bpf_raw_tracepoint_args *ctx)
{
	__u32 key = 0;
	struct seen *s = bpf_map_lookup_elem(&seen, &key);

	if (!s)
		return -1;
	s->parms[0] = ctx->args[0];
	s->parms[1] = ctx->args[1];
	s->calls++;
	return (int)(ctx->args[0] + 2 * ctx->args[1]);
}

SEC("raw_tp")
int BPF_PROG(raw_named, __u64 first, int second)
{
	__u32 key = 1;
	struct seen *s = bpf_map_lookup_elem(&seen, &key);

	if (!s)
		return -1;
	s->parms[0] = first;
	s->parms[1] = second;
	s->calls++;
	return second;
}

SEC("uprobe")
int probe_regs(struct pt_regs *ctx)
{
	__u32 key = 2;
	struct seen *s = bpf_map_lookup_elem(&seen, &key);

	if (!s)
		return 0;
	s->parms[0] = PT_REGS_PARM1(ctx);
	s->parms[1] = PT_REGS_PARM2(ctx);
	s->parms[2] = PT_REGS_PARM3_CORE(ctx);
	s->parms[3] = PT_REGS_PARM4_CORE(ctx);
	s->parms[4] = PT_REGS_PARM5(ctx);
	s->calls++;
	return 0;
}

SEC("uprobe")
int BPF_KPROBE(probe_named, int a, long b, unsigned char c)
{
	__u32 key = 3;
	struct seen *s = bpf_map_lookup_elem(&seen, &key);

	if (!s)
		return 0;
	s->sum += a + b * c;
	s->calls++;
	return 0;
}

/* What a function's pointers lead to: a chain by fields of the kernel's types, text, and places
 * that are not there. */
SEC("uprobe")
int BPF_KPROBE(probe_pointers, struct list_head *list, const char *name)
{
	__u32 key = 4;
	struct seen *s = bpf_map_lookup_elem(&seen, &key);
	__u64 nothing = 1;

	if (!s)
		return 0;
	s->parms[0] += BPF_CORE_READ_USER(list, next, prev) == list;
	s->parms[1] = (__u64)BPF_CORE_READ_USER(list, prev);
	s->parms[2] = bpf_probe_read_user_str(&s->parms[3], sizeof(s->parms[3]), name);
	s->parms[4] = bpf_probe_read_user(&nothing, sizeof(nothing), NULL);
	s->sum += nothing;
	s->calls++;
	return 0;
}
