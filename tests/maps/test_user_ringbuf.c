/* SPDX-License-Identifier: MIT */
/* User ring buffers: what a forked child has of the samples and of the reader of other threads. */
#include "maps/testing.h"

#include <pthread.h>
#include <semaphore.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/pages.h"
#include "maps/user_ringbuf.h"

static struct tn_map *new_ring(void)
{
	return new_map(TN_MAP_USER_RINGBUF, 0, 0, (uint32_t)tn_page_size());
}

static void put(struct tn_map *ring, uint64_t value)
{
	uint64_t *sample = tn_user_ringbuf_reserve(ring, sizeof(*sample));

	assert_non_null(sample);
	*sample = value;
	tn_user_ringbuf_submit(ring, sample, false);
}

/* The oldest sample's value, which is taken; 0: none is ready. */
static uint64_t take(struct tn_map *ring)
{
	uint64_t value = 0;
	uint32_t size;
	void *sample;

	if (tn_user_ringbuf_begin(ring))
		return UINT64_MAX;
	sample = tn_user_ringbuf_peek(ring, &size);
	if (sample) {
		memcpy(&value, sample, sizeof(value));
		tn_user_ringbuf_next(ring);
	}
	tn_user_ringbuf_end(ring);
	return value;
}

/* A thread that does one thing to the ring, says so, and stays until it is told to undo it. */
struct other {
	struct tn_map *ring;
	void (*act)(struct other *o);
	void (*undo)(struct other *o);
	sem_t acted, go;
	pthread_t thread;
	void *sample;
};

static void *run_other(void *arg)
{
	struct other *o = arg;

	o->act(o);
	sem_post(&o->acted);
	sem_wait(&o->go);
	o->undo(o);
	return NULL;
}

static void start_other(struct other *o)
{
	sem_init(&o->acted, 0, 0);
	sem_init(&o->go, 0, 0);
	assert_int_equal(pthread_create(&o->thread, NULL, run_other, o), 0);
	sem_wait(&o->acted);
}

static void end_other(struct other *o)
{
	sem_post(&o->go);
	pthread_join(o->thread, NULL);
	sem_destroy(&o->acted);
	sem_destroy(&o->go);
}

static void reserve(struct other *o)
{
	o->sample = tn_user_ringbuf_reserve(o->ring, 8);
}

static void submit(struct other *o)
{
	memcpy(o->sample, &(uint64_t){ 2 }, 8);
	tn_user_ringbuf_submit(o->ring, o->sample, false);
}

static void begin(struct other *o)
{
	uint32_t size;

	tn_user_ringbuf_begin(o->ring);
	tn_user_ringbuf_peek(o->ring, &size);
}

static void end(struct other *o)
{
	tn_user_ringbuf_next(o->ring);
	tn_user_ringbuf_end(o->ring);
}

static void assert_exits_well(pid_t pid)
{
	int status;

	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void samples_of_threads_that_a_child_has_not_do_not_block_it(void **state)
{
	struct other o = { .ring = new_ring(), .act = reserve, .undo = submit };
	pid_t pid;

	(void)state;
	put(o.ring, 1);
	start_other(&o);
	put(o.ring, 3);
	pid = fork();
	if (!pid) {
		bool good = take(o.ring) == 1 && take(o.ring) == 3 && !take(o.ring);

		/* All of the ring is there again. */
		for (uint64_t i = 1; i < 2000; i++) {
			put(o.ring, i);
			good = good && take(o.ring) == i;
		}
		_exit(!good);
	}
	assert_exits_well(pid);
	/* The parent waits for it as before. */
	assert_int_equal(take(o.ring), 1);
	assert_int_equal(take(o.ring), 0);
	end_other(&o);
	assert_int_equal(take(o.ring), 2);
	assert_int_equal(take(o.ring), 3);
	tn_map_put(o.ring);
}

static void own_sample_stays_open_over_forks(void **state)
{
	struct other o = { .ring = new_ring(), .act = reserve, .undo = submit };
	uint64_t *mine = tn_user_ringbuf_reserve(o.ring, 8);
	pid_t pid;

	(void)state;
	assert_non_null(mine);
	start_other(&o);
	put(o.ring, 3);
	pid = fork();
	if (!pid) {
		int status = 1;
		bool good = !take(o.ring);

		/* A child of the child has it too. */
		pid = fork();
		*mine = 7;
		tn_user_ringbuf_submit(o.ring, mine, false);
		good = good && take(o.ring) == 7 && take(o.ring) == 3 && !take(o.ring);
		if (pid)
			good = good && waitpid(pid, &status, 0) == pid && !status;
		_exit(!good);
	}
	assert_exits_well(pid);
	assert_int_equal(take(o.ring), 0);
	tn_user_ringbuf_submit(o.ring, mine, true);
	end_other(&o);
	assert_int_equal(take(o.ring), 2);
	tn_map_put(o.ring);
}

static void reader_that_a_child_has_not_leaves_its_sample(void **state)
{
	struct other o = { .ring = new_ring(), .act = begin, .undo = end };
	pid_t pid;

	(void)state;
	put(o.ring, 1);
	put(o.ring, 2);
	start_other(&o);
	assert_int_equal(tn_user_ringbuf_begin(o.ring), -EBUSY);
	pid = fork();
	if (!pid)
		_exit(!(take(o.ring) == 1 && take(o.ring) == 2 && !take(o.ring)));
	assert_exits_well(pid);
	assert_int_equal(tn_user_ringbuf_begin(o.ring), -EBUSY);
	end_other(&o);
	assert_int_equal(take(o.ring), 2);
	tn_map_put(o.ring);
}

static void reader_that_forks_goes_on_in_the_child(void **state)
{
	struct tn_map *ring = new_ring();
	uint32_t size;
	pid_t pid;

	(void)state;
	put(ring, 1);
	put(ring, 2);
	assert_int_equal(tn_user_ringbuf_begin(ring), 0);
	assert_int_equal(tn_user_ringbuf_begin(ring), -EBUSY);
	pid = fork();
	if (!pid) {
		bool good = tn_user_ringbuf_begin(ring) == -EBUSY &&
			    tn_user_ringbuf_peek(ring, &size);

		tn_user_ringbuf_next(ring);
		tn_user_ringbuf_end(ring);
		_exit(!(good && take(ring) == 2));
	}
	assert_exits_well(pid);
	tn_user_ringbuf_end(ring);
	assert_int_equal(take(ring), 1);
	tn_map_put(ring);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(samples_of_threads_that_a_child_has_not_do_not_block_it),
		cmocka_unit_test(own_sample_stays_open_over_forks),
		cmocka_unit_test(reader_that_a_child_has_not_leaves_its_sample),
		cmocka_unit_test(reader_that_forks_goes_on_in_the_child),
	};

	return cmocka_run_group_tests(tests, start_rt, stop_rt);
}
