/* SPDX-License-Identifier: MIT */
/*
 * Helpers on packets that have to do with where a frame goes and whether it fits there, and room
 * for headers in its middle. Devices are the host's: what only they can do is asked of it
 * (tenon_runtime_set_packet_ops()), and where it knows of none there is none, as in the kernel.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "base/rt.h"
#include "vm/helper_body.h"
#include "vm/image.h"
#include "vm/packet.h"

#define BODY(name)	TN_HELPER_BODY(, name)
#define KERNEL_ENOTSUPP 524

enum { INGRESS = 1 }; /* flags of redirect and clone_redirect */
enum { XDP_VERDICT_ABORTED = 0, XDP_VERDICT_REDIRECT = 4 };
enum { TC_VERDICT_SHOT = 2, TC_VERDICT_REDIRECT = 7 };

static uint64_t fails(int err)
{
	return (uint64_t)(int64_t)-err;
}

/* ---- Elsewhere ---- */

/* ifindex, flags: a verdict. Where to is noted in the context, which the host reads. */
BODY(tn_helper_redirect)
{
	struct tn_skb_host *skb = tn_exec_skb(ex, (uintptr_t)ex->ctx);
	struct tn_xdp_host *xdp = tn_exec_xdp(ex, (uintptr_t)ex->ctx);

	if (xdp) {
		if (r2)
			return XDP_VERDICT_ABORTED;
		xdp->redirect_ifindex = (uint32_t)r1;
		xdp->redirect_map_id = xdp->redirect_key = xdp->redirect_flags = 0;
		return XDP_VERDICT_REDIRECT;
	}
	if (!skb || r2 & ~(uint64_t)INGRESS)
		return TC_VERDICT_SHOT;
	skb->redirect_ifindex = (uint32_t)r1;
	skb->redirect_flags = (uint32_t)r2;
	return TC_VERDICT_REDIRECT;
}

/* ctx, ifindex, flags */
BODY(tn_helper_clone_redirect)
{
	struct tn_skb_host *skb = tn_exec_skb(ex, r1);
	const struct tn_packet_ops *ops = ex->rt ? &ex->rt->packet_ops : NULL;
	int rc;

	if (!skb || r3 & ~(uint64_t)INGRESS || !ops || !ops->clone_redirect)
		return fails(EINVAL);
	rc = ops->clone_redirect(ops->user, (const struct tenon_sk_buff *)(const void *)skb,
				 (uint32_t)r2, r3);
	return (uint64_t)(int64_t)TN_MIN(rc, 0);
}

/* ---- Does it fit? ---- */

enum { MTU_FITS = 0, MTU_TOO_LONG = 1, MTU_TOO_LONG_SEGMENT = 2 };
#define MTU_CHECK_SEGMENTS 1u

/* ctx, ifindex, length in and MTU out, difference, flags */
BODY(tn_helper_check_mtu)
{
	const struct tn_packet_ops *ops = ex->rt ? &ex->rt->packet_ops : NULL;
	const struct tn_skb_host *skb = tn_exec_skb(ex, r1);
	void *mtu_len = (void *)(uintptr_t)r3;
	uint32_t ifindex = (uint32_t)r2, l3_bytes;
	uint64_t known = skb ? MTU_CHECK_SEGMENTS : 0;
	const unsigned char *data, *end;
	int64_t len;
	int mtu;

	memcpy(&l3_bytes, mtu_len, sizeof(l3_bytes));
	if (!tn_exec_packet(ex->prog, (const void *)(uintptr_t)r1, &data, &end) || r5 & ~known ||
	    (r5 && ((int32_t)r4 || l3_bytes)))
		return fails(EINVAL);
	if (!ifindex)
		ifindex = skb ? skb->ifindex
			      : ((const struct tn_xdp_host *)(uintptr_t)r1)->ingress_ifindex;
	mtu = ops && ops->mtu ? ops->mtu(ops->user, ifindex) : -ENODEV;
	if (mtu <= 0)
		return fails(ENODEV);
	len = l3_bytes ? (int64_t)l3_bytes + TN_ETHERNET_BYTES : end - data;
	len += (int32_t)r4;
	memcpy(mtu_len, &mtu, sizeof(mtu));
	if (len <= (int64_t)mtu + TN_ETHERNET_BYTES)
		return MTU_FITS;
	if (!skb || !skb->gso_size)
		return MTU_TOO_LONG;
	/* Segments are cut to the device's size; only whoever asks for them is told. */
	if (r5 && skb->gso_size > (uint32_t)mtu)
		return MTU_TOO_LONG_SEGMENT;
	return MTU_FITS;
}

