/* SPDX-License-Identifier: MIT */
/* Perf event arrays: whose ring, what is lost, wakeups, forks, opening and closing meanwhile. */
#include "maps/testing.h"

#include <poll.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/pages.h"
#include "maps/perf_array.h"

#define CURRENT TN_PERF_INDEX

struct seen {
	uint32_t nr, slot, size;
	uint64_t lost, last, wrong;
	unsigned char bytes[64];
};

static void on_sample(void *user, uint32_t slot, void *data, uint32_t size)
{
	struct seen *s = user;

	s->nr++;
	s->slot = slot;
	s->size = size;
	memcpy(s->bytes, data, TN_MIN(size, (uint32_t)sizeof(s->bytes)));
}

static void on_lost(void *user, uint32_t slot, uint64_t count)
{
	(void)slot;
	((struct seen *)user)->lost += count;
}

static int consume(struct tn_map *map, struct seen *s)
{
	const struct tn_perf_reader reader = { on_sample, on_lost, s };

	return tn_perf_consume(map, &reader);
}

static int output(struct tn_map *map, uint64_t flags, uint64_t value, uint32_t slot)
{
	return tn_perf_output(map, flags, &value, sizeof(value), NULL, 0, slot);
}

static struct tn_map *new_array(uint32_t max)
{
	return new_map(TN_MAP_PERF_EVENT_ARRAY, 4, 4, max);
}

static void output_goes_to_the_ring_of_its_slot(void **state)
{
	struct tn_map *map = new_array(4);
	struct seen s = { 0 };
	uint32_t index = 2;

	(void)state;
	assert_int_equal(output(map, CURRENT, 5, 2), -ENOENT); /* nobody reads */
	assert_int_equal(tn_perf_open(map, tn_page_size(), NULL), 0);
	assert_int_equal(tn_perf_open(map, tn_page_size(), NULL), -EBUSY);
	assert_int_equal(output(map, CURRENT, 5, 2), 0);
	assert_int_equal(output(map, 2, 6, 2), 0);
	assert_int_equal(output(map, 1, 6, 2), -EOPNOTSUPP);
	assert_int_equal(output(map, 4, 6, 2), -E2BIG);
	assert_int_equal(output(map, 1ull << 60, 6, 2), -EINVAL);
	assert_int_equal(consume(map, &s), 2);
	assert_int_equal(s.slot, 2);
	assert_int_equal(s.size, 8);
	assert_int_equal(s.bytes[0], 6);
	assert_int_equal(consume(map, &s), 0);
	/* Taken out by the host, as any element. */
	assert_int_equal(tn_map_host_delete(map, &index, 0), 0);
	assert_int_equal(output(map, CURRENT, 5, 2), -ENOENT);
	assert_int_equal(tn_map_host_delete(map, &index, 0), -ENOENT);
	tn_perf_close(map);
	assert_int_equal(output(map, CURRENT, 5, 0), -ENOENT);
	assert_int_equal(consume(map, &s), 0);
	tn_map_put(map);
}

static void fewer_elements_than_slots_leave_the_others_out(void **state)
{
	struct tn_map *map = new_array(2);

	(void)state;
	assert_int_equal(tn_perf_open(map, tn_page_size(), NULL), 0);
	assert_int_equal(output(map, CURRENT, 5, 1), 0);
	assert_int_equal(output(map, CURRENT, 5, 3), -E2BIG);
	tn_map_put(map); /* with its rings open */
}

