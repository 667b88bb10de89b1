/* SPDX-License-Identifier: MIT */
/* The contexts of socket programs, fired and run alone, and what their helpers ask of the host. */
#include "host.h"

#define OBJECT TN_TEST_PLUGINS "sockets.bpf.o"

struct host {
	struct tenon_runtime *rt;
	struct tenon_object *obj;
	struct tenon_hook ops, msg, reuse, skb, flow;
	struct tenon_link *links[5];
	uint32_t applied, corked;
	int option;
	char message[8];
};

static void add(struct host *h, struct tenon_hook *hook, const char *name,
		const struct tenon_ctx_type *ctx)
{
	TENON_OPTS(tenon_hook_desc, desc, .name = name, .ctx = ctx, .chain = TENON_CHAIN_LAST);

	assert_ok(tenon_hook_register(h->rt, hook, &desc));
}

static void attach(struct host *h, int n, const char *name, const char *hook)
{
	TENON_OPTS(tenon_attach_opts, opts, .hook = hook);

	h->links[n] = tenon_program_attach(tenon_object_find_program(h->obj, name), &opts);
	if (!h->links[n])
		fail_msg("%s: %s", name, tenon_last_error()->msg);
}

static void begin(struct host *h, int engine, const struct tenon_socket_ops *socket_ops)
{
	TENON_OPTS(tenon_runtime_opts, opts,
		   .engine = engine ? TENON_ENGINE_AUTO : TENON_ENGINE_INTERP);

	*h = (struct host){ .rt = new_runtime(&opts) };
	if (socket_ops) {
		struct tenon_socket_ops with = *socket_ops;

		with.user = h;
		assert_ok(tenon_runtime_set_socket_ops(h->rt, &with));
	}
	add(h, &h->ops, "ops", tenon_ctx_sock_ops());
	add(h, &h->msg, "msg", tenon_ctx_sk_msg());
	add(h, &h->reuse, "reuse", tenon_ctx_sk_reuseport());
	add(h, &h->skb, "skb", tenon_ctx_sk_skb());
	add(h, &h->flow, "flow", tenon_ctx_flow_dissector());
	h->obj = tenon_object_open_file(h->rt, OBJECT, NULL);
	assert_non_null(h->obj);
	assert_ok(tenon_object_load(h->obj));
	attach(h, 0, "answers", "ops");
	attach(h, 1, "censors", "msg");
	attach(h, 2, "chooses", "reuse");
	attach(h, 3, "measures", "skb");
	attach(h, 4, "dissects", "flow");
}

static void end(struct host *h)
{
	for (int i = 0; i < 5; i++)
		assert_ok(tenon_link_destroy(h->links[i]));
	assert_ok(tenon_object_close(h->obj));
	assert_ok(tenon_hook_unregister(&h->ops));
	assert_ok(tenon_hook_unregister(&h->msg));
	assert_ok(tenon_hook_unregister(&h->reuse));
	assert_ok(tenon_hook_unregister(&h->skb));
	assert_ok(tenon_hook_unregister(&h->flow));
	assert_ok(tenon_runtime_free(h->rt));
}

static uint64_t cookie_of(void *user, const struct tenon_sock *sk)
{
	(void)user;
	return 1000 + sk->protocol;
}

static uint32_t uid_of(void *user, const struct tenon_sock *sk)
{
	(void)user;
	return sk->mark;
}

static int set_option(void *user, struct tenon_sock *sk, int level, int name, const void *value,
		      uint32_t len)
{
	struct host *h = user;

	(void)sk;
	assert_int_equal(level, 6);
	assert_int_equal(name, 1);
	assert_int_equal(len, sizeof(h->option));
	memcpy(&h->option, value, len);
	return 0;
}

static int get_option(void *user, struct tenon_sock *sk, int level, int name, void *value,
		      uint32_t len)
{
	struct host *h = user;
	int twice = h->option * 2;

	(void)sk;
	(void)level;
	(void)name;
	memcpy(value, &twice, len);
	return 0;
}

static int apply(void *user, struct tenon_sk_msg *msg, uint32_t bytes)
{
	(void)msg;
	((struct host *)user)->applied = bytes;
	return 0;
}

static int cork(void *user, struct tenon_sk_msg *msg, uint32_t bytes)
{
	(void)msg;
	((struct host *)user)->corked = bytes;
	return 0;
}

static int pull(void *user, struct tenon_sk_msg *msg, uint32_t start, uint32_t end)
{
	struct host *h = user;

	if (end > sizeof(h->message))
		return -EINVAL;
	msg->data = h->message + start;
	msg->data_end = h->message + end;
	return 0;
}

static const struct tenon_socket_ops all_ops = {
	.sz = sizeof(all_ops),
	.cookie = cookie_of,
	.uid = uid_of,
	.setsockopt = set_option,
	.getsockopt = get_option,
	.msg_apply = apply,
	.msg_cork = cork,
	.msg_pull = pull,
};

