/* SPDX-License-Identifier: MIT */
/* Maps without keys, perf buffers, maps of maps by key, and what helpers ask of the host; both
 * engines. */
#include "host.h"
#include "events.h"

#include <poll.h>

#include "host-api/runtime.h"

static const char *const names[] = { "push",	  "pop",      "emit",  "count",
				     "elsewhere", "override", "print", "self" };
enum { PUSH, POP, EMIT, COUNT, ELSEWHERE, OVERRIDE, PRINT, SELF, NR_HOOKS };

static struct tenon_runtime *rt;
static struct tenon_hook hooks[NR_HOOKS];

static const struct tenon_field fields[] = {
	TENON_SCALAR(struct event_ctx, tenant, TENON_R),
	TENON_SCALAR(struct event_ctx, value, TENON_R),
	{ TENON_FIELD_(struct event_ctx, seq), .kind = TENON_FIELD_HANDLE,
	  .handle = "tenon_seq_file", .access = TENON_NULLABLE },
	TENON_SCALAR(struct event_ctx, retval, TENON_RW),
};
static const struct tenon_ctx_type type = TENON_CTX_TYPE(event_ctx, fields);

static int setup(void **state)
{
	(void)state;
	rt = new_runtime(NULL);
	memset(hooks, 0, sizeof(hooks));
	for (int i = 0; i < NR_HOOKS; i++) {
		struct tenon_hook_desc desc = { .sz = sizeof(desc),
						.name = names[i],
						.ctx = &type,
						.chain = TENON_CHAIN_LAST,
						.fallback = 4242 };

		assert_ok(tenon_hook_register(rt, &hooks[i], &desc));
	}
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	return tenon_runtime_free(rt);
}

static struct tenon_object *plug(int i)
{
	struct tenon_object_open_opts opts = { .sz = sizeof(opts), .engine = engine_at(i) };
	struct tenon_object *obj = tenon_object_plug(rt, TN_TEST_PLUGINS "events.bpf.o", &opts);

	if (!obj)
		fail_msg("%s", tenon_last_error()->msg);
	return obj;
}

static int fire(int which, unsigned int tenant, unsigned int value)
{
	struct event_ctx ctx = { .tenant = tenant, .value = value };

	return (int)tenon_hook_fire(&hooks[which], &ctx);
}

static void queue_passes_values_both_ways(void **state)
{
	(void)state;
	for (int engine = 0; engine < 2; engine++) {
		struct tenon_object *obj = plug(engine);
		struct tenon_map *map = tenon_object_find_map(obj, "work");
		uint32_t value = 70;

		assert_int_equal(fire(POP, 0, 0), -ENOENT);
		assert_ok(tenon_map_update_elem(map, NULL, 0, &value, 4, 0));
		assert_int_equal(fire(PUSH, 0, 71), 0);
		assert_ok(tenon_map_lookup_elem(map, NULL, 0, &value, 4, 0));
		assert_int_equal(value, 70);
		assert_int_equal(fire(POP, 0, 0), 70);
		assert_ok(tenon_map_lookup_and_delete_elem(map, NULL, 0, &value, 4, 0));
		assert_int_equal(value, 71);
		assert_int_equal(tenon_map_lookup_elem(map, NULL, 0, &value, 4, 0), -ENOENT);
		for (uint32_t i = 0; i < 4; i++)
			assert_int_equal(fire(PUSH, 0, i), 0);
		assert_int_equal(fire(PUSH, 0, 5), -E2BIG);
		assert_int_equal(tenon_map_update_elem(map, NULL, 0, &value, 4, 0), -E2BIG);
		assert_int_equal(tenon_map_update_elem(map, &value, 4, &value, 4, 0), -EINVAL);
		assert_ok(tenon_object_close(obj));
	}
}

