/* SPDX-License-Identifier: MIT */
/* Perf event arrays in overwrite mode: the newest are kept, none is torn, what is missing is
 * counted; and wakeups after so many samples or bytes. */
#include "maps/testing.h"

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/pages.h"
#include "maps/perf_array.h"

#define CURRENT	     TN_PERF_INDEX
#define SAMPLES	     200000
#define MAX_BYTES    600
#define SAMPLE_BYTES 16 /* of output(), with its header */

struct seen {
	uint64_t nr, lost, first, last, wrong;
	uint32_t size;
	unsigned char bytes[64];
};

static unsigned char byte_of(uint64_t nr, uint32_t i)
{
	return (unsigned char)(nr * 31 + i * 7);
}

/* Samples of a number and bytes that follow from it; on slot `slot` of an array of those. */
static void on_sample(void *user, uint32_t slot, void *data, uint32_t size)
{
	struct seen *s = (struct seen *)user + slot;
	const unsigned char *bytes = data;
	uint64_t nr;

	memcpy(&nr, data, sizeof(nr));
	s->wrong += s->nr && nr <= s->last;
	for (uint32_t i = 8; i < size; i++)
		s->wrong += bytes[i] != byte_of(nr, i);
	if (!s->nr++)
		s->first = nr;
	s->last = nr;
	s->size = size;
}

static void on_lost(void *user, uint32_t slot, uint64_t count)
{
	((struct seen *)user)[slot].lost += count;
}

static int consume(struct tn_map *map, struct seen *s)
{
	const struct tn_perf_reader reader = { on_sample, on_lost, s };

	return tn_perf_consume(map, &reader);
}

static int output(struct tn_map *map, uint64_t nr, uint32_t slot)
{
	return tn_perf_output(map, CURRENT, &nr, sizeof(nr), NULL, 0, slot);
}

/* One of `size` bytes, in two parts. */
static int output_parts(struct tn_map *map, uint64_t nr, uint32_t size, uint32_t slot)
{
	unsigned char bytes[MAX_BYTES];
	uint32_t first = 8 + (uint32_t)(nr % (size - 7));

	memcpy(bytes, &nr, sizeof(nr));
	for (uint32_t i = 8; i < size; i++)
		bytes[i] = byte_of(nr, i);
	return tn_perf_output(map, CURRENT, bytes, first, bytes + first, size - first, slot);
}

static struct tn_map *new_open(const struct tn_perf_options *options, size_t bytes)
{
	struct tn_map *map = new_map(TN_MAP_PERF_EVENT_ARRAY, 4, 4, 4);

	assert_int_equal(tn_perf_open(map, bytes, options), 0);
	return map;
}

static const struct tn_perf_options overwriting = { .overwrite = true };

static bool readable(int fd, int timeout)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, timeout) == 1;
}

static void newest_are_kept_and_the_rest_is_counted(void **state)
{
	uint64_t fit = tn_page_size() / SAMPLE_BYTES, written = 0;
	struct tn_map *map = new_open(&overwriting, tn_page_size());

	(void)state;
	for (uint64_t round = 0; round < 5; round++) {
		struct seen s[4] = { { 0 } };
		uint64_t nr = round * fit + round * 3 + 1, kept = TN_MIN(nr, fit);

		for (uint64_t i = 0; i < nr; i++)
			assert_int_equal(output(map, ++written, 2), 0);
		assert_int_equal(consume(map, s), kept);
		assert_int_equal(s[2].nr, kept);
		assert_int_equal(s[2].lost, nr - kept);
		assert_int_equal(s[2].first, written - kept + 1);
		assert_int_equal(s[2].last, written);
		assert_int_equal(s[2].wrong, 0);
		assert_int_equal(consume(map, s), 0);
	}
	tn_map_put(map);
}

static void samples_of_all_sizes_are_whole_where_the_ring_begins_anew(void **state)
{
	struct tn_map *map = new_open(&overwriting, tn_page_size());
	uint64_t nr = 0, seen = 0, lost = 0;

	(void)state;
	for (uint32_t round = 0; round < 3000; round++) {
		struct seen s[4] = { { 0 } };

		for (uint32_t i = 0; i < 1 + round % 40; i++) {
			nr++;
			assert_int_equal(
				output_parts(map, nr, 8 + (uint32_t)(nr * 13 % (MAX_BYTES - 8)), 0),
				0);
		}
		assert_true(consume(map, s) > 0);
		assert_int_equal(s[0].wrong, 0);
		assert_int_equal(s[0].last, nr);
		assert_int_equal(s[0].last - s[0].first + 1, s[0].nr);
		seen += s[0].nr;
		lost += s[0].lost;
	}
	assert_int_equal(seen + lost, nr);
	tn_map_put(map);
}

