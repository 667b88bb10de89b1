/* SPDX-License-Identifier: MIT */
/* Queues and stacks: order, what a full one drops, threads, forks; sizes and numbers returned are
 * in test_parity.c. */
#include "maps/testing.h"

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

static int push(struct tn_map *map, uint64_t value, uint64_t flags)
{
	return map->ops->push(map, &value, flags);
}

/* The value, or UINT64_MAX where the map had none and wrote zeros. */
static uint64_t pop(struct tn_map *map)
{
	uint64_t value = 77;
	int rc = map->ops->pop(map, &value);

	assert_true(rc == 0 || (rc == -ENOENT && value == 0));
	return rc ? UINT64_MAX : value;
}

static uint64_t peek(struct tn_map *map)
{
	uint64_t value = 77;
	int rc = map->ops->peek(map, &value);

	assert_true(rc == 0 || (rc == -ENOENT && value == 0));
	return rc ? UINT64_MAX : value;
}

static void queue_gives_the_oldest_first(void **state)
{
	struct tn_map *map = new_map(TN_MAP_QUEUE, 0, 8, 3);

	(void)state;
	for (uint64_t round = 0; round < 10; round++) {
		assert_int_equal(push(map, round, 0), 0);
		assert_int_equal(push(map, round + 100, 0), 0);
		assert_int_equal(peek(map), round);
		assert_int_equal(map->ops->count(map), 2);
		assert_int_equal(pop(map), round);
		assert_int_equal(pop(map), round + 100);
		assert_int_equal(pop(map), UINT64_MAX);
		assert_int_equal(peek(map), UINT64_MAX);
	}
	tn_map_put(map);
}

static void stack_gives_the_youngest_first(void **state)
{
	struct tn_map *map = new_map(TN_MAP_STACK, 0, 8, 3);

	(void)state;
	for (uint64_t i = 1; i <= 3; i++)
		assert_int_equal(push(map, i, 0), 0);
	assert_int_equal(push(map, 4, 0), -E2BIG);
	assert_int_equal(peek(map), 3);
	assert_int_equal(pop(map), 3);
	assert_int_equal(push(map, 5, 0), 0);
	assert_int_equal(pop(map), 5);
	assert_int_equal(pop(map), 2);
	assert_int_equal(pop(map), 1);
	assert_int_equal(pop(map), UINT64_MAX);
	tn_map_put(map);
}

/* Both: the kernel's stack forgets its first value, too. */
static void full_map_drops_the_oldest_when_asked(void **state)
{
	struct tn_map *queue = new_map(TN_MAP_QUEUE, 0, 8, 2);
	struct tn_map *stack = new_map(TN_MAP_STACK, 0, 8, 2);

	(void)state;
	for (uint64_t i = 1; i <= 5; i++) {
		assert_int_equal(push(queue, i, TN_MAP_EXIST), 0);
		assert_int_equal(push(stack, i, TN_MAP_EXIST), 0);
	}
	assert_int_equal(pop(queue), 4);
	assert_int_equal(pop(queue), 5);
	assert_int_equal(pop(queue), UINT64_MAX);
	assert_int_equal(pop(stack), 5);
	assert_int_equal(pop(stack), 4);
	assert_int_equal(pop(stack), UINT64_MAX);
	tn_map_put(queue);
	tn_map_put(stack);
}

#define PER_THREAD 20000
#define THREADS	   4

static uint64_t number_of(const uint64_t pair[2])
{
	return pair[0] == ~pair[1] ? pair[0] : UINT32_MAX;
}

/* Halves that belong together, in values of 16 bytes. The sum of what it took out. */
static void *push_and_pop(void *arg)
{
	struct tn_map *map = arg;
	uint64_t sum = 0, out[2];

	for (uint64_t i = 1; i <= PER_THREAD; i++) {
		const uint64_t pair[2] = { i, ~i };

		while (map->ops->push(map, pair, 0) == -E2BIG)
			if (!map->ops->pop(map, out))
				sum += number_of(out);
		if (!map->ops->peek(map, out) && number_of(out) == UINT32_MAX)
			sum += UINT32_MAX;
	}
	return (void *)(uintptr_t)sum;
}

static void threads_get_every_value_once_and_whole(void **state)
{
	static const uint32_t types[] = { TN_MAP_QUEUE, TN_MAP_STACK };

	(void)state;
	for (uint32_t i = 0; i < TN_ARRAY_SIZE(types); i++) {
		struct tn_map *map = new_map(types[i], 0, 16, 64);
		uint64_t sum = 0, pair[2];
		pthread_t threads[THREADS];
		void *part;

		for (uint32_t t = 0; t < THREADS; t++)
			assert_int_equal(pthread_create(&threads[t], NULL, push_and_pop, map), 0);
		for (uint32_t t = 0; t < THREADS; t++) {
			pthread_join(threads[t], &part);
			sum += (uintptr_t)part;
		}
		while (!map->ops->pop(map, pair))
			sum += number_of(pair);
		assert_int_equal(sum, (uint64_t)THREADS * PER_THREAD * (PER_THREAD + 1) / 2);
		tn_map_put(map);
	}
}

static void *push_for_ever(void *arg)
{
	struct tn_map *map = arg;
	uint64_t value = 1;

	for (uint32_t i = 0; i < 3000000 && tn_load_relaxed(&map->frozen) == 0; i++)
		map->ops->push(map, &value, TN_MAP_EXIST);
	return NULL;
}

static void child_finds_the_lock_free(void **state)
{
	struct tn_map *map = new_map(TN_MAP_QUEUE, 0, 8, 4);
	pthread_t thread;
	int status;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, push_for_ever, map), 0);
	for (int i = 0; i < 50; i++) {
		pid_t pid = fork();

		assert_true(pid >= 0);
		if (!pid) {
			alarm(20);
			_exit(push(map, 2, TN_MAP_EXIST) || pop(map) > 2);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
	}
	assert_int_equal(tn_map_freeze(map), 0);
	pthread_join(thread, NULL);
	tn_map_put(map);
}

static void creation_copes_with_every_failing_allocation(void **state)
{
	static const uint32_t types[] = { TN_MAP_QUEUE, TN_MAP_STACK };

	(void)state;
	for (uint32_t i = 0; i < TN_ARRAY_SIZE(types); i++) {
		struct tn_map *map = NULL;
		int64_t n;

		for (n = 1; !map; n++) {
			tn_store_relaxed(&test_rt.mem.fail_after, n);
			map = try_map(types[i], 0, 8, 1000, 0);
			tn_store_relaxed(&test_rt.mem.fail_after, 0);
			assert_true(map || errno == ENOMEM);
		}
		assert_true(n > 3);
		tn_map_put(map);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(queue_gives_the_oldest_first),
		cmocka_unit_test(stack_gives_the_youngest_first),
		cmocka_unit_test(full_map_drops_the_oldest_when_asked),
		cmocka_unit_test(threads_get_every_value_once_and_whole),
		cmocka_unit_test(child_finds_the_lock_free),
		cmocka_unit_test(creation_copes_with_every_failing_allocation),
	};

	return cmocka_run_group_tests(tests, start_rt, stop_rt);
}
