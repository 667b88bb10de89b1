/* SPDX-License-Identifier: MIT */
/*
 * The timers of a runtime: what is armed waits in a pairing heap for each clock, which needs no
 * memory beside the timers themselves, so that starting one cannot fail for want of it.
 */
#include "maps/timer.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "maps/hash_core.h"

#define NS		    UINT64_C(1000000000)
#define NEVER		    UINT64_MAX
#define MAX_KEY_BYTES	    512
#define LONGEST_OTHER_CLOCK NS /* other clocks are set, and go on in sleep: look again */

enum { CLOCKS = 3 };
static const clockid_t clock_ids[CLOCKS] = { CLOCK_MONOTONIC, CLOCK_REALTIME, CLOCK_BOOTTIME };

struct tn_timer {
	/* In a heap: `prev` is the left sibling, or the parent. */
	struct tn_timer *child, *next, *prev;
	uint64_t at;	/* on its clock */
	uint64_t order; /* of starting: among equal times, and what a run began with */
	bool armed;
	uint8_t kind;
	uint32_t clock; /* index */
	_Atomic uint64_t *field;
	struct tn_timer_call call;
	struct tn_timer *map_next, **map_link; /* of call.map; map_next also in the free list */
};

/* What a run began with. */
struct due {
	uint64_t now[CLOCKS];
	uint64_t order;
};

struct tn_timers {
	struct tn_rt *rt;
	pthread_mutex_t lock;
	struct tn_timer *heap[CLOCKS];
	struct tn_timer *free; /* kept until the runtime ends */
	uint64_t order;
	uint32_t nr, nr_armed;
	int fd;		/* -1: nobody asked */
	uint64_t fd_at; /* when it is due, CLOCK_MONOTONIC */
	uint64_t (*now)(uint32_t clock);
	bool busy;	/* somebody runs them, */
	struct due due; /* since then */
	struct tn_thread *runner;
	struct tn_timer *running; /* NULL too once it is gone */
	struct tn_timer_call running_call;
	struct tn_fork_ops fork;
};

/* ---- The lock: fork(2) never finds it held ---- */

static struct tn_timers *timers_of(struct tn_rt *rt)
{
	return tn_load_acquire(&rt->timers);
}

static struct tn_thread *lock(struct tn_timers *ts)
{
	struct tn_thread *t = tn_thread_self();

	tn_writer_enter(t);
	pthread_mutex_lock(&ts->lock);
	return t;
}

static void unlock(struct tn_timers *ts, struct tn_thread *t)
{
	pthread_mutex_unlock(&ts->lock);
	tn_writer_leave(t);
}

/* ---- Pairing heaps ---- */

static bool is_before(const struct tn_timer *a, const struct tn_timer *b)
{
	return a->at != b->at ? a->at < b->at : a->order < b->order;
}

static struct tn_timer *meld(struct tn_timer *a, struct tn_timer *b)
{
	struct tn_timer *first = a;

	if (!a || !b)
		return a ? a : b;
	if (is_before(b, a)) {
		first = b;
		b = a;
	}
	b->prev = first;
	b->next = first->child;
	if (b->next)
		b->next->prev = b;
	first->child = b;
	first->next = first->prev = NULL;
	return first;
}

/* Siblings in pairs, then the pairs from the last to the first: what makes it logarithmic. */
static struct tn_timer *meld_siblings(struct tn_timer *at)
{
	struct tn_timer *pairs = NULL, *root = NULL;

	while (at) {
		struct tn_timer *a = at, *b = at->next;

		at = b ? b->next : NULL;
		a->next = a->prev = NULL;
		if (b)
			b->next = b->prev = NULL;
		a = meld(a, b);
		a->next = pairs;
		pairs = a;
	}
	while (pairs) {
		struct tn_timer *a = pairs;

		pairs = a->next;
		a->next = NULL;
		root = meld(root, a);
	}
	return root;
}

static void heap_remove(struct tn_timer **root, struct tn_timer *t)
{
	struct tn_timer *rest = meld_siblings(t->child);

	if (t == *root) {
		*root = rest;
	} else {
		if (t->prev->child == t)
			t->prev->child = t->next;
		else
			t->prev->next = t->next;
		if (t->next)
			t->next->prev = t->prev;
		*root = meld(*root, rest);
	}
	t->child = t->next = t->prev = NULL;
}

