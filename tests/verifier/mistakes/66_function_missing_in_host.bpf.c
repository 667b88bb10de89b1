// SPDX-License-Identifier: MIT
// A weak function is called without asking for it.
// expect: E_CALL "geo_lookup" "if (geo_lookup"
#include "mistakes.h"

extern int geo_lookup(__u32 address) __ksym __weak;

SEC("hook/request")
int on_request(struct request *req)
{
	return geo_lookup(req->kind) > 0; /* HERE */
}

char _license[] SEC("license") = "MIT";
