/* SPDX-License-Identifier: MIT */
/* Registration, firing, chain rules, fuel, aborts, nesting, statistics. */
#include "host.h"

static struct tenon_runtime *rt;
static struct tenon_hook hook, inner;

static int setup(void **state)
{
	(void)state;
	rt = new_runtime(NULL);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	return tenon_runtime_free(rt);
}

static uint64_t fire(uint32_t in)
{
	struct test_ctx ctx = { .in = in };

	return tenon_hook_fire(&hook, &ctx);
}

/* ---- Registration ---- */

static void hook_fire_returns_zero_unregistered(void **state)
{
	struct tenon_hook none = { 0 };

	(void)state;
	assert_false(tenon_hook_armed(&none));
	assert_int_equal(tenon_hook_fire(&none, NULL), 0);
	assert_int_equal(tenon_hook_run(&none, NULL), 0);
}

static void hook_fire_returns_fallback_with_nothing_attached(void **state)
{
	(void)state;
	add_hook(rt, &hook, "h", TENON_CHAIN_LAST, 42);
	assert_false(tenon_hook_armed(&hook));
	assert_int_equal(fire(0), 42);
	assert_int_equal(tenon_hook_run(&hook, NULL), 42);
	assert_ok(tenon_hook_unregister(&hook));
	assert_int_equal(fire(0), 0);
	assert_ok(tenon_hook_unregister(&hook));
}

static void hook_register_refuses_what_is_wrong(void **state)
{
	struct tenon_hook_desc desc = { .sz = sizeof(desc), .name = "h", .ctx = &test_type };
	struct tenon_hook other = { 0 };

	(void)state;
	add_hook(rt, &hook, "h", TENON_CHAIN_ALL, 0);
	assert_int_equal(tenon_hook_register(rt, &other, &desc), -EEXIST);
	assert_words("'h'");
	desc.name = "other";
	assert_int_equal(tenon_hook_register(rt, &hook, &desc), -EEXIST);
	desc.name = "";
	assert_int_equal(tenon_hook_register(rt, &other, &desc), -EINVAL);
	desc.name = "x";
	desc.chain = (enum tenon_chain)9;
	assert_int_equal(tenon_hook_register(rt, &other, &desc), -EINVAL);
	desc.chain = TENON_CHAIN_ALL;
	desc.ctx = NULL;
	assert_int_equal(tenon_hook_register(rt, &other, &desc), -EINVAL);
	desc.ctx = &test_type;
	desc.ret_checked = true;
	desc.ret_min = 1;
	assert_int_equal(tenon_hook_register(rt, &other, &desc), -EINVAL);
	desc.sz = 0;
	assert_int_equal(tenon_hook_register(rt, &other, &desc), -EINVAL);
	assert_int_equal(tenon_hook_register(NULL, &other, &desc), -EINVAL);
	assert_null(other.impl);
}

/* ---- Chains ---- */

static void chain_all_runs_all_and_gives_fallback(void **state)
{
	struct test_ctx ctx = { .in = 1 };
	int i;

	(void)state;
	add_hook(rt, &hook, "h", TENON_CHAIN_ALL, 7);
	for (i = 0; i < 3; i++)
		plug_text(rt, "h",
			  "r2 = *(u32 *)(r1 +4)\n"
			  "r2 += 1\n"
			  "*(u32 *)(r1 +4) = r2\n" RETURN(3));
	assert_true(tenon_hook_armed(&hook));
	assert_int_equal(tenon_hook_fire(&hook, &ctx), 7);
	assert_int_equal(ctx.out, 3);
}

static void chain_until_set_stops_at_first_decision(void **state)
{
	struct test_ctx ctx = { .in = 1 };

	(void)state;
	add_hook(rt, &hook, "h", TENON_CHAIN_UNTIL_SET, 0);
	plug_text(rt, "h", RETURN(0));
	plug_text(rt, "h", RETURN(5));
	plug_text(rt, "h", "r2 = 9\n*(u32 *)(r1 +4) = r2\n" RETURN(6));
	assert_int_equal(tenon_hook_fire(&hook, &ctx), 5);
	assert_int_equal(ctx.out, 0);
}

static void chain_last_gives_the_last_result(void **state)
{
	(void)state;
	add_hook(rt, &hook, "h", TENON_CHAIN_LAST, 0);
	plug_text(rt, "h", RETURN(5));
	plug_text(rt, "h", RETURN(6));
	assert_int_equal(fire(0), 6);
}

