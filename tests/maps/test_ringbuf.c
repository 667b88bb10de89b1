/* SPDX-License-Identifier: MIT */
#include "base/testing.h"
#include "base/seccomp.h"

#include <poll.h>

#include "base/epoch.h"
#include "base/err.h"
#include "base/pages.h"
#include "maps/ringbuf.h"

#define CHECK(x)                                   \
	do {                                       \
		if (!(x))                          \
			return __LINE__ % 200 + 1; \
	} while (0)

static struct tn_rt rt;
static struct tn_map *ring;

static struct tn_map *make_ring(uint32_t size)
{
	struct tn_map_attr attr = { .type = TN_MAP_RINGBUF, .max_entries = size, .name = "rb" };

	return tn_map_create(&rt, &attr);
}

static int setup(void **state)
{
	(void)state;
	if (tn_rt_init(&rt, NULL))
		return -1;
	ring = make_ring(4096);
	return ring ? 0 : -1;
}

static int teardown(void **state)
{
	int left;

	(void)state;
	tn_map_put(ring);
	tn_rt_fini(&rt);
	left = tn_load_relaxed(&rt.mem.bytes[TN_CHARGE_MAPS]) != 0 ||
	       tn_load_relaxed(&rt.mem.bytes[TN_CHARGE_HEAP]) != 0;
	return left ? -1 : 0;
}

/* What the consumer saw. */
struct seen {
	int nr;
	size_t size;
	uint64_t last;
	int stop_after; /* 0: never */
};

static int see(void *user, void *data, size_t size)
{
	struct seen *seen = user;

	seen->nr++;
	seen->size = size;
	seen->last = 0;
	memcpy(&seen->last, data, size < 8 ? size : 8);
	return seen->nr == seen->stop_after ? -ECANCELED : 0;
}

static void put(uint64_t value)
{
	assert_int_equal(tn_ringbuf_output(ring, &value, sizeof(value), 0), 0);
}

static bool readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

static void check_refused(uint32_t key, uint32_t value, uint32_t entries, uint32_t flags)
{
	struct tn_map_attr attr = { .type = TN_MAP_RINGBUF,
				    .key_size = key,
				    .value_size = value,
				    .max_entries = entries,
				    .flags = flags,
				    .name = "bad" };

	errno = 0;
	assert_null(tn_map_create(&rt, &attr));
	assert_int_equal(errno, EINVAL);
	assert_non_null(strstr(tn_err_last()->msg, "map 'bad': "));
}

static void ring_creation_refuses_what_the_kernel_does(void **state)
{
	(void)state;
	check_refused(0, 0, 0, 0);
	check_refused(0, 0, 100, 0);
	check_refused(0, 0, 2048, 0);
	check_refused(0, 0, 3 * 4096, 0);
	check_refused(4, 0, 4096, 0);
	check_refused(0, 4, 4096, 0);
	check_refused(0, 0, 4096, TN_MAP_F_RDONLY);
}

static void ring_has_no_key_operations(void **state)
{
	uint32_t key = 0;

	(void)state;
	assert_int_equal(tn_map_host_lookup(ring, &key, &key, 0), -TN_ENOTSUPP);
	assert_int_equal(tn_map_host_update(ring, &key, &key, 0), -TN_ENOTSUPP);
	assert_int_equal(tn_map_host_delete(ring, &key, 0), -TN_ENOTSUPP);
	assert_int_equal(tn_map_next_key(ring, &key, &key), -TN_ENOTSUPP);
}

static void submitted_record_is_consumed(void **state)
{
	struct seen seen = { 0 };
	uint64_t *sample = tn_ringbuf_reserve(ring, 16, 0);

	(void)state;
	assert_non_null(sample);
	assert_int_equal((uintptr_t)sample % 8, 0);
	sample[0] = 42;
	assert_int_equal(tn_ringbuf_consume(ring, see, &seen), 0);
	tn_ringbuf_submit(sample, 0);
	assert_int_equal(tn_ringbuf_consume(ring, see, &seen), 1);
	assert_int_equal(seen.size, 16);
	assert_int_equal(seen.last, 42);
	assert_int_equal(tn_ringbuf_consume(ring, see, &seen), 0);
}

