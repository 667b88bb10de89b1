/* SPDX-License-Identifier: MIT */
/* What programs and host share beyond plain values: locks, maps of maps, samples; both engines. */
#include "host.h"
#include "request.h"

#include <pthread.h>

static const char *const names[] = { "transfer", "transfer_global", "count_in", "drain" };
enum { TRANSFER, TRANSFER_GLOBAL, COUNT_IN, DRAIN, NR_HOOKS };

static struct tenon_runtime *rt;
static struct tenon_hook hooks[NR_HOOKS];

static const struct tenon_field fields[] = {
	TENON_SCALAR(struct request, kind, TENON_R),
	TENON_SCALAR(struct request, verdict, TENON_RW),
};
static const struct tenon_ctx_type type = TENON_CTX_TYPE(request, fields);

static int setup(void **state)
{
	(void)state;
	rt = new_runtime(NULL);
	memset(hooks, 0, sizeof(hooks));
	for (int i = 0; i < NR_HOOKS; i++) {
		struct tenon_hook_desc desc = { .sz = sizeof(desc),
						.name = names[i],
						.ctx = &type,
						.chain = TENON_CHAIN_LAST,
						.fallback = 4242 };

		assert_ok(tenon_hook_register(rt, &hooks[i], &desc));
	}
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	return tenon_runtime_free(rt);
}

static struct tenon_object *plug(enum tenon_engine engine)
{
	struct tenon_object_open_opts opts = { .sz = sizeof(opts), .engine = engine };
	struct tenon_object *obj = tenon_object_plug(rt, TN_TEST_PLUGINS "shared.bpf.o", &opts);

	if (!obj)
		fail_msg("%s", tenon_last_error()->msg);
	return obj;
}

static int fire(int which, unsigned int kind)
{
	struct request req = { .kind = kind };

	return (int)tenon_hook_fire(&hooks[which], &req);
}

#define ROUNDS	5000
#define THREADS 4

static void *transfer_often(void *arg)
{
	uintptr_t wrong = 0;

	(void)arg;
	for (int i = 0; i < ROUNDS; i++)
		wrong += fire(TRANSFER, 0) != 0 || fire(TRANSFER_GLOBAL, 0) != 0;
	return (void *)wrong;
}

static void locked_value_changes_as_one(void **state)
{
	struct account {
		uint64_t pad;
		uint32_t lock, debit, credit, end;
	} seen, mine = { .lock = 5, .debit = 1, .credit = 1 };
	pthread_t threads[THREADS];
	struct tenon_object *obj;
	struct tenon_map *map;
	uint32_t key = 0;
	void *wrong;

	(void)state;
	for (int engine = 0; engine < 2; engine++) {
		obj = plug(engine_at(engine));
		map = tenon_object_find_map(obj, "accounts");
		assert_ok(tenon_map_update_elem(map, &key, 4, &mine, sizeof(mine), 0));
		for (int i = 0; i < THREADS; i++)
			assert_int_equal(pthread_create(&threads[i], NULL, transfer_often, NULL),
					 0);
		for (int i = 0; i < THREADS; i++) {
			pthread_join(threads[i], &wrong);
			assert_null(wrong);
		}
		assert_ok(tenon_map_lookup_elem(map, &key, 4, &seen, sizeof(seen), 0));
		assert_int_equal(seen.lock, 0);
		assert_int_equal(seen.debit, 1 + THREADS * ROUNDS);
		assert_int_equal(seen.credit, seen.debit);
		assert_ok(tenon_object_close(obj));
	}
}

