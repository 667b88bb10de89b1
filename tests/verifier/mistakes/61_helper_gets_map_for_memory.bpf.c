// SPDX-License-Identifier: MIT
// The map is given where a value of it is meant.
// expect: E_ARG "log_line" "map 'counters'" "bpf_map_lookup_elem"
#include "mistakes.h"

SEC("hook/request")
int on_request(struct request *req)
{
	return log_line(&counters, 8) < 0; /* HERE */
}

char _license[] SEC("license") = "MIT";