/* The plugin says 0: as many as there are slots. */
static void events_of_an_object_are_adopted_by_the_next(void **state)
{
	struct tenon_object_open_opts opts = { .sz = sizeof(opts) };
	struct tenon_object *old = plug(0), *next;

	(void)state;
	opts.reuse_maps = old;
	next = tenon_object_open_file(rt, TN_TEST_PLUGINS "events.bpf.o", &opts);
	if (!next)
		fail_msg("%s", tenon_last_error()->msg);
	assert_ok(tenon_object_load(next));
	assert_int_equal(tenon_map_id(tenon_object_find_map(next, "events")),
			 tenon_map_id(tenon_object_find_map(old, "events")));
	assert_ok(tenon_object_close(next));
	assert_ok(tenon_object_close(old));
}

struct seen {
	uint32_t nr, slot, size, words[4];
	uint64_t lost;
};

static void on_sample(void *user, uint32_t slot, void *data, uint32_t size)
{
	struct seen *s = user;

	s->nr++;
	s->slot = slot;
	s->size = size;
	memcpy(s->words, data, size < sizeof(s->words) ? size : sizeof(s->words));
}

static void on_lost(void *user, uint32_t slot, uint64_t count)
{
	(void)slot;
	((struct seen *)user)->lost += count;
}

static void perf_buffer_hands_out_samples_and_losses(void **state)
{
	(void)state;
	for (int engine = 0; engine < 2; engine++) {
		struct tenon_object *obj = plug(engine);
		struct tenon_map *map = tenon_object_find_map(obj, "events");
		struct tenon_perf_buffer *pb;
		struct seen s = { 0 };
		int nr = 0;

		assert_int_equal(fire(EMIT, 1, 2), -ENOENT);
		pb = tenon_perf_buffer_new(map, 1, on_sample, on_lost, &s, NULL);
		if (!pb)
			fail_msg("%s", tenon_last_error()->msg);
		assert_null(tenon_perf_buffer_new(map, 1, on_sample, NULL, NULL, NULL));
		assert_int_equal(errno, EBUSY);
		assert_int_equal(tenon_runtime_free(rt), -EBUSY);
		assert_int_equal(tenon_perf_buffer_poll(pb, 0), 0);
		assert_int_equal(fire(EMIT, 1, 2), 0);
		assert_int_equal(tenon_perf_buffer_poll(pb, -1), 1);
		assert_int_equal(s.size, 8);
		assert_int_equal(s.words[0], 1);
		assert_int_equal(s.words[1], 2);
		while (!fire(EMIT, 3, 4))
			nr++;
		assert_int_equal(fire(EMIT, 3, 4), -ENOSPC);
		assert_true(poll(&(struct pollfd){ tenon_perf_buffer_fd(pb), POLLIN, 0 }, 1, 0) ==
			    1);
		assert_int_equal(tenon_perf_buffer_consume(pb), nr);
		assert_int_equal(s.lost, 2);
		tenon_perf_buffer_free(pb);
		assert_int_equal(fire(EMIT, 1, 2), -ENOENT);
		assert_ok(tenon_object_close(obj));
	}
}

static void perf_buffer_leaves_nothing_when_an_allocation_fails(void **state)
{
	struct tenon_object *obj = plug(0);
	struct tenon_map *map = tenon_object_find_map(obj, "events");
	struct tenon_perf_buffer *pb = NULL;
	struct seen s = { 0 };
	int64_t n;

	(void)state;
	for (n = 1; !pb; n++) {
		size_t before = tn_load_relaxed(&rt->rt.mem.bytes[TN_CHARGE_HEAP]);

		tn_store_relaxed(&rt->rt.mem.fail_after, n);
		pb = tenon_perf_buffer_new(map, 1, on_sample, on_lost, &s, NULL);
		tn_store_relaxed(&rt->rt.mem.fail_after, 0);
		if (pb)
			break;
		assert_int_equal(errno, ENOMEM);
		assert_int_equal(tn_load_relaxed(&rt->rt.mem.bytes[TN_CHARGE_HEAP]), before);
		/* Nobody listens, and the next may. */
		assert_int_equal(fire(EMIT, 1, 2), -ENOENT);
	}
	assert_true(n > 1);
	assert_int_equal(fire(EMIT, 1, 2), 0);
	assert_int_equal(tenon_perf_buffer_consume(pb), 1);
	tenon_perf_buffer_free(pb);
	assert_ok(tenon_object_close(obj));
}

