/* SPDX-License-Identifier: MIT */
/* Compiled plugins: globals, maps, externs, sections, layouts, hot reload. */
#include "host.h"
#include "request.h"

static struct tenon_runtime *rt;
static struct tenon_hook hook, log_hook;

static const struct tenon_field request_fields[] = {
	TENON_SCALAR(struct request, kind, TENON_R),
	TENON_SCALAR(struct request, verdict, TENON_RW),
};
static const struct tenon_ctx_type request_type = TENON_CTX_TYPE(request, request_fields);

static int32_t twice(uint32_t x)
{
	return (int32_t)(x * 2);
}

static void register_request(struct tenon_hook *at, const char *name)
{
	struct tenon_hook_desc desc = {
		.sz = sizeof(desc), .name = name, .ctx = &request_type, .chain = TENON_CHAIN_LAST
	};

	memset(at, 0, sizeof(*at));
	assert_ok(tenon_hook_register(rt, at, &desc));
}

static int setup(void **state)
{
	(void)state;
	rt = new_runtime(NULL);
	register_request(&hook, "request");
	register_request(&log_hook, "log");
	assert_ok(tenon_runtime_add_helper(rt, "twice", "i32(u32)", TENON_FN(twice), NULL));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	return tenon_runtime_free(rt);
}

static struct tenon_object *open_plugin(const char *name, const struct tenon_object_open_opts *opts)
{
	struct tenon_object *obj;
	char path[512];

	snprintf(path, sizeof(path), TN_TEST_PLUGINS "%s.bpf.o", name);
	obj = tenon_object_open_file(rt, path, opts);
	if (!obj)
		fail_msg("%s: %s", path, tenon_last_error()->msg);
	return obj;
}

static struct tenon_map *map_of(struct tenon_object *obj, const char *part)
{
	struct tenon_map *map = NULL;
	struct tenon_map_info info = { .sz = sizeof(info) };

	while ((map = tenon_object_next_map(obj, map))) {
		assert_ok(tenon_map_info(map, &info));
		if (strstr(info.name, part))
			return map;
	}
	fail_msg("no map '%s'", part);
	return NULL;
}

static void plugin_judges_counts_and_calls_the_host(void **state)
{
	struct tenon_object *obj = open_plugin("rules", NULL);
	struct request req = { .kind = 4 };
	uint64_t count = 0;
	unsigned int *globals;

	(void)state;
	assert_ok(tenon_object_load(obj));
	assert_ok(tenon_object_attach(obj));
	assert_int_equal(tenon_hook_fire(&hook, &req), 0);
	assert_int_equal(req.verdict, 8);
	req.kind = 11;
	assert_int_equal(tenon_hook_fire(&hook, &req), 1);
	assert_int_equal(tenon_hook_fire(&hook, &req), 1);
	assert_int_equal(tenon_hook_fire(&log_hook, &req), 1011);
	assert_ok(tenon_map_lookup_elem(tenon_object_find_map(obj, "counts"), &req.kind, 4, &count,
					8, 0));
	assert_int_equal(count, 2);
	globals = tenon_map_data(map_of(obj, ".bss"), NULL);
	assert_non_null(globals);
	assert_int_equal(globals[0], 6);
}

static void initial_values_are_set_before_load(void **state)
{
	struct tenon_object *obj = open_plugin("rules", NULL);
	struct request req = { .kind = 4 };
	struct tenon_map *rodata = map_of(obj, ".rodata");
	const unsigned int *old;
	unsigned int limit = 3;
	size_t size;

	(void)state;
	old = tenon_map_initial_value(rodata, &size);
	assert_non_null(old);
	assert_int_equal(*old, 10);
	assert_int_equal(tenon_map_set_initial_value(rodata, &limit, size + 1), -EINVAL);
	assert_ok(tenon_map_set_initial_value(rodata, &limit, size));
	assert_int_equal(
		tenon_map_set_initial_value(tenon_object_find_map(obj, "counts"), &limit, 4),
		-EINVAL);
	assert_ok(tenon_map_set_max_entries(tenon_object_find_map(obj, "counts"), 1));
	assert_ok(tenon_object_load(obj));
	assert_ok(tenon_object_attach(obj));
	assert_int_equal(tenon_hook_fire(&hook, &req), 1);
	assert_int_equal(tenon_map_set_initial_value(rodata, &limit, size), -EALREADY);
	assert_int_equal(tenon_map_set_max_entries(rodata, 1), -EALREADY);
	assert_int_equal(tenon_map_update_elem(rodata, &(uint32_t){ 0 }, 4, &limit, size, 0),
			 -EPERM);
}

