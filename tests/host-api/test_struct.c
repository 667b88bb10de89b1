/* SPDX-License-Identifier: MIT */
/* Handles whose fields the host declares, on both engines. */
#include <linux/bpf.h>

#include "host.h"

struct sock {
	uint32_t family, mark;
	struct sock *peer;
};

struct tcp {
	struct sock sock;
	uint64_t window;
};

static struct tcp socks[3];
static int held;

static struct tcp *get(uint32_t n)
{
	if (n >= 3)
		return NULL;
	held++;
	return &socks[n];
}

static void put(struct sock *s)
{
	(void)s;
	held--;
}

static struct tcp *as_tcp(struct sock *s)
{
	return s->family == 2 ? (struct tcp *)(void *)s : NULL;
}

static void fill(uint64_t *to)
{
	*to = 77;
}

static uint32_t abort_here(void)
{
	tenon_abort(1);
	return 0;
}

#define SOCK_FIELDS                                                                              \
	TENON_SCALAR(struct sock, family, TENON_R), TENON_SCALAR(struct sock, mark, TENON_RW),   \
	{                                                                                        \
		.name = "peer", .offset = offsetof(struct sock, peer), .size = sizeof(void *),   \
		.kind = TENON_FIELD_HANDLE, .access = TENON_R | TENON_NULLABLE, .handle = "sock" \
	}

static const struct tenon_field sock_fields[] = { SOCK_FIELDS };
static const struct tenon_field tcp_fields[] = {
	SOCK_FIELDS,
	TENON_SCALAR(struct tcp, window, TENON_R),
};

static struct tenon_struct_type sock_type = {
	.sz = sizeof(sock_type),
	.name = "sock",
	.size = sizeof(struct sock),
	.fields = sock_fields,
	.nr_fields = 3,
	.field_size = sizeof(sock_fields[0]),
};
static struct tenon_struct_type tcp_type = {
	.sz = sizeof(tcp_type),
	.name = "tcp",
	.size = sizeof(struct tcp),
	.fields = tcp_fields,
	.nr_fields = 4,
	.field_size = sizeof(tcp_fields[0]),
	.base = "sock",
};

static const struct {
	uint32_t id;
	uint64_t flags;
	const char *name, *sig;
	tenon_fn fn;
} helpers[] = {
	{ 500, 0, "get", "?acquire:tcp(u32)", TENON_FN(get) },
	{ 501, 0, "put", "void(release:sock)", TENON_FN(put) },
	{ 502, 0, "as_tcp", "?cast:tcp(handle:sock)", TENON_FN(as_tcp) },
	{ 503, 0, "fill", "void(out:u64)", TENON_FN(fill) },
	{ 504, TENON_MAY_ABORT, "abort_here", "u32()", TENON_FN(abort_here) },
};

static struct tenon_runtime *rt;
static struct tenon_hook hook;

static int setup(void **state)
{
	(void)state;
	memset(socks, 0, sizeof(socks));
	held = 0;
	rt = new_runtime(NULL);
	add_hook(rt, &hook, "h", TENON_CHAIN_LAST, 99);
	assert_ok(tenon_runtime_add_struct(rt, &sock_type));
	assert_ok(tenon_runtime_add_struct(rt, &tcp_type));
	for (size_t i = 0; i < sizeof(helpers) / sizeof(helpers[0]); i++) {
		struct tenon_helper_opts opts = { .sz = sizeof(opts),
						  .flags = helpers[i].flags,
						  .id = helpers[i].id };

		assert_ok(tenon_runtime_add_helper(rt, helpers[i].name, helpers[i].sig,
						   helpers[i].fn, &opts));
	}
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	return tenon_runtime_free(rt);
}

static struct tenon_object *open_on(const char *text, enum tenon_engine engine)
{
	struct tenon_object_open_opts opts = { .sz = sizeof(opts), .engine = engine };

	return open_text(rt, "h", 0, NULL, 0, text, &opts);
}

/* The result, in `in` of the context the number of the socket; both engines. */
static void expect_result(const char *text, uint32_t in, uint64_t want)
{
	for (int i = 0; i < 2; i++) {
		struct test_ctx ctx = { .in = in };
		struct tenon_object *obj = open_on(text,
						   i ? TENON_ENGINE_AUTO : TENON_ENGINE_INTERP);
		struct tenon_test_run_opts run = { .sz = sizeof(run),
						   .ctx = &ctx,
						   .ctx_size = sizeof(ctx) };

		assert_non_null(obj);
		assert_ok(tenon_object_load(obj));
		assert_ok(tenon_program_test_run(tenon_object_next_program(obj, NULL), &run));
		assert_int_equal(run.retval, want);
		assert_int_equal(held, 0);
		assert_ok(tenon_object_close(obj));
	}
}