static void sample_that_leaves_no_header_is_lost(void **state)
{
	size_t most = tn_page_size() - 16;
	unsigned char *bytes = calloc(1, most + 1);
	struct tn_map *map = new_open(&overwriting, tn_page_size());
	struct seen s[4] = { { 0 } };

	(void)state;
	assert_non_null(bytes);
	assert_int_equal(tn_perf_output(map, CURRENT, bytes, most + 1, NULL, 0, 1), -ENOSPC);
	assert_int_equal(output(map, 1, 1), 0);
	assert_int_equal(tn_perf_output(map, CURRENT, bytes, most + 1, NULL, 0, 1), -ENOSPC);
	assert_int_equal(consume(map, s), 1);
	assert_int_equal(s[1].lost, 2);
	assert_int_equal(output(map, 2, 1), 0);
	for (uint32_t i = 8; i < most; i++)
		bytes[i] = byte_of(0, i);
	assert_int_equal(tn_perf_output(map, CURRENT, bytes, most, NULL, 0, 1), 0);
	memset(s, 0, sizeof(s));
	assert_int_equal(consume(map, s), 1);
	assert_int_equal(s[1].size, most);
	assert_int_equal(s[1].wrong, 0);
	assert_int_equal(s[1].lost, 1);
	free(bytes);
	tn_map_put(map);
}

struct producer {
	struct tn_map *map;
	uint32_t slot;
	_Atomic uint32_t *stop; /* NULL: after SAMPLES */
	uint64_t written;
};

static void *produce(void *arg)
{
	struct producer *p = arg;
	struct tn_thread *t = tn_thread_self();

	while (p->stop ? !tn_load_relaxed(p->stop) : p->written < SAMPLES) {
		uint64_t nr = ++p->written;
		int rc;

		tn_epoch_enter(t);
		rc = output_parts(p->map, nr, 8 + (uint32_t)(nr * 13 % (MAX_BYTES - 8)), p->slot);
		tn_epoch_leave(t);
		if (rc)
			return p;
		if (nr % 64 == 0)
			sched_yield();
	}
	return NULL;
}

/* The reader sleeps wherever there is nothing: a wakeup that is missed ends the test. */
static void no_sample_is_torn_and_none_uncounted_while_threads_write(void **state)
{
	struct tn_map *map = new_open(&overwriting, tn_page_size());
	struct seen s[4] = { { 0 } };
	struct producer p[2];
	pthread_t threads[2];
	int fd = tn_perf_fd(map);
	void *failed;

	(void)state;
	for (uint32_t i = 0; i < 2; i++) {
		p[i] = (struct producer){ map, i, NULL, 0 };
		assert_int_equal(pthread_create(&threads[i], NULL, produce, &p[i]), 0);
	}
	while (s[0].last < SAMPLES || s[1].last < SAMPLES) {
		int rc = consume(map, s);

		assert_true(rc >= 0);
		if (!rc && (s[0].last < SAMPLES || s[1].last < SAMPLES))
			assert_true(readable(fd, 20000));
	}
	for (uint32_t i = 0; i < 2; i++) {
		pthread_join(threads[i], &failed);
		assert_null(failed);
		assert_int_equal(s[i].wrong, 0);
		assert_int_equal(s[i].nr + s[i].lost, SAMPLES);
	}
	tn_map_put(map);
}

/* In the child: what is there is whole, and the ring works on, whatever the thread of the parent
 * was about to write; the reader does not wake up for ever. */
static bool child_is_good(struct tn_map *map, int fd)
{
	struct seen s[4] = { { 0 } };

	if (consume(map, s) < 0 || s[0].wrong || readable(fd, 0))
		return false;
	memset(s, 0, sizeof(s));
	for (uint64_t i = 0; i < 100; i++)
		if (output_parts(map, UINT64_C(1) << 40 | i, 8 + (uint32_t)i, 0))
			return false;
	return readable(fd, 0) && consume(map, s) > 0 && !s[0].wrong && s[0].last % 4096 == 99 &&
	       consume(map, s) == 0 && !readable(fd, 0);
}