/* Counts itself in `out`; returns its number where `in` is that, else 0. */
static void plug_numbered(uint32_t number, bool leaf, int engine)
{
	struct tenon_object_open_opts opts = { .sz = sizeof(opts), .engine = engine_at(engine) };
	struct tenon_object *obj;
	char text[256];

	snprintf(text, sizeof(text),
		 "r6 = r1\n"
		 "%s"
		 "r2 = *(u32 *)(r6 +4)\n"
		 "r2 += 1\n"
		 "*(u32 *)(r6 +4) = r2\n"
		 "r0 = *(u32 *)(r6 +0)\n"
		 "if r0 == %u goto out\n"
		 "r0 = 0\n"
		 "out:\nexit\n",
		 leaf ? "" : "call 174\n", number);
	obj = open_text(rt, "h", 0, NULL, 0, text, &opts);
	if (!obj || tenon_object_load(obj) || tenon_object_attach(obj))
		fail_msg("%s", tenon_last_error()->msg);
}

static void check_lengths(bool (*is_leaf)(uint32_t number), int engine)
{
	enum { LENGTH = 10 };
	uint32_t nr, decides;

	add_hook(rt, &hook, "h", TENON_CHAIN_UNTIL_SET, 0);
	for (nr = 1; nr <= LENGTH; nr++) {
		plug_numbered(nr, is_leaf(nr), engine);
		for (decides = 1; decides <= nr + 1; decides++) {
			struct test_ctx ctx = { .in = decides };
			uint64_t ret = tenon_hook_fire(&hook, &ctx);

			assert_int_equal(ret, decides <= nr ? decides : 0);
			assert_int_equal(ctx.out, decides <= nr ? decides : nr);
		}
	}
	assert_ok(tenon_hook_unregister(&hook));
}

static bool is_always(uint32_t number)
{
	(void)number;
	return true;
}

static bool is_never(uint32_t number)
{
	(void)number;
	return false;
}

static bool is_odd(uint32_t number)
{
	return number % 2;
}

static bool is_even(uint32_t number)
{
	return number % 2 == 0;
}

static void chain_of_any_length_stops_where_it_is_decided(void **state)
{
	int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		check_lengths(is_always, i);
		check_lengths(is_never, i);
		check_lengths(is_odd, i);
		check_lengths(is_even, i);
	}
}

static void chain_runs_lower_priority_values_first(void **state)
{
	struct tenon_attach_opts opts = { .sz = sizeof(opts), .priority = -1 };
	struct tenon_link *links[3];
	static const int32_t priorities[] = { 5, -5, 5 };
	static const char *const texts[] = { RETURN(1), RETURN(2), RETURN(3) };
	int i;

	(void)state;
	add_hook(rt, &hook, "h", TENON_CHAIN_UNTIL_SET, 0);
	for (i = 0; i < 3; i++) {
		opts.priority = priorities[i];
		links[i] = tenon_program_attach(first_program(load_text(rt, "h", texts[i])), &opts);
		assert_non_null(links[i]);
	}
	assert_int_equal(fire(0), 2);
	assert_ok(tenon_link_destroy(links[1]));
	assert_int_equal(fire(0), 1);
	assert_ok(tenon_link_destroy(links[0]));
	assert_int_equal(fire(0), 3);
	assert_ok(tenon_link_destroy(links[2]));
	assert_int_equal(fire(0), 0);
}

static void program_reads_its_links_cookie(void **state)
{
	struct tenon_attach_opts opts = { .sz = sizeof(opts), .cookie = 77 };
	struct tenon_link *link;

	(void)state;
	add_hook(rt, &hook, "h", TENON_CHAIN_LAST, 0);
	link = tenon_program_attach(first_program(load_text(rt, "h", "call 174\nexit\n")), &opts);
	assert_non_null(link);
	assert_int_equal(fire(0), 77);
	assert_ok(tenon_link_destroy(link));
}

/* ---- Fuel and aborts ---- */

/* Counts down from a number in the context that the verifier cannot bound: it pays fuel. */
#define SPIN                     \
	"r2 = *(u32 *)(r1 +0)\n" \
	"loop:\n"                \
	"if r2 == 0 goto done\n" \
	"r2 -= 1\n"              \
	"goto loop\n"            \
	"done:\n" RETURN(1)

static void add_fuel_hook(uint64_t fuel, enum tenon_chain chain)
{
	struct tenon_hook_desc desc = { .sz = sizeof(desc),
					.name = "h",
					.ctx = &test_type,
					.chain = chain,
					.fuel = fuel,
					.fallback = 99 };

	memset(&hook, 0, sizeof(hook));
	assert_ok(tenon_hook_register(rt, &hook, &desc));
}

