/* SPDX-License-Identifier: MIT */
/*
 * Threads change every kind of private map while their process forks again and again. Each child
 * uses all of them at once: nothing is torn, no lock is held by a thread that it does not have, no
 * element or record is lost to one, and all of it can be freed. The parent goes on.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/epoch.h"
#include "base/err.h"
#include "base/thread.h"
#include "host-api/map_handle.h"
#include "maps/perf_array.h"
#include "maps/ringbuf.h"
#include "maps/user_ringbuf.h"
#include "tenon/tenon.h"

#define NR_WORKERS   4u
#define NR_KEYS	     128u
#define WORDS	     6u
#define MAX_SLOTS    8u
#define RING_BYTES   8192u
#define CHILD_SECS   60 /* one that waits for ever is ended */
#define MIN_CHILDREN 5

enum traits { KEYED = 1, IN_PLACE = 2, FORGETS = 4, FIXED = 8, TRIE = 16, QUEUE = 32, SLOTS = 64 };

struct kind {
	const char *name;
	uint32_t type, flags, traits;
	struct tenon_map *map;
};

static struct kind kinds[] = {
	{ "hash", BPF_MAP_TYPE_HASH, 0, KEYED, NULL },
	{ "hash_no_prealloc", BPF_MAP_TYPE_HASH, BPF_F_NO_PREALLOC, KEYED, NULL },
	{ "percpu_hash", BPF_MAP_TYPE_PERCPU_HASH, 0, KEYED | IN_PLACE | SLOTS, NULL },
	{ "lru_hash", BPF_MAP_TYPE_LRU_HASH, 0, KEYED | FORGETS, NULL },
	{ "lru_percpu", BPF_MAP_TYPE_LRU_PERCPU_HASH, 0, KEYED | FORGETS | IN_PLACE | SLOTS, NULL },
	{ "lpm_trie", BPF_MAP_TYPE_LPM_TRIE, BPF_F_NO_PREALLOC, KEYED | TRIE, NULL },
	{ "array", BPF_MAP_TYPE_ARRAY, 0, KEYED | IN_PLACE | FIXED, NULL },
	{ "percpu_array", BPF_MAP_TYPE_PERCPU_ARRAY, 0, KEYED | IN_PLACE | FIXED | SLOTS, NULL },
	{ "queue", BPF_MAP_TYPE_QUEUE, 0, QUEUE, NULL },
	{ "stack", BPF_MAP_TYPE_STACK, 0, QUEUE, NULL },
	{ "bloom_filter", BPF_MAP_TYPE_BLOOM_FILTER, 0, 0, NULL },
	{ "ringbuf", BPF_MAP_TYPE_RINGBUF, 0, 0, NULL },
	{ "user_ringbuf", BPF_MAP_TYPE_USER_RINGBUF, 0, 0, NULL },
	{ "perf_event_array", BPF_MAP_TYPE_PERF_EVENT_ARRAY, 0, 0, NULL },
	{ "perf_overwrite", BPF_MAP_TYPE_PERF_EVENT_ARRAY, 0, 0, NULL },
};
#define NR_KINDS (sizeof(kinds) / sizeof(kinds[0]))

static struct tenon_runtime *rt;
static _Atomic int stop, failed;

#define WRONG(k, ...)                                                    \
	do {                                                             \
		fprintf(stderr, "%s in %d: ", (k)->name, (int)getpid()); \
		fprintf(stderr, __VA_ARGS__);                            \
		fputc('\n', stderr);                                     \
		atomic_store(&failed, 1);                                \
		atomic_store(&stop, 1);                                  \
	} while (0)

/* ---- Values: each word names its key, its place and a version ---- */

static void fill(uint64_t *words, uint32_t nr, uint32_t key, uint32_t version)
{
	for (uint32_t i = 0; i < nr; i++)
		words[i] = (uint64_t)version << 32 | key << 8 | (i % WORDS);
}

