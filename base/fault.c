/* SPDX-License-Identifier: MIT */
/*
 * The handler reads two tables: that of this file's own loads, made by the assembler, and that of
 * compiled code. It may run at any instruction of any thread, so the second is read without locks:
 * slots that are never freed, each with a sequence number that is odd while it is written. The slot
 * of the code in which a thread faults is not written meanwhile, since code is removed after the
 * last thread left it; all the others are only looked at, never followed.
 *
 * Signals sent by a process are nobody's fault: they are passed on without a look.
 */
#include "base/fault.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <ucontext.h>
#include <unistd.h>

#include "base/err.h"
#include "base/internal.h"
#include "base/pages.h"

/* ---- Through the kernel ---- */

int tn_fault_copy_slowly(void *to, uint64_t from, size_t size)
{
	struct iovec local = { .iov_base = to, .iov_len = size };
	struct iovec remote = { .iov_base = (void *)(uintptr_t)from, .iov_len = size };
	ssize_t n;

	if (!size)
		return 0;
	n = process_vm_readv(getpid(), &local, 1, &remote, 1, 0);
	if (n == (ssize_t)size)
		return 0;
	return n < 0 ? -errno : -EFAULT;
}

int tn_fault_check_slow(void)
{
	static _Atomic int works;
	uint32_t from = 1, to = 0;
	int err;

	/* Only success is remembered: the words of a failure belong to the asking thread. */
	if (tn_load_relaxed(&works))
		return 0;
	err = tn_fault_copy_slowly(&to, (uintptr_t)&from, sizeof(to));
	if (err || to != from)
		return tn_err(err ? err : -EIO,
			      "reads through untrusted pointers are not possible: "
			      "process_vm_readv: %s",
			      strerror(err ? -err : EIO));
	tn_store_relaxed(&works, 1);
	return 0;
}

#if TN_FAULT_HANDLER

/* ---- Loads of this file ---- */

/* A load at `at` goes on at `next`; both relative to themselves. */
struct own_site {
	int32_t at, next;
};
extern const struct own_site __start_tn_fault_sites[] __attribute__((visibility("hidden")));
extern const struct own_site __stop_tn_fault_sites[] __attribute__((visibility("hidden")));

#define MAY_FAULT(insn)                        \
	"1:	" insn "\n"                    \
	"2:\n"                                 \
	".pushsection tn_fault_sites, \"a\"\n" \
	".balign 4\n"                          \
	".long 1b - ., 2b - .\n"               \
	".popsection\n"

/* An instruction that faults has not written its target. */
uint64_t tn_fault_load(uint64_t addr, uint32_t bytes)
{
	uint64_t v = 0;

	switch (bytes) {
	case 1:
		__asm__ volatile(MAY_FAULT("movzbl (%1), %k0") : "+r"(v) : "r"(addr) : "memory");
		break;
	case 2:
		__asm__ volatile(MAY_FAULT("movzwl (%1), %k0") : "+r"(v) : "r"(addr) : "memory");
		break;
	case 4:
		__asm__ volatile(MAY_FAULT("movl (%1), %k0") : "+r"(v) : "r"(addr) : "memory");
		break;
	default:
		__asm__ volatile(MAY_FAULT("movq (%1), %0") : "+r"(v) : "r"(addr) : "memory");
		break;
	}
	return v;
}

/* Where it faults the count is what is left. */
bool tn_fault_copy(void *to, uint64_t from, size_t size)
{
	__asm__ volatile(MAY_FAULT("rep movsb") : "+D"(to), "+S"(from), "+c"(size) : : "memory");
	return size == 0;
}

static bool resume_own(greg_t *regs)
{
	uintptr_t pc = (uintptr_t)regs[REG_RIP];

	for (const struct own_site *s = __start_tn_fault_sites; s < __stop_tn_fault_sites; s++) {
		if ((uintptr_t)&s->at + (uintptr_t)(intptr_t)s->at != pc)
			continue;
		regs[REG_RIP] = (greg_t)((uintptr_t)&s->next + (uintptr_t)(intptr_t)s->next);
		return true;
	}
	return false;
}

