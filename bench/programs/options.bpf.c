/* SPDX-License-Identifier: MIT */
/*
 * For the verify bench: a packet parser, unrolled as older kernels wanted it. VLAN tags, IPv4 and
 * IPv6 with extension headers, then TCP options one by one; most paths meet after each option.
 */
#include <tenon/plugin.h>

#define EXTENSIONS 8
#define TIMES_8(x) \
	x;         \
	x;         \
	x;         \
	x;         \
	x;         \
	x;         \
	x;         \
	x;
#define TIMES_40(x) TIMES_8(x) TIMES_8(x) TIMES_8(x) TIMES_8(x) TIMES_8(x)

struct found {
	__u32 mss, window, sack, stamp, echo, fast, unknown, nops;
	__u32 source, target;
};

/* One option, `at` bytes behind the header; where the next one starts, 0: there is none. */
static __always_inline __u32 one_option(__u8 *tcp, __u32 at, __u8 *end, struct found *f)
{
	__u8 *p, size;

	if (at > 60)
		return 0;
	p = tcp + at;
	if (p + 2 > end)
		return 0;
	if (p[0] == 0)
		return 0;
	if (p[0] == 1) {
		f->nops++;
		return at + 1;
	}
	size = p[1];
	if (size < 2)
		return 0;
	switch (p[0]) {
	case 2:
		if (size != 4 || p + 4 > end)
			return 0;
		f->mss = p[2] << 8 | p[3];
		break;
	case 3:
		if (size != 3 || p + 3 > end)
			return 0;
		f->window = p[2] > 14 ? 14 : p[2];
		break;
	case 4:
		f->sack |= 1;
		break;
	case 5:
		if (p + 10 > end)
			return 0;
		f->sack |= p[2] << 24 | p[5] << 8;
		break;
	case 8:
		if (size != 10 || p + 10 > end)
			return 0;
		f->stamp = p[2] << 24 | p[3] << 16 | p[4] << 8 | p[5];
		f->echo = p[6] << 24 | p[7] << 16 | p[8] << 8 | p[9];
		break;
	case 34:
		f->fast = size;
		break;
	default:
		f->unknown++;
	}
	return at + size;
}

/* The same for an extension header at `at` of the packet. */
static __always_inline __u32 one_extension(__u8 *packet, __u32 at, __u8 *end, __u8 *next)
{
	__u8 kind = *next, *p;

	if (kind != 0 && kind != 43 && kind != 60 && kind != 51 && kind != 44)
		return at;
	if (at > 1000)
		return 0;
	p = packet + at;
	if (p + 8 > end)
		return 0;
	*next = p[0];
	if (kind == 44)
		return at + 8;
	return kind == 51 ? at + 8 + p[1] * 4 : at + 8 + p[1] * 8;
}

static __always_inline __u32 network(__u8 *packet, __u32 at, __u8 *end, __u16 proto, __u8 *next)
{
	__u8 *p;

	p = packet + at;
	if (proto == 0x0800) {
		if (p + 20 > end || p[0] >> 4 != 4)
			return 0;
		*next = p[9];
		return at + (p[0] & 15) * 4;
	}
	if (proto != 0x86dd || p + 40 > end)
		return 0;
	*next = p[6];
	at += 40;
#pragma unroll
	for (int i = 0; i < EXTENSIONS; i++) {
		at = one_extension(packet, at, end, next);
		if (!at)
			return 0;
	}
	return at;
}

SEC("xdp") int options(struct xdp_md *ctx)
{
	__u8 *packet = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end, *p, next = 0;
	struct found f = { 0 };
	__u32 at = 14;
	__u16 proto;

	if (packet + 14 > end)
		return XDP_PASS;
	proto = packet[12] << 8 | packet[13];
#pragma unroll
	for (int i = 0; i < 3; i++) {
		if (proto != 0x8100 && proto != 0x88a8)
			break;
		p = packet + at;
		if (p + 4 > end)
			return XDP_DROP;
		proto = p[2] << 8 | p[3];
		at += 4;
	}
	at = network(packet, at, end, proto, &next);
	if (!at || at > 1400 || next != 6)
		return XDP_PASS;
	p = packet + at;
	if (p + 20 > end)
		return XDP_PASS;
	f.source = p[0] << 8 | p[1];
	f.target = p[2] << 8 | p[3];
	at = 20;
	TIMES_40(at = one_option(p, at, end, &f); if (!at) goto done)
done:
	if (f.mss && f.mss < 500)
		return XDP_DROP;
	return (f.window ^ f.sack ^ f.stamp ^ f.echo ^ f.fast ^ f.unknown ^ f.nops ^ f.source ^
		f.target) & 1
		       ? XDP_PASS
		       : XDP_DROP;
}

char _license[] SEC("license") = "MIT";
