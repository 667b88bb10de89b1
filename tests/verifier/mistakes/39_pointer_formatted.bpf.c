// SPDX-License-Identifier: MIT
// The text shows an address of the host.
// expect: E_LEAK "address"
#include "mistakes.h"

SEC("hook/request")
int on_request(struct request *req)
{
	char line[32];

	BPF_SNPRINTF(line, sizeof(line), "%llx", req->path); /* HERE */
	return line[0] == '7';
}

char _license[] SEC("license") = "MIT";
