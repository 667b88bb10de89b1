// SPDX-License-Identifier: MIT
// The text fills its array to the last byte.
// expect: E_ARG "NUL"
#include "mistakes.h"

static const char word[4] = "GET ";

SEC("hook/request")
int on_request(struct request *req)
{
	if (req->path_len < 4)
		return 0;
	return bpf_strncmp((const char *)req->path, 4, word) == 0; /* HERE */
}

char _license[] SEC("license") = "MIT";
