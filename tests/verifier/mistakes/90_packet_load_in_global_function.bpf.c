// SPDX-License-Identifier: MIT
// A packet load that fails ends the function that it stands in, not the program.
// expect: E_UNSUPPORTED "packet loads in a subprogram"
#include <tenon/plugin.h>

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 65536);
} ring SEC(".maps");

__noinline int note_byte(struct __sk_buff *skb)
{
	__u32 *record = bpf_ringbuf_reserve(&ring, 8, 0);
	__u64 byte;

	if (!record)
		return -1;
	asm volatile("r6 = %1; r0 = *(u8 *)skb[1000]; %0 = r0" /* HERE */
		     : "=r"(byte)
		     : "r"(skb)
		     : "r0", "r1", "r2", "r3", "r4", "r5", "r6");
	*record = byte;
	bpf_ringbuf_submit(record, 0);
	return 1;
}

SEC("tc")
int on_frame(struct __sk_buff *skb)
{
	int n = 0;

	for (int i = 0; i < 200; i++)
		n += note_byte(skb) == 0;
	return n;
}

char _license[] SEC("license") = "MIT";
