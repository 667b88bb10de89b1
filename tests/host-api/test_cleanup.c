/* SPDX-License-Identifier: MIT */
/*
 * Programs that end early give back what they hold: at every fuel from none to enough, and at every
 * helper that may abort, on both engines.
 */
#include <linux/bpf.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host.h"
#include "host-api/fire.h"
#include "host-api/map_handle.h"
#include "host-api/object.h"
#include "maps/ringbuf.h"

/* What programs hold: a connection, and the socket in its first bytes. */
struct sock {
	uint64_t id;
};

struct conn {
	struct sock sock;
	int refs, sock_refs;
};

#define NR_CONNS 8

static struct conn conns[NR_CONNS];
static int taken, wrongs; /* counted over all programs of a test */
static int stop_at;	  /* this call of `step`, from 0, ends the program */
static int nr_steps;
static uint32_t given_back[64], nr_given_back;

static struct conn *get(uint32_t kind)
{
	if (kind == 0)
		return NULL;
	taken++;
	conns[kind % NR_CONNS].refs++;
	return &conns[kind % NR_CONNS];
}

static struct conn *must_get(uint32_t kind)
{
	return get(kind ? kind : NR_CONNS);
}

static void put(struct conn *c)
{
	if (nr_given_back < 64)
		given_back[nr_given_back++] = (uint32_t)(c - conns);
	wrongs += --c->refs < 0;
}

static void put_with(struct conn *c, uint32_t flags)
{
	(void)flags;
	put(c);
}

static struct sock *get_sock(struct conn *c)
{
	taken++;
	c->sock_refs++;
	return &c->sock;
}

static void put_sock(struct sock *s)
{
	struct conn *c = (struct conn *)(void *)s;

	wrongs += --c->sock_refs < 0;
}

static uint32_t step(void)
{
	if (nr_steps++ != stop_at)
		return 0;
	tenon_abort(77);
	return 1;
}

/* Not declared to abort: it does not. */
static void stop_undeclared(void)
{
	tenon_abort(78);
}

static pid_t child = -1;

/* How long each side then spins. */
static uint32_t fork_here(void)
{
	child = fork();
	return child ? 0 : 100000000;
}

static void put_and_step(struct conn *c)
{
	put(c);
	step();
}

/* An abort hands out nothing. */
static struct conn *get_and_step(uint32_t kind)
{
	return step() ? NULL : must_get(kind);
}

static struct conn *exchange(struct conn *c)
{
	uint32_t other = (uint32_t)(c - conns) + 1;

	put(c);
	return must_get(other);
}

static const struct {
	uint32_t id;
	uint64_t flags;
	const char *name, *sig;
	tenon_fn fn;
} helpers[] = {
	{ 500, 0, "get", "?acquire:conn(u32)", TENON_FN(get) },
	{ 501, 0, "put", "void(release:conn)", TENON_FN(put) },
	{ 502, 0, "get_sock", "acquire:sock(handle:conn)", TENON_FN(get_sock) },
	{ 503, 0, "put_sock", "void(release:sock)", TENON_FN(put_sock) },
	{ 504, TENON_MAY_ABORT, "step", "u32()", TENON_FN(step) },
	{ 505, 0, "put_with", "void(release:conn, u32)", TENON_FN(put_with) },
	{ 506, TENON_MAY_ABORT, "put_and_step", "void(release:conn)", TENON_FN(put_and_step) },
	{ 507, 0, "exchange", "acquire:conn(release:conn)", TENON_FN(exchange) },
	{ 508, 0, "must_get", "acquire:conn(u32)", TENON_FN(must_get) },
	{ 509, TENON_MAY_ABORT, "get_and_step", "acquire:conn(u32)", TENON_FN(get_and_step) },
	{ 510, 0, "stop", "void()", TENON_FN(stop_undeclared) },
	{ 511, 0, "fork_here", "u32()", TENON_FN(fork_here) },
};

static struct tenon_runtime *rt;
static struct tenon_hook hook;
static struct tenon_map *ring, *array;

static int setup(void **state)
{
	size_t i;

	(void)state;
	memset(conns, 0, sizeof(conns));
	taken = wrongs = nr_steps = 0;
	stop_at = -1;
	rt = new_runtime(NULL);
	add_hook(rt, &hook, "h", TENON_CHAIN_LAST, 99);
	for (i = 0; i < sizeof(helpers) / sizeof(helpers[0]); i++) {
		struct tenon_helper_opts opts = { .sz = sizeof(opts),
						  .flags = helpers[i].flags,
						  .id = helpers[i].id };

		assert_ok(tenon_runtime_add_helper(rt, helpers[i].name, helpers[i].sig,
						   helpers[i].fn, &opts));
	}
	ring = tenon_map_new(rt, BPF_MAP_TYPE_RINGBUF, "ring", 0, 0, 4096, NULL);
	array = tenon_map_new(rt, BPF_MAP_TYPE_PROG_ARRAY, "next", 4, 4, 1, NULL);
	return ring && array ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	return tenon_runtime_free(rt);
}