static void check(struct kind *k, const uint64_t *words, uint32_t nr, int64_t key)
{
	for (uint32_t i = 0; i < nr; i++) {
		uint32_t of = (uint32_t)words[i] >> 8;

		if (!words[i] && k->traits & IN_PLACE)
			continue;
		if ((words[i] & 0xff) != i % WORDS || (key >= 0 && of != key) ||
		    of != (uint32_t)words[0] >> 8 ||
		    (!(k->traits & IN_PLACE) && words[i] >> 32 != words[0] >> 32)) {
			WRONG(k, "key %lld: word %u is %llx, word 0 %llx", (long long)key, i,
			      (unsigned long long)words[i], (unsigned long long)words[0]);
			return;
		}
	}
}

static uint32_t value_words(const struct kind *k)
{
	return k->traits & SLOTS ? WORDS * MAX_SLOTS : WORDS;
}

/* ---- Keyed maps, queues ---- */

static size_t make_key(const struct kind *k, uint32_t *key, uint32_t nr)
{
	key[0] = k->traits & TRIE ? 32 : nr;
	key[1] = nr;
	return k->traits & TRIE ? 8 : 4;
}

static int put(struct kind *k, uint32_t nr, uint32_t version)
{
	uint64_t words[WORDS * MAX_SLOTS];
	uint32_t key[2];
	size_t size = make_key(k, key, nr);

	fill(words, value_words(k), nr, version);
	return tenon_map_update_elem(k->map, key, size, words, value_words(k) * 8, BPF_ANY);
}

static int get(struct kind *k, uint32_t nr)
{
	uint64_t words[WORDS * MAX_SLOTS];
	uint32_t key[2];
	size_t size = make_key(k, key, nr);
	int rc = tenon_map_lookup_elem(k->map, key, size, words, value_words(k) * 8, 0);

	if (!rc)
		check(k, words, value_words(k), nr);
	return rc;
}

static int take_out(struct kind *k, uint32_t nr)
{
	uint32_t key[2];
	size_t size = make_key(k, key, nr);

	return tenon_map_delete_elem(k->map, key, size, 0);
}

static int push(struct kind *k, uint32_t nr, uint32_t version)
{
	uint64_t words[WORDS];

	fill(words, WORDS, nr, version);
	return tenon_map_update_elem(k->map, NULL, 0, words, sizeof(words), 0);
}

static int pop(struct kind *k)
{
	uint64_t words[WORDS];
	int rc = tenon_map_lookup_and_delete_elem(k->map, NULL, 0, words, sizeof(words), 0);

	if (!rc)
		check(k, words, WORDS, -1);
	return rc;
}

/* ---- Rings: records of any number of words ---- */

static int take_record(void *user, void *data, size_t size)
{
	check(user, data, (uint32_t)(size / 8), -1);
	return 0;
}

static void take_event(void *user, uint32_t slot, void *data, uint32_t size)
{
	(void)slot;
	check(user, data, size / 8, -1);
}

/* Records are often open while another thread forks. */
static void fill_slowly(uint64_t *room, const uint64_t *sample, uint32_t words)
{
	room[0] = sample[0];
	if (words % 4 == 0)
		sched_yield();
	memcpy(room, sample, words * 8);
}

static int write_record(struct kind *k, uint32_t nr, uint32_t version, uint32_t slot)
{
	struct tn_map *map = tn_map_of(k->map);
	struct tn_thread *t = tn_thread_self();
	uint32_t words = 1 + version % 20;
	uint64_t sample[20], *room;
	int rc = 0;

	fill(sample, words, nr, version);
	if (k->type == BPF_MAP_TYPE_USER_RINGBUF) {
		room = tn_user_ringbuf_reserve(map, words * 8);
		if (!room)
			return -errno;
		fill_slowly(room, sample, words);
		tn_user_ringbuf_submit(map, room, false);
		return 0;
	}
	tn_epoch_enter(t);
	if (k->type == BPF_MAP_TYPE_PERF_EVENT_ARRAY) {
		rc = tn_perf_output(map, TN_PERF_INDEX, sample, words * 8, NULL, 0, slot);
	} else {
		room = tn_ringbuf_reserve(map, words * 8, 0);
		rc = room ? 0 : -ENOSPC;
		if (room) {
			fill_slowly(room, sample, words);
			tn_ringbuf_submit(room, 0);
		}
	}
	tn_epoch_leave(t);
	return rc;
}