static void perf_buffer_refuses_what_is_none(void **state)
{
	struct tenon_object *obj = plug(0);
	struct tenon_map *map = tenon_object_find_map(obj, "events");

	(void)state;
	assert_null(tenon_perf_buffer_new(NULL, 1, on_sample, NULL, NULL, NULL));
	assert_null(tenon_perf_buffer_new(tenon_object_find_map(obj, "work"), 1, on_sample, NULL,
					  NULL, NULL));
	assert_words("perf_event_array");
	assert_null(tenon_perf_buffer_new(map, 3, on_sample, NULL, NULL, NULL));
	assert_words("power of two");
	assert_null(tenon_perf_buffer_new(map, 1, NULL, NULL, NULL, NULL));
	assert_int_equal(tenon_perf_buffer_poll(NULL, 0), -EINVAL);
	assert_int_equal(tenon_perf_buffer_fd(NULL), -EINVAL);
	tenon_perf_buffer_free(NULL);
	assert_ok(tenon_object_close(obj));
}

static void tenants_have_maps_of_their_own(void **state)
{
	(void)state;
	for (int engine = 0; engine < 2; engine++) {
		struct tenon_object *obj = plug(engine);
		struct tenon_map *tenants = tenon_object_find_map(obj, "tenants");
		uint32_t ids[2] = { tenon_map_id(tenon_object_find_map(obj, "first")),
				    tenon_map_id(tenon_object_find_map(obj, "second")) };
		uint32_t wrong = tenon_map_id(tenants), key = 500;

		assert_int_equal(fire(COUNT, 500, 0), -1);
		assert_ok(tenon_map_update_elem(tenants, &key, 4, &ids[0], 4, 0));
		key = 600;
		assert_ok(tenon_map_update_elem(tenants, &key, 4, &ids[1], 4, 0));
		assert_int_equal(fire(COUNT, 500, 0), 1);
		assert_int_equal(fire(COUNT, 500, 0), 2);
		assert_int_equal(fire(COUNT, 600, 0), 1);
		assert_int_equal(tenon_map_update_elem(tenants, &key, 4, &wrong, 4, 0), -EINVAL);
		assert_ok(tenon_map_update_elem(tenants, &key, 4, &ids[0], 4, 0));
		assert_int_equal(fire(COUNT, 600, 0), 3);
		assert_ok(tenon_map_delete_elem(tenants, &key, 4, 0));
		assert_int_equal(fire(COUNT, 600, 0), -1);
		assert_ok(tenon_object_close(obj));
	}
}

static void other_slots_values_are_reached(void **state)
{
	(void)state;
	for (int engine = 0; engine < 2; engine++) {
		struct tenon_object *obj = plug(engine);
		struct tenon_map *map = tenon_object_find_map(obj, "parts");
		uint64_t values[64] = { 0 };
		uint32_t key = 0;

		assert_int_equal(fire(ELSEWHERE, 0, 63), 1);
		assert_int_equal(fire(ELSEWHERE, 0, 40), 1);
		assert_int_equal(fire(ELSEWHERE, 0, 40), 2);
		assert_int_equal(fire(ELSEWHERE, 0, 64), -1);
		assert_int_equal(fire(ELSEWHERE, 0, UINT32_MAX), -1);
		assert_ok(tenon_map_lookup_elem(map, &key, 4, values, sizeof(values), 0));
		assert_int_equal(values[63], 1);
		assert_int_equal(values[40], 2);
		assert_int_equal(values[41], 0);
		assert_ok(tenon_object_close(obj));
	}
}