static struct tenon_object *open_program(const char *text, int engine)
{
	struct tenon_object_open_opts opts = { .sz = sizeof(opts), .engine = engine_at(engine) };
	struct tenon_map *maps[] = { ring, array };

	return open_text(rt, "h", 0, maps, 2, text, &opts);
}

static struct tenon_object *load_program(const char *text, int engine)
{
	struct tenon_object *obj = open_program(text, engine);

	if (!obj || tenon_object_load(obj))
		fail_msg("load: %s\n%s", tenon_last_error()->msg, text);
	return obj;
}

static int discard_sample(void *user, void *data, size_t size)
{
	(void)user, (void)data, (void)size;
	return 0;
}

static void check_nothing_is_held(const char *text, const char *when, uint64_t n)
{
	struct tn_map *map = ring->map;
	int i;

	for (i = 0; i < NR_CONNS; i++) {
		if (conns[i].refs || conns[i].sock_refs)
			fail_msg("%s %llu: connection %d has %d and %d references\n%s", when,
				 (unsigned long long)n, i, conns[i].refs, conns[i].sock_refs, text);
	}
	if (wrongs)
		fail_msg("%s %llu: released what nobody held\n%s", when, (unsigned long long)n,
			 text);
	/* The consumer stops at a record that is still open. */
	tn_ringbuf_consume(map, discard_sample, NULL);
	if (tn_ringbuf_query(map, TN_RB_AVAIL_DATA))
		fail_msg("%s %llu: a record is open\n%s", when, (unsigned long long)n, text);
}

static uint32_t run_program(struct tenon_program *program, uint32_t in, uint64_t fuel)
{
	struct test_ctx ctx = { .in = in };
	struct tn_run run = { .program = program,
			      .entry = program->prog->entry,
			      .ctx = &ctx,
			      .ctx_size = sizeof(ctx),
			      .fuel = fuel };
	struct tn_run_result res;

	nr_steps = 0;
	nr_given_back = 0;
	assert_ok(tn_run(&run, 1, &res));
	return res.abort;
}

static uint32_t run_with(struct tenon_object *obj, uint32_t in, uint64_t fuel)
{
	return run_program(first_program(obj), in, fuel);
}

#define ENOUGH 1000000

/* Every budget that it can run out of, and every step that it makes. How many early ends. */
static int run_out(struct tenon_program *program, const char *text, uint32_t in)
{
	uint64_t fuel = 0;
	int nr = 0;

	stop_at = -1;
	for (;; fuel++) {
		uint32_t end = run_program(program, in, fuel);

		check_nothing_is_held(text, "fuel", fuel);
		if (end != TN_ABORT_FUEL)
			break;
		nr++;
		assert_true(fuel < ENOUGH);
	}
	for (stop_at = 0; run_program(program, in, ENOUGH) == TN_ABORT_HOST; stop_at++, nr++)
		check_nothing_is_held(text, "step", (uint64_t)stop_at);
	check_nothing_is_held(text, "step", (uint64_t)stop_at);
	stop_at = -1;
	return nr;
}

static int run_out_everywhere(struct tenon_object *obj, const char *text, uint32_t in)
{
	return run_out(first_program(obj), text, in);
}

static void ends_well(const char *text)
{
	int engine, ends[2];
	uint32_t in;

	for (engine = 0; engine < 2; engine++) {
		struct tenon_object *obj = load_program(text, engine);

		assert_int_equal(first_program(obj)->prog->facts->holds, 1);
		ends[engine] = 0;
		for (in = 0; in < 4; in++)
			ends[engine] += run_out_everywhere(obj, text, in);
		assert_ok(tenon_object_close(obj));
	}
	assert_true(taken > 0);
	/* Both engines end at the same places. */
	assert_int_equal(ends[0], ends[1]);
	assert_true(ends[0] > 0);
}

/* So many rounds as `reg` says; the bound is not known, so that each pays. */
#define SPIN(name, reg)                                           \
	"r1 = " reg "\n" name ":\nif r1 == 0 goto " name "_end\n" \
	"r1 -= 1\n"                                               \
	"goto " name "\n" name "_end:\n"
#define ENTER "r6 = *(u32 *)(r1 +0)\n"
#define LEAVE "r0 = 0\nexit\n"
#define GET(n, to)      \
	"r1 = " #n "\n" \
	"call 508\n" to " = r0\n"