struct seen {
	uint32_t family, port, uid, window;
	uint64_t cookie;
	int64_t set_rc, get_rc, unknown;
};

static struct seen seen_by(struct host *h)
{
	struct tenon_map_info info = { .sz = sizeof(info) };
	struct tenon_map *map = NULL;
	struct seen seen;
	uint32_t zero = 0;

	while ((map = tenon_object_next_map(h->obj, map))) {
		assert_ok(tenon_map_info(map, &info));
		if (strstr(info.name, ".bss"))
			break;
	}
	assert_non_null(map);
	assert_ok(tenon_map_lookup_elem(map, &zero, sizeof(zero), &seen, sizeof(seen), 0));
	return seen;
}

static const unsigned char tcp_header[20] = { [14] = 0x12, [15] = 0x34 };

static void sockops_answer_through_the_context(void **state)
{
	(void)state;
	for (int engine = 0; engine < 2; engine++) {
		struct tenon_sock sk = { .family = 2, .dst_port = 99, .protocol = 6 };
		struct tenon_sock_ops ops = { .op = 1,
					      .is_fullsock = 1,
					      .sk = &sk,
					      .skb_data = (void *)(uintptr_t)tcp_header,
					      .skb_data_end =
						      (void *)(uintptr_t)(tcp_header + 20) };
		struct tenon_sock_ops other = { .op = 2, .reply = 0xffffffff };
		struct host h;

		begin(&h, engine, &all_ops);
		assert_int_equal(tenon_hook_fire(&h.ops, &ops), 1);
		assert_int_equal(ops.reply, 15); /* twice 7, and the flag */
		assert_int_equal(ops.bpf_sock_ops_cb_flags, 1);
		assert_int_equal(seen_by(&h).family, 2);
		assert_int_equal(seen_by(&h).port, 99);
		assert_int_equal(seen_by(&h).window, 0x1234);
		assert_int_equal(seen_by(&h).cookie, 1006);
		assert_int_equal(seen_by(&h).unknown, 0x100);
		assert_int_equal(tenon_hook_fire(&h.ops, &other), 0);
		assert_int_equal(other.reply, 0xffffffff);
		end(&h);
	}
}

static void sockops_without_socket_or_host_fail_softly(void **state)
{
	(void)state;
	for (int engine = 0; engine < 2; engine++) {
		struct tenon_sock_ops ops = { .op = 1 };
		struct host h;

		begin(&h, engine, NULL);
		assert_int_equal(tenon_hook_fire(&h.ops, &ops), 1);
		assert_int_equal(seen_by(&h).cookie, 0);
		assert_int_equal(seen_by(&h).set_rc, -524);
		assert_int_equal(seen_by(&h).get_rc, -524);
		assert_int_equal(seen_by(&h).unknown, -EINVAL);
		assert_int_equal(ops.reply, 0);
		end(&h);
	}
}

static void messages_are_written_where_the_host_pulled_them(void **state)
{
	(void)state;
	for (int engine = 0; engine < 2; engine++) {
		struct tenon_sock sk = { .family = 2 };
		struct tenon_sk_msg msg = { .size = 4, .sk = &sk };
		struct host h;

		begin(&h, engine, &all_ops);
		memcpy(h.message, "abcd", 4);
		assert_int_equal(tenon_hook_fire(&h.msg, &msg), 1);
		assert_memory_equal(h.message, "*bcd", 4);
		assert_int_equal(h.applied, 3);
		assert_int_equal(h.corked, 5);
		end(&h);
		begin(&h, engine, NULL);
		msg.data = msg.data_end = NULL;
		assert_int_equal(tenon_hook_fire(&h.msg, &msg), 0);
		end(&h);
	}
}

static void reuseport_reads_packet_and_sockets(void **state)
{
	(void)state;
	for (int engine = 0; engine < 2; engine++) {
		char packet[] = "packet";
		struct tenon_sock sk = { .src_port = 80 }, old = { .state = 10 };
		struct tenon_sk_reuseport reuse = {
			.data = packet, .data_end = packet + 6, .len = 9, .sk = &sk
		};
		struct tenon_test_run_opts opts = { .sz = sizeof(opts),
						    .ctx = &reuse,
						    .ctx_size = sizeof(reuse),
						    .data_in = "other",
						    .data_in_size = 5 };
		struct host h;

		begin(&h, engine, NULL);
		assert_int_equal(tenon_hook_fire(&h.reuse, &reuse), 1);
		assert_ok(
			tenon_program_test_run(tenon_object_find_program(h.obj, "chooses"), &opts));
		assert_int_equal(opts.retval, 1);
		reuse.data = packet;
		reuse.data_end = packet + 1;
		assert_int_equal(tenon_hook_fire(&h.reuse, &reuse), 0);
		reuse.data_end = packet + 6;
		reuse.migrating_sk = &old;
		assert_int_equal(tenon_hook_fire(&h.reuse, &reuse), 0);
		opts.ctx = NULL;
		opts.ctx_size = 0;
		assert_int_equal(
			tenon_program_test_run(tenon_object_find_program(h.obj, "chooses"), &opts),
			-EINVAL);
		end(&h);
	}
}

