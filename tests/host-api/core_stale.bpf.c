/* SPDX-License-Identifier: MIT */
/* Accesses without records, beside one with. */
#include <tenon/plugin.h>

#define CORE_PLAIN
#include "core_old.h"

/* Else the object has no more than a declaration of it, and nobody knows what it was. */
struct thing *whole;

struct event___r {
	uint32_t ask;
	struct thing *thing;
} __attribute__((preserve_access_index));

struct thing___r {
	uint32_t id, count;
} __attribute__((preserve_access_index));

SEC("hook/ask") u64 with_record(struct event___r *event)
{
	struct thing___r *thing = (void *)event->thing;

	return thing->count;
}

/* In the same place in both. */
SEC("hook/ask") u64 same_place(struct event___r *event)
{
	return event->thing->id;
}

SEC("?hook/ask") u64 field_moved(struct event___r *event)
{
	return event->thing->count;
}

SEC("?hook/ask") u64 field_gone(struct event___r *event)
{
	return event->thing->gone;
}

SEC("?hook/ask") u64 context_moved(struct event *event)
{
	return event->ask;
}

char _license[] SEC("license") = "MIT";