static void unknown_host_function_is_named(void **state)
{
	struct tenon_runtime *own = new_runtime(NULL);
	struct tenon_object *obj;

	(void)state;
	assert_ok(tenon_hook_unregister(&hook));
	assert_ok(tenon_runtime_free(rt));
	rt = own;
	register_request(&hook, "request");
	register_request(&log_hook, "log");
	obj = open_plugin("rules", NULL);
	assert_int_equal(tenon_object_load(obj), -ENOENT);
	assert_words("'twice'");
	assert_string_equal(tenon_last_error()->program, "judge");
}

static int32_t now_there(void)
{
	return 321;
}

static void weak_host_function_is_called_where_it_is_there(void **state)
{
	struct request req = { .kind = 4 };
	struct tenon_object *obj;

	(void)state;
	assert_ok(tenon_runtime_add_helper(rt, "missing", "i32()", TENON_FN(now_there), NULL));
	obj = open_plugin("rules", NULL);
	if (tenon_object_load(obj))
		fail_msg("%s", tenon_last_error()->msg);
	assert_ok(tenon_object_attach(obj));
	tenon_hook_fire(&hook, &req);
	assert_int_equal(req.verdict, 321);
}

static void moved_field_is_stale_and_named(void **state)
{
	struct tenon_object *obj = open_plugin("moved", NULL);

	(void)state;
	assert_int_equal(tenon_object_load(obj), -ESTALE);
	assert_words(
		"context 'request': the plugin has field 'verdict' as 4 bytes at offset 8, the "
		"host as 4 bytes at offset 4");
	assert_int_equal(tenon_last_error()->stage, TENON_STAGE_RESOLVE);
	assert_string_equal(tenon_last_error()->program, "judge");
	/* Nothing of it can be attached. */
	assert_int_equal(tenon_object_attach(obj), -EINVAL);
	assert_false(tenon_hook_armed(&hook));
}

static void reload_keeps_declared_maps_when_asked(void **state)
{
	struct tenon_object *obj = open_plugin("rules", NULL), *next;
	struct tenon_object_open_opts opts = { .sz = sizeof(opts), .reuse_maps = obj };
	struct request req = { .kind = 4 };
	uint64_t count = 0;

	(void)state;
	assert_ok(tenon_object_load(obj));
	assert_ok(tenon_object_attach(obj));
	tenon_hook_fire(&hook, &req);
	next = open_plugin("rules", &opts);
	assert_ok(tenon_object_load(next));
	assert_ok(tenon_object_replace(obj, next));
	assert_ok(tenon_object_close(obj));
	tenon_hook_fire(&hook, &req);
	assert_ok(tenon_map_lookup_elem(tenon_object_find_map(next, "counts"), &req.kind, 4, &count,
					8, 0));
	assert_int_equal(count, 2);
}

static void map_is_reused_by_hand(void **state)
{
	struct tenon_object *obj = open_plugin("rules", NULL);
	struct tenon_map *own = tenon_map_new(rt, 1, "mine", 4, 8, 16, NULL);
	struct tenon_map *other = tenon_map_new(rt, 1, "other", 4, 4, 16, NULL);
	struct request req = { .kind = 4 };
	uint64_t count = 0;

	(void)state;
	assert_int_equal(tenon_map_reuse(tenon_object_find_map(obj, "counts"), other), -EINVAL);
	assert_ok(tenon_map_reuse(tenon_object_find_map(obj, "counts"), own));
	assert_ok(tenon_object_load(obj));
	assert_ok(tenon_object_attach(obj));
	tenon_hook_fire(&hook, &req);
	assert_ok(tenon_map_lookup_elem(own, &req.kind, 4, &count, 8, 0));
	assert_int_equal(count, 1);
	assert_ok(tenon_object_close(obj));
	count = 0;
	assert_ok(tenon_map_lookup_elem(own, &req.kind, 4, &count, 8, 0));
	assert_int_equal(count, 1);
}

static void object_shows_what_is_in_it(void **state)
{
	struct tenon_object *obj = open_plugin("rules", NULL);
	struct tenon_section_info section = { .sz = sizeof(section) };
	struct tenon_reloc_info reloc = { .sz = sizeof(reloc) };
	struct tenon_helper_use use = { .sz = sizeof(use) };
	struct tenon_program *prog;
	uint32_t i, sections = 0, hosts = 0;

	(void)state;
	assert_string_equal(tenon_object_name(obj), "host_rules");
	assert_string_equal(tenon_object_license(obj), "MIT");
	for (i = 0; !tenon_object_section(obj, i, &section); i++)
		sections += !strcmp(section.name, "hook/request");
	assert_int_equal(sections, 1);
	assert_ok(tenon_object_reloc(obj, 0, &reloc));
	assert_non_null(reloc.type);
	prog = tenon_object_find_program(obj, "judge");
	assert_non_null(prog);
	assert_string_equal(tenon_program_section(prog), "hook/request");
	assert_string_equal(tenon_program_hook(prog), "request");
	for (i = 0; !tenon_program_helper(prog, i, &use); i++)
		hosts += use.host && !strcmp(use.name, "twice");
	assert_int_equal(hosts, 1);
	assert_null(tenon_object_find_program(obj, "none"));
	assert_int_equal(errno, ENOENT);
}

