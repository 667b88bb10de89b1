/* SPDX-License-Identifier: MIT */
/* What a hook makes of programs that end early: the result they count as, and when to detach. */
#include <pthread.h>
#include <sched.h>

#include "host.h"

#define FALLBACK 99

static struct tenon_runtime *rt;
static struct tenon_hook hook, outer;
static int warnings;
static char last_warning[256];

static void log_line(void *user, enum tenon_log_level level, const char *line)
{
	(void)user;
	if (level != TENON_LOG_WARN)
		return;
	warnings++;
	snprintf(last_warning, sizeof(last_warning), "%s", line);
}

static int setup(void **state)
{
	struct tenon_runtime_opts opts = { .sz = sizeof(opts), .log = log_line };

	(void)state;
	warnings = 0;
	rt = new_runtime(&opts);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	return tenon_runtime_free(rt);
}

static void add_early_hook(enum tenon_chain chain, enum tenon_early_end early_end,
			   uint32_t detach_after)
{
	struct tenon_hook_desc desc = { .sz = sizeof(desc),
					.name = "h",
					.ctx = &test_type,
					.chain = chain,
					.fuel = 10000,
					.fallback = FALLBACK,
					.early_end = early_end,
					.detach_after = detach_after };

	memset(&hook, 0, sizeof(hook));
	assert_ok(tenon_hook_register(rt, &hook, &desc));
}

static uint64_t fire(uint32_t in)
{
	struct test_ctx ctx = { .in = in };

	return tenon_hook_fire(&hook, &ctx);
}

/* Returns its context's number, or runs out of fuel where that is large. */
#define ECHO                     \
	"r0 = *(u32 *)(r1 +0)\n" \
	"r2 = r0\n"              \
	"loop:\n"                \
	"if r2 == 0 goto done\n" \
	"r2 -= 1\n"              \
	"goto loop\n"            \
	"done:\nexit\n"
#define TOO_MUCH 1000000u

static struct tenon_object *load_engine(const char *text, int engine)
{
	struct tenon_object_open_opts opts = { .sz = sizeof(opts), .engine = engine_at(engine) };
	struct tenon_object *obj = open_text(rt, "h", 0, NULL, 0, text, &opts);

	if (!obj || tenon_object_load(obj))
		fail_msg("load: %s", tenon_last_error()->msg);
	return obj;
}

static struct tenon_object *plug_engine(const char *text, int engine)
{
	struct tenon_object *obj = load_engine(text, engine);

	assert_ok(tenon_object_attach(obj));
	return obj;
}

static void early_end_counts_as_the_last_good_result(void **state)
{
	int i;

	(void)state;
	add_early_hook(TENON_CHAIN_LAST, TENON_EARLY_END_LAST_GOOD, 0);
	for (i = 0; i < 2; i++) {
		struct tenon_object *obj = plug_engine(ECHO, i);

		assert_int_equal(fire(TOO_MUCH), FALLBACK);
		assert_int_equal(fire(7), 7);
		assert_int_equal(fire(TOO_MUCH), 7);
		assert_int_equal(fire(8), 8);
		assert_int_equal(fire(TOO_MUCH), 8);
		assert_int_equal(stats_of(first_program(obj)).aborted, 3);
		assert_ok(tenon_object_close(obj));
	}
	assert_int_equal(warnings, 0);
}

static void last_good_result_is_of_the_link_and_outlives_a_replacement(void **state)
{
	struct tenon_object *first, *second;
	struct tenon_link *link;

	(void)state;
	add_early_hook(TENON_CHAIN_UNTIL_SET, TENON_EARLY_END_LAST_GOOD, 0);
	first = load_engine(ECHO, 1);
	second = load_engine(ECHO, 1);
	link = tenon_program_attach(first_program(first), NULL);
	assert_non_null(link);
	assert_int_equal(fire(5), 5);
	assert_ok(tenon_link_update(link, first_program(second)));
	assert_int_equal(fire(TOO_MUCH), 5);
	assert_ok(tenon_link_destroy(link));
	link = tenon_program_attach(first_program(second), NULL);
	assert_non_null(link);
	assert_int_equal(fire(TOO_MUCH), FALLBACK);
	assert_ok(tenon_link_destroy(link));
}

static void chain_goes_on_behind_a_program_that_counts_as_the_fallback(void **state)
{
	(void)state;
	add_early_hook(TENON_CHAIN_UNTIL_SET, TENON_EARLY_END_LAST_GOOD, 0);
	plug_engine(ECHO, 1);
	plug_engine(RETURN(4), 1);
	assert_int_equal(fire(TOO_MUCH), 4);
	assert_int_equal(fire(6), 6);
	assert_int_equal(fire(TOO_MUCH), 6);
}