#define PUT(from)         \
	"r1 = " from "\n" \
	"call 501\n"
#define STEP "call 504\n"
#define RESERVE(to)         \
	"r1 = map[0] ll\n"  \
	"r2 = 16\nr3 = 0\n" \
	"call 131\n" to " = r0\n"
#define SUBMIT(from)      \
	"r1 = " from "\n" \
	"r2 = 0\ncall 132\n"

/* ---- Where it ends ---- */

static void handle_at_a_loop_that_pays(void **state)
{
	(void)state;
	ends_well(ENTER GET(1, "r7") SPIN("a", "r6") PUT("r7") LEAVE);
}

static void record_at_a_loop_that_pays(void **state)
{
	(void)state;
	ends_well(ENTER GET(1, "r8") RESERVE("r7") "if r7 == 0 goto out\n" SPIN("a", "r6")
			  SUBMIT("r7") "out:\n" PUT("r8") LEAVE);
}

static void handle_at_a_helper_that_aborts(void **state)
{
	(void)state;
	ends_well(ENTER STEP GET(1, "r7") STEP STEP PUT("r7") STEP LEAVE);
}

static void two_in_the_order_and_against_it(void **state)
{
	(void)state;
	ends_well(ENTER GET(1, "r7") STEP GET(2, "r8") SPIN("a", "r6") PUT("r8")
			  STEP SPIN("b", "r6") PUT("r7") LEAVE);
	ends_well(ENTER GET(1, "r7") STEP GET(2, "r8") SPIN("a", "r6") PUT("r7")
			  STEP SPIN("b", "r6") PUT("r8") LEAVE);
}

static void released_on_one_path_before_and_on_the_other_after(void **state)
{
	(void)state;
	ends_well(ENTER GET(1, "r7") "if r6 s> 1 goto late\n" PUT("r7") SPIN("a", "r6") STEP
		  "goto out\nlate:\n" SPIN("b", "r6") STEP PUT("r7") "out:\n" LEAVE);
}

static void acquired_anew_in_every_round(void **state)
{
	(void)state;
	ends_well(ENTER "r8 = r6\n"
			"round:\nif r8 == 0 goto done\n" GET(1, "r7") STEP SPIN("a", "r6")
				PUT("r7") "r8 -= 1\ngoto round\ndone:\n" LEAVE);
}

static void carried_from_one_round_to_the_next(void **state)
{
	(void)state;
	ends_well(ENTER GET(1, "r7") "r8 = r6\n"
				     "round:\nif r8 == 0 goto done\n"
				     "r1 = r7\ncall 507\nr7 = r0\n" STEP SPIN(
					     "a", "r6") "r8 -= 1\ngoto round\ndone:\n" PUT("r7")
					     LEAVE);
}

static void nullable_and_maybe_null(void **state)
{
	(void)state;
	ends_well(ENTER "r1 = r6\ncall 500\nr7 = r0\n" SPIN("a", "r6") STEP
		  "if r7 == 0 goto out\n" SPIN("b", "r6") PUT("r7") "out:\n" LEAVE);
}

static void sixteen_at_once(void **state)
{
	char text[4096];
	size_t len = (size_t)snprintf(text, sizeof(text), ENTER);
	int i;

	(void)state;
	for (i = 1; i <= 16; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len,
					"r1 = %d\ncall 508\n*(u64 *)(r10 -%d) = r0\n", i, 8 * i);
	len += (size_t)snprintf(text + len, sizeof(text) - len, SPIN("a", "r6") STEP);
	for (i = 1; i <= 16; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len,
					"r1 = *(u64 *)(r10 -%d)\ncall 501\ncall 504\n",
					8 * (i * 5 % 16 + 1));
	snprintf(text + len, sizeof(text) - len, LEAVE);
	ends_well(text);
}

/* ---- Subprograms ---- */

static void acquired_and_released_in_subprograms(void **state)
{
	(void)state;
	ends_well(ENTER "r1 = r6\ncall take\nr7 = r0\n" STEP "r1 = r7\nr2 = r6\ncall give\n" LEAVE
			"take:\n"
			"r6 = r1\n" GET(3, "r7") SPIN("a", "r6") STEP
		  "r0 = r7\nexit\n"
		  "give:\n"
		  "r6 = r1\nr7 = r2\n" SPIN("b", "r7") STEP PUT("r6") SPIN("c", "r7") LEAVE);
}

static void each_of_nested_frames_holds_one(void **state)
{
	(void)state;
	ends_well(ENTER GET(1, "r7") "r1 = r6\ncall one\n" STEP PUT("r7") LEAVE
		  "one:\nr6 = r1\n" GET(2, "r7") "r1 = r6\ncall two\n" STEP PUT("r7") LEAVE
		  "two:\nr6 = r1\n" RESERVE("r7") "if r7 == 0 goto none\n" SPIN("a", "r6")
			  STEP SUBMIT("r7") STEP "none:\n" SPIN("b", "r6") LEAVE);
}

