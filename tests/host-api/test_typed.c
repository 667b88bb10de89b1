/* SPDX-License-Identifier: MIT */
/*
 * A host that lends out its functions and structures by its API header: typed_api.h, of which
 * typed_host.bpf.c makes BTF. Plugins on both engines; what must be rejected, and in which words.
 */
#include <linux/bpf.h>
#include <unistd.h>

#include "host-api/runtime.h"
#include "host.h"
#include "typed_api.h"

static struct peer peer = { .port = 9000, .family = 2 };
static struct conn conns[3];
static int held, destroyed;

/* ---- The functions that are lent out ---- */

int32_t t_ints(int8_t a, uint16_t b, int32_t c, uint64_t d, bool e)
{
	return a == -3 && b == 40000 && c == -100000 && d == UINT64_C(1) << 40 && e ? 42 : -1;
}

enum verdict t_verdict(enum verdict v)
{
	return v;
}

uint32_t t_length(const char *text)
{
	return (uint32_t)strlen(text);
}

int32_t t_sum(const void *data, uint32_t len)
{
	const uint8_t *p = data;
	int32_t sum = 0;

	for (uint32_t i = 0; i < len; i++)
		sum += p[i];
	return sum;
}

void t_fill(void *data, uint32_t len)
{
	memset(data, 7, len);
}

void t_number(uint32_t *out)
{
	*out = 21;
}

uint32_t t_read(const uint32_t *in)
{
	return *in;
}

void t_stats(struct stats *out)
{
	*out = (struct stats){ .sum = 1000, .nr = 1, .max = 10 };
}

uint64_t t_add(const struct stats *in)
{
	return in->sum + in->nr + in->max;
}

uint32_t t_conn_id(struct conn *c)
{
	return c->id;
}

uint32_t t_conn_or(struct conn *c, uint32_t other)
{
	return c ? c->id : other;
}

uint16_t t_peer_family(const struct peer *p)
{
	return p->family;
}

struct conn *t_get(uint32_t id)
{
	if (id >= 3)
		return NULL;
	held++;
	return &conns[id];
}

void t_put(struct conn *c)
{
	destroyed += c != NULL;
	held--;
}

uint32_t t_ctx(struct request *r)
{
	return r->body_len;
}

uint32_t t_small(const void *data, int8_t len)
{
	return len ? *(const uint8_t *)data : 0;
}

uint32_t t_other_ctx(struct stats *s)
{
	return s->nr;
}

uint32_t t_map(struct tenon_map *map)
{
	(void)map;
	return 1;
}

void t_stop(void)
{
	tenon_abort(3);
}

/* ---- The host ---- */

static void add_types(struct tenon_runtime *rt)
{
	assert_ok(tenon_runtime_add_btf_file(rt, TN_TEST_PLUGINS "typed_host.bpf.o", NULL));
}

/* Two lines for each function: its declaration in the header, and this. */
#define LEND(fn) assert_ok(tenon_runtime_add_helper(rt, #fn, NULL, TENON_FN(fn), NULL))

static void lend_all(struct tenon_runtime *rt)
{
	LEND(t_ints);
	LEND(t_verdict);
	LEND(t_length);
	LEND(t_sum);
	LEND(t_fill);
	LEND(t_number);
	LEND(t_read);
	LEND(t_stats);
	LEND(t_add);
	LEND(t_conn_id);
	LEND(t_conn_or);
	LEND(t_peer_family);
	LEND(t_get);
	LEND(t_put);
	LEND(t_ctx);
	LEND(t_small);
	LEND(t_other_ctx);
	LEND(t_map);
	LEND(t_stop);
}

static struct tenon_runtime *new_host(struct tenon_hook *hook, bool fault_handler)
{
	struct tenon_runtime_opts opts = { .sz = sizeof(opts), .fault_handler = fault_handler };
	struct tenon_hook_desc desc = { .sz = sizeof(desc),
					.name = "request",
					.ctx_name = "request" };
	struct tenon_runtime *rt = new_runtime(&opts);