static void sample_of_two_parts_is_in_one_piece_at_the_end_of_the_ring_too(void **state)
{
	struct tn_map *map = new_array(4);
	unsigned char part[2][40];
	struct seen s = { 0 };

	(void)state;
	assert_int_equal(tn_perf_open(map, tn_page_size(), NULL), 0);
	for (int i = 0; i < 1000; i++) {
		memset(part[0], i, 40);
		memset(part[1], i + 1, 40);
		assert_int_equal(tn_perf_output(map, CURRENT, part[0], 21, part[1], 30, 0), 0);
		assert_int_equal(consume(map, &s), 1);
		assert_int_equal(s.size, 51);
		assert_memory_equal(s.bytes, part[0], 21);
		assert_memory_equal(s.bytes + 21, part[1], 30);
	}
	assert_int_equal(tn_perf_output(map, CURRENT, part, 65508, NULL, 0, 0), -E2BIG);
	assert_int_equal(tn_perf_output(map, CURRENT, NULL, 0, NULL, 0, 0), 0);
	assert_int_equal(consume(map, &s), 1);
	assert_int_equal(s.size, 0);
	tn_map_put(map);
}

static void full_ring_counts_what_is_lost(void **state)
{
	struct tn_map *map = new_array(4);
	struct seen s = { 0 };
	int fit = 0, rc;

	(void)state;
	assert_int_equal(tn_perf_open(map, tn_page_size(), NULL), 0);
	while (!(rc = output(map, CURRENT, 1, 0)))
		fit++;
	assert_int_equal(rc, -ENOSPC);
	assert_int_equal(fit, tn_page_size() / 16);
	assert_int_equal(output(map, CURRENT, 1, 0), -ENOSPC);
	assert_int_equal(consume(map, &s), fit);
	assert_int_equal(s.lost, 2);
	assert_int_equal(output(map, CURRENT, 1, 0), 0);
	assert_int_equal(consume(map, &s), 1);
	assert_int_equal(s.lost, 2);
	tn_map_put(map);
}

static bool readable(int fd, int timeout)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, timeout) == 1;
}

static void eventfd_tells_of_samples(void **state)
{
	struct tn_map *map = new_array(4);
	struct seen s = { 0 };
	int fd = tn_perf_fd(map);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(tn_perf_fd(map), fd);
	assert_int_equal(tn_perf_open(map, tn_page_size(), NULL), 0);
	assert_true(readable(fd, 0)); /* there may be something from before */
	assert_int_equal(consume(map, &s), 0);
	assert_false(readable(fd, 0));
	assert_int_equal(output(map, CURRENT, 1, 3), 0);
	assert_true(readable(fd, 0));
	assert_int_equal(consume(map, &s), 1);
	assert_false(readable(fd, 0));
	tn_map_put(map);
}

#define SAMPLES 100000

struct producer {
	struct tn_map *map;
	uint32_t slot;
	uint64_t lost;
};

static void *produce(void *arg)
{
	struct producer *p = arg;
	struct tn_thread *t = tn_thread_self();

	for (uint64_t i = 1; i <= SAMPLES; i++) {
		tn_epoch_enter(t);
		p->lost += output(p->map, CURRENT, i, p->slot) == -ENOSPC;
		tn_epoch_leave(t);
	}
	return NULL;
}

static void in_order(void *user, uint32_t slot, void *data, uint32_t size)
{
	struct seen *s = (struct seen *)user + slot;
	uint64_t value;

	memcpy(&value, data, sizeof(value));
	s->wrong += size != 8 || value <= s->last;
	s->last = value;
	s->nr++;
}

static void lost_of_slot(void *user, uint32_t slot, uint64_t count)
{
	((struct seen *)user)[slot].lost += count;
}

