/* SPDX-License-Identifier: MIT */
/* The checklist's rows, a test or more for each: what it asks for, and its refusals by their words.
 * Rows that tests of other folders cover are listed in README.md. */
#include "checklist/host.h"

/* scripts/install-deps.sh installs what is asked for. */
static void skip_for(const char *why)
{
	print_message("skipped: %s\n", why);
	skip();
}

/* ---- Programs and their sections ---- */

static void row_02_stripped_object_has_no_symbol_table(void **state)
{
	(void)state;
	if (!is_built("bare"))
		skip_for("llvm-strip is not installed");
	assert_null(open_named("bare", NULL));
	assert_words("symbol table");
}

static void row_02_object_without_debug_sections_loads(void **state)
{
	struct tenon_object *obj;

	(void)state;
	if (!is_built("stripped"))
		skip_for("llvm-strip is not installed");
	obj = must_load("stripped", NULL);
	assert_int_equal(run_call(obj, NULL, 7), 7);
}

static void row_03_four_programs_in_one_section(void **state)
{
	struct tenon_object *obj = must_load("case_FOUR_IN_ONE", NULL);

	(void)state;
	assert_int_equal(run_call(obj, "prog", 0), 1);
	assert_int_equal(run_call(obj, "prog2", 0), 2);
	assert_int_equal(run_call(obj, "prog3", 0), 3);
	assert_int_equal(run_call(obj, "prog4", 0), 4);
}

static void row_05_unknown_section_is_refused_by_name(void **state)
{
	struct tenon_object *obj = must_open("case_UNKNOWN_SECTION", NULL);

	(void)state;
	assert_int_equal(tenon_object_load(obj), -ENOENT);
	assert_words("section 'nothing/known' names no hook");
}

static int nr_setup, nr_prepare, nr_attach;
static uint64_t seen_cookie;
static int refuse_with;

static int on_setup(void *user, struct tenon_program *prog, uint64_t cookie)
{
	assert_ptr_equal(user, &nr_setup);
	seen_cookie = cookie;
	nr_setup++;
	assert_string_equal(tenon_program_section(prog), "nothing/known");
	assert_ok(tenon_program_set_hook(prog, "call"));
	return refuse_with;
}

static int on_prepare(void *user, struct tenon_program *prog, uint64_t cookie)
{
	(void)user;
	(void)prog;
	assert_int_equal(cookie, seen_cookie);
	nr_prepare++;
	return 0;
}

static int on_attach(void *user, struct tenon_program *prog, uint64_t cookie,
		     struct tenon_link **link)
{
	TENON_OPTS(tenon_attach_opts, opts, .hook = "call", .cookie = cookie);

	(void)user;
	nr_attach++;
	*link = tenon_program_attach(prog, &opts);
	return *link ? 0 : tenon_last_error()->code;
}

static int add_handler(const char *section, const char *to)
{
	struct tenon_section_handler handler = { .sz = sizeof(handler),
						 .section = section,
						 .hook = to,
						 .cookie = 77,
						 .user = &nr_setup,
						 .setup = to ? NULL : on_setup,
						 .prepare = on_prepare,
						 .attach = to ? NULL : on_attach };

	return tenon_runtime_add_section(rt, &handler);
}

static void attach_and_fire(struct tenon_object *obj)
{
	struct call ctx = { .number = 1 };

	assert_ok(tenon_object_load(obj));
	assert_ok(tenon_object_attach(obj));
	assert_true(tenon_hook_armed(&hook));
	tenon_hook_fire(&hook, &ctx);
	assert_ok(tenon_object_attach(obj)); /* nothing more to do */
}

static void row_06_handler_of_the_host_sets_up_and_attaches(void **state)
{
	struct tenon_object *obj;
	int id;

	(void)state;
	nr_setup = nr_prepare = nr_attach = refuse_with = 0;
	id = add_handler("nothing+", NULL);
	assert_true(id > 0);
	obj = must_open("case_UNKNOWN_SECTION", NULL);
	attach_and_fire(obj);
	assert_int_equal(nr_setup, 1);
	assert_int_equal(nr_prepare, 1);
	assert_int_equal(nr_attach, 1);
	assert_int_equal(seen_cookie, 77);
	assert_ok(tenon_object_close(obj));
	assert_false(tenon_hook_armed(&hook)); /* the link was the object's */
	assert_ok(tenon_runtime_remove_section(rt, id));
	assert_int_equal(tenon_runtime_remove_section(rt, id), -ENOENT);
	obj = must_open("case_UNKNOWN_SECTION", NULL);
	assert_int_equal(tenon_object_load(obj), -ENOENT);
}

