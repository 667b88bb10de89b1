// SPDX-License-Identifier: MIT
// The clock is asked while the lock is held.
// expect: E_LOCK "calls are not allowed" "before the lock is taken"
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
	a->credit = bpf_ktime_get_ns(); /* HERE */
	bpf_spin_unlock(&a->lock);
	return 0;
}

char _license[] SEC("license") = "GPL";