/* ---- Loads of compiled code ---- */

struct tn_fault_code {
	_Atomic uint32_t seq; /* odd: being written */
	_Atomic uint32_t nr;
	_Atomic uintptr_t base, size; /* size 0: free */
	_Atomic(const struct tn_fault_site *) sites;
};

#define FIRST_SLOTS 64
#define CHUNK_BYTES 16384

struct chunk {
	_Atomic(struct chunk *) next;
	uint32_t nr;
	struct tn_fault_code *slots;
};

static struct tn_fault_code first_slots[FIRST_SLOTS];
static struct chunk first = { .nr = FIRST_SLOTS, .slots = first_slots };

/* Under the threads lock. */
static struct tn_fault_code *find_free(struct chunk **last)
{
	for (struct chunk *c = &first; c; c = tn_load_relaxed(&c->next)) {
		for (uint32_t i = 0; i < c->nr; i++)
			if (!tn_load_relaxed(&c->slots[i].size))
				return &c->slots[i];
		*last = c;
	}
	return NULL;
}

static struct tn_fault_code *add_chunk(struct chunk *last)
{
	struct chunk *c = tn_pages_alloc(NULL, CHUNK_BYTES);

	if (!c)
		return NULL;
	c->nr = (uint32_t)((CHUNK_BYTES - sizeof(*c)) / sizeof(c->slots[0]));
	c->slots = (struct tn_fault_code *)(c + 1);
	/* Pairs with the acquire in resume_compiled(): the chunk is filled before. */
	tn_store_release(&last->next, c);
	return c->slots;
}

static void write_slot(struct tn_fault_code *s, const void *base, size_t size,
		       const struct tn_fault_site *sites, uint32_t nr)
{
	uint32_t seq = tn_load_relaxed(&s->seq);

	tn_store_relaxed(&s->seq, seq + 1);
	/* Each pairs with the acquire of the same field in read_slot(): who sees it sees the odd
	 * number, too. */
	tn_store_release(&s->base, (uintptr_t)base);
	tn_store_release(&s->size, size);
	tn_store_release(&s->sites, sites);
	tn_store_release(&s->nr, nr);
	/* Pairs with the first acquire in read_slot(): the fields are whole. */
	tn_store_release(&s->seq, seq + 2);
}

struct tn_fault_code *tn_fault_code_add(const void *base, size_t size,
					const struct tn_fault_site *sites, uint32_t nr)
{
	struct chunk *last = NULL;
	struct tn_fault_code *s;

	tn_threads_lock();
	s = find_free(&last);
	if (!s)
		s = add_chunk(last);
	if (s)
		write_slot(s, base, size, sites, nr);
	tn_threads_unlock();
	return s;
}

void tn_fault_code_remove(struct tn_fault_code *code)
{
	if (!code)
		return;
	tn_threads_lock();
	write_slot(code, NULL, 0, NULL, 0);
	tn_threads_unlock();
}

/* The loads of the slot's code, if `pc` is in it. */
static const struct tn_fault_site *read_slot(struct tn_fault_code *s, uintptr_t pc, uint32_t *nr,
					     uintptr_t *off)
{
	uint32_t seq = tn_load_acquire(&s->seq);
	uintptr_t base = tn_load_acquire(&s->base), size = tn_load_acquire(&s->size);
	const struct tn_fault_site *sites = tn_load_acquire(&s->sites);

	*nr = tn_load_acquire(&s->nr);
	*off = pc - base;
	if (seq & 1 || tn_load_relaxed(&s->seq) != seq)
		return NULL;
	return *off < size ? sites : NULL;
}