static void row_06_exact_names_prefixes_and_the_fallback(void **state)
{
	struct tenon_object *obj;

	(void)state;
	/* Exact names do not take what follows; the fallback takes what nothing knows. */
	assert_true(add_handler("nothing", "call") > 0);
	assert_int_equal(add_handler("nothing", "call"), -EEXIST);
	assert_words("section handler 'nothing' is there already");
	obj = must_open("case_UNKNOWN_SECTION", NULL);
	assert_int_equal(tenon_object_load(obj), -ENOENT);
	assert_true(add_handler(NULL, "call") > 0);
	obj = must_open("case_UNKNOWN_SECTION", NULL);
	assert_string_equal(tenon_program_hook(tenon_object_next_program(obj, NULL)), "call");
	attach_and_fire(obj);
	assert_int_equal(add_handler("", "call"), -EINVAL);
	assert_int_equal(add_handler("+", "call"), -EINVAL);
	assert_int_equal(add_handler(".text", "call"), -EINVAL);
}

static void row_06_handler_that_refuses_fails_the_open(void **state)
{
	(void)state;
	refuse_with = -EPERM;
	assert_true(add_handler("nothing/known", NULL) > 0);
	assert_null(open_named("case_UNKNOWN_SECTION", NULL));
	assert_int_equal(errno, EPERM);
	assert_words("section 'nothing/known': the host's setup refuses program 'prog'");
	refuse_with = 0;
}

static void row_07_license_gates_helpers(void **state)
{
	struct tenon_object *obj = must_open("case_NO_LICENSE", NULL);

	(void)state;
	assert_string_equal(tenon_object_license(obj), "");
	assert_int_equal(tenon_object_load(obj), -EACCES);
	assert_words("GPL");
}

/* ---- Maps ---- */

static void row_08_maps_of_the_old_form(void **state)
{
	TENON_OPTS(tenon_object_open_opts, relaxed, .relaxed_maps = true);
	struct tenon_map_info info = { .sz = sizeof(info) };
	struct tenon_object *obj = must_load("case_OLD_MAPS", NULL);

	(void)state;
	assert_int_equal(run_call(obj, NULL, 0), 7);
	assert_ok(tenon_map_info(map_of(obj, "second"), &info));
	assert_string_equal(info.type_name, "hash");
	assert_int_equal(info.max_entries, 4);
	/* 28 bytes, as some loaders have them. */
	assert_int_equal(run_call(must_load("case_OLD_MAPS_LONG", NULL), NULL, 0), 1);
	assert_null(open_named("case_OLD_MAPS_SET", NULL));
	assert_int_equal(errno, ENOTSUP);
	assert_words("section 'maps': map 'first': byte 24 of its definition is set");
	assert_int_equal(run_call(must_load("case_OLD_MAPS_SET", &relaxed), NULL, 0), 1);
	assert_null(open_named("case_OLD_MAPS_SHORT", NULL));
	assert_words("section 'maps': 12 bytes are not 1 definitions");
}

static void row_11_initial_program_is_what_a_tail_call_hits(void **state)
{
	struct tenon_object *obj = must_load("case_JUMPS", NULL);

	(void)state;
	assert_int_equal(run_call(obj, "prog", 2), 20);
	assert_int_equal(run_call(obj, "prog", 1), 1);
	assert_int_equal(run_call(obj, "prog", 4), 1);
}