static void expect_refused(const char *text, const char *words)
{
	struct tenon_object *obj = open_on(text, TENON_ENGINE_INTERP);

	assert_non_null(obj);
	assert_int_equal(tenon_object_verify(obj), -EACCES);
	assert_words(words);
	assert_ok(tenon_object_close(obj));
}

#define GET                       \
	"r1 = *(u32 *)(r1 + 0)\n" \
	"call 500\n"              \
	"if r0 != 0 goto +1\n"    \
	"exit\n"                  \
	"r6 = r0\n"

static void fields_of_a_handle_are_read_and_written(void **state)
{
	(void)state;
	socks[1].sock.family = 10;
	socks[1].sock.mark = 5;
	socks[1].window = 1000;
	expect_result(GET "r7 = *(u32 *)(r6 + 0)\n"
			  "r8 = *(u32 *)(r6 + 4)\n"
			  "r7 += r8\n"
			  "r8 = 5\n"
			  "*(u32 *)(r6 + 4) = r8\n"
			  "r1 = r6\n"
			  "call 501\n"
			  "r0 = r7\n"
			  "exit",
		      1, 15);
	assert_int_equal(socks[1].sock.mark, 5);
}

static void nested_handle_is_read_and_followed(void **state)
{
	(void)state;
	socks[0].sock.peer = &socks[2].sock;
	socks[2].sock.family = 33;
	expect_result(GET "r7 = 0\n"
			  "r8 = *(u64 *)(r6 + 8)\n"
			  "if r8 == 0 goto +1\n"
			  "r7 = *(u32 *)(r8 + 0)\n"
			  "r1 = r6\n"
			  "call 501\n"
			  "r0 = r7\n"
			  "exit",
		      0, 33);
}

static void cast_is_released_in_place_of_what_it_was_made_from(void **state)
{
	(void)state;
	socks[1].sock.family = 2;
	socks[1].window = 1000;
	expect_result(GET "r1 = r6\n"
			  "call 502\n"
			  "r7 = 0\n"
			  "if r0 == 0 goto +5\n"
			  "r7 = *(u64 *)(r0 + 16)\n"
			  "r1 = r0\n"
			  "call 501\n"
			  "r0 = r7\n"
			  "exit\n"
			  "r1 = r6\n"
			  "call 501\n"
			  "r0 = r7\n"
			  "exit",
		      1, 1000);
}

static void program_that_ends_early_gives_back_a_cast_handle(void **state)
{
	(void)state;
	socks[1].sock.family = 2;
	expect_result(GET "r1 = r6\n"
			  "call 502\n"
			  "r7 = r0\n"
			  "call 504\n"
			  "r1 = r6\n"
			  "call 501\n"
			  "r0 = 1\n"
			  "exit",
		      1, 0);
}

static void out_argument_is_filled(void **state)
{
	(void)state;
	expect_result("r1 = r10\n"
		      "r1 += -8\n"
		      "call 503\n"
		      "r0 = *(u64 *)(r10 - 8)\n"
		      "exit",
		      0, 77);
	expect_refused("r1 = r10\n"
		       "r1 += -12\n"
		       "call 503\n"
		       "r0 = 0\n"
		       "exit",
		       "aligned");
}

static void what_the_host_does_not_show_is_refused(void **state)
{
	(void)state;
	expect_refused(GET "r7 = *(u64 *)(r6 + 0)\nr1 = r6\ncall 501\nr0 = 0\nexit",
		       "in no single field");
	expect_refused(GET "r7 = *(u64 *)(r6 + 24)\nr1 = r6\ncall 501\nr0 = 0\nexit",
		       "at offset 24 of the structure 'tcp', which has 24 bytes");
	expect_refused(GET "*(u32 *)(r6 + 0) = 1\nr1 = r6\ncall 501\nr0 = 0\nexit",
		       "may not be written");
	expect_refused(GET "r6 += 8\nr1 = r6\ncall 501\nr0 = 0\nexit",
		       "must be a handle of type sock");
	expect_refused(GET "r7 = 1\nlock *(u64 *)(r6 + 8) += r7\nr1 = r6\ncall 501\nr0 = 0\nexit",
		       "an atomic operation on");
}

