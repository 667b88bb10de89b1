/* SPDX-License-Identifier: MIT */
/*
 * Ring buffer, user ring buffer, perf event array, queue and stack. Samples name their producer and
 * count: each is consumed once, whole, in the order of its producer, and what was not taken in is
 * counted exactly.
 */
#include "run.h"

#include <errno.h>
#include <linux/bpf.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "host-api/map_handle.h"
#include "maps/ringbuf.h"

#define NR_PRODUCERS 8u
#define RING_BYTES   16384u

static void fill_sample(struct stress_op *op, uint32_t producer, uint64_t nr, uint32_t words)
{
	op->value[0] = producer;
	op->value[1] = nr;
	for (uint32_t i = 2; i < words; i++)
		op->value[i] = stress_word(producer, (uint32_t)nr, i);
	op->index = words;
}

static uint32_t sample_words(uint64_t nr)
{
	return 2 + (uint32_t)(nr % (SAMPLE_WORDS - 2));
}

/* What a consumer knows: the number that came last from each producer. */
struct seen {
	struct run *run;
	uint64_t last[MAX_PRODUCERS], nr, lost;
	bool gaps; /* some may be missing, but none comes late */
};

static void check_sample(struct seen *seen, const u64_t *words, size_t size)
{
	uint64_t producer = words[0], nr = words[1];

	if (size < 16 || producer >= MAX_PRODUCERS) {
		wrong(seen->run, "a sample of %zu bytes of producer %llu", size,
		      (unsigned long long)producer);
		return;
	}
	if (seen->gaps ? nr <= seen->last[producer] : nr != seen->last[producer] + 1)
		wrong(seen->run, "producer %llu: number %llu follows on %llu",
		      (unsigned long long)producer, (unsigned long long)nr,
		      (unsigned long long)seen->last[producer]);
	for (uint32_t i = 2; i < size / 8; i++)
		if (words[i] != stress_word((uint32_t)producer, (uint32_t)nr, i))
			wrong(seen->run, "producer %llu: number %llu is torn",
			      (unsigned long long)producer, (unsigned long long)nr);
	seen->last[producer] = nr;
	seen->nr++;
}

/* ---- Ring buffer ---- */

enum { RESERVE, OUTPUT };

struct ring_run {
	struct seen seen;
	struct tenon_ring_buffer *rb;
};

static int take_record(void *user, void *data, size_t size)
{
	check_sample(user, data, size);
	return 0;
}

static void begin_ringbuf(struct run *run)
{
	struct ring_run *own = calloc(1, sizeof(*own));

	run->own = own;
	own->seen.run = run;
	own->rb = tenon_ring_buffer_new(run->map, take_record, &own->seen);
	if (!own->rb)
		wrong(run, "%s", tenon_last_error()->msg);
}

/* The consumer sleeps where there is nothing. A wakeup that does not come would leave the ring full
 * and the consumer asleep: then there is something, and nothing tells of it even a while later. */
static void consume_ringbuf(struct worker *w)
{
	struct tn_map *map = tn_map_of(w->run->map);
	struct ring_run *own = w->run->own;
	struct pollfd fd = { .fd = tenon_ring_buffer_fd(own->rb), .events = POLLIN };
	int rc = tenon_ring_buffer_poll(own->rb, 500);

	if (rc < 0)
		wrong(w->run, "poll: %s", tenon_last_error()->msg);
	if (rc == 0 && tn_ringbuf_query(map, TN_RB_AVAIL_DATA) > RING_BYTES - 512 &&
	    poll(&fd, 1, 100) == 0 && tenon_ring_buffer_consume(own->rb) > 0)
		wrong(w->run, "a wakeup did not come");
}

static void produce_ringbuf(struct worker *w)
{
	struct stress_op op = { .arg = pick(w, 8) == 0 };
	uint64_t nr = w->nr + 1;
	bool by_output = pick(w, 2);
	int rc;

	/* Some ask for a wakeup. NO_WAKEUP is not among these: nobody would wake the consumer. */
	op.flags = pick(w, 64) ? 0 : BPF_RB_FORCE_WAKEUP;
	fill_sample(&op, w->id, nr, by_output ? sample_words(nr) : SAMPLE_WORDS);
	rc = fire(w, by_output ? OUTPUT : RESERVE, &op);
	if (rc == 0)
		w->nr += by_output || !op.arg;
	else if (rc != -EAGAIN)
		wrong(w->run, "ring: %d", rc);
	else
		w->lost++;
	/* On few processors, do not fill the ring before the consumer gets one. */
	if (rc)
		sched_yield();
}

static void work_ringbuf(struct worker *w)
{
	if (w->id == NR_PRODUCERS)
		consume_ringbuf(w);
	else
		produce_ringbuf(w);
}