	add_types(rt);
	lend_all(rt);
	assert_ok(tenon_hook_register(rt, hook, &desc));
	for (uint32_t i = 0; i < 3; i++)
		conns[i] = (struct conn){ .id = i + 1,
					  .level = -1,
					  .bytes = 10,
					  .peer = &peer,
					  .own = { .port = 80, .family = 4 },
					  .secure = 5,
					  .depth = 17,
					  .name = "abcd",
					  .octets = { 1, 200, 3, 4 },
					  .label = "xy" };
	conns[0].next = &conns[1];
	held = destroyed = 0;
	return rt;
}

static long run(struct tenon_object *obj, const char *name, struct request *r,
		enum tenon_engine engine)
{
	struct tenon_test_run_opts opts = {
		.sz = sizeof(opts), .ctx = r, .ctx_size = sizeof(*r), .engine = engine
	};
	struct tenon_program *prog = tenon_object_find_program(obj, name);

	assert_non_null(prog);
	assert_ok(tenon_program_test_run(prog, &opts));
	return (long)(int64_t)opts.retval;
}

static const struct {
	const char *program;
	long result;
} results[] = {
	{ "ints", 42 },
	{ "verdict", 1 },
	{ "length", 7 },
	{ "sum", 15 },
	{ "body", 6 + 3000 },
	{ "answer", 0 },
	{ "fill", 7 },
	{ "number", 42 },
	{ "in_and_out", 1110 },
	{ "members", 1 - 1 + 80 + 4 + 5 + 170 + 'd' + 200 + 9000 + 2 },
	{ "context", 1 + 66 * 2 + 4444 + -7 + 3 },
	{ "both", -7 + 3 },
	{ "unit", 66 },
	{ "store", 15 },
	{ "follow", 2 },
	{ "label", 'x' + 'y' },
	{ "objects", 1 + 1000 + 30 },
	{ "early", 0 },
	{ "ctx", 3 },
	{ "map", 1 },
};

static void run_all(bool fault_handler, enum tenon_engine engine)
{
	static const uint8_t body[] = { 1, 2, 3 };
	uint8_t answer[2] = { 0 };
	struct tenon_hook hook = { 0 };
	struct tenon_runtime *rt = new_host(&hook, fault_handler);
	struct tenon_object_open_opts opts = { .sz = sizeof(opts), .engine = engine };
	struct tenon_object *obj = tenon_object_open_file(rt, TN_TEST_PLUGINS "typed.bpf.o", &opts);

	if (!obj || tenon_object_load(obj))
		fail_msg("load: %s", tenon_last_error()->msg);
	for (size_t i = 0; i < sizeof(results) / sizeof(results[0]); i++) {
		struct request r = { .conn = &conns[0],
				     .body = body,
				     .body_len = sizeof(body),
				     .answer = answer,
				     .answer_len = sizeof(answer),
				     .urgent = 1,
				     .weight = 66,
				     .ports = { 1, 2, 3, 4444 },
				     .at = { .x = -7, .y = 3 } };
		long found;

		conns[0].bytes = 10;
		found = run(obj, results[i].program, &r, engine);
		if (found != results[i].result)
			fail_msg("%s: %ld, expected %ld", results[i].program, found,
				 results[i].result);
		assert_int_equal(held, 0);
		if (!strcmp(results[i].program, "answer"))
			assert_int_equal(r.mark, 99);
	}
	assert_memory_equal(answer, "hi", 2);
	/* One by the program, one because it ended early. */
	assert_int_equal(destroyed, 2);
	assert_ok(tenon_object_close(obj));
	assert_ok(tenon_runtime_free(rt));
}

static void helpers_of_a_header_give_their_results(void **state)
{
	(void)state;
	run_all(false, TENON_ENGINE_INTERP);
	run_all(false, TENON_ENGINE_AUTO);
	run_all(true, TENON_ENGINE_INTERP);
	run_all(true, TENON_ENGINE_AUTO);
}

/* ---- What is refused ---- */

