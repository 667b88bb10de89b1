/* SPDX-License-Identifier: MIT */
/* What the loader refuses, and with which words; and what it takes although it is unusual. The
 * plugins are the cases of variants.c. */
#include "loader/objects.h"

static struct tn_rt rt;

static struct file variant(const char *name)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/variant_%s.bpf.o", TN_TEST_OBJECTS, name);
	return read_file(path);
}

struct refusal {
	const char *name;
	int code;
	const char *words;
};

static void variant_is_refused(void **state)
{
	const struct refusal *r = *state;
	struct file file = variant(r->name);

	expect_error(&rt, file, r->code, r->words);
	free(file.data);
}

static const struct refusal refusals[] = {

	{ "PLAIN_CALL", EINVAL, "needs 'elsewhere', which the object does not define" },
	{ "PLAIN_VARIABLE", EINVAL, "needs 'elsewhere', which the object does not define" },
	{ "STATIC_PROGRAM", ENOTSUP, "function 'prog' is static" },
	{ "UNKNOWN_MEMBER", ENOTSUP, "map 'odd': unknown member 'entries'" },
	{ "MANY_MEMBERS", EINVAL, "map 'odd': it has 36 members" },
	{ "KEY_CONFLICT", EINVAL, "map 'odd': key_size is 8 by one member and 4 by another" },
	{ "NO_TYPE", EINVAL, "map 'odd': its type is not given" },
	{ "NUMBER_WITHOUT_MACRO", EINVAL, "map 'odd': member 'type' is no pointer" },
	{ "PINNING", EINVAL, "map 'odd': pinning is 7" },
	{ "INNER_INNER_MAP", ENOTSUP, "map 'outer': maps of maps of maps are not supported" },
	{ "INNER_MAP_SLOT", EINVAL, "does not name a map that can be an inner one" },
	{ "EXTERN_MAP", EINVAL, "needs 'elsewhere', which the object does not define" },
	{ "PROGRAM_SLOT", EINVAL, "lies behind the map's max_entries" },
	{ "DATA_POINTER", ENOTSUP,
	  "section '.data': variables that are initialised with an address" },
	{ "STRUCT_OPS_POINTER", ENOTSUP, "member 'p' (relocation" },
	{ "CONFIG_MISSING", EINVAL, "extern 'CONFIG_NOWHERE' has no configuration value" },
	{ "CONFIG_SHAPE", EINVAL, "configuration value 'CONFIG_BIG'" },
	{ "CONFIG_RANGE", EINVAL, "does not fit into its variable" },
};

/* The object opens; what its program is refused for at load. NULL: nothing. */
static const struct refusal defects[] = {
	{ "CORE_UNKNOWN", 0, NULL }, /* the plugin's own struct */
	{ "STRUCT_OPS", 0, NULL },
};

static void variant_opens_with_defect(void **state)
{
	const struct refusal *r = *state;
	struct file file = variant(r->name);
	struct tn_image *image = open_bytes(&rt, file.data, file.size);
	const struct tn_prog *prog;

	if (!image)
		fail_msg("%s", tn_err_last()->msg);
	assert_int_equal(image->nr_progs, 1);
	prog = image->progs[0];
	if (!r->words) {
		assert_null(prog->defect);
	} else {
		assert_int_equal(prog->defect_code, -r->code);
		assert_non_null(strstr(prog->defect, r->words));
	}
	tn_image_free(image);
	free(file.data);
}

static void core_records_of_contexts_and_headers_are_left(void **state)
{
	struct file file = variant("CORE_CONTEXT");
	struct tn_image *image = open_bytes(&rt, file.data, file.size);

	(void)state;
	if (!image)
		fail_msg("%s", tn_err_last()->msg);
	tn_image_free(image);
	free(file.data);
}

static void row_10_map_of_maps_has_a_shape_and_initial_maps(void **state)
{
	struct file file = variant("INNER_MAP");
	struct tn_image *image = open_bytes(&rt, file.data, file.size);
	const struct tn_map_decl *outer;

	(void)state;
	if (!image)
		fail_msg("%s", tn_err_last()->msg);
	assert_int_equal(image->nr_maps, 2);
	outer = image->maps[0].inner ? &image->maps[0] : &image->maps[1];
	assert_string_equal(outer->name, "outer");
	assert_int_equal(outer->value_size, 4);
	assert_int_equal(outer->inner->type, 2); /* an array */
	assert_int_equal(outer->inner->value_size, 4);
	assert_int_equal(outer->nr_init_maps, 2);
	assert_int_equal(outer->init_maps[0], -1);
	assert_string_equal(image->maps[outer->init_maps[1]].name, "one");
	tn_image_free(image);
	free(file.data);
}

static void row_04_text_functions_are_programs_where_nothing_else_is(void **state)
{
	struct file file = variant("TEXT_ONLY");
	struct tn_image *image = open_bytes(&rt, file.data, file.size);
	struct tn_prog *prog;

	(void)state;
	assert_non_null(image);
	assert_int_equal(image->nr_progs, 2);
	prog = find_prog(image, "entry");
	assert_string_equal(prog->section, ".text");
	assert_int_equal(prog->nr_subprogs, 2);
	assert_int_equal(find_prog(image, "other")->nr_subprogs, 1);
	tn_image_free(image);
	free(file.data);
}

static void call_into_another_section_appends_the_function(void **state)
{
	struct file file = variant("CROSS_SECTION");
	struct tn_image *image = open_bytes(&rt, file.data, file.size);
	struct tn_prog *prog;

	(void)state;
	if (!image)
		fail_msg("%s", tn_err_last()->msg);
	prog = find_prog(image, "caller");
	assert_int_equal(prog->nr_subprogs, 2);
	assert_string_equal(prog->subprogs[1].name, "callee");
	assert_true(prog->subprogs[1].is_global);
	assert_int_equal(find_prog(image, "callee")->nr_subprogs, 1);
	tn_image_free(image);
	free(file.data);
}

static void object_without_programs_opens(void **state)
{
	struct file file = variant("EMPTY");
	struct tn_image *image = open_bytes(&rt, file.data, file.size);

	(void)state;
	assert_non_null(image);
	assert_int_equal(image->nr_progs, 0);
	assert_string_equal(image->license, "MIT");
	tn_image_free(image);
	free(file.data);
}

int main(void)
{
	struct CMUnitTest tests[TN_ARRAY_SIZE(refusals) + TN_ARRAY_SIZE(defects) + 5] = {
		cmocka_unit_test(row_10_map_of_maps_has_a_shape_and_initial_maps),
		cmocka_unit_test(core_records_of_contexts_and_headers_are_left),
		cmocka_unit_test(row_04_text_functions_are_programs_where_nothing_else_is),
		cmocka_unit_test(call_into_another_section_appends_the_function),
		cmocka_unit_test(object_without_programs_opens),
	};
	int failed;

	for (size_t i = 0; i < TN_ARRAY_SIZE(refusals); i++)
		tests[5 + i] = (struct CMUnitTest){ refusals[i].name, variant_is_refused, NULL,
						    NULL, (void *)(uintptr_t)&refusals[i] };
	for (size_t i = 0; i < TN_ARRAY_SIZE(defects); i++)
		tests[5 + TN_ARRAY_SIZE(refusals) + i] =
			(struct CMUnitTest){ defects[i].name, variant_opens_with_defect, NULL, NULL,
					     (void *)(uintptr_t)&defects[i] };
	if (tn_rt_init(&rt, NULL))
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	tn_rt_fini(&rt);
	return failed;
}
