// SPDX-License-Identifier: MIT
// Both accounts are locked at once.
// expect: E_LOCK "lock" "release the first"
#include "mistakes.h"

struct account {
	struct bpf_spin_lock lock;
	__u32 debit, credit;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct account);
	__uint(max_entries, 4);
} accounts SEC(".maps");

static __always_inline struct account *account_of(__u32 kind)
{
	return bpf_map_lookup_elem(&accounts, &kind);
}

SEC("hook/request")
int on_request(struct request *req)
{
	struct account *from = account_of(req->kind), *to = account_of(req->flags);

	if (!from || !to)
		return 0;
	bpf_spin_lock(&from->lock);
	bpf_spin_lock(&to->lock); /* HERE */
	from->debit++;
	to->credit++;
	bpf_spin_unlock(&to->lock);
	bpf_spin_unlock(&from->lock);
	return 0;
}

char _license[] SEC("license") = "GPL";
