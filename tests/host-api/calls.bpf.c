// SPDX-License-Identifier: MIT
// Callbacks, iterators, dynptrs, functions that are proved once: each program gives its number.
#include <tenon/plugin.h>
#include "request.h"

struct pair {
	unsigned int a, b;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8);
	__type(key, unsigned int);
	__type(value, unsigned long long);
} table SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} ring SEC(".maps");

unsigned char buffer[32];
unsigned int filled;

SEC("hook/for_sum")
int for_sum(struct request *req)
{
	int i, j, sum = 0;

	bpf_for(i, 0, 10)
	{
		bpf_for(j, 0, i) sum++;
		if (i == 8)
			break;
	}
	bpf_repeat(6) sum++;
	return sum; /* 36 + 6 */
}

static long add_value(void *map, const unsigned int *key, unsigned long long *value, void *ctx)
{
	*(unsigned long long *)ctx += *key * *value;
	return 0;
}

SEC("hook/each_elem")
int each_elem(struct request *req)
{
	unsigned long long sum = 0, value = 2;
	unsigned int key;

	for (key = 1; key <= 6; key++)
		bpf_map_update_elem(&table, &key, &value, 0);
	if (bpf_for_each_map_elem(&table, add_value, &sum, 0) != 6)
		return 1;
	return sum; /* 2 * 21 */
}

__noinline int sum_of(struct pair *p, int more)
{
	return p ? p->a + p->b + more : -1;
}

__noinline int product_of(struct pair *p __arg_nonnull)
{
	return p->a * p->b;
}

__noinline int kind_of(struct request *req __arg_ctx)
{
	return req->kind;
}

SEC("hook/globals")
int globals(struct request *req)
{
	struct pair p = { 3, 4 };

	return sum_of(&p, 5) + sum_of(NULL, 5) + product_of(&p) * 2 +
	       kind_of(req); /* 12 - 1 + 24 + 7 */
}

SEC("hook/dynptrs")
int dynptrs(struct request *req)
{
	struct bpf_dynptr memory, copy, record;
	unsigned int in = 0x2a2b2c2d, out = 0, *slice;

	bpf_dynptr_from_mem(buffer, sizeof(buffer), 0, &memory);
	if (bpf_dynptr_write(&memory, 4, &in, sizeof(in), 0) ||
	    bpf_dynptr_write(&memory, 30, &in, sizeof(in), 0) != -7) /* E2BIG */
		return 1;
	if (bpf_dynptr_clone(&memory, &copy) || bpf_dynptr_adjust(&copy, 4, 20) ||
	    bpf_dynptr_size(&copy) != 16 || bpf_dynptr_size(&memory) != 32)
		return 2;
	slice = bpf_dynptr_data(&copy, 0, sizeof(*slice));
	if (!slice || *slice != in || bpf_dynptr_data(&copy, 14, 4))
		return 3;
	bpf_ringbuf_reserve_dynptr(&ring, 8, 0, &record);
	if (bpf_dynptr_is_null(&record) || bpf_dynptr_write(&record, 0, &in, sizeof(in), 0)) {
		bpf_ringbuf_discard_dynptr(&record, 0);
		return 4;
	}
	bpf_dynptr_read(&out, sizeof(out), &record, 0, 0);
	bpf_ringbuf_submit_dynptr(&record, 0);
	return out >> 24; /* 42 */
}

SEC("hook/text")
int text(struct request *req)
{
	char digits[8] = "0x20 ";
	unsigned long n;
	char seen[8] = "x";

	if (bpf_strtoul(digits, sizeof(digits), 0, &n) != 4)
		return 1;
	if (bpf_copy_from_user(seen, 4, digits) || seen[1] != 'x')
		return 3;
	return n + 10;
}

SEC("hook/any_address")
int any_address(struct request *req)
{
	char seen[8] = "x";

	return bpf_copy_from_user(seen, 4, (void *)-4096) < 0 && !seen[0] ? 42 : 1;
}

