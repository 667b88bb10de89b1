/* SPDX-License-Identifier: MIT */
#include "base/testing.h"

#include "base/vec.h"

/* A host allocator that checks the sizes it is told. */
struct host_heap {
	size_t bytes;
	unsigned wrong, calls;
};

static void *host_alloc(void *user, void *ptr, size_t osize, size_t nsize)
{
	struct host_heap *heap = user;
	size_t *block = ptr ? (size_t *)ptr - 2 : NULL;
	size_t *new;

	heap->calls++;
	if ((block ? block[0] : 0) != osize)
		heap->wrong++;
	heap->bytes += nsize - osize;
	if (!nsize) {
		free(block);
		return NULL;
	}
	new = realloc(block, nsize + 16);
	new[0] = nsize;
	return new + 2;
}

static int make_rt(void **state)
{
	*state = test_malloc(sizeof(struct tn_rt));
	return tn_rt_init(*state, NULL);
}

static int drop_rt(void **state)
{
	tn_rt_fini(*state);
	test_free(*state);
	return 0;
}

static size_t heap_bytes(struct tn_rt *rt)
{
	return tn_load_relaxed(&rt->mem.bytes[TN_CHARGE_HEAP]);
}

static void alloc_is_aligned_and_counted(void **state)
{
	size_t before = heap_bytes(*state);
	void *p = tn_alloc(*state, 33);

	assert_int_equal((uintptr_t)p % 16, 0);
	assert_true(heap_bytes(*state) >= before + 33);
	tn_free(*state, p);
	assert_int_equal(heap_bytes(*state), before);
}

static void alloc_array_rejects_product_that_wraps(void **state)
{
	assert_null(tn_alloc_array(*state, SIZE_MAX / 2, 3));
	assert_null(tn_alloc(*state, SIZE_MAX));
	assert_null(tn_alloc(*state, SIZE_MAX - 16));
}

static void alloc_array_is_zeroed(void **state)
{
	unsigned char *p = tn_alloc_array(*state, 25, 8);

	for (int i = 0; i < 200; i++)
		assert_int_equal(p[i], 0);
	tn_free(*state, p);
}

static void realloc_array_keeps_content_and_count(void **state)
{
	size_t before = heap_bytes(*state);
	char *p = tn_strdup(*state, "tenon");

	p = tn_realloc_array(*state, p, 1000, 10);
	assert_string_equal(p, "tenon");
	p = tn_realloc_array(*state, p, 3, 2);
	assert_memory_equal(p, "tenon", 6);
	tn_free(*state, p);
	assert_int_equal(heap_bytes(*state), before);
}

/* A sanitizer has to see each block freed. */
static void skip_unkept(void)
{
	print_message("skipped: this build, under a sanitizer, keeps no blocks\n");
	skip();
}

static void large_block_is_given_again(void **state)
{
	size_t before = heap_bytes(*state);
	void *p = tn_alloc(*state, 100000), *q;

	tn_free(*state, p);
	assert_int_equal(heap_bytes(*state), before);
	if (!tn_kept_size(100000))
		skip_unkept();
	assert_true(((struct tn_rt *)*state)->mem.kept.bytes >= 100000);
	q = tn_alloc_array(*state, 1, 99990);
	assert_ptr_equal(q, p);
	for (size_t i = 0; i < 99990; i++)
		assert_int_equal(((char *)q)[i], 0);
	assert_int_equal(heap_bytes(*state), before + 99990 + 16);
	assert_int_equal(((struct tn_rt *)*state)->mem.kept.bytes, 0);
	tn_free(*state, q);
}

static void large_blocks_are_kept_up_to_a_bound(void **state)
{
	void *p[40];

	for (unsigned i = 0; i < 40; i++)
		p[i] = tn_alloc(*state, (size_t)1 << 19);
	for (unsigned i = 0; i < 40; i++)
		tn_free(*state, p[i]);
	assert_true(((struct tn_rt *)*state)->mem.kept.bytes <= TN_KEPT_BYTES);
}

/* Each size that is kept has a class of its own, at most a quarter larger. */
static void kept_sizes_are_their_own_classes(void **state)
{
	(void)state;
	assert_int_equal(tn_kept_size(TN_KEPT_MIN_BYTES - 1), 0);
	assert_int_equal(tn_kept_size(TN_KEPT_MAX_BYTES + 1), 0);
	for (size_t n = TN_KEPT_MIN_BYTES; n <= TN_KEPT_MAX_BYTES; n += 1000) {
		size_t size = tn_kept_size(n);
		struct tn_kept k;
		void *block = size ? malloc(size) : NULL;

		if (!size)
			skip_unkept();
		assert_true(size >= n && size <= n + n / 4);
		assert_int_equal(tn_kept_size(size), size);
		tn_kept_init(&k);
		tn_kept_put(&k, block, size);
		assert_ptr_equal(tn_kept_take(&k, size), block);
		assert_null(tn_kept_take(&k, size));
		tn_kept_put(&k, block, size);
		tn_kept_fini(&k);
	}
}

/* What another thread holds, now or when the process forked, is not waited for. */
static void kept_blocks_in_use_elsewhere_are_not_waited_for(void **state)
{
	size_t size = tn_kept_size(50000);
	struct tn_kept k;

	(void)state;
	if (!size)
		skip_unkept();
	tn_kept_init(&k);
	atomic_flag_test_and_set(&k.busy);
	assert_null(tn_kept_take(&k, size));
	tn_kept_put(&k, malloc(size), size);
	assert_int_equal(k.bytes, 0);
}

static void free_accepts_null(void **state)
{
	tn_free(*state, NULL);
}