static const struct {
	const char *program, *code, *words;
} rejected[] = {
	{ "untrusted_argument", "E_ARG", "must be a trusted handle of type conn" },
	{ "write_read_only", "E_READONLY", "field 'id'" },
	{ "write_untrusted", NULL, "" },
	{ "read_hidden", "E_TYPE", "are in no single field" },
	{ "null_member", "E_NULL", "may be NULL here" },
	{ "null_body", "E_NULL", "may be NULL here" },
	{ "beyond_body", "E_BOUNDS", "" },
	{ "write_body", "E_READONLY", "read-only" },
	{ "write_length", "E_CTX", "'body_len'" },
	{ "half_a_pointer", "E_CTX", "in no single field" },
	{ "write_two", "E_CTX", "in no single field" },
	{ "null_object", "E_NULL", "may be NULL here" },
	{ "leak", "E_REFERENCE", "" },
	{ "put_twice", NULL, "" },
	{ "put_borrowed", "E_REFERENCE", "not a reference that was acquired" },
	{ "use_after_put", NULL, "" },
	{ "other_type", "E_ARG", "must be a handle of type peer" },
	{ "address_as_number", NULL, "" },
	{ "made_up_object", "E_ARG", "must be a handle of type conn" },
	{ "changing_text", "E_ARG", "must be a string in constant read-only data" },
	{ "long_read", "E_STACK", "" },
	{ "long_for_its_type", "E_ARG", "its type holds up to 127" },
	{ "context_of_another_type", "E_ARG", "takes the context 'struct stats' of 16 bytes" },
};

static void plugins_are_held_to_what_the_header_says(void **state)
{
	struct tenon_hook hook = { 0 };
	struct tenon_runtime *rt = new_host(&hook, false);
	struct tenon_object *obj = tenon_object_open_file(rt, TN_TEST_PLUGINS "typed_bad.bpf.o",
							  NULL);

	(void)state;
	assert_non_null(obj);
	assert_int_not_equal(tenon_object_verify(obj), 0);
	for (size_t i = 0; i < sizeof(rejected) / sizeof(rejected[0]); i++) {
		struct tenon_program *prog = tenon_object_find_program(obj, rejected[i].program);
		struct tenon_report report = { .sz = sizeof(report) };

		assert_non_null(prog);
		assert_ok(tenon_program_report(prog, &report));
		if (!report.code || !strstr(report.msg, rejected[i].words) ||
		    (rejected[i].code && strcmp(report.code_name, rejected[i].code) != 0))
			fail_msg("%s: %s: %s", rejected[i].program, report.code_name, report.msg);
	}
	assert_ok(tenon_object_close(obj));
	assert_ok(tenon_runtime_free(rt));
}

static uint32_t text_sig(struct conn *c, uint32_t n)
{
	return c->id + n;
}

static const struct {
	int rc;
	const char *plugin, *host;
} declarations[] = {
	{ -EPROTO, "'int t_ints(signed char, u16, int, u64)'",
	  "'int32_t t_ints(int8_t, uint16_t, int32_t, uint64_t, _Bool)'" },
	{ -EPROTO, "'u32 t_conn_id(struct peer *)'", "'uint32_t t_conn_id(struct conn *)'" },
	{ -EPROTO, "'int t_verdict(u64)'", "'enum verdict t_verdict(enum verdict)'" },
	{ -EPROTO, "'int t_sum(const void *, int)'", "'int32_t t_sum(const void *, uint32_t)'" },
	{ -EPROTO, "'u64 t_length(const char *)'", "'uint32_t t_length(const char *)'" },
	{ -EPROTO, "'u32 t_text_sig(struct peer *, u32)'",
	  "'unsigned int t_text_sig(struct conn *, unsigned int)'" },
	{ -EPROTO, "'int t_conn_or(struct conn *, ...)'",
	  "'uint32_t t_conn_or(struct conn *, uint32_t)'" },
	{ 0, "", "" },
	{ 0, "", "" },
	{ -EACCES, "", "" }, /* declared rightly, called wrongly */
};

