/* SPDX-License-Identifier: MIT */
/* The Internet checksum (RFC 1071) over the packet, in 16-bit words. */
#include "work.h"

WORK(checksum)
{
	__u16 *words = (__u16 *)data;
	__u64 sum = 0;

	for (int i = 0; i < WORK_BYTES / 2; i++)
		sum += words[i];
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (__u16)~sum;
}