static void program_is_detached_after_so_many_early_ends(void **state)
{
	int i;

	(void)state;
	add_early_hook(TENON_CHAIN_LAST, TENON_EARLY_END_FALLBACK, 3);
	for (i = 0; i < 2; i++) {
		struct tenon_object *obj = plug_engine(ECHO, i);
		struct tenon_program *prog = first_program(obj);

		warnings = 0;
		assert_int_equal(fire(TOO_MUCH), FALLBACK);
		assert_int_equal(fire(5), 5);
		assert_int_equal(fire(TOO_MUCH), FALLBACK);
		assert_true(tenon_hook_armed(&hook));
		assert_int_equal(warnings, 0);
		assert_int_equal(fire(TOO_MUCH), FALLBACK);
		assert_false(tenon_hook_armed(&hook));
		assert_int_equal(warnings, 1);
		assert_non_null(strstr(last_warning, "ended early 3 times"));
		assert_int_equal(fire(5), FALLBACK);
		assert_int_equal(stats_of(prog).aborted, 3);
		/* A new link counts anew. */
		assert_ok(tenon_object_attach(obj));
		assert_int_equal(fire(TOO_MUCH), FALLBACK);
		assert_int_equal(fire(5), 5);
		assert_ok(tenon_object_close(obj));
	}
}

static void detached_program_leaves_the_rest_of_the_chain(void **state)
{
	struct tenon_object *spin;
	int i;

	(void)state;
	add_early_hook(TENON_CHAIN_LAST, TENON_EARLY_END_FALLBACK, 1);
	for (i = 0; i < 2; i++) {
		spin = plug_engine(ECHO, i);
		plug_engine(RETURN(3), i);
		assert_int_equal(fire(TOO_MUCH), 3);
		assert_int_equal(stats_of(first_program(spin)).aborted, 1);
		assert_int_equal(fire(TOO_MUCH), 3);
		assert_int_equal(stats_of(first_program(spin)).aborted, 1);
	}
	assert_int_equal(warnings, 2);
}

static void detached_link_of_the_host_is_its_own_to_destroy(void **state)
{
	struct tenon_object *obj;
	struct tenon_link *link;

	(void)state;
	add_early_hook(TENON_CHAIN_LAST, TENON_EARLY_END_FALLBACK, 1);
	obj = load_engine(ECHO, 1);
	link = tenon_program_attach(first_program(obj), NULL);
	assert_non_null(link);
	assert_int_equal(fire(TOO_MUCH), FALLBACK);
	assert_false(tenon_hook_armed(&hook));
	assert_int_equal(tenon_link_update(link, first_program(obj)), -ENOENT);
	assert_int_equal(tenon_runtime_free(rt), -EBUSY);
	assert_ok(tenon_link_destroy(link));
}

static void replaced_program_counts_anew(void **state)
{
	struct tenon_object *obj;
	struct tenon_link *link;

	(void)state;
	add_early_hook(TENON_CHAIN_LAST, TENON_EARLY_END_FALLBACK, 2);
	obj = load_engine(ECHO, 1);
	link = tenon_program_attach(first_program(obj), NULL);
	assert_non_null(link);
	assert_int_equal(fire(TOO_MUCH), FALLBACK);
	assert_ok(tenon_link_update(link, first_program(load_engine(ECHO, 1))));
	assert_int_equal(fire(TOO_MUCH), FALLBACK);
	assert_true(tenon_hook_armed(&hook));
	assert_int_equal(fire(TOO_MUCH), FALLBACK);
	assert_false(tenon_hook_armed(&hook));
	assert_ok(tenon_link_destroy(link));
}

/* ---- Whose doing it was ---- */

static void stop(uint32_t reason)
{
	tenon_abort(reason);
}

