// SPDX-License-Identifier: MIT
// Timers and workqueues: what the helpers give is what the program gives, `kind` says what it does.
#include <tenon/plugin.h>
#include "request.h"
#include "timers.h"

struct element {
	__u64 count;
	struct bpf_timer timer;
	struct bpf_wq work;
	__u64 mode;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, __u64);
	__type(value, struct element);
} elements SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, struct element);
} slots SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} ring SEC(".maps");

__u64 calls, last_key, last_result;

static int on_timer(void *map, const __u64 *key, struct element *e)
{
	__sync_fetch_and_add(&calls, 1);
	last_key = *key;
	e->count++;
	if (e->mode == AGAIN)
		last_result = bpf_timer_start(&e->timer, 100, 0);
	if (e->mode == AGAIN_PAST)
		last_result = bpf_timer_start(&e->timer, 1, 1);
	if (e->mode == DELETE_SELF)
		last_result = bpf_map_delete_elem(&elements, key);
	if (e->mode == CANCEL_SELF)
		last_result = bpf_timer_cancel(&e->timer);
	return 0;
}

static int on_forever(void *map, const __u64 *key, struct element *e)
{
	__u64 *record = bpf_ringbuf_reserve(&ring, 8, 0);

	if (!record)
		return 0;
	__sync_fetch_and_add(&calls, 1);
	while (*(volatile __u64 *)&e->mode == FOREVER)
		e->count++;
	bpf_ringbuf_submit(record, 0);
	return 0;
}

/* Loops whose ends are known, 2^24 rounds of them. */
static __noinline int round_and_round(volatile __u64 *count)
{
	for (__u32 i = 0; i < 1u << 20; i++)
		*count += 1;
	return 0;
}

static int on_long(void *map, const __u64 *key, struct element *e)
{
	round_and_round(&e->count);
	round_and_round(&e->count);
	round_and_round(&e->count);
	round_and_round(&e->count);
	round_and_round(&e->count);
	round_and_round(&e->count);
	round_and_round(&e->count);
	round_and_round(&e->count);
	return 0;
}

static int on_work(void *map, int *key, void *value)
{
	struct element *e = value;

	__sync_fetch_and_add(&calls, 1);
	e->count += 10;
	return 0;
}

static int on_slot(void *map, const __u32 *key, struct element *e)
{
	last_key = *key;
	e->count++;
	return 0;
}

SEC("hook/timers")
int timers(struct request *req)
{
	__u64 key = req->verdict;
	struct element fresh = { .mode = req->verdict >> 8 }, *e;
	__u32 slot = 2;

	switch (req->kind) {
	case MAKE:
		return bpf_map_update_elem(&elements, &key, &fresh, BPF_NOEXIST);
	case DELETE:
		return bpf_map_delete_elem(&elements, &key);
	case UPDATE:
		return bpf_map_update_elem(&elements, &key, &fresh, BPF_EXIST);
	}
	if (req->kind >= SLOT && req->kind <= SLOT_COUNT) {
		if (req->kind == SLOT_UPDATE)
			return bpf_map_update_elem(&slots, &slot, &fresh, 0);
		e = bpf_map_lookup_elem(&slots, &slot);
		if (!e)
			return -1000;
		if (req->kind == SLOT_COUNT)
			return e->count;
		if (bpf_timer_init(&e->timer, &slots, 1) ||
		    bpf_timer_set_callback(&e->timer, on_slot))
			return -1001;
		return bpf_timer_start(&e->timer, 100, 0);
	}
	e = bpf_map_lookup_elem(&elements, &key);
	if (!e)
		return -1000;
	switch (req->kind) {
	case INIT:
		return bpf_timer_init(&e->timer, &elements, 1);
	case CALLBACK:
		return bpf_timer_set_callback(&e->timer, on_timer);
	case START:
		return bpf_timer_start(&e->timer, 100, 0);
	case START_ABS:
		return bpf_timer_start(&e->timer, 1500, 1);
	case CANCEL:
		return bpf_timer_cancel(&e->timer);
	case COUNT:
		return e->count;
	case FLAGS:
		return bpf_timer_start(&e->timer, 100, 4);
	case CLOCK:
		return bpf_timer_init(&e->timer, &elements, 5);
	case REAL:
		return bpf_timer_init(&e->timer, &elements, 0);
	case WORK_INIT:
		return bpf_wq_init(&e->work, &elements, 0);
	case WORK_CALLBACK:
		return bpf_wq_set_callback(&e->work, on_work, 0);
	case WORK_START:
		return bpf_wq_start(&e->work, 0);
	case CALL_LONG:
		return bpf_timer_set_callback(&e->timer, on_long);
	case CALL_FOREVER:
		return bpf_timer_set_callback(&e->timer, on_forever);
	}
	return -1002;
}

char _license[] SEC("license") = "GPL";
