// SPDX-License-Identifier: MIT
// The header has no such field on this host, and the program does not ask first.
// expect: E_CORE "iphdr___old.colour" "has no field 'colour'" "ask first"
#include "mistakes.h"

struct iphdr___old {
	__u8 version;
	__u8 colour;
} __attribute__((preserve_access_index));

SEC("hook/request")
int on_request(struct request *req)
{
	const struct iphdr___old *ip = (const void *)req->body;

	if (req->body_len < 20)
		return 0;
	return ip->colour != 0; /* HERE */
}

char _license[] SEC("license") = "MIT";