static void inner_maps_come_and_go(void **state)
{
	(void)state;
	for (int engine = 0; engine < 2; engine++) {
		struct tenon_object *obj = plug(engine_at(engine));
		struct tenon_map *outer = tenon_object_find_map(obj, "outer");
		uint32_t id = tenon_map_id(tenon_object_find_map(obj, "second")), key = 1;
		uint32_t wrong = tenon_map_id(tenon_object_find_map(obj, "accounts"));

		assert_int_equal(fire(COUNT_IN, 0), 1);
		assert_int_equal(fire(COUNT_IN, 0), 2);
		assert_int_equal(fire(COUNT_IN, 1), -1);
		assert_ok(tenon_map_update_elem(outer, &key, 4, &id, 4, 0));
		assert_int_equal(fire(COUNT_IN, 1), 1);
		assert_int_equal(tenon_map_update_elem(outer, &key, 4, &wrong, 4, 0), -EINVAL);
		assert_ok(tenon_map_delete_elem(outer, &key, 4, 0));
		assert_int_equal(fire(COUNT_IN, 1), -1);
		assert_int_equal(fire(COUNT_IN, 2), -1);
		assert_ok(tenon_object_close(obj));
	}
}

static void send(struct tenon_user_ring_buffer *rb, uint32_t n)
{
	uint32_t *sample = tenon_user_ring_buffer_reserve(rb, sizeof(*sample));

	assert_non_null(sample);
	*sample = n;
	tenon_user_ring_buffer_submit(rb, sample);
}

static void samples_arrive_in_order_until_one_stops(void **state)
{
	(void)state;
	for (int engine = 0; engine < 2; engine++) {
		struct tenon_object *obj = plug(engine_at(engine));
		struct tenon_map *map = tenon_object_find_map(obj, "samples");
		struct tenon_user_ring_buffer *rb = tenon_user_ring_buffer_new(map);
		void *open;

		assert_non_null(rb);
		assert_int_equal(fire(DRAIN, 0), 0);
		send(rb, 3);
		tenon_user_ring_buffer_discard(rb, tenon_user_ring_buffer_reserve(rb, 100));
		send(rb, 4);
		assert_int_equal(fire(DRAIN, 0), 702);
		send(rb, 99);
		send(rb, 1);
		assert_int_equal(fire(DRAIN, 0), 9901);
		open = tenon_user_ring_buffer_reserve(rb, 4);
		send(rb, 5);
		assert_int_equal(fire(DRAIN, 0), 101); /* not beyond what is open */
		tenon_user_ring_buffer_discard(rb, open);
		assert_int_equal(fire(DRAIN, 0), 501);
		tenon_user_ring_buffer_free(rb);
		assert_ok(tenon_object_close(obj));
	}
}

static void full_ring_takes_samples_again_once_drained(void **state)
{
	struct tenon_object *obj = plug(TENON_ENGINE_AUTO);
	struct tenon_map *map = tenon_object_find_map(obj, "samples");
	struct tenon_user_ring_buffer *rb = tenon_user_ring_buffer_new(map);
	int nr = 0;

	(void)state;
	assert_null(tenon_user_ring_buffer_reserve(rb, 4096));
	assert_int_equal(errno, E2BIG);
	for (int round = 0; round < 10; round++) {
		uint32_t *sample;

		for (nr = 0; (sample = tenon_user_ring_buffer_reserve(rb, 1000)); nr++) {
			*sample = 0;
			tenon_user_ring_buffer_submit(rb, sample);
		}
		assert_int_equal(errno, ENOSPC);
		assert_int_equal(nr, 4);
		assert_int_equal(fire(DRAIN, 0), 4);
	}
	tenon_user_ring_buffer_free(rb);
	assert_null(tenon_user_ring_buffer_new(tenon_object_find_map(obj, "outer")));
	assert_ok(tenon_object_close(obj));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(locked_value_changes_as_one, setup, teardown),
		cmocka_unit_test_setup_teardown(inner_maps_come_and_go, setup, teardown),
		cmocka_unit_test_setup_teardown(samples_arrive_in_order_until_one_stops, setup,
						teardown),
		cmocka_unit_test_setup_teardown(full_ring_takes_samples_again_once_drained, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
