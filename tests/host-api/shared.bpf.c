// SPDX-License-Identifier: MIT
// Values with a lock, maps of maps, and samples of the host.
#include <tenon/plugin.h>
#include "request.h"

struct account {
	unsigned long long pad;
	struct bpf_spin_lock lock;
	unsigned int debit, credit;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, unsigned int);
	__type(value, struct account);
} accounts SEC(".maps");

// Both sides change together, whatever else runs.
SEC("hook/transfer")
int transfer(struct request *req)
{
	unsigned int key = 0, differ;
	struct account *a = bpf_map_lookup_elem(&accounts, &key);

	if (!a)
		return -1;
	bpf_spin_lock(&a->lock);
	differ = a->debit != a->credit;
	a->debit++;
	a->credit++;
	bpf_spin_unlock(&a->lock);
	return differ;
}

static struct bpf_spin_lock global_lock;
static unsigned int left, right;

SEC("hook/transfer_global")
int transfer_global(struct request *req)
{
	unsigned int differ;

	bpf_spin_lock(&global_lock);
	differ = left != right;
	left++;
	right++;
	bpf_spin_unlock(&global_lock);
	return differ;
}

struct inner {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, unsigned int);
	__type(value, unsigned int);
} first SEC(".maps"), second SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 2);
	__type(key, unsigned int);
	__array(values, struct inner);
} outer SEC(".maps") = { .values = { &first } };

SEC("hook/count_in")
int count_in(struct request *req)
{
	unsigned int key = req->kind, zero = 0, *n;
	void *map = bpf_map_lookup_elem(&outer, &key);

	if (!map)
		return -1;
	n = bpf_map_lookup_elem(map, &zero);
	return n ? (int)++*n : -2;
}

struct {
	__uint(type, BPF_MAP_TYPE_USER_RINGBUF);
	__uint(max_entries, 4096);
} samples SEC(".maps");

static long add_sample(struct bpf_dynptr *sample, void *ctx)
{
	unsigned int *sum = ctx, *n = bpf_dynptr_data(sample, 0, sizeof(*n));

	if (n)
		*sum += *n;
	return n && *n == 99;
}

SEC("hook/drain")
int drain(struct request *req)
{
	unsigned int sum = 0;
	long nr = bpf_user_ringbuf_drain(&samples, add_sample, &sum, 0);

	return nr < 0 ? (int)nr : (int)(sum * 100 + nr);
}