static bool disarm(struct tn_timers *ts, struct tn_timer *t)
{
	if (!t->armed)
		return false;
	heap_remove(&ts->heap[t->clock], t);
	t->armed = false;
	ts->nr_armed--;
	return true;
}

static void arm(struct tn_timers *ts, struct tn_timer *t, uint64_t at)
{
	disarm(ts, t);
	/* What callbacks start waits for the next run: it must not stand in the heap before what
	 * this run is still to call, however long ago it says that it was due. */
	t->at = ts->busy ? TN_MAX(at, ts->due.now[t->clock]) : at;
	t->order = ++ts->order;
	t->armed = true;
	ts->nr_armed++;
	ts->heap[t->clock] = meld(ts->heap[t->clock], t);
}

/* ---- When the next is due ---- */

static uint64_t now_on(const struct tn_timers *ts, uint32_t clock)
{
	struct timespec now;

	if (ts->now)
		return ts->now(clock);
	clock_gettime(clock_ids[clock], &now);
	return (uint64_t)now.tv_sec * NS + (uint64_t)now.tv_nsec;
}

/* As a time of CLOCK_MONOTONIC, as it seems now. */
static uint64_t due_at(const struct tn_timers *ts, const struct tn_timer *t)
{
	uint64_t now, mono;

	if (t->clock == 0)
		return t->at;
	now = now_on(ts, t->clock);
	mono = now_on(ts, 0);
	return t->at <= now ? mono : mono + TN_MIN(t->at - now, LONGEST_OTHER_CLOCK);
}

/* Let the descriptor become readable at `at` at the latest. 0 would disarm it. */
static void set_fd(struct tn_timers *ts, uint64_t at)
{
	struct itimerspec when = { { 0, 0 }, { 0, 1 } };

	if (ts->fd < 0 || at >= ts->fd_at)
		return;
	ts->fd_at = at;
	at = TN_MIN(TN_MAX(at, (uint64_t)1), (uint64_t)INT64_MAX);
	when.it_value.tv_sec = (time_t)(at / NS);
	when.it_value.tv_nsec = (long)(at % NS);
	timerfd_settime(ts->fd, TFD_TIMER_ABSTIME, &when, NULL);
}

static void set_fd_for_next(struct tn_timers *ts)
{
	for (uint32_t i = 0; i < CLOCKS; i++)
		if (ts->heap[i])
			set_fd(ts, due_at(ts, ts->heap[i]));
}

int tn_timers_fd(struct tn_rt *rt)
{
	struct tn_timers *ts;
	struct tn_thread *self;
	int fd, err = tn_timers_make(rt);

	if (err)
		return err;
	ts = timers_of(rt);
	self = lock(ts);
	if (ts->fd < 0) {
		ts->fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
		err = ts->fd < 0 ? -errno : 0;
		ts->fd_at = NEVER;
		set_fd_for_next(ts);
	}
	fd = ts->fd;
	unlock(ts, self);
	return err ? tn_err(err, "timers: no descriptor: %s", strerror(-err)) : fd;
}

void tn_timers_wake(struct tn_rt *rt)
{
	struct tn_timers *ts = timers_of(rt);
	struct tn_thread *self = lock(ts);

	set_fd(ts, 0);
	unlock(ts, self);
}

/* ---- Life ---- */

/* In the child nobody runs them until its host asks: they stay armed. The descriptor is the
 * parent's too, what one process sets the other would see. */
static void fork_child(struct tn_fork_ops *ops)
{
	struct tn_timers *ts = TN_CONTAINER_OF(ops, struct tn_timers, fork);

	if (ts->fd >= 0)
		close(ts->fd);
	ts->fd = -1;
	ts->fd_at = NEVER;
	if (!ts->busy || ts->runner == tn_thread_tls)
		return;
	if (ts->running_call.put)
		ts->running_call.put(ts->running_call.prog);
	ts->running_call.put = NULL;
	ts->running = NULL;
	ts->busy = false;
}

static void free_timers(struct tn_rt *rt)
{
	struct tn_timers *ts = timers_of(rt);

	tn_fork_unregister(&ts->fork);
	while (ts->free) {
		struct tn_timer *t = ts->free;

		ts->free = t->map_next;
		tn_free(rt, t);
	}
	if (ts->fd >= 0)
		close(ts->fd);
	pthread_mutex_destroy(&ts->lock);
	tn_store_relaxed(&rt->timers, NULL);
	tn_free(rt, ts);
}