static void discarded_record_is_skipped(void **state)
{
	struct seen seen = { 0 };

	(void)state;
	tn_ringbuf_discard(tn_ringbuf_reserve(ring, 8, 0), 0);
	put(7);
	assert_int_equal(tn_ringbuf_consume(ring, see, &seen), 1);
	assert_int_equal(seen.last, 7);
}

static void records_are_consumed_in_order_of_reservation(void **state)
{
	struct seen seen = { 0 };
	uint64_t *first = tn_ringbuf_reserve(ring, 8, 0);

	(void)state;
	put(2);
	assert_int_equal(tn_ringbuf_consume(ring, see, &seen), 0);
	*first = 1;
	tn_ringbuf_submit(first, 0);
	assert_int_equal(tn_ringbuf_consume(ring, see, &seen), 2);
	assert_int_equal(seen.last, 2);
}

static void empty_record_is_consumed(void **state)
{
	struct seen seen = { 0 };

	(void)state;
	assert_int_equal(tn_ringbuf_output(ring, "", 0, 0), 0);
	assert_int_equal(tn_ringbuf_consume(ring, see, &seen), 1);
	assert_int_equal(seen.size, 0);
}

static void reserve_refuses_flags_and_sizes_that_never_fit(void **state)
{
	(void)state;
	assert_null(tn_ringbuf_reserve(ring, 8, 1));
	assert_null(tn_ringbuf_reserve(ring, 4096, 0));
	assert_null(tn_ringbuf_reserve(ring, UINT32_MAX, 0));
	assert_null(tn_ringbuf_reserve(ring, UINT64_MAX - 4, 0));
	/* 4088 + 8 is the whole ring, which the kernel never gives either. */
	assert_null(tn_ringbuf_reserve(ring, 4088, 0));
	tn_ringbuf_discard(tn_ringbuf_reserve(ring, 4080, 0), 0);
	assert_int_equal(tn_ringbuf_query(ring, TN_RB_PROD_POS), 4088);
}

static void output_says_eagain_when_full_and_einval_for_flags(void **state)
{
	struct seen seen = { 0 };
	char data[1016] = { 0 };
	int nr = 0;

	(void)state;
	assert_int_equal(tn_ringbuf_output(ring, data, 8, 4), -EINVAL);
	while (tn_ringbuf_output(ring, data, sizeof(data), 0) == 0)
		nr++;
	assert_int_equal(nr, 3);
	assert_int_equal(tn_ringbuf_output(ring, data, sizeof(data), 0), -EAGAIN);
	assert_int_equal(tn_ringbuf_consume(ring, see, &seen), 3);
	assert_int_equal(tn_ringbuf_output(ring, data, sizeof(data), 0), 0);
}

static void query_counts_headers_as_the_kernel_does(void **state)
{
	struct seen seen = { 0 };

	(void)state;
	put(1);
	assert_int_equal(tn_ringbuf_query(ring, TN_RB_AVAIL_DATA), 16);
	assert_int_equal(tn_ringbuf_query(ring, TN_RB_RING_SIZE), 4096);
	assert_int_equal(tn_ringbuf_query(ring, TN_RB_PROD_POS), 16);
	assert_int_equal(tn_ringbuf_query(ring, TN_RB_CONS_POS), 0);
	tn_ringbuf_consume(ring, see, &seen);
	assert_int_equal(tn_ringbuf_query(ring, TN_RB_CONS_POS), 16);
	assert_int_equal(tn_ringbuf_query(ring, TN_RB_AVAIL_DATA), 0);
	assert_int_equal(tn_ringbuf_query(ring, 99), 0);
}