static void program_out_of_fuel_counts_as_fallback(void **state)
{
	struct tenon_object_open_opts opts = { .sz = sizeof(opts) };
	struct tenon_object *obj;
	int i;

	(void)state;
	add_fuel_hook(1000, TENON_CHAIN_LAST);
	for (i = 0; i < 2; i++) {
		opts.engine = engine_at(i);
		obj = open_text(rt, "h", 0, NULL, 0, SPIN, &opts);
		assert_ok(tenon_object_load(obj));
		assert_ok(tenon_object_attach(obj));
		assert_int_equal(fire(10), 1);
		assert_int_equal(fire(100000), 99);
		assert_int_equal(stats_of(first_program(obj)).aborted, 1);
		assert_int_equal(stats_of(first_program(obj)).last_reason, 0);
		assert_int_equal(fire(10), 1);
		assert_ok(tenon_object_close(obj));
	}
}

static void program_out_of_fuel_does_not_starve_the_next(void **state)
{
	struct tenon_object *spin, *after;

	(void)state;
	add_fuel_hook(10000, TENON_CHAIN_LAST);
	spin = plug_text(rt, "h", SPIN);
	after = plug_text(rt, "h", RETURN(4));
	assert_int_equal(fire(UINT32_MAX), 4);
	assert_int_equal(stats_of(first_program(spin)).aborted, 1);
	assert_int_equal(stats_of(first_program(after)).aborted, 0);
}

static void chain_shares_one_budget(void **state)
{
	struct tenon_object *objs[2];

	(void)state;
	add_fuel_hook(10000, TENON_CHAIN_LAST);
	objs[0] = plug_text(rt, "h", SPIN);
	objs[1] = plug_text(rt, "h", SPIN);
	/* Each takes at least 2000 of an equal share of 5000. */
	assert_int_equal(fire(1000), 1);
	/* Alone one could afford it, both together not. */
	assert_int_equal(fire(2400), 99);
	assert_true(stats_of(first_program(objs[0])).aborted +
			    stats_of(first_program(objs[1])).aborted >=
		    1);
}

static void abort_helper(void)
{
	tenon_abort(1234);
}

static void abort_outside_does_nothing(void **state)
{
	(void)state;
	tenon_abort(1);
}

static void abort_by_helper_gives_fallback_and_reason(void **state)
{
	struct tenon_helper_opts helper = { .sz = sizeof(helper),
					    .flags = TENON_MAY_ABORT,
					    .id = 9000 };
	struct tenon_object_open_opts opts = { .sz = sizeof(opts) };
	struct test_ctx ctx = { .in = 1 };
	struct tenon_object *obj;
	int i;

	(void)state;
	add_hook(rt, &hook, "h", TENON_CHAIN_LAST, 99);
	assert_ok(tenon_runtime_add_helper(rt, "stop", "void()", TENON_FN(abort_helper), &helper));
	for (i = 0; i < 2; i++) {
		opts.engine = engine_at(i);
		obj = open_text(rt, "h", 0, NULL, 0,
				"r6 = r1\n"
				"call 9000\n"
				"r2 = 5\n"
				"*(u32 *)(r6 +4) = r2\n" RETURN(1),
				&opts);
		assert_non_null(obj);
		assert_ok(tenon_object_load(obj));
		assert_ok(tenon_object_attach(obj));
		assert_int_equal(tenon_hook_fire(&hook, &ctx), 99);
		assert_int_equal(ctx.out, 0);
		assert_int_equal(stats_of(first_program(obj)).aborted, 1);
		assert_int_equal(stats_of(first_program(obj)).last_reason, 1234);
		assert_ok(tenon_object_close(obj));
	}
}

/* ---- Nesting ---- */

static uint64_t fire_inner(void)
{
	struct test_ctx ctx = { .in = 1 };

	return tenon_hook_fire(&inner, &ctx);
}

static uint64_t fire_outer(void)
{
	return fire(1);
}

static uint64_t spin_inner(uint32_t rounds)
{
	struct test_ctx ctx = { .in = rounds };

	return tenon_hook_fire(&inner, &ctx);
}

static void add_firing_helpers(void)
{
	struct tenon_helper_opts opts = { .sz = sizeof(opts), .flags = TENON_MAY_FIRE, .id = 9001 };

	assert_ok(tenon_runtime_add_helper(rt, "inner", "u64()", TENON_FN(fire_inner), &opts));
	opts.id = 9002;
	assert_ok(tenon_runtime_add_helper(rt, "outer", "u64()", TENON_FN(fire_outer), &opts));
	opts.id = 9003;
	assert_ok(tenon_runtime_add_helper(rt, "spin", "u64(u32)", TENON_FN(spin_inner), &opts));
}