/* ---- Test runs ---- */

static void frame_goes_through_a_packet_program(void **state)
{
	unsigned char in[20] = { 41 }, out[32] = { 0 };
	struct tenon_test_run_opts opts = { .sz = sizeof(opts),
					    .data_in = in,
					    .data_in_size = sizeof(in),
					    .data_out = out,
					    .data_out_size = sizeof(out),
					    .repeat = 3 };
	struct tenon_object *obj = open_plugin("packet", NULL);
	struct tenon_program *prog = tenon_object_find_program(obj, "first_byte");
	int i;

	(void)state;
	assert_int_equal(tenon_program_test_run(prog, &opts), -EINVAL);
	assert_ok(tenon_object_load(obj));
	for (i = 0; i < 2; i++) {
		opts.engine = engine_at(i);
		opts.data_out_size = sizeof(out);
		assert_ok(tenon_program_test_run(prog, &opts));
		assert_int_equal(opts.retval, 44);
		assert_int_equal(opts.data_out_size, sizeof(in));
		assert_int_equal(out[0], 44);
		assert_int_equal(in[0], 41);
	}
	opts.data_out_size = 4;
	assert_int_equal(tenon_program_test_run(prog, &opts), -ENOSPC);
	assert_int_equal(opts.data_out_size, sizeof(in));
}

static void socket_buffer_is_filled_from_the_frame(void **state)
{
	unsigned char in[30] = { 0 };
	struct tenon_sk_buff skb = { .len = 7 };
	struct tenon_test_run_opts opts = { .sz = sizeof(opts),
					    .data_in = in,
					    .data_in_size = sizeof(in) };
	struct tenon_object *obj = open_plugin("packet", NULL);
	struct tenon_program *prog = tenon_object_find_program(obj, "length");

	(void)state;
	in[13] = 9;
	assert_ok(tenon_object_load(obj));
	assert_ok(tenon_program_test_run(prog, &opts));
	assert_int_equal(opts.retval, 30);
	opts.ctx = &skb;
	opts.ctx_size = 4;
	assert_int_equal(tenon_program_test_run(prog, &opts), -EINVAL);
	opts.ctx_size = sizeof(skb);
	assert_ok(tenon_program_test_run(prog, &opts));
	assert_int_equal(opts.retval, 7);
	assert_int_equal(skb.mark, 9);
}

static void packet_program_runs_at_a_packet_hook(void **state)
{
	struct tenon_hook_desc desc = {
		.sz = sizeof(desc), .name = "rx", .ctx = tenon_ctx_xdp(), .chain = TENON_CHAIN_LAST
	};
	struct tenon_attach_opts attach = { .sz = sizeof(attach), .hook = "rx" };
	struct tenon_object *obj = open_plugin("packet", NULL);
	unsigned char frame[4] = { 6 };
	struct tenon_xdp_md md = { .data = frame, .data_end = frame + 4, .data_meta = frame };
	struct tenon_hook rx = { 0 };
	struct tenon_link *link;

	(void)state;
	assert_ok(tenon_hook_register(rt, &rx, &desc));
	assert_ok(tenon_object_load(obj));
	link = tenon_program_attach(tenon_object_find_program(obj, "first_byte"), &attach);
	assert_non_null(link);
	assert_int_equal(tenon_hook_fire(&rx, &md), 7);
	assert_int_equal(frame[0], 7);
	md.data_end = frame;
	assert_int_equal(tenon_hook_fire(&rx, &md), 1);
	assert_null(tenon_program_attach(tenon_object_find_program(obj, "length"), &attach));
	assert_ok(tenon_link_destroy(link));
	assert_ok(tenon_hook_unregister(&rx));
}