int tn_timers_make(struct tn_rt *rt)
{
	struct tn_timers *ts, *none = NULL;

	if (timers_of(rt))
		return 0;
	ts = tn_new(rt, struct tn_timers);
	if (!ts)
		return tn_err_nomem("timers");
	ts->rt = rt;
	ts->fd = -1;
	ts->fd_at = NEVER;
	ts->fork.child = fork_child;
	pthread_mutex_init(&ts->lock, NULL);
	tn_fork_register(&ts->fork);
	tn_store_relaxed(&rt->free_timers, free_timers);
	if (!tn_cas_acq_rel(&rt->timers, &none, ts)) {
		tn_fork_unregister(&ts->fork);
		pthread_mutex_destroy(&ts->lock);
		tn_free(rt, ts);
	}
	return 0;
}

/* Nothing knows it any more but the list of those to be given back. */
static void detach(struct tn_timers *ts, struct tn_timer *t, struct tn_timer **gone)
{
	disarm(ts, t);
	tn_store_relaxed(t->field, 0);
	*t->map_link = t->map_next;
	if (t->map_next)
		t->map_next->map_link = t->map_link;
	if (ts->running == t)
		ts->running = NULL;
	ts->nr--;
	t->map_next = *gone;
	*gone = t;
}

/* Without the lock: programs may be freed, and their maps. */
static void give_back(struct tn_timers *ts, struct tn_timer *gone)
{
	struct tn_timer *last = gone;
	struct tn_thread *self;

	if (!gone)
		return;
	for (struct tn_timer *t = gone; t; t = t->map_next) {
		if (t->call.put)
			t->call.put(t->call.prog);
		t->call.put = NULL;
		last = t;
	}
	self = lock(ts);
	last->map_next = ts->free;
	ts->free = gone;
	unlock(ts, self);
}

void tn_timers_drop_value(struct tn_map *map, void *value)
{
	struct tn_timers *ts = timers_of(map->rt);
	struct tn_timer *gone = NULL;
	struct tn_thread *self;

	for (uint32_t i = 0; i < map->nr_specials; i++) {
		const struct tn_map_special *s = &map->specials[i];
		_Atomic uint64_t *field = (void *)((unsigned char *)value + s->off);

		/* Who sets the field meanwhile does so in an element that is gone; the next that
		 * has this place drops it. */
		if ((s->kind != TN_SPECIAL_TIMER && s->kind != TN_SPECIAL_WQ) ||
		    !tn_load_relaxed(field))
			continue;
		self = lock(ts);
		if (tn_load_relaxed(field))
			detach(ts, (void *)(uintptr_t)tn_load_relaxed(field), &gone);
		unlock(ts, self);
	}
	give_back(ts, gone);
}

void tn_timers_drop_map(struct tn_map *map)
{
	struct tn_timers *ts = timers_of(map->rt);
	struct tn_timer *gone = NULL;
	struct tn_thread *self;

	if (!map->has_timers || !ts)
		return;
	self = lock(ts);
	while (map->timers)
		detach(ts, map->timers, &gone);
	unlock(ts, self);
	give_back(ts, gone);
}

void tn_timers_set_open(struct tn_map *map, bool open)
{
	struct tn_timers *ts = timers_of(map->rt);
	struct tn_thread *self;

	if (!map->has_timers || !ts)
		return;
	self = lock(ts);
	map->timers_open = open;
	unlock(ts, self);
	if (!open)
		tn_timers_drop_map(map);
}

/* ---- From programs ---- */

static int clock_index(uint64_t clock)
{
	for (int i = 0; i < CLOCKS; i++)
		if (clock == (uint64_t)clock_ids[i])
			return i;
	return -EINVAL;
}

static struct tn_timer *timer_at(void *field)
{
	return (void *)(uintptr_t)tn_load_relaxed((_Atomic uint64_t *)field);
}

/* A thread that a signal found inside of a map must not wait for itself. */
static bool inside_map(void)
{
	struct tn_thread *t = tn_thread_self();

	return t && tn_load_relaxed(&t->in_writer);
}

static void attach(struct tn_timers *ts, struct tn_timer *t, struct tn_map *map, void *field)
{
	t->field = field;
	t->call.map = map;
	t->map_next = map->timers;
	if (t->map_next)
		t->map_next->map_link = &t->map_next;
	map->timers = t;
	t->map_link = &map->timers;
	tn_store_relaxed(t->field, (uintptr_t)t);
	ts->nr++;
}