static void pointers_go_with_the_reference_that_they_came_from(void **state)
{
	(void)state;
	/* a part, after the release of the whole */
	expect_refused(GET "r8 = *(u64 *)(r6 + 8)\n"
			   "r1 = r6\n"
			   "call 501\n"
			   "r0 = *(u32 *)(r8 + 0)\n"
			   "exit",
		       "r8");
	/* a part is nothing that was acquired */
	expect_refused(GET "r1 = *(u64 *)(r6 + 8)\n"
			   "if r1 == 0 goto +1\n"
			   "call 501\n"
			   "r1 = r6\n"
			   "call 501\n"
			   "r0 = 0\n"
			   "exit",
		       "not a reference that was acquired");
	/* the original, after the release of the cast */
	expect_refused(GET "r1 = r6\n"
			   "call 502\n"
			   "if r0 == 0 goto +2\n"
			   "r1 = r0\n"
			   "call 501\n"
			   "r1 = r6\n"
			   "call 501\n"
			   "r0 = 0\n"
			   "exit",
		       "r6 is read here, but holds no value");
	/* that the cast is NULL says nothing about what it was made from */
	expect_refused(GET "r1 = r6\n"
			   "call 502\n"
			   "if r0 == 0 goto +2\n"
			   "r1 = r0\n"
			   "call 501\n"
			   "r0 = 0\n"
			   "exit",
		       "is still held at exit");
	/* a field that may be NULL */
	expect_refused(GET "r8 = *(u64 *)(r6 + 8)\n"
			   "r7 = *(u32 *)(r8 + 0)\n"
			   "r1 = r6\n"
			   "call 501\n"
			   "r0 = 0\n"
			   "exit",
		       "may be NULL");
}

static void two_reads_of_a_field_may_give_two_objects(void **state)
{
	(void)state;
	/* Not equal for sure, so that the way behind it is walked too. */
	expect_refused(GET "r7 = *(u64 *)(r6 + 8)\n"
			   "r8 = *(u64 *)(r6 + 8)\n"
			   "if r7 == 0 goto +3\n"
			   "if r7 == r8 goto +2\n"
			   "r0 = 0\n"
			   "exit\n"
			   "r1 = r6\n"
			   "call 501\n"
			   "r0 = 0\n"
			   "exit",
		       "is still held at exit");
}

static void base_handle_is_not_enough_where_the_type_is_asked_for(void **state)
{
	struct tenon_helper_opts opts = { .sz = sizeof(opts), .id = 510 };

	(void)state;
	assert_ok(tenon_runtime_add_helper(rt, "use", "u32(handle:tcp)", TENON_FN(abort_here),
					   &opts));
	expect_refused(GET "r1 = *(u64 *)(r6 + 8)\n"
			   "if r1 == 0 goto +1\n"
			   "call 510\n"
			   "r1 = r6\n"
			   "call 501\n"
			   "r0 = 0\n"
			   "exit",
		       "a handle of type tcp");
}

static void declarations_are_checked(void **state)
{
	struct tenon_struct_type t = sock_type;
	struct tenon_field bad = {
		.name = "at", .size = 8, .kind = TENON_FIELD_MEM, .access = TENON_R, .mem_size = 4
	};

	(void)state;
	assert_ok(tenon_runtime_add_struct(rt, &sock_type));
	t.size++;
	assert_int_equal(tenon_runtime_add_struct(rt, &t), -EEXIST);
	t.name = "other";
	t.base = "nothing";
	assert_int_equal(tenon_runtime_add_struct(rt, &t), -ENOENT);
	assert_words("its base 'nothing' is not declared");
	t.base = NULL;
	t.fields = &bad;
	t.nr_fields = 1;
	assert_int_equal(tenon_runtime_add_struct(rt, &t), -EINVAL);
	assert_words("neither a number nor a handle");
	t.name = "";
	assert_int_equal(tenon_runtime_add_struct(rt, &t), -EINVAL);
	assert_int_equal(tenon_runtime_add_struct(rt, NULL), -EINVAL);
	assert_int_equal(tenon_runtime_add_helper(rt, "c", "?cast:tcp(u32)", TENON_FN(get), NULL),
			 -EINVAL);
	assert_int_equal(
		tenon_runtime_add_helper(rt, "c", "cast:tcp(release:sock)", TENON_FN(get), NULL),
		-EINVAL);
	assert_int_equal(tenon_runtime_add_helper(rt, "c", "void(out)", TENON_FN(get), NULL),
			 -EINVAL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(fields_of_a_handle_are_read_and_written),
		TEST(nested_handle_is_read_and_followed),
		TEST(cast_is_released_in_place_of_what_it_was_made_from),
		TEST(program_that_ends_early_gives_back_a_cast_handle),
		TEST(out_argument_is_filled),
		TEST(what_the_host_does_not_show_is_refused),
		TEST(pointers_go_with_the_reference_that_they_came_from),
		TEST(two_reads_of_a_field_may_give_two_objects),
		TEST(base_handle_is_not_enough_where_the_type_is_asked_for),
		TEST(declarations_are_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
