// SPDX-License-Identifier: MIT
/* Plugins as tables of functions, compiled once for each OPS: 1 fills everything, from an older
 * header; 2 is another one of the same sort; 5 has two;
 * those from 10 on are refused. */
#include <tenon/plugin.h>

struct lb {
	u32 nr, next;
	u64 load[4];
	u64 done;
} __attribute__((preserve_access_index));

struct policy_limits {
	u16 low, high;
};

#if OPS == 12
#define PICK_ARGS struct lb *lb, s32 n
#else
#define PICK_ARGS struct lb *lb, u32 n
#endif

struct policy_ops___old {
	char name[16];
	s64 (*spin)(u64 n);
	bool (*flag)(u64 x);
	u64 (*real)(double a, u32 b);
	s8 (*narrow)(s8 a, u8 b, s16 c, u16 d, s32 e, u32 f, s64 g, bool h);
	void (*done)(struct lb *lb, u32 id);
	struct lb *(*pointer)(struct lb *lb);
	u32 (*pick)(PICK_ARGS);
	u32 version;
	struct policy_limits limits;
	int gone;
	void (*lost)(void);
	void *address;
#if OPS == 15
	u64 wide;
#else
	u32 wide;
#endif
	unsigned int bits : 3;
};

SEC("struct_ops/pick")
u32 BPF_PROG(pick, struct lb *lb, u32 n)
{
#if OPS == 2
	return lb->next;
#else
	return (u32)lb->load[1] + n + 100;
#endif
}

#if OPS == 1
SEC("struct_ops.s/narrow")
int BPF_PROG(narrow, s64 a, u64 b, s64 c, u64 d, s64 e, u64 f, s64 g, u64 h)
{
	return a == -3 && b == 200 && c == -300 && d == 60000 && e == -70000 && f == 4000000000u &&
			       g == -5000000000ll && h == 1
		       ? 0x1fd /* -3 of 8 bits */
		       : 1;
}

SEC("struct_ops")
u64 BPF_PROG(flag, u64 x)
{
	return x & 0xf00;
}

SEC("struct_ops/done")
void BPF_PROG(done, struct lb *lb, u32 id)
{
	lb->done += id;
}

SEC("struct_ops/spin")
s64 BPF_PROG(spin, u64 n)
{
	volatile u64 i = 0;

	while (i < n)
		i++;
	return -(s64)i;
}

SEC("struct_ops/real")
u64 BPF_PROG(real, u64 a, u64 b)
{
	return a + b;
}
#endif
#if OPS == 10
SEC("struct_ops/unused")
int unused(void *ctx)
{
	return 0;
}
#endif
#if OPS == 16
SEC("struct_ops/lost")
int lost(void *ctx)
{
	return 0;
}
#endif
#if OPS == 17
SEC("struct_ops/pointer")
u64 BPF_PROG(pointer, u64 a)
{
	return 0;
}
#endif
#if OPS == 18
SEC("xdp")
int foreign(void *ctx)
{
	return 0;
}
#endif
#if OPS == 19
SEC("struct_ops/done")
void BPF_PROG(done, struct lb *lb, u32 id)
{
	lb->nr = id;
}
#endif
#if OPS == 20
static int some;
#endif

#if OPS == 3
SEC(".struct_ops")
#elif OPS == 4
SEC("?.struct_ops.link")
#else
SEC(".struct_ops.link")
#endif
struct policy_ops___old mine = {
#if OPS != 11
	.pick = (void *)pick,
#endif
	.name = "ops",
	.version = OPS,
#if OPS == 1
	.narrow = (void *)narrow,
	.flag = (void *)flag,
	.done = (void *)done,
	.spin = (void *)spin,
	.real = (void *)real,
	.limits = { .low = 7, .high = 9 },
	.wide = 77,
#elif OPS == 13
	.gone = 1,
#elif OPS == 14
	.bits = 1,
#elif OPS == 15
	.wide = 1,
#elif OPS == 16
	.lost = (void *)lost,
#elif OPS == 17
	.pointer = (void *)pointer,
#elif OPS == 18
	.flag = (void *)foreign,
#elif OPS == 19
	.done = (void *)done,
#elif OPS == 20
	.address = (void *)&some,
#elif OPS == 21
	.address = (void *)16,
#endif
};

#if OPS == 5
SEC(".struct_ops.link")
struct policy_ops___old second = { .pick = (void *)pick, .version = 6 };
#endif

char _license[] SEC("license") = "MIT";