static void row_12_pinned_map_is_shared_by_name(void **state)
{
	TENON_OPTS(tenon_object_open_opts, opts, .pin_root_path = "/a");
	struct tenon_object *first = must_load("case_PIN", &opts);
	struct tenon_object *second = must_load("case_PIN", &opts);
	struct tenon_object *apart = must_load("case_PIN", NULL);
	struct tenon_map *map;

	(void)state;
	assert_int_equal(run_call(first, NULL, 0), 1);
	assert_int_equal(run_call(second, NULL, 0), 2);
	assert_int_equal(run_call(apart, NULL, 0), 1);
	assert_ok(tenon_object_close(first));
	assert_ok(tenon_object_close(second));
	assert_int_equal(run_call(must_load("case_PIN", &opts), NULL, 0), 3);
	map = tenon_map_get_pinned(rt, "/sys/fs/bpf/shared");
	assert_non_null(map);
	assert_int_equal(tenon_map_pin(map, "/a/shared"), -EEXIST);
	assert_words("'/a/shared' is pinned already");
	assert_ok(tenon_map_pin(map, "/b"));
	tenon_map_free(map);
	assert_ok(tenon_map_unpin(rt, "/b"));
	assert_int_equal(tenon_map_unpin(rt, "/b"), -ENOENT);
	assert_null(tenon_map_get_pinned(rt, "/b"));
	assert_ok(tenon_map_unpin(rt, "/a/shared"));
	assert_int_equal(run_call(must_load("case_PIN", &opts), NULL, 0), 1);
}

static void row_12_pinned_map_of_another_shape_is_refused(void **state)
{
	struct tenon_object *obj;

	(void)state;
	must_load("case_PIN", NULL);
	obj = must_open("case_PIN_OTHER", NULL);
	assert_int_equal(tenon_object_load(obj), -EINVAL);
	assert_words("map 'shared': the map pinned at '/sys/fs/bpf/shared' has value_size 8, the "
		     "plugin's 24");
}

static void row_12_failed_load_leaves_nothing_pinned(void **state)
{
	struct tenon_object *obj = must_open("case_PIN_REJECTED", NULL);

	(void)state;
	assert_int_equal(tenon_object_load(obj), -EACCES);
	assert_null(tenon_map_get_pinned(rt, "/sys/fs/bpf/shared"));
	obj = must_open("case_PIN", NULL);
	assert_ok(tenon_object_verify(obj));
	assert_null(tenon_map_get_pinned(rt, "/sys/fs/bpf/shared"));
}

static void row_12_pin_path_can_be_set(void **state)
{
	struct tenon_object *obj = must_open("case_PIN", NULL);
	struct tenon_map *map = map_of(obj, "shared");

	(void)state;
	assert_int_equal(tenon_map_set_pin_path(map, ""), -EINVAL);
	assert_ok(tenon_map_set_pin_path(map, "elsewhere"));
	assert_int_equal(tenon_map_pin(map, "x"), -EINVAL); /* not loaded */
	assert_ok(tenon_object_load(obj));
	assert_int_equal(tenon_map_set_pin_path(map, "late"), -EALREADY);
	map = tenon_map_get_pinned(rt, "elsewhere");
	assert_non_null(map);
	tenon_map_free(map);
	obj = must_open("case_PIN", NULL);
	assert_ok(tenon_map_set_pin_path(map_of(obj, "shared"), NULL));
	assert_ok(tenon_object_load(obj));
	assert_null(tenon_map_get_pinned(rt, "/sys/fs/bpf/shared"));
}

static void row_13_sizes_follow_from_the_machine(void **state)
{
	struct tenon_object *obj = must_load("case_ENTRIES", NULL);
	struct tenon_map_info info = { .sz = sizeof(info) };

	(void)state;
	assert_ok(tenon_map_info(map_of(obj, "ring"), &info));
	assert_int_equal(info.max_entries, 8192);
	assert_ok(tenon_map_info(map_of(obj, "events"), &info));
	assert_int_not_equal(info.id, 0);
	assert_int_equal(info.max_entries, 64);
}

/* ---- Variables ---- */

static void row_14_rodata_is_frozen_and_bss_is_zero(void **state)
{
	struct tenon_object *obj = must_load("case_RODATA_STRINGS", NULL);
	uint32_t zero = 0, value = 0;

	(void)state;
	assert_int_equal(run_call(obj, NULL, 0), 9);
	obj = must_open("case_PLAIN", NULL);
	value = 40;
	assert_ok(tenon_map_set_initial_value(globals(obj, ".bss"), &value, 4));
	assert_ok(tenon_object_load(obj));
	assert_int_equal(run_call(obj, NULL, 2), 42);
	assert_ok(tenon_map_lookup_elem(globals(obj, ".bss"), &zero, 4, &value, 4, 0));
	assert_int_equal(value, 40);
}

static void row_15_static_and_hidden_variables(void **state)
{
	(void)state;
	assert_int_equal(run_call(must_load("case_STATIC_AND_HIDDEN", NULL), NULL, 0), 321);
}