static bool resume_at(greg_t *regs, const struct tn_fault_site *sites, uint32_t nr, uintptr_t off)
{
	static const uint8_t places[16] = { REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP,
					    REG_RSI, REG_RDI, REG_R8,  REG_R9,	REG_R10, REG_R11,
					    REG_R12, REG_R13, REG_R14, REG_R15 };
	uint32_t low = 0, high = nr;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (sites[mid].off == off) {
			regs[places[sites[mid].reg & 15]] = 0;
			regs[REG_RIP] += sites[mid].bytes;
			return true;
		}
		if (sites[mid].off < off)
			low = mid + 1;
		else
			high = mid;
	}
	return false;
}

static bool resume_compiled(greg_t *regs)
{
	uintptr_t pc = (uintptr_t)regs[REG_RIP], off;
	const struct tn_fault_site *sites;
	uint32_t nr;

	for (struct chunk *c = &first; c; c = tn_load_acquire(&c->next)) {
		for (uint32_t i = 0; i < c->nr; i++) {
			sites = read_slot(&c->slots[i], pc, &nr, &off);
			if (sites)
				return resume_at(regs, sites, nr, off);
		}
	}
	return false;
}

/* ---- The handler ---- */

/*
 * A host may install its own handler over ours, and pass on to ours or not: when another runtime
 * asks, ours goes on top again. That one must not pass on to itself through the host's, so each
 * handler that was found has a function of ours that passes on to it.
 */
#define LEVELS 8

static const int signals[2] = { SIGSEGV, SIGBUS };
static struct sigaction before[LEVELS][2];
static _Atomic uint32_t spent[LEVELS][2]; /* a SA_RESETHAND handler was called */

/* Raised by the machine, for memory that is not there. A memory that broke is no such: what the
 * host does about it comes first. */
static bool is_missing_memory(int sig, const siginfo_t *info)
{
	if (info->si_code <= 0)
		return false;
	return sig == SIGSEGV || (info->si_code != BUS_MCEERR_AR && info->si_code != BUS_MCEERR_AO);
}

static void by_default(int sig, siginfo_t *info)
{
	struct sigaction dfl = { .sa_handler = SIG_DFL };

	sigaction(sig, &dfl, NULL);
	/* A fault happens again when we return, at its own place; what was sent comes once. */
	if (info->si_code <= 0 || (sig == SIGBUS && info->si_code == BUS_MCEERR_AO))
		syscall(SYS_rt_tgsigqueueinfo, getpid(), (pid_t)syscall(SYS_gettid), sig, info);
}

static void pass_on(int sig, siginfo_t *info, void *context, uint32_t level)
{
	uint32_t i = sig == SIGBUS;
	const struct sigaction *was = &before[level][i];
	sigset_t mask = was->sa_mask;
	bool is_ignored = was->sa_handler == SIG_IGN, is_default = was->sa_handler == SIG_DFL;

	if (was->sa_flags & (int)SA_RESETHAND && !is_default && !is_ignored)
		is_default = tn_exchange_acq_rel(&spent[level][i], 1) != 0;
	if (is_ignored && info->si_code <= 0)
		return;
	if (is_default || is_ignored) {
		by_default(sig, info);
		return;
	}
	/* As the kernel does for it; undone by our own return. */
	if (!(was->sa_flags & SA_NODEFER))
		sigaddset(&mask, sig);
	pthread_sigmask(SIG_BLOCK, &mask, NULL);
	if (was->sa_flags & SA_SIGINFO)
		was->sa_sigaction(sig, info, context);
	else
		was->sa_handler(sig);
}

static void on_signal(int sig, siginfo_t *info, void *context, uint32_t level)
{
	greg_t *regs = ((ucontext_t *)context)->uc_mcontext.gregs;
	int saved = errno;

	if (!is_missing_memory(sig, info) || (!resume_own(regs) && !resume_compiled(regs)))
		pass_on(sig, info, context, level);
	errno = saved;
}

#define HANDLER(level)                                                       \
	static void handler_##level(int sig, siginfo_t *info, void *context) \
	{                                                                    \
		on_signal(sig, info, context, level);                        \
	}
HANDLER(0)
HANDLER(1)
HANDLER(2)
HANDLER(3)
HANDLER(4)
HANDLER(5)
HANDLER(6)
HANDLER(7)

