/* SPDX-License-Identifier: MIT */
/* One object with the 13 kinds of CO-RE records, answered one at a time. */
#include <tenon/plugin.h>

#include "core_old.h"

#define SIGNED(access) __builtin_preserve_field_info(access, 3)
#define LSHIFT(access) __builtin_preserve_field_info(access, 4)
#define RSHIFT(access) __builtin_preserve_field_info(access, 5)

struct nothing {
	u32 x;
};

SEC("hook/ask") u64 answer(struct event *event)
{
	struct thing *thing = event->thing;

	switch (event->ask) {
	case 0:
		return bpf_core_field_offset(thing->count);
	case 1:
		return bpf_core_field_size(thing->count);
	case 2:
		return bpf_core_field_exists(thing->count) * 2 + bpf_core_field_exists(thing->gone);
	case 3:
		return SIGNED(thing->level) * 2 + SIGNED(thing->kind);
	case 4:
		return LSHIFT(thing->level);
	case 5:
		return RSHIFT(thing->level);
	case 6:
		return bpf_core_type_id_local(struct part);
	case 7:
		return bpf_core_type_id_kernel(struct part);
	case 8:
		return bpf_core_type_exists(struct thing) * 2 +
		       bpf_core_type_exists(struct nothing);
	case 9:
		return bpf_core_type_size(struct thing);
	case 10:
		return bpf_core_enum_value_exists(enum colour, GREEN) * 2 +
		       bpf_core_enum_value_exists(enum colour, BROWN);
	case 11:
		return bpf_core_enum_value(enum colour, GREEN);
	case 12:
		return bpf_core_type_matches(struct part) * 2 + bpf_core_type_matches(struct thing);
	case 13: /* ... and what they are for */
		return thing->count;
	case 14:
		return BPF_CORE_READ_BITFIELD(thing, level);
	case 15:
		return BPF_CORE_READ_BITFIELD(thing, kind);
	case 16:
		return thing->parts[1].price;
	case 17:
		return thing->colour == bpf_core_enum_value(enum colour, BLUE);
	case 18:
		return bpf_core_field_exists(thing->gone) ? thing->gone : 1;
	default:
		return 0;
	}
}

char _license[] SEC("license") = "MIT";
