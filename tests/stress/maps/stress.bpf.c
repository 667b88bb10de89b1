// SPDX-License-Identifier: MIT
// Everything a program can do to a map, one program an operation. SIDE tells the two objects apart
// that share the maps: one is compiled, the other interpreted.
#include <tenon/plugin.h>
#include "stress.h"

char _license[] SEC("license") = "GPL";

struct stress_value {
	u64_t words[VALUE_WORDS];
};

#define STR_(x)	   #x
#define STR(x)	   STR_(x)
#define HOOK(name) SEC("hook/" STR(SIDE) "_" #name)

#define DECLARE(name, map_type, nr, key_type, create_flags) \
	struct {                                            \
		__uint(type, BPF_MAP_TYPE_##map_type);      \
		__uint(max_entries, nr);                    \
		__uint(map_flags, create_flags);            \
		__type(key, key_type);                      \
		__type(value, struct stress_value);         \
	} name SEC(".maps")

DECLARE(hash, HASH, NR_ENTRIES, struct stress_key, 0);
DECLARE(percpu_hash, PERCPU_HASH, NR_ENTRIES, struct stress_key, 0);
DECLARE(lru_hash, LRU_HASH, LRU_ENTRIES, struct stress_key, 0);
DECLARE(lru_percpu_hash, LRU_PERCPU_HASH, LRU_ENTRIES, struct stress_key, 0);
DECLARE(lpm_trie, LPM_TRIE, NR_ENTRIES, struct stress_key, 1 /* BPF_F_NO_PREALLOC */);
DECLARE(array, ARRAY, NR_ENTRIES, u32_t, 0);
DECLARE(percpu_array, PERCPU_ARRAY, NR_ENTRIES, u32_t, 0);

#define KEYED(name, key_of)                                                               \
	HOOK(update_##name) int update_##name(struct stress_ctx *ctx)                     \
	{                                                                                 \
		struct stress_op *op = ctx->op;                                           \
		return (int)bpf_map_update_elem(&name, key_of(op), op->value, op->flags); \
	}                                                                                 \
	HOOK(lookup_##name) int lookup_##name(struct stress_ctx *ctx)                     \
	{                                                                                 \
		struct stress_op *op = ctx->op;                                           \
		struct stress_value *v = bpf_map_lookup_elem(&name, key_of(op));          \
		if (!v)                                                                   \
			return -2;                                                        \
		__builtin_memcpy(op->value, v, sizeof(*v));                               \
		return 0;                                                                 \
	}                                                                                 \
	HOOK(delete_##name) int delete_##name(struct stress_ctx *ctx)                     \
	{                                                                                 \
		struct stress_op *op = ctx->op;                                           \
		return (int)bpf_map_delete_elem(&name, key_of(op));                       \
	}                                                                                 \
	HOOK(add_##name) int add_##name(struct stress_ctx *ctx)                           \
	{                                                                                 \
		struct stress_op *op = ctx->op;                                           \
		struct stress_value *v = bpf_map_lookup_elem(&name, key_of(op));          \
		if (!v)                                                                   \
			return -2;                                                        \
		v->words[0]++;                                                            \
		return 0;                                                                 \
	}

#define BY_KEY(op)   (&(op)->key)
#define BY_INDEX(op) (&(op)->index)

KEYED(hash, BY_KEY)
KEYED(percpu_hash, BY_KEY)
KEYED(lru_hash, BY_KEY)
KEYED(lru_percpu_hash, BY_KEY)
KEYED(lpm_trie, BY_KEY)
KEYED(array, BY_INDEX)
KEYED(percpu_array, BY_INDEX)

// ---- Values without keys ----

struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, QUEUE_ENTRIES);
	__type(value, struct stress_value);
} queue SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_STACK);
	__uint(max_entries, QUEUE_ENTRIES);
	__type(value, struct stress_value);
} stack SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_BLOOM_FILTER);
	__uint(max_entries, 100000);
	__type(value, u64_t);
} bloom_filter SEC(".maps");

#define KEYLESS(name)                                                    \
	HOOK(push_##name) int push_##name(struct stress_ctx *ctx)        \
	{                                                                \
		return (int)bpf_map_push_elem(&name, ctx->op->value, 0); \
	}                                                                \
	HOOK(pop_##name) int pop_##name(struct stress_ctx *ctx)          \
	{                                                                \
		return (int)bpf_map_pop_elem(&name, ctx->op->value);     \
	}                                                                \
	HOOK(peek_##name) int peek_##name(struct stress_ctx *ctx)        \
	{                                                                \
		return (int)bpf_map_peek_elem(&name, ctx->op->value);    \
	}

KEYLESS(queue)
KEYLESS(stack)

HOOK(push_bloom_filter) int push_bloom(struct stress_ctx *ctx)
{
	return (int)bpf_map_push_elem(&bloom_filter, ctx->op->value, 0);
}

HOOK(peek_bloom_filter) int peek_bloom(struct stress_ctx *ctx)
{
	return (int)bpf_map_peek_elem(&bloom_filter, ctx->op->value);
}

// ---- Rings ----

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 16384);
} ringbuf SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_USER_RINGBUF);
	__uint(max_entries, 16384);
} user_ringbuf SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__uint(key_size, 4);
	__uint(value_size, 4);
} perf_event_array SEC(".maps");

// The first word of a sample names the producer, the second counts: its other words follow from
// these, as many as op->index says.
HOOK(reserve_ringbuf) int reserve_ringbuf(struct stress_ctx *ctx)
{
	struct stress_op *op = ctx->op;
	u64_t *sample = bpf_ringbuf_reserve(&ringbuf, SAMPLE_WORDS * 8, 0);

	if (!sample)
		return -11;
	__builtin_memcpy(sample, op->value, SAMPLE_WORDS * 8);
	if (op->arg)
		bpf_ringbuf_discard(sample, op->flags);
	else
		bpf_ringbuf_submit(sample, op->flags);
	return 0;
}

