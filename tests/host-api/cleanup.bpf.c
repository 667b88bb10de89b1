/* SPDX-License-Identifier: MIT */
/* A packet load past the packet's end ends the program, which holds a reference then. */
#include <tenon/plugin.h>

struct conn;
extern struct conn *must_get(__u32 kind) __ksym;
extern void put(struct conn *conn) __ksym;

__u64 load_byte(void *skb, __u64 off) __asm__("llvm.bpf.load.byte");

SEC("tc") int load_while_holding(struct __sk_buff *skb)
{
	struct conn *conn = must_get(1);
	__u64 byte = load_byte(skb, 80);

	put(conn);
	return (int)byte;
}

char _license[] SEC("license") = "MIT";