/* Odd sizes walk over the end at every distance; each record is one piece. */
static void records_over_the_end_are_contiguous(void **state)
{
	struct seen seen = { 0 };

	(void)state;
	for (uint32_t i = 0; i < 5000; i++) {
		uint32_t size = 8 + i % 1500;
		unsigned char *sample = tn_ringbuf_reserve(ring, size, 0);

		assert_non_null(sample);
		memset(sample, 0xff, size);
		memcpy(sample, &i, sizeof(i));
		tn_ringbuf_submit(sample, 0);
		assert_int_equal(tn_ringbuf_consume(ring, see, &seen), 1);
		assert_int_equal(seen.size, size);
		assert_int_equal((uint32_t)seen.last, i);
	}
}

static void consume_stops_where_the_callback_says(void **state)
{
	struct seen seen = { .stop_after = 2 };

	(void)state;
	put(1);
	put(2);
	put(3);
	assert_int_equal(tn_ringbuf_consume(ring, see, &seen), -ECANCELED);
	assert_int_equal(seen.last, 2);
	assert_int_equal(tn_ringbuf_consume(ring, see, &seen), 1);
	assert_int_equal(seen.last, 3);
}

static int consume_again(void *user, void *data, size_t size)
{
	(void)data;
	(void)size;
	*(int *)user = tn_ringbuf_consume(ring, see, NULL);
	return 0;
}

static void second_consumer_is_refused(void **state)
{
	int inner = 0;

	(void)state;
	put(1);
	assert_int_equal(tn_ringbuf_consume(ring, consume_again, &inner), 1);
	assert_int_equal(inner, -EBUSY);
}

static void fd_is_readable_when_the_consumer_waits_for_the_record(void **state)
{
	struct seen seen = { 0 };
	int fd = tn_ringbuf_fd(ring);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(tn_ringbuf_fd(ring), fd);
	tn_ringbuf_consume(ring, see, &seen);
	assert_false(readable(fd));
	put(1);
	assert_true(readable(fd));
	tn_ringbuf_consume(ring, see, &seen);
	assert_false(readable(fd));
}

static void fd_made_late_tells_of_earlier_records(void **state)
{
	(void)state;
	put(1);
	assert_true(readable(tn_ringbuf_fd(ring)));
}

static void wakeup_flags_are_obeyed(void **state)
{
	struct seen seen = { 0 };
	int fd = tn_ringbuf_fd(ring);
	uint64_t v = 1;

	(void)state;
	tn_ringbuf_consume(ring, see, &seen);
	tn_ringbuf_output(ring, &v, 8, TN_RB_NO_WAKEUP);
	assert_false(readable(fd));
	/* The consumer does not stand at this one: no wakeup of its own. */
	tn_ringbuf_output(ring, &v, 8, 0);
	assert_false(readable(fd));
	tn_ringbuf_output(ring, &v, 8, TN_RB_FORCE_WAKEUP);
	assert_true(readable(fd));
	assert_int_equal(tn_ringbuf_consume(ring, see, &seen), 3);
}

/* ---- Threads ---- */

#define PRODUCERS  3
#define PER_THREAD 20000

struct message {
	uint32_t from, nr;
	uint64_t filler;
};

static void *produce(void *arg)
{
	uint32_t from = (uint32_t)(uintptr_t)arg;

	for (uint32_t nr = 0; nr < PER_THREAD;) {
		struct message *m = tn_ringbuf_reserve(ring, sizeof(*m) + nr % 40, 0);

		if (!m) {
			sched_yield();
			continue;
		}
		m->from = from;
		m->nr = nr++;
		m->filler = ~(uint64_t)m->nr;
		if (nr % 7 == 0)
			tn_ringbuf_discard(m, 0);
		else
			tn_ringbuf_submit(m, 0);
	}
	return NULL;
}

struct order {
	uint32_t next[PRODUCERS], total, wrong;
};

