// SPDX-License-Identifier: MIT
// The lock is not released where there is nothing to move.
// expect: E_LOCK "still held" "bpf_spin_unlock() on every path"
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
	struct account *a = account_of(req->kind);

	if (!a)
		return 0;
	bpf_spin_lock(&a->lock);
	if (!a->debit)
		return 1;
	a->debit--;
	a->credit++;
	bpf_spin_unlock(&a->lock);
	return 0;
} /* HERE */

char _license[] SEC("license") = "GPL";