static void end_ringbuf(struct run *run)
{
	struct ring_run *own = run->own;
	uint64_t dropped = 0;

	if (tenon_ring_buffer_consume(own->rb) < 0)
		wrong(run, "consume: %s", tenon_last_error()->msg);
	for (uint32_t i = 0; i < NR_PRODUCERS; i++) {
		dropped += run->workers[i].lost;
		if (own->seen.last[i] != run->workers[i].nr)
			wrong(run, "producer %u: %llu came of %llu", i,
			      (unsigned long long)own->seen.last[i],
			      (unsigned long long)run->workers[i].nr);
	}
	if (tn_ringbuf_dropped(tn_map_of(run->map)) != dropped)
		wrong(run, "%llu drops are counted, expected %llu",
		      (unsigned long long)tn_ringbuf_dropped(tn_map_of(run->map)),
		      (unsigned long long)dropped);
	tenon_ring_buffer_free(own->rb);
	free(own);
}

/* ---- User ring buffer: the host produces, programs take ---- */

static void begin_user(struct run *run)
{
	run->own = tenon_user_ring_buffer_new(run->map);
	if (!run->own)
		wrong(run, "%s", tenon_last_error()->msg);
}

static void drain_user(struct worker *w)
{
	struct stress_op op = { 0 };
	int rc;

	memcpy(op.value, w->count, sizeof(w->count));
	rc = fire(w, 0, &op);
	memcpy(w->count, op.value, sizeof(w->count));
	if (rc < 0 || op.arg || (uint64_t)rc != op.result)
		wrong(w->run, "drain gives %d, %llu taken, %llu of them wrong", rc,
		      (unsigned long long)op.result, (unsigned long long)op.arg);
	if (!rc)
		sched_yield();
}

static void work_user(struct worker *w)
{
	struct tenon_user_ring_buffer *rb = w->run->own;
	struct stress_op op;
	uint64_t nr = w->nr + 1;
	uint32_t words = sample_words(nr);
	void *sample;

	if (w->id == NR_PRODUCERS) {
		drain_user(w);
		return;
	}
	sample = tenon_user_ring_buffer_reserve(rb, words * 8);
	if (!sample) {
		sched_yield();
		return;
	}
	if (pick(w, 8) == 0) {
		memset(sample, 0xff, words * 8);
		tenon_user_ring_buffer_discard(rb, sample);
		return;
	}
	fill_sample(&op, w->id, nr, words);
	memcpy(sample, op.value, words * 8);
	tenon_user_ring_buffer_submit(rb, sample);
	w->nr++;
}

static void end_user(struct run *run)
{
	struct worker *reader = &run->workers[NR_PRODUCERS];

	drain_user(reader);
	for (uint32_t i = 0; i < NR_PRODUCERS; i++)
		if (reader->count[i] != run->workers[i].nr)
			wrong(run, "producer %u: %llu came of %llu", i,
			      (unsigned long long)reader->count[i],
			      (unsigned long long)run->workers[i].nr);
	tenon_user_ring_buffer_free(run->own);
}

/* ---- Perf event array ---- */

struct perf_run {
	struct seen seen;
	struct tenon_perf_buffer *pb;
};

static void take_event(void *user, uint32_t slot, void *data, uint32_t size)
{
	(void)slot;
	check_sample(user, data, size);
}

static void count_lost(void *user, uint32_t slot, uint64_t count)
{
	(void)slot;
	((struct seen *)user)->lost += count;
}

static bool overwrites(const struct run *run)
{
	return !strcmp(run->kind->name, "perf_overwrite");
}

static void begin_perf(struct run *run)
{
	const struct tenon_perf_buffer_opts opts = { .sz = sizeof(opts),
						     .overwrite = overwrites(run) };
	struct perf_run *own = calloc(1, sizeof(*own));

	run->own = own;
	own->seen.run = run;
	own->seen.gaps = overwrites(run);
	own->pb = tenon_perf_buffer_new(run->map, overwrites(run) ? 1 : 2, take_event, count_lost,
					&own->seen, &opts);
	if (!own->pb)
		wrong(run, "%s", tenon_last_error()->msg);
}

static void work_perf(struct worker *w)
{
	struct perf_run *own = w->run->own;
	struct stress_op op = { 0 };
	int rc;

	if (w->id == NR_PRODUCERS) {
		if (tenon_perf_buffer_poll(own->pb, 100) < 0)
			wrong(w->run, "poll: %s", tenon_last_error()->msg);
		return;
	}
	fill_sample(&op, w->id, w->nr + 1, sample_words(w->nr + 1));
	rc = fire(w, 0, &op);
	if (rc == 0) {
		w->nr++;
	} else if (rc == -ENOSPC && !overwrites(w->run)) {
		w->lost++;
		sched_yield();
	} else {
		wrong(w->run, "perf event: %d", rc);
	}
}

/* What is missing is told with the sample behind it: where all are told, each ring's newest came.
 */