static void declarations_that_differ_are_refused_with_both(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(declarations) / sizeof(declarations[0]); i++) {
		struct tenon_hook hook = { 0 };
		struct tenon_runtime *rt = new_host(&hook, false);
		struct tenon_object *obj;
		char path[256];
		int rc;

		assert_ok(tenon_runtime_add_helper(rt, "t_text_sig", "u32(handle:conn, u32)",
						   TENON_FN(text_sig), NULL));
		snprintf(path, sizeof(path), "%styped_wrong_%zu.bpf.o", TN_TEST_PLUGINS, i + 1);
		obj = tenon_object_open_file(rt, path, NULL);
		if (!obj)
			fail_msg("%s: %s", path, tenon_last_error()->msg);
		rc = tenon_object_load(obj);
		if (rc != declarations[i].rc)
			fail_msg("%s: %d: %s", path, rc, tenon_last_error()->msg);
		if (rc) {
			assert_words(declarations[i].plugin);
			assert_words(declarations[i].host);
		}
		assert_ok(tenon_object_close(obj));
		assert_ok(tenon_runtime_free(rt));
	}
}

/* ---- What a host may not lend out ---- */

static const struct {
	const char *name, *words;
} refused[] = {
	{ "t_bare_pointer", "argument 1: a pointer like this says nothing of its memory" },
	{ "t_far_length", "argument 1: its length must be the next argument" },
	{ "t_elements", "argument 1: its length must count bytes" },
	{ "t_by_value", "argument 1: a struct" },
	{ "t_pointers", "argument 1: memory of the plugin may hold numbers alone" },
	{ "t_text", "its result: a pointer to a named structure" },
	{ "t_nothing", "no argument is an object" },
	{ "t_flag", "unknown flag 'MAY_FLY'" },
	{ "t_many", "has 6 arguments" },
	{ "t_format", "has a '...'" },
	{ "t_array", "argument 1: a pointer to numbers beside an integer" },
	{ "t_fill_array", "argument 1: a pointer to numbers beside an integer" },
	{ "t_counted", "argument 2: a pointer to numbers beside an integer" },
	{ "t_count_behind", "argument 1: a pointer to numbers beside an integer" },
	{ "t_bytes", "argument 1: a pointer to char beside an integer" },
	{ "t_bytes_counted", "argument 2: a pointer to char beside an integer" },
	{ "t_bytes_far", "argument 1: a pointer to char beside an integer" },
	{ "t_wide", "argument 1: memory of plugins is aligned to 8 bytes at most" },
	{ "t_absent", "no BTF of the host has a function of that name" },
};

static void functions_that_cannot_be_expressed_are_refused(void **state)
{
	struct tenon_runtime *rt = new_runtime(NULL);

	(void)state;
	add_types(rt);
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		assert_int_equal(
			tenon_runtime_add_helper(rt, refused[i].name, NULL, TENON_FN(t_stop), NULL),
			-EINVAL);
		assert_words(refused[i].name);
		assert_words(refused[i].words);
	}
	assert_ok(tenon_runtime_free(rt));
}

static void contexts_by_name_need_a_structure_of_that_name(void **state)
{
	struct tenon_runtime *rt = new_runtime(NULL);
	struct tenon_hook hook = { 0 };
	struct tenon_hook_desc desc = { .sz = sizeof(desc), .name = "h", .ctx_name = "nothing" };

	(void)state;
	assert_int_equal(tenon_hook_register(rt, &hook, &desc), -ENOENT);
	assert_words("'nothing'");
	add_types(rt);
	assert_int_equal(tenon_hook_register(rt, &hook, &desc), -ENOENT);
	desc.ctx_name = "request";
	desc.ctx = &test_type;
	assert_int_equal(tenon_hook_register(rt, &hook, &desc), -EINVAL);
	assert_ok(tenon_runtime_free(rt));
}