static void children_read_and_write_a_ring_whose_writer_is_gone(void **state)
{
	struct tn_map *map = new_open(&overwriting, tn_page_size());
	_Atomic uint32_t stop = 0;
	struct producer p = { map, 0, &stop, 0 };
	struct seen s[4] = { { 0 } };
	pthread_t thread;
	int fd = tn_perf_fd(map), status;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, produce, &p), 0);
	for (int i = 0; i < 100; i++) {
		pid_t pid = fork();

		assert_true(pid >= 0);
		if (!pid)
			_exit(!child_is_good(map, fd));
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
		assert_true(consume(map, s) >= 0);
	}
	tn_store_relaxed(&stop, 1);
	pthread_join(thread, NULL);
	assert_true(consume(map, s) >= 0);
	assert_int_equal(s[0].wrong, 0);
	assert_int_equal(s[0].nr + s[0].lost, p.written);
	tn_map_put(map);
}

static void eventfd_waits_for_as_many_samples_as_the_host_wants(void **state)
{
	(void)state;
	for (int overwrite = 0; overwrite < 2; overwrite++) {
		struct tn_map *map = new_open(
			&(struct tn_perf_options){ .overwrite = overwrite, .wakeup_events = 3 },
			tn_page_size());
		struct seen s[4] = { { 0 } };
		int fd = tn_perf_fd(map);

		consume(map, s);
		for (uint64_t i = 1; i < 30; i++) {
			assert_int_equal(output(map, i, 1), 0);
			assert_int_equal(readable(fd, 0), i % 3 == 0);
			if (i % 3 == 0)
				assert_int_equal(consume(map, s), 3);
		}
		/* Each ring counts its own. */
		assert_int_equal(consume(map, s), 2);
		assert_int_equal(output(map, 30, 0), 0);
		assert_false(readable(fd, 0));
		assert_int_equal(output(map, 30, 1), 0);
		assert_true(readable(fd, 0));
		tn_map_put(map);
	}
}

static void eventfd_waits_for_as_many_bytes_as_the_host_wants(void **state)
{
	struct tn_map *map = new_open(&(struct tn_perf_options){ .wakeup_bytes = 100 },
				      tn_page_size());
	struct seen s[4] = { { 0 } };
	int fd = tn_perf_fd(map);

	(void)state;
	consume(map, s);
	for (uint64_t i = 1; i <= 7; i++) {
		assert_false(readable(fd, 0));
		assert_int_equal(output(map, i, 1), 0);
	}
	assert_true(readable(fd, 0));
	assert_int_equal(consume(map, s), 7);
	tn_map_put(map);
}

static void full_ring_wakes_the_reader_before_its_count_is_reached(void **state)
{
	struct tn_map *map = new_open(&(struct tn_perf_options){ .wakeup_events = UINT32_MAX },
				      tn_page_size());
	int fd = tn_perf_fd(map);
	uint64_t nr = 0, all = 0;

	(void)state;
	for (int round = 0; round < 3; round++) {
		struct seen s[4] = { { 0 } };

		consume(map, s);
		memset(s, 0, sizeof(s));
		for (nr = 0; !output(map, ++all, 1); nr++)
			assert_false(readable(fd, 0));
		assert_true(readable(fd, 0));
		assert_int_equal(nr, tn_page_size() / SAMPLE_BYTES);
		assert_int_equal(consume(map, s), nr);
		assert_int_equal(s[1].lost, 1);
	}
	tn_map_put(map);
}

static void two_counts_for_wakeups_are_refused(void **state)
{
	struct tn_map *map = new_map(TN_MAP_PERF_EVENT_ARRAY, 4, 4, 4);
	const struct tn_perf_options both = { .wakeup_events = 2, .wakeup_bytes = 30 };

	(void)state;
	assert_int_equal(tn_perf_open(map, tn_page_size(), &both), -EINVAL);
	assert_int_equal(tn_perf_open(map, tn_page_size(), &overwriting), 0);
	tn_map_put(map);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(newest_are_kept_and_the_rest_is_counted),
		cmocka_unit_test(samples_of_all_sizes_are_whole_where_the_ring_begins_anew),
		cmocka_unit_test(sample_that_leaves_no_header_is_lost),
		cmocka_unit_test(no_sample_is_torn_and_none_uncounted_while_threads_write),
		cmocka_unit_test(children_read_and_write_a_ring_whose_writer_is_gone),
		cmocka_unit_test(eventfd_waits_for_as_many_samples_as_the_host_wants),
		cmocka_unit_test(eventfd_waits_for_as_many_bytes_as_the_host_wants),
		cmocka_unit_test(full_ring_wakes_the_reader_before_its_count_is_reached),
		cmocka_unit_test(two_counts_for_wakeups_are_refused),
	};

	return cmocka_run_group_tests(tests, start_rt, stop_rt);
}