static uint64_t with_config(const char *config, uint32_t number)
{
	TENON_OPTS(tenon_object_open_opts, opts, .config = config);
	struct tenon_object *obj = must_load("case_CONFIG", &opts);
	uint64_t ret = run_call(obj, NULL, number);

	assert_ok(tenon_object_close(obj));
	return ret;
}

static void row_16_kconfig_values_of_every_type(void **state)
{
	(void)state;
	assert_int_equal((int32_t)with_config("CONFIG_NUMBER=-2147483648\n", 0), INT32_MIN);
	assert_int_equal(with_config("CONFIG_NUMBER=0x7fffffff", 0), INT32_MAX);
	assert_int_equal(with_config("CONFIG_BYTE=255", 1), 255);
	assert_int_equal((int32_t)with_config("CONFIG_SIGNED=-128", 2), -128);
	assert_int_equal(with_config("CONFIG_BIG=18446744073709551615", 3), UINT32_MAX);
	assert_int_equal(with_config("CONFIG_BOOL=y", 4), 1);
	assert_int_equal(with_config("CONFIG_BOOL=1", 4), 1);
	assert_int_equal(with_config("CONFIG_CHAR=m", 5), 'm');
	assert_int_equal(with_config("CONFIG_TRI=m\r\n", 6), 2);
	assert_int_equal(with_config("CONFIG_TEXT=\"abcdef\"", 7), 'a' << 16 | 'c' << 8);
	assert_int_equal(with_config("# none\n\n", 0), 0); /* weak */
	assert_int_equal(with_config("CONFIG_BOOL=y\nCONFIG_BOOL=y\n", 4), 1);
}

static const struct {
	const char *config, *words;
} bad_config[] = {
	{ "CONFIG_NUMBER=2147483648", "'CONFIG_NUMBER': '2147483648' does not fit into its "
				      "variable of 32 signed bits" },
	{ "CONFIG_NUMBER=-2147483649", "does not fit into its variable" },
	{ "CONFIG_BYTE=256", "variable of 8 unsigned bits" },
	{ "CONFIG_BYTE=-1", "variable of 8 unsigned bits" },
	{ "CONFIG_SIGNED=128", "variable of 8 signed bits" },
	{ "CONFIG_BIG=18446744073709551616", "is no number" },
	{ "CONFIG_BIG=-1", "does not fit into its variable" },
	{ "CONFIG_NUMBER=12x", "'12x' is no number" },
	{ "CONFIG_NUMBER= 12", "is no number" },
	{ "CONFIG_NUMBER=y", "does not fit its type, expected a number" },
	{ "CONFIG_NUMBER=\"12\"", "is a string, but its variable is not" },
	{ "CONFIG_BOOL=m", "expected y, n, 0 or 1" },
	{ "CONFIG_BOOL=2", "is neither y, n, 0 nor 1" },
	{ "CONFIG_TRI=2", "expected y, n or m" },
	{ "CONFIG_TEXT=abc", "expected a string in double quotes" },
	{ "CONFIG_TEXT=\"abc", "lacks its closing quote" },
	{ "CONFIG_NUMBER=1\nCONFIG_NUMBER=2\n", "'CONFIG_NUMBER' is given twice: '1' and '2'" },
	{ "CONFIG_NUMBER=1\nwhat is this\n", "configuration: line 2, 'what is this'" },
};

static void row_16_bad_kconfig_values_are_refused_by_name(void **state)
{
	(void)state;
	for (size_t i = 0; i < NR(bad_config); i++) {
		TENON_OPTS(tenon_object_open_opts, opts, .config = bad_config[i].config);

		if (open_named("case_CONFIG", &opts))
			fail_msg("opened with %s", bad_config[i].config);
		assert_int_equal(errno, EINVAL);
		assert_words(bad_config[i].words);
	}
	assert_null(open_named("case_CONFIG_STRONG", NULL));
	assert_words("extern 'CONFIG_STRONG' has no configuration value");
	assert_null(open_named("case_CONFIG_TEXT_VERSION", NULL));
	assert_words("extern 'LINUX_KERNEL_VERSION' is a number, but its variable is not");
}

