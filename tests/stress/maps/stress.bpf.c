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

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__uint(key_size, 4);
	__uint(value_size, 4);
} perf_overwrite SEC(".maps");

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

HOOK(output_perf_overwrite) int overwrite_perf(struct stress_ctx *ctx)
{
	struct stress_op *op = ctx->op;
	u64_t words = op->index;

	if (words < 2 || words > SAMPLE_WORDS)
		return -22;
	return (int)bpf_perf_event_output(ctx, &perf_overwrite, BPF_F_CURRENT_CPU, op->value,
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

// ---- Whole values by BPF_F_LOCK ----

#define LOCKED(name, map_type)                                                                  \
	struct {                                                                                \
		__uint(type, BPF_MAP_TYPE_##map_type);                                          \
		__uint(max_entries, 8);                                                         \
		__type(key, u32_t);                                                             \
		__type(value, struct locked);                                                   \
	} name SEC(".maps");                                                                    \
	HOOK(read_##name) int read_##name(struct stress_ctx *ctx)                               \
	{                                                                                       \
		struct stress_op *op = ctx->op;                                                 \
		struct locked *v = bpf_map_lookup_elem(&name, &op->index);                      \
		u64_t words[VALUE_WORDS];                                                       \
		u32_t i;                                                                        \
		if (!v)                                                                         \
			return -2;                                                              \
		bpf_spin_lock(&v->lock);                                                        \
		for (i = 0; i < VALUE_WORDS; i++)                                               \
			words[i] = v->words[i];                                                 \
		bpf_spin_unlock(&v->lock);                                                      \
		__builtin_memcpy(op->value, words, sizeof(words));                              \
		return 0;                                                                       \
	}                                                                                       \
	HOOK(write_##name) int write_##name(struct stress_ctx *ctx)                             \
	{                                                                                       \
		struct stress_op *op = ctx->op;                                                 \
		struct locked value = {};                                                       \
		__builtin_memcpy(value.words, op->value, sizeof(value.words));                  \
		return (int)bpf_map_update_elem(&name, &op->index, &value, 4 /* BPF_F_LOCK */); \
	}

LOCKED(lock_flag, ARRAY)
LOCKED(lock_flag_hash, HASH)

// ---- Timers ----

struct timed {
	u64_t index, calls;
	struct bpf_timer timer;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, NR_TIMED);
	__type(key, u32_t);
	__type(value, struct timed);
} timer SEC(".maps");

#define TIMED(name, map_type, nr)                      \
	struct {                                       \
		__uint(type, BPF_MAP_TYPE_##map_type); \
		__uint(max_entries, nr);               \
		__type(key, u32_t);                    \
		__type(value, struct timed);           \
	} name SEC(".maps")

TIMED(timer_hash, HASH, 4 * NR_TIMED);
TIMED(timer_lru, LRU_HASH, NR_TIMED / 2); // what is evicted ends

struct timer_out {
	u64_t calls, bad;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32_t);
	__type(value, struct timer_out);
} timer_out SEC(".maps");

static void tell(int bad)
{
	u32_t zero = 0;
	struct timer_out *out = bpf_map_lookup_elem(&timer_out, &zero);

	if (!out)
		return;
	__sync_fetch_and_add(&out->calls, 1);
	if (bad)
		__sync_fetch_and_add(&out->bad, 1);
}

// An element of an array stays what it is; a few start themselves again.
static int on_timed(void *map, u32_t *key, struct timed *v)
{
	u64_t calls = __sync_fetch_and_add(&v->calls, 1);

	tell(*key >= NR_TIMED || v->index != *key);
	if (calls % 4 == 3)
		bpf_timer_start(&v->timer, calls, 0);
	return 0;
}

// One of a table may go while it is called, and take itself out.
#define ON_TIMED(name)                                                                   \
	static int on_timed_##name(void *map, u32_t *key, struct timed *v)               \
	{                                                                                \
		tell(*key >= NR_TIMED);                                                  \
		if (*key % 4 == 1)                                                       \
			bpf_map_delete_elem(&timer_##name, key);                         \
		if (*key % 4 == 2)                                                       \
			bpf_timer_start(&v->timer, 1, 0);                                \
		return 0;                                                                \
	}                                                                                \
	HOOK(name##_timer) int name##_timer(struct stress_ctx *ctx)                      \
	{                                                                                \
		struct stress_op *op = ctx->op;                                          \
		u32_t key = op->index;                                                   \
		struct timed fresh = { .index = key }, *v;                               \
		long rc;                                                                 \
		if (op->flags == TIMER_CANCEL)                                           \
			return (int)bpf_map_delete_elem(&timer_##name, &key);            \
		if (op->flags == TIMER_INIT)                                             \
			return (int)bpf_map_update_elem(&timer_##name, &key, &fresh, 0); \
		v = bpf_map_lookup_elem(&timer_##name, &key);                            \
		if (!v)                                                                  \
			return -2;                                                       \
		rc = bpf_timer_init(&v->timer, &timer_##name, 1);                        \
		if (rc && rc != -16)                                                     \
			return (int)rc;                                                  \
		rc = bpf_timer_set_callback(&v->timer, on_timed_##name);                 \
		return (int)(rc ? rc : bpf_timer_start(&v->timer, op->arg, 0));          \
	}

ON_TIMED(hash)
ON_TIMED(lru)

HOOK(go_timer) int go_timer(struct stress_ctx *ctx)
{
	struct stress_op *op = ctx->op;
	u32_t key = op->index;
	struct timed *v = bpf_map_lookup_elem(&timer, &key);

	if (!v)
		return -2;
	switch (op->flags) {
	case TIMER_INIT:
		return (int)bpf_timer_init(&v->timer, &timer, 1);
	case TIMER_CALLBACK:
		return (int)bpf_timer_set_callback(&v->timer, on_timed);
	case TIMER_START:
		return (int)bpf_timer_start(&v->timer, op->arg, 0);
	case TIMER_CANCEL:
		return (int)bpf_timer_cancel(&v->timer);
	}
	return -22;
}

// ---- Storage ----

#define STORAGE(name, map_type)                               \
	struct {                                              \
		__uint(type, BPF_MAP_TYPE_##map_type);        \
		__uint(map_flags, 1 /* BPF_F_NO_PREALLOC */); \
		__type(key, int);                             \
		__type(value, struct stress_value);           \
	} name SEC(".maps")

STORAGE(task_storage, TASK_STORAGE);
STORAGE(sk_storage, SK_STORAGE);

// A value is made whole, and no other is put in its place but by the host.
HOOK(make_task_storage) int make_task_storage(struct stress_ctx *ctx)
{
	struct stress_op *op = ctx->op;
	struct stress_value *v = bpf_task_storage_get(&task_storage, bpf_get_current_task_btf(),
						      op->value, op->flags);
	if (!v)
		return -2;
	__builtin_memcpy(op->value, v, sizeof(*v));
	return 0;
}

HOOK(drop_task_storage) int drop_task_storage(struct stress_ctx *ctx)
{
	return (int)bpf_task_storage_delete(&task_storage, bpf_get_current_task_btf());
}

HOOK(make_sk_storage) int make_sk_storage(struct stress_ctx *ctx)
{
	struct stress_op *op = ctx->op;
	struct stress_object *object = ctx->object;
	struct stress_value *v;

	if (!object)
		return -22;
	v = bpf_sk_storage_get(&sk_storage, object, op->value, op->flags);
	if (!v)
		return -2;
	__builtin_memcpy(op->value, v, sizeof(*v));
	return 0;
}

HOOK(drop_sk_storage) int drop_sk_storage(struct stress_ctx *ctx)
{
	struct stress_object *object = ctx->object;

	return object ? (int)bpf_sk_storage_delete(&sk_storage, object) : -22;
}

// ---- Ports ----

#define PORTS(name, map_type)                                               \
	struct {                                                            \
		__uint(type, BPF_MAP_TYPE_##map_type);                      \
		__uint(max_entries, NR_PORT_KEYS);                          \
		__uint(key_size, 4);                                        \
		__uint(value_size, 4);                                      \
	} name SEC(".maps");                                                \
	HOOK(to_##name) int to_##name(struct xdp_md *xdp)                   \
	{                                                                   \
		u32_t key = xdp->rx_queue_index;                            \
		return (int)bpf_redirect_map(&name, key, 2); /* XDP_PASS */ \
	}

PORTS(devmap, DEVMAP)
PORTS(devmap_hash, DEVMAP_HASH)
PORTS(cpumap, CPUMAP)

// ---- Arena ----

#ifdef __BPF_FEATURE_ADDR_SPACE_CAST
#define __arena __attribute__((address_space(1)))

struct {
	__uint(type, BPF_MAP_TYPE_ARENA);
	__uint(map_flags, 1 << 10); /* BPF_F_MMAPABLE */
	__uint(max_entries, 6);
} arena SEC(".maps");

extern void __arena *bpf_arena_alloc_pages(void *map, void __arena *addr, u32_t nr, int node,
					   u64_t flags) __ksym __weak;
extern void bpf_arena_free_pages(void *map, void __arena *addr, u32_t nr) __ksym __weak;

// Pages of its own for the time of a call: zero at first, and nobody else's.
HOOK(own_arena) int own_arena(struct stress_ctx *ctx)
{
	struct stress_op *op = ctx->op;
	u32_t nr = 1 + (op->index & 1), i;
	volatile u64_t __arena *page = bpf_arena_alloc_pages(&arena, NULL, nr, -1, 0);
	u64_t bad = 0;

	if (!page)
		return -12;
	for (i = 0; i < 1024; i += 32) {
		if (i >= nr * 512)
			break;
		bad += page[i] != 0;
		page[i] = op->arg + i;
	}
	for (i = 0; i < 1024; i += 32) {
		if (i >= nr * 512)
			break;
		bad += page[i] != op->arg + i;
	}
	bpf_arena_free_pages(&arena, (void __arena *)page, nr);
	op->result = bad;
	return 0;
}
#endif
