/* SPDX-License-Identifier: MIT */
/*
 * Copies from addresses that nobody proved: bpf_probe_read and its kin, and loads through untrusted
 * pointers. Under the fault handler they are plain ones, where the host permits it. Else the kernel
 * does them, by process_vm_readv(2) from the process to itself: it reports a bad address as EFAULT
 * instead of raising a signal, needs no handler that the host would have to share, no descriptor,
 * and is always allowed on oneself. Where a sandbox forbids the call the copy fails with its errno.
 * What could not be read comes out as zeroes, as in the kernel.
 */
#include <errno.h>
#include <string.h>

#include "base/compiler.h"
#include "vm/helper_body.h"
#include "vm/probe.h"

#define BODY(name) TN_HELPER_BODY(, name)

#define PAGE_BYTES 4096u

int tn_probe_read(const struct tn_rt *rt, void *to, uint64_t from, size_t size)
{
	int err;

	if (rt && rt->fault_handler)
		err = tn_fault_copy(to, from, size) ? 0 : -EFAULT;
	else
		err = tn_fault_copy_slowly(to, from, size);
	if (err)
		memset(to, 0, size);
	return err;
}

uint64_t tn_probe_load_slowly(uint64_t addr, uint32_t bytes)
{
	union {
		uint8_t b;
		uint16_t h;
		uint32_t w;
		uint64_t d;
	} v;

	if (tn_fault_copy_slowly(&v, addr, bytes))
		return 0;
	switch (bytes) {
	case 1:
		return v.b;
	case 2:
		return v.h;
	case 4:
		return v.w;
	default:
		return v.d;
	}
}

/* Up to the NUL, page by page: what lies behind it may be unmapped. */
static int64_t probe_read_str(const struct tn_rt *rt, char *to, uint64_t from, size_t size)
{
	size_t done = 0;

	while (done < size) {
		size_t page = PAGE_BYTES - ((from + done) & (PAGE_BYTES - 1));
		size_t n = TN_MIN(size - done, page), len;
		int err = tn_probe_read(rt, to + done, from + done, n);

		if (err) {
			memset(to, 0, size);
			return err;
		}
		len = strnlen(to + done, n);
		done += len;
		if (len < n) {
			memset(to + done, 0, size - done);
			return (int64_t)done + 1;
		}
	}
	if (size)
		to[size - 1] = 0;
	return (int64_t)size;
}

BODY(tn_helper_probe_read)
{
	return (uint64_t)(int64_t)tn_probe_read(ex->rt, (void *)(uintptr_t)r1, r3, (uint32_t)r2);
}

BODY(tn_helper_probe_read_str)
{
	return (uint64_t)probe_read_str(ex->rt, (char *)(uintptr_t)r1, r3, (uint32_t)r2);
}
