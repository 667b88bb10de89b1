// SPDX-License-Identifier: MIT
// Packet programs by the kernel's section names.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int first_byte(struct xdp_md *ctx)
{
	unsigned char *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;

	if (data + 1 > end)
		return XDP_DROP;
	*data += 1;
	return data[0];
}

SEC("tc")
int length(struct __sk_buff *skb)
{
	unsigned char *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;

	if (data + 14 > end)
		return -1;
	skb->mark = data[13];
	return skb->len;
}

SEC("xdp")
int with_metadata(struct xdp_md *ctx)
{
	unsigned char *meta = (void *)(long)ctx->data_meta, *data = (void *)(long)ctx->data;

	if (meta + 4 > data)
		return 40 + (data - meta);
	return meta[0];
}

char _license[] SEC("license") = "GPL";
