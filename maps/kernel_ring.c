/* SPDX-License-Identifier: MIT */
/*
 * Consuming the kernel's ring buffer. Layout (linux/bpf.h, and the kernel's page on the BPF ring
 * buffer): the consumer's position at the start of page 0, the producers' at the start of page 1,
 * then the ring, mapped twice in a row, so that every record is contiguous. Before each record, at
 * a multiple of 8, stands its length with a busy and a discard bit.
 *
 * Kernel programs fill the ring, and user space cannot write it. The consumer's position, though,
 * any process can change that has the map: every length is checked against the positions.
 */
#include "maps/kernel_ring.h"

#include <errno.h>
#include <limits.h>
#include <linux/bpf.h>
#include <string.h>
#include <sys/mman.h>

#include "base/pages.h"

#define LEN_MASK (BPF_RINGBUF_DISCARD_BIT - 1)

int tn_kernel_ring_init(struct tn_kernel_ring *ring, struct tn_map *map, int fd)
{
	size_t page = tn_page_size();
	void *at;

	at = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (at == MAP_FAILED)
		return tn_map_err(map, -errno, "cannot map the consumer's page: %s",
				  strerror(errno));
	ring->cons = at;
	ring->prod_bytes = page + 2 * (size_t)map->max_entries;
	at = mmap(NULL, ring->prod_bytes, PROT_READ, MAP_SHARED, fd, (off_t)page);
	if (at == MAP_FAILED)
		return tn_map_err(map, -errno, "cannot map the ring: %s", strerror(errno));
	ring->prod = at;
	ring->mask = map->max_entries - 1;
	return 0;
}

void tn_kernel_ring_fini(struct tn_kernel_ring *ring)
{
	if (ring->cons)
		munmap((void *)ring->cons, tn_page_size());
	if (ring->prod)
		munmap((void *)(uintptr_t)ring->prod, ring->prod_bytes);
}

/* One record at `cons`: its bytes, 0 where it is not ready, negative errno. */
static int64_t take_one(struct tn_kernel_ring *ring, uint64_t cons, uint64_t prod,
			int (*fn)(void *user, void *data, size_t size), void *user, int *nr)
{
	const unsigned char *at = ring->prod + tn_page_size() + (cons & ring->mask);
	/* Pairs with the kernel's release of the header: the record is filled. */
	uint32_t header = tn_load_acquire((const _Atomic uint32_t *)(const void *)at);
	uint64_t bytes = TN_ROUND_UP((uint64_t)(header & LEN_MASK) + BPF_RINGBUF_HDR_SZ, 8);
	int rc;

	if (header & BPF_RINGBUF_BUSY_BIT)
		return 0;
	if (bytes > prod - cons || bytes > ring->mask + 1)
		return -EPROTO;
	if (!(header & BPF_RINGBUF_DISCARD_BIT)) {
		++*nr;
		rc = fn(user, (void *)(uintptr_t)(at + BPF_RINGBUF_HDR_SZ), header & LEN_MASK);
		/* Consumed, as everywhere: the next call goes on behind it. */
		tn_store_release(ring->cons, cons + bytes);
		return rc < 0 ? rc : (int64_t)bytes;
	}
	tn_store_release(ring->cons, cons + bytes);
	return (int64_t)bytes;
}

static int take_all(struct tn_kernel_ring *ring, int (*fn)(void *user, void *data, size_t size),
		    void *user)
{
	const _Atomic uint64_t *end = (const _Atomic uint64_t *)(const void *)ring->prod;
	uint64_t cons = tn_load_acquire(ring->cons), prod;
	int64_t rc = 1;
	int nr = 0;

	while (rc > 0 && nr < INT_MAX) {
		prod = tn_load_acquire(end);
		if (cons == prod)
			break;
		if (cons % 8 || prod - cons > ring->mask + 1)
			return -EPROTO;
		rc = take_one(ring, cons, prod, fn, user, &nr);
		cons += rc > 0 ? (uint64_t)rc : 0;
	}
	return rc < 0 ? (int)rc : nr;
}

int tn_kernel_ring_take(struct tn_kernel_ring *ring, int (*fn)(void *user, void *data, size_t size),
			void *user)
{
	uint32_t idle = 0;
	int rc;

	if (!tn_cas_acq_rel(&ring->busy, &idle, 1))
		return -EBUSY;
	rc = take_all(ring, fn, user);
	tn_store_release(&ring->busy, 0);
	return rc;
}
