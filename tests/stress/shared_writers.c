/* SPDX-License-Identifier: MIT */
/*
 * shared_writers [SECONDS]: four forked processes write to maps in segments, are killed at random
 * and forked again, while a process that maps the segments read-only looks on. Exit status 1 where
 * an element is torn, lost or came back, a count is wrong, or somebody cannot go on.
 *
 * Each writer has keys of its own. Before an operation it notes in a page outside of the maps what
 * the key holds and what it shall hold, and afterwards that it is done. Its successor finds the one
 * or the other, no third, and for all other keys what was done.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "maps/hash.h"
#include "maps/segment.h"

#define NR_WRITERS   4u
#define NR_KEYS	     128u /* of each writer */
#define NR_SLOTS     8u
#define VALUE_WORDS  8u
#define NO_KEY	     UINT32_MAX
#define STUCK_NS     (60 * UINT64_C(1000000000))
#define READ_RETRIES 10000u

/* A value is a version, words that follow from it and its key; version 0: no element. */
struct value {
	uint64_t word[VALUE_WORDS];
};

enum { HASH, LRU, SLOTS, COUNTS, NR_MAPS };

/* What a writer notes, in memory that outlives it. */
struct notes {
	_Atomic uint64_t done;		   /* operations, ever */
	_Atomic uint32_t pending;	   /* key of HASH or of SLOTS, or NO_KEY */
	_Atomic uint64_t before, after;	   /* its versions */
	_Atomic uint64_t version[NR_KEYS]; /* of HASH, as done */
	_Atomic uint64_t slots_version;	   /* of the writer's key of SLOTS with a value for all */
	_Atomic uint64_t counted;	   /* in COUNTS, in SLOTS by the slot's own value */
	_Atomic uint64_t counted_slot;
	_Atomic uint32_t failed;
};

struct page {
	struct notes of[NR_WRITERS];
	_Atomic uint32_t stop;
	_Atomic uint64_t looks, copies; /* of the reader */
};

static struct page *page;
static struct tn_rt rt;
static struct tn_map *maps[NR_MAPS];

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static struct value value_of(uint64_t key, uint64_t version)
{
	struct value v;
	uint64_t state = (key + 1) * UINT64_C(0x9e3779b97f4a7c15) ^ version;

	v.word[0] = version;
	for (uint32_t i = 1; i < VALUE_WORDS; i++)
		v.word[i] = next_random(&state);
	return v;
}

static bool is_whole(uint64_t key, const struct value *v)
{
	struct value expected = value_of(key, v->word[0]);

	return v->word[0] && !memcmp(&expected, v, sizeof(expected));
}

static bool complain(const char *who, const char *what, uint64_t key, uint64_t found,
		     uint64_t expected)
{
	fprintf(stderr, "%s: %s: key %llu: found %llu, expected %llu\n", who, what,
		(unsigned long long)key, (unsigned long long)found, (unsigned long long)expected);
	return false;
}

/* ---- Writers ---- */

struct writer {
	uint32_t nr;
	struct notes *n;
	uint64_t random;
};

static uint64_t key_of(const struct writer *w, uint32_t i)
{
	return (uint64_t)w->nr * NR_KEYS + i;
}

/* The version that a key of HASH has, 0: none. False: torn. */
static bool version_in_map(uint64_t key, uint64_t *version)
{
	struct value v;
	int err = tn_map_host_lookup(maps[HASH], &key, &v, 0);

	*version = err ? 0 : v.word[0];
	if (err && err != -ENOENT)
		return complain("writer", tn_err_last()->msg, key, (uint64_t)-err, 0);
	return err || is_whole(key, &v) || complain("writer", "torn", key, v.word[0], 0);
}

static bool check_key(struct writer *w, uint32_t i)
{
	uint64_t found, expected = tn_load_relaxed(&w->n->version[i]);

	if (!version_in_map(key_of(w, i), &found))
		return false;
	return found == expected || complain("writer", "version", key_of(w, i), found, expected);
}