/* ---- Callbacks ---- */

static void caller_holds_one_and_the_callback_another(void **state)
{
	(void)state;
	ends_well(ENTER GET(1, "r7") "*(u64 *)(r10 -8) = r6\n"
				     "r1 = r6\nr2 = func body ll\nr3 = r10\nr3 += -8\nr4 = 0\n"
				     "call 181\n" STEP PUT("r7") LEAVE
		  "body:\nr6 = *(u64 *)(r2 +0)\n" GET(2, "r7") SPIN("a", "r6") STEP PUT("r7")
			  STEP LEAVE);
}

static void callbacks_in_callbacks_in_subprograms(void **state)
{
	(void)state;
	ends_well(ENTER GET(1, "r7") "r1 = r6\ncall sub\n" PUT("r7") LEAVE "sub:\nr6 = r1\n" GET(
		2, "r7") "*(u64 *)(r10 -8) = r6\n"
			 "r1 = r6\nr2 = func outer ll\nr3 = r10\nr3 += -8\nr4 = 0\n"
			 "call 181\n" PUT("r7") LEAVE "outer:\nr6 = *(u64 *)(r2 +0)\n" GET(
				 3, "r7") "*(u64 *)(r10 -8) = r6\n"
					  "r1 = 2\nr2 = func inner ll\nr3 = r10\nr3 += -8\nr4 = 0\n"
					  "call 181\n" PUT("r7") LEAVE
		  "inner:\nr6 = *(u64 *)(r2 +0)\n" GET(4, "r7") STEP SPIN("a", "r6") PUT("r7")
			  LEAVE);
}

/* ---- What the list must tell apart ---- */

static void one_address_of_two_types(void **state)
{
	(void)state;
	ends_well(ENTER GET(1, "r7") "r1 = r7\ncall 502\nr8 = r0\n" SPIN("a", "r6") PUT("r7")
			  STEP SPIN("b", "r6") "r1 = r8\ncall 503\n" LEAVE);
	ends_well(ENTER GET(1, "r7") "r1 = r7\ncall 502\nr8 = r0\n" SPIN(
		"a", "r6") "r1 = r8\ncall 503\n" STEP SPIN("b", "r6") PUT("r7") LEAVE);
}

/* Only the first is held where the program may end, and the second is released at a place of its
 * own, or at the same. */
static void one_address_acquired_twice(void **state)
{
	(void)state;
	ends_well(ENTER GET(1, "r7") GET(1, "r8") PUT("r8") SPIN("a", "r6") STEP PUT("r7") LEAVE);
	ends_well(ENTER GET(1, "r7") GET(1, "r8") "if r6 s> 1 goto swap\n" PUT(
		"r8") "r9 = r7\ngoto on\nswap:\n" PUT("r7") "r9 = r8\non:\n" SPIN("a", "r6")
			  STEP PUT("r9") LEAVE);
}

static void releaser_that_aborts_has_released(void **state)
{
	(void)state;
	ends_well(ENTER GET(1, "r7") GET(2, "r8") "r1 = r7\ncall 506\n" SPIN(
		"a", "r6") "r1 = r8\ncall 506\n" LEAVE);
}

static void acquirer_that_aborts_hands_out_nothing(void **state)
{
	(void)state;
	ends_well(ENTER "r1 = 1\ncall 509\nr7 = r0\nr1 = 2\ncall 509\nr8 = r0\n" SPIN("a", "r6")
			  PUT("r7") PUT("r8") LEAVE);
}

static void other_releasers_count_too(void **state)
{
	(void)state;
	ends_well(ENTER GET(1, "r7")
			  SPIN("a", "r6") "r1 = r7\nr2 = 5\ncall 505\n" STEP SPIN("b", "r6") LEAVE);
	ends_well(ENTER GET(1, "r8") RESERVE("r7") "if r7 == 0 goto out\n" SPIN(
		"a", "r6") "r1 = r7\nr2 = 0\ncall 133\n" STEP "out:\n" PUT("r8") LEAVE);
}

#define STOP "call 510\n"