static void nested_firing_runs_another_program(void **state)
{
	(void)state;
	add_hook(rt, &hook, "h", TENON_CHAIN_LAST, 0);
	add_hook(rt, &inner, "i", TENON_CHAIN_LAST, 0);
	add_firing_helpers();
	plug_text(rt, "i", RETURN(8));
	plug_text(rt, "h", "call 9001\nr0 += 1\nexit\n");
	assert_int_equal(fire(0), 9);
}

static void program_running_on_this_thread_is_skipped_and_counted(void **state)
{
	struct tenon_object *obj;

	(void)state;
	add_hook(rt, &hook, "h", TENON_CHAIN_LAST, 20);
	add_firing_helpers();
	obj = plug_text(rt, "h", "call 9002\nr0 += 1\nexit\n");
	assert_int_equal(fire(0), 21);
	assert_int_equal(stats_of(first_program(obj)).recursion, 1);
	assert_int_equal(stats_of(first_program(obj)).aborted, 0);
}

static void nested_firing_draws_on_the_outer_fuel(void **state)
{
	struct tenon_object *in;

	(void)state;
	add_fuel_hook(1000, TENON_CHAIN_LAST);
	add_hook(rt, &inner, "i", TENON_CHAIN_LAST, 50);
	add_firing_helpers();
	in = plug_text(rt, "i", SPIN);
	plug_text(rt, "h", "r1 = *(u32 *)(r1 +0)\ncall 9003\nexit\n");
	/* The inner hook has the runtime's 2^26; what the outer one has left is what counts. */
	assert_int_equal(fire(10), 1);
	assert_int_equal(fire(5000), 50);
	assert_int_equal(stats_of(first_program(in)).aborted, 1);
}

/* ---- Slots and statistics ---- */

static void shared_slot_serves_when_there_is_no_other(void **state)
{
	struct tenon_runtime_opts opts = { .sz = sizeof(opts), .max_slots = 1 };
	struct tenon_runtime *own = new_runtime(&opts);
	struct tenon_hook h;
	struct test_ctx ctx = { .in = 3 };

	(void)state;
	add_hook(own, &h, "h", TENON_CHAIN_LAST, 0);
	plug_text(own, "h", "call 8\nexit\n");
	assert_int_equal(tenon_hook_fire(&h, &ctx), 0);
	assert_ok(tenon_runtime_free(own));
}

static void stats_count_runs_only_when_asked(void **state)
{
	struct tenon_runtime_opts opts = { .sz = sizeof(opts), .stats = true };
	struct tenon_runtime *own = new_runtime(&opts);
	struct test_ctx ctx = { .in = 3 };
	struct tenon_object *obj;
	struct tenon_hook h;
	int i;

	(void)state;
	add_hook(own, &h, "h", TENON_CHAIN_LAST, 0);
	obj = plug_text(own, "h", RETURN(1));
	for (i = 0; i < 5; i++)
		tenon_hook_fire(&h, &ctx);
	assert_int_equal(stats_of(first_program(obj)).runs, 5);
	assert_true(stats_of(first_program(obj)).run_ns > 0);
	assert_int_equal(stats_of(first_program(obj)).insns, 2);
	assert_ok(tenon_runtime_free(own));

	add_hook(rt, &hook, "h", TENON_CHAIN_LAST, 0);
	obj = plug_text(rt, "h", RETURN(1));
	fire(0);
	assert_int_equal(stats_of(first_program(obj)).runs, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(hook_fire_returns_zero_unregistered),
		TEST(hook_fire_returns_fallback_with_nothing_attached),
		TEST(hook_register_refuses_what_is_wrong),
		TEST(chain_all_runs_all_and_gives_fallback),
		TEST(chain_until_set_stops_at_first_decision),
		TEST(chain_last_gives_the_last_result),
		TEST(chain_of_any_length_stops_where_it_is_decided),
		TEST(chain_runs_lower_priority_values_first),
		TEST(program_reads_its_links_cookie),
		TEST(program_out_of_fuel_counts_as_fallback),
		TEST(program_out_of_fuel_does_not_starve_the_next),
		TEST(chain_shares_one_budget),
		TEST(abort_outside_does_nothing),
		TEST(abort_by_helper_gives_fallback_and_reason),
		TEST(nested_firing_runs_another_program),
		TEST(program_running_on_this_thread_is_skipped_and_counted),
		TEST(nested_firing_draws_on_the_outer_fuel),
		TEST(shared_slot_serves_when_there_is_no_other),
		TEST(stats_count_runs_only_when_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