/* The reader sleeps wherever it has drained all rings: a wakeup that is missed ends the test. */
static void every_sample_of_every_thread_is_seen_or_counted(void **state)
{
	struct tn_map *map = new_array(4);
	struct seen s[4] = { { 0 } };
	const struct tn_perf_reader reader = { in_order, lost_of_slot, s };
	struct producer p[3];
	pthread_t threads[3];
	uint64_t got = 0;
	int fd = tn_perf_fd(map), rc;

	(void)state;
	assert_int_equal(tn_perf_open(map, 4 * tn_page_size(), NULL), 0);
	for (uint32_t i = 0; i < 3; i++) {
		p[i] = (struct producer){ map, i, 0 };
		assert_int_equal(pthread_create(&threads[i], NULL, produce, &p[i]), 0);
	}
	while (got < 3 * SAMPLES) {
		rc = tn_perf_consume(map, &reader);
		assert_true(rc >= 0);
		got = 0;
		for (uint32_t i = 0; i < 3; i++)
			got += s[i].nr + s[i].lost;
		if (!rc && got < 3 * SAMPLES && !readable(fd, 3000))
			break; /* what was lost at the end has no sample behind it */
	}
	for (uint32_t i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	assert_true(tn_perf_consume(map, &reader) >= 0);
	for (uint32_t i = 0; i < 3; i++) {
		assert_int_equal(s[i].wrong, 0);
		assert_int_equal(s[i].lost, p[i].lost);
		assert_int_equal(s[i].nr + s[i].lost, SAMPLES);
	}
	tn_map_put(map);
}

static void rings_are_closed_while_programs_write(void **state)
{
	struct tn_map *map = new_array(4);
	struct producer p = { map, 1, 0 };
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, produce, &p), 0);
	for (int i = 0; i < 100; i++) {
		struct seen s = { 0 };

		assert_int_equal(tn_perf_open(map, tn_page_size(), NULL), 0);
		assert_true(consume(map, &s) >= 0);
		tn_perf_close(map);
	}
	pthread_join(thread, NULL);
	tn_map_put(map);
}

static void child_has_samples_and_an_eventfd_of_its_own(void **state)
{
	struct tn_map *map = new_array(4);
	struct seen s = { 0 };
	int fd = tn_perf_fd(map), status;
	pid_t pid;

	(void)state;
	assert_int_equal(tn_perf_open(map, tn_page_size(), NULL), 0);
	consume(map, &s);
	assert_int_equal(output(map, CURRENT, 1, 0), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		bool good = consume(map, &s) == 1 && !readable(fd, 0) &&
			    !output(map, CURRENT, 2, 0) && !output(map, CURRENT, 2, 1) &&
			    readable(fd, 0) && consume(map, &s) == 2;

		_exit(!good);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_true(readable(fd, 0)); /* the child has read its own */
	assert_int_equal(consume(map, &s), 1);
	tn_map_put(map);
}

static void sizes_that_are_no_rings_are_refused(void **state)
{
	struct tn_map *map = new_array(4);

	(void)state;
	assert_int_equal(tn_perf_open(map, 0, NULL), -EINVAL);
	assert_int_equal(tn_perf_open(map, 100, NULL), -EINVAL);
	assert_int_equal(tn_perf_open(map, 3 * tn_page_size(), NULL), -EINVAL);
	assert_int_equal(tn_perf_open(map, (size_t)1 << 31, NULL), -EINVAL);
	for (int64_t n = 1;; n++) {
		int rc;

		tn_store_relaxed(&test_rt.mem.fail_after, n);
		rc = tn_perf_open(map, tn_page_size(), NULL);
		tn_store_relaxed(&test_rt.mem.fail_after, 0);
		if (!rc)
			break;
		assert_int_equal(rc, -ENOMEM);
	}
	tn_map_put(map);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(output_goes_to_the_ring_of_its_slot),
		cmocka_unit_test(fewer_elements_than_slots_leave_the_others_out),
		cmocka_unit_test(sample_of_two_parts_is_in_one_piece_at_the_end_of_the_ring_too),
		cmocka_unit_test(full_ring_counts_what_is_lost),
		cmocka_unit_test(eventfd_tells_of_samples),
		cmocka_unit_test(every_sample_of_every_thread_is_seen_or_counted),
		cmocka_unit_test(rings_are_closed_while_programs_write),
		cmocka_unit_test(child_has_samples_and_an_eventfd_of_its_own),
		cmocka_unit_test(sizes_that_are_no_rings_are_refused),
	};

	return cmocka_run_group_tests(tests, start_rt, stop_rt);
}