static long throw_at_three(unsigned int i, void *ctx)
{
	if (i == 3)
		bpf_throw(42);
	return 0;
}

__noinline int throws_deeply(int rounds)
{
	bpf_loop(rounds, throw_at_three, NULL, 0);
	return 1;
}

SEC("hook/thrown")
int thrown(struct request *req)
{
	void *record = bpf_ringbuf_reserve(&ring, 8, 0);

	if (!record)
		return 2;
	if (throws_deeply(req->kind) == 1) {
		bpf_ringbuf_discard(record, 0);
		return 3;
	}
	bpf_ringbuf_submit(record, 0);
	return 4;
}

struct alarm {
	unsigned long long count;
	struct bpf_timer timer;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, unsigned int);
	__type(value, struct alarm);
} alarms SEC(".maps"), others SEC(".maps");

static int ring_once(void *map, const unsigned int *key, struct alarm *value)
{
	value->count += *key;
	bpf_timer_start(&value->timer, 1000, 0);
	return 0;
}

SEC("hook/timers")
int timers(struct request *req)
{
	unsigned int key = 1;
	struct alarm *alarm = bpf_map_lookup_elem(&alarms, &key);

	if (!alarm || bpf_timer_init(&alarm->timer, &alarms, 1))
		return 1;
	if (bpf_timer_set_callback(&alarm->timer, ring_once) ||
	    bpf_timer_start(&alarm->timer, 1, 0) != -95)
		return 3;
	return alarm->count ? 2 : 42;
}

// Each of these is refused.

static int ring_wrongly(void *map, const unsigned int *key, struct alarm *value)
{
	return *key;
}

SEC("?hook/timer_result")
int timer_result(struct request *req)
{
	unsigned int key = 1;
	struct alarm *alarm = bpf_map_lookup_elem(&alarms, &key);

	if (alarm)
		bpf_timer_set_callback(&alarm->timer, ring_wrongly);
	return 0;
}

static int ring_beyond(void *map, const unsigned int *key, struct alarm *value)
{
	(void)((const volatile unsigned int *)key)[1];
	return 0;
}

SEC("?hook/timer_key")
int timer_key(struct request *req)
{
	unsigned int key = 1;
	struct alarm *alarm = bpf_map_lookup_elem(&alarms, &key);

	if (alarm)
		bpf_timer_set_callback(&alarm->timer, ring_beyond);
	return key;
}

SEC("?hook/timer_map")
int timer_map(struct request *req)
{
	unsigned int key = 1;
	struct alarm *alarm = bpf_map_lookup_elem(&alarms, &key);

	if (alarm)
		bpf_timer_init(&alarm->timer, &others, 1);
	return 0;
}

SEC("?hook/timer_place")
int timer_place(struct request *req)
{
	unsigned int key = 1;
	struct alarm *alarm = bpf_map_lookup_elem(&alarms, &key);

	if (alarm)
		bpf_timer_start((struct bpf_timer *)&alarm->count, 1, 0);
	return 0;
}

__noinline int no_test(struct pair *p)
{
	return p->a;
}

SEC("?hook/no_test")
int calls_no_test(struct request *req)
{
	struct pair p = { 1, 2 };

	return no_test(&p);
}

SEC("?hook/context_as_memory")
int context_as_memory(struct request *req)
{
	return sum_of((struct pair *)req, 1);
}

SEC("?hook/null_for_nonnull")
int null_for_nonnull(struct request *req)
{
	return product_of(NULL);
}

SEC("?hook/short_memory")
int short_memory(struct request *req)
{
	unsigned int half = 1;

	return product_of((struct pair *)&half);
}

SEC("?hook/not_the_context")
int not_the_context(struct request *req)
{
	struct request copy = {};

	return kind_of(&copy);
}

char _license[] SEC("license") = "GPL";