static void (*const handlers[LEVELS])(int, siginfo_t *, void *) = {
	handler_0, handler_1, handler_2, handler_3, handler_4, handler_5, handler_6, handler_7,
};
static uint32_t nr_levels[2]; /* under the threads lock, as what installs */

static bool is_ours(const struct sigaction *act)
{
	for (uint32_t i = 0; i < LEVELS; i++)
		if (act->sa_flags & SA_SIGINFO && act->sa_sigaction == handlers[i])
			return true;
	return false;
}

/* What one handler does for another one's signals it does for this one's. */
static bool same_handler(const struct sigaction *a, const struct sigaction *b)
{
	return a->sa_sigaction == b->sa_sigaction && a->sa_flags == b->sa_flags &&
	       !memcmp(&a->sa_mask, &b->sa_mask, 8); /* what the kernel fills */
}

/* Nothing is masked and the alternate stack is used: what handlers behind it want, pass_on() does,
 * but for the stack, which one that needs it could not do without. */
static int install(uint32_t i, uint32_t level)
{
	struct sigaction act = { .sa_sigaction = handlers[level] }, was = before[level][i];

	act.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER | (was.sa_flags & SA_RESTART);
	/* What was ignored interrupted nobody. */
	if (was.sa_handler == SIG_IGN)
		act.sa_flags |= SA_RESTART;
	sigemptyset(&act.sa_mask);
	if (sigaction(signals[i], &act, &was))
		return -errno;
	/* Another thread may have been quick. */
	if (!same_handler(&was, &before[level][i]))
		before[level][i] = was;
	return 0;
}

static int install_one(uint32_t i)
{
	struct sigaction now;
	uint32_t level = 0;

	if (sigaction(signals[i], NULL, &now))
		return -errno;
	if (is_ours(&now))
		return 0;
	while (level < nr_levels[i] && !same_handler(&before[level][i], &now))
		level++;
	if (level == LEVELS)
		return -EBUSY;
	/* Before the call that installs it: it may be called before that returns. */
	before[level][i] = now;
	tn_store_relaxed(&spent[level][i], 0);
	nr_levels[i] = TN_MAX(nr_levels[i], level + 1);
	return install(i, level);
}

int tn_fault_install(void)
{
	int err;

	tn_threads_lock();
	err = install_one(0);
	if (!err)
		err = install_one(1);
	tn_threads_unlock();
	if (err == -EBUSY)
		return tn_err(err,
			      "fault handler: %d others were installed over it; they must pass on "
			      "what they do not know to the handler they found",
			      LEVELS);
	return err ? tn_err(err, "fault handler: sigaction: %s", strerror(-err)) : 0;
}

void tn_fault_unblock(struct tn_thread *t)
{
	sigset_t both;

	if (t->faults_open)
		return;
	sigemptyset(&both);
	sigaddset(&both, SIGSEGV);
	sigaddset(&both, SIGBUS);
	pthread_sigmask(SIG_UNBLOCK, &both, NULL);
	t->faults_open = true;
}

#else /* other machines: through the kernel alone */

uint64_t tn_fault_load(uint64_t addr, uint32_t bytes)
{
	uint64_t v = 0;

	return tn_fault_copy_slowly(&v, addr, bytes) ? 0 : v;
}

bool tn_fault_copy(void *to, uint64_t from, size_t size)
{
	return !tn_fault_copy_slowly(to, from, size);
}

struct tn_fault_code *tn_fault_code_add(const void *base, size_t size,
					const struct tn_fault_site *sites, uint32_t nr)
{
	(void)base;
	(void)size;
	(void)sites;
	(void)nr;
	return NULL;
}

void tn_fault_code_remove(struct tn_fault_code *code)
{
	(void)code;
}

int tn_fault_install(void)
{
	return tn_err(-ENOTSUP, "fault handler: not for this machine");
}

void tn_fault_unblock(struct tn_thread *t)
{
	(void)t;
}

#endif