/* What is there; the number of records, or -EBUSY. */
static int read_records(struct kind *k)
{
	struct tn_map *map = tn_map_of(k->map);
	uint32_t size;
	int nr = 0;

	if (k->type == BPF_MAP_TYPE_RINGBUF)
		return tn_ringbuf_consume(map, take_record, k);
	if (k->type == BPF_MAP_TYPE_PERF_EVENT_ARRAY)
		return tn_perf_consume(map, &(struct tn_perf_reader){ take_event, NULL, k });
	nr = tn_user_ringbuf_begin(map);
	if (nr)
		return nr;
	for (void *sample; (sample = tn_user_ringbuf_peek(map, &size)); nr++) {
		check(k, sample, size / 8, -1);
		tn_user_ringbuf_next(map);
	}
	tn_user_ringbuf_end(map);
	return nr;
}

/* ---- Threads of the parent ---- */

static void change(struct kind *k, uint32_t id, uint32_t nr, uint32_t version)
{
	if (k->traits & KEYED) {
		if (version % 3 == 0 && !(k->traits & FIXED))
			take_out(k, nr);
		else if (version % 3 == 1)
			get(k, nr);
		else
			put(k, nr, version);
	} else if (k->traits & QUEUE) {
		if (version % 2)
			push(k, nr, version);
		else
			pop(k);
	} else if (k->type == BPF_MAP_TYPE_BLOOM_FILTER) {
		push(k, nr, 1);
	} else if (write_record(k, nr, version, id) && id == 0) {
		read_records(k);
	}
}

static void *work(void *arg)
{
	uint32_t id = (uint32_t)(uintptr_t)arg;
	uint64_t random = 88172645463325252u + id * 7919;

	for (uint32_t version = 1; !atomic_load(&stop); version++) {
		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		change(&kinds[(random >> 40) % NR_KINDS], id, (uint32_t)(random >> 20) % NR_KEYS,
		       version & 0xffffff);
	}
	return NULL;
}

/* ---- The child, alone ---- */

/* Elements that a vanished thread was about to put in or to take out may be there or not, but no
 * place is lost: all keys fit. */
static void use_keyed(struct kind *k)
{
	bool may_miss = k->traits & FORGETS;
	uint32_t key[2], nr = 0;
	int rc;

	for (uint32_t i = 0; i < NR_KEYS; i++)
		if ((rc = get(k, i)) && rc != -ENOENT)
			WRONG(k, "lookup: %d", rc);
	for (uint32_t i = 0; i < NR_KEYS; i++)
		if ((rc = put(k, i, 1)) || (!may_miss && (rc = get(k, i))))
			WRONG(k, "update of %u: %d", i, rc);
	rc = tenon_map_get_next_key(k->map, NULL, key, k->traits & TRIE ? 8 : 4);
	for (; !rc && nr <= NR_KEYS; nr++)
		rc = tenon_map_get_next_key(k->map, key, key, k->traits & TRIE ? 8 : 4);
	if (rc != -ENOENT || (may_miss ? nr > NR_KEYS : nr != NR_KEYS))
		WRONG(k, "%u keys, then %d", nr, rc);
	for (uint32_t i = 0; i < NR_KEYS && !(k->traits & FIXED); i++)
		if ((rc = take_out(k, i)) && !(may_miss && rc == -ENOENT))
			WRONG(k, "delete of %u: %d", i, rc);
	if (!(k->traits & FIXED) &&
	    tenon_map_get_next_key(k->map, NULL, key, k->traits & TRIE ? 8 : 4) != -ENOENT)
		WRONG(k, "a key after all are deleted");
	for (uint32_t i = 0; i < NR_KEYS; i++)
		if ((rc = put(k, i, 2)))
			WRONG(k, "update of %u in the empty map: %d", i, rc);
}

static void use_queue(struct kind *k)
{
	uint32_t nr = 0;
	int rc;

	while (!(rc = pop(k)) && nr <= NR_KEYS)
		nr++;
	if (rc != -ENOENT || nr > NR_KEYS)
		WRONG(k, "%u values, then %d", nr, rc);
	for (uint32_t i = 0; i < NR_KEYS; i++)
		if ((rc = push(k, i, 1)))
			WRONG(k, "push of %u: %d", i, rc);
	if (push(k, 0, 1) != -E2BIG || pop(k))
		WRONG(k, "a full queue takes more, or gives nothing");
}