static int check_order(void *user, void *data, size_t size)
{
	struct order *order = user;
	struct message *m = data;

	if (m->from >= PRODUCERS || m->nr < order->next[m->from] || m->filler != ~(uint64_t)m->nr ||
	    size != sizeof(*m) + m->nr % 40)
		order->wrong++;
	else
		order->next[m->from] = m->nr + 1;
	order->total++;
	return 0;
}

/* Waits by the eventfd alone: a lost wakeup hangs here. */
static void records_of_many_threads_arrive_in_their_order(void **state)
{
	struct order order = { 0 };
	pthread_t ids[PRODUCERS];
	struct pollfd p = { .fd = tn_ringbuf_fd(ring), .events = POLLIN };
	uint32_t expected = PRODUCERS * (PER_THREAD - PER_THREAD / 7);

	(void)state;
	for (uintptr_t i = 0; i < PRODUCERS; i++)
		pthread_create(&ids[i], NULL, produce, (void *)i);
	while (order.total < expected) {
		assert_int_equal(poll(&p, 1, 20000), 1);
		assert_true(tn_ringbuf_consume(ring, check_order, &order) >= 0);
	}
	for (int i = 0; i < PRODUCERS; i++)
		pthread_join(ids[i], NULL);
	assert_int_equal(order.wrong, 0);
	assert_int_equal(order.total, expected);
}

/* ---- fork ---- */

static void reserve_one(struct actor *a)
{
	a->arg = tn_ringbuf_reserve(ring, 8, 0);
}

static void submit_one(struct actor *a)
{
	*(uint64_t *)a->arg = 5;
	tn_ringbuf_submit(a->arg, 0);
}

static int consume_in_child(void *arg)
{
	struct seen seen = { 0 };
	uint64_t *own = arg;

	CHECK(tn_ringbuf_consume(ring, see, &seen) == 1 && seen.last == 1);
	*own = 9;
	tn_ringbuf_submit(own, 0);
	CHECK(tn_ringbuf_consume(ring, see, &seen) == 2 && seen.last == 2);
	CHECK(tn_ringbuf_output(ring, "abcdefg", 8, 0) == 0);
	CHECK(tn_ringbuf_consume(ring, see, &seen) == 1);
	return 0;
}

static void child_discards_open_records_of_vanished_threads_alone(void **state)
{
	struct actor a = { .begin = reserve_one, .end = submit_one };
	struct seen seen = { 0 };
	uint64_t *own;

	(void)state;
	actor_start(&a);
	put(1);
	own = tn_ringbuf_reserve(ring, 8, 0);
	put(2);
	assert_int_equal(in_child(consume_in_child, own), 0);
	assert_int_equal(tn_ringbuf_consume(ring, see, &seen), 0);
	actor_finish(&a);
	tn_ringbuf_discard(own, 0);
	assert_int_equal(tn_ringbuf_consume(ring, see, &seen), 3);
	assert_int_equal(seen.last, 2);
}

static int wake_in_child(void *arg)
{
	struct seen seen = { 0 };

	(void)arg;
	tn_ringbuf_consume(ring, see, &seen);
	CHECK(!readable(tn_ringbuf_fd(ring)));
	tn_ringbuf_output(ring, "abcdefg", 8, 0);
	CHECK(readable(tn_ringbuf_fd(ring)));
	return 0;
}

static void child_wakes_itself_and_not_the_parent(void **state)
{
	struct seen seen = { 0 };
	int fd = tn_ringbuf_fd(ring);

	(void)state;
	tn_ringbuf_consume(ring, see, &seen);
	assert_int_equal(in_child(wake_in_child, NULL), 0);
	assert_false(readable(fd));
	put(1);
	assert_true(readable(fd));
}

static int fork_in_callback(void *user, void *data, size_t size)
{
	(void)data;
	(void)size;
	*(int *)user = fork() == 0;
	return 0;
}