int tn_timer_init(struct tn_map *map, void *field, uint64_t clock, uint8_t kind)
{
	struct tn_timers *ts = timers_of(map->rt);
	const struct tn_map_special *s = tn_map_special_of(map, kind);
	int index = clock_index(clock), err = 0;
	struct tn_timer *t, *fresh = NULL;
	struct tn_thread *self;

	if (index < 0 || !s || !map->has_timers)
		return -EINVAL;
	if (inside_map())
		return -EBUSY;
	/* Most have been used before; memory is not asked for under the lock. */
	if (!tn_load_relaxed((_Atomic uint64_t *)field))
		fresh = tn_new(map->rt, struct tn_timer);
	self = lock(ts);
	/* One that was there went just now. */
	if (!timer_at(field) && !fresh && !ts->free) {
		unlock(ts, self);
		fresh = tn_new(map->rt, struct tn_timer);
		self = lock(ts);
	}
	if (timer_at(field)) {
		err = -EBUSY;
	} else if (!map->timers_open) {
		err = -EPERM;
	} else if (fresh || ts->free) {
		t = ts->free;
		if (t) {
			ts->free = t->map_next;
		} else {
			t = fresh;
			fresh = NULL;
		}
		memset(t, 0, sizeof(*t));
		t->clock = (uint32_t)index;
		t->kind = kind;
		t->call.value = (unsigned char *)field - s->off;
		attach(ts, t, map, field);
	} else {
		err = -ENOMEM;
	}
	unlock(ts, self);
	tn_free(map->rt, fresh);
	return err;
}

int tn_timer_set_callback(struct tn_rt *rt, void *field, const struct tn_timer_call *call)
{
	struct tn_timers *ts = timers_of(rt);
	struct tn_timer_call old = { .put = NULL };
	struct tn_thread *self;
	struct tn_timer *t;
	int err = 0;

	if (!ts || inside_map())
		return ts ? -EBUSY : -EINVAL;
	self = lock(ts);
	t = timer_at(field);
	if (!t) {
		err = -EINVAL;
	} else if (!t->call.map->timers_open) {
		err = -EPERM;
	} else {
		old = t->call;
		t->call.func = call->func;
		t->call.prog = call->prog;
		t->call.get = call->get;
		t->call.put = call->put;
	}
	unlock(ts, self);
	if (old.put)
		old.put(old.prog);
	return err;
}

static void warn_not_driven(struct tn_rt *rt)
{
	static _Atomic uint32_t warned;

	if (!tn_add_relaxed(&warned, 1))
		tn_logf(rt, TN_LOG_WARN,
			"a program started a timer, and nobody runs timers here: see "
			"tenon_runtime_timers_start() and tenon_runtime_timers_fd()");
}

int tn_timer_start(struct tn_rt *rt, void *field, uint64_t ns, uint64_t flags)
{
	struct tn_timers *ts = timers_of(rt);
	struct tn_thread *self;
	struct tn_timer *t;
	uint64_t now = 0;
	int err = 0;

	if (flags & ~(uint64_t)(TN_TIMER_ABS | TN_TIMER_CPU_PIN))
		return -EINVAL;
	if (!ts || inside_map())
		return ts ? -EBUSY : -EINVAL;
	self = lock(ts);
	t = timer_at(field);
	if (!t || !t->call.put) {
		err = -EINVAL;
	} else if (ts->fd < 0) {
		err = -EOPNOTSUPP;
	} else if (t->kind == TN_SPECIAL_WQ) {
		/* Queued already: once is enough. */
		if (!t->armed)
			arm(ts, t, 0);
		set_fd(ts, 0);
	} else {
		if (!(flags & TN_TIMER_ABS))
			now = now_on(ts, t->clock);
		arm(ts, t, ns > INT64_MAX - now ? (uint64_t)INT64_MAX : now + ns);
		if (ts->heap[t->clock] == t)
			set_fd(ts, due_at(ts, t));
	}
	unlock(ts, self);
	if (err == -EOPNOTSUPP)
		warn_not_driven(rt);
	return err;
}

int tn_timer_cancel(struct tn_rt *rt, void *field)
{
	struct tn_timers *ts = timers_of(rt);
	struct tn_timer_call old = { .put = NULL };
	struct tn_thread *self;
	struct tn_timer *t;
	int ret;

	if (!ts || inside_map())
		return ts ? -EBUSY : -EINVAL;
	self = lock(ts);
	t = timer_at(field);
	if (!t) {
		ret = -EINVAL;
	} else if (ts->busy && ts->running == t && ts->runner == self) {
		ret = -EDEADLK;
	} else {
		ret = disarm(ts, t);
		old = t->call;
		t->call.put = NULL;
	}
	unlock(ts, self);
	if (old.put)
		old.put(old.prog);
	return ret;
}