static void result_of_the_hook_is_read_and_set(void **state)
{
	(void)state;
	for (int engine = 0; engine < 2; engine++) {
		struct tenon_object *obj = plug(engine);
		struct event_ctx ctx = { .retval = -5 };

		assert_int_equal((int)tenon_hook_fire(&hooks[OVERRIDE], &ctx), -5);
		assert_int_equal(ctx.retval, -6);
		ctx.value = 13;
		assert_int_equal((int)tenon_hook_fire(&hooks[OVERRIDE], &ctx), -6);
		assert_int_equal(ctx.retval, -13);
		assert_int_equal(fire(SELF, 0, 0), 1);
		assert_ok(tenon_object_close(obj));
	}
}

static char text[64];

static int write_text(void *user, const void *data, size_t size)
{
	size_t used = strlen(text), *room = user;

	if (size > *room)
		return -EOVERFLOW;
	*room -= size;
	memcpy(text + used, data, size);
	return 0;
}

static void output_goes_to_the_hosts_file(void **state)
{
	(void)state;
	for (int engine = 0; engine < 2; engine++) {
		struct tenon_object *obj = plug(engine);
		size_t room = 18;
		struct tenon_seq_file file = { write_text, &room };
		struct event_ctx ctx = { .tenant = 7,
					 .value = 30,
					 .seq = (struct seq_file *)&file };

		memset(text, 0, sizeof(text));
		assert_int_equal(tenon_hook_fire(&hooks[PRINT], &ctx), 0);
		assert_string_equal(text, "tenant 7: 30\nend");
		assert_int_equal((int)tenon_hook_fire(&hooks[PRINT], &ctx), -EOVERFLOW);
		ctx.seq = NULL;
		assert_int_equal((int)tenon_hook_fire(&hooks[PRINT], &ctx), -1);
		assert_ok(tenon_object_close(obj));
	}
}

/* A structure of another name is no place for output, though the plugin calls it seq_file. */
static void output_goes_to_no_structure_of_the_hosts_own(void **state)
{
	struct tenon_runtime *own = new_runtime(NULL);
	struct tenon_hook own_hooks[NR_HOOKS] = { 0 };
	struct tenon_field other[sizeof(fields) / sizeof(fields[0])];
	struct tenon_ctx_type layout = type;

	(void)state;
	memcpy(other, fields, sizeof(other));
	other[2].handle = "seq_file";
	layout.fields = other;
	for (int i = 0; i < NR_HOOKS; i++) {
		struct tenon_hook_desc desc = { .sz = sizeof(desc),
						.name = names[i],
						.ctx = &layout };

		assert_ok(tenon_hook_register(own, &own_hooks[i], &desc));
	}
	assert_null(tenon_object_plug(own, TN_TEST_PLUGINS "events.bpf.o", NULL));
	assert_words("a handle of type tenon_seq_file");
	assert_ok(tenon_runtime_free(own));
}

static struct {
	uint32_t ifindex, len;
	uint64_t flags;
} sent;

static int send_copy(void *user, const struct tenon_sk_buff *skb, uint32_t ifindex, uint64_t flags)
{
	(void)user;
	sent.ifindex = ifindex;
	sent.flags = flags;
	sent.len = skb->len;
	return 0;
}

static int mtu_of(void *user, uint32_t ifindex)
{
	return ifindex == 3 ? *(int *)user : -ENODEV;
}

static int run_packet(struct tenon_object *obj, const char *name, void *ctx, size_t size,
		      enum tenon_engine engine)
{
	static const unsigned char frame[60] = { 1, 2, 3, 4, 5, 6 };
	struct tenon_test_run_opts opts = { .sz = sizeof(opts),
					    .ctx = ctx,
					    .ctx_size = size,
					    .data_in = frame,
					    .data_in_size = sizeof(frame),
					    .engine = engine };