/* The values of the writer's key of SLOTS: of one version in all slots. */
static bool slots_in_map(const struct tn_map *map, uint64_t key, const char *who, uint64_t *version)
{
	uint64_t values[NR_SLOTS];
	int err = tn_map_host_lookup((struct tn_map *)map, &key, values, 0);

	*version = err ? 0 : values[0];
	if (err == -ENOENT || err == -EAGAIN)
		return true;
	if (err)
		return complain(who, "slots lookup", key, (uint64_t)-err, 0);
	for (uint32_t i = 1; i < NR_SLOTS; i++)
		if (values[i] != values[0])
			return complain(who, "slots mixed", key, values[i], values[0]);
	return true;
}

static uint64_t sum_of_slots(uint64_t key)
{
	uint64_t values[NR_SLOTS] = { 0 }, sum = 0;

	if (tn_map_host_lookup(maps[SLOTS], &key, values, 0))
		return 0;
	for (uint32_t i = 0; i < NR_SLOTS; i++)
		sum += values[i];
	return sum;
}

static uint64_t count_key(const struct writer *w)
{
	return 1000 + w->nr;
}

static uint64_t all_key(const struct writer *w)
{
	return 2000 + w->nr;
}

/* What its predecessor had begun is done, or is not. */
static bool settle(struct writer *w)
{
	uint32_t pending = tn_load_acquire(&w->n->pending), element = w->nr;
	uint64_t before = tn_load_relaxed(&w->n->before), after = tn_load_relaxed(&w->n->after);
	uint64_t found, count = 0;

	if (pending < NR_KEYS) {
		if (!version_in_map(key_of(w, pending), &found))
			return false;
		if (found != before && found != after)
			return complain("successor", "pending", key_of(w, pending), found, after);
		tn_store_relaxed(&w->n->version[pending], found);
	} else if (pending != NO_KEY) {
		if (!slots_in_map(maps[SLOTS], all_key(w), "successor", &found))
			return false;
		if (found != before && found != after)
			return complain("successor", "slots", all_key(w), found, after);
		tn_store_relaxed(&w->n->slots_version, found);
	}
	tn_store_release(&w->n->pending, NO_KEY);

	if (tn_map_host_lookup(maps[COUNTS], &element, &count, 0))
		return complain("successor", "no count", element, 0, 0);
	found = tn_load_relaxed(&w->n->counted);
	if (count != found && count != found + 1)
		return complain("successor", "count", element, count, found);
	tn_store_relaxed(&w->n->counted, count);

	count = sum_of_slots(count_key(w));
	found = tn_load_relaxed(&w->n->counted_slot);
	if (count != found && count != found + 1)
		return complain("successor", "count of slots", count_key(w), count, found);
	tn_store_relaxed(&w->n->counted_slot, count);
	return true;
}

static void note(struct writer *w, uint32_t key, uint64_t before, uint64_t after)
{
	tn_store_relaxed(&w->n->before, before);
	tn_store_relaxed(&w->n->after, after);
	tn_store_release(&w->n->pending, key);
}

static bool change_key(struct writer *w)
{
	uint32_t i = (uint32_t)(next_random(&w->random) % NR_KEYS);
	uint64_t key = key_of(w, i), before = tn_load_relaxed(&w->n->version[i]);
	bool remove = before && next_random(&w->random) % 3 == 0;
	uint64_t after = remove ? 0 : next_random(&w->random) | 1;
	struct value v = value_of(key, after);
	int err;

	if (!check_key(w, i))
		return false;
	note(w, i, before, after);
	if (remove)
		err = next_random(&w->random) % 2
			      ? tn_map_host_delete(maps[HASH], &key, 0)
			      : tn_map_host_lookup_and_delete(maps[HASH], &key, &v, 0);
	else
		err = maps[HASH]->ops->update(maps[HASH], &key, &v,
					      before ? TN_MAP_EXIST : TN_MAP_NOEXIST, 0);
	if (err)
		return complain("writer", "change", key, (uint64_t)-err, 0);
	tn_store_release(&w->n->version[i], after);
	tn_store_release(&w->n->pending, NO_KEY);
	return true;
}