static void refuse_load(const char *name, int code, const char *words)
{
	struct tenon_object *obj = must_open(name, NULL);
	int rc = tenon_object_load(obj);

	if (rc != code)
		fail_msg("%s: %d: %s; expected %d", name, rc, rc ? tenon_last_error()->msg : "",
			 code);
	assert_words(words);
}

static void row_17_variables_of_the_host(void **state)
{
	TENON_OPTS(tenon_object_open_opts, visible, .addresses_visible = true);

	(void)state;
	assert_int_equal(run_call(must_load("case_KSYM_VAR", NULL), NULL, 0), 45);
	refuse_load("case_KSYM_VAR_LARGER", -ESTALE,
		    "variable 'host_pair' has 8 bytes in the host, 12 in the plugin");
	refuse_load("case_KSYM_VAR_OUTSIDE", -EACCES, "host_pair");
	refuse_load("case_KSYM_VAR_WRITE", -EACCES, "host_pair");
	refuse_load("case_KSYM_VAR_POINTER", -EACCES, "");
	refuse_load("case_KSYM_MISSING", -ENOENT,
		    "variable 'host_nowhere' is not offered by the host");
	refuse_load("case_KSYM_ADDRESS", -EACCES, "");
	refuse_load("case_KSYM_ADDRESS_READ", -EACCES, "");
	assert_int_equal(run_call(must_load("case_KSYM_ADDRESS", &visible), NULL, 0),
			 (uintptr_t)&host_object);
}

static uint64_t pair_sum(const struct pair *p)
{
	return p->a + p->b;
}

static void row_17_variable_that_is_a_structure(void **state)
{
	static const struct tenon_field fields[] = { TENON_SCALAR(struct pair, a, TENON_R) };
	const struct tenon_struct_type pair = { .sz = sizeof(pair),
						.name = "pair",
						.size = sizeof(struct pair),
						.fields = fields,
						.nr_fields = 1,
						.field_size = sizeof(fields[0]) };
	static _Alignas(8) struct pair value = { 4, 5 };
	TENON_OPTS(tenon_var_opts, typed, .type = "pair");

	(void)state;
	assert_ok(tenon_runtime_add_struct(rt, &pair));
	assert_ok(tenon_runtime_add_helper(rt, "pair_sum", "u64(handle:pair)", TENON_FN(pair_sum),
					   NULL));
	assert_int_equal(tenon_runtime_add_var(rt, "typed_pair", &value, 4, &typed), -EINVAL);
	assert_words("structure 'pair' has 8");
	assert_int_equal(tenon_runtime_add_var(rt, "typed_pair", &value.b, 8, &typed), -EINVAL);
	assert_ok(tenon_runtime_add_var(rt, "typed_pair", &value, sizeof(value), &typed));
	assert_int_equal(run_call(must_load("case_KSYM_STRUCT", NULL), NULL, 0), 409);
	refuse_load("case_KSYM_STRUCT_HIDDEN", -EACCES, "pair");
}

static uint64_t seen_pair(const struct pair *p)
{
	return p->a;
}

static void row_17_variable_that_is_a_constant_structure(void **state)
{
	static const struct tenon_field fields[] = { TENON_SCALAR(struct pair, a, TENON_RW) };
	const struct tenon_struct_type pair = { .sz = sizeof(pair),
						.name = "pair",
						.size = sizeof(struct pair),
						.fields = fields,
						.nr_fields = 1,
						.field_size = sizeof(fields[0]) };
	static const _Alignas(8) struct pair value = { 4, 5 };
	TENON_OPTS(tenon_var_opts, typed, .read_only = true);
	static const char path[] = "checklist_const.txt";
	struct tenon_runtime *host = rt;

	(void)state;
	assert_ok(tenon_runtime_add_struct(rt, &pair));
	assert_ok(tenon_runtime_add_helper(rt, "pair_sum", "u64(const handle:pair)",
					   TENON_FN(seen_pair), NULL));
	assert_int_equal(tenon_runtime_add_var(rt, "typed_pair", (void *)(uintptr_t)&value,
					       sizeof(value), &typed),
			 -EINVAL);
	typed.type = "pair";
	assert_ok(tenon_runtime_add_var(rt, "typed_pair", (void *)(uintptr_t)&value, sizeof(value),
					&typed));
	assert_int_equal(run_call(must_load("case_KSYM_STRUCT", NULL), NULL, 0), 404);
	refuse_load("case_KSYM_STRUCT_WRITE", -EACCES, "read-only");
	/* A description says so, too. */
	assert_ok(tenon_runtime_describe(host, path));
	rt = tenon_runtime_new(NULL);
	assert_ok(tenon_runtime_add_description(rt, path));
	unlink(path);
	assert_int_equal(tenon_object_verify(must_open("case_KSYM_STRUCT_WRITE", NULL)), -EACCES);
	assert_ok(tenon_runtime_free(rt));
	rt = host;
}

