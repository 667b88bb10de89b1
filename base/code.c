/* SPDX-License-Identifier: MIT */
/*
 * Code pages: private and anonymous, so that fork(2) copies them on write and nobody else can map
 * them. Written, flipped to read-execute once, then changed only through /proc/self/mem, which
 * breaks copy-on-write for this process alone.
 */
#include "base/pages.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"

/* "return 42" */
#if defined(__x86_64__)
static const unsigned char probe_code[] = { 0xb8, 42, 0, 0, 0, 0xc3 };
#elif defined(__aarch64__)
static const unsigned char probe_code[] = { 0x40, 0x05, 0x80, 0x52, 0xc0, 0x03, 0x5f, 0xd6 };
#else
static const unsigned char probe_code[] = { 0 };
#endif

static int refused(int err, const char *step)
{
	const char *likely = "the kernel refused";

	if (err == EACCES)
		likely = "SELinux (execmem) or PR_SET_MDWE denies it";
	else if (err == EPERM)
		likely = "a seccomp filter such as MemoryDenyWriteExecute denies it";
	return tn_err(err == EACCES ? -EACCES : -EPERM, "executable memory is refused: %s: %s (%s)",
		      step, strerror(err), likely);
}

static int probe(void)
{
	size_t size = tn_page_size();
	int (*fn)(void);
	void *p;
	int err = 0;

	p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return tn_err(-EPERM, "executable memory is refused: mmap: %s", strerror(errno));
	memcpy(p, probe_code, sizeof(probe_code));
	if (mprotect(p, size, PROT_READ | PROT_EXEC)) {
		err = refused(errno, "mprotect(PROT_EXEC)");
	} else if (sizeof(probe_code) > 1) {
		__builtin___clear_cache((char *)p, (char *)p + sizeof(probe_code));
		memcpy(&fn, &p, sizeof(fn));
		if (fn() != 42)
			err = tn_err(-EPERM, "executable memory does not run what was written");
	}
	munmap(p, size);
	return err;
}

int tn_code_probe(void)
{
	static _Atomic int works;
	int err;

	/* Only success is remembered: the words of a failure belong to the asking thread. */
	if (tn_load_relaxed(&works))
		return 0;
	err = probe();
	if (!err)
		tn_store_relaxed(&works, 1);
	return err;
}

/* How far from `near` code is put: at random between these, below it, and where that is not free,
 * above it, beyond what the heap of a program that is not relocated takes first. */
#define NEAREST	 ((uintptr_t)64 << 20)
#define FARTHEST ((uintptr_t)1 << 30)
#define LOWEST	 ((uintptr_t)1 << 20)

static void *map_at(uintptr_t at, size_t bytes, uintptr_t near)
{
	void *p = mmap((void *)at, bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	uintptr_t got = (uintptr_t)p, away = got > near ? got - near : near - got;

	if (p == MAP_FAILED)
		return NULL;
	if (away < 2 * FARTHEST - NEAREST)
		return p;
	munmap(p, bytes);
	return NULL;
}

/* A call whose target is far away takes the processor 0.9 ns more, however it is written. */
static void *map_near(const void *target, size_t bytes)
{
	uintptr_t near = (uintptr_t)target, page = tn_page_size(), away = 0;
	void *p = NULL;

	if (bytes > NEAREST || syscall(SYS_getrandom, &away, sizeof(away), 1 /* GRND_NONBLOCK */) !=
				       (long)sizeof(away))
		return NULL;
	away = (NEAREST + bytes + away % (FARTHEST - 2 * NEAREST)) & ~(page - 1);
	near &= ~(page - 1);
	if (near > LOWEST + away)
		p = map_at(near - away, bytes, near);
	return p ? p : map_at(near + FARTHEST / 2 + away / 2, bytes, near);
}

int tn_code_alloc(struct tn_rt *rt, size_t size, struct tn_code *code)
{
	return tn_code_alloc_near(rt, size, NULL, code);
}

int tn_code_alloc_near(struct tn_rt *rt, size_t size, const void *near, struct tn_code *code)
{
	size_t page = tn_page_size();
	size_t bytes;
	int err;

	memset(code, 0, sizeof(*code));
	if (!size || size > PTRDIFF_MAX - page)
		return tn_err(-EINVAL, "code of %zu bytes cannot be mapped", size);
	bytes = TN_ROUND_UP(size, page);
	err = tn_charge(rt, TN_CHARGE_CODE, bytes);
	if (err)
		return tn_err(err, "code of %zu bytes exceeds the runtime's code limit", bytes);
	code->base = near ? map_near(near, bytes) : NULL;
	if (!code->base)
		code->base = tn_pages_alloc(rt, bytes);
	if (!code->base) {
		tn_uncharge(rt, TN_CHARGE_CODE, bytes);
		return tn_err_nomem("code pages");
	}
	code->size = bytes;
	return 0;
}

int tn_code_seal(struct tn_rt *rt, struct tn_code *code)
{
	(void)rt;
	if (mprotect(code->base, code->size, PROT_READ | PROT_EXEC))
		return refused(errno, "mprotect(PROT_EXEC)");
	__builtin___clear_cache((char *)code->base, (char *)code->base + code->size);
	code->sealed = true;
	return 0;
}

/* All bytes, or -errno. */
static int write_all(int fd, const unsigned char *bytes, size_t size, uintptr_t at)
{
	while (size) {
		ssize_t n = pwrite(fd, bytes, size, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		bytes += n;
		at += (uintptr_t)n;
		size -= (size_t)n;
	}
	return 0;
}

int tn_code_patch(struct tn_code *code, size_t off, const void *bytes, size_t size)
{
	int fd, err;

	if (off > code->size || size > code->size - off)
		return tn_err(-EINVAL, "code patch of %zu bytes at %zu is outside of %zu bytes",
			      size, off, code->size);
	if (!code->sealed) {
		memcpy(code->base + off, bytes, size);
		return 0;
	}
	/* Opened each time: after a fork, a descriptor kept from before would write to the parent.
	 */
	fd = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return tn_err(-errno, "cannot open /proc/self/mem: %s", strerror(errno));
	err = write_all(fd, bytes, size, (uintptr_t)code->base + off);
	close(fd);
	if (err)
		return tn_err(err, "cannot write to /proc/self/mem: %s", strerror(-err));
	__builtin___clear_cache((char *)code->base + off, (char *)code->base + off + size);
	return 0;
}

int tn_code_sync(void)
{
	const int sync = MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE;
	const int join = MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE;

	if (!syscall(SYS_membarrier, sync, 0, 0))
		return 0;
	/* EPERM: this process is not registered yet. */
	if (errno == EPERM && !syscall(SYS_membarrier, join, 0, 0) &&
	    !syscall(SYS_membarrier, sync, 0, 0))
		return 0;
	return tn_err(-errno, "membarrier(SYNC_CORE): %s", strerror(errno));
}

void tn_code_free(struct tn_rt *rt, struct tn_code *code)
{
	if (!code->base)
		return;
	munmap(code->base, code->size);
	tn_uncharge(rt, TN_CHARGE_CODE, code->size);
	memset(code, 0, sizeof(*code));
}
