// SPDX-License-Identifier: MIT
// Initial values where they cannot be: each is refused. MISPLACED says which.
#include <tenon/plugin.h>
#include "events.h"

struct inner {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, unsigned int);
	__type(value, unsigned int);
} first SEC(".maps");

int counted(struct event_ctx *ctx);

#if MISPLACED == 1
// A lookup would be taken for a map.
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, 4);
	__array(values, struct inner);
} outer SEC(".maps");
#elif MISPLACED == 2
// Keys of the file's values have 4 bytes.
struct {
	__uint(type, BPF_MAP_TYPE_HASH_OF_MAPS);
	__uint(max_entries, 1);
	__uint(key_size, 512);
	__uint(value_size, 4);
	__array(values, struct inner);
} outer SEC(".maps") = { .values = { &first } };
#else
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__uint(key_size, 512);
	__array(values, int(struct event_ctx *));
} outer SEC(".maps") = { .values = { &counted } };
#endif

SEC("hook/push")
int counted(struct event_ctx *ctx)
{
	static char key[512];

	return bpf_map_lookup_elem(&outer, key) != 0;
}