static void row_17_described_variables_verify_and_do_not_load(void **state)
{
	static const char path[] = "checklist_host.txt";
	struct tenon_runtime *host = rt;
	struct tenon_object *obj;

	(void)state;
	assert_ok(tenon_runtime_describe(host, path));
	rt = tenon_runtime_new(NULL);
	assert_non_null(rt);
	assert_ok(tenon_runtime_add_description(rt, path));
	unlink(path);
	obj = must_open("case_KSYM_VAR", NULL);
	assert_ok(tenon_object_verify(obj));
	refuse_load("case_KSYM_VAR", -ENOSYS, "'host_pair' is known by description only");
	refuse_load("case_KSYM_VAR_LARGER", -ENOSYS, "");
	obj = must_open("case_KSYM_VAR_LARGER", NULL);
	assert_int_equal(tenon_object_verify(obj), -ESTALE);
	obj = must_open("case_KSYM_VAR_WRITE", NULL);
	assert_int_equal(tenon_object_verify(obj), -EACCES);
	assert_ok(tenon_runtime_free(rt));
	rt = host;
}

static void row_17_weak_symbols_are_absent_or_found(void **state)
{
	(void)state;
	assert_int_equal(run_call(must_load("case_KSYM_WEAK", NULL), NULL, 0), 42);
	refuse_load("case_KSYM_WEAK_REACHED", -EACCES, "");
	refuse_load("case_KSYM_FUNC_MISSING", -ENOENT,
		    "helper 'host_nothing' is not offered by the host");
}

static void row_17_variables_are_declared_once_and_whole(void **state)
{
	TENON_OPTS(tenon_var_opts, typed, .type = "no_such_struct");
	int x;

	(void)state;
	assert_int_equal(tenon_runtime_add_var(rt, "host_pair", &x, 4, NULL), -EEXIST);
	assert_int_equal(tenon_runtime_add_var(rt, "x", NULL, 4, NULL), -EINVAL);
	assert_int_equal(tenon_runtime_add_var(rt, "x", &x, 0, NULL), -EINVAL);
	assert_int_equal(tenon_runtime_add_var(rt, "", &x, 4, NULL), -EINVAL);
	assert_int_equal(tenon_runtime_add_var(rt, "x", &host_counter, 8, &typed), -ENOENT);
	assert_words("variable 'x': no structure 'no_such_struct' is declared");
}

static void row_18_plain_extern_needs_a_linker(void **state)
{
	(void)state;
	assert_null(open_named("case_PLAIN_EXTERN", NULL));
	assert_words("needs 'elsewhere', which the object does not define");
}

/* ---- Functions ---- */

static void row_19_calls_across_sections(void **state)
{
	(void)state;
	assert_int_equal(tenon_runtime_remove_section(rt, 1), -ENOENT);
	assert_true(add_handler("hook/other", "call") > 0);
	assert_int_equal(run_call(must_load("case_CROSS", NULL), "prog", 4), 42);
}

static void row_20_weak_function_is_called(void **state)
{
	(void)state;
	assert_int_equal(run_call(must_load("case_WEAK_FUNC", NULL), NULL, 21), 42);
}

static void row_21_callback_is_a_function_of_text(void **state)
{
	(void)state;
	assert_int_equal(run_call(must_load("case_CALLBACK", NULL), NULL, 5), 10);
}