static void stream_parser_writes_packet_and_priority(void **state)
{
	(void)state;
	for (int engine = 0; engine < 2; engine++) {
		char bytes[] = "ab";
		struct tenon_sock sk = { .mark = 1234 };
		struct tenon_sk_buff skb = { .data = bytes, .data_end = bytes + 2, .sk = &sk };
		struct host h;

		begin(&h, engine, &all_ops);
		assert_int_equal(tenon_hook_fire(&h.skb, &skb), 'a');
		assert_string_equal(bytes, "ax");
		assert_int_equal(skb.priority, 5);
		assert_int_equal(seen_by(&h).uid, 1234);
		skb.sk = NULL;
		tenon_hook_fire(&h.skb, &skb);
		assert_int_equal(seen_by(&h).uid, 65534);
		end(&h);
	}
}

static void dissector_gives_flow_keys(void **state)
{
	unsigned char frame[40] = { [12] = 8, [23] = 17, [26] = 10, [29] = 1, [30] = 10, [33] = 2 };

	(void)state;
	for (int engine = 0; engine < 2; engine++) {
		struct tenon_flow_keys keys = { .nhoff = 14, .thoff = 14, .n_proto = 8 }, out;
		struct tenon_sk_buff skb = { .data = frame,
					     .data_end = frame + sizeof(frame),
					     .flow_keys = &keys };
		struct tenon_test_run_opts opts = { .sz = sizeof(opts),
						    .data_in = frame,
						    .data_in_size = sizeof(frame),
						    .data_out = &out,
						    .data_out_size = sizeof(out) };
		struct host h;

		begin(&h, engine, NULL);
		assert_int_equal(tenon_hook_fire(&h.flow, &skb), 0);
		assert_int_equal(keys.thoff, 34);
		assert_int_equal(keys.ip_proto, 17);
		assert_memory_equal(&keys.addr.v4.ipv4_src, frame + 26, 8);
		assert_ok(tenon_program_test_run(tenon_object_find_program(h.obj, "dissects"),
						 &opts));
		assert_int_equal(opts.retval, 0);
		assert_int_equal(opts.data_out_size, sizeof(out));
		assert_memory_equal(&out, &keys, sizeof(out));
		end(&h);
	}
}

/* One access to a context that the kernel refuses, too. */
static void refuse(struct host *h, const char *hook, const char *text, const char *words)
{
	struct tenon_object *obj = open_text(h->rt, hook, 0, NULL, 0, text, NULL);

	assert_int_not_equal(tenon_object_load(obj), 0);
	assert_words(words);
	assert_ok(tenon_object_close(obj));
}

static void what_the_kernel_refuses_is_refused(void **state)
{
	struct host h;

	(void)state;
	begin(&h, 1, NULL);
	refuse(&h, "ops", "r0 = 0\n*(u32 *)(r1 +8) = 0\nexit\n", "may not be written");
	refuse(&h, "ops", "r0 = *(u8 *)(r1 +0)\nr0 = 0\nexit\n", "is not read by 1 byte");
	refuse(&h, "ops", "r2 = *(u64 *)(r1 +184)\nr0 = *(u32 *)(r2 +0)\nr0 = 0\nexit\n", "NULL");
	refuse(&h, "flow", "r0 = *(u32 *)(r1 +8)\nexit\n", "in no single field");
	refuse(&h, "flow", "r2 = 40\nr3 = 0\ncall 38\nr0 = 0\nexit\n", "");
	refuse(&h, "msg", "r2 = 0\ncall 59\nr0 = 0\nexit\n", "is no bpf_sock_ops");
	refuse(&h, "skb", "*(u32 *)(r1 +8) = 1\nr0 = 0\nexit\n", "");
	end(&h);
}

static void socket_ops_are_checked(void **state)
{
	struct tenon_runtime *rt = new_runtime(NULL);

	(void)state;
	assert_int_equal(tenon_runtime_set_socket_ops(rt, NULL), -EINVAL);
	assert_int_equal(tenon_runtime_set_socket_ops(NULL, &all_ops), -EINVAL);
	assert_ok(tenon_runtime_set_socket_ops(rt, &all_ops));
	assert_ok(tenon_runtime_free(rt));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sockops_answer_through_the_context),
		cmocka_unit_test(sockops_without_socket_or_host_fail_softly),
		cmocka_unit_test(messages_are_written_where_the_host_pulled_them),
		cmocka_unit_test(reuseport_reads_packet_and_sockets),
		cmocka_unit_test(stream_parser_writes_packet_and_priority),
		cmocka_unit_test(dissector_gives_flow_keys),
		cmocka_unit_test(what_the_kernel_refuses_is_refused),
		cmocka_unit_test(socket_ops_are_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