static void strings_are_copied(void **state)
{
	char *a = tn_strndup(*state, "abcdef", 3);
	char *b = tn_asprintf(*state, "%s-%d", "abc", 7);
	char *c = tn_memdup(*state, "xyz", 4);

	assert_string_equal(a, "abc");
	assert_string_equal(b, "abc-7");
	assert_string_equal(c, "xyz");
	tn_free(*state, a);
	tn_free(*state, b);
	tn_free(*state, c);
}

static void heap_limit_refuses_and_leaves_block_intact(void **state)
{
	struct tn_rt *rt = *state;
	char *p;

	rt->mem.limit[TN_CHARGE_HEAP] = heap_bytes(rt) + 100;
	p = tn_strdup(rt, "kept");
	assert_non_null(p);
	assert_null(tn_realloc_array(rt, p, 1, 200));
	assert_null(tn_alloc(rt, 100));
	assert_string_equal(p, "kept");
	tn_free(rt, p);
}

static void charge_stops_at_limit(void **state)
{
	struct tn_rt *rt = *state;

	rt->mem.limit[TN_CHARGE_MAPS] = 100;
	assert_int_equal(tn_charge(rt, TN_CHARGE_MAPS, 60), 0);
	assert_int_equal(tn_charge(rt, TN_CHARGE_MAPS, 41), -E2BIG);
	assert_int_equal(tn_charge(rt, TN_CHARGE_MAPS, SIZE_MAX), -E2BIG);
	assert_int_equal(tn_charge(rt, TN_CHARGE_MAPS, 40), 0);
	tn_uncharge(rt, TN_CHARGE_MAPS, 100);
	assert_int_equal(tn_load_relaxed(&rt->mem.bytes[TN_CHARGE_MAPS]), 0);
}

static void injection_fails_the_nth_allocation_once(void **state)
{
	struct tn_rt *rt = *state;
	void *p[3];

	tn_store_relaxed(&rt->mem.fail_after, 2);
	p[0] = tn_alloc(rt, 1);
	p[1] = tn_alloc(rt, 1);
	p[2] = tn_alloc(rt, 1);
	assert_non_null(p[0]);
	assert_null(p[1]);
	assert_non_null(p[2]);
	tn_free(rt, p[0]);
	tn_free(rt, p[2]);
}

static void host_allocator_is_told_right_sizes(void **state)
{
	struct host_heap heap = { 0 };
	struct tn_rt_config config = { .alloc = host_alloc, .alloc_user = &heap };
	struct tn_rt rt;
	char *p;

	(void)state;
	assert_int_equal(tn_rt_init(&rt, &config), 0);
	p = tn_strdup(&rt, "one");
	p = tn_realloc_array(&rt, p, 50, 7);
	assert_true(heap.calls >= 2);
	tn_free(&rt, p);
	tn_rt_fini(&rt);
	assert_int_equal(heap.wrong, 0);
	assert_int_equal(heap.bytes, 0);
}

static void alloc_works_without_runtime(void **state)
{
	char *p = tn_strdup(NULL, "plain");

	(void)state;
	assert_string_equal(p, "plain");
	tn_free(NULL, p);
}

static void vec_grows_with_zeroed_elements(void **state)
{
	TN_VEC(uint64_t) vec = { 0 };

	for (uint64_t i = 0; i < 1000; i++) {
		uint64_t *e = tn_vec_push(*state, &vec);

		assert_int_equal(*e, 0);
		*e = i;
	}
	for (uint64_t i = 0; i < 1000; i++)
		assert_int_equal(vec.v[i], i);
	tn_vec_free(*state, &vec);
	assert_int_equal(vec.cap, 0);
}

static void vec_push_reports_failure_and_keeps_content(void **state)
{
	struct tn_rt *rt = *state;
	TN_VEC(int) vec = { 0 };

	for (int i = 0; i < 8; i++)
		*tn_vec_push(rt, &vec) = i;
	tn_store_relaxed(&rt->mem.fail_after, 1);
	assert_null(tn_vec_push(rt, &vec));
	assert_int_equal(vec.nr, 8);
	assert_int_equal(vec.v[7], 7);
	tn_vec_free(rt, &vec);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(alloc_is_aligned_and_counted, make_rt, drop_rt),
		cmocka_unit_test_setup_teardown(alloc_array_rejects_product_that_wraps, make_rt,
						drop_rt),
		cmocka_unit_test_setup_teardown(alloc_array_is_zeroed, make_rt, drop_rt),
		cmocka_unit_test_setup_teardown(realloc_array_keeps_content_and_count, make_rt,
						drop_rt),
		cmocka_unit_test_setup_teardown(large_block_is_given_again, make_rt, drop_rt),
		cmocka_unit_test_setup_teardown(large_blocks_are_kept_up_to_a_bound, make_rt,
						drop_rt),
		cmocka_unit_test(kept_sizes_are_their_own_classes),
		cmocka_unit_test(kept_blocks_in_use_elsewhere_are_not_waited_for),
		cmocka_unit_test_setup_teardown(free_accepts_null, make_rt, drop_rt),
		cmocka_unit_test_setup_teardown(strings_are_copied, make_rt, drop_rt),
		cmocka_unit_test_setup_teardown(heap_limit_refuses_and_leaves_block_intact, make_rt,
						drop_rt),
		cmocka_unit_test_setup_teardown(charge_stops_at_limit, make_rt, drop_rt),
		cmocka_unit_test_setup_teardown(injection_fails_the_nth_allocation_once, make_rt,
						drop_rt),
		cmocka_unit_test(host_allocator_is_told_right_sizes),
		cmocka_unit_test(alloc_works_without_runtime),
		cmocka_unit_test_setup_teardown(vec_grows_with_zeroed_elements, make_rt, drop_rt),
		cmocka_unit_test_setup_teardown(vec_push_reports_failure_and_keeps_content, make_rt,
						drop_rt),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