/* Neither there nor at the next place where the program could end. */
static void helper_that_was_not_declared_to_abort_does_not(void **state)
{
	static const char text[] = ENTER STOP GET(1, "r7") STOP STEP STOP
		"r1 = r6\ncall sub\n" STOP
		"r1 = 2\nr2 = func body ll\nr3 = 0\nr4 = 0\ncall 181\n" STEP PUT("r7") STOP LEAVE
		"sub:\n" STOP LEAVE "body:\n" STOP LEAVE;
	int engine;

	(void)state;
	for (engine = 0; engine < 2; engine++) {
		struct tenon_object *obj = load_program(text, engine);

		assert_int_equal(run_with(obj, 1, ENOUGH), TN_ABORT_NONE);
		assert_int_equal(nr_steps, 2);
		check_nothing_is_held(text, "undeclared", 0);
		stop_at = 1;
		assert_int_equal(run_with(obj, 1, ENOUGH), TN_ABORT_HOST);
		check_nothing_is_held(text, "undeclared", 1);
		stop_at = -1;
		assert_ok(tenon_object_close(obj));
	}
}

static void newest_goes_first(void **state)
{
	static const char text[] = ENTER GET(1, "r7") GET(2, "r8") GET(3, "r9") STEP PUT("r8")
		STEP PUT("r7") PUT("r9") LEAVE;
	int engine;

	(void)state;
	for (engine = 0; engine < 2; engine++) {
		struct tenon_object *obj = load_program(text, engine);

		stop_at = 0;
		assert_int_equal(run_with(obj, 0, ENOUGH), TN_ABORT_HOST);
		assert_int_equal(nr_given_back, 3);
		assert_int_equal(given_back[0], 3);
		assert_int_equal(given_back[1], 2);
		assert_int_equal(given_back[2], 1);
		stop_at = 1;
		assert_int_equal(run_with(obj, 0, ENOUGH), TN_ABORT_HOST);
		assert_int_equal(given_back[1], 3);
		assert_int_equal(given_back[2], 1);
	}
}

/* ---- How it was entered ---- */

#define HOLDS_LONG ENTER GET(1, "r7") SPIN("a", "r6") PUT("r7") LEAVE

static void hook_chain_counts_and_cleans(void **state)
{
	struct test_ctx ctx = { .in = 100000000 };
	int engine;

	(void)state;
	for (engine = 0; engine < 2; engine++) {
		struct tenon_object *obj = load_program(HOLDS_LONG, engine);
		struct tenon_object *next = load_program(RETURN(3), engine);

		assert_ok(tenon_object_attach(obj));
		assert_int_equal(tenon_hook_fire(&hook, &ctx), 99);
		assert_int_equal(stats_of(first_program(obj)).aborted, 1);
		assert_ok(tenon_object_attach(next));
		assert_int_equal(tenon_hook_fire(&hook, &ctx), 3);
		assert_int_equal(stats_of(first_program(obj)).aborted, 2);
		check_nothing_is_held(HOLDS_LONG, "hook", 0);
		assert_ok(tenon_object_close(next));
		assert_ok(tenon_object_close(obj));
	}
}

static void test_run_cleans_in_either_engine(void **state)
{
	struct tenon_object *obj = load_program(HOLDS_LONG, 1);
	struct test_ctx ctx = { .in = 100000000 };
	int engine;

	(void)state;
	for (engine = 0; engine < 2; engine++) {
		struct tenon_test_run_opts opts = { .sz = sizeof(opts),
						    .engine = engine_at(engine),
						    .ctx = &ctx,
						    .ctx_size = sizeof(ctx),
						    .repeat = 2 };

		assert_ok(tenon_program_test_run(first_program(obj), &opts));
		assert_int_equal(opts.ended, TENON_ENDED_OUT_OF_FUEL);
		check_nothing_is_held(HOLDS_LONG, "test run", (uint64_t)engine);
	}
}

static void callback_for_a_library_cleans(void **state)
{
	struct test_ctx ctx = { .in = 100000000 };
	uint64_t (*fn)(struct test_ctx *);
	int engine;

	(void)state;
	for (engine = 0; engine < 2; engine++) {
		struct tenon_object *obj = load_program(HOLDS_LONG, engine);

		fn = (uint64_t(*)(struct test_ctx *))tenon_program_as_callback(first_program(obj),
									       "u64(ctx)");
		assert_non_null(fn);
		assert_int_equal(fn(&ctx), 0);
		check_nothing_is_held(HOLDS_LONG, "callback", 0);
		assert_ok(tenon_object_close(obj));
	}
}

