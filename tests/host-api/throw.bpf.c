// SPDX-License-Identifier: MIT
// Programs that throw: each gives its number, in both engines.
#include <tenon/plugin.h>
#include "request.h"

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} ring SEC(".maps");

unsigned long long seen;

__noinline int add_two(unsigned long long cookie)
{
	seen += cookie;
	return cookie + 2;
}

static long throw_at_three(unsigned int i, void *ctx)
{
	void *record = bpf_ringbuf_reserve(&ring, 8, 0);

	if (!record)
		return 1;
	if (i == 3)
		bpf_throw(40);
	bpf_ringbuf_discard(record, 0);
	return 0;
}

__noinline int throws_deeply(int rounds)
{
	bpf_loop(rounds, throw_at_three, NULL, 0);
	return 1;
}

SEC("hook/plainly") __exception_cb(add_two) int plainly(struct request *req)
{
	if (req->kind == 7)
		bpf_throw(40);
	return 1;
}

SEC("hook/deeply") __exception_cb(add_two) int deeply(struct request *req)
{
	void *record = bpf_ringbuf_reserve(&ring, 8, 0);
	int got;

	if (!record)
		return 2;
	got = throws_deeply(req->kind);
	bpf_ringbuf_discard(record, 0);
	return got;
}

__noinline int submits(unsigned long long cookie)
{
	void *record = bpf_ringbuf_reserve(&ring, 8, 0);
	int i, sum = 0;

	if (!record)
		return 3;
	bpf_for(i, 0, cookie) sum++;
	bpf_ringbuf_submit(record, 0);
	return sum;
}

SEC("hook/releases") __exception_cb(submits) int releases(struct request *req)
{
	void *record = bpf_ringbuf_reserve(&ring, 8, 0);

	if (!record)
		return 4;
	if (req->kind == 7)
		bpf_throw(42);
	bpf_ringbuf_discard(record, 0);
	return 5;
}

static int f7(int i)
{
	if (i == 7)
		bpf_throw(39);
	return i;
}

#define CALLS(name, callee)               \
	static __noinline int name(int i) \
	{                                 \
		volatile int got = 0;     \
		got += callee(i);         \
		return got + 1;           \
	}
CALLS(f6, f7)
CALLS(f5, f6)
CALLS(f4, f5)
CALLS(f3, f4)
CALLS(f2, f3)
CALLS(f1, f2)

static __noinline int nothing_more(unsigned long long cookie)
{
	volatile int got = cookie;

	return got + 1;
}

__noinline int add_three(unsigned long long cookie)
{
	return nothing_more(cookie) + 2;
}

SEC("hook/at_most_depth") __exception_cb(add_three) int at_most_depth(struct request *req)
{
	return f1(req->kind);
}

SEC("hook/only_exit") __exception_cb(add_two) int only_exit(struct request *req)
{
	volatile unsigned int i = 0;

	for (;;)
		if (++i == 40)
			bpf_throw(i);
}

SEC("hook/in_target") __exception_cb(add_two) int target(struct request *req)
{
	bpf_throw(req->kind + 33);
	return 0;
}

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, unsigned int);
	__array(values, int(void *));
} targets SEC(".maps") = {
	.values = { (void *)&target },
};

__noinline int times_two(unsigned long long cookie)
{
	return cookie * 2;
}

SEC("hook/in_target") __exception_cb(times_two) int in_target(struct request *req)
{
	bpf_tail_call(req, &targets, 0);
	bpf_throw(3);
	return 0;
}

__noinline int without_end(unsigned long long cookie)
{
	volatile unsigned long long i = 0;

	while (i != cookie)
		i += 2;
	return 1;
}

SEC("hook/never_done") __exception_cb(without_end) int never_done(struct request *req)
{
	bpf_throw(req->kind);
	return 2;
}

__noinline int cut_to_31(unsigned long long cookie)
{
	return cookie & 31;
}

SEC("hook/cut") __exception_cb(cut_to_31) int cut(struct request *req)
{
	bpf_throw(req->kind);
	return 2;
}

// Each of these is refused.

__noinline int throws_again(unsigned long long cookie)
{
	if (cookie > 3)
		bpf_throw(cookie);
	return 0;
}

SEC("?hook/again") __exception_cb(throws_again) int again(struct request *req)
{
	bpf_throw(1);
	return 0;
}

SEC("?hook/called") __exception_cb(times_two) int called(struct request *req)
{
	return times_two(req->kind);
}

__noinline int of_two(unsigned long long cookie, int more)
{
	return cookie + more;
}

SEC("?hook/two_arguments") __exception_cb(of_two) int two_arguments(struct request *req)
{
	bpf_throw(1);
	return 0;
}

__noinline int leaks(unsigned long long cookie)
{
	return !bpf_ringbuf_reserve(&ring, 8, 0);
}

SEC("?hook/keeps_record") __exception_cb(leaks) int keeps_record(struct request *req)
{
	bpf_throw(1);
	return 0;
}

SEC("?hook/two_callbacks")
__exception_cb(times_two) __exception_cb(add_two) int two_callbacks(struct request *req)
{
	bpf_throw(1);
	return 0;
}

SEC("?hook/missing") __exception_cb(nowhere) int missing(struct request *req)
{
	bpf_throw(1);
	return 0;
}

char _license[] SEC("license") = "GPL";
