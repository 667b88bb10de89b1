// SPDX-License-Identifier: MIT
// Who leaves the loop early must destroy the iterator.
// expect: E_REFERENCE "bpf_iter_num_new" "bpf_iter_num_destroy()"
#include "mistakes.h"

SEC("hook/request")
int on_request(struct request *req)
{
	struct bpf_iter_num it;
	int *i;

	bpf_iter_num_new(&it, 0, 10);
	while ((i = bpf_iter_num_next(&it)))
		if (*i == 5) /* HERE */
			return 1;
	bpf_iter_num_destroy(&it);
	return 0;
}

char _license[] SEC("license") = "GPL";