/* From the main program, and from a subprogram whose caller goes on with what it acquires then. */
static void tail_call_target_cleans_and_so_does_its_caller(void **state)
{
	static const char callee[] = ENTER GET(1, "r7") SPIN("a", "r6") STEP PUT("r7") LEAVE;
	static const char *const callers[] = {
		ENTER "r7 = r1\n" GET(2, "r8") SPIN("a", "r6")
			PUT("r8") "r1 = r7\nr2 = map[1] ll\nr3 = 0\ncall 12\n" LEAVE,
		ENTER "call jump\n" GET(2, "r8") SPIN("a", "r6") STEP PUT("r8") LEAVE
		"jump:\nr2 = map[1] ll\nr3 = 0\ncall 12\n" LEAVE,
	};
	uint32_t key = 0, id, in;
	int engines, i;

	(void)state;
	for (engines = 0; engines < 4; engines++) {
		struct tenon_object *target = load_program(callee, engines & 1);

		id = tenon_program_id(first_program(target));
		for (i = 0; i < 2; i++) {
			struct tenon_object *obj = load_program(callers[i], engines >> 1);

			assert_ok(tenon_map_update_elem(array, &key, 4, &id, 4, 0));
			for (in = 0; in < 3; in++)
				assert_true(run_out_everywhere(obj, callers[i], in) > 0);
			assert_ok(tenon_map_delete_elem(array, &key, 4, 0));
			assert_ok(tenon_object_close(obj));
		}
		assert_ok(tenon_object_close(target));
	}
}

static void packet_load_that_ends_the_program_cleans(void **state)
{
	unsigned char packet[96] = { [80] = 42 };
	int engine;

	(void)state;
	for (engine = 0; engine < 2; engine++) {
		struct tenon_object_open_opts open = { .sz = sizeof(open),
						       .engine = engine_at(engine) };
		struct tenon_object *obj =
			tenon_object_open_file(rt, TN_TEST_PLUGINS "cleanup.bpf.o", &open);
		struct tenon_test_run_opts opts = { .sz = sizeof(opts), .data_in = packet };
		struct tenon_program *program;

		assert_non_null(obj);
		assert_ok(tenon_object_load(obj));
		program = tenon_object_find_program(obj, "load_while_holding");
		assert_non_null(program);
		opts.data_in_size = sizeof(packet);
		assert_ok(tenon_program_test_run(program, &opts));
		assert_int_equal(opts.retval, 42);
		check_nothing_is_held("packet load", "bytes", sizeof(packet));
		opts.data_in_size = 64;
		assert_ok(tenon_program_test_run(program, &opts));
		assert_int_equal(opts.retval, 0);
		assert_int_equal(opts.ended, 0);
		check_nothing_is_held("packet load", "bytes", 64);
		assert_int_equal(taken, 2 * (engine + 1));
		assert_ok(tenon_object_close(obj));
	}
}

/* Both sides hold what was acquired before the fork; the child runs out of fuel. */
static void each_side_of_a_fork_gives_back_its_own(void **state)
{
	static const char text[] = "r6 = r1\n" GET(1, "r8")
		RESERVE("r7") "if r7 == 0 goto out\n"
			      "call 511\nr6 = r0\n" SPIN("a", "r6") SUBMIT("r7") "out:\n" PUT("r8")
				      LEAVE;
	int engine, status;

	(void)state;
	for (engine = 0; engine < 2; engine++) {
		struct tenon_object *obj = load_program(text, engine);
		uint32_t end = run_with(obj, 0, 100000);

		if (child == 0) {
			bool open;

			tn_ringbuf_consume(ring->map, discard_sample, NULL);
			open = tn_ringbuf_query(ring->map, TN_RB_AVAIL_DATA) != 0;
			_exit(end != TN_ABORT_FUEL || open || conns[1].refs);
		}
		assert_true(child > 0);
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_int_equal(status, 0);
		assert_int_equal(end, TN_ABORT_NONE);
		check_nothing_is_held(text, "fork", 0);
		assert_ok(tenon_object_close(obj));
	}
}

/* The caller's is not known where the callee is proved. */
static void caller_of_a_global_function_holds_one(void **state)
{
	int engine, ends[2] = { 0, 0 };
	uint32_t in;

	(void)state;
	for (engine = 0; engine < 2; engine++) {
		struct tenon_object_open_opts open = { .sz = sizeof(open),
						       .engine = engine_at(engine) };
		struct tenon_object *obj =
			tenon_object_open_file(rt, TN_TEST_PLUGINS "cleanup.bpf.o", &open);
		struct tenon_program *program;

		assert_non_null(obj);
		assert_ok(tenon_object_load(obj));
		program = tenon_object_find_program(obj, "hold_over_globals");
		assert_non_null(program);
		for (in = 0; in < 4; in++)
			ends[engine] += run_out(program, "global functions", in);
		assert_ok(tenon_object_close(obj));
	}
	assert_int_equal(ends[0], ends[1]);
	assert_true(ends[0] > 10);
}

/* ---- What is refused ---- */

static void refused(const char *text, const char *words)
{
	struct tenon_object *obj = open_program(text, 0);

	assert_non_null(obj);
	assert_int_equal(tenon_object_load(obj), -EACCES);
	assert_words(words);
	assert_ok(tenon_object_close(obj));
}

