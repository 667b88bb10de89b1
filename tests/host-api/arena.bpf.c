// SPDX-License-Identifier: MIT
// Pages of an arena given to functions that are proved once. Compilers without address spaces make
// a program that does without.
#include <tenon/plugin.h>
#include "request.h"

#ifdef __BPF_FEATURE_ADDR_SPACE_CAST
#define __arena __attribute__((address_space(1)))

struct {
	__uint(type, BPF_MAP_TYPE_ARENA);
	__uint(map_flags, 1 << 10); /* BPF_F_MMAPABLE */
	__uint(max_entries, 4);
} arena SEC(".maps");

struct node {
	unsigned long long value;
	struct node __arena *next;
};

extern void __arena *bpf_arena_alloc_pages(void *map, void __arena *addr, __u32 page_cnt,
					   int node_id, __u64 flags) __ksym __weak;

__noinline unsigned long long sum_of(struct node __arena *list __arg_arena, int most)
{
	unsigned long long sum = 0;

	for (; list && most > 0; list = list->next, most--)
		sum += list->value;
	return sum;
}

SEC("hook/in_arena")
int in_arena(struct request *req)
{
	struct node __arena *list = bpf_arena_alloc_pages(&arena, NULL, 1, -1, 0);

	if (!list)
		return 1;
	list[0].value = 40;
	list[0].next = &list[1];
	list[1].value = 2;
	list[1].next = NULL;
	return sum_of(list, 5);
}

__noinline unsigned long long first_of(struct node __arena *list __arg_arena)
{
	return list->value;
}

SEC("?hook/stack_in_arena")
int stack_in_arena(struct request *req)
{
	struct node node = { 1 };

	return first_of((struct node __arena *)(long)&node);
}
#else
SEC("hook/in_arena")
int in_arena(struct request *req)
{
	return 42;
}
#endif

char _license[] SEC("license") = "GPL";