static void row_23_raw_references_by_place(void **state)
{
	/* r0 = *(u64 *)(map 0's value): by MAP_VALUE (2) and MAP_IDX_VALUE (6) */
	uint64_t code[] = { 0x0000000000006018ull, 0, 0x0000000000000079ull, 0x95ull };
	struct tenon_map *map = tenon_map_new(rt, 2, "m", 4, 8, 1, NULL);
	struct tenon_insns insns = {
		.sz = sizeof(insns), .insns = code, .nr_insns = NR(code), .maps = &map, .nr_maps = 1
	};
	struct tenon_test_run_opts opts = { .sz = sizeof(opts) };
	struct tenon_object *obj;
	uint32_t zero = 0;
	uint64_t value = 99;

	(void)state;
	assert_non_null(map);
	assert_ok(tenon_map_update_elem(map, &zero, 4, &value, 8, 0));
	for (uint64_t src = 2; src <= 6; src += 4) {
		code[0] = 0x18 | src << 12;
		obj = tenon_object_open_insns(rt, &insns, NULL);
		assert_non_null(obj);
		assert_ok(tenon_object_load(obj));
		assert_ok(tenon_program_test_run(tenon_object_next_program(obj, NULL), &opts));
		assert_int_equal(opts.retval, 99);
		assert_ok(tenon_object_close(obj));
	}
}

static void row_27_mistake_in_a_subprogram_names_its_line(void **state)
{
	struct tenon_report report = { .sz = sizeof(report) };
	struct tenon_object *obj = must_open("case_LINES", NULL);

	(void)state;
	assert_int_equal(tenon_object_load(obj), -EACCES);
	assert_ok(tenon_program_report(tenon_object_next_program(obj, NULL), &report));
	assert_non_null(report.source);
	assert_non_null(strstr(report.source, "cases.c:"));
	assert_non_null(strstr(report.msg, "return *v"));
}

/* ---- What is loaded ---- */

static void row_33_program_left_out_is_not_verified(void **state)
{
	struct tenon_object *obj = must_open("case_AUTOLOAD", NULL);

	(void)state;
	assert_int_equal(tenon_object_load(obj), -EACCES);
	assert_string_equal(tenon_last_error()->program, "broken");
	obj = must_open("case_AUTOLOAD", NULL);
	assert_ok(tenon_program_set_autoload(tenon_object_find_program(obj, "broken"), false));
	assert_ok(tenon_object_load(obj));
	assert_int_equal(run_call(obj, "prog", 0), 1);
	/* '?' in front of its section. */
	obj = must_open("case_AUTOLOAD", NULL);
	assert_ok(tenon_program_set_autoload(tenon_object_find_program(obj, "broken"), false));
	assert_ok(tenon_program_set_autoload(tenon_object_find_program(obj, "off"), true));
	assert_ok(tenon_object_load(obj));
	assert_int_equal(run_call(obj, "off", 0), 2);
}

static void row_33_map_left_out_is_not_created(void **state)
{
	struct tenon_object *obj = must_open("case_AUTOCREATE", NULL);
	struct tenon_map_info info = { .sz = sizeof(info) };
	bool yes = true;

	(void)state;
	/* A million elements do not fit into the runtime's limit, and nothing reaches them. */
	assert_int_equal(tenon_object_load(obj), -E2BIG);
	obj = must_open("case_AUTOCREATE", NULL);
	assert_ok(tenon_map_set_autocreate(map_of(obj, "large"), false));
	assert_ok(tenon_object_load(obj));
	assert_int_equal(run_call(obj, NULL, 0), 5);
	assert_ok(tenon_map_info(map_of(obj, "large"), &info));
	assert_int_equal(info.id, 0);
	assert_int_equal(tenon_map_set_autocreate(map_of(obj, "large"), true), -EALREADY);
	obj = must_open("case_AUTOCREATE", NULL);
	assert_ok(tenon_map_set_autocreate(map_of(obj, "large"), false));
	assert_ok(tenon_map_set_initial_value(globals(obj, ".rodata"), &yes, 1));
	assert_int_equal(tenon_object_load(obj), -EACCES);
	assert_words("map");
}

static void row_35_object_of_two_linked_by_bpftool(void **state)
{
	struct tenon_object *obj;
	uint32_t zero = 0;
	uint64_t count;

	(void)state;
	assert_null(open_named("case_LINK_A", NULL));
	assert_words("needs 'linked_");
	if (!is_built("linked"))
		skip_for("bpftool is not installed");
	obj = must_load("linked", NULL);
	assert_int_equal(run_call(obj, NULL, 3), 3 + 70 + 1000 + 5);
	assert_ok(tenon_map_lookup_elem(map_of(obj, "counts"), &zero, 4, &count, 8, 0));
	assert_int_equal(count, 1);
}

