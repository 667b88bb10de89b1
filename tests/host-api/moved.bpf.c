// SPDX-License-Identifier: MIT
// Compiled against a host whose struct had another member.
#define OTHER_LAYOUT
#include <tenon/plugin.h>
#include "request.h"

SEC("hook/request")
int judge(struct request *req)
{
	return req->verdict;
}

char _license[] SEC("license") = "MIT";