static void types_are_refused_that_are_malformed_or_doubled(void **state)
{
	struct tenon_runtime *rt = new_runtime(NULL);
	struct tenon_btf_opts split = { .sz = sizeof(split), .name = "more", .split = true };

	(void)state;
	assert_int_equal(tenon_runtime_add_btf(rt, "no BTF", 6, NULL), -EINVAL);
	assert_int_equal(tenon_runtime_add_btf(rt, "no BTF", 6, &split), -ENOENT);
	assert_words("split");
	assert_int_equal(tenon_runtime_add_btf_file(rt, "/nonexistent", NULL), -ENOENT);
	add_types(rt);
	assert_int_equal(tenon_runtime_add_btf_file(rt, TN_TEST_PLUGINS "typed_host.bpf.o", NULL),
			 -EEXIST);
	assert_ok(tenon_runtime_free(rt));
}

/* What a description holds is enough to judge plugins without the host. */
static void description_carries_types_and_prototypes(void **state)
{
	char path[] = "/tmp/tenon-typed-XXXXXX";
	int fd = mkstemp(path);
	struct tenon_hook hook = { 0 };
	struct tenon_runtime *rt = new_host(&hook, false);
	struct tenon_object *good, *bad, *wrong;
	struct tenon_report report = { .sz = sizeof(report) };

	(void)state;
	assert_true(fd >= 0);
	assert_ok(tenon_runtime_describe(rt, path));
	assert_ok(tenon_runtime_free(rt));
	rt = new_runtime(NULL);
	assert_ok(tenon_runtime_add_description(rt, path));
	/* A description of a description is the same again. */
	assert_ok(tenon_runtime_describe(rt, path));
	assert_ok(tenon_runtime_free(rt));
	rt = new_runtime(NULL);
	assert_ok(tenon_runtime_add_description(rt, path));

	good = tenon_object_open_file(rt, TN_TEST_PLUGINS "typed.bpf.o", NULL);
	bad = tenon_object_open_file(rt, TN_TEST_PLUGINS "typed_bad.bpf.o", NULL);
	wrong = tenon_object_open_file(rt, TN_TEST_PLUGINS "typed_wrong_2.bpf.o", NULL);
	assert_ok(tenon_object_verify(good));
	assert_int_equal(tenon_object_verify(bad), -EACCES);
	assert_ok(tenon_program_report(tenon_object_find_program(bad, "untrusted_argument"),
				       &report));
	assert_string_equal(report.code_name, "E_ARG");
	assert_int_equal(tenon_object_verify(wrong), -EPROTO);
	assert_words("'uint32_t t_conn_id(struct conn *)'");
	assert_ok(tenon_object_close(good));
	assert_ok(tenon_object_close(bad));
	assert_ok(tenon_object_close(wrong));
	assert_ok(tenon_runtime_free(rt));
	close(fd);
	unlink(path);
}

static void expect_description_refused(const char *text, const char *words)
{
	char path[] = "/tmp/tenon-typed-XXXXXX";
	int fd = mkstemp(path);
	struct tenon_runtime *rt = new_runtime(NULL);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	assert_int_equal(tenon_runtime_add_description(rt, path), -EINVAL);
	assert_words(words);
	unlink(path);
	assert_ok(tenon_runtime_free(rt));
}

static void description_with_broken_types_is_refused(void **state)
{
	(void)state;
	expect_description_refused("tenon-host 1\nbtf host 6\ndata AAAA\n", "ends before its 6");
	expect_description_refused("tenon-host 1\nbtf host 3\ndata AAAAAA==\n", "not base64");
	expect_description_refused("tenon-host 1\nbtf host 3\ndata A*AA\n", "not base64");
	expect_description_refused("tenon-host 1\nbtf host 3\ndata A=AA\n", "not base64");
	expect_description_refused("tenon-host 1\ndata AAAA\n", "without BTF");
	expect_description_refused("tenon-host 1\nbtf host 3\ndata AAAA\n", "too few");
	expect_description_refused("tenon-host 1\nhelper f 0 typed u32(u32)\n",
				   "no BTF of the host has a function");
}

/* ---- Memory that cannot be had ---- */

static long blocks;