static void use_bloom(struct kind *k)
{
	uint64_t words[WORDS];
	int rc = push(k, 5, 1);

	fill(words, WORDS, 5, 1);
	if (rc || (rc = tenon_map_lookup_elem(k->map, NULL, 0, words, sizeof(words), 0)))
		WRONG(k, "push, peek: %d", rc);
}

/* After what is there, half a ring of records goes in and comes out: none that a vanished thread
 * left open stops it. */
static void use_ring(struct kind *k)
{
	int written = 0, rc = read_records(k);

	if (rc < 0)
		WRONG(k, "read: %d", rc);
	for (uint32_t i = 1; i < 30; i++, written++)
		if ((rc = write_record(k, i, i, 1)))
			WRONG(k, "record %u: %d", i, rc);
	rc = read_records(k);
	if (rc != written)
		WRONG(k, "%d records, expected %d", rc, written);
}

static void use_all(void)
{
	for (size_t i = 0; i < NR_KINDS; i++) {
		struct kind *k = &kinds[i];

		if (k->traits & KEYED)
			use_keyed(k);
		else if (k->traits & QUEUE)
			use_queue(k);
		else if (k->type == BPF_MAP_TYPE_BLOOM_FILTER)
			use_bloom(k);
		else
			use_ring(k);
	}
}

static void free_all(void)
{
	for (size_t i = 0; i < NR_KINDS; i++)
		tenon_map_free(kinds[i].map);
	if (tenon_runtime_free(rt)) {
		fprintf(stderr, "runtime: %s\n", tenon_last_error()->msg);
		atomic_store(&failed, 1);
	}
}

/* ---- The parent ---- */

static int make_map(struct kind *k)
{
	struct tenon_map_opts opts = { .sz = sizeof(opts), .flags = k->flags };
	bool perf = k->type == BPF_MAP_TYPE_PERF_EVENT_ARRAY;
	bool ring = k->type == BPF_MAP_TYPE_RINGBUF || k->type == BPF_MAP_TYPE_USER_RINGBUF;
	uint32_t key = k->traits & TRIE ? 8 : k->traits & KEYED || perf ? 4 : 0;
	uint32_t value = ring ? 0 : perf ? 4 : WORDS * 8;

	k->map = tenon_map_new(rt, k->type, k->name, key, value,
			       ring   ? RING_BYTES
			       : perf ? MAX_SLOTS
				      : NR_KEYS,
			       &opts);
	if (k->map && perf)
		return tn_perf_open(tn_map_of(k->map), RING_BYTES,
				    &(struct tn_perf_options){
					    .overwrite = !strcmp(k->name, "perf_overwrite") });
	return k->map ? 0 : -errno;
}

static void fork_once(void)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		alarm(CHILD_SECS);
		atomic_store(&failed, 0);
		use_all();
		free_all();
		_exit(atomic_load(&failed));
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status) {
		fprintf(stderr, "a child ended with %#x\n", pid < 0 ? 0 : (unsigned)status);
		atomic_store(&failed, 1);
		atomic_store(&stop, 1);
	}
}

int main(int argc, char **argv)
{
	const struct tenon_runtime_opts opts = { .sz = sizeof(opts), .max_slots = MAX_SLOTS };
	double seconds = argc > 1 ? strtod(argv[1], NULL) : 2;
	time_t end = time(NULL) + (time_t)seconds;
	pthread_t threads[NR_WORKERS];
	int children = 0;

	rt = tenon_runtime_new(&opts);
	for (size_t i = 0; rt && i < NR_KINDS; i++) {
		if (make_map(&kinds[i])) {
			fprintf(stderr, "%s: %s\n", kinds[i].name, tenon_last_error()->msg);
			return 1;
		}
	}
	for (uintptr_t i = 0; i < NR_WORKERS; i++)
		if (!rt || pthread_create(&threads[i], NULL, work, (void *)i))
			return 1;
	while ((time(NULL) < end || children < MIN_CHILDREN) && !atomic_load(&stop)) {
		fork_once();
		children++;
	}
	atomic_store(&stop, 1);
	for (uint32_t i = 0; i < NR_WORKERS; i++)
		pthread_join(threads[i], NULL);
	use_all();
	free_all();
	printf("%d children: %s\n", children, atomic_load(&failed) ? "WRONG" : "right");
	return atomic_load(&failed);
}