static void child_of_a_consumer_goes_on_consuming(void **state)
{
	int is_child = 0, status, result;

	(void)state;
	put(1);
	result = tn_ringbuf_consume(ring, fork_in_callback, &is_child);
	if (is_child) {
		struct seen seen = { 0 };
		uint64_t v = 3;

		if (tn_ringbuf_output(ring, &v, 8, 0) || result != 1 ||
		    tn_ringbuf_consume(ring, see, &seen) != 1)
			_exit(1);
		_exit(0);
	}
	assert_int_equal(result, 1);
	wait(&status);
	assert_int_equal(status, 0);
}

static int wakeups_without_membarrier(void *arg)
{
	struct seen seen = { 0 };
	int fd = tn_ringbuf_fd(ring);

	(void)arg;
	if (refuse_syscall(SYS_membarrier, 0, EPERM))
		return 0;
	tn_ringbuf_output(ring, "abcdefg", 8, 0);
	tn_ringbuf_consume(ring, see, &seen);
	CHECK(TN_TSAN || tn_load_relaxed(&tn_epoch_g.fence));
	tn_ringbuf_output(ring, "abcdefg", 8, 0);
	CHECK(readable(fd));
	CHECK(tn_ringbuf_consume(ring, see, &seen) == 1);
	return 0;
}

static void wakeups_work_in_fence_mode(void **state)
{
	(void)state;
	assert_int_equal(in_child(wakeups_without_membarrier, NULL), 0);
}

/* ---- Failures ---- */

static void creation_survives_each_failed_allocation(void **state)
{
	struct tn_map *map = NULL;
	size_t heap = tn_load_relaxed(&rt.mem.bytes[TN_CHARGE_HEAP]);
	size_t maps = tn_load_relaxed(&rt.mem.bytes[TN_CHARGE_MAPS]);

	(void)state;
	for (int n = 1; !map && n < 20; n++) {
		tn_store_relaxed(&rt.mem.fail_after, n);
		map = make_ring(8192);
		if (map)
			break;
		assert_int_equal(errno, ENOMEM);
		assert_int_equal(tn_load_relaxed(&rt.mem.bytes[TN_CHARGE_HEAP]), heap);
		assert_int_equal(tn_load_relaxed(&rt.mem.bytes[TN_CHARGE_MAPS]), maps);
	}
	tn_store_relaxed(&rt.mem.fail_after, 0);
	assert_non_null(map);
	tn_map_put(map);
}

static void creation_keeps_to_the_limit_for_maps(void **state)
{
	(void)state;
	rt.mem.limit[TN_CHARGE_MAPS] = tn_load_relaxed(&rt.mem.bytes[TN_CHARGE_MAPS]) + 4096;
	assert_null(make_ring(4096));
	assert_int_equal(errno, E2BIG);
}

#define RING_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RING_TEST(ring_creation_refuses_what_the_kernel_does),
		RING_TEST(ring_has_no_key_operations),
		RING_TEST(submitted_record_is_consumed),
		RING_TEST(discarded_record_is_skipped),
		RING_TEST(records_are_consumed_in_order_of_reservation),
		RING_TEST(empty_record_is_consumed),
		RING_TEST(reserve_refuses_flags_and_sizes_that_never_fit),
		RING_TEST(output_says_eagain_when_full_and_einval_for_flags),
		RING_TEST(query_counts_headers_as_the_kernel_does),
		RING_TEST(records_over_the_end_are_contiguous),
		RING_TEST(consume_stops_where_the_callback_says),
		RING_TEST(second_consumer_is_refused),
		RING_TEST(fd_is_readable_when_the_consumer_waits_for_the_record),
		RING_TEST(fd_made_late_tells_of_earlier_records),
		RING_TEST(wakeup_flags_are_obeyed),
		RING_TEST(records_of_many_threads_arrive_in_their_order),
		RING_TEST(child_discards_open_records_of_vanished_threads_alone),
		RING_TEST(child_wakes_itself_and_not_the_parent),
		RING_TEST(child_of_a_consumer_goes_on_consuming),
		RING_TEST(wakeups_work_in_fence_mode),
		RING_TEST(creation_survives_each_failed_allocation),
		RING_TEST(creation_keeps_to_the_limit_for_maps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