/* ---- Room behind the headers ---- */

enum { ROOM_NET = 0, ROOM_MAC = 1 };
enum {
	ROOM_FIXED_GSO = 1,
	ROOM_ENCAPSULATED = 2 | 4 | 8 | 16 | 64 | 128 | 256,
	ROOM_KEEP_SUM = 32
};
#define ROOM_L2_BYTES  (0xffull << 56)
#define ROOM_MOST      0xfffu
#define ROOM_MAX_FRAME (1u << 16)

/* Bytes of the network header at least; 0: neither IPv4 nor IPv6. */
static uint32_t net_header_bytes(const struct tn_skb_host *skb)
{
	if (skb->protocol == htons(0x0800))
		return 20;
	return skb->protocol == htons(0x86dd) ? 40 : 0;
}

static uint64_t grow_room(struct tn_skb_host *skb, uint32_t off, uint32_t by)
{
	unsigned char *data = (unsigned char *)skb->data - by;

	if (by > (char *)skb->data - (char *)skb->room)
		return fails(ENOMEM);
	memmove(data, skb->data, off);
	memset(data + off, 0, by);
	skb->data = skb->data_meta = data;
	skb->len += by;
	return 0;
}

static uint64_t shrink_room(struct tn_skb_host *skb, uint32_t off, uint32_t by)
{
	memmove((char *)skb->data + by, skb->data, off);
	skb->data = skb->data_meta = (char *)skb->data + by;
	skb->len -= by;
	return 0;
}

/* ctx, difference, mode, flags. Encapsulation only marks a frame for devices, of which there are
 * none here. */
BODY(tn_helper_skb_adjust_room)
{
	struct tn_skb_host *skb = tn_exec_skb(ex, r1);
	int32_t diff = (int32_t)r2;
	uint32_t by = diff < 0 ? 0 - (uint32_t)diff : (uint32_t)diff, off = TN_ETHERNET_BYTES;
	uint32_t net, mode = (uint32_t)r3;
	int64_t len;

	if (r4 & ~(uint64_t)(ROOM_FIXED_GSO | ROOM_ENCAPSULATED | ROOM_KEEP_SUM | ROOM_L2_BYTES))
		return fails(EINVAL);
	if (by > ROOM_MOST)
		return fails(EFAULT);
	net = skb && skb->room ? net_header_bytes(skb) : 0;
	if (!net || mode > ROOM_MAC || r4 & (ROOM_ENCAPSULATED | ROOM_L2_BYTES))
		return fails(KERNEL_ENOTSUPP);
	off += mode == ROOM_NET ? net : 0;
	len = (char *)skb->data_end - (char *)skb->data;
	/* What is cut out lies behind `off`, and the network header stays. */
	if (diff < 0 ? len - TN_ETHERNET_BYTES < (int64_t)by + net : len + by > ROOM_MAX_FRAME)
		return fails(KERNEL_ENOTSUPP);
	if (len < (int64_t)off + (diff < 0 ? by : 0))
		return fails(ENOMEM);
	return diff < 0 ? shrink_room(skb, off, by) : grow_room(skb, off, by);
}

/* ---- The rest ---- */

/* ctx, offset, to, size, where from: the frame or its network header. */
BODY(tn_helper_skb_load_bytes_relative)
{
	const unsigned char *data, *end;
	uint64_t off = (uint32_t)r2;
	void *to = (void *)(uintptr_t)r3;

	if (tn_exec_skb(ex, r1) && (uint32_t)r5 <= 1 && off <= INT32_MAX &&
	    tn_exec_packet(ex->prog, (const void *)(uintptr_t)r1, &data, &end)) {
		off += (uint32_t)r5 ? TN_ETHERNET_BYTES : 0;
		if (off <= (uint64_t)(end - data) && r4 <= (uint64_t)(end - data) - off) {
			memcpy(to, data + off, r4);
			return 0;
		}
	}
	memset(to, 0, r4);
	return fails(EFAULT);
}

/* ctx, what to do with the number of checksums that a device has seen to: none has. */
BODY(tn_helper_csum_level)
{
	enum { LEVEL_QUERY = 0, LEVEL_RESET = 3 };

	if (r2 == LEVEL_QUERY)
		return fails(EACCES);
	return r2 > LEVEL_RESET ? fails(EINVAL) : 0;
}
