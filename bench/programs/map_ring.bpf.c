/* SPDX-License-Identifier: MIT */
/* Records of 64 bytes into a ring buffer. */
#include "map_loop.h"

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1024 * 1024);
} map SEC(".maps");

struct record {
	__u64 at, rest[7];
};

BENCH_PROGRAM(loop)
{
	struct record record = {};

	FOR_RANDOM(x)
	{
		record.at = INDEX(x);
		STORED(record);
	}
	return x;
}

static __always_inline int submit(__u64 flags)
{
	FOR_RANDOM(x)
	{
		struct record *record = bpf_ringbuf_reserve(&map, sizeof(*record), 0);

		if (!record)
			return i;
		record->at = INDEX(x);
		bpf_ringbuf_submit(record, flags);
	}
	return OPS;
}

/* The host consumes between the runs. */
BENCH_PROGRAM(quiet)
{
	return submit(BPF_RB_NO_WAKEUP);
}

/* The host consumes meanwhile. */
BENCH_PROGRAM(live)
{
	return submit(0);
}

BENCH_PROGRAM(output)
{
	struct record record = {};

	FOR_RANDOM(x)
	{
		record.at = INDEX(x);
		if (bpf_ringbuf_output(&map, &record, sizeof(record), BPF_RB_NO_WAKEUP))
			return i;
	}
	return OPS;
}

char _license[] SEC("license") = "MIT";