/* Keys of all: elements come and go at any time, but are whole. */
static bool change_lru(struct writer *w)
{
	uint64_t key = next_random(&w->random) % 1024;
	struct value v;
	int err = tn_map_host_lookup(maps[LRU], &key, &v, 0);

	if (!err && !is_whole(key, &v))
		return complain("writer", "torn in LRU", key, v.word[0], 0);
	v = value_of(key, next_random(&w->random) | 1);
	err = maps[LRU]->ops->update(maps[LRU], &key, &v, TN_MAP_ANY, 0);
	return !err || complain("writer", "LRU", key, (uint64_t)-err, 0);
}

static bool change_all_slots(struct writer *w)
{
	uint64_t key = all_key(w), before = tn_load_relaxed(&w->n->slots_version);
	uint64_t after = before + 1, values[NR_SLOTS];
	int err;

	for (uint32_t i = 0; i < NR_SLOTS; i++)
		values[i] = after;
	note(w, NR_KEYS, before, after);
	err = tn_map_host_update(maps[SLOTS], &key, values, TN_MAP_ANY);
	if (err)
		return complain("writer", "slots", key, (uint64_t)-err, 0);
	tn_store_release(&w->n->slots_version, after);
	tn_store_release(&w->n->pending, NO_KEY);
	return true;
}

/* As programs count: through a pointer, by atomic addition or in a value of the slot's own. */
static bool count_up(struct writer *w)
{
	uint64_t key = count_key(w);
	uint32_t element = w->nr;
	_Atomic uint64_t *count = maps[COUNTS]->ops->lookup(maps[COUNTS], &element, 0);
	_Atomic uint64_t *mine = maps[SLOTS]->ops->lookup(maps[SLOTS], &key, 0);

	if (!count || !mine)
		return complain("writer", "nothing to count in", key, count != NULL, mine != NULL);
	tn_add_relaxed(count, 1);
	tn_add_acq_rel(&w->n->counted, 1);
	tn_store_relaxed(mine, tn_load_relaxed(mine) + 1);
	tn_add_acq_rel(&w->n->counted_slot, 1);
	return true;
}

static bool write_once(struct writer *w)
{
	switch (next_random(&w->random) % 8) {
	case 0:
		return count_up(w);
	case 1:
		return change_all_slots(w);
	case 2:
	case 3:
		return change_lru(w);
	default:
		return change_key(w);
	}
}

static void write_on(uint32_t nr, uint64_t seed)
{
	struct writer w = { .nr = nr, .n = &page->of[nr], .random = seed };
	bool good = settle(&w);

	for (uint32_t i = 0; good && i < NR_KEYS; i++)
		good = check_key(&w, i);
	while (good && !tn_load_relaxed(&page->stop)) {
		good = write_once(&w);
		tn_add_relaxed(&w.n->done, 1);
	}
	tn_store_relaxed(&w.n->failed, !good);
	_exit(good ? 0 : 1);
}

/* ---- A process that only reads ---- */

static struct tn_map *map_read_only(struct tn_map *map)
{
	struct tn_segment_header header;
	struct tn_segment_file file = { .fd = map->segment->fd, .attach = true };
	struct tn_map_attr attr;

	if (tn_segment_read_header(file.fd, &header))
		return NULL;
	tn_segment_attr(&header, &attr);
	attr.file = &file;
	return tn_map_create(&rt, &attr);
}

/* A dead writer may stand in the way until the next one follows it. */
static bool look_at_key(struct tn_map *map, uint64_t key)
{
	struct value v;
	int err = -EAGAIN;

	for (uint32_t i = 0; err == -EAGAIN && i < READ_RETRIES; i++)
		err = tn_map_host_lookup(map, &key, &v, 0);
	if (err && err != -ENOENT)
		return complain("reader", "lookup", key, (uint64_t)-err, 0);
	return err || is_whole(key, &v) || complain("reader", "torn", key, v.word[0], 0);
}