	assert_ok(tenon_program_test_run(tenon_object_find_program(obj, name), &opts));
	return (int)opts.retval;
}

static void packets_go_where_the_program_says(void **state)
{
	int mtu = 1500;
	const struct tenon_packet_ops ops = {
		.sz = sizeof(ops), .clone_redirect = send_copy, .mtu = mtu_of, .user = &mtu
	};

	(void)state;
	for (int engine = 0; engine < 2; engine++) {
		struct tenon_object *obj = plug(engine);
		struct tenon_map *map = tenon_object_find_map(obj, "events");
		struct tenon_sk_buff skb = { .len = 60 };
		struct tenon_xdp_md xdp = { 0 };
		struct seen s = { 0 };
		struct tenon_perf_buffer *pb = tenon_perf_buffer_new(map, 1, on_sample, NULL, &s,
								     NULL);

		assert_non_null(pb);
		memset(&sent, 0, sizeof(sent));
		if (!engine) /* there are no devices yet */
			assert_int_equal(run_packet(obj, "send", &skb, sizeof(skb), engine_at(0)),
					 -ENODEV);
		assert_ok(tenon_runtime_set_packet_ops(rt, &ops));
		assert_int_equal(run_packet(obj, "send", &skb, sizeof(skb), engine_at(engine)), 7);
		assert_int_equal(skb.redirect_ifindex, 4);
		assert_int_equal(skb.redirect_flags, 1);
		assert_int_equal(sent.ifindex, 3);
		assert_int_equal(sent.flags, 1);
		assert_int_equal(sent.len, 60);
		assert_int_equal(tenon_perf_buffer_consume(pb), 1);
		assert_int_equal(s.size, 10);
		assert_int_equal(s.words[0], 1500);
		assert_memory_equal(&s.words[1], "\1\2\3\4\5\6", 6);
		assert_int_equal(run_packet(obj, "forward", &xdp, sizeof(xdp), engine_at(engine)),
				 4);
		assert_int_equal(xdp.redirect_ifindex, 9);
		tenon_perf_buffer_free(pb);
		assert_ok(tenon_object_close(obj));
	}
	assert_int_equal(tenon_runtime_set_packet_ops(rt, NULL), -EINVAL);
}

static void values_of_the_file_go_where_they_fit_alone(void **state)
{
	static const char *const files[] = { "misplaced_1.bpf.o", "misplaced_2.bpf.o",
					     "misplaced_3.bpf.o" };
	static const char *const words[] = { "hold no maps", "cannot begin with maps",
					     "cannot begin with programs" };

	(void)state;
	for (int i = 0; i < 3; i++) {
		char path[512];
		struct tenon_object *obj;

		snprintf(path, sizeof(path), "%s%s", TN_TEST_PLUGINS, files[i]);
		obj = tenon_object_open_file(rt, path, NULL);
		if (!obj)
			fail_msg("%s", tenon_last_error()->msg);
		assert_int_equal(tenon_object_load(obj), -EINVAL);
		assert_words(words[i]);
		assert_ok(tenon_object_close(obj));
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(queue_passes_values_both_ways),
		TEST(perf_buffer_hands_out_samples_and_losses),
		TEST(events_of_an_object_are_adopted_by_the_next),
		TEST(perf_buffer_leaves_nothing_when_an_allocation_fails),
		TEST(perf_buffer_refuses_what_is_none),
		TEST(tenants_have_maps_of_their_own),
		TEST(other_slots_values_are_reached),
		TEST(result_of_the_hook_is_read_and_set),
		TEST(output_goes_to_the_hosts_file),
		TEST(output_goes_to_no_structure_of_the_hosts_own),
		TEST(values_of_the_file_go_where_they_fit_alone),
		TEST(packets_go_where_the_program_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
