/* SPDX-License-Identifier: MIT */
/* Opening, loading, closing; options; limits; what the tools see. */
#include "host.h"

static struct tenon_runtime *rt;
static struct tenon_hook hook;

static int setup(void **state)
{
	(void)state;
	rt = new_runtime(NULL);
	add_hook(rt, &hook, "h", TENON_CHAIN_LAST, 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	return tenon_runtime_free(rt);
}

/* ---- Limits ---- */

static struct tenon_object *open_with_steps(struct tenon_runtime **own, uint64_t steps)
{
	struct tenon_limits limits = { .sz = sizeof(limits), .max_verifier_steps = steps };
	struct tenon_runtime_opts opts = { .sz = sizeof(opts), .limits = &limits };
	struct tenon_object *obj;

	*own = new_runtime(&opts);
	obj = tenon_object_open_file(*own, TN_TEST_PLUGINS "four.bpf.o", NULL);
	assert_non_null(obj);
	return obj;
}

/* Each of the four takes the same number of steps: the last one comes too late. */
static void object_takes_twice_the_steps_of_a_program(void **state)
{
	struct tenon_report report = { .sz = sizeof(report) };
	struct tenon_runtime *own;
	struct tenon_object *obj = open_with_steps(&own, 0);

	(void)state;
	assert_ok(tenon_object_verify(obj));
	tenon_program_report(tenon_object_next_program(obj, NULL), &report);
	assert_true(report.steps > 10);
	assert_ok(tenon_object_close(obj));
	assert_ok(tenon_runtime_free(own));
	obj = open_with_steps(&own, 2 * report.steps);
	assert_ok(tenon_object_verify(obj));
	assert_ok(tenon_object_close(obj));
	assert_ok(tenon_runtime_free(own));
	obj = open_with_steps(&own, 3 * report.steps / 2);
	assert_int_equal(tenon_object_verify(obj), -E2BIG);
	assert_non_null(strstr(tenon_last_error()->msg, "program 'fourth' is not verified"));
	assert_non_null(strstr(tenon_last_error()->msg, "twice limits.max_verifier_steps"));
	assert_ok(tenon_object_close(obj));
	assert_ok(tenon_runtime_free(own));
}

/* Refused when nothing is forgotten, for the limit, and when all is, for want of a bound. */
static void branches_before_a_loop_are_told_apart_where_it_matters(void **state)
{
	struct tenon_runtime *own = new_runtime(NULL);
	struct tenon_object *obj = tenon_object_open_file(own, TN_TEST_PLUGINS "slots.bpf.o", NULL);

	(void)state;
	assert_non_null(obj);
	if (tenon_object_verify(obj))
		fail_msg("%s", tenon_last_error()->msg);
	assert_ok(tenon_object_close(obj));
	assert_ok(tenon_runtime_free(own));
}

/* ---- Options ---- */

static void options_of_an_older_header_are_taken(void **state)
{
	size_t only_sz = sizeof(size_t);
	struct tenon_runtime *own = tenon_runtime_new((struct tenon_runtime_opts *)&only_sz);

	(void)state;
	assert_non_null(own);
	assert_ok(tenon_runtime_free(own));
}

static void options_of_a_newer_header_must_be_zero(void **state)
{
	struct {
		struct tenon_runtime_opts known;
		uint64_t newer;
	} opts = { .known = { .sz = sizeof(opts) } };
	struct tenon_runtime *own;

	(void)state;
	own = tenon_runtime_new(&opts.known);
	assert_non_null(own);
	assert_ok(tenon_runtime_free(own));
	opts.newer = 1;
	assert_null(tenon_runtime_new(&opts.known));
	assert_int_equal(errno, E2BIG);
}

static void runtime_refuses_unknown_options(void **state)
{
	struct tenon_limits limits = { .sz = sizeof(limits), .max_frames = 1000 };
	struct tenon_runtime_opts opts = { .sz = sizeof(opts), .limits = &limits };

	(void)state;
	assert_null(tenon_runtime_new(&opts));
	assert_int_equal(errno, EINVAL);
	opts = (struct tenon_runtime_opts){ .sz = sizeof(opts), .engine = (enum tenon_engine)7 };
	assert_null(tenon_runtime_new(&opts));
	opts = (struct tenon_runtime_opts){ .sz = sizeof(opts), .max_slots = 1u << 20 };
	assert_null(tenon_runtime_new(&opts));
	opts = (struct tenon_runtime_opts){ .sz = 0 };
	assert_null(tenon_runtime_new(&opts));
	assert_words("sz");
}

/* ---- Opening ---- */

static void open_names_what_is_missing(void **state)
{
	(void)state;
	assert_null(tenon_object_open_file(rt, "/nowhere/plugin.bpf.o", NULL));
	assert_int_equal(errno, ENOENT);
	assert_words("/nowhere/plugin.bpf.o");
	assert_int_equal(tenon_last_error()->stage, TENON_STAGE_OPEN);
	assert_null(tenon_object_open_file(rt, "/", NULL));
	assert_null(tenon_object_open_mem(rt, "no ELF", 6, NULL));
	assert_int_equal(errno, ENOEXEC);
	assert_null(tenon_object_open_mem(rt, NULL, 0, NULL));
	assert_null(tenon_object_open_file(NULL, "x", NULL));
	assert_null(tenon_object_open_insns(rt, NULL, NULL));
	assert_null(tenon_object_plug(rt, "/nowhere/plugin.bpf.o", NULL));
}

static void open_insns_checks_encodings_and_references(void **state)
{
	struct tenon_map *map = NULL;

	(void)state;
	assert_null(open_text(rt, "h", 0, NULL, 0, "r0 = 0\n", NULL));
	assert_int_equal(errno, EINVAL);
	assert_null(open_text(rt, "h", 0, NULL, 0, "r1 = map[0] ll\n" RETURN(0), NULL));
	assert_words("map 0");
	assert_null(open_text(rt, "h", 0, &map, 1, "r1 = map[0] ll\n" RETURN(0), NULL));
	assert_int_equal(errno, EINVAL);
}

static void open_refuses_a_hook_map_of_another_form(void **state)
{
	static const char *const hooks[] = { "xdp=h", NULL };
	struct tenon_object_open_opts opts = { .sz = sizeof(opts), .hooks = hooks };

	(void)state;
	assert_null(open_text(rt, "h", 0, NULL, 0, RETURN(0), &opts));
	assert_words("section=hook/name");
}

static void open_option_maps_a_section_to_a_hook(void **state)
{
	static const char *const hooks[] = { "xdp=hook/other", "hook/h=hook/mine", NULL };
	struct tenon_object_open_opts opts = { .sz = sizeof(opts), .hooks = hooks };
	struct tenon_object *obj = open_text(rt, "h", 0, NULL, 0, RETURN(0), &opts);

	(void)state;
	assert_non_null(obj);
	assert_string_equal(tenon_program_hook(first_program(obj)), "mine");
	assert_int_equal(tenon_object_load(obj), -ENOENT);
	assert_words("mine");
}

/* ---- Loading ---- */

static void load_names_an_unknown_hook(void **state)
{
	struct tenon_object *obj = open_text(rt, "gone", 0, NULL, 0, RETURN(0), NULL);

	(void)state;
	assert_int_equal(tenon_object_load(obj), -ENOENT);
	assert_words("gone");
	assert_int_equal(tenon_last_error()->stage, TENON_STAGE_RESOLVE);
	assert_string_equal(tenon_last_error()->program, "insns");
	assert_int_equal(tenon_object_load(obj), -EALREADY);
	assert_int_equal(tenon_object_attach(obj), -EINVAL);
	assert_ok(tenon_object_close(obj));
}

/* What load says of a program under the MIT license that calls get_prandom_u32 and trace_printk. */
static int load_mit(enum tenon_license policy, const char *const *gpl_only)
{
	struct tenon_object_open_opts opts = { .sz = sizeof(opts),
					       .license = policy,
					       .gpl_only = gpl_only };
	struct tenon_insns code = { .sz = sizeof(code), .hook = "h", .license = "MIT" };
	struct tenon_object *obj;
	struct tn_insn *insns;
	uint32_t nr;
	int rc;

	assert_ok(tn_asm(NULL,
			 "call get_prandom_u32\n"
			 "*(u64 *)(r10 -8) = 0\nr1 = r10\nr1 += -8\nr2 = 8\ncall trace_printk\n"
			 "r0 = 0\nexit\n",
			 &insns, &nr));
	code.insns = insns;
	code.nr_insns = nr;
	obj = tenon_object_open_insns(rt, &code, &opts);
	tn_free(NULL, insns);
	if (!obj)
		return -errno;
	rc = tenon_object_load(obj);
	assert_ok(tenon_object_close(obj));
	return rc;
}

static void license_policy_is_the_kernels_none_or_a_list(void **state)
{
	static const char *const random[] = { "other", "bpf_get_prandom_u32", NULL };
	static const char *const without_prefix[] = { "get_prandom_u32", NULL };
	static const char *const other[] = { "other", NULL }, *const none[] = { NULL };

	(void)state;
	assert_int_equal(load_mit(TENON_LICENSE_KERNEL, NULL), -EACCES);
	assert_words("bpf_trace_printk is for GPL-compatible programs");
	assert_ok(load_mit(TENON_LICENSE_OFF, NULL));
	assert_int_equal(load_mit(TENON_LICENSE_LIST, random), -EACCES);
	assert_words("bpf_get_prandom_u32 is for GPL-compatible programs");
	assert_int_equal(load_mit(TENON_LICENSE_LIST, without_prefix), -EACCES);
	assert_ok(load_mit(TENON_LICENSE_LIST, other));
	assert_ok(load_mit(TENON_LICENSE_LIST, none));
	assert_int_equal(load_mit(TENON_LICENSE_LIST, NULL), -EINVAL);
	assert_int_equal(load_mit(TENON_LICENSE_KERNEL, none), -EINVAL);
	assert_int_equal(load_mit((enum tenon_license)3, NULL), -EINVAL);
}

static void load_twice_is_already(void **state)
{
	struct tenon_object *obj = load_text(rt, "h", RETURN(0));

	(void)state;
	assert_int_equal(tenon_object_load(obj), -EALREADY);
	assert_int_equal(tenon_program_set_autoload(first_program(obj), false), -EALREADY);
	assert_int_equal(tenon_object_load(NULL), -EINVAL);
}

static void program_left_out_is_not_loaded(void **state)
{
	struct tenon_object *obj = open_text(rt, "gone", 0, NULL, 0, RETURN(0), NULL);

	(void)state;
	assert_ok(tenon_program_set_autoload(first_program(obj), false));
	assert_ok(tenon_object_load(obj));
	assert_ok(tenon_object_attach(obj));
	assert_null(tenon_program_attach(first_program(obj), NULL));
}

static void rejected_program_has_a_report(void **state)
{
	struct tenon_object *obj = open_text(rt, "h", 0, NULL, 0, "r0 = *(u64 *)(r1 +64)\nexit\n",
					     NULL);
	struct tenon_report report = { .sz = sizeof(report) };

	(void)state;
	assert_int_equal(tenon_program_report(first_program(obj), &report), -ENOENT);
	assert_int_equal(tenon_object_load(obj), -EACCES);
	assert_int_equal(tenon_last_error()->stage, TENON_STAGE_VERIFY);
	assert_string_equal(tenon_last_error()->object, "insns");
	assert_ok(tenon_program_report(first_program(obj), &report));
	assert_int_not_equal(report.code, 0);
	assert_int_equal(report.insn, 0);
	assert_true(strlen(report.msg) > 0);
	assert_true(strlen(report.json) > 0);
}

static void accepted_program_has_a_report_and_a_log(void **state)
{
	char log[64];
	struct tenon_object_open_opts opts = {
		.sz = sizeof(opts), .log_level = 2, .log_buf = log, .log_size = sizeof(log)
	};
	struct tenon_object *obj = open_text(rt, "h", 0, NULL, 0, RETURN(0), &opts);
	struct tenon_report report = { .sz = sizeof(report) };

	(void)state;
	assert_ok(tenon_object_load(obj));
	assert_ok(tenon_program_report(first_program(obj), &report));
	assert_int_equal(report.code, 0);
	assert_string_equal(report.msg, "");
	assert_true(report.steps > 0);
	assert_true(strlen(report.log) > 0);
	assert_true(strlen(log) > 0 && strlen(log) < sizeof(log));
	/* What is kept is the end. */
	assert_string_equal(report.log + strlen(report.log) - TN_MIN(strlen(report.log), 10u),
			    log + strlen(log) - TN_MIN(strlen(log), 10u));
}

static void verify_gives_verdicts_without_code(void **state)
{
	struct tenon_object *good = open_text(rt, "h", 0, NULL, 0, RETURN(0), NULL);
	struct tenon_object *bad = open_text(rt, "h", 0, NULL, 0, "r0 = *(u64 *)(r1 +64)\nexit\n",
					     NULL);
	struct tenon_report report = { .sz = sizeof(report) };

	(void)state;
	assert_ok(tenon_object_verify(good));
	assert_ok(tenon_program_report(first_program(good), &report));
	assert_int_equal(report.code, 0);
	assert_int_equal(tenon_object_attach(good), -EINVAL);
	assert_int_equal(tenon_object_load(good), -EALREADY);
	assert_int_equal(tenon_object_verify(bad), -EACCES);
}

static void interpreter_serves_when_asked_for(void **state)
{
	struct tenon_object_open_opts opts = { .sz = sizeof(opts), .engine = TENON_ENGINE_INTERP };
	struct tenon_object *obj = open_text(rt, "h", 0, NULL, 0, RETURN(4), &opts);
	struct tenon_program_info info = { .sz = sizeof(info) };
	struct test_ctx ctx = { 0 };

	(void)state;
	assert_ok(tenon_object_load(obj));
	assert_ok(tenon_object_attach(obj));
	assert_ok(tenon_program_info(first_program(obj), &info));
	assert_int_equal(info.engine, TENON_ENGINE_INTERP);
	assert_int_equal(stats_of(first_program(obj)).code_bytes, 0);
	assert_int_equal(tenon_hook_fire(&hook, &ctx), 4);
}

/* ---- Limits ---- */

static void limits_of_programs_and_instructions_hold(void **state)
{
	struct tenon_limits limits = { .sz = sizeof(limits), .max_programs = 2, .max_insns = 3 };
	struct tenon_runtime_opts opts = { .sz = sizeof(opts), .limits = &limits };
	struct tenon_runtime *own = new_runtime(&opts);
	struct tenon_object *objs[2];

	(void)state;
	objs[0] = open_text(own, NULL, 8, NULL, 0, RETURN(0), NULL);
	objs[1] = open_text(own, NULL, 8, NULL, 0, RETURN(0), NULL);
	assert_non_null(objs[0]);
	assert_non_null(objs[1]);
	assert_null(open_text(own, NULL, 8, NULL, 0, RETURN(0), NULL));
	assert_int_equal(errno, E2BIG);
	assert_ok(tenon_object_close(objs[0]));
	assert_non_null(open_text(own, NULL, 8, NULL, 0, RETURN(0), NULL));
	assert_ok(tenon_object_close(objs[1]));
	assert_null(open_text(own, NULL, 8, NULL, 0, "r1 = 1\nr2 = 2\n" RETURN(0), NULL));
	assert_int_equal(errno, E2BIG);
	assert_ok(tenon_runtime_free(own));
}

static void limit_of_map_bytes_holds(void **state)
{
	struct tenon_limits limits = { .sz = sizeof(limits), .max_map_bytes = 65536 };
	struct tenon_runtime_opts opts = { .sz = sizeof(opts), .limits = &limits };
	struct tenon_runtime *own = new_runtime(&opts);
	struct tenon_map *small;

	(void)state;
	small = tenon_map_new(own, 2, "small", 4, 8, 16, NULL);
	assert_non_null(small);
	assert_null(tenon_map_new(own, 2, "large", 4, 8, 100000, NULL));
	assert_int_equal(errno, E2BIG);
	assert_words("large");
	assert_ok(tenon_runtime_free(own));
}

/* ---- For tools ---- */

static void collect(void *user, const char *line)
{
	char *all = user;

	strcat(strcat(all, line), "\n");
}

static void disassembly_shows_what_was_loaded(void **state)
{
	struct tenon_object *obj = load_text(rt, "h", "r0 = *(u32 *)(r1 +0)\nexit\n");
	char text[4096] = "";

	(void)state;
	assert_ok(tenon_program_disasm(first_program(obj), TENON_DISASM_SOURCE, collect, text));
	assert_non_null(strstr(text, "r0 = *(u32 *)(r1 +0)"));
	assert_non_null(strstr(text, "exit"));
	text[0] = 0;
	if (stats_of(first_program(obj)).code_bytes) {
		assert_ok(tenon_program_disasm(first_program(obj), TENON_DISASM_JITED, collect,
					       text));
		assert_non_null(strstr(text, "0:  "));
	}
	assert_int_equal(tenon_program_disasm(first_program(obj), 64, collect, text), -EINVAL);
	assert_int_equal(tenon_program_disasm(NULL, 0, collect, text), -EINVAL);
}

static void helpers_of_a_program_are_listed_once(void **state)
{
	struct tenon_object *obj = open_text(rt, "h", 0, NULL, 0,
					     "call 8\ncall 7\ncall 8\n" RETURN(0), NULL);
	struct tenon_helper_use use = { .sz = sizeof(use) };

	(void)state;
	assert_ok(tenon_program_helper(first_program(obj), 0, &use));
	assert_string_equal(use.name, "get_smp_processor_id");
	assert_ok(tenon_program_helper(first_program(obj), 1, &use));
	assert_int_equal(use.id, 7);
	assert_false(use.host);
	assert_int_equal(tenon_program_helper(first_program(obj), 2, &use), -ENOENT);
}

static void row_40_features_are_listed_to_their_end(void **state)
{
	struct tenon_feature f = { .sz = sizeof(f) };
	uint32_t i, hash = 0, lookup = 0;

	(void)state;
	assert_ok(tenon_feature(TENON_FEATURE_ENGINE, 0, &f));
	assert_true(f.available);
	for (i = 0; !tenon_feature(TENON_FEATURE_MAP_TYPE, i, &f); i++)
		hash += !strcmp(f.name, "hash") && f.id == 1;
	for (i = 0; !tenon_feature(TENON_FEATURE_HELPER, i, &f); i++)
		lookup += !strcmp(f.name, "map_lookup_elem") && f.id == 1;
	assert_int_equal(hash, 1);
	assert_int_equal(lookup, 1);
	assert_int_equal(tenon_feature((enum tenon_feature_kind)9, 0, &f), -EINVAL);
}

/* Both engines give the frame pointer, which is no NULL where the frame has no bytes either. */
static void addresses_are_hidden_unless_asked_for(void **state)
{
	static const char text[] = "r0 = r10\nexit\n";
	struct tenon_object_open_opts opts = { .sz = sizeof(opts) };
	struct tenon_report report = { .sz = sizeof(report) };
	struct tenon_object *obj;

	(void)state;
	obj = open_text(rt, NULL, 8, NULL, 0, text, &opts);
	assert_int_equal(tenon_object_load(obj), -EACCES);
	assert_ok(tenon_program_report(first_program(obj), &report));
	assert_string_equal(report.code_name, "E_LEAK");
	tenon_object_close(obj);
	opts.addresses_visible = true;
	for (int engine = TENON_ENGINE_AUTO; engine <= TENON_ENGINE_INTERP; engine++) {
		struct tenon_test_run_opts run = { .sz = sizeof(run) };
		uint64_t ctx = 0;

		opts.engine = (enum tenon_engine)engine;
		obj = open_text(rt, NULL, 8, NULL, 0, text, &opts);
		assert_ok(tenon_object_load(obj));
		run.ctx = &ctx;
		run.ctx_size = sizeof(ctx);
		assert_ok(tenon_program_test_run(first_program(obj), &run));
		assert_true(run.retval > UINT32_MAX);
		tenon_object_close(obj);
	}
}

static void strict_alignment_is_asked_for(void **state)
{
	struct tenon_object_open_opts opts = { .sz = sizeof(opts) };
	struct tenon_map *map = tenon_map_new(rt, 2, "values", 4, 16, 1, NULL);
	struct tenon_object *obj;

	(void)state;
	assert_non_null(map);
	for (int strict = 0; strict <= 1; strict++) {
		opts.strict_alignment = strict;
		obj = open_text(rt, NULL, 8, &map, 1,
				"r1 = map_value[0]+4 ll\nr0 = *(u64 *)(r1 +0)\nexit\n", &opts);
		assert_int_equal(tenon_object_verify(obj), strict ? -EACCES : 0);
		tenon_object_close(obj);
	}
	tenon_map_free(map);
}

static void null_is_an_error_not_a_crash(void **state)
{
	(void)state;
	assert_null(tenon_object_next_program(NULL, NULL));
	assert_null(tenon_object_find_program(NULL, "x"));
	assert_null(tenon_object_next_map(NULL, NULL));
	assert_null(tenon_object_find_map(NULL, "x"));
	assert_null(tenon_program_name(NULL));
	assert_int_equal(tenon_program_id(NULL), 0);
	assert_int_equal(tenon_program_report(NULL, NULL), -EINVAL);
	assert_int_equal(tenon_program_stats(NULL, NULL), -EINVAL);
	assert_int_equal(tenon_program_info(NULL, NULL), -EINVAL);
	assert_int_equal(tenon_program_test_run(NULL, NULL), -EINVAL);
	assert_int_equal(tenon_object_section(NULL, 0, NULL), -EINVAL);
	assert_int_equal(tenon_object_reloc(NULL, 0, NULL), -EINVAL);
	assert_int_equal(tenon_map_info(NULL, NULL), -EINVAL);
	assert_int_equal(tenon_runtime_describe(NULL, "x"), -EINVAL);
	assert_int_equal(tenon_runtime_add_description(rt, NULL), -EINVAL);
	assert_string_equal(tenon_version_string(), "0.1.0");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(object_takes_twice_the_steps_of_a_program),
		cmocka_unit_test(branches_before_a_loop_are_told_apart_where_it_matters),
		TEST(options_of_an_older_header_are_taken),
		TEST(options_of_a_newer_header_must_be_zero),
		TEST(runtime_refuses_unknown_options),
		TEST(open_names_what_is_missing),
		TEST(open_insns_checks_encodings_and_references),
		TEST(open_refuses_a_hook_map_of_another_form),
		TEST(open_option_maps_a_section_to_a_hook),
		TEST(load_names_an_unknown_hook),
		TEST(license_policy_is_the_kernels_none_or_a_list),
		TEST(load_twice_is_already),
		TEST(program_left_out_is_not_loaded),
		TEST(rejected_program_has_a_report),
		TEST(addresses_are_hidden_unless_asked_for),
		TEST(strict_alignment_is_asked_for),
		TEST(accepted_program_has_a_report_and_a_log),
		TEST(verify_gives_verdicts_without_code),
		TEST(interpreter_serves_when_asked_for),
		TEST(limits_of_programs_and_instructions_hold),
		TEST(limit_of_map_bytes_holds),
		TEST(disassembly_shows_what_was_loaded),
		TEST(helpers_of_a_program_are_listed_once),
		TEST(row_40_features_are_listed_to_their_end),
		TEST(null_is_an_error_not_a_crash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