static void add(const char *name, const char *sig, uint32_t id, uint64_t flags, int expected)
{
	struct tenon_helper_opts opts = { .sz = sizeof(opts), .flags = flags, .id = id };

	assert_int_equal(tenon_runtime_add_helper(rt, name, sig, TENON_FN(put), &opts), expected);
}

static void type_without_a_single_releaser_may_not_be_held(void **state)
{
	static const char held[] = "call 600\nr7 = r0\ncall 504\nr1 = r7\ncall 601\n" LEAVE;
	static const char not_held[] = "call 504\ncall 600\nr1 = r0\ncall 601\n" LEAVE;

	(void)state;
	add("take_pin", "acquire:pin()", 600, 0, 0);
	add("drop_pin_with", "void(release:pin, u32)", 602, 0, 0);
	add("drop_pin", "void(release:pin)", 601, TENON_MAY_ABORT, 0);
	refused(held, "names no helper");
	assert_ok(tenon_object_close(load_program(not_held, 1)));
	add("drop_one", "void(release:pin)", 603, 0, 0);
	assert_ok(tenon_object_close(load_program(held, 1)));
	add("drop_two", "void(release:pin)", 604, 0, 0);
	refused(held, "names no helper");
	add("drop_three", "void(release:pin)", 605, TENON_CLEANUP, 0);
	assert_ok(tenon_object_close(load_program(held, 1)));
}

static void cleanup_is_for_releasers(void **state)
{
	(void)state;
	add("a", "void()", 0, TENON_CLEANUP, -EINVAL);
	assert_words("TENON_CLEANUP");
	add("b", "void(release:pin, u32)", 0, TENON_CLEANUP, -EINVAL);
	add("c", "void(handle:pin)", 0, TENON_CLEANUP, -EINVAL);
	add("d", "void(release:pin)", 0, TENON_CLEANUP | TENON_MAY_ABORT, -EINVAL);
	add("e", "acquire:pin(release:pin)", 0, TENON_CLEANUP, -EINVAL);
}

static void callback_keeps_to_its_own(void **state)
{
	(void)state;
	refused(ENTER GET(1, "r7") "*(u64 *)(r10 -8) = r7\n"
				   "r1 = r6\nr2 = func body ll\nr3 = r10\nr3 += -8\nr4 = 0\n"
				   "call 181\n" LEAVE "body:\nr1 = *(u64 *)(r2 +0)\ncall 501\n"
				   "r0 = 1\nexit\n",
		"what its caller acquired");
	refused(ENTER "r1 = r6\nr2 = func body ll\nr3 = 0\nr4 = 0\n"
		      "call 181\n" LEAVE "body:\n" GET(1, "r7") LEAVE,
		"when a callback returns");
}

static void tail_call_with_a_reference_is_refused(void **state)
{
	(void)state;
	refused("r6 = r1\n" GET(1, "r7") "r1 = r6\nr2 = map[1] ll\nr3 = 0\ncall 12\n" PUT("r7")
			LEAVE,
		"at a tail call");
}

/* Programs that hold nothing where they may end pay nothing. */
static void nothing_is_noted_where_nothing_can_be_lost(void **state)
{
	struct tenon_object *obj =
		load_program(ENTER SPIN("a", "r6") STEP GET(1, "r7") PUT("r7") STEP LEAVE, 1);

	(void)state;
	assert_int_equal(first_program(obj)->prog->facts->holds, 0);
}

/* ---- Random programs ---- */

struct maker {
	char text[8192];
	size_t len;
	uint64_t seed;
	uint32_t nr_labels;
	uint32_t held; /* slots that hold a connection */
	uint32_t loops;
};

static uint32_t below(struct maker *m, uint32_t n)
{
	m->seed = m->seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(m->seed >> 33) % n;
}

static void emit(struct maker *m, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	m->len += (size_t)vsnprintf(m->text + m->len, sizeof(m->text) - m->len, fmt, ap);
	va_end(ap);
	assert_true(m->len < sizeof(m->text));
}

#define NR_SLOTS 6

static void make_release(struct maker *m, uint32_t slot)
{
	emit(m, "r1 = *(u64 *)(r10 -%u)\n%s\n", 8 * (slot + 1),
	     below(m, 3) ? "call 501" : "r2 = 0\ncall 505");
	m->held &= ~(1u << slot);
}

static void make_call(struct maker *m, uint32_t slot)
{
	if (m->held & 1u << slot) {
		make_release(m, slot);
	} else {
		emit(m, "r1 = %u\ncall 508\n*(u64 *)(r10 -%u) = r0\n", below(m, 3), 8 * (slot + 1));
		m->held |= 1u << slot;
	}
}