static void packet_metadata_is_empty_where_the_host_has_none(void **state)
{
	struct tenon_hook_desc desc = {
		.sz = sizeof(desc), .name = "rx", .ctx = tenon_ctx_xdp(), .chain = TENON_CHAIN_LAST
	};
	struct tenon_attach_opts attach = { .sz = sizeof(attach), .hook = "rx" };
	struct tenon_object *obj = open_plugin("packet", NULL);
	unsigned char frame[8] = { 6 };
	struct tenon_xdp_md md = { .data = frame + 4, .data_end = frame + 8 };
	struct tenon_hook rx = { 0 };
	struct tenon_link *link;

	(void)state;
	assert_ok(tenon_hook_register(rt, &rx, &desc));
	assert_ok(tenon_object_load(obj));
	link = tenon_program_attach(tenon_object_find_program(obj, "with_metadata"), &attach);
	assert_non_null(link);
	assert_int_equal(tenon_hook_fire(&rx, &md), 40);
	assert_ptr_equal(md.data_meta, md.data);
	md.data_meta = frame + 5; /* the kernel's word for none */
	assert_int_equal(tenon_hook_fire(&rx, &md), 40);
	md.data_meta = frame + 1;
	assert_int_equal(tenon_hook_fire(&rx, &md), 43);
	md.data_meta = frame;
	assert_int_equal(tenon_hook_fire(&rx, &md), 6);
	assert_ok(tenon_link_destroy(link));
	assert_ok(tenon_hook_unregister(&rx));
}

static void raw_context_is_run_with_its_size(void **state)
{
	struct tenon_object *obj = open_text(rt, NULL, 16, NULL, 0,
					     "r0 = *(u64 *)(r1 +8)\nr0 += r2\nexit\n", NULL);
	uint64_t ctx[2] = { 0, 5 };
	struct tenon_test_run_opts opts = { .sz = sizeof(opts), .ctx = ctx, .ctx_size = 16 };

	(void)state;
	assert_ok(tenon_object_load(obj));
	assert_ok(tenon_program_test_run(first_program(obj), &opts));
	assert_int_equal(opts.retval, 21);
	assert_int_equal(opts.ended, TENON_ENDED_NORMALLY);
	opts.engine = TENON_ENGINE_INTERP;
	assert_ok(tenon_program_test_run(first_program(obj), &opts));
	assert_int_equal(opts.retval, 21);
	opts.data_in = ctx;
	assert_int_equal(tenon_program_test_run(first_program(obj), &opts), -EINVAL);
	opts.data_in = NULL;
	opts.ctx = NULL;
	opts.ctx_size = 0;
	assert_ok(tenon_program_test_run(first_program(obj), &opts));
	assert_int_equal(opts.retval, 16);
}

struct pointing {
	const char *text;
	uint32_t len;
};

static void context_with_pointers_is_the_callers_to_give(void **state)
{
	static const struct tenon_field fields[] = {
		TENON_SIZED(struct pointing, text, len, TENON_R),
	};
	static const struct tenon_ctx_type type = TENON_CTX_TYPE(pointing, fields);
	struct tenon_hook_desc desc = { .sz = sizeof(desc), .name = "p", .ctx = &type };
	struct tenon_test_run_opts opts = { .sz = sizeof(opts) };
	struct pointing ctx = { "abc", 3 };
	struct tenon_hook pointing = { 0 };
	struct tenon_object *obj;

	(void)state;
	assert_ok(tenon_hook_register(rt, &pointing, &desc));
	obj = load_text(rt, "p", "r0 = *(u32 *)(r1 +8)\nexit\n");
	assert_int_equal(tenon_program_test_run(first_program(obj), &opts), -EINVAL);
	assert_words("holds pointers");
	opts.ctx = &ctx;
	opts.ctx_size = sizeof(ctx);
	assert_ok(tenon_program_test_run(first_program(obj), &opts));
	assert_int_equal(opts.retval, 3);
	assert_ok(tenon_hook_unregister(&pointing));
}

static void run_without_memory_of_the_host_works(void **state)
{
	struct tenon_object *obj = open_text(rt, NULL, 0, NULL, 0, RETURN(3), NULL);
	struct tenon_test_run_opts opts = { .sz = sizeof(opts), .ctx = &opts, .repeat = 5000 };

	(void)state;
	assert_non_null(obj);
	assert_ok(tenon_object_load(obj));
	assert_ok(tenon_program_test_run(first_program(obj), &opts));
	assert_int_equal(opts.retval, 3);
	assert_true(opts.ns_total > 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(plugin_judges_counts_and_calls_the_host),
		TEST(initial_values_are_set_before_load),
		TEST(unknown_host_function_is_named),
		TEST(weak_host_function_is_called_where_it_is_there),
		TEST(moved_field_is_stale_and_named),
		TEST(reload_keeps_declared_maps_when_asked),
		TEST(map_is_reused_by_hand),
		TEST(object_shows_what_is_in_it),
		TEST(frame_goes_through_a_packet_program),
		TEST(socket_buffer_is_filled_from_the_frame),
		TEST(packet_program_runs_at_a_packet_hook),
		TEST(packet_metadata_is_empty_where_the_host_has_none),
		TEST(raw_context_is_run_with_its_size),
		TEST(context_with_pointers_is_the_callers_to_give),
		TEST(run_without_memory_of_the_host_works),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
