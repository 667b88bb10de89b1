// SPDX-License-Identifier: MIT
// The iterator is asked for more after its end.
// expect: E_ARG "iterator" "bpf_iter_num_destroy()"
#include "mistakes.h"

SEC("hook/request")
int on_request(struct request *req)
{
	struct bpf_iter_num it;
	int *i;

	bpf_iter_num_new(&it, 0, 10);
	bpf_iter_num_destroy(&it);
	i = bpf_iter_num_next(&it); /* HERE */
	return i ? 1 : 0;
}

char _license[] SEC("license") = "GPL";