static void abort_by_a_helper_counts_too(void **state)
{
	struct tenon_helper_opts helper = { .sz = sizeof(helper),
					    .flags = TENON_MAY_ABORT,
					    .id = 9000 };
	struct tenon_object *obj;
	int i;

	(void)state;
	assert_ok(tenon_runtime_add_helper(rt, "stop", "void(u32)", TENON_FN(stop), &helper));
	add_early_hook(TENON_CHAIN_LAST, TENON_EARLY_END_LAST_GOOD, 2);
	for (i = 0; i < 2; i++) {
		obj = plug_engine("r6 = *(u32 *)(r1 +0)\n"
				  "if r6 != 0 goto out\n"
				  "r1 = 31\n"
				  "call 9000\n"
				  "out:\n"
				  "r0 = r6\n"
				  "exit\n",
				  i);
		assert_int_equal(fire(12), 12);
		assert_int_equal(fire(0), 12);
		assert_int_equal(fire(0), 12);
		assert_false(tenon_hook_armed(&hook));
		assert_int_equal(stats_of(first_program(obj)).last_reason, 31);
		assert_ok(tenon_object_close(obj));
	}
}

static uint64_t fire_inside(uint32_t in)
{
	return fire(in);
}

static void lack_of_fuel_in_the_firing_around_does_not_count(void **state)
{
	struct tenon_helper_opts helper = { .sz = sizeof(helper),
					    .flags = TENON_MAY_FIRE,
					    .id = 9001 };
	struct tenon_hook_desc desc = { .sz = sizeof(desc),
					.name = "outer",
					.ctx = &test_type,
					.chain = TENON_CHAIN_LAST,
					.fuel = 500 };
	struct tenon_object *obj;
	struct test_ctx ctx = { .in = 1000 };

	(void)state;
	assert_ok(tenon_runtime_add_helper(rt, "fire", "u64(u32)", TENON_FN(fire_inside), &helper));
	add_early_hook(TENON_CHAIN_LAST, TENON_EARLY_END_FALLBACK, 1);
	memset(&outer, 0, sizeof(outer));
	assert_ok(tenon_hook_register(rt, &outer, &desc));
	obj = plug_engine(ECHO, 1);
	plug_text(rt, "outer", "r1 = *(u32 *)(r1 +0)\ncall 9001\nexit\n");
	assert_int_equal(tenon_hook_fire(&outer, &ctx), FALLBACK);
	assert_int_equal(stats_of(first_program(obj)).aborted, 1);
	assert_true(tenon_hook_armed(&hook));
	assert_int_equal(fire(1000), 1000);
	assert_int_equal(fire(TOO_MUCH), FALLBACK);
	assert_false(tenon_hook_armed(&hook));
}

/* ---- Threads ---- */

static _Atomic int stopped;

static void *fire_on(void *arg)
{
	(void)arg;
	while (!atomic_load(&stopped))
		fire(TOO_MUCH);
	return NULL;
}

static void early_ends_on_several_threads_detach_once(void **state)
{
	enum { ROUNDS = 100, THREADS = 3 };
	struct tenon_object *obj;
	pthread_t threads[THREADS];
	int i;

	(void)state;
	add_early_hook(TENON_CHAIN_LAST, TENON_EARLY_END_LAST_GOOD, 2);
	obj = load_engine(ECHO, 1);
	atomic_store(&stopped, 0);
	for (i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, fire_on, NULL), 0);
	for (i = 0; i < ROUNDS; i++) {
		assert_ok(tenon_object_attach(obj));
		while (tenon_hook_armed(&hook))
			sched_yield();
	}
	atomic_store(&stopped, 1);
	for (i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(warnings, ROUNDS);
	assert_true(stats_of(first_program(obj)).aborted >= 2 * ROUNDS);
}

static void unknown_policy_is_refused(void **state)
{
	struct tenon_hook_desc desc = { .sz = sizeof(desc),
					.name = "h",
					.ctx = &test_type,
					.early_end = (enum tenon_early_end)2 };
	static struct tenon_hook other;

	(void)state;
	assert_int_equal(tenon_hook_register(rt, &other, &desc), -EINVAL);
	assert_words("early_end 2");
	/* A host built before there was a policy. */
	desc.sz = offsetof(struct tenon_hook_desc, early_end);
	assert_ok(tenon_hook_register(rt, &other, &desc));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(early_end_counts_as_the_last_good_result),
		TEST(last_good_result_is_of_the_link_and_outlives_a_replacement),
		TEST(chain_goes_on_behind_a_program_that_counts_as_the_fallback),
		TEST(program_is_detached_after_so_many_early_ends),
		TEST(detached_program_leaves_the_rest_of_the_chain),
		TEST(detached_link_of_the_host_is_its_own_to_destroy),
		TEST(replaced_program_counts_anew),
		TEST(abort_by_a_helper_counts_too),
		TEST(lack_of_fuel_in_the_firing_around_does_not_count),
		TEST(early_ends_on_several_threads_detach_once),
		TEST(unknown_policy_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
