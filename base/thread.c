/* SPDX-License-Identifier: MIT */
/*
 * Thread records come in chunks of pages that are never freed, so that epochs can walk the list
 * without a lock. A record belongs to a thread from its first use of Tenon until the destructor of
 * a pthread key runs; another thread then takes it over.
 */
#include "base/thread.h"

#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/epoch.h"
#include "base/internal.h"
#include "base/pages.h"

#define CHUNK_BYTES 16384

_Thread_local struct tn_thread *tn_thread_tls __attribute__((tls_model("initial-exec")));

static _Atomic(struct tn_thread *) first;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_key_t key;
static void (*on_end)(struct tn_thread *t);
static bool ready; /* key, fork handlers, membarrier: under the lock */

struct tn_thread *tn_threads_first(void)
{
	/* Pairs with the release in add_chunk(): the record is zeroed before it is linked. */
	return tn_load_acquire(&first);
}

void tn_threads_lock(void)
{
	pthread_mutex_lock(&lock);
}

void tn_threads_unlock(void)
{
	pthread_mutex_unlock(&lock);
}

bool tn_threads_trylock(void)
{
	return pthread_mutex_trylock(&lock) == 0;
}

void tn_threads_on_end(void (*fn)(struct tn_thread *t))
{
	on_end = fn;
}

void tn_threads_wait(pthread_cond_t *cond)
{
	pthread_cond_wait(cond, &lock);
}

static void release_record(struct tn_thread *t)
{
	tn_slots_thread_end(t);
	if (on_end)
		on_end(t);
	t->depth = 0;
	t->exec = NULL;
	t->slot_rt_id = 0;
	t->reclaiming = t->faults_open = false;
	t->nr_open_records = t->nr_untracked_records = 0;
	tn_store_relaxed(&t->fenced, 0);
	/* A thread may end inside a program (pthread_exit in a helper). Pairs with the acquire
	 * loads of epoch.c and fork.c: what it did before is done. */
	tn_store_release(&t->in_writer, 0);
	tn_store_release(&t->epoch, 0);
	tn_store_release(&t->used, 0);
}

static void thread_ends(void *record)
{
	tn_thread_tls = NULL;
	tn_threads_lock();
	release_record(record);
	tn_threads_unlock();
}

/* Under the lock. */
static bool set_up_once(void)
{
	if (ready)
		return true;
	if (tn_fork_init())
		return false;
	if (pthread_key_create(&key, thread_ends))
		return false;
	tn_epoch_init();
	ready = true;
	return true;
}

/* Under the lock. */
static bool add_chunk(void)
{
	struct tn_thread *t = tn_pages_alloc(NULL, CHUNK_BYTES);

	if (!t)
		return false;
	for (size_t i = 0; i < CHUNK_BYTES / sizeof(*t); i++, t++) {
		t->next = tn_load_relaxed(&first);
		t->number = t->next ? t->next->number + 1 : 0;
		/* Pairs with the acquire in tn_threads_first(). */
		tn_store_release(&first, t);
	}
	return true;
}

/* Under the lock. */
static struct tn_thread *find_free(void)
{
	struct tn_thread *t;

	for (t = tn_threads_first(); t; t = t->next)
		if (!tn_load_relaxed(&t->used))
			return t;
	return NULL;
}

static struct tn_thread *register_locked(void)
{
	struct tn_thread *t;

	if (!set_up_once())
		return NULL;
	t = find_free();
	if (!t && add_chunk())
		t = find_free();
	if (!t || pthread_setspecific(key, t))
		return NULL;
	t->tid = (int32_t)syscall(SYS_gettid);
	t->err = (struct tn_err_record){ .insn = -1 };
	/* Fence mode is switched on under this lock, so this thread's first entry sees it. */
	tn_store_relaxed(&t->fenced, tn_load_relaxed(&tn_epoch_g.fence));
	tn_store_release(&t->used, 1);
	return t;
}

struct tn_thread *tn_thread_register(void)
{
	struct tn_thread *t;

	tn_threads_lock();
	t = register_locked();
	tn_threads_unlock();
	tn_thread_tls = t;
	return t;
}

/* Under the lock, which the forking thread took before. */
void tn_threads_fork_child(struct tn_thread *self)
{
	struct tn_thread *t;

	for (t = tn_threads_first(); t; t = t->next)
		if (t != self && tn_load_relaxed(&t->used))
			release_record(t);
	if (self)
		self->tid = (int32_t)syscall(SYS_gettid);
}