static void make_block(struct maker *m, uint32_t depth);

/* What a round acquires it releases, and the other way. */
static void restore(struct maker *m, uint32_t held)
{
	uint32_t i;

	for (i = 0; i < NR_SLOTS; i++)
		if ((m->held ^ held) & 1u << i)
			make_call(m, i);
}

static void make_loop(struct maker *m, uint32_t depth)
{
	uint32_t label = m->nr_labels++, held = m->held;
	int slot = -8 * (int)(NR_SLOTS + 1 + m->loops++);

	emit(m, "*(u64 *)(r10 %d) = r6\nloop%u:\nr1 = *(u64 *)(r10 %d)\n", slot, label, slot);
	emit(m, "if r1 == 0 goto end%u\nr1 -= 1\n*(u64 *)(r10 %d) = r1\n", label, slot);
	make_block(m, depth + 1);
	restore(m, held);
	emit(m, "goto loop%u\nend%u:\n", label, label);
	m->loops--;
}

static void make_branch(struct maker *m, uint32_t depth)
{
	uint32_t label = m->nr_labels++, held = m->held, other;

	emit(m, "if r6 > %u goto else%u\n", below(m, 3), label);
	make_block(m, depth + 1);
	other = m->held;
	emit(m, "goto end%u\nelse%u:\n", label, label);
	m->held = held;
	make_block(m, depth + 1);
	restore(m, other);
	emit(m, "end%u:\n", label);
}

static void make_block(struct maker *m, uint32_t depth)
{
	uint32_t nr = 1 + below(m, 4);

	while (nr--) {
		uint32_t what = below(m, depth < 3 ? 8 : 6);

		if (what < 4)
			make_call(m, below(m, NR_SLOTS));
		else if (what < 6)
			emit(m, "call 504\n");
		else if (what == 6)
			make_loop(m, depth);
		else
			make_branch(m, depth);
	}
}

static void random_programs_leave_nothing_behind(void **state)
{
	struct maker *m = calloc(1, sizeof(*m));
	uint64_t seed;
	uint32_t in;
	int engine, tracking = 0;

	(void)state;
	assert_non_null(m);
	for (seed = 1; seed <= 60; seed++) {
		*m = (struct maker){ .seed = seed };
		emit(m, ENTER);
		make_block(m, 0);
		make_loop(m, 0);
		restore(m, 0);
		emit(m, LEAVE);
		for (engine = 0; engine < 2; engine++) {
			struct tenon_object *obj = load_program(m->text, engine);

			tracking += first_program(obj)->prog->facts->holds;
			for (in = 0; in < 3; in++)
				run_out_everywhere(obj, m->text, in);
			assert_ok(tenon_object_close(obj));
		}
	}
	assert_true(tracking > 40);
	free(m);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(handle_at_a_loop_that_pays),
		TEST(record_at_a_loop_that_pays),
		TEST(handle_at_a_helper_that_aborts),
		TEST(two_in_the_order_and_against_it),
		TEST(released_on_one_path_before_and_on_the_other_after),
		TEST(acquired_anew_in_every_round),
		TEST(carried_from_one_round_to_the_next),
		TEST(nullable_and_maybe_null),
		TEST(sixteen_at_once),
		TEST(acquired_and_released_in_subprograms),
		TEST(each_of_nested_frames_holds_one),
		TEST(caller_holds_one_and_the_callback_another),
		TEST(callbacks_in_callbacks_in_subprograms),
		TEST(one_address_of_two_types),
		TEST(one_address_acquired_twice),
		TEST(releaser_that_aborts_has_released),
		TEST(acquirer_that_aborts_hands_out_nothing),
		TEST(other_releasers_count_too),
		TEST(helper_that_was_not_declared_to_abort_does_not),
		TEST(newest_goes_first),
		TEST(hook_chain_counts_and_cleans),
		TEST(test_run_cleans_in_either_engine),
		TEST(callback_for_a_library_cleans),
		TEST(tail_call_target_cleans_and_so_does_its_caller),
		TEST(packet_load_that_ends_the_program_cleans),
		TEST(each_side_of_a_fork_gives_back_its_own),
		TEST(caller_of_a_global_function_holds_one),
		TEST(type_without_a_single_releaser_may_not_be_held),
		TEST(cleanup_is_for_releasers),
		TEST(callback_keeps_to_its_own),
		TEST(tail_call_with_a_reference_is_refused),
		TEST(nothing_is_noted_where_nothing_can_be_lost),
		TEST(random_programs_leave_nothing_behind),
	};

	return cmocka_run_group_tests_name("cleanup", tests, NULL, NULL);
}
