/* SPDX-License-Identifier: MIT */
#include "vm/testing.h"

#include "maps/map.h"

static void find_subprogs_cuts_at_call_targets(void **state)
{
	struct tn_prog *prog = make_prog(*state, "call b\n call a\n r2 = func c ll\n exit\n"
						 "a: r0 = 1\n exit\n"
						 "b: r0 = 2\n exit\n"
						 "c: r0 = 3\n exit\n");

	assert_int_equal(prog->nr_subprogs, 4);
	assert_string_equal(prog->subprogs[0].name, "main");
	assert_int_equal(prog->subprogs[0].end, 5);
	assert_int_equal(prog->subprogs[1].start, 5);
	assert_int_equal(prog->subprogs[2].start, 7);
	assert_int_equal(prog->subprogs[3].end, 11);
	assert_false(prog->subprogs[2].is_callback);
	assert_true(prog->subprogs[3].is_callback);
	assert_int_equal(tn_prog_subprog_at(prog, 4), 0);
	assert_int_equal(tn_prog_subprog_at(prog, 5), 1);
	assert_int_equal(tn_prog_subprog_at(prog, 10), 3);
	tn_prog_free(prog);
}

/* Assembles without cutting. */
static struct tn_prog *uncut(struct tn_rt *rt, const char *text)
{
	struct tn_prog *prog = tn_prog_new(rt, "main");

	assert_non_null(prog);
	assert_int_equal(tn_asm(rt, text, &prog->insns, &prog->nr_insns), 0);
	return prog;
}

static void find_subprogs_refuses_what_leaves_a_function(void **state)
{
	static const struct {
		const char *text, *words;
	} cases[] = {
		{ "call f\n goto inside\n f: r0 = 0\n inside: exit\n", "leaves function 'main'" },
		{ "r0 = 0\n call f\n f: r0 = 0\n exit\n", "function 'main' runs past its end" },
		{ "call f\n exit\n f: r0 = 0\n goto pc-3\n", "leaves function 'subprog_1'" },
		{ "call pc+7\n exit\n", "leaves the program" },
	};

	for (size_t i = 0; i < TN_ARRAY_SIZE(cases); i++) {
		struct tn_prog *prog = uncut(*state, cases[i].text);

		assert_int_equal(tn_prog_find_subprogs(prog), -EINVAL);
		assert_words(cases[i].words);
		tn_prog_free(prog);
	}
}

static void find_subprogs_reports_each_failing_allocation(void **state)
{
	struct tn_rt *rt = *state;
	int err, n = 0;

	do {
		struct tn_prog *prog = uncut(rt, "call f\n exit\n f: r0 = 0\n exit\n");

		tn_store_relaxed(&rt->mem.fail_after, ++n);
		err = tn_prog_find_subprogs(prog);
		tn_store_relaxed(&rt->mem.fail_after, 0);
		assert_true(err == 0 || err == -ENOMEM);
		tn_prog_free(prog);
	} while (err);
	assert_true(n > 3);
}

static void line_covers_up_to_the_next_record_of_the_function(void **state)
{
	struct tn_rt *rt = *state;
	struct tn_prog *prog = make_prog(rt,
					 "r1 = 0\n r1 = 0\n call f\n exit\n f: r0 = 0\n exit\n");
	static const struct tn_line lines[] = {
		{ .insn = 1, .line = 10 },
		{ .insn = 2, .line = 20 },
		{ .insn = 5, .line = 30 },
	};

	prog->lines = tn_memdup(rt, lines, sizeof(lines));
	prog->nr_lines = TN_ARRAY_SIZE(lines);
	assert_null(tn_prog_line(prog, 0));
	assert_int_equal(tn_prog_line(prog, 1)->line, 10);
	assert_int_equal(tn_prog_line(prog, 3)->line, 20);
	assert_null(tn_prog_line(prog, 4)); /* another function, no record yet */
	assert_int_equal(tn_prog_line(prog, 5)->line, 30);
	tn_prog_free(prog);
}

static void programs_get_ids_that_differ(void **state)
{
	struct tn_prog *a = tn_prog_new(*state, "a"), *b = tn_prog_new(*state, "b");

	assert_int_not_equal(a->id, 0);
	assert_int_not_equal(a->id, b->id);
	tn_prog_free(a);
	tn_prog_free(b);
	tn_prog_free(NULL);
}

static void image_frees_what_it_owns(void **state)
{
	struct tn_rt *rt = *state;
	struct tn_image *image = tn_image_new(rt, "object");

	assert_string_equal(image->name, "object");
	assert_string_equal(image->license, "");
	image->progs = tn_alloc_array(rt, 1, sizeof(*image->progs));
	image->progs[0] = tn_prog_new(rt, "p");
	image->nr_progs = 1;
	image->maps = tn_alloc_array(rt, 1, sizeof(*image->maps));
	image->nr_maps = 1;
	image->maps[0].name = tn_strdup(rt, "m");
	image->maps[0].data = tn_zalloc(rt, 16);
	image->maps[0].section = tn_strdup(rt, ".data");
	tn_image_free(image); /* the teardown counts bytes */
	tn_image_free(NULL);
}

static void constructors_survive_each_failing_allocation(void **state)
{
	struct tn_rt *rt = *state;

	for (int n = 1; n <= 4; n++) {
		struct tn_image *image;
		struct tn_prog *prog;
		struct tn_facts *facts;

		tn_store_relaxed(&rt->mem.fail_after, n);
		image = tn_image_new(rt, "object");
		tn_store_relaxed(&rt->mem.fail_after, n);
		prog = tn_prog_new(rt, "p");
		tn_store_relaxed(&rt->mem.fail_after, n);
		facts = tn_facts_new(rt, 10, 2);
		tn_store_relaxed(&rt->mem.fail_after, 0);
		assert_int_equal(image != NULL, n > 3);
		assert_int_equal(prog != NULL, n > 2);
		assert_int_equal(facts != NULL, n > 3);
		tn_image_free(image);
		tn_prog_free(prog);
		tn_facts_free(rt, facts);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(find_subprogs_cuts_at_call_targets),
		TEST(find_subprogs_refuses_what_leaves_a_function),
		TEST(find_subprogs_reports_each_failing_allocation),
		TEST(line_covers_up_to_the_next_record_of_the_function),
		TEST(programs_get_ids_that_differ),
		TEST(image_frees_what_it_owns),
		TEST(constructors_survive_each_failing_allocation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
