/* SPDX-License-Identifier: MIT */
/*
 * Copies from addresses that nobody proved: bpf_probe_read and its kin. The kernel does the
 * copying, by process_vm_readv(2) from the process to itself: it reports a bad address as EFAULT
 * instead of raising a signal, needs no handler that the host would have to share, no descriptor,
 * and is always allowed on oneself. Where a sandbox forbids the call the copy fails with its errno.
 * What could not be read comes out as zeroes, as in the kernel.
 */
#include <errno.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/compiler.h"
#include "vm/helper_body.h"
#include "vm/probe.h"

#define BODY(name) TN_HELPER_BODY(, name)

#define PAGE_BYTES 4096u

int tn_probe_read(void *to, uint64_t from, size_t size)
{
	struct iovec local = { .iov_base = to, .iov_len = size };
	struct iovec remote = { .iov_base = (void *)(uintptr_t)from, .iov_len = size };
	ssize_t n;

	if (!size)
		return 0;
	n = process_vm_readv(getpid(), &local, 1, &remote, 1, 0);
	if (n == (ssize_t)size)
		return 0;
	memset(to, 0, size);
	return n < 0 ? -errno : -EFAULT;
}

/* Up to the NUL, page by page: what lies behind it may be unmapped. */
static int64_t probe_read_str(char *to, uint64_t from, size_t size)
{
	size_t done = 0;

	while (done < size) {
		size_t page = PAGE_BYTES - ((from + done) & (PAGE_BYTES - 1));
		size_t n = TN_MIN(size - done, page), len;
		int err = tn_probe_read(to + done, from + done, n);

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
	return (uint64_t)(int64_t)tn_probe_read((void *)(uintptr_t)r1, r3, (uint32_t)r2);
}

BODY(tn_helper_probe_read_str)
{
	return (uint64_t)probe_read_str((char *)(uintptr_t)r1, r3, (uint32_t)r2);
}