static void end_perf(struct run *run)
{
	struct perf_run *own = run->own;
	uint64_t written = 0, lost = 0;

	if (tenon_perf_buffer_consume(own->pb) < 0)
		wrong(run, "consume: %s", tenon_last_error()->msg);
	for (uint32_t i = 0; i < NR_PRODUCERS; i++) {
		written += run->workers[i].nr;
		lost += run->workers[i].lost;
		if (!overwrites(run) && own->seen.last[i] != run->workers[i].nr)
			wrong(run, "producer %u: %llu came of %llu", i,
			      (unsigned long long)own->seen.last[i],
			      (unsigned long long)run->workers[i].nr);
	}
	if (own->seen.nr + own->seen.lost != written + lost)
		wrong(run, "%llu came and %llu are told lost, of %llu",
		      (unsigned long long)own->seen.nr, (unsigned long long)own->seen.lost,
		      (unsigned long long)(written + lost));
	tenon_perf_buffer_free(own->pb);
	free(own);
}

/* ---- Queue and stack ---- */

enum { PUSH, POP, PEEK };

static void check_popped(struct worker *w, const u64_t *words)
{
	for (uint32_t i = 2; i < VALUE_WORDS; i++)
		if (words[0] >= NR_THREADS ||
		    words[i] != stress_word((u32_t)words[0], (u32_t)words[1], i))
			wrong(w->run, "a torn value");
}

static void work_queue(struct worker *w)
{
	bool fifo = w->run->kind->name[0] == 'q';
	struct stress_op op = { 0 };
	int rc;

	switch (pick(w, 5)) {
	case 0:
	case 1:
		fill_sample(&op, w->id, w->nr + 1, VALUE_WORDS);
		rc = pick(w, 3) ? fire(w, PUSH, &op)
				: tenon_map_update_elem(w->run->map, NULL, 0, op.value,
							VALUE_WORDS * 8, 0);
		if (rc && rc != -E2BIG)
			wrong(w->run, "push: %d", rc);
		w->nr += !rc;
		break;
	case 2:
		rc = pick(w, 2) ? fire(w, PEEK, &op)
				: tenon_map_lookup_elem(w->run->map, NULL, 0, op.value,
							VALUE_WORDS * 8, 0);
		if (!rc)
			check_popped(w, op.value);
		break;
	default:
		rc = pick(w, 3) ? fire(w, POP, &op)
				: tenon_map_lookup_and_delete_elem(w->run->map, NULL, 0, op.value,
								   VALUE_WORDS * 8, 0);
		if (rc)
			break;
		check_popped(w, op.value);
		/* One consumer sees each producer's values in order. */
		if (fifo && op.value[1] <= w->count[op.value[0]])
			wrong(w->run, "number %llu comes after %llu",
			      (unsigned long long)op.value[1],
			      (unsigned long long)w->count[op.value[0]]);
		w->count[op.value[0]] = op.value[1];
		w->sum += op.value[1];
		w->lost++; /* taken out */
		break;
	}
}

/* Every number was taken out once: their count and their sum say so. */
static void end_queue(struct run *run)
{
	u64_t value[VALUE_WORDS];
	uint64_t pushed = 0, popped = 0, in = 0, out = 0;

	for (uint32_t i = 0; i < run->nr_threads; i++) {
		pushed += run->workers[i].nr;
		in += run->workers[i].nr * (run->workers[i].nr + 1) / 2;
		popped += run->workers[i].lost;
		out += run->workers[i].sum;
	}
	while (!tenon_map_lookup_and_delete_elem(run->map, NULL, 0, value, sizeof(value), 0)) {
		popped++;
		out += value[1];
	}
	if (pushed != popped || in != out)
		wrong(run, "%llu put in, %llu taken out", (unsigned long long)pushed,
		      (unsigned long long)popped);
}

#define QUEUE_HOOKS                   \
	{                             \
		"push", "pop", "peek" \
	}

const struct kind ring_kinds[] = {
	{ "ringbuf",
	  { "reserve", "output" },
	  NR_PRODUCERS + 1,
	  12,
	  begin_ringbuf,
	  work_ringbuf,
	  NULL,
	  end_ringbuf,
	  false },
	{ "user_ringbuf",
	  { "drain" },
	  NR_PRODUCERS + 1,
	  12,
	  begin_user,
	  work_user,
	  NULL,
	  end_user,
	  false },
	/* Fewer slots than producers: some write to the shared one in turn. */
	{ "perf_event_array",
	  { "output" },
	  NR_PRODUCERS + 1,
	  6,
	  begin_perf,
	  work_perf,
	  NULL,
	  end_perf,
	  false },
	{ "perf_overwrite",
	  { "output" },
	  NR_PRODUCERS + 1,
	  6,
	  begin_perf,
	  work_perf,
	  NULL,
	  end_perf,
	  false },
	{ "queue", QUEUE_HOOKS, 0, 0, NULL, work_queue, NULL, end_queue, false },
	{ "stack", QUEUE_HOOKS, 0, 0, NULL, work_queue, NULL, end_queue, false },
	{ 0 },
};
