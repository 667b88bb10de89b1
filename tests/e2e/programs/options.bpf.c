// SPDX-License-Identifier: MIT
// What the load options decide about.
#include <tenon/plugin.h>

SEC("?xdp")
int returns_address(struct xdp_md *xdp)
{
	return (int)(long)(void *)(long)xdp->data;
}

SEC("xdp")
int reads_unaligned(struct xdp_md *xdp)
{
	unsigned char *data = (void *)(long)xdp->data;

	if (data + 8 > (unsigned char *)(long)xdp->data_end)
		return 0;
	return *(unsigned int *)(data + 3) & 3;
}

char _license[] SEC("license") = "GPL";