/* A copy is a valid map with nothing in it that was never written. */
static bool copy_map(struct tn_map *map)
{
	struct tn_map *copy = tn_segment_copy(&rt, map->segment->fd);
	uint64_t key, next, *after = NULL;
	bool good;

	if (!copy)
		return complain("reader", tn_err_last()->msg, 0, 0, 0);
	good = tn_hash_is_valid(copy, NULL) || complain("reader", tn_err_last()->msg, 0, 0, 0);
	while (good && !tn_map_next_key(copy, after, &next)) {
		key = next;
		after = &key;
		good = look_at_key(copy, key);
	}
	tn_map_put(copy);
	tn_epoch_reclaim();
	return good;
}

static void read_on(uint64_t random)
{
	struct tn_map *mine[] = { map_read_only(maps[HASH]), map_read_only(maps[LRU]),
				  map_read_only(maps[SLOTS]) };
	bool good = mine[0] && mine[1] && mine[2];
	uint64_t version, last[NR_WRITERS] = { 0 };

	if (!good)
		complain("reader", tn_err_last()->msg, 0, 0, 0);
	for (uint64_t i = 0; good && !tn_load_relaxed(&page->stop); i++) {
		uint32_t w = (uint32_t)(i % NR_WRITERS);

		good = look_at_key(mine[0], next_random(&random) % (NR_WRITERS * NR_KEYS)) &&
		       look_at_key(mine[1], next_random(&random) % 1024) &&
		       slots_in_map(mine[2], 2000 + w, "reader", &version);
		if (good && version) {
			good = version >= last[w] ||
			       complain("reader", "went back", w, version, last[w]);
			last[w] = version;
		}
		if (good && i % 512 == 0) {
			good = copy_map(i % 1024 ? maps[LRU] : maps[HASH]);
			tn_add_relaxed(&page->copies, 1);
		}
		tn_add_relaxed(&page->looks, 1);
	}
	_exit(good ? 0 : 1);
}

/* ---- The one that kills ---- */

static bool make_map(int which, uint32_t type, uint32_t key, uint32_t value, uint32_t max)
{
	struct tn_map_attr attr = { .type = type,
				    .key_size = key,
				    .value_size = value,
				    .max_entries = max,
				    .flags = TN_MAP_F_SHARED,
				    .name = "shared" };

	maps[which] = tn_map_create(&rt, &attr);
	return maps[which] || complain("start", tn_err_last()->msg, 0, 0, 0);
}

static bool start(void)
{
	struct tn_rt_config config = { .max_slots = NR_SLOTS };
	uint64_t zeros[NR_SLOTS] = { 0 };

	page = mmap(NULL, sizeof(*page), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED || tn_rt_init(&rt, &config))
		return false;
	if (!make_map(HASH, TN_MAP_HASH, 8, sizeof(struct value), NR_WRITERS * NR_KEYS) ||
	    !make_map(LRU, TN_MAP_LRU_HASH, 8, sizeof(struct value), 256) ||
	    !make_map(SLOTS, TN_MAP_PERCPU_HASH, 8, 8, 64) ||
	    !make_map(COUNTS, TN_MAP_ARRAY, 4, 8, NR_WRITERS))
		return false;
	for (uint32_t i = 0; i < NR_WRITERS; i++) {
		uint64_t key = 1000 + i;

		tn_store_relaxed(&page->of[i].pending, NO_KEY);
		if (tn_map_host_update(maps[SLOTS], &key, zeros, TN_MAP_ANY))
			return false;
	}
	return true;
}

static pid_t fork_one(uint32_t nr, uint64_t seed)
{
	pid_t pid = fork();

	if (pid == 0) {
		if (nr < NR_WRITERS)
			write_on(nr, seed);
		read_on(seed);
	}
	return pid;
}