/* ---- Running ---- */

/* The key of the element that the value is in, if it is a live one of the map. */
static bool key_of(const struct tn_timer_call *call, void *key)
{
	struct tn_map *map = call->map;
	const unsigned char *value = call->value;
	uint32_t index;

	if (map->type == TN_MAP_ARRAY) {
		index = (uint32_t)((size_t)(value - map->values) / map->value_stride);
		memcpy(key, &index, sizeof(index));
		return true;
	}
	tn_words_load(key, value - tn_hash_map(map)->value_off, map->key_size);
	return (map->ops->look_at ? map->ops->look_at(map, key, 0)
				  : map->ops->lookup(map, key, 0)) == value;
}

static struct tn_timer *next_due(struct tn_timers *ts)
{
	const struct due *due = &ts->due;

	for (uint32_t i = 0; i < CLOCKS; i++) {
		struct tn_timer *t = ts->heap[i];

		if (t && t->at <= due->now[i] && t->order <= due->order)
			return t;
	}
	return NULL;
}

/* Disarm the next that is due and make it the one that runs, with a reference on its program: the
 * timer's own may go meanwhile. The element is looked at under the lock, while the timer is still
 * its own, and inside an epoch, so that its place stays. False: none is due. */
static bool take_next(struct tn_timers *ts, void *key)
{
	struct tn_timer *t;

	while ((t = next_due(ts)) != NULL) {
		disarm(ts, t);
		if (!t->call.put || !key_of(&t->call, key) || !t->call.get(t->call.prog))
			continue;
		ts->running = t;
		ts->running_call = t->call;
		return true;
	}
	return false;
}

static bool begin_run(struct tn_timers *ts)
{
	struct tn_thread *self = lock(ts);
	bool begun = !ts->busy;
	uint64_t drained;

	if (begun) {
		ts->busy = true;
		ts->runner = self;
		ts->due.order = ts->order;
		for (uint32_t i = 0; i < CLOCKS; i++)
			ts->due.now[i] = now_on(ts, i);
	}
	/* Also where another thread runs them, which sets it again at its end: or who polls would
	 * find it readable all that time. */
	if (ts->fd >= 0 && read(ts->fd, &drained, sizeof(drained)) > 0)
		ts->fd_at = NEVER;
	unlock(ts, self);
	return begun;
}

static bool run_next(struct tn_timers *ts, tn_timer_run_fn run, void *user)
{
	uint64_t key[MAX_KEY_BYTES / 8];
	struct tn_thread *self = tn_thread_self();
	struct tn_timer_call call;
	bool taken;

	tn_epoch_enter(self);
	lock(ts);
	taken = take_next(ts, key);
	call = ts->running_call;
	if (!taken) {
		ts->busy = false;
		set_fd_for_next(ts);
	}
	unlock(ts, self);
	if (taken)
		run(user, &call, key);
	tn_epoch_leave(self);
	if (!taken)
		return false;
	lock(ts);
	ts->running = NULL;
	ts->running_call.put = NULL;
	unlock(ts, self);
	call.put(call.prog);
	return true;
}

int tn_timers_run(struct tn_rt *rt, tn_timer_run_fn run, void *user)
{
	struct tn_timers *ts = timers_of(rt);
	int nr = 0;

	if (!tn_thread_self())
		return tn_err_nomem("thread record");
	if (!ts || !begin_run(ts))
		return 0;
	while (run_next(ts, run, user))
		nr++;
	return nr;
}

void tn_timers_set_clock(struct tn_rt *rt, uint64_t (*now)(uint32_t clock))
{
	struct tn_timers *ts = timers_of(rt);
	struct tn_thread *self = lock(ts);

	ts->now = now;
	unlock(ts, self);
}

void tn_timers_count(struct tn_rt *rt, uint32_t *nr, uint32_t *armed)
{
	struct tn_timers *ts = timers_of(rt);
	struct tn_thread *self;

	*nr = *armed = 0;
	if (!ts)
		return;
	self = lock(ts);
	*nr = ts->nr;
	*armed = ts->nr_armed;
	unlock(ts, self);
}