static void *counting_alloc(void *user, void *ptr, size_t osize, size_t nsize)
{
	(void)user;
	(void)osize;
	blocks -= ptr && !nsize;
	if (!nsize) {
		free(ptr);
		return NULL;
	}
	blocks += !ptr;
	return realloc(ptr, nsize);
}

#define STEP(call)                \
	do {                      \
		if (call)         \
			goto out; \
	} while (0)

static bool life(struct tenon_runtime *rt, const char *path)
{
	struct tenon_hook_desc desc = { .sz = sizeof(desc),
					.name = "request",
					.ctx_name = "request" };
	static struct tenon_hook hook;
	struct tenon_object *obj = NULL;
	bool done = false;

	memset(&hook, 0, sizeof(hook));
	STEP(tenon_runtime_add_btf_file(rt, TN_TEST_PLUGINS "typed_host.bpf.o", NULL));
	STEP(tenon_runtime_add_helper(rt, "t_conn_or", NULL, TENON_FN(t_conn_or), NULL));
	STEP(tenon_runtime_add_helper(rt, "t_get", NULL, TENON_FN(t_get), NULL));
	STEP(tenon_runtime_add_helper(rt, "t_put", NULL, TENON_FN(t_put), NULL));
	STEP(tenon_runtime_add_helper(rt, "t_add", NULL, TENON_FN(t_add), NULL));
	STEP(tenon_hook_register(rt, &hook, &desc));
	obj = tenon_object_open_file(rt, TN_TEST_PLUGINS "typed_wrong_9.bpf.o", NULL);
	STEP(!obj || tenon_object_load(obj));
	STEP(tenon_runtime_describe(rt, path));
	done = true;
out:
	assert_true(done || tenon_last_error()->code < 0);
	assert_ok(tenon_object_close(obj));
	return done;
}

static void typed_host_survives_each_allocation_failing(void **state)
{
	struct tenon_runtime_opts opts = { .sz = sizeof(opts), .alloc = counting_alloc };
	char path[] = "/tmp/tenon-typed-XXXXXX";
	int fd = mkstemp(path);
	bool done = false;
	int64_t n;

	(void)state;
	assert_true(fd >= 0);
	for (n = 1; n < 10000 && !done; n++) {
		long before = blocks;
		struct tenon_runtime *rt = new_runtime(&opts);

		tn_store_relaxed(&rt->rt.mem.fail_after, n);
		done = life(rt, path);
		tn_store_relaxed(&rt->rt.mem.fail_after, 0);
		assert_ok(tenon_runtime_free(rt));
		if (blocks != before)
			fail_msg("allocation %d: %ld blocks are left", (int)n, blocks - before);
	}
	assert_in_range(n, 50, 9999);
	close(fd);
	unlink(path);
}

static void plugins_without_the_hosts_types_do_not_load(void **state)
{
	struct tenon_runtime *rt = new_runtime(NULL);
	struct tenon_hook hook;
	struct tenon_object *obj;

	(void)state;
	add_hook(rt, &hook, "request", TENON_CHAIN_ALL, 0);
	obj = tenon_object_open_file(rt, TN_TEST_PLUGINS "typed.bpf.o", NULL);
	assert_non_null(obj);
	assert_int_equal(tenon_object_load(obj), -ENOENT);
	assert_words("is not offered by the host");
	assert_ok(tenon_object_close(obj));
	assert_ok(tenon_runtime_free(rt));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(helpers_of_a_header_give_their_results),
		cmocka_unit_test(plugins_are_held_to_what_the_header_says),
		cmocka_unit_test(declarations_that_differ_are_refused_with_both),
		cmocka_unit_test(functions_that_cannot_be_expressed_are_refused),
		cmocka_unit_test(contexts_by_name_need_a_structure_of_that_name),
		cmocka_unit_test(types_are_refused_that_are_malformed_or_doubled),
		cmocka_unit_test(description_carries_types_and_prototypes),
		cmocka_unit_test(description_with_broken_types_is_refused),
		cmocka_unit_test(typed_host_survives_each_allocation_failing),
		cmocka_unit_test(plugins_without_the_hosts_types_do_not_load),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