/* Until every writer has done something; one that failed is seen here, too. */
static bool all_go_on(void)
{
	uint64_t done[NR_WRITERS], begin = tn_clock_ns();

	for (uint32_t i = 0; i < NR_WRITERS; i++)
		done[i] = tn_load_relaxed(&page->of[i].done);
	for (uint32_t i = 0; i < NR_WRITERS;) {
		if (tn_load_relaxed(&page->of[i].failed))
			return complain("start", "writer failed", i, 0, 0);
		if (tn_load_relaxed(&page->of[i].done) != done[i])
			i++;
		else if (tn_clock_ns() - begin > STUCK_NS)
			return complain("start", "writer does not go on", i, 0, 0);
		else
			sched_yield();
	}
	return true;
}

/* Writers die after anything up to 2 ms; every sixteenth time all at once. */
static bool kill_at_random(pid_t *pids, uint64_t ns, uint64_t *kills)
{
	uint64_t random = 88172645463325252u ^ tn_clock_ns(), begin = tn_clock_ns();
	bool good = true;

	while (good && tn_clock_ns() - begin < ns) {
		struct timespec t = { 0, (long)(next_random(&random) % 2000000) };
		uint32_t first = (uint32_t)(next_random(&random) % NR_WRITERS);
		uint32_t n = next_random(&random) % 16 ? 1 : NR_WRITERS;

		nanosleep(&t, NULL);
		for (uint32_t i = 0; i < n; i++)
			kill(pids[(first + i) % NR_WRITERS], SIGKILL);
		for (uint32_t i = 0; i < n; i++) {
			uint32_t at = (first + i) % NR_WRITERS;

			waitpid(pids[at], NULL, 0);
			pids[at] = fork_one(at, next_random(&random));
			++*kills;
		}
		if (*kills % 32 < n)
			good = all_go_on();
	}
	return good && all_go_on();
}

static bool check_end(void)
{
	bool good = true;

	for (int i = 0; i <= SLOTS; i++)
		if (!tn_hash_is_valid(maps[i], NULL))
			good = complain("end", tn_err_last()->msg, (uint64_t)i, 0, 0);
	for (uint32_t nr = 0; nr < NR_WRITERS; nr++) {
		struct writer w = { .nr = nr, .n = &page->of[nr] };

		good = settle(&w) && good;
		for (uint32_t i = 0; i < NR_KEYS; i++)
			good = check_key(&w, i) && good;
	}
	return good;
}

static bool end_all(pid_t *pids, bool good)
{
	int status;

	tn_store_relaxed(&page->stop, 1);
	for (uint32_t i = 0; i <= NR_WRITERS; i++) {
		if (!good)
			kill(pids[i], SIGKILL);
		if (waitpid(pids[i], &status, 0) != pids[i] || (good && status))
			good = complain("end", "exit status", i, (uint64_t)status, 0);
	}
	return good;
}

int main(int argc, char **argv)
{
	uint64_t seconds = argc > 1 ? strtoull(argv[1], NULL, 10) : 5, kills = 0, done = 0;
	pid_t pids[NR_WRITERS + 1];
	bool good;

	if (!start())
		return 1;
	for (uint32_t i = 0; i <= NR_WRITERS; i++)
		pids[i] = fork_one(i, 1 + i);
	good = kill_at_random(pids, seconds * 1000000000, &kills);
	good = end_all(pids, good) && good;
	good = good && check_end();
	for (uint32_t i = 0; i < NR_WRITERS; i++)
		done += tn_load_relaxed(&page->of[i].done);
	printf("%llu operations, %llu kills; followed %llu (hash), %llu (LRU), %llu (per slot); "
	       "reader: %llu looks, %llu copies\n",
	       (unsigned long long)done, (unsigned long long)kills,
	       (unsigned long long)tn_load_relaxed(&maps[HASH]->segment->live->repairs),
	       (unsigned long long)tn_load_relaxed(&maps[LRU]->segment->live->repairs),
	       (unsigned long long)tn_load_relaxed(&maps[SLOTS]->segment->live->repairs),
	       (unsigned long long)tn_load_relaxed(&page->looks),
	       (unsigned long long)tn_load_relaxed(&page->copies));
	for (int i = 0; i < NR_MAPS; i++)
		tn_map_put(maps[i]);
	if (tn_epoch_drain())
		return 1;
	tn_rt_fini(&rt);
	return good ? 0 : 1;
}