HOOK(output_ringbuf) int output_ringbuf(struct stress_ctx *ctx)
{
	struct stress_op *op = ctx->op;
	u64_t words = op->index;

	if (words < 2 || words > SAMPLE_WORDS)
		return -22;
	return (int)bpf_ringbuf_output(&ringbuf, op->value, words * 8, op->flags);
}

HOOK(output_perf_event_array) int output_perf(struct stress_ctx *ctx)
{
	struct stress_op *op = ctx->op;
	u64_t words = op->index;

	if (words < 2 || words > SAMPLE_WORDS)
		return -22;
	return (int)bpf_perf_event_output(ctx, &perf_event_array, BPF_F_CURRENT_CPU, op->value,
					  words * 8);
}

struct drained {
	u64_t seen[MAX_PRODUCERS]; // the number that came last
	u64_t nr, bad;
};

static long take_sample(struct bpf_dynptr *dynptr, void *arg)
{
	struct drained *d = arg;
	u64_t head[2], word;
	u32_t i, words;

	d->nr++;
	if (bpf_dynptr_read(head, sizeof(head), dynptr, 0, 0) || head[0] >= MAX_PRODUCERS) {
		d->bad++;
		return 0;
	}
	if (d->seen[head[0]] + 1 != head[1])
		d->bad++;
	d->seen[head[0]] = head[1];
	words = 2 + head[1] % (SAMPLE_WORDS - 2);
	for (i = 2; i < SAMPLE_WORDS && i < words; i++) {
		if (bpf_dynptr_read(&word, 8, dynptr, i * 8, 0) ||
		    word != stress_word((u32_t)head[0], (u32_t)head[1], i))
			d->bad++;
	}
	return 0;
}

// In: what was seen last, in op->value; out: the same, and the numbers taken and wrong.
HOOK(drain_user_ringbuf) int drain_user_ringbuf(struct stress_ctx *ctx)
{
	struct stress_op *op = ctx->op;
	struct drained d;
	long rc;

	__builtin_memcpy(d.seen, op->value, sizeof(d.seen));
	d.nr = 0;
	d.bad = 0;
	rc = bpf_user_ringbuf_drain(&user_ringbuf, take_sample, &d, 0);
	__builtin_memcpy(op->value, d.seen, sizeof(d.seen));
	op->result = d.nr;
	op->arg = d.bad;
	return (int)rc;
}

// ---- Maps of maps, programs, locks, stacks ----

struct inner {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, u32_t);
	__type(value, struct stress_value);
} template SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 8);
	__type(key, u32_t);
	__array(values, struct inner);
} array_of_maps SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH_OF_MAPS);
	__uint(max_entries, 8);
	__type(key, u32_t);
	__array(values, struct inner);
} hash_of_maps SEC(".maps");

#define OUTER(name)                                                               \
	HOOK(inner_##name) int inner_##name(struct stress_ctx *ctx)               \
	{                                                                         \
		struct stress_op *op = ctx->op;                                   \
		u32_t one = 1;                                                    \
		void *map = bpf_map_lookup_elem(&name, &op->index);               \
		struct stress_value *v;                                           \
		if (!map)                                                         \
			return -2;                                                \
		v = bpf_map_lookup_elem(map, &one);                               \
		if (!v)                                                           \
			return -1;                                                \
		__builtin_memcpy(op->value, v, sizeof(*v));                       \
		return (int)bpf_map_update_elem(map, &one, op->value, BPF_EXIST); \
	}

OUTER(array_of_maps)
OUTER(hash_of_maps)

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 4);
	__uint(key_size, 4);
	__uint(value_size, 4);
} prog_array SEC(".maps");

HOOK(call_prog_array) int call_prog_array(struct stress_ctx *ctx)
{
	u32_t index = ctx->op->index;

	ctx->op->arg = 0;
	bpf_tail_call(ctx, &prog_array, index);
	return -2;
}

HOOK(first_prog_array) int first_prog_array(struct stress_ctx *ctx)
{
	ctx->op->arg += 100;
	return 100;
}

HOOK(second_prog_array) int second_prog_array(struct stress_ctx *ctx)
{
	ctx->op->arg += 200;
	return 200;
}

struct locked {
	struct bpf_spin_lock lock;
	u32_t spare;
	u64_t words[VALUE_WORDS];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8);
	__type(key, u32_t);
	__type(value, struct locked);
} spin_lock SEC(".maps");

// Every word is raised under the lock; all are equal when it is held.
HOOK(add_spin_lock) int add_spin_lock(struct stress_ctx *ctx)
{
	struct stress_op *op = ctx->op;
	struct locked *v = bpf_map_lookup_elem(&spin_lock, &op->index);
	u64_t first, wrong = 0;
	u32_t i;

	if (!v)
		return -2;
	bpf_spin_lock(&v->lock);
	first = v->words[0];
	for (i = 0; i < VALUE_WORDS; i++) {
		wrong |= v->words[i] ^ first;
		v->words[i] = first + 1;
	}
	bpf_spin_unlock(&v->lock);
	op->arg = wrong;
	return 0;
}

struct {
	__uint(type, BPF_MAP_TYPE_STACK_TRACE);
	__uint(max_entries, 64);
	__uint(key_size, 4);
	__uint(value_size, 8 * 16);
} stack_trace SEC(".maps");

HOOK(get_stack_trace) int get_stack_trace(struct stress_ctx *ctx)
{
	return (int)bpf_get_stackid(ctx, &stack_trace, ctx->op->flags);
}