/* The verifier does not take it yet: it finds registers at offsets of its context that are data. */
static void row_37_program_of_usdt_bpf_h_opens_with_its_maps(void **state)
{
	struct tenon_object *obj;

	(void)state;
	if (!is_built("usdt"))
		skip_for("libbpf's headers are not installed");
	obj = must_open("usdt", NULL);
	map_of(obj, "__bpf_usdt_specs");
	map_of(obj, "__bpf_usdt_ip_to_spec_id");
	assert_non_null(tenon_object_find_program(obj, "on_forms"));
}

static void row_37_section_that_is_no_usdt_probe_is_refused(void **state)
{
	(void)state;
	assert_null(open_named("case_PROBE_USDT_BAD", NULL));
	assert_words("section 'usdt/libc.so.6:libc': expected usdt/PATH:PROVIDER:NAME");
}

static void row_38_target_that_is_none_is_refused_at_open(void **state)
{
	(void)state;
	must_load("case_PROBES", NULL);
	assert_null(open_named("case_PROBE_BAD", NULL));
	assert_int_equal(errno, EINVAL);
	assert_words("section 'uprobe/libc.so.6:malloc+0xg': offset '0xg' is no number");
	/* What the host reads itself, it may write as it likes. */
	assert_true(add_handler("uprobe+", "call") > 0);
	assert_non_null(open_named("case_PROBE_BAD", NULL));
}

static void row_42_declaration_tags_of_arguments(void **state)
{
	(void)state;
	assert_int_equal(run_call(must_load("case_TAGS", NULL), NULL, 35), 42);
}

static void row_43_names_of_globals_and_long_names(void **state)
{
	TENON_OPTS(tenon_object_open_opts, opts, .name = "a_long_object_name");
	struct tenon_object *obj = must_load("case_NAMES", &opts);

	(void)state;
	map_of(obj, "a_long_o.bss");
	map_of(obj, "a_map_with_a_name_longer_than_15");
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROW(row_02_stripped_object_has_no_symbol_table),
		ROW(row_02_object_without_debug_sections_loads),
		ROW(row_03_four_programs_in_one_section),
		ROW(row_05_unknown_section_is_refused_by_name),
		ROW(row_06_handler_of_the_host_sets_up_and_attaches),
		ROW(row_06_exact_names_prefixes_and_the_fallback),
		ROW(row_06_handler_that_refuses_fails_the_open),
		ROW(row_07_license_gates_helpers),
		ROW(row_08_maps_of_the_old_form),
		ROW(row_11_initial_program_is_what_a_tail_call_hits),
		ROW(row_12_pinned_map_is_shared_by_name),
		ROW(row_12_pinned_map_of_another_shape_is_refused),
		ROW(row_12_failed_load_leaves_nothing_pinned),
		ROW(row_12_pin_path_can_be_set),
		ROW(row_13_sizes_follow_from_the_machine),
		ROW(row_14_rodata_is_frozen_and_bss_is_zero),
		ROW(row_15_static_and_hidden_variables),
		ROW(row_16_kconfig_values_of_every_type),
		ROW(row_16_bad_kconfig_values_are_refused_by_name),
		ROW(row_17_variables_of_the_host),
		ROW(row_17_variable_that_is_a_structure),
		ROW(row_17_variable_that_is_a_constant_structure),
		ROW(row_17_described_variables_verify_and_do_not_load),
		ROW(row_17_weak_symbols_are_absent_or_found),
		ROW(row_17_variables_are_declared_once_and_whole),
		ROW(row_18_plain_extern_needs_a_linker),
		ROW(row_19_calls_across_sections),
		ROW(row_20_weak_function_is_called),
		ROW(row_21_callback_is_a_function_of_text),
		ROW(row_23_raw_references_by_place),
		ROW(row_27_mistake_in_a_subprogram_names_its_line),
		ROW(row_33_program_left_out_is_not_verified),
		ROW(row_33_map_left_out_is_not_created),
		ROW(row_35_object_of_two_linked_by_bpftool),
		ROW(row_37_program_of_usdt_bpf_h_opens_with_its_maps),
		ROW(row_37_section_that_is_no_usdt_probe_is_refused),
		ROW(row_38_target_that_is_none_is_refused_at_open),
		ROW(row_42_declaration_tags_of_arguments),
		ROW(row_43_names_of_globals_and_long_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
